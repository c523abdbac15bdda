"""A table of sites on its way to disk: the body as it is, or the file of a form, streamed, readable by nobody else."""

from __future__ import annotations

import hashlib
import os
from email.message import Message
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import TracebackType
from typing import BinaryIO

from fastapi import HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from engine.io.files import packed
from engine.io.sites.assessment_files import SUFFIXES
from engine.service.problems import InvalidError, fault

#: media type -> what a file of it is called; "" where the name or the first bytes must tell
MEDIA_TYPES = {
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
    "application/parquet": ".parquet",
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/plain": "",
    "application/vnd.ms-excel": "",  # what Windows calls a CSV; a workbook is known by its first bytes
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/x-ndjson": ".ndjson",
    "application/ndjson": ".ndjson",
    "application/jsonl": ".ndjson",
    "application/gzip": ".gz",
    "application/x-gzip": ".gz",
    "application/zstd": ".zst",
    "application/zip": ".zip",
    "application/x-zip-compressed": ".zip",
    "application/octet-stream": "",
}
FORM = "multipart/form-data"
#: of a body; it is known by its first bytes, whatever is said
_ENCODINGS = {"", "identity", "gzip", "x-gzip", "deflate", "zstd"}
_KNOWN = (*SUFFIXES, *packed.SUFFIXES)
_WANTED = (
    "Send a workbook, Parquet, CSV (text/csv) or NDJSON (application/x-ndjson), plain or packed, or a form with"
    " one file"
)
_LONGEST_BOUNDARY = 70  # RFC 2046


def make_private(folder: Path) -> None:
    """A folder for its owner alone, and the one above it, too, if it is ours: an earlier version left it open."""
    folder.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    if folder.parent.stat().st_uid == os.geteuid():
        folder.parent.chmod(0o700)
    folder.mkdir(mode=0o700)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that nobody else reads."""
    with open(path, "xb", opener=_private) as file:
        file.write(content)


async def receive(request: Request, folder: Path) -> tuple[Path, str]:
    """The table of a request as a file of the folder, and the SHA-256 of its bytes.

    raises : HTTPException (415) for another kind, InvalidError (422) for a form without exactly one file
    """
    said = _header(request.headers.get("content-type", ""), "content-type")
    kind = said.get_content_type() if said["content-type"] else ""
    if (encoding := request.headers.get("content-encoding", "").strip().lower()) not in _ENCODINGS:
        raise HTTPException(415, f"Content-Encoding {encoding[:40]!r} is not read: send gzip, deflate, zstd or none")
    if kind == FORM:
        boundary = said.get_boundary() or ""
        if not 0 < len(boundary) <= _LONGEST_BOUNDARY or not boundary.isascii():
            raise InvalidError([fault(["header", "content-type"], "The form has no boundary")])
        with _Form(folder, boundary) as form:
            async for chunk in request.stream():
                await run_in_threadpool(form.write, chunk)
            return form.file()
    name = _file_name(request.headers.get("content-disposition", ""))
    with _Sink(folder / "upload") as sink:
        async for chunk in request.stream():
            await run_in_threadpool(sink.write, chunk)
    return _named(sink, kind, name)


class _Sink:
    """A file that is written and digested."""

    def __init__(self, path: Path) -> None:
        self.path, self._digest = path, hashlib.sha256()
        self._file: BinaryIO = open(path, "xb", opener=_private)  # noqa: SIM115 (closed by __exit__)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        self._digest.update(chunk)
        self._file.write(chunk)

    @property
    def digest(self) -> str:
        """SHA-256 of what was written so far."""
        return self._digest.hexdigest()

    def __enter__(self) -> _Sink:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()


def _named(sink: _Sink, kind: str, name: str) -> tuple[Path, str]:
    """Call an upload what it is: by its media type, else by its name, else by its first bytes (`assessment_files`)."""
    if kind not in MEDIA_TYPES:
        raise HTTPException(415, _WANTED)
    suffix = MEDIA_TYPES[kind]
    if not suffix:
        ending = PurePosixPath(PureWindowsPath(name).name).suffix.lower()
        suffix = ending if ending in _KNOWN else ""
    return sink.path.rename(sink.path.with_name(f"sites{suffix}")), sink.digest


def _header(value: str, name: str) -> Message:
    """A header with its parameters, read as those of mail are: quoted, or as RFC 5987 has it."""
    message = Message()
    # what is no Latin letter came as UTF-8; a line break in it would be another header
    message[name] = value.encode("latin-1", "replace").decode("utf-8", "replace").translate({10: 32, 13: 32})
    return message


def _file_name(disposition: str) -> str:
    return _header(disposition, "content-disposition").get_filename("") or ""


class _Form:
    """The one file of a form. Parts without a file name are refused: parameters go into the query."""

    def __init__(self, folder: Path, boundary: str) -> None:
        self._folder, self._name, self._kind = folder, "", ""
        self._headers: dict[str, str] = {}
        self._field = self._value = b""
        self._ended = False
        self._sink: _Sink | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_part,
                "on_part_data": self._on_data,
                "on_end": self._on_end,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as err:
            raise InvalidError([fault(["body"], f"The form cannot be read: {str(err)[:200]}")]) from None

    def file(self) -> tuple[Path, str]:
        """The file under its name, and its digest."""
        if not self._ended:
            raise InvalidError([fault(["body"], "The form has no end: its last boundary is missing")])
        if self._sink is None:
            raise InvalidError([fault(["body"], "The form holds no file")])
        self._sink.__exit__(None, None, None)
        return _named(self._sink, self._kind, self._name)

    def __enter__(self) -> _Form:
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        if self._sink is not None:
            self._sink.__exit__(kind, err, tb)

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._field = self._value = b""

    def _on_part(self) -> None:
        disposition = _header(self._headers.get("content-disposition", ""), "content-disposition")
        name = disposition.get_filename()
        if name is None:
            field = disposition.get_param("name", "", "content-disposition")
            raise InvalidError(
                [fault(["body", str(field)], "A part of the form is no file: parameters go into the query", str(field))]
            )
        if self._sink is not None:
            raise InvalidError([fault(["body"], "The form holds more than one file")])
        stated = _header(self._headers.get("content-type", "application/octet-stream"), "content-type")
        self._name, self._kind = name, stated.get_content_type()
        self._sink = _Sink(self._folder / "upload")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._sink is not None:
            self._sink.write(data[start:end])

    def _on_end(self) -> None:
        self._ended = True
