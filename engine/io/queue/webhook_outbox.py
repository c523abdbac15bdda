"""Events that other systems have still to hear of: rows that the database writes together with the event.

They are written by triggers (migration 0006): whoever ends a job or publishes a run knows nothing of them. A target is
known by a digest of its address, which may hold a secret and never enters the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from engine.core.errors import SinkError
from engine.core.webhook_address import digest, label
from engine.io.db import postgres

#: deliveries, and targets that no process has among its settings any more, are kept for so many days
KEEP_DAYS = 30
#: an event that is older than this is given up when it is refused once more
GIVE_UP_AFTER = "3 days"
#: an event that has failed so often does not hold up the following ones any more
STEP_ASIDE_AFTER = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 3600  # seconds
_WAITING = "delivered_at IS NULL AND given_up_at IS NULL"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for a target. body : as it is signed and sent"""

    sequence: int
    event_id: UUID
    event: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """waiting, given_up : deliveries; oldest_seconds : age of the oldest that waits, 0 for none."""

    waiting: int
    given_up: int
    oldest_seconds: float


def is_there(connection: psycopg.Connection) -> bool:
    """False in a database whose schema is older than webhooks."""
    with postgres.failures("looking for the webhooks", SinkError):
        row = connection.execute("SELECT to_regclass('webhook_deliveries') IS NOT NULL").fetchone()
    return bool(row and row[0])


def register(connection: psycopg.Connection, urls: Sequence[str]) -> None:
    """From now on, events are for these targets, too. Never waits for a deliverer."""
    with postgres.failures("registering webhooks", SinkError):
        for url in urls:
            connection.execute(
                "INSERT INTO webhook_targets (target, label) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                (digest(url), label(url)[:300]),
            )
            connection.execute(
                "UPDATE webhook_targets SET seen_at = now() WHERE target IN (SELECT target FROM webhook_targets"
                " WHERE target = %s FOR NO KEY UPDATE SKIP LOCKED)",
                (digest(url),),
            )


def take(connection: psycopg.Connection, url: str) -> Delivery | None:
    """The next event for a target, in the order of the events; None when nothing is due or another deliverer is at it.

    Inside a transaction, which keeps other deliverers off this target until it ends.
    """
    held = connection.execute(
        "SELECT target FROM webhook_targets WHERE target = %s AND paused_until <= now() FOR NO KEY UPDATE SKIP LOCKED",
        (digest(url),),
    ).fetchone()
    if held is None:
        return None
    with connection.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(
            "SELECT sequence, event_id, event, body, attempts FROM webhook_deliveries"
            f" WHERE target = %s AND {_WAITING} AND next_try_at <= now() ORDER BY sequence LIMIT 1".encode(),
            (digest(url),),
        ).fetchone()


def delivered(connection: psycopg.Connection, url: str, delivery: Delivery) -> None:
    """The target has it."""
    connection.execute(
        "UPDATE webhook_deliveries SET delivered_at = now(), attempts = attempts + 1, last_error = NULL"
        " WHERE sequence = %s",
        (delivery.sequence,),
    )
    connection.execute(
        "UPDATE webhook_targets SET failures = 0, paused_until = '-infinity', seen_at = now() WHERE target = %s",
        (digest(url),),
    )


def failed(connection: psycopg.Connection, url: str, delivery: Delivery, why: str, *, refused: bool) -> bool:
    """The target does not have it; returns whether it is given up.

    refused : the answer was about this event, others may go on; else the target as a whole is left alone for a while,
              so that events keep their order
    """
    attempts = delivery.attempts + 1
    steps_aside = refused or attempts > STEP_ASIDE_AFTER
    [(given_up,)] = connection.execute(
        "UPDATE webhook_deliveries SET attempts = %s, last_error = %s,"
        " next_try_at = clock_timestamp() + make_interval(secs => %s),"
        " given_up_at = CASE WHEN created_at < now() - %s::interval THEN now() END"
        " WHERE sequence = %s RETURNING given_up_at IS NOT NULL",
        # behind the pause of its target, so that the event after it is the next to be tried
        (attempts, why[:300], pause(attempts) * (2 if steps_aside else 1), GIVE_UP_AFTER, delivery.sequence),
    ).fetchall()
    if not refused:
        connection.execute(
            "UPDATE webhook_targets SET failures = failures + 1,"
            " paused_until = clock_timestamp() + make_interval(secs => least(%s * 2 ^ least(failures, 20), %s))"
            " WHERE target = %s",
            (_FIRST_PAUSE, _LONGEST_PAUSE, digest(url)),
        )
    return bool(given_up)


def pause(attempts: int) -> float:
    """Seconds before the next try after so many: doubled from 5 s to an hour."""
    return float(min(_FIRST_PAUSE * 2 ** min(attempts - 1, 20), _LONGEST_PAUSE))


def next_due(connection: psycopg.Connection, urls: Sequence[str]) -> float | None:
    """Seconds until something is due for one of these targets, 0 when it is already; None when nothing waits."""
    with postgres.failures("looking for events", SinkError):
        row = connection.execute(
            "SELECT extract(epoch FROM min(greatest(d.next_try_at, t.paused_until, now()) - now()))"
            " FROM webhook_deliveries d JOIN webhook_targets t USING (target)"
            f" WHERE target = ANY(%s) AND {_WAITING}".encode(),
            ([digest(url) for url in urls],),
        ).fetchone()
    return None if row is None or row[0] is None else float(row[0])


def backlog(connection: psycopg.Connection) -> Backlog:
    """Backlog of waiting events, over all targets."""
    with postgres.failures("counting events", SinkError), connection.cursor(row_factory=class_row(Backlog)) as cursor:
        found = cursor.execute(
            f"SELECT count(*) FILTER (WHERE {_WAITING}) AS waiting,"
            " count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up,"
            f" coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE {_WAITING})), 0)::float"
            " AS oldest_seconds FROM webhook_deliveries".encode()
        ).fetchone()
    return found or Backlog(0, 0, 0.0)


def delete_old(connection: psycopg.Connection) -> Mapping[str, int]:
    """Delete old deliveries, and targets that are no process's any more; returns rows per table."""
    with postgres.failures("cleaning the webhooks", SinkError):
        deliveries = connection.execute(
            "DELETE FROM webhook_deliveries WHERE created_at < now() - make_interval(days => %s)", (KEEP_DAYS,)
        ).rowcount
        targets = connection.execute(
            "DELETE FROM webhook_targets WHERE target IN (SELECT target FROM webhook_targets"
            " WHERE seen_at < now() - make_interval(days => %s) FOR UPDATE SKIP LOCKED)",
            (KEEP_DAYS,),
        ).rowcount
    return {"webhook_deliveries": deliveries, "webhook_targets": targets}
