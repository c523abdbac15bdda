"""Containers, recognised by their first bytes: provider files are often a tar.gz under the name of what is inside."""

from __future__ import annotations

import codecs
import gzip
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.io.files.reading import ZIP_FAULTS, reading

Kind = Literal["hdf5", "classic", "cdf5", "gzip", "zip", "plain"]
_SHOWN = 200
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Content:
    """A file that can be read as it is: its path (perhaps unpacked, gone after the block) and what it holds."""

    path: Path
    kind: Kind


def kind_of(path: Path) -> Kind:
    """Kind of a file by its first bytes; refuses an empty one and a provider's error page."""
    with reading(path), path.open("rb") as stream:
        head = stream.read(_SHOWN)
    if not head:
        raise SchemaError(f"{path.name} is empty")
    if head[:4] == b"\x89HDF":
        return "hdf5"
    if head[:4] in (b"CDF\x01", b"CDF\x02"):
        return "classic"
    if head[:4] == b"CDF\x05":
        return "cdf5"
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:2] == b"PK":
        return "zip"
    return "plain"


@contextmanager
def opened(path: Path, suffixes: tuple[str, ...], kinds: tuple[Kind, ...]) -> Iterator[Content]:
    """The wanted file itself: `path`, or the one member of the archive that `path` really is.

    suffixes : of the wanted member, such as (".nc",)
    kinds    : what the content may be
    raises   : SchemaError for a broken or empty file, an error page, another kind of content, an archive with none or
               several members of the wanted type, or a member that points outside the archive
    """
    with reading(path):
        kind = kind_of(path)
        if kind not in ("gzip", "zip"):
            yield Content(path, _expected(path, path.name, kind, kinds))
            return
        with tempfile.TemporaryDirectory(prefix="etl-") as folder:
            member = _unpack(path, kind, suffixes, Path(folder))
            yield Content(member, _expected(member, f"{member.name} in {path.name}", kind_of(member), kinds))


def _expected(path: Path, name: str, kind: Kind, kinds: tuple[Kind, ...]) -> Kind:
    if kind in kinds:
        return kind
    with path.open("rb") as stream:
        head = stream.read(_SHOWN)
    text = _readable(head)
    if text.lstrip()[:1] in ("<", "{"):
        raise SchemaError(f"{name} is an error page, not data: {' '.join(text.split())}")
    start = repr(text[:4]) if text else f"the bytes {head[:4].hex(' ')}"
    raise SchemaError(f"{name} starts with {start}, expected one of: {', '.join(kinds)}")


def _readable(head: bytes) -> str:
    """The beginning of a text in UTF-8 or CP949, cut where it was read; "" for what is neither."""
    for encoding in ("utf-8", "cp949"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        return text if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else ""
    return ""


def _unpack(path: Path, kind: Kind, suffixes: tuple[str, ...], folder: Path) -> Path:
    if kind == "zip":
        with reading(path, ZIP_FAULTS), zipfile.ZipFile(path) as archive:
            names = {decoded_name(info): info for info in archive.infolist() if not info.is_dir()}
            chosen = _only(path, list(names), suffixes)
            target = folder / PurePosixPath(chosen).name
            with archive.open(names[chosen]) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink, _CHUNK)
        return target
    if not tarfile.is_tarfile(path):
        target = folder / path.name.removesuffix(".gz")
        with gzip.open(path) as unpacked, target.open("wb") as sink:
            shutil.copyfileobj(unpacked, sink, _CHUNK)
        return target
    with tar_of(path) as archive:
        files = [member for member in archive.getmembers() if member.isfile()]
        chosen = _only(path, [member.name for member in files], suffixes)
        content = archive.extractfile(chosen)
        assert content is not None  # noqa: S101  # only files were chosen from
        target = folder / Path(chosen).name  # the filters of tarfile came with Python 3.11.4
        with content, target.open("wb") as sink:
            shutil.copyfileobj(content, sink, _CHUNK)
    return target


@contextmanager
def tar_of(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar.gz, read to the end of its last byte before the block ends: the checksum of gzip stands behind the tar.

    raises : SchemaError for a damaged archive
    """
    with reading(path, (ValueError,)), gzip.open(path) as stream:
        with tarfile.open(fileobj=stream) as archive:
            yield archive
        while stream.read(_CHUNK):
            pass


def refuse_damaged_zip(path: Path) -> None:
    """Compare every member of a zip with its checksum: readers of single members stop before they reach it."""
    with reading(path, ZIP_FAULTS), zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise SchemaError(f"{path.name} is broken: its part {damaged} does not have the checksum stated")


def _only(path: Path, names: list[str], suffixes: tuple[str, ...]) -> str:
    wanted = [name for name in names if name.lower().endswith(suffixes)]
    if len(wanted) != 1:
        held = ", ".join(names[:5]) or "nothing"
        raise SchemaError(
            f"archive {path.name} holds {counted(len(wanted), 'file')} of type {'/'.join(suffixes)}, not 1: {held}"
        )
    if PurePosixPath(wanted[0]).is_absolute() or ".." in PurePosixPath(wanted[0]).parts:
        raise SchemaError(f"archive {path.name} holds a member outside its folder: {wanted[0]}")
    return wanted[0]


def decoded_name(info: zipfile.ZipInfo) -> str:
    """Member name; names without the UTF-8 flag are EUC-KR bytes that were read as CP437."""
    if info.flag_bits & 0x800 or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("euc-kr")
    except UnicodeError:
        return info.filename
