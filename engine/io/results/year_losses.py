"""Losses of single years of cells, read back from a database or a directory of results.

A stored row holds all years of a cell and risk; what is read has a row for each scenario and period of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import SchemaError, SourceError
from engine.io.db import postgres
from engine.io.results import result_folder, sample_years
from engine.io.results.result_tables import YEAR_LOSSES

Floats = NDArray[np.float32]

#: of what `read_year_losses` returns
SCHEMA = pl.Schema(
    {
        "grid_id": pl.Int32(),
        "risk_type": pl.String(),
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "loss": pl.List(pl.Float32()),
        "valid": pl.List(pl.Float32()),
    }
)
#: numbers as the server holds them
_FLOAT = np.dtype("<f4")
_NEWEST = """
SELECT DISTINCT ON (y.risk_type, y.scenario_id, y.time_period)
       y.risk_type, y.scenario_id, y.time_period, y.place, y.years
  FROM result_sample_years y JOIN result_runs r USING (run_id)
 WHERE r.published_at IS NOT NULL AND y.risk_type = ANY(%s)
   AND EXISTS (SELECT FROM modelops_year_losses l WHERE l.risk_type = y.risk_type)
 ORDER BY y.risk_type, y.scenario_id, y.time_period, r.published_at DESC, r.run_id DESC
"""


class _Rows(NamedTuple):
    """Rows of one risk and run: cells (C,), losses and shares (C, K) of all its years."""

    cells: NDArray[np.int32]
    losses: Floats
    valid: Floats


def read_year_losses(
    results: psycopg.Connection | Path,
    cells: ArrayLike,
    risks: Sequence[str],
    scenarios: Sequence[int],
    periods: Sequence[str],
) -> pl.DataFrame:
    """Year losses of cells, as published.

    results : connection to the application database, or the folder of a directory sink
    cells   : (k,) numbers of distinct cells
    returns : columns of SCHEMA. `loss`: share of value lost in each year, null in a year without a valid sample;
              `valid`: share of each year's samples that is valid, null where all are. A cell, risk, scenario and period
              without AAL has no row; what was published with YEAR_LOSSES=off has none. The years themselves:
              `read_sample_years`
    raises  : SourceError, SchemaError for rows that are not as long as their run says
    """
    asked = np.unique(np.asarray(cells, np.int64)).astype(np.int32)
    wanted = {(int(scenario), period) for scenario in scenarios for period in periods}
    reader = _of_database if isinstance(results, psycopg.Connection) else _of_directory
    parts = [SCHEMA.to_frame()]
    for risk in dict.fromkeys(risks):
        parts += reader(results, asked, risk, wanted)  # type: ignore[arg-type]
    return pl.concat(parts)


def read_sample_years(results: psycopg.Connection | Path, risks: Sequence[str]) -> pl.DataFrame:
    """Model years of each risk, scenario and period as last published; for typhoon the covered years of its tracks.

    returns : columns of `sample_years.SCHEMA`; empty where no run told its years
    """
    if isinstance(results, psycopg.Connection):
        with postgres.failures("reading sample years", SourceError):
            rows = results.execute(_NEWEST.encode(), (list(risks),)).fetchall()
        return pl.DataFrame(rows, schema=sample_years.SCHEMA, orient="row")
    stored = sample_years.stored(result_folder.current(results)).filter(pl.col("risk_type").is_in(list(risks)))
    key = ["risk_type", "scenario_id", "time_period"]
    return stored.unique(key, keep="last").sort(key).select(list(sample_years.SCHEMA))


def packed(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows as the server holds them: lists of numbers as bytes, four a number, little-endian; NaN where one is null."""
    return frame.with_columns(_bytes(frame[name]).alias(name) for name in ("losses", "valid"))


def _bytes(lists: pl.Series) -> pl.Series:
    array = lists.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    at = np.asarray(array.offsets, np.int64) * _FLOAT.itemsize  # a null list has no length
    numbers = array.values.fill_null(float("nan")).to_numpy(zero_copy_only=False).astype(_FLOAT, copy=False)
    # (the flags of a null list must stay: no bytes and unknown bytes are different things)
    known = pa.array(lists.is_not_null().to_numpy()).buffers()[1]
    values = [known, pa.py_buffer(at), pa.py_buffer(np.ascontiguousarray(numbers))]
    return pl.Series(pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(lists), values))


def _of_database(
    connection: psycopg.Connection, cells: NDArray[np.int32], risk: str, wanted: set[sample_years.Pair]
) -> list[pl.DataFrame]:
    with (
        postgres.failures(f"reading year losses of {len(cells)} cells", SourceError),
        connection.cursor(binary=True) as cursor,
    ):
        found = cursor.execute(
            "SELECT t.run_id, t.grid_id, t.losses, t.valid FROM modelops_year_losses t"
            " JOIN unnest(%s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE t.risk_type = %s ORDER BY 1, 2",
            (cells.tolist(), risk),
        ).fetchall()
        runs = {run: list(rows) for run, rows in groupby(found, key=itemgetter(0))}
        layouts = connection.execute(
            "SELECT y.run_id, y.risk_type, y.scenario_id, y.time_period, y.place, y.years FROM result_sample_years y"
            " JOIN result_runs r USING (run_id) WHERE y.run_id = ANY(%s) AND y.risk_type = %s"
            " ORDER BY r.published_at, r.run_id, y.place",
            (list(runs), risk),
        ).fetchall()
    rows = {}
    for run, of_run in runs.items():
        losses = _matrix(len(of_run), np.frombuffer(b"".join(row[2] for row in of_run), _FLOAT), risk, run)
        known = [place for place, row in enumerate(of_run) if row[3] is not None]
        valid = np.ones_like(losses)
        valid[known] = np.frombuffer(b"".join(of_run[place][3] for place in known), _FLOAT).reshape(
            len(known), losses.shape[1]
        )
        rows[run] = _Rows(np.array([row[1] for row in of_run], np.int32), losses, valid)
    return _by_pair(rows, pl.DataFrame(layouts, schema=sample_years.STORED, orient="row"), risk, wanted)


def _of_directory(
    folder: Path, cells: NDArray[np.int32], risk: str, wanted: set[sample_years.Pair]
) -> list[pl.DataFrame]:
    present = result_folder.current(folder)
    path = present / f"{YEAR_LOSSES.name}.parquet"
    if not path.is_file():
        return []
    asked = (pl.col("risk_type") == risk) & pl.col("grid_id").is_in(cells.tolist())
    found = pl.scan_parquet(path, glob=False).filter(asked).sort("run_id", "grid_id").collect()
    rows = {run: _as_arrays(of_run, risk, run) for (run,), of_run in found.group_by("run_id", maintain_order=True)}
    stored = sample_years.stored(present).filter((pl.col("risk_type") == risk) & pl.col("run_id").is_in(list(rows)))
    return _by_pair(rows, stored, risk, wanted)


def by_pair(rows: pl.DataFrame, years: pl.DataFrame) -> pl.DataFrame:
    """Rows of `ROWS["year_losses"]` of one run as `read_year_losses` gives them.

    years : of the run, columns of `sample_years.STORED`
    """
    parts = [SCHEMA.to_frame()]
    for (risk,), of_risk in rows.group_by("risk_type", maintain_order=True):
        layout = years.filter(pl.col("risk_type") == risk)
        run = int(layout["run_id"][0])
        pairs = set(layout.select("scenario_id", "time_period").iter_rows())
        parts += _by_pair({run: _as_arrays(of_risk, str(risk), run)}, layout, str(risk), pairs)
    return pl.concat(parts)


def _as_arrays(rows: pl.DataFrame, risk: str, run: int) -> _Rows:
    losses = _matrix(rows.height, _numbers(rows["losses"]), risk, run)
    known, valid = rows["valid"].is_not_null().to_numpy(), np.ones_like(losses)
    valid[known] = _numbers(rows["valid"].drop_nulls()).reshape(int(known.sum()), losses.shape[1])
    return _Rows(rows["grid_id"].to_numpy(), losses, valid)


def _numbers(lists: pl.Series) -> Floats:
    return lists.explode().fill_null(float("nan")).to_numpy()


def _matrix(cells: int, numbers: Floats, risk: str, run: int) -> Floats:
    if len(numbers) % cells:
        raise SchemaError(
            f"year losses of {risk} from run {run}: {len(numbers)} numbers in {cells} cells, not as many each"
        )
    return numbers.reshape(cells, -1)


def _by_pair(
    rows: Mapping[int, _Rows], layouts: pl.DataFrame, risk: str, wanted: set[sample_years.Pair]
) -> list[pl.DataFrame]:
    """A frame of SCHEMA a pair. layouts: of these runs (STORED), the older first; of two rows the newer run's count."""
    frames: dict[sample_years.Pair, list[pl.DataFrame]] = {}
    told = set(layouts["run_id"].unique())
    if missing := sorted(set(rows) - told):
        raise SchemaError(f"year losses of {risk} are of run {missing[0]}, whose sample years are not told")
    for (run,), layout in layouts.group_by("run_id", maintain_order=True):
        of_run, start = rows[run], 0
        years = layout.sort("place").select("scenario_id", "time_period", pl.col("years").list.len())
        if (total := int(years["years"].sum())) != of_run.losses.shape[1]:
            raise SchemaError(
                f"year losses of {risk} from run {run} have {of_run.losses.shape[1]} years,"
                f" its sample years are {total}"
            )
        for scenario, period, n in years.iter_rows():
            part = slice(start, start + n)
            start += n
            if (scenario, period) in wanted:
                made = _frame(of_run, part, risk, (scenario, period))
                frames.setdefault((scenario, period), []).append(made)
    return [
        newest.filter(pl.col("loss").is_not_null())
        for parts in frames.values()
        for newest in [parts[0] if len(parts) == 1 else pl.concat(parts).unique("grid_id", keep="last").sort("grid_id")]
    ]


def _frame(rows: _Rows, part: slice, risk: str, pair: sample_years.Pair) -> pl.DataFrame:
    """Rows of one pair; `loss` is null where no year has one."""
    losses, valid = rows.losses[:, part], rows.valid[:, part]
    scenario, period = pair
    return pl.DataFrame(
        {
            "grid_id": rows.cells,
            "loss": _lists(losses, np.logical_not(np.isnan(losses).all(axis=1))),
            "valid": _lists(valid, (valid != 1).any(axis=1)),
        }
    ).select(
        "grid_id",
        risk_type=pl.lit(risk),
        scenario_id=pl.lit(scenario, pl.Int16),
        time_period=pl.lit(period),
        loss="loss",
        valid="valid",
    )


def _lists(matrix: Floats, known: NDArray[np.bool_]) -> pl.Series:
    """(C, K) as lists; NaN becomes null, and so does a row that is not known."""
    numbers = pl.Series(np.ascontiguousarray(matrix).ravel()).fill_nan(None)
    lists = (
        numbers.reshape(matrix.shape).arr.to_list()
        if matrix.size
        else pl.Series([[]] * len(matrix), dtype=pl.List(pl.Float32))
    )
    return pl.select(pl.when(pl.Series(known)).then(lists)).to_series()
