"""Variances of the AAL by leaving out years, and the change of the AAL between two windows of a scenario."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from engine.kernels import BinProbabilities
from engine.kernels.estimator import Baseline
from engine.kernels.intervals import MIN_BLOCKS
from engine.kernels.normal import Z95

Floats = NDArray[np.float64]


class Change(NamedTuple):
    """Change of the AAL of C cells; NaN where one of the two is missing, or its error cannot be told."""

    difference: Floats
    error: Floats  # standard error of the difference

    @property
    def significant(self) -> NDArray[np.bool_]:
        """(C,): more than 1.645 standard errors; by chance alone, one in ten."""
        return np.abs(self.difference) > Z95 * self.error


class Window(NamedTuple):
    """Estimate of one window with `moves`, and of which years its edges are."""

    found: BinProbabilities
    baseline: Baseline | None


def change(early: Window, late: Window, *, paired: bool, span: int) -> Change:
    """AAL of `late` less that of `early`.

    paired : both windows have the same years (those of a track record, or of all the scenario under a trend)
    span   : years next to each other that depend on each other

    A year that both windows have and a year of the baseline leave both at once, so what they have in common cancels;
    years of different windows are independent.
    """
    first, second = early.found, late.found
    years = [_years_of(each) for each in (early, late)]
    moves = [cast("Floats", each.moves) for each in (first, second)]
    parts = [-moves[0][:, : years[0]], moves[1][:, : years[1]].copy()]
    if paired:
        parts = [parts[0] + parts[1]]
    variance = np.zeros(len(first.p))
    if early.baseline is not None and late.baseline is not None:
        shift = moves[1][:, years[1] :] - moves[0][:, years[0] :]
        shift -= shift.mean(axis=1, keepdims=True)
        alone = np.ones(shift.shape[1], bool)
        for part, window in zip(parts, (early, late), strict=False):
            shared = cast("Baseline", window.baseline).shared
            part[:, shared[shared >= 0]] += shift[:, shared >= 0]
            alone &= shared < 0
        variance += jackknife(shift[:, alone], span)[0]
    for part in parts:
        variance += jackknife(part, span)[0]
    difference = cast("Floats", second.aal) - cast("Floats", first.aal)
    known = ~np.isnan(cast("Floats", first.aal_se) + cast("Floats", second.aal_se))
    return Change(difference, np.where(known & ~np.isnan(difference), np.sqrt(variance), np.nan))


def apart(moves: Floats, baseline: Baseline | None) -> tuple[Floats, Floats]:
    """Changes of the AAL without each year of the samples, edges that stand on it included (C, Y), and without each
    other year that the edges stand on (C, K); moves and baseline of one estimate."""
    if baseline is None:
        return moves, moves[:, :0]
    years, shared = moves.shape[1] - baseline.shared.size, baseline.shared >= 0
    shift = moves[:, years:]
    parts = moves[:, :years].copy()
    parts[:, baseline.shared[shared]] += shift[:, shared] - shift[:, shared].mean(axis=1, keepdims=True)
    others = shift[:, ~shared]
    return parts, others - others.mean(axis=1, keepdims=True) if others.size else others


def jackknife(moves: Floats, span: int, *, drift: bool = False) -> tuple[Floats, float]:
    """Variance (C,) by changes (C, Y) without each year, those of a block of `span` years together, and its degrees.

    drift : years follow a trend: blocks are compared with the two beside them (Gasser, Sroka and Jennen-Steinmetz 1986,
            doi:10.1093/biomet/73.3.625) instead of their mean
    """
    if moves.shape[1] == 0:
        return np.zeros(len(moves)), np.inf
    blocks = np.add.reduceat(moves, np.arange(0, moves.shape[1], span), axis=1)
    count = blocks.shape[1]
    if not drift or count < MIN_BLOCKS:
        variance: Floats = (blocks**2).sum(axis=1) * ((count - 1) / count if count > 1 else 1.0)
        return variance, count - 1.0
    inner = blocks[:, 1:-1] - (blocks[:, 2:] + blocks[:, :-2]) / 2
    ends = blocks[:, [0, -1]] - blocks[:, [1, -2]]
    of_drift: Floats = (inner**2).sum(axis=1) * 2 / 3 + (ends**2).sum(axis=1) / 2
    return of_drift, (count - 2) * 18 / 35


def _years_of(window: Window) -> int:
    width: int = cast("Floats", window.found.moves).shape[1]
    return width - (0 if window.baseline is None else window.baseline.shared.size)
