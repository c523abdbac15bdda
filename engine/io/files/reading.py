"""Files of other people: whatever a library raises on a damaged or odd one becomes one sentence that names the file.

Only the classes by which a library says "this file" are known here. A MemoryError, and a TypeError or KeyError of our
own, are nobody's file: they go on as they are.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from engine.core.errors import SchemaError

#: module -> what it raises on a file; a module that was never imported has raised nothing
_RAISED: dict[str, tuple[str, ...]] = {
    "builtins": ("OSError", "EOFError", "UnicodeDecodeError"),
    "csv": ("Error",),
    "fastexcel": ("FastExcelError",),
    "json": ("JSONDecodeError",),
    "lzma": ("LZMAError",),
    "polars.exceptions": ("PolarsError",),
    "pyarrow": ("ArrowException",),
    "pyogrio._err": ("CPLE_BaseError", "NullPointerError"),
    "pyogrio.errors": ("DataSourceError", "DataLayerError"),
    "pyproj.exceptions": ("ProjError",),
    "rasterio._err": ("CPLE_BaseError",),
    "rasterio.errors": ("RasterioError", "CRSError"),
    "shapely.errors": ("ShapelyError",),
    "sqlite3": ("Error",),
    "struct": ("error",),
    "tarfile": ("TarError",),
    "tomllib": ("TOMLDecodeError",),
    "zipfile": ("BadZipFile",),
    "zlib": ("error",),
}
#: of zipfile: an encrypted member, an unknown compression, an offset outside the file
ZIP_FAULTS = (RuntimeError, NotImplementedError, ValueError)
_SHOWN, _BEGIN = 200, 60
_PANIC = "PanicException"  # of polars and calamine: their own fault, met on a damaged file
_LONE_SURROGATE_OR_NUL = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)|\xed[\xa0-\xbf]")


class reading:
    """While a library reads a file: its error becomes a SchemaError, `PATH is broken: ...`.

    file : the path, or words for a part of a file such as `roads.zip/a.txt` or `book.xlsx, sheet 1`
    also : classes that the library in this block raises on a file, but that are too common to be known everywhere
    """

    def __init__(self, file: Path | str, also: tuple[type[Exception], ...] = ()) -> None:
        self.file, self.also = file, also

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if err is not None and isinstance(err, (*_raised(), *self.also)):
            raise SchemaError(_sentence(self.file, err)) from err
        if err is not None and type(err).__name__ == _PANIC:
            raise SchemaError(_sentence(self.file, err)) from err


def _raised() -> Iterator[type[BaseException]]:
    for module, names in _RAISED.items():
        if module in sys.modules:
            yield from (getattr(sys.modules[module], name) for name in names)


def _sentence(file: Path | str, err: BaseException) -> str:
    name = file.name if isinstance(file, Path) else file
    if isinstance(err, OSError) and err.errno is not None and err.strerror:
        return f"{name} cannot be read: {err.strerror}"
    said = next((line.strip() for line in str(err).splitlines() if line.strip()), type(err).__name__)
    begin = _begin(file) if isinstance(file, Path) else ""
    if begin.lstrip().startswith("<"):
        return f"{name} is an error page, not data: {' '.join(begin.split())}"
    return f"{name} is broken: {said[:_SHOWN]}"


def _begin(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_SHOWN).decode("utf-8", "replace")
    except OSError:
        return ""


def bytes_of(path: Path) -> bytes:
    """The whole file."""
    with reading(path):
        return path.read_bytes()


def text_of(path: Path) -> str:
    """A text in UTF-8, with or without a byte-order mark, or in the cp949 of a Korean Windows."""
    return decoded(bytes_of(path), path.name)


def decoded(raw: bytes, name: str) -> str:
    """As `text_of`, of bytes. raises SchemaError for other encodings and for what is no text."""
    if b"\0" in raw:
        raise SchemaError(f"{name} is not text in UTF-8 or cp949: it holds NUL bytes")
    for encoding in ("utf-8-sig", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise SchemaError(f"{name} is neither UTF-8 nor cp949 text")


def json_of(path: Path) -> Any:
    """A JSON document. raises SchemaError for anything else, NaN and text that no database stores included."""
    content = bytes_of(path)
    try:
        document = json.loads(content, parse_constant=_refuse)
        if _LONE_SURROGATE_OR_NUL.search(content):
            text = json.dumps(document, ensure_ascii=False).encode()
            if rb"\u0000" in text:
                raise ValueError("a text holds the character NUL")
    except (ValueError, RecursionError) as err:
        begin = re.sub(r"[^\x20-\x7e가-힣]+", " ", content[:_BEGIN].decode("utf-8", "replace"))
        raise SchemaError(f"{path.name} is not JSON, it begins {begin!r}: {err}") from err
    return document


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number of JSON")


def toml_of(path: Path) -> dict[str, Any]:
    """A TOML document. raises SchemaError for anything else."""
    try:
        return tomllib.loads(bytes_of(path).decode("utf-8-sig"))
    except (ValueError, RecursionError) as err:  # not UTF-8, not TOML, a number or a date that Python does not have
        raise SchemaError(f"{path.name} cannot be read: {err}") from err


def cut_short(text: str) -> bool:
    """Check whether a text ends within a number: no line end, and fewer decimals than the last field before it."""
    lines = text[-4096:].rsplit("\n", 2)
    if len(lines) < 2 or not lines[-1].strip():
        return False
    last, before = (re.search(r"\.(\d*)\s*$", line) for line in lines[:-3:-1])
    return before is not None and len(last[1] if last else "") < len(before[1])
