"""Results into PostgreSQL: fresh partitions beside the published ones, then one transaction that swaps them in.

Readers see last year's rows or this year's, never a mixture and never an error: a transaction that has read any of the
tables holds a lock that the switch waits for, and one that comes later waits for the switch.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import polars as pl
import psycopg
from psycopg import errors, sql

from engine.core.errors import SettingsError, SinkError
from engine.core.scenario import names_of
from engine.io.db import postgres
from engine.io.db.copy_in import copy_rows
from engine.io.results import published_scenarios, result_tables, sample_years, year_loss_rows
from engine.io.results.result_tables import MADE_BY, TABLES, YEAR_LOSSES, BinStyle, Parts, ResultTable, partition
from engine.io.results.spool import Cells, RunDirectory

log = logging.getLogger(__name__)

#: told how many parts (partitions, or tables) are loaded, of all
Loaded = Callable[[int, int], None]

#: the switch queues for its locks this often, and after each time tries `SPINS` times to catch all tables unread
SWITCH_TRIES = 10
SPINS = 300
FIRST_LOCK_TIMEOUT = "5s"
_PAUSE = 0.01  # seconds between tries, so that readers get through
#: `_r42` (never switched in) and `_old` (switched out, not yet dropped)
_LEFTOVER = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN unnest(%s::text[]) AS t(name) ON starts_with(c.relname, t.name || '_')
JOIN risk_types k ON substr(c.relname, length(t.name) + 2) ~ ('^' || k.risk_type || '_(r[0-9]+|old)$')
WHERE n.nspname = current_schema() AND c.relkind = 'r' AND NOT c.relispartition
"""


def fresh_partition(table: str, risk: str, run_id: int) -> str:
    """Name of a partition that a run is still building."""
    return f"{table}_{risk}_r{run_id}"


def drop_leftovers(connection: psycopg.Connection, tables: Iterable[str]) -> list[str]:
    """Drop what dead runs left beside these tables. The caller holds the locks of every job that writes them."""
    names = [str(name) for (name,) in connection.execute(_LEFTOVER, (list(tables),)).fetchall()]
    for name in names:
        connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    return names


def replace(
    connection: psycopg.Connection,
    url: str,
    run: RunDirectory,
    parts: Parts,
    styles: Mapping[str, BinStyle],
    *,
    ranked: bool,
    connections: int,
    summary: Mapping[str, object],
    loaded: Loaded,
) -> dict[str, int]:
    """Build the partitions of a run and switch them in; returns rows per table.

    connection  : holds the run's locks, so losing them means losing the switch
    connections : partitions built at a time, each over its own connection to `url`
    raises      : SinkError; the published partitions are then as they were and nothing of the run is left beside them
    """
    require_partitions(connection, parts)
    try:
        rows = _build_all(url, run, parts, styles, ranked=ranked, connections=connections, loaded=loaded)
        with postgres.failures(f"switching run {run.run_id} in", SinkError):
            with connection.transaction():  # rows that nobody looks for before the run is published
                sample_years.insert(connection, run.run_id, _years_of(run, parts, styles))
            _switch_with_patience(connection, parts, run.run_id, summary)
    except BaseException:
        if not connection.closed and not connection.broken:
            drop_leftovers(connection, parts)
        raise
    try:
        drop_leftovers(connection, parts)
    except psycopg.Error as err:  # the run is published all the same; the next one drops them
        log.warning("the partitions that run %d replaced were not dropped yet: %s", run.run_id, err)
    return rows


def require_partitions(connection: psycopg.Connection, parts: Parts) -> None:
    """Refuse parts that the result schema has no place for; raises SinkError."""
    wanted = {partition(table, risk) for table, risks in parts.items() for risk in risks}
    found = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid "
        "WHERE i.inhparent = ANY(%s::regclass[])",
        (list(parts),),
    ).fetchall()
    if absent := sorted(wanted - {name for (name,) in found}):
        raise SinkError(f"the result schema has no partition {', '.join(absent)}: add it with python -m jobs.schema")


def _build_all(
    url: str,
    run: RunDirectory,
    parts: Parts,
    styles: Mapping[str, BinStyle],
    *,
    ranked: bool,
    connections: int,
    loaded: Loaded,
) -> dict[str, int]:
    stopped = threading.Event()

    def build(table: ResultTable, risk: str) -> int:
        frames = result_tables.read_rows(run, table, risk, styles, ranked=ranked)
        with postgres.failures(f"loading {risk} into {table.name}", SinkError), postgres.connect(url) as connection:
            return build_partition(connection, table, risk, run.run_id, _until(stopped, frames))

    with ThreadPoolExecutor(connections, thread_name_prefix="load") as pool:
        tasks = {
            pool.submit(build, table, risk): name for name, table in TABLES.items() for risk in parts.get(name, ())
        }
        rows = dict.fromkeys(parts, 0)
        loaded(0, len(tasks))
        try:
            for done, task in enumerate(as_completed(tasks), 1):
                rows[tasks[task]] += task.result()
                loaded(done, len(tasks))
        except BaseException:
            stopped.set()
            pool.shutdown(cancel_futures=True)
            raise
    return rows


def _until(stopped: threading.Event, frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        if stopped.is_set():
            raise SinkError("stopped, another partition failed")
        yield frame


def build_partition(
    connection: psycopg.Connection, table: ResultTable, risk: str, run_id: int, frames: Iterable[pl.DataFrame]
) -> int:
    """Make, fill, index and analyse one partition that nobody sees yet; returns its rows."""
    name = fresh_partition(table.name, risk, run_id)
    fresh = sql.Identifier(name)
    connection.execute("SET maintenance_work_mem = '256MB'")
    with connection.transaction():
        connection.execute(
            sql.SQL(
                "CREATE TABLE {} (LIKE {} INCLUDING DEFAULTS INCLUDING GENERATED "
                "INCLUDING CONSTRAINTS INCLUDING STORAGE)"
            ).format(fresh, sql.Identifier(table.name))
        )
        rows = _copy(connection, name, table, frames, freeze=True)
        add_keys(connection, table, risk, name)
    connection.execute(sql.SQL("ANALYZE {}").format(fresh))
    return rows


def add_keys(connection: psycopg.Connection, table: ResultTable, risk: str, name: str) -> None:
    """Keys and indexes equal to the parent's and a CHECK equal to the partition bound make ATTACH a matter of names.

    Indexes are named here, by the table's number: the server would cut its own names to 63 bytes, and two connections
    that build partitions of like names would choose the same one.
    """
    fresh = sql.Identifier(name)
    [(number,)] = connection.execute("SELECT %s::regclass::oid", (name,)).fetchall()
    stem = f"{partition(table.name, risk)}_{number}"
    primary, *unique = (sql.SQL(", ").join(map(sql.Identifier, key)) for key in table.keys)
    connection.execute(
        sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} CHECK (risk_type = {}), ADD PRIMARY KEY ({})").format(
            fresh, sql.Identifier(f"is_{risk}"), sql.Literal(risk), primary
        )
    )
    for place, key in enumerate(unique):
        index = sql.Identifier(f"{stem}_key{place}")
        connection.execute(sql.SQL("CREATE UNIQUE INDEX {} ON {} ({})").format(index, fresh, key))
    if table.layer:
        columns = sql.SQL(", ").join(map(sql.Identifier, table.layer))
        connection.execute(
            sql.SQL("CREATE INDEX {} ON {} USING brin ({}) WITH (pages_per_range = 16)").format(
                sql.Identifier(f"{stem}_layer"), fresh, columns
            )
        )


def _switch_with_patience(
    connection: psycopg.Connection, parts: Parts, run_id: int, summary: Mapping[str, object]
) -> None:
    for attempt in range(1, SWITCH_TRIES + 1):
        for waiting in (True, *[False] * SPINS):
            try:
                switch(connection, parts, run_id, summary, waiting=waiting)
                return
            except (errors.LockNotAvailable, errors.QueryCanceled, errors.DeadlockDetected):
                time.sleep(_PAUSE)
        log.warning("readers hold the result tables, try %d of %d", attempt, SWITCH_TRIES)
    raise SinkError(
        f"readers held the result tables through {SWITCH_TRIES} tries to switch run {run_id} in; "
        f"nothing was switched, continue with --resume {run_id}"
    )


def switch(
    connection: psycopg.Connection, parts: Parts, run_id: int, summary: Mapping[str, object], *, waiting: bool
) -> None:
    """Swap all fresh partitions in and date the run, in one transaction.

    waiting : queue for the locks, new readers behind us; False: take them only if all are free this instant
    raises  : LockNotAvailable or QueryCanceled when readers did not let go in time
    """
    tables = sorted(table for table, risks in parts.items() if risks)
    with connection.transaction():
        _lock(connection, tables, waiting=waiting)
        for table, risks in parts.items():
            for risk in risks:
                _swap(connection, table, risk, run_id)
        _date(connection, run_id, summary)


def _lock(connection: psycopg.Connection, tables: Sequence[str], *, waiting: bool) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, tables))
    if not waiting:
        # readers of several tables in opposite orders keep a queue in a cycle for ever; sooner or later all are away
        connection.execute(sql.SQL("LOCK TABLE {} NOWAIT").format(names))
        return
    # Waiting for one table while holding none cannot deadlock. For the others we wait less than the server's
    # deadlock_timeout (1 s), so in a cycle with a reader of two tables it is always us who give way.
    _set_local(connection, "lock_timeout", FIRST_LOCK_TIMEOUT)
    connection.execute(sql.SQL("LOCK TABLE ONLY {}").format(sql.Identifier(tables[0])))
    _set_local(connection, "statement_timeout", "700ms")
    connection.execute(sql.SQL("LOCK TABLE {}").format(names))
    _set_local(connection, "statement_timeout", "0")


def _set_local(connection: psycopg.Connection, name: str, value: str) -> None:
    connection.execute("SELECT set_config(%s, %s, true)", (name, value))


def _swap(connection: psycopg.Connection, table: str, risk: str, run_id: int) -> None:
    parent, current = sql.Identifier(table), sql.Identifier(partition(table, risk))
    fresh, old = sql.Identifier(fresh_partition(table, risk, run_id)), sql.Identifier(f"{partition(table, risk)}_old")
    for command in (
        sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, current),
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES IN ({})").format(parent, fresh, sql.Literal(risk)),
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(current, old),
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(fresh, current),
    ):
        connection.execute(command)


def _date(connection: psycopg.Connection, run_id: int, summary: Mapping[str, object]) -> None:
    connection.execute(
        "UPDATE result_runs SET published_at = clock_timestamp(), summary = %s WHERE run_id = %s",
        (json.dumps(summary, ensure_ascii=False), run_id),
    )
    if "scenario_names" in summary:  # an ensemble says none: those of its runs stay
        published_scenarios.publish(connection, names_of(summary))


def upsert(
    connection: psycopg.Connection,
    run: RunDirectory,
    parts: Parts,
    styles: Mapping[str, BinStyle],
    *,
    ranked: bool,
    summary: Mapping[str, object],
    loaded: Loaded,
) -> dict[str, int]:
    """Put the rows of a part of the grid among the published ones, all tables in one transaction; rows per table."""
    counts = {}
    with postgres.failures(f"loading run {run.run_id}", SinkError), connection.transaction():
        _refuse_mixture(connection, run.run_id, parts)
        mine, risks = _years_of(run, parts, styles), parts.get(YEAR_LOSSES.name, ())
        sample_years.refuse_mixture(sample_years.published(connection, risks), mine, risks)
        sample_years.insert(connection, run.run_id, mine)
        for done, (name, risks) in enumerate(parts.items()):
            loaded(done, len(parts))
            counts[name] = _upsert_table(connection, run, TABLES[name], risks, styles, ranked=ranked)
        loaded(len(parts), len(parts))
        _date(connection, run.run_id, summary)
    return counts


def _refuse_mixture(connection: psycopg.Connection, run_id: int, parts: Parts) -> None:
    """Rows of two methods under one risk could not be told apart: the detail tables do not name the run of a row."""
    for kind, table in MADE_BY.items():
        risks = sorted({risk for name, named in parts.items() if TABLES[name].spooled == kind for risk in named})
        row = connection.execute(
            "SELECT p.risk_type, theirs.run_id, theirs.edition, theirs.baseline, mine.edition, mine.baseline "
            f"FROM (SELECT DISTINCT risk_type, run_id FROM {table} WHERE risk_type = ANY(%s)) p "
            "JOIN result_runs theirs USING (run_id) JOIN result_runs mine ON mine.run_id = %s "
            "WHERE theirs.baseline <> mine.baseline "
            "OR coalesce(theirs.edition_checksums ->> p.risk_type <> mine.edition_checksums ->> p.risk_type, "
            "theirs.edition_checksum <> mine.edition_checksum) ORDER BY 1, 2 LIMIT 1",
            (risks, run_id),
        ).fetchone()
        if row is not None:
            raise SettingsError(result_tables.mixture(*row))


def _upsert_table(
    connection: psycopg.Connection,
    run: RunDirectory,
    table: ResultTable,
    risks: Sequence[str],
    styles: Mapping[str, BinStyle],
    *,
    ranked: bool,
) -> int:
    target, incoming = sql.Identifier(table.name), sql.Identifier(f"incoming_{table.name}")
    connection.execute(
        sql.SQL("CREATE TEMP TABLE {} (LIKE {} INCLUDING DEFAULTS) ON COMMIT DROP").format(incoming, target)
    )
    frames = (frame for risk in risks for frame in result_tables.read_rows(run, table, risk, styles, ranked=ranked))
    rows = _copy(connection, f"incoming_{table.name}", table, frames, freeze=False)
    connection.execute(sql.SQL("ANALYZE {}").format(incoming))
    if table is YEAR_LOSSES:
        _delete_replaced(connection, run, _years_of(run, {table.name: risks}, styles), risks)
    else:
        for cells in run.blocks:
            _delete_vanished(connection, table, risks, cells)
    columns = [*table.columns, table.stamp]
    key = table.keys[0]
    connection.execute(
        sql.SQL(
            "INSERT INTO {target} ({names}) SELECT {names} FROM {incoming} ON CONFLICT ({key}) DO UPDATE SET {new}"
        ).format(
            target=target,
            names=sql.SQL(", ").join(map(sql.Identifier, columns)),
            incoming=incoming,
            key=sql.SQL(", ").join(map(sql.Identifier, key)),
            new=sql.SQL(", ").join(
                sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in columns if name not in key
            ),
        )
    )
    return rows


def _delete_replaced(
    connection: psycopg.Connection, run: RunDirectory, mine: pl.DataFrame, risks: Sequence[str]
) -> None:
    """A cell may have year losses of several runs; those go of which the new run has every scenario and period."""
    published = sample_years.published(connection, risks)
    for risk in risks:
        runs = sample_years.replaced(published, mine, risk)
        for cells in run.blocks:
            connection.execute(
                "DELETE FROM modelops_year_losses"
                " WHERE risk_type = %s AND run_id = ANY(%s) AND grid_id >= %s AND grid_id < %s",
                (risk, runs, *cells),
            )


def _years_of(run: RunDirectory, parts: Parts, styles: Mapping[str, BinStyle]) -> pl.DataFrame:
    return sample_years.of_run(run.run_id, styles, parts.get(YEAR_LOSSES.name, ()))


def _copy(
    connection: psycopg.Connection, name: str, table: ResultTable, frames: Iterable[pl.DataFrame], *, freeze: bool
) -> int:
    if table is YEAR_LOSSES:
        return year_loss_rows.copy(connection, name, frames, freeze=freeze)
    return copy_rows(connection, name, table.columns, frames, freeze=freeze)


def _delete_vanished(connection: psycopg.Connection, table: ResultTable, risks: Sequence[str], cells: Cells) -> None:
    """A cell of the run that no longer has a score must not keep an old one."""
    key = table.keys[-1]  # by grid_id, so an index serves
    computed = sql.SQL("AND (t.scenario_id, t.time_period) IN (SELECT scenario_id, time_period FROM {})").format(
        sql.Identifier(f"incoming_{table.name}")
    )
    connection.execute(
        sql.SQL(
            "DELETE FROM {target} t WHERE t.risk_type = ANY(%s) AND t.grid_id >= %s AND t.grid_id < %s {computed} "
            "AND NOT EXISTS (SELECT FROM {incoming} i WHERE {same})"
        ).format(
            target=sql.Identifier(table.name),
            computed=computed if table.detail else sql.SQL(""),
            incoming=sql.Identifier(f"incoming_{table.name}"),
            same=sql.SQL(" AND ").join(sql.SQL("i.{0} = t.{0}").format(sql.Identifier(name)) for name in key),
        ),
        (list(risks), *cells),
    )
