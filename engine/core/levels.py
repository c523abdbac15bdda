"""The five levels of a score: their cuts, and the three spellings in which they are written.

A level is decided on the score as a single-precision number of 0..1 rounded half-even to four decimals: the digits that
`modelops_hazard_scores` keeps. So a score has one level, whether it is read from a run, a table, a file or an answer.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl

#: lower ends of all levels but the first, on the scale of 0..100; a level holds its lower end
CUTS = (20, 40, 60, 80)
#: printed tables, pages, reports, portfolio files: every `risk_level` but the one of older answers
PRINTED = ("minimal", "low", "moderate", "high", "critical")
#: `hazard_level`, as stored and answered
HAZARD = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
#: `vulnerability_level`, as stored and answered, and `risk_level` in the answers of the older interface
OLDER = ("very_low", "low", "medium", "high", "very_high")
#: of what has no score
UNKNOWN = "unknown"
_DIGITS = 4


def bounds() -> list[tuple[float, float]]:
    """(lower, upper) end of each level, 0..100, the lowest first."""
    return list(pairwise((0, *CUTS, 100)))


def place(score: float) -> int:
    """0 to 4: the level of a score of 0..1."""
    return sum(round(float(np.float32(score)), _DIGITS) >= cut / 100 for cut in CUTS)


def word(score: pl.Expr, spelling: tuple[str, ...], *, null: str | None = UNKNOWN) -> pl.Expr:
    """Text: the level of a score of 0..1 in a spelling; `null` for null."""
    rounded = score.cast(pl.Float32).cast(pl.Float64).round(_DIGITS, mode="half_to_even")
    chosen: pl.Expr = pl.lit(spelling[-1])
    for cut, name in reversed(list(zip(CUTS, spelling, strict=False))):
        chosen = pl.when(rounded < cut / 100).then(pl.lit(name)).otherwise(chosen)
    return pl.when(score.is_null()).then(pl.lit(null, pl.String)).otherwise(chosen)


def printed(word: str) -> str:
    """A level of any spelling as it is printed; what is none (`unknown`) stays."""
    return next((PRINTED[spelling.index(word)] for spelling in (HAZARD, OLDER) if word in spelling), word)


def older(printed: str | None) -> str | None:
    """A printed level in the older spelling; what is none (`unknown`, null) stays."""
    return OLDER[PRINTED.index(printed)] if printed in PRINTED else printed
