"""Explain one figure: recompute it from the source by the code of a run, and give every value that it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.batch import explain_parts as parts
from engine.batch.block import hazard_score
from engine.batch.checks import check_panel, check_tables
from engine.batch.edges import Edges, edges_of
from engine.batch.estimates import estimate
from engine.batch.explanation import EditionTold, Explanation, HazardPart, HazardTold, SourceTold, Span
from engine.batch.intervals import ends_of
from engine.batch.plan import OBSERVED, Pair, Plan, make_plan
from engine.batch.request import Request
from engine.batch.trends import along_line, samples_of_pair, with_errors
from engine.core import cells, names, quality
from engine.core.errors import EngineError, SettingsError
from engine.core.period import FULL, Years
from engine.core.scenario import Scenario
from engine.io.climate.source import ClimateSource
from engine.kernels import METHODS, BinProbabilities
from engine.risks import recurrence
from engine.risks.edition import Edition, load_edition
from engine.risks.edition_lines import EditionLines, lines_of
from engine.risks.editions import EDITIONS
from engine.risks.inputs import Inputs
from engine.risks.registry import RISKS

_INSUFFICIENT = METHODS[0]
OUTSIDE = "no cell with climate data holds the place or is within a cell's diagonal of it"
SENTENCES = {
    "ok": "AAL is the sum over the bins of probability x damage rate",
    "not_exposed": "the hazard does not reach the cell: the mildest bin is certain, and there is no loss",
    "not_priced": "the edition has no damage rates for this risk: probabilities, and no loss",
    _INSUFFICIENT: "fewer than 10 valid samples, or more than a fifth of them missing: no probabilities, and no loss",
}


class Place(NamedTuple):
    """The cell that speaks for a place, a row of `source.cells()`."""

    row: pl.DataFrame
    basis: str
    metres: float


def explain(
    source: ClimateSource,
    edition: str | Path | Edition,
    lat: float,
    lon: float,
    risk: str,
    scenario: Scenario | int | str,
    period: str,
    *,
    baseline: Years | None = None,
) -> Explanation:
    """One figure of a place with its inputs, samples, bins, rates and sources, recomputed in float64.

    source   : opened by `engine.io.open_source`; edition: a name, the path of a TOML file, or a loaded one
    lat, lon : degrees; the cell that holds the place, else the nearest with climate, up to a cell's diagonal away
    risk, scenario, period : as in `engine.run`; `full` is of SSP2-4.5 alone
    baseline : years of quantile edges; None: as a run chooses them
    raises   : SettingsError for a name or place that does not fit; EngineError when the source lacks what the risk
               needs, or holds what a run refuses

    Runs parallel kernels: never in two threads at once.
    """
    method = edition if isinstance(edition, Edition) else load_edition(edition)
    name = names.risk(risk)
    if name not in method.bins:
        raise SettingsError(f"the edition {method.name} holds no {name}; it has: {', '.join(method.bins)}")
    request = Request(
        edition=method,
        risks=(name,),
        scenarios=(Scenario.parse(scenario),),
        periods=(period,),
        baseline=baseline,
        year_losses=False,
    )
    plan = make_plan(source, request)
    if name not in plan.probability:
        raise EngineError(f"{name}: the source lacks {', '.join(plan.missing[name])}")
    place = place_of(source, lat, lon)
    return _told(source, plan, place, _inputs(source, plan, place), _lines(edition, method, name))


def place_of(source: ClimateSource, lat: float, lon: float) -> Place:
    """The cell of a source that speaks for a place.

    raises : SettingsError for a place without one, and for a source whose cells follow no lattice
    """
    if source.grid is None:
        raise SettingsError("the cells of this source follow no lattice, so that none speaks for a place")
    active = source.cells()
    held = active["grid_id"].to_numpy()
    chosen = cells.choose([lat], [lon], source.grid, lambda asked: np.isin(asked, held))
    if not chosen.grid_id[0]:
        raise SettingsError(f"{lat}, {lon}: {OUTSIDE}")
    row = active.filter(pl.col("grid_id") == int(chosen.grid_id[0]))
    return Place(row, "nearest" if chosen.nearest[0] else "own", round(float(chosen.metres[0]), 1))


def _inputs(source: ClimateSource, plan: Plan, place: Place) -> Inputs:
    """The cell's climate and the small tables, checked as a run checks them."""
    [name] = plan.probability
    observed = plan.scope == OBSERVED
    reference = recurrence.prepare(
        source, plan.edition, name, place.row, baseline=plan.baseline, observed=observed, tables=plan.tables
    )
    panel = source.read(place.row, plan.variables, plan.scenarios)
    limits = quality.ranges_at(source.grid)
    faults, _ = check_panel(panel, limits, observed=observed)
    if bad := [*check_tables(plan, reference.tables, limits).values(), *faults.values()]:
        raise EngineError(f"{name}: {'; '.join(bad)}")
    return Inputs(panel, reference, [(pair.scenario, pair.years) for pair in plan.pairs])


class _Found(NamedTuple):
    """Estimate of the cell. x: (samples,) of the years; scatter: that the bandwidth is made of, None: that of x"""

    x: NDArray[np.float64]
    years: Years
    scatter: float | None
    edges: Edges
    estimate: BinProbabilities
    exposed: bool

    @property
    def method(self) -> str:
        """What made the probabilities."""
        return METHODS[int(self.estimate.method[0])] if self.exposed else "not_exposed"


def _found(inputs: Inputs, plan: Plan, name: str, pair: Pair) -> _Found:
    bins, intensity = plan.edition.bins[name], plan.edition.intensity(name)
    edges = edges_of(inputs, plan.baseline, intensity, bins)
    trend = bins.trend is not None
    if trend:
        intensity = along_line(intensity)
    x, without, spread = samples_of_pair(inputs, intensity, bins, edges, plan.baseline, pair)
    found, _ = estimate(x, edges.inner, bins, intensity, baseline=without, moves=trend, spread=spread)
    if trend:
        found = with_errors(found, without, bins, intensity.span, whole=pair.period == FULL)
    spared = intensity.not_exposed is not None and bool(intensity.not_exposed(inputs.baseline)[0])
    years = inputs.panel.axis if trend else pair.years
    scatter = None if spread is None else float(spread[0])
    return _Found(np.asarray(x, np.float64)[0], years, scatter, edges, found, not spared)


def _told(source: ClimateSource, plan: Plan, place: Place, inputs: Inputs, lines: EditionLines | None) -> Explanation:
    [name], [pair] = plan.probability, plan.pairs
    bins, intensity = plan.edition.bins[name], plan.edition.intensity(name)
    found = _found(inputs, plan, name, pair)
    inner = tuple(np.broadcast_to(found.edges.inner, (1, len(bins.edges)))[0].tolist())
    probability = parts.probabilities(found.estimate, exposed=found.exposed)
    drawn = plan.edition.draws.rates.get(name) if plan.edition.draws else None
    status = found.method if found.method in SENTENCES else "ok"
    if not bins.has_loss and status != _INSUFFICIENT:
        status = "not_priced"
    row = place.row.row(0, named=True)
    return Explanation(
        grid_id=row["grid_id"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        cell_basis=place.basis,
        cell_distance_m=place.metres,
        risk_type=name,
        scenario_id=int(pair.scenario),
        scenario=plan.label(pair.scenario),
        time_period=pair.period,
        status=status,
        sentence=SENTENCES[status],
        window=_span(pair.years),
        baseline=_span(plan.baseline),
        inputs=parts.input_series(inputs, intensity.needs, pair),
        intensity=parts.intensity(inputs, plan, name, pair),
        samples=parts.samples(inputs, intensity, found.years, found.x),
        edges=parts.edges(inputs, plan, name, found.edges, inner),
        estimator=parts.estimator(
            found.x, bins, found.method, intensity.monthly, scatter=found.scatter, on=pair.years.middle
        ),
        rates=parts.rates(bins),
        bins=parts.bins(inner, probability, bins.rates),
        figure=parts.figure(found.estimate, ends_of([found.estimate], bins, drawn), status, found.method),
        hazard=_hazard(inputs, plan, name, pair),
        edition=EditionTold(
            name=plan.edition.name,
            checksum=plan.edition.checksum,
            risk_checksum=plan.edition.checksums[name],
            source=bins.source,
            **(lines._asdict() if lines else dict.fromkeys(EditionLines._fields)),
        ),
        source=_source(source, inputs, plan, name),
    )


def _source(source: ClimateSource, inputs: Inputs, plan: Plan, name: str) -> SourceTold:
    stands_on = RISKS[name].stands_on
    tables = dict.fromkeys([*(f"{need}_data" for need in plan.edition.intensity(name).needs), *plan.tables])
    return SourceTold(
        address=source.address.rpartition("@")[2],  # the login of a warehouse is nobody else's
        fingerprint=source.fingerprint,
        scope=source.scope,
        axis=_span(source.axis),
        tables=tuple(tables),
        stands_on=stands_on(inputs.reference) if stands_on else None,
        engine=version("climate-risk-engine"),
    )


def _hazard(inputs: Inputs, plan: Plan, name: str, pair: Pair) -> HazardTold | None:
    """Hazard score with its parts; None where the source lacks what it reads."""
    components, risk = plan.hazard.get(name), RISKS[name]
    if components is None:
        return None
    block = inputs.under(pair.scenario)
    modifier = risk.hazard.modifier
    return HazardTold(
        score=parts.number(hazard_score(inputs, components, risk, pair)[0]),
        modifier=parts.number(modifier(block, pair.years)[0]) if modifier else None,
        parts=tuple(
            HazardPart(name=each.name, weight=each.weight, value=parts.number(each.of(block, pair.years)[0]))
            for each in components
        ),
    )


def _lines(given: str | Path | Edition, edition: Edition, risk: str) -> EditionLines | None:
    if not isinstance(given, Edition):
        return lines_of(given, risk)
    return lines_of(edition.name, risk) if edition.name in EDITIONS else None


def _span(years: Sequence[int]) -> Span:
    return Span(first=years[0], last=years[1])
