"""Bins of published cells: the edges of an intensity and the share of value that is lost in each bin."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray

from engine.core.errors import SourceError
from engine.io.db import postgres
from engine.io.results.published_figures import AAL

_READ: LiteralString = (
    "SELECT array_agg(grid_id ORDER BY grid_id), bins FROM (SELECT p.grid_id, (SELECT jsonb_agg(jsonb_build_array("
    "b.value -> 'range', b.value -> 'base_damage_rate') ORDER BY b.place) FROM jsonb_array_elements(p.bin_data)"
    f" WITH ORDINALITY AS b(value, place)) AS bins FROM {AAL.full} p JOIN unnest(%s::integer[]) AS c(cell)"
    " ON c.cell = p.grid_id WHERE p.risk_type = %s AND p.bin_data IS NOT NULL) AS t"
    " WHERE bins IS NOT NULL GROUP BY bins ORDER BY 1"
)


class CellBins(NamedTuple):
    """Cells whose bins of a risk are the same."""

    cells: NDArray[np.int64]  # ascending
    edges: NDArray[np.float64]  # (m - 1,), unit of the intensity, ascending
    damage_rates: NDArray[np.float64]  # (m,), share of value


def bins_of_cells(connection: psycopg.Connection, risk: str, cells: pl.Series) -> list[CellBins]:
    """Bins of a risk in distinct cells; a cell without bins or rates is absent.

    risk    : whose ranges ascend, not drought's
    returns : edges as `bin_data` states them, with four significant digits
    """
    with postgres.failures(f"reading the bins of {risk}", SourceError):
        rows = connection.execute(_READ, (cells.to_list(), risk)).fetchall()
    found = []
    for numbers, bins in rows:
        rates = [rate for _, rate in bins]
        if None not in rates:
            edges = [float(text.split("~")[1]) for text, _ in bins[:-1]]
            found.append(CellBins(np.array(numbers, np.int64), np.array(edges), np.array(rates, np.float64)))
    return found
