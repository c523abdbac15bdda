"""Losses of single years of cells, read back from a database or a directory of results.

A stored row holds all years of a cell and risk; what is read has a row for each scenario and period of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from engine.core.counted import counted
from engine.core.errors import SchemaError, SourceError
from engine.io.db import postgres
from engine.io.results import result_folder, sample_years
from engine.io.results.result_tables import YEAR_LOSSES
from engine.io.results.year_loss_rows import FLOAT

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
#: cells that are read of all risks at once
_FEW = 1_000
_NEWEST = """
SELECT DISTINCT ON (y.risk_type, y.scenario_id, y.time_period)
       y.risk_type, y.scenario_id, y.time_period, y.place, y.years
  FROM result_sample_years y JOIN result_runs r USING (run_id)
 WHERE r.published_at IS NOT NULL AND y.risk_type = ANY(%s)
   AND EXISTS (SELECT FROM modelops_year_losses l WHERE l.risk_type = y.risk_type)
 ORDER BY y.risk_type, y.scenario_id, y.time_period, r.published_at DESC, r.run_id DESC
"""


class _Rows(NamedTuple):
    """Rows of one risk and run: cells (C,), losses and shares (C, K) of all its years; shares None where all are 1."""

    cells: NDArray[np.int32]
    losses: Floats
    valid: Floats | None


class _Part(NamedTuple):
    """Rows of one risk, scenario and period, Y years each; as `_Rows`."""

    risk: str
    pair: sample_years.Pair
    rows: _Rows


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
    names = list(dict.fromkeys(risks))
    parts: list[_Part] = []
    # a few cells cost a question each time, many cells memory
    for group in [names] if len(asked) <= _FEW else [[name] for name in names]:
        if isinstance(results, psycopg.Connection):
            parts += _of_database(results, asked, group, wanted)
        else:
            parts += _of_directory(results, asked, group, wanted)
    return _frame(parts)


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


def _of_database(
    connection: psycopg.Connection, cells: NDArray[np.int32], risks: Sequence[str], wanted: set[sample_years.Pair]
) -> list[_Part]:
    with (
        postgres.failures(f"reading year losses of {len(cells)} cells", SourceError),
        connection.cursor(binary=True) as cursor,
    ):
        found = cursor.execute(
            "SELECT t.risk_type, t.run_id, t.grid_id, t.losses, t.valid FROM modelops_year_losses t"
            " JOIN unnest(%s::integer[]) AS c(cell) ON c.cell = t.grid_id WHERE t.risk_type = ANY(%s) ORDER BY 1, 2, 3",
            (cells.tolist(), list(risks)),
        ).fetchall()
        runs = {(risk, run): list(rows) for (risk, run), rows in groupby(found, key=itemgetter(0, 1))}
        layouts = connection.execute(
            "SELECT y.run_id, y.risk_type, y.scenario_id, y.time_period, y.place, y.years FROM result_sample_years y"
            " JOIN result_runs r USING (run_id) WHERE y.run_id = ANY(%s) AND y.risk_type = ANY(%s)"
            " ORDER BY r.published_at, r.run_id, y.place",
            (list({run for _, run in runs}), list(risks)),
        ).fetchall()
    rows = {}
    for (risk, run), of_run in runs.items():
        losses = _matrix(len(of_run), np.frombuffer(b"".join(row[3] for row in of_run), FLOAT), risk, run)
        known = np.array([row[4] is not None for row in of_run])
        shares = np.frombuffer(b"".join(row[4] for row in of_run if row[4] is not None), FLOAT)
        number = np.fromiter((row[2] for row in of_run), np.int32, len(of_run))
        rows[risk, run] = _Rows(number, losses, _shares(losses, known, shares))
    return _parts(rows, pl.DataFrame(layouts, schema=sample_years.STORED, orient="row"), wanted)


def _of_directory(
    folder: Path, cells: NDArray[np.int32], risks: Sequence[str], wanted: set[sample_years.Pair]
) -> list[_Part]:
    present = result_folder.current(folder)
    path = present / f"{YEAR_LOSSES.name}.parquet"
    if not path.is_file():
        return []
    asked = pl.col("risk_type").is_in(list(risks)) & pl.col("grid_id").is_in(cells.tolist())
    found = pl.scan_parquet(path, glob=False).filter(asked).sort("risk_type", "run_id", "grid_id").collect()
    rows = {
        (risk, run): _as_arrays(of_run, risk, run)
        for (risk, run), of_run in found.group_by("risk_type", "run_id", maintain_order=True)
    }
    return _parts(rows, sample_years.stored(present), wanted)


def by_pair(rows: pl.DataFrame, years: pl.DataFrame) -> pl.DataFrame:
    """Rows of `ROWS["year_losses"]` of one run as `read_year_losses` gives them.

    years : of the run, columns of `sample_years.STORED`
    """
    [run] = years["run_id"].unique().to_list() or [0]
    found = {
        (risk, run): _as_arrays(of_risk, risk, run)
        for (risk,), of_risk in rows.group_by("risk_type", maintain_order=True)
    }
    return _frame(_parts(found, years, set(years.select("scenario_id", "time_period").iter_rows())))


def _as_arrays(rows: pl.DataFrame, risk: object, run: object) -> _Rows:
    losses = _matrix(rows.height, _numbers(rows["losses"]), risk, run)
    known = rows["valid"].is_not_null().to_numpy()
    return _Rows(rows["grid_id"].to_numpy(), losses, _shares(losses, known, _numbers(rows["valid"].drop_nulls())))


def _numbers(lists: pl.Series) -> Floats:
    return lists.explode().fill_null(float("nan")).to_numpy()


def _matrix(cells: int, numbers: Floats, risk: object, run: object) -> Floats:
    if len(numbers) % cells:
        raise SchemaError(
            f"year losses of {risk} from run {run}: {len(numbers)} numbers in"
            f" {counted(cells, 'cell')}, not as many each"
        )
    return numbers.reshape(cells, -1)


def _shares(losses: Floats, known: NDArray[np.bool_], shares: Floats) -> Floats | None:
    if not known.any():
        return None
    valid = np.ones_like(losses)
    valid[known] = shares.reshape(-1, losses.shape[1])
    return valid


def _parts(rows: Mapping[tuple[Any, Any], _Rows], layouts: pl.DataFrame, wanted: set[sample_years.Pair]) -> list[_Part]:
    """Rows of the pairs that are wanted. layouts: STORED, the older run first; of two rows the newer run's count.

    rows : (risk, run) -> its rows
    """
    parts, held = [], defaultdict[tuple[str, sample_years.Pair], list[NDArray[np.int32]]](list)
    lengths = layouts.select("risk_type", "run_id", "scenario_id", "time_period", "place", pl.col("years").list.len())
    of_run: dict[tuple[str, int], list[tuple[int, int, str, int]]] = defaultdict(list)
    for risk, run, scenario, period, place, n in lengths.iter_rows():
        of_run[risk, run].append((place, scenario, period, n))
    for risk, run in rows:
        if (risk, run) not in of_run:
            raise SchemaError(f"year losses of {risk} are of run {run}, whose sample years are not told")
    for (risk, run), layout in reversed(of_run.items()):  # the newest run first
        if (risk, run) not in rows:
            continue
        cells, losses, valid = rows[risk, run]
        if (total := sum(n for *_, n in layout)) != losses.shape[1]:
            raise SchemaError(
                f"year losses of {risk} from run {run} have {losses.shape[1]} years, its sample years are {total}"
            )
        start = 0
        for _, scenario, period, n in sorted(layout):
            part, start, pair = slice(start, start + n), start + n, (scenario, period)
            if pair not in wanted:
                continue
            newer = held[risk, pair]
            fresh = np.isin(cells, np.concatenate(newer), invert=True) if newer else np.ones(len(cells), np.bool_)
            newer.append(cells)
            blank = np.isnan(losses[:, part.start])
            if blank.any():
                blank &= np.isnan(losses[:, part]).all(axis=1)  # without AAL no year has a loss
            keep: Any = fresh & ~blank
            keep = slice(None) if keep.all() else keep  # no copy of what is all wanted
            shares = None if valid is None else valid[keep, part]
            parts.append(_Part(risk, pair, _Rows(cells[keep], losses[keep, part], shares)))
    return parts


def _frame(parts: Sequence[_Part]) -> pl.DataFrame:
    """Columns of SCHEMA, in the order of the parts."""
    if not parts:
        return SCHEMA.to_frame()
    cells = np.concatenate([part.rows.cells for part in parts])
    counts = [len(part.rows.cells) for part in parts]
    years = np.repeat([part.rows.losses.shape[1] for part in parts], counts)
    losses = np.concatenate([part.rows.losses.ravel() for part in parts])
    whole = np.concatenate(
        [np.ones(n, np.bool_) if part.rows.valid is None else (part.rows.valid == 1).all(axis=1)
         for part, n in zip(parts, counts, strict=True)]
    )  # fmt: skip
    gaps = [
        part.rows.valid[(part.rows.valid != 1).any(axis=1)].ravel() for part in parts if part.rows.valid is not None
    ]
    shares = np.concatenate(gaps) if gaps else np.empty(0, np.float32)
    which = pl.Series(np.repeat(np.arange(len(parts), dtype=np.uint32), counts))
    return pl.DataFrame(
        {
            "grid_id": cells,
            "risk_type": pl.Series([part.risk for part in parts]).gather(which),
            "scenario_id": pl.Series([part.pair[0] for part in parts], dtype=pl.Int16).gather(which),
            "time_period": pl.Series([part.pair[1] for part in parts]).gather(which),
            "loss": _lists(years, losses, None),
            "valid": _lists(np.where(whole, 0, years), shares, whole),
        },
        schema=SCHEMA,
    )


def _lists(lengths: NDArray[np.int64], numbers: Floats, null: NDArray[np.bool_] | None) -> pl.Series:
    """Lists of so many numbers each; NaN becomes null. null: lists that are not known."""
    ends = np.concatenate([[0], np.cumsum(lengths)])
    gone = np.isnan(numbers)
    values = pa.array(numbers, mask=gone if gone.any() else None, type=pa.float32())
    mask = pa.array(null) if null is not None else None
    return pl.Series(pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), values, mask=mask))
