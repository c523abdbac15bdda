"""Socket folder of the server: its data folder, reached through a short private one when the path does not fit."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from engine.core.errors import EngineError

SOCKET = ".s.PGSQL.5432"
#: bytes of a socket's path: 107 on Linux, 103 on macOS
_MOST = 103 - len(f"/{SOCKET}")


def socket_folder(data: Path) -> Path:
    """The folder that clients name as host: `data`, or a link to it, made when it is not there.

    The server itself binds a relative path, so no path is too long or too odd for it.
    raises : EngineError when the path does not fit and no link can be made
    """
    return data if _fits(data) else _link(data)


def url(folder: Path, database: str, passwords: Path | None = None) -> str:
    """Address of a database; `passwords` is libpq's password file, for servers that ask."""
    more = "" if passwords is None else f"&passfile={quote(str(passwords))}"
    # with the port, or PGPORT would be taken
    return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(folder))}&port=5432{more}"


def forget(data: Path) -> None:
    """Remove the link that `socket_folder` has made."""
    if not _fits(data):
        for place in _places(data):
            if _is_private(place):
                with suppress(OSError):
                    (place / "pg").unlink()
                    place.rmdir()


def _fits(folder: Path) -> bool:
    """Check whether libpq takes the path as it is: short, one host (a comma parts two), and text."""
    name = os.fsencode(folder)
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(name) <= _MOST and b"," not in name


def _link(data: Path) -> Path:
    places = [place for place in _places(data) if _fits(place / "pg")]
    for place in places:
        with suppress(OSError):
            place.mkdir(mode=0o700, exist_ok=True)
            if not _is_private(place):  # somebody else was here first
                continue
            link = place / "pg"
            if not link.is_symlink() or link.readlink() != data:
                link.unlink(missing_ok=True)
                link.symlink_to(data)
            return link
    raise EngineError(
        f"the path of ENGINE_HOME does not fit a socket (at most {_MOST} bytes, no comma) and no short folder can be"
        f" made in {' or '.join(sorted({str(place.parent) for place in _places(data)}))}: set ENGINE_HOME to a"
        f" shorter path than {data.parent}"
    )


def _places(data: Path) -> Iterator[Path]:
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:12]
    for base in dict.fromkeys((os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp")):  # noqa: S108 (private)
        if Path(base).is_absolute():
            yield Path(base, f"climate-risk-{os.geteuid()}-{digest}")


def _is_private(folder: Path) -> bool:
    """A folder, not a link to one, that nobody else can write to or look into."""
    try:
        state = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(state.st_mode) and state.st_uid == os.geteuid() and not state.st_mode & 0o077
