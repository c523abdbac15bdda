"""Published results of a database, a risk at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import psycopg

from engine.core.errors import SourceError
from engine.io.db import frames, postgres
from engine.io.results import published_runs
from engine.io.results.published import CHANGE_COLUMNS, HAZARD_COLUMNS, PROBABILITY_COLUMNS, WINDOW_COLUMNS, newest_of
from engine.io.results.published_figures import AAL, FIGURES, HAZARD


class DatabaseResults:
    """What the application database publishes. Holds the caller's connection.

    raises : SettingsError when nothing is published there
    """

    def __init__(self, connection: psycopg.Connection, url: str) -> None:
        self._connection, self.where = connection, postgres.describe(url)
        self.runs = published_runs.every(connection)
        self.run = newest_of(self.runs, self.where)

    def probability(self, risk: str) -> pl.DataFrame:
        return self._read(
            f"SELECT {', '.join(PROBABILITY_COLUMNS)} FROM {AAL.full} WHERE risk_type = %s ORDER BY grid_id",
            risk,
            PROBABILITY_COLUMNS,
        )

    def hazard(self, risk: str) -> pl.DataFrame:
        return self._read(
            f"SELECT {', '.join(HAZARD_COLUMNS)} FROM {HAZARD.full} WHERE risk_type = %s ORDER BY grid_id",
            risk,
            HAZARD_COLUMNS,
        )

    def _read(self, query: Any, risk: str, columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
        with postgres.failures("reading results", SourceError):
            return frames.read(self._connection, query, [risk], columns)

    def changes(self, risk: str, scenario: int, window: str) -> pl.DataFrame:
        with postgres.failures("reading results", SourceError):
            return frames.read(
                self._connection,
                f"SELECT {', '.join(CHANGE_COLUMNS)} FROM {AAL.windows} WHERE risk_type = %s AND scenario_id = %s"
                " AND time_period = %s AND change IS NOT NULL ORDER BY grid_id",
                [risk, scenario, window],
                CHANGE_COLUMNS,
            )

    def mean_bins(self, risk: str) -> list[float]:
        with postgres.failures("reading results", SourceError):
            rows = self._connection.execute(
                f"SELECT avg((e.value ->> 'probability')::float8) FROM {AAL.full},"
                " jsonb_array_elements(bin_data) WITH ORDINALITY AS e(value, place) WHERE risk_type = %s"
                " GROUP BY place ORDER BY place",
                (risk,),
            ).fetchall()
        return [float(mean) for (mean,) in rows]

    def windows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        with postgres.failures("reading results", SourceError):
            means = [
                frames.read(
                    self._connection,
                    f"SELECT risk_type, scenario_id, time_period, avg({each.windows_column}::float8)"
                    f" FROM {each.windows} GROUP BY 1, 2, 3",
                    [],
                    WINDOW_COLUMNS,
                )
                for each in FIGURES
            ]
        return means[0], means[1]
