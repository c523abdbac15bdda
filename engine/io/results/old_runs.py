"""Delete the run directories of published runs, except the newest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psycopg

from engine.core.errors import SinkError
from engine.io.db import postgres
from engine.io.results import spool


def delete_old(connection: psycopg.Connection, runs: Path, keep: int) -> list[int]:
    """Delete run directories of this database's published runs, all but those of the newest `keep`; their numbers.

    A run that was not published stays, because `--resume` may continue it; so does a directory whose manifest does not
    agree with the run's row: it belongs to another database that counts its runs here, too.
    raises : SinkError
    """
    with postgres.failures("looking for old runs", SinkError):
        published = connection.execute(
            "SELECT run_id, source_fingerprint, edition_checksum FROM result_runs WHERE published_at IS NOT NULL"
            " ORDER BY published_at DESC, run_id DESC OFFSET %s",
            (keep,),
        ).fetchall()
    for half_deleted in runs.glob(".*.deleted"):
        shutil.rmtree(half_deleted, ignore_errors=True)
    there, deleted = spool.run_ids(runs), []
    for run_id, *made_from in published:
        if run_id not in there:
            continue
        folder = runs / str(run_id)
        try:
            identity = json.loads((folder / "manifest.json").read_bytes())["identity"]
            if [identity["source_fingerprint"], identity["edition_checksum"]] != made_from:
                continue
            # first out of the way, so that one that is half deleted is not taken for a run
            gone = folder.rename(runs / f".{run_id}.deleted")
            shutil.rmtree(gone)
        except (OSError, ValueError, KeyError) as err:
            raise SinkError(f"run directory {folder} cannot be deleted: {type(err).__name__}: {err}") from err
        deleted.append(run_id)
    return sorted(deleted)
