"""Error of the difference between two layers of the AAL of one risk, from what is stored of each. C cells.

Two losses that stand on different years are independent, and the variances of both add. Losses that share years are
not. Their dependence is stored for one pair only, a window and the short term of its scenario (`change`, `change_se`);
of any other pair the error is not known, but it has an upper end:

- where no year can move the two losses in opposite directions, the covariance is not negative, so the error is at most
  the root of the sum of squares;
- the error of a difference is never more than the sum of both errors, whatever the dependence (Cauchy and Schwarz);
- between two later windows of a scenario it is never more than the sum of the errors of their changes.

- where both stand on the same years and the losses of these are kept (storms of the track record), the years tell it.

The smallest end that holds is taken. A test by an error that is too large finds fewer differences, and never more
false ones.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
#: of the layer that is shown to the one it is compared with
Link = Literal["reference is the short term", "shown is the short term", "two later windows", "two scenarios"]


class Loss(NamedTuple):
    """A layer of the AAL: (C,) each, shares of value. aal, error: the loss and its standard error; change, doubt: its
    change against the short term of the same scenario, and the standard error of that. NaN: not known."""

    aal: Floats
    error: Floats
    change: Floats
    doubt: Floats


def difference(shown: Loss, reference: Loss, link: Link, *, opposed: bool) -> tuple[Floats, Floats]:
    """Loss of `shown` less that of `reference`, and its standard error or an upper end of it, (C,) each.

    opposed : a year may move the two losses in opposite directions: it is in the samples of one and under the edges of
              the other, or both follow a line through the same years
    returns : NaN where a loss is not known; the error NaN where one of both errors is not
    """
    if link == "reference is the short term":
        return shown.change.astype(np.float64), shown.doubt.astype(np.float64)
    if link == "shown is the short term":
        return -reference.change.astype(np.float64), reference.doubt.astype(np.float64)
    moved = shown.aal.astype(np.float64) - reference.aal
    errors = shown.error.astype(np.float64), reference.error.astype(np.float64)
    most = errors[0] + errors[1] if opposed else np.hypot(*errors)
    if link == "two later windows":
        most = np.fmin(most, shown.doubt.astype(np.float64) + reference.doubt)
    return moved, most


def error_by_years(first: Floats, second: Floats, errors: tuple[Floats, Floats]) -> Floats:
    """Standard error of the difference of two losses on the same years, (C,), by the losses of these years.

    first, second : (C, Y) losses of the years; errors: standard errors of both losses, (C,) each
    returns       : that of the mean difference of a year, times what else is in `errors` beside the spread of years
                    (the bandwidth): the larger of their ratios to the standard errors of the mean year. NaN: not known
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    root = math.sqrt(one.shape[1])
    means = [each.std(axis=1, ddof=1) / root for each in (one, other)]
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.maximum(errors[0] / means[0], errors[1] / means[1])
    return np.asarray((one - other).std(axis=1, ddof=1) / root * np.maximum(more, 1.0))
