"""Course of `jobs.yearly --data`: files are looked at, derived and loaded by the steps of `jobs.etl`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from engine import kernels
from engine.batch.pipeline import active_cells
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.batch.runner import identity_of
from engine.core import settings
from engine.core.errors import EngineError, SettingsError, needs
from engine.core.period import baseline_years, parse_years
from engine.core.settings import Settings
from engine.io import etl
from engine.io.climate.source import ClimateSource
from engine.io.db import postgres
from engine.io.etl.derive import derive, derive_job, inventory
from engine.io.etl.derive.inventory import Held, Inventory
from engine.io.etl.loading import LoadOptions
from engine.io.results import published_runs, spool
from engine.io.results.spool import RunDirectory
from jobs import _addresses, _console, _extras, _look, _needs, _own_data, report
from jobs._addresses import Ends
from jobs.courses import etl as etl_course

if TYPE_CHECKING:
    from rich.console import Console

    from engine.batch.execute import Outcome
    from jobs._run import Opened

log = logging.getLogger("jobs")

_STAMP = ".made"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """Files of a user, and what is to become of them.

    folder  : that was named; home: what is made of it
    base    : of percentiles and of the SPEI calibration
    """

    folder: Path
    home: Path
    found: Inventory
    request: derive_job.Request
    tracks: Path | None
    regions: Path | None
    workers: int

    @property
    def files(self) -> Path:
        """Folder that the loaders read."""
        return self.home / "files"

    def ends(self) -> Ends:
        """Source and sink: the embedded server of this folder, filled from the files."""
        return Ends(None, None, self.home / "runs", self.home, None, self.fill)

    def fill(self, warehouse: str) -> None:
        """Derive what is not derived yet, and load what is not loaded yet.

        raises : EngineError when a table fails
        """
        with closing(postgres.connect(warehouse)) as connection:
            postgres.wait_for_lock(connection, "sample")  # another process with the same command
            self._derive()
            self._link()
            with _console.load_progress() as progress:
                options = LoadOptions(data=self.files, scope=self._scope, workers=self.workers)
                reports = etl.run_loaders(warehouse, [etl.ALL], options, progress)
        etl_course.print_reports([each for each in reports if each.status not in ("not given", "absent")])
        if bad := [each for each in reports if each.status == "failed"]:
            raise EngineError(f"{self.folder}: {bad[0].table or bad[0].loader}: {bad[0].message}")

    def run(
        self, request: Request, opened: Opened, args: argparse.Namespace, compute: Callable[[Request], Outcome]
    ) -> int:
        """Compute what the files allow, unless a run of the same did before; write the report; returns the exit code."""
        if args.risks is None:
            request = allowed(request, opened.source)
        done = _before(request, opened.source, self.home / "runs")
        if done is not None and _is_published(done, opened.sink):
            log.info("up to date: run %d of the same files and options is published", done)
            status, number = _status(done, opened.sink), done
            for line in _look.lines(args, settings.load(), self.home):
                _console.console().print(line, markup=False)
        else:
            outcome = compute(request if request.resume or done is None else replace(request, resume=done))
            status, number = outcome.status, outcome.run_id
        self._report(number, opened)
        return _console.PARTIAL if status == "partial" else _console.COMPLETE

    def _report(self, number: int, opened: Opened) -> None:
        """One HTML file in the folder of the run, where the extra is installed."""
        try:
            _extras.require(report.NEEDS)
        except ModuleNotFoundError:
            log.warning("no report was written: it %s", needs("report"))
            return
        from jobs.courses import report as course  # draws, so imports matplotlib

        path = self.home / f"report-{number}.html"
        words = ["--sink", opened.sink, "--warehouse", opened.address, "--run-dir", str(self.home / "runs")]
        course.run(report.parser().parse_args([*words, "--run", str(number), "--out", str(path)]))
        _console.console().print(f"report written: {path}", markup=False)

    @property
    def _scope(self) -> str:
        return "observed" if self.found.observed else "full"

    def _derive(self) -> None:
        """Monthly and yearly variables of the daily files, unless these were derived before."""
        derived, fresh = self.home / "derived", self.home / "derived.new"
        stamp, state = derived / _STAMP, self._state()
        if stamp.is_file() and stamp.read_text("utf-8") == state:
            log.info("%s: derived before, up to date", self.folder)
            return
        shutil.rmtree(fresh, ignore_errors=True)
        with _console.cell_progress("derive") as progress:
            kernels.warm_up(progress.announce, "derive")
            told = derive.derive(self.request, fresh, progress=progress)
        for finding in told.findings:
            log.warning("%s", finding.message)
        for what, why in told.missing.items():
            log.warning("%s has no value: %s", what, why)
        (fresh / _STAMP).write_text(state, "utf-8")
        shutil.rmtree(derived, ignore_errors=True)
        fresh.replace(derived)

    def _state(self) -> str:
        """What the derived files follow from."""
        files = {path: path.stat() for paths in self.found.grouped.values() for path in paths}
        listed = [(str(path), stat.st_size, stat.st_mtime_ns) for path, stat in sorted(files.items())]
        asked = self.request
        options = [asked.base, asked.years, asked.scope, asked.member, sorted((asked.units or {}).items())]
        grouped = {int(scenario): (asked.names[scenario], len(paths)) for scenario, paths in asked.grouped.items()}
        return json.dumps([version("climate-risk-engine"), listed, options, grouped])

    def _link(self) -> None:
        """Put links to the derived files, and to all others of the folder, where the loaders look."""
        shutil.rmtree(self.files, ignore_errors=True)
        used = {path.resolve() for paths in self.found.grouped.values() for path in paths}
        links = {path.relative_to(self.home / "derived"): path for path in _files(self.home / "derived")}
        for path in _files(self.folder):
            if path.resolve() not in used and path.suffix.lower() not in (".nc", ".nc4"):
                links.setdefault(path.relative_to(self.folder), path)
        if self.tracks is not None:
            links[Path("typhoon", self.tracks.name)] = self.tracks
        if self.regions is not None:
            for path in self.regions.parent.glob(f"{self.regions.stem}.*"):  # a shapefile is several
                links[Path(f"regions{path.suffix.lower()}")] = path
        for name, path in links.items():
            place = self.files / name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(path.resolve(), place)


def look(args: argparse.Namespace, config: Settings) -> OwnData:
    """Look at the files of --data, and say what they are.

    raises : SettingsError where they make no run
    """
    _addresses.allow(config)
    folder, overrides = args.data, _own_data.units(args)
    files = inventory.look(folder, overrides)
    out = _console.console()
    out.print(_table(folder, files))
    for each in files:
        for name, why in each.left_out.items():
            out.print(f"not used: {each.path.name}: {f'{name}: ' if name else ''}{why}", markup=False)
    found = inventory.together(folder, files, _own_data.scenario_numbers(args))
    if faulty := [(each, name, why) for each in files if each.usable for name, why in each.left_out.items()]:
        each, name, why = faulty[0]
        raise SettingsError(f"{each.path.name}: {why}" if name in why else f"{each.path.name}: {name}: {why}")
    member = args.member or next(iter(found.members), None)
    _say(out, found, member, named=args.member is not None)
    baseline = baseline_years(found.years, parse_years(args.baseline) if args.baseline else None)
    request = derive_job.Request(
        files=[path for paths in found.grouped.values() for path in paths],
        grouped=found.grouped,
        names=found.names,
        base=baseline,
        years=found.years,
        step=None,
        scope="observed" if found.observed else "full",
        units=overrides,
        member=member,
    )
    return OwnData(
        folder=folder,
        home=_own_data.home(config.engine_home, folder, member),
        found=found,
        request=request,
        tracks=args.tracks,
        regions=args.regions,
        workers=config.etl_workers,
    )


def allowed(request: Request, source: ClimateSource) -> Request:
    """The request without the risks whose inputs nobody gave, each of which is named with what it needs.

    raises : SourceError when none is left
    """
    plan = make_plan(source, request)
    out = _console.console()
    for risk in plan.missing:
        if risk not in plan.risks:
            out.print(f"not given: {risk} would need {_needs.in_words(plan.missing[risk])}", markup=False)
    for risk, tables in plan.missing.items():
        if risk in plan.risks:
            out.print(f"in part: {risk} without {_needs.in_words(tables)}", markup=False)
    return replace(request, risks=tuple(risk for risk in request.risks if risk not in plan.missing))


def _before(request: Request, source: ClimateSource, runs: Path) -> int | None:
    """Number of the newest run of the same inputs and options, finished or not; None without one."""
    plan = make_plan(source, request)
    cells = active_cells(source, request.cells).height
    identity = json.loads(json.dumps(identity_of(source, request, plan) | {"cells": cells}))
    numbers = sorted(spool.run_ids(runs), reverse=True)
    return next((each for each in numbers if RunDirectory.open(runs, each).identity == identity), None)


def _is_published(number: int, application: str) -> bool:
    """Whether this run is the one that was published last."""
    with closing(postgres.connect(application)) as connection:
        newest = published_runs.newest(connection)
    return newest is not None and newest.run_id == number


def _status(number: int, application: str) -> str:
    with closing(postgres.connect(application)) as connection:
        summary = published_runs.every(connection)[number]["summary"]
    return str((summary or {}).get("status"))


def _files(folder: Path) -> Iterable[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _table(folder: Path, files: Iterable[Held]) -> Table:
    table = Table(title=f"NetCDF files of {folder}")
    for name in ("file", "step", "variables", "calendar", "years", "scenario", "where"):
        table.add_column(name)
    for each in files:
        variables = ", ".join(f"{name} ({unit})" for name, unit in each.units.items())
        members = f", {len(each.members)} members" if len(each.members) > 1 else ""
        years = "" if each.years is None else str(each.years)
        kind = each.experiment or ("" if each.years is None else "none said")
        table.add_row(each.path.name, each.step or "-", variables, each.calendar, years, kind, f"{each.where}{members}")
    return table


def _say(out: Console, found: Inventory, member: str | None, *, named: bool) -> None:
    for scenario, name in found.names.items():
        files = ", ".join(path.name for path in found.grouped[scenario])
        out.print(f"scenario {int(scenario)}: {name}, {found.years}, of {files}", markup=False)
    if member is not None and not named and len(found.members) > 1:
        out.print(
            f"{len(found.members)} members: {', '.join(found.members)}; {member} is computed, another with --member"
            " (docs/ensembles.md: all of them, and their spread)",
            markup=False,
        )
