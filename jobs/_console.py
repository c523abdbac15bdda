"""What a job prints: a bar on a terminal, plain lines elsewhere, one table and one last line; and its exit code."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from engine import logs, settings
from engine.address import masked
from engine.errors import EngineError, SettingsError
from jobs import _options

COMPLETE, FAILED, REFUSED, PARTIAL, INTERRUPTED = 0, 1, 2, 3, 130
#: seconds between two plain progress lines
QUIET = 10.0

log = logging.getLogger("jobs")

_stop = threading.Event()


class Parser(argparse.ArgumentParser):
    """Arguments of a job; what it refuses is shown without the password of an address in it."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        _options.add(self)

    def error(self, message: str) -> NoReturn:
        super().error(masked(message))


def console() -> Console:
    """Standard output; wide enough for the table when it is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 150, highlight=False, soft_wrap=True)


def start_logging() -> None:
    """Messages to standard error, one a line."""
    logs.start(job=_job())


def _job() -> str | None:
    """`yearly` of `python -m jobs.yearly`; None in a program around the jobs."""
    name = Path(sys.argv[0]).stem
    if name == "__main__" and len(sys.argv) > 1:  # python -m jobs yearly
        name = sys.argv[1]
    return name if name.isidentifier() else None


def assigned(option: str, text: str, known: Iterable[str], example: str) -> tuple[str, str]:
    """`tas=K` -> (`tas`, `K`) of an option that names a variable, in any case; refuses an unknown one."""
    name, equals, value = text.partition("=")
    found = {each.lower(): each for each in known}.get(name.strip().lower())
    if not (equals and value.strip()):
        form = "VARIABLE=UNIT" if option == "--unit" else "VARIABLE=HEADER"
        raise SettingsError(f"{option} {text}: expected {form}, such as {example}")
    if found is None:
        raise SettingsError(f"{option} {text}: unknown variable {name.strip()!r}; known: {', '.join(known)}")
    return found, value.strip()


def exit_code(
    work: Callable[[], int],
    *,
    stopped: str = "nothing was switched",
    opening: Callable[[], None] = _options.say_settings,
) -> int:
    """Run a job; every failure becomes one sentence and its exit code. SIGTERM ends it as Ctrl-C does.

    stopped : what an interruption left, for its message
    opening : says the first line of the log
    """
    logs.start(settings.log_format(), job=_job())
    _stop.clear()
    unraisable, sys.unraisablehook = sys.unraisablehook, _silent(sys.unraisablehook)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it ignored
            signal.signal(signal.SIGINT, _interrupt)
    try:
        opening()
        return work()
    except SettingsError as err:
        log.error("refused: %s", masked(str(err)))
        return REFUSED
    except EngineError as err:
        log.error("failed: %s", masked(str(err)))
        return FAILED
    except Exception as err:
        # a fault of ours: still one sentence and a code, with the traceback for whoever mends it
        log.error("failed unexpectedly: %s: %s", type(err).__name__, masked(str(err)), exc_info=True)
        return FAILED
    except KeyboardInterrupt:
        _stop.clear()
        log.error("interrupted: %s", stopped)
        return INTERRUPTED
    finally:
        _options.release()
        sys.unraisablehook = unraisable


def _interrupt(_signal: int, _frame: object) -> None:
    _stop.set()
    raise KeyboardInterrupt


def _silent(hook: Callable[[sys.UnraisableHookArgs], object]) -> Callable[[sys.UnraisableHookArgs], object]:
    """Without the traceback of a signal that Python dropped: `_go_on` sees to it."""
    return lambda said: None if said.exc_type is KeyboardInterrupt and _stop.is_set() else hook(said)


def _go_on() -> None:
    """Stop where a signal came while Python could not raise: it drops what is raised in the callback of a weak
    reference or in a `__del__`, and the job would go on."""
    if _stop.is_set():
        raise KeyboardInterrupt


class CellProgress(Protocol):
    """How far a batch is. Rate and remaining time count from the latest `announce`: not from before, not compiling."""

    def __call__(self, done: int, total: int) -> None:
        """So many cells are done."""

    def announce(self, what: str) -> None:
        """Something begins that is worth a word."""


@contextmanager
def cell_progress(what: str) -> Iterator[CellProgress]:
    """Progress as a bar on a terminal, elsewhere as a line every ten seconds."""
    if logs.is_json() or not sys.stderr.isatty():
        yield _Lines(what)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _Bar(bar, what)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} cells/s" if task.speed else "")


class _Bar:
    def __init__(self, bar: Progress, what: str) -> None:
        self._bar, self._what = bar, what
        self._task = bar.add_task(what, total=None)

    def __call__(self, done: int, total: int) -> None:
        _go_on()
        self._bar.update(self._task, completed=done, total=total)

    def announce(self, what: str) -> None:
        task = self._bar.tasks[0]
        description = f"{self._what}: {what}"
        self._bar.reset(self._task, total=task.total, completed=int(task.completed), description=description)


class _Lines:
    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._last = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        _go_on()
        now = time.monotonic()
        if self._first is None:
            self._first = done
        if done < total and now - self._last < QUIET:
            return
        self._last = now
        rate = (done - self._first) / max(now - self._started, 1e-9)
        left = f", {(total - done) / rate:,.0f} s left" if rate > 0 and done < total else ""
        log.info("%s: %d of %d cells, %s cells/s%s", self._what, done, total, f"{rate:,.0f}", left)

    def announce(self, what: str) -> None:
        log.info("%s: %s", self._what, what)
        self._started = time.monotonic()
