"""Population of the sample: provinces as counted in 2015, spread over their municipalities and carried on by rules.

Two files as the statistics office has them: counts by its codes, and the projection by province in 10,000 persons.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from engine.io.etl import regions
from engine.io.etl.loaders import population
from engine.sample import land, outlines

Floats = NDArray[np.float64]

_UNIT = population.UNIT
#: what a place without any town has of the density of a city; degrees between the points at which density is taken
_COUNTRYSIDE, _MESH = 0.01, 1 / 60


def write(folder: Path) -> None:
    """`synthetic_counts_2015.csv` and `synthetic_projection.csv`."""
    said = tomllib.loads(resources.files("engine.sample").joinpath("people.toml").read_text("utf-8"))
    provinces: dict[str, Any] = said["provinces"]
    counts = {code: int(row["persons"]) for code, row in provinces.items()}
    counts |= municipalities(counts)
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{code},{persons},{said['census_year']}" for code, persons in counts.items()]
    name = f"synthetic_counts_{said['census_year']}.csv"
    (folder / name).write_text("\n".join(["code,population,year", *lines]) + "\n", "utf-8")
    years = [int(year) for year in said["national"]]
    projected = projection(provinces, {int(year): n for year, n in said["national"].items()}, said["census_year"])
    rows = [["시도 (synthetic)", *map(str, years)], ["전국", *_units(projected.sum(axis=0))]]
    names = regions.provinces()
    rows += [[names[regions.legal_code(code) or code], *_units(projected[i])] for i, code in enumerate(provinces)]
    (folder / "synthetic_projection.csv").write_text("\n".join(map(",".join, rows)) + "\n", "utf-8")


def projection(provinces: Mapping[str, Any], national: Mapping[int, int], since: int) -> Floats:
    """(provinces, years) in tenths of the unit, as persons: shares of the count, moved by their drift, of the national
    totals; provinces of a year add up to its total."""
    persons = np.array([row["persons"] for row in provinces.values()], float)
    drift = np.array([row["drift"] for row in provinces.values()], float) / 1000.0
    years = np.array(list(national))
    shares = persons[:, None] * np.exp(drift[:, None] * (years - since))
    tenth = _UNIT // 10
    return np.column_stack([
        _parts(shares[:, i], total // tenth) * tenth for i, total in enumerate(national.values())
    ])  # fmt: skip


def municipalities(provinces: Mapping[str, int]) -> dict[str, int]:
    """Persons by the statistical code of five digits: those of the province in proportion to the sum of
    0.01 + townness^2 over points of one arc-minute, and one point more in every municipality."""
    found = outlines.municipalities()
    west, south, east, north = shapely.total_bounds(found.shapes)
    latitude, longitude = np.arange(south, north, _MESH), np.arange(west, east, _MESH)
    points = np.repeat(latitude, len(longitude)), np.tile(longitude, len(latitude))
    inner = shapely.get_coordinates(shapely.point_on_surface(found.shapes))
    latitude, longitude = np.append(points[0], inner[:, 1]), np.append(points[1], inner[:, 0])
    owner = np.append(found.holding(*points), np.arange(len(inner)))
    held = owner >= 0
    dense = _COUNTRYSIDE + land.townness(latitude[held], longitude[held]) ** 2
    weight: Floats = np.bincount(owner[held], dense, len(inner)).astype(float)
    persons: dict[str, int] = {}
    for province, total in provinces.items():
        own = [i for i, code in enumerate(found.codes) if code[:2] == province]
        parts = _parts(weight[own], total).astype(int).tolist()
        persons |= dict(zip([found.codes[i] for i in own], parts, strict=True))
    return persons


def _parts(weight: Floats, total: int) -> Floats:
    """Whole numbers in proportion that add up to the total (largest remainders)."""
    exact = np.round(weight / weight.sum() * total, 6)
    whole = np.floor(exact)
    more = np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]
    whole[more] += 1
    return np.asarray(whole)


def _units(persons: Sequence[float] | Floats) -> list[str]:
    return [f"{value / _UNIT:.1f}" for value in persons]
