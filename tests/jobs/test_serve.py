"""The command that serves: from settings to exit code. What it serves is tested in tests/service."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

from engine.core import settings
from engine.core.settings import Settings
from engine.io.db.embedded import postmaster
from jobs import serve


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("API_HOST", "127.0.0.1")


def test_an_application_is_made_without_any_setting_or_connection():
    app = serve.create_app()
    assert "/api/v1/probability" in app.openapi()["paths"]


def test_a_wrong_setting_is_refused(monkeypatch, caplog):
    monkeypatch.setenv("API_PORT", "70000")
    assert serve.main([]) == 2
    assert "API_PORT" in caplog.messages[-1]


def test_it_listens_on_this_machine_alone_unless_it_is_told_otherwise(monkeypatch):
    monkeypatch.delenv("API_HOST")
    assert settings.load().api_host == "127.0.0.1"


@pytest.mark.parametrize("path", ["climate", "/a b", "/../x", "/api/v1"])
def test_a_root_path_that_is_none_or_hides_the_service_is_refused(path, caplog):
    assert serve.main(["--root-path", path]) == 2
    assert path in caplog.messages[-1]


@contextmanager
def serving(**environment):
    """A process that serves, and its first answer about its state."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"API_PORT": str(port), "LOG_FORMAT": "json"} | environment
    process = subprocess.Popen([sys.executable, "-m", "jobs.serve"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                ready = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=10)
                break
            except httpx.TransportError:
                assert time.monotonic() < until, "it does not serve"
                time.sleep(0.1)
        yield process, ready
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_an_empty_database_and_stops_with_0_when_told(warehouse, results, number):
    with serving(DW_URL=warehouse, APP_URL=results) as (process, ready):
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert all(line.startswith('{"time": ') for line in said.splitlines()), said


def test_an_embedded_server_that_is_killed_under_it_is_started_again_and_stopped_in_the_end(server_home):
    data = server_home / "postgres"
    with serving(ENGINE_HOME=str(server_home)) as (process, ready):
        assert ready.json()["status"] == "not ready"
        killed = postmaster.find(data).pid
        os.kill(killed, signal.SIGKILL)
        until = time.monotonic() + 60
        while not ((found := postmaster.find(data)) and found.pid != killed and found.is_ready):
            assert time.monotonic() < until, "it stays away"
            time.sleep(0.05)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert postmaster.find(data) is None


def test_one_side_without_the_other_is_refused(monkeypatch, results, caplog):
    monkeypatch.setenv("APP_URL", results)
    assert serve.main([]) == 2
    assert "APP_* is set but DW_* is not: set DW_*" in caplog.messages[-1]


def test_a_port_that_is_taken_is_a_failure(monkeypatch, warehouse, results, caplog):
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("API_PORT", str(taken.getsockname()[1]))
        assert serve.main([]) == 1
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert "the service did not start on 127.0.0.1:" in caplog.messages[-1]
