"""Webhooks against real receivers on loopback and a real database: signed, in order, until they are taken, once."""

import hashlib
import hmac
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from engine.core.errors import SettingsError, SinkError
from engine.core.settings import Settings, load
from engine.io.queue import batch_jobs, webhook_outbox
from engine.io.results.sink import RunRecord
from engine.io.results.sink_postgres import PostgresSink
from engine.service import webhooks
from jobs import _run, clean
from jobs.config import main as show_config
from tests.roles import as_role, grant

SECRET = "a secret of the operator"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(webhook_outbox, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(webhooks, "TICK", 0.02)


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent. answers : statuses of the first requests, then 204; slow : seconds before each answer"""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answers=(), slow=0.0, location=None):
        self.answers, self.slow, self.location = list(answers), slow, location
        self.got = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/hooks/T0KEN"

    @property
    def taken(self):
        return [json.loads(body) for status, _, body in self.got if status == 204]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.answers.pop(0) if self.server.answers else 204
        self.server.got.append((status, dict(self.headers), body))
        time.sleep(self.server.slow)
        self.send_response(status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def receiving(**kinds):
    server = Receiver(**kinds)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def config(*urls, **others):
    return Settings(
        _env_file=None, webhook_urls=",".join(urls), webhook_secret=SECRET, webhook_allow_http=True, **others
    )


def register(database, *urls):
    with psycopg.connect(database, autocommit=True) as connection:
        webhook_outbox.register(connection, urls)


def end_jobs(database, count=1):
    """Queue jobs and cancel them; their ids in order."""
    with psycopg.connect(database, autocommit=True) as connection:
        ids = [batch_jobs.create(connection, "yearly", {"place": "a secret place"}) for _ in range(count)]
        for batch_id in ids:
            assert batch_jobs.cancel(connection, batch_id, "not wanted")
    return [str(batch_id) for batch_id in ids]


def send_until_empty(database, made):
    with webhooks.Deliverer(made) as deliverer, psycopg.connect(database, autocommit=True) as connection:
        until = time.monotonic() + 15
        while webhook_outbox.next_due(connection, made.webhook_targets) is not None:
            assert time.monotonic() < until, "the outbox does not become empty"
            if not deliverer.send_due(connection):
                time.sleep(0.01)


def ask(database, query):
    with psycopg.connect(database, autocommit=True) as connection:
        return connection.execute(query).fetchall()


def run_to_its_end(database):
    """A run as a batch makes it, published without a risk."""
    sink = PostgresSink(database)
    record = RunRecord(
        job_type="yearly",
        scope="full",
        edition="2025-11",
        edition_checksum="0" * 64,
        edition_checksums={},
        source_fingerprint="1" * 64,
        baseline="1991-2020",
        total_grids=1,
    )
    with sink.guard("yearly"):
        run_id = sink.begin(record, "/nowhere")
        with psycopg.connect(database) as connection:
            connection.execute(
                'UPDATE result_runs SET published_at = now(), summary = \'{"status": "partial"}\' WHERE run_id = %s',
                (run_id,),
            )
        sink.finish("completed", processed=1, failed=0)
    sink.close()
    return run_id


def test_an_event_is_signed_and_says_what_was_published_and_which_job_ended(results):
    with receiving() as receiver:
        made = config(receiver.url)
        with webhooks.announced(made, results):
            run_id = run_to_its_end(results)
            with psycopg.connect(results, autocommit=True) as connection:
                batch_id = batch_jobs.create(connection, "yearly", {"origin": "test"})
                batch_jobs.start(connection, batch_id)
                batch_jobs.complete(connection, batch_id, {"run_id": run_id}, completed=1, failed=0)
    bodies = {body["event"]: body for body in receiver.taken}
    for status, headers, body in receiver.got:
        told = json.loads(body)
        assert status == 204
        assert headers["X-Signature"] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert (headers["X-Event"], headers["X-Event-Id"]) == (told["event"], told["id"])
        assert abs(int(headers["X-Timestamp"]) - time.time()) < 60
        assert told["version"] == 1
        assert told["occurred_at"].endswith("Z")
    run = bodies["published"]["run"]
    assert (run["run_id"], run["job_type"], run["status"]) == (run_id, "yearly", "partial")
    assert (run["scope"], run["edition"], run["baseline"]) == ("full", "2025-11", "1991-2020")
    assert run["published_at"] == bodies["published"]["occurred_at"]
    ended = bodies["job_ended"]
    assert ended["run"]["run_id"] == run_id
    assert (ended["job"]["batch_id"], ended["job"]["status"]) == (str(batch_id), "completed")
    assert set(ended["job"]) == {
        "batch_id",
        "job_type",
        "status",
        "progress",
        "total_items",
        "completed_items",
        "failed_items",
        "error_message",
        "created_at",
        "started_at",
        "completed_at",
    }  # fmt: skip  (nothing of the request: it may say whose site it is about)


def test_a_batch_into_a_database_announces_and_one_into_a_directory_says_that_it_does_not(results, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with receiving() as receiver:
        with _run.webhooks_of(config(receiver.url), results):
            ended = end_jobs(results)
        assert [body["job"]["batch_id"] for body in receiver.taken] == ended
        with _run.webhooks_of(config(receiver.url), str(tmp_path)):
            pass
    assert caplog.messages[-1] == "no webhooks: results in a directory are not announced"
    with receiving() as receiver:
        batch = _run.webhooks_of(config(receiver.url), results)
        batch.__enter__()
        end_jobs(results)
        assert not batch.__exit__(SinkError, SinkError("no space left"), None)
    assert len(receiver.taken) == 1  # a batch that fails has ended, too


def test_an_event_of_a_transaction_that_did_not_happen_is_never_sent(results):
    register(results, "https://hooks.example")
    with psycopg.connect(results) as connection:
        batch_id = batch_jobs.create(connection, "yearly", {})
        batch_jobs.cancel(connection, batch_id)
        connection.rollback()
    assert ask(results, "SELECT count(*) FROM webhook_deliveries") == [(0,)]


def test_events_keep_their_order_and_their_bytes_through_failures(results):
    with receiving(answers=[500, 503, 429]) as receiver:
        register(results, receiver.url)
        ended = end_jobs(results, 4)
        send_until_empty(results, config(receiver.url))
    assert [body["job"]["batch_id"] for body in receiver.taken] == ended
    assert len({body for _, _, body in receiver.got[:4]}) == 1  # one event, one body, whichever try
    assert ask(results, "SELECT attempts, last_error FROM webhook_deliveries ORDER BY sequence") == [
        (4, None), (1, None), (1, None), (1, None),
    ]  # fmt: skip


def test_an_event_that_a_target_refuses_does_not_hold_up_the_others(results, monkeypatch):
    monkeypatch.setattr(webhook_outbox, "_FIRST_PAUSE", 0.3)
    with receiving(answers=[422]) as receiver:
        register(results, receiver.url)
        first, second, third = end_jobs(results, 3)
        send_until_empty(results, config(receiver.url))
    assert [body["job"]["batch_id"] for body in receiver.taken] == [second, third, first]


def test_an_event_that_breaks_its_receiver_steps_aside_after_some_tries(results):
    with receiving(answers=[500] * (webhook_outbox.STEP_ASIDE_AFTER + 1)) as receiver:
        register(results, receiver.url)
        first, second = end_jobs(results, 2)
        send_until_empty(results, config(receiver.url))
    assert [body["job"]["batch_id"] for body in receiver.taken] == [second, first]


def test_an_old_event_is_given_up_after_another_try(results, caplog):
    with receiving(answers=[500]) as receiver:
        register(results, receiver.url)
        end_jobs(results)
        with psycopg.connect(results) as connection:
            connection.execute("UPDATE webhook_deliveries SET created_at = now() - interval '4 days'")
        send_until_empty(results, config(receiver.url))
    assert ask(results, "SELECT given_up_at IS NOT NULL, last_error FROM webhook_deliveries") == [
        (True, "answered 500")
    ]
    assert "given up" in caplog.text


def test_two_deliverers_never_send_the_same_event(results):
    with receiving(slow=0.005) as receiver:
        made = config(receiver.url)
        register(results, receiver.url)
        ended = end_jobs(results, 30)
        threads = [threading.Thread(target=send_until_empty, args=(results, made)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert [body["job"]["batch_id"] for body in receiver.taken] == ended


DELIVER = """
import sys, psycopg
from engine.service import webhooks
from engine.core.settings import load
with webhooks.Deliverer(load()) as deliverer, psycopg.connect(sys.argv[1], autocommit=True) as connection:
    deliverer.send_due(connection)
"""


def test_a_deliverer_killed_after_sending_leaves_the_event_for_the_next_one_with_the_same_id(results, monkeypatch):
    with receiving(slow=1.0) as receiver:
        register(results, receiver.url)
        end_jobs(results)
        for name, value in {"URLS": receiver.url, "SECRET": SECRET, "ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(f"WEBHOOK_{name}", value)
        process = subprocess.Popen([sys.executable, "-c", DELIVER, results])
        until = time.monotonic() + 60
        while not receiver.got:
            assert time.monotonic() < until
            time.sleep(0.01)
        process.kill()
        process.wait()
        receiver.slow = 0.0
        send_until_empty(results, config(receiver.url))
    ids = [headers["X-Event-Id"] for _, headers, _ in receiver.got]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_the_pause_after_a_failure_begins_when_it_has_failed(results, monkeypatch):
    monkeypatch.setattr(webhook_outbox, "_FIRST_PAUSE", 60)
    with receiving(answers=[500], slow=0.5) as receiver, psycopg.connect(results, autocommit=True) as connection:
        register(results, receiver.url)
        end_jobs(results)
        with webhooks.Deliverer(config(receiver.url)) as deliverer:
            assert deliverer.send_due(connection)
            assert webhook_outbox.next_due(connection, [receiver.url]) > 59.8


def test_a_redirect_is_not_followed(results):
    with receiving() as other, receiving(answers=[307], location=other.url) as receiver:
        register(results, receiver.url)
        end_jobs(results)
        send_until_empty(results, config(receiver.url))
    assert (len(receiver.got), len(other.got)) == (2, 0)


def test_a_target_that_never_ends_its_answer_costs_its_patience_alone(results, monkeypatch):
    monkeypatch.setattr(webhooks, "PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as dripping:
        stopped = threading.Event()

        def drip():
            peer, _ = dripping.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                while not stopped.wait(0.05):
                    try:
                        peer.sendall(b"x")  # a time-out between two bytes never comes
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{dripping.getsockname()[1]}/"
        register(results, url)
        end_jobs(results)
        with webhooks.Deliverer(config(url)) as deliverer, psycopg.connect(results, autocommit=True) as connection:
            assert deliverer.send_due(connection)
        stopped.set()
        thread.join()
    assert ask(results, "SELECT delivered_at, last_error FROM webhook_deliveries") == [(None, "TimeoutError")]


def test_a_receiver_that_is_away_neither_fails_nor_delays_a_batch(results, monkeypatch, caplog):
    monkeypatch.setattr(webhooks, "AT_THE_END", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/hooks/T0KEN?key=hush"
    with webhooks.announced(config(url), results):
        end_jobs(results)
    assert "webhooks wait for jobs.listen, jobs.serve or the next run" in caplog.text
    assert ask(results, "SELECT delivered_at FROM webhook_deliveries") == [(None,)]
    with webhooks.announced(config(url), "postgresql://u@127.0.0.1:1/nothing"):
        pass
    assert "no webhooks from this run: cannot connect" in caplog.text


def test_neither_logs_nor_the_database_hold_the_secret_or_the_path_of_a_target(results, caplog):
    caplog.set_level(logging.DEBUG)
    with receiving(answers=[500]) as receiver, webhooks.announced(config(receiver.url), results):
        end_jobs(results)
    stored = str(ask(results, "SELECT t::text, d::text FROM webhook_targets t, webhook_deliveries d"))
    ours = " ".join(record.getMessage() for record in caplog.records if record.name.startswith(("engine", "jobs")))
    assert "delivered to http://127.0.0.1" in ours
    for text in (stored, ours):
        assert "T0KEN" not in text
        assert SECRET not in text


def test_a_listener_delivers_while_it_runs_and_again_after_its_database_was_away(results):
    with receiving() as receiver, webhooks.delivering(config(receiver.url), results):
        until = time.monotonic() + 15
        while not ask(results, "SELECT FROM webhook_targets"):
            assert time.monotonic() < until
            time.sleep(0.02)
        first = end_jobs(results)
        while ask(results, "SELECT count(*) FROM webhook_deliveries WHERE delivered_at IS NOT NULL") == [(0,)]:
            assert time.monotonic() < until
            time.sleep(0.02)
        with psycopg.connect(results, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        second = end_jobs(results)
        while len(receiver.taken) < 2:
            assert time.monotonic() < until
            time.sleep(0.02)
    assert [body["job"]["batch_id"] for body in receiver.taken] == first + second


def test_roles_that_end_jobs_need_no_right_on_the_outbox_and_the_cleaner_empties_it(results, monkeypatch):
    grant(results, "results")
    batch = as_role(results, "climate_batch")
    register(batch, "https://hooks.example")
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute("REVOKE ALL ON webhook_targets, webhook_deliveries FROM climate_api")
    end_jobs(as_role(results, "climate_api"))
    assert ask(results, "SELECT count(*) FROM webhook_deliveries") == [(1,)]
    with psycopg.connect(results) as connection:
        connection.execute("UPDATE webhook_deliveries SET created_at = now() - interval '31 days'")
        connection.execute("UPDATE webhook_targets SET seen_at = now() - interval '31 days'")
    end_jobs(results)
    assert ask(results, "SELECT count(*) FROM webhook_deliveries") == [(1,)]  # nobody's target gets nothing new
    assert clean.main(["--sink", batch]) == 0
    assert ask(results, "SELECT (SELECT count(*) FROM webhook_deliveries), (SELECT count(*) FROM webhook_targets)") == [
        (0, 0)
    ]


@pytest.mark.parametrize(
    ("urls", "secret", "fault"),
    [
        ("https://hooks.example/hush", "", "WEBHOOK_SECRET is not set"),
        ("https://hooks.example/hush", "hush", "WEBHOOK_SECRET is too short"),
        ("https://hooks.example/,http://u:hush@hooks.example/", SECRET, "WEBHOOK_URLS: address 2 is http"),
        ("hooks.example/hush", SECRET, "WEBHOOK_URLS: address 1 is no web address"),
        ("ftp://hooks.example/hush", SECRET, "WEBHOOK_URLS: address 1 is no web address"),
        ("https://[::1/hush", SECRET, "WEBHOOK_URLS: address 1 is no web address"),
        ("https://hooks.example:99999/hush", SECRET, "WEBHOOK_URLS: address 1 is no web address"),
        ("https:///hush", SECRET, "WEBHOOK_URLS: address 1 is no web address"),
        ("https://hooks.example/hush hush", SECRET, "WEBHOOK_URLS: address 1 holds a blank"),
        ("https://갈고리.example/hush", SECRET, "WEBHOOK_URLS: address 1 holds a blank"),
    ],
)
def test_a_target_that_could_not_work_is_refused_at_the_start_without_being_shown(urls, secret, fault, monkeypatch):
    monkeypatch.setenv("WEBHOOK_URLS", urls)
    monkeypatch.setenv("WEBHOOK_SECRET", secret)
    with pytest.raises(SettingsError) as refused:
        load()
    assert fault in str(refused.value)
    assert "hush" not in str(refused.value)


def test_the_settings_show_neither_targets_nor_secret(monkeypatch, capsys):
    monkeypatch.setenv("WEBHOOK_URLS", "https://hooks.example/T0KEN")
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    assert show_config([]) == 0
    shown = capsys.readouterr().out + repr(load())
    assert "T0KEN" not in shown
    assert SECRET not in shown
