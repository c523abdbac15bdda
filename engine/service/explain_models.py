"""Models of an explained figure. Its parts are the records of `engine.batch.explanation`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from engine.batch import explanation
from engine.service.models import Bin, Made, Period, Spoken, Stamp


class StoredFigure(BaseModel):
    """The published figure: single precision, told with seven digits. agrees: it is the recomputed one."""

    aal: float | None
    aal_se: float | None
    aal_low: float | None
    aal_high: float | None
    n_samples: int
    method: str
    bin_data: list[Bin] | None
    calculated_at: Stamp
    agrees: bool


class SiteExposure(BaseModel):
    """Stored exposure of the asset to the risk, 0 to 1: proximity times normalized asset value."""

    exposure_score: float | None
    proximity_factor: float | None
    normalized_asset_value: float | None
    status: str
    reason: str | None


class SiteVulnerability(BaseModel):
    """Stored vulnerability of the asset to the risk, 0 to 100, with its factors."""

    vulnerability_score: float | None
    vulnerability_level: str | None
    factors: Any
    status: str
    reason: str | None


class SiteLoss(BaseModel):
    """Stored loss of the asset. base_aal: of the cell, by the run run_id; insurance_rate: insured share."""

    base_aal: float | None
    vulnerability_scale: float | None
    insurance_rate: float | None
    final_aal: float | None
    expected_loss: int | None = Field(description="a year, in the currency of the country")
    aal_capped: bool | None
    calibrated: bool | None
    run_id: int | None
    status: str
    reason: str | None
    calculated_at: Stamp


class ExplainedSite(BaseModel):
    """What makes the scaled AAL and the money of an asset. Null: not stored for this risk, scenario and period."""

    site_id: str | None = Field(description="the caller's own id")
    site_uuid: UUID
    sentence: str
    exposure: SiteExposure | None
    vulnerability: SiteVulnerability | None
    loss: SiteLoss | None
    same_run: bool | None = Field(description="the loss is of the run whose figure is explained; null without a loss")


class Explained(Spoken, Made):
    """A figure with everything that it is made of: docs/explain.md."""

    latitude: float = Field(description="of the cell's centre")
    longitude: float
    grid_id: int
    risk_type: str
    scenario_id: int
    scenario: str
    time_period: Period
    status: str = Field(description="ok, not_exposed, not_priced or insufficient_data")
    sentence: str
    window: explanation.Span
    baseline: explanation.Span
    inputs: list[explanation.InputSeries]
    intensity: explanation.IntensityTold
    samples: explanation.SampleSeries
    edges: explanation.EdgesTold
    estimator: explanation.EstimatorTold
    rates: explanation.RatesTold
    bins: list[explanation.BinTold]
    figure: explanation.FigureTold
    stored: StoredFigure
    hazard: explanation.HazardTold | None
    edition: explanation.EditionTold
    source: explanation.SourceTold
    site: ExplainedSite | None
