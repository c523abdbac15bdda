"""Bin probabilities of a hazard intensity, their average annual loss, its standard error and the losses of the years.

C cells, n samples a cell in Y = n / group years, m bins with m - 1 inner edges. Which estimator a cell gets is decided
in `estimator`, by the number and the spread of its samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.kernels import kde
from engine.kernels.arrays import by_cell, numbers
from engine.kernels.estimator import BLOCK, INSUFFICIENT, Baseline, Estimates, Estimator, fill
from engine.kernels.face import of_cells

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

#: the last three are set by callers: they know the place, whether its edition prices the risk, and another fit
METHODS = ("insufficient_data", "count", "kde", "not_exposed", "not_priced", "fitted")

SLAB = 1 << 20  # samples converted to float64 at a time: they stay in cache, and a float32 panel is not doubled


@dataclass(frozen=True, eq=False)
class BinProbabilities(Sequence[Any]):
    """Results of `bin_probabilities` for C cells and m bins; NaN where there were too few samples.

    As a sequence it is its first five fields: `p, aal, aal_se, n, method = bin_probabilities(...)`.
    """

    p: Floats  # (C, m), each row sums to 1
    aal: Floats | None  # (C,), share of value a year; None without damage rates
    aal_se: Floats | None  # (C,), its standard error; NaN also where it cannot be told
    n: Ints  # (C,), valid samples: years, or months of a monthly risk
    method: NDArray[np.uint8]  # (C,), index into METHODS
    aal_low: Floats | None = None  # (C,), lower end of its 90 % interval; NaN where it cannot be told
    aal_high: Floats | None = None  # (C,), upper end
    moves: Floats | None = None  # (C, Y + Y0), change of the AAL without each year: of the samples, of the baseline

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: Any) -> Any:
        return (self.p, self.aal, self.aal_se, self.n, self.method)[index]


class YearLosses(NamedTuple):
    """The loss of each year of C cells, Y years in the order of the samples."""

    loss: Floats  # (C, Y), share of value; NaN for a year without a valid sample, and where there is no AAL
    samples: Ints  # (C, Y), valid samples of each year, of `group`
    group: int

    @property
    def valid(self) -> Floats:
        """(C, Y), share of each year's samples that is valid, 0..1."""
        return self.samples / self.group

    def completed(self, aal: Floats) -> Floats:
        """(C, Y): what is missing of a year counts as the average year, so that the plain mean of the years is the AAL.

        aal : (C,), of the same estimate
        """
        average, valid = np.asarray(aal)[:, None], self.valid
        return np.where(valid > 0, valid * self.loss + (1 - valid) * average, average)


class _Options(TypedDict, total=False):
    lower: float | None
    atom: bool
    boundary: Literal["reflect", "truncate"]
    min_kde_samples: int
    group: int
    span: int
    baseline: Baseline | None
    moves: bool
    spread: ArrayLike | None


_DEFAULTS: _Options = {
    "lower": None,
    "atom": False,
    "boundary": "reflect",
    "min_kde_samples": 16,
    "group": 1,
    "span": 1,
    "baseline": None,
    "moves": False,
    "spread": None,
}


@of_cells("x")
def bin_probabilities(  # many: options by keyword, each with a default
    x: ArrayLike,
    edges: ArrayLike,
    *,
    lower: float | None = None,
    atom: bool = False,
    boundary: Literal["reflect", "truncate"] = "reflect",
    damage_rates: ArrayLike | None = None,
    min_kde_samples: int = 16,
    group: int = 1,
    span: int = 1,
    baseline: Baseline | None = None,
    moves: bool = False,
    spread: ArrayLike | None = None,
) -> BinProbabilities:
    """Probability that the hazard intensity of each cell falls in each bin, and the loss that follows.

    x            : (C, n), the risk's unit; NaN is a missing sample. Any memory layout, float32 or float64; masked and
                   labelled arrays as `engine.kernels.arrays` takes them.
    edges        : (m - 1,) or (C, m - 1), same unit, ascending inner edges; a bin holds its lower edge, the outer bins
                   are open. Equal edges make an empty bin. NaN only in cells without enough samples.
    lower        : bound of the support, same unit; no sample may lie below it
    atom         : samples equal to `lower` mean "no event": a point mass in the first bin
    boundary     : how the density keeps to `lower`: "reflect" it there, or "truncate" and renormalise it
    damage_rates : (m,), share of value lost in each bin, 0..1
    min_kde_samples : fewer valid samples (with an atom: fewer above it) are counted, not smoothed
    group        : samples of one year side by side in x; 12 for a monthly risk, whose months are not independent
    span         : years next to each other that depend on each other: the interval leaves so many out at a time
    baseline     : of edges that were estimated: the interval then holds their error as well
    moves        : give the changes of the AAL without each year, too, in first order; 0 for a year without a sample
    spread       : (C,) standard deviations that the bandwidths are made of, same unit, taken as known; for samples
                   whose own spread is not all chance. 0: the cell is counted

    A cell with fewer than 10 valid samples, or more than a fifth of its n missing, is `insufficient_data`. Samples that
    are too few to smooth, or all equal (closer than 1e-150), are counted; the rest is a Gaussian KDE with Scott's
    bandwidth. The loss is AAL = sum_i p_i * rate_i, and its standard error the spread of the samples' parts in it: over
    samples, or with group > 1 over the means of years with any valid sample, plus twice their lag-1 covariance if that
    is positive (over pairs of adjacent years that are both there). It is NaN when counting finds one bin only, or when
    there is one year only; it takes bandwidth and edges as known. The 90 % interval of `intervals` does not.

    raises : ValueError when shapes disagree, edges do not ascend, rates leave 0..1, a sample is infinite (or beyond
             1e150), below `lower`, or an option contradicts another; the message counts the offenders
    source : Silverman (1986), Density Estimation for Statistics and Data Analysis, ch. 2
    """
    options: _Options = {
        "lower": lower,
        "atom": atom,
        "boundary": boundary,
        "min_kde_samples": min_kde_samples,
        "group": group,
        "span": span,
        "baseline": baseline,
        "moves": moves,
        "spread": spread,
    }
    found = _found(x, edges, damage_rates, by_year=False, options=options)
    return _probabilities(found, has_loss=damage_rates is not None)


@of_cells("x")
def bin_year_losses(
    x: ArrayLike, edges: ArrayLike, *, damage_rates: ArrayLike, **options: Unpack[_Options]
) -> tuple[BinProbabilities, YearLosses]:
    """`bin_probabilities`, and the loss of each year in the same pass: the mean of its samples' parts in the AAL.

    x, edges, damage_rates, options : as there; the probabilities are the same, byte for byte
    raises : as there, and for boundary="truncate": a part in a quotient of means is an influence and no loss
    """
    options = _DEFAULTS | options
    if options["boundary"] == "truncate":
        raise ValueError('years have no losses of their own under boundary="truncate"; use "reflect"')
    found = _found(x, edges, damage_rates, by_year=True, options=options)
    return _probabilities(found, has_loss=True), YearLosses(found.by_year, found.samples, options["group"])


def _found(
    x: ArrayLike, edges: ArrayLike, damage_rates: ArrayLike | None, *, by_year: bool, options: _Options
) -> Estimates:
    lower, atom, boundary = options["lower"], options["atom"], options["boundary"]
    min_kde_samples, group = options["min_kde_samples"], options["group"]
    x, edges = by_cell(x, "x"), numbers(edges, "edges").astype(np.float64, copy=False)
    _check(x, edges, lower, atom, boundary, min_kde_samples, group)
    if edges.ndim == 1:
        edges = np.broadcast_to(edges, (len(x), edges.size))
    bins = edges.shape[1] + 1
    rates = np.zeros(bins) if damage_rates is None else _checked_rates(damage_rates, bins)
    bound = kde.NO_BOUND if lower is None else kde.REFLECT if boundary == "reflect" else kde.TRUNCATE

    how = Estimator(
        math.nan if lower is None else float(lower),
        bound,
        bool(atom),
        rates,
        int(min_kde_samples),
        int(group),
        int(options["span"]),
        _checked_spread(options["spread"], len(x)),
        options["baseline"] is not None and options["baseline"].near and bound != kde.TRUNCATE,
    )
    baseline = checked_baseline(options["baseline"], edges, x.shape[1] // group)
    years = x.shape[1] // group
    moves = years + baseline.shared.size if options["moves"] else 0
    widths = (0 if damage_rates is None else 4, years if by_year else 0, moves)
    found = _estimates(x, edges, how, baseline, widths)
    _refuse(found, edges, lower)
    return found


def _probabilities(found: Estimates, *, has_loss: bool) -> BinProbabilities:
    aal, aal_se, low, high = (column.copy() for column in found.loss.T) if has_loss else (None,) * 4
    moves = found.moves if found.moves.shape[1] else None
    return BinProbabilities(found.p, aal, aal_se, found.valid, found.method, low, high, moves)


def _check(
    x: NDArray[np.generic],
    edges: Floats,
    lower: float | None,
    atom: bool,
    boundary: str,
    min_kde_samples: int,
    group: int,
) -> None:
    if x.ndim != 2 or x.dtype.kind not in "fiu":
        raise ValueError(f"samples must be numbers of shape (cells, samples), got {x.dtype} {x.shape}")
    if edges.ndim not in (1, 2) or (edges.ndim == 2 and len(edges) != len(x)):
        raise ValueError(f"edges must be (bins - 1,) or ({len(x)}, bins - 1), got {edges.shape}")
    if endless := np.count_nonzero(np.isinf(edges)):
        raise ValueError(f"{endless} edges are infinite; the outer bins are open without them")
    if falling := np.count_nonzero((edges[..., 1:] < edges[..., :-1]).any(axis=-1)):
        raise ValueError(f"edges do not ascend in {falling} of {1 if edges.ndim == 1 else len(edges)} rows")
    if boundary not in ("reflect", "truncate"):
        raise ValueError(f"boundary is 'reflect' or 'truncate', not {boundary!r}")
    if lower is not None and not math.isfinite(lower):
        raise ValueError(f"the lower bound must be finite, got {lower}")
    if atom and lower is None:
        raise ValueError("an atom needs a lower bound")
    if min_kde_samples < 2:
        raise ValueError(f"a bandwidth needs at least 2 samples, got {min_kde_samples=}")
    if group < 1 or x.shape[1] % group:
        raise ValueError(f"{x.shape[1]} samples do not split into years of {group}")


def _checked_rates(damage_rates: ArrayLike, bins: int) -> Floats:
    rates = numbers(damage_rates, "damage_rates").astype(np.float64)
    if rates.shape != (bins,):
        raise ValueError(f"{bins} bins need as many damage rates, got shape {rates.shape}")
    if not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError(f"damage rates outside 0..1: {rates.tolist()}")
    return rates


def _checked_spread(spread: ArrayLike | None, cells: int) -> Floats:
    if spread is None:
        return np.empty(0)
    known = numbers(spread, "spread").astype(np.float64)
    if known.shape != (cells,) or (known < 0.0).any() or np.isinf(known).any():
        raise ValueError(f"spread is a standard deviation for each of {cells} cells, got shape {known.shape}")
    return known


def checked_baseline(baseline: Baseline | None, edges: Floats, years: int) -> Baseline:
    """A baseline as the loops take it, with no years for None.

    edges  : (C, m - 1); years: of the samples
    raises : ValueError when shapes disagree or a shared year is none of the samples'
    """
    if baseline is None:
        return Baseline(np.empty((len(edges), 0, edges.shape[1])), np.empty(0, np.int32))
    without, shared = np.asarray(baseline.without, np.float64), np.asarray(baseline.shared, np.int32)
    if without.shape != (len(edges), shared.size, edges.shape[1]):
        raise ValueError(
            f"edges without a year must be {(len(edges), shared.size, edges.shape[1])}, got {without.shape}"
        )
    if not ((shared >= -1) & (shared < years)).all():
        raise ValueError(f"shared years are numbers of the {years} years of the samples, or -1: {shared.tolist()}")
    return Baseline(without, shared, baseline.near)


def _estimates(
    x: NDArray[np.generic], edges: Floats, how: Estimator, baseline: Baseline, widths: tuple[int, int, int]
) -> Estimates:
    """Estimates of every cell, a slab at a time; widths of `loss`, `by_year` and `moves`, 0 where not asked for."""
    cells, n = x.shape
    found = Estimates(
        np.empty((cells, how.rates.size)),
        np.empty((cells, widths[0])),
        np.empty(cells, np.int32),
        np.empty(cells, np.uint8),
        np.empty((cells, 2), np.int32),
        np.empty((cells, widths[1])),
        np.empty((cells, widths[1]), np.int32),
        np.zeros((cells, widths[2])),
    )
    step = max(BLOCK, SLAB // max(n, 1))  # every slab is one layout and type, so the loop is compiled once
    for start in range(0, cells, step):
        part = slice(start, min(start + step, cells))
        columns: Any = [column[part] for column in found]
        fill(
            np.require(x[part], np.float64, ["C", "A", "W"]),
            np.require(edges[part], np.float64, ["C", "A", "W"]),
            np.require(baseline.without[part], np.float64, ["C", "A", "W"]),
            np.require(baseline.shared, np.int32, ["C", "A", "W"]),
            how._replace(spread=np.require(how.spread[part], np.float64, ["C", "A", "W"])),
            Estimates(*columns),
        )
    return found


def _refuse(found: Estimates, edges: Floats, lower: float | None) -> None:
    """Raise for samples that are infinite or below the bound, and for missing edges."""
    infinite, under = found.bad.sum(axis=0, dtype=np.int64)
    cells = len(edges)
    if infinite:
        raise ValueError(f"{infinite} samples in {np.count_nonzero(found.bad[:, 0])} of {cells} cells are infinite")
    if under:
        raise ValueError(f"{under} samples in {np.count_nonzero(found.bad[:, 1])} of {cells} cells are below {lower=}")
    if blank := np.count_nonzero(np.isnan(edges).any(axis=1) & (found.method != INSUFFICIENT)):
        raise ValueError(f"{blank} of {cells} cells have enough samples but NaN among their edges")
