"""Plan of a run: what it computes, from which tables, and what is missing; made before any block is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from engine.batch.request import Request
from engine.core.errors import SettingsError, SourceError
from engine.core.period import FIRST_WINDOW, FULL, NORMAL, PERIODS, Years, baseline_years, window
from engine.core.rows import HALVES, HAZARD, PROBABILITY
from engine.core.scenario import DEFAULT_SCENARIO, OBSERVED_NAME, Scenario, ScenarioNames, label
from engine.core.variables import VARIABLES
from engine.io.climate.source import ClimateSource
from engine.risks.definition import Component, Intensity
from engine.risks.edition import Edition
from engine.risks.registry import RISKS
from engine.risks.tables import SMALL_TABLES

OBSERVED = "observed"


class Pair(NamedTuple):
    """One scenario over one named period."""

    scenario: Scenario
    period: str
    years: Years

    @property
    def label(self) -> str:
        """Key of notes, which is the same under every name of the scenario."""
        return f"{self.scenario.code} {self.period}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a run will compute; the same plan is applied to each block.

    probability, hazard : risks to compute; the hazard's components with their tables there
    missing   : risk -> tables (or `table.column`) that it lacks; such a risk is in neither of the above
    left_out  : periods that the axis does not hold in whole
    year_losses : whether the losses of single years are kept
    variables : climate variables to read, `scenarios`: their columns, `tables`: small tables
    names     : of the scenarios, as the source names them; empty: the four SSPs
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
    names: ScenarioNames = field(default_factory=dict)
    year_losses: bool = False

    def label(self, scenario: Scenario) -> str:
        """A scenario as messages and tables show it."""
        return label(scenario, self.names)

    @property
    def risks(self) -> tuple[str, ...]:
        """Every risk of which something is computed, canonical order."""
        return tuple(name for name in RISKS if name in self.probability or name in self.hazard)

    @property
    def changes(self) -> tuple[tuple[Pair, Pair], ...]:
        """Pairs of which the second is compared with the first: later windows with the short term of their scenario.

        The first are computed for it where they are not asked for: a part of a run has the rows of the whole.
        """
        years = Years(*PERIODS[FIRST_WINDOW])
        if not self.axis.holds(years):
            return ()
        later = [pair for pair in self.pairs if pair.period not in (FULL, FIRST_WINDOW)]
        return tuple((Pair(pair.scenario, FIRST_WINDOW, years), pair) for pair in later)

    @property
    def halves(self) -> dict[str, tuple[str, ...]]:
        """Half of a run -> risks to compute there."""
        return {PROBABILITY: self.probability, HAZARD: tuple(self.hazard)}

    @property
    def observed(self) -> bool:
        """Whether the source holds a record, and no scenarios."""
        return self.scope == OBSERVED

    @property
    def baseline_text(self) -> str:
        """As stored in the run record: projected years are named with their scenario."""
        projected = self.baseline.last > NORMAL.last and not self.observed
        return f"{self.baseline} {self.label(DEFAULT_SCENARIO)}" if projected else str(self.baseline)

    def needs_of(self, risk: str) -> tuple[str, ...]:
        """Climate variables that the risk's results stand on."""
        needs: list[str] = []
        if risk in self.probability:
            needs += self.edition.intensity(risk).needed(observed=self.observed)
        for component in self.hazard.get(risk, ()):
            needs += component.needed(observed=self.observed)
        return tuple(dict.fromkeys(needs))

    def tables_of(self, risk: str) -> tuple[str, ...]:
        """Small tables that the risk's results stand on."""
        tables: list[str] = []
        if risk in self.probability:
            tables += self.edition.intensity(risk).tables
        for component in self.hazard.get(risk, ()):
            tables += component.tables
        return tuple(table for table in dict.fromkeys(tables) if table in self.tables)

    def readers(self, variables: Collection[str]) -> list[str]:
        """Risks whose results stand on any of these climate variables."""
        return [risk for risk in self.risks if not set(variables).isdisjoint(self.needs_of(risk))]

    def without(self, risks: Collection[str]) -> Plan:
        """The plan less these risks."""
        return self.keeping(
            {half: [risk for risk in computed if risk not in risks] for half, computed in self.halves.items()}
        )

    def keeping(self, halves: Mapping[str, Collection[str]]) -> Plan:
        """The plan of these risks in each half of it, and no others."""
        return replace(
            self,
            probability=tuple(risk for risk in self.probability if risk in halves[PROBABILITY]),
            hazard={risk: parts for risk, parts in self.hazard.items() if risk in halves[HAZARD]},
        )

    def identity(self) -> dict[str, object]:
        """What must be the same for a spooled run to be resumed."""
        return {
            "edition": self.edition.name,
            "edition_checksum": self.edition.checksum,
            "edition_checksums": {risk: self.edition.checksums[risk] for risk in self.risks},
            "scope": self.scope,
            "axis": str(self.axis),
            "baseline": self.baseline_text,
            "pairs": [f"{int(pair.scenario)}:{pair.period}" for pair in self.pairs],
            "year_losses": self.year_losses,
            "probability": list(self.probability),
            "hazard": {risk: [part.name for part in parts] for risk, parts in self.hazard.items()},
        }

    def sample_years(self, record: Sequence[int] | None) -> tuple[tuple[int, str, tuple[int, ...]], ...]:
        """(scenario_id, period, years) of year losses in the order of the pairs; empty where none are kept.

        record : years of the samples, of a risk whose samples are the same whatever the period
        """
        if not self.year_losses:
            return ()
        return tuple(
            (int(scenario), period, tuple(record if record is not None else range(years.first, years.last + 1)))
            for scenario, period, years in self.pairs
        )

    @property
    def checksum(self) -> str:
        """SHA-256 over the identity."""
        return hashlib.sha256(json.dumps(self.identity(), sort_keys=True).encode()).hexdigest()


def make_plan(source: ClimateSource, request: Request) -> Plan:
    """Decide what this source allows of a request.

    raises : SettingsError when no period fits or the baseline lies outside the axis; SourceError when no risk is left
    """
    edition, halves = request.edition, HALVES[request.job_type]
    names = source.scenario_names or ({DEFAULT_SCENARIO: OBSERVED_NAME} if source.scope == OBSERVED else {})
    scenarios = _held(request.scenarios, source.scenario_names)
    pairs, left_out = _pairs(source.axis, scenarios, request.periods)
    columns = tuple(sorted({pair.scenario for pair in pairs} | {DEFAULT_SCENARIO}))
    absent = _Absent(source.tables, columns, source.scope == OBSERVED)

    probability, hazard, missing = [], {}, {}
    for name in request.risks:
        missed: list[str] = []
        if PROBABILITY in halves:
            intensity = edition.intensity(name)
            of_losses = absent.of_part(intensity)
            if not of_losses:
                probability.append(name)
            missed += of_losses
        if HAZARD in halves:
            parts = _components(name, absent)
            if parts:
                hazard[name] = parts
            else:
                components = RISKS[name].hazard.components
                missed += [table for part in components for table in absent.of_part(part)]
        if missed:
            missing[name] = tuple(dict.fromkeys(missed))
    if not probability and not hazard:
        tables = dict.fromkeys(table for missed in missing.values() for table in missed)
        raise SourceError(f"no risk can be computed: the source lacks {', '.join(tables)}")
    small = {table for name in probability for table in edition.intensity(name).tables}
    small |= {table for parts in hazard.values() for part in parts for table in part.tables}
    return Plan(
        edition=edition,
        scope=source.scope,
        axis=source.axis,
        baseline=baseline_years(source.axis, request.baseline),
        pairs=pairs,
        left_out=left_out,
        probability=tuple(probability),
        hazard=hazard,
        missing=missing,
        variables=_variables(probability, hazard, edition, absent),
        scenarios=columns,
        tables=tuple(sorted(small & set(source.tables))),
        names=names,
        year_losses=request.year_losses,
    )


def _held(asked: Sequence[Scenario], names: ScenarioNames) -> tuple[Scenario, ...]:
    """Those asked for; of all four, which is to ask for none in particular, those that the source holds.

    raises : SettingsError for one that the source does not hold
    """
    if not names:
        return tuple(asked)
    absent = [each for each in asked if each not in names]
    if absent and set(asked) != set(Scenario):
        held = ", ".join(f"{int(each)} ({name})" for each, name in names.items())
        raise SettingsError(
            f"the source holds no scenario {', '.join(str(int(each)) for each in absent)}; it has {held}"
        )
    return tuple(each for each in asked if each in names)


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


class _Absent:
    """Tables and columns that a source does not have."""

    def __init__(self, tables: Mapping[str, frozenset[str]], scenarios: Sequence[Scenario], observed: bool) -> None:
        self._tables = tables
        self._scenarios = scenarios
        self.observed = observed

    def of_part(self, part: Intensity | Component) -> list[str]:
        """Those that an intensity, or a part of a hazard index, needs."""
        return self.of(part.needed(observed=self.observed), part.tables)

    def of(self, variables: Sequence[str], tables: Sequence[str] = ()) -> list[str]:
        """Those among what these climate variables and small tables stand for."""
        found = [table for table in tables if table not in self._tables and not SMALL_TABLES[table].optional]
        for table in tables:
            columns = self._tables.get(table)
            if columns is not None:
                found += [f"{table}.{column}" for column in SMALL_TABLES[table].columns if column not in columns]
        for name in variables:
            table = VARIABLES[name].table
            if table not in self._tables:
                found.append(table)
            else:
                columns = self._tables[table]
                found += [f"{table}.{s.column}" for s in self._scenarios if s.column not in columns]
        return found


def _components(risk: str, absent: _Absent) -> tuple[Component, ...]:
    parts = tuple(
        part
        for part in RISKS[risk].hazard.components
        if not absent.of_part(part) and (part.only_without is None or absent.of((part.only_without,)))
    )
    # parts that read cell attributes alone cannot tell one scenario from another: no score from them only
    return parts if any(part.needed(observed=False) or part.tables for part in parts) else ()


def _variables(
    probability: Sequence[str], hazard: Mapping[str, Sequence[Component]], edition: Edition, absent: _Absent
) -> tuple[str, ...]:
    parts = [edition.intensity(risk) for risk in probability] + [part for each in hazard.values() for part in each]
    wanted = {name for part in parts for name in part.needed(observed=absent.observed)}
    for risk in {*probability, *hazard}:
        wanted |= {name for check in RISKS[risk].checks for name in check.needs if not absent.of(check.needs)}
    return tuple(name for name in VARIABLES if name in wanted)
