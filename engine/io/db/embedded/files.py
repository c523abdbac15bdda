"""Files that their owner alone can read. Root makes them for the owner of their folder, and follows nobody's links."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def open_private(path: Path, flags: int) -> int:
    """A descriptor of a file, made when absent with 0600."""
    is_new = not path.exists()
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if is_new:
        _give(descriptor, path.parent)
    return descriptor


def put(path: Path, text: str) -> None:
    """Put a file in its place in one step; does nothing when it is there with this text."""
    if path.exists() and path.read_bytes() == text.encode():
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            _give(descriptor, path.parent)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _give(descriptor: int, folder: Path) -> None:
    if os.geteuid() == 0:
        state = folder.stat()
        os.fchown(descriptor, state.st_uid, state.st_gid)
