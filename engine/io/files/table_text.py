"""Tables as people have them: CSV in the dialects of spreadsheets and weather services, workbooks, Parquet."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import polars as pl

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.io.files import containers, csv_text, parquet_file
from engine.io.files.reading import reading

SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq")
_WORKBOOK = (".xlsx", ".xls")
_NETCDF = (".nc", ".nc4", ".cdf")
#: header by which the Korean weather service names its stations: nobody else's table has it
KOREAN = "지점"
_PARQUET = b"PAR1"
_UNIT = re.compile(r"^(.*?)\s*[(\[]([^()\[\]]*)[)\]]\s*$")
_UNIT_WORDS = {"mj/m2": "MJ/m2/day", "mj/㎡": "MJ/m2/day", "mj/m²": "MJ/m2/day", "℃": "degC", "°c": "degC", "hr": "h"}
#: an earlier year is one of two digits
_FIRST_YEAR = 1000
_BLANKS = ("", "-", "--", ".", "na", "n/a", "nan", "null", "none")
_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
#: a time of day and a zone behind a date, and what a spreadsheet makes of 20180131
_BEHIND = r"(?:[T ]\d{1,2}:\d{2}.*|\.0+)$"
#: what polars adds to a header that comes again
_AGAIN = re.compile(r"_duplicated_\d+$")


def is_table(path: Path) -> bool:
    """Check whether a file is a table: by its name, by what a zip holds, or by its beginning."""
    name = path.name.lower()
    if name.removesuffix(".gz").endswith((*SUFFIXES, *_WORKBOOK)):
        return True
    with path.open("rb") as stream:
        head = stream.read(4096)
    if head[:4] == _PARQUET:
        return True
    if head[:2] == b"PK" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(member.lower().endswith(SUFFIXES) for member in archive.namelist())
    if head[:1] in (b"<", b"{") or b"\0" in head or name.endswith(_NETCDF):
        return False
    return any(separator.encode() in head.partition(b"\n")[0] for separator in csv_text.SEPARATORS)


def read(path: Path) -> pl.DataFrame:
    """Every column; those of a CSV as text, of a workbook the first sheet's. A CSV may be gzip or a zip with one table.

    raises : SchemaError for a file that is none
    """
    try:
        if path.name.lower().endswith(_WORKBOOK):
            return _workbook(path)
        with containers.opened(path, SUFFIXES, ("plain",)) as content:
            return parse(content.path.read_bytes(), path.name)
    except FileNotFoundError as err:
        raise SchemaError(f"{path} does not exist") from err


def _workbook(path: Path) -> pl.DataFrame:
    if not path.exists():
        raise FileNotFoundError(path)
    with reading(path, (ValueError,)):  # polars' own on a workbook without a sheet
        frame = pl.read_excel(path, engine="calamine", infer_schema_length=None)
    return frame.rename({column: column.strip() for column in frame.columns})


def parse(content: bytes, name: str) -> pl.DataFrame:
    """A table from its bytes."""
    try:
        if content[:4] == _PARQUET:
            with reading(name):
                frame = parquet_file.read(io.BytesIO(content))
            return frame.rename({column: column.strip() for column in frame.columns})
        text = decoded(content, name)
        if text.lstrip()[:1] in ("<", "{"):
            raise SchemaError(f"{name} is an error page, not a table: {' '.join(text.split())[:200]}")
        lines = text.splitlines(keepends=True)
        while lines and csv_text.is_lead(lines[0]):
            lines.pop(0)
        if not lines:
            raise SchemaError(f"{name} holds no row")
        separator = max(csv_text.SEPARATORS, key=lines[0].count)
        frame = pl.read_csv(
            io.BytesIO("".join(lines).encode()), separator=separator, infer_schema=False, truncate_ragged_lines=False
        )
    except (pl.exceptions.PolarsError, OSError) as err:
        raise SchemaError(f"{name} cannot be read as a table: {str(err).splitlines()[0]}") from err
    frame = frame.rename({column: column.strip() for column in frame.columns})
    if separator == ";":
        frame = frame.with_columns(pl.all().str.replace(r"^(\s*-?\d+),(\d+\s*)$", "${1}.${2}"))
    return frame


def decoded(content: bytes, name: str) -> str:
    """Text in UTF-8, UTF-16, CP949 (with Korean headers) or Windows-1252."""
    if encoding := csv_text.marked(content[:4096]):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError as err:
            raise SchemaError(f"{name} is no text in {encoding} all through: {err}") from err
    for encoding in ("utf-8-sig", "cp949", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding != "cp949" or KOREAN in text.partition("\n")[0]:
            return text
    raise SchemaError(f"{name} is text in no known encoding; save it as CSV UTF-8")


def split_unit(header: str) -> tuple[str, str]:
    """`평균기온(°C)` -> (`평균기온`, `°C`); the unit is "" where none stands in brackets at the end."""
    header = _AGAIN.sub("", header)
    match = _UNIT.match(header)
    return (match[1].strip(), match[2].strip()) if match else (header.strip(), "")


def known_unit(unit: str) -> str:
    """The spelling of a header's unit that the readers know; a sum in a daily table is one of a day."""
    return _UNIT_WORDS.get(unit.replace(" ", "").lower(), unit)


def numbers(column: pl.Series, name: str) -> pl.Series:
    """A column as Float64; blanks and words for "missing" are null.

    raises : SchemaError naming the first value that is no number
    """
    if column.dtype != pl.String:
        try:
            return column.cast(pl.Float64).fill_nan(None)
        except pl.exceptions.PolarsError as err:
            raise SchemaError(f"{name}: column {column.name} holds {column.dtype}, expected numbers") from err
    text = column.str.strip_chars()
    text = text.set(text.str.to_lowercase().is_in(_BLANKS), None)
    found = text.cast(pl.Float64, strict=False)
    _refuse(text, found, column.name, name, "a number")
    return found.fill_nan(None)


def dates(column: pl.Series, name: str) -> pl.Series:
    """A column as dates, from dates, times or one way of writing them with the year first.

    raises : SchemaError naming the first value that is no such date
    """
    if column.dtype in (pl.Date, pl.Datetime):
        return column.cast(pl.Date) if column.dtype == pl.Date else column.dt.date()
    text = column.cast(pl.String).str.strip_chars()
    text = text.set(text == "", None)
    plain = text.str.replace(_BEHIND, "")
    tried = [plain.str.to_date(way, strict=False) for way in _DATE_FORMATS]
    tried = [found.set((found.dt.year() < _FIRST_YEAR).fill_null(False), None) for found in tried]
    found = min(tried, key=lambda each: each.null_count())
    _refuse(text, found, column.name, name, "a date such as 2018-01-31")
    if any(other.null_count() == found.null_count() and not other.equals(found) for other in tried):
        raise SchemaError(
            f"{name}: dates of column {column.name} such as {text.drop_nulls()[0]!r} may be day/month or month/day;"
            " write the year first"
        )
    return found


def _refuse(text: pl.Series, found: pl.Series, column: str, name: str, expected: str) -> None:
    bad = (text.is_not_null() & found.is_null()).arg_true()
    if len(bad):
        raise SchemaError(
            f"{name}: {counted(len(bad), 'value')} of column {column}"
            f" {agree(len(bad), 'is', 'are')} not {expected}, the first in row {int(bad[0]) + 1}:"
            f" {text[int(bad[0])]!r}"
        )
