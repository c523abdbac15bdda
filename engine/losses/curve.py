"""Exceedance curves of yearly losses: what is lost once in T years.

Losses are sorted; the k-th largest of n has the return period (n + 1) / k (Weibull's plotting positions), and the loss
is linear in the return period between. Where two sets of years are added, all n m sums are sorted, but n m pairs are
not n m years: the empirical part ends at the shorter set plus one year. Beyond it a GEV of the years with loss, by
L-moments, extrapolates, with a 90 % interval by resampling. Fewer than 40 years say nothing of what is rarer than twice
their number.

Sources: Weibull (1939), Gumbel (1958), Statistics of Extremes (plotting positions); `engine.kernels.return_levels`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from engine.kernels.lmoments import FITTED, gev_fit, gev_quantile
from engine.kernels.return_levels import (
    MIN_ABOVE,
    MIN_VALID,
    SEED,
    corrected_interval,
    fill_levels_above_zero,
    return_levels,
)
from engine.losses.table import ALL, PAIR, YEARS, Sets, sets_of

Floats = NDArray[np.float64]

RETURN_PERIODS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 250.0, 500.0)
#: with fewer years than this nothing is said beyond twice their number
ENOUGH_YEARS = 40
RESAMPLES = 1000
SLAB = 100  # resamples of pairs of years at a time: 3 MB, which stay in cache
_HAIR = 1e-9  # of a rank: rounding

POINTS = pl.Schema(
    {
        "return_period": pl.Float64(),
        "loss": pl.Float64(),
        "loss_low": pl.Float64(),
        "loss_high": pl.Float64(),
        "basis": pl.String(),
    }
)
CURVE = pl.Schema({**{name: YEARS[name] for name in (*PAIR, "risk_type")}, "kind": pl.String(), **POINTS})


class _Levels(NamedTuple):
    """Extrapolated losses at P return periods."""

    level: Floats
    low: Floats
    high: Floats


def exceedance_curve(
    years: pl.DataFrame,
    *,
    periods: Sequence[float] = RETURN_PERIODS,
    kind: Literal["aep", "oep"] = "aep",
    seed: int = SEED,
) -> pl.DataFrame:
    """Curves of every scenario, period and risk of a portfolio, and of all risks together.

    years   : of `year_losses`, or of `storm_years` for the largest storm of each year
    periods : return periods, years, 2 or more
    kind    : `aep`: what is lost in a year as a whole; `oep`: `years` hold the largest event of each year, and there is
              no curve for all risks together
    seed    : of the resampling; the same years and seed have the same intervals
    returns : columns of CURVE; see `curve_of` for the figures
    raises  : ValueError for a column that is absent or a period below 2
    """
    parts = [CURVE.to_frame()]
    for key, sets in sets_of(years):
        if kind == "oep" and key[2] == ALL:  # the largest event of a year is one risk's
            continue
        points = curve_of(sets.model, sets.track, periods=periods, seed=seed)
        named = {name: pl.lit(value, YEARS[name]) for name, value in zip((*PAIR, "risk_type"), key, strict=True)}
        parts.append(points.select(**named, kind=pl.lit(kind), **{name: pl.col(name) for name in POINTS}))
    return pl.concat(parts)


def curve_of(
    model: ArrayLike | None = None,
    track: ArrayLike | None = None,
    *,
    periods: Sequence[float] = RETURN_PERIODS,
    seed: int = SEED,
) -> pl.DataFrame:
    """Curve of one loss, given by model years, by track years, or as the sum of both.

    model, track : (n,), (m,) losses of equally likely years, any unit, 0 or more
    returns      : `return_period`; `loss`; `loss_low` and `loss_high`, a 90 % interval, null where `basis` is
                   `empirical` and not `extrapolated`. Return periods that so few years say nothing of have no row
    raises       : ValueError without years, for a loss that is negative or missing, or a period below 2
    """
    sets = Sets.checked(model, track)
    wanted = _periods(periods)
    ordered = np.sort(sets.total())
    end = sets.shorter + 1.0
    inside, beyond = wanted[wanted <= end], wanted[(wanted > end) & (wanted <= rarest(sets.shorter))]
    empirical = np.array([plotted(ordered, period) for period in inside], np.float64)
    frames = [_points(inside, empirical, None)]
    found = _extrapolated(sets, beyond, seed) if beyond.size else None
    if found is not None:
        # a fit may fall short of the largest loss that was seen: a rarer year does not lose less
        floor = plotted(ordered, end)
        level = np.maximum.accumulate(np.maximum(found.level, floor))
        low = np.minimum(np.maximum.accumulate(found.low), level)
        high = np.maximum(np.maximum.accumulate(found.high), level)
        frames.append(_points(beyond, level, _Levels(level, low, high)))
    return pl.concat(frames)


def loss_steps(p: ArrayLike, damage_rates: ArrayLike) -> Floats:
    """Probability that a sample's loss reaches each damage rate: the steps of a cell's own curve.

    p            : (C, m), bin probabilities; NaN where unknown
    damage_rates : (m,), share of value, not descending; equal rates have the probability of the first of them
    returns      : (C, m), 1 for the first rate
    raises       : ValueError when shapes disagree or rates descend
    """
    probabilities, rates = np.asarray(p, np.float64), np.asarray(damage_rates, np.float64)
    if probabilities.ndim != 2 or rates.shape != probabilities.shape[1:] or (np.diff(rates) < 0).any():
        raise ValueError(f"bins are (cells, bins) with ascending rates, got {probabilities.shape} and {rates.tolist()}")
    reached = np.cumsum(probabilities[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(np.minimum(reached[:, np.searchsorted(rates, rates, side="left")], 1.0))


def rarest(years: int) -> float:
    """Return period beyond which so many years say nothing; infinite from 40 years on, their number + 1 below 20."""
    if years < MIN_VALID:
        return years + 1.0
    return 2.0 * years if years < ENOUGH_YEARS else float("inf")


def _periods(periods: Sequence[float]) -> Floats:
    wanted = np.unique(np.asarray(periods, np.float64))
    if wanted.ndim != 1 or not (np.isfinite(wanted) & (wanted >= 2.0)).all():
        raise ValueError(f"return periods are numbers of years, 2 or more, got {list(periods)}")
    return wanted


def _points(periods: Floats, losses: Floats, interval: _Levels | None) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "return_period": periods,
            "loss": losses,
            "loss_low": None if interval is None else interval.low,
            "loss_high": None if interval is None else interval.high,
            "basis": "empirical" if interval is None else "extrapolated",
        },
        schema=POINTS,
    )


def _extrapolated(sets: Sets, periods: Floats, seed: int) -> _Levels | None:
    """Losses beyond the years there are; None where too few have a loss, or no GEV fits."""
    if sets.model is None or sets.track is None:
        of_one = return_levels(sets.total()[None], periods, lower=0.0, seed=seed)
        return _Levels(of_one.level[0], of_one.low[0], of_one.high[0]) if of_one.method[0] == FITTED else None
    level = levels_of(sets.total()[None], periods)
    if np.isnan(level).any():
        return None
    random = np.random.Generator(np.random.PCG64(seed))
    model, track = (resample(losses, random.random((RESAMPLES, losses.size))) for losses in (sets.model, sets.track))
    drawn = np.concatenate(
        [
            levels_of(
                (model[part, :, None] + track[part, None, :]).reshape(-1, model.shape[1] * track.shape[1]), periods
            )
            for part in (slice(start, start + SLAB) for start in range(0, RESAMPLES, SLAB))
        ]
    )
    ends = [
        corrected_interval(column[~np.isnan(column)], each, sets.shorter)
        for column, each in zip(drawn.T, level[0], strict=True)
    ]
    low, high = np.maximum(np.array(ends).T, 0.0)
    return _Levels(level[0], low, high)


def levels_of(sums: Floats, periods: Floats, *, ordered: bool = False) -> Floats:
    """Losses (S, P) at return periods by a GEV of the losses (S, N) above zero; NaN where no GEV fits."""
    out = np.empty((len(sums), periods.size))
    # sorted here: numpy's sort is ten times as fast as a compiled loop's
    fill_levels_above_zero(sums if ordered else np.sort(sums, axis=1), periods, out)
    return out


def plotted(ordered: Floats, period: float) -> Floats:
    """Loss of a return period among ascending losses (..., n): the k-th largest has (n + 1) / k years."""
    n = ordered.shape[-1]
    rank = int((n + 1.0) / period + _HAIR)
    if rank < 1:
        raise ValueError(f"{n} years end at a return period of {n + 1}, asked for {period:g}")
    if rank >= n:
        return np.asarray(ordered[..., 0])
    upper, lower = ordered[..., n - rank], ordered[..., n - rank - 1]
    rare, often = (n + 1.0) / rank, (n + 1.0) / (rank + 1.0)
    return np.asarray(lower + (upper - lower) * min(max((period - often) / (rare - often), 0.0), 1.0))


def resample(losses: Floats, uniform: Floats) -> Floats:
    """Years (R, n) drawn from a GEV of the years with loss, zeros as often as they are; uniform (R, n), 0..1.

    Where no GEV fits, years are drawn from those that there are.
    """
    above = losses[losses > 0.0]
    share = above.size / losses.size
    fit = gev_fit(above[None], min_samples=MIN_ABOVE)
    if fit.code[0] != FITTED:
        return np.asarray(losses[(uniform * losses.size).astype(np.int64)])
    within = np.clip((uniform - (1.0 - share)) / share, 0.0, 1.0)
    drawn = gev_quantile(within.reshape(1, -1), fit.parameters).reshape(uniform.shape)
    return np.where(uniform < 1.0 - share, 0.0, np.maximum(drawn, 0.0))
