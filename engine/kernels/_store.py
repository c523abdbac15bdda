"""The folder of compiled kernels: where it lies, who may fill it, and how a file gets in and out whole.

Files are written aside and renamed, and never changed, so processes that start together lose nothing; a file whose
checksum is wrong counts as absent. Whatever goes wrong here costs the time to compile and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

log = logging.getLogger("engine")

OFF = "off"
#: folders of other versions that are kept beside the one in use
KEEP_OTHERS = 3
_KEY_FORM = re.compile("[0-9a-f]{16}")
_MAGIC = b"climate-risk-engine kernel 1\n"
_HEAD = len(_MAGIC) + 32
#: seconds that this process waits for another one to compile before it compiles for itself
_patience = 300.0


def roots(chosen: str | None) -> list[Path]:
    """Folders of all versions, in the order they are tried: `chosen`, else KERNEL_CACHE; then the user's own cache.

    The second is for an image whose folder was filled on another kind of processor and is read-only now.
    """
    said = (chosen or os.environ.get("KERNEL_CACHE") or "").strip()
    if said.lower() == OFF:
        return []
    return [path for path in (Path(os.path.expanduser(said)).absolute() if said else None, _of_user()) if path]  # noqa: PTH111


def _of_user() -> Path | None:
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute():  # a relative one is to be ignored, says its specification
        home = os.path.expanduser("~")  # noqa: PTH111 (Path.expanduser raises for a user without a home)
        if not Path(home).is_absolute():
            return None
        base = f"{home}/.cache"
    return Path(base, "climate-risk-engine", "kernels")


def prepare(folder: Path) -> bool:
    """Make the folder of a version; False when it is of no use: it cannot be made, others may write to it or replace
    it, or it is neither filled nor to be written."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        safe = all(_ours(path.stat()) for path in (folder, folder.parent))
    except OSError as err:
        _not_kept(folder, err.strerror or str(err))
        return False
    if not safe:
        log.warning("kernels are not taken from %s: other users can write to it", folder)
        return False
    if not os.access(folder, os.W_OK) and not any(folder.glob("complete-*")):
        _not_kept(folder, "it cannot be written")
        return False
    with contextlib.suppress(OSError):
        os.utime(folder)  # says when it was last used
    return True


def _ours(state: os.stat_result) -> bool:
    """Check whether nobody but this user and root can change a file or folder: an entry is code that would run here."""
    others = state.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not state.st_mode & stat.S_ISVTX
    return not others and state.st_uid in (0, os.geteuid())


def complete(folder: Path, group: str) -> bool:
    """Check whether a process has filled the folder with the kernels of a group."""
    return (folder / f"complete-{group}").is_file()


def finish(folder: Path, group: str) -> None:
    """Say that the kernels of a group are there; remove the folders of other versions but for the ones used last."""
    if not write(folder / f"complete-{group}", b""):
        return
    with contextlib.suppress(OSError):
        # the folder above may be anybody's choice: nothing is touched that was not made here
        made_here = (lock.parent for lock in folder.parent.glob("*/lock"))
        others = [other for other in made_here if _KEY_FORM.fullmatch(other.name) and other != folder]
        for other in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True)[KEEP_OTHERS:]:
            shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def locked(folder: Path, announce: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a folder; go on without it when it cannot be had: two processes then compile the same.

    announce : told when this process has to wait for another one
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context((folder / "lock").open("a"))
            _wait(file.fileno(), announce)
        except OSError as err:  # read-only, another owner, or a file system without locks
            log.debug("no lock in %s: %s", folder, err)
        yield


def _wait(lock: int, announce: Callable[[str], None]) -> None:
    global _patience
    give_up, told = time.monotonic() + _patience, False
    while not _taken(lock):
        if time.monotonic() >= give_up:
            _patience = 0.0  # whoever holds it has stopped: it is not waited for again
            return
        if not told:
            announce("waiting for another process that compiles the kernels")
            told = True
        time.sleep(0.1)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        if err.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def read(path: Path) -> bytes | None:
    """Content of a file; None when it is absent, cannot be read, or was damaged."""
    try:
        with path.open("rb") as file:
            if not _ours(os.fstat(file.fileno())):
                log.warning("a cached kernel is compiled again, it belongs to another user: %s", path)
                return None
            content = file.read()
    except OSError:
        return None
    body = content[_HEAD:]
    if content[:_HEAD] != _MAGIC + hashlib.sha256(body).digest():
        log.warning("a cached kernel is damaged and is compiled again: %s", path)
        return None
    return body


def write(path: Path, body: bytes) -> bool:
    """Write a file aside and rename it; False when that cannot be done (read-only, other owner, full disk)."""
    aside = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            aside = Path(file.name)
            file.write(_MAGIC + hashlib.sha256(body).digest() + body)
            os.fchmod(file.fileno(), 0o444)
        aside.replace(path)
    except OSError as err:
        if aside is not None:
            with contextlib.suppress(OSError):
                aside.unlink()
        _not_kept(path.parent, err.strerror or str(err))
        return False
    return True


@cache
def _not_kept(folder: Path, why: str) -> None:
    log.info("compiled kernels are not kept in %s: %s", folder, why)
