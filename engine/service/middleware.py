"""Around every request: its id, the size of its body, the time it takes, one log line, and an answer come what may."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.service.metrics import Metrics
from engine.service.problems import INTERNAL, TooLargeError

log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: noted for a client that left before its body was here; nobody gets this answer
_LEFT = 499
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; connect-src 'self' ws: wss:;"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}


class Envelope:
    """Pure ASGI, so that bodies stream through it.

    most, most_of : bytes of a body; for some paths another number
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, most: int, most_of: dict[str, int]) -> None:
        self._app, self._metrics, self._most, self._most_of = app, metrics, most, most_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, given = time.perf_counter(), Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else str(uuid.uuid4())
        status = 0
        most, taken = self._most_of.get(scope["path"], self._most), 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        async def take() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLargeError(most)
            return message

        try:
            stated = Headers(scope=scope).get("content-length", "")
            if stated.isdigit() and int(stated) > most:
                too_large = JSONResponse({"detail": str(TooLargeError(most))}, 413, {"Connection": "close"})
                await too_large(scope, receive, tell)
            else:
                await self._app(scope, take, tell)
        except ClientDisconnect:
            status = status or _LEFT
        except Exception:
            log.exception("request %s failed", request_id)
            if status:
                raise  # half an answer is out: the server must break the connection
            await JSONResponse({"detail": INTERNAL}, 500)(scope, receive, tell)
        finally:
            self._note(scope, request_id, status, time.perf_counter() - started)

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "(none)")
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "OPTIONS") else "other"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.seconds.labels(method, route).observe(seconds)
        log.info(
            "%s %s %d %.1f ms",
            method,
            scope["path"].encode("unicode_escape").decode()[:200],
            status,
            1000 * seconds,
            extra={"request_id": request_id, "route": route, "status": status, "seconds": round(seconds, 4)},
        )
