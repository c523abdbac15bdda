"""Progress of jobs to many WebSockets: one query for all watched jobs twice a second, however many watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from typing import Any
from uuid import UUID

import psycopg
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from engine.io.queue import job_states
from engine.io.queue.job_states import State
from engine.service import auth, models, proxy
from engine.service.context import Context
from engine.service.milestones import Follower
from engine.service.server import SOCKETS

log = logging.getLogger(__name__)
router = APIRouter()
EVERY = 0.5
UNKNOWN, REFUSED = 4404, 4401


class Hub:
    """Fans the state of jobs out. Nothing is kept here that is not in the database."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watchers: defaultdict[UUID, set[asyncio.Queue[State]]] = defaultdict(set)

    async def run(self) -> None:
        """Look at the watched jobs until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            if not self._watchers:
                continue
            try:
                states = await run_in_threadpool(read_states, self._context, list(self._watchers))
            except Exception as err:  # whatever it was, the next look may go well: nobody else tells the watchers
                known = isinstance(err, psycopg.OperationalError)
                log.warning("progress cannot be read: %s", str(err).strip().split("\n")[0], exc_info=not known)
                continue
            for batch_id, state in states.items():
                for queue in self._watchers.get(batch_id, ()):
                    queue.put_nowait(state)

    @contextlib.contextmanager
    def watch(self, batch_id: UUID) -> Any:
        """A queue of the job's states, changed or not."""
        queue: asyncio.Queue[State] = asyncio.Queue()
        self._watchers[batch_id].add(queue)
        try:
            yield queue
        finally:
            self._watchers[batch_id].discard(queue)
            if not self._watchers[batch_id]:
                del self._watchers[batch_id]


def read_states(context: Context, ids: list[UUID]) -> dict[UUID, State]:
    """Jobs as their rows say; unknown ids are absent."""
    with context.database() as connection:
        return job_states.read_many(connection, ids)


@router.websocket(SOCKETS + "{request_id}")
async def follow(socket: WebSocket, request_id: str) -> None:
    """Follow a job: passed milestones and state at once, then every change, then the end. Leaving does not stop it."""
    context: Context = socket.app.state.context
    key, subprotocol = auth.of_socket(socket)
    await socket.accept(subprotocol=subprotocol)
    if context.config.api_key is not None and not auth.is_right(context, key):
        await socket.close(REFUSED, "Wrong or missing API key")
        return
    with context.metrics.sockets.track_inprogress(), contextlib.suppress(WebSocketDisconnect):
        await _follow(socket, socket.app.state.hub, context, request_id)


async def _follow(socket: WebSocket, hub: Hub, context: Context, request_id: str) -> None:
    try:
        batch_id = UUID(request_id)
        state = (await run_in_threadpool(read_states, context, [batch_id])).get(batch_id)
    except ValueError:
        state = None
    except psycopg.OperationalError:
        await socket.close(1013, "The database is not available")
        return
    if state is None:
        await socket.send_json({"status": "error", "error": "Request ID not found"})
        await socket.close(UNKNOWN, "Request ID not found")
        return
    gone = asyncio.create_task(_until_gone(socket))
    follower = Follower()

    async def tell(state: State) -> None:
        for message in follower.messages(state):
            if message.get("results") is not None:
                message["results"] = models.outward(batch_id, message["results"], proxy.prefix(socket))
            await socket.send_json(message)

    try:
        with hub.watch(batch_id) as states:
            await tell(state)
            while not (follower.ended or gone.done()):
                arriving = asyncio.create_task(states.get())
                await asyncio.wait({arriving, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not arriving.done():
                    arriving.cancel()
                    return
                await tell(arriving.result())
        if not gone.done():
            await socket.close(1000)
    finally:
        gone.cancel()


async def _until_gone(socket: WebSocket) -> None:
    """Wait until the client leaves; its messages are ignored."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive()
            if socket.client_state.name == "DISCONNECTED":
                return
