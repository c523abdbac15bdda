"""Small frames as the computation hands them over, for the tests of everything after it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from engine.core.rows import ROWS
from engine.io.results.result_tables import BinStyle
from engine.io.results.sink import WRITES, RunRecord
from engine.io.results.spool import RunDirectory

RISKS = ("extreme_heat", "drought")
PAIRS = [(2, "full")] + [(s, p) for s in (1, 2, 3, 4) for p in ("short_term", "mid_term", "long_term")]
YEARS = {"full": tuple(range(2021, 2031)), "short_term": (2021, 2022, 2023, 2024, 2025)}
YEARS |= {"mid_term": (2026, 2027), "long_term": (2028, 2029, 2030)}
SAMPLES = tuple((scenario, period, YEARS[period]) for scenario, period in PAIRS)
STYLES = {
    "extreme_heat": BinStyle((0.001, 0.003, 0.01), lower=0.0, years=SAMPLES),
    "drought": BinStyle((0.0, 0.005, 0.02, 0.07), negated=True, years=SAMPLES),
}
YEARLY = dict.fromkeys(WRITES["yearly"], RISKS)
IDENTITY = {
    **{"job_type": "yearly", "scope": "full", "edition": "2025-11", "baseline": "1991-2020"},
    **{"source_fingerprint": "a" * 64, "edition_checksum": "b" * 64},
    **{"probability": list(RISKS), "hazard": {risk: ["part"] for risk in RISKS}},
}
RECORD = RunRecord(
    job_type="yearly",
    scope="full",
    edition="2025-11",
    edition_checksum="b" * 64,
    edition_checksums={risk: f"{risk:b<64}" for risk in RISKS},
    source_fingerprint="a" * 64,
    baseline="1991-2020",
    total_grids=60,
)


def block(cells, seed=0, risks=RISKS, pairs=PAIRS, years=True):
    """The frames of a block; about one row in ten has no result, one in eight no score."""
    ids = np.asarray(cells)
    rng = np.random.default_rng([seed, int(ids[0])])
    probability, hazard = [], []
    for risk in risks:
        m = len(STYLES[risk].damage_rates)
        for scenario, period in pairs:
            keys = {
                "grid_id": pl.Series(ids, dtype=pl.Int32),
                "latitude": 33.0 + (ids - 1) // 751 * 0.01,
                "longitude": 124.5 + (ids - 1) % 751 * 0.01,
                "risk_type": [risk] * len(ids),
                "scenario_id": pl.Series([scenario] * len(ids), dtype=pl.Int16),
                "time_period": [period] * len(ids),
            }
            known = pl.Series(rng.random(len(ids)) > 0.1)
            shares = rng.dirichlet(np.ones(m), len(ids)).astype(np.float32)
            edges = np.sort(rng.gamma(2, 5, (len(ids), m - 1)), axis=1)
            frame = pl.DataFrame(keys).with_columns(
                aal=pl.Series(shares @ np.array(STYLES[risk].damage_rates), dtype=pl.Float32),
                aal_se=pl.Series(rng.random(len(ids)) * 1e-5, dtype=pl.Float32),
                change=pl.lit(None, pl.Float32),
                change_se=pl.lit(None, pl.Float32),
                significant=pl.lit(None, pl.Boolean),
                bin_probs=pl.Series(shares.tolist(), dtype=pl.List(pl.Float32)),
                edges=pl.Series(edges.tolist(), dtype=pl.List(pl.Float64)),
            )
            frame = frame.with_columns(
                aal_low=pl.col("aal") * 0.5, aal_high=pl.min_horizontal(pl.col("aal") * 1.5, 1.0)
            ).with_columns(rates_low=pl.col("aal_low"), rates_high=pl.col("aal_high"))
            if period not in ("full", "short_term"):
                moved = pl.col("aal") - 0.001
                frame = frame.with_columns(change=moved, change_se=pl.col("aal_se"), significant=moved > 0)
            figures = (
                "aal",
                "aal_se",
                "aal_low",
                "aal_high",
                "rates_low",
                "rates_high",
                "change",
                "change_se",
                "significant",
            )
            results = [pl.when(known).then(name).alias(name) for name in (*figures, "bin_probs", "edges")]
            probability.append(
                frame.with_columns(
                    *results,
                    n_samples=pl.when(known).then(80).otherwise(5).cast(pl.Int16),
                    method=pl.when(known).then(pl.lit("kde")).otherwise(pl.lit("insufficient_data")),
                ).select(ROWS["probability"].schema.names())
            )
            score = pl.Series(rng.integers(0, 40, len(ids)) / 39, dtype=pl.Float32)  # with ties
            scored = pl.DataFrame(keys).with_columns(hazard_score=score)
            hazard.append(scored.filter(pl.Series(rng.random(len(ids)) > 0.125)))
    made = {"probability": pl.concat(probability), "hazard": pl.concat(hazard)}
    return made | ({"year_losses": pl.concat(years_of(ids, risk, pairs, rng) for risk in risks)} if years else {})


def years_of(ids, risk, pairs, rng):
    """Year losses of one risk; in one cell of five some years have fewer samples, and one has none."""
    n = sum(len(YEARS[period]) for _, period in pairs)
    losses, valid = rng.random((len(ids), n)).astype(np.float32), np.ones((len(ids), n), np.float32)
    gaps = np.arange(len(ids)) % 5 == 2
    valid[gaps, 1], valid[gaps, 3] = 0.25, 0.0
    losses[valid == 0] = np.nan
    return pl.DataFrame(
        {
            "grid_id": pl.Series(ids, dtype=pl.Int32),
            "risk_type": [risk] * len(ids),
            "losses": pl.Series([[None if np.isnan(each) else each for each in row] for row in losses.tolist()]),
            "valid": pl.Series([row if gap else None for row, gap in zip(valid.tolist(), gaps, strict=True)]),
        },
        schema=ROWS["year_losses"].schema,
    )


BLOCKS = [(1, 751), (751, 1400), (1400, 2001)]
CELLS = [np.arange(1, 60, 2), np.arange(760, 800, 2), np.arange(1500, 1510)]


def spooled(root: Path, run_id: int, seed=0) -> RunDirectory:
    """A finished run of 60 cells in three blocks."""
    run = RunDirectory.create(root, run_id, IDENTITY, BLOCKS)
    for number, cells in enumerate(CELLS):
        run.commit(run.store_block(number, block(cells, seed), {"cells": len(cells)}))
    return run


def spooled_part(root: Path, run_id: int, seed=0) -> RunDirectory:
    """A finished run of the first ten cells; the next one has the number at which the block ends."""
    run = RunDirectory.create(root, run_id, IDENTITY, [(1, 21)])
    run.commit(run.store_block(0, block(CELLS[0][:10], seed)))
    return run
