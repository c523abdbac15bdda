"""An edition's TOML text: read with care, and able to say in which line it is wrong."""

from __future__ import annotations

import re
import stat
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

from engine.core.errors import DefinitionError, SettingsError
from engine.core.names import shortened

#: bytes; the largest published edition has 4,000
LARGEST = 200_000
#: characters of a sentence about a value
_LONGEST = 400
_AT = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
#: Python reads no decimal number of more digits
_DIGITS = re.compile(r"[0-9][0-9_]{4299,}")
#: tables and lists in each other; an edition has two
_DEEP = 50
#: control, format and surrogate characters, line and paragraph separators, private and unassigned ones
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")


def read(path: Path) -> str:
    """Text of an edition's file.

    raises : SettingsError for what is no file, cannot be read, is no edition by its size, or is not UTF-8
    """
    label = shown_text(str(path))
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise SettingsError(f"edition {label}: it is no file")
        if state.st_size > LARGEST:
            raise SettingsError(
                f"edition {label}: it holds {state.st_size:,} bytes; an edition has {LARGEST:,} at most"
            )
        raw = path.read_bytes()
    except (OSError, ValueError) as err:  # ValueError: a NUL in the path
        raise SettingsError(f"edition {label}: cannot be read: {getattr(err, 'strerror', None) or err}") from None
    try:
        text = raw.decode("utf-8-sig")  # editors of Windows put a byte order mark first
        at = raw.find(b"\0")  # UTF-16 without its mark
    except UnicodeDecodeError as err:
        text, at = "", err.start
    if at >= 0:
        line = raw.count(b"\n", 0, at) + 1
        raise DefinitionError(f"edition {label}: line {line}: it is not UTF-8; save the file as UTF-8")
    return text


def shown(value: object) -> str:
    """A value as a message can hold it."""
    try:
        return shortened(repr(value))
    except ValueError:  # a hexadecimal number that is too long to be written in decimals
        return "a number of thousands of digits"


def shown_text(text: str) -> str:
    """A name from a file or a path in one line."""
    return shortened(text if text.isprintable() else ascii(text)[1:-1], 200)


def invisible(text: str) -> str | None:
    """The first character of a text that nobody can see on a page, as `U+0000`; None when there is none."""
    return next((f"U+{ord(sign):04X}" for sign in text if unicodedata.category(sign) in _INVISIBLE), None)


class EditionText:
    """The text as data, with the means to say where it is wrong.

    raises : DefinitionError naming the line, when it is no TOML
    """

    def __init__(self, label: str, text: str) -> None:
        self.label = shown_text(label)
        self.lines = text.split("\n")
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except RecursionError:
            raise self._broken(self._deep_line(), f"brackets stand more than {_DEEP} deep in each other") from None
        except ValueError as err:  # also what tomllib lets through from `int`
            raise self._broken(*self._where(str(err))) from None
        if (line := self._deep_line()) > 1:
            raise self._broken(line, f"brackets stand more than {_DEEP} deep in each other")

    def top(self, key: str) -> object:
        """A value outside of tables."""
        if key not in self.data:
            raise self._broken(1, f"the key {key!r} is missing")
        return self.data[key]

    def fault(self, key: str, risk: str | None, problem: str) -> DefinitionError:
        """Fault of a key, or of a table when `risk` is None."""
        where = f"[{shown_text(risk)}] {shown_text(key)}" if risk else shown_text(key)
        return self._broken(self._line(key, risk), f"{where}: {problem}")

    def line_of(self, table: str) -> int:
        """Line of a table's header, counted from 1."""
        return self._line(table, None)

    def _broken(self, line: int, problem: str) -> DefinitionError:
        return DefinitionError(f"edition {self.label}: line {line}: {shortened(problem, _LONGEST)}")

    def _line(self, key: str, risk: str | None) -> int:
        """Line of `key` in the table of a risk, else of the table's header (the key came from the base)."""
        table, header = None, 1
        for number, line in enumerate(self.lines, start=1):
            stripped = line.split("#")[0].strip()
            if stripped.startswith("["):
                table = ".".join(_bare(part) for part in stripped.strip("[]").split("."))
                if table == (f"{risk}.{key}" if risk else key):
                    return number
                if table == risk:
                    header = number
                continue
            path = [_bare(part) for part in stripped.split("=")[0].split(".")]
            if (table == risk and path[:1] == [key]) or (table is None and path[:2] == [risk, key]):
                return number
            if risk is not None and table is None and path[0] == risk:
                header = number
        return header

    def _where(self, said: str) -> tuple[int, str]:
        """Line and words of what the parser refuses."""
        if found := _AT.fullmatch(said):
            what = f"{found[1][:1].lower()}{found[1][1:]}"
            if found[2]:
                return int(found[2]), f"{what} (column {found[3]})"
            return len("\n".join(self.lines).rstrip().split("\n")), f"{what}, where the file ends"
        long = [number for number, line in enumerate(self.lines, start=1) if _DIGITS.search(line)]
        return (long or [1])[0], "a number of thousands of digits" if long else said

    def _deep_line(self) -> int:
        """The first line whose brackets are too deep; 1 where none is."""
        depth = 0
        for number, line in enumerate(self.lines, start=1):
            for sign in line:
                depth = depth + 1 if sign in "[{" else max(depth - 1, 0) if sign in "]}" else depth
                if depth > _DEEP:
                    return number
        return 1


def _bare(name: str) -> str:
    return name.strip(" \t\"'")
