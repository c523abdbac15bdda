"""Plain arrays of the inputs of public kernels: missing is NaN, cells come first, time comes last.

Every kind of array says in its own way what is missing (a mask, null, `pd.NA`, None), and `np.asarray` forgets a mask.
Some kinds name their dimensions: those are put in order by name. A bare array is taken as it is. Kinds are told by what
they offer, so none of the libraries that make them is imported here. C cells, T times.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]

#: dimension names that stand for samples of a cell, by their place: years before months before days
_TIMES = (
    {"time", "times", "t", "date", "dates", "datetime", "year", "years", "yr", "period", "scenario", "sample"},
    {"month", "months"},
    {"day", "days", "dayofyear"},
)
_ABSENT = {"NAType", "MaskedConstant"}  # pd.NA, np.ma.masked
_YEARS = range(1800, 2301)  # what counts as a calendar year
_NUMBER_KINDS = "fiub"


def numbers(values: ArrayLike, what: str) -> Array:
    """An array of numbers in the order of its axes; what is missing becomes NaN.

    values  : any array, masked or nullable or labelled, or nested lists; a plain array of numbers is returned as it is
    what    : name of the argument, for messages
    returns : float32 stays float32; integers with missing values become float64
    raises  : ValueError when something is no number
    """
    if type(values) is np.ndarray and values.dtype.kind in _NUMBER_KINDS:
        return values
    if isinstance(values, list | tuple) and not all(isinstance(item, int | float | np.number) for item in values):
        return np.array([numbers(item, what) for item in values])
    array = np.asanyarray(values)  # not asarray, which drops the mask
    data, hidden = np.ma.getdata(array), np.ma.getmaskarray(array)
    if array.dtype.kind == "O":
        return _from_objects(data, hidden, what)
    if array.dtype.kind not in _NUMBER_KINDS:
        raise ValueError(f"{what} must be numbers, got {array.dtype} {array.shape}")
    if not hidden.any():
        return np.asarray(data)
    filled = data.astype(data.dtype if data.dtype.kind == "f" else np.float64)
    filled[hidden] = np.nan
    return filled


def by_cell(values: ArrayLike, what: str) -> Array:
    """`numbers` with the cells first and time last, whatever the order of named dimensions.

    values  : a dimension is of time when its name says so (time, year, month, ...) or its coordinates are dates
    returns : (C, T), or (C, years, 12) for months; dimensions that are not of time keep their order
    raises  : ValueError when named dimensions leave open which is time, or a table holds times in its rows
    """
    if type(values) is np.ndarray:
        return numbers(values, what)
    _refuse_times_in_rows(values, what)
    names = _dimensions(values)
    array = numbers(values, what)
    if len(names) != array.ndim or array.ndim < 2:
        return array
    ranks = [_rank(values, name) for name in names]
    times = [name for name, rank in zip(names, ranks, strict=True) if rank]
    if len({rank for rank in ranks if rank}) < len(times):
        raise ValueError(f"{what} has several dimensions of time, {', '.join(times)}: choose one")
    if not times and any(is_place(name) for name in names):
        raise ValueError(f"{what} has the dimensions {', '.join(names)}, and none of them is of time")
    return array.transpose(np.argsort(ranks, kind="stable"))


def alike(**inputs: ArrayLike) -> list[Array]:
    """`numbers` of inputs that belong together value by value; named dimensions follow the order of the first.

    raises : ValueError when two inputs name different dimensions, or have other labels along one: they would be put
             together by position
    """
    order: tuple[str, ...] = ()
    arrays = []
    labels: dict[str, Array] = {}
    for what, values in inputs.items():
        array, names = numbers(values, what), _dimensions(values)
        if len(names) == array.ndim > 1:
            order = order or names
            if sorted(names) != sorted(order):
                raise ValueError(f"{what} has the dimensions {', '.join(names)}, the others {', '.join(order)}")
            array = array.transpose([names.index(name) for name in order])
        for name, found in _labels(values, names).items():
            if not np.array_equal(found, labels.setdefault(name, found)):
                raise ValueError(f"{what} has other labels along {name} than the inputs before it: align them first")
        arrays.append(array)
    return arrays


def whole_numbers(values: ArrayLike, what: str) -> NDArray[np.int64]:
    """`numbers` as int64; raises ValueError when one is missing or has a fraction."""
    array = numbers(values, what)
    if array.dtype.kind == "f" and (odd := int((~(np.isfinite(array) & (array == np.rint(array)))).sum())):
        raise ValueError(f"{odd} of {array.size} {what} are not whole numbers")
    return np.ascontiguousarray(array, np.int64)


def _from_objects(array: Array, hidden: NDArray[np.bool_], what: str) -> NDArray[np.float64]:
    out = np.full(array.shape, np.nan)
    strange: list[object] = []
    for at, item in enumerate(array.flat):
        if hidden.flat[at] or item is None or type(item).__name__ in _ABSENT:
            continue
        try:
            out.flat[at] = float("text" if isinstance(item, str | bytes) else item)
        except (TypeError, ValueError):
            strange.append(item)
    if strange:
        raise ValueError(f"{len(strange)} of {array.size} values of {what} are not numbers, first {strange[0]!r}")
    return out


def _dimensions(values: object) -> tuple[str, ...]:
    """Names of the dimensions of a labelled array (`dims` of xarray, `dimensions` of NetCDF libraries)."""
    names = getattr(values, "dims", getattr(values, "dimensions", ()))
    return tuple(map(str, names)) if isinstance(names, tuple) else ()


def _labels(values: object, names: Iterable[str]) -> dict[str, Array]:
    """Labels of the dimensions that have some."""
    coordinates: Any = getattr(values, "coords", {})
    return {name: np.asarray(coordinates[name]) for name in names if name in coordinates}


def _rank(values: object, name: str) -> int:
    """0 for a dimension of places, else its place among those of time, from 1."""
    for rank, known in enumerate(_TIMES, 1):
        if name.lower() in known:
            return rank
    lower = name.lower()
    coordinates: Any = getattr(values, "coords", {})
    dated = name in coordinates and _are_dates(np.asarray(coordinates[name]))
    return int(dated or lower.startswith("time") or lower.endswith("time"))


def is_place(name: str) -> bool:
    """Whether a dimension is of places, by its name."""
    known = ("cell", "grid", "lat", "lon", "site", "station", "place", "point", "rlat", "rlon")
    return name.lower() in ("x", "y") or name.lower().startswith(known)


def _are_dates(labels: Array) -> bool:
    """True for dates of NumPy, of the standard library and of other calendars."""
    return labels.dtype.kind == "M" or (
        labels.dtype.kind == "O" and labels.size > 0 and hasattr(labels.flat[0], "year")
    )


def _refuse_times_in_rows(values: Any, what: str) -> None:
    """A table has a cell in each row; one with a time in each row would be taken for as many cells as it has years."""
    columns = getattr(values, "column_names", getattr(values, "columns", None))
    if columns is None:
        return
    if named := [label for label in columns if isinstance(label, str) and _is_time(label)]:
        raise ValueError(
            f"{what} holds times in its column {named[0]!r}: give rows of cells and columns of samples only"
        )
    index = getattr(values, "index", None)
    if index is None or not hasattr(index, "names"):
        return
    names = [str(name) for name in index.names if name is not None]
    in_rows = any(_is_time(name) for name in names) or _are_dates(np.asarray(index)) or hasattr(index, "freq")
    if in_rows or (not names and _are_years(np.asarray(index))):
        raise ValueError(f"{what} has times in its rows and cells in its columns: transpose it, a cell is a row")


def _is_time(name: str) -> bool:
    return any(name.lower() in known for known in _TIMES)


def _are_years(labels: Array) -> bool:
    """True for calendar years in a row, as numbers or as text, with gaps of less than ten years."""
    if labels.ndim != 1 or len(labels) < 2:
        return False
    words = [str(label) for label in labels.tolist()]
    if not all(len(word) == 4 and word.isdecimal() and int(word) in _YEARS for word in words):
        return False
    steps = np.diff([int(word) for word in words])
    return bool((steps > 0).all() or (steps < 0).all()) and int(np.abs(steps).max()) < 10


def shapes(arrays: Iterable[Array]) -> str:
    """Shapes in the words of a message."""
    return ", ".join(str(array.shape) for array in arrays)


def single(arrays: Sequence[Array]) -> Any:
    """float32 when all arrays are, else float64: the type in which a result is returned."""
    return np.float32 if all(array.dtype == np.float32 for array in arrays) else np.float64
