"""The folder of an export: written beside, renamed when it is whole, never half there."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.core.errors import SettingsError, SinkError
from engine.io.results.folder import partial_of

#: what an export is of, and its files with their sizes
RECORD = "export.json"


def is_equal(target: Path, identity: Mapping[str, Any]) -> bool:
    """Whether a folder holds this very export, every file as long as it was written."""
    record = _record(target)
    if record is None or record.get("of") != _plain(identity):
        return False
    files = record.get("files")
    return isinstance(files, dict) and files == _files(target)


def require_free(target: Path, *, force: bool) -> None:
    """Refuse a place that holds anything else.

    force  : an export that is there may be replaced; what is none may not
    raises : SettingsError with what to do
    """
    if not target.exists() and not target.is_symlink():
        return
    if not target.is_dir():
        raise SettingsError(f"--to {target} is no folder")
    if not any(target.iterdir()):
        return
    if _record(target) is None:
        raise SettingsError(f"--to {target} holds files that are no export ({RECORD} is missing): name a new folder")
    if not force:
        raise SettingsError(f"--to {target} holds another export: name a new folder, or add --force to replace it")


def place(target: Path, identity: Mapping[str, Any], write: Callable[[Path], None]) -> int:
    """Write an export into a folder beside its place, then put it there by a rename; returns its bytes.

    write  : fills the folder that it is given
    raises : SinkError, SettingsError of `write`; what was in the place before is still there
    """
    target = target.absolute()
    partial = partial_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
        write(partial)
        record = {"of": _plain(identity), "files": _files(partial)}
        (partial / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", "utf-8")
        _swap(partial, target)
    except OSError as err:
        if err.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SinkError(f"no space left for {target}; nothing was put there") from err
        raise SinkError(f"{target} cannot be written: {err}; nothing was put there") from err
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return sum(_files(target).values())


def _swap(partial: Path, target: Path) -> None:
    if not target.exists():
        partial.rename(target)
        return
    old = partial.with_suffix(".old")
    target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _record(target: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((target / RECORD).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _files(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != RECORD
    }


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))
