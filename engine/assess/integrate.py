"""Integrated risk H x E x V of every risk, and what the risks of a site come to together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine import levels
from engine.assess import exposure
from engine.assess.prepare import Prepared, wants
from engine.assess.validation import IDENTITY
from engine.assess.vocabulary import (
    HAZARD_LEVEL,
    HAZARD_NOT_FOUND,
    LOSS_NOTE,
    NO_HAZARD,
    ONE_STORM,
    OUTSIDE_GRID,
    OVERLAP_NOTE,
    RISK,
    RISK_LEVEL,
    RISKS,
    STATUS,
    risk_level,
)

SITE_STATUS = pl.Enum(["ok", "partial", "failed", "outside_grid"])
Frames = Mapping[str, pl.DataFrame]
#: of an expected loss: the whole, what is calibrated on losses, what is not
_PARTS = ("", "_calibrated", "_uncalibrated")


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
    returns : `hazard`, `hazard_level`, `exposure`, `vulnerability`, `risk_score` (0..100, weighted by the asset's
              value),
              `risk_level`, `risk_index` (0..100, free of value: it decides the level), `status`, `reason`,
              `is_default`; null where the row failed, and of E and V what failed
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
    # (score stands in so that a row without an E has no index either)
    index = 100 * (pl.col("hazard") * pl.col("proximity") * (pl.col("vulnerability") * 0.01)).cbrt()
    index = pl.when(score.is_not_null()).then(index)
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
    scores = _wide(prepared, frames, "risk_score")
    total, _ = _sum_and_mean(scores)
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
    asked = _wanted(prepared)
    done, in_all = ok.sum_horizontal(), asked.sum_horizontal()
    inside = pl.concat(
        [
            _described(prepared.sites, prepared.requests),
            _scores(prepared, stages.risk),
            _losses(prepared, stages.aal),
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


def _wanted(prepared: Prepared) -> pl.DataFrame:
    return prepared.sites.select(pl.col(wants(risk)).alias(risk) for risk in RISKS)[prepared.requests["site"]]


def _wide(prepared: Prepared, frames: Frames, column: str) -> pl.DataFrame:
    """A column of all risks side by side, null where the risk was not asked for or the row is not ok."""
    ok = (
        _wanted(prepared)
        .rename(lambda risk: f"asked_{risk}")
        .with_columns(
            *(frame["status"].alias(f"status_{risk}") for risk, frame in frames.items()),
            *(frame[column].alias(risk) for risk, frame in frames.items()),
        )
    )
    return ok.select(
        pl.when((pl.col(f"status_{risk}") == "ok") & pl.col(f"asked_{risk}")).then(risk).alias(risk) for risk in frames
    )


def _sum_and_mean(wide: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Over the risks of each row, nulls left out; 0 and null where all are. One risk after the other: polars adds
    columns up in whatever order its threads come back, and the last bit would show it."""
    total, count = np.zeros(wide.height), np.zeros(wide.height)
    for risk in RISKS:
        values = wide[risk].fill_null(np.nan).to_numpy()
        known = ~np.isnan(values)
        total += np.where(known, values, 0.0)
        count += known
    mean = np.divide(total, count, out=np.full(wide.height, np.nan), where=count > 0)
    return pl.Series(total), pl.Series(mean).fill_nan(None)


def _items_ok(prepared: Prepared, stages: Stages) -> pl.DataFrame:
    """True where a requested risk is ok in every stage that ran."""
    site, asked = prepared.requests["site"], _wanted(prepared)
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
    asked = _wanted(prepared)
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
        return _nulls(
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
    scores = _wide(prepared, risk, "risk_score")
    ranked = _ranking(scores)
    whole, mean = _sum_and_mean(scores)
    total = pl.DataFrame({"total": mean, "sum": whole, "index": _sum_and_mean(_wide(prepared, risk, "risk_index"))[1]})
    return total.select(
        mean_risk_index="index",
        total_risk_score="total",
        average_hazard=_sum_and_mean(_wide(prepared, risk, "hazard"))[1],
        average_exposure=_sum_and_mean(_wide(prepared, risk, "exposure"))[1],
        average_vulnerability=_sum_and_mean(_wide(prepared, risk, "vulnerability"))[1],
        risk_level=risk_level(pl.col("index")),
        no_risk=pl.col("total").is_not_null() & (pl.col("sum") == 0),
        highest_integrated_risk=_nth(ranked, 0),
        top_3_risks=_names(ranked[:, :3]),
        risks_without_score=_lacking(prepared, scores),
    )


def _losses(prepared: Prepared, aal: Frames | None) -> pl.DataFrame:
    """Sums of the expected loss over the risks, KRW; what is calibrated on losses apart from what is not."""
    if aal is None:
        kinds: dict[str, pl.DataType] = {f"total_expected_loss{part}": pl.Int64() for part in _PARTS}
        kinds |= {"loss_note": pl.String(), "overlap_note": pl.String(), "highest_aal_risk": RISK}
        return _nulls(prepared.requests.height, kinds | {"risks_without_loss": pl.List(pl.String)})
    counted = {
        risk: frame.with_columns(pl.when(~pl.col("is_default")).then(name) for name in ("expected_loss", "final_aal"))
        for risk, frame in aal.items()
    }
    losses = _wide(prepared, counted, "expected_loss")
    trusted = pl.DataFrame({risk: frame["calibrated"] for risk, frame in aal.items()})
    apart = {
        "": losses,
        "_calibrated": _where(losses, trusted),
        "_uncalibrated": _where(losses, trusted.select(~pl.all())),
    }
    sums = pl.DataFrame(
        {f"total_expected_loss{part}": _sum(frame) for part, frame in apart.items()}
        | {"storms": apart["_uncalibrated"].select(pl.sum_horizontal(pl.col(ONE_STORM).is_not_null())).to_series()}
    )
    return sums.select(
        pl.exclude("storms"),
        loss_note=pl.when(pl.col("total_expected_loss_uncalibrated").is_not_null()).then(pl.lit(LOSS_NOTE)),
        overlap_note=pl.when(pl.col("storms") > 1).then(pl.lit(OVERLAP_NOTE)),
        highest_aal_risk=_nth(_ranking(_wide(prepared, counted, "final_aal")), 0),
        risks_without_loss=_lacking(prepared, losses),
    )


def _where(values: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    return values.select(pl.when(kept[name]).then(pl.col(name)).alias(name) for name in values.columns)


def _sum(values: pl.DataFrame) -> pl.Series:
    """Sum of each row; null where there is nothing to sum."""
    known = pl.any_horizontal(pl.all().is_not_null())
    return values.select(pl.when(known).then(pl.sum_horizontal(pl.all()))).to_series()


def _nulls(n: int, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame({name: pl.repeat(None, n, dtype=kind, eager=True) for name, kind in kinds.items()})


def _lacking(prepared: Prepared, wide: pl.DataFrame) -> pl.Series:
    """Requested risks that have no value, in canonical order."""
    lacking = (_wanted(prepared).to_numpy()) & np.isnan(wide.select(pl.all().fill_null(np.nan)).to_numpy())
    return _names(np.where(lacking, np.arange(len(RISKS)), -1))


def _names(places: NDArray[np.int64]) -> pl.Series:
    """(N, k) places of risks, -1 for none -> N lists of names."""
    names = pl.DataFrame({str(k): _nth(places, k) for k in range(places.shape[1])})
    return names.select(pl.concat_list(pl.all().cast(pl.String)).list.drop_nulls()).to_series()


def _ranking(wide: pl.DataFrame) -> NDArray[np.int64]:
    """(N, 9) risks from the highest value down, ties in canonical order; -1 where there is no value."""
    values = wide.select(pl.all().fill_null(-np.inf)).to_numpy()
    order = np.argsort(-values, axis=1, kind="stable")
    return np.where(np.take_along_axis(values, order, axis=1) == -np.inf, -1, order)


def _nth(ranking: NDArray[np.int64], place: int) -> pl.Series:
    chosen = pl.Series(ranking[:, place])
    names = pl.Series(RISKS, dtype=RISK)
    return names.gather(chosen.set(chosen < 0, None))
