"""Tables of losses in the open results data layout (ORD) of Oasis, so that others' tools read them.

ORD calls a table of moments MPLT (by period) and MELT (by event), the mean of the periods PALT, an exceedance curve
EPT. A period is one year of a risk, or for all risks one pair of a model and a track year; its weight is its share of
all periods. A loss is an expectation given the year's weather and no sample, so `SampleType` is 1 (analytical), the
spread is 0 and the largest loss the exposure.

Source: OasisLMF OpenDataStandards, Open Results Data; the columns are those that `pltpy`, `eltpy`, `aalpy` and `lecpy`
of oasislmf write, which leave out numbers of locations and the two parts of the spread. Version 2 of ORD names method
and kind of a curve in words: EPCalc 1 is its EPMethod A_MEAN, EPType 1 OEP, 3 AEP.
"""

from __future__ import annotations

import polars as pl

from engine.losses.table import ALL, YEARS

ANALYTICAL = 1

MPLT = pl.Schema(
    {
        "Period": pl.Int32(),
        "PeriodWeight": pl.Float32(),
        "EventId": pl.Int32(),
        "Year": pl.Int32(),
        "Month": pl.Int32(),
        "Day": pl.Int32(),
        "Hour": pl.Int32(),
        "Minute": pl.Int32(),
        "SummaryId": pl.Int32(),
        "SampleType": pl.Int32(),
        "ChanceOfLoss": pl.Float32(),
        "MeanLoss": pl.Float64(),
        "SDLoss": pl.Float64(),
        "MaxLoss": pl.Float64(),
        "FootprintExposure": pl.Float64(),
        "MeanImpactedExposure": pl.Float64(),
        "MaxImpactedExposure": pl.Float64(),
    }
)
MELT = pl.Schema(
    {
        "EventId": pl.Int32(),
        "SummaryId": pl.Int32(),
        "SampleType": pl.Int32(),
        "EventRate": pl.Float64(),
        "ChanceOfLoss": pl.Float32(),
        "MeanLoss": pl.Float64(),
        "SDLoss": pl.Float64(),
        "MaxLoss": pl.Float64(),
        "FootprintExposure": pl.Float64(),
        "MeanImpactedExposure": pl.Float64(),
        "MaxImpactedExposure": pl.Float64(),
    }
)
PALT = pl.Schema({"SummaryId": pl.Int32(), "SampleType": pl.Int32(), "MeanLoss": pl.Float64(), "SDLoss": pl.Float64()})
EPT = pl.Schema(
    {
        "SummaryId": pl.Int32(),
        "EPCalc": pl.Int32(),
        "EPType": pl.Int32(),
        "ReturnPeriod": pl.Float64(),
        "Loss": pl.Float64(),
    }
)
#: kind of a curve -> EPType
_KINDS = {"oep": 1, "aep": 3}


def period_loss_table(years: pl.DataFrame, value: float, *, risk_type: str = ALL, summary_id: int = 1) -> pl.DataFrame:
    """Year losses of one scenario and period as an ORD period loss table.

    years   : of `year_losses`, one scenario and period
    value   : of the portfolio, money
    returns : columns of MPLT, a row a period from 1 on; Month and Day are 1: a year has no date
    raises  : ValueError when there are several scenarios or periods, or no row of the risk
    """
    if years.select("scenario_id", "time_period").n_unique() > 1:
        raise ValueError("a period loss table is of one scenario and period: filter the year losses first")
    rows = years.filter(pl.col("risk_type") == risk_type).select(list(YEARS))
    if rows.is_empty():
        raise ValueError(f"the year losses have no row of {risk_type}")
    number = pl.int_range(1, rows.height + 1)
    return _ordered(
        rows.select(
            "loss", Period=number, PeriodWeight=pl.lit(1.0 / rows.height), EventId=number,
            Year=pl.coalesce("year", "track_year"), Month=1, Day=1, Hour=0, Minute=0,
        ),
        value, summary_id, MPLT,
    )  # fmt: skip


def average_loss_table(periods: pl.DataFrame) -> pl.DataFrame:
    """Mean loss of the periods of each summary, and how much single periods differ from it.

    periods : of `period_loss_table`, of one summary or several
    returns : columns of PALT, a row a summary; SDLoss is the standard deviation over the periods, 0 of a single one
    """
    weight = pl.col("PeriodWeight").cast(pl.Float64)
    mean = (pl.col("MeanLoss") * weight).sum() / weight.sum()
    found = periods.group_by("SummaryId", maintain_order=True).agg(
        SampleType=pl.lit(ANALYTICAL).first(), mean=mean, SDLoss=pl.col("MeanLoss").std(ddof=1).fill_null(0.0)
    )
    return found.rename({"mean": "MeanLoss"}).select(pl.col(name).cast(kind) for name, kind in PALT.items())


def exceedance_table(curve: pl.DataFrame, *, summary_id: int = 1) -> pl.DataFrame:
    """Exceedance curve of one scenario, period and risk as an ORD exceedance probability table.

    curve   : of `exceedance_curve`, filtered: `kind`, `return_period`, `loss`
    returns : columns of EPT, the rarest loss first; EPCalc is 1, a curve of mean losses
    raises  : ValueError for a kind of curve that ORD does not have
    """
    if strange := set(curve["kind"]) - set(_KINDS):
        raise ValueError(f"ORD has no exceedance curve of kind {sorted(strange)[0]}")
    rows = curve.sort("return_period", descending=True).select(
        SummaryId=pl.lit(summary_id),
        EPCalc=pl.lit(ANALYTICAL),
        EPType=pl.col("kind").replace_strict(_KINDS, return_dtype=pl.Int32),
        ReturnPeriod="return_period",
        Loss="loss",
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in EPT.items())


def event_loss_table(storms: pl.DataFrame, value: float, years: int, *, summary_id: int = 1) -> pl.DataFrame:
    """Losses by storm as an ORD event loss table.

    storms  : of `storm_losses`; event n is its n-th row
    value   : of the portfolio, money
    years   : number of years that the track record covers: each storm has the rate 1 / years
    returns : columns of MELT
    raises  : ValueError when there is no year
    """
    if years < 1:
        raise ValueError(f"a track record covers at least one year, got {years}")
    rows = storms.select("loss", EventId=pl.int_range(1, storms.height + 1), EventRate=pl.lit(1.0 / years))
    return _ordered(rows, value, summary_id, MELT)


def _ordered(rows: pl.DataFrame, value: float, summary_id: int, schema: pl.Schema) -> pl.DataFrame:
    """What both tables say of a loss, columns in order."""
    exposed = pl.when(pl.col("loss") > 0).then(value).otherwise(0.0)
    whole = rows.with_columns(
        SummaryId=pl.lit(summary_id), SampleType=pl.lit(ANALYTICAL), MeanLoss="loss", SDLoss=0.0,
        ChanceOfLoss=(pl.col("loss") > 0).cast(pl.Float32), MaxLoss=exposed, FootprintExposure=exposed,
        MeanImpactedExposure=exposed, MaxImpactedExposure=exposed,
    )  # fmt: skip
    return whole.select(pl.col(name).cast(kind) for name, kind in schema.items())
