"""Models of what is rare: return levels of a cell."""

from __future__ import annotations

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
