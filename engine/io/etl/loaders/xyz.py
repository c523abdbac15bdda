"""Points of a terrain model as text: `x y z` a line, parted by blanks, without a header, plain or in a zip."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.io.files import containers
from engine.io.files.reading import ZIP_FAULTS, cut_short, reading

Floats = NDArray[np.float64]

SUFFIXES = (".txt", ".xyz")
#: bytes read at a time: what a file of any size needs in memory, a few times over
BLOCK = 1 << 23
_TAIL = 4096
#: no coordinate on Earth is larger, in metres
_FARTHEST = 1e8
_NAMES = ("x", "y", "z")


@dataclass(slots=True)
class Points:
    """The points of one file, read block by block.

    name    : of the file, and of the member when the file is an archive
    lines   : read so far; of them `count` points, and `bad`: (line number, reason)
    cut_short : it ends within a number, as far as that can be told
    """

    path: Path
    member: str | None = None
    lines: int = 0
    count: int = 0
    bad: list[tuple[int, str]] = field(default_factory=list)
    cut_short: bool = False

    @property
    def name(self) -> str:
        """As named in messages and records."""
        return self.path.name if self.member is None else f"{self.path.name}/{self.member}"

    def blocks(self) -> Iterator[tuple[Floats, Floats, Floats]]:
        """(n,) x, y, z of the next lines, in the order of the file. Starts anew with every call.

        raises : SchemaError for a broken archive or something that is not text
        """
        self.lines, self.count, self.bad, self.cut_short = 0, 0, [], False
        with reading(self.name, ZIP_FAULTS if self.member is not None else ()), ExitStack() as stack:
            stream = self._open(stack)
            tail = rest = b""
            while block := stream.read(BLOCK):
                if b"\0" in block:
                    raise SchemaError(f"{self.name} is not text")
                tail = (tail + block)[-_TAIL:]
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    yield self._parse(whole)
            self.cut_short = cut_short(tail.decode("ascii", "replace"))
            if rest.strip():
                yield self._parse(rest)

    def _open(self, stack: ExitStack) -> IO[bytes]:
        if self.member is None:
            return stack.enter_context(self.path.open("rb"))
        archive = stack.enter_context(zipfile.ZipFile(self.path))
        return stack.enter_context(archive.open(_members(archive)[self.member]))

    def _parse(self, text: bytes) -> tuple[Floats, Floats, Floats]:
        lines = text.decode("ascii", "replace").splitlines()
        fields = pl.Series(lines).str.strip_chars().str.replace_all(r"\s+", " ").str.split_exact(" ", 3).struct.unnest()
        numbers = [fields[f"field_{i}"].cast(pl.Float64, strict=False) for i in range(3)]
        frame = pl.DataFrame(dict(zip(_NAMES, numbers, strict=True)))
        good = pl.all_horizontal(pl.col(name).is_between(-_FARTHEST, _FARTHEST).fill_null(False) for name in _NAMES)
        kept = frame.select(good).to_series() & fields["field_3"].is_null()
        for index in (~kept).arg_true().to_list():
            if lines[index].strip():
                self.bad.append((self.lines + index + 1, f"not three numbers: {lines[index].strip()[:60]}"))
        self.lines += len(lines)
        x, y, z = (frame.filter(kept)[name].to_numpy() for name in _NAMES)
        self.count += len(x)
        return x, y, z


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {
        containers.decoded_name(info): info
        for info in archive.infolist()
        if not info.is_dir() and info.filename.lower().endswith(SUFFIXES)
    }


def of_file(path: Path) -> list[Points]:
    """Texts of a file: itself, or the members of a zip; refuses an error page and an archive without a text."""
    kind = containers.kind_of(path)
    if kind == "zip":
        with reading(path, ZIP_FAULTS), zipfile.ZipFile(path) as archive:
            names = sorted(_members(archive))
        if not names:
            raise SchemaError(f"archive {path.name} holds no {' or '.join(SUFFIXES)}")
        return [Points(path, name) for name in names]
    if kind != "plain":
        raise SchemaError(f"{path.name} holds {kind} data, expected x y z as text")
    return [Points(path)]
