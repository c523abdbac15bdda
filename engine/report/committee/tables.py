"""Tables of the report: losses by scenario, window and risk, points of the curve, assets, contributions, storms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from engine.report.committee.figures import Pair, Portfolio
from engine.report.committee.findings import why_left_out
from engine.report.committee.numbers import NONE, share
from engine.report.committee.vulnerable import Table
from engine.report.committee.wording import Words

_SITES = 10
#: of the points of a curve those that fit on a page
_RETURN_PERIODS = (2, 5, 10, 20, 50, 100, 200)


def by_pair(portfolio: Portfolio, words: Words) -> Table | None:
    """Expected loss of every scenario and window with its interval; None without a loss."""
    texts = words.texts
    if all(pair.told["total_expected_loss"] is None for pair in portfolio.pairs):
        return None
    heads = ("col_scenario", "col_years", "col_loss", "col_within", "col_share", "col_share_within", "col_assets")
    rates = any(pair.told["interval_holds_rates"] for pair in portfolio.pairs)
    if words.observed:
        causes = "interval_of_rates_record" if rates else "interval_of_years_record"
    else:
        causes = "interval_of_rates" if rates else "interval_of_years"
    caption = texts("losses_caption", interval=texts(causes))
    rows = [_pair(pair, words) for pair in portfolio.pairs]
    return Table("", [*map(texts, heads), texts("col_note")], rows, caption)


def _pair(pair: Pair, words: Words) -> list[str]:
    told = pair.told
    low, high = (pair.of_value(f"total_expected_loss_{end}") for end in ("low", "high"))
    return [
        words.scenario(pair.scenario),
        words.years(pair.years),
        words.amount(told["total_expected_loss"]),
        words.within(told["total_expected_loss_low"], told["total_expected_loss_high"]),
        share(pair.of_value("total_expected_loss")),
        words.shares(low, high),
        f"{told['sites_in_total']:,}",
        NONE if told["total_expected_loss"] is None else words.note(told),
    ]


def by_risk(portfolio: Portfolio, words: Words) -> Table:
    """Expected loss by risk of the pair shown first; risks that are only ranked, or have no result, say so. Without
    asset values: shares of value."""
    texts, pair = words.texts, portfolio.shown
    if pair.told["total_expected_loss"] is None:
        return _shares_by_risk(portfolio, words)
    told = pair.told["expected_loss_by_risk"]
    value = pair.told["total_asset_value"]
    rows = []
    for risk in sorted(portfolio.risks, key=lambda name: -((told.get(name) or {}).get("expected_loss") or 0)):
        row: Mapping[str, Any] = told.get(risk) or {}
        loss = row.get("expected_loss")
        note = words.note_of(row.get("loss_note"))
        if loss is None:
            note = texts("not_priced" if risk in portfolio.only_ranked else "no_loss_risk")
        within = words.within(row.get("expected_loss_low"), row.get("expected_loss_high"))
        part = NONE if loss is None or not value else share(loss / value)
        counted, left = (f"{row.get(name, 0):,}" for name in ("sites", "sites_left_out"))
        rows.append([texts.risk(risk), words.amount(loss), within, part, counted, left, note])
    heads = ("col_risk", "col_loss", "col_within", "col_share", "col_assets", "col_left", "col_note")
    return Table(texts("by_risk_title", **words.at(pair)), [texts(head) for head in heads], rows)


def _shares_by_risk(portfolio: Portfolio, words: Words) -> Table:
    """AAL of the assets by risk, a share of value, where there is no loss in money."""
    texts = words.texts
    counted = (pl.col("status") == "ok") & ~pl.col("is_default") & pl.col("final_aal").is_not_null()
    rows = portfolio.results.aal.filter(portfolio.shown.of_pair, counted)
    means = rows.group_by("risk_type").agg(
        mean=pl.col("final_aal").mean(),
        most=pl.col("final_aal").max(),
        sites=pl.len(),
        note=pl.when(~pl.col("calibrated").all()).then(pl.lit("loss_note")).otherwise(pl.lit("calibrated")),
    )
    told = [
        [texts.risk(risk), share(mean), share(most), f"{sites:,}", texts(note)]
        for risk, mean, most, sites, note in means.sort("mean", "risk_type", descending=[True, False]).iter_rows()
    ]
    heads = [texts(head) for head in ("col_risk", "col_mean_aal", "col_most_aal", "col_assets", "col_note")]
    title = texts("by_risk_shares_title", **words.at(portfolio.shown))
    return Table(title, heads, told, texts("by_risk_shares_caption"))


def curve(portfolio: Portfolio, words: Words) -> Table | None:
    """Loss of a year at each return period, per cent of value; None without year losses."""
    texts = words.texts
    told = [(pair, portfolio.curve(pair)) for pair in portfolio.pairs]
    periods = sorted(
        {period for _, points in told for period in points["return_period"].to_list() if period in _RETURN_PERIODS}
    )
    if not periods:
        return None
    rows = []
    for pair, points in told:
        held = {row["return_period"]: row for row in points.iter_rows(named=True)}
        cells = [_point(held.get(period), words) for period in periods]
        note = words.note(pair.told) if points["loss_note"].drop_nulls().len() else texts("calibrated")
        place = [words.scenario(pair.scenario), words.years(pair.years)]
        rows.append([*place, *cells, note if points.height else NONE])
    heads = [texts("col_scenario"), texts("col_years"), *(texts("col_once_in", period=f"{each:g}") for each in periods)]
    return Table("", [*heads, texts("col_note")], rows, texts("curve_caption"))


def _point(row: Mapping[str, Any] | None, words: Words) -> str:
    if row is None:
        return NONE
    value = row["loss_percent"] / 100
    if row["basis"] == "empirical":
        return share(value)
    if row["loss_low"] is None:
        return words.texts("point_extrapolated", percent=share(value))
    low, high = (share(row[end] / row["value"]) for end in ("loss_low", "loss_high"))
    return words.texts("point_within", percent=share(value), low=low, high=high)


def sites(portfolio: Portfolio, words: Words) -> Table:
    """The assets with the largest loss; without losses those with the highest risk index."""
    texts, pair = words.texts, portfolio.shown
    worst = pair.told["worst_sites"][:_SITES]
    values = dict(portfolio.results.totals.filter(pair.of_pair).select("row", "total_asset_value").iter_rows())
    rows = []
    for site in worst:
        loss, value = site["total_expected_loss"], values[site["row"]]
        note = NONE if loss is None else words.note(pair.told) if site["loss_note"] else texts("calibrated")
        largest = site["highest_aal_risk"] or site["highest_integrated_risk"]
        named = portfolio.names[site["row"]], words.region(*portfolio.regions[site["row"]])
        index = NONE if site["mean_risk_index"] is None else f"{site['mean_risk_index']:.0f}"
        rows.append([
            str(site["row"]), ", ".join(filter(None, named)),
            words.amount(value), words.amount(loss),
            words.within(site["total_expected_loss_low"], site["total_expected_loss_high"]),
            share(loss / value) if loss is not None and value else NONE,
            texts.risk(largest) if largest else NONE, f"{texts.level(site['risk_level'])} ({index})", note,
        ])  # fmt: skip
    heads = (
        *("col_row", "col_asset_region", "col_value", "col_loss", "col_within", "col_share"),
        *("col_largest_risk", "col_level", "col_note"),
    )
    ranked = all(site["total_expected_loss"] is None for site in worst)
    title = texts("s_sites_ranked" if ranked else "s_sites")
    return Table(title, [texts(head) for head in heads], rows, texts("sites_caption", **words.at(pair)))


def contributions(portfolio: Portfolio, words: Words) -> list[Table]:
    """Parts of risks and of assets in the mean and in the worst years; empty without year losses."""
    texts, pair, once = words.texts, portfolio.shown, portfolio.once(portfolio.shown)
    if once is None:
        return []
    parts = portfolio.contributions(pair, "risk")
    mean, tail = float(parts["mean"].sum()), float(once["tvar_99"])
    heads = [texts(head) for head in ("col_mean", "col_mean_share", "col_tail", "col_tail_share", "col_note")]
    made = []
    for by, first in (("risk", "col_risk"), ("site", "col_asset")):
        rows = []
        for row in portfolio.contributions(pair, by).head(_SITES).iter_rows(named=True):
            name = texts.risk(row["risk_type"]) if by == "risk" else portfolio.names[row["row"]]
            shares = [
                share(row[part] / whole) if whole else NONE for part, whole in (("mean", mean), ("tvar_99", tail))
            ]
            note = words.note_of(row["loss_note"])
            rows.append([name, words.amount(row["mean"]), shares[0], words.amount(row["tvar_99"]), shares[1], note])
        made.append(Table("", [texts(first), *heads], rows))
    worst = f"{100 * (1 - once['tvar_level']):.3g}"
    return [
        made[0],
        made[1]._replace(caption=texts("contributions_caption", worst=worst, **words.at(pair))),
    ]


def storms(portfolio: Portfolio, words: Words) -> Table | None:
    """The storms of the record that would cost most today; None where the record or the edition allows none."""
    told, texts = portfolio.summary["storms"], words.texts
    if not told or not told["largest"]:
        return None
    rows = [
        [
            words.storm(each),
            each["date"],
            f"{each['wind_max']:.0f}",
            words.amount(each["loss"]),
            share(each["loss"] / told["value"]) if told["value"] else NONE,
            words.note_of(each["loss_note"]),
        ]
        for each in told["largest"]
    ]
    heads = ("col_storm", "col_date", "col_wind", "col_loss_today", "col_share", "col_note")
    return Table(texts("storms_title"), [texts(head) for head in heads], rows, texts("storms_caption"))


def left_out(portfolio: Portfolio, words: Words) -> Table | None:
    """Assets that are not in the sum, by reason; None without any."""
    texts = words.texts
    rows = [[why, f"{sites:,}", words.amount(value)] for why, sites, value in why_left_out(portfolio, texts)]
    if not rows:
        return None
    heads = [texts(head) for head in ("col_why", "col_assets", "col_value")]
    return Table(texts("s_left"), heads, rows, texts("left_caption", **words.at(portfolio.shown)))


def runs(portfolio: Portfolio, words: Words) -> list[str]:
    """Runs that made hazard and AAL, a sentence each."""
    told = [
        words.texts(
            "run_line",
            run=run["run_id"],
            edition=run["edition"] or NONE,
            scope=run["scope"],
            baseline=run["baseline"] or NONE,
            published=(run["published_at"] or NONE)[:10],
        )
        for run in portfolio.summary["runs"]
    ]
    return told or [words.texts("run_none")]
