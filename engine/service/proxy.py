"""Public address of the service: scheme, host and path, from settings and trusted proxies.

A `Host` that somebody made up must not come back in an address that others follow. So the name is, in this order: that
of API_PUBLIC_URL; X-Forwarded-Host of a trusted proxy; `Host`, if it names this machine; else the address that the
connection came to.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi.requests import HTTPConnection
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from engine.core.errors import SettingsError
from engine.core.settings import Settings

log = logging.getLogger(__name__)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::\d{1,5})?")
_PREFIX = re.compile(r"(/(?!\.+(/|$))[A-Za-z0-9._~-]+)+")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_BASE = "engine.base"


def base_url(connection: HTTPConnection) -> str:
    """Scheme, host and path prefix of the service for the client of a request, without a slash at the end."""
    base: str = connection.scope[_BASE]
    return base


def prefix(connection: HTTPConnection) -> str:
    """Path below which the service is seen, empty for none."""
    path: str = connection.scope.get("root_path", "")
    return path.rstrip("/")


def route_path(scope: Scope) -> str:
    """Path of a request below the prefix."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


class Fronted:
    """Outermost middleware: client, scheme, host and prefix of a request are those of its first proxy, if that is
    trusted. The prefix may have been taken away by the proxy or not.

    paths : of the service; a prefix that they lie below is none (`require_free`)
    """

    def __init__(self, app: ASGIApp, *, config: Settings, paths: Iterable[str]) -> None:
        self._app, self._config, self._paths = app, config, tuple(paths)
        self._public = urlsplit(config.api_public_url) if config.api_public_url else None
        self._prefix = _stated(config)
        self._all = "*" in config.api_trusted_proxies
        self._trusted = [ipaddress.ip_network(each) for each in config.api_trusted_proxies if each != "*"]
        self._clients = ProxyHeadersMiddleware(
            self._located,  # type: ignore[arg-type]
            ["*"] if self._all else [*config.api_trusted_proxies],
        )
        self._own = {*_LOOPBACK, config.api_host.lower(), socket.gethostname().lower()}
        self._told = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        forwarded = {
            name: headers[name].split(",")[0].strip()
            for name in ("x-forwarded-host", "x-forwarded-prefix")
            if self._trusts(scope.get("client")) and name in headers
        }
        scope = {**scope, "engine.forwarded": forwarded}
        await self._clients(scope, receive, send)  # type: ignore[arg-type]

    async def _located(self, scope: Scope, receive: Receive, send: Send) -> None:
        forwarded = scope["engine.forwarded"]
        outer = scope.get("root_path", "").rstrip("/")
        prefix = outer or self._prefix or _clean(forwarded.get("x-forwarded-prefix", ""))
        if prefix and not outer and not _hides(prefix, self._paths):
            path = scope["path"]
            if path != prefix and not path.startswith(prefix + "/"):
                scope["path"] = prefix + path
                scope["raw_path"] = quote(prefix).encode() + (scope.get("raw_path") or quote(path).encode())
            scope["root_path"] = prefix
        elif not outer:
            prefix = ""
        if self._public:
            scheme, netloc = self._public.scheme, self._public.netloc
        else:
            scheme, netloc = scope.get("scheme", "http").replace("ws", "http"), self._netloc(scope, forwarded)
        scope[_BASE] = f"{scheme}://{netloc}{prefix}"
        await self._app(scope, receive, send)

    def _trusts(self, client: Any) -> bool:
        if self._all or client is None:
            return self._all
        try:
            address = ipaddress.ip_address(client[0])
        except ValueError:
            return False
        return any(address in network for network in self._trusted)

    def _netloc(self, scope: Scope, forwarded: dict[str, str]) -> str:
        host, port = scope.get("server") or (self._config.api_host, self._config.api_port)
        here = f"[{host}]" if ":" in str(host) else str(host)
        told = forwarded.get("x-forwarded-host", "")
        if _AUTHORITY.fullmatch(told):
            return told
        told = Headers(scope=scope).get("host", "")
        named = _AUTHORITY.fullmatch(told)
        if named and named[1].lower() in {*self._own, here.lower()}:
            return told
        if not self._told:
            self._told = True
            log.warning(
                "a request names the host %r, which is not known here: WebSockets are said to be at %s:%s. Set"
                " API_PUBLIC_URL to what clients call the service",
                told[:100],
                here,
                port,
            )
        return f"{here}:{port}"


def require_free(config: Settings, paths: Iterable[str]) -> None:
    """Refuse a prefix that paths of the service lie below: nobody could tell whether a proxy has taken it away.

    raises : SettingsError
    """
    prefix = _stated(config)
    if prefix and _hides(prefix, paths):
        name = "API_PUBLIC_URL" if config.api_root_path is None else "API_ROOT_PATH (or --root-path)"
        raise SettingsError(f"{name}: {prefix} is a path of the service itself; take one such as /climate")


def _stated(config: Settings) -> str:
    if config.api_root_path is not None:
        return config.api_root_path
    return urlsplit(config.api_public_url).path if config.api_public_url else ""


def _hides(prefix: str, paths: Iterable[str]) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for path in paths)


def _clean(prefix: str) -> str:
    prefix = prefix.rstrip("/")
    return prefix if _PREFIX.fullmatch(prefix) else ""
