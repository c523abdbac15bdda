"""Removal of the risks that must not be published from a run's plan, once all blocks are computed.

A fault takes the risks that read the input out of the run; their published results stay and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.batch.notes import BlockNotes
from engine.batch.plan import Plan
from engine.core.counted import agree, of_all
from engine.core.errors import EngineError
from engine.core.rows import HAZARD, PROBABILITY
from engine.core.variables import VARIABLES
from engine.risks.registry import RISKS

#: a larger share of cells with missing values refuses the variable
MOST_CELLS_WITH_GAPS = 0.001


def settle(plan: Plan, notes: BlockNotes) -> tuple[Plan, dict[str, str]]:
    """The plan that may be published, and risk -> why it was taken out.

    notes  : of all blocks together
    raises : EngineError when no risk is left
    """
    failed = _failed(plan, notes)
    left = plan.without(failed)
    counts = {PROBABILITY: notes.known, HAZARD: notes.scored}
    empty = {
        half: {risk: _empty(plan, counts[half].get(risk, {})) for risk in risks} for half, risks in left.halves.items()
    }
    for risk in left.risks:
        if pairs := dict.fromkeys(pair for of_half in empty.values() for pair in of_half.get(risk, ())):
            stands_on = f" ({notes.facts[risk]})" if risk in notes.facts else ""
            failed[risk] = f"no cell has enough data for {', '.join(pairs)}{stands_on}"
    final = left.keeping({half: [risk for risk in of_half if not of_half[risk]] for half, of_half in empty.items()})
    if not final.risks:
        raise EngineError("; ".join(dict.fromkeys(f"{risk}: {why}" for risk, why in failed.items())))
    return final, {risk: failed[risk] for risk in RISKS if risk in failed}


def _failed(plan: Plan, notes: BlockNotes) -> dict[str, str]:
    """Risks that failed, or that read a faulty variable, and why."""
    faults = _faults(plan, notes)
    failed = {}
    for risk in plan.risks:
        reasons = [notes.failed[risk]] if risk in notes.failed else []
        reasons += [faults[name] for name in plan.needs_of(risk) if name in faults]
        if reasons:
            failed[risk] = "; ".join(dict.fromkeys(reasons))
    return failed


def _faults(plan: Plan, notes: BlockNotes) -> dict[str, str]:
    faults = dict(notes.faults)
    for name in plan.variables:
        cells = notes.gaps.get(name, 0)
        if cells > max(MOST_CELLS_WITH_GAPS * notes.cells, 1):
            faults.setdefault(
                name,
                f"{VARIABLES[name].table}: {of_all(cells, notes.cells, 'cell')} {agree(cells, 'lacks', 'lack')} values",
            )
    return faults


def _empty(plan: Plan, counts: Mapping[str, int]) -> list[str]:
    """Pairs for which no cell of the run has a figure."""
    return [f"{plan.label(pair.scenario)} {pair.period}" for pair in plan.pairs if not counts.get(pair.label, 0)]
