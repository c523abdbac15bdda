"""Connections to PostgreSQL, and the words for their failures. Passwords never leave this module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
from psycopg import conninfo

from engine.errors import BusyError, EngineError, SettingsError, SourceError

#: first key of the two-key advisory locks that jobs and loaders take; the second says what is locked
LOCK_SPACE = 0x434C4D52  # "CLMR"

UNREADABLE = (
    "the database address cannot be read: write postgresql://user:password@host:port/database,"
    " special characters of the password as %XX"
)


def is_url(text: str) -> bool:
    """True for a PostgreSQL address, False for a directory."""
    return urlsplit(text).scheme in ("postgresql", "postgres")


def describe(url: str) -> str:
    """`user@host:port/database`, without the password: what messages and logs show."""
    parts = _parts(url)
    if parts is None:
        return "(unreadable address)"
    port = f":{parts['port']}" if parts["port"] else ""
    return f"{parts['user']}@{parts['host'] or 'localhost'}{port}/{parts['dbname']}"


def without_password(url: str) -> tuple[str, str | None]:
    """The address without its secrets, as `host=... dbname=...`, and the password: None when it holds none."""
    try:
        parts = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise SettingsError(UNREADABLE) from None
    password = parts.pop("password", None)
    parts.pop("sslpassword", None)
    return conninfo.make_conninfo("", **parts), None if password is None else str(password)


def connect(url: str, *, autocommit: bool = True) -> psycopg.Connection:
    """Open a connection; refuses in one sentence when the server is down, the password or the name is wrong."""
    parts = _parts(url)
    if parts is None:
        raise SettingsError(UNREADABLE)
    try:
        connection = psycopg.connect(url, autocommit=autocommit, connect_timeout=10)
    except psycopg.Error as err:
        lines = [line for line in str(err).splitlines() if line.strip() and not line.startswith("\t")]  # \t: a hint
        reason = lines[-1].strip() if lines else type(err).__name__
        if parts["password"]:
            reason = reason.replace(parts["password"], "***")
        raise SourceError(f"cannot connect to {describe(url)}: {reason}") from None
    connection.execute("SET TIME ZONE 'UTC'")
    return connection


def another(connection: psycopg.Connection) -> psycopg.Connection:
    """A further connection to the same database as the same user, in autocommit."""
    return connect(conninfo.make_conninfo(connection.info.dsn, password=connection.info.password or None))


def _parts(url: str) -> dict[str, str] | None:
    """What an address says; None when a piece of its password, not escaped, has become a port, host or name."""
    try:
        found = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        return None
    parts = {key: str(found.get(key) or "") for key in ("user", "password", "host", "port", "dbname")}
    if not parts["port"].replace(",", "").isdigit() and parts["port"]:
        return None
    return None if "@" in parts["host"] + parts["dbname"] else parts


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
