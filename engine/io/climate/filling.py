"""State of a warehouse: schema, lattice, published loads. Imports little: jobs ask this first of all."""

from __future__ import annotations

import psycopg

from engine.io.db import postgres


def has_schema(connection: psycopg.Connection) -> bool:
    """True in a warehouse whose tables our migrations made, filled or not."""
    return postgres.has_table(connection, "etl_load")


def has_lattice(connection: psycopg.Connection) -> bool:
    """True when the loaders have filled `grid_definition`."""
    if not postgres.has_table(connection, "grid_definition"):
        return False
    row = connection.execute("SELECT EXISTS (SELECT FROM grid_definition)").fetchone()
    return bool(row and row[0])


def published_scopes(connection: psycopg.Connection) -> set[str]:
    """Scopes of the published loads; none in a warehouse that our loaders did not fill."""
    if not has_schema(connection):
        return set()
    rows = connection.execute("SELECT DISTINCT scope FROM etl_load WHERE status = 'published'").fetchall()
    return {scope for (scope,) in rows}
