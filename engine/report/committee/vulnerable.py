"""Sentences and table of the assets that are vulnerable to physical risk, as IFRS S2 paragraph 29(c) asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from engine.core import levels
from engine.report.committee.at_risk import ANY, by_level
from engine.report.committee.figures import Portfolio
from engine.report.committee.numbers import NONE, share
from engine.report.committee.wording import Words

Sums = Mapping[tuple[int, str, str], Mapping[str, Any]]


class Table(NamedTuple):
    """A table of text: headings, rows of cells, the words above and below."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    caption: str = ""


def _keyed(risky: pl.DataFrame) -> Sums:
    return {(row["scenario_id"], row["time_period"], row["risk_type"]): row for row in risky.iter_rows(named=True)}


def part(row: Mapping[str, Any], *, value: bool) -> float | None:
    """Share of the rated value (without values: of the rated assets) that is vulnerable; None where none is rated."""
    kind = "value" if value else "sites"
    return row[f"{kind}_over"] / row[f"{kind}_rated"] if row[f"{kind}_rated"] else None


def sentences(portfolio: Portfolio, words: Words, risky: pl.DataFrame) -> list[str]:
    """How much is vulnerable in the pair shown first, to what, and where it is most."""
    texts, pair, value = words.texts, portfolio.shown, portfolio.has_value
    sums = _keyed(risky)
    whole = sums.get((int(pair.scenario), pair.period, ANY))
    if whole is None or not whole["sites_rated"]:
        return [texts("f_unrated")]
    told = []
    if not whole["sites_over"]:
        told.append(texts("f_vulnerable_none", meets_one=words.rule("meets_one"), **words.at(pair)))
    else:
        named = {**words.at(pair), "meets": words.rule("meets"), **_counted(whole, words, value=value)}
        told.append(texts("f_vulnerable" if value else "f_vulnerable_count", **named))
        mine = [sums[int(pair.scenario), pair.period, risk] for risk in portfolio.risks]
        most = max(mine, key=lambda row: row["value_over" if value else "sites_over"])
        named = {"risk": texts.risks([most["risk_type"]]), **_counted(most, words, value=value)}
        told.append(texts("f_vulnerable_most" if value else "f_vulnerable_most_count", **named))
    others = [(part(sums[int(each.scenario), each.period, ANY], value=value), each) for each in portfolio.pairs]
    known = [(found, each) for found, each in others if found is not None]
    if len(known) > 1:
        highest, each = max(known, key=lambda found: found[0])
        if highest > (part(whole, value=value) or 0.0):
            told.append(texts("f_vulnerable_highest", percent=share(highest), **words.at(each)))
    return told


def _counted(row: Mapping[str, Any], words: Words, *, value: bool) -> dict[str, str]:
    return {
        "amount": words.money(row["value_over"]),
        "percent": share(part(row, value=value)),
        "sites": f"{row['sites_over']:,}",
        "assets": words.texts.assets(row["sites_over"]),
        "rated": f"{row['sites_rated']:,}",
    }


def tables(portfolio: Portfolio, words: Words, risky: pl.DataFrame) -> list[Table]:
    """A table a window: risks down, scenarios across."""
    texts, sums, value = words.texts, _keyed(risky), portfolio.has_value
    made: list[Table] = []
    for period in portfolio.periods if portfolio.risks else ():
        rows = []
        for risk in [*portfolio.risks, ANY]:
            found = [sums.get((int(scenario), period, risk)) for scenario in portfolio.scenarios]
            kind = "value_unrated" if value else "sites_unrated"
            unrated = max((row[kind] for row in found if row), default=0)
            left = NONE if not unrated else words.amount(unrated) if value else f"{unrated:,}"
            rows.append([texts.risk(risk), *(_cell(row, words, value=value) for row in found), left])
        headings = [texts("col_risk"), *map(words.scenario, portfolio.scenarios), texts("col_not_rated")]
        caption = texts("at_risk_caption" if value else "at_risk_caption_count")
        made.append(Table(texts("at_risk_window", **words.window(period)), headings, rows, caption))
    return made


def _cell(row: Mapping[str, Any] | None, words: Words, *, value: bool) -> str:
    if row is None or not row["value_rated" if value else "sites_rated"]:
        return NONE
    over = words.amount(row["value_over"]) if value else f"{row['sites_over']:,}"
    return f"{over} ({share(part(row, value=value))} %)"


def levels_table(portfolio: Portfolio, words: Words) -> Table | None:
    """Value by risk level in the pair shown first: risks down, levels across; None without a risk."""
    if not portfolio.risks:
        return None
    texts, pair, value = words.texts, portfolio.shown, portfolio.has_value
    found = by_level(portfolio.results, pair.of_pair)
    held = {(row["risk_type"], row["risk_level"]): row for row in found.iter_rows(named=True)}
    columns = [*levels.PRINTED, levels.UNKNOWN]
    rows = [
        [texts.risk(risk), *(_held(held.get((risk, level)), words, value=value) for level in columns)]
        for risk in portfolio.risks
    ]
    title = texts("levels_title" if value else "levels_title_count", **words.at(pair))
    return Table(title, [texts("col_risk"), *map(texts.level, columns)], rows, texts("levels_caption"))


def _held(row: Mapping[str, Any] | None, words: Words, *, value: bool) -> str:
    if row is None:
        return NONE
    return words.amount(row["value"]) if value else f"{row['sites']:,}"
