"""Writes that go on while the caller computes: a few threads, each with a connection of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from queue import SimpleQueue
from types import TracebackType

import psycopg

from engine.io.db import postgres

Write = Callable[[psycopg.Connection], object]


class Writers:
    """Takes writes that do not depend on each other. Used as a context: what is left at its end is waited for, or not
    begun any more after an exception.

    connection : whose database is written to, over `count` further connections
    """

    def __init__(self, connection: psycopg.Connection, count: int) -> None:
        with ExitStack() as opened:
            self._connections = [opened.enter_context(closing(postgres.another(connection))) for _ in range(count)]
            self._opened = opened.pop_all()
        self._free: SimpleQueue[psycopg.Connection] = SimpleQueue()
        for each in self._connections:
            self._free.put(each)
        self._threads = ThreadPoolExecutor(count, "write")
        self._pending: deque[Future[None]] = deque()

    def submit(self, write: Write) -> None:
        """Have something written; waits while two writes a connection are pending, so that memory stays bounded.

        raises : what an earlier write has raised
        """
        while len(self._pending) >= 2 * len(self._connections):
            self._pending.popleft().result()
        self._pending.append(self._threads.submit(self._run, write))

    def wait(self) -> None:
        """Wait until all is written.

        raises : what the first write that failed has raised
        """
        while self._pending:
            self._pending.popleft().result()

    def _run(self, write: Write) -> None:
        connection = self._free.get()
        try:
            write(connection)
        finally:
            self._free.put(connection)

    def __enter__(self) -> Writers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.wait()
        finally:
            self._threads.shutdown(cancel_futures=True)
            self._opened.close()
