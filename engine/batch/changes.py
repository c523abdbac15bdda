"""Change of the AAL between two windows of a scenario, and its standard error."""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from engine.kernels import BinProbabilities
from engine.kernels.bins import Baseline
from engine.kernels.normal import Z95
from engine.risks.definition import Intensity

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


def change(early: Window, late: Window, intensity: Intensity) -> Change:
    """AAL of `late` less that of `early`.

    A year that both windows have (all of them, where the samples are those of a track record) and a year of the
    baseline leave both at once, so what they have in common cancels; years of different windows are independent.
    """
    first, second = early.found, late.found
    years = [_years_of(each) for each in (early, late)]
    moves = [cast("Floats", each.moves) for each in (first, second)]
    parts = [-moves[0][:, : years[0]], moves[1][:, : years[1]].copy()]
    if intensity.scale is not None:
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
        variance += _variance(shift[:, alone], intensity.span)
    for part in parts:
        variance += _variance(part, intensity.span)
    difference = cast("Floats", second.aal) - cast("Floats", first.aal)
    known = ~np.isnan(cast("Floats", first.aal_se) + cast("Floats", second.aal_se))
    return Change(difference, np.where(known & ~np.isnan(difference), np.sqrt(variance), np.nan))


def _years_of(window: Window) -> int:
    width: int = cast("Floats", window.found.moves).shape[1]
    return width - (0 if window.baseline is None else window.baseline.shared.size)


def _variance(moves: Floats, span: int) -> Floats:
    """Variance by changes (C, Y) without each year, those of a block of years together."""
    if moves.shape[1] == 0:
        return np.zeros(len(moves))
    blocks = np.add.reduceat(moves, np.arange(0, moves.shape[1], span), axis=1)
    count = blocks.shape[1]
    variance: Floats = (blocks**2).sum(axis=1) * ((count - 1) / count if count > 1 else 1.0)
    return variance
