"""One block of cells through the kernels: a panel in, frames of rows out. No file, no database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.batch.notes import BlockNotes
from engine.batch.plan import Pair, Plan
from engine.batch.rows import PairedRows
from engine.core.errors import EngineError
from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.rows import ROWS
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.kernels import baseline_quantiles, bin_probabilities
from engine.risks.definition import Bins, Component, Intensity, Risk
from engine.risks.inputs import Inputs, Reference
from engine.risks.registry import RISKS

#: a baseline with fewer values (for an atom: values above it) gives no quantiles
MIN_BASELINE_VALUES = 10
#: a monthly risk has this many columns a year: its standard error groups them
MONTHS = 12
#: what kernels and frames raise when they refuse an input
INPUT_FAULTS = (EngineError, ValueError, TypeError, pl.exceptions.PolarsError)


@dataclass(frozen=True, slots=True)
class BlockResult:
    """Rows of one block, a frame of each kind in `engine.core.rows.ROWS`, and its notes."""

    rows: dict[str, pl.DataFrame]
    notes: BlockNotes

    def frames(self, plan: Plan) -> dict[str, pl.DataFrame]:
        """Rows that a run of this plan stores."""
        return {kind: frame for kind, frame in self.rows.items() if plan.halves[ROWS[kind].half]}


def compute_block(panel: Panel, plan: Plan, reference: Reference) -> BlockResult:
    """Bin probabilities, AAL and hazard scores of every cell, risk and (scenario, period) pair of the plan."""
    inputs = Inputs(panel, reference, [(pair.scenario, pair.years) for pair in plan.pairs])
    rows = PairedRows(panel, plan.pairs)
    made = {kind: [row.schema.to_frame()] for kind, row in ROWS.items()}
    notes = BlockNotes(cells=len(panel))
    for name, risk in RISKS.items():
        try:
            if name in plan.probability:
                frame = _probability(inputs, plan, risk, rows, notes)
                notes.known[name] = _count(frame.filter(pl.col("aal").is_not_null()), plan)
                made["probability"].append(frame)
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


def _probability(inputs: Inputs, plan: Plan, risk: Risk, rows: PairedRows, notes: BlockNotes) -> pl.DataFrame:
    bins = plan.edition.bins[risk.name]
    intensity = risk.intensities[bins.intensity]
    edges, fallbacks = _edges(inputs, plan, intensity, bins)
    if bins.of_baseline:
        notes.fallback_edges[risk.name] = fallbacks
    not_exposed = intensity.not_exposed(inputs.baseline) if intensity.not_exposed else None
    estimates = [
        bin_probabilities(
            _samples(inputs, intensity, pair.scenario, pair.years),
            edges,
            lower=bins.lower,
            atom=bins.atom,
            damage_rates=bins.damage_rates,
            group=MONTHS if intensity.monthly else 1,
        )
        for pair in plan.pairs
    ]
    return rows.probability(risk.name, estimates, edges, not_exposed)


def _samples(inputs: Inputs, intensity: Intensity, scenario: Scenario, years: Years) -> NDArray[np.floating[Any]]:
    block = inputs.under(scenario)
    x = intensity.of(block)
    if intensity.scale is not None:
        return x * intensity.scale(block, years)[:, None]
    return x[:, inputs.panel.axis.columns_of(years)].reshape(len(x), -1)


def _edges(inputs: Inputs, plan: Plan, intensity: Intensity, bins: Bins) -> tuple[NDArray[np.float64], int]:
    """(cells, bins - 1) edges, and how many cells got the fallback."""
    fixed = np.asarray(bins.fallback if bins.of_baseline else bins.edges, np.float64)
    if not bins.of_baseline:
        return fixed, 0
    x = _samples(inputs, intensity, DEFAULT_SCENARIO, plan.baseline)
    valid = ~np.isnan(x)
    enough = valid.sum(axis=1) >= MIN_BASELINE_VALUES
    if bins.atom and bins.lower is not None:
        enough &= (valid & (x > bins.lower)).sum(axis=1) >= MIN_BASELINE_VALUES
    edges = np.where(enough[:, None], baseline_quantiles(x, bins.edges), fixed)
    return edges, int((~enough).sum())


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
