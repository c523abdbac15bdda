"""The jobs behind PgBouncer in transaction mode, with the four server connections that case reports name."""

import threading
import time
from contextlib import closing, contextmanager

import httpx
import psycopg
import pytest
import uvicorn

from engine.core import settings
from engine.core.settings import Settings
from engine.io.db import postgres
from engine.service.app import make_app
from engine.service.worker import Worker
from jobs import assess, check, clean, etl, listen, schema, snapshot, status, trigger, yearly
from tests.assess.databases import LATITUDE, LONGITUDE, fill_results, fill_warehouse
from tests.poolers import PROGRAM, bouncer

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs pgbouncer (apt-get install pgbouncer)")
PLACE = {"latitude": LATITUDE, "longitude": LONGITUDE}


@pytest.fixture(scope="module")
def through(server):
    with bouncer(server.url("postgres"), pool_mode="transaction", default_pool_size=4) as made:
        yield made


@pytest.fixture(autouse=True)
def configured(warehouse, results, through, monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DW_URL", through(warehouse))
    monkeypatch.setenv("APP_URL", through(results))
    return warehouse, results


def contents(url):
    """Tables with their rows."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone() for (name,) in sorted(names)}


@pytest.mark.parametrize(
    ("main", "arguments", "says"),
    [
        (yearly.main, [], r"DW_\*"),
        (yearly.main, ["--dry-run"], r"DW_\*"),
        (snapshot.main, ["--out", "store"], r"DW_\*"),
        (check.main, [], r"DW_\*"),
        (etl.main, ["all", "--data", "."], r"DW_\*"),
        (schema.main, [], r"DW_\*"),
        (listen.main, [], "NOTIFY_DSN"),
    ],
)
def test_what_needs_a_session_is_refused_before_anything_is_written(
    configured, caplog, tmp_path, main, arguments, says
):
    before = [contents(url) for url in configured]
    assert main(arguments) == 2
    sentence = caplog.messages[-1]
    assert "connection pooler in transaction mode" in sentence
    assert "session mode" in sentence
    assert says.replace("\\", "") in sentence
    assert [contents(url) for url in configured] == before
    assert not (tmp_path / "store").exists()


def test_results_behind_such_a_pool_are_refused_by_their_own_setting(configured, through, caplog, monkeypatch):
    warehouse, results = configured
    fill_warehouse(warehouse)
    monkeypatch.setenv("DW_URL", warehouse)
    before = contents(results)
    assert yearly.main([]) == 2
    assert "the locks of a run needs a session: let APP_* (or --sink)" in caplog.messages[-1]
    assert schema.main(["--application", through(results), "--roles"]) == 2
    assert "APP_* (or --application)" in caplog.messages[-1]
    assert contents(results) == before


@contextmanager
def serving():
    """A client of the service, whose worker is a thread."""
    config = settings.load()
    ends = (config.warehouse_url, config.application_url, config.application_url)
    worker = Worker(config, *ends[:2])
    thread = threading.Thread(target=worker.run)
    thread.start()
    app = make_app(config, lambda *_: ends, ("sleep", "60"))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    other = threading.Thread(target=server.run)
    other.start()
    try:
        until = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < until, "the service does not start"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        worker.stop()
        other.join(30)
        thread.join(30)


def test_assessments_reads_and_triggers_work_and_leave_nothing_to_others(configured, through, capsys, monkeypatch):
    warehouse, results = configured
    fill_warehouse(warehouse)
    fill_results(results)
    monkeypatch.setenv("SPATIAL_MISSING_POLICY", "impute")
    assert assess.main(["--lat", str(LATITUDE), "--lon", str(LONGITUDE)]) == 0
    with serving() as client:
        answers = [client.post("/api/v1/risk-assessment/calculate", json=PLACE) for _ in range(40)]
        assert {answer.status_code for answer in answers} == {202}
        ids = {answer.json()["request_id"] for answer in answers}
        until = time.monotonic() + 30
        while states(results, ids) != {"completed": 40}:
            assert time.monotonic() < until, states(results, ids)
            time.sleep(0.05)
        assert client.get(f"/api/v1/risk-assessment/results/{LATITUDE}/{LONGITUDE}").status_code == 200
        assert client.get("/health/db").status_code == 200
    with closing(postgres.connect(through(results))) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    assert status.main([]) == 0
    assert "41 completed" in capsys.readouterr().out
    assert clean.main([]) == 0
    assert trigger.main(["hazard"]) == 0
    with closing(postgres.connect(results)) as connection:
        [(session,)] = connection.execute(
            "SELECT input_params->'notified_by' FROM batch_jobs WHERE job_type = 'hazard'"
        ).fetchall()
        alive = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
        held = connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
    assert (session,) in alive, "the row names another session than the one that notified"
    assert held == (0,)


def states(url, ids):
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "SELECT status, count(*) FROM batch_jobs WHERE batch_id = ANY(%s::uuid[]) GROUP BY status", (list(ids),)
            ).fetchall()
        )
