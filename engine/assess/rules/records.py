"""Sites from the outside: a JSON request, or a table of text (CSV) or of typed columns (Parquet)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from engine.assess.rules import numbers_text
from engine.assess.rules.fields import ASSET, BUILDING, BY_NAME, COORDINATES, FIELDS, PLACE, SURROUNDINGS, Field
from engine.core.errors import SettingsError
from engine.core.names import nearest

#: keys of a request's objects; surroundings may stand in `building_info` or beside it
_BUILDING_KEYS = {field.name for field in (*BUILDING, *SURROUNDINGS)}
_LOCATION_KEYS = {field.name for field in (*COORDINATES, *PLACE)}
_ASSET_KEYS = {field.name for field in ASSET}
OBJECTS = {"building_info", "asset_info"}
#: what a spreadsheet writes where a formula has failed
_FAILED = r"^#(N/A|DIV/0!|NAME\?|NULL!|NUM!|REF!|VALUE!|GETTING_DATA|ERROR|SPILL!|CALC!)$"
_TYPES = {
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "text": pl.String(),
    "names": pl.List(pl.String),
    "ids": pl.List(pl.Int64),
}
_IN_WORDS = {
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "text": "text",
    "names": "list of names",
    "ids": "list of whole numbers",
}
_TRUE = ("true", "t", "yes", "y", "o", "예", "네", "유", "있음", "가능", "해당")
_FALSE = ("false", "f", "no", "n", "x", "아니오", "아니요", "무", "없음", "불가", "불가능", "미해당")
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"


def flatten(request: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of one request by their flat names.

    request : fields by their flat names, or within `building_info` (with `location`) and `asset_info`
    raises  : SettingsError for a key that means nothing, an object that is none, or two different coordinates
    """
    flat: dict[str, Any] = {}
    building = _object(request, "building_info")
    location = _object(building, "location")
    objects = [
        ("request", {k: v for k, v in request.items() if k not in OBJECTS}, set(BY_NAME)),
        ("building_info", {k: v for k, v in building.items() if k != "location"}, _BUILDING_KEYS),
        ("building_info.location", location, _LOCATION_KEYS),
        ("asset_info", _object(request, "asset_info"), _ASSET_KEYS),
    ]
    for where, members, known in objects:
        if unknown := sorted(set(members) - known):
            near = f"; did you mean {meant}?" if (meant := nearest(unknown[0], known)) else ""
            raise SettingsError(f"unknown field {unknown[0]!r} in {where}{near}")
        for name, value in members.items():
            if value is None:
                continue
            if name in flat and flat[name] != value:
                raise SettingsError(f"{name} is given twice: {flat[name]} and {value}")
            flat[name] = value
    return flat


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{name} must be an object")
    return value


def from_requests(requests: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A `sites` frame of JSON requests. A value of another kind than its field's becomes null and is named in
    `invalid_types`, so that validation says so."""
    flat = [flatten(request) for request in requests]
    wrong: list[list[str]] = [[] for _ in flat]
    columns = {}
    for field in FIELDS:
        values = []
        for record, faults in zip(flat, wrong, strict=True):
            value = record.get(field.name)
            if value is not None and not _is_kind(field, value):
                faults.append(field.name)
                value = None
            values.append(value if value is None else _CONVERT.get(field.kind, _same)(value))
        columns[field.name] = pl.Series(values, dtype=_TYPES[field.kind])
    return pl.DataFrame({**columns, "invalid_types": pl.Series(wrong, dtype=pl.List(pl.String))})


def _same(value: Any) -> Any:
    return value


_CONVERT: dict[str, Callable[[Any], Any]] = {"integer": int, "number": float}


def _is_kind(field: Field, value: object) -> bool:
    if field.kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if field.kind == "integer":
        return isinstance(value, int | float) and abs(value) < 2**63 and float(value).is_integer()
    if field.kind == "number":
        return isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**300)
    if field.kind == "text":
        return isinstance(value, str)
    kind = str if field.kind == "names" else int
    return isinstance(value, list) and all(isinstance(each, kind) and not isinstance(each, bool) for each in value)


def from_lines(lines: Sequence[Mapping[str, Any]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The same for the lines of an NDJSON file: (fields, what is no field). A line holds a whole number or a text as
    `site_id`; objects and lists that are no field become JSON text."""
    known = set(BY_NAME) | OBJECTS
    fields = [{name: value for name, value in line.items() if name in known} for line in lines]
    for each in fields:
        if isinstance(own := each.get("site_id"), int) and not isinstance(own, bool):
            each["site_id"] = str(own)
        elif own == "":
            del each["site_id"]
    names = dict.fromkeys(name for line in lines for name in line if name not in known)
    other = {name: _column([line.get(name) for line in lines]) for name in names}
    sites = from_requests(fields)
    return sites, pl.DataFrame(other)


def _column(values: Sequence[Any]) -> pl.Series:
    """Values of JSON as one column: of one kind as they are, of several as text."""
    kinds = {type(value) for value in values} - {type(None)}
    large = any(isinstance(value, int) and abs(value) >= 2**63 for value in values)
    for allowed, dtype in (
        ({bool}, pl.Boolean()),
        ({str}, pl.String()),
        ({int}, pl.Int64()),
        ({int, float}, pl.Float64()),
    ):
        if kinds <= allowed and not large:
            return pl.Series(values, dtype=dtype)
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return pl.Series(texts, dtype=pl.String)


def from_table(
    table: pl.DataFrame, factors: Mapping[str, int | Decimal] | None = None, lone: Collection[str] | None = None
) -> tuple[pl.DataFrame, list[str]]:
    """(fields, notes) of a table of fields. Text is read as `from_text` reads it, whatever file it comes from;
    NaN and an empty text are missing, a column of fixed lists is one of lists, a whole number may be an admin code.

    notes  : columns whose type holds no value of their field
    raises : SettingsError for a column of records or lists where the field has none
    """
    factors = factors or {}
    typed, text, notes = [], [], []
    for name in (name for name in table.columns if name in BY_NAME):
        column, kind = table[name], table.schema[name]
        if kind == pl.String or (kind in (pl.Categorical, pl.Enum) and BY_NAME[name].kind != "text"):
            text.append(column.cast(pl.String))
            continue
        if kind.is_float():
            column = column.fill_nan(None)
        elif isinstance(kind, pl.Array):
            column = column.arr.to_list()
        elif name == "admin_code" and kind.is_integer():
            column = column.cast(pl.String).str.zfill(10)
        if column.dtype.is_nested() and BY_NAME[name].kind not in ("names", "ids"):
            raise SettingsError(
                f"column {name} holds {kind}, not one {_IN_WORDS[BY_NAME[name].kind]} a row: unnest it before"
            )
        if (factor := factors.get(name, 1)) != 1 and column.dtype.is_numeric():
            exact = isinstance(factor, int) and column.dtype.is_integer()
            column = column.cast(pl.Int64) * int(factor) if exact else column.cast(pl.Float64) * float(factor)
        if not fits(BY_NAME[name], column.dtype):
            notes.append(f"column {name} holds {kind}, which is no {_IN_WORDS[BY_NAME[name].kind]}")
        typed.append(column)
    nothing_wrong = pl.DataFrame({"invalid_types": pl.Series([[]] * table.height, dtype=pl.List(pl.String))})
    read = from_text(pl.DataFrame(text), factors, lone) if text else nothing_wrong
    sites = pl.concat([pl.DataFrame(typed), read], how="horizontal") if typed else read
    return sites, notes


def fits(field: Field, kind: pl.DataType) -> bool:
    """Whether a column of this type can hold values of the field."""
    inner = kind.inner if isinstance(kind, pl.List) else None
    if kind == pl.Null or field.name == "site_id":
        return True
    if field.kind == "boolean":
        return kind == pl.Boolean
    if field.kind in ("integer", "number"):
        return kind.is_numeric()
    if field.kind == "text":
        return kind in (pl.String, pl.Categorical, pl.Enum)
    return inner in (pl.String, pl.Null) if field.kind == "names" else inner is not None and inner.is_integer()


def from_text(
    table: pl.DataFrame, factors: Mapping[str, int | Decimal] | None = None, lone: Collection[str] | None = None
) -> pl.DataFrame:
    """A `sites` frame of text columns, as a CSV file holds them; an empty cell is null.

    Numbers and true/false are read from their text (`numbers_text`); lists are separated by `;` or `|`. A cell that is
    no value of its field's kind, or holds the error of a spreadsheet, becomes null and is named in `invalid_types`; an
    id stays as it is written. Columns that are no field are left out.

    factors : field -> what one of its plain numbers is in the unit of the field
    lone    : fields in which `1,500` is 1500; None: all
    """
    known = [name for name in table.columns if name in BY_NAME]
    clean = table.select(pl.col(known).str.strip_chars().replace("", None))
    if "site_id" in known:
        clean = clean.with_columns(site_id=pl.when(clean["site_id"].is_not_null()).then(table["site_id"]))
    plain = clean.with_columns(
        numbers_text.read(
            clean[name],
            name,
            factor=(factors or {}).get(name, 1),
            lone_groups=lone is None or name in lone,
            whole=BY_NAME[name].kind == "integer",
        ).alias(name)
        for name in known
        if BY_NAME[name].kind in ("integer", "number")
    )
    plain = plain.with_columns(pl.when(~pl.all().str.contains(_FAILED)).then(pl.all()).name.keep())
    read = plain.select(_read(BY_NAME[name]).alias(name) for name in known)
    wrong = [pl.when(clean[name].is_not_null() & read[name].is_null()).then(pl.lit(name)) for name in known]
    faults = pl.concat_list(wrong).list.drop_nulls() if wrong else pl.lit([], pl.List(pl.String))
    return read.with_columns(invalid_types=faults)


def _read(field: Field) -> pl.Expr:
    text = pl.col(field.name)
    if field.kind == "text":
        return text
    if field.kind == "boolean":
        word = text.str.to_lowercase()
        return pl.when(word.is_in(_TRUE)).then(True).when(word.is_in(_FALSE)).then(False)
    if field.kind in ("names", "ids"):
        parts = text.str.replace_all("|", ";", literal=True).str.split(";").list.eval(pl.element().str.strip_chars())
        if field.kind == "names":
            return parts
        whole = parts.list.eval(pl.element().str.contains(r"^[0-9]{1,9}$").all()).list.first()
        return pl.when(whole).then(parts.cast(pl.List(pl.Int64), strict=False))
    number = pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Float64, strict=False)
    if field.kind == "number":
        return number
    whole_number = pl.when(text.str.contains(r"^[+-]?[0-9]+$")).then(text).cast(pl.Int64, strict=False)
    return pl.coalesce(whole_number, pl.when(number % 1 == 0).then(number).cast(pl.Int64, strict=False))
