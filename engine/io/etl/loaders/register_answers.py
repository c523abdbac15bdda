"""Saved answers of the building register and of the address service: what was asked, and what came back.

`buildings/*.json` holds lists of `{"call": "getBrTitleInfo", "params": {"sigunguCd": ..., "bjdongCd": ..., "pageNo":
...}, "asked_at": "2026-01-01T00:00:00+00:00", "answer": {...the provider's body, unchanged...}}`. The register answers
page by page; an area (five digits of the municipality, five of the town) is whole when all its pages are there. Calls
and fields: building register of the public-data portal, address service of the spatial-information platform.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.core.errors import SchemaError
from engine.io.files.reading import json_of

TITLES, ADDRESS = "getBrTitleInfo", "getcoord"
_DIGITS = 9
_FINE = ("00", "000")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Area:
    """Saved answers of one area: items by page, how many the register has, when it was asked last."""

    total: int
    pages: dict[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    asked_at: datetime = _NEVER

    @property
    def items(self) -> list[Mapping[str, Any]]:
        """Of all pages, in their order."""
        return [item for page in sorted(self.pages) for item in self.pages[page]]

    @property
    def whole(self) -> bool:
        """No page is missing."""
        return len(self.items) == self.total and sorted(self.pages) == list(range(1, len(self.pages) + 1))


@dataclass(frozen=True, slots=True)
class Register:
    """Areas by `sigunguCd + bjdongCd`, and (longitude, latitude) by address; None = the service does not know it."""

    areas: Mapping[str, Area]
    addresses: Mapping[str, tuple[float, float] | None]


def page_of(body: Any, where: str) -> tuple[int, list[Mapping[str, Any]]]:
    """Number of items of the register, and those of this page: none, a single object, or a list.

    raises : SchemaError when the answer reports a failure, which the provider does with HTTP 200
    """
    response = body.get("response") if isinstance(body, dict) else None
    header = response.get("header") if isinstance(response, dict) else None
    if not isinstance(header, dict) or str(header.get("resultCode")) not in _FINE:
        said = header if header is not None else body
        raise SchemaError(f"{where}: the provider reports no success: {json.dumps(said, ensure_ascii=False)[:200]}")
    content = response.get("body") if isinstance(response, dict) else None
    content = content if isinstance(content, dict) else {}
    total = str(content.get("totalCount", ""))
    if not (total.isdecimal() and len(total) <= _DIGITS):
        raise SchemaError(f"{where}: totalCount is {total!r}")
    held = content.get("items") or {}
    items = held.get("item", []) if isinstance(held, dict) else None
    items = [items] if isinstance(items, dict) else items
    if not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
        raise SchemaError(f"{where}: `item` is neither an object nor a list of objects")
    return int(total), items


def point_of(body: Any, where: str) -> tuple[float, float] | None:
    """(longitude, latitude) of an address, None when the service does not find it.

    raises : SchemaError when the answer reports a failure
    """
    response = body.get("response") if isinstance(body, dict) else None
    status = response.get("status") if isinstance(response, dict) else None
    if status == "NOT_FOUND":
        return None
    try:
        if status == "OK" and isinstance(response, dict):
            point = response["result"]["point"]
            x, y = float(point["x"]), float(point["y"])
            if abs(x) <= 180 and abs(y) <= 90:
                return x, y
    except (KeyError, TypeError, ValueError):
        pass
    raise SchemaError(f"{where}: the provider reports no success: {json.dumps(body, ensure_ascii=False)[:200]}")


def read(paths: Sequence[Path]) -> Register:
    """All saved answers.

    raises : SchemaError for a file that is not JSON, an answer without its question, an unknown call, or a failure
    """
    areas: dict[str, Area] = {}
    addresses: dict[str, tuple[float, float] | None] = {}
    for path in paths:
        document = json_of(path)
        # an answer that does not say when it was asked is as old as its file
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        for entry in document if isinstance(document, list) else [document]:
            _take(entry, path.name, written, areas, addresses)
    return Register(areas, addresses)


def _take(
    entry: Any,
    file: str,
    written: datetime,
    areas: dict[str, Area],
    addresses: dict[str, tuple[float, float] | None],
) -> None:
    if not (isinstance(entry, dict) and isinstance(entry.get("params"), dict) and "answer" in entry):
        raise SchemaError(f'{file}: a saved answer is {{"call": ..., "params": {{...}}, "answer": {{...}}}}')
    params = {str(key): str(value) for key, value in entry["params"].items()}
    where = f"{file}, {entry.get('call')}({', '.join(f'{key}={value}' for key, value in params.items())})"
    if entry.get("call") == ADDRESS:
        addresses[params.get("address", "")] = point_of(entry["answer"], where)
        return
    if entry.get("call") != TITLES:
        raise SchemaError(f"{file}: unknown call {entry.get('call')!r}; known are {TITLES}, {ADDRESS}")
    code = params.get("sigunguCd", "") + params.get("bjdongCd", "")
    if not (len(code) == 10 and code.isdecimal()):
        raise SchemaError(f"{where}: sigunguCd and bjdongCd are not five digits each")
    total, items = page_of(entry["answer"], where)
    area = areas.setdefault(code, Area(total))
    if area.total != total:
        raise SchemaError(
            f"{where}: the register had {area.total} items on another page and {total} on this one: ask anew"
        )
    page = params.get("pageNo", "1")
    if not (page.isdecimal() and len(page) <= _DIGITS):
        raise SchemaError(f"{where}: pageNo is {page[:40]!r}")
    area.pages[int(page)] = items
    area.asked_at = max(area.asked_at, _time(entry["asked_at"], where) if "asked_at" in entry else written)


def _time(stated: Any, where: str) -> datetime:
    """A time with its zone; UTC where it names none."""
    try:
        time = datetime.fromisoformat(stated)
    except (TypeError, ValueError):
        raise SchemaError(
            f"{where}: asked_at is {str(stated)[:40]!r}, not a time such as 2026-01-01T00:00:00Z"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
