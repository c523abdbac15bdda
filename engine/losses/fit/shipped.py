"""Files of the package that a calibration stands on by default."""

from importlib import resources
from pathlib import Path

from engine.losses.fit.hazard import Sources


def sources() -> Sources:
    """Losses, stations, municipalities and tracks of the package."""
    data = Path(str(resources.files("engine"))) / "losses" / "data"
    tracks = Path(str(resources.files("engine"))) / "sample" / "data" / "typhoon"
    return Sources(data, data / "stations", data / "municipalities.csv", next(iter(sorted(tracks.glob("ibtracs*")))))
