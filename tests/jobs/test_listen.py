"""Triggers, schedule and child processes on a real server; the batches themselves are stand-ins."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from engine.core import logs
from engine.core.logs import read_line
from engine.core.settings import Settings, load
from engine.io.db import notifications, postgres
from engine.io.queue import triggers
from engine.service import kinds, schedule
from engine.service import listener as module
from engine.service.listener import Addresses, Listener
from jobs import trigger
from tests.roles import as_role, grant

QUICK = ("sh", "-c", "echo done")
SLOW = ("sh", "-c", "sleep 30")
#: a run as a batch job makes it: locks, a numbered run, an end
RUN = """
import sys
import uuid
from engine.io.results.sink import RunRecord
from engine.io.results.sink_postgres import PostgresSink
url, kind, status, _, job = sys.argv[1:]
sink = PostgresSink(url)
with sink.guard(kind):
    sink.begin(RunRecord(job_type=kind, scope="full", edition="e", edition_checksum="0" * 64, edition_checksums={},
                         source_fingerprint="0" * 64, baseline="1991-2020", total_grids=1,
                         command="python -m jobs.probability", batch_id=uuid.UUID(job)), "/nowhere")
    sink.finish(status, processed=1, failed=0)
sys.exit(0 if status == "completed" else 3)
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "TICK", 0.2)
    # tests run on any day of the year
    monkeypatch.setenv("MISFIRE_GRACE_HOURS", "0.0001")
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "5")


@contextmanager
def listening(url, **commands):
    commands = {"probability": QUICK, "hazard": QUICK, "yearly": QUICK, "clean": QUICK, "check": QUICK} | commands
    listener = Listener(load(), Addresses(application=url, notify=url), commands)
    thread = threading.Thread(target=listener.run)
    thread.start()
    try:
        eventually(lambda: sessions(url))
        yield listener
    finally:
        listener.stop()
        thread.join(20)
        assert not thread.is_alive()


def ask(url, query, *values):
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query, values or None)
        return cursor.fetchall() if cursor.description else []


def eventually(found, seconds=15.0):
    until = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)
    return value


def sessions(url):
    """Server processes of the listener."""
    return ask(url, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()")


def jobs(url, status):
    return ask(
        url, "SELECT job_type, error_message, results FROM batch_jobs WHERE status = %s ORDER BY created_at", status
    )


def trigger_job(url, kind):
    return triggers.announce(url, url, "aiops_trigger", kind, "test")


def test_a_trigger_runs_its_job_and_its_row_tells_how_it_ended(results):
    run = (sys.executable, "-c", RUN, results)
    failing = ("sh", "-c", "echo '2026-01-01 ERROR failed: warehouse w: it holds no cells'; exit 1")
    with listening(results, probability=(*run, "probability", "partial"), yearly=failing):
        first, second = trigger_job(results, "probability"), trigger_job(results, "hazard")
        eventually(lambda: len(jobs(results, "completed")) == 2)
        third = trigger_job(results, "yearly")
        eventually(lambda: jobs(results, "failed"))
    ends = {
        row[0]: row[1:] for row in ask(results, "SELECT batch_id, results->>'status', error_message FROM batch_jobs")
    }
    assert ends == {
        first: ("partial", None),
        second: ("success", None),
        third: (None, "failed: warehouse w: it holds no cells"),
    }
    logged = ask(results, "SELECT batch_id, job_type, status, run_id FROM batch_job_logs ORDER BY job_type")
    assert logged == [
        (second, "hazard", "completed", None),
        (first, "probability", "partial", 1),
        (third, "yearly", "failed", None),
    ]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("NOTIFY aiops_trigger, ' Probability '", "probability"),
        ("NOTIFY aiops_trigger, 'yearly'", "yearly"),
        ("NOTIFY probability", "probability"),
        ("NOTIFY hazard, 'whatever'", "hazard"),
    ],
)
def test_a_bare_notification_runs_what_channel_or_payload_say(results, statement, kind):
    with listening(results), psycopg.connect(results, autocommit=True) as sender:
        sender.execute(statement)
        [(started, error, outcome)] = eventually(lambda: jobs(results, "completed"))
    assert (started, error, outcome["status"]) == (kind, None, "success")


def test_an_unknown_payload_is_a_warning_and_nothing_else(results, caplog):
    with listening(results):
        ask(results, "NOTIFY aiops_trigger, 'everything; DROP TABLE batch_jobs'")
        eventually(lambda: "unknown payload 'everything; DROP TABLE batch_jobs'" in caplog.text)
        trigger_job(results, "hazard")
        eventually(lambda: jobs(results, "completed"))
    assert ask(results, "SELECT count(*) FROM batch_jobs") == [(1,)]


def test_a_row_is_the_order_and_a_bare_notification_of_a_stranger_is_none(results, caplog):
    grant(results, "results")
    api, batch = as_role(results, "climate_api"), as_role(results, "climate_batch")
    with listening(batch), psycopg.connect(api, autocommit=True) as stranger:
        stranger.execute("NOTIFY aiops_trigger, 'yearly'")
        eventually(lambda: "ignored NOTIFY for yearly of role climate_api, no member of climate_batch" in caplog.text)
        assert "python -m jobs.trigger yearly" in caplog.text
        triggers.announce(api, api, "aiops_trigger", "hazard", "admin route")  # its row is an order
        eventually(lambda: len(jobs(results, "completed")) == 1)
        with psycopg.connect(batch, autocommit=True) as member:
            member.execute("NOTIFY probability")
            eventually(lambda: len(jobs(results, "completed")) == 2)
    assert [row[0] for row in jobs(results, "completed")] == ["hazard", "probability"]


def test_who_is_gone_cannot_be_asked(results):
    grant(results, "results")
    with psycopg.connect(results) as connection:
        gone = notifications.sender_of(connection, 0, kinds.BATCH_ROLE)
        assert gone == (None, False)
        assert notifications.sender_of(connection, connection.info.backend_pid, kinds.BATCH_ROLE) == ("postgres", True)
        assert "whose session is gone" in kinds.why_ignored("yearly", gone)
        # then everybody is heard
        assert notifications.sender_of(connection, 0, "role_of_no_server") == (None, True)


#: fails as its first words say, until it was tried so often
TRY = "echo \"$@\" >> tries; if [ $(wc -l < tries) -lt {tries} ]; then echo '2026-01-01 ERROR {error}'; exit 1; fi"
AWAY = "failed: cannot connect to u@h/d: FATAL:  the database system is starting up"


def test_a_fault_that_passes_is_tried_again_and_counted(results, monkeypatch, tmp_path):
    monkeypatch.setattr(triggers, "BATCH_PAUSES", (0.1, 0.1, 0.1))
    with listening(results, hazard=("sh", "-c", TRY.format(tries=3, error=AWAY), "sh")):
        job = trigger_job(results, "hazard")
        eventually(lambda: jobs(results, "completed"))
    assert ask(results, "SELECT attempts, current_step, error_message FROM batch_jobs") == [(3, "Finished", None)]
    assert ask(results, "SELECT batch_id, status FROM batch_job_logs ORDER BY id") == [
        (job, "failed"),
        (job, "failed"),
        (job, "completed"),
    ]
    assert (tmp_path / "tries").read_text().splitlines() == [f"--job {job}"] * 3


def test_tries_have_an_end_and_a_job_that_waits_says_why(results, monkeypatch):
    monkeypatch.setattr(triggers, "BATCH_PAUSES", (0.1, 600))
    with listening(results, hazard=("sh", "-c", TRY.format(tries=9, error=AWAY), "sh")):
        trigger_job(results, "hazard")
        eventually(lambda: ask(results, "SELECT 1 FROM batch_jobs WHERE attempts = 2 AND status = 'queued'"))
        [(step, why)] = ask(results, "SELECT current_step, error_message FROM batch_jobs")
        assert (step, why) == (f"waiting for attempt 3: {AWAY}", AWAY)
        ask(results, "UPDATE batch_jobs SET not_before = now()")
        eventually(lambda: jobs(results, "failed"))
    assert ask(results, "SELECT attempts FROM batch_jobs") == [(3,)]


def test_another_attempt_goes_on_with_the_run_and_starts_anew_when_that_is_refused(results, monkeypatch, tmp_path):
    monkeypatch.setattr(triggers, "BATCH_PAUSES", (0.1, 0.1))
    ask(
        results,
        "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline)"
        " VALUES ('hazard', 'full', 'e', '', '', '')",
    )
    ask(results, "INSERT INTO batch_jobs (job_type, run_id, attempts) VALUES ('hazard', 1, 1)")
    refusing = 'echo "$@" >> tries; case "$*" in *resume*) exit 2;; esac'
    with listening(results, hazard=("sh", "-c", refusing, "sh")):
        eventually(lambda: jobs(results, "completed"))
    [(job,)] = ask(results, "SELECT batch_id FROM batch_jobs")
    assert (tmp_path / "tries").read_text().splitlines() == [f"--job {job} --resume 1", f"--job {job}"]


def test_lines_of_a_run_pass_through_as_they_are(results, caplog):
    caplog.set_level("INFO")
    line = "2026-11-28 10:00:00,123 WARNING yearly: 5 of 9 cells"
    said = [line, "a table", '{"time": "t", "level": "CRITICAL", "message": "m"}']
    printing = ("sh", "-c", "printf '%s\\n' " + " ".join(f"'{each}'" for each in said))
    with listening(results, hazard=printing):
        trigger_job(results, "hazard")
        eventually(lambda: jobs(results, "completed"))
    passed = [each for each in caplog.records if getattr(each, "task", None) == "hazard"]
    assert [logs.TextLines().format(each) for each in passed] == said
    assert [each.levelname for each in passed] == ["WARNING", "INFO", "CRITICAL"]
    text, table, whole = (logs.JsonLines().format(each) for each in passed)
    assert whole == said[2]
    told = [(line["level"], line["message"]) for line in map(json.loads, (text, table))]
    assert told == [("WARNING", "yearly: 5 of 9 cells"), ("INFO", "a table")]


def test_a_line_is_read_for_its_level_whatever_its_form():
    assert read_line("2026-01-01 10:00:00,123 ERROR failed: x") == ("text", "ERROR", "failed: x")
    assert read_line('{"time": "t", "level": "ERROR", "message": "failed: x"}') == ("json", "ERROR", "failed: x")
    for plain in ("wind ERROR bars", "{not json", '{"level": 3}', "[1]"):
        assert read_line(plain) == ("text", None, plain)


def test_a_duplicate_is_skipped_and_another_kind_is_not_held_up(results, monkeypatch):
    monkeypatch.setenv("SHUTDOWN_GRACE_SECONDS", "0.2")  # the slow run need not end
    with listening(results, probability=SLOW):
        trigger_job(results, "probability")
        eventually(lambda: jobs(results, "running"))
        for kind in ("probability", "yearly", "hazard"):
            trigger_job(results, kind)
        eventually(lambda: len(jobs(results, "cancelled")) == 2 and jobs(results, "completed"))
        assert [row[0] for row in jobs(results, "completed")] == ["hazard"]
        skipped = ask(results, "SELECT job_type, status, error_message FROM batch_job_logs WHERE status = 'skipped'")
        assert skipped == [
            ("probability", "skipped", "another probability run is going"),
            ("yearly", "skipped", "another probability or hazard run is going"),
        ]


def test_a_run_of_another_process_is_not_disturbed(results):
    with psycopg.connect(results, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext('job hazard'))", (postgres.LOCK_SPACE,))
        with listening(results):
            trigger_job(results, "yearly")
            [(kind, why, _)] = eventually(lambda: jobs(results, "cancelled"))
    assert (kind, why) == ("yearly", "another probability or hazard run is going")


def test_a_trigger_of_our_absence_is_taken_up(results, monkeypatch):
    monkeypatch.setenv("APP_URL", results)
    assert trigger.main(["hazard"]) == 0
    with listening(results):
        eventually(lambda: jobs(results, "completed"))


def test_a_lost_connection_is_taken_up_again(results, monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.1)
    with listening(results):
        [(lost,)] = sessions(results)
        ask(results, "SELECT pg_terminate_backend(%s)", lost)
        eventually(lambda: [pid for (pid,) in sessions(results) if pid != lost])
        with psycopg.connect(results, autocommit=True) as sender:
            sender.execute("NOTIFY hazard")
            eventually(lambda: jobs(results, "completed"))


def test_a_killed_run_is_failed_and_can_be_asked_for_again(results):
    with listening(results, hazard=("sh", "-c", "kill -9 $$")):
        trigger_job(results, "hazard")
        eventually(lambda: jobs(results, "failed"))
        trigger_job(results, "hazard")
        failed = eventually(lambda: len(jobs(results, "failed")) == 2 and jobs(results, "failed"))
    assert {row[1] for row in failed} == {"ended by signal 9"}


def test_a_silent_run_is_taken_for_lost(results):
    ask(
        results,
        "INSERT INTO batch_jobs (job_type, status, updated_at) VALUES ('yearly', 'running', now() - interval '11 min')",
    )
    with listening(results):
        assert eventually(lambda: jobs(results, "failed")) == [("yearly", "Worker lost", None)]


def at(moment, monkeypatch, kind):
    local = moment.astimezone(ZoneInfo("Asia/Seoul"))
    for part in ("month", "day", "hour", "minute"):
        monkeypatch.setenv(f"{kind.upper()}_SCHEDULE_{part.upper()}", str(getattr(local, part)))


def test_a_firing_missed_within_the_grace_runs_at_start_and_only_once(results, monkeypatch):
    # a firing of a few minutes ago, not on 29 February, which no schedule may name
    moment = datetime.now(UTC) - timedelta(minutes=5)
    at(moment, monkeypatch, "hazard")
    monkeypatch.setenv("MISFIRE_GRACE_HOURS", "1")
    with listening(results):
        eventually(lambda: jobs(results, "completed"))
    with listening(results):
        time.sleep(1)
    assert ask(results, "SELECT job_type, input_params->>'origin' FROM batch_jobs") == [("hazard", "missed schedule")]


def test_times_are_those_of_the_settings_in_their_zone(monkeypatch):
    following = {
        task: trigger.get_next_fire_time(None, datetime(2026, 12, 31, 12, tzinfo=UTC)).isoformat()
        for task, trigger in schedule.triggers(load()).items()
    }
    assert following == {
        "probability": "2027-01-01T02:00:00+09:00",
        "hazard": "2027-01-01T04:00:00+09:00",
        "clean": "2027-01-01T03:00:00+09:00",
        "check": "2027-01-01T03:00:00+09:00",
    }
    for name, value in {"MONTH": 6, "DAY": 15, "HOUR": 23, "MINUTE": 45}.items():
        monkeypatch.setenv(f"HAZARD_SCHEDULE_{name}", str(value))
    monkeypatch.setenv("SCHEDULE_TIMEZONE", "UTC")
    other = schedule.triggers(load())["hazard"].get_next_fire_time(None, datetime(2026, 12, 31, tzinfo=UTC))
    assert other.isoformat() == "2027-06-15T23:45:00+00:00"
    monkeypatch.setenv("SCHEDULED_RUNS", "false")  # another scheduler's business; the caches stay ours
    assert list(schedule.triggers(load())) == ["clean", "check"]


def test_a_firing_before_the_grace_is_not_missed():
    trigger = schedule.triggers(load())["probability"]
    due = datetime(2026, 12, 31, 17, tzinfo=UTC)  # 02:00 in Seoul
    assert schedule.last_firing(trigger, due + timedelta(hours=5), timedelta(hours=6)) == due
    assert schedule.last_firing(trigger, due + timedelta(hours=7), timedelta(hours=6)) is None
    assert schedule.last_firing(trigger, due - timedelta(minutes=1), timedelta(hours=6)) is None


SERVICE = """
import sys
from jobs import listen
listen.COMMANDS = dict.fromkeys(listen.COMMANDS, ("sh", "-c", "sleep 1; echo done"))
sys.exit(listen.main([]))
"""


def test_sigterm_lets_the_running_job_end_and_exits_with_0(results):
    environment = os.environ | {"APP_URL": results, "LOG_FORMAT": "json"}
    process = subprocess.Popen([sys.executable, "-c", SERVICE], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: sessions(results), 60)
        trigger_job(results, "yearly")
        eventually(lambda: jobs(results, "running"))
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert [row[0] for row in jobs(results, "completed")] == ["yearly"]
    assert all(line.startswith('{"time": ') for line in said.splitlines())
    assert '"message": "probability: next at' in said


def test_an_unknown_kind_and_a_missing_database_are_refused(monkeypatch, caplog):
    assert trigger.main(["everything"]) == 2
    monkeypatch.setenv("DW_URL", "postgresql://u:hush@127.0.0.1:1/w")
    assert trigger.main(["yearly"]) == 2
    assert "set APP_*" in caplog.messages[-1]
    monkeypatch.setenv("APP_URL", "postgresql://u:hush@127.0.0.1:1/a")
    assert trigger.main(["yearly"]) == 1
    assert "cannot connect to u@127.0.0.1:1/a" in caplog.messages[-1]
    assert "hush" not in caplog.text
