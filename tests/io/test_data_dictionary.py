"""docs/data-dictionary.md names every table and column of the two schemas, with its type, and no other."""

import re
import runpy
from pathlib import Path

import psycopg
import pytest

from engine.core.variables import VARIABLES

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"
COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, c.relkind = 'v'
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
   AND c.relname NOT IN ('schema_migration', 'spatial_ref_sys') AND a.attname <> 'geom'
 ORDER BY 1, a.attnum
"""
SHORT = {"character varying": "varchar", "timestamp with time zone": "timestamptz", "character(": "char("}


def section(title):
    """Table -> [(column, type)] of one half of the page; `columns as in` stands for all of another table."""
    text = PAGE.read_text("utf-8").split(f"## {title}\n")[1].split("\n## ")[0]
    return {
        part.partition("\n")[0]: re.findall(r"^\| `(\w+)` \| ([^|]+?) \| [^|]* \| [^|]* \|$", part, re.M)
        for part in text.split("\n### ")[1:]
    }


@pytest.mark.parametrize(("title", "family"), [("Warehouse", "warehouse"), ("Results", "results")])
def test_every_table_and_column_is_described_with_its_type(new_database, title, family):
    with psycopg.connect(new_database(family)) as connection:
        rows = connection.execute(COLUMNS).fetchall()
    found = {}
    for table, column, kind, required, is_view in rows:
        for long, short in SHORT.items():
            kind = kind.replace(long, short)
        found.setdefault(table, []).append((column, kind if required or is_view else f"{kind}, *null*"))
    told = section(title)
    told.pop("Climate tables", None)
    assert set(told) == set(found)
    for table, columns in told.items():
        if not table.endswith("_latest"):
            assert columns == found[table], table


def test_every_climate_variable_is_described_with_its_unit():
    text = PAGE.read_text("utf-8")
    for variable in VARIABLES.values():
        step = "month" if variable.monthly else "year"
        assert f"| `{variable.table}` | {step} | {variable.unit} | {variable.meaning} | {variable.element} |" in text


def test_every_function_of_the_warehouse_is_described(new_database):
    with psycopg.connect(new_database("warehouse")) as connection:
        rows = connection.execute(
            "SELECT proname, proargnames[1:pronargs] FROM pg_proc p WHERE pronamespace = 'public'::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        ).fetchall()
    told = re.findall(r"^\| `(\w+)\(([^)]*)\)` \|", PAGE.read_text("utf-8"), re.M)
    assert sorted(told) == sorted((name, ", ".join(given)) for name, given in rows)


def test_the_picture_shows_every_table_and_every_foreign_key(new_database):
    # python docs/erd.py draws it anew
    erd = runpy.run_path(str(PAGE.with_name("erd.py")))
    schemas = {}
    for family in ("warehouse", "results"):
        with psycopg.connect(new_database(family)) as connection:
            schemas[family] = erd["read"](connection)
    shown = PAGE.with_name("erd.svg").read_text("utf-8")
    for schema in schemas.values():
        assert schema.tables
        for table in schema.tables:
            assert f'data-table="{table}"' in shown
        for table, column, other in schema.keys:
            assert f'data-key="{table}.{column} {other}"' in shown
    assert shown == erd["draw"](schemas)
