"""Common part of every answer of any route: HEAD and OPTIONS, and one form of refusals."""

from __future__ import annotations

import json
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: set in the scope of a HEAD that is answered as a GET, for answers that would read a file for nothing
IS_HEAD = "engine.head"
_NO_BODY = (204, 304)


class Uniform:
    """HEAD is GET without the body; OPTIONS says what a path takes; a refusal in plain text becomes `{"detail": ...}`;
    a redirection names no host."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inner = {**scope, "method": "GET", IS_HEAD: True} if scope["method"] == "HEAD" else {**scope}
        answer = _Answer(scope["method"], send)
        try:
            await self._app(inner, receive, answer.take)
        finally:  # for the log line
            if "route" in inner:
                scope["route"] = inner["route"]


class _Answer:
    """One answer on its way out."""

    def __init__(self, method: str, send: Send) -> None:
        self._method, self._send = method, send
        self._held: Message | None = None
        self._text = b""
        self._is_silent = method == "HEAD"

    async def take(self, message: Message) -> None:
        """Pass a message on, or hold it until the whole refusal is here."""
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body" and self._held is not None:
            self._text += message.get("body", b"")
            if not message.get("more_body"):
                await self._refuse(self._held, self._text.decode("utf-8", "replace"))
        elif message["type"] == "http.response.body" and self._is_silent:
            if not message.get("more_body"):
                await self._send({"type": "http.response.body", "body": b""})
        else:
            await self._send(message)

    async def _start(self, message: Message) -> None:
        headers, status = MutableHeaders(scope=message), message["status"]
        if status == 405:
            allowed = {part.strip() for part in headers.get("allow", "").split(",") if part.strip()} | {"OPTIONS"}
            if "GET" in allowed:
                allowed.add("HEAD")
            headers["allow"] = ", ".join(sorted(allowed))
            if self._method == "OPTIONS":
                self._is_silent = True
                for name in ("content-length", "content-type"):
                    del headers[name]
                await self._send({**message, "status": 204})
                return
        if "location" in headers:
            place = urlsplit(headers["location"])
            # a second slash at the start would make a host of the first segment
            headers["location"] = "/" + place._replace(scheme="", netloc="").geturl().lstrip("/")
        if status >= 400 and not headers.get("content-type", "").startswith("application/json"):
            self._held = message
            return
        await self._send(message)

    async def _refuse(self, start: Message, text: str) -> None:
        words = text.strip() or HTTPStatus(start["status"]).phrase
        body = json.dumps({"detail": words}, ensure_ascii=False, separators=(",", ":")).encode()
        headers = MutableHeaders(raw=[*Headers(scope=start).raw])
        headers["content-type"], headers["content-length"] = "application/json", str(len(body))
        await self._send({**start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": b"" if self._is_silent else body})


class File(FileResponse):
    """A file, which a HEAD does not read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__({**scope, "method": "HEAD"} if scope.get(IS_HEAD) else scope, receive, send)
