"""A digest of all that the machine code of a compiled function depends on, taken from the loaded code itself.

Source files and their times would not do: they may have changed since they were imported, and a byte code file may
be older than both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), np.generic)


class Unknown(Exception):
    """A function uses something of which a digest cannot be told."""


def digest(compiled: Any) -> bytes:
    """Digest of a compiled function, of the functions it calls, and of the constants that they use.

    raises : Unknown for a constant of another kind than numbers, text, arrays, tuples of these, types and functions
    """
    seen: set[int] = set()
    made = hashlib.sha256()
    for part in _parts(compiled, seen):
        made.update(repr(part).encode())
    return made.digest()


def _parts(value: Any, seen: set[int]) -> Iterator[object]:
    if isinstance(value, _PLAIN):
        yield type(value).__name__, value
    elif isinstance(value, tuple | frozenset):
        yield type(value).__name__, len(value)
        for each in sorted(value, key=repr) if isinstance(value, frozenset) else value:
            yield from _parts(each, seen)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield value.dtype.str, value.shape, value.tobytes()
    elif isinstance(value, ModuleType | BuiltinFunctionType):
        yield value.__name__
    elif hasattr(value, "py_func") and hasattr(value, "targetoptions"):  # a compiled function
        yield sorted((name, _ordered(option)) for name, option in value.targetoptions.items())
        yield from _parts(value.py_func, seen)
    elif isinstance(value, FunctionType):
        yield from _function(value, seen)
    elif hasattr(value, "_defn"):  # a function that writes machine code itself
        yield from _parts(value._defn, seen)
    elif isinstance(value, type):
        yield value.__module__, value.__qualname__, getattr(value, "_fields", None)
    elif type(value).__module__.partition(".")[0] in ("numba", "numpy"):
        yield type(value).__qualname__, repr(value)
    else:
        raise Unknown(f"a constant of type {type(value).__qualname__}")


def _ordered(option: object) -> object:
    return sorted(option) if isinstance(option, set) else option


def _function(function: FunctionType, seen: set[int]) -> Iterator[object]:
    yield function.__module__, function.__qualname__
    # numba and numpy are part of the folder's name, by their versions
    if id(function) in seen or function.__module__.partition(".")[0] in ("numba", "numpy", "llvmlite"):
        return
    seen.add(id(function))
    yield from _parts(function.__defaults__, seen)
    for cell in function.__closure__ or ():
        yield from _parts(cell.cell_contents, seen)
    yield from _code(function.__code__, function.__globals__, seen)


def _code(code: CodeType, names: dict[str, Any], seen: set[int]) -> Iterator[object]:
    yield code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant, names, seen)
        else:
            yield from _parts(constant, seen)
    for name in code.co_names:
        if name not in names:  # a builtin, or an attribute of something below
            continue
        value = names[name]
        yield name
        yield from _parts(value, seen)
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in ("numba", "numpy", "math"):
            for attribute in code.co_names:
                if hasattr(value, attribute):
                    yield attribute
                    yield from _parts(getattr(value, attribute), seen)
