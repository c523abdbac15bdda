"""Portfolios as spreadsheets write them to text: which separator, which sign of decimals, which lines are none."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from engine.assess.job import portfolio_oed, portfolio_table
from engine.assess.job.portfolio_table import NUMBERS, Request, Table
from engine.assess.rules import columns, oed
from engine.assess.rules.fields import BY_NAME
from engine.core.errors import SettingsError
from engine.io.files import csv_text
from engine.io.files.csv_text import Text

_WHOLE = frozenset(name for name in NUMBERS if BY_NAME[name].kind == "integer")
HEADER = "as a spreadsheet shows them: the line of the header counts, too"


def read(path: Path, asked: Request | None = None) -> Table:
    """Read a text table.

    raises : SettingsError for a file without coordinates, and for what cannot be decided about its form
    """
    asked = asked or Request()
    with csv_text.opened(path, lambda names: columns.has_coordinates(names, asked.columns)) as text:
        separator = _separator(text, asked)
        frame, rows, total = csv_text.read(text, separator)
    frame, names = portfolio_table.without_empty(frame, text.headers[separator])
    if oed.is_oed(names):
        numbers = rows + text.lead + 2
        return portfolio_oed.table_of(frame, names, numbers, path, asked, total=total, header=HEADER)
    portfolio_oed.require_other(path, asked, names)
    chosen = portfolio_table.chosen(names, path, asked)
    sign = portfolio_table.decimal_sign(frame, chosen, path, NUMBERS)
    raw, said, notes = frame, text.said(separator), []
    if sign == ",":
        frame = portfolio_table.with_points(frame, chosen, NUMBERS)
        said += ", with a decimal comma"
    if sign == "," or separator != "," or text.lead or text.encoding != "UTF-8":
        notes.append(f"read as {said}")
    notes += columns.notes_on(chosen)
    if lines := int((is_comment := portfolio_table.comments(frame)).sum()):
        frame = frame.with_columns(pl.when(~is_comment).then(pl.first()))
        notes.append(f"comment lines (#) among the rows: {lines:,}, counted as rows without any value")
    # where a comma parts the fields, it parts no decimals; nor where it stands in a whole number
    lone = frozenset(NUMBERS) if sign == "." or (sign is None and separator == ",") else _WHOLE
    return Table(
        frame=frame,
        chosen=chosen,
        rows=rows + text.lead + 2,
        total=total,
        header=HEADER,
        comma=frozenset(NUMBERS) if sign == "," else frozenset(),
        lone=frozenset() if sign == "," else lone,
        notes=notes,
        raw=raw,
    )


def head(path: Path, asked: Request, most: int) -> tuple[list[str], list[tuple[int, tuple[str, ...]]]]:
    """(headings, first rows with their line numbers) of a text table, whether or not it has coordinates.

    raises : SettingsError for a file that is no text
    """
    with csv_text.opened(path, lambda names: columns.has_coordinates(names, asked.columns)) as text:
        told = [each for each, names in text.headers.items() if columns.has_coordinates(names, asked.columns)]
        separator = told[0] if told else max(text.headers, key=lambda each: len(text.headers[each]))
        return text.headers[separator], csv_text.head(text, separator, most)


def count(path: Path, most: int, asked: Request | None = None) -> int:
    """Rows that hold anything, up to one more than `most`; nothing of them is kept."""
    asked = asked or Request()
    with csv_text.opened(path, lambda names: columns.has_coordinates(names, asked.columns)) as text:
        return csv_text.count(text, _separator(text, asked), most)


def _separator(text: Text, asked: Request) -> str:
    """The separator under which the header has coordinates."""
    found = [each for each, names in text.headers.items() if columns.has_coordinates(names, asked.columns)]
    if len(found) == 1:
        return found[0]
    if found:
        ways = " or ".join(text.said(each) for each in found)
        raise SettingsError(f"{text.name} may be {ways}: put a line such as sep={found[0]} above its header")
    widest = max(text.headers, key=lambda each: len(text.headers[each]))
    names = text.headers[widest]
    read_as = f"; read as {text.said(widest)}"
    raise columns.lacking(text.name, names, columns.choose(names, text.name, asked.columns), read_as)
