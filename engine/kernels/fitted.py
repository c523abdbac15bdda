"""Bin probabilities from a distribution fitted to a cell's own samples, with AAL, standard error and year losses.

C cells, n samples a cell in Y = n / group years, m bins. A bin holds the difference of the fitted distribution function
at its edges, so edges that are its own quantiles give exactly the probabilities they were asked for.

The standard error is the jackknife's: year y is left out, the distribution fitted again, and the spread of the
pseudo-values Y AAL - (Y - 1) AAL_(-y) is that of the mean of Y numbers; with group > 1 their lag-1 covariance is added
as in `bins`. It takes edges as known; the interval (`intervals`) does not, and is made of the same pseudo-values.
Measured on GEV truths at n = 20, 30, 80 it is 0.87 to 1.00 of the true scatter
(with an atom of 40 %: 0.82 to 0.95); a parametric bootstrap of 100 draws gives 0.92 to 0.98 (1.06 to 1.10), for up to
five times the fits and a seed a cell.

Sources: `fits`; Efron and Stein (1981), doi:10.1214/aos/1176345462.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
from numba import prange
from numpy.typing import ArrayLike, NDArray

from engine.kernels import bins, fits, intervals, lmoments
from engine.kernels._compile import helper, kernel
from engine.kernels.arrays import numbers
from engine.kernels.bins import METHODS, BinProbabilities, YearLosses
from engine.kernels.estimator import INSUFFICIENT, Baseline
from engine.kernels.face import of_cells

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
FITTED = METHODS.index("fitted")


@of_cells("x")
def fitted_probabilities(  # many: options by keyword, each with a default
    x: ArrayLike,
    edges: ArrayLike,
    *,
    fit: str,
    lower: float | None = None,
    atom: bool = False,
    damage_rates: ArrayLike | None = None,
    group: int = 1,
    span: int = 1,
    baseline: Baseline | None = None,
    moves: bool = False,
) -> BinProbabilities:
    """As `bin_probabilities`, from the distribution `fit` of each cell; method `fitted`.

    fit    : gev, gamma or weibull; gamma and weibull need `lower`
    others : as in `bin_probabilities`

    A cell without a fit (fewer than 12 samples above the atom, or samples that no member of the family has) is
    estimated as there, and its method says so.

    raises : ValueError as there, and as `fits.fitted_quantiles`
    """
    how = _How(fit, lower, atom, group, span, baseline, moves)
    found = bins.bin_probabilities(x, edges, damage_rates=damage_rates, **how.options())
    rates = np.zeros(found.p.shape[1]) if damage_rates is None else damage_rates
    return _replaced(x, edges, rates, how, found, np.empty((len(found.p), 0)))


@of_cells("x")
def fitted_year_losses(  # many: options by keyword, each with a default
    x: ArrayLike,
    edges: ArrayLike,
    *,
    fit: str,
    damage_rates: ArrayLike,
    lower: float | None = None,
    atom: bool = False,
    group: int = 1,
    span: int = 1,
    baseline: Baseline | None = None,
    moves: bool = False,
) -> tuple[BinProbabilities, YearLosses]:
    """`fitted_probabilities`, and the loss of each year: of the sample of rank k the mean rate over the k-th n-th of
    the fitted distribution, so that the AAL is the mean of the completed years. Equal samples keep their order in time.
    """
    how = _How(fit, lower, atom, group, span, baseline, moves)
    found, years = bins.bin_year_losses(x, edges, damage_rates=damage_rates, **how.options())
    return _replaced(x, edges, damage_rates, how, found, years.loss), years


class _How(NamedTuple):
    fit: str
    lower: float | None
    atom: bool
    group: int
    span: int
    baseline: Baseline | None
    moves: bool

    def options(self) -> dict[str, Any]:
        options = self._asdict()
        del options["fit"]
        return options


class _Fitter(NamedTuple):
    family: int
    lower: float  # NaN without a bound
    atom: bool
    group: int
    span: int


def _replaced(
    x: ArrayLike, edges: ArrayLike, rates: ArrayLike, how: _How, found: BinProbabilities, years: Floats
) -> BinProbabilities:
    """Estimates with those of the fit where there is one; `years` (C, Y) is filled in place, (C, 0): not asked for."""
    samples = fits.checked(x, how.fit, how.lower, how.atom)
    of_bins = numbers(rates, "damage_rates").astype(np.float64)
    inner = np.broadcast_to(numbers(edges, "edges").astype(np.float64), (len(samples), of_bins.size - 1))
    loss = np.full((len(samples), 4), np.nan)
    baseline = bins.checked_baseline(how.baseline, inner, samples.shape[1] // how.group)
    fitter = _Fitter(
        fits.FAMILIES.index(how.fit),
        math.nan if how.lower is None else float(how.lower),
        bool(how.atom),
        int(how.group),
        int(how.span),
    )
    _fill(
        samples,
        np.ascontiguousarray(inner),
        np.ascontiguousarray(baseline.without),
        baseline.shared,
        fitter,
        of_bins,
        found.p,
        loss,
        found.method,
        years,
        np.empty((len(samples), 0)) if found.moves is None else found.moves,
    )
    if found.aal is None or found.aal_se is None:
        return found
    own = found.method == FITTED
    return replace(
        found,
        aal=np.where(own, loss[:, 0], found.aal),
        aal_se=np.where(own, loss[:, 1], found.aal_se),
        aal_low=np.where(own, loss[:, 2], cast("Floats", found.aal_low)),
        aal_high=np.where(own, loss[:, 3], cast("Floats", found.aal_high)),
    )


@kernel
def _fill(  # many: numba loses what a parallel loop writes to arrays within a tuple
    x: Floats,
    edges: Floats,
    without: Floats,
    shared: Ints,
    how: _Fitter,
    rates: Floats,
    p: Floats,
    loss: Floats,
    method: NDArray[np.uint8],
    years: Floats,
    moves: Floats,
) -> None:
    for c in prange(x.shape[0]):
        if method[c] == INSUFFICIENT:
            continue
        above, at = fits.split(x[c], how.lower, how.atom)
        curve = fits.fit_curve(above, at, how.family, how.lower, 0, fits.MIN_ABOVE)
        if curve.code != lmoments.FITTED:
            continue
        method[c] = FITTED
        loss[c, 0] = _fill_shares(curve, edges[c], rates, p[c])
        pseudo = np.full(x.shape[1] // how.group, math.nan)
        if how.group == 1:
            loss[c, 1] = _jackknife_of_samples(above, at, edges[c], how, rates, loss[c, 0], pseudo)
            pseudo = _in_time(x[c], how, pseudo)
        else:
            loss[c, 1] = _jackknife_of_years(x[c], edges[c], how, rates, loss[c, 0], pseudo)
        _fill_interval(curve, edges[c], without[c], shared, how, rates, pseudo, loss[c], moves[c])
        if years.shape[1] > 0:
            _fill_years(x[c], p[c], rates, how.group, years[c])


@helper
def _fill_years(row: Floats, p: Floats, rates: Floats, group: int, loss: Floats) -> None:
    """Losses of the years that have a valid sample -> loss (Y,)."""
    there = np.flatnonzero(~np.isnan(row))
    order = there[np.argsort(row[there], kind="mergesort")]
    n, bin_, upper = order.size, 0, p[0]
    count = np.zeros(loss.size)
    for k in range(n):
        u, end, part = k / n, (k + 1) / n, 0.0
        while bin_ < rates.size - 1 and upper < end:
            if upper > u:
                part += (upper - u) * rates[bin_]
                u = upper
            bin_ += 1
            upper += p[bin_]
        part += (end - u) * rates[bin_]
        year = order[k] // group
        loss[year] = part * n + (loss[year] if count[year] > 0.0 else 0.0)
        count[year] += 1.0
    for year in range(loss.size):
        if count[year] > 0.0:
            loss[year] /= count[year]


@helper
def _fill_shares(curve: fits.Curve, edges: Floats, rates: Floats, p: Floats) -> float:
    """Probability of each bin -> p (m,); returns the loss."""
    below, loss = 0.0, 0.0
    for i in range(edges.size):
        under = max(fits.cdf(curve, edges[i]), below)
        p[i] = under - below
        loss += p[i] * rates[i]
        below = under
    p[edges.size] = 1.0 - below
    loss += p[edges.size] * rates[edges.size]
    return float(loss)


@helper
def _in_time(row: Floats, how: _Fitter, of_rank: Floats) -> Floats:
    """Pseudo-values by rank, those at the atom last, as those of the columns of a row; NaN where it has no sample."""
    pseudo, place, n = np.full(row.size, math.nan), 0, 0
    for sample in row:
        n += not math.isnan(sample)
    for j in np.argsort(row):  # NaN last
        if math.isnan(row[j]):
            break
        if how.atom and row[j] == how.lower:
            pseudo[j] = of_rank[n - 1]
        else:
            pseudo[j] = of_rank[place]
            place += 1
    return pseudo


@helper
def _fill_interval(  # many: what the loop over cells has of one cell; numba inlines the call
    curve: fits.Curve,
    edges: Floats,
    without: Floats,
    shared: Ints,
    how: _Fitter,
    rates: Floats,
    pseudo: Floats,
    loss: Floats,
    moves: Floats,
) -> None:
    """Ends of the interval -> loss[2:]; pseudo: (Y,) pseudo-values of the years, NaN where there is none."""
    moves[:] = 0.0  # those of the estimate that the fit replaces
    if math.isnan(loss[1]):
        return
    there = np.flatnonzero(~np.isnan(pseudo))
    shifts = np.zeros(shared.size)
    for k in range(edges.size if shared.size > 0 else 0):
        here = fits.cdf(curve, edges[k])
        for y in range(shared.size):
            shifts[y] += (rates[k] - rates[k + 1]) * (fits.cdf(curve, without[y, k]) - here)
    room, at = intervals.room_of(pseudo.size, shared.size), there.astype(np.int32)
    blocks = intervals.Blocks(pseudo.size, 1, how.span, shifts, shared, room)
    if moves.size > 0:
        intervals.fill_moves(pseudo[there], at.size, at, blocks, moves)
    variance, degrees = intervals.variance(pseudo[there], at.size, at, blocks)
    low, high = intervals.ends(loss[0], variance, degrees, np.min(rates), np.max(rates))
    loss[2], loss[3] = min(low, loss[0]), max(high, loss[0])


@helper
def _jackknife_of_samples(
    above: Floats, at: int, edges: Floats, how: _Fitter, rates: Floats, loss: float, pseudo: Floats
) -> float:
    """Standard error of the loss when every sample is a year; NaN where a fit without one of them does not exist.

    pseudo : gets the pseudo-values by rank, that of samples at the atom behind them
    """
    n, p, rest, total, squares = above.size + at, np.empty(rates.size), above[1:].copy(), 0.0, 0.0
    for j in range(above.size):
        if j > 0:
            rest[j - 1] = above[j - 1]  # ascending still: without the sample of rank j
        curve = fits.fit_curve(rest, at, how.family, how.lower, 0, 3)
        if curve.code != lmoments.FITTED:
            return math.nan
        change = _fill_shares(curve, edges, rates, p) - loss
        total += change
        squares += change * change
        pseudo[j] = loss - (n - 1) * change
    if at > 0:  # without one of the samples at the atom, whichever
        curve = fits.fit_curve(above, at - 1, how.family, how.lower, 0, 3)
        change = _fill_shares(curve, edges, rates, p) - loss
        total += at * change
        squares += at * change * change
        pseudo[n - 1] = loss - (n - 1) * change
    return math.sqrt(max(squares - total * total / n, 0.0) * (n - 1) / n)


@helper
def _jackknife_of_years(row: Floats, edges: Floats, how: _Fitter, rates: Floats, loss: float, pseudo: Floats) -> float:
    """The same when a year has several samples; NaN also with one year only."""
    family, lower, atom, group, _ = how
    years = row.size // group
    there = ~np.isnan(row).reshape(years, group)
    p, rest = np.empty(rates.size), np.empty(row.size)
    present, total = 0, 0.0
    for y in range(years):
        present += there[y].any()
    if present < 2:
        return math.nan
    for y in range(years):
        if not there[y].any():
            continue
        rest[:] = row
        rest[y * group : (y + 1) * group] = math.nan
        above, at = fits.split(rest, lower, atom)
        curve = fits.fit_curve(above, at, family, lower, 0, 3)
        if curve.code != lmoments.FITTED:
            return math.nan
        pseudo[y] = present * loss - (present - 1) * _fill_shares(curve, edges, rates, p)
        total += pseudo[y]
    mean = total / present
    squares, products, pairs = 0.0, 0.0, 0
    for y in range(years):
        if there[y].any():
            squares += (pseudo[y] - mean) ** 2
            if y > 0 and there[y - 1].any():
                products += (pseudo[y] - mean) * (pseudo[y - 1] - mean)
                pairs += 1
    covariance = max(products / pairs, 0.0) if pairs > 0 else 0.0
    return math.sqrt((squares / (present - 1) + 2.0 * covariance) / present)
