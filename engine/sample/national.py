"""The synthetic climate at the provider's full resolution, as a source: cells are computed when they are asked for.

    python -m engine.sample.national --out DIR [--cells N] [--processes N]

writes it as a Parquet store. Meant for measuring: the fields are those of the sample (`climate`), so space and time
have their structure, and the tables beside them have the size of the real ones. Coast, provinces and typhoon tracks
are real; terrain attributes are plausible inventions. Nothing here is a projection.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import logging
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core import sphere
from engine.core.errors import SettingsError
from engine.core.grid import KOREA, GridDefinition
from engine.core.panel import Float32, Panel
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import Variable, variable
from engine.io.climate import snapshot
from engine.io.climate.active_cells import active_cells
from engine.io.climate.source import described
from engine.io.etl import places
from engine.io.etl.loaders import aqueduct, basins, besttrack, besttrack_readers, wamis_answers
from engine.io.files import source_files
from engine.sample import climate, fields, korea, sea_level, water
from engine.sample.climate import Cells

log = logging.getLogger(__name__)

VERSION = 1
#: cells computed at once: 0.4 GB a process
CHUNK = 1024
#: latitude, longitude, radius in km of the larger cities, for a land cover that has towns where towns are
CITIES = (
    *((37.55, 126.99, 25.0), (37.46, 126.70, 14.0), (35.16, 129.06, 14.0), (35.87, 128.60, 13.0)),
    *((36.35, 127.38, 10.0), (35.16, 126.85, 10.0), (35.54, 129.31, 9.0), (33.50, 126.53, 6.0)),
)
_FLOW_COLUMNS = {"obs_code": pl.String, "obs_date": pl.String, "flow_m3s": pl.String}

Floats = NDArray[np.float64]
Task = tuple[Cells, Scenario, tuple[str, ...], int]


class NationalClimate:
    """A `ClimateSource` of made-up climate on a lattice of 0.01 degree.

    n_cells   : that many land cells, spread evenly over the country; None: all of them
    grid      : lattice; its years are 2021-2100
    processes : cells are computed in so many processes; 1: in this one
    attributes : `grid_attributes`; None: plausible inventions
    raises    : SettingsError for more cells than the country has
    """

    def __init__(
        self,
        n_cells: int | None = None,
        *,
        grid: GridDefinition = KOREA,
        seed: int = climate.SEED,
        processes: int = 1,
        attributes: pl.DataFrame | None = None,
    ) -> None:
        ids, cells = self._land = korea.land_cells(grid)
        wanted = len(ids) if n_cells is None else n_cells
        if not 0 < wanted <= len(ids):
            raise SettingsError(f"{wanted} cells: the lattice has 1 to {len(ids)} land cells")
        chosen = np.arange(wanted, dtype=np.int64) * len(ids) // wanted
        self._ids, self._cells, self._seed = ids[chosen], _part(cells, chosen), seed
        self._grid, self._state = grid, [VERSION, seed, wanted, str(grid)]
        self._attributes = attributes
        if attributes is not None:
            self._state.append(int(attributes.hash_rows().sum()))
        self._pool = (
            # spawned: a forked process would inherit threads that are not there
            ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) if processes > 1 else None
        )

    @property
    def address(self) -> str:
        return f"made-up climate of {len(self._ids)} cells"

    __repr__ = described

    @property
    def grid(self) -> GridDefinition:
        return self._grid

    @property
    def axis(self) -> Years:
        return climate.AXIS

    @property
    def scope(self) -> str:
        return korea.SCOPE

    @property
    def snapshot(self) -> None:
        return None

    @property
    def cuts(self) -> tuple[int, ...]:
        return ()

    @property
    def scenario_names(self) -> dict[Scenario, str]:
        return {}

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self._state).encode()).hexdigest()

    @property
    def covered_years(self) -> tuple[int, ...]:
        return tuple(self._tracks.covered)

    @cached_property
    def tables(self) -> Mapping[str, frozenset[str]]:
        listed = {name: frozenset(frame.columns) for name, frame in self._small.items()}
        columns = [scenario.column for scenario in Scenario]
        for each in map(variable, climate.VARIABLES):
            listed[each.table] = frozenset(["grid_id", each.time_column, *columns])
        return listed

    def cells(self) -> pl.DataFrame:
        return self._frame

    @cached_property
    def _frame(self) -> pl.DataFrame:
        return active_cells(self._small["location_grid"], self._small["grid_attributes"])

    def table(self, name: str) -> pl.DataFrame:
        return self._small[name]

    def read(self, cells: pl.DataFrame, variables: Sequence[str], scenarios: Sequence[Scenario]) -> Panel:
        held = [variable(name) for name in variables if name in climate.VARIABLES]
        at = np.searchsorted(self._ids, cells["grid_id"].to_numpy())
        arrays = {(each.name, s): np.empty(_shape(each, len(at)), np.float32) for each in held for s in scenarios}
        starts = range(0, len(at), CHUNK)
        names = tuple(each.name for each in held)
        tasks = [(_part(self._cells, at[k : k + CHUNK]), s, names, self._seed) for s in scenarios for k in starts]
        for (_, scenario, *_), start, made in zip(tasks, itertools.cycle(starts), self._made(tasks), strict=False):
            for name, values in made.items():
                block = arrays[name, scenario][start : start + CHUNK]
                block[...] = values.reshape(block.shape)
        return Panel(cells=cells, axis=self.axis, arrays=arrays)

    def _made(self, tasks: list[Task]) -> Iterable[dict[str, Float32]]:
        apply: Callable[..., Iterable[dict[str, Float32]]] = self._pool.map if self._pool else map
        return apply(_make, tasks)

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    @cached_property
    def _tracks(self) -> besttrack.Merged:
        paths = source_files.find(korea.DATA, *besttrack.PATTERNS)
        return besttrack.merge([track for track in map(besttrack_readers.read, paths) if track is not None])

    @cached_property
    def _small(self) -> dict[str, pl.DataFrame]:
        """Every table beside the climate, by name."""
        points, levels = _sea_level(self._seed)
        # a basin's provinces are those of all its cells, however few were asked for
        ids, land = self._land
        here = places.Cells(ids, land.latitude, land.longitude)
        gauges = _gauges()
        codes = basins.basin_of_gauges(here, gauges)
        layers = [places.read_layer(path) for path in source_files.find(korea.DATA, "provinces*.geojson")]
        outlets = {b.code: water.gauge_code(b, 1) for b in water.BASINS if b.volume_km3}
        time = pl.col("obs_datetime")
        parts = {part: getattr(time.dt, part)().cast(pl.Int16) for part in ("year", "month", "day", "hour")}
        g = self._grid
        return {
            "grid_definition": pl.DataFrame(
                {name: [getattr(g, name)] for name in ("lat0", "lon0", "n_lat", "n_lon", "step")}
                | {"first_year": [g.first_year], "last_year": [g.last_year]}
            ),
            "location_grid": _places(g, self._ids, codes[np.searchsorted(ids, self._ids)], points),
            "grid_attributes": _attributes(self._ids, self._cells) if self._attributes is None else self._attributes,
            "sea_level_grid": points,
            "sea_level_data": levels,
            "api_typhoon_besttrack": self._tracks.fixes.drop("season").with_columns(**parts),
            "water_basin": pl.DataFrame(
                [(b.code, b.name, outlets.get(b.code)) for b in water.BASINS],
                schema={"basin_code": pl.Int16, "basin_name": pl.String, "outlet_obs_code": pl.String},
                orient="row",
            ),
            "water_basin_province": basins.province_shares(here, codes, layers),
            **_water_tables(gauges),
        }


def _part(cells: Cells, at: Any) -> Cells:
    return Cells(cells.latitude[at], cells.longitude[at], cells.altitude[at], cells.coast[at])


def _shape(each: Variable, cells: int) -> tuple[int, ...]:
    return (cells, climate.AXIS.n, each.steps) if each.monthly else (cells, climate.AXIS.n)


def _make(task: Task) -> dict[str, Float32]:
    cells, scenario, names, seed = task
    made = climate.block(cells, scenario, seed=seed)
    return {name: made[name] for name in names}


def _places(
    grid: GridDefinition, ids: NDArray[np.int32], codes: NDArray[np.int16], points: pl.DataFrame
) -> pl.DataFrame:
    """`location_grid` of the whole lattice, sea included."""
    every = np.arange(1, grid.n_cells + 1, dtype=np.int32)
    rows, columns = grid.indices(every)
    latitude, longitude = grid.latitudes[rows], grid.longitudes[columns]
    ocean = points.filter(pl.col("is_ocean"))
    where, _ = sphere.nearest(latitude, longitude, ocean["latitude"].to_numpy(), ocean["longitude"].to_numpy())
    active, basin = np.zeros(grid.n_cells, np.bool_), np.zeros(grid.n_cells, np.int16)
    active[ids - 1], basin[ids - 1] = True, codes
    frame = pl.DataFrame(
        {
            "grid_id": every,
            "lat_idx": rows,
            "lon_idx": columns,
            "latitude": latitude,
            "longitude": longitude,
            "has_climate": active,
            "basin_code": basin,
        }
    )
    return frame.with_columns(
        basin_code=pl.when("has_climate").then("basin_code"), slr_grid_id=ocean["grid_id"].gather(where).cast(pl.Int32)
    )


def _sea_level(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`sea_level_grid`, and `sea_level_data` of its ocean points."""
    latitude, longitude = sea_level.grid()
    ocean = ~korea.is_land(latitude, longitude)
    j, i = np.indices(latitude.shape)
    ids = (j * latitude.shape[1] + i + 1).astype(np.int32)
    points = pl.DataFrame(
        {
            "grid_id": ids.ravel(),
            "j_idx": j.ravel().astype(np.int16),
            "i_idx": i.ravel().astype(np.int16),
            "latitude": latitude.ravel(),
            "longitude": longitude.ravel(),
            "is_ocean": ocean.ravel(),
        }
    )
    years = np.arange(sea_level.AXIS.first, sea_level.AXIS.last + 1, dtype=np.int16)
    levels = {s.column: sea_level.block(s, seed=seed)[:, ocean].T.ravel() for s in Scenario}
    keys = {"grid_id": np.repeat(ids[ocean], len(years)), "year": np.tile(years, int(ocean.sum()))}
    return points, pl.DataFrame(keys | levels)


def _attributes(ids: NDArray[np.int32], cells: Cells) -> pl.DataFrame:
    """`grid_attributes`: altitude and distance from the coast are the sample's, the rest is drawn to fit them."""
    u = [fields.draw(ids, k) for k in range(9)]
    slope = np.clip(0.06 * np.sqrt(cells.altitude) * (0.5 + 2.5 * u[0]) ** 1.5 * 6.0, 0.0, 45.0)
    city = np.zeros(len(ids))
    for latitude, longitude, radius in CITIES:
        km = 111.2 * np.hypot(cells.latitude - latitude, 0.8 * (cells.longitude - longitude))
        city = np.maximum(city, np.exp(-((km / radius) ** 2)))
    # steep is forest; flat is town near cities, else field, grass, marsh, bare ground or water
    town = u[1] < 0.04 + 0.85 * city
    steep = slope > 6.0 + 10.0 * u[2]
    other = np.array(["agricultural", "forest", "grassland", "barren", "wetland", "water"])
    flat = other[np.searchsorted([0.55, 0.82, 0.91, 0.95, 0.97], u[3])]
    cover = np.where(steep, "forest", np.where(town, "urban", flat))
    impervious = np.where(cover == "urban", 0.35 + 0.55 * u[4], 0.15 * u[4] ** 2)
    forest = np.where(cover == "forest", 0.6 + 0.4 * u[5], 0.4 * u[5])
    river = np.minimum(-1200.0 * np.log1p(-u[6]), 15_000.0)
    order = np.clip(1 + np.floor(-1.2 * np.log1p(-u[7])), 1, 7)
    return pl.DataFrame(
        {
            "grid_id": ids,
            "elevation_mean_m": cells.altitude.astype(np.float32),
            "elevation_min_m": np.maximum(cells.altitude - 400.0 * np.tan(np.radians(slope)), 0.0).astype(np.float32),
            "slope_mean_deg": slope.astype(np.float32),
            "wetness_index": (4.0 + 9.0 / (1.0 + 0.15 * slope) + 2.0 * u[8]).astype(np.float32),
            "landcover_mode": cover,
            "impervious_ratio": impervious.astype(np.float32),
            "forest_ratio": (forest * (1.0 - impervious)).astype(np.float32),
            "building_density_km2": np.where(cover == "urban", 300.0 + 2200.0 * u[4], 60.0 * u[4]).astype(np.float32),
            "dist_coast_m": (cells.coast * 1000.0).astype(np.float32),
            "dist_river_m": river.astype(np.float32),
            "dist_forest_m": np.where(cover == "forest", 0.0, 2500.0 * u[5]).astype(np.float32),
            "river_grade": np.where(order >= 4, 1, 2).astype(np.int16),
            "stream_order": order.astype(np.int16),
            "watershed_area_km2": (5.0 * 4.0**order).astype(np.float32),
        }
    )


def _gauges() -> basins.Gauges:
    placed = [(water.gauge_code(b, n), b.code, *at) for b in water.BASINS for n, at in enumerate(b.gauges, 1)]
    codes, numbers, latitude, longitude = zip(*placed, strict=True)
    return basins.Gauges(codes, np.array(numbers, np.int16), np.array(latitude), np.array(longitude))


def _water_tables(gauges: basins.Gauges) -> dict[str, pl.DataFrame]:
    """Withdrawals, gauges, flow and stress scores, read from the files of the sample."""
    with tempfile.TemporaryDirectory() as scratch:
        written = water.generate(Path(scratch))
        saved = wamis_answers.read([path for path in written if path.suffix == ".json"])
        (workbook,) = (path for path in written if path.suffix == ".xlsx")
        scores = aqueduct.read(workbook)
    use = [
        (int(answer.params["basin"]), "", int(item["year"]), float(item["total"]))
        for answer in saved.of(wamis_answers.USAGE)
        for item in answer.items
    ]
    days = [
        (answer.params["obscd"], item["ymd"], item["fw"])
        for answer in saved.of(wamis_answers.FLOW)
        for item in answer.items
        if item["fw"] != "-"
    ]
    flow = pl.DataFrame(days, schema=_FLOW_COLUMNS, orient="row")
    return {
        "api_wamis_water_usage": pl.DataFrame(
            use,
            schema={"basin_code": pl.Int16, "admin_code": pl.String, "year": pl.Int16, "total": pl.Float64},
            orient="row",
        ),
        "api_wamis_stations": pl.DataFrame(
            {
                "obs_code": gauges.code,
                "obs_name": [f"synthetic {code}" for code in gauges.code],
                "basin_code": gauges.basin,
                "latitude": gauges.latitude,
                "longitude": gauges.longitude,
            }
        ),
        "api_wamis_flow": flow.with_columns(
            pl.col("obs_date").str.to_date("%Y%m%d"), pl.col("flow_m3s").cast(pl.Float64)
        ),
        "water_stress_rankings": scores,
    }


def main(argv: list[str] | None = None) -> int:
    """Write a store; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m engine.sample.national", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the store")
    parser.add_argument("--cells", type=int, metavar="N", help="so many land cells, evenly spaced (default all)")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="default %(default)s")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    started = time.perf_counter()
    with closing(NationalClimate(args.cells, processes=args.processes)) as source:
        done = snapshot.write(source, args.out)
        cells = source.cells().height
    log.info(
        "store=%s cells=%d files=%d megabytes=%.0f seconds=%.1f",
        *(args.out, cells, done["files"], done["bytes"] / 1e6, time.perf_counter() - started),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
