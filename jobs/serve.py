"""Serve results and assessments over HTTP, with a map page.

Also over WebSocket; until SIGTERM or Ctrl-C. It listens on this machine alone unless API_HOST says otherwise. Address,
key and limits are settings. For a server of your own choice: uvicorn --factory jobs.serve:create_app. Needs the
extra `serve`.

examples:
    python -m jobs.serve
    API_PORT=8080 python -m jobs.serve
    python -m jobs.serve --root-path /climate

exit codes:
    0    stopped
    1    failed, such as a port that is taken
    2    bad settings, or the extra is not installed

settings: API_*, DW_*, APP_*, NOTIFY_*, ENGINE_HOME, LOG_FORMAT
(python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from jobs import _called, _console

if TYPE_CHECKING:  # what is imported below takes a second, which help need not wait for
    from fastapi import FastAPI

    from engine.core.settings import Settings

#: of the extra; without one of them the service would start and then lack a part
NEEDS = ("apscheduler", "fastapi", "prometheus_client", "psycopg_pool", "python_multipart", "uvicorn", "websockets")


def create_app(config: Settings | None = None) -> FastAPI:
    """The application; it opens its databases when it starts, not before. config: not given: those of the settings"""
    from engine.core import settings
    from engine.service.app import make_app

    worker = _called.child("work", "--parent", str(os.getpid()))
    return make_app(config or settings.load(), _locate, worker)


def _locate(config: Settings, stack: ExitStack) -> tuple[str, str, str]:
    from jobs import _addresses

    where = _addresses.addresses(config, stack)
    return where.warehouse, where.application, where.notify


def parser() -> _console.Parser:
    """The arguments of the job."""
    made = _console.Parser("serve", __doc__)
    made.add_argument(
        "--root-path", metavar="/PATH", help="path below which a proxy shows the service (default API_ROOT_PATH)"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    return _console.main(parser(), argv, _serve, stopped="", needs=NEEDS)


def _serve(args: argparse.Namespace) -> int:
    from engine.core import setting_values, settings
    from engine.core.errors import EngineError, SettingsError
    from engine.service.server import make_server
    from jobs import _addresses

    config = settings.load()
    if args.root_path is not None:
        try:
            config = config.model_copy(update={"api_root_path": setting_values.require_path(args.root_path)})
        except ValueError as err:
            raise SettingsError(f"--root-path: {err}") from None
    _addresses.check(config)
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
