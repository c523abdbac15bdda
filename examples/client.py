"""Call everything the running service offers, and print what came back: an example to copy from.

    python examples/client.py http://localhost:8001 [--key KEY] [--lat 37.5665 --lon 126.978] [--batches]

Reads what is published for a place, assesses a site there and follows it on the WebSocket, sends a portfolio in each of
the three formats and fetches its tables. With --batches it also queues the two yearly batches (the key is needed).
Exit codes: 0 all went as it should, 1 an answer that should not be.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import polars as pl
import websockets

#: half of a flood's loss prevented by gates, for a cost
MEASURE = {"prevents": {"river_flood": 0.5, "urban_flood": 0.5}, "cost": {"per_site": 50_000_000}}
BUILDING = {
    "building_age": 25,
    "structure": "철근콘크리트",
    "main_purpose": "업무시설",
    "floors_below": 2,
    "floors_above": 10,
    "has_piloti": False,
    "has_seismic_design": True,
    "fire_access": True,
}
FORMATS: dict[str, Callable[[pl.DataFrame, io.BytesIO], Any]] = {
    "application/vnd.apache.parquet": pl.DataFrame.write_parquet,
    "text/csv": pl.DataFrame.write_csv,
    "application/x-ndjson": pl.DataFrame.write_ndjson,
}


class Caller:
    """One line a call; anything but the status that is expected ends the example."""

    def __init__(self, client: httpx.AsyncClient, key: str | None) -> None:
        self._client = client
        self.headers = {"X-API-Key": key} if key else {}
        client.headers.update(self.headers)

    async def call(self, method: str, path: str, status: int = 200, **more: Any) -> httpx.Response:
        answer = await self._client.request(method, path, **more)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        shown = " ".join(answer.text.split())[:100] if is_json else f"{len(answer.content)} bytes"
        print(f"{method:4} {httpx.URL(path).path} {answer.status_code} {shown}")
        if answer.status_code != status:
            raise SystemExit(f"{method} {path}: {answer.status_code} instead of {status}: {answer.text[:500]}")
        return answer

    def at(self, location: str) -> str:
        """Address of what an answer says is at a path of the server: below a prefix, the path has it already."""
        return str(self._client.base_url.join(location))

    async def follow(self, url: str) -> Mapping[str, Any]:
        """Every milestone of a job until its last. A client that comes late, or again, is told what was passed."""
        async with websockets.connect(url, additional_headers=self.headers) as socket:
            async for text in socket:
                state: dict[str, Any] = json.loads(text)
                print(f"     {state.get('progress'):3} % {state.get('step') or state['status']}")
        if state["status"] != "completed":
            raise SystemExit(f"{url} ended as {state}")
        return state["results"]  # type: ignore[no-any-return]


async def published(caller: Caller, lat: float, lon: float) -> None:
    """Health, and what the last run holds for a place."""
    for path in ("/health", "/health/db", "/health/ready", "/api/health", "/api/health/db", "/metrics"):
        await caller.call("GET", path)
    place = {"lat": lat, "lon": lon}
    await caller.call("GET", "/api/v1/probability", params=place | {"risk_type": "drought"})
    window = {"risk_type": "coastal_flood", "scenario_id": 4, "time_period": "long_term"}
    await caller.call("GET", "/api/v1/hazard", params=place | window)
    await caller.call("GET", "/api/v1/cell", params=place)
    rare = (await caller.call("GET", "/api/v1/cell/return-levels", params=place | {"risk_type": "river_flood"})).json()
    print(rare["reason"] or {f"1 in {each['return_period']:g} years": each["level"] for each in rare["levels"]})
    series = (await caller.call("GET", "/api/v1/climate", params=place | {"variables": "ta,rx1day"})).json()
    print({name: (len(values), series["units"][name]) for name, values in series["variables"].items()})
    newest = (await caller.call("GET", "/api/v1/runs", params={"limit": 1})).json()["runs"][0]
    await caller.call("GET", f"/api/v1/runs/{newest['run_id'] or newest['batch_id']}")
    await caller.call("GET", "/api/v1/map")
    await caller.call("GET", "/api/v1/map/borders")
    await caller.call("GET", "/api/v1/map/labels")
    await caller.call("GET", "/api/v1/places", params={"q": "서울"})
    await caller.call("GET", "/api/v1/explain", params=place | {"risk_type": "drought"})
    layer = await caller.call("GET", "/api/v1/map/aal/typhoon")
    held = {"If-None-Match": layer.headers["ETag"]}
    await caller.call("GET", "/api/v1/map/aal/typhoon", 304, headers=held)
    await caller.call("GET", "/api/v1/hazard", 404, params={"lat": 0, "lon": 0, "risk_type": "drought"})
    await caller.call("GET", "/api/v1/hazard", 422, params=place | {"risk_type": "rain"})


async def site(caller: Caller, lat: float, lon: float) -> None:
    """One building: queued, followed by two clients, one of which leaves, then read again in the older way, too."""
    asked = {"latitude": lat, "longitude": lon, "building_info": BUILDING}
    asked |= {"asset_info": {"total_asset_value": 50_000_000_000, "insurance_coverage_rate": 0.7, "floor_area": 5000}}
    made = (await caller.call("POST", "/api/v1/risk-assessment/calculate", 202, json=asked)).json()
    async with websockets.connect(made["websocket_url"], additional_headers=caller.headers) as leaver:
        await leaver.recv()
    results = await caller.follow(made["websocket_url"])
    if await caller.follow(made["websocket_url"]) != results:
        raise SystemExit("a late client was told something else")
    await caller.call("GET", f"/api/v1/risk-assessment/status/{made['request_id']}")
    await caller.call("GET", f"/api/v1/risk-assessment/results/{lat}/{lon}")
    await caller.call("GET", f"/api/v1/risk-assessment/history/{lat}/{lon}", params={"limit": 5})
    await caller.call("POST", f"/api/v1/risk-assessment/{made['request_id']}/retry", 409)  # for those that failed
    older = {"latitude": lat, "longitude": lon, "risk_types": "drought,typhoon"}
    made = (await caller.call("POST", "/api/risk/calculate", 202, params=older)).json()
    path = f"/api/batch/{made['batch_id']}/status"
    while (await caller.call("GET", path)).json()["status"] in ("queued", "running"):
        await asyncio.sleep(1)
    told = (await caller.call("POST", "/api/v1/what-if", json={"site": asked, "measure": MEASURE})).json()
    print(told["results"][0]["words"]["en"])
    told = (await caller.call("POST", "/api/v1/where-else", json={"site": asked, "within_km": 50})).json()
    print([(each["kilometres"], each["total_expected_loss"]) for each in told["candidates"][:3]])
    wrong = asked | {"building_info": BUILDING | {"building_age": 150}}
    await caller.call("POST", "/api/v1/risk-assessment/calculate", 422, json=wrong)


async def portfolio(caller: Caller, lat: float, lon: float) -> None:
    """A table of sites, the last of which is nowhere, in each format; its results as tables."""
    place = {"latitude": [lat, lat, 135.0], "longitude": [lon, lon + 0.001, lon]}
    sites = pl.DataFrame(place | {"total_asset_value": [10**9, 2 * 10**9, 1]})
    for kind, write in FORMATS.items():
        write(sites, file := io.BytesIO())
        headers, asked = {"Content-Type": kind}, {"scenario_ids": [2, 4], "risk_types": ["drought", "typhoon"]}
        path = "/api/v1/risk-assessment/portfolio"
        told = (await caller.call("POST", f"{path}/preview", content=file.getvalue(), headers=headers)).json()
        print(told["question"] or f"{told['valid']} of {told['rows']} rows can be assessed", told["faults"])
        made = (await caller.call("POST", path, 202, content=file.getvalue(), params=asked, headers=headers)).json()
        results = await caller.follow(made["websocket_url"])
        for frame in ("totals", "aal", "failures"):
            table = await caller.call("GET", caller.at(results["location"]), params={"frame": frame})
            print(pl.read_parquet(io.BytesIO(table.content)).shape)
        await caller.call("GET", caller.at(results["location"]), params={"format": "json"})
        pair = {"scenario_id": 4, "time_period": "mid_term"}
        listed = (await caller.call("GET", f"{path}/{made['request_id']}/sites", params=pair)).json()
        first = (await caller.call("GET", f"{path}/{made['request_id']}/sites/{listed['row'][0]}")).json()
        print(listed["total_expected_loss"], first["pairs"][0]["loss_words"]["en"])
        curve = (await caller.call("GET", f"{path}/{made['request_id']}/curve")).json()
        print(curve["note"] or [tail["year_losses"]["sentence"] for tail in curve["tails"] if tail["year_losses"]])
    where = f"{path}/{made['request_id']}"
    told = (await caller.call("POST", f"{where}/what-if", params=pair, json=MEASURE)).json()
    print(told["results"][0]["words"]["en"])
    other = {"with": made["request_id"], "scenario_id": 2, "with_scenario_id": 4}
    told = (await caller.call("GET", f"{where}/compare", params=other)).json()
    print(told["difference"], {status: each["assets"] for status, each in told["counts"].items()})
    await caller.call("POST", path, 415, content=b"x", headers={"Content-Type": "image/png"})


async def everything(url: str, key: str | None, lat: float, lon: float, *, batches: bool) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        caller = Caller(client, key)
        await published(caller, lat, lon)
        await site(caller, lat, lon)
        await portfolio(caller, lat, lon)
        for kind in ("probability", "hazard"):
            if batches:
                await caller.call("POST", f"/admin/aiops/trigger/{kind}")
            await caller.call("POST", f"/admin/aiops/trigger/{kind}", 401, headers={"X-API-Key": "a guess"})


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--key", help="X-API-Key, where the service has one")
    parser.add_argument("--lat", type=float, default=37.5665)
    parser.add_argument("--lon", type=float, default=126.978)
    parser.add_argument("--batches", action="store_true", help="queue both batches, too")
    args = parser.parse_args(argv)
    asyncio.run(everything(args.url, args.key, args.lat, args.lon, batches=args.batches))
    return 0


if __name__ == "__main__":
    sys.exit(main())
