"""Addresses of webhooks, which may hold a secret anywhere behind the host: read, checked, named without it."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit


def split(text: str) -> tuple[str, ...]:
    """Addresses with commas between them, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def fault(url: str, *, allow_http: bool) -> str | None:
    """Fault of a webhook address, in words without the address; None for a good one."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no web address"
    if parts.scheme == "http" and not allow_http:
        return "is http: write https, or set WEBHOOK_ALLOW_HTTP=true inside a closed network"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.fragment:
        return "is no web address such as https://hooks.example.org/climate"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "holds a blank or a letter beyond ASCII: write it as %XX, a host in punycode"
    return None


def digest(url: str) -> str:
    """Name of a target in the database: SHA-256, in 64 hexadecimal digits."""
    return hashlib.sha256(url.encode()).hexdigest()


def label(url: str) -> str:
    """`https://host:port`, what messages show of a target."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
