"""Language of answers: `?lang=`, then `Accept-Language`. Sentences of JSON bodies and messages are translated on their
way out, and nothing else of them."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.core.language import DEFAULT, Language, of_request
from engine.core.translation import translate_fields

#: fields whose values are sentences for a person; every other one is data, an identifier or a code
SENTENCES = (
    frozenset(
        (
            "detail",
            "error",
            "error_message",
            "figures_of",
            "interval_note",
            "loss_note",
            "meaning",
            "meanings",
            "message",
        )
    )
    | frozenset(
        ("note", "notes", "overlap_note", "question", "reason", "risk_notes", "rows_numbered", "scope_note", "sentence")
    )
    | frozenset(("absent", "step", "storms_note", "why", "year_loss", "year_losses_note"))
)
#: bodies without one of them are passed on as they are
_MARKS = tuple(f'"{name}":'.encode() for name in SENTENCES)
_DOCUMENTS = ("/openapi.json", "/page/")


def language_of(scope: Scope) -> Language:
    """The language that a request or a WebSocket asks for."""
    return of_request(_asked(scope), Headers(scope=scope).get("accept-language"))


def _asked(scope: Scope) -> str | None:
    found: str | None = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [None])[-1]
    return found


class Spoken:
    """Pure ASGI. An answer in English passes untouched but for `Vary`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        language = language_of(scope)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send if language == DEFAULT else _socket(language, send))
            return
        if language != DEFAULT:
            scope = {**scope, "headers": [_without_mark(each, language) for each in scope["headers"]]}
        is_document = any(mark in scope["path"] for mark in _DOCUMENTS)
        await self._app(scope, receive, send if is_document else _Answer(language, scope, send).take)


def _socket(language: Language, send: Send) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "websocket.send" and message.get("text"):
            message = {**message, "text": _told(message["text"].encode(), language).decode()}
        await send(message)

    return tell


class _Answer:
    """One answer on its way out; a JSON body is held until it is whole. A file that is downloaded is translated for
    `?lang=` alone: it is the same for all others, byte for byte."""

    def __init__(self, language: Language, scope: Scope, send: Send) -> None:
        self._language, self._method, self._send = language, scope["method"], send
        self._files_too = _asked(scope) == language
        self._start: Message | None = None
        self._body = b""

    async def take(self, message: Message) -> None:
        """Pass a message on, or hold it."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif message["type"] == "http.response.body" and self._start is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._end(self._start)
        else:
            await self._send(message)

    async def _begin(self, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        is_json = headers.get("content-type", "").startswith("application/json") or message["status"] == 304
        if not is_json or ("content-disposition" in headers and not self._files_too):
            await self._send(message)
            return
        headers.add_vary_header("Accept-Language")
        if self._language != DEFAULT:
            if "etag" in headers:
                headers["etag"] = headers["etag"].removesuffix('"') + f'-{self._language}"'
            if message["status"] in (200, 201, 202) or message["status"] >= 400:
                headers["content-language"] = self._language
                del headers["accept-ranges"]  # the bytes of a part would be of the English file
                if self._method != "HEAD":
                    self._start = message
                    return
                del headers["content-length"]
        await self._send(message)

    async def _end(self, start: Message) -> None:
        body = _told(self._body, self._language)
        MutableHeaders(scope=start)["content-length"] = str(len(body))
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})


def _told(body: bytes, language: Language) -> bytes:
    if not any(mark in body.replace(b'": ', b'":') for mark in _MARKS):
        return body
    document = translate_fields(json.loads(body), SENTENCES, language)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _without_mark(header: tuple[bytes, bytes], language: Language) -> tuple[bytes, bytes]:
    """`If-None-Match` as the routes know their tags, which are of the English answer."""
    if header[0] != b"if-none-match":
        return header
    return header[0], header[1].replace(f'-{language}"'.encode(), b'"')
