"""Face of every public kernel: options are checked, a single series is one cell, labels are kept where they can be.

A series without the axis of cells is taken as one cell, and the result has no axis of cells either. A labelled input
(xarray, pandas) gives its labels to a result that is one array.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from engine.kernels import arrays

P = ParamSpec("P")
R = TypeVar("R")

#: option -> least value of a whole number
_WHOLE = {"group": 1, "span": 1, "min_kde_samples": 1, "resamples": 1, "seed": 0}
_FLAGS = ("atom", "moves", "curved", "logs")
_NUMBERS = ("lower", "rain_coefficient")
_SHARES = ("min_share",)
#: arguments that no truth values can stand for
_RATES = ("damage_rates", "draws")
#: arguments with an axis of cells
_OF_CELLS = ("x", "months", "years", "gain", "loss", "ta", "rhm", "ws", "si", "tmin", "tmax")


def checked(kernel: Callable[P, R]) -> Callable[P, R]:
    """A public kernel whose options are refused in a sentence when they are of no use."""
    signature = inspect.signature(kernel)

    @functools.wraps(kernel)
    def face(*args: P.args, **kwargs: P.kwargs) -> R:
        _refuse_options(signature.bind(*args, **kwargs).arguments)
        return kernel(*args, **kwargs)

    return face


def of_cells(name: str, axes: int = 1) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A public kernel over cells that takes one of them without its axis, too; its options are `checked`.

    name : argument that holds the cells; other arrays of the kernel lack the axis with it
    axes : of one cell: 1 for a series of samples, 2 for years of months
    """

    def faced(kernel: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(kernel)

        @functools.wraps(kernel)
        def face(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            _refuse_options(bound.arguments)
            given = bound.arguments.get(name)
            if not _is_one(given, axes):
                return kernel(*args, **kwargs)
            for other, value in bound.arguments.items():
                if other in _OF_CELLS and _is_one(value, axes):
                    bound.arguments[other] = _plain(value)[None]
                elif other == "latitude" and np.ndim(value) == 0:
                    bound.arguments[other] = [value]
            return cast("R", _without_cells(kernel(*bound.args, **bound.kwargs)))

        return face

    return faced


def labelled(kernel: Callable[P, R]) -> Callable[P, R]:
    """A public kernel, value by value, whose array has the labels of its first input, an xarray or pandas object."""
    signature = inspect.signature(kernel)

    @functools.wraps(kernel)
    def face(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        _refuse_options(bound.arguments)
        first: Any = next(iter(bound.arguments.values()))
        found: Any = kernel(*args, **kwargs)
        if np.shape(first) != np.shape(found):
            return cast("R", found)
        if hasattr(first, "dims") and hasattr(first, "coords"):
            return cast("R", type(first)(found, coords=first.coords, dims=first.dims))
        if hasattr(first, "iloc"):
            names = {"columns": first.columns} if found.ndim == 2 else {}
            return cast("R", type(first)(found, index=first.index, **names))
        return cast("R", found)

    return face


def _is_one(value: Any, axes: int) -> bool:
    """Whether an array has the axes of one cell; a list of numbers is one, a table of rows is none."""
    if value is None or isinstance(value, str) or hasattr(value, "columns"):
        return False
    named = getattr(value, "dims", ())
    if axes == 1 and isinstance(named, tuple) and len(named) == 1 and arrays.is_place(str(named[0])):
        return False
    if isinstance(value, list | tuple):
        depth, inner = 0, value
        while isinstance(inner, list | tuple) and len(inner):
            depth, inner = depth + 1, inner[0]
        return depth + np.ndim(cast("Any", inner)) == axes if depth else False
    return getattr(value, "ndim", None) == axes or (axes == 1 and hasattr(value, "to_numpy") and np.ndim(value) == 1)


def _plain(value: Any) -> Any:
    """An array of one cell with its mask and its missing values, whatever labels it has."""
    return value if isinstance(value, np.ndarray) else np.asanyarray(value)


def _without_cells(found: Any) -> Any:
    """A result of one cell without the axis of cells: arrays, and tuples and records of them."""
    if isinstance(found, np.ndarray):
        return found[0] if found.ndim and len(found) == 1 else found
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        fields = {each.name: _without_cells(getattr(found, each.name)) for each in dataclasses.fields(found)}
        return dataclasses.replace(found, **fields)
    if isinstance(found, tuple):
        parts = [_without_cells(each) for each in found]
        return type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    return found


def _refuse_options(arguments: dict[str, Any]) -> None:
    """Refuse values that no option can have: 2.5 years of a group, text for a number, a number for yes or no.

    raises : ValueError
    """
    given = dict(arguments)
    for gathered in [value for value in arguments.values() if isinstance(value, dict)]:  # **options
        given |= gathered
    for name, value in given.items():
        if name in _RATES and value is not None and np.asanyarray(value).dtype.kind == "b":
            raise ValueError(f"{name} are truth values, expected shares of value from 0 to 1")
        if name in _WHOLE:
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
            if not whole or value < _WHOLE[name]:
                raise ValueError(f"{name} is {value!r}, expected a whole number of {_WHOLE[name]} or more")
        elif name in _FLAGS and not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} is {value!r}, expected True or False")
        elif name in _NUMBERS and value is not None and not _is_number(value):
            raise ValueError(f"{name} is {value!r}, expected a number")
        elif name in _SHARES and not (_is_number(value) and 0.0 <= value <= 1.0):
            raise ValueError(f"{name} is {value!r}, expected a share from 0 to 1")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool | np.bool_)
