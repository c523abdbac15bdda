"""One block of cells through the kernels: a panel in, frames of rows out. No file, no database."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.batch.changes import Window, change
from engine.batch.edges import edges_of
from engine.batch.estimates import estimate
from engine.batch.intervals import ends_of
from engine.batch.notes import BlockNotes
from engine.batch.plan import Pair, Plan
from engine.batch.rows import PairedRows
from engine.batch.trends import along_line, samples_of_pair, with_errors
from engine.core.errors import EngineError
from engine.core.panel import Panel
from engine.core.period import FULL
from engine.core.rows import BLOCK_ROWS
from engine.kernels import YearLosses
from engine.risks.definition import Component, Risk
from engine.risks.inputs import Inputs, Reference
from engine.risks.registry import RISKS

#: what kernels and frames raise when they refuse an input
INPUT_FAULTS = (EngineError, ValueError, TypeError, pl.exceptions.PolarsError)


@dataclass(frozen=True, slots=True)
class BlockResult:
    """Rows of one block, a frame of each kind in `engine.core.rows.BLOCK_ROWS`, and its notes."""

    rows: dict[str, pl.DataFrame]
    notes: BlockNotes

    def frames(self, plan: Plan) -> dict[str, pl.DataFrame]:
        """Rows that a run of this plan stores."""
        return {kind: frame for kind, frame in self.rows.items() if plan.halves[BLOCK_ROWS[kind].half]}


def compute_block(panel: Panel, plan: Plan, reference: Reference) -> BlockResult:
    """Bin probabilities, AAL and hazard scores of every cell, risk and (scenario, period) pair of the plan."""
    inputs = Inputs(panel, reference, [(pair.scenario, pair.years) for pair in plan.pairs])
    rows = PairedRows(panel, plan.pairs)
    made = {kind: [row.schema.to_frame()] for kind, row in BLOCK_ROWS.items()}
    notes = BlockNotes(cells=len(panel))
    for name, risk in RISKS.items():
        try:
            if name in plan.probability:
                frame, *years = _probability(inputs, plan, risk, rows, notes)
                notes.known[name] = _count(frame.filter(pl.col("method") != "insufficient_data"), plan)
                made["probability"].append(frame)
                made["year_losses"] += years
            if name in plan.hazard:
                frame = rows.hazard(name, [hazard_score(inputs, plan.hazard[name], risk, pair) for pair in plan.pairs])
                notes.scored[name] = _count(frame, plan)
                made["hazard"].append(frame)
                notes.dropped[name] = _dropped(inputs, plan, name)
                notes.unknown[name] = {attribute: _unknown(panel, attribute) for attribute in risk.hazard.attributes}
        except INPUT_FAULTS as err:
            # one risk's bad input is not the others': it is reported, and its rows are not published
            notes.failed[name] = str(err)
        if name in plan.risks:
            for check in risk.checks:
                if all(need in plan.variables for need in check.needs):
                    notes.checks[check.message] = (int(check.of(inputs.baseline).sum()), len(panel))
    return BlockResult({kind: pl.concat(frames) for kind, frames in made.items()}, notes)


def _count(frame: pl.DataFrame, plan: Plan) -> dict[str, int]:
    counts = frame.group_by("scenario_id", "time_period").len()
    found = {(scenario, period): rows for scenario, period, rows in counts.iter_rows()}
    return {pair.label: found.get((int(pair.scenario), pair.period), 0) for pair in plan.pairs}


def _unknown(panel: Panel, attribute: str) -> int:
    return panel.cells[attribute].null_count() if attribute in panel.cells.columns else len(panel)


def _dropped(inputs: Inputs, plan: Plan, risk: str) -> dict[str, int]:
    pair = plan.pairs[0]  # attributes are the same under every scenario
    block = inputs.under(pair.scenario)
    return {part.name: int(np.isnan(part.of(block, pair.years)).sum()) for part in plan.hazard[risk] if part.per_cell}


def _probability(inputs: Inputs, plan: Plan, risk: Risk, rows: PairedRows, notes: BlockNotes) -> list[pl.DataFrame]:
    """Rows of a risk's probabilities and, where the plan keeps them, of its year losses."""
    bins = plan.edition.bins[risk.name]
    intensity = risk.intensities[bins.intensity]
    if bins.trend is not None:
        intensity = along_line(intensity)
    edges = edges_of(inputs, plan.baseline, intensity, bins)
    if edges.fallbacks is not None:
        notes.fallback_edges[risk.name] = edges.fallbacks
    not_exposed = intensity.not_exposed(inputs.baseline) if intensity.not_exposed else None
    by_year = plan.year_losses and bins.has_loss
    compared = {pair for early_and_late in plan.changes for pair in early_and_late} if bins.has_loss else set()
    windows: dict[Pair, Window] = {}
    losses: dict[Pair, YearLosses | None] = {}
    for pair in sorted({*plan.pairs, *compared}):  # by scenario: its windows share the lines of a trend
        samples = samples_of_pair(inputs, intensity, bins, edges, plan.baseline, pair)
        figures, losses[pair] = estimate(
            samples.x,
            edges.inner,
            bins,
            intensity,
            baseline=samples.baseline,
            by_year=by_year and pair in plan.pairs,
            moves=bins.trend is not None or pair in compared,
            spread=samples.spread,
        )
        if bins.trend is not None:
            figures = with_errors(figures, samples.baseline, bins, intensity.span, whole=pair.period == FULL)
        windows[pair] = Window(figures, samples.baseline)
    paired = bins.trend is not None or intensity.scale is not None
    changes = {
        late: change(windows[early], windows[late], paired=paired, span=intensity.span)
        for early, late in plan.changes
        if compared
    }
    found = [windows[pair].found for pair in plan.pairs]
    drawn = plan.edition.draws.rates.get(risk.name) if plan.edition.draws else None
    intervals = ends_of(found, bins, drawn)
    probabilities = rows.probability(risk.name, found, intervals, edges.inner, not_exposed, changes)
    if not by_year:
        return [probabilities]
    if intensity.record is not None:
        notes.record_years[risk.name] = intensity.record(inputs.reference).tolist()
    if bins.trend is not None:
        notes.record_years[risk.name] = list(range(plan.axis.first, plan.axis.last + 1))
    years = [each for pair in plan.pairs if (each := losses[pair])]
    return [probabilities, rows.year_losses(risk.name, years, not_exposed)]


def hazard_score(inputs: Inputs, components: tuple[Component, ...], risk: Risk, pair: Pair) -> NDArray[np.float64]:
    """(cells,) 0..1, NaN where a part that must be there is missing."""
    block = inputs.under(pair.scenario)
    total, weights = np.zeros(len(block)), np.zeros(len(block))
    for component in components:
        value = component.of(block, pair.years)
        if component.per_cell:
            dropped = np.isnan(value)
            total += np.where(dropped, 0.0, component.weight * value)
            weights += np.where(dropped, 0.0, component.weight)
        else:
            total += component.weight * value
            weights += component.weight
    score = total / np.where(weights > 0, weights, np.nan)
    if risk.hazard.modifier is not None:
        score = score * risk.hazard.modifier(block, pair.years)
    return np.clip(score, 0.0, 1.0)
