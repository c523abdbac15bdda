"""Sum of the losses of a site over its risks, with the notes that the sum carries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from engine.assess.rules.intervals import PARTS, of_sum
from engine.assess.rules.prepare import Prepared
from engine.assess.rules.vocabulary import RISK
from engine.assess.rules.wide import Frames, lacking, names_of, nth, nulls, ranking, sum_and_mean, wide
from engine.core.caveats import LOSS_NOTE, ONE_STORM, OVERLAP_NOTE

#: of an expected loss: the whole, what is calibrated on losses, what is not
_PARTS = ("", "_calibrated", "_uncalibrated")
_COUNTED = ("expected_loss", "final_aal", "expected_loss_low", *PARTS)


def losses(prepared: Prepared, aal: Frames | None) -> pl.DataFrame:
    """Sums of the expected loss over the risks, in money; what is calibrated on losses apart from what is not."""
    if aal is None:
        kinds: dict[str, pl.DataType] = {f"total_expected_loss{part}": pl.Int64() for part in _PARTS}
        kinds |= {f"total_expected_loss{part}_{end}": pl.Int64() for part in _PARTS for end in ("low", "high")}
        kinds |= {"risks_without_interval": pl.List(pl.String), "interval_holds_rates": pl.Boolean()}
        kinds |= {"loss_note": pl.String(), "overlap_note": pl.String(), "highest_aal_risk": RISK}
        return nulls(prepared.requests.height, kinds | {"risks_without_loss": pl.List(pl.String)})
    counted = {
        risk: frame.with_columns(pl.when(~pl.col("is_default")).then(name) for name in _COUNTED)
        for risk, frame in aal.items()
    }
    lost = wide(prepared, counted, "expected_loss")
    trusted = pl.DataFrame({risk: frame["calibrated"] for risk, frame in aal.items()})
    apart = {
        "": lost,
        "_calibrated": _where(lost, trusted),
        "_uncalibrated": _where(lost, trusted.select(~pl.all())),
    }
    sums = pl.DataFrame(
        {f"total_expected_loss{part}": _sum(frame) for part, frame in apart.items()}
        | {"storms": apart["_uncalibrated"].select(pl.sum_horizontal(pl.col(ONE_STORM).is_not_null())).to_series()}
    )
    return sums.with_columns(_intervals(prepared, counted, lost, apart, sums)).select(
        pl.exclude("storms"),
        loss_note=pl.when(pl.col("total_expected_loss_uncalibrated").is_not_null()).then(pl.lit(LOSS_NOTE)),
        overlap_note=pl.when(pl.col("storms") > 1).then(pl.lit(OVERLAP_NOTE)),
        highest_aal_risk=nth(ranking(wide(prepared, counted, "final_aal")), 0),
        risks_without_loss=lacking(prepared, lost),
    )


def _intervals(
    prepared: Prepared, counted: Frames, lost: pl.DataFrame, apart: Mapping[str, pl.DataFrame], sums: pl.DataFrame
) -> list[pl.Series]:
    """Ends of each sum, and what they do not hold."""
    sides = {name: wide(prepared, counted, name) for name in PARTS}
    known = wide(prepared, counted, "expected_loss_low").select(pl.all().is_not_null()).to_numpy()
    columns = []
    for part, of_part in apart.items():
        whole = sums[f"total_expected_loss{part}"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        kept = of_part.select(pl.all().is_not_null())
        ends = {name: sum_and_mean(_where(side, kept))[0].to_numpy() for name, side in sides.items()}
        _, low, high = of_sum(np.where((known & kept.to_numpy()).any(axis=1), whole, np.nan), ends)
        for end, values in (("low", low), ("high", high)):
            columns.append(pl.Series(f"total_expected_loss{part}_{end}", np.rint(values)).fill_nan(None).cast(pl.Int64))
    without = lost.select(pl.all().is_not_null()).to_numpy() & ~known
    columns.append(names_of(np.where(without, np.arange(without.shape[1]), -1)).alias("risks_without_interval"))
    wider = pl.DataFrame({risk: sides[PARTS[3]][risk] > lost[risk] for risk in lost.columns})
    columns.append(wider.max_horizontal().fill_null(value=False).alias("interval_holds_rates"))
    return columns


def _where(values: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    return values.select(pl.when(kept[name]).then(pl.col(name)).alias(name) for name in values.columns)


def _sum(values: pl.DataFrame) -> pl.Series:
    """Sum of each row; null where there is nothing to sum."""
    known = pl.any_horizontal(pl.all().is_not_null())
    return values.select(pl.when(known).then(pl.sum_horizontal(pl.all()))).to_series()
