"""Models of what is rare: return levels of a cell, curves of a portfolio."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from engine.service.models import Made, Period, Spoken


class ReturnLevel(BaseModel):
    """Reached or passed by a year with the probability 1 / return_period; 90 % interval from low to high."""

    return_period: float = Field(examples=[100.0])
    level: float = Field(examples=[412.3])
    low: float = Field(examples=[351.0])
    high: float = Field(examples=[498.0])


class ReturnLevels(Spoken, Made):
    """Return levels of the intensity that a risk is measured by, from the climate that the warehouse holds now.

    The samples are the years of the scenario and period; for typhoon the years of the track record.
    """

    latitude: float = Field(description="of the cell's centre")
    longitude: float
    grid_id: int
    risk_type: str
    scenario_id: int
    scenario: str = Field(examples=["SSP2-4.5"], description="of an observed record: Observed record")
    time_period: Period
    intensity: str | None = Field(examples=["rx5day"])
    unit: str | None = Field(examples=["mm"])
    meaning: str | None = Field(examples=["largest rain of five days in the year (RX5DAY)"])
    sample: str | None = Field(examples=["year"], description="year, or largest month of the year")
    lower_is_worse: bool = Field(description="levels are of the index of the bins, which falls as the hazard grows")
    years: int | None = Field(description="with a value")
    first_year: int | None = Field(description="of the samples; null for the track record")
    last_year: int | None
    method: str | None = Field(examples=["gev"], description="gev, too_few, constant, no_fit or not_exposed")
    levels: list[ReturnLevel] | None
    reason: str | None = Field(description="why there are no levels", examples=[None])
    same_climate: bool | None = Field(
        description="whether the warehouse is as the run read it that made the cell's results; null: not read"
    )


class CurvePoint(BaseModel):
    """Loss of a portfolio that a year reaches or exceeds once in so many years."""

    scenario_id: int | None = Field(description="null where the curve is of storms (oep): those of the record, today")
    time_period: Period | None
    risk_type: str = Field(description="a risk, or all", examples=["all"])
    kind: Literal["aep", "oep"] = Field(description="loss of the year as a whole, or of its largest storm")
    return_period: float = Field(examples=[100.0])
    loss: float = Field(description="money, in the currency of the country")
    loss_low: float | None = Field(
        description="90 % interval of the sampling of years alone, without damage rates and their level; null where"
        " empirical"
    )
    loss_high: float | None
    basis: Literal["empirical", "extrapolated"]
    value: float | None = Field(description="money, of the sites in it")
    loss_percent: float | None = Field(description="of that value", examples=[3.2])
    calibrated: bool | None
    loss_note: str | None


class Contribution(BaseModel):
    """What a risk or a site adds to the mean year and to the mean of the worst years, money a year."""

    scenario_id: int
    time_period: Period
    by: Literal["risk", "site"]
    risk_type: str
    row: int | None = Field(description="of a site's line in the table that was sent")
    site_id: str | None
    mean: float
    tvar_99: float = Field(description="part of the mean of the worst years, at `tvar_level`")
    tvar_level: float = Field(description="0.99, or what so few years allow: 0.95 of 20", examples=[0.95])
    loss_note: str | None


class Storm(BaseModel):
    """A storm of the record, and what it would cost the portfolio today."""

    storm_id: str
    name: str | None
    date: date
    wind_max: float = Field(description="m/s, the highest at any site")
    loss: float = Field(description="money, in the currency of the country")
    loss_note: str | None


class Tail(BaseModel):
    """Rare years of one scenario and period, as in the portfolio's summary: sentence, metrics, diversification."""

    scenario: str = Field(examples=["ssp2_4.5"])
    time_period: Period
    year_losses: dict[str, Any] | None


class Curve(BaseModel):
    """Curves of a portfolio, and where its bad years come from. With a note there is nothing else."""

    request_id: UUID
    note: str | None = Field(description="why there are no curves, such as YEAR_LOSSES=off")
    storms_note: str | None = Field(description="why there are no storms")
    tails: list[Tail]
    curve: list[CurvePoint]
    contributions: list[Contribution] = Field(description="every risk, and the 50 sites that add most to bad years")
    storms: list[Storm] = Field(description="the ten of the largest loss")
