"""Numbered SQL files, applied once each, in order, with a table of what was applied.

A file once released is never edited: its checksum is stored, and a difference is refused. Files from 9000 on need
PostGIS and are skipped, every time anew, on a server that does not offer it.

Roles are another matter than tables: `grant` makes four and gives each what its processes need. It is asked for, never
done by itself, because it takes the right to make roles, and it may be repeated.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

import psycopg

from engine.core.errors import EngineError
from engine.io.db import pooler, postgres

_POSTGIS_FROM = 9000
_SETTINGS = {"warehouse": "DW_* (or --warehouse)", "results": "APP_* (or --application)"}
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
  family varchar(20) NOT NULL, number integer NOT NULL, name text NOT NULL, checksum char(64) NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (family, number))
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file of a family (`warehouse` or `results`)."""

    family: str
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(family: str) -> list[Migration]:
    """The files of a family in order."""
    folder = resources.files("engine.io.db") / "migrations" / family
    found = [
        Migration(family, int(entry.name[:4]), entry.name.removesuffix(".sql"), entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(found, key=lambda migration: migration.number)


def pending(connection: psycopg.Connection, family: str) -> list[str]:
    """Names that `apply` would apply, all of them in a database without tables; changes nothing."""
    with postgres.failures(f"reading the {family} schema", EngineError):
        ledger = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
        done: set[int] = set()
        if ledger == (True,):
            rows = connection.execute("SELECT number FROM schema_migration WHERE family = %s", (family,)).fetchall()
            done = {number for (number,) in rows}
        has_postgis = _offers_postgis(connection)
    return [
        each.name
        for each in migrations(family)
        if each.number not in done and (each.number < _POSTGIS_FROM or has_postgis)
    ]


def _offers_postgis(connection: psycopg.Connection) -> bool:
    offered = connection.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'").fetchone()
    return bool(offered and offered[0])


def apply(connection: psycopg.Connection, family: str) -> list[str]:
    """Bring a database up to date; returns the names applied now. Each file is one transaction.

    raises : SettingsError behind a pooler in transaction mode
    """
    pooler.require_session(connection, "a change of the schema", _SETTINGS[family])
    with (
        postgres.failures(f"applying the {family} schema", EngineError),
        postgres.advisory_lock(connection, ("schema",), "the schema is being changed by another process"),
    ):
        connection.execute(_LEDGER)
        done: dict[int, str] = dict(
            connection.execute("SELECT number, checksum FROM schema_migration WHERE family = %s", (family,)).fetchall()
        )
        has_postgis = _offers_postgis(connection)
        applied = []
        for migration in migrations(family):
            if migration.number in done:
                if done[migration.number] != migration.checksum:
                    raise EngineError(f"{family} migration {migration.name} was changed after it had been applied here")
                continue
            if migration.number >= _POSTGIS_FROM and not has_postgis:
                continue
            with connection.transaction():
                connection.execute(migration.sql.encode())
                connection.execute(
                    "INSERT INTO schema_migration (family, number, name, checksum) VALUES (%s, %s, %s, %s)",
                    (family, migration.number, migration.name, migration.checksum),
                )
            applied.append(migration.name)
        return applied


def grant(connection: psycopg.Connection, family: str) -> None:
    """Make the roles and give them their rights in a database whose schema is applied; all of it or nothing.

    raises : EngineError, most often because the user may not make roles or does not own the tables; SettingsError
             behind a pooler in transaction mode
    """
    pooler.require_session(connection, "a change of the schema", _SETTINGS[family])
    with (
        postgres.failures(f"granting rights in the {family} schema", EngineError),
        postgres.advisory_lock(connection, ("schema",), "the schema is being changed by another process"),
        connection.transaction(),
    ):
        for name in ("roles", family):
            statements = (resources.files("engine.io.db") / "roles" / f"{name}.sql").read_text("utf-8")
            connection.execute(statements.encode())
