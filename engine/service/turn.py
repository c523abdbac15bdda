"""One computation at a time: parallel kernels must not run in two threads at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: seconds that a request waits for those before it: threads that wait here are missing for others
PATIENCE = 10.0


class TurnTakenError(Exception):
    """Those before took too long."""


class Turn:
    """Shared by everything of the service that runs kernels."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The right to compute.

        raises : TurnTakenError after PATIENCE
        """
        if not self._lock.acquire(timeout=PATIENCE):
            raise TurnTakenError
        try:
            yield
        finally:
            self._lock.release()
