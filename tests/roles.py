"""Addresses of the four roles, let in on a test server, and nothing left to everybody."""

from __future__ import annotations

import psycopg

from engine.io.db import migrate

ROLES = ("climate_etl", "climate_batch", "climate_api", "climate_reader")


def as_role(url: str, role: str) -> str:
    """The address with another user."""
    return f"postgresql://{role}@{url.partition('@')[2]}"


def let_in(url: str) -> None:
    """Let the roles log in; what PUBLIC may do in the database is taken away, so that grants alone count."""
    with psycopg.connect(url, autocommit=True) as connection:
        for role in ROLES:
            connection.execute(f"ALTER ROLE {role} LOGIN")
        row = connection.execute("SELECT current_database()").fetchone()
        connection.execute(f"REVOKE ALL ON DATABASE {row[0]} FROM PUBLIC")


def grant(url: str, family: str) -> None:
    """As `jobs.schema --roles`."""
    with psycopg.connect(url, autocommit=True) as connection:
        migrate.grant(connection, family)
    let_in(url)
