"""Parts of an explanation: each turns arrays of one cell into a record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.batch.edges import MONTHS, Edges
from engine.batch.explanation import (
    BinTold,
    Distribution,
    EdgesTold,
    EstimatorTold,
    FactorTold,
    FigureTold,
    InputSeries,
    IntensityTold,
    Numbers,
    RatesTold,
    SampleSeries,
)
from engine.batch.intervals import Ends
from engine.batch.plan import Pair, Plan
from engine.core.caveats import on_own_years, own_past, own_years
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO
from engine.core.variables import VARIABLES
from engine.kernels import BinProbabilities, parameters
from engine.risks.bins import Bins
from engine.risks.definition import Intensity
from engine.risks.inputs import Inputs
from engine.risks.samples import samples_of, yearly_samples

Floats = NDArray[np.floating[Any]]


def number(value: float) -> float | None:
    """A plain number, None for NaN."""
    return None if math.isnan(value) else float(value)


def numbers(values: Floats) -> Numbers:
    """Plain numbers in order, None for NaN."""
    return tuple(number(value) for value in np.asarray(values, np.float64).ravel().tolist())


def input_series(inputs: Inputs, needs: Sequence[str], pair: Pair) -> tuple[InputSeries, ...]:
    """Variables of the scenario over the axis; of the default one over the baseline, where that is another."""
    axis, baseline = inputs.panel.axis, inputs.reference.baseline
    shown = [(pair.scenario, axis)]
    if pair.scenario != DEFAULT_SCENARIO:
        shown.append((DEFAULT_SCENARIO, baseline))
    return tuple(
        InputSeries(
            name=name,
            meaning=VARIABLES[name].meaning,
            unit=VARIABLES[name].unit,
            step="month" if VARIABLES[name].monthly else "year",
            scenario_id=int(scenario),
            first_year=years.first,
            values=numbers(inputs.panel.arrays[name, scenario][0, axis.columns_of(years)]),
        )
        for scenario, years in shown
        for name in needs
    )


def samples(inputs: Inputs, intensity: Intensity, years: Years, x: Floats) -> SampleSeries:
    """Samples x (n,) of a window, with the years that they are of."""
    return SampleSeries(
        years=_years(inputs, intensity, years), per_year=MONTHS if intensity.monthly else 1, values=numbers(x)
    )


def _years(inputs: Inputs, intensity: Intensity, years: Years) -> tuple[int, ...]:
    if intensity.record is not None:
        return tuple(int(year) for year in intensity.record(inputs.reference))
    return tuple(range(years.first, years.last + 1))


def intensity(inputs: Inputs, plan: Plan, risk: str, pair: Pair) -> IntensityTold:
    """The intensity of a risk, and how it is made."""
    declared, axis = plan.edition.intensity(risk), inputs.panel.axis
    factor = None
    if declared.scale is not None:
        factor = number(declared.scale(inputs.under(pair.scenario), pair.years)[0])
    # the record's factor is of the scenario and period; a series of the axis has every year
    years = pair.years if declared.scale is not None else axis
    by_year = yearly_samples(inputs, declared, pair.scenario, years)[0]
    return IntensityTold(
        name=plan.edition.bins[risk].intensity,
        meaning=declared.meaning,
        unit=declared.unit,
        sentence=_made(declared, factor),
        negated=declared.negated,
        factor=factor,
        by_year=SampleSeries(years=_years(inputs, declared, years), per_year=1, values=numbers(by_year)),
    )


def _made(declared: Intensity, factor: float | None) -> str:
    """How an intensity is made, in one sentence."""
    unit = "no unit" if declared.unit == "1" else declared.unit
    words = f"{declared.meaning}, {unit}, one value a {'month' if declared.monthly else 'year'}"
    if declared.scale is not None:
        words += " of the track record"
    known = [VARIABLES[name] for name in declared.needs]
    read = [f"{each.name} ({each.meaning}{'' if each.unit == '1' else f', {each.unit}'})" for each in known]
    words += f", from {', '.join([*read, *declared.tables])}"
    if factor is not None and factor != 1.0:
        words += f"; each recorded value times {factor:.6g} for the cell's warming"
    return words


def edges(inputs: Inputs, plan: Plan, risk: str, found: Edges, inner: tuple[float, ...]) -> EdgesTold:
    """Edges of the cell and where they come from. inner: (bins - 1,)"""
    bins, declared = plan.edition.bins[risk], plan.edition.intensity(risk)
    unit = "" if declared.unit == "1" else f", {declared.unit}"
    if not bins.of_baseline:
        sentence = f"fixed by the edition{unit}"
        return EdgesTold(
            values=inner, found="fixed", sentence=sentence, levels=None, baseline=None, fit=None, note=None
        )
    x = samples_of(inputs, declared, DEFAULT_SCENARIO, plan.baseline)
    fell_back, fit = found.fallbacks == 1, None
    if not fell_back and bins.fit is not None:
        fit = _distribution(x, bins)
    under = "" if plan.observed else f" under {plan.label(DEFAULT_SCENARIO)}"
    of = f"{int((~np.isnan(x)).sum())} values of the cell's own baseline, {plan.baseline}{under}"
    levels = ", ".join(f"{level:g}" for level in bins.edges)
    kind, sentence = "sample_quantiles", f"quantiles {levels} of the {of}{unit}"
    if fell_back:
        kind, sentence = "fallback", f"the edition's fallback{unit}: the {of} give no quantiles"
    elif fit is not None:
        kind, sentence = (
            "fitted_quantiles",
            f"quantiles {levels} of a {fit.family} distribution fitted to the {of}{unit}",
        )
    return EdgesTold(
        values=inner,
        found=kind,
        sentence=sentence,
        levels=bins.edges,
        baseline=samples(inputs, declared, plan.baseline, x[0]),
        fit=fit,
        note=None if fell_back else _on_the_past(plan, risk),
    )


def _on_the_past(plan: Plan, risk: str) -> str:
    same = on_own_years(plan.scope, str(plan.baseline), (plan.axis.first, plan.axis.last))
    return own_years() if same else own_past(risk)


def _distribution(x: Floats, bins: Bins) -> Distribution:
    assert bins.fit is not None  # noqa: S101  (the callers asked)
    curve = parameters.fitted_curves(x, fit=bins.fit, lower=bins.lower, atom=bins.atom)
    return Distribution(family=bins.fit, **{name: float(value[0]) for name, value in curve._asdict().items()})


def estimator(
    x: Floats, bins: Bins, method: str, monthly: bool, *, scatter: float | None = None, on: int | None = None
) -> EstimatorTold:
    """What turned the samples x (n,) into probabilities.

    scatter : about the lines of a trend, that the bandwidth is made of where samples are as they are; None: that of x
    on      : year that a trend sets the samples on
    """
    bandwidth, fit, unit = None, None, "months" if monthly else "years"
    valid = x[~np.isnan(x)]
    at_lower = int((valid == bins.lower).sum()) if bins.atom else 0
    sentence = "no probabilities are estimated"
    if method == "kde":
        bandwidth = float(parameters.bandwidths(x[None], lower=bins.lower, atom=bins.atom)[0])
        if scatter is not None:
            bandwidth = scatter * len(valid) ** -0.2
        sentence = (
            f"Gaussian kernel density of {len(valid) - at_lower} {unit}, bandwidth {bandwidth:.4g} (Scott's rule)"
        )
        if bins.lower is not None:
            sentence += f", reflected at {bins.lower:g}"
    elif method == "count":
        sentence = f"share of {len(valid)} {unit} in each bin"
    elif method == "fitted":
        fit = _distribution(x[None], bins)
        sentence = f"{fit.family} distribution fitted to {len(valid) - at_lower} {unit} by L-moments"
    if at_lower and method in ("kde", "fitted"):
        sentence += f"; {at_lower} {unit} at {bins.lower:g} had no event and are in the mildest bin"
    if bins.trend and method in ("kde", "count", "fitted"):
        how = f"set on {on}" if scatter is None else "as they are, with the bandwidth of their scatter about it"
        sentence += f"; all years of the scenario follow a {bins.trend} trend, and are {how}"
    return EstimatorTold(
        method=method, sentence=sentence, bandwidth=bandwidth, lower=bins.lower, atom=bins.atom, fit=fit
    )


def rates(bins: Bins) -> RatesTold:
    """Damage rates of the edition."""
    factor = bins.factor
    return RatesTold(
        priced=bins.has_loss,
        calibrated=bool(bins.calibrated),
        level=bins.level,
        edition_rates=bins.damage_rates,
        factor=None if factor is None else FactorTold(**asdict(factor)),
    )


def probabilities(found: BinProbabilities, *, exposed: bool) -> NDArray[np.float64]:
    """(bins,) of the cell; a cell out of reach is in the mildest bin for certain."""
    certain: NDArray[np.float64] = np.eye(1, found.p.shape[1])[0]
    return np.asarray(found.p[0]) if exposed else certain


def bins(
    inner: Sequence[float], probability: NDArray[np.float64], damage: Sequence[float] | None
) -> tuple[BinTold, ...]:
    """Bins from mild to severe. damage: rates with the factor, None where the risk is not priced"""
    told = []
    for i, share in enumerate(probability.tolist()):
        rate = None if damage is None else damage[i]
        told.append(
            BinTold(
                bin=i + 1,
                low=inner[i - 1] if i else None,
                high=inner[i] if i < len(inner) else None,
                probability=number(share),
                damage_rate=rate,
                part=None if rate is None else number(share * rate),
            )
        )
    return tuple(told)


def figure(found: BinProbabilities, ends: Ends, status: str, method: str) -> FigureTold:
    """The figure as a run stores it, before it is rounded. ends: of its AAL; method: that made the probabilities"""
    values = [each[0] if each is not None else math.nan for each in (found.aal, found.aal_se, ends.low, ends.high)]
    if status == "not_exposed":
        values = [0.0] * 4
    aal, error, low, high = map(number, values)
    return FigureTold(
        aal=aal,
        aal_se=error,
        aal_low=low,
        aal_high=high,
        n_samples=0 if method == "not_exposed" else int(found.n[0]),
        method=method if status == "ok" else status,
    )
