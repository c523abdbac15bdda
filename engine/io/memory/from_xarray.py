"""An xarray dataset in memory as a source of runs: monthly and yearly values as they are, daily ones derived."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from engine.core.names import unknown
from engine.core.period import Years, baseline_years, parse_years
from engine.core.quality import ERROR, Finding, Range, load_ranges, world_ranges
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.io.etl.derive import place_cells
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive import derive_values
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.derive.pieces import UNITS
from engine.io.etl.gate import Staged, climate_findings
from engine.io.etl.loading import OBSERVED
from engine.io.memory import monthly
from engine.io.memory.datasets import Given, Grouped, Named, files_of, grouped
from engine.io.memory.source import Key, MemorySource, Series, on
from engine.io.netcdf import cf, daily_names

log = logging.getLogger(__name__)

PROFILES = ("generic", "korea")
Base: TypeAlias = Years | tuple[int, int] | str


def from_xarray(
    data: Given | Mapping[Any, Given],
    profile: str = "generic",
    *,
    scenario: str | int | Scenario | None = None,
    member: str | None = None,
    base: Base | None = None,
    observed: bool = False,
    units: Mapping[str, str] | None = None,
    step: float = place_cells.STEP,
) -> MemorySource:
    """Open climate data of xarray datasets: the source that `engine.run` reads.

    Daily tas, tasmax, tasmin, pr, hurs, sfcWind and rsds become monthly means and yearly indices by the code of
    `jobs.etl derive`, so the figures equal those of the same data in files. Monthly values of these variables and
    yearly indices (wsdi, rx1day, rx5day, ...) are taken as they are, and SPEI-12 is derived of the monthly ones.
    Variables and coordinates are known by CF attributes or usual names, units are converted, any calendar is read.

    data     : a Dataset, or several of one scenario (parts in time, variables apart), or a mapping of scenarios to
               them: `{"ssp245": ..., "ssp585": ...}`, where `"historical"` holds daily data of the base years; a
               dimension `scenario` or `experiment` does the same. Cells are a latitude-longitude lattice of one step, a
               list of places along one dimension, or one series with scalar latitude and longitude
    profile  : ranges that values are held against: `generic`, those of anywhere on Earth, or `korea`
    scenario : of a single dataset: any spelling (`SSP2-4.5`, `ssp245`, 2) or an RCP; left out, its own label, else the
               record stands in the place of SSP2-4.5, which bins and the period `full` are taken from
    member   : name of the one to read of a dataset with several realisations or models
    base     : base years of percentiles and SPEI, such as `"1991-2020"`; left out, 1991-2020 where the data hold 24
               years of it, else the first 30 years
    observed : a record of observations and no model: gaps are allowed, and it has one scenario
    units    : variable -> unit over the attribute, such as `{"pr": "mm/day"}`
    step     : degrees of the lattice whose cells hold the places of a list
    returns  : a ClimateSource; `cells()` names its cells, `tables` what it holds
    raises   : SettingsError for options that do not fit the data; SchemaError for data that cannot be used: no known
               variable, unit or lattice, values that cannot be

    Example:

        source = engine.from_xarray(xr.open_dataset("tasmax_pr_ssp245.nc"))
        result = engine.run(source, risks=["extreme_heat", "urban_flood"])
    """
    ranges = _ranges(profile)
    years = _years(base)
    overrides = _checked_units(units)
    if not step > 0:
        raise SettingsError(f"step is {step!r}, expected degrees above 0")
    found = grouped(data, scenario, member)
    if observed and len(found.scenarios) > 1:
        raise SettingsError(f"an observed record has one scenario, {len(found.scenarios)} are given")
    name = files_of(entry for group in found.scenarios.values() for entry in group)
    if _is_daily(found):
        grid, values, findings = _derived(found, member, years, overrides, step, ranges)
    else:
        if found.historical:
            raise SettingsError(
                "historical monthly data are not joined to those of scenarios: concatenate them along time, and say"
                " with base which years calibrate"
            )
        grid, values = monthly.values(
            found.scenarios, member=member, base=years, overrides=overrides, step=step, ranges=ranges
        )
        findings = []
    scope = OBSERVED if observed else _scope(found)
    names = {} if scope == OBSERVED else found.names
    source = MemorySource(f"xarray: {name}", grid, scope, values, names)
    _gate([*findings, *_findings(grid, scope, values, ranges)], name, observed=scope == OBSERVED)
    return source


def _scope(found: Grouped) -> str:
    """What the datasets say of themselves, as files of the engine do: `synthetic`, `observed`; else `full`."""
    said = {cf.text(data.attrs, "scope") for group in found.scenarios.values() for data, _ in group} - {""}
    if len(said) > 1:
        raise SchemaError(f"the datasets have different scopes: {', '.join(sorted(said))}")
    return next(iter(said), "full")


def _ranges(profile: str) -> dict[str, Range]:
    if profile not in PROFILES:
        raise SettingsError(unknown("profile", str(profile), PROFILES))
    return load_ranges() if profile == "korea" else world_ranges()


def _years(base: Base | None) -> Years | None:
    if base is None:
        return None
    if isinstance(base, str):
        return parse_years(base)
    if len(base) != 2 or any(isinstance(year, bool) or not isinstance(year, int | np.integer) for year in base):
        raise SettingsError(f"base is {base!r}, expected years such as '1991-2020' or (1991, 2020)")
    if base[0] > base[1]:
        raise SettingsError(f"base is {base!r}: its last year lies before its first")
    return Years(int(base[0]), int(base[1]))


def _checked_units(units: Mapping[str, str] | None) -> dict[str, str]:
    known = [*UNITS, *VARIABLES]
    for name in units or {}:
        if name not in known:
            raise SettingsError(f"units: {unknown('variable', str(name), known)}")
    return dict(units or {})


def _is_daily(found: Grouped) -> bool:
    """Whether the datasets hold daily values, by the first variable that is known."""
    for data, name in (entry for group in found.scenarios.values() for entry in group):
        for key in daily_names.found(data, name).values():
            for dimension in map(str, data.variables[key].dims):
                if (spacing := _spacing(data, dimension, name)) is not None:
                    return spacing not in ("monthly", "yearly")
    return False


def _spacing(data: xr.Dataset, dimension: str, name: str) -> str | None:
    """Name of the step along a dimension of time; None along another."""
    time = data.variables.get(dimension)
    if time is None or " since " not in cf.text(time.attrs, "units"):
        return None
    return cf.spacing(cf.stamps(data, dimension, name), name)


def _derived(  # many: each is an option of the caller
    found: Grouped,
    member: str | None,
    base: Years | None,
    overrides: Mapping[str, str],
    step: float,
    ranges: Mapping[str, Range],
) -> tuple[GridDefinition, dict[Key, Series], list[Finding]]:
    """Lattice, values and warnings of daily data."""
    records = {each: _record(named, overrides, member) for each, named in found.scenarios.items()}
    given = _record(found.historical, overrides, member) if found.historical else None
    covered = (given or records[DEFAULT_SCENARIO]).covered
    request = Request(base=base or baseline_years(covered), step=step, units=overrides, ranges=ranges, member=member)
    derived = derive_values(request, records, given)
    for what, reason in derived.missing.items():
        log.warning("%s is not derived: %s", what, reason)
    return derived.grid, derived.values, derived.findings


def _record(named: Sequence[Named], overrides: Mapping[str, str], member: str | None) -> DailyRecord:
    own = {name: unit for name, unit in overrides.items() if name in UNITS}
    # only some of several datasets may have members: those of observations have none
    return DailyRecord.of([(data, name, False) for data, name in named], files_of(named), own, member)


def _findings(
    grid: GridDefinition, scope: str, values: Mapping[Key, Series], ranges: Mapping[str, Range]
) -> Iterable[Finding]:
    """What the gate of the loaders says of every variable."""
    for name in dict.fromkeys(name for _, name in values):
        columns = {scenario: each for (scenario, held), each in values.items() if held == name}
        cells = reduce(np.union1d, [each for each, _ in columns.values()])
        kept = {scenario: on(cells, *each) for scenario, each in columns.items()}
        yield from climate_findings(Staged(VARIABLES[name], grid, scope, cells, kept), ranges)


def _gate(findings: Sequence[Finding], name: str, *, observed: bool) -> None:
    """Log warnings; refuse what the loaders refuse."""
    refused = [finding for finding in findings if finding.severity == ERROR]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        hint = (
            "" if observed or " gaps in " not in refused[0].message else "; observations may have gaps: observed=True"
        )
        raise SchemaError(f"{name}: {refused[0].table.removesuffix('_data')}: {refused[0].message}{more}{hint}")
    for finding in findings:
        log.warning("%s: %s", finding.table, finding.message)
