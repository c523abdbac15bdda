"""A pool of connections to one database, for a service that answers many requests."""

from __future__ import annotations

import psycopg
from psycopg_pool import ConnectionPool

from engine.io.db import pooler

#: seconds a request waits for a connection before it is refused
_PATIENCE = 5.0
#: a query is prepared, its plan kept, when a connection has sent it so many times
_SEEN = 5


def make(address: str, size: int) -> ConnectionPool[psycopg.Connection]:
    """A pool that is not open yet. Connections are tried before they are handed out, so that a restarted server costs
    the requests of its absence and no others."""
    return ConnectionPool(
        address,
        min_size=1,
        max_size=size,
        open=False,
        timeout=_PATIENCE,
        # short, so that the pool starts anew instead of pausing longer and longer
        reconnect_timeout=_PATIENCE,
        check=ConnectionPool.check_connection,
        configure=_configure,
        kwargs={"autocommit": True, "connect_timeout": 5, "prepare_threshold": None},
        name="application",
    )


def _configure(connection: psycopg.Connection) -> None:
    connection.execute("SET TIME ZONE 'UTC'")
    # where a session is not ours, neither is its setting: it would cut off whoever has the server process next
    if pooler.keeps_session(connection):
        connection.execute("SET statement_timeout = '20s'")
    if pooler.is_direct(connection):
        # a plan over the partitions of all risks takes longer than the look-up that it is for; not behind any pooler,
        # which may have been set not to clear what a session left
        connection.prepare_threshold = _SEEN
