"""Keep the embedded PostgreSQL up, to look at its tables with any client, until Ctrl-C.

python -m jobs.embedded [--home DIR]
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from engine import settings
from engine.io.embedded import EmbeddedServer
from jobs import _addresses, _console, _home


def main(argv: list[str] | None = None) -> int:
    """Start the server, print where its databases are, wait; returns the exit code."""
    parser = _console.Parser(
        prog="python -m jobs.embedded", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, help="folder of the server (default ENGINE_HOME, else ./.engine)")
    args = parser.parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _serve(args.home or settings.load().engine_home))


def _serve(home: Path) -> int:
    _addresses.usable(home)
    with EmbeddedServer(home) as server:
        warehouse, application = _home.databases(server)
        server.watch()
        print(f"climate data: {warehouse}\nresults:      {application}\nCtrl-C stops the server", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return _console.COMPLETE
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
