"""Intake of assessments: requests become jobs, and those that arrive during a check are checked together.

Checking one request takes as long as checking a hundred, so a burst is one check and one INSERT instead of a queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi.concurrency import run_in_threadpool

from engine.assess.job import site_batch
from engine.assess.rules.offered import RISKS
from engine.core.errors import SettingsError
from engine.io.queue import batch_jobs
from engine.service.bodies import location
from engine.service.context import Context
from engine.service.problems import InvalidError, fault

Body = Mapping[str, Any]
_TOGETHER = 500


class Intake:
    """Queues assessments. `run` must be running in the loop that `queue` is called from."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._arrived: asyncio.Queue[tuple[Body, asyncio.Future[UUID]]] = asyncio.Queue()

    async def queue(self, body: Body) -> UUID:
        """The id of the job that a request has become.

        raises : InvalidError with all faults of the request; what the database says
        """
        future: asyncio.Future[UUID] = asyncio.get_running_loop().create_future()
        self._arrived.put_nowait((body, future))
        return await future

    async def run(self) -> None:
        """Work on what has arrived until cancelled."""
        while True:
            arrived = [await self._arrived.get()]
            while len(arrived) < _TOGETHER and not self._arrived.empty():
                arrived.append(self._arrived.get_nowait())
            try:
                made: Sequence[UUID | Exception] = await run_in_threadpool(
                    queue_all, self._context, [body for body, _ in arrived]
                )
            except Exception as err:  # noqa: BLE001 (each request answers it)
                made = [err] * len(arrived)
            for (_, future), one in zip(arrived, made, strict=True):
                if future.done():  # its client has gone
                    continue
                if isinstance(one, Exception):
                    future.set_exception(one)
                else:
                    future.set_result(one)


def queue_all(context: Context, bodies: Sequence[Body]) -> list[UUID | InvalidError]:
    """Make a job of every request without a fault; for each its id, or what is wrong with it."""
    refused: dict[int, InvalidError] = {}
    for place, (body, faults) in enumerate(zip(bodies, site_batch.requests_faults(bodies), strict=True)):
        if isinstance(faults, SettingsError):
            refused[place] = InvalidError([fault(["body"], str(faults))])
        elif faults:
            refused[place] = InvalidError([_placed(body, *each) for each in faults])
    good = [(body, _items(body)) for place, body in enumerate(bodies) if place not in refused]
    if not good:
        return [*refused.values()]
    with context.database() as connection:
        ids = iter(batch_jobs.create_many(connection, batch_jobs.SITE, good))
    return [refused[place] if place in refused else next(ids) for place in range(len(bodies))]


def faults_of(body: Body) -> list[dict[str, Any]]:
    """Everything that is wrong with one request, placed in its body; empty when there is nothing."""
    [faults] = site_batch.requests_faults([body])
    if isinstance(faults, SettingsError):
        return [fault(["body"], str(faults))]
    return [_placed(body, *each) for each in faults]


def _items(body: Body) -> int:
    return len(body.get("risk_types") or RISKS)


def _placed(body: Body, field: str, words: str) -> dict[str, Any]:
    where, value = location(body, field)
    return fault(where, words, value)
