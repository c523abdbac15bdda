"""Course of `jobs.yearly --data`: files are looked at, derived and loaded by the steps of `jobs.etl`."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from engine import kernels
from engine.batch.pipeline import active_cells
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.batch.runner import identity_of
from engine.core import settings
from engine.core.errors import EngineError, needs
from engine.core.period import MIN_SAMPLES
from engine.core.profile import Profile
from engine.core.quality import WORLD
from engine.io import etl
from engine.io.climate.source import ClimateSource
from engine.io.db import postgres
from engine.io.etl.derive import derive, derive_job
from engine.io.etl.derive.grouping import Inventory
from engine.io.etl.derive.pieces import DAILY
from engine.io.etl.loading import LoadOptions
from engine.io.results import published_runs, spool
from engine.io.results.spool import RunDirectory
from jobs import _console, _extras, _look, _needs, _options, report
from jobs._addresses import Ends
from jobs._own_data import COUNTRY
from jobs.courses import etl as etl_course

if TYPE_CHECKING:
    from engine.batch.execute import Outcome
    from jobs._run import Opened

log = logging.getLogger("jobs")

#: beside the derived files: what they follow from, and variables that have no value, with the reason
_STAMP, _WITHOUT = ".made", ".without"
#: profile of any country
GENERIC = "generic"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """Files of a user, and what is to become of them.

    folder  : that was named; home: what is made of it
    profile : of the country: currency, ranges of plausible values, how regions are coded; country: its file as text
    """

    folder: Path
    home: Path
    found: Inventory
    request: derive_job.Request
    tracks: Path | None
    regions: Path | None
    workers: int
    profile: Profile
    country: str

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
            (self.home / COUNTRY).write_text(self.country, "utf-8")
            self._derive()
            self._link()
            with _console.load_progress() as progress:
                options = LoadOptions(data=self.files, scope=self._scope, gate=WORLD, workers=self.workers)
                reports = etl.run_loaders(warehouse, [etl.ALL], options, progress)
        etl_course.print_reports([each for each in reports if each.status not in ("not given", "absent")])
        if bad := [each for each in reports if each.status == "failed"]:
            name = bad[0].table or bad[0].loader
            raise EngineError(f"{self.folder}: {name}: {bad[0].message.removeprefix(f'{name}: ')}")

    def run(
        self, request: Request, opened: Opened, args: argparse.Namespace, compute: Callable[[Request], Outcome]
    ) -> int:
        """Compute what the files allow, unless a run of the same did before, and report it; returns the exit code."""
        request = self._allowed(request, opened.source, asked=args.risks is not None)
        done = _before(request, opened.source, self.home / "runs")
        if done is not None and _is_published(done, opened.sink):
            out = _console.console()
            out.print(f"up to date: run {done} of the same files and options is published", markup=False)
            whole, number = _is_whole(done, opened.sink), done
            for line in _look.lines(args, settings.load(), self.home):
                out.print(line, markup=False)
        else:
            outcome = compute(request if request.resume or done is None else replace(request, resume=done))
            whole, number = outcome.status == "completed", outcome.run_id
        self._report(number, opened, args.edition)
        return _console.COMPLETE if whole else _console.PARTIAL

    def _allowed(self, request: Request, source: ClimateSource, *, asked: bool) -> Request:
        """The request without the risks of which nothing can be computed; each that lacks inputs or years is named with
        what it needs, and is no part of the run unless it was asked for.

        raises : SourceError when no risk is left
        """
        plan = make_plan(source, request)
        given = {name: each.step for each in self.found.files if each.usable for name in each.units}
        given |= {name: DAILY for each in self.found.files if each.usable and each.step == DAILY for name in each.units}
        without_value = json.loads((self.home / "derived" / _WITHOUT).read_text("utf-8"))
        needs = {
            risk: ("for its loss, its hazard score is computed: " if risk in plan.risks else "")
            + _needs.in_words(tables, given, without_value)
            for risk, tables in plan.missing.items()
        }
        if (years := self.found.years).n < MIN_SAMPLES:
            needs |= {
                risk: f"for its loss, its hazard score is computed: {MIN_SAMPLES} years, the files have {years.n}"
                for risk in plan.probability
                if not (of := plan.edition.intensity(risk)).monthly and of.record is None
            }
        for risk, what in needs.items():
            _console.console().print(f"not given: {risk} needs {what}", markup=False)
        if asked:
            return request
        return replace(request, risks=tuple(risk for risk in request.risks if risk in plan.risks), not_given=needs)

    def _report(self, number: int, opened: Opened, edition: str | None) -> None:
        """One HTML file in the folder of the run, where the extra is installed. edition: as it was asked for"""
        try:
            _extras.require(report.NEEDS)
        except ModuleNotFoundError:
            log.warning("no report was written: it %s", needs("report"))
            return
        from jobs.courses import report as course  # draws, so imports matplotlib

        path = self.home / f"report-{number}.html"
        asked = argparse.Namespace(
            run=number,
            out=path,
            sink=opened.sink,
            warehouse=opened.address,
            run_dir=str(self.home / "runs"),
            against=None,
            ensemble=None,
            edition=edition if edition is not None and edition.endswith(".toml") else None,
            lang=_options.language(),
        )
        course.run(asked)
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
        (fresh / _WITHOUT).write_text(json.dumps(told.without_value), "utf-8")
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
        return json.dumps([version("climate-risk-engine"), 2, listed, options, grouped])

    def _link(self) -> None:
        """Put links to the derived files, and to all others of the folder, where the loaders look."""
        shutil.rmtree(self.files, ignore_errors=True)
        taken = {each.path.resolve() for each in self.found.files if each.is_daily_input}
        links = {path.relative_to(self.home / "derived"): path for path in _files(self.home / "derived")}
        for path in _files(self.folder):
            if path.resolve() not in taken:
                links.setdefault(path.relative_to(self.folder), path)
        if self.tracks is not None:
            links[Path("typhoon", self.tracks.name)] = self.tracks
        if self.regions is not None:
            for path in self.regions.parent.glob(f"{self.regions.stem}.*"):  # a shapefile is several
                links[Path(f"regions{path.suffix.lower()}")] = path
        for name, path in links.items():
            place = self.files / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path.resolve())


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


def _is_whole(number: int, application: str) -> bool:
    with closing(postgres.connect(application)) as connection:
        summary = published_runs.every(connection)[number]["summary"]
    return (summary or {}).get("status") == "completed"


def _files(folder: Path) -> Iterable[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
