"""The switch on a real server: readers, crashes, failures."""

import itertools
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import polars as pl
import psycopg
import pytest

from engine.core.errors import SinkError
from engine.io import open_sink
from engine.io.results import load
from engine.io.results.result_tables import TABLES as DECLARED
from engine.io.results.sink import WRITES
from tests.io import frames

TABLES = WRITES["yearly"]


def publish(url, runs, seed=0, part=False, parts=frames.YEARLY, **record):
    """A whole life of a run; returns its number and the rows loaded."""
    made = replace(frames.RECORD, **record)
    with closing(open_sink(url)) as sink, sink.guard(made.job_type):
        run_id = sink.begin(made, runs)
        run = (frames.spooled_part if part else frames.spooled)(runs, run_id, seed)
        rows = sink.publish(run, parts, frames.STYLES, whole_grid=not part, replaces=not part, summary={"seed": seed})
        sink.finish("completed", processed=60)
    return run_id, rows


def query(url, text, *values):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(text, values).fetchall()


def contents(url, table):
    """Every row as text, apart from what two runs of one input may differ in."""
    varying = {"run_id", "hazard_id", "calculated_at", "computed_at"}
    columns = [
        name
        for (name,) in query(
            url, "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", table
        )
        if name not in varying
    ]
    return query(url, f"SELECT {', '.join(f'{name}::text' for name in columns)} FROM {table} ORDER BY 1, 2, 3, 4")


def tables_beside(url):
    return query(url, r"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_(r\d+|old)$'")


def test_a_run_is_published_whole_with_its_summary_and_date(results, tmp_path):
    run_id, rows = publish(results, tmp_path)
    assert rows["probability_results"] == 120
    assert rows["modelops_probability_scores"] == 1440
    for table in TABLES:
        assert query(results, f"SELECT count(*) FROM {table}") == [(rows[table],)]
    assert query(results, "SELECT DISTINCT run_id FROM probability_results") == [(run_id,)]
    assert query(results, "SELECT summary, published_at IS NOT NULL FROM result_runs") == [({"seed": 0}, True)]
    assert tables_beside(results) == []


def test_indexes_have_names_that_no_two_partitions_share(results, tmp_path):
    # two connections would choose the same one from what the server leaves of "modelops_probability_scores_extreme_..."
    publish(results, tmp_path)
    names = query(
        results,
        "SELECT indexrelid::regclass::text, indrelid::regclass::text, indrelid FROM pg_index"
        " WHERE indrelid::regclass::text ~ '_(drought|extreme_heat)$' AND NOT indisprimary",
    )
    assert len(names) >= 8
    assert all(index.startswith(f"{table}_{number}_") for index, table, number in names)


@pytest.mark.parametrize("table", ["probability_results", "modelops_hazard_scores"])
def test_the_partition_indexes_are_the_parents_and_statistics_are_there(results, tmp_path, table):
    publish(results, tmp_path)
    rows = query(results, f"SELECT count(*)::int FROM {table}_drought")
    assert rows > [(0,)]
    attached = query(
        results,
        "SELECT count(*) FROM pg_inherits i JOIN pg_index x ON x.indexrelid = i.inhrelid "
        f"WHERE x.indrelid = '{table}_drought'::regclass",
    )
    indexes = query(results, f"SELECT count(*) FROM pg_index WHERE indrelid = '{table}_drought'::regclass")
    assert attached == indexes == [(2,)]
    assert query(results, f"SELECT reltuples::int FROM pg_class WHERE relname = '{table}_drought'") == rows
    # without a constraint that implies the partition's bound the switch would read every row, with the readers waiting
    checks = query(
        results,
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'is_drought' AND conrelid = %s::regclass",
        f"{table}_drought",
    )
    assert checks == [("CHECK (((risk_type)::text = 'drought'::text))",)]


def test_two_runs_of_one_input_differ_in_run_and_time_only(new_database, tmp_path):
    first, second = new_database("results"), new_database("results")
    publish(first, tmp_path / "a")
    publish(second, tmp_path / "b")
    publish(second, tmp_path / "b")
    for table in TABLES:
        assert contents(first, table) == contents(second, table)


def test_readers_see_one_run_and_never_an_error(results, tmp_path):
    publish(results, tmp_path)
    stop, seen, failures = threading.Event(), set(), []

    def hammer(order):
        try:
            with psycopg.connect(results) as connection:
                while not stop.is_set():
                    with connection.transaction():  # two tables in a transaction, in either order
                        found = [
                            connection.execute(f"SELECT DISTINCT run_id FROM {table}").fetchall() for table in order
                        ]
                    assert found[0] == found[1], found
                    seen.add(tuple(found[0]))
        except (psycopg.Error, AssertionError) as err:
            failures.append(err)

    orders = [["probability_results", "hazard_results"], ["hazard_results", "probability_results"]] * 2
    readers = [threading.Thread(target=hammer, args=(order,)) for order in orders]
    for reader in readers:
        reader.start()
    published = [publish(results, tmp_path, seed)[0] for seed in (1, 2, 3)]
    time.sleep(0.05)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert seen <= {((run_id,),) for run_id in (published[0] - 1, *published)}
    assert ((published[-1],),) in seen


def waits_for(url, table):
    return query(
        url,
        "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        " AND relation = %s::regclass",
        table,
    )[0][0]


def test_the_switch_queues_behind_a_reader_and_then_has_all_the_time_it_needs(results, tmp_path, monkeypatch):
    # under readers that follow one another without a pause, tables are never all free at one instant
    monkeypatch.setattr(load, "SWITCH_TRIES", 1)
    monkeypatch.setattr(load, "SPINS", 0)
    swap, limits = load._swap, set()

    def timed(connection, *what):
        limits.update(connection.execute("SHOW statement_timeout").fetchone())
        swap(connection, *what)

    monkeypatch.setattr(load, "_swap", timed)
    with psycopg.connect(results) as reader, ThreadPoolExecutor(1) as pool:
        reader.execute("SELECT count(*) FROM hazard_results")
        publishing = pool.submit(publish, results, tmp_path)
        while not (publishing.done() or waits_for(results, "hazard_results")):
            time.sleep(0.01)
        reader.rollback()
        run_id, _ = publishing.result()
    assert query(results, "SELECT DISTINCT run_id FROM hazard_results") == [(run_id,)]
    assert limits == {"0"}


def test_a_partition_that_fails_stops_the_others(results, tmp_path, monkeypatch):
    ended = []

    def build(connection, table, risk, run_id, rows):
        if risk == "drought":
            raise SinkError("the disk is full")
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline:
                next(rows)
        except SinkError as err:
            ended.append(str(err))
            raise
        return 0

    monkeypatch.setattr(load, "build_partition", build)
    monkeypatch.setattr(load.result_tables, "read_rows", lambda *_, **__: itertools.repeat(pl.DataFrame()))
    with pytest.raises(SinkError, match="the disk is full"):
        publish(results, tmp_path)
    assert set(ended) == {"stopped, another partition failed"}


@pytest.mark.parametrize("table", ["hazard_results", "probability_results"])  # the first to be locked, and another
def test_a_reader_that_does_not_let_go_makes_the_switch_give_up_in_words(results, tmp_path, monkeypatch, table):
    publish(results, tmp_path)
    before = {table: contents(results, table) for table in TABLES}
    monkeypatch.setattr(load, "SWITCH_TRIES", 1)
    monkeypatch.setattr(load, "SPINS", 3)
    if table == "hazard_results":
        monkeypatch.setattr(load, "FIRST_LOCK_TIMEOUT", "100ms")
    with psycopg.connect(results) as reader:
        reader.execute(f"SELECT count(*) FROM {table}")
        with pytest.raises(SinkError, match=r"readers held the result tables through 1 tries .* --resume 2"):
            publish(results, tmp_path, seed=1)
    assert {table: contents(results, table) for table in TABLES} == before
    assert tables_beside(results) == []
    assert query(results, "SELECT status FROM batch_job_logs ORDER BY id") == [("completed",), ("failed",)]


def test_a_failed_load_leaves_what_was_published(results, tmp_path, monkeypatch):
    publish(results, tmp_path)
    before = {table: contents(results, table) for table in TABLES}
    build = load.build_partition

    def failing(connection, table, risk, run_id, rows):
        duplicates = (pl.concat([frame, frame]) for frame in rows) if table.name == "hazard_results" else rows
        return build(connection, table, risk, run_id, duplicates)

    monkeypatch.setattr(load, "build_partition", failing)
    with pytest.raises(SinkError, match=r"failed while loading .* into hazard_results: could not create unique index"):
        publish(results, tmp_path, seed=1)
    assert {table: contents(results, table) for table in TABLES} == before
    assert tables_beside(results) == []


KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from engine.io.results import load
    from tests.io.test_load import publish
    load.switch = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    publish(sys.argv[1], Path(sys.argv[2]), seed=1)
""")


def test_a_process_killed_before_the_switch_leaves_last_years_results_and_the_next_run_cleans_up(results, tmp_path):
    publish(results, tmp_path)
    before = {table: contents(results, table) for table in TABLES}
    killed = subprocess.run([sys.executable, "-c", KILLED, results, str(tmp_path)], cwd=Path.cwd(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(tables_beside(results)) == 2 * len(TABLES)
    assert {table: contents(results, table) for table in TABLES} == before
    run_id, _ = publish(results, tmp_path, seed=2)
    assert tables_beside(results) == []
    assert query(results, "SELECT DISTINCT run_id FROM hazard_results") == [(run_id,)]
    assert query(results, "SELECT status, error_message FROM batch_job_logs ORDER BY id") == [
        ("completed", None),
        ("failed", "the process was killed"),
        ("completed", None),
    ]


def test_part_of_a_grid_joins_the_published_rows_and_leaves_the_rest(results, tmp_path):
    publish(results, tmp_path)
    before = {table: contents(results, table) for table in TABLES}
    run_id, _ = publish(results, tmp_path, seed=9, part=True)
    lo, hi = 1, 20
    run = frames.block(frames.CELLS[0][:10], 9)
    for table in TABLES:
        expected = run[DECLARED[table].spooled].filter(DECLARED[table].pairs).height
        inside = f"SELECT count(*) FROM {table} WHERE grid_id >= {lo} AND grid_id < {hi}"
        assert query(results, inside) == [(expected,)]  # a cell that lost its score has no old row
        changed = set(contents(results, table)) ^ set(before[table])
        at = 0 if "modelops" in table else 3  # grid_id
        assert changed
        assert {int(row[at]) for row in changed} <= set(range(lo, hi))
        stamp = DECLARED[table].stamp
        newer = f"SELECT min({stamp}) FILTER (WHERE grid_id < {hi}) > max({stamp}) FILTER (WHERE grid_id >= {hi})"
        assert query(results, f"{newer} FROM {table}") == [(True,)]
    own = query(results, "SELECT DISTINCT run_id FROM probability_results WHERE grid_id < 20")
    assert own == [(run_id,)]
    ranked = query(results, "SELECT count(percentile) FROM modelops_hazard_scores WHERE grid_id < 20")
    assert ranked == [(0,)]


def test_a_risk_that_was_not_computed_keeps_last_years_rows(results, tmp_path):
    first, _ = publish(results, tmp_path)
    with closing(open_sink(results)) as sink, sink.guard("yearly"):
        run_id = sink.begin(frames.RECORD, tmp_path)
        run = frames.spooled(tmp_path, run_id, 1)
        parts = {table: ["drought"] for table in TABLES}
        sink.publish(run, parts, frames.STYLES, whole_grid=True, replaces=True, summary={})
        sink.finish("partial", processed=60, error="extreme_heat not computed: missing wsdi_data")
    kept = query(results, "SELECT DISTINCT risk_type, run_id FROM hazard_results ORDER BY 1")
    assert kept == [("drought", run_id), ("extreme_heat", first)]


def test_an_unknown_risk_is_refused_before_anything_is_built(results, tmp_path):
    run = frames.spooled(tmp_path, 1)
    parts = {"hazard_results": ["volcano"]}
    with closing(open_sink(results)) as sink, pytest.raises(SinkError, match="no partition hazard_results_volcano"):
        sink.publish(run, parts, {}, whole_grid=True, replaces=True, summary={})
