"""The readers' names of tables and columns are those of the migration."""

from __future__ import annotations

import psycopg

from engine.core.attributes import ATTRIBUTES
from engine.core.keys import KEYS
from engine.core.variables import VARIABLES
from engine.io.climate import schema
from engine.risks.tables import SMALL_TABLES
from tests import warehouses


def test_every_name_the_engine_reads_is_made_by_the_migration(warehouse):
    warehouses.fill(warehouse, axis=warehouses.Years(2021, 2021), variables=VARIABLES)
    with psycopg.connect(warehouse) as connection:
        rows = connection.execute("SELECT table_name, column_name, udt_name FROM information_schema.columns").fetchall()
    made: dict[str, dict[str, schema.Kind]] = {}
    for table, column, kind in rows:
        made.setdefault(table, {})[column] = schema.KINDS.get(kind, "other")
    assert set(schema.TABLES) <= set(made)
    for name, table in schema.TABLES.items():
        assert set(table.columns) <= set(made[name]), name
    assert schema.problems(made) == []
    assert set(ATTRIBUTES) == set(made["grid_attributes"]) - {"grid_id"}


def test_keys_are_the_primary_keys_of_the_migration(warehouse):
    with psycopg.connect(warehouse) as connection:
        rows = connection.execute(
            """SELECT conrelid::regclass::text, array_agg(attname::text ORDER BY ordinality)
               FROM pg_constraint, unnest(conkey) WITH ORDINALITY AS k(number, ordinality), pg_attribute
               WHERE contype = 'p' AND attrelid = conrelid AND attnum = number GROUP BY 1"""
        ).fetchall()
    made = {table: tuple(columns) for table, columns in rows}
    assert KEYS.keys() - made.keys() == set()
    assert {name: made[name] for name in KEYS if name != "grid_definition"} == {
        name: key for name, key in KEYS.items() if name != "grid_definition"
    }
    assert all(table.key == KEYS[name] == schema.REFERENCE[name].key for name, table in SMALL_TABLES.items())


def test_every_misfit_is_named():
    found: dict[str, dict[str, schema.Kind]] = {
        "ta_data": {"grid_id": "integer", "observation_date": "integer", "ssp1": "integer", "ssp2": "text"},
        "water_basin": {"name": "text"},
        "unknown": {},
    }
    assert schema.problems(found) == [
        "ta_data: observation_date is of another kind than date",
        "ta_data: ssp2 is of another kind than number",
        "water_basin: no column basin_code",
    ]
