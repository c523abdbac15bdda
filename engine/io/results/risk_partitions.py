"""Partitions of the result tables: one a risk. A risk that the code has and a database lacks is added to it."""

from __future__ import annotations

import psycopg
from psycopg import sql

from engine.core.errors import EngineError
from engine.core.names import ALIASES, RISK_NAMES
from engine.io.db import postgres
from engine.io.results.result_tables import TABLES, partition


def add_missing(connection: psycopg.Connection) -> list[str]:
    """Give every risk its row in `risk_types` and its empty partitions; returns the risks that had none.

    connection : to the application database, its migrations applied
    raises     : EngineError, most often because the user does not own the tables
    """
    with postgres.failures("adding risks to the results schema", EngineError), connection.transaction():
        connection.execute("LOCK TABLE risk_types IN SHARE ROW EXCLUSIVE MODE")
        known = {name for (name,) in connection.execute("SELECT risk_type FROM risk_types").fetchall()}
        older = {name: alias for alias, name in ALIASES.items()}
        added = [name for name in RISK_NAMES if name not in known]
        for name in added:
            connection.execute(
                "INSERT INTO risk_types (risk_type, ordinal, alias) SELECT %s, max(ordinal) + 1, %s FROM risk_types",
                (name, older.get(name)),
            )
            for table in TABLES:  # a partition a risk in each
                _add(connection, table, name)
    return added


def _add(connection: psycopg.Connection, table: str, risk: str) -> None:
    """An empty partition with the owner of its table, readable for those who read the table."""
    parent, made = sql.Identifier(table), sql.Identifier(partition(table, risk))
    connection.execute(
        sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES IN ({})").format(made, parent, sql.Literal(risk))
    )
    readers = connection.execute(
        "SELECT DISTINCT grantee::regrole::text FROM pg_class, aclexplode(relacl)"
        " WHERE oid = %s::regclass AND privilege_type = 'SELECT' AND grantee <> relowner AND grantee <> 0",
        (table,),
    ).fetchall()
    for (reader,) in readers:
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(made, sql.SQL(reader)))
    [(owner,)] = connection.execute(
        "SELECT relowner::regrole::text FROM pg_class WHERE oid = %s::regclass", (table,)
    ).fetchall()
    connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(made, sql.SQL(owner)))
