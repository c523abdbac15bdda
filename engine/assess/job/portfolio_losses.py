"""Year losses, curves, contributions and storms of a portfolio: its files, and what its summary states of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import psycopg

from engine import losses
from engine.assess.job import loss_storms, loss_years
from engine.assess.job.loss_years import Pair, YearsOfPair
from engine.assess.rules.formulas import harmless
from engine.core.caveats import loss_note, overlap_note
from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.io.sites.assessment_files import FrameFiles
from engine.losses.sites import SITE_YEARS, site_years_of
from engine.losses.table import ALL, PAIR

#: rows of a group in `site_year_losses.parquet`
_GROUP = 500_000
#: sites of the summary whose loss has an interval
_WORST = 10
_SUMMARY_INFO = pl.Schema(
    {"SummaryId": pl.Int32(), "scenario": pl.String(), "time_period": pl.String(), "risk_type": pl.String(),
     "tiv": pl.Float64()}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Where year losses and storms are read. on: year losses are not turned off; grid: the lattice of the cells"""

    warehouse: psycopg.Connection
    application: psycopg.Connection
    grid: GridDefinition
    on: bool


@dataclass(slots=True, kw_only=True)
class PortfolioLosses:
    """Figures of a portfolio's years for people, beside the files.

    note     : sentence why there are none; None where there are
    by_pair  : (scenario, period) -> object of `portfolio.json`
    dependence : (scenario, period) -> what its years tell of the sampling errors of sums
    levels   : `row`, `scenario_id`, `time_period`, `once_percent`: loss of each site in per cent of its value, at the
               return period of the whole
    once     : (scenario, period) -> that return period
    sentences: (scenario, period) -> row -> sentence, of the sites that lose most
    storms   : object of `portfolio.json`; None: no storms, and `storms_note` says why
    """

    note: str | None = None
    by_pair: dict[Pair, dict[str, Any]] = field(default_factory=dict)
    dependence: dict[Pair, dict[str, float]] = field(default_factory=dict)
    levels: pl.DataFrame = field(default_factory=pl.DataFrame)
    once: dict[Pair, float] = field(default_factory=dict)
    sentences: dict[Pair, dict[int, str]] = field(default_factory=dict)
    storms: dict[str, Any] | None = None
    storms_note: str | None = None
    curve: pl.DataFrame = field(default_factory=pl.DataFrame)
    contributions: pl.DataFrame = field(default_factory=pl.DataFrame)

    def stated(self, summary: Mapping[str, Any]) -> dict[str, Any]:
        """The summary with what is to be said of years."""
        results = []
        for pair in summary["results"]:
            key = (int(Scenario.parse(pair["scenario"])), pair["time_period"])
            told = self.sentences.get(key, {})
            worst = [site | {"year_loss": told.get(site["row"])} for site in pair["worst_sites"]]
            results.append(pair | {"year_losses": self.by_pair.get(key), "worst_sites": worst})
        return {
            **summary,
            "results": results,
            "year_losses_note": self.note,
            "storms": self.storms,
            "storms_note": self.storms_note,
        }


def write(databases: Databases, files: FrameFiles, totals: pl.DataFrame, *, of_sites: bool = False) -> PortfolioLosses:
    """Read year losses, write their frames, and tell what the summary needs.

    files    : whose frames `aal` has ended
    totals   : a row a site, scenario and period
    of_sites : write `site_year_losses`, too
    """
    if not databases.on:
        return PortfolioLosses(note=loss_years.OFF)
    rows = _counted(files, totals)
    if not any(each.height for each in rows.values()):
        return PortfolioLosses(note=loss_years.NO_LOSS)
    made, ids = PortfolioLosses(), totals.select("row", "site_id").unique("row", keep="first", maintain_order=True)
    parts: dict[str, list[pl.DataFrame]] = {name: [] for name in ("year_losses", "curve", "contributions", "levels")}
    own_years = _Grouped(files) if of_sites else None
    for years in loss_years.read(databases.application, rows):
        _of_pair(years, made, parts, ids)
        if own_years:
            own_years.take(site_years_of(years.cells, years.by_risk))
    if not parts["year_losses"]:
        return PortfolioLosses(note=loss_years.NONE)
    if own_years:
        own_years.end()
    storms = loss_storms.of_portfolio(databases.warehouse, databases.application, databases.grid, rows)
    made.storms, made.storms_note = storms.summary, storms.note
    parts["curve"] += [storms.curve]
    made.levels = pl.concat(parts.pop("levels"))
    frames = {name: loss_years.in_order(pl.concat(each)) for name, each in parts.items() if name != "contributions"}
    frames["contributions"] = pl.concat(parts["contributions"])
    frames |= {"storms": storms.losses} if storms.losses is not None else {}
    made.curve, made.contributions = frames["curve"], frames["contributions"]
    for name, frame in frames.items():
        files.append(name, frame)
        files.table(f"{name}.csv", harmless(frame))
    _write_ord(files, frames["year_losses"], made, storms)
    return made


def _counted(files: FrameFiles, totals: pl.DataFrame) -> dict[Pair, pl.DataFrame]:
    """Rows that the expected loss counts, by scenario and period."""
    rows = {}
    for (scenario, period), group in totals.group_by(*PAIR, maintain_order=True):
        places = group.filter(pl.col("total_asset_value").is_not_null(), pl.col("status") != "outside_grid")
        places = places.select("row", "grid_id", value="total_asset_value")
        of_pair = (pl.col("scenario_id") == scenario) & (pl.col("time_period") == str(period))
        found = loss_years.counted(files.scan("aal").filter(of_pair), places)
        if found.height:
            rows[int(scenario), str(period)] = found
    return rows


def _of_pair(
    years: YearsOfPair, made: PortfolioLosses, parts: dict[str, list[pl.DataFrame]], ids: pl.DataFrame
) -> None:
    """Frames and figures of one scenario and period."""
    risks = years.risks
    table = losses.portfolio_years(years.cells, years.by_risk)
    if table.is_empty():
        return
    worth = {risk: years.value(risk) for risk in risks} | {ALL: years.value()}
    trusted = risks | {ALL: all(risks.values())}
    notes = _notes(risks)
    curve = _with_notes(losses.exceedance_curve(table), worth, trusted, notes)
    by_part = losses.contributions_of(years.cells, table, years.by_risk)
    metrics = losses.tail_metrics(table, worth[ALL], curves=curve)
    made.by_pair[years.pair] = _summary(years, curve, by_part, metrics) | _together(table)
    made.dependence[years.pair] = dependence_of(years)
    once = made.by_pair[years.pair]["return_period"]
    made.once[years.pair] = once
    parts["levels"].append(_levels(years, once))
    made.sentences[years.pair] = _worst_sentences(years, by_part)
    parts["year_losses"].append(table)
    parts["curve"].append(curve)
    parts["contributions"].append(_contributions(by_part, ids, risks))


def dependence_of(years: YearsOfPair) -> dict[str, float]:
    """Share of the sampling errors that is left in the sums of one scenario and period."""
    risks = years.risks
    sums = {
        "all": list(risks),
        "_calibrated": [risk for risk, trusted in risks.items() if trusted],
        "_uncalibrated": [risk for risk, trusted in risks.items() if not trusted],
        **{risk: [risk] for risk in risks},
    }
    told = {name: losses.dependence(years.cells, years.by_risk, chosen) for name, chosen in sums.items()}
    return {name: share for name, share in told.items() if share is not None}


def _notes(risks: Mapping[str, bool]) -> dict[str, str | None]:
    """Note of each risk, and of all together. risks: whether they are calibrated"""
    return {risk: loss_note([trusted]) for risk, trusted in risks.items()} | {ALL: loss_note(risks.values())}


def _with_notes(
    curve: pl.DataFrame, worth: Mapping[str, float], trusted: Mapping[str, bool], notes: Mapping[str, str | None]
) -> pl.DataFrame:
    """A curve with the value it is of, per cent of it, and whether it is calibrated on losses."""
    return curve.with_columns(
        value=pl.col("risk_type").replace_strict(dict(worth), return_dtype=pl.Float64),
        calibrated=pl.col("risk_type").replace_strict(dict(trusted), return_dtype=pl.Boolean),
    ).with_columns(
        loss_percent=100 * pl.col("loss") / pl.col("value"),
        loss_note=pl.col("risk_type").replace_strict(dict(notes), return_dtype=pl.String),
    )


def _summary(years: YearsOfPair, curve: pl.DataFrame, by_part: pl.DataFrame, metrics: pl.DataFrame) -> dict[str, Any]:
    """The object of `portfolio.json` of one scenario and period."""
    of_all = curve.filter(pl.col("risk_type") == ALL)
    told = point_of(of_all, years.value())
    risks, tails = years.risks, by_part.filter(pl.col("by") == "risk")
    figures = metrics.filter(pl.col("risk_type") == ALL).select("metric", "level", "value", "basis")

    def tail(calibrated: bool) -> float | None:
        own = tails.filter(pl.col("risk_type").is_in([r for r, trusted in risks.items() if trusted == calibrated]))
        return float(own["tvar_99"].sum()) if own.height else None

    return told | {
        "value": years.value(),
        "loss_note": loss_note(risks.values()),
        "overlap_note": overlap_note(risks),
        "tvar_99": float(tails["tvar_99"].sum()),
        "tvar_level": float(tails["tvar_level"][0]),
        "tvar_99_calibrated": tail(True),
        "tvar_99_uncalibrated": tail(False),
        "sites_without_year_losses": years.without(),
        "metrics": figures.to_dicts(),
    }


def _together(table: pl.DataFrame) -> dict[str, Any]:
    """How many years the whole knows, and what the risks save by not having their bad years together."""
    parts = losses.parts_of(table)
    saved = losses.diversification(parts)
    return {"years": min(each.shorter for each in parts), "diversification": None if math.isnan(saved) else saved}


def point_of(points: pl.DataFrame, value: float | None) -> dict[str, Any]:
    """The point of a curve that a sentence names, in money and per cent, and the sentence.

    points : `return_period`, `loss`, `loss_low`, `loss_high`, `basis`, in money; value: of what can be lost, money
    """
    told = losses.headline(points)
    assert told is not None and value  # noqa: S101, PT018 (two years are told of any year)
    point: dict[str, Any] = {name: told[name] for name in ("return_period", "loss", "loss_low", "loss_high", "basis")}
    for name in ("loss", "loss_low", "loss_high"):
        point[name.replace("loss", "loss_percent")] = None if point[name] is None else 100 * point[name] / value
    ends = (point["loss_percent_low"], point["loss_percent_high"])
    point["interval_note"] = None if point["loss_low"] is None else losses.POINT_INTERVAL
    return point | {"sentence": losses.once_in(point["return_period"], point["loss_percent"], *ends)}


def _levels(years: YearsOfPair, once: float) -> pl.DataFrame:
    """`once_percent` of every site."""
    found = losses.levels_of_sites(years.cells, years.by_risk, period=once)
    worth = years.counted.unique("row").select(pl.col("row").cast(pl.Int64), "value")
    return found.join(worth, on="row", how="left", maintain_order="left").select(
        "row", *PAIR, once_percent=100 * pl.col("loss") / pl.col("value")
    )


def _worst_sentences(years: YearsOfPair, by_part: pl.DataFrame) -> dict[int, str]:
    """Sentences of the sites with the largest mean loss."""
    rows = by_part.filter(pl.col("by") == "site").sort("mean", descending=True, maintain_order=True).head(_WORST)["row"]
    chosen = years.counted.filter(pl.col("row").cast(pl.Int64).is_in(rows.implode()))
    worth = dict(chosen.select("row", "value").iter_rows())
    return {
        row: point_of(losses.curve_of(*sets), float(worth[row]))["sentence"]
        for row, sets in losses.sets_of_sites(years.cells, losses.sites_by_risk(chosen))
    }


def _contributions(found: pl.DataFrame, ids: pl.DataFrame, risks: Mapping[str, bool]) -> pl.DataFrame:
    """Contributions with the callers' ids and the note of their money."""
    own = ids.select(pl.col("row").cast(pl.Int64), "site_id")
    named = found.join(own, on="row", how="left", maintain_order="left")
    return named.select(
        *PAIR, "by", "risk_type", "row", "site_id", "mean", "tvar_99", "tvar_level",
        loss_note=pl.col("risk_type").replace_strict(_notes(risks), return_dtype=pl.String),
    )  # fmt: skip


def _write_ord(files: FrameFiles, years: pl.DataFrame, made: PortfolioLosses, storms: loss_storms.Storms) -> None:
    """Tables of the open results data layout, and what their summaries are."""
    periods: list[pl.DataFrame] = []
    curves: list[pl.DataFrame] = []
    summaries: list[tuple[Any, ...]] = []
    for (scenario, period, risk), rows in years.group_by(*PAIR, "risk_type", maintain_order=True):
        number = len(summaries) + 1
        whole = made.curve.filter(
            pl.col("scenario_id") == scenario, pl.col("time_period") == period, pl.col("risk_type") == risk
        )
        value = float(whole["value"][0])
        summaries.append((number, Scenario(int(scenario)).api_key, period, risk, value))
        periods.append(losses.period_loss_table(rows, value, risk_type=str(risk), summary_id=number))
        curves.append(losses.exceedance_table(whole, summary_id=number))
    table = pl.concat(periods)
    files.table("ord_plt.csv", table)
    files.table("ord_palt.csv", losses.average_loss_table(table))
    if storms.losses is not None:
        number = len(summaries) + 1
        summaries.append((number, "storms of the record", "today", "typhoon", storms.value))
        table = losses.event_loss_table(storms.losses, storms.value, storms.years, summary_id=number)
        files.table("ord_elt.csv", table)
        curves.append(losses.exceedance_table(made.curve.filter(pl.col("kind") == "oep"), summary_id=number))
    files.table("ord_ept.csv", pl.concat(curves))
    files.table("ord_summary-info.csv", pl.DataFrame(summaries, schema=_SUMMARY_INFO, orient="row"))


class _Grouped:
    """`site_year_losses.parquet`, in groups of rows that are large enough to be read quickly."""

    def __init__(self, files: FrameFiles) -> None:
        self._files, self._waiting, self._rows = files, [SITE_YEARS.to_frame()], 0

    def take(self, frames: Iterator[pl.DataFrame]) -> None:
        for frame in frames:
            self._waiting.append(frame)
            self._rows += frame.height
            if self._rows >= _GROUP:
                self.end()

    def end(self) -> None:
        if self._rows:
            self._files.append("site_year_losses", pl.concat(self._waiting))
        self._waiting, self._rows = [SITE_YEARS.to_frame()], 0
