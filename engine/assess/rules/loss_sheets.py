"""Year losses of a portfolio as tables for people: its curves, where its bad years come from, storms. Frames in, frames
out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from engine.assess.rules.sheets import CALIBRATED, Context, Shown, pair_label
from engine.core.scenario import Scenario

#: sites of a scenario and period that the sheet lists; the file has all
LISTED = 50
RECORD = "storms of the record, today"

CURVE: tuple[Shown, ...] = (
    Shown("scenario", "scenario"),
    Shown("time_period", "period"),
    Shown("years", "years"),
    Shown("risk", "risk"),
    Shown("kind", "kind"),
    Shown("return_period", "1 in so many years", "whole"),
    Shown("loss", "loss {currency}", "money"),
    Shown("note", "loss note", "wide"),
    Shown("loss_percent", "loss % of value", "percent"),
    Shown("loss_low", "90 % interval (sampling of years alone) from, {currency}", "money"),
    Shown("loss_high", "90 % interval (sampling of years alone) to, {currency}", "money"),
    Shown("basis", "basis"),
)
CONTRIBUTIONS: tuple[Shown, ...] = (
    Shown("scenario", "scenario"),
    Shown("time_period", "period"),
    Shown("years", "years"),
    Shown("by", "by"),
    Shown("risk", "risk"),
    Shown("row", "row", "whole"),
    Shown("site_id", "site_id"),
    Shown("mean", "part of the mean, {currency} a year", "money"),
    Shown("tvar_99", "part of the worst years (TVaR), {currency}", "money"),
    Shown("tvar_percent", "level of the TVaR %", "percent"),
    Shown("note", "loss note", "wide"),
)
STORMS: tuple[Shown, ...] = (
    Shown("name", "storm"),
    Shown("storm_id", "storm_id"),
    Shown("date", "first fix"),
    Shown("wind_max", "highest wind at a site, m/s", "number"),
    Shown("loss", "loss {currency} today", "money"),
    Shown("note", "loss note", "wide"),
)


def curve(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """A line a point of a curve. frame: of `curve.parquet`"""
    return _named(frame, context).select(each.name for each in CURVE)


def contributions(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """A line a risk, and one of each of the sites with the largest part. frame: of `contributions.parquet`"""
    largest = frame.group_by("scenario_id", "time_period", "by", maintain_order=True).head(LISTED)
    levels = (100 * pl.col("tvar_level")).alias("tvar_percent")
    return _named(largest.with_columns(levels), context).select(each.name for each in CONTRIBUTIONS)


def storms(told: Mapping[str, Any]) -> pl.DataFrame:
    """A line a storm. told: of the summary"""
    frame = pl.DataFrame(told["largest"], schema_overrides={"loss_note": pl.String, "name": pl.String})
    return frame.with_columns(note=pl.col("loss_note").fill_null(CALIBRATED)).select(each.name for each in STORMS)


def _named(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """With scenario, years of the period, risk and note in words; money in whole units."""
    years = pl.col("time_period").replace_strict(dict(context.years), default=None, return_dtype=pl.String)
    notes = [pl.col("loss_note").fill_null(CALIBRATED)]
    if context.scope_note:
        notes.append(pl.lit(context.scope_note))
    return frame.with_columns(
        years=years,
        scenario=pl.col("scenario_id")
        .replace_strict(context.scenarios(), default=RECORD, return_dtype=pl.String)
        .fill_null(RECORD),
        risk=pl.col("risk_type").str.replace_all("_", " ").replace("all", "all risks"),
        note=pl.concat_str(notes, separator="; "),
    )


def facts(summary: Mapping[str, Any], context: Context) -> list[tuple[str, str]]:
    """Lines of the summary: the loss once in so many years of each scenario and period, what the years lack."""
    if summary["year_losses_note"] is not None:
        return [("year losses", summary["year_losses_note"])]
    found = []
    for pair in summary["results"]:
        if pair["year_losses"] is None:
            continue
        scenario = Scenario.parse(pair["scenario"])
        found.append((pair_label(int(scenario), pair["time_period"], context), sentence(pair["year_losses"])))
        found += [("year losses", each) for each in lacking(pair["year_losses"])]
    if summary["storms_note"] is not None:
        found.append(("storms", summary["storms_note"]))
    return found


def sentence(told: Mapping[str, Any]) -> str:
    """`1 in 100 years: 3.2 % of value` with all that it must not be told without."""
    notes = "; ".join(each for each in (told["loss_note"], told["overlap_note"]) if each)
    return f"{told['sentence']} ({notes})" if notes else str(told["sentence"])


def lacking(told: Mapping[str, Any]) -> list[str]:
    """Risks that the years lack at some sites, in words."""
    return [
        f"{risk.replace('_', ' ')} of {sites:,} site{'s' if sites > 1 else ''} was published without year losses: the"
        " years lack it"
        for risk, sites in told["sites_without_year_losses"].items()
    ]


def with_levels(
    frame: pl.DataFrame, shown: Sequence[Shown], levels: pl.DataFrame, once: Mapping[tuple[int, str], float],
    context: Context,
) -> tuple[pl.DataFrame, list[Shown]]:  # fmt: skip
    """Table of sites with their loss once in so many years, behind the figures of each scenario and period.

    levels : `row`, `scenario_id`, `time_period`, `once_percent`; once: the return periods
    """
    titled = list(shown)
    for (scenario, period), years in once.items():
        name = f"once_percent:{scenario}:{period}"
        own = levels.filter(pl.col("scenario_id") == scenario, pl.col("time_period") == period)
        own = own.select(pl.col("row").cast(frame["row"].dtype), pl.col("once_percent").alias(name))
        frame = frame.join(own, on="row", how="left", maintain_order="left")
        title = f"1 in {years:g} years: loss % of value, {pair_label(scenario, period, context)}"
        after = [at for at, each in enumerate(titled) if each.name.endswith(f":{scenario}:{period}")]
        titled.insert(after[-1] + 1 if after else len(titled), Shown(name, title, "percent"))
    return frame, titled
