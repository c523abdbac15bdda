"""Unknown, failed and zero are three things: flagged, left out of totals, never repaired in silence."""

import dataclasses

import polars as pl
import pytest

from engine.assess import AssessConfig, assess_sites
from engine.assess.rules import vulnerability
from engine.assess.rules.offered import RISKS
from engine.core.errors import SchemaError, SettingsError
from engine.core.grid import GridDefinition
from tests.assess.places import CELL, by_risk, figures, site


def row_of(frame, risk):
    return frame.filter(pl.col("risk_type") == risk).row(0, named=True)


def test_a_risk_without_its_input_holds_flagged_zeros_and_counts_for_nothing():
    sites = site(distance_to_coast_m=None, total_asset_value=10**9)
    result = assess_sites(sites, figures(), figures())
    for risk in ("sea_level_rise", "typhoon"):
        row = row_of(result.exposure, risk)
        assert (row["exposure_score"], row["proximity_factor"], row["normalized_asset_value"]) == (0.0, 0.0, 0.0)
        assert (row["status"], row["is_default"]) == ("failed", True)
        assert row["reason"] == "missing_input:distance_to_coast_m"
        risk_row = row_of(result.risk, risk)
        assert (risk_row["risk_score"], risk_row["exposure"], risk_row["risk_level"]) == (None, None, "unknown")
        assert row_of(result.aal, risk)["status"] == "ok"  # the AAL does not stand on exposure
    ok = result.risk.filter(pl.col("status") == "ok")
    totals = result.totals.row(0, named=True)
    assert totals["total_risk_score"] == pytest.approx(ok["risk_score"].sum() / 7)
    assert ok["contribution_percent"].sum() == pytest.approx(100, abs=1e-9)
    assert (totals["status"], totals["risks_ok"], totals["risks_failed"]) == ("partial", 7, 2)
    assert totals["risks_without_score"] == ["sea_level_rise", "typhoon"]
    assert result.failures.select("row", "risk_type", "field", "reason").rows() == [
        (0, risk, "distance_to_coast_m", "missing_input:distance_to_coast_m") for risk in ("sea_level_rise", "typhoon")
    ]


def test_land_cover_stands_in_where_it_says_enough():
    bare = {"imperviousness_ratio": None, "distance_to_forest_m": None}
    exposure = assess_sites(site(**bare, landcover_type="agricultural")).exposure
    assert by_risk(exposure, "basis")["extreme_heat"] == "landcover_type"
    assert by_risk(exposure, "proximity_factor")["urban_flood"] == 0.25
    wildfire = row_of(exposure, "wildfire")
    assert (wildfire["proximity_factor"], wildfire["imputed_inputs"]) == (0.4, ["distance_to_forest_m"])
    unknown = assess_sites(site(**bare, landcover_type="commercial")).exposure
    assert by_risk(unknown, "reason")["urban_flood"] == "missing_input:imperviousness_ratio"
    assert by_risk(unknown, "reason")["wildfire"] == "missing_input:distance_to_forest_m"


def test_the_national_means_stand_in_only_when_asked_to_and_only_where_a_risk_would_fail():
    names = ("distance_to_river_m", "distance_to_coast_m", "imperviousness_ratio", "distance_to_forest_m")
    sites = site(**dict.fromkeys(names), landcover_type=None)
    exposure = assess_sites(sites, config=AssessConfig(spatial_missing_policy="impute")).exposure
    assert set(exposure["status"]) == {"ok"}
    near = by_risk(exposure, "proximity_factor")
    flooded = {"river_flood": 0.4, "urban_flood": 0.65, "sea_level_rise": 0.0, "typhoon": 0.4, "wildfire": 0.0}
    assert {risk: near[risk] for risk in flooded} == flooded
    assert near["extreme_heat"] == 0.70  # by its purpose, an office
    assert by_risk(exposure, "imputed_inputs")["typhoon"] == ["distance_to_coast_m"]


def test_a_hazard_or_aal_that_is_not_there_is_null_with_its_reason():
    gone = pl.col("risk_type") == "drought"
    hazards = figures().filter(~gone)
    probabilities = figures().with_columns(aal=pl.when(pl.col("risk_type") != "typhoon").then("aal"))
    result = assess_sites(site(), hazards, probabilities)
    drought, typhoon = row_of(result.risk, "drought"), row_of(result.aal, "typhoon")
    assert (drought["hazard"], drought["risk_score"], drought["reason"]) == (None, None, "hazard_not_found")
    assert (typhoon["final_aal"], typhoon["expected_loss"], typhoon["grade"]) == (None, None, None)
    assert typhoon["reason"] == "probability_not_found"
    assert row_of(result.risk, "typhoon")["status"] == "ok"
    totals = result.totals.row(0, named=True)
    assert (totals["risks_without_score"], totals["risks_without_loss"]) == (["drought"], ["typhoon"])
    losses = result.aal["expected_loss"]
    assert totals["total_expected_loss"] == losses.sum()


def test_a_site_without_any_hazard_has_failed_and_says_so():
    result = assess_sites(site(), figures(cells=(CELL + 1,)), figures())  # (its own cell has an AAL)
    totals = result.totals.row(0, named=True)
    assert (totals["status"], totals["reason"]) == ("failed", "No hazard results for the requested location")
    assert (totals["total_risk_score"], totals["highest_integrated_risk"], totals["top_3_risks"]) == (None, None, [])
    assert result.failures.row(0, named=True)["reason"] == "No hazard results for the requested location"


def test_a_vulnerability_that_cannot_be_computed_is_neutral_flagged_and_out_of_the_totals(monkeypatch):
    rule = vulnerability.RULES["typhoon"]
    broken = dataclasses.replace(rule, terms={**rule.terms, "seismic": pl.lit(None, pl.Int32)})
    monkeypatch.setitem(vulnerability.RULES, "typhoon", broken)
    result = assess_sites(site(), figures(), figures())
    row = row_of(result.vulnerability, "typhoon")
    assert (row["vulnerability_score"], row["vulnerability_level"], row["is_default"]) == (50.0, "medium", True)
    assert (row["status"], row["reason"]) == ("failed", "output_out_of_range")
    aal = row_of(result.aal, "typhoon")
    assert (aal["vulnerability_scale"], aal["is_default"]) == (1.0, True)
    assert row_of(result.risk, "typhoon")["risk_level"] == "unknown"
    totals = result.totals.row(0, named=True)
    assert totals["total_expected_loss"] == result.aal["expected_loss"].sum() - aal["expected_loss"]


def test_a_base_aal_out_of_range_fails_and_a_hazard_is_clamped():
    result = assess_sites(site(), figures(hazard=1.2), figures(aal=1.5))
    assert set(result.aal["reason"]) == {"output_out_of_range"}
    assert result.aal["base_aal"].null_count() == 9
    assert set(result.risk["hazard"]) == {1.0}


def test_nothing_at_risk_is_said_and_shares_are_zero():
    result = assess_sites(site(), figures(hazard=0.0))
    assert result.totals.row(0, named=True)["no_risk"] is True
    assert set(result.risk["contribution_percent"]) == {0.0}
    assert result.aal.is_empty()
    assert result.totals["total_expected_loss"].to_list() == [None]


def test_losses_that_are_calibrated_are_summed_apart_and_carry_no_note():
    trusted = AssessConfig(calibrated=frozenset({"typhoon", "wildfire"}))
    result = assess_sites(site(), figures(), figures(), trusted)
    losses = dict(result.aal.filter(pl.col("scenario_id") == 2).select("risk_type", "expected_loss").iter_rows())
    assert {
        risk for risk, flag in result.aal.select("risk_type", "calibrated").iter_rows() if flag
    } == trusted.calibrated
    totals = result.totals.filter(pl.col("scenario_id") == 2).row(0, named=True)
    parts = {name: totals[f"total_expected_loss{name}"] for name in ("", "_calibrated", "_uncalibrated")}
    assert parts["_calibrated"] == losses["typhoon"] + losses["wildfire"] > 0
    assert parts[""] == parts["_calibrated"] + parts["_uncalibrated"] == sum(losses.values())
    assert totals["loss_note"] == "index loss, not calibrated on losses"
    assert (
        totals["overlap_note"]
        == "river flood, urban flood and typhoon may count the rain of one storm up to three times"
    )
    only = assess_sites(site(risk_types=["typhoon", "wildfire"]), figures(), figures(), trusted).totals.row(
        0, named=True
    )
    assert (only["loss_note"], only["overlap_note"], only["total_expected_loss_uncalibrated"]) == (None, None, None)
    one = assess_sites(site(risk_types=["river_flood", "drought"]), figures(), figures()).totals.row(0, named=True)
    assert (one["loss_note"] is None, one["overlap_note"], one["total_expected_loss_calibrated"]) == (False, None, None)
    unvalued = assess_sites(site(total_asset_value=None), figures(), figures()).totals.row(0, named=True)
    assert [unvalued[f"total_expected_loss{name}"] for name in parts] == [None] * 3
    assert (unvalued["loss_note"], unvalued["overlap_note"]) == (None, None)


def test_a_stage_without_its_frame_is_not_run():
    result = assess_sites(site())
    assert (result.aal.height, result.risk.height, result.failures.height) == (0, 0, 0)
    totals = result.totals.row(0, named=True)
    assert (totals["total_risk_score"], totals["no_risk"], totals["risk_level"]) == (None, None, None)
    assert totals["status"] == "ok"


def test_a_site_outside_the_grid_is_in_no_frame_of_results():
    small = AssessConfig(grid=GridDefinition(35.0, 127.0, 4, 5, 0.1, 2021, 2100))
    edge = pl.concat([site(latitude=34.951, longitude=127.0), site(latitude=34.949, longitude=127.0)])
    result = assess_sites(edge, config=small)
    assert result.exposure["latitude"].unique().to_list() == [34.951]
    assert result.totals["status"].to_list() == ["ok", "outside_grid"]
    assert result.totals["grid_id"].to_list() == [1, 0]
    assert result.failures.select("row", "field", "reason").rows() == [
        (1, "location", "Location is outside the data grid")
    ]


def test_only_what_was_asked_for_is_there():
    result = assess_sites(site(risk_types=["typhoon", "drought"], scenario_ids=[1, 3]), figures(), figures())
    assert result.exposure["risk_type"].to_list() == ["drought", "typhoon"]
    assert result.risk.select("risk_type", "scenario_id").rows() == [
        ("drought", 1),
        ("drought", 3),
        ("typhoon", 1),
        ("typhoon", 3),
    ]
    assert result.totals["risks_ok"].to_list() == [2, 2]


def test_imputed_buildings_are_flagged_and_the_quality_counts_them():
    totals = assess_sites(pl.DataFrame([{"latitude": 37.0, "longitude": 127.5}])).totals.row(0, named=True)
    assert (totals["building_source"], totals["data_quality"]) == ("default", 0.0)
    assert totals["asset_basis"] == "default_area"
    assert len(totals["imputed_fields"]) == 9  # eight of the building, and the floor area
    stated = assess_sites(site()).totals.row(0, named=True)
    assert (stated["building_source"], stated["data_quality"], stated["imputed_fields"]) == ("caller", 1.0, [])


def test_frames_that_cannot_be_joined_are_refused():
    with pytest.raises(SchemaError, match="hazard_score frame: 9 duplicate keys"):
        assess_sites(site(), pl.concat([figures(scenarios=(2,))] * 2))
    with pytest.raises(SchemaError, match="aal frame: no column time_period, aal"):
        assess_sites(site(), None, figures().drop("time_period", "aal"))
    with pytest.raises(SettingsError, match="AAL_LEVEL_CUTS_PCT"):
        AssessConfig(aal_level_cuts_pct=(0.1, 0.3, 0.3, 1.0))


def test_settings_move_what_they_say():
    caps = AssessConfig(reference_value=5e10, aal_level_cuts_pct=(0.01, 0.02, 0.03, 0.04))
    result = assess_sites(site(), None, figures(), caps)
    assert set(result.exposure["normalized_asset_value"]) == {1.0}
    assert row_of(result.aal, "extreme_heat")["risk_level"] == "high"
    area = assess_sites(site(total_asset_value=None), config=AssessConfig(area_cap_m2=2e4)).exposure
    assert set(area["normalized_asset_value"]) == {0.25}
    assert len(RISKS) == area.height
