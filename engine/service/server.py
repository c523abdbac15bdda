"""The server below the application: who listens where, and how long a client may take to say what it wants."""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import json
import logging
import socket
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from engine.core.settings import Settings

log = logging.getLogger(__name__)
#: bytes of a head that has not ended; those that came whole are counted by the application
_HEAD = 32_768
#: bytes and messages of a WebSocket's client, which has nothing to say
_FRAME, _FRAMES = 65_536, 4
#: what paths of WebSockets have, whatever prefix stands before it
SOCKETS = "/api/v1/risk-assessment/ws/"
_TOO_SLOW = "The request did not arrive in time"
_NO_HTTP = "This is no request of HTTP/1.1"
_NO_HANDSHAKE = "This is no handshake of a WebSocket: it needs GET, Sec-WebSocket-Version 13 and a Sec-WebSocket-Key"


def make_server(app: FastAPI, config: Settings, *, port: int | None = None) -> uvicorn.Server:
    """A server that has opened nothing yet. port: another than the setting's, 0 for any that is free"""

    class _Protocol(PatientProtocol):
        patience = config.api_header_seconds

    return _Server(
        config,
        uvicorn.Config(
            app,
            host=config.api_host,
            port=config.api_port if port is None else port,
            http=_Protocol,
            log_config=None,
            access_log=False,  # the application writes one line a request itself
            proxy_headers=False,  # and knows whom to believe
            ws_ping_interval=20,
            ws_max_size=_FRAME,
            ws_max_queue=_FRAMES,
            h11_max_incomplete_event_size=_HEAD,
            timeout_graceful_shutdown=int(config.shutdown_grace_seconds),
            server_header=False,
        ),
    )


class _Server(uvicorn.Server):
    """Says where it is found, and that it is open, if it is."""

    def __init__(self, settings: Settings, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then say so."""
        await super().startup(sockets)
        if not self.started:
            return
        config, port = self._settings, self.servers[0].sockets[0].getsockname()[1]
        log.info(
            "map: %s/",
            config.api_public_url or f"http://{_visited(config.api_host)}:{port}{config.api_root_path or ''}",
        )
        if config.api_key is None and not is_loopback(config.api_host):
            log.warning(
                "open to the network without a key: whoever reaches %s:%d reads results and queues work. Set API_KEY,"
                " or API_HOST=127.0.0.1",
                config.api_host,
                port,
            )


def is_loopback(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _visited(host: str) -> str:
    """Host for a browser on this machine, from the host that a server listens on."""
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 (compared, not listened on)
        return "localhost"
    return f"[{host}]" if ":" in host else host


class PatientProtocol(H11Protocol):
    """uvicorn's protocol, which waits for ever, with a limit on the head of a request and on a body that nobody reads
    any more; the application sees to the bodies that it reads. What it refuses itself has the form of all refusals.

    patience : seconds
    """

    patience: float = 10.0
    _timer: asyncio.TimerHandle | None = None
    _heard = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._heard = False
        if self.conn.their_state is not h11.IDLE:
            self._watch()

    def _watch(self) -> None:
        """Let time run while a head, or the rest of a body whose request is answered, is to come."""
        waiting = self.conn.their_state is h11.IDLE or self.conn.our_state is h11.DONE
        if not waiting or self.transport.is_closing() or self.transport.get_protocol() is not self:
            self._rest()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.patience, self._cut_off)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        self._timer = None
        if self._heard and self.conn.our_state is h11.IDLE:
            self._refuse(408, _TOO_SLOW)
        else:
            self.transport.close()

    def _should_upgrade(self) -> bool:
        """Elsewhere a wish for a WebSocket is passed over, as HTTP allows: the path answers as it always does."""
        return SOCKETS in self.scope["path"] and super()._should_upgrade()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the base class's words)
        """Answer what is no HTTP."""
        self._refuse(400, _NO_HTTP)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over, unless the handshake lacks what the library would refuse in words of its own."""
        self._rest()
        told = dict(self.headers)
        try:
            key = base64.b64decode(told.get(b"sec-websocket-key", b""), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if event.method != b"GET" or told.get(b"sec-websocket-version") != b"13" or len(key) != 16:
            self._refuse(426 if len(key) == 16 else 400, _NO_HANDSHAKE)
        else:
            super().handle_websocket_upgrade(event)

    def _refuse(self, status: int, words: str) -> None:
        self._rest()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is out already
            self.transport.close()
            return
        body = json.dumps({"detail": words}, separators=(",", ":")).encode()
        headers: list[tuple[bytes, bytes]] = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if status == 426:
            headers += [(b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")]
        parts: tuple[Any, ...] = (
            h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status]),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
        for part in parts:
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()
