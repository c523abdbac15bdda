"""Sum of the losses of a site over its risks, with the notes that the sum carries."""

from __future__ import annotations

import polars as pl

from engine.assess.rules.prepare import Prepared
from engine.assess.rules.vocabulary import RISK
from engine.assess.rules.wide import Frames, lacking, nth, nulls, ranking, wide
from engine.core.caveats import LOSS_NOTE, ONE_STORM, OVERLAP_NOTE

#: of an expected loss: the whole, what is calibrated on losses, what is not
_PARTS = ("", "_calibrated", "_uncalibrated")


def losses(prepared: Prepared, aal: Frames | None) -> pl.DataFrame:
    """Sums of the expected loss over the risks, KRW; what is calibrated on losses apart from what is not."""
    if aal is None:
        kinds: dict[str, pl.DataType] = {f"total_expected_loss{part}": pl.Int64() for part in _PARTS}
        kinds |= {"loss_note": pl.String(), "overlap_note": pl.String(), "highest_aal_risk": RISK}
        return nulls(prepared.requests.height, kinds | {"risks_without_loss": pl.List(pl.String)})
    counted = {
        risk: frame.with_columns(pl.when(~pl.col("is_default")).then(name) for name in ("expected_loss", "final_aal"))
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
    return sums.select(
        pl.exclude("storms"),
        loss_note=pl.when(pl.col("total_expected_loss_uncalibrated").is_not_null()).then(pl.lit(LOSS_NOTE)),
        overlap_note=pl.when(pl.col("storms") > 1).then(pl.lit(OVERLAP_NOTE)),
        highest_aal_risk=nth(ranking(wide(prepared, counted, "final_aal")), 0),
        risks_without_loss=lacking(prepared, lost),
    )


def _where(values: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    return values.select(pl.when(kept[name]).then(pl.col(name)).alias(name) for name in values.columns)


def _sum(values: pl.DataFrame) -> pl.Series:
    """Sum of each row; null where there is nothing to sum."""
    known = pl.any_horizontal(pl.all().is_not_null())
    return values.select(pl.when(known).then(pl.sum_horizontal(pl.all()))).to_series()
