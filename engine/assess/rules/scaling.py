"""Final AAL of a building: the cell's AAL, scaled by vulnerability, less the insured share. All `*_aal` are ratios."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from engine.assess.rules.config import AssessConfig
from engine.assess.rules.vocabulary import NOT_PRICED, OUT_OF_RANGE, PROBABILITY_NOT_FOUND, RISK_LEVEL, STATUS
from engine.core.levels import PRINTED, UNKNOWN

#: upper end of every grade but the last, percent
_GRADES = ((3, "0~3%"), (6, "~6%"), (10, "~10%"), (16, "~16%"), (30, "~30%"))
GRADE = pl.Enum(["-", *(name for _, name in _GRADES), "30%~"])


def vulnerability_scale(score: pl.Expr) -> pl.Expr:
    """F_vuln of a vulnerability score: 0.9 at 0, 1.1 at 100."""
    return 0.9 + score.clip(0, 100) * 0.002  # no division: see `prepare._share`


def scaled_aal(
    base: pl.Series,
    vulnerability: pl.DataFrame,
    insurance: pl.Series,
    asset: pl.Series,
    config: AssessConfig,
    risk: str,
) -> pl.DataFrame:
    """Final AAL of N rows of one risk.

    base          : (N,) AAL of the cell, ratio; null or NaN where there is none
    vulnerability : `vulnerability_score` and `is_default` of the same rows
    insurance     : (N,) insured share; asset: (N,) money, null where not stated
    config        : which risks are calibrated, priced, and the cuts of their levels
    returns       : `base_aal`, `vulnerability_scale`, `insurance_rate`, `final_aal`, `expected_loss` (money, rounded
                    half-even; null without an asset value), `aal_capped`, `status`, `reason`, `is_default`,
                    `final_aal_percentage`, `risk_level`, `grade`, `calibrated`. Without a base AAL the results are
                    null, with reason; those of a risk that is not priced are ok
    """
    rows = vulnerability.select(
        base_aal=base.cast(pl.Float64).fill_nan(None),
        vulnerability_scale=vulnerability_scale(pl.col("vulnerability_score")),
        insurance_rate=insurance,
        asset=asset,
        is_default="is_default",
    )
    raw = pl.col("base_aal") * pl.col("vulnerability_scale") * (1 - pl.col("insurance_rate"))
    reason = (
        pl.when(pl.lit(risk in config.not_priced))
        .then(pl.lit(NOT_PRICED))
        .when(pl.col("base_aal").is_null())
        .then(pl.lit(PROBABILITY_NOT_FOUND))
        .when(~pl.col("base_aal").is_between(0, 1))
        .then(pl.lit(OUT_OF_RANGE))
    )
    rows = rows.with_columns(raw=raw, reason=reason).with_columns(
        base_aal=pl.when(pl.col("reason").is_null()).then("base_aal"),
        final_aal=pl.when(pl.col("reason").is_null()).then(pl.min_horizontal("raw", 1.0)),
    )
    return labelled(
        rows.with_columns(
            expected_loss=(pl.col("final_aal") * pl.col("asset")).round(mode="half_to_even").cast(pl.Int64),
            aal_capped=(pl.col("reason").is_null() & (pl.col("raw") > 1)),
            status=pl.when(pl.col("reason").is_null() | (pl.col("reason") == NOT_PRICED))
            .then(pl.lit("ok", STATUS))
            .otherwise(pl.lit("failed", STATUS)),
        ),
        config,
        risk,
    )


def labelled(rows: pl.DataFrame, config: AssessConfig, risk: str) -> pl.DataFrame:
    """Rows of final AAL with percentage, level, grade and whether it is calibrated, columns in order."""
    percent = 100 * pl.col("final_aal")
    return rows.with_columns(final_aal_percentage=percent).select(
        "base_aal",
        "vulnerability_scale",
        "insurance_rate",
        "final_aal",
        "expected_loss",
        "aal_capped",
        "status",
        "reason",
        "is_default",
        "final_aal_percentage",
        risk_level=_level(pl.col("final_aal_percentage"), config.level_cuts_pct(risk)),
        grade=_grade(pl.col("final_aal_percentage")),
        calibrated=pl.lit(risk in config.calibrated),
    )


def _level(percent: pl.Expr, cuts: Sequence[float]) -> pl.Expr:
    word: pl.Expr = pl.lit(PRINTED[-1])
    for cut, name in reversed(list(zip(cuts, PRINTED[:-1], strict=True))):
        word = pl.when(percent < cut).then(pl.lit(name)).otherwise(word)
    return pl.when(percent.is_null()).then(pl.lit(UNKNOWN)).otherwise(word).cast(RISK_LEVEL)


def _grade(percent: pl.Expr) -> pl.Expr:
    word: pl.Expr = pl.lit("30%~")
    for end, name in reversed(_GRADES):
        word = pl.when(percent < end).then(pl.lit(name)).otherwise(word)
    word = pl.when(percent <= 0).then(pl.lit("-")).otherwise(word)
    return pl.when(percent.is_not_null()).then(word).cast(GRADE)
