"""Parameters by which cells are estimated: the bandwidth of the kernel density, and the fitted distribution.

The estimates hold probabilities and losses; these say what they were made with. C cells, n samples.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.kernels import fits, kde, lmoments
from engine.kernels._compile import helper
from engine.kernels.arrays import by_cell

Floats = NDArray[np.float64]


class Curves(NamedTuple):
    """Distributions fitted to C cells; NaN where none was."""

    share_at_lower: Floats  # (C,), of the samples: the atom
    location: Floats  # (C,), the samples' unit; gamma and weibull: the bound
    scale: Floats  # (C,), the samples' unit
    shape: Floats  # (C,); of a gev Hosking's k, positive with an upper end


def bandwidths(x: ArrayLike, *, lower: float | None = None, atom: bool = False) -> Floats:
    """Scott's bandwidth of the samples of each cell that a kernel density smooths.

    x       : (C, n), any unit; NaN is a missing sample; lower, atom: as in `bin_probabilities`
    returns : (C,), same unit; 0 where samples have no spread, or there are fewer than two
    raises  : ValueError when x is no matrix of numbers
    """
    samples = _samples(x)
    out = np.zeros(len(samples))
    for c, row in enumerate(samples):
        kept = row[~np.isnan(row) & ~(atom & (row == lower))]
        if kept.size > 1 and kept.min() < kept.max():
            out[c] = kde.scott_bandwidth(kept, kept.size)
    return out


def fitted_curves(x: ArrayLike, *, fit: str, lower: float | None = None, atom: bool = False) -> Curves:
    """Distribution that `fitted_probabilities` fits to the samples of each cell.

    x, fit, lower, atom : as there
    raises : ValueError as there
    """
    samples = fits.checked(x, fit, lower, atom)
    out = np.full((len(samples), 4), np.nan)
    bound = math.nan if lower is None else float(lower)
    _fill_curves(samples, fits.FAMILIES.index(fit), bound, bool(atom), out)
    return Curves(*out.T)


def _samples(x: ArrayLike) -> Floats:
    samples = by_cell(x, "x")
    if samples.ndim != 2 or samples.dtype.kind not in "fiu":
        raise ValueError(f"samples must be numbers of shape (cells, samples), got {samples.dtype} {samples.shape}")
    return np.require(samples, np.float64, ["C", "A", "W"])


@helper
def _fill_curves(x: Floats, family: int, lower: float, atom: bool, out: Floats) -> None:
    for c in range(len(x)):
        above, at = fits.split(x[c], lower, atom)
        curve = fits.fit_curve(above, at, family, lower, 0, fits.MIN_ABOVE)
        if curve.code == lmoments.FITTED:
            out[c, 0], out[c, 1], out[c, 2], out[c, 3] = curve.a, curve.location, curve.scale, curve.shape
