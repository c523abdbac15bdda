"""Assessments on the terminal: what a site or a portfolio may lose comes first, how the figures came about after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from engine.assess.job.assessor import Outcome
from engine.assess.rules import loss_sheets, loss_words, words
from engine.assess.rules.offered import RISKS
from engine.assess.rules.vocabulary import NOT_PRICED
from engine.core.caveats import EXPOSURE_NOTE, scope_note
from engine.core.counted import counted
from engine.core.interval_words import digits
from engine.core.levels import printed
from engine.core.scenario import Scenario, ScenarioNames, label, names_of

#: faulty rows shown on the console; all of them stand in sites.csv
_SHOWN = 10
_SOURCES = {
    "caller": "building as stated",
    "database": "building from the register",
    "default": "building unknown, defaults taken",
}
_LEGEND = (
    "AAL average annual loss as a share of value, net of insurance = base AAL of the cell x F x (1 - insured share)."
    " Level by the index, 0-100: the geometric mean of hazard H (0-1), proximity (0-1) and vulnerability V (0-100). The"
    " value-weighted score, 0-100, is H x E x V; exposure E (0-1) is proximity x share of the reference value."
    f" {EXPOSURE_NOTE}"
)
_HINT = (
    "a layer that the warehouse does not hold: load it (jobs.etl), state the field with the site, or set"
    " SPATIAL_MISSING_POLICY=impute to take national means, flagged"
)


def print_site(out: Console, outcome: Outcome, names: ScenarioNames) -> None:
    """One site. names: of the scenarios"""
    results = outcome.results
    building = results["building"]
    imputed = f", assumed: {', '.join(building['imputed_fields'])}" if building["imputed_fields"] else ""
    own = "" if results["site_id"] is None else f" {results['site_id']}"
    out.print(
        f"site{own} at {results['latitude']}, {results['longitude']} ({results['site_uuid']}):"
        f" {_SOURCES[building['building_source']]}, data quality {building['data_quality']:.2f}{imputed}"
    )
    if results["cell_basis"] == "nearest":
        out.print(
            f"its own cell has no results: figures are of the nearest cell, {results['cell_distance_m'] / 1000:.1f} km"
            " away"
        )
    if results["region"]["admin_name"]:
        out.print(f"in {results['region']['admin_name']} ({results['region']['admin_code']})")
    value = next(iter(results["exposure"].values()))["normalized_asset_value"]
    _print_runs(out, results)
    for pair in results["scenarios"]:
        levels = {risk: rates["level"] for risk, rates in results["damage_rates"].items()}
        out.print(_site_table(pair, names, results["scope_note"], outcome.years.get(pair["time_period"]), levels))
        total, aal = pair["integrated_risk"], pair["aal"]
        out.print(_loss(aal, results["scope_note"]) or "no expected loss: it needs an asset value")
        if pair["year_losses"]:
            out.print(loss_sheets.sentence(pair["year_losses"]))
            for lacking in loss_sheets.lacking(pair["year_losses"]):
                out.print(lacking)
        out.print(
            f"risk index {_figure(total['mean_risk_index'], '.2f')} ({printed(total['risk_level'])}), mean of"
            f" {_scored(pair)} risks; value-weighted score {_figure(total['total_risk_score'], '.2f')}: the asset"
            f" counts {100 * value:.3g} % of the reference value"
        )
        out.print(_parts_table(pair))
    if results["year_losses_note"]:
        out.print(results["year_losses_note"])
    out.print(_LEGEND)
    _print_notes(out, results["notes"])
    _print_failed(out, outcome.result.failures)


def _scored(pair: Mapping[str, Any]) -> str:
    """`7 of the 9`: risks with an index among those asked for."""
    rows = pair["integrated_risk"]["risk_breakdown"].values()
    return f"{sum(row['risk_index'] is not None for row in rows)} of the {len(rows)}"


def _print_notes(out: Console, notes: Mapping[str, str]) -> None:
    for risk, note in notes.items():
        out.print(f"AAL of {risk}: {note[0].lower()}{note[1:]}")


def _print_runs(out: Console, stated: Mapping[str, Any]) -> None:
    """Name each run whose rows the figures stand on."""
    for run in stated["runs"]:
        text = f"run {run['run_id']}, edition {run['edition']}, scope {run['scope']}"
        out.print(_titled(text, scope_note(run["scope"])))
    if not stated["runs"]:
        out.print(stated["scope_note"])


def _titled(text: str, note: str | None) -> str:
    return f"{text} ({note})" if note else text


def _loss(total: Mapping[str, Any], of: str | None) -> str | None:
    """An expected loss in one line with all that it must not be told without; None where there is none. of: what the
    figures are of, unless of the whole"""
    if total["total_expected_loss"] is None:
        return None
    parts = [f"expected loss {total['loss_words']['en']}", loss_words.apart(total), total["interval_note"]]
    return "; ".join(each for each in (*parts, total["overlap_note"], of) if each)


def _table(title: str, *headings: str) -> Table:
    """A table whose first column names risks; narrow enough for a terminal of 80 columns."""
    table = Table(title=title, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("risk", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _site_table(
    pair: Mapping[str, Any],
    names: ScenarioNames,
    of: str | None,
    years: str | None,
    levels: Mapping[str, str | None],
) -> Table:
    """Table of the loss and the level of each risk. levels: risk -> recorded losses that its rates are calibrated on"""
    title = _titled(_pair(pair, years, names), of)
    table = _table(title, "AAL %", "90 %", f"loss {loss_words.currency()}", "calibrated", "hazard", "level", "index")
    for risk, row in pair["integrated_risk"]["risk_breakdown"].items():
        aal, level = pair["aal"]["risks"][risk], levels.get(risk)
        table.add_row(
            risk,
            _figure(aal["final_aal_percentage"], ".3g"),
            _ends(aal["final_aal_low"], aal["final_aal_high"], 100),
            _figure(aal["expected_loss"], ",d"),
            "not priced"
            if aal["reason"] == NOT_PRICED
            else _calibrated(aal["expected_loss"], aal["calibrated"], level),
            "-" if row["hazard_level"] is None else printed(row["hazard_level"]),
            printed(row["risk_level"]),
            _figure(row["risk_index"], ".1f"),
        )
    return table


def _pair(pair: Mapping[str, Any], years: str | None, names: ScenarioNames) -> str:
    """`SSP2-4.5, mid_term 2041-2060`."""
    return f"{label(Scenario.parse(pair['scenario']), names)}, {pair['time_period']}" + (f" {years}" if years else "")


def _parts_table(pair: Mapping[str, Any]) -> Table:
    """How the figures of the other table come about."""
    table = _table("made of", "H", "E", "V", "weighted score", "share %", "base AAL %", "F")
    for risk, row in pair["integrated_risk"]["risk_breakdown"].items():
        aal = pair["aal"]["risks"][risk]
        table.add_row(
            risk,
            _figure(row["hazard"], ".3f"),
            _figure(row["exposure"], ".3f"),
            _figure(row["vulnerability"], ".0f"),
            _figure(row["risk_score"], ".2f"),
            _figure(row["contribution_percent"], ".1f"),
            _figure(None if aal["base_aal"] is None else 100 * aal["base_aal"], ".4f"),
            _figure(aal["vulnerability_scale"], ".3f"),
        )
    return table


def _calibrated(loss: int | None, calibrated: bool, level: str | None = None) -> str:
    """level: recorded losses that the rates are calibrated on"""
    if loss is None:
        return "-"
    return loss_words.whose("yes", level) if calibrated else "no, index"


def _calibrated_sum(total: Mapping[str, Any]) -> str:
    """Of a sum over risks, which may be of both kinds."""
    if total["total_expected_loss"] and loss_words.is_mixed(total):
        share = 100 * total["total_expected_loss_calibrated"] / total["total_expected_loss"]
        return f"mixed, {share:.0f} % of it"
    return _calibrated(total["total_expected_loss"], total["loss_note"] is None)


def _ends(low: float | None, high: float | None, times: float = 1.0) -> str:
    """Ends of an interval in two digits."""
    return "-" if low is None or high is None else f"{digits(times * low)}-{digits(times * high)}"


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def print_portfolio(out: Console, outcome: Outcome) -> None:
    """A portfolio: each scenario and period, its worst sites, what is wrong with rows."""
    results, summary = outcome.results, outcome.results["portfolio"]
    out.print(
        f"portfolio {summary['name']}: {summary['rows']:,} rows, {summary['invalid_rows']:,} invalid,"
        f" {summary['assessed_sites']:,} sites assessed; files in {results['location']}: {', '.join(results['files'])}"
    )
    _print_runs(out, summary)
    _print_notes(out, summary["risk_notes"])
    if summary["year_losses_note"]:
        out.print(summary["year_losses_note"])
    for pair in summary["results"]:
        _print_pair(out, pair, names_of(summary), summary["scope_note"], summary["name_column"])
    _print_storms(out, summary)
    failures = outcome.result.failures
    faults = failures.filter(pl.col("risk_type").is_null())
    found = {(each["row"], each["field"]): each for each in results["invalid_sites"]}
    for row, name, reason in faults.head(_SHOWN).select("row", "field", "reason").iter_rows():
        out.print(f"row {row}: {name + ': ' if name else ''}{words.reason(reason)}{_found(found.get((row, name)))}")
    if faults.height > _SHOWN:
        out.print(f"... {faults.height - _SHOWN:,} more; all stand in sites.csv")
    if faults.height:
        out.print(f"rows are numbered {summary['rows_numbered']}")
    _print_failed(out, failures.filter(pl.col("risk_type").is_not_null()))


def _found(fault: Mapping[str, Any] | None) -> str:
    """`, '12,5' in column '연면적'`: what stands where a fault is; a field without a value has none."""
    if fault is None or fault["value"] is None:
        return ""
    return f", {fault['value'][:60]!r} in column {fault['column']!r}"


def _print_pair(out: Console, pair: Mapping[str, Any], shown: ScenarioNames, of: str | None, name: str | None) -> None:
    title = _titled(f"{_pair(pair, pair['years'], shown)}: expected loss a year", of)
    table = _table(title, loss_words.currency(), "90 %, times it", "calibrated", "sites", "left out")
    for risk, row in pair["expected_loss_by_risk"].items():
        counts = f"{row['sites']:,}", f"{row['sites_left_out']:,}"
        table.add_row(
            risk,
            _figure(row["expected_loss"], ",d"),
            _times(row, "expected_loss"),
            _calibrated(row["expected_loss"], row["calibrated"], row["level"]),
            *counts,
        )
    whole = pair["total_expected_loss"]
    counts = f"{pair['sites_in_total']:,}", f"{pair['sites_left_out']:,}"
    table.add_row(
        "all",
        _figure(whole, ",d"),
        _times(pair, "total_expected_loss"),
        _calibrated_sum(pair),
        *counts,
    )
    out.print(table)
    if loss := _loss(pair, of):
        share = _figure(pair["expected_loss_ratio"] and 100 * pair["expected_loss_ratio"], ".3g")
        value = _figure(pair["total_asset_value"], ",d")
        out.print(loss)
        out.print(
            f"that is {share} % of the {value} {loss_words.currency()} of the {pair['sites_in_total']:,} sites in it"
        )
    if years := pair["year_losses"]:
        out.print(loss_sheets.sentence(years))
        for lacking in loss_sheets.lacking(years):
            out.print(lacking)
    if pair["sites_left_out"]:
        value = pair["asset_value_left_out"]
        worth = "without an asset value" if value is None else f"with {value:,d} {loss_words.currency()} of assets"
        out.print(f"left out: {counted(pair['sites_left_out'], 'site')} {worth}")
    out.print(f"sites by status: {_counted(pair['sites_by_status'])}")
    out.print(f"sites by risk level: {_counted(pair['sites_by_risk_level'])}")
    if pair["sites_of_nearest_cell"]:
        out.print(f"{pair['sites_of_nearest_cell']:,} sites take the nearest cell with results, their own has none")
    for place, site in enumerate(pair["worst_sites"], 1):
        share = _figure(None if site["expected_loss_share"] is None else 100 * site["expected_loss_share"], ".1f")
        names = ", ".join(str(each) for each in (site["site_id"], site["carried"].get(name)) if each is not None)
        loss = "loss unknown: no asset value"
        if site["total_expected_loss"] is not None:
            note = f", {site['loss_note']}" if site["loss_note"] else ""
            ends = [site[f"total_expected_loss_{end}"] for end in ("low", "high")]
            within = "" if None in ends else f"; 90 %: {ends[0]:,d} to {ends[1]:,d}"
            loss = f"{site['total_expected_loss']:,d} {loss_words.currency()} ({share} %{note}{within})"
        if site["year_loss"]:
            loss = f"{loss}, {site['year_loss']}"
        out.print(
            f"{place:>3}. row {site['row']}{', ' + names if names else ''} at {site['latitude']}, {site['longitude']}:"
            f" {loss}, risk index {_figure(site['mean_risk_index'], '.1f')} ({site['risk_level']})"
        )


def _times(row: Mapping[str, Any], name: str) -> str:
    """Interval of a loss as multiples of it."""
    if not row[name]:
        return "-"
    return _ends(row[f"{name}_low"], row[f"{name}_high"], 1 / row[name])


def _print_storms(out: Console, summary: Mapping[str, Any]) -> None:
    """The storms of the record that would cost most today."""
    if summary["storms_note"]:
        out.print(summary["storms_note"])
    if summary["storms"] is None:
        return
    storms = summary["storms"]
    table = Table(
        title=f"storms of {storms['years']} years of tracks, loss today", padding=(0, 1, 0, 0), pad_edge=False
    )
    for heading in ("storm", "began", "wind m/s", loss_words.currency(), "% of value", "calibrated"):
        table.add_column(heading, justify="left" if heading == "storm" else "right", no_wrap=True)
    for each in storms["largest"]:
        table.add_row(
            each["name"] or each["storm_id"],
            each["date"],
            _figure(each["wind_max"], ".1f"),
            _figure(each["loss"], ",.0f"),
            _figure(100 * each["loss"] / storms["value"], ".3g"),
            "no, index" if each["loss_note"] else "yes",
        )
    out.print(table)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in counts.items())


def _print_failed(out: Console, failures: pl.DataFrame) -> None:
    """Which risks could not be computed, for how many sites, and what helps."""
    counts = failures.group_by("risk_type", "reason", maintain_order=True).len("sites").sort("risk_type")
    for (reason, sites), group in counts.group_by("reason", "sites", maintain_order=True):
        risks = (
            "all risks"
            if group.height == len(RISKS)
            else ", ".join(group["risk_type"].cast(pl.String).fill_null("site"))
        )
        # without an input of the exposure there is no index, but the loss stands: it does not depend on it
        what = "no risk index, the loss stands" if str(reason).startswith("missing_input:") else "failed"
        out.print(f"{what}: {risks}: {words.reason(str(reason))} ({sites:,} site{'s' if sites > 1 else ''})")
    if failures["reason"].str.starts_with("missing_input:").any():
        out.print(f"what is not loaded: {_HINT}")
