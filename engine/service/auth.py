"""The API key: of everything under /api where one is set, of /admin always."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import Annotated

from fastapi import HTTPException, Security, WebSocket
from fastapi.security import APIKeyHeader

from engine.service.context import Context, Shared

_header = APIKeyHeader(name="X-API-Key", auto_error=False, description="Needed where API_KEY is set, by /admin always")
Key = Annotated[str | None, Security(_header)]
#: browsers cannot send headers with a WebSocket: the key may come as the subprotocol `key.` + base64url
SUBPROTOCOL = "key."


async def for_api(context: Shared, key: Key) -> None:
    """Refuse a wrong key where one is set."""
    if context.config.api_key is not None and not is_right(context, key):
        raise HTTPException(401, "Wrong or missing API key")


async def for_admin(context: Shared, key: Key) -> None:
    """Refuse without the right key, and where none is set."""
    if not is_right(context, key):
        raise HTTPException(401, "Wrong or missing API key")


def is_right(context: Context, key: str | None) -> bool:
    """Compare in constant time; False where no key is set."""
    right = context.config.api_key
    if right is None or key is None:
        return False
    return secrets.compare_digest(key.encode("utf-8", "replace"), right.get_secret_value().encode())


def of_socket(socket: WebSocket) -> tuple[str | None, str | None]:
    """(key, subprotocol to answer with) of a WebSocket request."""
    if "x-api-key" in socket.headers:
        return socket.headers["x-api-key"], None
    for offered in socket.scope.get("subprotocols", ()):
        if offered.startswith(SUBPROTOCOL):
            text = offered.removeprefix(SUBPROTOCOL)
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode(), offered
            except (binascii.Error, UnicodeDecodeError, ValueError):
                return None, offered
    return None, None
