"""The command that serves: from settings to exit code. What it serves is tested in tests/service."""

import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from engine.settings import Settings
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_an_empty_database_and_stops_with_0_when_told(warehouse, results, number):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"DW_URL": warehouse, "APP_URL": results, "API_PORT": str(port), "LOG_FORMAT": "json"}
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
        assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    assert all(line.startswith('{"time": ') for line in said.splitlines()), said


def test_one_side_without_the_other_is_refused(monkeypatch, results, caplog):
    monkeypatch.setenv("APP_URL", results)
    assert serve.main([]) == 2
    assert "the climate data have none: set DW_*" in caplog.messages[-1]


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
