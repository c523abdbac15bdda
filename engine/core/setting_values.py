"""Checks of the values of settings; each gives the value back, or raises ValueError with the reason."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from itertools import pairwise

from pydantic import SecretStr

#: of a web address: plain segments, none of dots alone
_PATH = r"(/(?!\.+(/|$))[\w.~-]+)*"
_WEB_ADDRESS = rf"https?://(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{{1,5}})?{_PATH}/?"


def split(value: object) -> object:
    """Parts between commas; what is no text is left as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Origins of web pages: scheme and host, and no star."""
    for origin in values:
        scheme, _, host = origin.partition("://")
        if scheme not in ("http", "https") or not host or "*" in host or "/" in host:
            raise ValueError(f"{origin} is not an origin such as https://maps.example.org")
    return values


def networks(proxies: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses and networks, or `*`."""
    for each in proxies:
        if each != "*":
            try:
                ipaddress.ip_network(each)
            except ValueError:
                raise ValueError(f"{each} is no address or network such as 10.0.0.0/8") from None
    return proxies


def web_address(url: str | None) -> str | None:
    """An address of HTTP, without a slash at its end."""
    if url is not None and not re.fullmatch(_WEB_ADDRESS, url, re.A):
        raise ValueError(f"{url} is not an address such as https://risk.example.org/climate")
    return url and url.rstrip("/")


def path(text: str | None) -> str | None:
    """`require_path` of what is set."""
    return None if text is None else require_path(text)


def require_path(text: str) -> str:
    """A path prefix of plain segments, without a slash at its end."""
    if not re.fullmatch(_PATH + "/?", text, re.A):
        raise ValueError(f"{text} is not a path such as /climate")
    return text.rstrip("/")


def four_ascending(cuts: tuple[float, ...]) -> tuple[float, ...]:
    """Lower ends of the four upper levels."""
    if len(cuts) != 4 or not all(low < high for low, high in pairwise((0.0, *cuts, 100.0))):
        raise ValueError("it needs four ascending percentages between 0 and 100")
    return cuts


def not_empty(secret: SecretStr | None) -> SecretStr | None:
    """A secret that is left out, or holds something."""
    if secret is not None and not secret.get_secret_value().strip():
        raise ValueError("it is set but empty")
    return secret


def channel(name: str) -> str:
    """A name of a channel that fits PostgreSQL's identifiers."""
    if not 0 < len(name.encode()) < 64:
        raise ValueError("the name of a channel has 1 to 63 bytes")
    return name


def time_zone(name: str | None) -> str | None:
    """A name of the time-zone database, or none."""
    if name is None:
        return None
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name} is not a time zone such as Asia/Seoul") from None
    return name
