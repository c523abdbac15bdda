"""Portfolios as spreadsheets write them: which separator, which sign of decimals, which lines are none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.assess import columns
from engine.assess.fields import BY_NAME, COORDINATES
from engine.errors import SettingsError
from engine.io import csv_text
from engine.io.csv_text import Text

REQUIRED = tuple(field.name for field in COORDINATES)
_NUMBERS = tuple(field.name for field in BY_NAME.values() if field.kind in ("number", "integer"))
#: decimals of a coordinate, which never has thousands; of another number, three digits may be thousands
_DECIMALS = {True: r"^\s*[+-]?\d*{}\d+\s*$", False: r"^\s*[+-]?\d*{}(\d{{1,2}}|\d{{4,}})\s*$"}


class Table(NamedTuple):
    """Rows of a file that hold anything.

    columns : as text, those that are fields under the names of the fields
    rows    : number of each row in the file, from 0, the header not counted
    total   : rows of the file
    notes   : what was assumed, in words
    """

    columns: pl.DataFrame
    rows: pl.Series
    total: int
    notes: list[str]


def read(path: Path) -> Table:
    """Read a text table.

    raises : SettingsError for a file without coordinates, and for what cannot be decided about its form
    """
    with csv_text.opened(path) as text:
        separator = _separator(text)
        frame, rows, total = csv_text.read(text, separator)
    names = text.headers[separator]
    fields = columns.fields_of(names, path)
    frame = frame.rename({frame.columns[place]: field for place, field in fields.items()})
    said, notes = text.said(separator), []
    if comma := _has_decimal_comma(frame, path):
        swapped = pl.col([name for name in _NUMBERS if name in frame.columns])
        # a point among decimal commas stands between thousands, or is a slip: as a comma it is no number
        frame = frame.with_columns(swapped.str.replace_many([",", "."], [".", ","]))
        said += ", with a decimal comma"
    if comma or separator != "," or text.lead or text.encoding != "UTF-8":
        notes.append(f"read as {said}")
    notes += columns.notes_on(names, fields)
    if lines := int((comments := _comments(frame)).sum()):
        frame = frame.with_columns(pl.when(~comments).then(pl.first()))
        notes.append(f"comment lines (#) among the rows: {lines:,}, counted as rows without any value")
    return Table(frame, rows, total, notes)


def count(path: Path, most: int) -> int:
    """Rows that hold anything, up to one more than `most`; nothing of them is kept."""
    with csv_text.opened(path) as text:
        return csv_text.count(text, _separator(text), most)


def _separator(text: Text) -> str:
    """The separator under which the header has coordinates."""
    found = [separator for separator, names in text.headers.items() if _has_coordinates(names)]
    if len(found) == 1:
        return found[0]
    if found:
        ways = " or ".join(text.said(each) for each in found)
        raise SettingsError(f"{text.name} may be {ways}: put a line such as sep={found[0]} above its header")
    widest = max(text.headers, key=lambda each: len(text.headers[each]))
    names = text.headers[widest]
    lacking = ", ".join(columns.absent(columns.fields_of(names, text.name).values(), REQUIRED))
    has = ", ".join(names[:20])[:1000]
    raise SettingsError(f"{text.name}: no column {lacking}; read as {text.said(widest)}, its columns are: {has}")


def _has_coordinates(names: list[str]) -> bool:
    try:
        return not columns.absent(columns.fields_of(names, "").values(), REQUIRED)
    except SettingsError:  # it has them more than once: raised again where the header is used
        return True


def _has_decimal_comma(frame: pl.DataFrame, path: Path) -> bool:
    """Whether most coordinates have one, or, where none has decimals, most other numbers that tell."""
    for of_places in (True, False):
        names = [name for name in frame.columns if name in _NUMBERS and (name in REQUIRED) == of_places]
        commas, points = (
            sum(int(frame[name].str.contains(_DECIMALS[of_places].format(sign)).sum()) for name in names)
            for sign in (",", r"\.")
        )
        if commas == points > 0:
            raise SettingsError(
                f"{path}: {commas:,} values of {', '.join(names)} have a decimal comma and as many a point: use one"
            )
        if commas or points:
            return commas > points
    return False


def _comments(frame: pl.DataFrame) -> pl.Series:
    """Rows that begin with # and hold nothing else."""
    empty = pl.all_horizontal((pl.nth(range(1, frame.width)).str.strip_chars() == "").fill_null(True))
    return frame.select((pl.first().str.starts_with("#") & empty).fill_null(False)).to_series()
