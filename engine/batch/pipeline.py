"""Read and compute blocks in order; the caller stores the results.

One thread reads the next block while this one computes: numba's parallel kernels are entered from the computing thread
alone, and at most two panels are in memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.batch.block import INPUT_FAULTS, BlockResult, compute_block
from engine.batch.checks import check_cells, check_panel, check_scenarios, check_tables
from engine.batch.plan import Plan
from engine.batch.request import BLOCK_CELLS
from engine.core import quality
from engine.core.errors import EngineError, SettingsError
from engine.core.panel import Panel
from engine.io.climate.source import ClimateSource
from engine.risks.inputs import Reference
from engine.risks.registry import RISKS

#: a grid_id has fewer
_DIGITS = 11


def parse_cells(cells: str | int | None) -> int | tuple[int, int] | None:
    """A selection of cells: None for all, N for the first N, (lo, hi) for lo <= grid_id < hi.

    raises : SettingsError for a malformed one
    """
    if cells is None:
        return None
    low, colon, high = str(cells).partition(":")
    numbers = [int(part) for part in (low, high) if part.isascii() and part.isdecimal() and len(part) < _DIGITS]
    if colon and len(numbers) == 2 and numbers[0] < numbers[1]:
        return numbers[0], numbers[1]
    if not colon and numbers and numbers[0] >= 1:
        return numbers[0]
    raise SettingsError(
        f"--cells {str(cells)[:60]}: neither a number of cells, 1 or more, nor a range lo:hi of grid_id with lo < hi"
    )


def active_cells(source: ClimateSource, cells: str | int | None = None) -> pl.DataFrame:
    """Active cells of a run: all, the first N, or `lo:hi` for lo <= grid_id < hi.

    raises : SettingsError for a malformed selection; EngineError when it holds no cell, or cells are out of place
    """
    asked_for = parse_cells(cells)
    frame = source.cells()
    if asked_for is None:
        chosen = frame
    elif isinstance(asked_for, int):
        chosen = frame.head(asked_for)
    else:
        low, high = asked_for
        chosen = frame.filter(pl.col("grid_id").is_between(low, high - 1))
    check_cells(frame, source.grid)
    if chosen.is_empty():
        asked = f" in --cells {cells}" if cells is not None else ""
        raise EngineError(f"the source has no active cell{asked} ({frame.height} in all)")
    return chosen


def lie_apart(source: ClimateSource, cells: pl.DataFrame) -> bool:
    """Whether the cells of a run are places of a list, and no area: `GridDefinition.apart`."""
    return source.grid is not None and source.grid.apart(cells["grid_id"].to_numpy())


def ranges_of(cells: pl.DataFrame, block_cells: int = BLOCK_CELLS, cuts: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Half-open ranges of grid_id, each holding at most `block_cells` of these cells, and ending at a cut if it can."""
    ids = cells["grid_id"].to_numpy()
    good = np.append(np.searchsorted(ids, np.asarray(cuts, ids.dtype)), len(ids))
    starts = [0]
    while (end := starts[-1] + block_cells) < len(ids):
        within = good[(starts[-1] < good) & (good <= end)]
        starts.append(int(within.max(initial=0)) or end)
    firsts = ids[starts].tolist()
    return list(zip(firsts, [*firsts[1:], int(ids[-1]) + 1], strict=True))


def make_reference(source: ClimateSource, plan: Plan) -> tuple[Reference, dict[str, str]]:
    """Small tables of a run, read whole and checked, with what the risks prepare from them; and which risks failed."""
    reference = Reference(
        axis=plan.axis,
        baseline=plan.baseline,
        observed=plan.observed,
        grid=source.grid,
        tables={name: source.table(name) for name in plan.tables},
        covered_years=np.asarray(source.covered_years, np.int64),
        figures=plan.edition.figures,
        cells=source.cells(),
        read=source.read,
    )
    failed = check_tables(plan, reference.tables, quality.ranges_at(source.grid))
    for name in plan.risks:
        if name not in failed:
            try:
                for prepare in RISKS[name].prepare:
                    prepare(reference)
            except INPUT_FAULTS as err:
                failed[name] = f"its tables cannot be used: {err}"
    return reference, failed


@dataclass(frozen=True, slots=True)
class Work:
    """Block function of a run: cells in, rows and notes out. The same in this process and on a worker.

    failed : risks that failed before the first block; facts: risk -> what its figures stand on
    """

    source: ClimateSource
    plan: Plan
    reference: Reference
    failed: Mapping[str, str]
    facts: Mapping[str, str]

    def read(self, cells: pl.DataFrame) -> tuple[Panel, float]:
        """The panel of these cells, and the seconds it took; runs no parallel kernel."""
        started = time.perf_counter()
        panel = self.source.read(cells, self.plan.variables, self.plan.scenarios)
        return panel, time.perf_counter() - started

    def compute(self, panel: Panel, read_seconds: float) -> BlockResult:
        """Check and compute a panel, less the risks that failed or whose inputs are faulty."""
        started = time.perf_counter()
        if not self.plan.observed:
            check_scenarios(panel)
        faults, gaps = check_panel(panel, quality.ranges_at(self.source.grid), observed=self.plan.observed)
        sound = self.plan.without([*self.failed, *self.plan.readers(faults)])
        result = compute_block(panel, sound, self.reference)
        notes = replace(
            result.notes,
            faults=faults,
            failed=dict(self.failed) | result.notes.failed,
            gaps=gaps,
            facts=dict(self.facts),
            read_seconds=read_seconds,
            compute_seconds=time.perf_counter() - started,
        )
        return replace(result, notes=notes)


def facts_of(plan: Plan, reference: Reference, failed: Mapping[str, str]) -> dict[str, str]:
    """Risk -> what its figures stand on, of those that did not fail."""
    return {
        name: stands_on(reference)
        for name in plan.risks
        if name not in failed and (stands_on := RISKS[name].stands_on) is not None
    }


def cells_of(cells: pl.DataFrame, block: tuple[int, int]) -> pl.DataFrame:
    """Cells of a half-open range of grid_id."""
    start, stop = (int(cells["grid_id"].search_sorted(end)) for end in block)
    return cells.slice(start, stop - start)


def compute_blocks(
    source: ClimateSource,
    plan: Plan,
    reference: Reference,
    failed: Mapping[str, str],
    cells: pl.DataFrame,
    ranges: Sequence[tuple[int, int]],
    numbers: Sequence[int],
) -> Iterator[tuple[int, BlockResult]]:
    """Read and compute these blocks in order, less the risks that failed before; the next one is read meanwhile."""
    work = Work(source, plan, reference, failed, facts_of(plan, reference, failed))
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as reader:
        pending = [reader.submit(work.read, cells_of(cells, ranges[number])) for number in numbers[:1]]
        for position, number in enumerate(numbers):
            panel, read_seconds = pending.pop().result()
            if position + 1 < len(numbers):
                pending.append(reader.submit(work.read, cells_of(cells, ranges[numbers[position + 1]])))
            yield number, work.compute(panel, read_seconds)
