"""Addresses of PostgreSQL databases as text: checked, put together, shown without their secrets. Opens nothing."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from engine.core.errors import SettingsError

EXPECTED = "write postgresql://user:password@host:port/database"
_HOSTS = "write a name, an IPv4 or IPv6 address or the folder of a socket, several with commas between them"
_KIND = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BARE = re.compile(r"[^/\s@]+:[^/\s]*@")  # user:password@host, the scheme forgotten
_WITH_PASSWORD = re.compile(r"password\s*=", re.IGNORECASE)
_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::([0-9]+))?")
_NAMED = re.compile(r"([\w.-]+)(?::([0-9]+))?")
#: a password in a URL, which is not that of `EXPECTED`; a number there is a port, unless more of a password follows
_IN_URL = re.compile(r"(://[^\s:/@]*:)(?!password@host|[0-9]+(?:[/\s,;:]|$)).*@")
#: the same without a scheme, `user:password@host`, as a word or a value of its own
_IN_WORD = re.compile(r"((?:^|(?<=[\s'\"=(]))[^\s:/@'\"=]+:)(?!//)\S+@")
_IN_PAIR = re.compile(r"(password\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.IGNORECASE)
_LAST_PORT = 65_535


def is_address(text: str) -> bool:
    """True for what means a server, readable or not: any URL, or `host=... dbname=...`; False for a folder."""
    text = text.strip()
    return bool(_KIND.match(text) or _BARE.match(text) or _WITH_PASSWORD.search(text) or (text and _read(text)))


def is_folder(text: str) -> bool:
    """True for a folder that is there; any text may be asked about."""
    try:
        return Path(text).is_dir()
    except (OSError, ValueError):  # too long for a path, or with a NUL
        return False


def require(text: str, setting: str = "the database address") -> str:
    """The address, without blanks around it.

    setting : whose value it is, for the message
    raises  : SettingsError for what libpq could not connect by; the sentence never holds the text
    """
    text = text.strip()
    if fault := _fault(text):
        raise SettingsError(f"{setting} {fault}")
    return text


def describe(url: str) -> str:
    """`user@host:port/database`, without the password: what messages and logs show."""
    parts = _parts(url)
    if parts is None:
        return "(unreadable address)"
    hosts = (parts["host"] or parts["hostaddr"] or "localhost").split(",")
    ports = parts["port"].split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    places = [
        f"{f'[{host}]' if _is_ipv6(host) else host}{f':{port}' if port else ''}"
        for host, port in zip(hosts, ports, strict=True)
    ]
    return f"{parts['user']}@{','.join(places)}/{parts['dbname']}"


def without_password(url: str) -> tuple[str, str | None]:
    """The address without its secrets, as `host=... dbname=...`, and the password: None when it holds none."""
    from psycopg import conninfo  # not at the top: every job imports this module, also to say its --help

    parts = conninfo.conninfo_to_dict(require(url))
    password = parts.pop("password", None)
    parts.pop("sslpassword", None)
    return conninfo.make_conninfo("", **parts), None if password is None else str(password)


def password_of(url: str) -> str:
    """The password that an address holds, empty for none."""
    parts = _parts(url)
    return parts["password"] if parts else ""


def masked(text: str) -> str:
    """A message in which no address has a password: what a user typed may stand in it."""
    return _IN_PAIR.sub(r"\1***", _IN_WORD.sub(r"\1***@", _IN_URL.sub(r"\1***@", text)))


def shown(text: str) -> str:
    """Quote the text that a user gave, unless it could hold a password."""
    return "the given text" if any(sign in text for sign in ("@", "=", "://")) else repr(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A server by parts. host: one or several, a port behind a host wins over `port`; prefix: of the settings, DW."""

    prefix: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    name: str

    def url(self) -> str:
        """The address of these parts, whatever characters they hold.

        raises : SettingsError naming the setting that cannot be part of an address
        """
        user, password, name = (self._quoted(part) for part in ("user", "password", "name"))
        hosts = ",".join(self._host(part.strip()) for part in (self.host.strip() or "localhost").split(","))
        return f"postgresql://{user}:{password}@{hosts}/{name}"

    def _quoted(self, part: str) -> str:
        value: str = getattr(self, part)
        try:
            if "\0" not in value:
                return quote(value, safe="")
        except UnicodeEncodeError:
            pass
        raise SettingsError(f"{self.prefix}_{part.upper()} holds bytes that are not UTF-8, or a NUL: write it in UTF-8")

    def _host(self, text: str) -> str:
        """A host and its port as a URL has them."""
        bracketed, named = _BRACKETED.fullmatch(text), _NAMED.fullmatch(text)
        host, own = text, None
        if bracketed:  # as in a URL, where the % before a zone is %25
            host, own = re.sub("%25(?=.)", "%", bracketed[1]), bracketed[2]
        elif named:
            host, own = named[1], named[2]
        six = _is_ipv6(host)
        whole = text.startswith("/") and text.isprintable()
        if not (six or (named and not bracketed) or whole) or not 0 < int(own or self.port) <= _LAST_PORT:
            raise SettingsError(f"{self.prefix}_HOST holds {shown(text)}, which is no host: {_HOSTS}")
        quoted = quote(host, safe=":" if six else "")
        return f"{f'[{quoted}]' if six else quoted}:{own or self.port}"


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _fault(text: str) -> str | None:
    """Fault of an address, in words that hold nothing of it but the kind of server."""
    if not text:
        return "is set but empty"
    kind = _KIND.match(text)
    if kind and kind[1] not in ("postgresql", "postgres"):
        return f"begins with {kind[1]}://, which is no PostgreSQL address: {EXPECTED}"
    if not text.isprintable():  # lone surrogates, which stand for bytes that are not UTF-8, are not printable either
        return f"holds characters that cannot be printed, or bytes that are not UTF-8: {EXPECTED}"
    if _parts(text) is None:
        return (
            f"cannot be read: {EXPECTED}, special characters of the password as %XX,"
            " and after a ? nothing but parameters of libpq such as sslmode=require"
        )
    return None


def _read(text: str) -> dict[str, str] | None:
    """Parse an address as libpq does; None when it refuses."""
    from psycopg import ProgrammingError, conninfo  # as above

    try:
        return {key: str(value) for key, value in conninfo.conninfo_to_dict(text).items() if value is not None}
    except (ProgrammingError, UnicodeError):  # it takes and gives UTF-8 alone
        return None


def _parts(text: str) -> dict[str, str] | None:
    """Parts of an address; None when a piece of its password, not escaped, has become a port, host or name."""
    found = _read(text)
    if found is None:
        return None
    parts = {key: found.get(key, "") for key in ("user", "password", "host", "hostaddr", "port", "dbname")}
    hosts, ports = (parts["host"] or parts["hostaddr"]).split(","), parts["port"].split(",")
    fits = len(ports) in (1, len(hosts))
    numbers = all(not port or (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT) for port in ports)
    escaped = not any("@" in name for name in (parts["dbname"], *(host for host in hosts if not host.startswith("/"))))
    return parts if fits and numbers and escaped else None
