"""Damage rates of bins, as an edition holds them: from the fitted model at the last fitted year.

All are of level A, all recorded loss; the factor to insured houses is `level`'s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gamma, gammaincc

from engine.losses.fit import model
from engine.losses.fit.hazard import Hazard
from engine.losses.fit.model import Data, Fit, Form
from engine.losses.fit.skill import Draws

Floats = NDArray[np.float64]

#: edges of floods, return periods in years, and of typhoon, m/s
PERIODS = (2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
WIND_EDGES = (10.0, 14.0, 17.2, 20.0, 23.0, 26.0, 29.0, 33.0, 37.0, 41.0, 46.0)
#: the top bin of wind is as a wind of this, and a rate is no more than all
_STRONGEST = 55.0
_STEPS = 50


class Rates(NamedTuple):
    """Shares of value lost in each bin, mildest first: floods (7,), typhoon (12,)."""

    urban: Floats
    river: Floats
    typhoon: Floats


def of_fit(data: Data, found: Fit, year: int) -> Rates:
    """Mean over the forms."""
    every = [_rates(form, found.theta[at], found.errors[at], year) for at, form in enumerate(data.forms)]
    return Rates(*(found.weight @ np.stack([getattr(each, part) for each in every]) for part in Rates._fields))


def of_draws(data: Data, drawn: Draws, year: int) -> list[Rates]:
    """One set of rates a draw."""
    return [
        _rates(data.forms[form], theta, errors, year)
        for form, theta, errors in zip(drawn.form, drawn.theta, drawn.errors, strict=True)
    ]


def flood_probabilities() -> Floats:
    """Of the bins between return periods, (7,)."""
    beyond = np.concatenate([[1.0], 1.0 / np.array(PERIODS), [0.0]])
    return np.asarray(-np.diff(beyond))


def national(hazard: Hazard, rates: Rates) -> tuple[float, float]:
    """Mean AAL where persons live, as the engine computes it: of both floods together, and of typhoon."""
    winds = hazard.wind[~np.isnan(hazard.wind).any(axis=1)]
    typhoon = rates.typhoon[np.digitize(winds, WIND_EDGES)].mean(axis=0) @ hazard.persons
    return float(flood_probabilities() @ (rates.urban + rates.river)), float(typhoon)


def _rates(form: Form, theta: Floats, errors: Floats, year: int) -> Rates:
    last = float(model.decline(form.time, np.array([float(year)]))[0])
    level = np.exp(theta[2] * last + np.exp(errors[0]) ** 2 / 2)
    flood = level * np.exp(theta[0]) * _mean_damage(form)
    typhoon = level * np.exp(theta[1]) * _mean_wind_damage(form)
    of_bins = model.URBAN_SHARE * flood, (1 - model.URBAN_SHARE) * flood, typhoon
    return Rates(*(np.minimum(np.maximum.accumulate(each), 1.0) for each in of_bins))


def _mean_damage(form: Form) -> Floats:
    """Mean of h between return periods: a year is rarer than T with probability 1 / T."""
    edges = np.log(np.concatenate([[1.0], PERIODS]))
    excess = np.maximum(edges - np.log(form.threshold), 0.0)
    above = gamma(form.power + 1) * gammaincc(form.power + 1, np.append(excess, np.inf)) / form.threshold
    return np.asarray(-np.diff(above) / flood_probabilities())


def _mean_wind_damage(form: Form) -> Floats:
    edges = np.concatenate([[0.0], WIND_EDGES, [2 * _STRONGEST - WIND_EDGES[-1]]])
    inside = np.linspace(edges[:-1], edges[1:], _STEPS)
    return np.asarray(model.wind_damage(inside, form.wind).mean(axis=0))
