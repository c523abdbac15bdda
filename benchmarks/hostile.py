"""Requests of strangers: no answer of the service is a fault of its own, and every refusal has one form.

    python -m benchmarks hostile [--files 3000] [--seed 1]

Each request is bytes on a connection of its own: known routes with odd methods, values, headers and bodies; JSON that
is deep, large or wrong; forms and tables that are none; lines that are no HTTP; handshakes and frames of WebSockets.
The seed and a number give the same bytes again. A fault is: status 5xx, a refusal that is not `{"detail": ...}`, an
answer that is no HTTP, none where the request was whole, and (of the log) a traceback.
"""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h11
import httpx

from benchmarks import service
from benchmarks.harness import Options
from benchmarks.hostile_requests import Maker, Sent

REQUESTS = 3_000
#: seconds without a byte after which a connection counts as hanging
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of request `number`. fault: empty for none; status: 0 without an answer"""

    number: int
    kind: str
    status: int
    fault: str
    sent: bytes

    def __str__(self) -> str:
        return f"{self.number} ({self.kind}) -> {self.status}: {self.fault}; sent {self.sent[:300]!r}"


def judged(url: str, seed: int, numbers: Iterable[int]) -> Iterator[Verdict]:
    """Send the requests of a seed, one after the other."""
    where = urlsplit(url)
    assert where.hostname
    assert where.port
    maker = Maker(seed, described(url))
    for number in numbers:
        kind, sent = maker.make(number)
        status, fault = judge(sent, *exchange((where.hostname, where.port), sent))
        yield Verdict(number, kind, status, fault, sent.data)


def described(url: str) -> dict[str, tuple[list[str], list[str]]]:
    """What the OpenAPI document says of each path: methods, names of parameters in the query."""
    paths = httpx.get(f"{url}/openapi.json", timeout=60).json()["paths"]
    found = {}
    for path, methods in paths.items():
        if path.startswith("/admin"):
            continue
        parameters = [each for told in methods.values() for each in told.get("parameters", [])]
        found[path] = ([*methods], [each["name"] for each in parameters if each["in"] == "query"])
    return found


def exchange(address: tuple[str, int], sent: Sent) -> tuple[int, dict[str, str], bytes, str]:
    """(status, headers, body, what was wrong with the answer as HTTP)"""
    ours = h11.Connection(h11.CLIENT)
    asked = [("Host", "x"), *([("Connection", "Upgrade"), ("Upgrade", "websocket")] if sent.is_upgrade else [])]
    ours.send(h11.Request(method="HEAD" if sent.is_head else "GET", target="/", headers=asked))
    ours.send(h11.EndOfMessage())
    status, headers, body, heard = 0, {}, b"", False
    with contextlib.suppress(ConnectionError), socket.create_connection(address, timeout=PATIENCE) as link:
        with contextlib.suppress(ConnectionError):
            link.sendall(sent.data)
            if not sent.whole:
                link.shutdown(socket.SHUT_WR)
        while True:
            try:
                event = ours.next_event()
                if event is h11.NEED_DATA:
                    part = link.recv(65_536)
                    heard = heard or bool(part)
                    ours.receive_data(part)
                    continue
            except TimeoutError:
                return status, headers, body, "it hangs"
            except h11.RemoteProtocolError as err:
                return status, headers, body, f"no HTTP: {err}" if heard else ""
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return 101, headers, body, ""
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            else:  # the end, or the connection is gone
                return status, headers, body, ""
    return status, headers, body, ""


def judge(sent: Sent, status: int, headers: Mapping[str, str], body: bytes, wrong: str) -> tuple[int, str]:
    if wrong:
        return status, wrong
    if not status:
        return status, "no answer" if sent.whole else ""
    if status >= 500:
        return status, f"the service failed: {body[:200]!r}"
    if status < 400 or sent.is_head:
        return status, ""
    return status, "" if is_refusal(headers, body) else f"another form of refusal: {body[:200]!r}"


def is_refusal(headers: Mapping[str, str], body: bytes) -> bool:
    """True for `{"detail": ...}`: a sentence, or faults with their places."""
    if headers.get("content-type") != "application/json":
        return False
    try:
        told = json.loads(body)
    except ValueError:
        return False
    detail = told.get("detail") if isinstance(told, dict) and set(told) == {"detail"} else None
    if isinstance(detail, list):
        return bool(detail) and all(isinstance(each, dict) and set(each) == {"loc", "msg", "value"} for each in detail)
    return isinstance(detail, str) and bool(detail)


def measure(options: Options) -> list[dict[str, Any]]:
    """A row a kind: how many requests, and what was answered. Faults are listed on standard error."""
    home: Path = (options.scratch / "service").resolve()
    log = options.scratch.resolve() / "hostile.log"
    rows: dict[str, Counter[str]] = {}
    with service.sample(home), service.serving(home, log) as url:
        for verdict in judged(url, options.seed, range(options.files or REQUESTS)):
            counts = rows.setdefault(verdict.kind, Counter())
            counts["requests"] += 1
            counts[f"{verdict.status // 100}xx" if verdict.status else "none"] += 1
            if verdict.fault:
                counts["faults"] += 1
                print(verdict, file=sys.stderr, flush=True)
    tracebacks = log.read_text("utf-8", "replace").count("Traceback")
    columns = ("requests", "1xx", "2xx", "3xx", "4xx", "5xx", "none", "faults")
    table = [{"kind": kind, **{name: counts[name] for name in columns}} for kind, counts in rows.items()]
    total = {name: sum(row[name] for row in table) for name in columns}
    return [*({**row, "tracebacks": ""} for row in table), {"kind": "all", **total, "tracebacks": tracebacks}]
