"""Around every request: its id, the size of its body, the time it takes, one log line, and a JSON error for any
unhandled exception."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.service.metrics import Metrics
from engine.service.problems import INTERNAL, TooLargeError, TooSlowError
from engine.service.proxy import route_path

log = logging.getLogger(__name__)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: lines and bytes of a head, bytes of path and query
_LINES, _HEAD, _TARGET = 100, 32_768, 8_192
#: slowest that a body may come, bytes a second, beside the time that any has
_PACE = 1_000
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
    patience      : seconds for a body, and one more a kilobyte
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, most: int, most_of: dict[str, int], patience: float = 30.0
    ) -> None:
        self._app, self._metrics, self._most, self._most_of = app, metrics, most, most_of
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, given = time.perf_counter(), Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else str(uuid.uuid4())
        status = 0
        most, taken, waited, is_whole = self._most_of.get(route_path(scope), self._most), 0, 0.0, False

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
            nonlocal taken, waited, is_whole
            if is_whole:  # what is waited for now is that the client leaves
                return await receive()
            asked = time.perf_counter()  # our own time is not the client's
            try:
                message = await asyncio.wait_for(receive(), max(self._patience + taken / _PACE - waited, 0.0))
            except TimeoutError:
                raise TooSlowError from None
            waited += time.perf_counter() - asked
            is_whole = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > most:
                raise TooLargeError(most)
            return message

        try:
            if refused := _refusal(scope, most):
                await refused(scope, receive, tell)
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


def _refusal(scope: Scope, most: int) -> JSONResponse | None:
    """The answer to a head that is too large, or announces a body that is."""
    lines, target = scope["headers"], len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    close = {"Connection": "close"}
    if target > _TARGET:
        return JSONResponse({"detail": f"The address is longer than {_TARGET:,} bytes"}, 414, close)
    if len(lines) > _LINES or sum(len(name) + len(value) for name, value in lines) > _HEAD:
        words = f"The request has more than {_LINES} headers, or {_HEAD:,} bytes of them"
        return JSONResponse({"detail": words}, 431, close)
    stated = Headers(scope=scope).get("content-length", "")
    if stated.isdecimal() and (len(stated) > 18 or int(stated) > most):
        return JSONResponse({"detail": str(TooLargeError(most))}, 413, close)
    return None
