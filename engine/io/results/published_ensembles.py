"""Published ensembles: the figures of a cell, and the runs that made them. Means over the cells: in their summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg.rows import class_row, dict_row

from engine.core.errors import SettingsError, SourceError
from engine.core.rows import ENSEMBLE
from engine.io.db import postgres
from engine.io.results import result_folder
from engine.io.results.published import Run

_ROW: LiteralString = (
    "SELECT members, aal_mean, aal_sd_between, aal_p10, aal_p50, aal_p90, total_se, agreement, computed_at"
    " FROM modelops_ensemble_scores"
    " WHERE grid_id = %s AND risk_type = %s AND scenario_id = %s AND time_period = %s"
)
# rows do not name their run: each ensemble replaces all rows of its risks
_RUN: LiteralString = (
    "SELECT run_id, scope, edition, baseline, summary, published_at FROM result_runs"
    " WHERE job_type = 'ensemble' AND published_at IS NOT NULL AND summary -> 'risks' ? %s"
    " ORDER BY published_at DESC, run_id DESC LIMIT 1"
)


class CellEnsemble(NamedTuple):
    """AAL of one cell, risk, scenario and period over climate models: shares of value a year, null where a member has
    none. agreement: share of members that agree on the sign of the change; None in the short term and over all years"""

    members: int
    aal_mean: float | None
    aal_sd_between: float | None
    aal_p10: float | None
    aal_p50: float | None
    aal_p90: float | None
    total_se: float | None
    agreement: float | None
    computed_at: Any


def read(
    connection: psycopg.Connection, cell: int, risk: str, scenario: int, period: str
) -> tuple[CellEnsemble, Run] | None:
    """The figures and the run that made them; None where no ensemble is published."""
    with postgres.failures("reading the ensemble", SourceError):
        with connection.cursor(row_factory=class_row(CellEnsemble)) as cursor:
            row = cursor.execute(_ROW, (cell, risk, scenario, period)).fetchone()
        if row is None:
            return None
        with connection.cursor(row_factory=dict_row) as cursor:
            run = cursor.execute(_RUN, (risk,)).fetchone()
    if run is None:
        raise SourceError(f"modelops_ensemble_scores has rows of {risk} that no published ensemble in result_runs made")
    shown: dict[str, Any] = {
        name: float(f"{each:.7g}") if isinstance(each, float) else each for name, each in row._asdict().items()
    }
    return CellEnsemble(**shown), run


def newest(runs: Mapping[int, Run]) -> Run | None:
    """The ensemble that was published last."""
    made = [run for run in runs.values() if run["job_type"] == ENSEMBLE and run["published_at"]]
    return max(made, key=lambda run: (str(run["published_at"]), run["run_id"]), default=None)


def in_folder(folder: Path) -> Run:
    """The newest ensemble of a directory of results.

    raises : SettingsError where there is none
    """
    found = newest({number: entry["run"] for number, entry in result_folder.entries(folder).items()})
    if found is None:
        raise SettingsError(f"{folder} holds no published ensemble: make one with python -m jobs.ensemble")
    return found


def members_of(run: Run) -> Sequence[Mapping[str, Any]]:
    """The runs that an ensemble was made of: run_id, place, source_fingerprint."""
    told: Sequence[Mapping[str, Any]] = (run["summary"] or {}).get("members") or ()
    return told
