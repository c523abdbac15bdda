"""Parquet files of other people, read by pyarrow.

polars answers a damaged one with a panic, which prints a traceback of Rust past every handler and is no `Exception`;
and it does not compare the checksums of pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow.parquet as pq


def read(source: Path | BinaryIO, columns: Sequence[str] | None = None) -> pl.DataFrame:
    """The columns named, or all.

    raises : pyarrow.ArrowException or OSError for a file that is none, or damaged: also where a text is not UTF-8
    """
    with pq.ParquetFile(source, page_checksum_verification=True) as file:
        table = file.read(columns=None if columns is None else list(columns))
    table.validate(full=True)
    # keys of the file's own metadata need not be text, and polars panics on one that is not UTF-8
    return pl.DataFrame(table.replace_schema_metadata(None))


def names(source: Path) -> list[str]:
    """Names of the columns; raises as `read`."""
    return list(pq.read_schema(source).names)
