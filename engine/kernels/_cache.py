"""Compiled kernels on disk, so that a process finds what an earlier one compiled.

One file holds one function for one signature of its arguments. Its name is a digest of all that the machine code
depends on: the function's own byte code, that of every function it calls, the constants they use, the compiler flags
and the signature. The folder around it is named by a digest of the kernels' source files, Python, numba, llvmlite,
numpy, the processor and numba's settings. An entry is therefore never out of date, only unused.

numba's own disk cache is not used: it looks at the file of the outermost function only, so that after a change in a
helper it goes on giving the old numbers, and its index loses entries when processes start together.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.kernels import _store
from engine.kernels._digest import Unknown, digest

log = logging.getLogger("engine")

#: settings of numba that change no machine code
_NOT_CODE = {"NUMBA_NUM_THREADS", "NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES", "NUMBA_DEBUG_CACHE"}

_chosen: str | None = None
_unsaved: set[Path] = set()


def choose(where: str | None) -> None:
    """Keep compiled kernels in this folder, or nowhere when it is "off"; None: as the environment says."""
    global _chosen
    _chosen = where
    folder.cache_clear()


@cache
def folder() -> Path | None:
    """Folder of this version of the kernels; None when nothing is to be kept, or nothing can be."""
    roots = _store.roots(_chosen) if _numba_fits() else []
    return next((root / _key() for root in roots if _store.prepare(root / _key())), None)


def complete(group: str) -> bool:
    """Check whether an earlier process has compiled everything that `warm_up` calls of a group."""
    here = folder()
    return here is not None and _store.complete(here, group)


@contextlib.contextmanager
def filling(group: str, announce: Callable[[str], None]) -> Iterator[None]:
    """Compile inside: of processes that start together one does, and the others wait and find what it compiled.

    announce : told when this process has to wait for another one
    """
    here = folder()
    if here is None:
        yield
        return
    with _store.locked(here, announce):
        yield
        if not _unsaved and not _store.complete(here, group):
            _store.finish(here, group)


def keep(compiled: Any) -> None:
    """Give a compiled function its entries; without effect where numba compiles nothing (NUMBA_DISABLE_JIT)."""
    if hasattr(compiled, "_cache"):
        compiled._cache = _Entries(compiled)


class _Entries:
    """Entries that numba asks for before it compiles a function for a signature, and adds afterwards."""

    cache_path = None

    def __init__(self, function: Any) -> None:
        self._function = function

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The function for this signature, or None when it has to be compiled."""
        path = self._path(signature)
        body = None if path is None else _store.read(path)
        if body is None:
            return None
        from numba.core.compiler import CompileResult

        target.refresh()
        try:
            return CompileResult._rebuild(target, *pickle.loads(body))  # noqa: S301 (of a folder nobody else writes)
        except Exception as err:  # noqa: BLE001 (whatever it is, it costs the time to compile and nothing else)
            log.warning("a cached kernel is compiled again: %s: %s: %s", path, type(err).__name__, err)
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Keep what was compiled, unless it holds addresses of this process."""
        path = self._path(signature)
        if path is not None and not compiled.library.has_dynamic_globals and not compiled.lifted:
            from numba.core.serialize import dumps

            if not _store.write(path, dumps(compiled._reduce())):
                _unsaved.add(path)

    def _path(self, signature: Any) -> Path | None:
        here = folder()
        if here is None:
            return None
        try:
            code = digest(self._function)
        except Unknown as err:
            log.debug("%s is not kept: it uses %s", self._function.__name__, err)
            return None
        name = hashlib.sha256(code + repr(_named(signature)).encode()).hexdigest()[:32]
        return here / f"{self._function.__name__}-{name}.kernel"

    def enable(self) -> None:
        """Nothing to do: `choose` decides for all functions together."""

    disable = flush = enable


def _named(signature: Any) -> object:
    """A signature with the names of fields: machine code reaches a field of a named tuple by its place."""
    if isinstance(signature, tuple):
        return tuple(map(_named, signature))
    fields = getattr(getattr(signature, "instance_class", None), "_fields", ())
    return signature, fields, tuple(map(_named, getattr(signature, "types", ()))) if fields else ()


@cache
def _key() -> str:
    from numba.core.registry import cpu_target

    libraries = [f"{name} {version(name)}" for name in ("numba", "llvmlite", "numpy")]
    settings = sorted(f"{name}={value}" for name, value in os.environ.items() if _changes_code(name))
    processor = cpu_target.target_context.codegen().magic_tuple()
    made = hashlib.sha256(repr((sys.implementation.cache_tag, libraries, settings, processor)).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        made.update(source.name.encode() + source.read_bytes())
    return made.hexdigest()[:16]


def _changes_code(name: str) -> bool:
    return name.startswith("NUMBA_") and name not in _NOT_CODE


@cache
def _numba_fits() -> bool:
    """Check whether numba has the inner parts that the cache stands on; they are not part of its public interface."""
    try:
        from numba.core.compiler import CompileResult
        from numba.core.serialize import dumps
    except ImportError:
        return False
    return callable(dumps) and hasattr(CompileResult, "_reduce") and hasattr(CompileResult, "_rebuild")
