"""The running service against the same work done directly, one after the other, without HTTP.

Assessments: sent all at once over as many connections, each followed on its WebSocket to its last message; against
`Assessor.run_job` on some of the same requests in this process, a site at a time, extrapolated to all. Caches are
emptied before each turn. The results must be equal.
Cells: everything of a cell over HTTP, eight clients; against the same queries in one connection.
Warehouse and results are the built-in sample's, made in the scratch folder when they are not there; the service runs in
processes of its own, as `python -m jobs.serve` starts it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import websockets

from benchmarks import harness
from benchmarks.harness import Options
from engine.assess.job.assessor import Assessor
from engine.core import settings
from engine.io.db import postgres
from engine.io.db.embedded import EmbeddedServer
from engine.io.queue import batch_jobs
from engine.io.queue.batch_jobs import SITE
from engine.service import cell_answers
from jobs import _home

ASSESSMENTS, READS, CLIENTS = 200, 400, 8
#: assessments that are done directly, which takes a third of a second each
DIRECTLY = 30
_OWN = ("duration_seconds", "timestamp")
#: the sample has no land cover
_LIKE_OURS = {"SPATIAL_MISSING_POLICY": "impute"}
#: not TRUNCATE batch_jobs: the log of the runs refers to it
_EMPTY = "DELETE FROM batch_jobs; TRUNCATE modelops_vulnerability_cache, modelops_aal_cache"


@dataclass(frozen=True, slots=True)
class Sent:
    """results : by site; accepted : seconds until each was accepted; seconds : until the last was done"""

    results: dict[str, Mapping[str, Any]]
    accepted: list[float]
    seconds: float


def requests(count: int, places: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """So many sites, each somewhere else in a cell that has results."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(places), count)
    return [
        {
            "latitude": round(places[place][0] + float(north), 6),
            "longitude": round(places[place][1] + float(east), 6),
            "asset_info": {"total_asset_value": 10**9 + number},
        }
        for number, (place, (north, east)) in enumerate(zip(chosen, rng.uniform(-0.03, 0.03, (count, 2)), strict=True))
    ]


async def send_all(url: str, asked: list[dict[str, Any]]) -> Sent:
    """Send all at once, follow each to its end."""
    started, accepted, results = time.perf_counter(), [], {}
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=None)) as client:

        async def one(request: dict[str, Any]) -> None:
            sent = time.perf_counter()
            answer = await client.post("/api/v1/risk-assessment/calculate", json=request)
            answer.raise_for_status()
            accepted.append(time.perf_counter() - sent)
            async with websockets.connect(answer.json()["websocket_url"], open_timeout=300) as follower:
                async for text in follower:
                    last = text
            message = httpx.Response(200, content=last).json()
            if message["status"] != "completed":
                raise RuntimeError(f"an assessment ended as {message}")
            results[message["results"]["site_uuid"]] = message["results"]

        await asyncio.gather(*map(one, asked))
    return Sent(results, accepted, time.perf_counter() - started)


def directly(assessor: Assessor, asked: list[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The same, one after the other, without a service."""
    results = {}
    for request in asked:
        with assessor.application.transaction():  # or the service's worker would take it
            job = batch_jobs.start(assessor.application, batch_jobs.create(assessor.application, SITE, request))
        outcome = assessor.run_job(job)
        results[outcome.results["site_uuid"]] = outcome.results
    return results


async def read_all(url: str, places: list[tuple[float, float]]) -> tuple[list[Any], list[float]]:
    """Everything of each cell, by eight clients; the answers in order, and the seconds of each."""
    answers: list[Any] = [None] * len(places)
    seconds: list[float] = []
    waiting = iter(enumerate(places))
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def work() -> None:
            for number, (lat, lon) in waiting:
                sent = time.perf_counter()
                answer = await client.get("/api/v1/cell", params={"lat": lat, "lon": lon})
                answer.raise_for_status()
                seconds.append(time.perf_counter() - sent)
                answers[number] = answer.json()

        await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return answers, seconds


@contextmanager
def serving(home: Path, log: Path = Path(os.devnull)) -> Iterator[str]:
    """Base address of a service in a process of its own. log: what it says goes there"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | _LIKE_OURS
    environment |= {"ENGINE_HOME": str(home), "API_HOST": "127.0.0.1", "API_PORT": str(port)}
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as said:
        process = subprocess.Popen([sys.executable, "-m", "jobs.serve"], env=environment, stderr=said)
    try:
        until = time.monotonic() + 120
        while True:
            try:
                httpx.get(f"{url}/health/ready", timeout=30).raise_for_status()
                break
            except httpx.HTTPError as err:
                if time.monotonic() > until or process.poll() is not None:
                    raise RuntimeError(f"the service does not start: {err}") from err
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(120)


@contextmanager
def sample(home: Path) -> Iterator[tuple[str, str]]:
    """(warehouse, results) of the sample with a run, made when they are not there; up as long as the block."""
    with EmbeddedServer(home) as server:
        warehouse, application = _home.databases(server)
        with psycopg.connect(application) as connection:
            is_filled = connection.execute("SELECT FROM result_runs LIMIT 1").fetchone() is not None
        if not is_filled:
            environment = os.environ | {"ENGINE_HOME": str(home)}
            subprocess.run([sys.executable, "-m", "jobs.yearly"], env=environment, check=True)
        yield warehouse, application


def measure(options: Options) -> list[dict[str, Any]]:
    home = (options.scratch / "service").resolve()
    with sample(home) as (warehouse, application), serving(home) as url:
        return compare(url, warehouse, application, options.sites or ASSESSMENTS, READS, options.rounds)


def compare(
    url: str, warehouse: str, application: str, assessments: int, reads: int, rounds: int
) -> list[dict[str, Any]]:
    """Rows of the table, from a running service over two databases that hold results."""
    with closing(postgres.connect(warehouse)) as climate, closing(postgres.connect(application)) as results:
        places = results.execute(
            "SELECT latitude::float8, longitude::float8, grid_id FROM hazard_results WHERE risk_type = 'drought'"
            " ORDER BY grid_id"
        ).fetchall()
        assessor = Assessor.open(climate, results, settings.Settings(spatial_missing_policy="impute"))
        asked = requests(assessments, [row[:2] for row in places])
        asyncio.run(send_all(url, asked[:1]))  # the worker is up, and has compiled what it compiles
        chosen = [places[number % len(places)] for number in range(reads)]
        return [_assessments(url, assessor, asked, rounds), *_reads(url, results, chosen, rounds)]


def _assessments(url: str, assessor: Assessor, asked: list[dict[str, Any]], rounds: int) -> dict[str, Any]:
    def empty(work: Any) -> Any:
        assessor.application.execute(_EMPTY)
        return work()

    sent: list[Sent] = []
    some = asked[:DIRECTLY]
    seconds, answers = harness.in_turn(
        {
            "service": lambda: empty(lambda: sent.append(asyncio.run(send_all(url, asked))) or sent[-1].results),
            "directly": lambda: empty(lambda: directly(assessor, some)),
        },
        rounds,
    )
    ours, theirs = (
        {k: {n: v for n, v in r.items() if n not in _OWN} for k, r in answers[who].items()} for who in answers
    )
    if len(ours) != len(asked) or len(theirs) != len(some) or any(ours[site] != theirs[site] for site in theirs):
        raise AssertionError(f"{len(ours)} and {len(theirs)} results of {len(asked)} requests, not the same")
    seconds["directly"] *= len(asked) / len(some)
    best = min(sent, key=lambda each: each.seconds)
    what = f"assessments, all at once (directly: {len(some)}, extrapolated)"
    return _row(what, len(asked), len(asked), seconds, best.accepted, "accepted")


def _reads(url: str, results: psycopg.Connection, chosen: list[tuple[Any, ...]], rounds: int) -> list[dict[str, Any]]:
    """Two rows: against the queries as jobs send them, planned each time, and prepared ones, as the service's."""
    read: list[tuple[list[Any], list[float]]] = []

    def directly(seen: int | None) -> list[Any]:
        results.prepare_threshold = seen
        return [cell_answers.everything(results, place[2]) for place in chosen]

    seconds, answers = harness.in_turn(
        {
            "service": lambda: read.append(asyncio.run(read_all(url, [place[:2] for place in chosen]))) or read[-1],
            "directly": lambda: directly(None),
            "prepared": lambda: directly(5),
        },
        rounds,
    )
    for ours, theirs in zip(answers["service"][0], answers["directly"], strict=True):
        if ours["grid_id"] != theirs["grid_id"] or ours["risks"].keys() != theirs["risks"].keys():
            raise AssertionError(f"cell {theirs['grid_id']} differs")
    rows = []
    for rival, words in (("directly", ""), ("prepared", ", queries prepared")):
        of = {"service": seconds["service"], "directly": seconds[rival]}
        rows.append(_row(f"everything of a cell{words}", len(chosen), CLIENTS, of, read[-1][1], "answered"))
    return rows


def _row(
    what: str, requests: int, clients: int, seconds: Mapping[str, float], each: list[float], until: str
) -> dict[str, Any]:
    half, most = (1000 * float(np.percentile(each, share)) for share in (50, 95))
    return {
        "what": what,
        "requests": requests,
        "clients": clients,
        "service, s": seconds["service"],
        "directly one after the other, s": seconds["directly"],
        "ratio": seconds["directly"] / seconds["service"],
        "until": until,
        "median, ms": half,
        "95 %, ms": most,
    }
