"""Tide gauges of the Permanent Service for Mean Sea Level: annual or monthly `.rlrdata` and the list of stations.

A value is mm above the station's own Revised Local Reference, so a series is given in cm above its own mean: the rise
is a difference of years. The land may sink or rise under a gauge: what is measured is what reaches the coast.

Source: Holgate et al. (2013), doi:10.2112/JCOASTRES-D-12-00175.1; psmsl.org.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.io.etl.loaders.sea_level_points import SeaLevel
from engine.io.etl.loading import OBSERVED
from engine.io.files import source_files
from engine.io.files.reading import text_of

PATTERN = "*.rlrdata"
#: lists of stations: `id; latitude; longitude; name; ...`
LISTS = ("filelist.txt", "psmsl*stations*.txt")
_MISSING = -99_999
_MOST_MM = 20_000
#: months that a year of a monthly file needs
_MONTHS = 11
#: third digit of the flag: the station's page tells what is wrong with the value
_SUSPECT = "1"


def files(data: Path) -> list[Path]:
    """Series and lists of stations below a folder; of a station with both kinds the annual one is read."""
    series = source_files.find(data, PATTERN)
    return [*series, *source_files.find(data, *LISTS)] if series else []


def read(paths: Sequence[Path]) -> SeaLevel:
    """All stations as one record: (years, stations, 1) cm above the mean of each, NaN where missing.

    raises : SchemaError for a station that no list names, a line that is none of the format, and files without a year
    """
    places = _places([path for path in paths if path.suffix != ".rlrdata"])
    stations: dict[int, dict[int, float]] = {}
    is_annual: dict[int, bool] = {}
    suspect = 0
    for path in (path for path in paths if path.suffix == ".rlrdata"):
        number = _station(path, places)
        yearly, annual, left_out = _series(path)
        suspect += left_out
        if number in stations and is_annual[number] == annual:
            raise SchemaError(f"{path.name}: two files of station {number}")
        if number not in stations or annual:
            stations[number], is_annual[number] = yearly, annual
    held = {number: yearly for number, yearly in sorted(stations.items()) if yearly}
    if not held:
        raise SchemaError(f"{paths[0].name}: no station has a year with a value")
    years = np.arange(min(map(min, held.values())), max(map(max, held.values())) + 1)
    values = np.full((len(years), len(held), 1), np.nan, np.float32)
    for column, yearly in enumerate(held.values()):
        mean = sum(yearly.values()) / len(yearly)
        for year, millimetres in yearly.items():
            values[year - years[0], column, 0] = (millimetres - mean) / 10.0
    north, east = (np.array([[places[number][axis]] for number in held]) for axis in (0, 1))
    note = f"{counted(suspect, 'value')} with a flag left out" if suspect else ""
    return SeaLevel(north, east, years, values, OBSERVED, "mm", note)


def _places(lists: Sequence[Path]) -> dict[int, tuple[float, float]]:
    """Station -> latitude, longitude, degrees."""
    found: dict[int, tuple[float, float]] = {}
    for path in lists:
        for line, row in _rows(path, 3):
            try:
                number, north, east = int(row[0]), float(row[1]), float(row[2])
            except ValueError:
                raise SchemaError(
                    f"{path.name}, line {line}: {';'.join(row)[:60]!r} is no `id; latitude; longitude; name`"
                ) from None
            if not (-90 <= north <= 90 and -360 <= east <= 360):
                raise SchemaError(f"{path.name}, line {line}: {north}, {east} are no degrees")
            found[number] = north, (east + 180.0) % 360.0 - 180.0
    return found


def _station(path: Path, places: dict[int, tuple[float, float]]) -> int:
    number = path.stem
    if not number.isdecimal():
        raise SchemaError(f"{path.name}: the name of a series of PSMSL is its station's number, such as 955.rlrdata")
    if int(number) not in places:
        raise SchemaError(
            f"{path.name}: no list of stations ({', '.join(LISTS)}) beside it says where station {number} is"
        )
    return int(number)


def _series(path: Path) -> tuple[dict[int, float], bool, int]:
    """Year -> mm; whether the file is annual; how many values were left out for their flag."""
    months: dict[int, list[float]] = {}
    annual, suspect = True, 0
    for line, row in _rows(path, 4):
        try:
            time, value = float(row[0]), float(row[1])
        except ValueError:
            raise SchemaError(f"{path.name}, line {line}: {';'.join(row)[:60]!r} is no `year; mm; N; flag`") from None
        annual &= "." not in row[0]
        if value == _MISSING:
            continue
        if not (1700 <= time <= 2200 and abs(value) < _MOST_MM):
            raise SchemaError(f"{path.name}, line {line}: {value:g} mm in {time:g} is no sea level")
        if row[3].strip()[-1:] == _SUSPECT:
            suspect += 1
            continue
        months.setdefault(int(time), []).append(value)
    fewest = 1 if annual else _MONTHS
    return {year: sum(held) / len(held) for year, held in months.items() if len(held) >= fewest}, annual, suspect


def _rows(path: Path, fewest: int) -> list[tuple[int, list[str]]]:
    """(line, fields) of a file with semicolons."""
    rows = []
    for line, text in enumerate(text_of(path).splitlines(), 1):
        if text.strip():
            fields = text.split(";")
            if len(fields) < fewest:
                raise SchemaError(
                    f"{path.name}, line {line}: {text[:60]!r} has {len(fields)} fields, expected {fewest}"
                )
            rows.append((line, fields))
    return rows
