"""Two assessments beside each other: sites joined by their ids, what changed of each and by which fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import polars as pl

from engine.assess.rules.fields import BY_NAME
from engine.assess.rules.vulnerability import RULES

_LOSS = ("total_expected_loss", "total_expected_loss_low", "total_expected_loss_high")
_KINDS: dict[str, pl.DataType] = {
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "text": pl.String(),
}
#: fields that the record of vulnerability repeats, in the order of the fields
ECHOED = tuple(name for name in BY_NAME if any(name in rule.echoes for rule in RULES.values()))
#: what an asset is known by, and where it stands: compared first
_OWN = ("latitude", "longitude", "total_asset_value", "insurance_coverage_rate")
FIELDS = (*_OWN, *ECHOED)
STATUSES = ("new", "gone", "changed", "results", "same")


def assets(totals: pl.DataFrame, aal: pl.DataFrame, vulnerability: pl.DataFrame) -> pl.DataFrame:
    """A row an asset of one scenario and period.

    totals, aal   : rows of that scenario and period: of `totals` with `name`; of `aal` with `base_aal`
    vulnerability : rows of the same sites, with `factors`
    returns : `key` (the caller's id, else the place; of equal ones with their number in the file), `row`, `site_id`,
              `name`, FIELDS as they entered the loss, the loss with its ends, `base_aal`: a record of the AAL of the
              cell by risk
    """
    own = pl.coalesce("site_id", pl.format("{},{}", pl.col("latitude").round(6), pl.col("longitude").round(6)))
    ordered = totals.sort("row").with_columns(own=own)
    number = pl.int_range(pl.len()).over("own")
    key = pl.when(number == 0).then("own").otherwise(pl.format("{} ({})", "own", number + 1))
    insured = aal.group_by("row").agg(insurance_coverage_rate=pl.col("insurance_rate").first())
    table = ordered.select("row", "site_id", "name", *_OWN[:3], *_LOSS, key=key).join(
        insured, on="row", how="left", maintain_order="left"
    )
    for risk, rule in RULES.items():
        names = [name for name in rule.echoes if name not in table.columns]
        rows = vulnerability.filter(pl.col("risk_type") == risk)
        if names and rows.height:
            record = pl.Struct({name: _KINDS[BY_NAME[name].kind] for name in names})
            told = rows.select("row", record=pl.col("factors").str.json_decode(record)).unnest("record")
            table = table.join(told, on="row", how="left", maintain_order="left")
    table = table.with_columns(
        pl.lit(None, _KINDS[BY_NAME[name].kind]).alias(name) for name in ECHOED if name not in table.columns
    )
    base = aal.select("row", "risk_type", "base_aal").pivot("risk_type", index="row", values="base_aal")
    risks = [name for name in RULES if name in base.columns]
    base = base.with_columns(pl.lit(None, pl.Float64).alias(risk) for risk in RULES if risk not in risks)
    packed = base.select("row", base_aal=pl.struct(list(RULES)))
    return table.join(packed, on="row", how="left", maintain_order="left")


def compared(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """Assets of two assessments, joined by their keys, the largest difference of the loss first.

    first, second : of `assets`
    returns : `key`, `site_id`, `name`, `row_first`, `row_second`; `status`: new, gone, changed (a field differs),
              results (no field differs, but the AAL of its cell), same; the loss and its ends with `_first`,
              `_second`; `difference` (second less first, an absent asset counting as 0 there; null where the loss of an
              asset that is there is not known); `changes`: records of `field`, `before`, `after` as text;
              `new_results`: risks whose AAL of the cell differs
    """
    joined = first.join(second, on="key", how="full", suffix="_second", coalesce=True)
    here, there = pl.col("row").is_not_null(), pl.col("row_second").is_not_null()
    changes = pl.concat_list(
        pl.when(here & there & pl.col(name).ne_missing(pl.col(f"{name}_second"))).then(
            pl.struct(
                field=pl.lit(name),
                before=pl.col(name).cast(pl.String),
                after=pl.col(f"{name}_second").cast(pl.String),
            )
        )
        for name in FIELDS
    ).list.drop_nulls()
    figures = [
        pl.when(
            here
            & there
            & pl.col("base_aal").struct.field(risk).ne_missing(pl.col("base_aal_second").struct.field(risk))
        ).then(pl.lit(risk))
        for risk in RULES
    ]
    loss = [
        pl.when(is_there).then(pl.col(name)).otherwise(0)
        for is_there, name in ((here, _LOSS[0]), (there, f"{_LOSS[0]}_second"))
    ]
    told = joined.select(
        "key",
        site_id=pl.coalesce("site_id", "site_id_second"),
        name=pl.coalesce("name", "name_second"),
        row_first="row",
        row_second="row_second",
        **{f"{name}_first": pl.col(name) for name in _LOSS},
        **{f"{name}_second": pl.col(f"{name}_second") for name in _LOSS},
        difference=loss[1] - loss[0],
        changes=changes,
        new_results=pl.concat_list(figures).list.drop_nulls(),
    )
    status = (
        pl.when(pl.col("row_first").is_null())
        .then(pl.lit("new"))
        .when(pl.col("row_second").is_null())
        .then(pl.lit("gone"))
        .when(pl.col("changes").list.len() > 0)
        .then(pl.lit("changed"))
        .when(pl.col("new_results").list.len() > 0)
        .then(pl.lit("results"))
        .otherwise(pl.lit("same"))
    )
    told = told.with_columns(status=status.cast(pl.Enum(STATUSES)))
    order = [True, False, False]
    return told.sort(pl.col("difference").abs(), "row_second", "row_first", descending=order, nulls_last=True)


def faulty(table: pl.DataFrame, first: Collection[str], second: Collection[str]) -> tuple[list[str], list[str]]:
    """Ids of the new assets whose rows in the first file have faults, and of those that are gone likewise.

    table : of `compared`; first, second : ids of faulty rows
    """
    of_status = {status: table.filter(pl.col("status") == status)["site_id"].drop_nulls() for status in ("new", "gone")}
    return [each for each in of_status["new"] if each in first], [each for each in of_status["gone"] if each in second]


def by_risk(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Losses of each risk of two portfolios, in canonical order. first, second: `expected_loss_by_risk`"""
    told = []
    for risk in RULES:
        rows = [each.get(risk) for each in (first, second)]
        if not any(rows):
            continue
        losses = [row and row["expected_loss"] for row in rows]
        parts = {
            f"{name}_{which}": row and row[name]
            for which, row in zip(("first", "second"), rows, strict=True)
            for name in ("expected_loss", "expected_loss_low", "expected_loss_high", "calibrated", "sites")
        }
        difference = None if None in losses else losses[1] - losses[0]  # type: ignore[operator]
        told.append({"risk_type": risk, **parts, "difference": difference})
    return told


def counts(table: pl.DataFrame) -> dict[str, dict[str, int | None]]:
    """Assets of each status, and the difference of the loss that they make, money."""
    sums = table.group_by("status").agg(assets=pl.len(), difference=pl.col("difference").sum())
    found = {str(status): (assets, difference) for status, assets, difference in sums.iter_rows()}
    return {status: dict(zip(("assets", "difference"), found.get(status, (0, 0)), strict=True)) for status in STATUSES}
