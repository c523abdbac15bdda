"""Course of `jobs.assess`."""

from __future__ import annotations

import argparse
import json
import logging
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg

from engine.assess.job.assessor import Assessor, site_faults
from engine.assess.job.portfolio_check import check_portfolio
from engine.assess.rules import columns
from engine.assess.rules.vocabulary import DEFAULT_PERIOD, OUTSIDE_GRID
from engine.core import cells, settings
from engine.core.errors import EngineError, SettingsError
from engine.core.language import DEFAULT
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.db import postgres
from engine.io.files.packed import Limits
from engine.io.queue import batch_jobs
from engine.io.results import published_layers, published_scenarios
from engine.io.sites import site_results
from jobs import _addresses, _console, _options, _site_tables, _what_if_tables
from jobs.courses import _what_if

log = logging.getLogger("jobs")


def run(args: argparse.Namespace) -> int:
    """Assess, report."""
    request = _request(args)
    measure = None if args.what_if is None else _what_if.read(args.what_if)
    with ExitStack() as stack:
        warehouse, application = (stack.enter_context(closing(postgres.connect(url))) for url in _urls(stack))
        site_results.require_results(application)
        request |= _what_there_is(application, request)
        names = published_scenarios.names(application)
        assessor = Assessor.open(warehouse, application, settings.load())
        for lost in batch_jobs.fail_lost(application):
            log.warning("job %s has lost its worker: marked failed", lost)
        kind = batch_jobs.PORTFOLIO if args.sites else batch_jobs.SITE
        batch_id = batch_jobs.create(application, kind, request)
        try:
            outcome = assessor.run_job(batch_jobs.start(application, batch_id))
        except EngineError as err:
            if str(err) != OUTSIDE_GRID:
                raise
            within = float(cells.reach(args.lat, assessor.config.grid)) / 1000
            raise EngineError(f"{err}: no cell with results within {within:.1f} km, a cell's diagonal") from None
        found = None if measure is None else _what_if.compute(assessor, request, measure)
    out = _console.console()
    if args.json:
        told = {**outcome.results} | ({} if found is None else {"what_if": found.told})
        print(json.dumps(told, ensure_ascii=False, indent=1))
    elif args.sites:
        _site_tables.print_portfolio(out, outcome)
    else:
        _site_tables.print_site(out, outcome, names)
    if found is not None and not args.json:
        _what_if_tables.print_what_if(out, found.told, _what_if.write(args.out, found) if args.sites else [])
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
        return _portfolio(args, asked)
    for option in ("out", "name", "sheet", "columns", "rates", "no_workbook", "year_losses"):
        if getattr(args, option):
            raise SettingsError(f"--{option.replace('_', '-')} is a portfolio's: give --sites, too")
    if args.lat is None or args.lon is None:
        raise SettingsError("give --lat and --lon of a site, or --sites FILE and --out DIR")
    request = {"latitude": args.lat, "longitude": args.lon, **asked}
    for name, path in (("building_info", args.building), ("asset_info", args.asset)):
        if path is not None:
            request[name] = _read_json(path)
    if faults := site_faults(request)["reason"].to_list():
        raise SettingsError("; ".join([*faults, *_on_coordinates(args)]))
    return request


def _on_coordinates(args: argparse.Namespace) -> list[str]:
    if abs(args.lat) > 90 >= abs(args.lon) and abs(args.lat) <= 180:
        return [f"--lat is {args.lat:g} and --lon {args.lon:g}: are the two swapped?"]
    if abs(args.lat) > 90 or abs(args.lon) > 180:
        return [f"--lat is {args.lat:g}, of -90 to 90, and --lon {args.lon:g}, of -180 to 180"]
    return []


def _portfolio(args: argparse.Namespace, asked: dict[str, Any]) -> dict[str, Any]:
    if args.out is None:
        raise SettingsError("--sites needs --out, the folder of the results")
    if (args.lat, args.lon, args.building, args.asset) != (None, None, None, None):
        raise SettingsError("--sites is a portfolio: leave --lat, --lon, --building and --asset out")
    request = {"sites": str(args.sites.absolute()), "out": str(args.out.absolute()), **asked}
    request |= {"name": args.name} if args.name else {}
    request |= {"sheet": args.sheet} if args.sheet else {}
    request |= {"columns": columns.stated(args.columns)} if args.columns else {}
    request |= {"rates": str(args.rates.absolute())} if args.rates else {}
    request |= {"workbook": False} if args.no_workbook else {}
    request |= {} if (language := _options.language()) == DEFAULT else {"language": language}
    request |= {"year_losses": args.year_losses} if args.year_losses else {}
    config = settings.load()
    check_portfolio(request, Limits(config.portfolio_max_bytes, config.portfolio_max_rows), write_faults=True)
    return request


def _what_there_is(application: psycopg.Connection, request: dict[str, Any]) -> dict[str, Any]:
    """Periods of a request that names none: the default one, or where nothing is published for it, what is."""
    if request.get("time_periods"):
        return {}
    scenarios = request.get("scenario_ids") or [int(DEFAULT_SCENARIO)]
    there = published_layers.periods(application, scenarios)
    if not there or DEFAULT_PERIOD in there:
        return {}
    log.warning("nothing is published for %s: assessed for %s, which is", DEFAULT_PERIOD, ", ".join(there))
    return {"time_periods": there}


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as err:
        raise SettingsError(f"{path} cannot be read: {err.strerror}") from None
    except (ValueError, RecursionError) as err:
        raise SettingsError(f"{path} is no JSON: {err}") from None


def _urls(stack: ExitStack) -> tuple[str, str]:
    """Warehouse and application database from the settings, else the embedded ones."""
    config = settings.load()
    absent = (
        f"there are no results to assess sites on in {config.engine_home}: run jobs.yearly first, or set DW_* and APP_*"
    )
    return _addresses.made_before(config, stack, absent)
