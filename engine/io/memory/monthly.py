"""Monthly and yearly values of datasets in memory, as the loaders read them from files; SPEI-12 is derived of them.

A cell is one of the lattice that the coordinates form, or one that holds a place of a list.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.quality import Range
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.etl import stored_units
from engine.io.etl.derive import place_cells
from engine.io.etl.derive.derive_band import BALANCE, EXTREMES, YIELDS, water_balance
from engine.io.memory.datasets import Named
from engine.io.memory.source import Key, Series, on
from engine.io.netcdf import cf, daily_names, levels, packing, regular, timeaxis, units
from engine.kernels import spei

log = logging.getLogger(__name__)
Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

_MONTHLY, _YEARLY = "monthly", "yearly"


@dataclass(frozen=True, slots=True)
class _Found:
    """One variable of a dataset, whose name in messages it carries."""

    variable: Variable
    cube: cf.Cube
    name: str

    @property
    def is_list(self) -> bool:
        return len(self.cube.axes) == 2

    def years(self) -> Years:
        found = cf.months(self.cube.time, self.name) // 12
        return Years(int(found.min()), int(found.max()))


def values(
    scenarios: Mapping[Scenario, Sequence[Named]],
    *,
    member: str | None,
    base: Years | None,
    overrides: Mapping[str, str],
    step: float,
    ranges: Mapping[str, Range],
) -> tuple[GridDefinition, dict[Key, Series]]:
    """Lattice, and every monthly and yearly variable of the datasets on it, in stored units.

    base      : years of the calibration of SPEI-12; None: all
    overrides : variable or its CF name -> unit over the datasets'
    returns   : the lattice; (scenario, variable) -> the cells that have a value, and their series
    raises    : SchemaError for what does not lie on one lattice and axis, or has no unit that is known
    """
    found = {each: _found(named, member) for each, named in scenarios.items()}
    first = found[DEFAULT_SCENARIO][0]
    grid = _lattice(first, step)
    held: dict[Key, Series] = {}
    for scenario, group in found.items():
        for each in group:
            key = (scenario, each.variable.name)
            if key in held:
                raise SchemaError(f"{each.name}: {each.variable.name} of {scenario.code} is given twice: leave one out")
            held[key] = _read(each, grid, overrides, ranges)
    if "spei12" not in {name for _, name in held}:
        held |= _spei(held, grid, base or grid.axis, first.name)
    return grid, held


def _found(named: Sequence[Named], member: str | None) -> list[_Found]:
    """Every variable of datasets of one scenario that is monthly or yearly; refuses datasets without one."""
    found = []
    for data, name in named:
        for daily, key in daily_names.found(data, name).items():
            cube = levels.surface_cube(data, key, daily, name, member)
            if (own := _of_daily_name(daily, cf.spacing(cube.time, name))) is not None:
                found.append(_Found(own, cube, name))
        known = {each.variable.name for each in found}
        elements = {str(key).lower(): str(key) for key, each in data.variables.items() if each.ndim}
        for variable in VARIABLES.values():
            element = elements.get(variable.name) or elements.get(variable.element.lower())
            if variable.name not in known and element is not None and variable.name not in _BY_DAILY_NAME:
                found.append(_Found(variable, cf.cube(data, element, name, member), name))
    if not found:
        name = named[0][1]
        raise SchemaError(
            f"{name} holds no variable that is known; daily or monthly tas, tasmax, tasmin, pr, hurs, sfcWind, rsds, or"
            f" yearly {', '.join(v.name for v in VARIABLES.values() if not v.monthly)} are; it has"
            f" {', '.join(map(str, named[0][0].data_vars))}"
        )
    return found


#: variables that CF knows by the name of a daily one
_BY_DAILY_NAME = {names[0] for names in YIELDS.values()} | {"ta_yearly"}


def _of_daily_name(daily: str, spacing: str) -> Variable | None:
    """The stored variable of means over months, or years, of a daily one."""
    if spacing == _MONTHLY:
        return VARIABLES[YIELDS[daily][0]]
    if spacing == _YEARLY and daily == "tas":
        return VARIABLES["ta_yearly"]
    return None


def _lattice(first: _Found, step: float) -> GridDefinition:
    cube, years = first.cube, first.years()
    if first.is_list:
        return place_cells.around(cube.latitude, cube.longitude, step, years, first.name)
    return GridDefinition(*regular.lattice_of(cube.latitude, cube.longitude, first.name), *years)


def _read(found: _Found, grid: GridDefinition, overrides: Mapping[str, str], ranges: Mapping[str, Range]) -> Series:
    """Cells with a value, ascending, and their series in the stored unit."""
    variable, cube, what = found.variable, found.cube, f"{found.name}: {found.variable.name}"
    months = cf.months(cube.time, found.name)
    timeaxis.check_axis(months, grid.axis, variable.monthly, what, cf.spacing(cube.time, found.name))
    cells = _cells(found, grid)
    # an empty unit is that of a pure number; without the attribute the unit is the stored one
    unit = cf.text(cube.variable.attrs, "units") or ("1" if "units" in cube.variable.attrs else "")
    override = next((overrides[each] for each in (variable.name, _daily_name(variable)) if each in overrides), None)
    ceiling = units.ceiling(variable, unit, override)
    everything = (slice(None),) * cube.variable.ndim
    block = packing.values(cube.variable, everything, what, ceiling)
    series = np.moveaxis(block, cube.axes, range(len(cube.axes))).reshape(len(cells), len(months))
    filled = np.flatnonzero(~np.isnan(series).all(axis=1))
    filled = filled[np.argsort(cells[filled], kind="stable")]
    kept = np.ascontiguousarray(series[filled])
    told = stored_units.Told(what, unit, cube.time.attrs["calendar"], override)
    done = stored_units.convert(variable, grid, cells[filled], kept, told, ranges["si_clearness"])
    if done.note:
        log.warning("%s: %s", what, done.note)
    return cells[filled], kept


def _cells(found: _Found, grid: GridDefinition) -> Ints:
    """Lattice index from 0 of every series, in the order of the coordinates."""
    cube = found.cube
    if found.is_list:
        ids = grid.locate(cube.latitude, cube.longitude).astype(np.int64)
        if (outside := int((ids == 0).sum())) or len(np.unique(ids)) < len(ids):
            why = f"{outside} of its places lie outside the lattice of the first variable" if outside else (
                f"two of its places lie in one cell of {grid.step:g} degree: give a finer step"
            )  # fmt: skip
            raise SettingsError(f"{found.name}: {why}")
        return ids - 1
    rows, columns = regular.positions(cube.latitude, cube.longitude, grid, found.name)
    return np.asarray((rows[:, None] * grid.n_lon + columns[None, :]).ravel())


def _daily_name(variable: Variable) -> str:
    """The CF name that a variable has beside its own; "" where it has none."""
    return next((daily for daily, names in YIELDS.items() if variable.name == names[0]), "")


def _spei(held: Mapping[Key, Series], grid: GridDefinition, base: Years, name: str) -> dict[Key, Series]:
    """SPEI-12 of the monthly water balance of every scenario, calibrated on base years of SSP2-4.5, as `derive` makes
    it; empty where a scenario lacks an input or the base years are too few."""
    scenarios = sorted({scenario for scenario, _ in held})
    stored = {daily: YIELDS[daily][0] for daily in (*BALANCE, *EXTREMES)}
    lacking = [daily for daily in BALANCE if not all((s, stored[daily]) in held for s in scenarios)]
    if lacking:
        log.info("%s: no spei12: it needs monthly %s, too", name, ", ".join(lacking))
        return {}
    if base.n < spei.MIN_CALIBRATION:
        log.warning(
            "%s: no spei12: its calibration needs %d base years, %s are %d", name, spei.MIN_CALIBRATION, base, base.n
        )
        return {}
    extremes = all((s, stored[daily]) in held for daily in EXTREMES for s in scenarios)
    inputs = (*BALANCE, *(EXTREMES if extremes else ()))
    cells = reduce(np.intersect1d, [held[s, stored[daily]][0] for s in scenarios for daily in inputs])
    latitude = grid.latitudes[cells // grid.n_lon]
    sums = {}
    for scenario in scenarios:
        monthly = {daily: on(cells, *held[scenario, stored[daily]]) for daily in inputs}
        sums[scenario] = spei.accumulate(water_balance(monthly, latitude, name, extremes=extremes))
    columns = grid.axis.columns_of(base)
    parameters = spei.fit(sums[DEFAULT_SCENARIO], slice(12 * columns.start, 12 * columns.stop))
    indices = {s: spei.standardise(balance, parameters).astype(np.float32) for s, balance in sums.items()}
    return {(s, "spei12"): (cells, index) for s, index in indices.items() if not np.isnan(index).all()}
