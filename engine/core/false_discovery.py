"""Changes of a map that are more than noise: of many that are tested one by one, one in ten would pass by chance."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: share of false ones that a map may have among the changes that it shows as real
FALSE_DISCOVERIES = 0.1


def not_told_apart(difference: ArrayLike, error: ArrayLike) -> NDArray[np.bool_]:
    """Cells that a map hatches: their change is known and not more than noise; cells that a hazard cannot reach, whose
    change is 0 without error, are not among them. difference, error: (C,), as of `real_changes`"""
    change, doubt = np.asarray(difference, np.float64), np.asarray(error, np.float64)
    known = ~np.isnan(change) & ~((change == 0.0) & (doubt == 0.0))
    return np.asarray(known & ~real_changes(change, doubt))


def real_changes(difference: ArrayLike, error: ArrayLike, rate: float = FALSE_DISCOVERIES) -> NDArray[np.bool_]:
    """Changes of a map that are more than noise, of which a share `rate` may be false (Benjamini and Hochberg).

    difference, error : (C,), the change of each cell and its standard error; NaN: not known
    returns           : (C,), False where not known
    source            : Benjamini and Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    difference, error = np.asarray(difference, np.float64), np.asarray(error, np.float64)
    if difference.shape != error.shape or difference.ndim != 1:
        raise ValueError(f"changes and errors must be two lists of one length, got {difference.shape}, {error.shape}")
    known = ~np.isnan(difference) & (error > 0)
    real = np.zeros(len(difference), np.bool_)
    z = np.abs(difference[known] / error[known])
    ordered, count = np.sort(z), z.size
    found = count
    # of the found ones the least likely has p <= rate found / count: from all of them down to the most that have it
    while found:
        limit = -NormalDist().inv_cdf(rate * found / (2 * count))  # of both sides
        more = count - int(np.searchsorted(ordered, limit))
        if more == found:
            real[known] = z >= limit
            break
        found = more
    return real
