"""Page of the report: findings first, then tables, curve, map and assets, methods and hashes last. One HTML text."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from engine.core import country
from engine.core.language import Language
from engine.core.period import WINDOWS
from engine.core.translation import translate
from engine.io.sites.portfolio_results import PortfolioResults
from engine.report.committee import charts, site_maps, tables, vulnerable
from engine.report.committee.at_risk import Threshold, at_risk
from engine.report.committee.charts import Line, Point
from engine.report.committee.figures import Portfolio
from engine.report.committee.findings import findings
from engine.report.committee.site_maps import Borders
from engine.report.committee.texts import Texts
from engine.report.committee.wording import Words

#: the name of a file that was sent without one
_DIGEST = re.compile("[0-9a-f]{64}")


def render(results: PortfolioResults, threshold: Threshold, borders: Borders, language: Language) -> str:
    """The whole page.

    results : of an assessment, as it was written
    """
    portfolio, texts = Portfolio(results), Texts(language)
    words = Words(portfolio, texts, threshold)
    risky = at_risk(results, threshold)
    environment = Environment(
        loader=PackageLoader("engine.report.committee", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown, name = portfolio.shown, portfolio.summary["name"]
    if _DIGEST.fullmatch(name):
        name = texts("unnamed")
    style = resources.files("engine.report")
    return environment.get_template("committee.html").render(
        t=texts,
        style=(style / "style.css").read_text("utf-8") + (style / "committee" / "committee.css").read_text("utf-8"),
        name=name,
        lead=texts(
            "lead",
            name=name,
            assessed=f"{portfolio.summary['assessed_sites']:,}",
            rows=f"{portfolio.summary['rows']:,}",
            **words.at(shown),
        ),
        currency=texts("currency", currency=words.currency.full.in_(language)),
        made=texts("made", when=datetime.now(UTC).strftime("%Y-%m-%d %H:%M")),
        scope=words.scope(),
        on_paper=re.sub(r"[^\w .,:;()-]", "", words.scope() or ""),
        findings=findings(portfolio, words, risky),
        at_risk_lead=_at_risk_lead(words),
        sources=_sources(texts),
        at_risk=vulnerable.tables(portfolio, words, risky),
        levels=vulnerable.levels_table(portfolio, words),
        losses=tables.by_pair(portfolio, words),
        losses_chart=_losses_chart(portfolio, words),
        by_risk=tables.by_risk(portfolio, words),
        curve=tables.curve(portfolio, words),
        curve_charts=_curve_charts(portfolio, words),
        lines=[(_sign(scenario), words.scenario(scenario)) for scenario in portfolio.scenarios],
        maps=_maps(portfolio, words, borders),
        map_caption=texts(
            "map_caption" if results.totals["row"].n_unique() <= site_maps.MANY else "map_caption_many",
            source=texts(f"map_source_{borders.source}"),
        ),
        sites=tables.sites(portfolio, words),
        contributions=tables.contributions(portfolio, words),
        diversification=_diversification(portfolio, texts),
        storms=tables.storms(portfolio, words),
        left_out=tables.left_out(portfolio, words),
        runs=tables.runs(portfolio, words),
        digests=results.digests,
        notes=[translate(each, language) for each in _notes(portfolio)],
        columns=portfolio.summary["columns"],
    )


def _sign(scenario: Any) -> Markup:
    return Markup('<svg class="sign" viewBox="0 0 10 10" aria-hidden="true">{}</svg>').format(
        charts.marker(scenario, 5, 5, 3.2)
    )


def _at_risk_lead(words: Words) -> str:
    """What disclosure asks for, internationally and in the country."""
    national, rule = country.current().disclosure, words.rule("rule")
    if national is None:
        return words.texts("at_risk_lead", rule=rule)
    return words.texts("at_risk_lead_national", rule=rule, national=national.name.in_(words.texts.language))


def _sources(texts: Texts) -> list[str]:
    national = country.current().disclosure
    own = [] if national is None else [national.source.in_(texts.language)]
    return [texts("src_s2"), *own, *(texts(f"src_{each}") for each in ("ar6", "lmoments", "tail"))]


def _index(portfolio: Portfolio, texts: Texts) -> str:
    """Words behind the title of a chart of losses."""
    return "" if portfolio.shown.told["loss_note"] is None else texts("chart_note")


def _losses_chart(portfolio: Portfolio, words: Words) -> tuple[Markup, str] | None:
    """Expected loss of each window and scenario; None with fewer than two windows."""
    windows = [period for period in portfolio.periods if period in WINDOWS]
    lines = []
    for scenario in portfolio.scenarios:
        points = []
        for k, period in enumerate(windows):
            pair = portfolio.pair(scenario, period)
            if pair is None or (value := pair.of_value("total_expected_loss")) is None:
                continue
            low, high = (pair.of_value(f"total_expected_loss_{end}") for end in ("low", "high"))
            scaled = (None if each is None else 100 * each for each in (low, high))
            points.append(Point(k, 100 * value, *scaled))
        if points:
            lines.append(Line(scenario, points))
    if len(windows) < 2 or not lines:
        return None
    title = words.texts("chart_losses", note=_index(portfolio, words.texts))
    return charts.windows_chart(lines, [words.years(portfolio.years(period)) for period in windows], title), title


def _curve_charts(portfolio: Portfolio, words: Words) -> list[tuple[Markup, str]]:
    """A chart of the curve over all risks for the first and the last window, and the whole axis."""
    texts, made = words.texts, []
    for period in portfolio.periods:
        lines = []
        for scenario in portfolio.scenarios:
            pair = portfolio.pair(scenario, period)
            points = [] if pair is None else list(portfolio.curve(pair).iter_rows(named=True))
            if points:
                known = sum(row["basis"] == "empirical" for row in points)
                lines.append(Line(scenario, [_point(row) for row in points], known))
        if lines:
            title = texts("chart_curve", note=_index(portfolio, texts), years=words.years(portfolio.years(period)))
            made.append((charts.curve_chart(lines, title, texts("chart_period")), title))
    return made


def _point(row: dict[str, Any]) -> Point:
    ends = (None if row[end] is None else 100 * row[end] / row["value"] for end in ("loss_low", "loss_high"))
    return Point(row["return_period"], row["loss_percent"], *ends)


def _maps(portfolio: Portfolio, words: Words, borders: Borders) -> list[tuple[site_maps.Layer, str]]:
    pair, texts = portfolio.shown, words.texts
    titles = {
        "loss": texts("map_loss", **words.at(pair), note=words.note(pair.told)),
        "level": texts("map_level", **words.at(pair)),
    }
    return [(layer, titles[name]) for name, layer in site_maps.layers(portfolio, pair, borders, texts).items()]


def _diversification(portfolio: Portfolio, texts: Texts) -> str | None:
    once = portfolio.once(portfolio.shown)
    saved = None if once is None else once["diversification"]
    return None if saved is None else texts("diversification", percent=f"{100 * saved:.0f}")


def _notes(portfolio: Portfolio) -> list[str]:
    """Notes of the assessment as it wrote them."""
    told = portfolio.summary
    of_risks = [f"{risk}: {note}" for risk, note in told["risk_notes"].items()]
    others = [told["year_losses_note"], told["storms_note"], portfolio.shown.told["interval_note"]]
    return [*told["notes"], *of_risks, *(each for each in others if each)]
