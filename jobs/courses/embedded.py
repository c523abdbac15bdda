"""Course of `jobs.embedded`."""

from __future__ import annotations

import threading
from pathlib import Path

from engine.core import settings
from engine.io.db.embedded import EmbeddedServer
from jobs import _addresses, _console, _home


def run(home: Path | None) -> int:
    """Start the server, print where its databases are, wait."""
    folder = home or settings.load().engine_home
    _addresses.usable(folder)
    with EmbeddedServer(folder) as server:
        warehouse, application = _home.databases(server)
        server.watch()
        print(f"climate data: {warehouse}\nresults:      {application}\nCtrl-C stops the server", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return _console.COMPLETE
    return _console.COMPLETE
