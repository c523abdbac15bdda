"""Integrated risk H x E x V of every risk, and what the risks of a site come to together."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from engine.assess.rules import exposure
from engine.assess.rules.losses import losses
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.assess.rules.validation import IDENTITY
from engine.assess.rules.vocabulary import (
    HAZARD_LEVEL,
    HAZARD_NOT_FOUND,
    NO_HAZARD,
    OUTSIDE_GRID,
    RISK,
    RISK_LEVEL,
    STATUS,
    risk_level,
)
from engine.assess.rules.wide import Frames, lacking, names_of, nth, nulls, ranking, sum_and_mean, wanted, wide
from engine.core import levels

SITE_STATUS = pl.Enum(["ok", "partial", "failed", "outside_grid"])


class Stages(NamedTuple):
    """Frames per risk: exposure and vulnerability a row a site, aal and risk a row a request; None: not run."""

    exposure: Frames
    vulnerability: Frames
    aal: Frames | None
    risk: Frames | None


def integrated(site: pl.Series, exposed: pl.DataFrame, vulnerable: pl.DataFrame, hazard: pl.Series) -> pl.DataFrame:
    """Risk of N requests for one risk.

    site    : (N,) row of the site in the other two frames
    hazard  : (N,) score 0..1, clamped; null or NaN where there is none
    returns : `hazard`, `hazard_level`, `exposure`, `vulnerability`, `risk_score` (0..100, weighted
              by the asset's value), `risk_level`, `risk_index` (0..100, free of value: it decides the level),
              `status`, `reason`, `is_default`; null where the row failed, and of E and V what failed
    """
    parts = pl.DataFrame(
        {
            "hazard": hazard.cast(pl.Float64).fill_nan(None).clip(0, 1),
            "exposure": exposed["exposure_score"].gather(site),
            "proximity": exposed["proximity_factor"].gather(site),
            "reason_e": exposed["reason"].gather(site),
            "vulnerability": vulnerable["vulnerability_score"].gather(site),
            "reason_v": vulnerable["reason"].gather(site),
        }
    )
    missing = pl.when(pl.col("hazard").is_null()).then(pl.lit(HAZARD_NOT_FOUND))
    parts = parts.with_columns(
        pl.when(pl.col("reason_e").is_null()).then("exposure").alias("exposure"),
        pl.when(pl.col("reason_v").is_null()).then("vulnerability").alias("vulnerability"),
        reason=pl.coalesce("reason_e", "reason_v", missing),
        is_default=pl.col("reason_e").is_not_null() | pl.col("reason_v").is_not_null(),
    )
    score = pl.col("hazard") * pl.col("exposure") * pl.col("vulnerability")  # 100 x H x E x V/100
    index = 100 * (pl.col("hazard") * pl.col("proximity") * (pl.col("vulnerability") * 0.01)).cbrt()
    index = pl.when(score.is_not_null()).then(index)  # a failed E stands with a proximity of 0
    return parts.select(
        "hazard",
        "exposure",
        "vulnerability",
        hazard_level=levels.word(pl.col("hazard"), levels.HAZARD, null=None).cast(HAZARD_LEVEL),
        risk_score=score,
        risk_level=risk_level(index),
        risk_index=index,
        status=pl.when(pl.col("reason").is_null()).then(pl.lit("ok", STATUS)).otherwise(pl.lit("failed", STATUS)),
        reason="reason",
        is_default="is_default",
    )


def with_contributions(prepared: Prepared, frames: Frames) -> dict[str, pl.DataFrame]:
    """Add `contribution_percent`: share of the sum over the ok risks of a request; 0 for all where the sum is 0."""
    scores = wide(prepared, frames, "risk_score")
    total, _ = sum_and_mean(scores)
    shares = {
        risk: frames[risk].select(
            contribution_percent=pl.when(total == 0)
            .then(pl.when(scores[risk].is_not_null()).then(0.0))
            .otherwise(100 * scores[risk] / total)
        )
        for risk in RISKS
    }
    return {risk: pl.concat([frame, shares[risk]], how="horizontal") for risk, frame in frames.items()}


def totals(prepared: Prepared, stages: Stages) -> pl.DataFrame:
    """A row per site, scenario and period: scores, losses and flags over the requested risks.

    Sites outside the grid come last, with status `outside_grid`.
    """
    ok = _items_ok(prepared, stages)
    asked = wanted(prepared)
    done, in_all = ok.sum_horizontal(), asked.sum_horizontal()
    inside = pl.concat(
        [
            _described(prepared.sites, prepared.requests),
            _scores(prepared, stages.risk),
            losses(prepared, stages.aal),
            pl.DataFrame({"risks_ok": done.cast(pl.UInt32), "risks_failed": (in_all - done).cast(pl.UInt32)}),
            pl.DataFrame({"no_hazard": _without_hazard(prepared, stages.risk)}),
            pl.DataFrame({"is_default": _any_default(prepared, stages)}),
        ],
        how="horizontal",
    )
    status = (
        pl.when((pl.col("risks_ok") == 0) | pl.col("no_hazard"))
        .then(pl.lit("failed"))
        .when(pl.col("risks_failed") > 0)
        .then(pl.lit("partial"))
        .otherwise(pl.lit("ok"))
    )
    inside = inside.with_columns(
        status=status.cast(SITE_STATUS), reason=pl.when("no_hazard").then(pl.lit(NO_HAZARD))
    ).drop("no_hazard")
    outside = _described(prepared.outside, prepared.outside_requests).with_columns(
        status=pl.lit("outside_grid", SITE_STATUS), reason=pl.lit(OUTSIDE_GRID), is_default=pl.lit(False)
    )
    return pl.concat([inside, outside], how="diagonal").select(inside.columns)


def _described(sites: pl.DataFrame, requests: pl.DataFrame) -> pl.DataFrame:
    described = pl.concat(
        [
            sites.select(*IDENTITY, "latitude", "longitude", "grid_id", "cell_basis", "cell_distance_m"),
            sites.select("building_source", "data_quality", "imputed_fields", "asset_basis", "total_asset_value"),
            exposure.diagnostics(sites),
        ],
        how="horizontal",
    )
    columns = [described[requests["site"]], requests.drop("site")]
    return pl.concat(columns, how="horizontal")


def _items_ok(prepared: Prepared, stages: Stages) -> pl.DataFrame:
    """True where a requested risk is ok in every stage that ran."""
    site, asked = prepared.requests["site"], wanted(prepared)
    by_site = {
        risk: (stages.exposure[risk]["status"] == "ok") & (stages.vulnerability[risk]["status"] == "ok")
        for risk in RISKS
    }
    columns = {}
    for risk in RISKS:
        column = asked[risk] & by_site[risk].gather(site)
        for frames in (stages.aal, stages.risk):
            if frames is not None:
                column = column & (frames[risk]["status"] == "ok")
        columns[risk] = column
    return pl.DataFrame(columns)


def _without_hazard(prepared: Prepared, risk: Frames | None) -> pl.Series:
    """True where no scenario, period and requested risk of the site has a hazard."""
    if risk is None:
        return pl.repeat(False, prepared.requests.height, eager=True)
    asked = wanted(prepared)
    found = pl.DataFrame({name: frame["hazard"].is_not_null() & asked[name] for name, frame in risk.items()})
    requests = pl.DataFrame({"site": prepared.requests["site"], "found": found.max_horizontal()})
    return requests.select(~pl.col("found").any().over("site")).to_series()


def _any_default(prepared: Prepared, stages: Stages) -> pl.Series:
    columns = {}
    for risk in RISKS:
        flags = stages.exposure[risk]["is_default"] | stages.vulnerability[risk]["is_default"]
        columns[risk] = (flags & prepared.sites[wants(risk)]).gather(prepared.requests["site"])
    return pl.DataFrame(columns).max_horizontal()


def _scores(prepared: Prepared, risk: Frames | None) -> pl.DataFrame:
    n = prepared.requests.height
    if risk is None:
        return nulls(
            n,
            {
                **dict.fromkeys(
                    ("mean_risk_index", "total_risk_score", "average_hazard", "average_exposure"), pl.Float64()
                ),
                "average_vulnerability": pl.Float64(),
                "risk_level": RISK_LEVEL,
                "no_risk": pl.Boolean(),
                "highest_integrated_risk": RISK,
                "top_3_risks": pl.List(pl.String),
                "risks_without_score": pl.List(pl.String),
            },
        )
    scores = wide(prepared, risk, "risk_score")
    ranked = ranking(scores)
    whole, mean = sum_and_mean(scores)
    total = pl.DataFrame({"total": mean, "sum": whole, "index": sum_and_mean(wide(prepared, risk, "risk_index"))[1]})
    return total.select(
        mean_risk_index="index",
        total_risk_score="total",
        average_hazard=sum_and_mean(wide(prepared, risk, "hazard"))[1],
        average_exposure=sum_and_mean(wide(prepared, risk, "exposure"))[1],
        average_vulnerability=sum_and_mean(wide(prepared, risk, "vulnerability"))[1],
        risk_level=risk_level(pl.col("index")),
        no_risk=pl.col("total").is_not_null() & (pl.col("sum") == 0),
        highest_integrated_risk=nth(ranked, 0),
        top_3_risks=names_of(ranked[:, :3]),
        risks_without_score=lacking(prepared, scores),
    )
