"""Files of the package that a calibration stands on by default."""

from importlib import resources
from pathlib import Path

from engine.losses.fit.hazard import Sources


def sources() -> Sources:
    """Losses, stations, municipalities and tracks of the package; stations and tracks are the observed sample's."""
    data = Path(str(resources.files("engine"))) / "losses" / "data"
    observed = Path(str(resources.files("engine"))) / "sample" / "data"
    tracks = next(iter(sorted((observed / "typhoon").glob("ibtracs*"))))
    return Sources(data, observed / "stations", data / "municipalities.csv", tracks)
