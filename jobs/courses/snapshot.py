"""Course of `jobs.snapshot`."""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, closing
from pathlib import Path

from engine.core import settings
from engine.io import open_source
from engine.io.climate import snapshot
from jobs import _addresses, _console

log = logging.getLogger("jobs")


def run(address: str | None, out: Path) -> int:
    """Write, report."""
    started = time.perf_counter()
    absent = "no warehouse: give --source, set DW_*, or run jobs.yearly, which makes an embedded one"
    with ExitStack() as stack:
        address = _addresses.source_of(settings.load(), address, stack, absent)
        source = stack.enter_context(closing(open_source(address)))
        done = snapshot.write(source, out)
    seconds = time.perf_counter() - started
    log.info(
        "store=%s bands=%d files=%d megabytes=%.1f seconds=%.1f",
        out,
        done["bands"],
        done["files"],
        done["bytes"] / 1e6,
        seconds,
    )
    return _console.COMPLETE
