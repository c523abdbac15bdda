"""Stored values of a NetCDF variable -> numbers: signs, fills, valid ranges, scale and offset (CF 1.11, 2.5 and 8.1).

xarray's own decoding is not used for this: it compares fills without bringing them to the type of the data, so that a
fill of another float type masks nothing, it knows no valid range, and it needs several passes over the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.io.netcdf.units import HIGHEST, LOWEST

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: set on a variable whose compression cannot be undone here: what is lacking
UNREADABLE = "unreadable"
#: how compilers of C and of CDL mark the type of a number
_SUFFIX = re.compile(r"(?<=[\d.])[fdlsb]$")
_NO_FILLS = ("none", "null", "n/a", "na")


def values(variable: xr.Variable, part: tuple[slice, ...], name: str, ceiling: float = HIGHEST) -> Float32:
    """A part of a variable, unpacked, NaN where missing; see `unpacked`."""
    block, missing = unpacked(variable, part, name, ceiling)
    # a new array: callers convert it in place, and what was read may belong to the variable
    return np.where(missing, np.float32(np.nan), block)


def unpacked(
    variable: xr.Variable, part: tuple[slice, ...], name: str, ceiling: float = HIGHEST
) -> tuple[Float32, Bools]:
    """A part of a variable, unpacked, and which of its values are missing (they are left as found).

    Missing is what `_FillValue` and `missing_value` name, what lies outside `valid_min`, `valid_max` or `valid_range`,
    and every value at or below -900 or above `ceiling`.

    raises : SchemaError naming file and variable for values that cannot be read and attributes that make no sense
    """
    packing = Packing.of(variable, name)
    raw = packing.stored(variable, part)
    block: Float32 = raw.astype(np.float32, copy=False)
    if packing.packed:
        block = (raw * packing.scale + packing.offset).astype(np.float32)
    good = block > np.float32(LOWEST)  # not NaN
    good &= block <= np.float32(ceiling)
    packing.mask(raw, block, good, LOWEST, ceiling)
    return block, np.logical_not(good, out=good)


def numbers(variable: xr.Variable, name: str) -> Floats:
    """The whole of a coordinate or of its bounds in double precision, NaN where missing.

    Coordinates in single precision are taken as the decimals they were made from: 36.1, not 36.099998.
    """
    packing = Packing.of(variable, name)
    raw = packing.stored(variable, (slice(None),) * variable.ndim)
    single = raw.dtype.kind == "f" and raw.dtype.itemsize <= 4
    block: Floats = raw.astype(str).astype(np.float64) if single else raw.astype(np.float64)
    if packing.packed:
        block = block * packing.scale + packing.offset
    good = np.ones(raw.shape, bool)
    packing.mask(raw, block.astype(np.float32), good)
    return np.where(good, block, np.nan)


@dataclass(frozen=True, slots=True)
class Packing:
    """Packing of one stored variable.

    kind   : type of the stored values, after `_Unsigned`; `wrapped` when that changed their sign
    fills  : values that mean missing, as the attributes have them
    limits : (lowest, highest valid, whether these are stored values or unpacked ones)
    """

    name: str
    kind: np.dtype[Any]
    wrapped: bool
    packed: bool
    scale: float
    offset: float
    fills: Floats
    limits: tuple[tuple[float, float, bool], ...]

    @classmethod
    def of(cls, variable: xr.Variable, name: str) -> Packing:
        """Read the attributes; `name` is for messages, such as `pr.nc: pr`."""
        kind, attributes = variable.dtype, variable.attrs
        if kind.kind not in "iuf":
            raise SchemaError(f"{name} holds values of type {kind}, expected numbers")
        unsigned = str(attributes.get("_Unsigned", "")).strip().lower()
        wrapped = kind.kind in "iu" and unsigned in ("true", "false")
        if wrapped:
            kind = np.dtype(f"{'u' if unsigned == 'true' else 'i'}{kind.itemsize}")
        packed = "scale_factor" in attributes or "add_offset" in attributes
        scale, offset = _one(attributes, "scale_factor", 1.0, name), _one(attributes, "add_offset", 0.0, name)
        if scale == 0.0:
            raise SchemaError(f"{name}: its scale_factor is 0")
        fills = np.concatenate([_numbers(attributes, key, name) for key in ("_FillValue", "missing_value")])
        limits = tuple(_limits(attributes, kind, packed or wrapped, name))
        return cls(name, kind, wrapped, packed, scale, offset, fills, limits)

    def stored(self, variable: xr.Variable, part: tuple[slice, ...]) -> NDArray[Any]:
        """The values as stored, with the sign that `_Unsigned` gives them."""
        if lacking := variable.encoding.get(UNREADABLE):
            raise SchemaError(f"{self.name} {lacking}")
        try:
            raw = np.asarray(variable[part].values)
        except (OSError, RuntimeError, ValueError) as err:  # what h5py, scipy and netCDF4 raise on damaged values
            raise SchemaError(f"{self.name} is broken: its values cannot be read: {err or type(err).__name__}") from err
        return raw.astype(self.kind) if self.wrapped else raw

    def mask(self, raw: NDArray[Any], block: Float32, good: Bools, low: float = -np.inf, high: float = np.inf) -> None:
        """Take away from `good` what the attributes call missing.

        block     : the values unpacked
        low, high : what lies outside these is not good anyway, so that fills there need no pass over the values
        """
        integers = self.kind.kind in "iu"
        for fill in self.fills:
            wanted = self._integer(fill) if integers else None
            if wanted is not None:
                if self.packed or low < wanted <= high:
                    good &= raw != wanted
                continue
            # compared in single precision, so that a fill may be of any float type; one that no stored integer can
            # be speaks of the unpacked values
            of_stored = self.packed and not integers
            with np.errstate(over="ignore"):
                single = np.float32(fill)
                shown = raw.astype(np.float32, copy=False) if of_stored else block
            if of_stored or low < single <= high:
                good &= shown != single
        for lowest, largest, of_stored in self.limits:
            shown = raw if of_stored else block
            of_kind = float if shown.dtype.kind in "iu" else shown.dtype.type
            if lowest > -np.inf:
                good &= shown >= of_kind(self._signed(lowest) if of_stored else lowest)
            if largest < np.inf:
                good &= shown <= of_kind(self._signed(largest) if of_stored else largest)

    def _integer(self, fill: float) -> int | None:
        """A fill as one of the stored integers; None when none of them can be it."""
        if not float(fill).is_integer():
            return None
        wanted, ends = int(self._signed(fill)), np.iinfo(self.kind)
        return wanted if ends.min <= wanted <= ends.max else None

    def _signed(self, value: float) -> float:
        """An attribute of a variable with `_Unsigned` is stored with the other sign, as its values are."""
        if not self.wrapped:
            return value
        span = 2.0 ** (8 * self.kind.itemsize)
        if self.kind.kind == "u":
            return value + span if value < 0 else value
        return value - span if value > np.iinfo(self.kind).max else value


def _limits(
    attributes: Mapping[Any, Any], kind: np.dtype[Any], changed: bool, name: str
) -> Iterator[tuple[float, float, bool]]:
    """`valid_range`, `valid_min` and `valid_max`. Of data that are packed or have `_Unsigned` (`changed`) they speak of
    stored values, unless their type is wider than that of the data (NetCDF Users' Guide, attribute conventions)."""
    for key in ("valid_range", "valid_min", "valid_max"):
        given = _numbers(attributes, key, name)
        if not len(given):
            continue
        if len(given) != (2 if key == "valid_range" else 1):
            raise SchemaError(f"{name}: its {key} has {counted(len(given), 'value')}")
        low, high = given[0] if key != "valid_max" else -np.inf, given[-1] if key != "valid_min" else np.inf
        own = np.asarray(attributes[key]).dtype
        wider = own.kind == "f" and (kind.kind in "iu" or own.itemsize > kind.itemsize)
        yield float(low), float(high), changed and not wider


def _one(attributes: Mapping[Any, Any], key: str, rest: float, name: str) -> float:
    found = _numbers(attributes, key, name)
    if not len(found) and key not in attributes:
        return rest
    if len(found) != 1 or not np.isfinite(found[0]):
        raise SchemaError(f"{name}: its {key} is {attributes[key]!r}, expected one number")
    return float(found[0])


def _numbers(attributes: Mapping[Any, Any], key: str, name: str) -> Floats:
    """The numbers of an attribute, also of one written as text; none when it is absent or says so."""
    found = attributes.get(key)
    words = [word for item in np.ravel(np.asarray([] if found is None else found)) for word in _words(item)]
    try:
        return np.asarray([float(word) for word in words], np.float64)
    except ValueError as err:
        raise SchemaError(f"{name}: its {key} is {found!r}, expected a number") from err


def _words(item: Any) -> list[Any]:
    if not isinstance(item, str | bytes):
        return [item]
    text = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
    words = text.lower().replace(",", " ").split()
    return [_SUFFIX.sub("", word) for word in words if word not in _NO_FILLS]
