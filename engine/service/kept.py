"""Answers that were made before, kept in memory: the newest ones asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Kept(Generic[Answer]):
    """Answers by what they are of, at most so many. Safe in several threads."""

    def __init__(self, most: int) -> None:
        self._held: OrderedDict[tuple[object, ...], Answer] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> Answer | None:
        """An answer made before."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: tuple[object, ...], answer: Answer) -> None:
        """Keep an answer, forget the one that nobody asked for longest."""
        with self._lock:
            self._held[key] = answer
            while len(self._held) > self._most:
                self._held.popitem(last=False)
