"""Folder of run directories: local, or anything that fsspec reaches (`s3://bucket/runs`).

Any number of processes may write at once, even the same name: a file appears whole or not at all.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from engine.core.errors import SettingsError, SinkError

#: stores of objects: no folders to make (making one would make a mistyped bucket)
_WITHOUT_FOLDERS = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"}


class Folder(Protocol):
    """Files by name, relative to the root. All methods raise SinkError when the place fails."""

    def write(self, name: str, data: bytes) -> None:
        """Put a file in place in one step."""
        ...

    def read(self, name: str) -> bytes: ...
    def local(self, name: str) -> Path:
        """A path on this machine that holds the file; it must not change any more."""
        ...

    def size(self, name: str) -> int | None:
        """Bytes, as of now; None without such a file."""
        ...

    def names(self) -> list[str]:
        """Entries of the root itself."""
        ...


def open_folder(root: Path | str) -> Folder:
    """The folder of a path or URL, which need not exist.

    raises : SettingsError for a URL that no installed driver serves, or that holds credentials
    """
    if "://" not in (text := str(root)):
        return LocalFolder(Path(root))
    try:
        parts = urlsplit(text)
    except ValueError as err:  # a bracket that is not closed
        raise SettingsError(f"the run directory is a URL that cannot be read: {err}") from None
    if "@" in parts.netloc:
        raise SettingsError(
            f"run directory {parts.scheme}://...@{parts.netloc.rpartition('@')[2]}: credentials do not belong there; "
            "each process takes its own from its environment"
        )
    return LocalFolder(Path(unquote(parts.path))) if parts.scheme == "file" else RemoteFolder(text)


@dataclass(frozen=True)
class LocalFolder:
    """A folder of this machine, or of a file server that all machines mount."""

    root: Path

    def write(self, name: str, data: bytes) -> None:
        target = self.root / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._replace(target, data)
        except OSError as err:
            if err.errno in (errno.ENOSPC, errno.EDQUOT):
                free = shutil.disk_usage(self.root).free / 1e9
                raise SinkError(f"no space left in {self.root} ({free:.2f} GB free) for {name}") from err
            raise SinkError(f"{name} could not be written to {self.root}: {err}") from err

    def _replace(self, target: Path, data: bytes) -> None:
        partial = partial_of(target)
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        folder = os.open(target.parent, os.O_RDONLY)  # the rename itself must survive a power cut
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str) -> bytes:
        try:
            return (self.root / name).read_bytes()
        except OSError as err:
            raise SinkError(f"{name} could not be read from {self.root}: {err}") from err

    def local(self, name: str) -> Path:
        return self.root / name

    def size(self, name: str) -> int | None:
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def names(self) -> list[str]:
        return [entry.name for entry in self.root.iterdir()] if self.root.is_dir() else []


def partial_of(target: Path) -> Path:
    """Temporary name of a file on its way; no other process uses it."""
    return target.with_name(f".{target.name}.{socket.gethostname()}-{os.getpid()}.partial")


class RemoteFolder:
    """A place behind fsspec. A file server's or object store's put is whole or not at all by itself."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cache: Path | None = None
        self._has_folders = urlsplit(url).scheme not in _WITHOUT_FOLDERS
        try:
            fsspec: Any = import_module("fsspec")
            # other processes write here: what was listed a moment ago says nothing
            self._files, self._path = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as err:
            raise SettingsError(f"run directory {url}: {err}") from err

    def write(self, name: str, data: bytes) -> None:
        target = f"{self._path}/{name}"
        with self._failures(f"{name} could not be written"):
            if self._has_folders:
                self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(target, data)

    def read(self, name: str) -> bytes:
        with self._failures(f"{name} could not be read"):
            return bytes(self._files.cat_file(f"{self._path}/{name}"))

    def local(self, name: str) -> Path:
        """Fetched once, into a temporary folder that goes with this object: a load reads every block many times."""
        if self._cache is None:
            self._cache = Path(tempfile.mkdtemp(prefix="engine-run-"))
            weakref.finalize(self, shutil.rmtree, self._cache, ignore_errors=True)
        target = self._cache / name
        if not target.is_file():
            with self._failures(f"{name} could not be fetched to {self._cache}"):
                target.parent.mkdir(parents=True, exist_ok=True)
                descriptor, partial = tempfile.mkstemp(dir=target.parent)  # two threads may want the same file
                os.close(descriptor)
                self._files.get_file(f"{self._path}/{name}", partial)
                Path(partial).replace(target)
        return target

    def size(self, name: str) -> int | None:
        path = f"{self._path}/{name}"
        with self._failures(f"{name} could not be looked up"):
            return int(self._files.size(path)) if self._files.exists(path) else None

    def names(self) -> list[str]:
        with self._failures("it could not be listed"):
            if not self._files.exists(self._path):
                return []
            return [str(path).rstrip("/").rpartition("/")[2] for path in self._files.ls(self._path, detail=False)]

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        """Each driver has exceptions of its own kind; all of them become one sentence."""
        try:
            yield
        except Exception as err:
            lines = str(err).strip().splitlines() or [type(err).__name__]
            raise SinkError(f"{self._url}: {what}: {lines[0]}") from err
