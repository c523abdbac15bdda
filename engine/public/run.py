"""A run in memory, from names as a user writes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from engine import kernels
from engine.batch.notes import total
from engine.batch.pipeline import active_cells, compute_blocks, lie_apart, make_reference, ranges_of
from engine.batch.plan import Plan, make_plan
from engine.batch.request import BLOCK_CELLS, Request
from engine.batch.settle import settle
from engine.batch.summary import summarise
from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.core.period import PERIODS, Years, parse_years
from engine.core.rows import BLOCK_ROWS
from engine.core.scenario import DEFAULT_SCENARIO, Scenario, label
from engine.core.variables import BY_TABLE
from engine.io.climate.source import ClimateSource
from engine.io.results import sample_years
from engine.io.results.year_losses import by_pair
from engine.public.result import Origin, Result
from engine.risks.edition import Edition, load_edition
from engine.risks.editions import DEFAULT_EDITION
from engine.risks.registry import parse_risks

Item = TypeVar("Item")


def run(  # many: the public face, on which each but the source is an option of its own
    source: ClimateSource,
    risks: str | Iterable[str] | None = None,
    scenarios: Scenario | int | str | Iterable[Scenario | int | str] | None = None,
    periods: str | Iterable[str] | None = None,
    edition: str | Path | Edition = DEFAULT_EDITION,
    *,
    cells: str | int | None = None,
    baseline: Years | str | None = None,
    year_losses: bool = False,
    block_cells: int = BLOCK_CELLS,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Compute bin probabilities, AAL with its interval, and hazard scores of every cell, in memory.

    source    : what `engine.open_source`, `engine.open_sample` or `engine.from_xarray` opens
    risks     : one name or several: extreme_heat, extreme_cold, drought, river_flood, urban_flood, sea_level_rise,
                typhoon, wildfire, water_stress; None: all that the edition has figures for
    scenarios : one or several: `SSP1-2.6`, `SSP2-4.5`, `SSP3-7.0`, `SSP5-8.5`, as also `ssp245` or 2 for the second;
                None: all that the source holds. An observed record stands in the place of SSP2-4.5
    periods   : one or several: short_term (2021-2040), mid_term (2041-2060), long_term (2081-2100), full (all years of
                the source, SSP2-4.5 only); None: all that the years of the source hold
    edition   : figures of bins and damage rates: `2025-11`, `2025-12` or `2026-kr`, the path of a TOML file of your
                own, or a loaded `Edition`
    cells     : a number for the first so many cells, or `"lo:hi"` for lo <= grid_id < hi; None: all
    baseline  : years that quantile edges are cut from, such as `"1991-2020"` or `Years(1991, 2020)`; None: 1991-2020
                where the source holds 24 years of it, else its first 30
    year_losses : keep the loss of each year of each cell, too: on a national grid ten times the memory of all else
    block_cells : cells computed together; no figure depends on it
    progress  : called with (cells done, cells in all) after each block
    returns   : a `Result`; a risk whose inputs the source lacks is in `result.missing` with their names
    raises    : SettingsError for a name that is not known; EngineError when no risk can be computed

    Example:

        source = engine.open_sample()
        result = engine.run(source, risks="wildfire", scenarios="SSP2-4.5", periods=["short_term", "long_term"])
        result.plot("wildfire", period="long_term")
    """
    method = edition if isinstance(edition, Edition) else load_edition(edition)
    request = Request(
        edition=method,
        risks=parse_risks(risks, method.bins),
        scenarios=chosen_scenarios(scenarios) or held_scenarios(source),
        periods=chosen_periods(periods) or tuple(PERIODS),
        baseline=_years(baseline),
        year_losses=year_losses,
    )
    plan = make_plan(source, request)
    chosen = active_cells(source, cells)
    ranges = ranges_of(chosen, _positive(block_cells, "block_cells"), source.cuts)
    kernels.warm_up()
    reference, broken = make_reference(source, plan)
    blocks, done = [], 0
    for _, block in compute_blocks(source, plan, reference, broken, chosen, ranges, range(len(ranges))):
        blocks.append(block)
        done += block.notes.cells
        if progress:
            progress(done, chosen.height)
    notes = total(block.notes for block in blocks)
    final, failed = settle(plan, notes)
    probability, by_year, hazard = (
        pl.concat(block.rows[kind] for block in blocks).filter(pl.col("risk_type").is_in(final.halves[row.half]))
        for kind, row in BLOCK_ROWS.items()
    )
    summary = summarise(final, probability.lazy(), hazard.lazy(), notes, apart=lie_apart(source, chosen))
    years = sample_years.frame(
        0, {risk: final.sample_years(notes.record_years.get(risk)) for risk in final.probability}
    )
    return Result(
        probability=probability,
        hazard=hazard,
        year_losses=by_pair(by_year, years),
        sample_years=years.drop("run_id"),
        missing=dict(plan.missing),
        failed=failed,
        summary=summary,
        grid=source.grid,
        origin=_origin(source, method, plan),
    )


def _origin(source: ClimateSource, method: Edition, plan: Plan) -> Origin:
    return Origin(
        address=source.address,
        fingerprint=source.fingerprint,
        edition=method.name,
        edition_checksum=method.checksum,
        baseline=plan.baseline_text,
        scope=plan.scope,
        axis=plan.axis,
        names=scenario_names(source),
    )


def chosen_scenarios(scenarios: Scenario | int | str | Iterable[Scenario | int | str] | None) -> tuple[Scenario, ...]:
    """Scenarios from one or several of their spellings, in order; empty for None."""
    if scenarios is None:
        return ()
    found = sorted({Scenario.parse(_text_or_number(each)) for each in _several(scenarios, (int, str))})
    return _some(found, "scenario")


def chosen_periods(periods: str | Iterable[str] | None) -> tuple[str, ...]:
    """Periods from one name or several, in the canonical order; empty for None."""
    if periods is None:
        return ()
    wanted = [str(each).strip() for each in _several(periods, (str,))]
    for name in wanted:
        if name not in PERIODS:
            raise SettingsError(unknown("period", name, PERIODS))
    return _some([name for name in PERIODS if name in wanted], "period")


def scenario_names(source: ClimateSource) -> dict[Scenario, str]:
    """How to call the scenarios that a source holds."""
    if source.scope == "observed":
        return {DEFAULT_SCENARIO: "Observed record"}
    return {each: label(each, source.scenario_names) for each in source.scenario_names or held_scenarios(source)}


def held_scenarios(source: ClimateSource) -> tuple[Scenario, ...]:
    """Scenarios that some climate table of a source has a column of: a record without scenarios has one."""
    columns: set[str] = set().union(*(found for table, found in source.tables.items() if table in BY_TABLE))
    return tuple(each for each in Scenario if each.column in columns) or (DEFAULT_SCENARIO,)


def _several(names: object, one: tuple[type, ...]) -> list[Any]:
    """A list of what is one or several; a text may hold several with commas between."""
    if isinstance(names, str):
        return list(names.split(","))
    if isinstance(names, one) or not isinstance(names, Iterable):
        return [names]
    return list(names)


def _years(asked: object) -> Years | None:
    if asked is None or isinstance(asked, Years):
        return asked
    if not isinstance(asked, str):
        raise SettingsError(f"baseline is {asked!r}, expected years such as '1991-2020'")
    return parse_years(asked)


def _text_or_number(value: object) -> str | int | Scenario:
    """Refuse what is neither: True would be scenario 1."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise SettingsError(f"{value!r} is no scenario: {Scenario.listed()}")
    return value


def _some(found: Collection[Item], what: str) -> tuple[Item, ...]:
    if not found:
        raise SettingsError(f"no {what} was named")
    return tuple(found)


def _positive(count: int, what: str) -> int:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SettingsError(f"{what} is {count!r}, expected a whole number of 1 or more")
    return count
