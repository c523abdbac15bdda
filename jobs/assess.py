"""Exposure, vulnerability, final AAL and integrated risk of one site, or of a portfolio.

    python -m jobs.assess --lat 37.5665 --lon 126.978 [--building file.json] [--asset file.json] [--risks a,b]
                          [--scenarios 1,2] [--period mid_term] [--json]
    python -m jobs.assess --sites in.parquet|csv|ndjson --out DIR [--risks a,b] [--scenarios 1,2] [--period mid_term]

Needs the results of `jobs.yearly`. A portfolio writes exposure, vulnerability, aal, risk, totals and failures as
Parquet files and portfolio.json. Without configuration: the embedded databases in ENGINE_HOME.
Exit codes: 0 complete, 1 failed, 2 bad arguments, settings or inputs, 3 partial (a risk or a row failed), 130
interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from engine import settings
from engine.assess.vocabulary import RISKS
from engine.errors import SettingsError
from engine.io import batch_jobs, postgres, site_results
from engine.io.embedded import EmbeddedServer
from engine.scenario import Scenario
from engine.sites.assessor import Assessor, Outcome, check_portfolio, site_faults
from jobs import _console, _home

log = logging.getLogger("jobs")

#: faulty rows shown on the console; all of them stand in failures.parquet
_SHOWN = 10
_SOURCES = {
    "caller": "building as stated",
    "database": "building from the register",
    "default": "building unknown, defaults taken",
}
_LEGEND = (
    "H hazard and E exposure 0-1, V vulnerability 0-100, score 0-100 = H x E x V; AAL average annual loss as a share of"
    " the value, final AAL = base AAL of the cell x F x (1 - insured share)"
)
_HINT = (
    "a layer that the warehouse does not hold: load it (jobs.etl), state the field with the site, or set"
    " SPATIAL_MISSING_POLICY=impute to take national means, flagged"
)


def main(argv: list[str] | None = None) -> int:
    """Parse, assess, report; returns the exit code."""
    made = argparse.ArgumentParser(
        prog="python -m jobs.assess", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--lat", type=float, metavar="DEG", help="latitude of one site, WGS84")
    made.add_argument("--lon", type=float, metavar="DEG", help="longitude")
    made.add_argument("--building", type=Path, metavar="FILE", help="building_info as JSON")
    made.add_argument("--asset", type=Path, metavar="FILE", help="asset_info as JSON")
    made.add_argument("--sites", type=Path, metavar="FILE", help="a portfolio: .parquet, .csv or .ndjson, a row a site")
    made.add_argument("--out", type=Path, metavar="DIR", help="folder of the portfolio's results")
    made.add_argument("--risks", metavar="a,b", help="risk names (default all nine)")
    made.add_argument("--scenarios", metavar="1,2,..", help="scenario ids or names (default 2)")
    made.add_argument("--period", metavar="NAME", help="short_term, mid_term, long_term, full; or several (mid_term)")
    made.add_argument("--json", action="store_true", help="print the stored results instead of a table")
    args = made.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _run(args))


def _run(args: argparse.Namespace) -> int:
    request = _request(args)
    with ExitStack() as stack:
        warehouse, application = (stack.enter_context(closing(postgres.connect(url))) for url in _urls(stack))
        site_results.require_results(application)
        assessor = Assessor.open(warehouse, application, settings.load())
        for lost in batch_jobs.fail_lost(application):
            log.warning("job %s has lost its worker: marked failed", lost)
        kind = batch_jobs.PORTFOLIO if args.sites else batch_jobs.SITE
        batch_id = batch_jobs.create(application, kind, request)
        outcome = assessor.run_job(batch_jobs.start(application, batch_id))
    out = _console.console()
    if args.json:
        print(json.dumps(outcome.results, ensure_ascii=False, indent=1))
    elif args.sites:
        _print_portfolio(out, outcome)
    else:
        _print_site(out, outcome)
    if not args.json:
        out.print(f"job={kind} batch={batch_id} status={outcome.status} seconds={outcome.seconds:.2f}")
    return _console.PARTIAL if outcome.status == "partial" else _console.COMPLETE


def _request(args: argparse.Namespace) -> dict[str, Any]:
    """The job's parameters; every fault of a single site is refused here, in one go."""
    asked: dict[str, Any] = {
        "risk_types": _list(args.risks),
        "scenario_ids": [int(Scenario.parse(name)) for name in _list(args.scenarios) or []] or None,
        "time_periods": _list(args.period),
    }
    asked = {name: value for name, value in asked.items() if value is not None}
    if args.sites is not None:
        if args.out is None:
            raise SettingsError("--sites needs --out, the folder of the results")
        if (args.lat, args.lon, args.building, args.asset) != (None, None, None, None):
            raise SettingsError("--sites is a portfolio: leave --lat, --lon, --building and --asset out")
        request = {"sites": str(args.sites.absolute()), "out": str(args.out.absolute()), **asked}
        check_portfolio(request)
        return request
    if args.lat is None or args.lon is None:
        raise SettingsError("give --lat and --lon of a site, or --sites FILE and --out DIR")
    request = {"latitude": args.lat, "longitude": args.lon, **asked}
    for name, path in (("building_info", args.building), ("asset_info", args.asset)):
        if path is not None:
            request[name] = _read_json(path)
    if faults := site_faults(request)["reason"].to_list():
        raise SettingsError("; ".join(faults))
    return request


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as err:
        raise SettingsError(f"{path} cannot be read: {err.strerror}") from None
    except ValueError as err:
        raise SettingsError(f"{path} is no JSON: {err}") from None


def _urls(stack: ExitStack) -> tuple[str, str]:
    """Warehouse and application database from the settings, else the embedded ones."""
    config = settings.load()
    warehouse, application = config.warehouse_url, config.application_url
    if warehouse is not None and application is not None:
        return warehouse, application
    if warehouse is not None or application is not None:
        raise SettingsError("one of the two databases is configured, the other is not: set both DW_* and APP_*")
    return _home.databases(stack.enter_context(EmbeddedServer(config.engine_home)))


def _print_site(out: Console, outcome: Outcome) -> None:
    results = outcome.results
    building = results["building"]
    imputed = f", assumed: {', '.join(building['imputed_fields'])}" if building["imputed_fields"] else ""
    out.print(
        f"site {results['site_id']} at {results['latitude']}, {results['longitude']}:"
        f" {_SOURCES[building['building_source']]}, data quality {building['data_quality']:.2f}{imputed}"
    )
    if results["region"]["admin_name"]:
        out.print(f"in {results['region']['admin_name']} ({results['region']['admin_code']})")
    for pair in results["scenarios"]:
        out.print(_site_table(pair))
        total, loss = pair["integrated_risk"], pair["aal"]["total_expected_loss"]
        out.print(
            f"total risk score {_figure(total['total_risk_score'], '.2f')} ({total['risk_level']}), "
            + ("no expected loss: it needs an asset value" if loss is None else f"expected loss {loss:,d} KRW a year")
        )
    out.print(_LEGEND)
    _print_failed(out, outcome.result.failures)


def _site_table(pair: Mapping[str, Any]) -> Table:
    table = Table(title=f"{pair['scenario']}, {pair['time_period']}")
    table.add_column("risk")
    for heading in ("H", "E", "V", "score", "level", "share %", "base AAL", "F", "final AAL %", "loss KRW"):
        table.add_column(heading, justify="right")
    for risk, row in pair["integrated_risk"]["risk_breakdown"].items():
        aal = pair["aal"]["risks"][risk]
        table.add_row(
            risk,
            _figure(row["hazard"], ".3f"),
            _figure(row["exposure"], ".3f"),
            _figure(row["vulnerability"], ".0f"),
            _figure(row["risk_score"], ".2f"),
            row["risk_level"],
            _figure(row["contribution_percent"], ".1f"),
            _figure(aal["base_aal"], ".6f"),
            _figure(aal["vulnerability_scale"], ".3f"),
            _figure(aal["final_aal_percentage"], ".4f"),
            _figure(aal["expected_loss"], ",d"),
        )
    return table


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _print_portfolio(out: Console, outcome: Outcome) -> None:
    results, summary = outcome.results, outcome.results["portfolio"]
    out.print(f"{summary['rows']:,} rows, {summary['invalid_rows']:,} invalid; files in {results['location']}")
    for pair in summary["results"]:
        table = Table(title=f"{pair['scenario']}, {pair['time_period']}: expected loss a year")
        table.add_column("risk")
        for heading in ("KRW", "sites", "left out"):
            table.add_column(heading, justify="right")
        for risk, row in pair["expected_loss_by_risk"].items():
            left_out = f"{row['sites_left_out']:,}"
            table.add_row(risk, _figure(row["expected_loss"], ",d"), f"{row['sites']:,}", left_out)
        table.add_row("all", _figure(pair["total_expected_loss"], ",d"), f"{pair['sites']:,}", "")
        out.print(table)
        out.print(f"sites by status: {', '.join(f'{name} {n:,}' for name, n in pair['sites_by_status'].items())}")
        for place, site in enumerate(pair["worst_sites"], 1):
            share = _figure(None if site["expected_loss_share"] is None else 100 * site["expected_loss_share"], ".1f")
            out.print(
                f"{place:>3}. {site['site_id']} at {site['latitude']}, {site['longitude']}:"
                f" {_figure(site['total_expected_loss'], ',d')} KRW ({share} %),"
                f" score {_figure(site['total_risk_score'], '.2f')}"
            )
    failures = outcome.result.failures
    faults = failures.filter(pl.col("risk_type").is_null())
    for row, name, reason in faults.head(_SHOWN).select("row", "field", "reason").iter_rows():
        out.print(f"row {row}: {name + ': ' if name else ''}{reason}")
    if faults.height > _SHOWN:
        out.print(f"... {faults.height - _SHOWN:,} more in failures.parquet")
    _print_failed(out, failures.filter(pl.col("risk_type").is_not_null()))


def _print_failed(out: Console, failures: pl.DataFrame) -> None:
    """Which risks could not be computed, for how many sites, and what helps."""
    counts = failures.group_by("risk_type", "reason", maintain_order=True).len("sites").sort("risk_type")
    for (reason, sites), group in counts.group_by("reason", "sites", maintain_order=True):
        risks = (
            "all risks"
            if group.height == len(RISKS)
            else ", ".join(group["risk_type"].cast(pl.String).fill_null("site"))
        )
        out.print(f"failed: {risks}: {reason} ({sites:,} site{'s' if sites > 1 else ''})")
    if failures["reason"].str.starts_with("missing_input:").any():
        out.print(f"missing_input: {_HINT}")


if __name__ == "__main__":
    sys.exit(main())
