"""What the sites of a portfolio come to: expected loss per risk, scenario and period, shares, the worst sites."""

from __future__ import annotations

from typing import Any

import polars as pl

from engine.scenario import Scenario

_PAIR = ("scenario_id", "time_period")


def loss_by_risk(aal: pl.DataFrame) -> pl.DataFrame:
    """Sum over sites of the expected loss, KRW, per risk, scenario and period, with the number of sites in it and of
    those left out (failed, standing on a default, or without an asset value). Null where no site counts.

    aal : frame `aal` of an assessment, or of a part of the sites: parts are added up by `added`
    """
    counted = (pl.col("status") == "ok") & ~pl.col("is_default") & pl.col("expected_loss").is_not_null()
    return aal.group_by("risk_type", *_PAIR, maintain_order=True).agg(
        expected_loss=pl.col("expected_loss").filter(counted).sum(),
        sites=counted.sum().cast(pl.UInt32),
        sites_left_out=(~counted).sum().cast(pl.UInt32),
    )


def added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Parts of `loss_by_risk` in one, sorted; a sum over no site is null."""
    whole = pl.concat(parts).group_by("risk_type", *_PAIR).agg(pl.all().sum()).sort(*_PAIR, "risk_type")
    return whole.with_columns(expected_loss=pl.when(pl.col("sites") > 0).then("expected_loss"))


def with_shares(totals: pl.DataFrame) -> pl.DataFrame:
    """Add `expected_loss_share`: each site's share of the portfolio's loss in its scenario and period, 0..1; null
    without a loss, and in a portfolio that loses nothing."""
    whole = pl.col("total_expected_loss").sum().over(*_PAIR)
    share = pl.col("total_expected_loss") / pl.when(whole > 0).then(whole)
    return totals.with_columns(expected_loss_share=share)


def summary(totals: pl.DataFrame, losses: pl.DataFrame, *, rows: int, invalid: int, worst: int = 10) -> dict[str, Any]:
    """A portfolio as a JSON object.

    totals : with shares; losses: of `added`, or empty without an AAL stage
    rows   : of the input; invalid: rows with a fault
    """
    by_pair = []
    for (scenario_id, period), group in totals.group_by(*_PAIR, maintain_order=True):
        mine = losses.filter((pl.col("scenario_id") == scenario_id) & (pl.col("time_period") == period))
        lost = group["total_expected_loss"]
        by_pair.append(
            {
                "scenario": Scenario(int(scenario_id)).api_key,
                "time_period": period,
                "sites": group.height,
                "sites_by_status": dict(group["status"].cast(pl.String).value_counts(sort=True).iter_rows()),
                "total_expected_loss": int(lost.sum()) if lost.count() else None,
                "total_asset_value": _whole(group, "total_asset_value"),
                "mean_risk_score": group["total_risk_score"].mean(),
                "expected_loss_by_risk": {
                    risk: {"expected_loss": loss, "sites": counted, "sites_left_out": left_out}
                    for risk, loss, counted, left_out in mine.select(
                        "risk_type", "expected_loss", "sites", "sites_left_out"
                    ).iter_rows()
                },
                "worst_sites": worst_sites(group, worst),
            }
        )
    return {"rows": rows, "invalid_rows": invalid, "assessed_sites": rows - invalid, "results": by_pair}


def _whole(group: pl.DataFrame, name: str) -> int | None:
    return int(group[name].sum()) if group[name].count() else None


def worst_sites(totals: pl.DataFrame, n: int) -> list[dict[str, Any]]:
    """The sites that lose most, of one scenario and period; without losses, those with the highest risk score. Ties in
    the order of the ids."""
    names = ["site_id", "latitude", "longitude", "total_expected_loss", "expected_loss_share", "total_risk_score"]
    ranked = totals.filter(pl.col("total_expected_loss").is_not_null() | pl.col("total_risk_score").is_not_null()).sort(
        "total_expected_loss",
        "total_risk_score",
        "site_id",
        descending=[True, True, False],
        nulls_last=True,
    )
    chosen = ranked.head(n).select(
        *names, pl.col("highest_integrated_risk", "highest_aal_risk", "risk_level").cast(pl.String)
    )
    return chosen.to_dicts()
