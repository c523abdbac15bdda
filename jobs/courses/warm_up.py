"""Course of `jobs.warm_up`."""

from __future__ import annotations

import logging
import time

from engine import kernels
from engine.core import settings
from engine.core.errors import EngineError, SettingsError
from jobs import _console

log = logging.getLogger("jobs")


def run() -> int:
    """Compile, keep, report."""
    kernels.keep_compiled_in(settings.load().kernel_cache)
    where = kernels.cache_folder()
    if where is None:
        raise SettingsError("there is no folder to keep kernels in: KERNEL_CACHE is off, or its folder cannot be used")
    started = time.perf_counter()
    if not (kernels.warm_up(log.info) and kernels.warm_up(log.info, "derive")):
        raise EngineError(f"the kernels are compiled, but {where} cannot be written")
    log.info("kernels are kept in %s (%.1f s)", where, time.perf_counter() - started)
    return _console.COMPLETE
