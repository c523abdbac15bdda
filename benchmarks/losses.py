"""Year losses of a portfolio with curves, tails and contributions, against the same sums in plain polars and numpy.

Sites share cells, so ours multiplies the cells' years by the cells' factors. The rivals do the sums alone: polars joins
sites to cells and groups by year, numpy takes the years of every site. The window is of 20 years, as an assessment asks
for it; the whole axis, four times as long, has one scenario. What reading the years from a database adds is in
`benchmarks portfolio`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from benchmarks import harness
from benchmarks.harness import Options
from engine import losses
from engine.core.names import RISK_NAMES

SITES = 100_000
CELLS = 30_000  # with a site in them
SCENARIOS = (1, 2, 3, 4)
PERIOD = "mid_term"
MODEL_YEARS, TRACK_YEARS = range(2041, 2061), range(1979, 2024)
#: seconds at most, of the contract: with curves, for this many sites
TARGETS = {100_000: 30.0, 1_000_000: 300.0}
MOST_MEMORY_GB = 4.0


def measure(options: Options) -> list[dict[str, Any]]:
    """Rows of ours and of each rival; rivals sum one scenario, and their time is taken four times.

    raises : AssertionError when two sums of a year differ
    """
    n, cells = options.sites or SITES, options.cells or CELLS
    years = _sample_years()
    sites = _sites(n, cells)
    ours, figures, levels = _ours(sites, years, cells)
    table = _table(SCENARIOS[0], cells)
    rivals = {"polars join": lambda: _by_join(table, sites), "numpy by site": lambda: _by_site(table, sites)}
    seconds, answers = harness.in_turn(rivals, 1)
    mine = figures.filter(scenario_id=SCENARIOS[0], risk_type="river_flood")["loss"].to_numpy()
    for answer in answers.values():
        np.testing.assert_allclose(answer["river_flood"], mine, rtol=1e-9)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    target = harness.verdict(ours, at_most=TARGETS[n]) if n in TARGETS else "-"
    rows: list[dict[str, Any]] = [
        {
            "what": f"ours: years, curves, tails, contributions, levels of sites, {len(SCENARIOS)} scenarios",
            "sites": n, "seconds": ours, "ratio": 1.0, "target": target,
        },
        {"what": "of it: loss once in 20 years of every site", "sites": n, "seconds": levels,
         "ratio": levels / ours, "target": "-"},
        {"what": "memory, GB", "sites": n, "seconds": memory, "ratio": float("nan"),
         "target": harness.verdict(memory, at_most=MOST_MEMORY_GB)},
    ]  # fmt: skip
    for name, took in seconds.items():
        whole = took * len(SCENARIOS)
        rows.append(
            {"what": f"{name}: the sums alone", "sites": n, "seconds": whole, "ratio": whole / ours, "target": "-"}
        )
    return rows


def _ours(sites: pl.DataFrame, years: pl.DataFrame, cells: int) -> tuple[float, pl.DataFrame, float]:
    """Seconds of everything, the year losses, and the seconds of them for the levels of every site."""
    losses.exceedance_curve(losses.year_losses(_table(SCENARIOS[0], 10), years, _sites(10, 10)))  # compiled before
    value = float(sites.filter(risk_type=RISK_NAMES[0])["factor"].sum())
    seconds, levels, parts = 0.0, 0.0, []
    for scenario in SCENARIOS:
        table = _table(scenario, cells)
        started = time.perf_counter()
        placed, of_cells = losses.sites_by_risk(sites), list(losses.cell_years(table, years))
        parts.append(losses.portfolio_years(of_cells, placed))
        curve = losses.exceedance_curve(parts[-1])
        losses.tail_metrics(parts[-1], value, curves=curve)
        losses.contributions_of(of_cells, parts[-1], placed)
        summed = time.perf_counter()
        losses.levels_of_sites(of_cells, placed, period=20.0)
        levels += time.perf_counter() - summed
        seconds += time.perf_counter() - started
    return seconds, pl.concat(parts), levels


def _by_join(table: pl.DataFrame, sites: pl.DataFrame) -> dict[str, np.ndarray]:
    """River flood, typhoon and the others by a join of sites and cells and a sum of each year."""
    found = {}
    for risk in RISK_NAMES:
        joined = sites.filter(risk_type=risk).join(table.filter(risk_type=risk), on="grid_id")
        by_cell = joined.group_by("grid_id").agg(pl.col("factor").sum(), pl.col("loss").first())
        long = by_cell.with_columns(year=pl.int_ranges(pl.col("loss").list.len())).explode("loss", "year")
        summed = long.group_by("year").agg((pl.col("factor") * pl.col("loss").cast(pl.Float64)).sum()).sort("year")
        found[risk] = summed["factor"].to_numpy()
    return found


def _by_site(table: pl.DataFrame, sites: pl.DataFrame) -> dict[str, np.ndarray]:
    """The years of every site, some thousand at a time."""
    found = {}
    for risk in RISK_NAMES:
        matrix = np.stack(table.filter(risk_type=risk)["loss"].to_numpy()).astype(np.float64)
        of_risk = sites.filter(risk_type=risk)
        place, factor = of_risk["grid_id"].to_numpy() - 1, of_risk["factor"].to_numpy()
        total = np.zeros(matrix.shape[1])
        for start in range(0, len(place), 10_000):
            part = slice(start, start + 10_000)
            total += (matrix[place[part]] * factor[part, None]).sum(axis=0)
        found[risk] = total
    return found


def _table(scenario: int, cells: int) -> pl.DataFrame:
    """Year losses of all cells and risks of one scenario, as they are read: skewed, the same year bad in many cells."""
    return pl.concat(list(_tables(scenario, cells)))


def _tables(scenario: int, cells: int) -> Iterator[pl.DataFrame]:
    for place, risk in enumerate(RISK_NAMES):
        rng = np.random.default_rng([scenario, place])
        years = len(TRACK_YEARS if risk == "typhoon" else MODEL_YEARS)
        shared = rng.gamma(0.5, 0.02, years)
        loss = (shared * rng.random((cells, 1)) * (0.5 + rng.random((cells, years)))).astype(np.float32)
        yield pl.DataFrame(
            {
                "grid_id": np.arange(1, cells + 1, dtype=np.int32),
                "risk_type": risk,
                "scenario_id": scenario,
                "time_period": PERIOD,
                "loss": pl.Series(loss).arr.to_list(),
                "valid": pl.Series([None], dtype=pl.List(pl.Float32)).new_from_index(0, cells),
            },
            schema_overrides={"scenario_id": pl.Int16},
        )


def _sample_years() -> pl.DataFrame:
    rows = [
        (risk, scenario, PERIOD, list(TRACK_YEARS if risk == "typhoon" else MODEL_YEARS))
        for risk in RISK_NAMES
        for scenario in SCENARIOS
    ]
    schema = {"risk_type": pl.String, "scenario_id": pl.Int16, "time_period": pl.String, "years": pl.List(pl.Int16)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sites(n: int, cells: int) -> pl.DataFrame:
    rng = np.random.default_rng(n)
    grid_id, value = rng.integers(1, cells + 1, n).astype(np.int32), rng.lognormal(20.0, 1.5, n)
    return pl.concat(
        pl.DataFrame(
            {
                "row": np.arange(1, n + 1),
                "grid_id": grid_id,
                "risk_type": risk,
                "factor": value * rng.uniform(0.9, 1.1, n),
            }
        )
        for risk in RISK_NAMES
    )
