"""Savings of a measure: losses before and after it, their difference with its interval, by risk, by site and in all.

Both losses are the AAL of the same cell times a factor each, so the error of the AAL is in both: the saving is the AAL
times the difference of the factors, and its interval is that of the AAL times the same. What the rules of a building
say of a measure has an error of its own, which is not known and is in no interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from engine.assess.rules.intervals import PARTS, of_sum

PAIR = ("scenario_id", "time_period")
_KEYS = ("row", "risk_type", *PAIR)
_OF_SITE = ("final_aal", "expected_loss", "expected_loss_low", "expected_loss_high")


def side_by_side(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Losses of each site by each risk, before and after.

    before, after : frame `aal` of the assessment of the same sites
    returns : `row`, `site_id`, `risk_type`, `scenario_id`, `time_period`, `calibrated`, `reason`, `counted` (whether
              both losses are known and stand on no default), `has_interval`; `final_aal`, `expected_loss` and its ends
              with `_before` and `_after`; `saving`, money; the differences of `intervals.PARTS`
    """
    names = [*_OF_SITE, *PARTS, "vulnerability_scale"]
    right = after.select(*_KEYS, *(pl.col(name).alias(f"{name}_after") for name in names))
    ok = (pl.col("status").cast(pl.String) == "ok") & ~pl.col("is_default")
    joined = before.rename({name: f"{name}_before" for name in names}).join(
        right, on=list(_KEYS), how="left", maintain_order="left"
    )
    known = pl.col("expected_loss_before").is_not_null() & pl.col("expected_loss_after").is_not_null()
    return joined.select(
        *("row", "site_id", "risk_type", *PAIR, "calibrated", "reason"),
        *(pl.col(f"{name}_{when}") for name in (*_OF_SITE, "vulnerability_scale") for when in ("before", "after")),
        counted=(ok & known).fill_null(value=False),
        has_interval=pl.col("expected_loss_low_before").is_not_null(),
        saving=pl.col("expected_loss_before") - pl.col("expected_loss_after"),
        **{name: pl.col(f"{name}_before") - pl.col(f"{name}_after") for name in PARTS},
    )


def by_risk(sides: pl.DataFrame) -> pl.DataFrame:
    """Savings of each risk in each scenario and period, rises of the loss apart from falls.

    returns : PAIR, `risk_type`, `calibrated`, `falls` (whether the rows are falls), `saving` (money, not negative; of
              rises what the loss rises by), `sites`, `has_interval`, sums of PARTS, not negative
    """
    rows = sides.filter("counted").with_columns(falls=pl.col("saving") >= 0)
    return rows.group_by(*PAIR, "risk_type", "falls", maintain_order=True).agg(
        pl.col("saving").sum().abs(),
        sites=pl.len(),
        calibrated=pl.col("calibrated").all(),
        has_interval=pl.col("has_interval").any(),
        **{name: pl.col(name).sum().abs() for name in PARTS},
    )


def saved(rows: pl.DataFrame, dependence: float = 1.0) -> dict[str, Any]:
    """Saving of some rows of `by_risk` of one scenario and period.

    dependence : share of the sampling errors that is left in a sum (`engine.losses.dependence`)
    returns : `saving`, `saving_low`, `saving_high`, money; None without a loss or without an interval. Where some
              losses fall and others rise, the two are taken as wrong in opposite ways: never too narrow
    """
    if rows.is_empty():
        return {"saving": None, "saving_low": None, "saving_high": None}
    falls, rises = (_summed(rows.filter(pl.col("falls") == which), dependence) for which in (True, False))
    ends = (falls[1] - rises[2], falls[2] - rises[1]) if rows["has_interval"].any() else (None, None)
    return {
        "saving": round(falls[0] - rises[0]),
        "saving_low": None if ends[0] is None else round(ends[0]),
        "saving_high": None if ends[1] is None else round(ends[1]),
    }


def _summed(rows: pl.DataFrame, dependence: float) -> tuple[float, float, float]:
    """(sum, low, high); zeros for no rows."""
    if rows.is_empty():
        return 0.0, 0.0, 0.0
    whole = float(rows["saving"].sum())
    low, high = of_sum(whole, {name: math.fsum(rows[name]) for name in PARTS}, dependence)[1:]
    return whole, float(low), float(high)


def of_pair(
    sides: pl.DataFrame, scenario: int, period: str, dependence: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Savings in one scenario and period: in all, calibrated and not, and `by_risk`.

    dependence : of the sums before, by risk, of `all`, `_calibrated` and `_uncalibrated`
    """
    kept = dependence or {}
    parts = by_risk(sides).filter(pl.col("scenario_id") == scenario, pl.col("time_period").cast(pl.String) == period)
    kinds: Sequence[tuple[str, pl.Expr]] = (
        ("calibrated", pl.col("calibrated")),
        ("uncalibrated", ~pl.col("calibrated")),
    )
    told = saved(parts, kept.get("all", 1.0))
    for name, chosen in kinds:
        own = saved(parts.filter(chosen), kept.get(f"_{name}", 1.0))
        told |= {key.replace("saving", f"saving_{name}"): value for key, value in own.items()}
    risks = parts["risk_type"].cast(pl.String).unique(maintain_order=True).to_list()
    told["by_risk"] = {
        risk: saved(parts.filter(pl.col("risk_type").cast(pl.String) == risk), kept.get(risk, 1.0)) for risk in risks
    }
    return told


def of_sites(sides: pl.DataFrame) -> pl.DataFrame:
    """A row a site, scenario and period: `row`, `site_id`, PAIR, `loss_before`, `loss_after`, `saving` (money, null
    without a loss), `risks_left_out`: risks without a loss before or after."""
    counted = pl.col("counted")
    sums = {"loss_before": "expected_loss_before", "loss_after": "expected_loss_after", "saving": "saving"}
    grouped = sides.group_by("row", "site_id", *PAIR, maintain_order=True).agg(
        **{name: pl.when(counted.any()).then(pl.col(column).filter(counted).sum()) for name, column in sums.items()},
        risks_left_out=pl.col("risk_type").filter(~counted).cast(pl.String),
    )
    return grouped.with_columns(pl.col("time_period").cast(pl.String))
