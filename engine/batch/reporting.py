"""Progress of a run, told to the caller and to the sink."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.batch.runner import Announce
from engine.io.results import progress as stages
from engine.io.results.sink import Sink
from engine.io.results.spool import RunDirectory


class Reporter:
    """Tells the caller and the sink how far a run is. The rate counts from the latest announcement.

    total    : active cells of the run
    progress : called with (cells done, cells in all)
    """

    def __init__(
        self,
        sink: Sink,
        directory: RunDirectory,
        total: int,
        progress: Callable[[int, int], None],
        announce: Announce,
    ) -> None:
        self._sink, self._directory, self._total = sink, directory, total
        self._progress, self._announce = progress, announce
        self._done = self._first = 0
        self._since = time.perf_counter()

    def announce(self, what: str) -> None:
        """Tell what begins now."""
        self._announce(what)
        self._first, self._since = self._done, time.perf_counter()
        self._sink.tell(stages.preparing(what, self._done, self._total))

    def first(self, done: int) -> None:
        """Tell how many cells were committed before this session."""
        self._done = self._first = done
        self.cells(done)

    def cells(self, done: int) -> None:
        """Tell how many cells are committed."""
        self._progress(done, self._total)
        self._done = done
        fresh = done - self._first
        rate = fresh / max(time.perf_counter() - self._since, 1e-9) if fresh else None
        blocks = (len(self._directory.notes), len(self._directory.blocks))
        self._sink.tell(stages.computing(blocks, (done, self._total), rate))
