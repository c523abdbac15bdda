"""Published results as a reader sees them: which generations, which bytes, and whether they ever mix."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pyarrow.parquet as pq

from engine.core.errors import SourceError
from engine.io.results import result_folder, result_tables
from engine.io.results.published import DirectoryResults
from engine.io.results.sink import WRITES

#: those of a run
TABLES = {name: result_tables.TABLES[name] for name in WRITES["yearly"]}
_FORKED = multiprocessing.get_context("forkserver")
_VALUES = {
    "probability_results": "aal",
    "hazard_results": "hazard_score",
    "modelops_probability_scores": "aal",
    "modelops_hazard_scores": "score",
}
_GENERATIONS = "SELECT DISTINCT floor({}::numeric * 10 + 0.00001)::int FROM {}"
_BYTES = """
SELECT md5(string_agg(t.text, '|' ORDER BY t.text)), count(*) FROM
  (SELECT (to_jsonb(x) - ARRAY['run_id', 'hazard_id', 'calculated_at', 'computed_at'])::text AS text FROM {} x) t
"""
#: seconds between two reads: they must not take the processor from what is killed
_PAUSE = 0.03
#: rows of a whole run: 60 cells, two risks, one pair or twelve
_ROWS = {"probability_results": 120, "hazard_results": 120, "modelops_year_losses": 120}
_DETAIL_ROWS = 1440


def is_folder(target: str) -> bool:
    return Path(target).is_absolute()


def contents(target: str) -> dict[str, tuple[str, int]]:
    """Table -> (digest of all that two runs of the same values share, rows); `generations` under that name."""
    found = _of_folder(result_folder.current(Path(target))) if is_folder(target) else _of_database(target)
    return {**found, "generations": (str(sorted(generations(target))), 0)}


def is_of(found: Mapping[str, tuple[str, int]], generation: int) -> bool:
    """All rows of a run are there, and of this one."""
    rows = {name: number for name, (_, number) in found.items() if name in TABLES}
    wanted = {name: _ROWS.get(name, _DETAIL_ROWS) for name in TABLES}
    return found["generations"][0] == str([generation]) and rows == wanted


def _of_database(url: str) -> dict[str, tuple[str, int]]:
    with closing(psycopg.connect(url)) as connection:
        return {name: connection.execute(_BYTES.format(name).encode()).fetchone() for name in TABLES}  # type: ignore[misc]


def _of_folder(folder: Path) -> dict[str, tuple[str, int]]:
    found = {}
    for name, table in TABLES.items():
        frame = pl.read_parquet(folder / f"{name}.parquet", glob=False).sort(table.keys[0])
        text = frame.drop("run_id", table.stamp, strict=False).write_ndjson()
        found[name] = hashlib.sha256(text.encode()).hexdigest(), frame.height
    return found


def generations(target: str) -> set[int]:
    """Of all rows of the tables of figures, in one view of them."""
    if is_folder(target):
        return _in_folder(Path(target))
    with closing(psycopg.connect(target)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        return _in_database(connection, list(_VALUES))


def _in_database(connection: psycopg.Connection, tables: list[str]) -> set[int]:
    with connection.transaction():
        return {
            number
            for table in tables
            for (number,) in connection.execute(_GENERATIONS.format(_VALUES[table], table).encode()).fetchall()
        }


def _in_folder(folder: Path) -> set[int]:
    """Through the reader of the report, and what each file says of itself."""
    published = DirectoryResults(folder)
    aal, score = published.windows()
    means = pl.concat([aal["mean"], score["mean"]])
    rows = pl.concat([published.hazard("drought")["hazard_score"], published.probability("extreme_heat")["aal"]])
    values = pl.concat([means, rows.cast(pl.Float64)])
    numbers = set((values * 10 + 1e-5).floor().cast(pl.Int64))
    present = result_folder.current(folder)
    signed = {pq.read_metadata(present / f"{name}.parquet").metadata[b"run_id"] for name in TABLES}
    if signed != {present.name.encode()}:
        raise ValueError(f"{present} has files of the runs {signed}")
    return numbers


class Watching:
    """Counts of the readers, complete once `readers` is left."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int, list[str]]] = []

    def counts(self) -> tuple[int, int, list[str]]:
        """(reads, mixtures, errors)"""
        reads, mixtures, errors = zip(*self.told, strict=True)
        return sum(reads), sum(mixtures), [error for each in errors for error in each]


@contextmanager
def readers(target: str, number: int = 1) -> Iterator[Watching]:
    """Processes that read again and again while the body runs."""
    watching, stop = Watching(), _FORKED.Event()
    pipes = [_FORKED.Pipe(duplex=False) for _ in range(number)]
    started = [_FORKED.Process(target=_watch, args=(target, stop, theirs)) for _, theirs in pipes]
    for process in started:
        process.start()
    try:
        yield watching
    finally:
        stop.set()
        watching.told = [ours.recv() for ours, _ in pipes]
        for process in started:
            process.join()


def _watch(target: str, stop: Event, pipe: Any) -> None:
    reads, mixtures, errors = 0, 0, []
    connection = None if is_folder(target) else psycopg.connect(target)
    if connection is not None:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    while not stop.is_set():
        tables = list(_VALUES) if reads % 2 else list(_VALUES)[::-1]
        try:
            seen = _in_folder(Path(target)) if connection is None else _in_database(connection, tables)
            mixtures += len(seen) != 1
        except SourceError as err:  # two runs were published since: what the reader is told to do
            if "read it again" not in str(err):
                errors.append(str(err))
        except Exception as err:  # noqa: BLE001  # no reader may see one
            errors.append(f"{type(err).__name__}: {err}")
        reads += 1
        time.sleep(_PAUSE)
    pipe.send((reads, mixtures, errors[:20]))
