"""Blocks of cells through read and compute, one after the other; what to do with the results is the caller's.

One thread reads the next block while this one computes: numba's parallel kernels are entered from the computing thread
alone, and at most two blocks are in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine import quality
from engine.block import BlockResult, compute_block
from engine.errors import EngineError, SettingsError
from engine.io.source import ClimateSource
from engine.panel import Panel
from engine.period import Years
from engine.plan import DEFAULT_PERIODS, OBSERVED, Plan, make_plan
from engine.risks.edition import DEFAULT_EDITION, Edition, load_edition
from engine.risks.inputs import Reference
from engine.risks.registry import RISKS, parse_risks
from engine.scenario import Scenario
from engine.summary import Summary, summarise
from engine.variables import VARIABLES

#: active cells a block: 27 MB for a monthly variable and scenario
BLOCK_CELLS = 7_135
#: a larger share of partly missing cells refuses the variable
MOST_PARTIAL_CELLS = 0.001
#: months before SPEI-12 has its first value
SPEI_LEAD = 11


@dataclass(frozen=True, slots=True)
class BlockNotes:
    """Counts and timings of one block, kept beside its frames; adds up to the run's summary.

    faults  : variable -> why the risks that read it must not be published
    partial : variable -> cells with some, but not all values missing
    """

    cells: int
    faults: dict[str, str] = field(default_factory=dict)
    partial: dict[str, int] = field(default_factory=dict)
    fallback_edges: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, dict[str, int]] = field(default_factory=dict)
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    checks: dict[str, tuple[int, int]] = field(default_factory=dict)
    read_seconds: float = 0.0
    compute_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For the manifest of the run directory."""
        return asdict(self)

    @classmethod
    def from_json(cls, notes: dict[str, Any]) -> BlockNotes:
        """Back from the manifest."""
        return cls(**notes)


def active_cells(source: ClimateSource, cells: str | int | None = None) -> pl.DataFrame:
    """Active cells of a run: all, the first N, or `lo:hi` for lo <= grid_id < hi.

    raises : SettingsError for a malformed selection, or one that selects no cell
    """
    frame = source.cells()
    if cells is None:
        chosen = frame
    elif isinstance(cells, int) or cells.isdigit():
        if int(cells) < 1:
            raise SettingsError(f"--cells {cells}: at least one cell is needed")
        chosen = frame.head(int(cells))
    else:
        low, colon, high = cells.partition(":")
        if not (colon and low.isdigit() and high.isdigit() and int(low) < int(high)):
            raise SettingsError(f"--cells {cells}: not a number of cells and not a range lo:hi")
        chosen = frame.filter(pl.col("grid_id").is_between(int(low), int(high) - 1))
    if chosen.is_empty():
        asked = f" in --cells {cells}" if cells is not None else ""
        raise EngineError(f"the source has no active cell{asked} ({frame.height} in all)")
    return chosen


def ranges_of(cells: pl.DataFrame, block_cells: int = BLOCK_CELLS) -> list[tuple[int, int]]:
    """Half-open ranges of grid_id, each holding at most `block_cells` of these cells."""
    ids = cells["grid_id"].to_numpy()
    first = ids[::block_cells]
    return [(int(lo), int(hi)) for lo, hi in zip(first, [*first[1:], ids[-1] + 1], strict=True)]


def make_reference(source: ClimateSource, plan: Plan) -> Reference:
    """Small tables of a run, read whole, and what the risks prepare from them."""
    reference = Reference(
        axis=plan.axis,
        baseline=plan.baseline,
        observed=plan.scope == OBSERVED,
        grid=source.grid,
        tables={name: source.table(name) for name in plan.tables},
        covered_years=np.asarray(source.covered_years, np.int64),
        cells=source.cells(),
        read=source.read,
    )
    for name in plan.risks:
        for prepare in RISKS[name].prepare:
            prepare(reference)
    return reference


def without(plan: Plan, variables: Sequence[str]) -> Plan:
    """The plan less the risks that read any of these variables."""
    bad = {risk for risk in plan.risks if set(plan.needs_of(risk)) & set(variables)}
    return replace(
        plan,
        probability=tuple(risk for risk in plan.probability if risk not in bad),
        hazard={risk: parts for risk, parts in plan.hazard.items() if risk not in bad},
    )


def compute_blocks(
    source: ClimateSource,
    plan: Plan,
    reference: Reference,
    cells: pl.DataFrame,
    ranges: Sequence[tuple[int, int]],
    numbers: Sequence[int],
) -> Iterator[tuple[int, BlockResult, BlockNotes]]:
    """Read and compute these blocks in order; the next one is read meanwhile."""
    ids = cells["grid_id"]
    limits = quality.load_ranges()

    def read(number: int) -> tuple[Panel, float]:
        started = time.perf_counter()
        lo, hi = ranges[number]
        part = cells.slice(int(ids.search_sorted(lo)), int(ids.search_sorted(hi)) - int(ids.search_sorted(lo)))
        panel = source.read(part, plan.variables, plan.scenarios)
        return panel, time.perf_counter() - started

    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        pending = [reader.submit(read, numbers[0])] if numbers else []
        for position, number in enumerate(numbers):
            panel, read_seconds = pending.pop().result()
            if position + 1 < len(numbers):
                pending.append(reader.submit(read, numbers[position + 1]))
            started = time.perf_counter()
            faults, partial = check_panel(panel, limits, observed=plan.scope == OBSERVED)
            result = compute_block(panel, without(plan, list(faults)), reference)
            yield (
                number,
                result,
                BlockNotes(
                    cells=len(panel),
                    faults=faults,
                    partial=partial,
                    fallback_edges=result.fallback_edges,
                    unknown=result.unknown,
                    dropped=result.dropped,
                    checks=result.checks,
                    read_seconds=read_seconds,
                    compute_seconds=time.perf_counter() - started,
                ),
            )


def check_panel(
    panel: Panel, limits: dict[str, quality.Range], *, observed: bool
) -> tuple[dict[str, str], dict[str, int]]:
    """(variable -> fault, variable -> partly missing cells) of one block.

    Hard range and doubled rows are faults at once; partly missing cells are judged over the whole run.
    """
    faults: dict[str, str] = {}
    partial: dict[str, int] = {}
    for (name, scenario), array in panel.arrays.items():
        table = VARIABLES[name].table
        if doubled := panel.doubled.get(table, 0):
            faults[name] = f"{table}: {doubled} doubled rows in cells {panel.grid_id[0]}..{panel.grid_id[-1]}"
        if name in limits:
            found = quality.outside(array, limits[name])
            if found.hard:
                faults.setdefault(
                    name,
                    f"{table}.{scenario.column}: {found.hard} values outside"
                    f" {limits[name].low:g}..{limits[name].high:g}"
                    f" (from {found.lowest:.4g} to {found.highest:.4g})"
                    f" in cells {panel.grid_id[0]}..{panel.grid_id[-1]}",
                )
        if not observed:
            months = array.reshape(len(panel), -1)[:, SPEI_LEAD if name == "spei12" else 0 :]
            missing = np.isnan(months).sum(axis=1)
            cells = int(((missing > 0) & (missing < months.shape[1])).sum())
            partial[name] = max(partial.get(name, 0), cells)
    return faults, partial


def settle(plan: Plan, notes: Sequence[BlockNotes]) -> tuple[Plan, dict[str, str]]:
    """The plan that may be published once all blocks are there, and why risks were taken from it.

    raises : EngineError when no risk is left
    """
    faults: dict[str, str] = {}
    total = sum(note.cells for note in notes)
    for note in notes:
        for name, why in note.faults.items():
            faults.setdefault(name, why)
    for name in plan.variables:
        cells = sum(note.partial.get(name, 0) for note in notes)
        if cells > MOST_PARTIAL_CELLS * total and cells > 1:
            faults.setdefault(name, f"{VARIABLES[name].table}: {cells} of {total} cells have gaps")
    final = without(plan, list(faults))
    failed = {
        risk: "; ".join(faults[name] for name in plan.needs_of(risk) if name in faults)
        for risk in plan.risks
        if risk not in final.risks
    }
    if not final.risks:
        raise EngineError("; ".join(dict.fromkeys(faults.values())))
    return final, failed


@dataclass(frozen=True, slots=True)
class Result:
    """What `run` gives to a notebook.

    probability : grid_id, latitude, longitude, risk_type, scenario_id, time_period, aal, aal_se, bin_probs, edges,
                  n_samples, method
    hazard      : the same keys, hazard_score
    missing     : risk -> tables that it lacks
    failed      : risk -> what is wrong with its inputs
    """

    probability: pl.DataFrame
    hazard: pl.DataFrame
    missing: dict[str, tuple[str, ...]]
    failed: dict[str, str]
    summary: Summary


def run(
    source: ClimateSource,
    risks: Sequence[str] | None = None,
    scenarios: Sequence[Scenario | int | str] | None = None,
    periods: Sequence[str] | None = None,
    edition: str | Path | Edition = DEFAULT_EDITION,
    *,
    cells: str | int | None = None,
    baseline: Years | None = None,
    block_cells: int = BLOCK_CELLS,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Probabilities, AAL and hazard scores in memory; None means what the yearly job does.

    cells    : the first N active cells, or `lo:hi`
    progress : called with (cells done, cells in all) after each block
    raises   : SettingsError for an unknown name, EngineError when no risk can be computed
    """
    plan = make_plan(
        source,
        edition=edition if isinstance(edition, Edition) else load_edition(edition),
        risks=parse_risks(risks),
        scenarios=[Scenario.parse(scenario) for scenario in scenarios or list(Scenario)],
        periods=list(periods or DEFAULT_PERIODS),
        baseline=baseline,
    )
    chosen = active_cells(source, cells)
    ranges = ranges_of(chosen, block_cells)
    reference = make_reference(source, plan)
    probability, hazard, notes, done = [], [], [], 0
    for _, result, note in compute_blocks(source, plan, reference, chosen, ranges, range(len(ranges))):
        probability.append(result.probability)
        hazard.append(result.hazard)
        notes.append(note)
        done += note.cells
        if progress:
            progress(done, chosen.height)
    final, failed = settle(plan, notes)
    frames = [
        pl.concat(frames).filter(pl.col("risk_type").is_in(list(kept)))
        for frames, kept in ((probability, final.probability), (hazard, final.hazard))
    ]
    summary = summarise(final, frames[0].lazy(), frames[1].lazy(), [note.as_json() for note in notes])
    return Result(frames[0], frames[1], dict(plan.missing), failed, summary)
