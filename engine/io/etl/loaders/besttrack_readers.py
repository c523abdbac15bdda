"""Best tracks of three providers, read into one frame: KMA text, JMA fixed columns, IBTrACS tables.

Each reader is told by the content, not by the file name. Winds become m/s, radii km, longitudes 0..360, a wind or
radius of 0 null: in every one of the three it stands for a weak stage without a stated value.
"""

from __future__ import annotations

import codecs
import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.io.etl.loaders import besttrack_ibtracs as ibtracs
from engine.io.etl.loaders.besttrack_record import (
    COMPASS,
    GRADES,
    JMA_GRADES,
    JMA_STORM,
    KNOT,
    MOST_ID,
    MOST_NAME,
    NAUTICAL_MILE,
    SCHEMA,
    Basins,
    BestTrack,
    Source,
    grade_of,
    jma_direction,
    leaps,
)
from engine.io.files.reading import reading

_JMA_HEADER = "66666"
_JMA_FIRST_SEASON = 1951  # tells the century of a two-digit year
_JMA_FIRST_WINDS = 1977  # before it a line ends after the pressure
#: where a line of JMA may end: after pressure, wind (a stage without radii), radii, mark of a passage over Japan
_JMA_PRESSURE, _JMA_WIND, _JMA_RADII, _JMA_MARK = 28, 36, 62, 72
_KMA_FIELDS = 17
_KMA_LINES_LOOKED_AT = 20
_MISSING = ("", "-")
_MISSING_BELOW = -900.0  # -999, -999.9
_BAD_LINE = (ValueError, OverflowError, csv.Error)


def read(path: Path, basins: Basins | None = None) -> BestTrack | None:
    """Read a file, or return None when it is not a best track of the three kinds.

    basins : of IBTrACS tables; None: the western North Pacific, of which the others are
    raises : SchemaError for an error answer saved as a file, an unknown encoding, or a file cut short
    """
    with reading(path):
        return _read(path, basins or Basins())


def _read(path: Path, basins: Basins) -> BestTrack | None:
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    if head.startswith((b"\x1f\x8b", b"PK")):
        raise SchemaError(f"{path.name} is compressed: unpack it into the data directory")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SchemaError(f"{path.name} is UTF-16 text: save it as CSV UTF-8")
    if head.startswith(b"PAR1"):
        return ibtracs.read_parquet(path, basins)
    lines = head.removeprefix(codecs.BOM_UTF8).decode("latin-1").splitlines()[:2]
    skipped = int(bool(lines) and lines[0].lower().startswith("sep="))
    separator, names = ibtracs.header(lines[skipped] if len(lines) > skipped else "")
    if "SID" in names:
        return ibtracs.read_csv(path, separator, skipped, basins)
    text = _decode(path)
    if text.lstrip()[:1] in ("<", "{"):
        raise SchemaError(f"{path.name} is an error answer, not a best track: {text.strip()[:200]}")
    if text.startswith(_JMA_HEADER):
        return _jma(path, text)
    first = [line for _, line in zip(range(_KMA_LINES_LOOKED_AT), _kma_lines(text), strict=False)]
    known = any(fields[0].upper() in GRADES and len(fields) >= _KMA_FIELDS for _, fields in first)
    return _kma(path, text) if known else None


def _decode(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in ("utf-8-sig", "euc-kr"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SchemaError(f"{path.name} is neither UTF-8 nor EUC-KR text")


def _kma_lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of the data lines; columns are parted by blanks or, in the CSV form, by commas."""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().removesuffix("=").strip()
        if not bare or bare.startswith("#"):
            continue
        try:
            fields = [field.strip() for field in next(csv.reader([bare]))] if "," in bare else bare.split()
        except csv.Error:
            fields = [bare]  # too few fields, which says enough
        if len(fields) == _KMA_FIELDS + 1 and not fields[-1]:
            fields.pop()  # a comma at the end of the line
        if fields[0].upper() != "GRADE":
            yield number, fields


def _kma(path: Path, text: str) -> BestTrack:
    rows, rejected, records = [], [], 0
    for number, fields in _kma_lines(text):
        records += 1
        try:
            rows.append(_kma_fix(fields))
        except _BAD_LINE as err:
            rejected.append((number, str(err)))
    return _track("KMA", path, rows, records, rejected)


def _kma_fix(fields: list[str]) -> dict[str, Any]:
    if len(fields) < _KMA_FIELDS:
        raise ValueError(f"{counted(len(fields), 'field')}, {_KMA_FIELDS} expected")
    grade, tcid, name = fields[0].upper(), fields[1].zfill(4), " ".join(fields[16:])
    if grade not in GRADES:
        raise ValueError(f"unknown grade {fields[0]!r}")
    if fields[1] in _MISSING or len(tcid) > MOST_ID or len(name) > MOST_NAME:
        raise ValueError(f"storm number {fields[1]!r} or name {name[: MOST_NAME + 1]!r}: missing or too long")
    time = datetime(*(int(field) for field in fields[2:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]
    longitude, latitude, wind, pressure = (_number(field) for field in fields[6:10])
    if longitude is None or latitude is None:
        raise ValueError("no position")
    fix = {
        "tcid": tcid,
        "obs_datetime": time,
        "season": _season(tcid, time.year),
        "grade": grade,
        "typhoon_name": None if name in _MISSING else name,
        "longitude": longitude,
        "latitude": latitude,
        "max_wind_speed": wind or None,
        "central_pressure": pressure,
    }
    for area, (long, short, direction) in {"gale": fields[10:13], "storm": fields[13:16]}.items():
        fix |= _radii(area, _number(long), _number(short), *_direction(direction))
    return fix


def _season(tcid: str, year: int) -> int:
    """The year in a storm number YYNN, of the century nearest to its fix; of any other number the fix's year."""
    if not (len(tcid) == 4 and tcid.isdigit()):
        return year
    return min((year - year % 100 + shift + int(tcid[:2]) for shift in (-100, 0, 100)), key=lambda y: abs(y - year))


def _number(field: str) -> float | None:
    if field in _MISSING:
        return None
    value = float(field)
    if not math.isfinite(value):
        raise ValueError(f"{field!r} is no number")
    return None if value <= _MISSING_BELOW else value


def _direction(field: str) -> tuple[str | None, float | None]:
    """Text and degrees of a compass point or a number of degrees; neither for a circle."""
    if field.upper() in COMPASS:
        return field.upper(), COMPASS.index(field.upper()) * 360.0 / len(COMPASS)
    degrees = _number(field)
    if degrees is None:
        return None, None
    if not 0.0 <= degrees <= 360.0:
        raise ValueError(f"direction {field!r} is neither a compass point nor 0..360 degrees")
    return field, degrees % 360.0


def _radii(
    area: str, longest: float | None, shortest: float | None, direction: str | None, degrees: float | None
) -> dict[str, Any]:
    stated = bool(longest)
    return {
        f"{area}_long": longest or None,
        f"{area}_short": shortest or None if stated else None,
        f"{area}_dir": direction if stated else None,
        f"{area}_dir_deg": degrees if stated else None,
    }


def _jma(path: Path, text: str) -> BestTrack:
    rows, rejected, records = [], [], 0
    header, expected, following = "", 0, 0
    lines = [*enumerate(text.splitlines(), 1), (0, _JMA_HEADER)]  # a last header closes the last storm
    for number, line in lines:
        if line.startswith(_JMA_HEADER):
            if following != expected:
                raise SchemaError(
                    f"{path.name}: storm {header[6:10]} states {counted(expected, 'line')}, {following} follow"
                )
            if number:
                header, following = line, 0
                try:
                    expected = int(line[12:15])
                except ValueError:
                    raise SchemaError(
                        f"{path.name} line {number}: a storm header without its number of lines"
                    ) from None
        elif line.strip():
            records, following = records + 1, following + 1
            try:
                rows.append(_jma_fix(header, line.rstrip()))
            except _BAD_LINE as err:
                rejected.append((number, str(err)))
    return _track("JMA", path, rows, records, rejected)


def _jma_fix(header: str, line: str) -> dict[str, Any]:
    if line[9:12] != "002":
        raise ValueError(f"columns 10-12 hold {line[9:12]!r}, not 002")
    year = _full_year(line[0:2])
    _require_whole(line, year)
    knots = int(line[33:36].strip() or 0)
    wind = knots * KNOT if knots else None
    code = line[13]
    if code not in (*JMA_GRADES, "7", JMA_STORM):
        raise ValueError(f"unknown grade {code!r}")
    fix = {
        "tcid": header[6:10],
        "season": _full_year(header[6:8]),
        "obs_datetime": datetime(year, int(line[2:4]), int(line[4:6]), int(line[6:8]), tzinfo=UTC),
        "grade": JMA_GRADES.get(code) or grade_of(wind),
        "typhoon_name": header[30:50].strip() or None,
        "longitude": int(line[19:23]) / 10.0,
        "latitude": int(line[15:18]) / 10.0,
        "max_wind_speed": wind,
        "central_pressure": float(int(line[24:28])),
    }
    for area, at in {"storm": 41, "gale": 52}.items():
        longest, shortest = (int(line[start : start + 4].strip() or 0) * NAUTICAL_MILE for start in (at + 1, at + 6))
        fix |= _radii(area, longest, shortest, *jma_direction(line[at : at + 1].strip()))
    return fix


def _require_whole(line: str, year: int) -> None:
    """Refuse a line that ends inside a field: 30 of a radius of 300 would be read as 30."""
    ends = [_JMA_RADII]
    if line[13:14] not in ("3", "4", "5"):  # a storm has radii, be they 0; other stages end before them
        ends.append(_JMA_WIND)
    if year < _JMA_FIRST_WINDS:
        ends += [_JMA_PRESSURE, _JMA_WIND]
    if len(line) < _JMA_MARK and len(line) not in ends:
        raise ValueError(f"the line is cut short after column {len(line)}")


def _full_year(two_digits: str) -> int:
    year = 1900 + int(two_digits)
    return year if year >= _JMA_FIRST_SEASON else year + 100


def _track(
    source: Source, path: Path, rows: list[dict[str, Any]], records: int, rejected: list[tuple[int, str]]
) -> BestTrack:
    fixes = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return BestTrack(source, path.name, fixes, records, tuple(rejected), {}, leaps(fixes))
