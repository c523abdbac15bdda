"""Serve results and assessments over HTTP and WebSocket, until SIGTERM or Ctrl-C.

    python -m jobs.serve

Address, key and limits are settings: python -m jobs.config. For a server of your own choice:
uvicorn --factory jobs.serve:create_app. Needs the extra `serve`.
Exit codes: 0 stopped, 1 failed, 2 bad settings.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack

import uvicorn
from fastapi import FastAPI

from engine import logs, settings
from engine.errors import EngineError
from engine.service.app import make_app
from engine.settings import Settings
from jobs import _addresses, _console, _options


def create_app() -> FastAPI:
    """The application; it opens its databases when it starts, not before."""
    worker = (sys.executable, "-m", "jobs.work", "--parent", str(os.getpid()))
    return make_app(settings.load(), _locate, worker)


def _locate(config: Settings, stack: ExitStack) -> tuple[str, str, str]:
    where = _addresses.addresses(config, stack)
    return where.warehouse, where.application, where.notify


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(argv)
    return _console.exit_code(_serve)


def _serve() -> int:
    config = settings.load()
    _addresses.check(config)
    logs.start(config.log_format, job="serve")
    _options.say_settings()
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(),
            host=config.api_host,
            port=config.api_port,
            log_config=None,
            access_log=False,  # the application writes one line a request itself
            ws_ping_interval=20,
            timeout_graceful_shutdown=int(config.shutdown_grace_seconds),
            server_header=False,
        )
    )
    # uvicorn stops in order, then raises the signal once more for whoever handled it before: to stop is no failure
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        server.run()
    except SystemExit:  # it has said why, and chosen a code of its own
        raise EngineError(f"the service did not start on {config.api_host}:{config.api_port}") from None
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
