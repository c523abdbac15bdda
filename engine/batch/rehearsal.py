"""A dry run of what the schedule will start: is everything there that the batches need, months before they are due?

Nothing is computed and nothing is written; the outcome is kept by `job_logs.record_check`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

from engine.batch.pipeline import active_cells
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.core.errors import EngineError
from engine.core.rows import BatchType
from engine.core.settings import Settings
from engine.io import open_source
from engine.io.results.sink_postgres import PostgresSink
from engine.risks import load_edition
from engine.risks.edition import Edition
from engine.risks.editions import DEFAULT_EDITION
from engine.risks.registry import parse_risks

#: bytes that a run directory takes a cell, measured, with a reserve
BYTES_A_CELL = 2_900 * 5 // 4


class Fault(NamedTuple):
    """Something that a scheduled run would meet. fatal: it would fail; else it would be partial, or late."""

    fatal: bool
    text: str


def look(config: Settings, warehouse: str, application: str) -> list[Fault]:
    """Every fault of edition, databases and disk that can be seen now."""
    edition, faults = _edition(config)
    cells, more = _of_data(config, warehouse, application, edition)
    return [*faults, *more, *_of_disk(config.engine_home / "runs", cells)]


def _edition(config: Settings) -> tuple[Edition | None, list[Fault]]:
    try:
        return load_edition(config.edition or DEFAULT_EDITION), []
    except EngineError as err:
        return None, [Fault(True, f"EDITION cannot be used: {err}")]


def _of_data(
    config: Settings, warehouse: str, application: str, edition: Edition | None
) -> tuple[int | None, list[Fault]]:
    """(active cells, faults of both databases)"""
    faults: list[Fault] = []
    cells: int | None = None
    scope: str | None = None
    try:
        with closing(open_source(warehouse, connections=config.parallel_workers)) as source:
            cells = active_cells(source).height
            if edition is not None:
                plan = make_plan(source, Request(edition=edition, risks=parse_risks(None)))
                scope = plan.scope
                faults += [
                    Fault(False, f"{risk} would not be computed: missing {', '.join(tables)}")
                    for risk, tables in plan.missing.items()
                ]
    except EngineError as err:
        faults.append(Fault(True, f"climate data: {err}"))
    try:
        with closing(PostgresSink(application)) as sink:
            faults += [Fault(True, f"results: {text}") for text in sink.lacking_rights()]
            kinds: tuple[BatchType, ...] = ("probability", "hazard")
            refusals = {sink.refusal(kind, scope) for kind in kinds} if scope is not None else set()
            faults += [Fault(True, text) for text in sorted(text for text in refusals if text)]
    except EngineError as err:
        faults.append(Fault(True, f"results: {err}"))
    return cells, faults


def _of_disk(runs: Path, cells: int | None) -> list[Fault]:
    here = next(part for part in (runs, *runs.absolute().parents) if part.exists())
    if not here.is_dir() or not os.access(here, os.W_OK | os.X_OK):
        return [Fault(True, f"run directories cannot be made: {here} is no folder that may be written to")]
    free, needed = shutil.disk_usage(here).free, (cells or 0) * BYTES_A_CELL
    if free < needed:
        sizes = f"{free / 1e9:.2f} GB free, a run of {cells:,} cells needs {needed / 1e9:.2f} GB"
        return [Fault(True, f"{here} has {sizes}")]
    return []


def outcome(faults: Sequence[Fault]) -> Literal["completed", "partial", "failed"]:
    """The status under which the faults are kept."""
    if any(fault.fatal for fault in faults):
        return "failed"
    return "partial" if faults else "completed"


def told(faults: Sequence[Fault]) -> str | None:
    """Every fault in one line, None without any."""
    return "; ".join(fault.text for fault in faults) or None
