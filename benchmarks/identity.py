"""The losses of the years against the AAL: completed, their plain mean is the AAL, in every row of a run.

Not a speed but a promise: sums over sites by year keep the mean that is published. Every cell, risk, scenario and
period of the store is compared, as stored (float32).
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any, NamedTuple

import polars as pl

from benchmarks import harness, scratch
from benchmarks.harness import Options
from engine import kernels
from engine.batch.pipeline import active_cells, compute_blocks, make_reference, ranges_of
from engine.batch.plan import make_plan
from engine.batch.request import Request
from engine.io import open_source
from engine.io.results import sample_years
from engine.io.results.year_losses import by_pair
from engine.risks import RISKS, load_edition

CELLS = 97_377
#: relative, or absolute where that is more: AALs of inland typhoon are 1e-18
RELATIVE, ABSOLUTE = 1e-6, 1e-15
_KEY = ["grid_id", "risk_type", "scenario_id", "time_period"]


class Compared(NamedTuple):
    """rows: with an AAL; broken: those without year losses, or whose mean is another; worst: relative, of all."""

    rows: int
    broken: int
    worst: float


def compare(probability: pl.DataFrame, by_year: pl.DataFrame) -> Compared:
    """Compare the mean of the completed years with the AAL of the same row.

    probability : `_KEY` and aal, null where there is none
    by_year     : columns of `engine.io.results.year_losses.SCHEMA`
    """
    aal = probability.filter(pl.col("aal").is_not_null()).select(*_KEY, pl.col("aal").cast(pl.Float64))
    both = aal.join(by_year, on=_KEY, how="full", coalesce=True)
    loss, valid = pl.col("loss").cast(pl.List(pl.Float64)), pl.col("valid").cast(pl.List(pl.Float64))
    years = pl.col("loss").list.len()
    known = pl.when(pl.col("valid").is_null()).then(loss.list.sum()).otherwise((loss * valid).list.sum())
    there = pl.when(pl.col("valid").is_null()).then(years.cast(pl.Float64)).otherwise(valid.list.sum())
    mean = (known + (years - there) * pl.col("aal")) / years
    off = both.select((mean - pl.col("aal")).abs().alias("off"), "aal")
    limit = pl.max_horizontal(pl.col("aal") * RELATIVE, pl.lit(ABSOLUTE))
    broken = off.filter(pl.col("off").is_null() | (pl.col("off") > limit)).height
    worst = off.filter(pl.col("off") > ABSOLUTE).select((pl.col("off") / pl.col("aal")).max()).item()
    return Compared(aal.height, broken, worst or 0.0)


def measure(options: Options) -> list[dict[str, Any]]:
    """One row: rows compared, rows in which the identity does not hold, largest relative difference."""
    cells = options.cells or CELLS
    edition = load_edition("2025-11")
    kernels.warm_up()
    with closing(open_source(scratch.store(options.scratch, cells))) as source:
        plan = make_plan(source, Request(edition=edition, risks=tuple(RISKS)))
        chosen = active_cells(source, cells)
        ranges = ranges_of(chosen)
        reference, failed = make_reference(source, plan)
        rows = broken = 0
        worst, started = 0.0, time.perf_counter()
        for _, block in compute_blocks(source, plan, reference, failed, chosen, ranges, range(len(ranges))):
            record = block.notes.record_years
            years = sample_years.frame(0, {risk: plan.sample_years(record.get(risk)) for risk in plan.probability})
            probability = block.rows["probability"]
            for risk in plan.probability:
                found = compare(
                    probability.filter(pl.col("risk_type") == risk),
                    by_pair(block.rows["year_losses"].filter(pl.col("risk_type") == risk), years),
                )
                rows, broken, worst = rows + found.rows, broken + found.broken, max(worst, found.worst)
    return [
        {
            "cells": chosen.height,
            "risks": len(plan.probability),
            "pairs": len(plan.pairs),
            "rows with an AAL": rows,
            "rows whose years are another mean": broken,
            "largest relative difference": worst,
            "target": harness.verdict(broken, at_most=0),
            "wall, s": time.perf_counter() - started,
        }
    ]
