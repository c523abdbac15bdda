"""Models of what-ifs, of the same building elsewhere, and of comparisons. Money as of the country, losses a year."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from engine.service.models import Period, Words

Note = dict[str, str]


class Runs(BaseModel):
    """What figures are of."""

    scope: str | None
    scope_note: str | None
    runs: list[dict[str, Any]]


class RiskLoss(BaseModel):
    """Sum of the losses by one risk."""

    expected_loss: int | None
    expected_loss_low: int | None
    expected_loss_high: int | None
    sites: int
    sites_left_out: int
    calibrated: bool
    loss_note: str | None
    level: str | None


class Sums(BaseModel):
    """Sums over sites and risks, as `portfolio.json` states them."""

    total_expected_loss: int | None
    total_expected_loss_low: int | None
    total_expected_loss_high: int | None
    total_expected_loss_calibrated: int | None
    total_expected_loss_calibrated_low: int | None
    total_expected_loss_calibrated_high: int | None
    total_expected_loss_uncalibrated: int | None
    total_expected_loss_uncalibrated_low: int | None
    total_expected_loss_uncalibrated_high: int | None
    loss_note: str | None
    loss_words: Words | None
    interval_note: str | None
    overlap_note: str | None
    sites_in_total: int
    sites_left_out: int
    total_asset_value: int | None
    expected_loss_ratio: float | None
    mean_risk_index: float | None


class SumsByRisk(Sums):
    """The same with each risk."""

    expected_loss_by_risk: dict[str, RiskLoss]


class Saving(BaseModel):
    """Loss before less loss after, with its 90 % interval."""

    saving: int | None
    saving_low: int | None
    saving_high: int | None


class Savings(Saving):
    """In all, of calibrated losses and of others, and by risk."""

    saving_calibrated: int | None
    saving_calibrated_low: int | None
    saving_calibrated_high: int | None
    saving_uncalibrated: int | None
    saving_uncalibrated_low: int | None
    saving_uncalibrated_high: int | None
    by_risk: dict[str, Saving]


class Appraisal(BaseModel):
    """Cost and benefit over the horizon `years`; None where there is no such figure, as a pay-back that never comes."""

    cost: float
    upkeep: float = Field(description="a year")
    discount_rate: float
    years: int
    net_saving: float = Field(description="a year, less upkeep")
    simple_payback_years: float | None
    discounted_payback_years: float | None
    benefit_cost_ratio: float | None
    benefit_cost_ratio_low: float | None
    benefit_cost_ratio_high: float | None
    net_present_value: float | None
    net_present_value_low: float | None
    net_present_value_high: float | None


class WhatIfCurve(BaseModel):
    """Loss of all risks by return period; told: the point that a sentence names."""

    value: float
    told: dict[str, Any]
    points: list[dict[str, Any]]


class WhatIfPair(BaseModel):
    """One scenario and period."""

    scenario_id: int
    scenario: str
    time_period: Period
    years: str
    before: SumsByRisk
    after: SumsByRisk
    saving: Savings
    appraisal: Appraisal | None = Field(description="null without a cost")
    words: dict[str, list[str]]
    overlap_note: str | None
    curves: dict[str, WhatIfCurve | None]


class SiteSide(BaseModel):
    """A risk of one site, before and after; ratios net of insurance."""

    risk_type: str
    scenario_id: int
    time_period: Period
    calibrated: bool | None
    reason: str | None
    vulnerability_scale_before: float | None
    vulnerability_scale_after: float | None
    final_aal_before: float | None
    final_aal_after: float | None
    expected_loss_before: int | None
    expected_loss_after: int | None
    saving: int | None


class SavedSite(BaseModel):
    """A site of a portfolio, before and after."""

    row: int
    site_id: str | None
    name: str | None
    scenario_id: int
    time_period: Period
    taken: bool
    loss_before: int | None
    loss_after: int | None
    saving: int | None
    risks_left_out: list[str]


class WhatIf(Runs):
    """A measure: losses before and after it, what it saves and when it has paid. Nothing of it is stored."""

    name: str
    measure: dict[str, Any]
    sites: int
    sites_taken: int
    risk_notes: dict[str, str]
    rules_note: Note
    year_losses_note: str | None
    results: list[WhatIfPair]
    site_risks: list[SiteSide] = Field(description="of a single site; empty of a portfolio")
    saved_sites: list[SavedSite] = Field(description="of a portfolio, the largest saving first, at most `most`")


class Place(BaseModel):
    """The building in a cell. by_risk: AAL, ratio net of insurance, null without a result."""

    grid_id: int
    latitude: float
    longitude: float
    admin_name: str | None
    region: Words | None = Field(description="the same with the regions that hold it")
    by_risk: dict[str, float | None]
    total_aal: float | None
    total_expected_loss: int | None
    total_expected_loss_low: int | None
    total_expected_loss_high: int | None


class Candidate(Place):
    """A cell in which the building would lose less."""

    elevation: float | None
    in_flood_zone: bool | None
    kilometres: float
    saving: int | None = Field(description="loss of the site less the loss here; null without an asset value")


class WhereElse(Runs):
    """The building of a site in every cell. Cells that lack a counted risk have no total and no rank."""

    scenario_id: int
    time_period: Period
    years: str
    counted: list[str]
    left_out: dict[str, str]
    loss_note: str | None
    overlap_note: str | None
    risk_notes: dict[str, str]
    here: Place
    cells: int
    cells_without: int = Field(description="cells of the country that lack a counted risk")
    without: dict[str, int] = Field(description="risk -> cells that lack it")
    within_km: float
    cells_near: int
    cells_near_without: int
    near_without: dict[str, int]
    candidates: list[Candidate]


class ComparedSide(Sums, Runs):
    """One of two assessments."""

    request_id: UUID
    name: str
    scenario_id: int
    scenario: str
    time_period: Period
    years: str | None
    rows: int
    assessed_sites: int
    curve: list[dict[str, Any]]
    curve_note: str | None


class ComparedRisk(BaseModel):
    """Losses by one risk in both."""

    risk_type: str
    expected_loss_first: int | None
    expected_loss_low_first: int | None
    expected_loss_high_first: int | None
    calibrated_first: bool | None
    sites_first: int | None
    expected_loss_second: int | None
    expected_loss_low_second: int | None
    expected_loss_high_second: int | None
    calibrated_second: bool | None
    sites_second: int | None
    difference: int | None


class FieldChange(BaseModel):
    """A field of an asset in both."""

    field: str
    before: str | None
    after: str | None


class ComparedAsset(BaseModel):
    """An asset in both."""

    key: str
    site_id: str | None
    name: str | None
    row_first: int | None
    row_second: int | None
    status: str = Field(description="new, gone, changed, results (the AAL of its cell is another) or same")
    total_expected_loss_first: int | None
    total_expected_loss_low_first: int | None
    total_expected_loss_high_first: int | None
    total_expected_loss_second: int | None
    total_expected_loss_low_second: int | None
    total_expected_loss_high_second: int | None
    difference: int | None
    changes: list[FieldChange]
    new_results: list[str]


class Counted(BaseModel):
    """Assets of one status and what they change of the sum."""

    assets: int
    difference: int | None


class Comparison(BaseModel):
    """Two assessments beside each other."""

    first: ComparedSide
    second: ComparedSide
    scope: str
    scope_note: str | None
    difference: int | None
    difference_note: Note | None
    by_risk: list[ComparedRisk]
    counts: dict[str, Counted]
    assets: list[ComparedAsset] = Field(description="those that differ, the largest difference first, at most `most`")
