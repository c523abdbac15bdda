"""What a run will compute, from what, and what it lacks: decided once, before any block is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.core.errors import SettingsError, SourceError
from engine.core.period import FULL, NORMAL, PERIODS, Years, baseline_years, window
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.io.climate.source import ClimateSource
from engine.risks.definition import Component
from engine.risks.edition import Edition
from engine.risks.registry import RISKS
from engine.risks.tables import SMALL_TABLES

PROBABILITY, HAZARD = "probability", "hazard"
OBSERVED = "observed"
#: rows of a climate table have no use without these
_KEY = "grid_id"


class Pair(NamedTuple):
    """One scenario over one named period."""

    scenario: Scenario
    period: str
    years: Years

    @property
    def label(self) -> str:
        """As named in messages and notes."""
        return f"{self.scenario.code} {self.period}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole of a run, ready to be applied to any block of cells.

    probability, hazard : risks to compute; the hazard's components with their tables there
    missing   : risk -> tables (or `table.column`) that it lacks; such a risk is in neither of the above
    left_out  : periods that the axis does not hold in whole
    variables : climate variables to read, `scenarios`: their columns, `tables`: small tables
    """

    edition: Edition
    scope: str
    axis: Years
    baseline: Years
    pairs: tuple[Pair, ...]
    left_out: tuple[str, ...]
    probability: tuple[str, ...]
    hazard: Mapping[str, tuple[Component, ...]]
    missing: Mapping[str, tuple[str, ...]]
    variables: tuple[str, ...]
    scenarios: tuple[Scenario, ...]
    tables: tuple[str, ...]

    @property
    def risks(self) -> tuple[str, ...]:
        """Every risk of which something is computed, canonical order."""
        return tuple(name for name in RISKS if name in self.probability or name in self.hazard)

    @property
    def baseline_text(self) -> str:
        """As stored in the run record: projected years are named with their scenario."""
        projected = self.baseline.last > NORMAL.last and self.scope != OBSERVED
        return f"{self.baseline} {DEFAULT_SCENARIO.code}" if projected else str(self.baseline)

    def needs_of(self, risk: str) -> tuple[str, ...]:
        """Climate variables that the risk's results stand on."""
        needs: list[str] = []
        if risk in self.probability:
            needs += self.edition.intensity(risk).needs
        for component in self.hazard.get(risk, ()):
            needs += component.needs
        return tuple(dict.fromkeys(needs))

    def tables_of(self, risk: str) -> tuple[str, ...]:
        """Small tables that the risk's results stand on."""
        tables: list[str] = []
        if risk in self.probability:
            tables += self.edition.intensity(risk).tables
        for component in self.hazard.get(risk, ()):
            tables += component.tables
        return tuple(dict.fromkeys(tables))

    def identity(self) -> dict[str, object]:
        """What must be the same for a spooled run to be resumed."""
        return {
            "edition": self.edition.name,
            "edition_checksum": self.edition.checksum,
            "scope": self.scope,
            "axis": str(self.axis),
            "baseline": self.baseline_text,
            "pairs": [f"{int(pair.scenario)}:{pair.period}" for pair in self.pairs],
            "probability": list(self.probability),
            "hazard": {risk: [part.name for part in parts] for risk, parts in self.hazard.items()},
        }

    @property
    def checksum(self) -> str:
        """SHA-256 over the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def make_plan(
    source: ClimateSource,
    *,
    edition: Edition,
    risks: Sequence[str],
    scenarios: Sequence[Scenario],
    periods: Sequence[str],
    kinds: Collection[str] = (PROBABILITY, HAZARD),
    baseline: Years | None = None,
) -> Plan:
    """Decide what this source allows.

    raises : SettingsError when no period fits or the baseline lies outside the axis; SourceError when no risk is left
    """
    axis = source.axis
    pairs, left_out = _pairs(axis, scenarios, periods)
    columns = tuple(sorted({pair.scenario for pair in pairs} | {DEFAULT_SCENARIO}))
    lacks = _Lacks(source.tables, columns)

    probability, hazard, missing = [], {}, {}
    for name in risks:
        absent: list[str] = []
        if PROBABILITY in kinds:
            intensity = edition.intensity(name)
            gone = lacks.of(intensity.needs, intensity.tables)
            if not gone:
                probability.append(name)
            absent += gone
        if HAZARD in kinds:
            parts = _components(name, lacks)
            if parts:
                hazard[name] = parts
            else:
                absent += [gone for part in RISKS[name].hazard.components for gone in lacks.of(part.needs, part.tables)]
        if absent:
            missing[name] = tuple(dict.fromkeys(absent))
    if not probability and not hazard:
        lacking = dict.fromkeys(table for gone in missing.values() for table in gone)
        raise SourceError(f"no risk can be computed: the source lacks {', '.join(lacking)}")
    variables = _variables(probability, hazard, edition, lacks)
    small = {table for name in probability for table in edition.intensity(name).tables}
    small |= {table for parts in hazard.values() for part in parts for table in part.tables}
    return Plan(
        edition=edition,
        scope=source.scope,
        axis=axis,
        baseline=baseline_years(axis, baseline),
        pairs=pairs,
        left_out=left_out,
        probability=tuple(probability),
        hazard=hazard,
        missing=missing,
        variables=variables,
        scenarios=columns,
        tables=tuple(sorted(small)),
    )


def _pairs(
    axis: Years, scenarios: Sequence[Scenario], periods: Sequence[str]
) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
    pairs, left_out = [], []
    for name in periods:
        years = window(name, axis)
        if not axis.holds(years):
            left_out.append(name)
        elif name == FULL:
            pairs += [Pair(DEFAULT_SCENARIO, FULL, years)] if DEFAULT_SCENARIO in scenarios else []
        else:
            pairs += [Pair(scenario, name, years) for scenario in sorted(scenarios)]
    if not pairs:
        asked = f"scenarios {', '.join(s.code for s in scenarios)}, periods {', '.join(periods)}"
        raise SettingsError(f"nothing to compute for {asked} on the years {axis}; full is for SSP2-4.5 only")
    return tuple(pairs), tuple(left_out)


class _Lacks:
    """Which of the wanted tables and columns a source does not have."""

    def __init__(self, tables: Mapping[str, frozenset[str]], scenarios: Sequence[Scenario]) -> None:
        self._tables = tables
        self._scenarios = scenarios

    def of(self, variables: Sequence[str], tables: Sequence[str] = ()) -> list[str]:
        gone = [table for table in tables if table not in self._tables]
        for table in tables:
            held = self._tables.get(table)
            if held is not None:
                gone += [f"{table}.{column}" for column in SMALL_TABLES[table].columns if column not in held]
        for name in variables:
            table = VARIABLES[name].table
            if table not in self._tables:
                gone.append(table)
            else:
                columns = self._tables[table]
                gone += [f"{table}.{s.column}" for s in self._scenarios if s.column not in columns]
        return gone


def _components(risk: str, lacks: _Lacks) -> tuple[Component, ...]:
    parts = tuple(
        part
        for part in RISKS[risk].hazard.components
        if not lacks.of(part.needs, part.tables) and (part.only_without is None or lacks.of((part.only_without,)))
    )
    # parts that read cell attributes alone cannot tell one scenario from another: no score from them only
    return parts if any(part.needs or part.tables for part in parts) else ()


def _variables(
    probability: Sequence[str], hazard: Mapping[str, Sequence[Component]], edition: Edition, lacks: _Lacks
) -> tuple[str, ...]:
    wanted = {name for risk in probability for name in edition.intensity(risk).needs}
    wanted |= {name for parts in hazard.values() for part in parts for name in part.needs}
    for risk in {*probability, *hazard}:
        wanted |= {name for check in RISKS[risk].checks for name in check.needs if not lacks.of(check.needs)}
    return tuple(name for name in VARIABLES if name in wanted)


DEFAULT_PERIODS = tuple(PERIODS)
