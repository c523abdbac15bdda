"""Published values: the reference building and three others, by hand from the tables of the methodology."""

import json

import polars as pl
import pytest

from engine.assess import AssessConfig, assess_sites
from engine.assess.rules import hashes, records
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import prepare
from engine.assess.rules.scaling import scaled_aal
from engine.risks import RISKS as DECLARED
from tests.assess.places import ASSET, BUILDING, PLACE, by_risk, figures, site

WOODEN_FACTORY = {
    "building_age": 45,
    "structure": "목조",
    "main_purpose": "factory",
    "floors_below": 1,
    "floors_above": 3,
    "floor_area": 800.0,
    "elevation": 2.0,
    "has_seismic_design": False,
    "fire_access": False,
    "has_water_tank": False,
    "water_supply_available": False,
    "in_flood_zone": True,
    "first_floor_height_m": 0.3,
}
TOWER = {
    "building_age": 5,
    "structure": "steel",
    "main_purpose": "office",
    "floors_below": 3,
    "floors_above": 45,
    "floor_area": 120_000.0,
    "elevation": 8.0,
    "has_piloti": True,
    "has_water_tank": True,
}
VULNERABILITY = {
    "reference": (site(), [65, 55, 63, 65, 60, 20, 35, 33, 48]),
    "all defaults": (
        pl.DataFrame([{"latitude": 37.5665, "longitude": 126.978}]),
        [40, 40, 35, 40, 40, 40, 35, 25, 60],
    ),
    "wooden factory": (site(**WOODEN_FACTORY), [85, 85, 90, 100, 85, 100, 100, 100, 80]),
    "tower": (site(**TOWER), [85, 75, 80, 35, 35, 30, 60, 15, 30]),
}


def test_the_risks_are_those_of_the_batch_in_the_same_order():
    assert tuple(DECLARED) == RISKS


@pytest.mark.parametrize("name", VULNERABILITY)
def test_vulnerability(name):
    sites, expected = VULNERABILITY[name]
    frame = assess_sites(sites).vulnerability
    assert list(by_risk(frame, "vulnerability_score").values()) == expected
    for factors in frame["factors"].str.json_decode(pl.Struct({"unclamped_score": pl.Int64})):
        assert factors["unclamped_score"] is not None


@pytest.mark.parametrize(
    ("supply", "score"),
    [
        ({"has_water_tank": True}, 48),
        ({"has_water_tank": False}, 73),  # known to have none: worse than what a small building is taken to have
        ({"has_water_tank": True, "water_supply_available": False}, 73),
        ({"has_water_tank": False, "water_supply_available": False}, 73),  # one term, not two
        ({"floors_above": 6, "floor_area": 500.0}, 48),
        ({"floors_above": 5, "floor_area": 3000.0}, 48),
        ({"floors_above": 5, "floor_area": 2999.0}, 58),
        ({"floors_above": 5, "floor_area": 1000.0}, 68),
        ({"floors_above": 5, "floor_area": None}, 73),
    ],
)
def test_a_building_without_known_water_is_vulnerable_to_its_lack(supply, score):
    frame = assess_sites(site(**supply)).vulnerability
    assert by_risk(frame, "vulnerability_score")["water_stress"] == score


def test_unclamped_scores_of_the_wooden_factory():
    frame = assess_sites(site(**WOODEN_FACTORY)).vulnerability
    unclamped = {risk: json.loads(text)["unclamped_score"] for risk, text in by_risk(frame, "factors").items()}
    expected = {"river_flood": 130, "sea_level_rise": 120, "typhoon": 120, "wildfire": 105}
    assert {risk: unclamped[risk] for risk in expected} == expected


def test_exposure():
    frame = assess_sites(site()).exposure
    near = [0.70, 0.40, 0.45, 0.40, 0.95, 0.00, 0.40, 0.00, 0.50]
    assert list(by_risk(frame, "proximity_factor").values()) == pytest.approx(near, abs=1e-15)
    assert list(by_risk(frame, "exposure_score").values()) == pytest.approx([0.5 * each for each in near], abs=1e-15)
    assert set(frame["normalized_asset_value"]) == {0.5}


@pytest.mark.parametrize(
    ("base", "score", "insured", "asset", "scale", "final", "percent", "loss"),
    [
        (0.0012, 65, 0.7, 50_000_000_000, 1.03, 0.0003708, 0.03708, 18_540_000),
        (0.05, 100, 0.2, 1_000_000_000, 1.1, 0.044, 4.4, 44_000_000),
        (0.10, 0, 0.0, None, 0.9, 0.09, 9.0, None),
        (0.10, 0, 1.0, 1_000_000_000, 0.9, 0.0, 0.0, 0),
        (1.00, 100, 0.0, 1_000_000_000, 1.1, 1.0, 100.0, 1_000_000_000),
    ],
)
def test_final_aal(base, score, insured, asset, scale, final, percent, loss):
    vulnerable = pl.DataFrame({"vulnerability_score": [float(score)], "is_default": [False]})
    asset_value = pl.Series([asset], dtype=pl.Int64)
    frame = scaled_aal(pl.Series([base]), vulnerable, pl.Series([insured]), asset_value, AssessConfig(), "typhoon")
    row = frame.row(0, named=True)
    assert row["vulnerability_scale"] == pytest.approx(scale, abs=1e-15)
    assert row["final_aal"] == pytest.approx(final, abs=1e-15)
    assert row["final_aal_percentage"] == pytest.approx(percent, abs=1e-13)
    assert row["expected_loss"] == loss
    assert row["aal_capped"] == (base == 1.0)


@pytest.mark.parametrize(
    ("percent", "grade", "level"),
    [
        (0.0, "-", "minimal"),
        (0.0999, "0~3%", "minimal"),
        (0.1, "0~3%", "low"),
        (0.38, "0~3%", "moderate"),
        (1.0, "0~3%", "high"),
        (3.0, "~6%", "critical"),
        (6.0, "~10%", "critical"),
        (10.0, "~16%", "critical"),
        (16.0, "~30%", "critical"),
        (30.0, "30%~", "critical"),
    ],
)
def test_grades_and_levels_hold_their_lower_end(percent, grade, level):
    from engine.assess.rules.scaling import _grade, _level

    frame = pl.DataFrame({"percent": [percent]}).select(
        grade=_grade(pl.col("percent")), level=_level(pl.col("percent"), AssessConfig().aal_level_cuts_pct)
    )
    assert frame.row(0) == (grade, level)


def test_integrated_risk():
    row = assess_sites(site(), figures()).risk.filter(pl.col("risk_type") == "extreme_heat").row(0, named=True)
    assert (row["hazard"], row["exposure"], row["vulnerability"]) == (0.6, 0.35, 65.0)
    assert row["risk_score"] == pytest.approx(13.65, abs=1e-12)
    assert row["risk_index"] == pytest.approx(64.87, abs=0.005)  # 100 x (0.60 x 0.70 x 65/100)^(1/3)
    assert (row["risk_level"], row["hazard_level"]) == ("high", "HIGH")


def test_the_level_of_a_risk_does_not_depend_on_the_value_of_the_asset():
    rows = [assess_sites(site(total_asset_value=value), figures()) for value in (None, 10**8, 10**13)]
    levels = [result.risk["risk_level"].to_list() for result in rows]
    assert levels[0] == levels[1] == levels[2]
    assert len({result.risk["risk_score"][0] for result in rows}) == 3
    assert len({result.totals["risk_level"][0] for result in rows}) == 1


def test_the_level_of_a_site_is_that_of_the_mean_index_of_the_risks_that_are_ok():
    result = assess_sites(site(distance_to_river_m=None), figures())
    totals = result.totals.filter(pl.col("scenario_id") == 2).row(0, named=True)
    ok = result.risk.filter((pl.col("scenario_id") == 2) & (pl.col("status") == "ok"))
    assert ok.height == 8
    mean = ok["risk_index"].mean()
    assert totals["mean_risk_index"] == pytest.approx(mean, abs=1e-12)
    assert 40 < mean < 60
    assert totals["risk_level"] == "moderate"


def test_the_building_hash_is_the_published_one():
    building = BUILDING | {"location": {**PLACE, "admin_code": "1101010100"}}
    place = {"latitude": PLACE["latitude"], "longitude": PLACE["longitude"]}
    request = {**place, "building_info": building, "asset_info": ASSET}
    sites = prepare(records.from_requests([request]), AssessConfig()).sites
    assert hashes.building_text(sites)[0] == (
        '{"building_info":{"building_age":25,"fire_access":true,"floors_above":10,"floors_below":2,"has_piloti":false,'
        '"has_seismic_design":true,"location":{"admin_code":"1101010100","elevation":38.5,"latitude":37.5665,'
        '"longitude":126.978},"main_purpose":"업무시설","structure":"철근콘크리트"},"floor_area":5000,'
        '"rules_version":"v1"}'
    )
    assert hashes.hashed(sites)["building_hash"][0] == (
        "d161c9f93072a30ccd73380d2a7ad74ce2aada640c5f2bc2e589e100029714f1"
    )
    assert (
        hashes.asset_text(sites)[0]
        == '{"floor_area":5000,"insurance_coverage_rate":0.7,"total_asset_value":50000000000}'
    )
