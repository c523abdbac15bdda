"""Compiles the kernels for this processor and keeps them, so that no later process has to: for images and new machines.

    python -m jobs.warm_up

They go to KERNEL_CACHE, else to climate-risk-engine/kernels in $XDG_CACHE_HOME or ~/.cache. Every batch does the same
when they are not there yet. Exit codes: 0 kept, 1 compiled but not kept, 2 bad arguments or settings, 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time

from engine import settings
from engine.errors import EngineError, SettingsError
from jobs import _console

log = logging.getLogger("jobs")


def main(argv: list[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    _console.Parser(
        prog="python -m jobs.warm_up", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    _console.start_logging()
    return _console.exit_code(_run)


def _run() -> int:
    from engine import kernels  # numba takes a third of a second to import

    kernels.keep_compiled_in(settings.load().kernel_cache)
    where = kernels.cache_folder()
    if where is None:
        raise SettingsError("there is no folder to keep kernels in: KERNEL_CACHE is off, or its folder cannot be used")
    started = time.perf_counter()
    if not (kernels.warm_up(log.info) and kernels.warm_up(log.info, "derive")):
        raise EngineError(f"the kernels are compiled, but {where} cannot be written")
    log.info("kernels are kept in %s (%.1f s)", where, time.perf_counter() - started)
    return _console.COMPLETE


if __name__ == "__main__":
    sys.exit(main())
