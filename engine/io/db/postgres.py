"""Connections to PostgreSQL, and the words for their failures. Passwords never leave this module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import conninfo

from engine.core.address import describe, password_of, require, without_password
from engine.core.errors import BusyError, EngineError, SourceError

__all__ = [
    "LOCK_SPACE",
    "advisory_lock",
    "another",
    "connect",
    "describe",
    "failures",
    "has_table",
    "is_lost",
    "ping",
    "wait_for_lock",
    "without_password",
]

#: first key of the two-key advisory locks that jobs and loaders take; the second says what is locked
LOCK_SPACE = 0x434C4D52  # "CLMR"


def connect(url: str, *, autocommit: bool = True) -> psycopg.Connection:
    """Open a connection; refuses in one sentence when the server is down, the password or the name is wrong.

    Nothing is ever prepared in the server: behind a pooler the next statement may meet another process of it.
    """
    url = require(url)
    try:
        connection = psycopg.connect(url, autocommit=autocommit, connect_timeout=10, prepare_threshold=None)
        connection.execute("SET TIME ZONE 'UTC'")
    except psycopg.Error as err:
        lines = [line for line in str(err).splitlines() if line.strip() and not line.startswith("\t")]  # \t: a hint
        reason = lines[-1].strip() if lines else type(err).__name__
        if password := password_of(url):
            reason = reason.replace(password, "***")
        raise SourceError(f"cannot connect to {describe(url)}: {reason}") from None
    return connection


def another(connection: psycopg.Connection) -> psycopg.Connection:
    """A further connection to the same database as the same user, in autocommit."""
    return connect(conninfo.make_conninfo(connection.info.dsn, password=connection.info.password or None))


def has_table(connection: psycopg.Connection, name: str) -> bool:
    """True when the database has the table, filled or not."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    return bool(row and row[0])


def ping(connection: psycopg.Connection) -> None:
    """Ask the server for an answer.

    raises : psycopg.OperationalError when there is none
    """
    connection.execute("SELECT 1")


def is_lost(connection: psycopg.Connection) -> bool:
    """True for a connection that is closed, or whose server does not answer."""
    if connection.closed or connection.broken:
        return True
    try:
        ping(connection)
    except psycopg.OperationalError:
        return True
    return False


@contextmanager
def failures(doing: str, kind: type[EngineError]) -> Iterator[None]:
    """Turn a driver's exception into one sentence of the given kind: `failed while <doing>: ...`."""
    try:
        yield
    except psycopg.Error as err:
        detail = err.diag.message_primary or str(err).strip().split("\n")[0] or type(err).__name__
        raise kind(f"failed while {doing}: {detail}") from err


@contextmanager
def advisory_lock(connection: psycopg.Connection, names: tuple[str, ...], busy: str) -> Iterator[None]:
    """Hold session locks on these names, or refuse at once with the sentence `busy`.

    connection : one that keeps its session (`pooler.require_session`)
    """
    taken: list[str] = []
    try:
        for name in names:
            row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (LOCK_SPACE, name)).fetchone()
            if row is None or not row[0]:
                raise BusyError(busy)
            taken.append(name)
        yield
    finally:
        for name in taken:
            if not connection.closed and not connection.broken:
                connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (LOCK_SPACE, name))


def wait_for_lock(connection: psycopg.Connection, name: str) -> None:
    """Take the lock of this name when nobody else has it any more; it is held until the session ends."""
    connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (LOCK_SPACE, name))
