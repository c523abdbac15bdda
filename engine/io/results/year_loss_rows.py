"""Rows of year losses into PostgreSQL by binary COPY: numbers go as the bytes that the server keeps.

As text each byte is two digits, which are written here and read there: four times the bytes to touch. A row is wide
and its table has one key, so that is what a load of them takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from engine.io.db import copy_binary
from engine.io.results.result_tables import YEAR_LOSSES

#: numbers as the server holds them
FLOAT = np.dtype("<f4")


def copy(connection: psycopg.Connection, table: str, frames: Iterable[pl.DataFrame], *, freeze: bool) -> int:
    """Append frames of `YEAR_LOSSES.columns` to a table that has them; returns the number of rows.

    freeze : the table was made in this transaction
    """
    parts = (part for frame in frames for part in binary_rows(frame))
    with connection.cursor() as cursor:
        return copy_binary.copy_rows(cursor, table, list(YEAR_LOSSES.columns), parts, freeze=freeze)[0]


def binary_rows(frame: pl.DataFrame) -> Iterator[NDArray[np.void]]:
    """Rows for a binary COPY, in order, an array for each stretch of rows that are equally long.

    frame : columns of YEAR_LOSSES; a list of numbers becomes bytes, four a number, NaN where one is null; no list of
            shares becomes null
    """
    count, known = frame["losses"].list.len(), frame["valid"].is_not_null()
    form = frame.select("risk_type", count.alias("count"), known.alias("known")).to_struct()
    ends = (np.flatnonzero(np.diff(form.rle_id().to_numpy())) + 1).tolist()
    for start, stop in zip([0, *ends], [*ends, frame.height], strict=True):
        if start < stop:
            yield _alike(frame[start:stop], int(count[start]), known=bool(known[start]))


def _alike(part: pl.DataFrame, count: int, *, known: bool) -> NDArray[np.void]:
    """Rows of one risk whose lists have so many numbers."""
    risk = str(part["risk_type"][0]).encode()
    fields: list[tuple[object, ...]] = [("columns", ">i2")]
    for name, kind in (
        ("grid_id", (">i4",)),
        ("risk_type", (f"S{len(risk)}",)),
        ("losses", (FLOAT, (count,))),
        ("valid", (FLOAT, (count if known else 0,))),
        ("run_id", (">i4",)),
    ):
        fields += [(f"length.{name}", ">i4"), (name, *kind)]
    rows = np.zeros(part.height, np.dtype(fields))
    rows["columns"] = len(YEAR_LOSSES.columns)
    for name in YEAR_LOSSES.columns:
        rows[f"length.{name}"] = rows.dtype[name].itemsize
    if not known:
        rows["length.valid"] = -1
    rows["grid_id"], rows["run_id"] = part["grid_id"].to_numpy(), part["run_id"].to_numpy()
    rows["risk_type"] = risk
    for name in ("losses", "valid") if known else ("losses",):
        if count:
            rows[name] = part[name].explode().fill_null(float("nan")).to_numpy().reshape(-1, count)
    return rows
