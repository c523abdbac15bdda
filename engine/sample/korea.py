"""The synthetic sample as a data directory: every file the loaders look for, in the provider's layout.

The lattice is the provider's at a tenth of its resolution; coast, terrain, provinces and typhoon tracks are real, the
climate, the sea level, the water inputs, land cover, buildings and population are made up and say so in every file.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from engine.core.errors import SettingsError
from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.core.sphere import unit_vectors
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.sample import climate, elevation, land, people, register, sea_level, terrain, water
from engine.sample.climate import Cells

SAMPLE_GRID = GridDefinition(33.0, 124.5, 61, 76, 0.1, climate.AXIS.first, climate.AXIS.last)
DATA = Path(__file__).with_name("data")
SCOPE = "synthetic"
#: a cell is land when at least this share of its 30-arc-second pixels is
LAND_SHARE = 0.5
#: degrees that the simplified province outlines may fall short of the shore
OUTLINE = 0.03
EARTH_KM = 6371.0

Floats = NDArray[np.float64]


def build(out_dir: Path, *, grid: GridDefinition = SAMPLE_GRID, seed: int = climate.SEED) -> None:
    """Write the sample: climate of four scenarios, sea level, water inputs, elevations, map layers, tracks, lattice,
    land cover, buildings, population.

    out_dir : created when absent; files of the same names are overwritten
    grid    : any lattice inside 32.5-43.5 N, 123-132.5 E, on the years 2021-2100, of some thousand land cells: one
              scenario is held in memory, 0.2 MB a land cell; a finer one takes `climate.block` band by band
    raises  : SettingsError when the lattice leaves the land mask or has other years
    """
    if grid.axis != climate.AXIS:
        raise SettingsError(f"the synthetic sample has the years {climate.AXIS}, not {grid.axis}")
    ids, cells = land_cells(grid)
    out_dir.mkdir(parents=True, exist_ok=True)
    for scenario in Scenario:
        made = climate.block(cells, scenario, seed=seed)
        for name, values in made.items():
            variable = VARIABLES[name]
            lattice = np.full((values.shape[1], grid.n_cells), np.nan, np.float32)
            lattice[:, ids - 1] = values.T
            layout.write_gridded(
                layout.gridded_path(out_dir, variable, scenario, grid.axis),
                grid,
                variable,
                scenario,
                lattice.reshape(-1, grid.n_lat, grid.n_lon),
                scope=SCOPE,
                attributes=_attributes(variable.meaning, scenario),
            )
        _write_sea_level(out_dir, scenario, seed)
    water.generate(out_dir)
    elevation.write(out_dir / "dem" / "synthetic_from_5min_terrain.txt", grid, ids, terrain.altitude, terrain.on_land)
    for folder, pattern in (("map", "*.geojson"), ("typhoon", "*")):
        (out_dir / folder).mkdir(exist_ok=True)
        for path in sorted((DATA / folder).glob(pattern)):
            shutil.copyfile(path, out_dir / folder / path.name)
    layout.write_grid(out_dir / "grid.toml", grid)
    complete(out_dir, grid=grid)


def complete(out_dir: Path, *, grid: GridDefinition = SAMPLE_GRID) -> None:
    """Write what a sample of version 1 lacks: land cover, buildings, population. Its other files stay as they are."""
    made = land.pixels(grid)
    land.write(out_dir / "landcover" / "synthetic_lccs_map.nc", made, scope=SCOPE)
    register.write(out_dir / "buildings", made)
    people.write(out_dir / "population")


def attributes() -> pl.DataFrame:
    """`grid_attributes` of the cells of `SAMPLE_GRID`, as the loaders make them of the files that `build` writes."""
    return pl.read_parquet(DATA / "korea" / "grid_attributes.parquet", glob=False)


def land_cells(grid: GridDefinition) -> tuple[NDArray[np.int32], Cells]:
    """`grid_id` and place of the land cells of South Korea, ascending.

    raises : SettingsError when a cell of the lattice holds no pixel of the land mask
    """
    with np.load(DATA / "map" / "land_mask.npz") as stored:
        land, latitude, longitude = stored["land"], stored["lat"], stored["lon"]
    # lattice rows and columns of the pixels; the grid's own `locate` decides, so borders fall the same way
    rows = grid.locate(latitude, np.full(len(latitude), grid.lon0))
    columns = grid.locate(np.full(len(longitude), grid.lat0), longitude)
    rows, columns = np.where(rows > 0, (rows - 1) // grid.n_lon, -1), columns - 1
    ids = np.where((rows[:, None] >= 0) & (columns >= 0), rows[:, None] * grid.n_lon + columns, grid.n_cells)
    pixels = np.bincount(ids.ravel(), minlength=grid.n_cells + 1)[:-1]
    if bare := int((pixels == 0).sum()):
        raise SettingsError(
            f"{bare} of {grid.n_cells} cells of the lattice lie outside the land mask, or between its pixels"
        )
    share = np.bincount(ids.ravel(), land.ravel(), grid.n_cells + 1)[:-1] / pixels
    candidates = np.flatnonzero(share >= LAND_SHARE)
    lat, lon = grid.latitudes[candidates // grid.n_lon], grid.longitudes[candidates % grid.n_lon]
    inside = shapely.intersects_xy(_south_korea(), lon, lat)
    candidates, lat, lon = candidates[inside], lat[inside], lon[inside]
    cells = Cells(lat, lon, terrain.altitude(lat, lon), _coast_km(land, latitude, longitude, lat, lon))
    return (candidates + 1).astype(np.int32), cells


def _attributes(meaning: str, scenario: Scenario) -> dict[str, str]:
    return {
        "title": f"Synthetic {meaning} over South Korea, {scenario.code}: made up, not a projection",
        "institution": "climate-risk-engine, sample generator",
        "source": "random fields around the climatology of Seoul 1981-2010 and published warming; see docs/sample.md",
    }


def _write_sea_level(out_dir: Path, scenario: Scenario, seed: int) -> None:
    latitude, longitude = sea_level.grid()
    level = sea_level.block(scenario, seed=seed)
    level[:, is_land(latitude, longitude)] = np.nan
    layout.write_sea_level(
        layout.sea_level_path(out_dir, scenario, sea_level.AXIS.first, sea_level.AXIS.last),
        latitude,
        longitude,
        level,
        sea_level.AXIS.first,
        scope=SCOPE,
        attributes=_attributes("annual mean sea level", scenario)
        | {"datum": "made up; only differences mean anything"},
    )


def _south_korea() -> shapely.Geometry:
    """Outline of the provinces, a little wider; prepared for many points."""
    (path,) = sorted((DATA / "map").glob("provinces*.geojson"))
    features = json.loads(path.read_text(encoding="utf-8"))["features"]
    shapes = shapely.from_geojson([json.dumps(feature["geometry"]) for feature in features])
    outline = shapely.buffer(shapely.union_all(shapes), OUTLINE)
    shapely.prepare(outline)
    return outline


def is_land(latitude: Floats, longitude: Floats) -> NDArray[np.bool_]:
    """Points of the ocean grid whose surroundings, half a degree each way, are mostly land."""
    with np.load(DATA / "map" / "land_mask.npz") as stored:
        land, lat, lon = stored["land"], stored["lat"], stored["lon"]
    out = np.zeros(latitude.shape, np.bool_)
    for at in np.ndindex(latitude.shape):
        rows = np.abs(lat - latitude[at]) <= 0.5
        columns = np.abs(lon - longitude[at]) <= 0.5
        out[at] = land[np.ix_(rows, columns)].mean() > LAND_SHARE
    return out


def _coast_km(land: NDArray[np.bool_], lat: Floats, lon: Floats, latitude: Floats, longitude: Floats) -> Floats:
    """Great-circle distance to the nearest pixel of shore water; 0 when the point lies on one."""
    shore = np.zeros_like(land)
    shore[1:] |= land[:-1]
    shore[:-1] |= land[1:]
    shore[:, 1:] |= land[:, :-1]
    shore[:, :-1] |= land[:, 1:]
    rows, columns = np.nonzero(shore & ~land)
    chord, _ = cKDTree(unit_vectors(lat[rows], lon[columns])).query(unit_vectors(latitude, longitude))
    return np.asarray(2 * EARTH_KM * np.arcsin(chord / 2), float)
