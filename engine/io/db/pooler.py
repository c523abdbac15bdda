"""Connection poolers between us and the server: does a connection keep its session?

A pooler in transaction mode (PgBouncer and its like) gives every transaction to whichever server process is free. What
belongs to a session is lost there or, worse, left to somebody else: settings, LISTEN, session locks, a snapshot.

How it is seen: the process that answers is another one than the process that the connection was told of at its start,
which is true behind a pooler alone. Then two connections that are open at once are asked which process answers. Two
sessions never share one, and a session never changes it; so what is found is proof, and a session is never refused. A
pooler of several processes, each with a pool of its own, may keep the two apart: that is why it is tried several times.
"""

from __future__ import annotations

import select
import time
from contextlib import closing

import psycopg
from psycopg import conninfo
from psycopg.pq import ExecStatus

from engine.core.errors import SettingsError, SourceError
from engine.io.db import postgres

_TRIES = 5
#: seconds in which a pooler with a free connection answers
_PATIENCE = 2.0
_PLENTY = 30.0


def is_direct(connection: psycopg.Connection) -> bool:
    """True where the process that answers is the one that the connection was told of at its start: no pooler is seen.

    raises : SourceError when there is no answer
    """
    return _process(connection, _PLENTY) == connection.info.backend_pid


def keeps_session(connection: psycopg.Connection) -> bool:
    """False behind a pooler in transaction mode. connection: in autocommit, outside a transaction.

    raises : SourceError when the pooler has no server connection to give
    """
    mine = _process(connection, _PLENTY)
    if mine == connection.info.backend_pid:
        return True
    starved = SourceError(f"{postgres.describe(connection.info.dsn)}: the pooler has no free connection to its server")
    if mine is None:
        raise starved
    for _ in range(_TRIES):
        with closing(_another(connection)) as other:
            theirs = _process(other, _PATIENCE)
            # twice: a pool that goes round may have come round
            still = {_process(connection, _PATIENCE), _process(connection, _PATIENCE)}
        if None in still:
            raise starved
        if still != {mine} or theirs == mine:
            return False
        if theirs is None:  # it waits for a server connection while ours answers: ours is not shared
            return True
    return True


def require_session(connection: psycopg.Connection, what: str, settings: str) -> None:
    """Refuse a pooler in transaction mode.

    what     : for which a session is needed
    settings : where the address comes from
    raises   : SettingsError
    """
    if not keeps_session(connection):
        raise SettingsError(
            f"{postgres.describe(connection.info.dsn)} is a connection pooler in transaction mode, and {what} needs a"
            f" session: let {settings} lead to the server itself, or to a pool in session mode"
        )


def _another(connection: psycopg.Connection) -> psycopg.Connection:
    """To the same database, without the first command of `postgres.connect`, for which it might have to wait."""
    address = conninfo.make_conninfo(connection.info.dsn, password=connection.info.password or None)
    with postgres.failures("opening a second connection", SourceError):
        return psycopg.connect(address, autocommit=True, connect_timeout=10, prepare_threshold=None)


def _process(connection: psycopg.Connection, seconds: float) -> int | None:
    """Number of the server process that answers; None when there is no answer in time."""
    raw, until = connection.pgconn, time.monotonic() + seconds
    with postgres.failures("asking for the server process", SourceError):
        raw.send_query(b"SELECT pg_backend_pid()")
        while raw.is_busy():
            if not select.select([raw.socket], (), (), max(0.0, until - time.monotonic()))[0]:
                return None
            raw.consume_input()
        answers = []
        while (answer := raw.get_result()) is not None:
            answers.append(answer)
        if not answers or answers[0].status != ExecStatus.TUPLES_OK:
            detail = answers[0].get_error_message() if answers else "no answer"
            raise SourceError(f"failed while asking for the server process: {detail.splitlines()[0]}")
        return int(answers[0].get_value(0, 0) or 0)
