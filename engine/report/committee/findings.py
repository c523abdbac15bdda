"""Findings of a portfolio in sentences with figures: what matters, where, how it changes, how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from engine.core.period import WINDOWS
from engine.core.scenario import Scenario
from engine.report.committee import numbers, vulnerable
from engine.report.committee.figures import Pair, Portfolio
from engine.report.committee.numbers import share
from engine.report.committee.texts import Texts
from engine.report.committee.wording import Words

#: risks and places that are told
_MOST = 3
_SITES = 10


class Finding(NamedTuple):
    """One question and the sentences that answer it."""

    title: str
    sentences: list[str]


def findings(portfolio: Portfolio, words: Words, risky: pl.DataFrame) -> list[Finding]:
    """All questions in their order. risky: of `at_risk.at_risk`"""
    texts = words.texts
    answers = {
        "h_matters": _matters(portfolio, words),
        "h_where": _where(portfolio, words),
        "h_change": _changes(portfolio, words),
        "h_bad_year": _bad_year(portfolio, words),
        "h_at_risk": vulnerable.sentences(portfolio, words, risky),
        "h_sure": _sure(portfolio, words),
        "h_priced": _priced(portfolio, texts) if portfolio.risks else [],
    }
    return [Finding(texts(title), sentences) for title, sentences in answers.items() if sentences]


def _matters(portfolio: Portfolio, words: Words) -> list[str]:
    pair, texts = portfolio.shown, words.texts
    loss = pair.told["total_expected_loss"]
    if loss is None:
        why = "f_no_loss_value" if portfolio.summary["assessed_sites"] else "f_no_loss_failed"
        return [texts("f_no_loss", why=texts(why)), *_highest_ranked(portfolio, words)]
    told = [texts("f_loss", **words.at(pair), money=words.money(loss), share=words.share_of(pair))]
    if pair.told["total_expected_loss_calibrated"] is not None and pair.told["loss_note"] is not None:
        told.append(_parts(pair, words))
    for risk, row in portfolio.losses_by_risk(pair)[:_MOST]:
        within = _within(row, "expected_loss", words)
        told.append(
            texts(
                "f_top_risk",
                risk=texts.risk(risk),
                money=words.money(row["expected_loss"]),
                within=within,
                part=share(row["expected_loss"] / loss),
                note=words.note_of(row["loss_note"]),
            )
        )
    if len(told) == 1:
        told.append(texts("f_no_risk_loss"))
    return told


def _parts(pair: Pair, words: Words) -> str:
    """How much of the loss is calibrated on losses, and how much is an index."""
    named = {
        kind: words.money(pair.told[f"total_expected_loss_{kind}"])
        + _within(pair.told, f"total_expected_loss_{kind}", words)
        for kind in ("calibrated", "uncalibrated")
    }
    return words.texts("f_parts", note=words.texts("loss_note"), **named)


def _within(row: Mapping[str, Any], name: str, words: Words) -> str:
    """Interval of a loss within a sentence."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None or high is None:
        return words.texts("f_not_within")
    return words.texts("f_within", low=words.amount(low), high=words.amount(high))


def _highest_ranked(portfolio: Portfolio, words: Words) -> list[str]:
    """Risks by their mean index, where no loss ranks them."""
    rows = portfolio.results.risk.filter(portfolio.shown.of_pair, pl.col("risk_index").is_not_null())
    means = rows.group_by("risk_type").agg(index=pl.col("risk_index").mean(), sites=pl.len())
    top = means.sort("index", "risk_type", descending=[True, False]).head(_MOST)
    return [
        words.texts("f_risk_index", risk=words.texts.risk(risk), index=f"{index:.0f}", assets=words.texts.assets(sites))
        for risk, index, sites in top.iter_rows()
    ]


def _where(portfolio: Portfolio, words: Words) -> list[str]:
    pair, texts = portfolio.shown, words.texts
    loss = pair.told["total_expected_loss"]
    told = []
    for row in portfolio.by_place(pair).head(_MOST).iter_rows(named=True):
        named = {"region": words.place(row["code"], row["name"]), "assets": texts.assets(row["sites"])}
        if loss and row["loss"] is not None:
            note = words.note(pair.told) if row["uncalibrated"] else texts("calibrated")
            told.append(
                texts("f_region", **named, money=words.money(row["loss"]), part=share(row["loss"] / loss), note=note)
            )
        elif row["index"] is not None:
            told.append(texts("f_region_level", **named, index=f"{row['index']:.0f}"))
    worst = [site for site in pair.told["worst_sites"][:_SITES] if site["total_expected_loss"]]
    if loss and worst:
        first = worst[0]
        named = {
            "name": portfolio.names[first["row"]],
            "money": words.money(first["total_expected_loss"]),
            "note": words.note(pair.told) if first["loss_note"] else texts("calibrated"),
        }
        if pair.told["sites_in_total"] == 1:
            told.append(texts("f_only_site", **named))
        else:
            part = sum(site["total_expected_loss"] for site in worst) / loss
            told.append(texts("f_largest", assets=texts.assets(len(worst)), part=share(part), **named))
    return told or [texts("f_nowhere")]


def _changes(portfolio: Portfolio, words: Words) -> list[str]:
    windows = [period for period in portfolio.periods if period in WINDOWS]
    if len(windows) < 2:
        if words.observed:
            return [words.texts("f_observed_no_change")]
        return [words.texts("f_one_window", years=words.years(portfolio.shown.years))]
    told = [_change(scenario, windows, portfolio, words) for scenario in portfolio.scenarios]
    return [sentence for sentence in told if sentence] or [words.texts("f_no_change")]


def _change(scenario: Scenario, windows: list[str], portfolio: Portfolio, words: Words) -> str | None:
    """One scenario, window by window; None where one of them has no loss."""
    pairs = [portfolio.pair(scenario, period) for period in windows]
    found = [pair for pair in pairs if pair is not None and pair.of_value("total_expected_loss") is not None]
    if len(found) < 2:
        return None
    texts = words.texts
    first, last = found[0], found[-1]
    before, after = first.of_value("total_expected_loss"), last.of_value("total_expected_loss")
    return texts(
        "f_change",
        scenario=words.scenario(scenario),
        windows=texts.joined([_of_window(pair, words) for pair in found]),
        factor=f"{after / before:.2f}" if before and after is not None else numbers.NONE,
        overlap=texts(overlap(first, last)),
        note=words.note(last.told),
    )


def _of_window(pair: Pair, words: Words) -> str:
    texts = words.texts
    low, high = pair.of_value("total_expected_loss_low"), pair.of_value("total_expected_loss_high")
    within = "" if low is None else texts("f_window_ends", low=share(low), high=share(high))
    value = share(pair.of_value("total_expected_loss"))
    return texts("f_window", share=value, years=words.years(pair.years), within=within)


def overlap(first: Pair, last: Pair) -> str:
    """Key of the words on whether the intervals of two windows overlap."""
    ends = [pair.of_value(f"total_expected_loss_{end}") for pair in (first, last) for end in ("low", "high")]
    if None in ends:
        return "f_no_overlap"
    low, high, other_low, other_high = (float(end or 0.0) for end in ends)
    if low > other_high or other_low > high:
        return "f_apart"
    return "f_overlap_rates" if last.told["interval_holds_rates"] else "f_overlap"


def _bad_year(portfolio: Portfolio, words: Words) -> list[str]:
    pair, texts = portfolio.shown, words.texts
    once = portfolio.once(pair)
    if once is None:
        return [texts("f_no_years", why=texts("f_no_years_why"))]
    low, high = once["loss_percent_low"], once["loss_percent_high"]
    told = [
        texts(
            "f_bad_year",
            period=f"{once['return_period']:g}",
            **words.at(pair),
            money=words.money(once["loss"]),
            percent=share(once["loss_percent"] / 100),
            within="" if low is None else texts("f_bad_within", low=share(low / 100), high=share(high / 100)),
            basis=texts(f"basis_{once['basis']}"),
            note=words.note(pair.told) if once["loss_note"] else texts("calibrated"),
        )
    ]
    parts = portfolio.contributions(pair, "risk")
    if once["tvar_99"] and parts.height:
        first = parts.row(0, named=True)
        part = share(first["tvar_99"] / once["tvar_99"])
        told.append(texts("f_bad_source", risk=texts.risks([first["risk_type"]]), part=part))
    if storms := (portfolio.summary["storms"] or {}).get("largest"):
        named = {"storm": words.storm(storms[0]), "date": storms[0]["date"]}
        note = words.note_of(storms[0]["loss_note"])
        told.append(texts("f_storm", **named, money=words.money(storms[0]["loss"]), note=note))
    return told


def _sure(portfolio: Portfolio, words: Words) -> list[str]:
    pair, texts = portfolio.shown, words.texts
    told, told_of = [], portfolio.losses_by_risk(pair)
    fitted = [risk for risk, row in told_of if row["calibrated"]]
    others = [risk for risk, row in told_of if not row["calibrated"]]
    if fitted and others:
        told.append(texts("f_mixed", calibrated=texts.risks(fitted), uncalibrated=texts.risks(others)))
    elif fitted or others:
        told.append(texts("f_calibrated" if fitted else "f_uncalibrated"))
    if told_of:
        rates = texts("f_interval_rates") if pair.told["interval_holds_rates"] else ""
        told.append(texts("f_interval_record" if words.observed else "f_interval", rates=rates))
    if lacking := pair.told["risks_without_interval"]:
        told.append(texts("f_no_interval", risks=texts.risks(lacking)))
    if pair.told["overlap_note"]:
        told.append(texts("overlap_note"))
    told.append(left_out(portfolio, words))
    if pair.told["sites_of_nearest_cell"]:
        told.append(texts("f_nearest", sites=f"{pair.told['sites_of_nearest_cell']:,}"))
    if portfolio.summary["invalid_rows"]:
        told.append(texts("f_invalid", rows=f"{portfolio.summary['invalid_rows']:,}"))
    return told


def left_out(portfolio: Portfolio, words: Words) -> str:
    """Assets that are not in the sum of the pair shown first, and why."""
    texts, told = words.texts, portfolio.shown.told
    if not told["sites_left_out"]:
        return texts("f_left_none", all=f"{told['sites']:,}")
    value = told["asset_value_left_out"]
    return texts(
        "f_left_out",
        sites=f"{told['sites_left_out']:,}",
        all=f"{told['sites']:,}",
        value=texts("f_left_value", value=words.money(value)) if value else "",
        reasons=texts.joined(
            [texts("left_reason", why=why, sites=f"{sites:,}") for why, sites, _ in why_left_out(portfolio, texts)]
        ),
    )


def why_left_out(portfolio: Portfolio, texts: Texts) -> list[tuple[str, int, int | None]]:
    """(reason, assets, their value) of those not in the sum of the pair shown first."""
    left = portfolio.results.totals.filter(portfolio.shown.of_pair, pl.col("total_expected_loss").is_null())
    reason = (
        pl.when(pl.col("status").is_in(["failed", "outside_grid"]))
        .then(pl.col("status"))
        .when(pl.col("total_asset_value").is_null())
        .then(pl.lit("no_value"))
        .otherwise(pl.lit("not_counted"))
    )
    counts = left.group_by(why=reason).agg(sites=pl.len(), value=pl.col("total_asset_value").sum())
    rows = counts.sort("sites", "why", descending=[True, False]).iter_rows()
    return [(texts(f"left_{why}"), sites, value or None) for why, sites, value in rows]


def _priced(portfolio: Portfolio, texts: Texts) -> list[str]:
    priced, ranked = portfolio.priced, portfolio.only_ranked
    without = [risk for risk in portfolio.risks if risk not in priced and risk not in ranked]
    told = [
        texts("f_priced", risks=texts.risks(priced)) if priced else texts("f_priced_none"),
        texts("f_ranked", risks=texts.risks(ranked)) if ranked else texts("f_ranked_none"),
    ]
    return [*told, texts("f_without", risks=texts.risks(without))] if without else told
