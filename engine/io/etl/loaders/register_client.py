"""Ask the building register for whole areas, page by page, and the address service for the places of the lots; save
the answers for the loader `buildings`.

Interrupted at any point, the pages and addresses saved stay, and the next run goes on from there.
Sources of the calls: building register service, apis.data.go.kr; address service, api.vworld.kr.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.core.errors import SchemaError, SettingsError
from engine.io.etl.api import Api, ProviderError, save
from engine.io.etl.loaders import register_answers
from engine.io.etl.loaders.register_answers import ADDRESS, TITLES
from engine.io.etl.loading import Progress

BASE_URL, KEY = "https://apis.data.go.kr/1613000/BldRgstHubService", "serviceKey"
ADDRESS_URL, ADDRESS_KEY = "https://api.vworld.kr/req", "key"
PAGE_ROWS = 100
#: register rows are asked again after so many days
EXPIRY_DAYS = 90
_PARCEL = {"service": "address", "request": ADDRESS, "type": "parcel", "crs": "epsg:4326"}


def download(
    api: Api,
    data: Path,
    areas: Sequence[str],
    progress: Progress,
    *,
    refresh: bool = False,
    rows: int = PAGE_ROWS,
    now: datetime | None = None,
) -> list[Path]:
    """Save `buildings/register_<area>.json` for areas of ten digits.

    areas   : an area saved as a whole within the last 90 days is not asked again, unless `refresh`
    raises  : ProviderError for a refusal (wrong key, quota used up: HTTP 200 with XML), or pages that never end
    """
    if odd := [area for area in areas if not (len(area) == 10 and area.isdecimal())]:
        raise SettingsError(f"an area is ten digits (municipality and town), not {', '.join(odd)}")
    folder = data / "buildings"
    folder.mkdir(parents=True, exist_ok=True)
    now = now or datetime.now(UTC)
    written = []
    for number, area in enumerate(areas):
        progress("building register", number, len(areas))
        path = folder / f"register_{area}.json"
        held = register_answers.read([path]).areas.get(area) if path.exists() else None
        fresh = held is not None and (now - held.asked_at).days < EXPIRY_DAYS and not refresh
        if held is not None and fresh and held.whole:
            continue
        entries = json.loads(path.read_text("utf-8")) if held is not None and fresh else []
        written.append(_ask_area(api, path, area, entries, rows, now))
    return written


def _ask_area(api: Api, path: Path, area: str, entries: list[dict[str, Any]], rows: int, now: datetime) -> Path:
    """Go on behind the pages that are there."""
    count, page, total = 0, 0, None
    for entry in entries:
        total, items = register_answers.page_of(entry["answer"], path.name)
        count, page = count + len(items), max(page, int(entry["params"]["pageNo"]))
        rows = int(entry["params"]["numOfRows"])  # another length would cut the pages elsewhere
    while total is None or count < total:
        page += 1
        params = {"sigunguCd": area[:5], "bjdongCd": area[5:], "numOfRows": str(rows), "pageNo": str(page)}
        asked = f"{TITLES}(area={area}, pageNo={page})"
        answer = api.json(f"/{TITLES}", {**params, "_type": "json"}, asked)
        try:
            found, items = register_answers.page_of(answer, asked)
        except SchemaError as err:
            raise ProviderError(str(err)) from err
        if total is not None and found != total:
            raise ProviderError(
                f"{asked}: the register has {found} items now and had {total} before: ask anew with --refresh"
            )
        if not items and count < found:
            raise ProviderError(f"{asked}: an empty page after {count} of {found} items")
        total, count = found, count + len(items)
        entries.append({"call": TITLES, "params": params, "asked_at": now.isoformat(), "answer": answer})
        save(path, entries)
    return path


def geocode(api: Api, data: Path, progress: Progress, *, limit: int) -> list[Path]:
    """Ask for the place of every lot address of the saved register answers that was not asked before.

    limit   : most calls (the service allows 10,000 a day)
    returns : `buildings/addresses.json` when something was asked
    """
    folder = data / "buildings"
    saved = register_answers.read(sorted(folder.glob("*.json")))
    wanted = sorted(
        {str(item["platPlc"]).strip() for area in saved.areas.values() for item in area.items if item.get("platPlc")}
        - saved.addresses.keys()
    )[:limit]
    path = folder / "addresses.json"
    entries = json.loads(path.read_text("utf-8")) if path.exists() else []
    before = len(entries)
    try:
        for number, address in enumerate(wanted):
            progress("addresses", number, len(wanted))
            params = {
                "service": "address",
                "request": ADDRESS,
                "type": "parcel",
                "crs": "epsg:4326",
                "address": address,
            }
            answer = api.json("/address", params, f"{ADDRESS}({address})")
            try:
                register_answers.point_of(answer, f"{ADDRESS}({address})")
            except SchemaError as err:
                raise ProviderError(str(err)) from err
            entries.append({"call": ADDRESS, "params": {"address": address}, "answer": answer})
    finally:
        if len(entries) > before:
            save(path, entries)
    return [path] if len(entries) > before else []
