"""Year loss tables small enough for paper, as the readers of results return them."""

from __future__ import annotations

import polars as pl

YEARS = [2021, 2022, 2023, 2024]
TRACKS = [2001, 2002, 2003, 2004]
#: cell -> loss ratio of each year
FLOOD = {1: [0.0, 0.01, 0.02, 0.05], 2: [0.04, 0.0, 0.0, 0.0]}
TYPHOON = {1: [0.1, 0.0, 0.0, 0.0], 2: [0.0, 0.0, 0.0, 0.2]}
SITES = [(1, 1, 1000.0), (2, 1, 500.0), (3, 2, 2000.0)]  # row, cell, factor


def table(losses, scenario=2, period="full"):
    """losses: risk -> cell -> list."""
    rows = [
        (cell, risk, scenario, period, years, None) for risk, cells in losses.items() for cell, years in cells.items()
    ]
    schema = {
        "grid_id": pl.Int32, "risk_type": pl.String, "scenario_id": pl.Int16, "time_period": pl.String,
        "loss": pl.List(pl.Float32), "valid": pl.List(pl.Float32),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def sample_years(risks, scenario=2, period="full"):
    """risks: risk -> years."""
    rows = [(risk, scenario, period, 1, years) for risk, years in risks.items()]
    schema = {
        "risk_type": pl.String, "scenario_id": pl.Int16, "time_period": pl.String, "place": pl.Int16,
        "years": pl.List(pl.Int16),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def sites(rows=SITES, risks=("river_flood", "typhoon")):
    """rows: (row, cell, factor), the same factor for each risk."""
    return pl.DataFrame(
        [(row, cell, risk, factor) for risk in risks for row, cell, factor in rows],
        schema={"row": pl.Int64, "grid_id": pl.Int32, "risk_type": pl.String, "factor": pl.Float64},
        orient="row",
    )


def portfolio():
    """table, sample_years and sites of three sites in two cells, four model years and four track years."""
    losses = {"river_flood": FLOOD, "typhoon": TYPHOON}
    return table(losses), sample_years({"river_flood": YEARS, "typhoon": TRACKS}), sites()
