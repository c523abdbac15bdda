"""Serve results and assessments over HTTP and WebSocket, until SIGTERM or Ctrl-C.

    python -m jobs.serve [--root-path /climate]

It listens on this machine alone unless API_HOST says otherwise. Address, key and limits are settings: python -m
jobs.config. For a server of your own choice: uvicorn --factory jobs.serve:create_app. Needs the extra `serve`.
Exit codes: 0 stopped, 1 failed, 2 bad settings.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack

from fastapi import FastAPI

from engine import settings
from engine.errors import EngineError, SettingsError
from engine.service import logs
from engine.service.app import make_app
from engine.service.server import make_server
from engine.settings import Settings
from jobs import _addresses, _console


def create_app(config: Settings | None = None) -> FastAPI:
    """The application; it opens its databases when it starts, not before. config: not given: those of `.env`"""
    worker = (sys.executable, "-m", "jobs.work", "--parent", str(os.getpid()))
    return make_app(config or settings.load(), _locate, worker)


def _locate(config: Settings, stack: ExitStack) -> tuple[str, str, str]:
    where = _addresses.addresses(config, stack)
    return where.warehouse, where.application, where.notify


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--root-path", metavar="/PATH", help="path below which a proxy shows the service; wins over API_ROOT_PATH"
    )
    args = parser.parse_args(argv)
    return _console.exit_code(lambda: _serve(args.root_path))


def _serve(root_path: str | None) -> int:
    config = settings.load()
    if root_path is not None:
        try:
            config = config.model_copy(update={"api_root_path": settings.require_path(root_path)})
        except ValueError as err:
            raise SettingsError(f"--root-path: {err}") from None
    _addresses.check(config)
    logs.start(config.log_format)
    server = make_server(create_app(config), config)
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
