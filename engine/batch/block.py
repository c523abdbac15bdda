"""One block of cells through the kernels: a panel in, two frames out. No file, no database."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.batch.edges import edges_of, samples_of
from engine.batch.estimates import estimate
from engine.batch.plan import HAZARD, PROBABILITY, Pair, Plan
from engine.batch.rows import PairedRows
from engine.core.errors import EngineError
from engine.core.panel import Panel
from engine.io.results.spool import SCHEMAS
from engine.risks.definition import Component, Risk
from engine.risks.inputs import Inputs, Reference
from engine.risks.registry import RISKS

#: what kernels and frames raise when they refuse an input
INPUT_FAULTS = (EngineError, ValueError, TypeError, pl.exceptions.PolarsError)


@dataclass(slots=True)
class BlockResult:
    """Frames of one block, and counts for the run's summary.

    fallback_edges : risk -> cells whose baseline gave no quantiles
    unknown        : risk -> cell attribute -> cells that needed its "unknown" rule
    dropped        : risk -> component -> cells in which it was left out for want of an attribute
    checks         : message -> (cells where it is true, cells)
    failed         : risk -> what in its inputs the kernels refused; its rows are absent
    known, scored  : risk -> pair -> cells with bin probabilities, with a hazard score
    """

    probability: pl.DataFrame
    hazard: pl.DataFrame
    fallback_edges: dict[str, int] = field(default_factory=dict)
    unknown: dict[str, dict[str, int]] = field(default_factory=dict)
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)
    checks: dict[str, tuple[int, int]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    known: dict[str, dict[str, int]] = field(default_factory=dict)
    scored: dict[str, dict[str, int]] = field(default_factory=dict)

    def frames(self, plan: Plan) -> dict[str, pl.DataFrame]:
        """What a run of this plan spools."""
        frames = {PROBABILITY: self.probability} if plan.probability else {}
        return frames | ({HAZARD: self.hazard} if plan.hazard else {})


def compute_block(panel: Panel, plan: Plan, reference: Reference) -> BlockResult:
    """Bin probabilities, AAL and hazard scores of every cell, risk and (scenario, period) pair of the plan."""
    inputs = Inputs(panel, reference, [(pair.scenario, pair.years) for pair in plan.pairs])
    rows = PairedRows(panel, plan.pairs)
    probability, hazard = [SCHEMAS["probability"].to_frame()], [SCHEMAS["hazard"].to_frame()]
    result = BlockResult(probability[0], hazard[0])
    for name, risk in RISKS.items():
        try:
            if name in plan.probability:
                frame = _probability(inputs, plan, risk, rows, result)
                result.known[name] = _count(frame.filter(pl.col("method") != "insufficient_data"), plan)
                probability.append(frame)
            if name in plan.hazard:
                frame = rows.hazard(name, [hazard_score(inputs, plan.hazard[name], risk, pair) for pair in plan.pairs])
                result.scored[name] = _count(frame, plan)
                hazard.append(frame)
                result.dropped[name] = _dropped(inputs, plan, name)
                result.unknown[name] = {attribute: _unknown(panel, attribute) for attribute in risk.hazard.attributes}
        except INPUT_FAULTS as err:
            # one risk's bad input is not the others': it is reported, and its rows are not published
            result.failed[name] = str(err)
        if name in plan.risks:
            for check in risk.checks:
                if all(need in plan.variables for need in check.needs):
                    result.checks[check.message] = (int(check.of(inputs.baseline).sum()), len(panel))
    result.probability = pl.concat(probability)
    result.hazard = pl.concat(hazard)
    return result


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


def _probability(inputs: Inputs, plan: Plan, risk: Risk, rows: PairedRows, result: BlockResult) -> pl.DataFrame:
    bins = plan.edition.bins[risk.name]
    intensity = risk.intensities[bins.intensity]
    edges = edges_of(inputs, plan.baseline, intensity, bins)
    if edges.fallbacks is not None:
        result.fallback_edges[risk.name] = edges.fallbacks
    not_exposed = intensity.not_exposed(inputs.baseline) if intensity.not_exposed else None
    estimates = [
        estimate(samples_of(inputs, intensity, pair.scenario, pair.years), edges.inner, bins, monthly=intensity.monthly)
        for pair in plan.pairs
    ]
    return rows.probability(risk.name, estimates, edges.inner, not_exposed)


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
