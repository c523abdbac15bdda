"""Files that are packed: recognised by their first bytes, unpacked as a stream, never beyond a limit."""

from __future__ import annotations

import gzip
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, Protocol

import pyarrow as pa

from engine.core.counted import counted
from engine.core.errors import EngineError, LimitError, SettingsError
from engine.io.files import workbook_in

#: what names of packed files end in; what is inside has its own name before it, or its own in a zip
SUFFIXES = (".gz", ".zst", ".zlib", ".z", ".zip")
_CHUNK = 1 << 20
#: longest list of contents of a zip, in bytes: it is read into memory as a whole, some ten times as large
_CONTENTS = 1 << 20
_REFUSED = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x04\x22\x4d\x18": "lz4"}
_PACKED = "a file of gzip, zstd, zlib or zip"
#: what the libraries raise on a damaged file; an encrypted member of a zip is a RuntimeError
_FAULTS = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError)


class Limits(NamedTuple):
    """Limits of a packed portfolio: bytes that come out, rows that hold anything."""

    bytes: int
    rows: int


def plain_name(path: Path) -> str:
    """Name of a file without what its packing has put behind it."""
    return path.name[: -len(path.suffix)] if path.suffix.lower() in SUFFIXES else path.name


@contextmanager
def opened(path: Path, suffixes: tuple[str, ...], most: int) -> Iterator[Path]:
    """The file itself, or what is packed in it, gone after the block; as `unpacked`."""
    with tempfile.TemporaryDirectory(prefix="sites-") as folder:
        plain = unpacked(path, Path(folder), suffixes, most)
        try:
            yield plain
        except EngineError as err:  # nobody knows the file that is gone after this
            err.args = (str(err).replace(str(plain), str(path)),)
            raise


def unpacked(path: Path, folder: Path, suffixes: tuple[str, ...], most: int) -> Path:
    """The file itself when it is not packed, else what is packed in it, as a file of `folder`.

    suffixes : of the one member of a zip that is meant
    most     : bytes that may come out
    raises   : LimitError above `most`; SettingsError for a file that does not exist, is damaged, packed twice or in
               another way, or a zip with none or several members that could be meant
    """
    packing = packing_of(path)
    if packing is None:
        return path
    try:
        if packing == "zip":
            with _zip(path) as archive:
                member = _only(path, archive, suffixes)
                target = folder / f"unpacked{PurePosixPath(member.filename).suffix.lower()}"
                with archive.open(member) as source:
                    _copy(path, source, target, most)
        else:
            target = folder / f"unpacked{Path(plain_name(path)).suffix.lower()}"
            with path.open("rb") as file, _stream(file, packing) as source:
                _copy(path, source, target, most)
    except _FAULTS as err:
        raise SettingsError(f"{path} is packed by {packing} and cannot be unpacked: {err}") from err
    if (inner := packing_of(target)) is not None or _is_tar(target):
        raise SettingsError(f"{path} holds {inner or 'tar'} within {packing}: pack the table alone, and once")
    return target


def packing_of(path: Path) -> str | None:
    """`gzip`, `zstd`, `zlib` or `zip` by the first bytes; None for a file that is not packed, as a workbook, which is
    a zip only for the programs that read it."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist") from None
    except IsADirectoryError:  # a folder of Parquet files is one table
        return None
    except OSError as err:
        raise SettingsError(f"{path} cannot be read: {err.strerror}") from None
    for magic, name in _REFUSED.items():
        if head.startswith(magic):
            raise SettingsError(f"{path} is packed by {name}: give the table itself, or {_PACKED}")
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] == b"\x28\xb5\x2f\xfd":
        return "zstd"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip" if workbook_in.kind_of(path) is None else None
    return "zlib" if _is_zlib(head) else None


def _is_zlib(head: bytes) -> bool:
    """Its two bytes may begin a text as well (`x^`), so that the first block has to be one."""
    if head[:1] != b"x" or len(head) < 2 or int.from_bytes(head[:2]) % 31:
        return False
    try:
        zlib.decompressobj().decompress(head, 1)
    except zlib.error:
        return False
    return True


def _is_tar(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(512)[257:262] == b"ustar"


class _Source(Protocol):
    """Source of bytes, whatever the packing."""

    def read(self, size: int, /) -> bytes: ...


def _stream(file: IO[bytes], packing: str) -> AbstractContextManager[_Source]:
    if packing == "gzip":
        return gzip.open(file)
    return pa.CompressedInputStream(file, "zstd") if packing == "zstd" else nullcontext(_Zlib(file))


class _Zlib:
    """One zlib stream."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._inner = file, zlib.decompressobj()

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end; EOFError for a stream that is cut short."""
        while not self._inner.eof:
            packed = self._inner.unconsumed_tail or self._file.read(_CHUNK)
            if plain := self._inner.decompress(packed, size):
                return plain
            if not packed:
                raise EOFError("it is cut short")
        return b""


def _copy(path: Path, source: _Source, target: Path, most: int) -> None:
    left = most
    with target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            left -= len(chunk)
            if left < 0:
                raise LimitError(
                    f"{path} unpacks to more than {most:,} bytes: send it in parts, or raise PORTFOLIO_MAX_BYTES"
                )
            sink.write(chunk)


def _zip(path: Path) -> zipfile.ZipFile:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 65_557))  # the end of a zip with the longest comment
        end = file.read().rpartition(b"PK\x05\x06")[2]
    if int.from_bytes(end[8:12], "little") > _CONTENTS:
        raise SettingsError(f"{path} is a zip of very many files: give one with the table alone")
    return zipfile.ZipFile(path)


def _only(path: Path, archive: zipfile.ZipFile, suffixes: tuple[str, ...]) -> zipfile.ZipInfo:
    files = [each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")]
    names = [each.filename for each in files]
    wanted = [each for each in files if each.filename.lower().endswith(suffixes)]
    if len(wanted) != 1:
        held = ", ".join(names[:5]) or "nothing"
        raise SettingsError(
            f"{path} is a zip with {counted(len(wanted), 'file')} of {', '.join(suffixes)}, not 1; it has: {held}"
        )
    return wanted[0]
