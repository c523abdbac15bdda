"""Models of the portfolio page: a look into a file before it is assessed, its sites, one of them."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from engine.service.models import Period, Words


class FileColumn(BaseModel):
    """A column of the file and what it is read as."""

    column: str = Field(examples=["lat"])
    field: str | None = Field(description="null: carried through", examples=["latitude"])
    why: str
    factor: float = Field(description="what one of its numbers is in the unit of the field")
    near: str | None = Field(description="the field that a column which is none may mean")


class FileRow(BaseModel):
    """A row as the file has it: a value a column, in their order."""

    row: int
    values: list[str | None]


class FileFault(BaseModel):
    """What is wrong with a row."""

    row: int = Field(description="as the program shows it that opens the file")
    site_id: str | None
    column: str | None = Field(description="of the file; null where no column is of that field")
    field: str | None
    value: str | None = Field(description="what the file has there")
    reason: str


class FileField(BaseModel):
    """A field that a column may be."""

    field: str
    unit: str = Field(description="empty for what has none")
    required: bool


class Preview(BaseModel):
    """What is read of a table of sites. question: why it cannot be assessed as its columns are read now; then rows and
    faults are not told."""

    question: str | None
    currencies_without_rate: list[str] = Field(description="that `rates` has to have before the table can be assessed")
    columns: list[FileColumn]
    first_rows: list[FileRow]
    rows: int | None
    valid: int | None
    rows_numbered: str | None
    faults: list[FileFault] = Field(description="the first 1,000")
    faults_total: int
    notes: list[str]
    fields: list[FileField]


class Sites(BaseModel):
    """Sites of a finished portfolio in one scenario and period, the largest loss first; a list a column, an entry a
    site. Money a year in `currency` of the summary."""

    request_id: UUID
    scenario_id: int
    time_period: Period
    sites: int = Field(description="of the portfolio; lists hold at most `most` of them")
    row: list[int]
    site_id: list[str | None]
    name: list[str | None]
    admin_name: list[str | None]
    region: list[Words | None] = Field(description="the same with the regions that hold it")
    latitude: list[float]
    longitude: list[float]
    status: list[str]
    reason: list[str | None]
    total_asset_value: list[int | None]
    total_expected_loss: list[int | None]
    total_expected_loss_low: list[int | None]
    total_expected_loss_high: list[int | None]
    total_expected_loss_calibrated: list[int | None]
    total_expected_loss_uncalibrated: list[int | None]
    loss_note: list[str | None]
    highest_aal_risk: list[str | None]
    mean_risk_index: list[float | None]
    risk_level: list[str | None]


class SiteRisk(BaseModel):
    """A risk of a site. final_aal: net of insurance, ratio; money a year."""

    risk_type: str
    final_aal: float | None
    final_aal_low: float | None
    final_aal_high: float | None
    expected_loss: int | None
    expected_loss_low: int | None
    expected_loss_high: int | None
    calibrated: bool | None
    loss_note: str | None
    hazard: float | None
    hazard_level: str | None
    exposure: float | None
    vulnerability: float | None
    risk_index: float | None
    risk_level: str | None
    reason: str | None = Field(description="why a figure is missing")


class SitePair(BaseModel):
    """A site in one scenario and period."""

    scenario_id: int
    time_period: Period
    years: str | None
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
    overlap_note: str | None
    loss_words: Words | None
    mean_risk_index: float | None
    risk_level: str | None
    risks: list[SiteRisk]


class Site(BaseModel):
    """One site of a finished portfolio with all its figures."""

    row: int
    site_id: str | None
    site_uuid: UUID
    name: str | None
    carried: dict[str, Any] = Field(description="columns of the file that are no field")
    latitude: float
    longitude: float
    admin_name: str | None
    region: Words | None = Field(description="the same with the regions that hold it")
    status: str
    reason: str | None
    cell_basis: Literal["own", "nearest"] | None
    cell_distance_m: float | None
    building_source: str | None
    imputed_fields: list[str]
    total_asset_value: int | None
    pairs: list[SitePair]
