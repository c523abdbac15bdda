"""National percentiles of hazard scores."""

from __future__ import annotations

import polars as pl


def with_percentiles(scores: pl.DataFrame) -> pl.DataFrame:
    """Append `percentile` = 100 (r - 0.5) / N: r is the rank (1..N, ties share the mean) among the N scored cells.

    scores  : one risk's scored cells of the whole grid: `scenario_id`, `time_period`, `hazard_score`
              unrounded (rounding first would tie cells that differ)
    returns : the frame with `percentile` float64 in (0, 100), unrounded; each scenario and period is ranked by itself
    """
    rank = pl.col("hazard_score").rank("average")
    return scores.with_columns(
        percentile=(100.0 * (rank - 0.5) / pl.len()).over("scenario_id", "time_period"),
    )
