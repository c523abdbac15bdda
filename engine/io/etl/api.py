"""Asking a provider's web service: paced, patient where that helps, and silent about keys."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, unquote

import httpx
import tenacity

from engine.core.errors import EngineError

ATTEMPTS = 6
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_SHOWN = 200


class ProviderError(EngineError):
    """The provider refused a call: asking again would not help."""


class UnreachableError(ProviderError):
    """No usable answer after all attempts; what was saved before stays, and the next run goes on from there."""


class _Transient(Exception):
    """Worth another attempt: no answer, too many calls, or a fault on the provider's side."""


class Api:
    """A connection that keeps the pace and asks again when that can help.

    base_url   : what every path is put behind
    per_second : most calls a second
    keys       : parameters that go into every call and into no message
    sleep      : waits so many seconds; default `time.sleep`
    """

    def __init__(
        self,
        base_url: str,
        *,
        per_second: float = 2.0,
        keys: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every address at INFO, keys included
        # the public-data portal hands keys out escaped; httpx escapes them again
        self._keys = {name: unquote(key) for name, key in (keys or {}).items()}
        self._http = httpx.Client(base_url=base_url, timeout=_TIMEOUT)
        self._sleep, self._gap, self._next = sleep or time.sleep, 1 / per_second, 0.0
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Transient),
            wait=tenacity.wait_exponential_jitter(initial=1, max=60, jitter=1),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            sleep=self._sleep,
            reraise=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, params: Mapping[str, str], asked: str) -> bytes:
        """Body of a successful answer.

        asked  : names the call in messages
        raises : ProviderError for an error status, at once; UnreachableError for 429, 5xx and time-outs after six
                 attempts with growing waits
        """
        try:
            return self._retrying(self._get, path, params, asked)
        except _Transient as err:
            sentence = f"{asked}: {err}, after {ATTEMPTS} attempts; what was saved stays, run again"
            raise UnreachableError(sentence) from None

    def json(self, path: str, params: Mapping[str, str], asked: str) -> Any:
        """The answer as JSON; refuses anything else, such as an error page with status 200."""
        body = self.get(path, params, asked)
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise ProviderError(f"{asked}: not JSON: {self.shown(body)}") from None

    def shown(self, body: bytes) -> str:
        """The beginning of an answer, without keys, on one line."""
        text = " ".join(body[: 4 * _SHOWN].decode("utf-8", "replace").split())
        for key in self._keys.values():
            text = text.replace(key, "***").replace(quote(key, safe=""), "***")
        return text[:_SHOWN]

    def _get(self, path: str, params: Mapping[str, str], asked: str) -> bytes:
        now = time.monotonic()
        if now < self._next:
            self._sleep(self._next - now)
        self._next = max(now, self._next) + self._gap
        try:
            response = self._http.get(path, params={**params, **self._keys})
        except httpx.TransportError as err:
            raise _Transient(f"no answer ({type(err).__name__})") from None
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
            raise _Transient(f"HTTP {response.status_code}")
        if not response.is_success:
            raise ProviderError(f"{asked}: HTTP {response.status_code}: {self.shown(response.content)}")
        return response.content


def save(path: Path, document: Any) -> Path:
    """Write JSON, all or nothing, so that a killed run leaves no half file."""
    partial = path.with_suffix(".part")
    partial.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")), "utf-8")
    return partial.replace(path)
