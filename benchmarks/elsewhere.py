"""The same building in every cell of the country, against an assessment of it in each cell.

Ours reads the AAL of nine risks in one scenario and period and the attributes of all cells from PostgreSQL, applies
the rules of vulnerability and AAL to the building in each, and ranks the cells near it: once as a first request does,
once as a later one with another building, when the cells are in memory. The rival is `assess_sites` cell by cell, for a
sample of the cells; both must give the same AAL.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import Any

import numpy as np
import polars as pl
import psycopg

from benchmarks import harness, portfolio, scratch
from benchmarks.harness import Options
from engine.assess import AssessConfig, assess_sites
from engine.assess.job import where_else
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import placed, prepare_checked
from engine.assess.rules.validation import check
from engine.core.grid import KOREA
from engine.io.db import frames, postgres

CELLS, SAMPLE = 97_377, 200
PAIR = (2, "mid_term")
WITHIN_KM, LISTED = 50.0, 20
_BUILDING = {
    "building_age": 31, "structure": "masonry", "main_purpose": "office", "floors_below": 1, "floors_above": 3,
    "has_piloti": False, "has_seismic_design": False, "fire_access": True, "total_asset_value": 10**10,
    "floor_area": 2500.0, "insurance_coverage_rate": 0.3, "scenario_ids": [PAIR[0]], "time_periods": [PAIR[1]],
}  # fmt: skip


def measure(options: Options) -> list[dict[str, Any]]:
    """One row: seconds of the first and of a later request, of the rival for all cells, and their ratio.

    raises : AssertionError where the AAL of a cell of the sample is another than the rival's
    """
    cells = options.cells or CELLS
    options.scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        server = stack.enter_context(scratch.server(options.scratch))
        urls = portfolio.databases(server)
        warehouse, application = (stack.enter_context(closing(postgres.connect(url))) for url in urls)
        table, figures = _fill(warehouse, application, cells, options.seed)
        config = AssessConfig(grid=KOREA)
        place = table.row(cells // 2, named=True)

        def ours(age: int, country: where_else.Country | None) -> tuple[Any, where_else.Country]:
            site = pl.DataFrame([_BUILDING | {"latitude": place["latitude"], "longitude": place["longitude"]}])
            checked = placed(check(site.with_columns(building_age=age)), config.grid, None)
            prepared = prepare_checked(checked, config)
            held = country or where_else.read_country(warehouse, application, config.grid, PAIR)
            found = where_else.compute(application, prepared, held, config)
            where_else.candidates(warehouse, application, held, found, within_km=WITHIN_KM, most=LISTED)
            return found, held

        seconds, answers = harness.in_turn({"first": lambda: ours(31, None)}, options.rounds)
        found, held = answers["first"]
        more, _ = harness.in_turn({"later": lambda: ours(12, held)}, options.rounds)
        chosen = np.random.default_rng(options.seed).choice(cells, min(SAMPLE, cells), replace=False)
        rival = _rival(table, figures, chosen, found, config)
        version = scratch.server_version(urls[1])
    return [
        {
            "rival": f"assess_sites cell by cell, {len(chosen)} cells",
            "cells": cells,
            "risks": len(RISKS),
            "first request, s": seconds["first"],
            "target": harness.verdict(seconds["first"], at_most=2.0),
            "later request, s": more["later"],
            "rival, s": rival / len(chosen) * cells,
            "ratio": rival / len(chosen) * cells / seconds["first"],
            "server": version,
        }
    ]


def _fill(
    warehouse: psycopg.Connection, application: psycopg.Connection, cells: int, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells in the middle of the lattice with random AAL, hazard and elevation; returns their places, their figures."""
    rng = np.random.default_rng(seed)
    ids = np.arange(cells, dtype=np.int32) + KOREA.n_lat * KOREA.n_lon // 2 - cells // 2
    rows, columns = KOREA.indices(ids)
    table = pl.DataFrame(
        {
            "grid_id": ids,
            "lat_idx": rows.astype(np.int16),
            "lon_idx": columns.astype(np.int16),
            "latitude": KOREA.latitudes[rows],
            "longitude": KOREA.longitudes[columns],
            "elevation_mean_m": rng.gamma(1.2, 120.0, cells).astype(np.float32),
        }
    )
    risks = pl.DataFrame({"risk_type": RISKS, "scenario_id": PAIR[0], "time_period": PAIR[1]})
    figures = table.select("grid_id").join(risks, how="cross")
    figures = figures.with_columns(
        hazard_score=pl.Series(rng.random(figures.height)),
        aal=pl.Series(rng.gamma(1.0, 0.003, figures.height).astype(np.float32)).clip(0, 1),
    )
    portfolio.publish(application, figures)
    portfolio.publish_years(application, ids[:1])
    with warehouse.transaction():
        warehouse.execute("TRUNCATE location_grid CASCADE")
        frames.copy(warehouse, "location_grid", ["grid_id", "lat_idx", "lon_idx", "latitude", "longitude"], table)
        frames.copy(warehouse, "grid_attributes", ["grid_id", "elevation_mean_m"], table)
    return table, figures


def _rival(
    table: pl.DataFrame, figures: pl.DataFrame, chosen: Any, found: where_else.Elsewhere, config: AssessConfig
) -> float:
    """Seconds of the assessments of the chosen cells, one after the other; each must agree with ours."""
    risks = [*RISKS]
    long = found.table.select("grid_id", *risks).unpivot(risks, index="grid_id", variable_name="risk_type")
    seconds = 0.0
    for place in chosen:
        cell = table.row(int(place), named=True)
        base = figures.filter(pl.col("grid_id") == cell["grid_id"])
        # as an assessment reads it: the decimal number that a real prints
        base = base.with_columns(pl.col("aal").cast(pl.Float32).cast(pl.String).cast(pl.Float64))
        own = {"latitude": cell["latitude"], "longitude": cell["longitude"], "elevation": cell["elevation_mean_m"]}
        site = pl.DataFrame([_BUILDING | own])
        started = time.perf_counter()
        aal = assess_sites(site, None, base, config).aal
        seconds += time.perf_counter() - started
        mine = long.filter(pl.col("grid_id") == cell["grid_id"]).select("risk_type", "value")
        both = aal.select(pl.col("risk_type").cast(pl.String), "final_aal").join(mine, on="risk_type")
        assert both.height == len(RISKS), cell["grid_id"]
        assert both["final_aal"].equals(both["value"].alias("final_aal")), cell["grid_id"]
    return seconds
