"""Hostile requests as bytes, each made from a seed and a number."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_UUID = "9f1c1f5e-0f0a-4d0e-9d3c-6a4b8a3f0001"
_METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "BREW", "PROPFIND")
_TEXTS = (
    *("", "0", "-1", "nan", "inf", "1e309", "9" * 400, "37.5665", "126.978", "2", "full", "null", "true", "[]", "{}"),
    *("\0", "\r\nX: y", "%", "%zz", "%00", "%ff%fe", "../../etc/passwd", "..%2f..%2f", "' OR 1=1 --", "${jndi:x}"),
    *("<script>", "한글", "\u202e\ud7ff\uffff", "é" * 300, "\U0001f30a", "a" * 3000, "drought", "ssp2_4.5", "ta,rn"),
    *("9999-12-31", "2026-02-30", "0001-01-01T00:00:00+23:59", "12026-01-01", _UUID, _UUID.upper(), "2147483648"),
)
_HEADERS = (
    *("Range", "If-None-Match", "If-Range", "Content-Type", "Content-Encoding", "Accept", "Host", "Origin", "Cookie"),
    *("X-API-Key", "X-Request-ID", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Prefix"),
    *("Access-Control-Request-Method", "Expect", "Upgrade", "Connection", "Content-Disposition", "Authorization"),
)
_VALUES = (
    *(
        "bytes=0-1",
        "bytes=5-1",
        "bytes=-",
        "bytes=99999999-",
        "chars=1",
        "bytes=" + ",".join(["0-1"] * 200),
        "*",
        '"x"',
    ),
    *("application/json", "application/json; charset=utf-16", "multipart/form-data", "text/csv; charset=\xff", ";;;="),
    *(
        "gzip",
        "br",
        "identity, gzip",
        "https",
        "evil.example",
        "evil.example:99999",
        "[::1",
        "a@b",
        "/x/../y",
        "//x",
        "/a",
    ),
    *("100-continue", "200-ok", "h2c", "websocket", "close", "keep-alive, upgrade", "", " ", "\xe9" * 50, "x" * 5000),
    *(
        'form-data; filename="a\\"b.csv"',
        "attachment; filename*=UTF-8''%ED%95%9C.csv",
        "attachment; filename*=x'y",
        "GET",
    ),
)
_MEDIA = ("text/csv", "application/octet-stream", "application/vnd.ms-excel", "application/x-ndjson", "application/zip")


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes of a request. whole: an answer is owed; is_head: it has no body; is_upgrade: it may be another protocol"""

    data: bytes
    whole: bool = True
    is_head: bool = False
    is_upgrade: bool = False


class Maker:
    """Requests of one seed.

    paths : of the OpenAPI document, with their parameters: path -> (methods, names in the query)
    """

    def __init__(self, seed: int, paths: Mapping[str, tuple[list[str], list[str]]]) -> None:
        self._seed, self._paths = (
            seed,
            {**paths, "/": (["get"], []), "/page/{name}": (["get"], []), "/openapi.json": (["get"], [])},
        )
        self._kinds: dict[str, Callable[[random.Random], Sent]] = {
            "routes": self._route,
            "headers": self._with_headers,
            "json": self._json,
            "tables": self._table,
            "forms": self._form,
            "no HTTP": self._garbage,
            "sockets": self._socket,
        }

    def make(self, number: int) -> tuple[str, Sent]:
        """The request of a number: kind and bytes."""
        draw = random.Random(f"{self._seed} {number}")
        kind = list(self._kinds)[number % len(self._kinds)]
        return kind, self._kinds[kind](draw)

    def _target(self, draw: random.Random) -> tuple[str, str]:
        """(a method that the path has, path and query)"""
        path, (methods, names) = draw.choice(list(self._paths.items()))
        parts = [quote(draw.choice(_TEXTS), safe="") if part.startswith("{") else part for part in path.split("/")]
        if draw.random() < 0.1:
            parts.insert(draw.randrange(len(parts)), draw.choice(("", "..", ".", "%2e%2e", "%2f", "x")))
        asked = [*names, *draw.choices(("x", "risk_types", "", "limit"), k=draw.randrange(2))]
        given = [name for name in asked if draw.random() < 0.8]
        values = [draw.choice(("35.1", "127.2", "drought", "2") if draw.random() < 0.5 else _TEXTS) for _ in given]
        query = "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in zip(given, values, strict=True))
        return draw.choice(methods).upper(), "/".join(parts) + ("?" + query if query or draw.random() < 0.1 else "")

    def _route(self, draw: random.Random) -> Sent:
        usual, target = self._target(draw)
        method = usual if draw.random() < 0.6 else draw.choice(_METHODS)
        return _request(method, target, {})

    def _with_headers(self, draw: random.Random) -> Sent:
        usual, target = self._target(draw)
        headers = [(draw.choice(_HEADERS), draw.choice(_VALUES)) for _ in range(draw.choice((1, 1, 2, 3, 8, 150)))]
        # two of these, or an upgrade, make another kind of message of it
        headers = [each for each in headers if each[0] not in ("Host", "Upgrade", "Connection")][:150]
        extra = {"Host": draw.choice(("evil.example", "x:y", "", "[::1]:1", "a" * 300))} if draw.random() < 0.3 else {}
        return _request(draw.choice((usual, "HEAD", "OPTIONS")), target, extra, more=headers)

    def _json(self, draw: random.Random) -> Sent:
        path = draw.choice(("/api/v1/risk-assessment/calculate", "/api/risk/calculate?latitude=35.1&longitude=127.2"))
        body = draw.choice((_valid_site, _odd_json, _odd_json, _broken_json))(draw)
        return _request("POST", path, {"Content-Type": draw.choice(("application/json", "text/plain", "x"))}, body)

    def _table(self, draw: random.Random) -> Sent:
        body = draw.choice(
            (
                b"latitude,longitude\n91,1\n",
                b"PAR1" + draw.randbytes(40) + b"PAR1",
                b"PK\x03\x04" + draw.randbytes(60),
                b"\x1f\x8b\x08" + draw.randbytes(30),
                draw.randbytes(draw.randrange(200)),
                json.dumps(_value(draw, 3)).encode("utf-8", "surrogatepass"),
                b"\xff\xfe" + "latitude;longitude".encode("utf-16-le"),
                b"",
            )
        )
        headers = {"Content-Type": draw.choice((*_MEDIA, *_VALUES))}
        if draw.random() < 0.3:
            headers["Content-Encoding"] = draw.choice(("gzip", "deflate", "zstd", "br", "x"))
        return _request("POST", "/api/v1/risk-assessment/portfolio", headers, body)

    def _form(self, draw: random.Random) -> Sent:
        boundary = draw.choice(("b", "x" * 70, "x" * 71, "", "é", '"q', "a b"))
        parts = []
        for _ in range(draw.randrange(4)):
            name = draw.choice(_TEXTS).encode("utf-8", "replace")
            file = b'; filename="' + name + b'"' if draw.random() < 0.7 else b""
            kind = draw.choice(_MEDIA).encode()
            parts.append(b'Content-Disposition: form-data; name="file"' + file + b"\r\nContent-Type: " + kind)
        mark = boundary.encode()
        body = b"".join(b"--" + mark + b"\r\n" + part + b"\r\n\r\nlatitude,longitude\n91,1\r\n" for part in parts)
        body += b"--" + mark + b"--\r\n" if draw.random() < 0.7 else draw.randbytes(5)
        if draw.random() < 0.2:
            body = draw.randbytes(draw.randrange(1, 100))
        kind = f"multipart/form-data; boundary={boundary}"
        return _request("POST", "/api/v1/risk-assessment/portfolio", {"Content-Type": kind}, body)

    def _garbage(self, draw: random.Random) -> Sent:
        line = draw.choice(
            (
                draw.randbytes(draw.randrange(1, 300)),
                b"GET / HTTP/9.9\r\n\r\n",
                b"GET  /  HTTP/1.1\r\n\r\n",
                b"GET / HTTP/1.1\r\n\r\n",
                b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                b"GET http://evil.example/health HTTP/1.1\r\nHost: x\r\n\r\n",
                b"POST /api/risk/calculate HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                b"POST /api/risk/calculate HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n",
                b"POST /api/risk/calculate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                b"POST /api/risk/calculate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n",
                b"POST /api/risk/calculate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
                b"GET /" + b"a" * draw.choice((9_000, 40_000, 80_000)) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * draw.choice((90, 5_000, 20_000)) + b"\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(100),
            )
        )
        return Sent(line, whole=False)

    def _socket(self, draw: random.Random) -> Sent:
        path = draw.choice((f"/api/v1/risk-assessment/ws/{_UUID}", "/api/v1/risk-assessment/ws/x", "/ws", "/health"))
        key = draw.choice((base64.b64encode(draw.randbytes(16)).decode(), "x", "", "é"))
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key}
        headers["Sec-WebSocket-Version"] = draw.choice(("13", "13", "13", "8", "x"))
        if draw.random() < 0.3:
            headers["Sec-WebSocket-Protocol"] = draw.choice(("key.x", "key.!!!", "key." + "A" * 999, "a, b"))
        frames = draw.choice(
            (b"\x81\x85" + draw.randbytes(9), draw.randbytes(30), b"\x88\x80\0\0\0\0", b"\xff" * 10, b"")
        )
        shown = _request(draw.choice(("GET", "GET", "GET", "POST")), path, headers)
        return Sent(shown.data + frames, whole=False, is_upgrade=True)


def _request(
    method: str, target: str, headers: Mapping[str, str], body: bytes = b"", more: Iterable[tuple[str, str]] = ()
) -> Sent:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in more)]
    told = {"Host": "127.0.0.1", "Connection": "close", **headers}
    if body or method == "POST":
        told["Content-Length"] = str(len(body))
    lines += [f"{name}: {value}" for name, value in told.items()]
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return Sent(head + body, is_head=method == "HEAD")


def _valid_site(draw: random.Random) -> bytes:
    """A request of the sea: what is accepted here is not to be computed."""
    site = {"latitude": -89.0, "longitude": draw.uniform(-180, 180), draw.choice(("x", "site_id")): draw.choice(_TEXTS)}
    return json.dumps(site).encode()


def _value(draw: random.Random, depth: int) -> Any:
    plain = (None, True, -0.0, 10**30, 1e308, 35.1, 2, draw.choice(_TEXTS), "\ud800", "x" * 2000)
    shape = draw.randrange(4) if depth else 0
    if shape == 1:
        return [_value(draw, depth - 1) for _ in range(draw.randrange(4))]
    if shape == 2:
        names = ("building_info", "asset_info", "location", "latitude", "risk_types", "scenario_ids", "time_periods")
        return {draw.choice((*names, "site_id", "\ud800", "\0", "")): _value(draw, depth - 1) for _ in range(4)}
    return draw.choice(plain)


def _odd_json(draw: random.Random) -> bytes:
    value = {"latitude": 35.1, "longitude": 127.2, "risk_types": []} if draw.random() < 0.5 else {}
    odd = _value(draw, 4)
    whole = {**value, **odd} if isinstance(odd, dict) else odd
    if isinstance(whole, dict) and draw.random() < 0.9:
        whole["latitude"] = draw.choice((-89.0, 91, None, "35.1", [35.1], 10**400))  # nothing to compute
    return json.dumps(whole, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def _broken_json(draw: random.Random) -> bytes:
    depth = draw.choice((30, 1_000, 9_000))
    return draw.choice(
        (
            b"[" * depth,
            b'{"a":' * (depth // 5) + b"1" + b"}" * (depth // 5),
            b'{"latitude": NaN, "longitude": Infinity}',
            b'{"latitude": 1, "latitude": 2, "longitude": ' + b"1" * 5_000 + b"}",
            "\ufeff{}".encode(),
            '{"latitude": 1}'.encode("utf-16"),
            b'{"x": "\xff\xfe"}',
            b"null",
            b'"text"',
            bytes(draw.choices(string.printable.encode(), k=60)),
        )
    )
