"""Finished runs of made-up climate models, for the tests of ensembles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from engine.core.rows import ROWS
from engine.io.results.spool import RunDirectory
from tests.io.frames import PAIRS

#: two blocks
CELLS = [np.arange(1, 4), np.arange(4, 6)]
RISKS = ("extreme_heat", "typhoon")


def identity(number: int, risks=RISKS, pairs=PAIRS, **changed) -> dict[str, object]:
    return {
        **{"job_type": "yearly", "scope": "full", "edition": "2025-11", "baseline": "1991-2020", "axis": "2021-2100"},
        **{"source_fingerprint": f"{number:064x}", "edition_checksum": "b" * 64},
        **{"edition_checksums": {risk: f"{risk:b<64}" for risk in risks}},
        **{"pairs": [f"{scenario}:{period}" for scenario, period in pairs]},
        **{"probability": list(risks), "hazard": {}},
    } | changed


def rows(cells, risks, pairs, figures) -> pl.DataFrame:
    """figures: (risk, scenario, period) -> (aal, aal_se), numbers or (cells,) arrays; NaN: too few data"""
    frames = []
    for risk in risks:
        for scenario, period in pairs:
            aal, error = (
                np.broadcast_to(np.asarray(each, np.float32), len(cells)) for each in figures(risk, scenario, period)
            )
            known = ~np.isnan(aal)
            frame = pl.DataFrame(
                {
                    "grid_id": pl.Series(cells, dtype=pl.Int32),
                    "latitude": 33.0 + np.asarray(cells) * 0.01,
                    "longitude": 124.5,
                    "risk_type": risk,
                    "scenario_id": scenario,
                    "time_period": period,
                    "aal": pl.Series(aal).fill_nan(None),
                    "aal_se": pl.Series(error).fill_nan(None),
                    "n_samples": 20,
                    "method": np.where(known, "kde", "insufficient_data"),
                    "bin_probs": [[1.0] if each else None for each in known],
                }
            )
            lacking = {name: pl.lit(None) for name in ROWS["probability"].schema if name not in frame.columns}
            schema = ROWS["probability"].schema
            frames.append(frame.with_columns(**lacking).select(schema.names()).cast(dict(schema)))
    return pl.concat(frames)


def member(root: Path, number: int, figures=None, *, cells=CELLS, risks=RISKS, pairs=PAIRS, **changed) -> RunDirectory:
    """A finished run. figures: see `rows`, told the cells first; None: drawn by the number"""

    def drawn(ids, risk, scenario, period):
        rng = np.random.default_rng([number, int(ids[0]), len(risk), scenario, len(period)])
        return rng.uniform(0.001, 0.1, len(ids)), rng.uniform(1e-4, 1e-2, len(ids))

    made = figures or drawn
    ends = [*(int(block[0]) for block in cells[1:]), int(cells[-1][-1]) + 1]
    blocks = list(zip((int(block[0]) for block in cells), ends, strict=True))
    run = RunDirectory.create(root, number, identity(number, risks, pairs, **changed), blocks)
    for place, ids in enumerate(cells):
        frame = rows(ids, risks, pairs, lambda *key, ids=ids: made(ids, *key))
        run.commit(run.store_block(place, {"probability": frame}, {"cells": len(ids)}))
    run.settle({"probability": list(risks), "hazard": []})
    return run
