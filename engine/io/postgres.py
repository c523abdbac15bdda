"""Connections to PostgreSQL, and the words for their failures. Passwords never leave this module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import conninfo

from engine.errors import BusyError, EngineError, SourceError

#: first key of the two-key advisory locks that jobs and loaders take; the second says what is locked
LOCK_SPACE = 0x434C4D52  # "CLMR"


def is_url(text: str) -> bool:
    """True for a PostgreSQL address, False for a directory."""
    return urlsplit(text).scheme in ("postgresql", "postgres")


def describe(url: str) -> str:
    """`user@host:port/database`, without the password: what messages and logs show."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return "(unreadable address)"
    host = parts.get("host") or "localhost"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{parts.get('user') or ''}@{host}{port}/{parts.get('dbname') or ''}"


def connect(url: str, *, autocommit: bool = True) -> psycopg.Connection:
    """Open a connection; refuses in one sentence when the server is down, the password or the name is wrong."""
    try:
        connection = psycopg.connect(url, autocommit=autocommit, connect_timeout=10)
    except psycopg.Error as err:
        reason = str(err).strip().splitlines()[-1] if str(err).strip() else type(err).__name__
        password = _password(url)
        if password:
            reason = reason.replace(password, "***")
        raise SourceError(f"cannot connect to {describe(url)}: {reason}") from None
    connection.execute("SET TIME ZONE 'UTC'")
    return connection


def _password(url: str) -> str | None:
    try:
        value = conninfo.conninfo_to_dict(url).get("password")
    except psycopg.ProgrammingError:
        return None
    return str(value) if value else None


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
    """Hold session locks on these names, or refuse at once with the sentence `busy`."""
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
