"""File of settings: one, found here and checked before it is read.

It is the one that `ENV_FILE` names, else `.env` in the working directory, else `.env` in ENGINE_HOME; never two. For
this ENGINE_HOME is that of the environment alone, or `.engine`: a file cannot say where it is itself.
"""

from __future__ import annotations

import io
import os
import re
import stat
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from engine.core.address import masked, shown
from engine.core.errors import SettingsError

NAME = ".env"
#: names the file of settings; in the environment alone
NAMED = "ENV_FILE"
DEFAULT_HOME = ".engine"
ENCODING = "utf-8-sig"  # editors of Windows put a byte order mark before the first name
#: bytes; a file of settings is a page
_LARGEST = 1_000_000
_SHOWN = 200  # characters of a path
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find() -> Path | None:
    """The file of settings, None where there is none.

    raises : SettingsError when the file that `ENV_FILE` names is not there, or none can be looked for
    """
    if named := os.environ.get(NAMED):
        path = expanded(named, NAMED)
        if not _is_file(path):
            problem = f"{NAMED} names {shown(named[:_SHOWN])}, which is no file"
            raise SettingsError(f"{problem}: set {NAMED} or --env-file to one that exists")
        return path
    return next((path for folder in _folders() if _is_file(path := folder / NAME)), None)


def described() -> str:
    """One line for the log: which file is used, or where none was found."""
    path = find()
    if path is None:
        places = " or ".join(str(folder.absolute()) for folder in _folders())
        return f"settings: the environment alone, there is no {NAME} in {places}"
    return f"settings: {path.absolute()}, then the environment"


def expanded(text: str, setting: str) -> Path:
    """A path as it is written in settings, where no shell has replaced `~`.

    raises : SettingsError for a home folder that nobody knows, and for an address with a password: paths are shown
    """
    if masked(text) != text:
        raise SettingsError(f"{setting} holds an address with a password, and the path of a file or folder is wanted")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise SettingsError(
            f"{setting} begins with ~, but nobody knows that home folder: write the whole path"
        ) from None


def require_text(path: Path) -> None:
    """Refuse a file of settings or a secret that is no text in UTF-8, by its line; an absent one is none."""
    if not _is_file(path):
        return
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise SettingsError(f"{path} holds {size:,} bytes, which is no file of settings: at most {_LARGEST:,}")
        read = path.read_bytes()
    except OSError as err:
        raise SettingsError(f"{path} cannot be read: {err.strerror}") from None
    try:
        read.decode()
        at = read.find(b"\0")  # UTF-16 without its mark
    except UnicodeDecodeError as err:
        at = err.start
    if at >= 0:
        line = read.count(b"\n", 0, at) + 1
        raise SettingsError(f"{path}, line {line}: it is not UTF-8; save the file as UTF-8")


def names_in(path: Path | None, known: frozenset[str]) -> list[str]:
    """The names that a file sets, as they are written there; `known` and errors as of `lines_in`."""
    return [name for name, _ in _bindings(path, known)]


def lines_in(path: Path | None, known: frozenset[str]) -> dict[str, int]:
    """Name in lower case -> the line that sets it: of several the last, which counts.

    known  : names of settings, in lower case
    raises : SettingsError for a line that says nothing: what it was to set would be left out without a word. The
             sentence holds the line's number and never its text, which may be a password
    """
    return {name.lower(): line for name, line in _bindings(path, known)}


def _bindings(path: Path | None, known: frozenset[str]) -> list[tuple[str, int]]:
    if path is None:
        return []
    require_text(path)
    bindings = parse_stream(io.StringIO(path.read_text(ENCODING)))
    return [found for binding in bindings if (found := _read(binding, path, known)) is not None]


def _read(binding: Binding, path: Path, known: frozenset[str]) -> tuple[str, int] | None:
    """Name and line; None for blank lines and comments."""
    if not binding.error and binding.key is None:
        return None
    written = binding.original.string
    line = binding.original.line + written[: len(written) - len(written.lstrip())].count("\n")
    if binding.error or binding.key is None or not _WORD.fullmatch(binding.key):
        raise SettingsError(f"{path}, line {line}: it is not NAME=value; quotes are closed in the line they are opened")
    if binding.value is None and binding.key.lower() in known:
        raise SettingsError(f"{path}, line {line}: {binding.key} stands there without =value")
    return binding.key, line


def _folders() -> tuple[Path, Path]:
    return Path(), expanded(os.environ.get("ENGINE_HOME") or DEFAULT_HOME, "ENGINE_HOME")


def _is_file(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or err
        raise SettingsError(f"{shown(str(path)[:_SHOWN])} cannot be looked at: {why}") from None
    return stat.S_ISREG(mode) or path == Path(os.devnull)
