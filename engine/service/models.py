"""Bodies of requests and answers, for checking what goes out and for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, Field, PlainSerializer

from engine.core import levels, refusals
from engine.core.names import ALIASES, RISK_NAMES
from engine.core.scenario import DEFAULT_SCENARIO, OBSERVED_NAME, ScenarioNames, label
from engine.service.problems import InvalidError, fault

#: the risks, and the older names that are accepted on input
if TYPE_CHECKING:
    RiskName = str
else:
    RiskName = Literal[(*RISK_NAMES, *ALIASES)]
Period = Literal["short_term", "mid_term", "long_term", "full"]
Window = Literal["short_term", "mid_term", "long_term"]
ScenarioId = Annotated[int, Query(ge=1, le=4, description="1 SSP1-2.6, 2 SSP2-4.5, 3 SSP3-7.0, 4 SSP5-8.5")]
Latitude = Annotated[float, Query(ge=-90, le=90, allow_inf_nan=False, examples=[37.5665])]
Longitude = Annotated[float, Query(ge=-180, le=180, allow_inf_nan=False, examples=[126.978])]
PathLatitude = Annotated[float, Path(ge=-90, le=90, allow_inf_nan=False, examples=[37.5665])]
PathLongitude = Annotated[float, Path(ge=-180, le=180, allow_inf_nan=False, examples=[126.978])]
Limit = Annotated[int, Query(ge=1, le=100, description="of a page")]
Offset = Annotated[int, Query(ge=0, le=1_000_000, description="how many to leave out, of the newest")]
SiteId = Query(max_length=100, description="an asset's own id, or its UUID")
Stamp = Annotated[
    datetime,
    PlainSerializer(lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"), return_type=str),
]
PORTFOLIO_RESULTS = "/api/v1/risk-assessment/portfolio/{request_id}/results"
Status = Literal["queued", "running", "completed", "failed", "cancelled"]


def require_text(text: str | None, name: str = "site_id") -> None:
    """Refuse text of a query that a database cannot hold.

    raises : InvalidError
    """
    if text is not None and "\0" in text:
        raise InvalidError([fault(["query", name], f"Invalid character in {name}", text.replace("\0", ""))])


def scenario_name(scenario: int, scope: str | None, names: ScenarioNames) -> str:
    """A scenario as it is shown; an observed record stands under the number of one, and is none.

    names : of the published scenarios
    """
    return OBSERVED_NAME if scope == "observed" and not names else label(scenario, names)


def period_of(scenario: int, period: Period | None) -> Period:
    """What is meant when no period is said: the whole axis where it exists, else the middle window.

    raises : InvalidError for the whole axis of a scenario that has none
    """
    if period is None:
        return "full" if scenario == DEFAULT_SCENARIO else "mid_term"
    if period == "full" and scenario != DEFAULT_SCENARIO:
        raise InvalidError([fault(["query", "time_period"], refusals.LONE_FULL, period)])
    return period


class Bin(BaseModel):
    """One damage bin. range: in the intensity's unit; base_damage_rate: share of value, 0 to 1; null for a
    risk that its edition does not price."""

    bin: int = Field(examples=[1])
    range: str = Field(examples=["0~3"])
    probability: float = Field(examples=[0.81])
    base_damage_rate: float | None = Field(examples=[0.001])


class LossStep(BaseModel):
    """Probability that the loss of a sample reaches a damage rate, share of value."""

    damage_rate: float = Field(examples=[0.01])
    probability: float = Field(ge=0, le=1, examples=[0.05])


class Spoken(BaseModel):
    """The cell that speaks for a place: it holds it, or is the nearest with results, up to a cell's diagonal away."""

    cell_basis: Literal["own", "nearest"]
    cell_distance_m: float = Field(ge=0, description="from the place to the cell's centre", examples=[430.0])


class RunOfRows(BaseModel):
    """A run that made rows of the answer."""

    run_id: int
    edition: str = Field(examples=["2025-12"])
    scope: str = Field(description="full, sample:N, synthetic or observed")
    baseline: str
    published_at: Stamp | None


class Made(BaseModel):
    """What the figures are of: the runs whose rows were read, and the weakest of their scopes."""

    scope: str | None = Field(description="full, sample:N, synthetic or observed; null: no run is recorded")
    scope_note: str | None = Field(description="what the figures carry wherever they show; null for full")
    runs: list[RunOfRows]


class Words(BaseModel):
    """One sentence in two languages, to be shown as it is."""

    en: str = Field(examples=["1.4 % of value a year (90 %: 0.9 to 2.3; sampling of 20 years on one model)"])
    ko: str = Field(examples=["연간 자산가액의 1.4 % (90 % 구간: 0.9~2.3, 기후모형 하나의 20년 표본)"])


class CellProbability(BaseModel):
    """Bin probabilities and loss of one cell. aal: ratio, null where there were too few data, or the risk
    is not priced (`method`)."""

    latitude: float = Field(description="of the cell's centre")
    longitude: float
    grid_id: int
    risk_type: str
    scenario_id: int
    time_period: Period
    aal: float | None = Field(examples=[0.0025])
    aal_se: float | None = Field(description="standard error of aal", examples=[0.0004])
    aal_low: float | None = Field(None, description="lower end of its 90 % interval; null where it cannot be told")
    aal_high: float | None = Field(None, description="upper end")
    rates_low: float | None = Field(None, description="by damage rates and level alone; null: no edition states them")
    rates_high: float | None = None
    words: Words | None = Field(description="aal with its interval and what that holds; null without aal")
    bin_data: list[Bin] | None
    loss_steps: list[LossStep] | None = Field(description="of bin_data; null without bins or damage rates")
    n_samples: int
    method: str = Field(examples=["kde"])
    calculated_at: Stamp


class Ensemble(BaseModel):
    """The AAL over climate models, of the same cell, risk, scenario and period. Figures are null where a member has
    none."""

    run_id: int = Field(description="of the ensemble")
    edition: str
    scope: str
    published_at: Stamp
    member_runs: list[int] = Field(description="numbers of the runs that it was made of")
    members: int = Field(description="those of them with an AAL here")
    aal_mean: float | None = Field(examples=[0.0025])
    aal_sd_between: float | None = Field(description="standard deviation between the members")
    aal_p10: float | None = Field(description="10th percentile; of fewer than 10 members the least")
    aal_p50: float | None
    aal_p90: float | None = Field(description="90th percentile; of fewer than 10 members the largest")
    total_se: float | None = Field(description="standard error of models and sampling")
    total_low: float | None = Field(
        description="lower end of the 90 % interval by total_se, Student's with members - 1"
    )
    total_high: float | None
    agreement: float | None = Field(
        description="share of members that agree on the sign of the change against the short term; null for that and"
        " for full"
    )
    models_disagree: bool | None = Field(description="fewer than 80 % agree (IPCC AR6)")
    sentence: str | None = Field(
        examples=["1.4 % of value a year (90 %: 0.9 to 2.3; 5 climate models and the sampling of each)"]
    )
    words: Words | None = Field(description="the sentence in two languages")


class Probability(CellProbability, Spoken, Made):
    """The same for a place."""

    ensemble: Ensemble | None = Field(None, description="null where no ensemble is published")


class CellHazard(BaseModel):
    """Hazard score of one cell. percentile: among all cells, of a window of years only."""

    latitude: float
    longitude: float
    grid_id: int
    risk_type: str
    scenario_id: int
    time_period: Period
    hazard_score: float = Field(ge=0, le=1, examples=[0.62])
    hazard_score_100: float = Field(ge=0, le=100, examples=[62.0])
    hazard_level: str = Field(json_schema_extra={"enum": [*levels.HAZARD]})
    percentile: float | None = None
    calculated_at: Stamp


class Hazard(CellHazard, Spoken, Made):
    """The same for a place."""


class CellWindow(BaseModel):
    """One scenario and window of years."""

    scenario_id: int
    scenario: str = Field(examples=["SSP2-4.5"])
    time_period: Window
    aal: float | None
    aal_se: float | None
    aal_low: float | None = None
    aal_high: float | None = None
    rates_low: float | None = None
    rates_high: float | None = None
    change: float | None = Field(None, description="aal less that of the short term; null for the short term itself")
    change_se: float | None = None
    change_words: Words | None = Field(description="the change with its interval; null without one")
    significant: bool | None = Field(None, description="the change is more than 1.645 standard errors")
    hazard_score: float | None
    percentile: float | None


class CellRisk(BaseModel):
    """What is known of one risk in a cell: SSP2-4.5 over the whole axis, and every scenario and window."""

    probability: CellProbability | None
    hazard: CellHazard | None
    windows: list[CellWindow]


class Cell(Spoken, Made):
    """Everything that is published for the cell of a place."""

    latitude: float
    longitude: float
    grid_id: int
    risks: dict[str, CellRisk]


class Accepted(BaseModel):
    """A queued assessment."""

    request_id: UUID
    status: Literal["queued"]
    websocket_url: str = Field(examples=["ws://localhost:8001/api/v1/risk-assessment/ws/7a0c..."])


class AcceptedPortfolio(BaseModel):
    """A queued portfolio. accepted, invalid : rows"""

    request_id: UUID
    accepted: int
    invalid: int
    websocket_url: str


class AcceptedBatch(BaseModel):
    """The older answer to a queued assessment."""

    batch_id: UUID
    status: Literal["queued"]
    message: Literal["Risk calculation started"]


class JobStatus(BaseModel):
    """How far an assessment is."""

    request_id: UUID
    status: Status
    progress: int = Field(ge=0, le=100)
    current_step: str | None = Field(examples=["Calculating E for extreme_heat"])


class BatchStatus(BaseModel):
    """The older view of a job, with its results."""

    batch_id: UUID
    status: Status
    progress: int = Field(ge=0, le=100)
    results: dict[str, Any] | None
    error_message: str | None
    created_at: Stamp
    completed_at: Stamp | None


def outward(batch_id: UUID, results: Mapping[str, Any] | None, prefix: str) -> Mapping[str, Any] | None:
    """Results of a job for a client: where a portfolio's tables are is an address, not a folder of the server's.

    prefix : path below which the service is seen
    """
    if results is None or "location" not in results:
        return results
    return {**results, "location": prefix + PORTFOLIO_RESULTS.format(request_id=batch_id)}


class Asset(BaseModel):
    """One of the assets at a coordinate. site_id: the caller's own id; site_uuid: ours"""

    site_id: str | None
    site_uuid: UUID
    calculated_at: Stamp


class SiteResults(Made):
    """Newest stored results of one asset at a coordinate; of the AAL those of SSP2-4.5, each with the run of its base.
    others: assets there beside it, the newest first"""

    site_id: str | None
    site_uuid: UUID
    latitude: float
    longitude: float
    others: list[Asset]
    exposure: dict[str, dict[str, Any]]
    vulnerability: dict[str, dict[str, Any]]
    aal_scaled: dict[str, dict[str, Any]]
    summary: dict[str, Any]
    calculated_at: Stamp


class Message(BaseModel):
    """One sentence."""

    message: str


class Health(BaseModel):
    """The process answers."""

    status: Literal["healthy"]
    timestamp: Stamp


class DatabaseHealth(BaseModel):
    """The database answers."""

    status: Literal["healthy"]
    database: Literal["connected"]
    timestamp: Stamp


class DatabaseSick(BaseModel):
    """The database does not answer."""

    status: Literal["unhealthy"]
    database: Literal["disconnected"]
    error: str


class Ready(BaseModel):
    """Whether there is something to serve. rows: as counted when the tables were last loaded."""

    status: Literal["ready", "not ready"]
    rows: dict[str, int]
    calculated_at: Stamp | None = Field(description="publication of the newest run")
    spatial_layers: list[str] | None = Field(description="layers for site assessments; null: the warehouse is away")
    schedule_faults: str | None = Field(description="what the next scheduled run would meet; null: nothing known")


class Service(BaseModel):
    """The aliases of the health checks."""

    status: Literal["ok"]
    service: str
    version: str
