"""Totals of a portfolio: expected loss per risk, scenario and period, shares, the worst sites."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from engine.assess.rules import loss_words
from engine.assess.rules.intervals import PARTS, of_sum
from engine.assess.rules.validation import IDENTITY
from engine.core.caveats import LOSS_NOTE
from engine.core.levels import PRINTED
from engine.core.scenario import Scenario

_PAIR = ("scenario_id", "time_period")
#: share of the sampling errors that is left in a sum: by risk, of `all`, `_calibrated` and `_uncalibrated`
Dependence = Mapping[str, float]


def loss_by_risk(aal: pl.DataFrame) -> pl.DataFrame:
    """Sum over sites of the expected loss, money, per risk, scenario and period, with the number of sites in it and of
    those left out (failed, standing on a default, or without an asset value), the number whose loss has an interval,
    the sums of `intervals.PARTS`, and whether it is calibrated on losses. The loss is null where no site counts.

    aal : frame `aal` of an assessment, or of a part of the sites: parts are added up by `added`
    """
    counted = (pl.col("status") == "ok") & ~pl.col("is_default") & pl.col("expected_loss").is_not_null()
    return aal.group_by("risk_type", *_PAIR, maintain_order=True).agg(
        expected_loss=pl.col("expected_loss").filter(counted).sum(),
        sites=counted.sum().cast(pl.UInt32),
        sites_left_out=(~counted).sum().cast(pl.UInt32),
        sites_with_interval=(counted & pl.col("expected_loss_low").is_not_null()).sum().cast(pl.UInt32),
        **{name: pl.col(name).filter(counted).sum() for name in PARTS},
        calibrated=pl.col("calibrated").all(),
    )


def added(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Parts of `loss_by_risk` in one, sorted; a sum over no site is null."""
    sums = (pl.exclude("calibrated").sum(), pl.col("calibrated").all())
    whole = pl.concat(parts).group_by("risk_type", *_PAIR).agg(*sums).sort(*_PAIR, "risk_type")
    return whole.with_columns(expected_loss=pl.when(pl.col("sites") > 0).then("expected_loss"))


def with_shares(totals: pl.DataFrame) -> pl.DataFrame:
    """Add `expected_loss_share`: each site's share of the portfolio's loss in its scenario and period, 0..1; null
    without a loss, and in a portfolio that loses nothing."""
    whole = pl.col("total_expected_loss").sum().over(*_PAIR)
    share = pl.col("total_expected_loss") / pl.when(whole > 0).then(whole)
    return totals.with_columns(expected_loss_share=share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of the rows of a file. invalid : with a fault; repeated_ids : with a `site_id` that an earlier row has"""

    rows: int
    invalid: int
    repeated_ids: int = 0


def summary(
    name: str,
    totals: pl.DataFrame,
    losses: pl.DataFrame,
    counts: Counts,
    dependence: Mapping[tuple[int, str], Dependence] | None = None,
    rates: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    worst: int = 10,
) -> dict[str, Any]:
    """A portfolio as a JSON object.

    totals     : with shares; losses: of `added`, or empty without an AAL stage
    rates      : risk -> what its damage rates stand on, of which `level` is stated beside its sum
    dependence : of the sums in a scenario and period; without it sites and risks are wrong together
    """
    kept = dependence or {}
    by_pair = [
        _pair(int(scenario_id), period, group, losses, worst, kept.get((int(scenario_id), str(period)), {}))
        for (scenario_id, period), group in totals.group_by(*_PAIR, maintain_order=True)
    ]
    for pair in by_pair:
        for risk, row in pair["expected_loss_by_risk"].items():
            row["level"] = (rates or {}).get(risk, {}).get("level") if row["calibrated"] else None
    assessed = totals.filter(pl.col("status").is_in(["ok", "partial"]))["row"].n_unique()
    return {
        "name": name,
        "rows": counts.rows,
        "invalid_rows": counts.invalid,
        "repeated_site_ids": counts.repeated_ids,
        "assessed_sites": assessed,
        "currency": loss_words.currency(),
        "results": by_pair,
    }


def _pair(
    scenario: int, period: Any, group: pl.DataFrame, losses: pl.DataFrame, worst: int, dependence: Dependence
) -> dict[str, Any]:
    """One scenario and period. The asset value and the number of sites are those of the sites in the sum; what is left
    out is counted beside it."""
    mine = losses.filter((pl.col("scenario_id") == scenario) & (pl.col("time_period") == period))
    counted = group.filter(pl.col("total_expected_loss").is_not_null())
    left_out = group.filter(pl.col("total_expected_loss").is_null())
    loss, value = _whole(counted, "total_expected_loss"), _whole(counted, "total_asset_value")
    total = {
        "total_expected_loss": loss,
        "total_expected_loss_calibrated": _whole(counted, "total_expected_loss_calibrated"),
        "total_expected_loss_uncalibrated": _whole(counted, "total_expected_loss_uncalibrated"),
        "loss_note": _note(counted, "loss_note"),
        **_ends(mine, dependence),
    }
    return {
        "scenario": Scenario(scenario).api_key,
        "time_period": period,
        "sites": group.height,
        "sites_by_status": dict(group["status"].cast(pl.String).value_counts().sort("status").iter_rows()),
        "sites_of_nearest_cell": int((group["cell_basis"] == "nearest").sum()),
        **total,
        "loss_words": loss_words.of_total(total),
        "interval_note": loss_words.lacking(total["risks_without_interval"]),
        "overlap_note": _note(counted, "overlap_note"),
        "sites_in_total": counted.height,
        "sites_left_out": left_out.height,
        "total_asset_value": value,
        "asset_value_left_out": _whole(left_out, "total_asset_value"),
        "expected_loss_ratio": None if loss is None or not value else loss / value,
        "mean_risk_index": group["mean_risk_index"].mean(),
        "mean_risk_score": group["total_risk_score"].mean(),
        "sites_by_risk_level": _levels(group),
        "expected_loss_by_risk": {
            row["risk_type"]: _of_risk(row, dependence.get(row["risk_type"])) for row in mine.drop(*_PAIR).to_dicts()
        },
        "worst_sites": worst_sites(group, worst),
    }


def _of_risk(row: Mapping[str, Any], dependence: float | None) -> dict[str, Any]:
    """The sum of one risk."""
    ends = _interval([row], 1.0 if dependence is None else dependence)
    own = {name: row[name] for name in ("expected_loss", "sites", "sites_left_out", "calibrated")}
    note = None if row["calibrated"] or not row["sites"] else LOSS_NOTE
    return own | {"expected_loss_low": ends[0], "expected_loss_high": ends[1], "loss_note": note}


def _ends(losses: pl.DataFrame, dependence: Dependence) -> dict[str, Any]:
    """Intervals of the sums over risks, and what they do not hold. losses: of one scenario and period"""
    rows = [row for row in losses.sort("risk_type").to_dicts() if row["expected_loss"] is not None]
    parts = {
        "": rows,
        "_calibrated": [row for row in rows if row["calibrated"]],
        "_uncalibrated": [row for row in rows if not row["calibrated"]],
    }
    found: dict[str, Any] = {}
    for part, chosen in parts.items():
        low, high = _interval(chosen, dependence.get(part or "all", 1.0))
        found |= {f"total_expected_loss{part}_low": low, f"total_expected_loss{part}_high": high}
    return found | {
        "interval_holds_rates": any(row[PARTS[3]] > row["expected_loss"] + row["sites"] for row in rows),
        "interval_dependence": dependence.get("all"),
        "risks_without_interval": [str(row["risk_type"]) for row in rows if row["sites_with_interval"] < row["sites"]],
    }


def _interval(rows: Sequence[Mapping[str, Any]], dependence: float) -> tuple[int | None, int | None]:
    """Ends of the sum of some risks' sums; None where no loss in it has an interval."""
    if not any(row["sites_with_interval"] for row in rows):
        return None, None
    sums = {name: math.fsum(row[name] for row in rows) for name in PARTS}
    _, low, high = of_sum(float(sum(row["expected_loss"] for row in rows)), sums, dependence)
    return round(float(low)), round(float(high))


def _levels(group: pl.DataFrame) -> dict[str, int]:
    """Sites of each risk level, the lowest first."""
    counts = dict(group["risk_level"].cast(pl.String).value_counts().iter_rows())
    return {word: counts.get(word, 0) for word in PRINTED}


def _note(totals: pl.DataFrame, name: str) -> str | None:
    """Note of the whole: the notes of its sums."""
    notes = totals[name].drop_nulls()
    return None if notes.is_empty() else str(notes[0])


def _whole(group: pl.DataFrame, name: str) -> int | None:
    return int(group[name].sum()) if group[name].count() else None


def worst_sites(totals: pl.DataFrame, n: int) -> list[dict[str, Any]]:
    """The sites that lose most, of one scenario and period; without losses, those with the highest risk index. Ties in
    the order of the file."""
    ranked = totals.filter(pl.col("total_expected_loss").is_not_null() | pl.col("mean_risk_index").is_not_null()).sort(
        "total_expected_loss", "mean_risk_index", "row", descending=[True, True, False], nulls_last=True
    )
    losses = ("total_expected_loss", "total_expected_loss_low", "total_expected_loss_high", "expected_loss_share")
    chosen = ranked.head(n).select(
        *IDENTITY,
        *("latitude", "longitude", *losses, "loss_note", "mean_risk_index", "total_risk_score"),
        pl.col("highest_integrated_risk", "highest_aal_risk", "risk_level").cast(pl.String),
    )
    return chosen.to_dicts()
