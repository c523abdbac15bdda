"""Sends what waits in the outbox of webhooks: signed, in order, again until it is taken.

A delivery is a transaction: lock the target, send, mark. Killed in between, the event is sent once more, with the same
id; two deliverers never send it together. Nothing here can fail or delay a run: its events were stored with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.metadata import version
from typing import Self

import httpx
import psycopg

from engine.core.errors import EngineError, SinkError
from engine.core.settings import Settings
from engine.core.webhook_address import label
from engine.io.db import postgres
from engine.io.queue import webhook_outbox
from engine.io.queue.webhook_outbox import Delivery

log = logging.getLogger(__name__)

#: seconds between two looks at the outbox
TICK = 2.0
#: seconds that a batch gives its own events at its end
AT_THE_END = 15.0
#: seconds for one delivery, from the search for the host to the status line of the answer
PATIENCE = 10.0
_LONGEST_PAUSE = 60.0
#: answers that are about the state of the target and not about the event
_NOT_NOW = (408, 425, 429)


def signature(secret: str, body: bytes) -> str:
    """Value of X-Signature."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


class Deliverer:
    """For one thread. config : its targets and secret"""

    def __init__(self, config: Settings) -> None:
        self._urls = config.webhook_targets
        self._secret = config.webhook_secret.get_secret_value() if config.webhook_secret else ""
        self._loop = asyncio.Runner()
        self._client = httpx.AsyncClient(
            follow_redirects=False,
            timeout=PATIENCE,
            headers={"User-Agent": f"climate-risk-engine/{version('climate-risk-engine')}"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._client.aclose())
        self._loop.close()

    def send_due(self, connection: psycopg.Connection) -> bool:
        """Send each target the next event that is due for it; False when there was none for any.

        raises : SinkError when the outbox cannot be read or written
        """
        sent = [self._send_next(connection, url) for url in self._urls]  # every one, whatever the first one says
        return any(sent)

    def _send_next(self, connection: psycopg.Connection, url: str) -> bool:
        with postgres.failures("delivering an event", SinkError), connection.transaction():
            delivery = webhook_outbox.take(connection, url)
            if delivery is None:
                return False
            why, refused = self._loop.run(self._post(url, delivery))
            if why is None:
                webhook_outbox.delivered(connection, url, delivery)
                log.info("%s %s delivered to %s", delivery.event, delivery.event_id, label(url))
                return True
            given_up = webhook_outbox.failed(connection, url, delivery, why, refused=refused)
        end = "given up" if given_up else f"tried again, {delivery.attempts + 1} times so far"
        log.log(
            logging.ERROR if given_up else logging.WARNING,
            "%s %s was not taken by %s (%s): %s",
            delivery.event,
            delivery.event_id,
            label(url),
            why,
            end,
        )
        return True

    async def _post(self, url: str, delivery: Delivery) -> tuple[str | None, bool]:
        """(what went wrong, whether the target refused this event rather than failed). The status alone is read."""
        body = delivery.body.encode()
        headers = {
            "Content-Type": "application/json",
            "X-Event": delivery.event,
            "X-Event-Id": str(delivery.event_id),
            "X-Timestamp": str(int(time.time())),
            "X-Signature": signature(self._secret, body),
        }
        try:
            async with (
                asyncio.timeout(PATIENCE),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as err:  # a time-out is an OSError
            return self._told(err), False
        if 200 <= status < 300:
            return None, False
        return f"answered {status}", 400 <= status < 500 and status not in _NOT_NOW

    def _told(self, err: Exception) -> str:
        """One line without an address or the secret: a proxy or a peer may repeat what it was sent."""
        text = " ".join(str(err).split())
        for hidden in (*self._urls, self._secret):
            text = text.replace(hidden, "***")
        return f"{type(err).__name__}: {text}" if text else type(err).__name__


@contextmanager
def delivering(config: Settings, application: str) -> Iterator[None]:
    """Deliver in a thread for as long as the block goes on; nothing without WEBHOOK_URLS.

    application : address of the database of the results
    """
    if not config.webhook_targets:
        yield
        return
    log.info("webhooks: %s", ", ".join(map(label, config.webhook_targets)))
    stopping = threading.Event()
    thread = threading.Thread(target=_deliver, args=(config, application, stopping), name="webhooks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(PATIENCE)  # what is being sent now may end, or it is sent again later


def _deliver(config: Settings, application: str, stopping: threading.Event) -> None:
    pause = 1.0
    while not stopping.is_set():
        began = time.monotonic()
        try:
            with Deliverer(config) as deliverer, closing(postgres.connect(application)) as connection:
                if not _registered(connection, config):
                    return
                _deliver_over(connection, deliverer, config, stopping)
        except EngineError as err:
            log.warning("webhooks wait, next try in %.0f s: %s", pause, err)
        except Exception:
            log.exception("webhooks wait, next try in %.0f s", pause)
        stopping.wait(pause)
        pause = 1.0 if time.monotonic() - began > _LONGEST_PAUSE else min(2 * pause, _LONGEST_PAUSE)


def _deliver_over(
    connection: psycopg.Connection, deliverer: Deliverer, config: Settings, stopping: threading.Event
) -> None:
    registered = time.monotonic()
    while not stopping.is_set():
        if time.monotonic() - registered > _LONGEST_PAUSE:
            webhook_outbox.register(connection, config.webhook_targets)
            registered = time.monotonic()
        # a look first: taking a target writes a lock into its row
        is_due = webhook_outbox.next_due(connection, config.webhook_targets) == 0
        if not (is_due and deliverer.send_due(connection)):
            stopping.wait(TICK)


def _registered(connection: psycopg.Connection, config: Settings) -> bool:
    if not webhook_outbox.is_there(connection):
        log.error("no webhooks: the database lacks webhook_deliveries, apply the schema with python -m jobs.schema")
        return False
    webhook_outbox.register(connection, config.webhook_targets)
    return True


@contextmanager
def announced(config: Settings, application: str) -> Iterator[None]:
    """Around a batch: its events are for the targets of the settings, and what is due at its end is sent from here.

    That has a bounded time. The rest waits for a listener, a service or the next batch.

    application : address of the database of the results
    """
    if not config.webhook_targets or not _prepared(config, application):
        yield
        return
    try:
        yield
    except KeyboardInterrupt:
        raise  # whoever stops a run does not wait for other machines
    except BaseException:
        _last_words(config, application)
        raise
    _last_words(config, application)


def _prepared(config: Settings, application: str) -> bool:
    try:
        with closing(postgres.connect(application)) as connection:
            return _registered(connection, config)
    except EngineError as err:
        log.warning("no webhooks from this run: %s", err)
        return False


def _last_words(config: Settings, application: str) -> None:
    """The run has ended and stays as it is, whatever happens here."""
    try:
        if _all_sent(config, application):
            return
        log.warning("webhooks wait for jobs.listen, jobs.serve or the next run")
    except EngineError as err:
        log.warning("webhooks wait for jobs.listen, jobs.serve or the next run: %s", err)
    except KeyboardInterrupt:
        log.warning("interrupted: webhooks wait for jobs.listen, jobs.serve or the next run")
    except Exception:
        log.exception("webhooks wait for jobs.listen, jobs.serve or the next run")


def _all_sent(config: Settings, application: str) -> bool:
    until = time.monotonic() + AT_THE_END
    with Deliverer(config) as deliverer, closing(postgres.connect(application)) as connection:
        while True:
            deliverer.send_due(connection)
            due = webhook_outbox.next_due(connection, config.webhook_targets)
            if due is None:
                return True
            if time.monotonic() + due > until:
                return False
            if due > 0 or not deliverer.send_due(connection):
                time.sleep(min(max(due, 0.1), 1.0))  # another deliverer may be at it just now
