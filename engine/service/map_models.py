"""Models of the map's answers: place, layers, legends, lines."""

from __future__ import annotations

from pydantic import BaseModel, Field

from engine.service.models import Period, Stamp, Words


class MapScenario(BaseModel):
    """A scenario as it is listed."""

    scenario_id: int
    name: str


class MapPeriod(BaseModel):
    """A window of years of the run, both included; `full` exists for scenario 2 only."""

    name: Period
    first: int
    last: int


class MapScale(BaseModel):
    """A legend, the lowest class first."""

    unit: str
    labels: list[str]
    breaks: list[float] = Field(description="inner limits of the classes: of AAL and change in %, of a score 0 to 100")
    colours: list[str] = Field(examples=[["#fde725", "#21918c", "#440154"]])


class MapMeasure(BaseModel):
    """The hazard intensity whose values fall in the bins."""

    intensity: str = Field(examples=["wsdi"])
    unit: str = Field(examples=["days/year"])


class MapLayers(BaseModel):
    """Scenarios (by id) of which there is a layer of a risk, by period. Any two windows of `aal` have a layer of
    differences, likewise of `hazard`; `full` has none."""

    aal: dict[Period, list[int]] = Field(examples=[{"full": [2], "mid_term": [1, 2, 3, 4]}])
    hazard: dict[Period, list[int]]
    change: dict[Period, list[int]] = Field(description="of the AAL against the short term")
    interval: dict[Period, list[int]] = Field(description="90 % intervals of the AAL")


class MapLevel(BaseModel):
    """A level of a score of 0 to 100 and its three spellings."""

    lower: float
    printed: str = Field(examples=["moderate"])
    hazard: str = Field(examples=["MEDIUM"])
    older: str = Field(examples=["medium"])


class MapFactor(BaseModel):
    """Factor on all damage rates of a risk, with its 90 % band."""

    value: float
    low: float
    high: float
    source: str


class MapRates(BaseModel):
    """Whether the edition prices a risk, and what its damage rates stand on."""

    priced: bool
    calibrated: bool
    level: str | None = Field(description="recorded losses that they are calibrated on", examples=["insured_houses"])
    factor: MapFactor | None


class Map(BaseModel):
    """Place, layers and legends of the map. west to north: outer edges of the picture, degrees; west is
    less than east, which lies beyond 180 where the lattice crosses the date line.
    """

    run_id: int
    edition: str
    own_edition: str | None = Field(description="checksum of a user's own edition; null of a published one")
    edition_words: Words = Field(description="what a figure of the edition is, and how wide")
    scope: str = Field(description="full, sample:N, synthetic or observed")
    baseline: str
    published_at: Stamp
    west: float
    east: float
    south: float
    north: float
    step: float
    apart: bool = Field(description="the cells are places of a list, such as stations, and no area: drawn as points")
    figures_of: str | None = Field(
        description="scenario or record, and years, of the run's summary", examples=["SSP2-4.5 2021-2100"]
    )
    risks: list[str] = Field(description="those of which there is a layer")
    absent: dict[str, str] = Field(
        description="the others, and why", examples=[{"typhoon": "missing typhoon_best_track"}]
    )
    layers: dict[str, MapLayers]
    notes: dict[str, str] = Field(description="by risk: what its AAL must not be read for")
    note_words: dict[str, Words] = Field(description="notes in two languages")
    uncalibrated: list[str] = Field(description="risks whose damage rates are not calibrated on losses")
    not_priced: list[str] = Field(description="risks without damage rates in their edition: no AAL, probabilities only")
    damage_rates: dict[str, MapRates] = Field(description="by risk, as the run says whose rows are published")
    hatched: str = Field(description="what lines across cells of a layer of changes say")
    hatched_words: Words
    year_losses_note: str | None = Field(description="why there are no curves of losses; null: the run kept years")
    loss_note: str = Field(description="what a loss of such a risk carries")
    levels: list[MapLevel]
    scenarios: list[MapScenario]
    periods: list[MapPeriod]
    aal_years: dict[str, dict[Period, str]] = Field(
        description="by risk that follows a trend: what the AAL of a period is of",
        examples=[{"river_flood": {"short_term": "2030", "full": "2021-2100"}}],
    )
    scales: dict[str, MapScale]
    no_value: str
    hatch: str = Field(description="colour of lines across cells")
    measures: dict[str, MapMeasure] = Field(description="by risk; empty for an edition that is not a published one")


class Borders(BaseModel):
    """Strokes of (longitude, latitude). land: rings to be filled by the rule of even and odd"""

    coastline: list[list[list[float]]]
    provinces: list[list[list[float]]]
    land: list[list[list[float]]]
