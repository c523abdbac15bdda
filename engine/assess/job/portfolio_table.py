"""A table of sites as it stands in a file, and what its columns are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.assess.rules import columns
from engine.assess.rules.column_names import NAME
from engine.assess.rules.columns import Column
from engine.assess.rules.fields import BY_NAME
from engine.core.counted import agree, counted
from engine.core.errors import SettingsError

NUMBERS = tuple(each.name for each in BY_NAME.values() if each.kind in ("number", "integer"))
#: decimals of a coordinate, which never has thousands; of another number, three digits may be thousands
_DECIMALS = {True: r"^\s*[+-]?\d*{}\d+\s*$", False: r"^\s*[+-]?\d*{}(\d{{1,2}}|\d{{4,}})\s*$"}
_THOUSAND = r"(^|[^\d.,])\d{1,3},\d{3}($|[^\d.,])"
#: a decimal comma for certain: not before three digits, behind a zero, or behind more than a group of digits
_CERTAIN = r"(^|[^\d.,])(\d*,(\d{1,2}|\d{4,})|0+,\d+|(\d{4,}|\d{1,3}(\.\d{3})+),\d+)($|[^\d.,])"
#: a number of a cell of numbers, in the sign of programs; one that may be a text with thousands is none
_OF_CELL = r"^\s*[+-]?(\d*\.(\d{1,2}|\d{4,})|0+\.\d+|\d{4,}\.\d+)(e[+-]?\d+)?\s*$"
_PLACE_OF_CELL = r"^\s*[+-]?\d+\.\d+\s*$"
#: below it the range of a field leaves no room for thousands
_THOUSANDS = 1000
_UNIT = r"[^\d\s.,+eE-]"


class Request(NamedTuple):
    """Options of the caller for a file: sheet of a workbook, columns named for fields, and a file of exchange rates."""

    sheet: str | None = None
    columns: Mapping[str, str] = {}
    rates: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of a file that hold anything.

    frame  : a column each of `chosen`, in its order, under names of its own
    chosen : what each column is
    rows   : number of each row, as the program shows it that opens the file
    total  : rows of the file
    header : words on how rows are numbered
    comma  : fields that have a decimal comma; their text has points by now, and commas where it had points
    lone   : fields in which `1,500` is 1500
    notes  : what was assumed, in words
    raw    : the frame as it was read, where something has changed it
    open   : a row may lack any field of the building: each is assumed
    """

    frame: pl.DataFrame
    chosen: list[Column]
    rows: pl.Series
    total: int
    header: str
    comma: frozenset[str] = frozenset()
    lone: frozenset[str] = frozenset(NUMBERS)
    notes: list[str] = field(default_factory=list)
    raw: pl.DataFrame | None = None
    open: bool = False

    def of_fields(self) -> pl.DataFrame:
        """The columns that are fields, by the names of the fields."""
        pairs = zip(self.frame.columns, self.chosen, strict=True)
        named = {name: each.field for name, each in pairs if each.field not in (None, NAME)}
        return self.frame.select(pl.col(name).alias(str(field)) for name, field in named.items())

    def as_given(self) -> pl.DataFrame:
        """All columns as the file has them, in its order."""
        return self.frame if self.raw is None else self.raw

    def of_others(self) -> pl.DataFrame:
        """The columns that are carried through."""
        pairs = zip(self.frame.columns, self.chosen, strict=True)
        return self.frame.select(name for name, each in pairs if each.field in (None, NAME))


def chosen(names: Sequence[str], table: object, asked: Request) -> list[Column]:
    """Choose the field of each column of a table.

    raises : SettingsError when one may be a field that no column is, or a coordinate is lacking
    """
    found = columns.choose(names, table, asked.columns)
    if columns.absent(found):
        raise columns.lacking(table, names, found)
    columns.require_no_near_miss(found, table, asked.columns)
    return found


def decimal_sign(frame: pl.DataFrame, chosen: Sequence[Column], table: object, within: Collection[str]) -> str | None:
    """`,` or `.`: the sign that most coordinates have, or, where none has decimals, most other numbers that tell; None
    where nothing tells.

    within : fields that are looked at
    raises : SettingsError for as many of each
    """
    for of_places in (True, False):
        names = [
            name
            for name, each in zip(frame.columns, chosen, strict=True)
            if each.field in NUMBERS and each.field in within and (each.field in columns.REQUIRED) == of_places
        ]
        commas, points = (
            sum(int(frame[name].str.contains(_DECIMALS[of_places].format(sign)).sum()) for name in names)
            for sign in (",", r"\.")
        )
        if commas == points > 0:
            raise SettingsError(
                f"{table}: {counted(commas, 'value')} of {', '.join(names)}"
                f" {agree(commas, 'has', 'have')} a decimal comma and as many a point: use one"
            )
        if commas or points:
            return "," if commas > points else "."
    return None


def comma_fields(frame: pl.DataFrame, chosen: Sequence[Column]) -> frozenset[str]:
    """Fields of a workbook in which a text has a decimal comma for certain. Points tell nothing there: cells that hold
    numbers have them whatever the texts have."""
    pairs = zip(frame.columns, chosen, strict=True)
    return frozenset(
        each.field
        for name, each in pairs
        if each.field in NUMBERS
        and frame[name].str.contains(_DECIMALS[each.field in columns.REQUIRED].format(",")).any()
    )


def with_points(
    frame: pl.DataFrame, chosen: Sequence[Column], comma: Collection[str], *, cells: bool = False
) -> pl.DataFrame:
    """Decimal commas of some fields as points. A point among them stands between thousands, or is a slip: it becomes a
    comma. A comma before three digits may part thousands, too (typed by hand, as the typist writes numbers): in a whole
    number, beside a unit (`1조 2,000억`, `12,000㎡`), and in a column without a comma that is decimal for certain. It
    becomes two commas, which is no number.

    cells : of a workbook: what only a cell of numbers holds keeps its point, and a point before three digits has two
            readings
    """
    swapped = []
    for name, each in zip(frame.columns, chosen, strict=True):
        if each.field is None or each.field not in comma:
            continue
        text, of_place = pl.col(name), each.field in columns.REQUIRED
        points = text.str.replace_many([",", "."], [".", ","])
        of_cell = text.str.contains(_PLACE_OF_CELL if of_place else f"(?i){_OF_CELL}") if cells else pl.lit(False)
        if not of_place:
            doubled = text.str.replace_all(",", ",,", literal=True)
            if cells:
                lone = text.str.contains(r"^\s*[+-]?\d{1,3}\.\d{3}\s*$")
                points = pl.when(lone).then(text.str.replace(".", ",,", literal=True)).otherwise(points)
            points = pl.when(_two_ways(frame[name], each.field, cells=cells)).then(doubled).otherwise(points)
        swapped.append(pl.when(of_cell).then(text).otherwise(points).alias(name))
    return frame.with_columns(swapped)


def _two_ways(column: pl.Series, name: str, *, cells: bool) -> pl.Expr:
    """Where a comma before three digits may part thousands or decimals."""
    found = pl.col(column.name).str.contains(_THOUSAND)
    field = BY_NAME[name]
    if field.kind == "integer":
        return found
    told = column.str.contains(_CERTAIN).any() and not (cells and column.str.contains(f"(?i){_OF_CELL}").any())
    if told or (field.high is not None and field.high < _THOUSANDS):
        return found & pl.col(column.name).str.contains(_UNIT)
    return found


def without_empty(frame: pl.DataFrame, names: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """A table without columns that have neither a heading nor a value, every other one under a name of its own."""
    kept, own, taken = [], [], set()
    for place, (column, name) in enumerate(zip(frame.columns, names, strict=True)):
        plain = " ".join(name.replace("\xa0", " ").replace("\ufeff", "").split())
        if not plain and not (frame[column].str.strip_chars().fill_null("") != "").any():
            continue
        free = name if plain else f"column {place + 1}"
        unique, number = free, 1
        while unique.casefold() in taken:
            number += 1
            unique = f"{free}_{number}"
        taken.add(unique.casefold())
        kept.append(pl.col(column).alias(unique))
        own.append(free)
    return frame.select(kept), own


def comments(frame: pl.DataFrame) -> pl.Series:
    """Rows that begin with # and hold nothing else."""
    empty = pl.all_horizontal((pl.nth(range(1, frame.width)).str.strip_chars() == "").fill_null(True))
    return frame.select((pl.first().str.starts_with("#") & empty).fill_null(False)).to_series()
