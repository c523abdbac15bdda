"""Kinds of rows that a run makes of each block: their columns, and the half of a run that makes them.

A further kind is one entry of `ROWS`, and in `engine.io.results.result_tables` the table that is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

#: jobs that compute a run from climate, which a schedule or a trigger may start
BatchType = Literal["probability", "hazard", "yearly"]
#: jobs that publish a run
JobType = Literal["probability", "hazard", "yearly", "ensemble"]
#: the halves of a run, each with a job of its own, and what is made of several runs
PROBABILITY, HAZARD, ENSEMBLE = "probability", "hazard", "ensemble"
#: job -> halves of a run that it computes
HALVES: Mapping[JobType, tuple[str, ...]] = {
    "probability": (PROBABILITY,),
    "hazard": (HAZARD,),
    "yearly": (PROBABILITY, HAZARD),
    "ensemble": (ENSEMBLE,),
}
#: one row of most kinds for each of these
KEY = ("grid_id", "risk_type", "scenario_id", "time_period")


@dataclass(frozen=True, slots=True)
class RowKind:
    """Rows of one kind, as a block's frame holds them.

    half     : that makes them
    nullable : columns that may be null
    key      : columns of which no two rows have the same values
    """

    half: str
    schema: pl.Schema
    nullable: frozenset[str] = frozenset()
    key: tuple[str, ...] = KEY


_KEYS = {
    "grid_id": pl.Int32(),
    "latitude": pl.Float64(),
    "longitude": pl.Float64(),
    "risk_type": pl.String(),
    "scenario_id": pl.Int16(),
    "time_period": pl.String(),
}
#: figures of a row of an ensemble, null where a member has no AAL
ENSEMBLE_FIGURES = ("aal_mean", "aal_sd_between", "aal_p10", "aal_p50", "aal_p90", "total_se", "agreement")
#: kind -> its rows; hazard scores stay unrounded, since ranks need it
ROWS: Mapping[str, RowKind] = {
    "probability": RowKind(
        PROBABILITY,
        pl.Schema(
            {
                **_KEYS,
                "aal": pl.Float32(),
                "aal_se": pl.Float32(),
                "aal_low": pl.Float32(),
                "aal_high": pl.Float32(),
                "rates_low": pl.Float32(),
                "rates_high": pl.Float32(),
                "change": pl.Float32(),
                "change_se": pl.Float32(),
                "significant": pl.Boolean(),
                "bin_probs": pl.List(pl.Float32()),
                "edges": pl.List(pl.Float64()),
                "n_samples": pl.Int16(),
                "method": pl.String(),
            }
        ),
        frozenset(
            {"aal", "aal_se", "aal_low", "aal_high", "rates_low", "rates_high", "change", "change_se", "significant"}
            | {"bin_probs", "edges"}
        ),
    ),
    # a row a cell and risk: the years of one (scenario, period) pair of the plan after the other
    "year_losses": RowKind(
        PROBABILITY,
        pl.Schema(
            {
                "grid_id": pl.Int32(),
                "risk_type": pl.String(),
                "losses": pl.List(pl.Float32()),
                "valid": pl.List(pl.Float32()),
            }
        ),
        frozenset({"valid"}),
        ("grid_id", "risk_type"),
    ),
    "hazard": RowKind(HAZARD, pl.Schema({**_KEYS, "hazard_score": pl.Float32()})),
    "ensemble": RowKind(
        ENSEMBLE,
        pl.Schema(
            {
                **{name: kind for name, kind in _KEYS.items() if name not in ("latitude", "longitude")},
                "members": pl.Int16(),
                **dict.fromkeys(ENSEMBLE_FIGURES, pl.Float32()),
            }
        ),
        frozenset(ENSEMBLE_FIGURES),
    ),
}
#: those that a run computes of climate
BLOCK_ROWS: Mapping[str, RowKind] = {kind: row for kind, row in ROWS.items() if row.half in HALVES["yearly"]}
