"""Writers of the provider's file layout: what the derived indices, the samples and the loaders agree on.

One file per variable and scenario, `{SSP}/{monthly|yearly}/{SSP}_{ELEMENT}_gridraw_{step}_{first}-{last}.nc`, with
dimensions (time, latitude, longitude); sea level on its own curvilinear grid. Everything the engine makes itself goes
into a warehouse through these files, so there is one way in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario, ScenarioNames
from engine.core.variables import Variable

FILL = np.float32(-9990.0)
CONVENTIONS = "CF-1.8"
SEA_LEVEL_NAME = "slr_cm_annual_mean"
#: bytes of one compressed tile: long in time, so that a loader reads a latitude band without touching the others
TILE_BYTES = 1 << 20

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]


def step_name(variable: Variable) -> str:
    """`monthly` or `yearly`, as in folders and file names."""
    return "monthly" if variable.monthly else "yearly"


def gridded_path(root: Path, variable: Variable, scenario: Scenario, axis: Years) -> Path:
    """`root/SSP245/yearly/SSP245_WSDI_gridraw_yearly_2021-2100.nc`."""
    code, step = scenario.provider_code, step_name(variable)
    return root / code / step / f"{code}_{variable.element}_gridraw_{step}_{axis}.nc"


def sea_level_path(root: Path, scenario: Scenario, first: int, last: int) -> Path:
    """`root/sea_level/ssp2_4_5_slr_annual_mean_2015-2100.nc`."""
    return root / "sea_level" / f"{scenario.api_key.replace('.', '_')}_slr_annual_mean_{first}-{last}.nc"


def write_grid(path: Path, grid: GridDefinition, names: ScenarioNames | None = None) -> None:
    """The lattice and its years as `grid.toml`: the seven keys of `GridDefinition`.

    names : of the scenarios that the data hold, where these are no SSPs, or not all four: table `scenarios`
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{key} = {value}" for key, value in asdict(grid).items()]
    if names:
        lines += ["", "[scenarios]", *(f"{int(each)} = {json.dumps(name)}" for each, name in sorted(names.items()))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_gridded(
    path: Path,
    grid: GridDefinition,
    variable: Variable,
    scenario: Scenario,
    values: Float32,
    *,
    scope: str,
    attributes: Mapping[str, str],
    cell_methods: str = "",
) -> None:
    """One variable and scenario on the whole lattice.

    values     : (years * steps, n_lat, n_lon), the variable's stored unit, latitude northward; NaN = missing
    scope      : `full`, `synthetic` or `observed`; kept as a global attribute, read by the loaders
    attributes : further global attributes, such as `source` and `institution`
    cell_methods : how the values came about, kept with the variable and in the load record
    raises     : SchemaError when the shape is not the grid's
    """
    expected = (grid.axis.n * variable.steps, grid.n_lat, grid.n_lon)
    if values.shape != expected:
        raise SchemaError(f"{path.name}: {values.shape} values where the lattice and its years have {expected}")
    with create_gridded(
        path, grid, variable, scenario, scope=scope, attributes=attributes, cell_methods=cell_methods
    ) as file:
        file.write(0, values)


@dataclass(frozen=True, slots=True)
class GriddedFile:
    """A file being written, a latitude band at a time."""

    data: Any
    #: rows of one tile: bands that begin and end on a multiple are compressed once
    tile_rows: int

    def write(self, first_row: int, values: Float32) -> None:
        """Store a band: (time, rows, n_lon) from latitude row `first_row` northward; NaN = missing."""
        filled = np.where(np.isnan(values), FILL, values).astype(np.float32, copy=False)
        self.data[:, first_row : first_row + values.shape[1], :] = filled


@contextmanager
def create_gridded(
    path: Path,
    grid: GridDefinition,
    variable: Variable,
    scenario: Scenario,
    *,
    scope: str,
    attributes: Mapping[str, str],
    cell_methods: str = "",
) -> Iterator[GriddedFile]:
    """Open a new file for bands; it appears under its name only when the block ends without an error."""
    times = _month_starts(grid.axis) if variable.monthly else _year_starts(grid.axis)
    side = max(1, int((TILE_BYTES / (4 * len(times))) ** 0.5))
    tile = (len(times), min(side, grid.n_lat), min(side, grid.n_lon))
    with new_file(path, {"scope": scope, "scenario": scenario.code, **attributes}) as file:
        file.dimensions = {"time": len(times), "latitude": grid.n_lat, "longitude": grid.n_lon}
        _time(file, times, grid.first_year)
        for name, degrees, unit in (
            ("latitude", grid.latitudes, "degrees_north"),
            ("longitude", grid.meridians, "degrees_east"),
        ):
            coordinate = file.create_variable(name, (name,), np.float64, data=degrees)
            coordinate.attrs.update({"units": unit, "standard_name": name})
        data = file.create_variable(
            variable.element, ("time", "latitude", "longitude"), np.float32,
            fillvalue=FILL, chunks=tile, compression="gzip", compression_opts=1, shuffle=True,
        )  # fmt: skip
        data.attrs.update({"units": variable.unit, "long_name": variable.meaning, "missing_value": FILL})
        if cell_methods:
            data.attrs["cell_methods"] = cell_methods
        yield GriddedFile(data, tile[1])


def write_sea_level(
    path: Path,
    latitude: Floats,
    longitude: Floats,
    values: Float32,
    first_year: int,
    *,
    scope: str,
    attributes: Mapping[str, str],
) -> None:
    """Annual mean sea level of one scenario on a curvilinear grid.

    latitude, longitude : (j, i), degrees
    values     : (years, j, i), cm above the datum named in `attributes`; NaN where masked or missing
    first_year : of `values`
    raises     : SchemaError when the shapes disagree
    """
    if not (values.ndim == 3 and values.shape[1:] == latitude.shape == longitude.shape):
        raise SchemaError(f"{path.name}: {values.shape=} {latitude.shape=} {longitude.shape=} do not fit together")
    years, n_j, n_i = values.shape
    with new_file(path, {"scope": scope, **attributes}) as file:
        file.dimensions = {"time": years, "j": n_j, "i": n_i}
        _time(file, _year_starts(Years(first_year, first_year + years - 1)), first_year)
        for name, degrees, unit in (
            ("latitude", latitude, "degrees_north"),
            ("longitude", longitude, "degrees_east"),
        ):
            coordinate = file.create_variable(name, ("j", "i"), np.float64, data=degrees)
            coordinate.attrs.update({"units": unit, "standard_name": name})
        filled = np.where(np.isnan(values), FILL, values).astype(np.float32)
        data = file.create_variable(SEA_LEVEL_NAME, ("time", "j", "i"), np.float32, data=filled, fillvalue=FILL)
        data.attrs.update({"units": "cm", "long_name": "annual mean sea level", "coordinates": "latitude longitude"})


@contextmanager
def new_file(path: Path, attributes: Mapping[str, str]) -> Iterator[h5netcdf.File]:
    """A NetCDF-4 file with global attributes; it appears under its name only when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with h5netcdf.File(part, "w") as file:
            file.attrs.update({"Conventions": CONVENTIONS, **attributes})
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _time(file: h5netcdf.File, days: NDArray[np.int32], first_year: int) -> None:
    time = file.create_variable("time", ("time",), np.int32, data=days)
    time.attrs.update({"units": f"days since {first_year}-01-01", "calendar": "gregorian", "standard_name": "time"})


def _year_starts(axis: Years) -> NDArray[np.int32]:
    starts = np.arange(axis.first - 1970, axis.last - 1970 + 1).astype("datetime64[Y]").astype("datetime64[D]")
    return np.asarray((starts - starts[0]).astype(np.int32))


def _month_starts(axis: Years) -> NDArray[np.int32]:
    months = np.arange((axis.first - 1970) * 12, (axis.last - 1970 + 1) * 12)
    starts = months.astype("datetime64[M]").astype("datetime64[D]")
    return np.asarray((starts - starts[0]).astype(np.int32))
