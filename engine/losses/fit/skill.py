"""Errors on years and storms that a fit has not seen, sums of what is held out, and draws of the parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from engine.losses.fit import model
from engine.losses.fit.model import Data, Fit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SEED, DRAWS = 20261128, 100
#: of a band, 90 %
LOW, HIGH = 5.0, 95.0
#: answers drawn beside each draw of the parameters
_ERRORS = 200


class Draws(NamedTuple):
    """Parameters drawn together: form of each (D,), a, c and time term (D, 3), logs of the errors (D, 2)."""

    form: NDArray[np.int64]
    theta: Floats
    errors: Floats


class Sum(NamedTuple):
    """Sum of what was held out, shares of assets: recorded, and the model's mean with its 90 % band."""

    recorded: float
    modelled: float
    low: float
    high: float

    @property
    def factor(self) -> float:
        """Modelled over recorded."""
        return self.modelled / self.recorded


def error_factor(residual: Floats) -> float:
    """Factor of a typical error, exp of the root mean square of log errors."""
    return float(np.exp(np.sqrt(np.mean(np.square(residual)))))


def median(data: Data, found: Fit) -> Floats:
    """Log of the modelled ratio, mean over the forms (N,)."""
    return np.asarray(data.log - (found.weight[:, None] * found.residual).sum(axis=0))


def mean(data: Data, found: Fit) -> Floats:
    """Modelled mean ratio, exp(mu + s^2 / 2) of each form (N,)."""
    spread = np.where(data.storm, found.errors[:, 1:], found.errors[:, :1])
    return np.asarray((found.weight[:, None] * np.exp(data.log - found.residual + np.exp(spread) ** 2 / 2)).sum(axis=0))


def left_out_years(data: Data, blocks: Iterable[Sequence[int]], used: Bools) -> Floats:
    """Log errors of the years (N,), NaN for others; each told by a fit without its block: total and storms."""
    out = np.full(len(data.log), np.nan)
    for block in blocks:
        inside = np.isin(data.year, block)
        found = model.fit(data, (used & ~inside).astype(float))
        of_years = inside & ~data.storm
        out[of_years] = (data.log - median(data, found))[of_years]
    return out


def left_out_storms(data: Data, used: Bools) -> Floats:
    """Log errors of the storms (N,), NaN for others; each told by a fit without it and the total that holds it."""
    out = np.full(len(data.log), np.nan)
    for at in np.flatnonzero(data.storm & used):
        weight = used.astype(float)
        weight[at] = 0.0
        weight[~data.storm & (data.year == data.year[at])] = 0.0
        out[at] = (data.log - median(data, model.fit(data, weight)))[at]
    return out


def naive_years(data: Data) -> float:
    """Error factor of the mean of the other years alone."""
    log = data.log[~data.storm]
    return error_factor((log - log.mean()) * len(log) / (len(log) - 1))


def naive_storms(data: Data, used: Bools) -> float:
    """Error factor of the mean of the other storms alone."""
    log = data.log[data.storm & used]
    return error_factor((log - log.mean()) * len(log) / (len(log) - 1))


def rank_of_years(data: Data, residual: Floats) -> float:
    """Spearman correlation of recorded and left-out modelled years, both less their linear trend."""
    at = ~data.storm
    recorded, year = data.log[at], data.year[at].astype(float)
    modelled = recorded - residual[at]
    return float(spearmanr(*(each - np.polyval(np.polyfit(year, each, 1), year) for each in (recorded, modelled)))[0])


def draw(data: Data, used: Bools, count: int = DRAWS) -> Draws:
    """Joint draws of the parameters by a bootstrap over years, a storm with its year; each from one form by its weight.

    source : Bayesian bootstrap, Rubin (1981), doi:10.1214/aos/1176345338
    """
    years = np.unique(data.year[used])
    form, theta, errors = [], [], []
    for number in range(count):
        chance = np.random.default_rng([SEED, number])
        counts = chance.exponential(size=len(years))
        of_year = dict(zip(years.tolist(), counts / counts.mean(), strict=True))
        weight = np.array([of_year.get(year, 0.0) for year in data.year.tolist()]) * used
        found = model.fit(data, weight)
        chosen = min(int(np.searchsorted(np.cumsum(found.weight), chance.random())), len(data.forms) - 1)
        form.append(chosen)
        theta.append(found.theta[chosen])
        errors.append(found.errors[chosen])
    return Draws(np.array(form), np.stack(theta), np.stack(errors))


def held_out(data: Data, used: Bools, asked: Bools) -> Sum:
    """Sum over what is asked, told by a fit to what is used."""
    found = model.fit(data, used.astype(float))
    drawn = draw(data, used)
    at, chance = np.flatnonzero(asked), np.random.default_rng(SEED)
    rain = np.exp(drawn.theta[:, :1]) * data.rain[drawn.form][:, at]
    wind = np.exp(drawn.theta[:, 1:2]) * data.wind[drawn.form][:, at]
    middle = np.log(rain + wind + model.FLOOR) + drawn.theta[:, 2:] * data.time[drawn.form][:, at]
    spread = np.exp(np.where(data.storm[at], drawn.errors[:, 1:], drawn.errors[:, :1]))
    error = chance.standard_normal((_ERRORS, *middle.shape))
    sums = np.exp(middle + spread * error).sum(axis=2).ravel()
    low, high = np.percentile(sums, [LOW, HIGH])
    return Sum(float(np.exp(data.log[at]).sum()), float(mean(data, found)[at].sum()), float(low), float(high))
