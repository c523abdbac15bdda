"""Folders of uploaded portfolios that are kept long enough: sites are somebody's own, they do not stay for ever."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import psycopg

from engine.core.errors import SinkError
from engine.io.db import postgres
from engine.io.queue.batch_jobs import PORTFOLIO

_DAY = 86_400.0


def delete_old(connection: psycopg.Connection, portfolios: Path, days: int) -> list[str]:
    """Delete the folders of portfolios of which no job is waiting, running or ended within `days`; their names, sorted.

    A folder that was written to within `days` stays, too: its job may not be queued yet. The rows of the jobs stay.
    raises : SinkError
    """
    with postgres.failures("looking for old portfolios", SinkError):
        needed = {
            out
            for (out,) in connection.execute(
                "SELECT input_params ->> 'out' FROM batch_jobs WHERE job_type = %s"
                " AND (status IN ('queued', 'running') OR updated_at > now() - make_interval(days => %s))",
                (PORTFOLIO, days),
            )
        }
    deleted = []
    for folder in sorted(portfolios.glob("*")):
        try:
            if str(folder.absolute() / "results") in needed or time.time() - folder.stat().st_mtime < days * _DAY:
                continue
            shutil.rmtree(folder)
        except OSError as err:
            raise SinkError(f"portfolio {folder} cannot be deleted: {type(err).__name__}: {err}") from err
        deleted.append(folder.name)
    return deleted
