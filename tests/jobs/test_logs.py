"""Log lines of jobs, services and their children: text as ever, or one JSON object a line with nothing around it."""

import io
import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from engine.core import logs
from engine.core.settings import Settings, log_format
from engine.service.children import Children

LINES = ("time", "level", "logger", "message", "job")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@contextmanager
def standard_error(monkeypatch):
    """What the log of this process writes there, as if nobody else had made a handler."""
    root, stream = logging.getLogger(), io.StringIO()
    kept = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    root.handlers.clear()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            yield stream
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = kept[0]
        root.setLevel(kept[1])
        sys.excepthook, threading.excepthook = kept[2:]
        logs._bound.clear()


def run(*words, **environment):
    return subprocess.run(
        [sys.executable, *words], env=os.environ | environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("words", "job", "code"),
    [
        (("-m", "jobs.clean"), "clean", 1),
        (("-m", "jobs.listen"), "listen", 2),
    ],
)
def test_every_job_writes_json_and_nothing_else_when_asked(words, job, code):
    address = "postgresql://u:hush@127.0.0.1:1/a"
    wrong = {"SCHEDULE_TIMEZONE": "Nowhere"} if job == "listen" else {}
    done = run(*words, LOG_FORMAT="json", APP_URL=address, DW_URL=address, **wrong)
    assert done.returncode == code, done.stderr
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert said
    assert all(set(LINES) <= set(line) and line["job"] == job for line in said)
    assert said[-1]["level"] == "ERROR"
    assert "hush" not in done.stderr


def test_the_format_is_read_also_where_the_other_settings_are_wrong(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("LOG_FORMAT=json\nAPI_PORT=nowhere\n")
    assert log_format() == "json"
    (tmp_path / ".env").write_bytes("가격".encode("cp949"))
    monkeypatch.setenv("LOG_FORMAT", "json")
    assert log_format() == "json"


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_line_holds_the_password_of_an_address(form, monkeypatch):
    address = "postgresql://u:h'u\"s@h@host/db"
    with standard_error(monkeypatch) as written:
        logs.start(form, job="yearly")
        logging.getLogger("anywhere").warning("to %s", address, extra={"sink": address})
        try:
            raise ValueError(f"host=h password=h'u\"s@h connecting to {address}")
        except ValueError:
            logging.getLogger("anywhere").exception("broken")
    said = written.getvalue()
    assert "h'u" not in said
    assert "s@h@" not in said
    if form == "json":
        first, second = map(json.loads, said.splitlines())
        assert first["sink"] == "postgresql://u:***@host/db"
        assert "ValueError" in second["traceback"]


def test_a_line_is_json_whatever_it_is_about(monkeypatch):
    with standard_error(monkeypatch) as written:
        logs.start("json", job="yearly")
        logs.bind(run_id=7)
        logging.getLogger("x").info("two\nlines of %s \udc80", "한글", extra={"n": float("nan"), "path": io.BytesIO})
    [line] = written.getvalue().splitlines()
    told = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (told["run_id"], told["message"]) == (7, "two\nlines of 한글 \udc80")


def children_that_say(text):
    children = Children({"yearly": ("sh", "-c", f"cat <<'END'\n{text}\nEND")})
    ended = []
    children.start("yearly", lambda code, error: ended.append((code, error)))
    children.drain(10)
    return ended


def test_lines_of_a_child_are_passed_on_as_they_are(monkeypatch):
    own = '{"time": "2027-01-01T02:00:00.000+00:00", "level": "ERROR", "message": "failed: 한글", "job": "yearly"}'
    with standard_error(monkeypatch) as written:
        logs.start("json", job="listen")
        assert children_that_say(f'{own}\nrisk   AAL\n{{"not": "a log line"}}') == [(0, "failed: 한글")]
    lines = written.getvalue().splitlines()
    assert own in lines
    table, other = (json.loads(line) for line in lines if "AAL" in line or "not" in line)
    assert (table["message"], table["job"], table["task"]) == ("risk   AAL", "listen", "yearly")
    assert other["message"] == '{"not": "a log line"}'


def test_text_of_a_child_is_passed_on_as_it_is(monkeypatch):
    own = "2027-01-01 02:00:00,000 ERROR failed: warehouse w: it holds no cells"
    with standard_error(monkeypatch) as written:
        logs.start("text", job="listen")
        assert children_that_say(own) == [(0, "failed: warehouse w: it holds no cells")]
    assert own in written.getvalue().splitlines()


def test_what_breaks_outside_of_a_job_is_a_line_too():
    broken = "from engine.core import logs; import threading, warnings; logs.start('json')\n"
    broken += (
        "warnings.warn('beware'); t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join(); raise OSError(5)"
    )
    done = run("-c", broken)
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["level"] for line in said] == ["WARNING", "CRITICAL", "CRITICAL"]
    assert "ZeroDivisionError" in said[1]["traceback"]
    assert "OSError" in said[2]["traceback"]
