"""Text tables as other people's programs write them: encoding, lines above the header, separator."""

from __future__ import annotations

import codecs
import csv
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl

from engine.core.counted import counted
from engine.core.errors import SettingsError

SEPARATORS = ",;\t|"
_IN_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_CHUNK = 1 << 20
#: a name that no header has
_ROW = "\0row"
#: characters within which a header ends, lines within which it begins, and lines of titles above it
_AHEAD, _MOST_LEAD, _MOST_TITLES = 1 << 18, 1000, 30
_MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEP_LINE = re.compile(r"""\s*"?sep=(.)"?[\s,;|]*""", re.IGNORECASE)
#: what Korean text consists of, but for signs: syllables of KS X 1001. Text in other encodings may happen to be valid
#: cp949; then it has letters of other scripts, or syllables that Korean does not use
_SYLLABLES, _KOREAN_SHARE = re.compile("[가-힣]+"), 0.9
_PAIR = re.compile(rb"([\xb0-\xc8][\xa1-\xfe])|..", re.DOTALL)
_FOREIGN = re.compile("[^\x00-\xff\u2000-\u215f\u2190-\u2bff\u3000-\u303f\u3200-\u33ff\uff00-\uffef가-힣]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text table, ready for a reader that knows UTF-8 alone.

    name     : of the file in messages
    path     : of the text from its header on, in UTF-8
    encoding : in words
    lead     : lines above the header
    headers  : separator -> names of the columns, if it is the one; one alone when a line `sep=` states it
    """

    name: str
    path: Path
    encoding: str
    lead: int
    headers: dict[str, list[str]]

    def said(self, separator: str) -> str:
        """Describe in words how the text is read."""
        where = f", its header in line {self.lead + 1}" if self.lead else ""
        return f"text in {self.encoding}, separated by {_IN_WORDS.get(separator, repr(separator))}{where}"


def marked(head: bytes) -> str | None:
    """The Unicode encoding that the first bytes of a file show, by a mark or by the zeros of UTF-16; None: none."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[::2], head[1::2]
    if len(head) >= 16:  # every second byte of a header in Latin letters
        if odd.count(0) > 0.9 * len(odd) and not even.count(0):
            return "utf-16-le"
        if even.count(0) > 0.9 * len(even) and not odd.count(0):
            return "utf-16-be"
    return None


def is_lead(line: str) -> bool:
    """Check whether a line above a header is none: blank, a comment, `sep=`, or nothing but separators."""
    return line.startswith("#") or bool(_SEP_LINE.fullmatch(line)) or not line.strip(SEPARATORS + '" \t\r\n\ufeff')


@contextmanager
def opened(path: Path, is_header: Callable[[list[str]], bool]) -> Iterator[Text]:
    """A text table; a copy of it, where one is needed, is gone after the block.

    is_header : whether names are those of a header: lines above the first that are count as titles. Where none is, the
                first line is the header
    raises : SettingsError for a file that does not exist, has no header, or is in an encoding that cannot be told
    """
    try:
        encoding = _encoding(path)
        with (
            path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as text,
            tempfile.TemporaryDirectory(prefix="sites-") as folder,
        ):
            lead, stated, ahead = _to_header(path, text)
            titles, ahead = _below_titles(ahead, stated or SEPARATORS, is_header)
            lead += titles
            old_mac = "\r" in ahead and "\n" not in ahead
            plain = path
            if lead or old_mac or not encoding.startswith("utf-8"):
                plain = Path(folder) / "table.csv"
                with plain.open("w", encoding="utf-8", newline="") as sink:
                    for chunk in _chunks(ahead, text):
                        sink.write(chunk.replace("\r", "\n") if old_mac else chunk)
            headers = {each: _header(path, ahead, each) for each in (stated or SEPARATORS)}
            words = encoding.upper().removesuffix("-SIG") if encoding.startswith("utf") else encoding
            yield Text(name=str(path), path=plain, encoding=words, lead=lead, headers=headers)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except UnicodeError as err:
        raise SettingsError(f"{path} is no text in {encoding} all through: {err}; save it as CSV UTF-8") from None


def _chunks(ahead: str, text: IO[str]) -> Iterator[str]:
    yield ahead
    while chunk := text.read(_CHUNK):
        yield chunk


def _to_header(path: Path, text: IO[str]) -> tuple[int, str | None, str]:
    """(lines above the header, separator that one of them states, text from the header on)"""
    stated = None
    for lead in range(_MOST_LEAD):
        line = text.readline(_AHEAD)
        if not line:
            break
        if not is_lead(line):
            return lead, stated, line + text.read(_AHEAD)
        if found := _SEP_LINE.fullmatch(line):
            stated = found[1]
    raise SettingsError(f"{path} holds no header: it is empty, or begins with comments or blank lines alone")


def _below_titles(ahead: str, separators: str, is_header: Callable[[list[str]], bool]) -> tuple[int, str]:
    """(lines of titles above the header, text from the header on)"""
    at = 0
    for number in range(_MOST_TITLES):
        if any(is_header(_record(ahead[at:], each)) for each in separators):
            return number, ahead[at:]
        at = ahead.find("\n", at) + 1
        if not at:
            break
    return 0, ahead


def _record(text: str, separator: str) -> list[str]:
    """Fields of the first record, which may go over several lines; none where it is not one."""
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except (csv.Error, TypeError, ValueError):
        return []


def _header(path: Path, ahead: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(ahead, newline=""), delimiter=separator))
    except (csv.Error, TypeError, ValueError) as err:  # a stated separator that can be none
        raise SettingsError(f"{path}: its header cannot be read with the separator {separator!r}: {err}") from None


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        if found := marked(file.read(4096)):
            return found
    if (bad := _first_bad(path, "utf-8")) is None:
        return "utf-8"
    if _first_bad(path, "cp949") is None and _is_korean(path):
        return "cp949"
    raise SettingsError(
        f"{path} is neither UTF-8 nor UTF-16 nor Korean text in cp949: line {bad[0]:,} holds the byte 0x{bad[1]:02x};"
        " save it as CSV UTF-8"
    )


def _first_bad(path: Path, encoding: str) -> tuple[int, int] | None:
    """(line, byte) at which a file stops being text in an encoding; None: nowhere."""
    decoder, lines = codecs.getincrementaldecoder(encoding)(), 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as err:
                known: bytes = err.object  # the chunk behind what was held back of the one before
                return lines + known[: err.start].count(b"\n"), known[err.start]
            if not chunk:
                return None
            lines += chunk.count(b"\n")


def _is_korean(path: Path) -> bool:
    usual = other = 0
    with path.open(encoding="cp949", newline="") as text:
        while chunk := text.read(_CHUNK):
            pairs = _PAIR.findall("".join(_SYLLABLES.findall(chunk)).encode("cp949"))
            rare = pairs.count(b"")
            usual += len(pairs) - rare
            other += rare + len(_FOREIGN.findall(chunk))
    return usual > 0 and usual >= _KOREAN_SHARE * (usual + other)


def read(text: Text, separator: str) -> tuple[pl.DataFrame, pl.Series, int]:
    """(every column as text, of the rows that hold anything; their numbers from 0; number of all rows).

    Rows without any value are left out as they pass: a file may end in very many.

    raises : SettingsError naming the first row that has more fields than the header, or a stray quotation mark
    """
    table = pl.scan_csv(text.path, separator=separator, infer_schema=False, glob=False)
    held = pl.any_horizontal((pl.all().exclude(_ROW).str.strip_chars() != "").fill_null(False))
    try:
        frame = table.with_row_index(_ROW).filter(held).collect(engine="streaming")
        total = table.select(pl.len()).collect(engine="streaming").item()
    except pl.exceptions.PolarsError as err:
        reason = _why(text, separator)
        raise SettingsError(f"{text.name} cannot be read as {text.said(separator)}: {reason}") from err
    if frame.width - 1 != len(text.headers[separator]):
        raise SettingsError(f"{text.name} cannot be read as {text.said(separator)}: its header is no list of names")
    return frame.drop(_ROW), frame[_ROW].cast(pl.UInt32).alias("row"), total


def head(text: Text, separator: str, most: int) -> list[tuple[int, tuple[str, ...]]]:
    """(line as a program shows it, fields) of the first rows that hold anything, of any number of fields.

    raises : SettingsError for a line that is no record
    """
    found: list[tuple[int, tuple[str, ...]]] = []
    with text.path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=separator)
        try:
            next(lines, None)
            for row in lines:
                if len(found) == most:
                    break
                if any(each.strip() for each in row):
                    found.append((lines.line_num + text.lead, tuple(row)))
        except csv.Error as fault:
            raise SettingsError(f"{text.name}: line {lines.line_num + text.lead:,}: {fault}") from None
    return found


def count(text: Text, separator: str, most: int) -> int:
    """Rows that hold anything, counted up to one more than `most`, a line in memory at a time: readers of whole tables
    read far ahead."""
    nothing = f'{separator} \t\r\n"'.encode()
    rows, held, quoted = -1, False, False  # the header is no row
    with text.path.open("rb") as file:
        for line in iter(lambda: file.readline(_CHUNK), b""):
            held = held or bool(line.strip(nothing))
            quoted ^= line.count(b'"') % 2 == 1
            if held and not quoted and line.endswith(b"\n"):
                rows, held = rows + 1, False
                if rows > most:
                    break
    return rows + held


def _why(text: Text, separator: str) -> str:
    width = len(text.headers[separator])
    with text.path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=separator)
        try:
            for row in lines:
                if len(row) > width:
                    hint = "; a decimal comma needs another separator, or quotation marks" if separator == "," else ""
                    return (
                        f"the row that ends in line {lines.line_num + text.lead:,} has"
                        f" {counted(len(row), 'field')}, the header"
                        f" {width}{hint}"
                    )
        except csv.Error as fault:
            return f"line {lines.line_num + text.lead:,}: {fault}"
    return "a quotation mark stands within one of its fields: put the field in quotation marks, and write it twice"
