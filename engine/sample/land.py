"""Made-up land cover of the sample: towns around the real cities, forest on the real hills, fields between them.

Written as the yearly land-cover maps of ESA CCI and Copernicus come (`lccs_class`, codes of the UN-LCCS), on pixels of
15 arc-seconds: a quarter of those of the land mask. A pixel depends on its own place alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.grid import GridDefinition
from engine.io.etl import layout
from engine.io.etl.loaders import lccs
from engine.sample import fields, terrain

#: pixels a degree, and pixels from one knot of the noise to the next: 2 arc-minutes
PIXELS, KNOT = 240, 8
#: a city of a million people is 8 km in radius
CITY_KM = 8.0
KM_PER_DEGREE, EAST = 111.2, 0.8
YEAR = 2022
_TOWN, _FOREST, _REST, _KIND, _FINE = range(101, 106)
#: where there is neither town nor forest: code and share
_OPEN = ((11, 0.40), (20, 0.38), (130, 0.10), (180, 0.04), (200, 0.04), (210, 0.04))
_WOODS = (61, 71, 90)
URBAN, SEA = 190, 210

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


class City(NamedTuple):
    """A place of `data/map/cities_korea.csv`."""

    name: str
    latitude: float
    longitude: float
    population: int


@cache
def cities() -> tuple[City, ...]:
    """The larger cities, the largest first."""
    rows = csv.DictReader((terrain.MAP / "cities_korea.csv").read_text("utf-8").splitlines())
    return tuple(
        City(row["name"], float(row["latitude"]), float(row["longitude"]), int(row["population"])) for row in rows
    )


def townness(latitude: Floats, longitude: Floats) -> Floats:
    """1 in the middle of a city, falling off as exp(-(distance / radius)^2), of the city that counts most; the radius
    is 8 km times the root of its population in millions. The two arrays are broadcast."""
    most = np.zeros(np.broadcast_shapes(latitude.shape, longitude.shape))
    for city in cities():
        radius = CITY_KM * np.sqrt(city.population / 1e6)
        north = KM_PER_DEGREE * (latitude - city.latitude) / radius
        east = KM_PER_DEGREE * EAST * (longitude - city.longitude) / radius
        np.maximum(most, np.exp(-(north**2)) * np.exp(-(east**2)), out=most)
    return most


class Pixels(NamedTuple):
    """Pixel centres of a box, degrees northward and eastward, and the codes there, (rows, columns)."""

    latitude: Floats
    longitude: Floats
    code: Bytes

    def where(self, code: int) -> tuple[Floats, Floats, Ints]:
        """Latitude, longitude and number of the pixels of a code; a pixel has one number in every box."""
        rows, columns = np.nonzero(self.code == code)
        latitude, longitude = self.latitude[rows], self.longitude[columns]
        return latitude, longitude, _number(_index(latitude), _index(longitude))


def pixels(grid: GridDefinition) -> Pixels:
    """Land cover of the box of a lattice, sea as water. The rules: docs/sample.md, "Land cover"."""
    half = grid.step / 2
    rows, columns = (
        np.arange(round((first - half) * PIXELS), round((last + half) * PIXELS))
        for first, last in ((grid.latitudes[0], grid.latitudes[-1]), (grid.longitudes[0], grid.longitudes[-1]))
    )
    latitude, longitude = (rows + 0.5) / PIXELS, (columns + 0.5) / PIXELS
    land = terrain.on_land(latitude[:, None], longitude[None, :])
    height, city = (of[land] for of in _by_fours(rows, columns, terrain.altitude, townness))
    numbers = _number(rows[:, None], columns[None, :])[land]
    town, wood = (_noise(rows, columns, numbers, land, stream) for stream in (_TOWN, _FOREST))
    rest, kind = fields.draw(numbers, _REST), (fields.draw(numbers, _KIND) * len(_WOODS)).astype(np.intp)
    codes, shares = zip(*_OPEN, strict=True)
    found = np.asarray(codes, np.uint8)[np.searchsorted(np.cumsum(shares)[:-1], rest)]
    found = np.where(height + 600.0 * (wood - 0.5) > 155.0, np.asarray(_WOODS, np.uint8)[kind], found)
    built = town < 0.29 + 0.52 * city - height / 2200.0
    code = np.full(land.shape, SEA, np.uint8)
    code[land] = np.where(built, np.uint8(URBAN), found)
    return Pixels(latitude, longitude, code)


def _by_fours(rows: Ints, columns: Ints, *functions: Callable[[Floats, Floats], Floats]) -> Iterator[Floats]:
    """Values of functions of place, taken in the middle of four pixels each: nothing they say is finer."""
    pairs = [index // 2 for index in (rows, columns)]
    middles = [(np.arange(pair[0], pair[-1] + 1) + 0.5) * 2 / PIXELS for pair in pairs]
    for function in functions:
        coarse = function(middles[0][:, None], middles[1][None, :])
        yield coarse.take(pairs[0] - pairs[0][0], 0).take(pairs[1] - pairs[1][0], 1)


def _index(degrees: Floats) -> Ints:
    return np.floor(degrees * PIXELS).astype(np.int64)


def _number(row: Ints, column: Ints) -> Ints:
    return np.asarray((row + 90 * PIXELS) * (360 * PIXELS) + column + 180 * PIXELS)


def _noise(
    rows: Ints,
    columns: Ints,
    numbers: Ints,
    land: NDArray[np.bool_],
    stream: int,
) -> Floats:
    """(land pixels,) 0..1: seven tenths between knots of 2 arc-minutes, three tenths of each pixel's own."""
    at = [(index + 0.5) / KNOT for index in (rows, columns)]
    knots = [np.arange(int(np.floor(place[0])), int(np.floor(place[-1])) + 2) for place in at]
    values = fields.draw(_number(knots[0][:, None], knots[1][None, :]), stream)
    for axis, (place, knot) in enumerate(zip(at, knots, strict=True)):
        low = np.floor(place).astype(np.intp) - knot[0]
        share = (place - np.floor(place)).reshape((-1, 1) if axis == 0 else (1, -1))
        values = (1 - share) * values.take(low, axis) + share * values.take(low + 1, axis)
    return np.asarray(0.7 * values[land] + 0.3 * fields.draw(numbers, stream + _FINE))


def write(path: Path, made: Pixels, *, scope: str) -> None:
    """As a map of one year, north up."""
    with layout.new_file(path, {
        "scope": scope,
        "title": "Synthetic land cover of South Korea: made up",
        "institution": "climate-risk-engine, sample generator",
        "source": "towns around real cities, forest on real terrain, hashed noise; see docs/sample.md",
        "time_coverage_start": f"{YEAR}0101",
    }) as file:  # fmt: skip
        file.dimensions = {"time": 1, "lat": len(made.latitude), "lon": len(made.longitude)}
        time = file.create_variable("time", ("time",), np.float64, data=np.zeros(1))
        time.attrs.update({"units": f"days since {YEAR}-01-01", "calendar": "standard", "standard_name": "time"})
        for name, long, degrees, unit in (
            ("lat", "latitude", made.latitude[::-1], "degrees_north"),
            ("lon", "longitude", made.longitude, "degrees_east"),
        ):
            coordinate = file.create_variable(name, (name,), np.float64, data=degrees)
            coordinate.attrs.update({"units": unit, "standard_name": long})
        data = file.create_variable(
            lccs.VARIABLE, ("time", "lat", "lon"), np.uint8, data=made.code[None, ::-1], fillvalue=np.uint8(0),
            chunks=(1, min(256, len(made.latitude)), len(made.longitude)),
            compression="gzip", compression_opts=1,
        )  # fmt: skip
        codes = sorted(lccs.MEANINGS)
        data.attrs.update({
            "standard_name": "land_cover_lccs",
            "flag_values": np.asarray(codes, np.uint8),
            "flag_meanings": " ".join(lccs.MEANINGS[code][0] for code in codes),
            "valid_min": np.uint8(1),
            "valid_max": np.uint8(220),
        })  # fmt: skip
