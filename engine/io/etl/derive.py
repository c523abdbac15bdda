"""Monthly means and yearly indices from daily files, written as NetCDF in the provider's layout.

The loaders then read those files like any other: there is one way into a warehouse. Means over several models smooth
daily extremes, so give this the daily data of one model or of a station, and prefer the provider's own index files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import SettingsError
from engine.grid import GridDefinition
from engine.io.etl import layout
from engine.io.etl.daily import DailyRecord
from engine.kernels import indices, spei
from engine.kernels.evapotranspiration import reference_evapotranspiration
from engine.period import Years
from engine.scenario import DEFAULT_SCENARIO, Scenario
from engine.variables import VARIABLES

log = logging.getLogger(__name__)

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

#: bytes of daily values held at a time
MEMORY = 1 << 30
#: copies of a band that reading and unpacking it needs
_COPIES = 4
#: daily variable -> what it gives, in `engine.variables`; the monthly one first
YIELDS = {
    "tas": ("ta", "ta_yearly"),
    "tasmax": ("tamax", "wsdi", "tx90p", "hw33"),
    "tasmin": ("tamin", "csdi", "tn10p", "tr25", "fd0", "tnn"),
    "pr": ("rn", "rx1day", "rx5day", "cdd", "rain80", "sdii"),
    "hurs": ("rhm",),
    "sfcWind": ("ws",),
    "rsds": ("si",),
}
#: daily variables that SPEI needs: with all five present it is derived, too
_BALANCE = ("tas", "pr", "hurs", "sfcWind", "rsds")
#: daily variable -> percent of its calendar-day limit
_LIMITS = {"tasmax": 90.0, "tasmin": 10.0}
_CODE = re.compile(r"ssp[-_]?(126|245|370|585)(?!\d)", re.IGNORECASE)


def derive(
    files: Sequence[Path],
    out: Path,
    *,
    base: Years,
    scenario: Scenario | None = None,
    base_files: Sequence[Path] = (),
    years: Years | None = None,
    grid: GridDefinition | None = None,
    attributes: Mapping[str, str] | None = None,
    scope: str | None = None,
    units: Mapping[str, str] | None = None,
    memory: int = MEMORY,
) -> list[Path]:
    """Derive every monthly and yearly variable that daily files allow.

    files      : daily NetCDF files, each with some of tas, tasmax, tasmin, pr, hurs, sfcWind, rsds (or the provider's
                 element names); a scenario's years may be split over files
    out        : root of the layout, `SSP245/monthly/...`
    base       : years of the calendar-day percentiles and of the SPEI calibration, one for all scenarios
    scenario   : of all files; None = each file name or folder carries its code, such as `ssp245`
    base_files : daily files of the base years; left out, they are SSP2-4.5's, or the only scenario's
    years      : of the output; None = all years of the files
    grid       : the lattice (its years do not matter); None = inferred from the first file. A file that lists places
                 needs one: each place becomes the cell that holds it, places outside are left out with a warning
    attributes : further global attributes of every file written
    scope      : `full` or `observed`, of all files; None = as they say, else full
    units      : daily variable -> unit that overrides the files'
    returns    : the files written
    raises     : SettingsError for a missing scenario code or base years that no file holds; SchemaError for a file that
                 is not daily values on one regular lattice

    Memory is bounded by `memory`, not by the files: latitude bands are read, computed and written in turn.
    """
    grouped = _by_scenario(files, scenario)
    with ExitStack() as stack:
        records = {each: DailyRecord.open(stack, paths, units) for each, paths in grouped.items()}
        reference = _reference(records, DailyRecord.open(stack, base_files, units) if base_files else None, base)
        if years is not None:
            records = {each: record.within(years) for each, record in records.items()}
        first = next(iter(records.values()))
        for each, record in records.items():
            _check(each, record, first, reference)
        cells = first.lattice() if grid is None else (grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step)
        lattice = GridDefinition(*cells, *first.axis.years)
        for sentence in dict.fromkeys(said for record in records.values() for said in record.left_out(lattice)):
            log.warning("%s", sentence)
        extra = {"base_period": str(base), **(attributes or {})}
        written: dict[Scenario, dict[str, layout.GriddedFile]] = {}
        paths = []
        for each, record in records.items():
            written[each] = {}
            for name, method in _variables_of(record):
                path = layout.gridded_path(out, VARIABLES[name], each, lattice.axis)
                opened = layout.create_gridded(
                    path,
                    lattice,
                    VARIABLES[name],
                    each,
                    scope=scope or record.scope,
                    attributes=extra,
                    cell_methods=method,
                )
                written[each][name] = stack.enter_context(opened)
                paths.append(path)
        days = max(record.axis.n for record in (*records.values(), reference))
        for rows in _bands(lattice, days, memory):
            for each, name, values in _band(records, reference, base, lattice, rows):
                shape = (values.shape[1], rows.stop - rows.start, lattice.n_lon)
                written[each][name].write(rows.start, np.ascontiguousarray(values.T).reshape(shape))
    return paths


def _by_scenario(files: Sequence[Path], scenario: Scenario | None) -> dict[Scenario, list[Path]]:
    if not files:
        raise SettingsError("no daily files given")
    grouped: dict[Scenario, list[Path]] = {}
    for path in files:
        found = scenario
        if found is None:
            codes = [match[1] for part in reversed(path.parts) for match in _CODE.finditer(part)]
            if not codes:
                raise SettingsError(f"{path}: no scenario code such as ssp245 in its name; name the scenario")
            found = Scenario[f"SSP{codes[0]}"]
        grouped.setdefault(found, []).append(path)
    return dict(sorted(grouped.items()))


def _reference(records: Mapping[Scenario, DailyRecord], given: DailyRecord | None, base: Years) -> DailyRecord:
    """The record of the base years, with the year before when there is one: a sum over 12 months reaches into it."""
    if given is None:
        if DEFAULT_SCENARIO not in records and len(records) > 1:
            raise SettingsError(f"base years {base}: give base files, or the files of {DEFAULT_SCENARIO.code}")
        given = records.get(DEFAULT_SCENARIO) or next(iter(records.values()))
    given = given.within(base)
    return given.within(Years(max(base.first - 1, given.covered.first), base.last))


def _check(scenario: Scenario, record: DailyRecord, first: DailyRecord, reference: DailyRecord) -> None:
    """Refuse records that cannot stand in one warehouse, or that the base years do not fit."""
    if (record.axis.years, record.scope) != (first.axis.years, first.scope):
        raise SettingsError(
            f"{record.files}: years {record.axis.years} of scope {record.scope}, where {first.files} has "
            f"{first.axis.years} of {first.scope}; one warehouse holds one axis"
        )
    if record.axis.calendar != reference.axis.calendar:
        raise SettingsError(
            f"{scenario.code} has the calendar {record.axis.calendar}, its base years {reference.axis.calendar}"
        )
    needed = record.pieces.keys() & _LIMITS.keys() | (set(_BALANCE) if record.pieces.keys() >= set(_BALANCE) else set())
    if absent := sorted(needed - reference.pieces.keys()):
        raise SettingsError(f"the base files {reference.files} lack {', '.join(absent)}, which {scenario.code} has")


def _variables_of(record: DailyRecord) -> Iterator[tuple[str, str]]:
    """(variable, how it came about) of everything a record allows."""
    for daily in record.pieces:
        for name in YIELDS[daily]:
            yield name, f"derived from daily {daily}"
    if record.pieces.keys() >= set(_BALANCE):
        yield "spei12", f"derived from daily {', '.join(_BALANCE)}: Penman-Monteith, log-logistic, unbiased moments"


def _bands(grid: GridDefinition, days: int, memory: int) -> Iterator[slice]:
    rows = max(1, memory // (_COPIES * 4 * days * grid.n_lon))
    for start in range(0, grid.n_lat, rows):
        yield slice(start, min(start + rows, grid.n_lat))


def _band(
    records: Mapping[Scenario, DailyRecord], reference: DailyRecord, base: Years, grid: GridDefinition, rows: slice
) -> Iterator[tuple[Scenario, str, Float32]]:
    limits = {
        daily: indices.percentile_of_days(reference.read(daily, grid, rows), reference.axis, base, percent)
        for daily, percent in _LIMITS.items()
        if daily in reference.pieces
    }
    parameters: Floats | None = None
    if reference.pieces.keys() >= set(_BALANCE):
        axis = reference.axis
        monthly = {daily: _monthly(daily, reference.read(daily, grid, rows), axis) for daily in _BALANCE}
        months, columns = _balance(monthly, grid, rows), axis.years.columns_of(base)
        parameters = spei.fit(spei.accumulate(months), slice(12 * columns.start, 12 * columns.stop))
    for scenario, record in records.items():
        monthly = {}
        for daily in record.pieces:
            days = record.read(daily, grid, rows)
            monthly[daily] = _monthly(daily, days, record.axis)
            yield scenario, YIELDS[daily][0], monthly[daily]
            for name, values in _yearly(daily, days, record.axis, limits).items():
                yield scenario, name, values
        if parameters is not None and monthly.keys() >= set(_BALANCE):
            index = spei.standardise(spei.accumulate(_balance(monthly, grid, rows)), parameters)
            yield scenario, "spei12", index.astype(np.float32)


def _monthly(daily: str, days: Float32, axis: indices.DayAxis) -> Float32:
    return indices.monthly_sums(days, axis) if daily == "pr" else indices.monthly_means(days, axis)


def _yearly(daily: str, days: Float32, axis: indices.DayAxis, limits: Mapping[str, Floats]) -> dict[str, Float32]:
    if daily == "tas":
        return {"ta_yearly": indices.yearly_means(days, axis)}
    if daily == "tasmax":
        return indices.warm_indices(days, axis, limits[daily])
    if daily == "tasmin":
        return indices.cold_indices(days, axis, limits[daily])
    return indices.rain_indices(days, axis) if daily == "pr" else {}


def _balance(monthly: Mapping[str, Float32], grid: GridDefinition, rows: slice) -> Floats:
    """(cells, months) precipitation minus reference evapotranspiration at sea level, mm/month."""
    latitude = np.repeat(grid.latitudes[rows], grid.n_lon)
    months = np.tile(np.arange(1, 13), monthly["tas"].shape[1] // 12)
    evaporation = reference_evapotranspiration(
        monthly["tas"], monthly["hurs"], monthly["sfcWind"], monthly["rsds"], latitude, months
    )
    return np.asarray(monthly["pr"].astype(np.float64) - evaporation)
