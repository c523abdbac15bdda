"""One site's assessment as the JSON object that a finished job holds. Rounded here and nowhere before, half-even."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from engine.assess.rules import loss_words
from engine.assess.rules.assessment import AssessmentResult
from engine.assess.rules.offered import RISKS
from engine.core import levels
from engine.core.scenario import DEFAULT_SCENARIO, Scenario

_DIGITS = 6
_PERCENT_DIGITS = 4
_BREAKDOWN = (
    "risk_score",
    "contribution_percent",
    "hazard",
    "hazard_level",
    "exposure",
    "vulnerability",
    "risk_level",
    "risk_index",
    "status",
    "reason",
)
_EXPOSURE = (
    "exposure_score",
    "proximity_factor",
    "normalized_asset_value",
    "exposure_level",
    "basis",
    "imputed_inputs",
    "skipped_inputs",
    "status",
    "reason",
    "is_default",
)
_VULNERABILITY = ("vulnerability_score", "vulnerability_level", "status", "reason", "is_default")
_AAL = (
    "base_aal",
    "vulnerability_scale",
    "insurance_rate",
    "final_aal",
    "final_aal_percentage",
    "final_aal_low",
    "final_aal_high",
    "expected_loss",
    "expected_loss_low",
    "expected_loss_high",
    "aal_capped",
    "risk_level",
    "grade",
    "calibrated",
    "status",
    "reason",
    "is_default",
)
_TOTALS = (
    "mean_risk_index",
    "total_risk_score",
    "risk_level",
    "no_risk",
    "average_hazard",
    "average_exposure",
    "average_vulnerability",
    "highest_integrated_risk",
    "top_3_risks",
    "risks_without_score",
)
_LOSS = (
    "total_expected_loss",
    "total_expected_loss_calibrated",
    "total_expected_loss_uncalibrated",
    *(f"total_expected_loss{part}_{end}" for part in ("", "_calibrated", "_uncalibrated") for end in ("low", "high")),
    "interval_holds_rates",
    "risks_without_interval",
    "loss_note",
    "overlap_note",
    "highest_aal_risk",
    "risks_without_loss",
)
_SITE = ("site_id", "site_uuid", "latitude", "longitude", "grid_id", "cell_basis", "cell_distance_m")
_BUILDING = ("building_source", "data_quality", "imputed_fields", "asset_basis")


def site_report(
    result: AssessmentResult, notes: Mapping[str, str], rates: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The report of a result that holds one site inside the grid.

    notes : risk -> what its AAL must not be read for
    rates : risk -> what its damage rates stand on

    The levels of integrated risk are in the older spelling, which readers of this object know; every other output has
    the printed one. `integrated_risk` and `aal` are those of the default scenario if it was asked for, else of the
    first; every pair of scenario and period stands in `scenarios`.
    """
    totals = result.totals
    first = totals.row(0, named=True)
    pairs = [_pair(result, row) for row in totals.iter_rows(named=True)]
    default = Scenario(DEFAULT_SCENARIO).api_key
    shown = next((pair for pair in pairs if pair["scenario"] == default), pairs[0])
    failed = int(totals["risks_failed"].sum())
    asked = set(result.exposure["risk_type"])
    return {
        "status": "partial" if failed else "success",
        **_chosen(first, _SITE),
        "currency": loss_words.currency(),
        "risk_types": [risk for risk in RISKS if risk in asked],
        "notes": {risk: notes[risk] for risk in RISKS if risk in asked and risk in notes},
        "damage_rates": {risk: rates[risk] for risk in RISKS if risk in asked and risk in rates},
        "building": _chosen(first, _BUILDING),
        "exposure": _by_risk(result.exposure, _EXPOSURE),
        "vulnerability": _by_risk(result.vulnerability, _VULNERABILITY),
        "integrated_risk": shown["integrated_risk"],
        "aal": shown["aal"],
        "scenarios": pairs,
    }


def _pair(result: AssessmentResult, row: dict[str, Any]) -> dict[str, Any]:
    def mine(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(
            (pl.col("scenario_id") == row["scenario_id"]) & (pl.col("time_period") == row["time_period"])
        )

    return {
        "scenario": Scenario(row["scenario_id"]).api_key,
        "time_period": row["time_period"],
        "integrated_risk": _older(_chosen(row, _TOTALS))
        | {"risk_breakdown": {risk: _older(row) for risk, row in _by_risk(mine(result.risk), _BREAKDOWN).items()}},
        "aal": _chosen(row, _LOSS)
        | {
            "loss_words": loss_words.of_total(row),
            "interval_note": loss_words.lacking(row["risks_without_interval"] or []),
        }
        | {"risks": _by_risk(mine(result.aal), _AAL)},
    }


def _older(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"risk_level": levels.older(fields["risk_level"])}


def _by_risk(frame: pl.DataFrame, names: tuple[str, ...]) -> dict[str, Any]:
    return {row["risk_type"]: _chosen(row, names) for row in frame.iter_rows(named=True)}


def _chosen(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _rounded(name, row[name]) for name in names}


def _rounded(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, _PERCENT_DIGITS if name.endswith("_percentage") else _DIGITS)
