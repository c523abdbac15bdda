"""A DuckDB file: tables of cells, results, runs and columns, and a view a risk."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from engine.io.export.figures import FIGURES, PLACES, described
from engine.io.export.table import COLUMNS, Export

_OF_CELLS = ("latitude", "longitude")
#: what the database keeps before it writes
_MEMORY = "400MB"


def write(folder: Path, export: Export) -> None:
    """`results.duckdb`."""
    import duckdb

    with duckdb.connect(folder / "results.duckdb", config={"memory_limit": _MEMORY}) as connection:
        connection.register("given", export.layers.cells.to_arrow(compat_level=pl.CompatLevel.oldest()))
        connection.execute("CREATE TABLE cells AS SELECT * FROM given")
        connection.register("given", described().to_arrow(compat_level=pl.CompatLevel.oldest()))
        connection.execute("CREATE TABLE columns AS SELECT * FROM given")
        connection.execute("CREATE TABLE about (run JSON)")
        connection.execute("INSERT INTO about VALUES (?)", [json.dumps(export.about, ensure_ascii=False)])
        names = [name for name in COLUMNS if name not in _OF_CELLS]
        for number, key in enumerate(export.keys):
            rows = export.rows(key).select(names)
            connection.register("given", rows.to_arrow(compat_level=pl.CompatLevel.oldest()))
            made = "INSERT INTO results" if number else "CREATE TABLE results AS"
            connection.execute(f"{made} SELECT * FROM given")
        connection.unregister("given")
        for name in names:
            told = PLACES[name] if name in PLACES else f"{FIGURES[name].title}. {FIGURES[name].tells}"
            text = told.replace("'", "''")
            connection.execute(f"COMMENT ON COLUMN results.{name} IS '{text}'")
        for risk in export.risks:
            connection.execute(
                f'CREATE VIEW "{risk}" AS SELECT c.latitude, c.longitude, r.* FROM results r'
                f" JOIN cells c USING (grid_id) WHERE r.risk_type = '{risk}'"
            )
        connection.execute(
            "CREATE VIEW means AS SELECT risk_type, scenario, time_period, count(*) AS cells, count(aal) AS with_aal,"
            " avg(aal) AS mean_aal, avg(hazard_score) AS mean_hazard_score FROM results GROUP BY ALL"
        )
