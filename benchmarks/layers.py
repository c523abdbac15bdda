"""Layers of the map at the provider's resolution: chosen for the first time, and again.

One risk in four scenarios and three windows of a whole lattice of 451,351 cells lies in PostgreSQL as a load leaves it,
in blocks; figures are made up. The service runs in a process of its own, as `python -m jobs.serve` starts it. `cold`: a
layer that nobody asked for before, from the request to the last byte; `cached`: the same once more, best of the rounds.
`page`: from the choice to the picture on the screen, in Chromium, where Playwright is installed; colours on the scale
of the layer itself are painted by the page from its values.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import polars as pl
import psycopg

from benchmarks import harness
from benchmarks.harness import Options
from benchmarks.service import serving
from engine.core.period import WINDOWS
from engine.core.scenario import Scenario
from engine.io.db import frames
from engine.io.db.embedded import EmbeddedServer
from jobs import _home

COLUMNS, ROWS = 601, 751  # 451,351 cells of 0.01 degree
BLOCK = 7_135
RISK = "drought"
COLD, CACHED = 2.0, 0.3  # s
CHROMIUM = "/usr/bin/chromium"
_TABLE = "modelops_probability_scores"


class Chosen(NamedTuple):
    """A layer as the page asks for it. than: scenario and window of a difference"""

    quantity: str
    scenario: int
    period: str
    than: tuple[int, str] | None = None

    @property
    def address(self) -> str:
        """Path and query."""
        query = f"{RISK}?scenario_id={self.scenario}&time_period={self.period}"
        if self.than is None:
            return f"{self.quantity}/{query}"
        return f"{self.quantity}/{query}&reference_scenario_id={self.than[0]}&reference_period={self.than[1]}"


def choices(quantity: str, scenarios: Sequence[int]) -> list[Chosen]:
    """Layers of a quantity in the later windows of scenarios."""
    windows = [(scenario, period) for scenario in scenarios for period in WINDOWS[1:]]
    if "difference" not in quantity:
        return [Chosen(quantity, *window) for window in windows]
    return [Chosen(quantity, scenario, period, (3 - scenario % 2, period)) for scenario, period in windows]


QUANTITIES = ("aal", "interval", "change", "relative_difference", "difference")


def block(cells: np.ndarray, seed: int) -> pl.DataFrame:
    """Rows of some cells as a load leaves them: all windows of one scenario after the other."""
    random, n = np.random.default_rng(seed), len(cells)
    first, parts = random.gamma(2.0, 0.005, n), []
    for scenario in Scenario:
        for place, period in enumerate(WINDOWS):
            aal = np.clip(first * random.normal(1 + 0.1 * place * int(scenario), 0.3, n), 1e-6, 0.5)
            parts.append(
                pl.DataFrame(
                    {
                        "grid_id": cells,
                        "aal": aal,
                        "aal_se": 0.2 * aal,
                        "aal_low": 0.7 * aal,
                        "aal_high": 1.5 * aal,
                        "change": aal - first if place else None,
                        "change_se": 0.3 * aal if place else None,
                    }
                ).with_columns(scenario_id=pl.lit(int(scenario)), time_period=pl.lit(period))
            )
    return pl.concat(parts, how="vertical_relaxed").with_columns(
        risk_type=pl.lit(RISK), n_samples=pl.lit(20), method=pl.lit("kde")
    )


def fill(warehouse: str, results: str, rows: int, columns: int) -> None:
    """The lattice, a run, and a layer of every scenario and window; nothing where they are there already."""
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO grid_definition (lat0, lon0, n_lat, n_lon, step, first_year, last_year)"
            " SELECT 33, 124.6, %s, %s, 0.01, 2021, 2100 WHERE NOT EXISTS (SELECT FROM grid_definition)",
            (rows, columns),
        )
    with psycopg.connect(results, autocommit=True) as connection:
        if connection.execute("SELECT FROM result_runs LIMIT 1").fetchone() is not None:
            return
        connection.execute(f"TRUNCATE {_TABLE}")
        cells = np.arange(1, rows * columns + 1, dtype=np.int32)
        for seed, start in enumerate(range(0, len(cells), BLOCK)):
            part = block(cells[start : start + BLOCK], seed)
            frames.copy(connection, _TABLE, part.columns, part)
        connection.execute(f"VACUUM (FREEZE, ANALYZE) {_TABLE}")
        _record(connection)


def _record(connection: psycopg.Connection) -> None:
    """The run, and a cell of the whole axis: a service is ready when there is one."""
    with connection.transaction():
        [(run,)] = connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline,"
            " summary, published_at) VALUES ('yearly', 'synthetic', '2025-11', repeat('0', 64), repeat('0', 64),"
            " '1991-2020', %s, now()) RETURNING run_id",
            (f'{{"risks": [{{"risk": "{RISK}", "calibrated": false}}]}}',),
        ).fetchall()
        connection.execute(
            "INSERT INTO probability_results (latitude, longitude, risk_type, grid_id, aal, bin_data, n_samples,"
            " method, run_id) VALUES (33, 124.6, %s, 1, 0.01, '[]', 80, 'kde', %s)",
            (RISK, run),
        )
        connection.execute(
            "INSERT INTO hazard_results (latitude, longitude, risk_type, grid_id, hazard_score, hazard_score_100,"
            " hazard_level, run_id) VALUES (33, 124.6, %s, 1, 0.5, 50, 'MEDIUM', %s)",
            (RISK, run),
        )
    connection.execute("ANALYZE probability_results, hazard_results")


class Timed(NamedTuple):
    """Seconds of a layer for the first time, and best of the times after; bytes of the answer as it was sent."""

    cold: float
    cached: float
    size: int


def timed(client: httpx.Client, chosen: Chosen, form: str, rounds: int) -> Timed:
    """Ask for a layer that nobody asked for before, and again.

    raises : HTTPStatusError for an answer that is none
    """
    seconds, size = [], 0
    for _ in range(1 + rounds):
        started = time.perf_counter()
        answer = client.get(f"/api/v1/map/{chosen.address}&format={form}")
        answer.raise_for_status()
        seconds.append(time.perf_counter() - started)
        size = answer.num_bytes_downloaded
    return Timed(seconds[0], min(seconds[1:]), size)


def over_http(
    url: str, rounds: int, forms: Sequence[str] = ("png", "values"), scenarios: Sequence[int] = (1, 2)
) -> list[dict[str, Any]]:
    """A row a quantity and form: median of its layers for the first time, slowest of them again."""
    rows = []
    with httpx.Client(base_url=url, timeout=120) as client:
        for form in forms:
            for quantity in QUANTITIES:
                found = [timed(client, each, form, rounds) for each in choices(quantity, scenarios)]
                cold, cached = statistics.median(each.cold for each in found), max(each.cached for each in found)
                what = f"{quantity}, {'picture' if form == 'png' else form}"
                rows.append(row(what, len(found), cold, cached, max(each.size for each in found) / 1000))
    return rows


def row(what: str, layers: int, cold: float, cached: float, size: float | None = None) -> dict[str, Any]:
    """A row of the table. cold, cached: s; size: kB"""
    return {
        "what": what,
        "layers": layers,
        "kB sent": "" if size is None else size,
        "cold, s": cold,
        "target, s": harness.verdict(cold, at_most=COLD),
        "again, ms": 1000 * cached,
        "target, ms": harness.verdict(1000 * cached, at_most=1000 * CACHED),
    }


#: seconds from a choice to its picture on the screen
_CHANGE = """async ({ id, value, address }) => {
  const started = performance.now(), layer = document.getElementById("layer"), select = document.getElementById(id);
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  while (!layer.dataset.layer?.includes(address)) await new Promise((done) => setTimeout(done, 1));
  const picture = new Image();
  picture.src = layer.getAttribute("href");
  await picture.decode();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  return (performance.now() - started) / 1000;
}"""


def on_page(url: str, scale: str) -> list[dict[str, Any]]:
    """A row a quantity: scenarios 3 and 4 chosen for the first time, then again, on the page itself."""
    from playwright.sync_api import sync_playwright  # of the tests' lock alone

    rows = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for quantity in QUANTITIES:
            view = browser.new_page(viewport={"width": 1440, "height": 900})
            view.set_default_timeout(120_000)
            than = "&than=same&than_period=short_term" if "difference" in quantity else ""
            view.goto(f"{url}/?risk={RISK}&show={quantity}&scenario=1&period=mid_term&scale={scale}{than}")
            view.wait_for_selector("#provinces[d]", state="attached")
            view.wait_for_function("document.getElementById('layer').dataset.layer")

            def change(scenario: int) -> float:
                asked = {"id": "scenario", "value": str(scenario), "address": f"scenario_id={scenario}&time_period"}
                return float(view.evaluate(_CHANGE, asked))  # noqa: B023  (called within the turn)

            cold = [change(scenario) for scenario in (3, 4)]
            cached = [change(scenario) for scenario in (3, 4, 3, 4)]
            view.close()
            colours = "one scale for all" if scale == "all" else "its own scale"
            rows.append(row(f"{quantity}, page, {colours}", 2, statistics.median(cold), statistics.median(cached)))
        browser.close()
    return rows


def measure(options: Options) -> list[dict[str, Any]]:
    """Rows of the table. cells: of a lattice of 601 columns, the nearest whole number of rows"""
    home, rows = (options.scratch / f"layers={options.cells or COLUMNS * ROWS}").resolve(), ROWS
    if options.cells:
        rows = max(1, round(options.cells / COLUMNS))
    with EmbeddedServer(home) as server:
        fill(*_home.databases(server), rows, COLUMNS)
        with serving(home) as url:
            found = over_http(url, options.rounds)
            if Path(CHROMIUM).exists() and importlib.util.find_spec("playwright"):
                for scale in ("all", "own"):
                    found += on_page(url, scale)
    return [{"cells": rows * COLUMNS} | each for each in found]
