"""Results as arrays with labels by the CF conventions: one description for NetCDF, Zarr and datasets in memory.

Dimensions are risk, scenario, period, and latitude x longitude of a lattice or the cells of a list of places. A figure
that says how sure another is, is its ancillary variable; cells without a result are missing.

Source: CF Metadata Conventions 1.11, sections 3.4 (ancillary), 3.5 (flags), 4 and 5.6 (coordinates, grid mapping), 7.1
(bounds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from engine.core.period import FULL, PERIODS
from engine.io.export.figures import FIGURES, METHODS
from engine.io.export.lattice import Lattice, lattice_of
from engine.io.export.table import about, scenario_label, years_of

CONVENTIONS = "CF-1.11"
GRID_MAPPING = "crs"
_LAYER = ("risk", "scenario", "period")
#: of whole numbers and codes, where there is no result
MISSING_WHOLE, MISSING_CODE = np.int16(-1), np.int8(-1)


class Axes(NamedTuple):
    """Axes of the arrays of a run.

    run       : row of `result_runs`
    cells     : grid_id, latitude, longitude
    lattice   : of the cells; None: places of a list
    """

    run: Mapping[str, Any]
    risks: Sequence[str]
    scenarios: Sequence[int]
    periods: Sequence[str]
    cells: pl.DataFrame
    lattice: Lattice | None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names, the places last."""
        return (*_LAYER, *(("latitude", "longitude") if self.lattice is not None else ("cell",)))

    @property
    def shape(self) -> tuple[int, ...]:
        """(risks, scenarios, periods, then the places)."""
        return (len(self.risks), len(self.scenarios), len(self.periods), *self.places)

    @property
    def places(self) -> tuple[int, ...]:
        """(n_lat, n_lon), or (cells,)."""
        if self.lattice is None:
            return (self.cells.height,)
        return len(self.lattice.latitude), len(self.lattice.longitude)

    def at(self, risk: str, scenario: int, period: str) -> tuple[int, int, int]:
        """Place of a layer."""
        return self.risks.index(risk), self.scenarios.index(scenario), self.periods.index(period)

    def array(self, name: str, rows: pl.DataFrame) -> NDArray[Any]:
        """Values of a figure of one layer, with the shape of the places. rows: `grid_id` and the figure"""
        kind, fill = form(name)
        every = self.cells.select("grid_id").join(rows.select("grid_id", name), on="grid_id", how="left")
        column = every.sort("grid_id")[name]
        if name == "method":
            column = column.replace_strict({word: code for code, word in enumerate(METHODS)}, return_dtype=pl.Int8)
        values = column.cast(pl.Float64 if column.dtype.is_float() else pl.Int64).fill_null(fill).to_numpy()
        values = values.astype(kind)
        return values if self.lattice is None else self.lattice.spread(values, fill)


def form(name: str) -> tuple[np.dtype[Any], Any]:
    """Type of the array of a figure, and what stands in it for a missing value."""
    kind = FIGURES[name].kind
    if kind in (pl.String, pl.Boolean):
        return np.dtype(np.int8), MISSING_CODE
    return (np.dtype(np.int16), MISSING_WHOLE) if kind.is_integer() else (np.dtype(np.float32), np.float32(np.nan))


def attributes(name: str, *, lattice: bool) -> dict[str, Any]:
    """CF attributes of the variable of a figure."""
    figure = FIGURES[name]
    told: dict[str, Any] = {"long_name": figure.title, "comment": figure.tells, "grid_mapping": GRID_MAPPING}
    if figure.kind == pl.Boolean:
        told |= {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "no yes"}
    elif figure.kind == pl.String:
        told |= {"flag_values": np.arange(len(METHODS), dtype=np.int8), "flag_meanings": " ".join(METHODS)}
    else:
        told["units"] = figure.unit
    if others := [each.name for each in FIGURES.values() if each.of == name]:
        told["ancillary_variables"] = " ".join(others)
    if lattice:
        told["cell_methods"] = "latitude: longitude: mean"
    return told


def coordinates(axes: Axes, runs: Mapping[int, Mapping[str, Any]] | None = None) -> xr.Dataset:
    """A dataset without figures: labels of the axes, bounds, the grid mapping, and what the run says of itself.

    runs : all runs that rows are of; None: the run of the axes alone
    """
    made = xr.Dataset(
        coords={
            "risk": ("risk", np.array(axes.risks, str), {"long_name": "risk"}),
            "scenario": (
                "scenario",
                np.array([scenario_label(each, axes.run) for each in axes.scenarios], str),
                {"long_name": "scenario"},
            ),
            "scenario_id": (
                "scenario",
                np.array(axes.scenarios, np.int16),
                {"long_name": "number of the scenario in tables"},
            ),
            "period": ("period", np.array(axes.periods, str), {"long_name": "window of years"}),
            "first_year": ("period", *_years(axes, 0)),
            "last_year": ("period", *_years(axes, 1)),
        },
        attrs={"Conventions": CONVENTIONS, **_stated(about(axes.run, runs or {axes.run["run_id"]: axes.run}))},
    )
    placed = _points(made, axes.cells) if axes.lattice is None else _grid(made, axes.lattice)
    placed[GRID_MAPPING] = ((), np.int32(0), _grid_mapping())
    return placed


def to_dataset(rows: pl.DataFrame, run: Mapping[str, Any]) -> xr.Dataset:
    """Rows of results in memory as a dataset.

    rows   : columns grid_id, latitude, longitude, risk_type, scenario_id, time_period, and any of FIGURES; one a key
    run    : row of `result_runs`, or as much of it as is known: run_id, edition, scope, summary
    returns: a variable a figure of the rows, float32 with NaN where there is no result; codes are -1 there
    raises : ValueError for rows without a key column
    """
    if absent := {"grid_id", "latitude", "longitude", "risk_type", "scenario_id", "time_period"} - set(rows.columns):
        raise ValueError(f"rows of results lack {', '.join(sorted(absent))}")
    cells = rows.select("grid_id", "latitude", "longitude").unique("grid_id").sort("grid_id")
    periods = (*(name for name in PERIODS if name != FULL), FULL)
    axes = Axes(
        run,
        rows["risk_type"].unique(maintain_order=True).to_list(),
        rows["scenario_id"].unique().sort().to_list(),
        [name for name in periods if name in set(rows["time_period"])],
        cells,
        lattice_of(cells, apart=bool((run.get("summary") or {}).get("apart"))),
    )
    made = coordinates(axes)
    names = [name for name in FIGURES if name in rows.columns]
    arrays = {name: np.full(axes.shape, form(name)[1], form(name)[0]) for name in names}
    for (risk, scenario, period), layer in rows.group_by("risk_type", "scenario_id", "time_period"):
        for name in names:
            arrays[name][axes.at(str(risk), int(str(scenario)), str(period))] = axes.array(name, layer)
    for name, values in arrays.items():
        told = attributes(name, lattice=axes.lattice is not None)
        if values.dtype.kind == "i":
            told["_FillValue"] = form(name)[1]
        made[name] = (axes.dimensions, values, told)
    return made


def _years(axes: Axes, which: int) -> tuple[NDArray[np.int16], dict[str, str]]:
    years = np.array([years_of(axes.run, period)[which] for period in axes.periods], np.int16)
    return years, {"long_name": f"{('first', 'last')[which]} year of the window, included", "units": "1"}


def _grid(made: xr.Dataset, lattice: Lattice) -> xr.Dataset:
    for name, axis, values in (("latitude", "Y", lattice.latitude), ("longitude", "X", lattice.longitude)):
        half = lattice.step / 2
        bounds = np.round(np.stack([values - half, values + half], axis=1), 9)
        made = made.assign_coords({name: (name, values, {"axis": axis, **_place(name), "bounds": f"{name}_bounds"})})
        made[f"{name}_bounds"] = ((name, "bounds"), bounds)
    return made


def _points(made: xr.Dataset, cells: pl.DataFrame) -> xr.Dataset:
    made.attrs["featureType"] = "point"
    places = {name: ("cell", cells[name].to_numpy(), _place(name)) for name in ("latitude", "longitude")}
    number = ("cell", cells["grid_id"].to_numpy(), {"long_name": "number of the cell"})
    return made.assign_coords(places | {"grid_id": number})


def _place(name: str) -> dict[str, str]:
    return {"standard_name": name, "long_name": name, "units": f"degrees_{'north' if name == 'latitude' else 'east'}"}


def _grid_mapping() -> dict[str, Any]:
    """WGS 84 in CF's words and as text."""
    from pyproj import CRS

    return dict(CRS.from_epsg(4326).to_cf())


def _stated(told: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a run as attributes: text and numbers alone."""
    import json

    plain = {name: value for name, value in told.items() if value is not None}
    return {
        name: value if isinstance(value, (str, int, float)) else json.dumps(value, ensure_ascii=False)
        for name, value in plain.items()
    }
