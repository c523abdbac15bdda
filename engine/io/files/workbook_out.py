"""Tables as sheets of a workbook, row by row: memory does not grow with them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import polars as pl
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from engine.core.errors import SinkError
from engine.core.language import DEFAULT, Language
from engine.core.levels import PRINTED
from engine.core.translation import translate

Form = Literal["text", "wide", "whole", "money", "number", "fraction", "percent", "degrees", "level"]
#: what one sheet of Excel holds
MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 1_048_576, 16_384, 32_767
#: integers that a spreadsheet keeps to the last digit
_EXACT = 10**15
_NUMBERS: dict[str, str] = {
    "whole": "0",
    "money": "#,##0",
    "number": "0.0",
    "fraction": "0.000",
    "percent": "0.0000",
    "degrees": "0.000000",
}
_WIDTHS: dict[str, int] = {
    "wide": 44,
    "whole": 8,
    "money": 20,
    "number": 10,
    "fraction": 10,
    "percent": 12,
    "degrees": 12,
    "level": 11,
}
_NARROWEST, _WIDEST = 9, 40
#: colours of the five printed levels, mildest first: light enough for black letters, told apart without colour sight
LEVEL_COLOURS = dict(zip(PRINTED, ("#FFFFE5", "#FEE9A8", "#FEC44F", "#F58634", "#CC5A5A"), strict=True))


class Heading(NamedTuple):
    """A column of a sheet.

    name  : of the column in a frame
    title : as shown
    form  : of its values
    ours  : what of it is words of the engine, which a workbook in another language translates
    """

    name: str
    title: str
    form: Form = "text"
    ours: Literal["all", "title", "nothing"] = "all"

    def shown(self, language: Language) -> str:
        """Its title in a language."""
        return self.title if self.ours == "nothing" else translate(self.title, language)


class WorkbookFile:
    """A workbook that is being written; it is whole after `close`.

    language : of the names of sheets, headings, levels and notes
    raises   : SinkError when the disk does not take it
    """

    def __init__(self, path: Path, language: Language = DEFAULT) -> None:
        self._path, self.language = path, language
        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": str(path.parent),
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        make = self._book.add_format
        self._head = make({"bold": True, "text_wrap": True, "valign": "top", "bg_color": "#E8EDF2", "bottom": 1})
        self._formats = {form: make({"num_format": text}) for form, text in _NUMBERS.items()}
        self._formats["day"] = make({"num_format": "yyyy-mm-dd"})
        self._formats["moment"] = make({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._levels = {translate(word, language): make({"bg_color": colour}) for word, colour in LEVEL_COLOURS.items()}
        self._open = True

    def sheet(self, name: str, headings: Sequence[Heading], *, frozen: int = 1) -> SheetWriter:
        """A sheet with one line of headings; `frozen` columns stay in sight."""
        return SheetWriter(self, name, headings, frozen)

    def page(self, name: str, blocks: Sequence[tuple[Sequence[Heading], pl.DataFrame]]) -> None:
        """A sheet of small tables, one below the other."""
        sheet, row = self._book.add_worksheet(translate(name, self.language)), 0
        told = [(headings, translated(frame, headings, self.language)) for headings, frame in blocks]
        for headings, frame in told:
            for place, heading in enumerate(headings):
                sheet.write_string(row, place, heading.shown(self.language), self._head)
            put = [_putter(self._formats, heading.form) for heading in headings]
            for values in zip(*(_plain(frame[heading.name]) for heading in headings), strict=True):
                row += 1
                for place, value in enumerate(values):
                    put[place](sheet, row, place, value)
            row += 3
        widths: dict[int, int] = {}
        for headings, frame in told:
            for place, heading in enumerate(headings):
                width = _width(heading.shown(self.language), heading.form, frame[heading.name].head(200))
                widths[place] = max(widths.get(place, 0), width)
        for place, width in widths.items():
            sheet.set_column(place, place, width)

    def close(self) -> None:
        """Write the file."""
        self._open = False
        try:
            self._book.close()
        except (OSError, xlsxwriter.exceptions.XlsxWriterException) as err:
            raise SinkError(f"{self._path} cannot be written: {err}") from err

    def abandon(self) -> None:
        """Leave it, and nothing of it on the disk."""
        if self._open:
            self._open = False
            for sheet in self._book.worksheets():
                if (handle := getattr(sheet, "row_data_fh", None)) is not None:
                    handle.close()
                    Path(sheet.row_data_filename).unlink(missing_ok=True)
            self._book.fileclosed = 1
        self._path.unlink(missing_ok=True)

    def _add(self, name: str, headings: Sequence[Heading], frozen: int) -> Worksheet:
        sheet = self._book.add_worksheet(name)
        for place, heading in enumerate(headings):
            sheet.write_string(0, place, heading.shown(self.language)[:MOST_CHARACTERS], self._head)
        sheet.freeze_panes(1, frozen)
        return sheet

    def _finish(self, sheet: Worksheet, headings: Sequence[Heading], widths: Sequence[int], rows: int) -> None:
        for place, (heading, width) in enumerate(zip(headings, widths, strict=True)):
            sheet.set_column(place, place, width)
            if heading.form == "level" and rows:
                for word, form in self._levels.items():
                    rule = {"type": "cell", "criteria": "==", "value": f'"{word}"', "format": form}
                    sheet.conditional_format(1, place, rows, place, rule)
        if rows:
            sheet.autofilter(0, 0, rows, len(headings) - 1)


class SheetWriter:
    """A sheet, and those that follow it when it is full."""

    def __init__(self, book: WorkbookFile, name: str, headings: Sequence[Heading], frozen: int) -> None:
        self._book, self._name, self._frozen = book, translate(name, book.language), frozen
        self._headings = list(headings)[:MOST_COLUMNS]
        self._widths: list[int] | None = None
        self._sheet = book._add(self._name, self._headings, frozen)
        self._row, self._sheets = 1, 1

    @property
    def sheets(self) -> int:
        """Number of sheets that the table takes by now."""
        return self._sheets

    def append(self, frame: pl.DataFrame) -> None:
        """Add rows; the frame has a column for every heading."""
        chosen = translated(frame, self._headings, self._book.language)
        if self._widths is None:
            self._widths = self._width_of(chosen.head(200))
        columns = [_plain(column) for column in chosen]
        while columns and len(columns[0]):
            room = MOST_ROWS - self._row
            if not room:
                self._next()
                continue
            self._write([column[:room] for column in columns])
            columns = [column[room:] for column in columns]

    def close(self) -> None:
        """Set widths and filters."""
        nothing = pl.DataFrame({heading.name: pl.Series([], dtype=pl.String) for heading in self._headings})
        self._book._finish(self._sheet, self._headings, self._widths or self._width_of(nothing), self._row - 1)

    def _width_of(self, sample: pl.DataFrame) -> list[int]:
        language = self._book.language
        return [_width(each.shown(language), each.form, sample[each.name]) for each in self._headings]

    def _next(self) -> None:
        self.close()
        self._sheets += 1
        self._sheet = self._book._add(f"{self._name} ({self._sheets})", self._headings, self._frozen)
        self._row = 1

    def _write(self, columns: list[list[Any]]) -> None:
        put = [_putter(self._book._formats, heading.form) for heading in self._headings]
        for row, values in enumerate(zip(*columns, strict=True), self._row):
            for place, value in enumerate(values):
                if value is not None:
                    put[place](self._sheet, row, place, value)
        self._row += len(columns[0])


def translated(frame: pl.DataFrame, headings: Sequence[Heading], language: Language) -> pl.DataFrame:
    """The columns of the headings, with the words of the engine among their values in a language: each word once."""
    chosen = frame.select(heading.name for heading in headings)
    if language == DEFAULT:
        return chosen
    columns = []
    for heading, column in zip(headings, chosen, strict=True):
        if heading.ours == "all" and column.dtype in (pl.String, pl.Categorical, pl.Enum):
            text = column.cast(pl.String)
            known = {value: translate(value, language) for value in text.unique().drop_nulls()}
            columns.append(text.replace(known))
        else:
            columns.append(column)
    return pl.DataFrame(columns)


Put = Callable[[Worksheet, int, int, Any], None]


def _putter(formats: Mapping[str, Any], form: str) -> Put:
    """Writes a value by its type: text never becomes a formula, an address or a number."""
    number = formats.get(form)

    def put(sheet: Worksheet, row: int, place: int, value: Any) -> None:
        if isinstance(value, str):
            sheet.write_string(row, place, value[:MOST_CHARACTERS])
        elif isinstance(value, bool):
            sheet.write_boolean(row, place, value)
        elif isinstance(value, (int, float)):
            sheet.write_number(row, place, value, number)
        elif value is not None:
            sheet.write_datetime(row, place, value, formats["moment" if isinstance(value, datetime) else "day"])

    return put


def _plain(column: pl.Series) -> list[Any]:
    """Values as a spreadsheet holds them: what it has no form for as text."""
    kind = column.dtype
    if kind in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String).to_list()
    if kind.is_integer() or kind.is_decimal():
        values = column.to_list()
        small = kind in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)
        return values if small else [_number(value) for value in values]
    if kind.is_float():
        return [None if v is None or math.isnan(v) else v if math.isfinite(v) else str(v) for v in column.to_list()]
    if kind == pl.Boolean or kind == pl.Null:
        return column.to_list()
    return [_text(value) for value in column.to_list()]


def _number(value: Any) -> Any:
    return value if value is None or (isinstance(value, int) and abs(value) <= _EXACT) else str(value)


def _text(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, datetime):  # a spreadsheet knows neither zones nor years before 1900
        return value if value.tzinfo is None and value.year >= 1900 else value.isoformat()
    if isinstance(value, date):
        return value if value.year >= 1900 else value.isoformat()
    if isinstance(value, (time, timedelta)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value, ensure_ascii=False, default=str)


def _width(title: str, form: str, sample: pl.Series) -> int:
    longest = max((_letters(line) for line in title.split()), default=0) + 2
    if form in _WIDTHS:
        return max(_WIDTHS[form], min(longest, _WIDEST))
    texts = [value if isinstance(value, str) else str(value) for value in _plain(sample) if value is not None]
    content = max((_letters(text[:60]) for text in texts), default=0) + 2
    return max(_NARROWEST, min(max(content, longest), _WIDEST))


def _letters(text: str) -> int:
    """Width of a text; a letter of Korean takes the room of two."""
    return sum(2 if ord(sign) > 0x1100 else 1 for sign in text)
