"""Files, folders and servers that arguments name, looked at before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

from engine.core import address
from engine.core.errors import SettingsError


def folder(option: str, path: Path | None) -> None:
    """Refuse what is no folder."""
    if path is not None and not _is(path, "is_dir"):
        raise SettingsError(f"{option} {path} {'is no folder' if _is(path, 'exists') else 'does not exist'}")


def file(option: str, path: Path | None) -> None:
    """Refuse what is no file, or cannot be read."""
    if path is None:
        return
    exists(option, path)
    if _is(path, "is_dir"):
        raise SettingsError(f"{option} {path} is a folder, name a file")
    if not os.access(path, os.R_OK):
        raise SettingsError(f"{option} {path}: it cannot be read, permission denied")


def exists(option: str, path: Path) -> None:
    """Refuse what is not there, file or folder."""
    if not _is(path, "exists"):
        raise SettingsError(f"{option} {path} does not exist")


def new_folder(option: str, path: Path) -> None:
    """Refuse a folder to write into that cannot be made or written."""
    if _is(path, "exists") and not _is(path, "is_dir"):
        raise SettingsError(f"{option} {path} is no folder")
    _writable(option, path, path)


def new_file(option: str, path: Path) -> None:
    """Refuse a file to write whose folder is not there or cannot be written."""
    if _is(path, "is_dir"):
        raise SettingsError(f"{option} {path} is a folder, name a file")
    if not _is(path.parent, "is_dir"):
        raise SettingsError(f"{option} {path}: its folder does not exist")
    _writable(option, path, path.parent)


def server(option: str, text: str | None) -> None:
    """Refuse what is no address of a PostgreSQL server."""
    if text is not None:
        address.require(text, option)


def server_or_folder(option: str, text: str | None) -> None:
    """Refuse what is neither an address nor a folder that is there."""
    if text is None or _is(Path(text), "is_dir"):
        return
    if not address.is_address(text):
        raise SettingsError(f"{option}: {address.shown(text)} is neither a PostgreSQL address nor a directory")
    address.require(text, option)


def _writable(option: str, path: Path, into: Path) -> None:
    """The innermost folder that is there must take something new."""
    there = next(each for each in (into.absolute(), *into.absolute().parents) if _is(each, "exists"))
    if not there.is_dir():
        raise SettingsError(f"{option} {path}: {there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SettingsError(f"{option} {path}: {there} cannot be written, permission denied")


def _is(path: Path, what: str) -> bool:
    try:
        return bool(getattr(path, what)())
    except OSError:  # a name that is too long, a folder that must not be looked into
        return False
