"""The members of a file that holds several realisations of a climate model, or several models, along one dimension.

CF calls such a coordinate `realization`; archives and downscaled data call its dimension `member`, `ensemble`, `number`
or alike. Values of one member are read at a time, by its name.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.names import unknown
from engine.io.netcdf import packing

#: names of dimensions of members, in lower case, and of variables along them that name the members
_NAMES = frozenset(
    {"member", "members", "member_id", "realization", "realisation", "realization_index", "ensemble", "ensemble_member"}
    | {"ensemble_id", "ens", "ens_member", "number", "variant_label", "model", "source_id"}
)
#: reads whichever comes first: for the coordinates, which all members share
FIRST = object()


def dimension_of(data: xr.Dataset, dimensions: Collection[str]) -> str | None:
    """The dimension of the members among some; None where there is none."""
    for dimension in dimensions:
        coordinate = data.variables.get(dimension)
        standard = "" if coordinate is None else str(coordinate.attrs.get("standard_name", ""))
        if dimension.lower() in _NAMES or standard == "realization":
            return dimension
    return None


def names_along(data: xr.Dataset, dimension: str, file: str) -> list[str]:
    """Names of the members: texts along their dimension, else its numbers, else their places from 0."""
    along = {str(key): value for key, value in data.variables.items() if value.dims[:1] == (dimension,)}
    own = [along[dimension]] if dimension in along else []
    named = [value for key, value in along.items() if key.lower() in _NAMES and key != dimension]
    for variable in (*own, *named):
        if variable.dtype.kind in "OSU":
            return _texts(variable.to_numpy())
    for variable in (*own, *named):
        if variable.ndim == 1 and variable.dtype.kind in "iuf":
            return [f"{value:g}" for value in packing.numbers(variable, f"{file}: {dimension}")]
    return [str(place) for place in range(data.sizes[dimension])]


def of_file(data: xr.Dataset, file: str) -> list[str]:
    """Names of the members of a file; empty where it has no dimension of members."""
    dimension = dimension_of(data, [str(name) for name in data.sizes])
    return [] if dimension is None else names_along(data, dimension, file)


def chosen(
    data: xr.Dataset, variable: xr.Variable, dimensions: Collection[str], member: object, what: str
) -> dict[str, int]:
    """Dimension of the members -> place of the one to read; empty where the variable has none of more than one entry.

    dimensions : those of the variable that are neither space nor time
    member     : name of a member, `FIRST`, or None: not said
    what       : file and variable, for messages
    raises     : SchemaError naming the members where none was chosen, or another than those of the file
    """
    dimension = dimension_of(data, dimensions)
    if dimension is None or member is FIRST:
        return {} if dimension is None else {dimension: 0}
    names = names_along(data, dimension, what.partition(":")[0])
    if member is None:
        if variable.sizes[dimension] == 1:
            return {dimension: 0}
        raise SchemaError(
            f"{what} has {len(names)} members along {dimension}: choose one by --member; they are {_listed(names)}"
        )
    if names.count(str(member)) > 1:
        raise SchemaError(f"{what} has {names.count(str(member))} members named {member} along {dimension}")
    if member not in names:
        raise SchemaError(f"{what}: {unknown('member', str(member), names)}")
    return {dimension: names.index(str(member))}


def refuse_none(data: xr.Dataset, dimensions: Collection[str], member: object, what: str) -> None:
    """Refuse a variable without members where one was chosen: it may be of another model, or a mean of several.

    raises : SchemaError
    """
    if isinstance(member, str) and dimension_of(data, dimensions) is None:
        raise SchemaError(f"{what} has no dimension of members, and --member {member} was given: leave one of them out")


def _texts(values: NDArray[Any]) -> list[str]:
    """Texts of an array of texts, or of single characters with the length of a text as its last dimension."""
    rows = values.reshape(len(values), -1)
    if values.dtype.kind == "S":
        return [b"".join(row.tolist()).decode("utf-8", "replace").rstrip("\0 ") for row in rows]
    return ["".join(map(_text, row)).rstrip("\0 ") for row in rows.tolist()]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])}, ... {names[-1]}"
