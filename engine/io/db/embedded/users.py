"""Users of a server: locks that the kernel releases when their process ends, however it ends."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.core.errors import EngineError
from engine.io.db.embedded.files import open_private

#: seconds to wait for another process that starts or stops the server; a recovery may take some
_PATIENCE = 300.0


class Users:
    """One use of a server. A shared lock on `.postgres.users` says that it goes on; `.postgres.lock` makes starting and
    stopping one process' at a time.

    No list of process ids: a killed process would stay on it, and its number may be another's tomorrow.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._use: int | None = None

    @property
    def have_joined(self) -> bool:
        """Check whether this use is counted."""
        return self._use is not None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process or thread starts or stops the server meanwhile.

        raises : EngineError when another one takes longer than five minutes
        """
        lock = self._open(".postgres.lock")
        try:
            give_up = time.monotonic() + _PATIENCE
            while not _taken(lock, fcntl.LOCK_EX):
                if time.monotonic() > give_up:
                    raise EngineError(
                        f"another process has been starting or stopping the embedded PostgreSQL in {self._home} for"
                        f" {_PATIENCE:.0f} s: end it and try again"
                    )
                time.sleep(0.01)
            yield
        finally:
            os.close(lock)

    def join(self) -> None:
        """Count as a user until `leave`, or until this process ends."""
        if self._use is None:
            self._use = self._open(".postgres.users")
            fcntl.flock(self._use, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Count no longer; True when this was the last user. To be called `alone`."""
        if self._use is None:
            return False
        use, self._use = self._use, None
        try:
            return _taken(use, fcntl.LOCK_EX)  # turns the shared lock into the only one, or fails
        finally:
            os.close(use)

    def _open(self, name: str) -> int:
        return open_private(self._home / name, os.O_RDWR)


def _taken(lock: int, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError as err:
        if err.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True
