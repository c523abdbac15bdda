"""Workbooks of Excel and of OpenDocument, told by their first bytes; cells as text, and where a formula has failed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import fastexcel
import polars as pl

from engine.core.counted import counted
from engine.core.errors import LimitError, SchemaError, SettingsError
from engine.io.files.reading import ZIP_FAULTS, reading

#: what names of workbooks end in
SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
#: cells of a sheet's rectangle that are held in memory at once, 32 bytes each
MOST_CELLS = 50_000_000
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BOOK, _LINKS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
_CHUNK = 1 << 20
_PART = 4 << 20
_CELL = re.compile(
    rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*?[^/>]>|<(?:\w+:)?c r="([A-Z]{1,3})([0-9]{1,7})">'
)
_ERRORS = {
    "Div0": "#DIV/0!",
    "NA": "#N/A",
    "Name": "#NAME?",
    "Null": "#NULL!",
    "Num": "#NUM!",
    "Ref": "#REF!",
    "Value": "#VALUE!",
    "GettingData": "#GETTING_DATA",
}
_OTHER_ZIPS = {"word/": "a Word document", "ppt/": "a PowerPoint file", "Index/": "a file of Apple Numbers or Pages"}
_MARKUP = (b"<!doctype", b"<html", b"<table", b"<head", b"<meta")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as text.

    cells  : rows from the first of the sheet on, so that the row of place i is row i + 1 of the program that shows it;
             a column each, from the first one that holds anything
    errors : (place of the row, place of the column, `#N/A` ...) of cells whose formula has failed
    first  : number of the first column, from 0; None where the file does not tell
    """

    name: str
    cells: pl.DataFrame
    errors: list[tuple[int, int, str]]
    first: int | None

    def address(self, row: int, column: int) -> str:
        """`D10`, or the row alone where the first column is not known."""
        return f"row {row + 1}" if self.first is None else f"{_letters(self.first + column)}{row + 1}"


def kind_of(path: Path) -> str | None:
    """`xlsx`, `xlsb`, `ods` or `xls` by what the file is, whatever its name; None for a file of another kind.

    raises : SettingsError for a file that is encrypted, or of another program of an office
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_OLE):
        return _of_ole(path)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].lower().startswith(_MARKUP):
        raise SettingsError(
            f"{path} is an HTML page, whatever its name says: open it in a spreadsheet, save it as .xlsx"
        )
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head:
        raise SettingsError(f"{path} is XML of Excel 2003: open it in a spreadsheet, save it as .xlsx")
    if not head.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return _of_zip(path, archive)
    except (zipfile.BadZipFile, zlib.error, OSError, *ZIP_FAULTS) as err:
        if path.suffix.lower() in SUFFIXES:
            raise SettingsError(f"{path} is no whole workbook: {err}") from err
        return None


def _of_zip(path: Path, archive: zipfile.ZipFile) -> str | None:
    if len(archive.infolist()) > 10_000:
        return None
    names = set(archive.namelist())
    if "[Content_Types].xml" in names or "Index/Document.iwa" in names:
        for folder, what in _OTHER_ZIPS.items():
            if any(name.startswith(folder) for name in names):
                raise SettingsError(f"{path} is {what}, no table: save it as .xlsx or CSV UTF-8")
        return "xlsb" if "xl/workbook.bin" in names else "xlsx"
    if "mimetype" in names and "content.xml" in names:
        kind = archive.read("mimetype")[:100].decode("ascii", "replace").strip()
        if not kind.startswith("application/vnd.oasis.opendocument.spreadsheet"):
            raise SettingsError(f"{path} is a document of {kind}, no table: save it as .ods, .xlsx or CSV UTF-8")
        if "META-INF/manifest.xml" in names and b"encryption-data" in archive.read("META-INF/manifest.xml")[:_PART]:
            raise _encrypted(path)
        return "ods"
    return None


def _of_ole(path: Path) -> str:
    content = path.read_bytes()
    for stream, what in (("EncryptedPackage", None), ("WordDocument", "a Word document"), ("PowerPoint", "PowerPoint")):
        if stream.encode("utf-16-le") in content:
            raise _encrypted(path) if what is None else SettingsError(f"{path} is {what}, no table: save it as .xlsx")
    return "xls"


def _encrypted(path: Path) -> SettingsError:
    return SettingsError(f"{path} is protected by a password: open it, and save it without one")


class Workbook:
    """A workbook that is open for reading.

    raises : SettingsError for one that is damaged; LimitError for one that unpacks to more than `most` bytes
    """

    def __init__(self, path: Path, most: int) -> None:
        self._path = path
        self._kind = kind_of(path)
        if self._kind in ("xlsx", "xlsb", "ods"):
            _require_size(path, most)
        with _reading(path):
            self._reader = fastexcel.read_excel(path)
        self.names: list[str] = list(self._reader.sheet_names)

    def hidden(self) -> list[str]:
        """Names of sheets that the program does not show."""
        if self._kind != "xlsx":
            return []
        return [name for name, _, state in _sheets_of(self._path) if state != "visible" and name in self.names]

    def read(self, name: str) -> Sheet:
        """The cells of a sheet.

        raises : SettingsError for one that is damaged or reaches too far
        """
        first = None
        if self._kind == "xlsx":
            first = _require_extent(self._path, name)
        with _reading(self._path):
            sheet = self._reader.load_sheet(name, header_row=None, skip_rows=0, dtypes="string")
            cells = sheet.to_polars()
            batch, faults = sheet.to_arrow_with_errors()
        errors = []
        for fault in faults.errors if faults is not None else ():
            word = re.search(r"Error\((\w+)\)", str(fault.detail))
            row, column = fault.position
            errors.append(
                (int(row), int(column), _ERRORS.get(word[1], "#ERROR") if word else "a value of no known kind")
            )
        del batch
        for column in {column for _, column, _ in errors}:
            words = {row: word for row, at, word in errors if at == column}
            cells = cells.with_columns(cells.to_series(column).scatter(list(words), list(words.values())))
        return Sheet(name, cells, sorted(errors), first)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """`reading`, refused as a file that somebody chose; a fault of ours goes on as it is."""
    try:
        with reading(path, also=(*ZIP_FAULTS, ElementTree.ParseError)):
            yield
    except SchemaError as err:
        raise _damaged(path, err.__cause__ or err) from err


def _damaged(path: Path, err: BaseException) -> SettingsError:
    text = str(err)
    if "assword" in text or "ncrypt" in text:
        return _encrypted(path)
    return SettingsError(f"{path} is a workbook that cannot be read: {(text.splitlines() or [type(err).__name__])[0]}")


def _require_size(path: Path, most: int) -> None:
    left = most
    with _reading(path), zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            left -= member.file_size
            # deflate cannot shrink a thousandfold and more: what states less than it must hold is lying
            if member.compress_size > member.file_size + 4096:
                raise SettingsError(f"{path} is a workbook that cannot be read: {member.filename} states a wrong size")
            if left < 0:
                raise LimitError(
                    f"{path} unpacks to more than {most:,} bytes: send it in parts, or raise PORTFOLIO_MAX_BYTES"
                )


def _sheets_of(path: Path) -> list[tuple[str, str, str]]:
    """(name, part, state) of the sheets of an XLSX file; none where it lists them in another place than Excel."""
    with _reading(path), zipfile.ZipFile(path) as archive:
        if not {_BOOK, _LINKS} <= set(archive.namelist()):
            return []
        book, links = (ElementTree.fromstring(archive.open(part).read(_PART)) for part in (_BOOK, _LINKS))  # noqa: S314
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    found = []
    for element in book.iter():
        if element.tag.rpartition("}")[2] == "sheet":
            link = next(
                (value for key, value in element.items() if key.rpartition("}")[2] == "id" and "}" in key), None
            )
            target = targets.get(link, "")
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            found.append((element.get("name", ""), part, element.get("state", "visible")))
    return found


def _require_extent(path: Path, name: str) -> int | None:
    """Number of the first column with a value; None where it is not told.

    raises : SettingsError for a sheet whose rectangle of values is too large for memory
    """
    part = next((part for each, part, _ in _sheets_of(path) if each == name), None)
    low, high, rows = 1 << 20, 0, 0
    with _reading(path), zipfile.ZipFile(path) as archive:
        if part not in archive.namelist():
            return None
        with archive.open(part) as source:
            rest = b""
            while chunk := source.read(_CHUNK):
                text = rest + chunk
                cut = text.rfind(b"<")
                rest, text = (text[cut:], text[:cut]) if cut > 0 else (text, b"")
                found = _CELL.findall(text)
                columns = {each[0] or each[2] for each in found}
                if columns:
                    numbers = [_number(letters.decode()) for letters in columns]
                    low, high = min(low, *numbers), max(high, *numbers)
                    rows = max(rows, max(int(each[1] or each[3]) for each in found))
    if not rows:
        return None
    if rows * (high - low + 1) > MOST_CELLS:
        raise SettingsError(
            f"{path}: sheet {name!r} reaches to cell {_letters(high)}{rows},"
            f" {counted(rows, 'row')} and {high - low + 1:,}"
            " columns: delete what stands beyond the table"
        )
    return low


def _number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - 64
    return number - 1


def _letters(number: int) -> str:
    text, number = "", number + 1
    while number:
        number, place = divmod(number - 1, 26)
        text = chr(65 + place) + text
    return text
