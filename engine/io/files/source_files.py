"""Source files: finding them, knowing them again, and setting aside the records that cannot be read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from engine.core.counted import agree, counted, of_all
from engine.core.errors import EngineError, SchemaError, SettingsError
from engine.core.scenario import Scenario

REJECTS = "rejects"


class MissingInputError(EngineError):
    """A required source file is not in the data directory; no table was touched. `in_part`: others of the same input
    are there, so it is not merely left out."""

    def __init__(self, message: str, *, in_part: bool = False) -> None:
        super().__init__(message)
        self.in_part = in_part


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One input as it is recorded: what it was called, and what was in it."""

    name: str
    bytes: int
    sha256: str
    scenario: str | None = None
    is_file: bool = True

    @classmethod
    def of(cls, path: Path, scenario: Scenario | None = None) -> SourceFile:
        """Read the file once for its digest."""
        try:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return cls(path.name, path.stat().st_size, digest, scenario.provider_code if scenario else None)
        except OSError as err:
            raise SchemaError(f"{path} cannot be read: {err.strerror}") from err

    @classmethod
    def of_value(cls, name: str, value: object) -> SourceFile:
        """Something other than a file that the result depends on, such as the lattice."""
        text = json.dumps(value, sort_keys=True, default=str)
        return cls(name, len(text), hashlib.sha256(text.encode()).hexdigest(), is_file=False)

    def as_json(self) -> dict[str, Any]:
        """As kept in `etl_load.source_files`."""
        return {"name": self.name, "bytes": self.bytes, "sha256": self.sha256, "scenario": self.scenario}


def find(data: Path, *patterns: str) -> list[Path]:
    """Files below a directory whose path ends in one of the patterns (`*`, `?`; case does not matter), sorted.

    `river*.geojson` matches in any folder, `typhoon/*.csv` only directly inside a folder of that name.
    """
    if not data.is_dir():
        raise SettingsError(f"data directory {data} does not exist")
    found = []
    for path in sorted(data.rglob("*")):
        below = path.relative_to(data)
        if REJECTS in below.parts or any(part.startswith(".") for part in below.parts) or not path.is_file():
            continue
        lower = PurePosixPath(below.as_posix().lower())
        if any(lower.match(pattern.lower()) for pattern in patterns):
            found.append(path)
    return found


#: ending of a file -> endings of those that are kept beside it and belong to it
_BESIDE = {
    ".shp": (".shx", ".dbf", ".prj", ".cpg"),
    ".tif": (".tfw", ".tifw", ".wld", ".prj", ".tif.aux.xml", ".tif.msk"),
    ".tiff": (".tfw", ".tiffw", ".wld", ".prj", ".tiff.aux.xml", ".tiff.msk"),
}


def parts(path: Path) -> list[Path]:
    """A file with those beside it that belong to it: attributes and CRS of a shapefile, mask and place of a raster."""
    names = {f"{path.stem}{ending}".lower() for ending in _BESIDE.get(path.suffix.lower(), ())}
    return [path, *sorted(other for other in path.parent.iterdir() if other.name.lower() in names)]


def all_parts(paths: Iterable[Path]) -> list[Path]:
    """`parts` of each of several files."""
    return [part for path in paths for part in parts(path)]


def one_file(data: Path, what: str, *patterns: str, in_part: bool = False) -> Path:
    """The one file of these patterns; refuses none (MissingInputError, with `in_part`) and several (SchemaError)."""
    found = find(data, *patterns)
    if not found:
        raise MissingInputError(f"{what}: no file {' or '.join(patterns)} below {data}", in_part=in_part)
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(data)) for path in found)
        raise SchemaError(
            f"{what}: {counted(len(found), 'file')} {agree(len(found), 'fits', 'fit')}"
            f" {' or '.join(patterns)} below {data}, one is wanted: {names}"
        )
    return found[0]


def reject(data: Path, table: str, bad: Sequence[tuple[str, int, str]], total: int, *, dry_run: bool = False) -> int:
    """Write unreadable records of a text source to `rejects/<table>.csv` of the data directory.

    bad     : (file name, line number, reason)
    dry_run : write nothing
    total   : records read, good and bad
    returns : how many; raises SchemaError for more than 1,000 or more than 0.1 % of them
    """
    if not bad:
        return 0
    if not dry_run:
        _write_rejects(data / REJECTS / f"{table}.csv", bad, table)
    if len(bad) > 1000 or len(bad) > 0.001 * total:
        name, line, reason = bad[0]
        listed = "" if dry_run else f" (all in {data / REJECTS / f'{table}.csv'})"
        raise SchemaError(
            f"{table}: {of_all(len(bad), total, 'record')} {agree(len(bad), 'is', 'are')}"
            f" unreadable, the first in line {line} of {name}: {reason}"
            f"{listed}"
        )
    return len(bad)


def _write_rejects(target: Path, bad: Sequence[tuple[str, int, str]], table: str) -> None:
    try:
        target.parent.mkdir(exist_ok=True)
        lines = ["file,line,reason"] + [
            f'{name},{line},"{reason.replace(chr(34), chr(39))}"' for name, line, reason in bad
        ]
        target.write_text("\n".join(lines) + "\n", "utf-8")
    except OSError as err:
        raise EngineError(f"rejected records of {table} cannot be written to {target}: {err.strerror}") from err
