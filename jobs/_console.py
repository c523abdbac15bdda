"""Console of a job: a bar on a terminal, plain lines elsewhere, one table and one last line; and its exit code."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from engine.core import logs, settings_files
from engine.core.errors import EngineError, RunInterrupted, SettingsError
from engine.core.names import unknown
from jobs import _called, _extras, _options, _streams
from jobs._parser import REFUSED, Parser, sentence

if TYPE_CHECKING:  # --help waits for nothing that it does not print
    from rich.console import Console

__all__ = ["COMPLETE", "FAILED", "INTERRUPTED", "PARTIAL", "REFUSED", "Parser", "sentence"]

COMPLETE, FAILED, PARTIAL, INTERRUPTED = 0, 1, 3, 130
#: seconds between two plain progress lines
QUIET = 10.0
#: columns of what is no terminal, and the fewest that a table is drawn in
_WIDE, _NARROW = 150, 40

#: jobs that run until they are stopped
_SERVERS = ("serve", "listen", "work", "embedded")

log = logging.getLogger("jobs")

#: what an interruption leaves, as a text or told by the arguments
Stopped = str | Callable[[argparse.Namespace], str]

_stop = threading.Event()


def main(
    parser: Parser,
    argv: Sequence[str] | None,
    course: Callable[[argparse.Namespace], int],
    *,
    stopped: Stopped = "nothing was switched",
    needs: Sequence[str] = (),
    opening: Callable[[], None] = _options.say_settings,
) -> int:
    """A job from its arguments to its exit code; `--help` alone leaves by SystemExit.

    course  : what it does, with the parsed arguments; it imports what it needs, so that help and refusals need not wait
    stopped : what an interruption leaves; empty: to be stopped is the regular end
    needs   : modules of an extra, looked for before the course is imported
    opening : says the first line of the log
    """
    _streams.prepare()
    start_logging()
    try:
        args = parser.parse_args(argv)
    except SystemExit as done:
        if done.code == REFUSED:
            return REFUSED
        raise

    def work() -> int:
        _extras.require(needs)
        return course(args)

    left = stopped if isinstance(stopped, str) else stopped(args)
    return exit_code(work, stopped=left, job=parser.job, words=parser.words, opening=opening)


def console() -> Console:
    """Standard output: as wide as the terminal or COLUMNS say, else wide enough for every table."""
    from jobs._spoken import SpokenConsole

    asked = os.environ.get("COLUMNS", "")
    width = max(int(asked), _NARROW) if asked.isascii() and asked.isdecimal() and 0 < len(asked) < 5 else None
    if width is None and not sys.stdout.isatty():
        width = _WIDE
    return SpokenConsole(width=width, highlight=False, soft_wrap=True)


def start_logging() -> None:
    """Messages to standard error, one a line."""
    logs.start(_form(), job=_job(), told=_reader(_job()))


def _reader(job: str | None) -> Callable[[str], str] | None:
    """Warnings are for the reader of a command; a server's lines are searched, and stay English."""
    return None if job in _SERVERS else _options.told


def _form() -> logs.Form:
    """LOG_FORMAT. Where nothing can say it the settings, which take a quarter of a second, are not imported."""
    try:
        written = settings_files.find() is not None
    except SettingsError:
        written = False
    named = any(name.lower() in ("log_format", "credentials_directory") for name in os.environ)
    if not (written or named or Path("/run/secrets").is_dir()):
        return "text"
    from engine.core import settings

    return settings.log_format()


def _job() -> str | None:
    """`yearly` of `python -m jobs.yearly`; None in a program around the jobs."""
    name = Path(sys.argv[0]).stem
    if name in ("__main__", _called.ENTRY_POINT) and len(sys.argv) > 1:  # python -m jobs yearly
        name = _called.module(sys.argv[1])
    return name if name.isidentifier() else None


def assigned(option: str, text: str, known: Iterable[str], example: str) -> tuple[str, str]:
    """`tas=K` -> (`tas`, `K`) of an option that names a variable, in any case; refuses an unknown one."""
    name, equals, value = text.partition("=")
    names = list(known)
    found = {each.lower(): each for each in names}.get(name.strip().lower())
    if not (equals and value.strip()):
        form = "VARIABLE=UNIT" if option == "--unit" else "VARIABLE=HEADER"
        raise SettingsError(f"{option} {text}: expected {form}, such as {example}")
    if found is None:
        raise SettingsError(f"{option} {text}: {unknown('variable', name.strip(), names)}")
    return found, value.strip()


def exit_code(
    work: Callable[[], int],
    *,
    stopped: str = "nothing was switched",
    job: str = "",
    words: Sequence[str] = (),
    opening: Callable[[], None] = _options.say_settings,
) -> int:
    """Run a job; every failure becomes one sentence and its exit code. SIGTERM ends it as Ctrl-C does.

    stopped : what an interruption left, for its message
    job     : its name, and with what words it was called
    opening : says the first line of the log
    """
    _streams.prepare()
    logs.start(_form(), job=job or _job(), told=_reader(job or _job()))
    _stop.clear()
    unraisable, sys.unraisablehook = sys.unraisablehook, _silent(sys.unraisablehook)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else somebody wants it ignored
            signal.signal(signal.SIGINT, _interrupt)
    try:
        code = _ended(work, opening, stopped, job, words)
    finally:
        _options.release()
        sys.unraisablehook = unraisable
    if (fault := _streams.fault()) and code == COMPLETE:
        log.error("failed: standard output could not be written: %s", fault)
        return FAILED
    return code


def _ended(work: Callable[[], int], opening: Callable[[], None], stopped: str, job: str, words: Sequence[str]) -> int:
    try:
        opening()
        return work()
    except SettingsError as err:
        log.error("%s", _options.told(f"refused: {sentence(str(err))}"))
        return REFUSED
    except EngineError as err:
        log.error("%s", _options.told(f"failed: {sentence(str(err))}"))
        return FAILED
    except Exception as err:
        if isinstance(err, ModuleNotFoundError) and (extra := _extras.missing(err)):
            log.error("%s", _options.told(f"refused: {_extras.sentence(extra, job)}"))
            return REFUSED
        # a fault of ours: still one sentence and a code, with the traceback for whoever mends it
        log.error("failed unexpectedly: %s: %s", type(err).__name__, sentence(str(err)), exc_info=True)
        return FAILED
    except RunInterrupted as err:
        _stop.clear()
        log.error("%s", _options.told(f"interrupted: {_left(err, job, words)}"))
        return INTERRUPTED
    except KeyboardInterrupt:
        _stop.clear()
        if not stopped:
            return COMPLETE
        log.error("%s", _options.told(f"interrupted: {stopped}"))
        return INTERRUPTED


def resume_line(job: str, run_id: int, words: Sequence[str] = ()) -> str:
    """The command that goes on with a run that was stopped.

    words : with which it was started, for they must be the same
    """
    kept = list(words)
    while "--resume" in kept:
        del kept[(at := kept.index("--resume")) : at + 2]
    kept = [word for word in kept if not word.startswith("--resume=")]
    from jobs import _look

    return sentence(_look.resume(shlex.join(["python", "-m", f"jobs.{job}", *kept, "--resume", str(run_id)])))


def _left(err: RunInterrupted, job: str, words: Sequence[str]) -> str:
    """State that the interruption of a batch left."""
    if err.switched:
        return f"run {err.run_id} is published"
    if err.switching:
        return (
            f"run {err.run_id} was just being published, whole or not at all: python -m jobs.status tells;"
            f" if it is not, go on with: {resume_line(job, err.run_id, words)}"
        )
    return f"nothing was switched; go on with run {err.run_id}: {resume_line(job, err.run_id, words)}"


def _interrupt(_signal: int, _frame: object) -> None:
    _stop.set()
    raise KeyboardInterrupt


def _silent(hook: Callable[[sys.UnraisableHookArgs], object]) -> Callable[[sys.UnraisableHookArgs], object]:
    """Without the traceback of a signal that Python dropped: `go_on` sees to it."""
    return lambda said: None if said.exc_type is KeyboardInterrupt and _stop.is_set() else hook(said)


def go_on() -> None:
    """Stop where a signal came while Python could not raise: it drops what is raised in the callback of a weak
    reference or in a `__del__`, and the job would go on."""
    if _stop.is_set():
        raise KeyboardInterrupt


class CellProgress(Protocol):
    """Progress of a batch. Rate and remaining time count from the latest `announce`: not from before, not compiling."""

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
    from jobs import _bar

    with _bar.of_cells(what, go_on) as bar:
        yield bar


@contextmanager
def load_progress() -> Iterator[LoadProgress]:
    """Progress of loaders: a bar on a terminal, elsewhere a line for every table that is loaded."""
    if logs.is_json() or not sys.stderr.isatty():
        yield load_lines()
        return
    from jobs import _bar

    with _bar.of_tables() as bar:
        yield bar


def load_lines() -> LoadProgress:
    """A line for every table that is loaded; none for what is up to date, which loaders do not name."""
    said = {""}

    def line(what: str, done: int = 0, total: int = 0) -> None:  # noqa: ARG001 (the loaders' signature)
        if what not in said:
            said.add(what)
            log.info("loading %s", what)

    return line


class LoadProgress(Protocol):
    """Step of a load, empty when a table is done or needs nothing; how many tables or files are done, of all."""

    def __call__(self, what: str, done: int = 0, total: int = 0) -> None: ...


class _Lines:
    def __init__(self, what: str) -> None:
        self._what = what
        self._started = self._last = time.monotonic()
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        go_on()
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
