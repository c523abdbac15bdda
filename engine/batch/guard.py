"""What must not be published: faults of the inputs, found on the way, and the plan that is left without them.

A fault takes the risks that read the input out of the run; their published results stay and the others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from engine.batch.plan import Plan
from engine.core import quality
from engine.core.errors import EngineError, SourceError
from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.risks.registry import RISKS
from engine.risks.tables import SMALL_TABLES

#: a larger share of cells with missing values refuses the variable
MOST_CELLS_WITH_GAPS = 0.001
#: months before SPEI-12 has its first value
SPEI_LEAD = 11


@dataclass(frozen=True, slots=True)
class BlockNotes:
    """Counts and timings of one block, kept beside its frames; adds up to the run's summary.

    faults : variable -> why the risks that read it must not be published
    failed : risk -> why it could not be computed
    gaps   : variable -> cells that lack a value in some scenario
    known, scored : risk -> pair -> cells with bin probabilities, cells with a hazard score
    facts  : risk -> what its figures stand on
    """

    cells: int
    faults: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    gaps: dict[str, int] = field(default_factory=dict)
    known: dict[str, dict[str, int]] = field(default_factory=dict)
    scored: dict[str, dict[str, int]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
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


def check_cells(cells: pl.DataFrame, grid: GridDefinition | None) -> None:
    """Refuse cells that are not where their numbers say, or two cells in one place."""
    places = cells.select("latitude", "longitude")
    if doubled := cells.height - places.n_unique():
        first = cells.filter(places.is_duplicated())["grid_id"][:2].to_list()
        raise EngineError(f"location_grid: {doubled} cells share their coordinates with another (cells {first} first)")
    if grid is None:
        return
    computed = grid.locate(cells["latitude"].to_numpy(), cells["longitude"].to_numpy())
    wrong = computed != cells["grid_id"].to_numpy()
    if wrong.any():
        first_id = cells["grid_id"].to_numpy()[wrong][0]
        raise EngineError(
            f"location_grid: the coordinates of {int(wrong.sum())} cells do not follow from grid_id and"
            f" grid_definition (cell {first_id} first)"
        )


def check_tables(plan: Plan, tables: Mapping[str, pl.DataFrame], limits: Mapping[str, quality.Range]) -> dict[str, str]:
    """Risk -> what is wrong with a small table that it reads."""
    faults = {name: SMALL_TABLES[name].fault(name, frame, limits) for name, frame in tables.items()}
    failed = {}
    for risk in plan.risks:
        if bad := [why for name in plan.tables_of(risk) if (why := faults.get(name))]:
            failed[risk] = "; ".join(bad)
    return failed


def check_scenarios(panel: Panel) -> None:
    """Refuse a block in which a scenario has no value of any variable while another has: it was not loaded.

    raises : SourceError
    """
    has: dict[Scenario, bool] = {}
    for (_, scenario), array in panel.arrays.items():
        has[scenario] = has.get(scenario, False) or not np.isnan(array).all()
    if all(has.values()) or not any(has.values()):
        return
    absent, there = (tuple(s for s in sorted(has) if has[s] is known) for known in (False, True))
    words = ", ".join(f"{scenario.code} (column {scenario.column})" for scenario in absent)
    advice = f"load them, or run with --scenarios {','.join(str(int(scenario)) for scenario in there)}"
    if DEFAULT_SCENARIO in absent:
        advice = f"every risk takes its bins from {DEFAULT_SCENARIO.code}, so load it"
    raise SourceError(
        f"the climate tables have no value under {words} in cells {panel.grid_id[0]}..{panel.grid_id[-1]}: {advice}"
    )


def check_panel(
    panel: Panel, limits: Mapping[str, quality.Range], *, observed: bool
) -> tuple[dict[str, str], dict[str, int]]:
    """(variable -> fault, variable -> cells that lack values) of one block.

    Hard range, doubled and stray rows are faults at once; missing values are judged over the whole run, and not at
    all for an observed record, which has what it has.
    """
    faults: dict[str, str] = {}
    gaps: dict[str, int] = {}
    where = f"in cells {panel.grid_id[0]}..{panel.grid_id[-1]}"
    for (name, scenario), array in panel.arrays.items():
        table = VARIABLES[name].table
        if strays := panel.strays.get(table, 0):
            faults[name] = f"{table}: {strays} rows outside the time axis {panel.axis} {where}"
        if doubled := panel.doubled.get(table, 0):
            faults[name] = f"{table}: {doubled} doubled rows {where}"
        if name in limits:
            found = quality.outside(array, limits[name])
            if found.hard:
                faults.setdefault(
                    name,
                    f"{table}.{scenario.column}: {found.hard} values outside"
                    f" {limits[name].low:g}..{limits[name].high:g}"
                    f" (from {found.lowest:.4g} to {found.highest:.4g}) {where}",
                )
        if not observed:
            values = array.reshape(len(panel), -1)[:, SPEI_LEAD if name == "spei12" else 0 :]
            gaps[name] = max(gaps.get(name, 0), int(np.isnan(values).any(axis=1).sum()))
    return faults, gaps


def without(plan: Plan, risks: Sequence[str]) -> Plan:
    """The plan less these risks."""
    return replace(
        plan,
        probability=tuple(risk for risk in plan.probability if risk not in risks),
        hazard={risk: parts for risk, parts in plan.hazard.items() if risk not in risks},
    )


def readers(plan: Plan, variables: Sequence[str]) -> list[str]:
    """Risks that read any of these variables."""
    return [risk for risk in plan.risks if set(plan.needs_of(risk)) & set(variables)]


def settle(plan: Plan, notes: Sequence[BlockNotes]) -> tuple[Plan, dict[str, str]]:
    """The plan that may be published once all blocks are there, and why risks were taken from it.

    raises : EngineError when no risk is left
    """
    faults, failed = _faults(plan, notes), {}
    for risk in plan.risks:
        reasons = [note.failed[risk] for note in notes if risk in note.failed][:1]
        reasons += [faults[name] for name in plan.needs_of(risk) if name in faults]
        if reasons:
            failed[risk] = "; ".join(dict.fromkeys(reasons))
    final = without(plan, list(failed))
    empty_p = {risk: pairs for risk in final.probability if (pairs := _empty(plan, risk, [n.known for n in notes]))}
    empty_h = {risk: pairs for risk in final.hazard if (pairs := _empty(plan, risk, [n.scored for n in notes]))}
    facts = {risk: text for note in notes for risk, text in note.facts.items()}
    for risk in (risk for risk in RISKS if risk in empty_p or risk in empty_h):
        empty = dict.fromkeys([*empty_p.get(risk, ()), *empty_h.get(risk, ())])
        stands_on = f" ({facts[risk]})" if risk in facts else ""
        failed[risk] = f"no cell has enough data for {', '.join(empty)}{stands_on}"
    final = replace(
        final,
        probability=tuple(risk for risk in final.probability if risk not in empty_p),
        hazard={risk: parts for risk, parts in final.hazard.items() if risk not in empty_h},
    )
    if not final.risks:
        raise EngineError("; ".join(dict.fromkeys(f"{risk}: {why}" for risk, why in failed.items())))
    return final, {risk: failed[risk] for risk in RISKS if risk in failed}


def _faults(plan: Plan, notes: Sequence[BlockNotes]) -> dict[str, str]:
    faults: dict[str, str] = {}
    total = sum(note.cells for note in notes)
    for note in notes:
        for name, why in note.faults.items():
            faults.setdefault(name, why)
    for name in plan.variables:
        cells = sum(note.gaps.get(name, 0) for note in notes)
        if cells > max(MOST_CELLS_WITH_GAPS * total, 1):
            faults.setdefault(name, f"{VARIABLES[name].table}: {cells} of {total} cells lack values")
    return faults


def _empty(plan: Plan, risk: str, counts: Sequence[Mapping[str, Mapping[str, int]]]) -> list[str]:
    """Pairs for which no cell of the run has a figure."""
    return [pair.label for pair in plan.pairs if not any(count.get(risk, {}).get(pair.label, 0) for count in counts)]
