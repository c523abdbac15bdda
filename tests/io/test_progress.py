"""What an operator sees of a batch: its row from the first moment to the last, whatever happens in between."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from engine.core.errors import BusyError, SinkError, SourceError
from engine.core.settings import Settings
from engine.io import open_sink
from engine.io.db import postgres, transient
from engine.io.results import batch_runs, progress
from engine.io.results.sink import LOCKS
from jobs import _look, status
from tests.io import frames
from tests.io.test_load import publish, query
from tests.roles import as_role, grant

#: a run that begins, tells of half its cells, and is killed or waits to be
RUN = """
import sys, time
from engine.io import open_sink
from engine.io.results import progress
from tests.io import frames
from dataclasses import replace
progress.EVERY = 0.02
url, runs = sys.argv[1:]
sink = open_sink(url)
with sink.guard("yearly"):
    sink.begin(replace(frames.RECORD, command="python -m jobs.yearly --risks 'a b'"), runs)
    sink.tell(progress.computing((1, 2), (30, 60), 12.5))
    time.sleep(0.5)
    print("told", flush=True)
    time.sleep(60)
"""
JOBS = "SELECT status, progress, current_step, completed_items, total_items, error_message, results FROM batch_jobs"


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(progress, "EVERY", 0.005)


def told(capsys, url):
    assert status.main(["--sink", url]) == 0
    printed = capsys.readouterr().out
    assert status.main(["--sink", url, "--json"]) == 0
    return printed, json.loads(capsys.readouterr().out)["sink"]["batches"]


def stopped_by(err, url, runs, **record):
    """A run that begins and then fails, or is interrupted."""
    with closing(open_sink(url)) as sink, sink.guard("yearly"):
        sink.begin(replace(frames.RECORD, **record), runs)
        raise err


@pytest.fixture
def dead(results, tmp_path):
    """A database with the rows that a killed run leaves."""
    with pytest.raises(SinkError):
        stopped_by(SinkError(""), results, tmp_path / "runs", command="python -m jobs.yearly --risks 'a b'")
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute(
            "UPDATE batch_jobs SET status = 'running', progress = 41, completed_items = 30, items_per_second = 12.5,"
            " current_step = 'Reading and computing: 1 of 2 blocks done', results = NULL, error_message = NULL"
        )
        connection.execute("UPDATE batch_job_logs SET status = 'running', completed_at = NULL")
    return results


@pytest.fixture
def killed(results, tmp_path):
    """A database of which a run was killed half way."""
    child = subprocess.Popen([sys.executable, "-c", RUN, results, str(tmp_path / "runs")], stdout=subprocess.PIPE)
    with child:
        assert child.stdout.readline() == b"told\n"
        child.send_signal(signal.SIGKILL)
    return results


def test_percent_rises_through_the_stages_and_only_the_end_is_100():
    moments = [
        progress.preparing("compiling", 0, 60),
        *[progress.computing((done // 20, 3), (done, 60), 5.0) for done in (0, 20, 40, 60)],
        *[progress.loading((done, 4), 60) for done in range(5)],
    ]
    percents = [moment.percent for moment in moments]
    assert percents == sorted(percents)
    assert (percents[0], percents[-1]) == (1, 99)
    assert moments[2].step == "Reading and computing: 1 of 3 blocks done"
    assert moments[-2].step == "Loading tables: 3 of 4 parts done"
    assert moments[-1].step == "Switching the new tables in"
    # a resumed run says what it has while it compiles
    assert progress.preparing("compiling", 30, 60).percent == progress.computing((1, 2), (30, 60), None).percent


def test_a_run_is_followed_from_its_start_to_its_end(results, tmp_path):
    with psycopg.connect(results) as connection:
        connection.execute(
            """CREATE TABLE seen (n serial, status text, percent int, step text, done int, log int);
               CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO seen (status, percent, step, done, log) SELECT NEW.status, NEW.progress, NEW.current_step,
                   NEW.completed_items, (SELECT count(*) FROM batch_job_logs WHERE batch_id = NEW.batch_id);
                 RETURN NEW; END $$;
               CREATE TRIGGER see AFTER INSERT OR UPDATE ON batch_jobs FOR EACH ROW EXECUTE FUNCTION see()"""
        )
    with closing(open_sink(results)) as sink, sink.guard("yearly"):
        run_id = sink.begin(replace(frames.RECORD, command="python -m jobs.yearly"), tmp_path)
        [(logged, running)] = query(results, "SELECT batch_id, status FROM batch_job_logs")
        assert query(results, "SELECT batch_id, status, run_id FROM batch_jobs") == [(logged, "running", run_id)]
        assert running == "running"
        sink.tell(progress.computing((1, 2), (30, 60), 12.5))
        deadline = time.monotonic() + 10
        while query(results, "SELECT processed_grids FROM batch_job_logs") != [(30,)]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert query(results, "SELECT completed_items, items_per_second FROM batch_jobs") == [(30, 12.5)]
        run = frames.spooled(tmp_path, run_id)
        sink.publish(run, frames.YEARLY, frames.STYLES, whole_grid=True, replaces=True, summary={})
        sink.finish("partial", processed=59, failed=1, error="drought: missing spei12_data")
    [(state, percent, step, done, of, error, outcome)] = query(results, JOBS)
    assert (state, percent, done, of, error) == ("completed", 100, 59, 60, None)
    assert step == "Finished in part: drought: missing spei12_data"
    assert outcome == {"run_id": run_id, "status": "partial"}
    seen = query(results, "SELECT status, percent, step FROM seen ORDER BY n")
    percents = [percent for _, percent, _ in seen]
    assert percents == sorted(percents)
    steps = [step for _, _, step in seen]
    assert steps[0] == progress.FIRST_STEP
    assert any(re.match(r"Loading tables: \d of 10 parts done", step) for step in steps)


def test_a_run_beats_while_it_has_nothing_new_to_tell(results, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "BEAT", 0.05)
    with closing(open_sink(results)) as sink, sink.guard("yearly"):
        sink.begin(frames.RECORD, tmp_path)
        first, deadline = query(results, "SELECT updated_at FROM batch_jobs"), time.monotonic() + 10
        while query(results, "SELECT updated_at FROM batch_jobs") == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        sink.finish("completed", processed=60)


def test_progress_that_cannot_be_written_is_said_once_and_the_run_goes_on(results, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(progress, "_PAUSE", 0.01)
    monkeypatch.setattr(progress, "_write", lambda *_: (_ for _ in ()).throw(psycopg.OperationalError("gone")))
    with closing(open_sink(results)) as sink, sink.guard("yearly"):
        run_id = sink.begin(frames.RECORD, tmp_path)
        for done in (20, 40, 60):
            sink.tell(progress.computing((done // 20, 3), (done, 60), None))
            time.sleep(0.1)
        run = frames.spooled(tmp_path, run_id)
        sink.publish(run, frames.YEARLY, frames.STYLES, whole_grid=True, replaces=True, summary={})
        sink.finish("completed", processed=60)
    assert [text for text in caplog.messages if "progress" in text] == [
        "the progress of the run is not recorded, the run goes on: gone"
    ]
    assert query(results, "SELECT status, current_step FROM batch_jobs") == [("completed", "Finished")]


def test_a_role_that_may_not_write_jobs_publishes_all_the_same(results, tmp_path, caplog):
    grant(results, "results")
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute("REVOKE INSERT, UPDATE ON batch_jobs FROM climate_batch")
    publish(as_role(results, "climate_batch"), tmp_path)
    assert "the run has no row in batch_jobs" in caplog.text
    assert query(results, "SELECT batch_id, status FROM batch_job_logs") == [(None, "completed")]


@pytest.mark.parametrize(("err", "state"), [(KeyboardInterrupt(), "cancelled"), (SinkError("no space"), "failed")])
def test_a_run_that_is_stopped_says_where_and_how_to_go_on(results, tmp_path, capsys, monkeypatch, err, state):
    monkeypatch.setattr(_look, "python", lambda: ".venv/bin/python")
    with pytest.raises(type(err)):
        stopped_by(err, results, tmp_path / "runs", command="python -m jobs.yearly --edition mine.toml")
    [(found, percent, step, *_, error, outcome)] = query(results, JOBS)
    assert (found, percent, outcome["run_id"]) == (state, 0, 1)
    assert step.endswith(f"at: {progress.FIRST_STEP}")
    assert error == ("interrupted; continue with --resume 1" if state == "cancelled" else "no space")
    printed, batches = told(capsys, results)
    assert batches["unfinished"][0]["resume"] == "python -m jobs.yearly --edition mine.toml --resume 1"
    assert "continue with: .venv/bin/python -m jobs.yearly --edition mine.toml --resume 1" in printed
    # going on is another session of the run: a row of its own that names it
    with closing(open_sink(results)) as sink, sink.guard("yearly"):
        sink.reopen(1, frames.RECORD)
        _, batches = told(capsys, results)
        assert [(row["state"], row["run_id"]) for row in batches["going"]] == [("running", 1)]
        assert batches["unfinished"] == []
        sink.finish("completed", processed=60)
    assert query(results, "SELECT run_id, status FROM batch_jobs ORDER BY created_at") == [(1, state), (1, "completed")]


def test_a_killed_run_is_seen_as_lost_at_once_and_marked_by_the_next(killed, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_look, "python", lambda: "python")
    printed, batches = told(capsys, killed)
    [lost] = batches["going"]
    assert (lost["state"], lost["percent"], lost["cells_done"], lost["cells_per_second"]) == ("lost", 41, 30, 12.5)
    line = "python -m jobs.yearly --risks 'a b' --resume 1"
    assert lost["resume"] == line
    assert f"its process is gone; continue with: {line}" in printed
    with closing(open_sink(killed)) as sink, sink.guard("hazard"):  # it writes tables of the other
        [(state, _, step, *_, error, _)] = query(killed, JOBS)
        assert (state, error) == ("failed", "Worker lost; continue with --resume 1")
        assert step == "Lost at: Reading and computing: 1 of 2 blocks done"
        assert query(killed, "SELECT status FROM batch_job_logs") == [("failed",)]
    assert told(capsys, killed)[1]["unfinished"][0]["resume"] == line
    publish(killed, tmp_path / "runs")  # a later run has replaced it
    assert told(capsys, killed)[1]["unfinished"] == []


def test_a_run_killed_after_its_switch_is_published_not_failed(dead):
    query(dead, 'UPDATE result_runs SET published_at = now(), summary = \'{"status": "partial"}\' RETURNING 1')
    with postgres.connect(dead) as connection:
        [lost] = batch_runs.lose_of_logs(connection, ["yearly"])
    assert "was published" in str(lost)
    assert [(row[0], row[1], row[6]["status"]) for row in query(dead, JOBS)] == [("completed", 100, "partial")]
    assert query(dead, "SELECT status FROM batch_job_logs") == [("partial",)]


def test_silence_alone_loses_no_run_whose_session_lives(dead):
    old = "UPDATE batch_jobs SET updated_at = now() - interval '4 minutes' RETURNING 1"
    with postgres.connect(dead) as connection, psycopg.connect(dead, autocommit=True) as other:
        assert batch_runs.lose_silent(connection) == []  # it spoke a moment ago
        query(dead, old)
        for name in LOCKS["yearly"]:
            other.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (postgres.LOCK_SPACE, f"job {name}"))
        assert batch_runs.lose_silent(connection) == []
        other.execute("SELECT pg_advisory_unlock_all()")
        assert [each.run_id for each in batch_runs.lose_silent(connection)] == [1]


def test_status_is_shown_to_a_reader_and_of_an_older_schema(dead, capsys):
    grant(dead, "results")
    reader = as_role(dead, "climate_reader")
    _, batches = told(capsys, reader)
    assert (batches["going"][0]["state"], batches["going"][0]["percent"]) == ("lost", 41)
    # how it was started holds options that are not everybody's
    assert batches["going"][0]["resume"] == "python -m jobs.yearly --resume 1"
    [(job,)] = query(dead, "SELECT batch_id::text FROM batch_jobs")
    assert status.main([job, "--sink", reader]) == 0
    assert "current_step: Reading and computing" in capsys.readouterr().out
    with psycopg.connect(dead, autocommit=True) as connection:
        for name in ("run_id", "items_per_second", "attempts", "not_before"):
            connection.execute(f"ALTER TABLE batch_jobs DROP COLUMN {name}")
        connection.execute("UPDATE batch_job_logs SET batch_id = NULL")
        connection.execute("DELETE FROM batch_jobs")
    _, batches = told(capsys, reader)
    assert [(row["state"], row["run_id"], row["percent"]) for row in batches["going"]] == [("lost", 1, None)]


def test_the_row_of_a_trigger_is_the_runs_and_a_failure_leaves_it_to_the_listener(results, tmp_path):
    [(job,)] = query(
        results,
        "INSERT INTO batch_jobs (job_type, status, attempts) VALUES ('yearly', 'running', 1) RETURNING batch_id",
    )
    fault = SinkError("failed while loading")
    fault.__cause__ = errors.AdminShutdown()
    with pytest.raises(SinkError):
        stopped_by(fault, results, tmp_path, batch_id=job)
    [(state, *_, error, outcome)] = query(results, JOBS)
    assert (state, error, outcome) == ("running", "failed while loading", {"run_id": 1, "transient": True})
    assert query(results, "SELECT batch_id, status FROM batch_job_logs") == [(job, "failed")]


def real_faults(url):
    """Exceptions as a real server and its library raise them: that pass, and that do not."""
    with psycopg.connect(url) as mine, psycopg.connect(url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", (mine.info.backend_pid,))
        with pytest.raises(SinkError) as ended, postgres.failures("storing", SinkError):
            mine.execute("SELECT 1")
        with pytest.raises(SinkError) as closed, postgres.failures("storing", SinkError):
            mine.execute("SELECT 1")
        with pytest.raises(SinkError) as unknown, postgres.failures("storing", SinkError):
            other.execute("SELECT * FROM nowhere")
    with pytest.raises(SourceError) as away:
        postgres.connect("postgresql://u:secret@127.0.0.1:1/d")
    with pytest.raises(SourceError) as no_base:
        postgres.connect(url.replace("/test_", "/no_test_"))
    return (ended, closed, away), (unknown, no_base)


def test_what_passes_by_itself_is_known_by_its_cause(results):
    passing, lasting = real_faults(results)
    assert [transient.is_transient(each.value) for each in passing] == [True] * 3
    assert [transient.is_transient(each.value) for each in lasting] == [False] * 2
    for kind in (
        errors.SerializationFailure,
        errors.DeadlockDetected,
        errors.TooManyConnections,
    ):
        assert transient.is_transient(kind())
    for kind in (errors.DiskFull, errors.QueryCanceled, errors.InvalidPassword):
        assert not transient.is_transient(kind())
    assert not transient.is_transient(BusyError("another run is going: connection refused"))
    assert transient.sounds_transient("failed: cannot connect to u@h/d: FATAL:  the database system is starting up")
