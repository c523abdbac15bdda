"""A web service on this machine: answers that a test chooses, faults first, and a list of what was asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

Answer = tuple[int, bytes]


class Provider(ThreadingHTTPServer):
    """`body(call, params)` makes the answers; `faults` are given first, in order; `asked` lists (call, params)."""

    daemon_threads = False

    def __init__(self, body: Callable[[str, dict[str, str]], bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body, self.faults, self.asked = body, deque[Answer](), list[tuple[str, dict[str, str]]]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        call, params = address.path.rsplit("/", 1)[-1], dict(parse_qsl(address.query))
        self.server.asked.append((call, params))
        faults = self.server.faults
        status, body = faults.popleft() if faults else (200, self.server.body(call, params))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """The run's log is not the place for it."""


@contextmanager
def running(body: Callable[[str, dict[str, str]], bytes]) -> Iterator[Provider]:
    with Provider(body) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
