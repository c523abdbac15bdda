"""Error answers of the service, always `{"detail": ...}`, never a stack trace."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from engine.core import refusals
from engine.core.errors import EngineError

log = logging.getLogger(__name__)
UNAVAILABLE = "The database is not available"
INTERNAL = "Internal server error"
#: words for a parameter that does not fit, where they are agreed on
_WORDS = {
    "lat": "Invalid latitude",
    "latitude": "Invalid latitude",
    "lon": "Invalid longitude",
    "longitude": "Invalid longitude",
}
#: the same of names, with what is known
_NAMES: dict[str, Callable[[str], str]] = {
    "risk_type": refusals.risk_type,
    "scenario_id": refusals.scenario,
    "time_period": refusals.time_period,
}


class Problem(BaseModel):
    """One sentence."""

    detail: str


class Fault(BaseModel):
    """Fault of a request: its place, the reason, and the value that was sent."""

    loc: list[str | int]
    msg: str
    value: Any = None


class Invalid(BaseModel):
    """Every fault of a request."""

    detail: list[Fault] = Field(
        examples=[
            [
                {
                    "loc": ["body", "building_info", "building_age"],
                    "msg": "Building age must be between 0 and 100",
                    "value": 150,
                }
            ]
        ]
    )


class TooLargeError(Exception):
    """The body is larger than allowed."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The request is larger than {most} bytes")


class TooSlowError(Exception):
    """The body did not arrive in time."""

    def __init__(self) -> None:
        super().__init__("The request did not arrive in time")


class InvalidError(Exception):
    """The request is refused with these faults."""

    def __init__(self, faults: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(faults[0]["msg"])
        self.faults = [*faults]


def fault(loc: Sequence[str | int], msg: str, value: object = None) -> dict[str, Any]:
    """One entry of a validation error body; the value in a form that JSON can carry."""
    return {"loc": [*loc], "msg": _clean(msg), "value": _clean(value)}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()[:200]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(_clean(str(key))): _clean(item) for key, item in list(value.items())[:20]}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value[:20]]
    return value if isinstance(value, bool | int | float | None) else _clean(str(value))


def _answer(status: int, detail: object, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, dict(headers or {}))


def install(app: FastAPI) -> None:
    """Give the application its answers to exceptions."""

    def invalid_parameters(_: Request, err: Exception) -> JSONResponse:
        assert isinstance(err, RequestValidationError)  # noqa: S101 (registered for it)
        faults = []
        for each in err.errors():
            name, value = str(each["loc"][-1]), each.get("input")
            words = _WORDS.get(name, each["msg"])
            if each["type"] == "missing":
                words, value = f"Missing required field: {name}", None
            elif name in _NAMES:
                words = _NAMES[name](str(_clean(value)))
            faults.append(fault(each["loc"], words, value))
        return _answer(422, faults)

    def invalid(_: Request, err: Exception) -> JSONResponse:
        assert isinstance(err, InvalidError)  # noqa: S101
        return _answer(422, err.faults)

    def too_large(_: Request, err: Exception) -> JSONResponse:
        return _answer(413, str(err), {"Connection": "close"})

    def too_slow(_: Request, err: Exception) -> JSONResponse:
        return _answer(408, str(err), {"Connection": "close"})

    def spoken(_: Request, err: Exception) -> JSONResponse:
        assert isinstance(err, HTTPException)  # noqa: S101
        return _answer(err.status_code, err.detail, err.headers)

    def unavailable(_: Request, err: Exception) -> JSONResponse:
        log.error("database: %s", str(err).strip().split("\n")[0])
        return _answer(503, UNAVAILABLE, {"Retry-After": "5"})

    def failed(request: Request, err: Exception) -> JSONResponse:
        cause = err.__cause__
        if cause is None or isinstance(cause, psycopg.OperationalError | psycopg.errors.UndefinedTable):
            return unavailable(request, err)
        log.error("a request failed", exc_info=err)
        return _answer(500, INTERNAL)

    for kind in (psycopg.OperationalError, psycopg.errors.UndefinedTable):  # the pool's own are operational, too
        app.add_exception_handler(kind, unavailable)
    app.add_exception_handler(RequestValidationError, invalid_parameters)
    app.add_exception_handler(InvalidError, invalid)
    app.add_exception_handler(TooLargeError, too_large)
    app.add_exception_handler(TooSlowError, too_slow)
    app.add_exception_handler(HTTPException, spoken)
    app.add_exception_handler(EngineError, failed)
