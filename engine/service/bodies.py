"""JSON bodies from strangers: read within limits, refused in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import HTTPException, Request

from engine.assess.rules.fields import ASSET, BUILDING_NAMES, PLACE, invalid_character
from engine.service.problems import InvalidError, fault

_ASSET = {field.name for field in ASSET}
_PLACE = {field.name for field in PLACE}
_DEPTH = 20


async def json_object(request: Request) -> dict[str, Any]:
    """The body as an object.

    raises : HTTPException (415) for a body that is packed, InvalidError (422) for anything else, for NaN, and for text
             that a database cannot hold
    """
    read = await _json(request)
    if not isinstance(read, dict):
        raise InvalidError([fault(["body"], "The body must be an object")])
    return read


async def risks_or_object(request: Request) -> dict[str, Any]:
    """The same, of a body that may be left out, be null, or be the list of risks alone."""
    if not (await request.body()).strip():
        return {}
    read = await _json(request)
    if isinstance(read, list):
        return {"risk_types": read}
    if not isinstance(read, dict | None):
        raise InvalidError([fault(["body"], "The body must be an object, or a list of risks")])
    return read or {}


async def _json(request: Request) -> object:
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPException(415, "Send JSON as it is, without Content-Encoding")
    try:
        read: object = json.loads(await request.body(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise InvalidError([fault(["body"], "The body is not valid JSON")]) from None
    if faults := list(_unholdable(read, ["body"], 0)):
        raise InvalidError(faults)
    return read


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _unholdable(value: object, loc: Sequence[str | int], depth: int) -> list[dict[str, Any]]:
    """Text with NUL or half a surrogate pair, and nesting without end."""
    if depth > _DEPTH:
        return [fault(["body"], "The body is nested too deeply")]
    if isinstance(value, str):
        bad = "\x00" in value or any("\ud800" <= sign <= "\udfff" for sign in value)
        return [fault(loc, invalid_character(str(loc[-1])), value.replace("\x00", ""))] if bad else []
    children: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        if bad_keys := [fault for key in value for fault in _unholdable(key, [*loc, "key"], depth)]:
            return bad_keys
        children = [*value.items()]
    elif isinstance(value, list):
        children = [*enumerate(value)]
    return [each for key, child in children for each in _unholdable(child, [*loc, key], depth + 1)]


def location(request: Mapping[str, Any], field: str) -> tuple[list[str | int], object]:
    """Location of a field of a site in the request, and its value there."""
    building = request.get("building_info")
    building = building if isinstance(building, dict) else {}
    place, asset = building.get("location"), request.get("asset_info")
    places: list[tuple[list[str | int], object]] = [
        (["body"], request),
        (["body", "building_info"], building),
        (["body", "building_info", "location"], place),
        (["body", "asset_info"], asset),
    ]
    for loc, holder in places:
        if isinstance(holder, dict) and holder.get(field) is not None:
            return [*loc, field], holder[field]
    home = places[1] if field in BUILDING_NAMES else places[3] if field in _ASSET else places[0]
    if field in _PLACE:
        home = places[2]
    return [*home[0], field], None
