"""The server process: found, started, stopped. Nothing is believed of a pid file that the process table denies."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from engine.core.errors import EngineError
from engine.io.db.embedded.account import Account, environment
from engine.io.db.embedded.address import SOCKET
from engine.io.db.embedded.binaries import Programs
from engine.io.db.embedded.files import open_private

log = logging.getLogger("engine")

#: seconds: of a recovery; of a stop in order, and then of one at once; of what passes by itself
_READY, _FAST, _IMMEDIATE, _PASSING = 300.0, 60.0, 10.0, 10.0
#: what the children of a server that was killed hold until they end; a server whose starter was killed beside it
_PASSING_WORDS = ("still in use", "already exists")
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    # relative to the data folder, which is 0700: no path is too long for it, and none needs quoting
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A server process that lives.

    is_ours : it was started here, and not by version 0.1, which listens elsewhere
    """

    pid: int
    is_ready: bool
    is_ours: bool


def find(data: Path) -> Postmaster | None:
    """The server of a data folder, if it lives and this process can see it."""
    lines = _lines(data / "postmaster.pid") or []
    pid = _pid(lines)
    if pid is None or not _serves(pid, data):
        return None
    lines += [""] * 8  # it grows while the server starts
    return Postmaster(pid, lines[7] == "ready", lines[4] in ("", "."))


def answers(folder: Path) -> bool:
    """Check whether a server answers there: also one in another container, whose process is not seen here."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fsencode(folder / SOCKET))
        except BlockingIOError:  # so many wait that the queue is full
            return True
        except OSError:
            return False
    return True


def start(data: Path, programs: Programs, account: Account) -> None:
    """Start the server and wait until it takes connections.

    raises : EngineError with the server's own words
    """
    log_file = data.with_name("postgres.log")
    give_up = time.monotonic() + _PASSING
    while not (find(data) and wait_ready(data)) and (reason := _try(data, programs, account, log_file)):
        if not any(words in reason for words in _PASSING_WORDS) or time.monotonic() > give_up:
            free = shutil.disk_usage(data).free / 1e9
            raise EngineError(
                f"the embedded PostgreSQL in {data} did not start ({free:.1f} GB free; {log_file}): {reason}"
            )
        time.sleep(0.1)


def wait_ready(data: Path) -> bool:
    """Wait for a server that is starting or stopping; False when it ends.

    raises : EngineError after five minutes
    """
    if not _within(_READY, lambda: (found := find(data)) is None or found.is_ready):
        raise EngineError(
            f"the embedded PostgreSQL in {data} is not ready after {_READY:.0f} s: see {data.with_name('postgres.log')}"
        )
    return find(data) is not None


def stop(data: Path) -> None:
    """Stop the server if it runs; clients are cut off."""
    for word, patience in ((signal.SIGINT, _FAST), (signal.SIGQUIT, _IMMEDIATE)):
        found = find(data)
        if found is None:
            return
        try:
            os.kill(found.pid, word)
        except ProcessLookupError:
            return
        except PermissionError as err:  # root without CAP_KILL
            log.warning("the embedded PostgreSQL in %s cannot be stopped: %s", data, err.strerror)
            return
        if _within(patience, lambda: find(data) is None):
            return
        log.warning("the embedded PostgreSQL in %s did not stop within %.0f s", data, patience)


def _try(data: Path, programs: Programs, account: Account, log_file: Path) -> str | None:
    """Start once; what went wrong, None when the server is ready."""
    _drop_stale(data)
    settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
    command = [*account.prefix, programs.path("postgres"), "-D", str(data), *settings]
    with os.fdopen(open_private(log_file, os.O_WRONLY | os.O_APPEND), "ab") as output:
        before = output.tell()
        process = subprocess.Popen(  # noqa: S603 (our own command)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(),
            start_new_session=True,  # Ctrl-C is for us, and we stop the server in order
        )
        # takes note of its end, which may be long after ours
        threading.Thread(target=process.wait, name="postmaster", daemon=True).start()
        try:
            is_decided = _within(_READY, lambda: process.returncode is not None or _is_ready(data, process.pid))
        except BaseException:  # Ctrl-C: nobody will use it
            process.send_signal(signal.SIGINT)
            raise
        if process.returncode is None:
            return None if is_decided else f"not ready after {_READY:.0f} s"
    with log_file.open("rb") as told:
        told.seek(before)
        said = told.read().decode(errors="replace").strip().splitlines()
    fatal = next((line for line in said if "FATAL:" in line or "PANIC:" in line), None)
    return fatal.partition(":  ")[2] if fatal else said[-1] if said else f"it ended with code {process.returncode}"


def _is_ready(data: Path, pid: int) -> bool:
    found = find(data)
    return found is not None and found.pid == pid and found.is_ready


def _drop_stale(data: Path) -> None:
    """Remove the lock files of a server that is gone when they keep a new one from starting.

    PostgreSQL itself sees to a number that is nobody's; a number that another process has got since, or none at all
    after a power cut, it takes for a server. `find` knows better.
    """
    for name in ("postmaster.pid", f"{SOCKET}.lock"):
        lines = _lines(data / name)
        if lines is not None and ((pid := _pid(lines)) is None or psutil.pid_exists(pid)):
            (data / name).unlink(missing_ok=True)


def _lines(lock_file: Path) -> list[str] | None:
    try:
        return [line.strip() for line in lock_file.read_text("utf-8", errors="replace").splitlines()]
    except FileNotFoundError:
        return None


def _pid(lines: list[str]) -> int | None:
    """Of a lock file's first line; a server in single-user mode writes it with a minus sign."""
    number = lines[0].removeprefix("-") if lines else ""
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None


def _serves(pid: int, data: Path) -> bool:
    """Check whether the process is a server of this data folder."""
    try:
        process = psutil.Process(pid)
        words = process.cmdline()
        if process.status() == psutil.STATUS_ZOMBIE or not words or Path(words[0]).name != "postgres":
            return False
        return Path(words[words.index("-D") + 1]).samefile(data)
    except (psutil.Error, OSError, ValueError, IndexError):  # no such process or folder, or no -D
        return False


def _within(patience: float, done: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + patience
    while not done():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.005)
    return True
