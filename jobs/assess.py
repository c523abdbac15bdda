"""Exposure, vulnerability, final AAL and integrated risk of one site, or of a portfolio.

    python -m jobs.assess --lat 37.5665 --lon 126.978 [--building file.json] [--asset file.json] [--risks a,b]
                          [--scenarios 1,2] [--period mid_term] [--json]
    python -m jobs.assess --sites in.parquet|csv|ndjson --out DIR [--name NAME] [--risks a,b] [--scenarios 1,2]
                          [--period mid_term]

Needs the results of `jobs.yearly`. A portfolio writes exposure, vulnerability, aal, risk, totals and failures as
Parquet files and portfolio.json; a row is an asset, columns that are no field are carried through. Without
configuration: the embedded databases in ENGINE_HOME.
Exit codes: 0 complete, 1 failed, 2 bad arguments, settings or inputs, 3 partial (a risk or a row failed), 130
interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from engine import settings
from engine.errors import SettingsError
from engine.io import batch_jobs, postgres, site_results
from engine.io.packed import Limits
from engine.scenario import Scenario
from engine.sites.assessor import Assessor, check_portfolio, site_faults
from jobs import _addresses, _console, _home, _site_tables

log = logging.getLogger("jobs")


def main(argv: list[str] | None = None) -> int:
    """Parse, assess, report; returns the exit code."""
    made = _console.Parser(
        prog="python -m jobs.assess", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--lat", type=float, metavar="DEG", help="latitude of one site, WGS84")
    made.add_argument("--lon", type=float, metavar="DEG", help="longitude")
    made.add_argument("--building", type=Path, metavar="FILE", help="building_info as JSON")
    made.add_argument("--asset", type=Path, metavar="FILE", help="asset_info as JSON")
    made.add_argument(
        "--sites",
        type=Path,
        metavar="FILE",
        help="a portfolio, a row a site: .parquet, .csv (.tsv, .txt), .ndjson (.jsonl), also .gz, .zst, .zip",
    )
    made.add_argument("--out", type=Path, metavar="DIR", help="folder of the portfolio's results")
    made.add_argument("--name", help="name of the portfolio, by which its rows are known again (default: the file's)")
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
        _site_tables.print_portfolio(out, outcome)
    else:
        _site_tables.print_site(out, outcome)
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
        request |= {"name": args.name} if args.name else {}
        config = settings.load()
        check_portfolio(request, Limits(config.portfolio_max_bytes, config.portfolio_max_rows))
        return request
    if args.name is not None:
        raise SettingsError("--name is a portfolio's: give --sites, too")
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
    return _home.databases(stack.enter_context(_addresses.embedded(config)))


if __name__ == "__main__":
    sys.exit(main())
