"""Best tracks of three providers, read into one frame: KMA text, JMA fixed columns, IBTrACS tables.

Each reader is told by the content, not by the file name. Winds become m/s, radii km, longitudes 0..360, a wind or
radius of 0 null: in every one of the three it stands for a weak stage without a stated value.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl

from engine.errors import SchemaError

Source = Literal["KMA", "JMA", "IBTrACS"]
#: best first: one source a year
SOURCES: tuple[Source, ...] = ("KMA", "JMA", "IBTrACS")

KNOT = 0.514444  # m/s
NAUTICAL_MILE = 1.852  # km
COMPASS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
#: lowest wind of each grade, m/s; below the first it is a depression
GRADE_WINDS = {"TS": 17.2, "STS": 24.5, "TY": 32.7}
GRADES = ("TD", *GRADE_WINDS, "L")

COLUMNS: dict[str, Any] = {
    "tcid": pl.String,
    "obs_datetime": pl.Datetime("us", "UTC"),
    "grade": pl.String,
    "typhoon_name": pl.String,
    "longitude": pl.Float64,
    "latitude": pl.Float64,
    "max_wind_speed": pl.Float64,
    "central_pressure": pl.Float64,
    "gale_long": pl.Float64,
    "gale_short": pl.Float64,
    "gale_dir": pl.String,
    "gale_dir_deg": pl.Float64,
    "storm_long": pl.Float64,
    "storm_short": pl.Float64,
    "storm_dir": pl.String,
    "storm_dir_deg": pl.Float64,
}

SCHEMA = pl.Schema(COLUMNS | {"season": pl.Int32})

_JMA_GRADES = {"2": "TD", "3": "TS", "4": "STS", "5": "TY", "6": "L"}  # 7 and 9 by wind
_JMA_HEADER = "66666"
_JMA_FIRST_SEASON = 1951  # tells the century of a two-digit year
_KMA_FIELDS = 17
_MISSING = ("", "-")
_MISSING_BELOW = -900.0  # -999, -999.9
#: what the table holds; a whole basin's record goes beyond it, far from any cell, so such rows are no error
_WINDOW = "80..200 E, 0..70 N"
_IBTRACS_NUMBERS = ("LAT", "LON", "WMO_WIND", "WMO_PRES")
_IBTRACS_NEEDS = ("SID", "ISO_TIME", *_IBTRACS_NUMBERS)
_IBTRACS_USES = (  # where they are
    *("NAME", "BASIN", "TRACK_TYPE"),
    *(f"TOKYO_{area}_{part}" for area in ("R30", "R50") for part in ("DIR", "LONG", "SHORT")),
)


@dataclass(frozen=True, slots=True)
class BestTrack:
    """What one file holds.

    fixes    : `COLUMNS` and `season`, the year that numbers the storm
    records  : lines or rows read, good and bad
    rejected : (line, reason) of the unreadable ones
    left_out : reason -> rows that were readable but are not of this record
    """

    source: Source
    name: str
    fixes: pl.DataFrame
    records: int
    rejected: tuple[tuple[int, str], ...]
    left_out: dict[str, int]


def read(path: Path) -> BestTrack | None:
    """Read a file, or return None when it is not a best track of the three kinds.

    raises : SchemaError for an error answer saved as a file, an unknown encoding, or a file cut short
    """
    with path.open("rb") as stream:
        head = stream.read(16).removeprefix(codecs.BOM_UTF8)
    if head.startswith((b"PAR1", b"SID,")):
        try:
            parquet = head.startswith(b"PAR1")
            return _ibtracs(
                path,
                pl.scan_parquet(path, glob=False) if parquet else pl.scan_csv(path, infer_schema=False, glob=False),
            )
        except pl.exceptions.PolarsError as err:
            raise SchemaError(f"{path.name} cannot be read: {str(err).splitlines()[0]}") from err
    if head.startswith((b"\x1f\x8b", b"PK")):
        raise SchemaError(f"{path.name} is compressed: unpack it into the data directory")
    text = _decode(path)
    if text.lstrip()[:1] in ("<", "{"):
        raise SchemaError(f"{path.name} is an error answer, not a best track: {text.strip()[:200]}")
    if text.startswith(_JMA_HEADER):
        return _jma(path, text)
    first = next(_kma_lines(text), None)
    return _kma(path, text) if first and first[1][0].upper() in GRADES else None


def grade_of(wind: float | None) -> str:
    """Grade by maximum wind, m/s; a fix without a wind is a depression."""
    reached = [grade for grade, lowest in GRADE_WINDS.items() if wind is not None and wind >= lowest]
    return reached[-1] if reached else "TD"


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
        fields = [field.strip() for field in next(csv.reader([bare]))] if "," in bare else bare.split()
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
        except ValueError as err:
            rejected.append((number, str(err)))
    return BestTrack("KMA", path.name, _frame(rows), records, tuple(rejected), {})


def _kma_fix(fields: list[str]) -> dict[str, Any]:
    if len(fields) < _KMA_FIELDS:
        raise ValueError(f"{len(fields)} fields, {_KMA_FIELDS} expected")
    grade, tcid = fields[0].upper(), fields[1].zfill(4)
    if grade not in GRADES:
        raise ValueError(f"unknown grade {fields[0]!r}")
    time = datetime(*(int(field) for field in fields[2:6]), tzinfo=UTC)  # type: ignore[arg-type, misc]
    longitude, latitude, wind, pressure = (_number(field) for field in fields[6:10])
    if longitude is None or latitude is None:
        raise ValueError("no position")
    name = " ".join(fields[16:])
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
                raise SchemaError(f"{path.name}: storm {header[6:10]} states {expected} lines, {following} follow")
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
                rows.append(_jma_fix(header, line))
            except ValueError as err:
                rejected.append((number, str(err)))
    return BestTrack("JMA", path.name, _frame(rows), records, tuple(rejected), {})


def _jma_fix(header: str, line: str) -> dict[str, Any]:
    if line[9:12] != "002":
        raise ValueError(f"columns 10-12 hold {line[9:12]!r}, not 002")
    knots = int(line[33:36].strip() or 0)
    wind = knots * KNOT if knots else None
    code = line[13]
    if code not in (*_JMA_GRADES, "7", "9"):
        raise ValueError(f"unknown grade {code!r}")
    fix = {
        "tcid": header[6:10],
        "season": _full_year(header[6:8]),
        "obs_datetime": datetime(_full_year(line[0:2]), int(line[2:4]), int(line[4:6]), int(line[6:8]), tzinfo=UTC),
        "grade": _JMA_GRADES.get(code) or grade_of(wind),
        "typhoon_name": header[30:50].strip() or None,
        "longitude": int(line[19:23]) / 10.0,
        "latitude": int(line[15:18]) / 10.0,
        "max_wind_speed": wind,
        "central_pressure": float(line[24:28]),
    }
    for area, at in {"storm": 41, "gale": 52}.items():
        longest, shortest = (int(line[start : start + 4].strip() or 0) * NAUTICAL_MILE for start in (at + 1, at + 6))
        fix |= _radii(area, longest, shortest, *_jma_direction(line[at : at + 1].strip()))
    return fix


def _jma_direction(code: str) -> tuple[str | None, float | None]:
    """1 NE, 2 E ... 8 N; 9 a circle, 0 or blank no radius."""
    if code in ("", "0", "9"):
        return None, None
    degrees = int(code) * 45.0 % 360.0
    return COMPASS[int(degrees / 22.5)], degrees


def _full_year(two_digits: str) -> int:
    year = 1900 + int(two_digits)
    return year if year >= _JMA_FIRST_SEASON else year + 100


def _ibtracs(path: Path, table: pl.LazyFrame) -> BestTrack | None:
    """Main tracks of the western North Pacific. Rows between the synoptic hours that state no wind are the provider's
    own interpolation: with them a storm would have a wind at every other fix only."""
    offered = table.collect_schema().names()
    if lacking := sorted(set(_IBTRACS_NEEDS) - set(offered)):
        if "SID" in offered:
            raise SchemaError(f"{path.name} lacks the IBTrACS columns {', '.join(lacking)}")
        return None
    rows = table.select(column for column in (*_IBTRACS_NEEDS, *_IBTRACS_USES) if column in offered).collect()
    rows = rows.with_row_index("line", offset=2).filter(pl.col("SID").str.strip_chars() != "")  # 2nd line: units
    missing = [pl.lit(None, pl.String).alias(column) for column in _IBTRACS_USES if column not in offered]
    stamps = rows.schema["ISO_TIME"] != pl.String
    rows = rows.with_columns(*missing).with_columns(pl.exclude("line", "ISO_TIME").cast(pl.String).str.strip_chars())
    time = pl.col("ISO_TIME") if stamps else pl.col("ISO_TIME").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    lost = pl.any_horizontal(pl.col("season", "obs_datetime", "longitude", "latitude").is_null())
    garbled = pl.any_horizontal(_number_in(column).is_null() & (pl.col(column) != "") for column in _IBTRACS_NUMBERS)
    fixes = rows.with_columns(
        tcid=pl.col("SID"),
        season=pl.col("SID").str.slice(0, 4).cast(pl.Int32, strict=False),
        obs_datetime=time.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        typhoon_name=pl.when(~pl.col("NAME").is_in(["NOT_NAMED", "UNNAMED", ""])).then(pl.col("NAME")),
        longitude=_number_in("LON") % 360.0,
        latitude=_number_in("LAT"),
        max_wind_speed=_positive("WMO_WIND") * KNOT,
        central_pressure=_positive("WMO_PRES"),
        **_tokyo_radii("gale", "TOKYO_R30"),
        **_tokyo_radii("storm", "TOKYO_R50"),
    ).with_columns(grade=_grade(pl.col("max_wind_speed")), unreadable=lost | garbled)
    bad = fixes.filter("unreadable")["line"].to_list()
    fixes = fixes.filter(~pl.col("unreadable"))
    synoptic = (pl.col("obs_datetime").dt.hour() % 6 == 0) & (pl.col("obs_datetime").dt.minute() == 0)
    left_out = {}
    for reason, of_record in {
        f"outside {_WINDOW}": pl.col("longitude").is_between(80, 200) & pl.col("latitude").is_between(0, 70),
        "of another basin": pl.col("BASIN").is_null() | (pl.col("BASIN") == "WP"),
        "of a side track": pl.col("TRACK_TYPE").is_null() | ~pl.col("TRACK_TYPE").str.starts_with("spur"),
        "interpolated by the provider": synoptic | pl.col("max_wind_speed").is_not_null(),
    }.items():
        before, fixes = fixes.height, fixes.filter(of_record)
        left_out[reason] = before - fixes.height
    return BestTrack(
        "IBTrACS",
        path.name,
        fixes.select(*COLUMNS, "season").cast(SCHEMA),
        rows.height,
        tuple((int(line), "no storm number, time or position, or text for a number") for line in bad),
        {reason: count for reason, count in left_out.items() if count},
    )


def _number_in(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Float64, strict=False)


def _positive(column: str) -> pl.Expr:
    return pl.when(_number_in(column) > 0).then(_number_in(column))


def _grade(wind: pl.Expr) -> pl.Expr:
    grade = pl.lit("TD")
    for name, lowest in GRADE_WINDS.items():
        grade = pl.when(wind >= lowest).then(pl.lit(name)).otherwise(grade)
    return grade


def _tokyo_radii(area: str, prefix: str) -> dict[str, pl.Expr]:
    """Radii of Tokyo, which only the full table has: nautical miles, directions in JMA's code."""
    codes = {str(code): _jma_direction(str(code)) for code in range(10)}
    stated = _positive(f"{prefix}_LONG").is_not_null()

    def decoded(part: int, kind: Any) -> pl.Expr:
        meaning = {code: direction[part] for code, direction in codes.items()}
        return pl.when(stated).then(pl.col(f"{prefix}_DIR").replace_strict(meaning, default=None, return_dtype=kind))

    return {
        f"{area}_long": _positive(f"{prefix}_LONG") * NAUTICAL_MILE,
        f"{area}_short": _positive(f"{prefix}_SHORT") * NAUTICAL_MILE,
        f"{area}_dir": decoded(0, pl.String),
        f"{area}_dir_deg": decoded(1, pl.Float64),
    }


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
