"""Daily series of stations in tables (CSV or Parquet), given as the dataset a NetCDF file of them would hold.

One row a station and day. The daily export of the Korea Meteorological Administration (OBS_ASOS_DD, CP949, Korean
headers) is such a table without coordinates; those of its open stations are in `kma_stations.csv`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError, SettingsError
from engine.io.etl.derive import station_values
from engine.io.etl.derive.station_values import SUNSHINE, UNITS
from engine.io.files import table_text
from engine.io.files.table_text import KOREAN
from engine.kernels.sunshine import global_radiation

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ID, DATE, LATITUDE, LONGITUDE = "station_id", "date", "latitude", "longitude"
#: header in lower case, without its unit and without blanks -> what the column holds
_HEADERS = {
    **{name.lower(): name for name in UNITS},
    "ta": "tas", "tamax": "tasmax", "tamin": "tasmin", "rn": "pr", "rhm": "hurs", "ws": "sfcWind", "si": "rsds",
    **dict.fromkeys(("station_id", "station", "stn_id", "stn", "id", "지점", "지점번호"), ID),
    **dict.fromkeys(("date", "time", "일시", "날짜"), DATE),
    **dict.fromkeys(("latitude", "lat", "위도"), LATITUDE),
    **dict.fromkeys(("longitude", "lon", "경도"), LONGITUDE),
    "평균기온": "tas", "최고기온": "tasmax", "최저기온": "tasmin", "일강수량": "pr", "평균상대습도": "hurs",
    "평균풍속": "sfcWind", "합계일사량": "rsds", "합계일조시간": SUNSHINE,
}  # fmt: skip
#: columns that together are a date, and the name of what is made of them
_PARTS, _JOINED = ("year", "month", "day"), "year, month, day"
#: what `--column` may name
NAMES = (ID, DATE, LATITUDE, LONGITUDE, *UNITS)
#: a station's own radiation is used when it has this share of the days that its sunshine has
_OWN_RADIATION = 0.9
#: degrees that the coordinates of one station may differ between rows
_SAME_PLACE = 1e-3
_LISTED = 5
#: what a file is, behind the name that it gives to its station: `108.csv.gz`; a number (`obs.108`) is part of the name
_SUFFIXES = re.compile(r"(?<=.)(\.(?!\d+$)[^.]+?)(\.(gz|zip))?$", re.IGNORECASE)
#: column for the station of a file that has neither ids nor places
_NAMED_BY_FILE = "named by file"
_MISSING = pl.lit(np.nan, pl.Float32)


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Options of station tables, for facts that the tables do not state.

    columns  : one of `NAMES` -> header of its column
    stations : table with station_id, latitude and longitude, for files without coordinates
    blank_rain_is_dry : the provider leaves rain blank on days without rain: a blank is dry where the station reports
                        something else that day, and some rain in that calendar year
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    stations: Path | None = None
    blank_rain_is_dry: bool = False


#: nothing but what the tables say
PLAIN = TableOptions()


def read(
    paths: Sequence[Path], options: TableOptions, overrides: Mapping[str, str] | None = None
) -> tuple[xr.Dataset, list[str]]:
    """All tables as one dataset: variables (station, time), coordinates of the stations, every day from first to last.

    overrides : daily variable -> unit, over that of every header
    returns : the dataset, undecoded (days since a date, NaN = missing), each table converted from its own unit to that
              of `UNITS`, and what has to be told
    raises  : SchemaError for a file that is not such a table; SettingsError for stations without a place
    """
    frames, korean = [], False
    for path in paths:
        frame, is_korean = _frame(path, options, overrides or {})
        frames.append(frame)
        korean |= is_korean
    name = ", ".join(path.name for path in paths)
    _refuse_equal_names(paths, frames)
    if any("pr" in frame.columns for frame in frames):  # no column of rain is no blank: it says nothing of the day
        frames = [frame if "pr" in frame.columns else frame.with_columns(pr=_MISSING) for frame in frames]
    rows = pl.concat([frame.drop(_NAMED_BY_FILE, strict=False) for frame in frames], how="diagonal")
    rows = rows.filter(pl.col(DATE).is_not_null())
    if not rows.height:
        raise SchemaError(f"{name}: no row has a date")
    stations = rows[ID].unique().sort()
    latitude, longitude = _places(rows, stations, options, korean, name)
    first, last = rows[DATE].min(), rows[DATE].max()
    dates = pl.Series(pl.date_range(first, last, interval="1d", eager=True))  # type: ignore[arg-type]
    station = rows[ID].replace_strict(stations, np.arange(len(stations)), return_dtype=pl.Int64).to_numpy()
    day = (rows[DATE] - first).dt.total_days().to_numpy()
    _refuse_duplicates(stations, dates, station, day, len(dates), name)
    series = {}
    for column in (column for column in rows.columns if column in UNITS):
        block = np.full((len(stations), len(dates)), np.nan, np.float32)
        block[station, day] = rows[column].fill_null(np.nan).to_numpy()
        series[column] = block
    said = []
    if "pr" in series and options.blank_rain_is_dry:
        blank = np.zeros(series["pr"].shape, bool)
        blank[station, day] = rows["pr"].is_null().to_numpy()
        said += _blank_is_dry(series, blank, dates, stations, name)
    said += _radiation(series, latitude, dates.dt.ordinal_day().cast(pl.Int64).to_numpy(), name)
    data = {
        column: (("station", "time"), block, {"units": UNITS[column]})
        for column, block in series.items()
        if column != SUNSHINE
    }
    return xr.Dataset(
        {
            **data,
            ID: (("station",), stations.to_numpy().astype(str)),
            LATITUDE: (("station",), latitude, {"units": "degrees_north", "standard_name": LATITUDE}),
            LONGITUDE: (("station",), longitude, {"units": "degrees_east", "standard_name": LONGITUDE}),
            "time": (
                ("time",),
                np.arange(float(len(dates))),
                {"units": f"days since {dates[0]}", "calendar": "standard", "standard_name": "time"},
            ),
        },
        attrs={"scope": "observed", "featureType": "timeSeries"},
    ), said


def _blank_is_dry(
    series: Mapping[str, Float32], blank: NDArray[np.bool_], dates: pl.Series, stations: pl.Series, name: str
) -> list[str]:
    """Put 0 where blank rain means a dry day, in place; what has to be told."""
    year = dates.dt.year().to_numpy()
    starts = np.flatnonzero(np.r_[True, year[1:] != year[:-1], True])
    dry, unmeasured = station_values.dry(blank, series, starts)
    series["pr"][dry] = 0.0
    if not unmeasured.any():
        return []
    return [
        f"{name}: {of_all(int(unmeasured.sum()), len(stations), 'station')}"
        f" {agree(int(unmeasured.sum()), 'has', 'have')} years without any value of rain"
        f" ({_some(stations.filter(pl.Series(unmeasured)).to_list())}): rain that is blank there is missing, not dry"
    ]


def _frame(path: Path, options: TableOptions, overrides: Mapping[str, str]) -> tuple[pl.DataFrame, bool]:
    """The columns that are known, under their names, in their types and units; whether it is the Korean service's."""
    table = table_text.read(path)
    asked = {header: name for name, header in options.columns.items()}
    found: dict[str, str] = {}
    units: dict[str, str] = {}
    for column in table.columns:
        plain, unit = table_text.split_unit(column)
        name = asked.get(column) or asked.get(plain) or _HEADERS.get(plain.replace(" ", "").lower())
        if name is None or (name in options.columns and column not in asked and plain not in asked):
            continue
        if name in found:
            raise SchemaError(
                f"{path.name}: columns {found[name]!r} and {column!r} both hold {name}; name one (--column)"
            )
        found[name] = column
        if unit and name in UNITS:
            units[name] = table_text.known_unit(unit)
    if absent := [header for name, header in options.columns.items() if name not in found]:
        raise SettingsError(
            f"{path.name} has no column {', '.join(absent)}, which --column names; it has {', '.join(table.columns)}"
        )
    daily = [name for name in found if name in UNITS]
    parts = {column.lower(): column for column in table.columns if column.lower() in _PARTS}
    if DATE not in found and len(parts) == len(_PARTS):
        numbers = [table_text.numbers(table[parts[part]], path.name).cast(pl.Int32).alias(part) for part in _PARTS]
        table = table.with_columns(pl.DataFrame(numbers).select(pl.date(*_PARTS)).to_series().alias(_JOINED))
        found[DATE] = _JOINED
    if DATE not in found or not daily:
        lacking = "date" if DATE not in found else f"daily variable ({', '.join(UNITS)})"
        raise SchemaError(
            f"{path.name}: no column holds a {lacking}; it has {', '.join(table.columns)} (--column NAME=HEADER names"
            " one)"
        )
    columns = [table_text.dates(table[found[DATE]], path.name).alias(DATE)]
    if ID in found:
        columns.append(_identity(table[found[ID]]).alias(ID))
    columns += [
        table_text.numbers(table[found[name]], path.name).alias(name) for name in (LATITUDE, LONGITUDE) if name in found
    ]
    columns += [
        station_values.converted(
            table_text.numbers(table[found[name]], path.name), name, units.get(name), overrides.get(name), path
        )
        for name in daily
    ]
    frame = pl.DataFrame(columns)
    if ID not in found:
        frame = _unnamed(frame, path)
    elif blank := frame.filter(pl.col(DATE).is_not_null())[ID].null_count():
        raise SchemaError(
            f"{path.name}: {counted(blank, 'row')} {agree(blank, 'has', 'have')} no station ({found[ID]})"
        )
    return frame, KOREAN in table.columns


def _identity(column: pl.Series) -> pl.Series:
    """Ids as text: 108, 108.0 and `0108` are one station."""
    text = column.cast(pl.String).str.strip_chars().str.replace(r"^0*(\d+)(\.0+)?$", "$1")
    return text.set(text == "", None)


def _unnamed(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """A station for every place of a file without ids; without places the file is one station, called as it is."""
    if {LATITUDE, LONGITUDE} <= set(frame.columns):
        return frame.with_columns(pl.format("{} {}", pl.col(LATITUDE), pl.col(LONGITUDE)).alias(ID))
    name = pl.lit(_SUFFIXES.sub("", path.name), pl.String)
    return frame.with_columns(name.alias(ID), name.alias(_NAMED_BY_FILE))


def _refuse_equal_names(paths: Sequence[Path], frames: Sequence[pl.DataFrame]) -> None:
    seen: dict[str, Path] = {}
    for path, frame in zip(paths, frames, strict=True):
        if not frame.height or _NAMED_BY_FILE not in frame.columns:
            continue
        station = str(frame[_NAMED_BY_FILE][0])
        if station in seen:
            raise SchemaError(
                f"{seen[station]} and {path} have no column of ids, and both names make station {station}: give each"
                " its own name, or a column station_id"
            )
        seen[station] = path


def _places(
    rows: pl.DataFrame, stations: pl.Series, options: TableOptions, korean: bool, name: str
) -> tuple[Floats, Floats]:
    """(stations,) degrees of each, from the rows, the table of stations or the list of the Korean service."""
    if options.stations is not None:
        table = _station_list(table_text.read(options.stations), options.stations.name)
        source = options.stations.name
        if len(stations) == table.height == 1:  # a file of one station need not name it
            table = table.with_columns(stations.alias(ID))
    elif {LATITUDE, LONGITUDE} <= set(rows.columns):
        table, source = rows.select(ID, LATITUDE, LONGITUDE).drop_nulls(), name
    elif korean:
        text = resources.files("engine.io.etl.derive").joinpath("kma_stations.csv").read_bytes()
        table, source = (
            _station_list(table_text.parse(text, "kma_stations.csv"), "kma_stations.csv"),
            "the list of open stations",
        )
    else:
        raise SettingsError(
            f"{name} has no columns latitude and longitude: give a table of its stations with station_id, latitude and"
            " longitude (--stations FILE)"
        )
    places = table.group_by(ID).agg(
        pl.col(LATITUDE).mean(), pl.col(LONGITUDE).mean(),
        moved=(pl.col(LATITUDE).max() - pl.col(LATITUDE).min() > _SAME_PLACE)
        | (pl.col(LONGITUDE).max() - pl.col(LONGITUDE).min() > _SAME_PLACE),
    )  # fmt: skip
    found = stations.to_frame().join(places, on=ID, how="left").sort(ID)
    if nowhere := found.filter(pl.col(LATITUDE).is_null())[ID].to_list():
        raise SettingsError(
            f"{of_all(len(nowhere), len(stations), 'station')} of {name}"
            f" {agree(len(nowhere), 'is', 'are')} not in {source} ({_some(nowhere)}): give their"
            " latitude and longitude (--stations FILE)"
        )
    if moved := found.filter("moved")[ID].to_list():
        raise SchemaError(
            f"{source}: {counted(len(moved), 'station')} {agree(len(moved), 'has', 'have')}"
            f" several places ({_some(moved)}): give each part an id"
        )
    latitude, longitude = found[LATITUDE].to_numpy(), found[LONGITUDE].to_numpy()
    astray = ~((np.abs(latitude) <= 90) & (np.abs(longitude) <= 360))
    if astray.any():
        which = int(np.flatnonzero(astray)[0])
        raise SchemaError(
            f"{source}: station {found[ID][which]} lies at latitude {latitude[which]:g}, longitude"
            f" {longitude[which]:g}, which is nowhere"
        )
    return latitude, longitude


def _station_list(table: pl.DataFrame, name: str) -> pl.DataFrame:
    found = {
        _HEADERS.get(table_text.split_unit(column)[0].replace(" ", "").lower()): column for column in table.columns
    }
    if absent := [wanted for wanted in (ID, LATITUDE, LONGITUDE) if wanted not in found]:
        raise SchemaError(f"{name}: no column {', '.join(absent)}; it has {', '.join(table.columns)}")
    return pl.DataFrame(
        [
            _identity(table[found[ID]]).alias(ID),
            table_text.numbers(table[found[LATITUDE]], name).alias(LATITUDE),
            table_text.numbers(table[found[LONGITUDE]], name).alias(LONGITUDE),
        ]
    ).drop_nulls()


def _refuse_duplicates(stations: pl.Series, dates: pl.Series, station: Ints, day: Ints, days: int, name: str) -> None:
    unique, counts = np.unique(station * days + day, return_counts=True)
    again = counts > 1
    if not again.any():
        return
    first = int(unique[again][0])
    where = f"station {stations[first // days]} on {dates[first % days]}"
    if counts[again].min() >= 8 and again.mean() > 0.5:
        raise SchemaError(f"{name}: hourly data, expected one row a station and day ({counts[again][0]} for {where})")
    raise SchemaError(
        f"{name}: {counted(int(again.sum()), 'day')} of a station"
        f" {agree(int(again.sum()), 'comes', 'come')} twice, the first {where}"
    )


def _radiation(series: dict[str, Float32], latitude: Floats, day_of_year: Ints, name: str) -> list[str]:
    """Put radiation from sunshine where a station lacks its own, for its whole record: a mixture would not be
    homogeneous."""
    if SUNSHINE not in series:
        return []
    own = series.get("rsds", np.full_like(series[SUNSHINE], np.nan))
    hours = (~np.isnan(series[SUNSHINE])).sum(axis=1)
    taken = np.flatnonzero((hours > 0) & ((~np.isnan(own)).sum(axis=1) < _OWN_RADIATION * hours))
    if not len(taken):
        return []
    bad = int(((series[SUNSHINE] < 0) | (series[SUNSHINE] > 24)).sum())
    if bad:
        raise SchemaError(f"{name}: {counted(bad, 'value')} of sunshine {agree(bad, 'is', 'are')} outside 0..24 hours")
    own[taken] = global_radiation(series[SUNSHINE][taken], day_of_year, latitude[taken]).astype(np.float32)
    series["rsds"] = own
    return [
        f"{name}: radiation of {of_all(len(taken), len(hours), 'station')} is"
        " estimated from their hours of sunshine (FAO-56,"
        " equation 35)"
    ]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
