"""Batch runs as child processes, so that a crash does not affect the service."""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.core import logs
from engine.service.schedule import Task

log = logging.getLogger(__name__)
#: seconds to wait for the last words of a process that has ended; its own children may keep the pipe open
_LAST_WORDS = 2.0
_AS_IT_IS = {"verbatim": True}
#: called with the exit code (negative: a signal) and the last error line, if any
Ended = Callable[[int, str | None], None]


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[str]
    reaper: threading.Thread | None = None
    last_error: str | None = field(default=None)


class Children:
    """At most one process a task.

    commands : what each task runs
    """

    def __init__(self, commands: Mapping[Task, Sequence[str]]) -> None:
        self._commands = commands
        self._lock = threading.Lock()
        self._running: dict[Task, _Child] = {}

    @property
    def running(self) -> set[Task]:
        """Tasks that are going."""
        with self._lock:
            return set(self._running)

    def start(self, task: Task, ended: Ended | None = None, options: Sequence[str] = ()) -> None:
        """Start a task that is not going; its lines go to our log, `ended` is called from another thread."""
        process = subprocess.Popen(  # noqa: S603 (our own commands)
            [*self._commands[task], *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            # its own session: Ctrl-C in our terminal reaches us, and we decide what the children get
            start_new_session=True,
        )
        child = _Child(process)
        child.reaper = threading.Thread(target=self._reap, args=(task, child, ended), name=f"reap {task}")
        with self._lock:
            self._running[task] = child
        log.info("%s started, process %d", task, process.pid)
        child.reaper.start()

    def _reap(self, task: Task, child: _Child, ended: Ended | None) -> None:
        lines = threading.Thread(target=self._listen, args=(task, child), name=f"lines of {task}", daemon=True)
        lines.start()
        code = child.process.wait()
        lines.join(_LAST_WORDS)
        with self._lock:
            del self._running[task]
        log.log(logging.INFO if code in (0, 3) else logging.ERROR, "%s ended with code %d", task, code)
        if ended is not None:
            ended(code, child.last_error)

    def _listen(self, task: Task, child: _Child) -> None:
        assert child.process.stdout is not None  # noqa: S101 (a pipe was asked for)
        with child.process.stdout as lines:
            for printed in lines:
                text = printed.rstrip()
                if not text:
                    continue
                line = logs.read_line(text)
                if line.level in ("ERROR", "CRITICAL"):
                    child.last_error = line.message
                # as it is: it has its own time, level and, in JSON, the job's name
                level = logging.getLevelNamesMapping().get(line.level or "INFO", logging.INFO)
                log.log(max(level, logging.INFO), "%s", text, extra=_AS_IT_IS | {"task": task})

    def drain(self, seconds: float) -> None:
        """Wait for all to end; after so many seconds they are interrupted, after as many again killed."""
        for last_word in (None, signal.SIGINT, signal.SIGKILL):
            with self._lock:
                children = dict(self._running)
            for task, child in children.items():
                if last_word is not None:
                    log.warning("%s is still going: %s", task, last_word.name)
                    child.process.send_signal(last_word)
            until = time.monotonic() + seconds
            for child in children.values():
                assert child.reaper is not None  # noqa: S101 (set before the child was listed)
                child.reaper.join(max(0.0, until - time.monotonic()))
