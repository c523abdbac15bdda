"""Ask the weather agency for its typhoon best tracks, a year a call, and save its text for the loader `besttrack`.

Source of the call: KMA API hub, apihub.kma.go.kr. The final track of a year is published the following summer.
"""

from __future__ import annotations

from pathlib import Path

from engine.core.errors import SchemaError
from engine.io.etl.api import Api, ProviderError
from engine.io.etl.loaders import besttrack_readers
from engine.io.etl.loading import Progress

BASE_URL = "https://apihub.kma.go.kr/api/typ01/url"
KEY = "authKey"
_CALL = "typ_besttrack.php"


def download(api: Api, data: Path, years: range, progress: Progress, *, refresh: bool = False) -> list[Path]:
    """Save `typhoon/kma_besttrack_YYYY.txt` below a data directory, bytes as they come.

    years   : the last one is asked every time, earlier ones once, unless `refresh`; a year without a fix (not published
              yet) leaves no file
    returns : the files written
    raises  : ProviderError for an answer that is no best track, such as a complaint about the key with status 200
    """
    folder = data / "typhoon"
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, year in enumerate(years):
        progress("best track", number, len(years))
        path = folder / f"kma_besttrack_{year}.txt"
        if path.exists() and year != years[-1] and not refresh:
            continue
        body = api.get(f"/{_CALL}", {"year": str(year), "help": "0"}, f"{_CALL}(year={year})")
        part = path.with_suffix(".part")
        part.write_bytes(body)
        try:
            track = besttrack_readers.read(part)
        except SchemaError:
            track = None
        if track is not None and track.fixes.height:
            written.append(part.replace(path))
            continue
        part.unlink()
        if any(line.strip() and not line.startswith(b"#") for line in body.splitlines()):
            raise ProviderError(f"{_CALL}(year={year}) is no best track: {api.shown(body)}")
    return written
