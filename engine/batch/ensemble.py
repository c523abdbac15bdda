"""Several runs put together: mean, spread and agreement of the AALs of climate models, cell by cell.

A block of cells and a risk at a time, so memory follows neither the grid nor the number of risks. Blocks go into a run
directory and are published by the sink with one switch, as those of any run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.batch.execute import Stage, interruptible
from engine.batch.reporting import Reporter
from engine.batch.runner import Announce, Watch
from engine.core import logs
from engine.core.errors import SourceError
from engine.core.period import FIRST_WINDOW, FULL
from engine.core.rows import ENSEMBLE, ROWS
from engine.io.results import members as runs_of_models
from engine.io.results.members import KEY, Member
from engine.io.results.result_tables import ENSEMBLE_SCORES
from engine.io.results.sink import RunRecord, Sink
from engine.io.results.spool import Cells, RunDirectory
from engine.kernels import ensembles
from engine.risks.registry import RISKS

Floats = NDArray[np.float64]

_COLUMNS = ROWS[ENSEMBLE].schema.names()
_FLOATS = [name for name, kind in ROWS[ENSEMBLE].schema.items() if kind.is_float()]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleOutcome:
    """A published ensemble.

    summary : as it stands in `result_runs.summary`
    rows    : published
    """

    run_id: int
    members: Sequence[Member]
    summary: Mapping[str, Any]
    rows: int
    directory: str
    watch: Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleRequest:
    """What to put together.

    members : in any order
    risks   : None: all of the first member
    resume  : number of a run that was stopped
    command : how it was started
    """

    members: Sequence[Member]
    risks: Sequence[str] | None = None
    resume: int | None = None
    command: str | None = None


def combine(
    sink: Sink,
    request: EnsembleRequest,
    runs: Path | str,
    *,
    progress: Callable[[int, int], None],
    announce: Announce = lambda _: None,
) -> EnsembleOutcome:
    """Combine finished runs and publish the result; on any error what was published before is still there.

    runs   : folder of the run directories, or an fsspec URL
    raises : BusyError while a run of any kind is going; SettingsError for runs that do not fit together; EngineError
             when files, database or disk fail; RunInterrupted when a signal stops a run that was begun
    """
    with sink.guard("ensemble"), interruptible() as stage:
        watch = Watch()
        risks = list(request.risks or request.members[0].risks)
        runs_of_models.refuse_unlike(request.members, risks)
        # in an order of their own: rows and manifest do not depend on the order in which they were named
        members = sorted(request.members, key=lambda each: str(each.record["source_fingerprint"]))
        announce("comparing the grids of the runs")
        cells = runs_of_models.common_places(members)
        shared = [risk for risk in risks if _shares_record(members, risk)]
        ranges = runs_of_models.ranges(members, cells)
        directory = _begun(sink, request, members, risks, cells.height, ranges, runs)
        stage.run_id = directory.run_id
        reporter = Reporter(sink, directory, cells.height, progress, announce)
        _compute(directory, members, {risk: risk in shared for risk in risks}, cells, reporter)
        return _published(sink, stage, directory, members, {"shared_record": shared}, watch)


def _shares_record(members: Sequence[Member], risk: str) -> bool:
    """Whether all members draw on one sample of years: a record of observations, or data that are the same in all."""
    intensities = RISKS[risk].intensities.values()
    if all(each.record is not None for each in intensities):
        return True
    first = members[0]
    for cells in runs_of_models.ranges(members, first.places()):
        mine = first.read(risk, cells).select("aal", "aal_se")
        if any(not mine.equals(each.read(risk, cells).select("aal", "aal_se")) for each in members[1:]):
            return False
    return True


def _begun(
    sink: Sink,
    request: EnsembleRequest,
    members: Sequence[Member],
    risks: Sequence[str],
    total: int,
    ranges: Sequence[Cells],
    runs: Path | str,
) -> RunDirectory:
    record = members[0].record
    sources = [str(each.record["source_fingerprint"]) for each in members]
    made = RunRecord(
        job_type="ensemble",
        scope=record["scope"],
        edition=record["edition"],
        edition_checksum=record["edition_checksum"],
        edition_checksums=record["edition_checksums"] or {},
        source_fingerprint=hashlib.sha256("\n".join(sources).encode()).hexdigest(),
        baseline=record["baseline"],
        total_grids=total,
        command=request.command,
        parts={ENSEMBLE_SCORES.name: list(risks)},
    )
    identity = {
        "job_type": "ensemble",
        "engine": version("climate-risk-engine"),
        **{name: record[name] for name in ("scope", "edition", "edition_checksum", "edition_checksums", "baseline")},
        "source_fingerprint": made.source_fingerprint,
        "members": [each.told() for each in members],
        "ensemble": list(risks),
        **{"probability": [], "hazard": {}},
        "cells": total,
    }
    if request.resume is not None:
        directory = RunDirectory.resume(runs, request.resume, identity, ranges)
        sink.reopen(request.resume, made)
    else:
        directory = RunDirectory.create(runs, sink.begin(made, runs), identity, ranges)
    logs.bind(run_id=directory.run_id)
    return directory


def _compute(
    directory: RunDirectory,
    members: Sequence[Member],
    risks: Mapping[str, bool],
    cells: pl.DataFrame,
    reporter: Reporter,
) -> None:
    """Compute the missing blocks. risks: risk -> whether its members share a record"""
    ids = cells["grid_id"].to_numpy()
    done = sum(int(note["cells"]) for note in directory.notes.values())
    reporter.first(done)
    for number in directory.missing:
        lo, hi = directory.blocks[number]
        frames = [block(members, risk, (lo, hi), shared_record=shared) for risk, shared in risks.items()]
        count = int(np.searchsorted(ids, hi) - np.searchsorted(ids, lo))
        directory.commit(directory.store_block(number, {ENSEMBLE: pl.concat(frames)}, {"cells": count}))
        done += count
        reporter.cells(done)


def block(members: Sequence[Member], risk: str, cells: Cells, *, shared_record: bool) -> pl.DataFrame:
    """Rows of one risk in a range of cells, columns of `ROWS["ensemble"]`.

    raises : SourceError for members whose rows are not of the same cells, scenarios and periods
    """
    frames = [member.read(risk, cells) for member in members]
    keys = frames[0].select(KEY)
    for member, frame in zip(members[1:], frames[1:], strict=True):
        if not keys.equals(frame.select(KEY)):
            raise SourceError(
                f"{member.label} has other rows of {risk} than {members[0].label} in the cells {cells[0]} to"
                f" {cells[1] - 1}"
            )
    aal, error = (
        np.stack([frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for frame in frames], axis=1)
        for name in ("aal", "aal_se")
    )
    figures = ensembles.ensemble_figures(aal, error, shared_record=shared_record)
    rows = keys.with_columns(
        pl.lit(risk).alias("risk_type"),
        pl.Series("members", (~np.isnan(aal)).sum(axis=1), pl.Int16),
        pl.Series("agreement", ensembles.sign_agreement(_changes(keys, aal))),
        *(
            pl.Series(name if name == "total_se" else f"aal_{name}", values)
            for name, values in figures._asdict().items()
        ),
    )
    return rows.select(pl.col(name).fill_nan(None) if name in _FLOATS else name for name in _COLUMNS)


def _changes(keys: pl.DataFrame, aal: Floats) -> Floats:
    """(R, m) AAL less that of the short term in the same scenario; NaN in the short term itself and the whole axis."""
    numbered = keys.with_row_index("row")
    first = numbered.filter(pl.col("time_period") == FIRST_WINDOW).select("grid_id", "scenario_id", first="row")
    later = numbered.filter(~pl.col("time_period").is_in([FIRST_WINDOW, FULL]))
    pairs = later.join(first, on=["grid_id", "scenario_id"], how="inner")
    changes = np.full_like(aal, np.nan)
    changes[pairs["row"].to_numpy()] = aal[pairs["row"].to_numpy()] - aal[pairs["first"].to_numpy()]
    return changes


def _published(
    sink: Sink,
    stage: Stage,
    directory: RunDirectory,
    members: Sequence[Member],
    told: Mapping[str, object],
    watch: Watch,
) -> EnsembleOutcome:
    risks: list[str] = directory.identity["ensemble"]
    directory.settle({ENSEMBLE: risks})
    watch.add("combine", watch.wall)
    cells = int(directory.identity["cells"])
    summary = {
        "status": "completed",
        "cells": cells,
        "risks": risks,
        "members": directory.identity["members"],
        "periods": {period: list(years) for period, years in members[0].years.items()},
        **told,
        "means": means(pl.concat([directory.scan(ENSEMBLE, number) for number in directory.notes])),
    }
    started = time.perf_counter()
    stage.switching = True
    rows = sink.publish(
        directory, {ENSEMBLE_SCORES.name: risks}, {}, whole_grid=True, replaces=True,
        summary=summary | {"stage_seconds": watch.rounded()},
    )  # fmt: skip
    stage.switched = True
    watch.add("load", time.perf_counter() - started)
    sink.finish("completed", processed=cells, failed=0)
    return EnsembleOutcome(
        run_id=directory.run_id,
        members=members,
        summary=summary,
        rows=sum(rows.values()),
        directory=f"{directory.root}/{directory.run_id}",
        watch=watch,
    )


def means(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Means over the cells, a row a risk, scenario and period: the figures, and the share of cells where the models
    disagree on the sign of the change (null where there is none)."""
    figures = ("aal_mean", "aal_sd_between", "aal_p10", "aal_p50", "aal_p90", "total_se")
    found = rows.group_by("risk_type", "scenario_id", "time_period").agg(
        pl.col("aal_mean").count().alias("cells"),
        *(pl.col(name).cast(pl.Float64).mean() for name in figures),
        disagree=(pl.col("agreement") < ensembles.ENOUGH_AGREE).mean(),
    )
    order = {risk: place for place, risk in enumerate(RISKS)}
    told = found.collect(engine="streaming").to_dicts()
    return sorted(told, key=lambda row: (order[row["risk_type"]], row["scenario_id"], row["time_period"]))
