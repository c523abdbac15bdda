"""Figures and years of the tables of losses, refused at their row where they can be none.

A negative claim or a total of 0 would go through every sum and come out as a plausible level.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import polars as pl

from engine.core.errors import SchemaError

FIRST_YEAR, LAST_YEAR = 1900, 2100
#: row of the first figures in a CSV file, below its header
FIRST_ROW = 2


def number(place: str, column: str, value: object) -> float:
    """A figure of one row.

    place  : file and row, for messages
    raises : SchemaError for a text, a blank, NaN and infinity
    """
    try:
        found = float(str(value))
    except ValueError:
        found = float("nan")
    if not isfinite(found):
        raise SchemaError(f"{place}: {column} is {_shown(value)}, and not a finite number: correct it")
    return found


def above_zero(place: str, column: str, value: object) -> float:
    """A figure of one row that is above 0: a total, claims, a number of houses, a value of assets, a price index.

    raises : SchemaError for anything else
    """
    found = number(place, column, value)
    if found <= 0:
        raise SchemaError(f"{place}: {column} is {_shown(value)}, and not above 0: correct it, or take the row out")
    return found


def year(place: str, column: str, value: object) -> int:
    """A year of one row.

    raises : SchemaError for anything but a whole number of 1900 to 2100
    """
    try:
        found = int(str(value))
    except ValueError:
        found = 0
    if not FIRST_YEAR <= found <= LAST_YEAR:
        raise SchemaError(f"{place}: {column} is {_shown(value)}, and not a year of {FIRST_YEAR} to {LAST_YEAR}")
    return found


def need(frame: pl.DataFrame, file: str, columns: Sequence[str]) -> None:
    """Refuse a table that lacks columns.

    raises : SchemaError naming them
    """
    if lacking := [column for column in columns if column not in frame.columns]:
        raise SchemaError(f"{file} lacks the columns {', '.join(lacking)}: take the tables of docs/calibration.md")


def with_years(frame: pl.DataFrame, file: str, columns: Sequence[str]) -> pl.DataFrame:
    """A table with whole numbers in its columns of years, and the row of the file in `row`.

    raises : SchemaError for a missing column, or naming the row whose year is none
    """
    need(frame, file, columns)
    read = [
        pl.Series(
            column,
            [year(f"{file}, row {at}", column, value) for at, value in enumerate(frame[column], start=FIRST_ROW)],
            pl.Int64,
        )
        for column in columns
    ]
    return frame.with_columns(read).with_row_index("row", FIRST_ROW)


def amounts(frame: pl.DataFrame, file: str, column: str) -> list[float]:
    """Figures above 0 of a table of `with_years`.

    raises : SchemaError naming the row of the first that is none
    """
    pairs = zip(frame["row"], frame[column], strict=True)
    return [above_zero(f"{file}, row {at}", column, value) for at, value in pairs]


def _shown(value: object) -> str:
    return "blank" if value is None or value == "" else repr(value)[:60]
