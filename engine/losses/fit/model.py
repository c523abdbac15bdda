"""The model, its forms, and the fit of all forms at once.

Loss ratio of a year, or of a storm, with time since 2003 in one of two forms:

    ratio = k(year) (a sum over stations of share x h(T) + c sum over municipalities of share x f(wind)) x error
    h(T) = max(log(T / T0), 0)^p of one-day and of five-day rain, half each
    f = Emanuel's u^3 / (1 + u^3) of u = (v - v0) / (half - v0)

a, c and the time term are fitted in each form (T0, p, v0, time) of a grid, with log-normal errors of years and storms.
A form counts by its evidence (Laplace). Nothing is chosen outside of what is fitted, so a fold chooses its own forms.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import EngineError
from engine.losses.fit.hazard import Hazard

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: forms: years below which rain does no damage; power; m/s below which wind does none; decline of loss with time
THRESHOLDS, POWERS = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0), (0.5, 1.0, 1.5, 2.0)
WINDS, TIMES = (10.0, 15.0, 20.0), ("step", "line")
#: m/s at which half of what can be lost is lost, 150 kt: Emanuel (2011), doi:10.1175/WCAS-D-11-00007.1; not fitted
HALF = 77.0
#: of heavy rain's loss that is urban flood, the rest is river flood; assumed, for no record splits them
URBAN_SHARE = 0.5
#: the year of the step, and that from which the line counts decades
STEP, ORIGIN = 2003, 2000
#: below it no loss is recorded
FLOOR = 1e-7
#: priors, mean and standard deviation: logs of a and c, time term (half of the log step, or log decline a decade),
#: logs of the errors of years and storms. Wide but for the errors, that a few years alone cannot tell
MEAN, SPREAD = np.array([np.log(1e-3), np.log(0.1), -1.2]), np.array([3.0, 3.0, 1.0])
ERROR_MEAN, ERROR_SPREAD = np.array([np.log(0.8), np.log(1.3)]), np.array([0.4, 0.3])
#: storms of similar wind
ALIKE = 15
_ROUNDS, _PLAIN, _CLOSE = 400, 40, 1e-9
_LONGEST = 0.7  # of a step, so that it stays where the curvature holds


class Form(NamedTuple):
    """One form of the model."""

    threshold: float
    power: float
    wind: float
    time: str


class Data(NamedTuple):
    """What is fitted: N years and storms, G forms.

    log    : log of the recorded ratio, (N,)
    year   : (N,)
    storm  : whether it is a storm, (N,)
    name   : (N,)
    rain   : (G, N), wind : (G, N), features
    time   : (G, N), factor of the time term
    """

    log: Floats
    year: NDArray[np.int64]
    storm: Bools
    name: tuple[str, ...]
    rain: Floats
    wind: Floats
    time: Floats
    forms: tuple[Form, ...]


class Fit(NamedTuple):
    """Of each form: a, c and time term (G, 3), logs of the errors (G, 2), weight (G,), residuals of all data (G, N)."""

    theta: Floats
    errors: Floats
    weight: Floats
    residual: Floats


def forms() -> tuple[Form, ...]:
    """The grid."""
    return tuple(Form(*each) for each in product(THRESHOLDS, POWERS, WINDS, TIMES))


def damage(log_period: Floats, threshold: float, power: float) -> Floats:
    """h of log return periods."""
    excess = log_period - np.log(threshold)
    return np.asarray(np.where(excess > 0, np.maximum(excess, 0.0) ** power, 0.0))


def wind_damage(wind: Floats, threshold: float) -> Floats:
    """f of winds, m/s."""
    cube = (np.maximum(wind - threshold, 0.0) / (HALF - threshold)) ** 3
    return np.asarray(cube / (1.0 + cube))


def decline(time: str, year: Floats) -> Floats:
    """What the time term is multiplied with."""
    return np.asarray(2.0 * (year > STEP) if time == "step" else (year - ORIGIN) / 10.0, float)


def rain_of(hazard: Hazard, form: Form) -> tuple[Floats, Floats]:
    """Feature of all years (Y,) and storms (E,); NaN for a storm beyond the rain record."""
    return _wet(hazard.rain, hazard.station, form), _wet(hazard.storm_rain, hazard.storm_share, form)


def wind_of(hazard: Hazard, form: Form) -> tuple[Floats, Floats]:
    """Feature of all years (Y,), NaN before winds are stated, and storms (E,)."""
    return wind_damage(hazard.wind, form.wind) @ hazard.share, wind_damage(hazard.storm_wind, form.wind) @ hazard.share


def data_of(hazard: Hazard, yearly: dict[int, float], grid: tuple[Form, ...] | None = None) -> Data:
    """Features of the years of `yearly` (year -> ratio) and of the hazard's storms."""
    grid = grid or forms()
    row = np.searchsorted(hazard.years, list(yearly))
    rain, wind = [], []
    for form in grid:
        (of_years, of_storms), (windy, stormy) = rain_of(hazard, form), wind_of(hazard, form)
        rain.append(np.concatenate([of_years[row], _filled(hazard, form, of_storms, stormy)]))
        wind.append(np.concatenate([windy[row], stormy]))
    year = np.array([*yearly, *(target.year for target in hazard.storms)])
    ratio = np.array([*yearly.values(), *(target.ratio for target in hazard.storms)])
    return Data(
        np.log(ratio + FLOOR),
        year,
        np.arange(len(year)) >= len(yearly),
        tuple([str(each) for each in yearly] + [target.name for target in hazard.storms]),
        np.stack(rain),
        np.stack(wind),
        np.stack([decline(form.time, year) for form in grid]),
        grid,
    )


def _filled(hazard: Hazard, form: Form, rain: Floats, wind: Floats) -> Floats:
    """Rain of storms; of one beyond the rain record the mean of the storms of most similar wind, whatever they cost.

    Storms with a recorded loss would not do: they are recorded because it rained.
    """
    others = hazard.others
    wet = _wet(others.rain, others.station, form)
    windy = np.log(wind_damage(others.wind, form.wind) @ hazard.share + FLOOR)
    out = rain.copy()
    for at in np.flatnonzero(np.isnan(rain)):
        out[at] = wet[np.argsort(np.abs(windy - np.log(wind[at] + FLOOR)), kind="stable")[:ALIKE]].mean()
    return out


def _wet(rain: tuple[Floats, Floats], share: Floats, form: Form) -> Floats:
    """Feature of rain; NaN where it is not known."""
    urban, river = ((share * damage(each, form.threshold, form.power)).sum(axis=1) for each in rain)
    whole = URBAN_SHARE * urban + (1 - URBAN_SHARE) * river
    return np.asarray(np.where(np.isnan(rain[0]).any(axis=1), np.nan, whole))


def fit(data: Data, weight: Floats) -> Fit:
    """Most probable parameters of every form, and how much a form counts.

    weight  : (N,), 0 for what is held out
    raises  : EngineError when a form does not settle
    """
    count = len(data.forms)
    theta, errors = np.tile(MEAN, (count, 1)), np.tile(ERROR_MEAN, (count, 1))
    for number in range(_ROUNDS):
        residual, slope = _residual(data, theta)
        curvature, inverse = _curvature(data, slope, errors, weight)
        gradient = np.einsum("gn,gnk->gk", inverse * residual, slope) - (theta - MEAN) / SPREAD**2
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        step *= np.minimum(1.0, _LONGEST / np.maximum(np.abs(step).max(axis=1), _CLOSE))[:, None]
        theta = theta + (step if number < _PLAIN else step / 2)  # some forms swing around their optimum
        errors, moved = _errors(data, _residual(data, theta)[0], errors, weight)
        if max(float(np.abs(step).max()), moved) < _CLOSE:
            break
    else:
        raise EngineError(
            f"the fit of a form did not settle in {_ROUNDS} rounds: look for a year or storm far off the rest"
        )
    residual, slope = _residual(data, theta)
    return Fit(theta, errors, _evidence(data, theta, errors, (residual, slope), weight), residual)


def _residual(data: Data, theta: Floats) -> tuple[Floats, Floats]:
    """Log recorded less log modelled (G, N), and the slope of the model (G, N, 3)."""
    rain, wind = np.exp(theta[:, :1]) * data.rain, np.exp(theta[:, 1:2]) * data.wind
    whole = rain + wind + FLOOR
    slope = np.stack([rain / whole, wind / whole, data.time], axis=2)
    return data.log - np.log(whole) - theta[:, 2:] * data.time, slope


def _curvature(data: Data, slope: Floats, errors: Floats, weight: Floats) -> tuple[Floats, Floats]:
    inverse = weight * np.where(data.storm, np.exp(-2 * errors[:, 1:]), np.exp(-2 * errors[:, :1]))
    return np.einsum("gn,gnk,gnl->gkl", inverse, slope, slope) + np.diag(1 / SPREAD**2), inverse


def _errors(data: Data, residual: Floats, errors: Floats, weight: Floats) -> tuple[Floats, float]:
    """A Newton step of the logs of both errors."""
    out = errors.copy()
    for kind, mask in enumerate((~data.storm, data.storm)):
        square, number = (weight * residual**2)[:, mask].sum(axis=1), (weight * mask).sum()
        scaled = square * np.exp(-2 * errors[:, kind])
        slope = number - scaled + (errors[:, kind] - ERROR_MEAN[kind]) / ERROR_SPREAD[kind] ** 2
        out[:, kind] -= np.clip(slope / (2 * scaled + 1 / ERROR_SPREAD[kind] ** 2), -0.5, 0.5)
    return out, float(np.abs(out - errors).max())


def _evidence(data: Data, theta: Floats, errors: Floats, at: tuple[Floats, Floats], weight: Floats) -> Floats:
    """Weights of the forms by Laplace's approximation."""
    residual, slope = at
    curvature, inverse = _curvature(data, slope, errors, weight)
    spread = np.where(data.storm, errors[:, 1:], errors[:, :1])
    log = -(0.5 * inverse * residual**2 + weight * spread).sum(axis=1)
    log -= 0.5 * (((theta - MEAN) / SPREAD) ** 2).sum(axis=1)
    log -= 0.5 * (((errors - ERROR_MEAN) / ERROR_SPREAD) ** 2).sum(axis=1)
    log -= 0.5 * np.linalg.slogdet(curvature)[1]
    for kind, mask in enumerate((~data.storm, data.storm)):
        scaled = (weight * mask * residual**2).sum(axis=1) * np.exp(-2 * errors[:, kind])
        log -= 0.5 * np.log(2 * scaled + 1 / ERROR_SPREAD[kind] ** 2)
    share = np.exp(log - log.max())
    return np.asarray(share / share.sum())
