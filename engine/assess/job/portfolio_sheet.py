"""Portfolios in workbooks: which sheet, which of its rows is the header, which cells cannot be read."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from engine.assess.job import portfolio_table
from engine.assess.job.portfolio_table import NUMBERS, Request, Table
from engine.assess.rules import columns
from engine.core.errors import LimitError, SettingsError
from engine.io.files.packed import Limits
from engine.io.files.workbook_in import Sheet, Workbook

#: rows in which a header is looked for
_AHEAD = 200
#: rows above a header whose cells name a column that the header does not, as cells that are merged over rows do
_ABOVE = 2
#: cells with a failed formula that are named in a note
_NAMED = 10
HEADER = "as the workbook shows them"


def read(path: Path, asked: Request, limits: Limits) -> Table:
    """Read the sheet that is asked for, else the first one that is shown, else the only one that has coordinates.

    raises : SettingsError for a workbook that cannot be read, or without a sheet of sites; LimitError
    """
    book = Workbook(path, limits.bytes)
    hidden = book.hidden()
    sheet, header = _chosen(path, book, hidden, asked)
    names = _names(sheet.cells, header)
    cells = sheet.cells[header + 1 :]
    if cells.height > limits.rows and _filled(cells).sum() > limits.rows:
        raise LimitError(f"{path}: a portfolio has at most {limits.rows:,} rows (PORTFOLIO_MAX_ROWS); send it in parts")
    frame, names = portfolio_table.without_empty(cells, names)
    chosen = portfolio_table.chosen(names, f"{path}, sheet {sheet.name!r}", asked)
    raw = frame
    comma = portfolio_table.comma_fields(frame, chosen)
    frame = portfolio_table.with_points(frame, chosen, comma, cells=True)
    rows = pl.Series("row", range(header + 2, header + 2 + frame.height), pl.UInt32)
    notes = _notes(sheet, header, book.names, hidden, asked)
    notes += columns.notes_on(chosen)
    filled = _filled(frame)
    if errors := [each for each in sheet.errors if each[0] > header]:
        named = ", ".join(f"{sheet.address(row, column)} {what}" for row, column, what in errors[:_NAMED])
        more = f" and {len(errors) - _NAMED:,} more" if len(errors) > _NAMED else ""
        notes.append(f"cells whose formula has failed: {named}{more}")
    return Table(
        frame=frame.filter(filled),
        chosen=chosen,
        rows=rows.filter(filled),
        total=int(filled.arg_true()[-1]) + 1 if filled.any() else 0,  # blank rows below are none
        header=HEADER,
        comma=comma,
        lone=frozenset(NUMBERS) - comma,
        notes=notes,
        raw=raw.filter(filled),
    )


def _chosen(path: Path, book: Workbook, hidden: list[str], asked: Request) -> tuple[Sheet, int]:
    """(sheet, place of its header)"""
    if asked.sheet is not None:
        name = next((each for each in book.names if each.strip().casefold() == asked.sheet.strip().casefold()), None)
        if name is None:
            raise SettingsError(f"{path}: no sheet {asked.sheet!r}; its sheets are: {', '.join(book.names)}")
        return _with_header(path, book.read(name), asked)
    shown = [name for name in book.names if name not in hidden]
    if not shown:
        raise SettingsError(
            f"{path} has no sheet that is shown; say which with --sheet: {', '.join(book.names) or 'none'}"
        )
    first = book.read(shown[0])
    if _header(first, asked) is not None or len(shown) == 1:
        return _with_header(path, first, asked)
    with_header = [(sheet, at) for sheet in map(book.read, shown[1:]) if (at := _header(sheet, asked)) is not None]
    if len(with_header) == 1:
        return with_header[0]
    if with_header:
        names = ", ".join(sheet.name for sheet, _ in with_header)
        raise SettingsError(f"{path}: sheets {names} all have coordinates: say which with --sheet")
    return _with_header(path, first, asked)


def _with_header(path: Path, sheet: Sheet, asked: Request) -> tuple[Sheet, int]:
    if (at := _header(sheet, asked)) is not None:
        return sheet, at
    where = f"{path}, sheet {sheet.name!r}"
    names = _names(sheet.cells, _widest(where, sheet))
    raise columns.lacking(where, [name for name in names if name], columns.choose(names, where, asked.columns))


def _widest(where: str, sheet: Sheet) -> int:
    """Place of the row that most cells of are filled: the header, where none has coordinates."""
    head = sheet.cells.head(_AHEAD)
    filled = [sum(bool(each and each.strip()) for each in row) for row in head.iter_rows()]
    if not any(filled):
        raise SettingsError(f"{where} holds no header: it is empty")
    return filled.index(max(filled))


def head(path: Path, asked: Request, limits: Limits, most: int) -> tuple[list[str], list[tuple[int, tuple[str, ...]]]]:
    """(headings, first rows with their numbers) of the sheet that is asked for, else of the first that is shown,
    whether or not it has coordinates.

    raises : SettingsError for a workbook that cannot be read or an empty sheet; LimitError
    """
    book = Workbook(path, limits.bytes)
    hidden = book.hidden()
    wanted = (asked.sheet or "").strip().casefold()
    shown = [name for name in book.names if (name.strip().casefold() == wanted if wanted else name not in hidden)]
    if not shown:
        raise SettingsError(f"{path}: no such sheet; its sheets are: {', '.join(book.names)}")
    sheet = book.read(shown[0])
    place = _header(sheet, asked)
    place = _widest(f"{path}, sheet {sheet.name!r}", sheet) if place is None else place
    cells = sheet.cells[place + 1 : place + 1 + most]
    return _names(sheet.cells, place), [(place + 2 + i, row) for i, row in enumerate(cells.iter_rows())]


def _header(sheet: Sheet, asked: Request) -> int | None:
    """Place of the first row that has both coordinates."""
    for place in range(min(sheet.cells.height, _AHEAD)):
        if columns.has_coordinates(_names(sheet.cells, place), asked.columns):
            return place
    return None


def _names(cells: pl.DataFrame, header: int) -> list[str]:
    """Headings of a row; where a cell of it is empty, what stands above it, as in cells merged over two rows."""
    above = [cells.row(place) for place in range(header, max(header - _ABOVE, 0) - 1, -1)] if cells.width else []
    if not above:
        return []
    filled = [sum(bool(each and each.strip()) for each in row) for row in above]
    rows = [row for row, n in zip(above, filled, strict=True) if n > 1 or row is above[0]]  # one cell alone is a title
    return [
        " ".join(next((row[place] for row in rows if row[place] and row[place].strip()), "").split())
        for place in range(cells.width)
    ]


def _filled(cells: pl.DataFrame) -> pl.Series:
    if not cells.width:
        return pl.Series([False] * cells.height, dtype=pl.Boolean)
    return cells.select(
        pl.any_horizontal((pl.all().str.strip_chars() != "").fill_null(False)).alias("held")
    ).to_series()


def _notes(sheet: Sheet, header: int, names: list[str], hidden: list[str], asked: Request) -> list[str]:
    notes = []
    if len(names) > 1:
        others = ", ".join(f"{name} (hidden)" if name in hidden else name for name in names if name != sheet.name)
        notes.append(
            f"read sheet {sheet.name!r}{'' if asked.sheet else ' (--sheet NAME for another)'}; not read: {others}"
        )
    if header:
        notes.append(f"its header stands in row {header + 1}")
    return notes
