"""Years that the rows of `modelops_year_losses` hold, once a run, risk, scenario and period: how those rows are read.

A row holds the years of one (scenario, period) pair after the other, in the order of `place`. Rows of a part of the
scenarios or periods stand beside the published ones of the same cells; of two rows the newer run's count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import polars as pl
import psycopg

from engine.core.errors import SettingsError
from engine.io.results.result_tables import BinStyle

TABLE = "result_sample_years"
#: of one run
SCHEMA = pl.Schema(
    {
        "risk_type": pl.String(),
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "place": pl.Int16(),
        "years": pl.List(pl.Int16()),
    }
)
STORED = pl.Schema({"run_id": pl.Int32(), **SCHEMA})
#: (scenario_id, time_period)
Pair = tuple[int, str]

_PUBLISHED = """
SELECT run_id, risk_type, scenario_id, time_period, place, years FROM result_sample_years
 WHERE (run_id, risk_type) IN (SELECT DISTINCT run_id, risk_type FROM modelops_year_losses WHERE risk_type = ANY(%s))
 ORDER BY run_id, risk_type, place
"""


def frame(run_id: int, years: Mapping[str, Sequence[tuple[int, str, Sequence[int]]]]) -> pl.DataFrame:
    """Years of a run, columns of STORED. years: risk -> (scenario_id, period, years) in the order of its rows."""
    rows = [
        (run_id, risk, scenario, period, place, list(listed))
        for risk, of_risk in years.items()
        for place, (scenario, period, listed) in enumerate(of_risk, 1)
    ]
    return pl.DataFrame(rows, schema=STORED, orient="row")


def of_run(run_id: int, styles: Mapping[str, BinStyle], risks: Collection[str]) -> pl.DataFrame:
    """Years of the risks that a run publishes, columns of STORED."""
    return frame(run_id, {risk: styles[risk].years for risk in risks})


def insert(connection: psycopg.Connection, run_id: int, rows: pl.DataFrame) -> None:
    """Record the years of a run (STORED); a second try takes the place of the first."""
    connection.execute("DELETE FROM result_sample_years WHERE run_id = %s", (run_id,))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO result_sample_years (run_id, risk_type, scenario_id, time_period, place, years)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            rows.rows(),
        )


def stored(folder: Path) -> pl.DataFrame:
    """Years of the runs whose year losses are in the files of a published run (STORED), the older run first."""
    path = folder / f"{TABLE}.parquet"
    return pl.read_parquet(path, glob=False) if path.is_file() else STORED.to_frame()


def published(connection: psycopg.Connection, risks: Collection[str]) -> pl.DataFrame:
    """Years of the runs whose year losses are published (STORED)."""
    rows = connection.execute(_PUBLISHED, (list(risks),)).fetchall()
    return pl.DataFrame(rows, schema=STORED, orient="row")


def refuse_mixture(theirs: pl.DataFrame, mine: pl.DataFrame, risks: Collection[str]) -> None:
    """Refuse a part of the grid whose years are not those of the published rows, or that has no year losses among them.

    theirs, mine : STORED, of the published rows and of the run
    raises       : SettingsError
    """
    theirs = theirs.filter(pl.col("risk_type").is_in(list(risks)))
    for risk, run_id in theirs.select("risk_type", "run_id").unique().sort("risk_type", "run_id").iter_rows():
        if mine.filter(pl.col("risk_type") == risk).is_empty():
            raise SettingsError(
                f"{risk} is published by run {run_id} with year losses: part of the grid without them "
                "(YEAR_LOSSES=off) cannot be put among it: turn them on, or run the whole grid"
            )
    both = theirs.join(mine, on=["risk_type", "scenario_id", "time_period"], suffix="_mine")
    other = both.filter(pl.col("years") != pl.col("years_mine")).sort("risk_type", "scenario_id", "time_period")
    for run_id, risk, scenario, period in other.select("run_id", "risk_type", "scenario_id", "time_period").iter_rows():
        raise SettingsError(
            f"{risk} is published by run {run_id} on other sample years of scenario {scenario}, {period}: part of the "
            "grid cannot be put among it: run the whole grid, or use another sink"
        )


def replaced(theirs: pl.DataFrame, mine: pl.DataFrame, risk: str) -> list[int]:
    """Runs whose rows of a risk are of no use in cells that this run has: it has all their scenarios and periods."""
    of_risk = theirs.filter(pl.col("risk_type") == risk)
    ours = _pairs(mine.filter(pl.col("risk_type") == risk))
    return [run for (run,), rows in of_risk.group_by("run_id", maintain_order=True) if _pairs(rows) <= ours]


def _pairs(rows: pl.DataFrame) -> set[Pair]:
    return set(rows.select("scenario_id", "time_period").iter_rows())
