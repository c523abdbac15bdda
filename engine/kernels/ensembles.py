"""Figures of an ensemble: one average annual loss (AAL) a climate model. R rows, m members, m >= 2.

The variance B between the members' figures holds the variance W of their sampling already. So the climate models
themselves differ by B - W, and the standard error of the figure that a further model would have is, with independent
sampling,

    total_se^2 = max(B - W, 0) (1 + 1 / m) + W / m

Where all members draw on one record (tracks of typhoons that were observed), their sampling errors are the same: they
are not in B and do not average out, so total_se^2 = B (1 + 1 / m) + W.

Members are put in order of their values before anything is added up: results do not depend on the order of runs, byte
for byte. Percentiles are those of numpy's and xclim's default (linear between the values).

Source: IPCC AR6 WG1, Cross-Chapter Box Atlas.1 (agreement of 80 % of the models on the sign of a change).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.kernels.normal import student95

Floats = NDArray[np.float64]

#: fewest members of which percentiles are taken; below, the least and the largest value stand for them
MIN_MEMBERS_OF_PERCENTILES = 10
#: share of members that must agree on the sign of a change (AR6); with fewer the models disagree
ENOUGH_AGREE = 0.8


class EnsembleFigures(NamedTuple):
    """(R,) each, share of value a year; NaN in a row where a member has no AAL.

    sd_between    : standard deviation between members, divisor m - 1
    p10, p50, p90 : percentiles; p10 and p90 are the least and the largest value of fewer than 10 members
    total_se      : standard error, of models and sampling; NaN also where a standard error is missing
    """

    mean: Floats
    sd_between: Floats
    p10: Floats
    p50: Floats
    p90: Floats
    total_se: Floats


def ensemble_figures(aal: Floats, aal_se: Floats, *, shared_record: bool = False) -> EnsembleFigures:
    """Mean, spread and standard error over the members.

    aal, aal_se   : (R, m), share of value a year; NaN: none
    shared_record : all members draw on the same sample of years
    raises        : ValueError for shapes that differ, or fewer than 2 members
    """
    if aal.ndim != 2 or aal.shape != aal_se.shape or aal.shape[1] < 2:
        raise ValueError(f"expected (rows, members) of 2 members or more, got {aal.shape} and {aal_se.shape}")
    members = aal.shape[1]
    ordered, variances = np.sort(aal.astype(np.float64), axis=1), np.sort(aal_se.astype(np.float64) ** 2, axis=1)
    ordered[np.isnan(ordered[:, -1])] = np.nan  # NaN is sorted last
    mean = ordered.sum(axis=1) / members
    between = ((ordered - mean[:, None]) ** 2).sum(axis=1) / (members - 1)
    sampling = variances.sum(axis=1) / members
    if shared_record:
        total = between * (1 + 1 / members) + sampling
    else:
        total = np.maximum(between - sampling, 0.0) * (1 + 1 / members) + sampling / members
    low, high = (0.1, 0.9) if members >= MIN_MEMBERS_OF_PERCENTILES else (0.0, 1.0)
    # a mean of equal values may be off by the last bit
    mean = np.clip(mean, ordered[:, 0], ordered[:, -1])
    p10, p50, p90 = (_percentile(ordered, share) for share in (low, 0.5, high))
    return EnsembleFigures(mean, np.sqrt(between), p10, p50, p90, np.sqrt(total))


def _percentile(ordered: Floats, share: float) -> Floats:
    place = share * (ordered.shape[1] - 1)
    at = min(int(place), ordered.shape[1] - 2)
    lower, upper = ordered[:, at], ordered[:, at + 1]
    return np.asarray(np.clip(lower + (place - at) * (upper - lower), lower, upper))


def sign_agreement(change: Floats) -> Floats:
    """Share of members whose change has the sign of the mean change.

    change  : (R, m), of the AAL
    returns : (R,), 0 to 1; NaN in a row where a member has no change. Where the mean is 0, the share of members without
              a change
    """
    ordered = np.sort(change.astype(np.float64), axis=1)
    mean = ordered.sum(axis=1, keepdims=True)
    agreeing = (np.sign(ordered) == np.sign(mean)).mean(axis=1)
    return np.asarray(np.where(np.isnan(mean[:, 0]), np.nan, agreeing))


def total_interval(mean: float, total_se: float | None, members: int) -> tuple[float, float] | None:
    """90 % interval of an ensemble's AAL, Student's with m - 1 degrees, within 0..1; None without a standard error."""
    if total_se is None:
        return None
    reach = _student95(members - 1) * total_se
    return max(mean - reach, 0.0), min(mean + reach, 1.0)


def _student95(degrees: int) -> float:
    """95 % quantile of Student's distribution; exact for 1 and 2 degrees, where the series of `student95` is not."""
    if degrees == 1:
        return math.tan(0.45 * math.pi)
    if degrees == 2:
        return 0.9 * math.sqrt(2 / 0.19)
    # one number: compiling takes a thousand times as long
    plain = getattr(student95, "py_func", student95)
    return float(plain(float(degrees)))
