"""Notifications of PostgreSQL, heard on a session that does nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

import psycopg
from psycopg import conninfo, sql

from engine.core.errors import SinkError, SourceError
from engine.io.db import pooler, postgres

# a peer that vanished without a word is noticed within a minute
_KEEPALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


class Notification(NamedTuple):
    """What was sent. session : process of the server that did"""

    channel: str
    payload: str
    session: int


class Sender(NamedTuple):
    """Who sent a notification. role: None when its session is gone; may_run: it may start a batch."""

    role: str | None
    may_run: bool


class Ear:
    """Two open sessions: one hears, the other asks who it was."""

    def __init__(self, hearing: psycopg.Connection, asking: psycopg.Connection) -> None:
        self._hearing, self._asking = hearing, asking

    def heard(self, seconds: float) -> Iterator[Notification]:
        """Notifications as they arrive, for so long.

        raises : SourceError when the session is lost
        """
        with _lost():
            for each in self._hearing.notifies(timeout=seconds):
                yield Notification(each.channel, each.payload, each.pid)

    def sender_of(self, notification: Notification, role: str) -> Sender:
        """Who sent it; to be asked at once, as most senders are gone a moment later."""
        return sender_of(self._asking, notification.session, role)


def require_session(connection: psycopg.Connection) -> None:
    """Refuse to listen through a pooler in transaction mode, where no notification ever arrives."""
    pooler.require_session(connection, "LISTEN", "NOTIFY_DSN (default: that of APP_*)")


@contextmanager
def listening(address: str, channels: Collection[str]) -> Iterator[Ear]:
    """Listen on some channels of a database.

    raises : SourceError when it cannot be reached, SettingsError behind a pooler that keeps no session
    """
    with _lost():
        kept = conninfo.make_conninfo(address, **_KEEPALIVE)
    with closing(postgres.connect(kept)) as hearing, closing(postgres.connect(kept)) as asking:
        require_session(hearing)
        with _lost():
            for channel in sorted(channels):
                hearing.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        yield Ear(hearing, asking)


def sender_of(connection: psycopg.Connection, session: int, role: str) -> Sender:
    """Who a session of this server belongs to, asked while it is there.

    role : its members may start a batch; where there is no such role, everybody may
    """
    with postgres.failures("looking for the sender of a notification", SinkError):
        rows = connection.execute(
            "SELECT a.usename::text, coalesce(pg_has_role(a.usesysid, to_regrole(b.role), 'MEMBER'),"
            " to_regrole(b.role) IS NULL)"
            " FROM (VALUES (%s::text)) AS b(role) LEFT JOIN pg_stat_activity a ON a.pid = %s"
            " AND a.datname = current_database()",
            (role, session),
        ).fetchall()
    return Sender(*rows[0])


@contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except psycopg.Error as err:
        raise SourceError(str(err).strip().split("\n")[0]) from err
