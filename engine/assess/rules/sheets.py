"""The results of a portfolio as tables for people: a line a site, a line a loss, a line a fault. Frames in, frames out;
how they look is the writer's business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import polars as pl

from engine.assess.rules import loss_words, words
from engine.assess.rules.offered import RISKS
from engine.assess.rules.vocabulary import RISK
from engine.core.caveats import LOSS_NOTE
from engine.core.levels import HAZARD, PRINTED
from engine.core.period import label, parse_years
from engine.core.scenario import Scenario, ScenarioNames
from engine.core.scenario import label as scenario_label

Form = Literal["text", "wide", "whole", "money", "number", "fraction", "percent", "degrees", "level"]
CALIBRATED = "calibrated on losses"
#: status of a row that was not assessed since a value of it is wrong
INVALID = "invalid"
_PAIR = ("scenario_id", "time_period")
_KEYS = ("row", *_PAIR, "risk_type")


class Shown(NamedTuple):
    """A column of a table: its name in the frame, its title, the form of its values. `{currency}` in a title is filled
    by `titled`."""

    name: str
    title: str
    form: Form = "text"


def titled(columns: Iterable[Shown]) -> list[Shown]:
    """Columns with the currency of the country in their titles."""
    code = loss_words.currency()
    return [each._replace(title=each.title.replace("{currency}", code)) for each in columns]


class Context(NamedTuple):
    """Notes that every table must carry beside its figures.

    years      : period -> its years, as `2041-2060`
    scope_note : what the figures are of, unless of the whole
    trended    : risks that follow a trend: their AAL is that of the middle of these years
    scenario_names : of the scenarios, where these are no SSPs
    """

    years: Mapping[str, str]
    scope_note: str | None
    trended: frozenset[str] = frozenset()
    scenario_names: ScenarioNames = MappingProxyType({})

    def scenario(self, scenario_id: int) -> str:
        """Name of a scenario."""
        return scenario_label(scenario_id, self.scenario_names)

    def scenarios(self) -> dict[int, str]:
        """Names of all by number."""
        return {int(each): self.scenario(each) for each in Scenario}


#: figures of a site that do not depend on scenario and period
SITE: tuple[Shown, ...] = (
    Shown("site_id", "site_id"),
    Shown("site_uuid", "site_uuid"),
    Shown("status", "status"),
    Shown("why", "why", "wide"),
    Shown("latitude", "latitude used", "degrees"),
    Shown("longitude", "longitude used", "degrees"),
    Shown("admin_name", "region"),
    Shown("cell_basis", "cell"),
    Shown("cell_distance_m", "metres to the cell's centre", "number"),
    Shown("building_source", "building known from"),
    Shown("imputed", "fields assumed", "wide"),
    Shown("data_quality", "share of building fields known", "fraction"),
    Shown("total_asset_value", "asset value {currency}", "money"),
)
#: figures of a site in one scenario and period, the money beside what must be said with it
SITE_PAIR: tuple[Shown, ...] = (
    Shown("total_expected_loss", "expected loss {currency} a year", "money"),
    Shown("total_expected_loss_low", "90 % interval of the loss from {currency}", "money"),
    Shown("total_expected_loss_high", "90 % interval of the loss to {currency}", "money"),
    Shown("note", "loss note", "wide"),
    Shown("loss_percent", "loss % of value", "percent"),
    Shown("highest_aal_risk", "largest loss by"),
    Shown("mean_risk_index", "risk index 0-100", "number"),
    Shown("risk_level", "risk level", "level"),
)
LOSSES: tuple[Shown, ...] = (
    Shown("site_id", "site_id"),
    Shown("scenario", "scenario"),
    Shown("time_period", "period"),
    Shown("years", "years"),
    Shown("risk", "risk"),
    Shown("expected_loss", "expected loss {currency} a year", "money"),
    Shown("expected_loss_low", "90 % interval of the loss from {currency}", "money"),
    Shown("expected_loss_high", "90 % interval of the loss to {currency}", "money"),
    Shown("note", "loss note", "wide"),
    Shown("final_aal_percentage", "AAL % of value, net of insurance", "percent"),
    Shown("final_aal_low_percent", "90 % interval of the AAL from %", "percent"),
    Shown("final_aal_high_percent", "90 % interval of the AAL to %", "percent"),
    Shown("hazard", "hazard 0-1", "fraction"),
    Shown("hazard_level", "hazard level", "level"),
    Shown("exposure", "exposure 0-1", "fraction"),
    Shown("vulnerability", "vulnerability 0-100", "number"),
    Shown("risk_index", "risk index 0-100", "number"),
    Shown("risk_level", "risk level", "level"),
    Shown("risk_score", "value-weighted score 0-100", "fraction"),
    Shown("base_aal_percent", "AAL % of the cell", "percent"),
    Shown("vulnerability_scale", "factor of vulnerability", "fraction"),
    Shown("insured_percent", "insured %", "number"),
    Shown("why", "why not computed", "wide"),
)
FAULTS: tuple[Shown, ...] = (
    Shown("site_id", "site_id"),
    Shown("column", "column"),
    Shown("field", "field"),
    Shown("value", "value found"),
    Shown("risk", "risk"),
    Shown("what", "what is wrong", "wide"),
)


def _years(of: Mapping[str, str]) -> pl.Expr:
    return pl.col("time_period").cast(pl.String).replace_strict(dict(of), default=None, return_dtype=pl.String)


def pair_label(scenario_id: int, period: str, context: Context) -> str:
    """`SSP2-4.5 mid_term 2041-2060`."""
    return " ".join(filter(None, (context.scenario(scenario_id), period, context.years.get(period))))


def sites(
    rows: pl.Series, totals: pl.DataFrame, failures: pl.DataFrame, context: Context
) -> tuple[pl.DataFrame, list[Shown]]:
    """A line a site, those that were not assessed among them.

    rows     : numbers of all rows of the file
    totals   : a row a site, scenario and period
    failures : faults of rows and results
    returns  : (a frame with `row`, its columns but `row`)
    """
    first = totals.unique("row", keep="first", maintain_order=True).with_columns(
        pl.col("status", "cell_basis", "building_source").cast(pl.String),
        imputed=pl.col("imputed_fields").list.join(", "),
    )
    wrong = _wrong(failures)
    if "admin_name" not in first.columns:
        first = first.with_columns(admin_name=pl.lit(None, pl.String))
    kept = ["row", *(each.name for each in SITE if each.name != "why")]
    frame = pl.DataFrame([rows.cast(pl.UInt32).alias("row")]).join(
        first.select(kept), on="row", how="left", maintain_order="left"
    )
    frame = frame.join(wrong, on="row", how="left", maintain_order="left").with_columns(
        status=pl.col("status").fill_null(INVALID),
        why=pl.concat_str(
            [_no_value(pl.col("status"), pl.col("total_asset_value")), "why"], separator="; ", ignore_nulls=True
        ).replace("", None),
        site_id=pl.coalesce("site_id", "wrong_id"),
        site_uuid=pl.coalesce("site_uuid", "wrong_uuid"),
    )
    shown = titled(SITE)
    for (scenario_id, period), group in totals.group_by(*_PAIR, maintain_order=True):
        mark, label = f"{scenario_id}:{period}", pair_label(int(scenario_id), str(period), context)
        figures = _pair(group, context).rename({each.name: f"{each.name}:{mark}" for each in SITE_PAIR})
        frame = frame.join(figures, on="row", how="left", maintain_order="left")
        shown += [Shown(f"{name}:{mark}", f"{title}, {label}", form) for name, title, form in titled(SITE_PAIR)]
    return frame, shown


def _no_value(status: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Reason of an assessed site without a loss in money; null for others."""
    return pl.when(status.is_in(["ok", "partial"]) & value.is_null()).then(
        pl.lit(words.NO_VALUE.format(currency=loss_words.currency()))
    )


def invalid_sites(rows: pl.Series, failures: pl.DataFrame) -> tuple[pl.DataFrame, list[Shown]]:
    """The same for rows none of which is valid: status and why."""
    frame = pl.DataFrame([rows.cast(pl.UInt32).alias("row")]).join(
        _wrong(failures), on="row", how="left", maintain_order="left"
    )
    return frame.with_columns(status=pl.lit(INVALID)), [each for each in SITE if each.name in ("status", "why")]


def _wrong(failures: pl.DataFrame) -> pl.DataFrame:
    """`row`, `why` in words: each reason of a row once, a risk's with its name; ids of rows that were not assessed."""
    worded = _in_words(failures)
    named = pl.when(pl.col("risk").is_not_null()).then(pl.format("{}: {}", "risk", "what")).otherwise("what")
    return worded.group_by("row", maintain_order=True).agg(
        why=named.unique(maintain_order=True).head(12).str.join("; "),
        wrong_id=pl.col("site_id").first(),
        wrong_uuid=pl.col("site_uuid").first(),
    )


def _in_words(failures: pl.DataFrame) -> pl.DataFrame:
    codes = failures["reason"].unique().drop_nulls().to_list()
    return failures.with_columns(
        what=pl.col("reason").replace({code: words.reason(code) for code in codes}),
        risk=pl.col("risk_type").cast(pl.String).str.replace_all("_", " "),
    )


def _pair(totals: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Figures of the sites in one scenario and period."""
    calibrated = pl.col("total_expected_loss_calibrated")
    mixed = calibrated.is_not_null() & pl.col("total_expected_loss_uncalibrated").is_not_null()
    of_mixed = calibrated.map_elements(loss_words.of_mixed, return_dtype=pl.String)
    return (
        totals.with_columns(loss_note=pl.when(mixed).then(of_mixed).otherwise("loss_note"))
        .with_columns(
            note=_note(pl.col("total_expected_loss").is_not_null(), context, "loss_note", "overlap_note"),
            loss_percent=100 * pl.col("total_expected_loss") / pl.col("total_asset_value"),
            highest_aal_risk=pl.col("highest_aal_risk").cast(pl.String).str.replace_all("_", " "),
            risk_level=pl.col("risk_level").cast(pl.String),
        )
        .select("row", *(each.name for each in SITE_PAIR))
    )


def _note(is_money: pl.Expr, context: Context, *names: str) -> pl.Expr:
    """All that must be said beside a loss; null where there is none."""
    parts = [pl.col(names[0]).fill_null(CALIBRATED), *(pl.col(name) for name in names[1:])]
    if context.scope_note:
        parts.append(pl.lit(context.scope_note))
    return pl.when(is_money).then(pl.concat_str(parts, separator="; ", ignore_nulls=True))


def losses(aal: pl.DataFrame, risk: pl.DataFrame, context: Context) -> pl.DataFrame:
    """A line a site, scenario, period and risk, in this order; of the frames `aal` and `risk` of some of the sites."""
    theirs = ["hazard", "hazard_level", "exposure", "vulnerability", "risk_index", "risk_level", "risk_score"]
    aal = aal.select(
        *_KEYS,
        "site_id",
        *("expected_loss", "expected_loss_low", "expected_loss_high"),
        *("final_aal_percentage", "final_aal_low", "final_aal_high"),
        "base_aal",
        "vulnerability_scale",
        "insurance_rate",
        "calibrated",
        "reason",
    )
    both = aal.join(risk.select(*_KEYS, *theirs, reason_risk="reason"), on=_KEYS, how="left")
    both = both.with_columns(order=pl.col("risk_type").cast(pl.String).cast(RISK).to_physical()).sort(
        "row", *_PAIR, "order"
    )
    middles = {name: label(name, parse_years(years), trend=True) for name, years in context.years.items()}
    reasons = {code: words.reason(code) for code in {*both["reason"].unique(), *both["reason_risk"].unique()} if code}
    loss_note = pl.when(~pl.col("calibrated")).then(pl.lit(LOSS_NOTE))
    return (
        both.with_columns(
            pl.col("time_period", "risk_level").cast(pl.String),
            pl.col("hazard_level").cast(pl.String).replace(dict(zip(HAZARD, PRINTED, strict=True))),
            pl.when(pl.col("expected_loss").is_not_null()).then(loss_note).alias("loss_note"),
            scenario=pl.col("scenario_id").replace_strict(context.scenarios(), return_dtype=pl.String),
            years=pl.when(pl.col("risk_type").cast(pl.String).is_in(sorted(context.trended)))
            .then(_years(middles))
            .otherwise(_years(context.years)),
            risk=pl.col("risk_type").cast(pl.String).str.replace_all("_", " "),
            final_aal_low_percent=100 * pl.col("final_aal_low"),
            final_aal_high_percent=100 * pl.col("final_aal_high"),
            base_aal_percent=100 * pl.col("base_aal"),
            insured_percent=100 * pl.col("insurance_rate"),
            why=pl.concat_str(
                [pl.col(name).replace(reasons) for name in ("reason", "reason_risk")], separator="; ", ignore_nulls=True
            ).replace("", None),
        )
        .with_columns(note=_note(pl.col("expected_loss").is_not_null(), context, "loss_note"))
        .select("row", *(each.name for each in LOSSES))
    )


def faults(failures: pl.DataFrame, headings: Mapping[str, str], values: Iterable[str | None]) -> pl.DataFrame:
    """A line a fault of a row, and one a risk of a site that could not be computed.

    headings : field -> column of the file
    values   : what the file has in the field of each fault
    """
    worded = _in_words(failures).with_columns(value=pl.Series(list(values), dtype=pl.String))
    return worded.with_columns(
        column=pl.col("field").replace_strict(dict(headings), default=None, return_dtype=pl.String)
    ).select("row", *(each.name for each in FAULTS))


def by_risk(results: Sequence[Mapping[str, Any]], context: Context) -> pl.DataFrame:
    """The sums of a portfolio: a line a scenario, period and risk, and one of all risks. results: of its summary"""
    lines = []
    for pair in results:
        scenario = Scenario.parse(pair["scenario"])
        head = (context.scenario(scenario), pair["time_period"], context.years.get(pair["time_period"]))
        for risk in (each for each in RISKS if each in pair["expected_loss_by_risk"]):
            row = pair["expected_loss_by_risk"][risk]
            note = _joined(row["loss_note"] or loss_words.whose(CALIBRATED, row["level"]), None, context)
            lines.append(
                (
                    *head,
                    words.risk(risk),
                    *(row[name] for name in _LOSS),
                    note,
                    row["sites"],
                    row["sites_left_out"],
                    None,
                )
            )
        kind = pair["loss_note"] or CALIBRATED
        if loss_words.is_mixed(pair):
            kind = loss_words.of_mixed(pair["total_expected_loss_calibrated"])
        note = _joined(kind, pair["overlap_note"], context)
        ratio = pair["expected_loss_ratio"]
        counts = (pair["sites_in_total"], pair["sites_left_out"])
        whole = (pair[f"total_{name}"] for name in _LOSS)
        lines.append((*head, "all risks", *whole, note, *counts, None if ratio is None else 100 * ratio))
        lines += _of_one_kind(pair, head, context)
    schema = {name: kind for (name, _, _), kind in zip(BY_RISK, _BY_RISK_TYPES, strict=True)}
    frame = pl.DataFrame(lines, schema=schema, orient="row")
    return frame.with_columns(note=pl.when(pl.col("loss").is_not_null()).then("note"))


def _of_one_kind(pair: Mapping[str, Any], head: tuple[str, str, str | None], context: Context) -> list[tuple[Any, ...]]:
    """The sum of what is calibrated on losses, and of what is not, where a portfolio has both."""
    kinds = [("calibrated", CALIBRATED), ("uncalibrated", LOSS_NOTE)]
    if any(pair[f"total_expected_loss_{kind}"] is None for kind, _ in kinds):
        return []
    lines: list[tuple[Any, ...]] = []
    for kind, note in kinds:
        ends = (pair[f"total_expected_loss_{kind}{end}"] for end in ("", "_low", "_high"))
        title = f"all risks {'not ' if kind == 'uncalibrated' else ''}calibrated on losses"
        lines.append((*head, title, *ends, _joined(note, None, context), None, None, None))
    return lines


def _joined(note: str, overlap: str | None, context: Context) -> str:
    return "; ".join(each for each in (note, overlap, context.scope_note) if each)


BY_RISK: tuple[Shown, ...] = (
    Shown("scenario", "scenario"),
    Shown("period", "period"),
    Shown("years", "years"),
    Shown("risk", "risk"),
    Shown("loss", "expected loss {currency} a year", "money"),
    Shown("low", "90 % interval of the loss from {currency}", "money"),
    Shown("high", "90 % interval of the loss to {currency}", "money"),
    Shown("note", "loss note", "wide"),
    Shown("sites", "sites in the sum", "whole"),
    Shown("left_out", "sites left out", "whole"),
    Shown("percent", "loss % of the value in the sum", "percent"),
)
_LOSS = ("expected_loss", "expected_loss_low", "expected_loss_high")
_BY_RISK_TYPES = (*(pl.String(),) * 4, *(pl.Int64(),) * 3, pl.String(), pl.Int64(), pl.Int64(), pl.Float64())


WORST: tuple[Shown, ...] = (
    Shown("scenario", "scenario"),
    Shown("period", "period"),
    Shown("years", "years"),
    Shown("place", "largest loss, place"),
    Shown("loss", "expected loss {currency} a year", "money"),
    Shown("low", "90 % interval of the loss from {currency}", "money"),
    Shown("high", "90 % interval of the loss to {currency}", "money"),
    Shown("note", "loss note", "wide"),
    Shown("row", "row", "whole"),
    Shown("site_id", "site_id"),
    Shown("site", "name"),
    Shown("index", "risk index 0-100", "number"),
    Shown("risk_level", "risk level", "level"),
)
_WORST_TYPES = (
    *(pl.String(),) * 4,
    *(pl.Int64(),) * 3,
    pl.String(),
    pl.Int64(),
    pl.String(),
    pl.String(),
    pl.Float64(),
    pl.String(),
)


def worst(results: Sequence[Mapping[str, Any]], name: str | None, context: Context) -> pl.DataFrame:
    """The sites that lose most, in each scenario and period. name: of the carried column that names sites"""
    lines = []
    for pair in results:
        head = (
            context.scenario(Scenario.parse(pair["scenario"])),
            pair["time_period"],
            context.years.get(pair["time_period"]),
        )
        for place, site in enumerate(pair["worst_sites"], 1):
            loss = site["total_expected_loss"]
            note = None if loss is None else _joined(site["loss_note"] or CALIBRATED, None, context)
            called = site["carried"].get(name) if name else None
            which = (site["row"], site["site_id"], called, site["mean_risk_index"], site["risk_level"])
            ends = (site["total_expected_loss_low"], site["total_expected_loss_high"])
            lines.append((*head, str(place), loss, *ends, note, *which))
    schema = {each.name: kind for each, kind in zip(WORST, _WORST_TYPES, strict=True)}
    return pl.DataFrame(lines, schema=schema, orient="row")
