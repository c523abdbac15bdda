"""Every message to the byte, all faults of a site in the order of the fields, and nothing that repairs a fault."""

import math
import uuid

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.assess import assess_sites
from engine.assess.rules import records, site_ids
from engine.assess.rules.validation import check
from engine.core.errors import SettingsError
from engine.core.names import RISK_NAMES
from tests.assess.places import BUILDING, REFERENCE, figures, site

RISKS = ", ".join(RISK_NAMES)
SCENARIOS = "1 (SSP1-2.6), 2 (SSP2-4.5), 3 (SSP3-7.0), 4 (SSP5-8.5)"
PERIODS = "full, short_term, mid_term, long_term"


def faults(frame):
    return check(frame).failures.select("field", "reason").rows()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("building_age", -1, "Building age must be between 0 and 100"),
        ("building_age", 101, "Building age must be between 0 and 100"),
        ("building_age", None, "Missing required field: building_age"),
        ("building_age", 25.5, "Invalid type for building_age"),
        ("building_age", math.nan, "Invalid type for building_age"),
        ("building_age", "25", "Invalid type for building_age"),
        ("building_age", True, "Invalid type for building_age"),
        ("structure", None, "Missing required field: structure"),
        ("structure", "  ", "Missing required field: structure"),
        ("structure", 3, "Invalid type for structure"),
        ("main_purpose", None, "Missing required field: main_purpose"),
        ("floors_below", 11, "Underground floors must be between 0 and 10"),
        ("floors_below", -1, "Underground floors must be between 0 and 10"),
        ("floors_above", 0, "Above-ground floors must be between 1 and 200"),
        ("floors_above", 201, "Above-ground floors must be between 1 and 200"),
        ("has_piloti", None, "Missing required field: has_piloti"),
        ("has_piloti", 1, "Invalid type for has_piloti"),
        ("has_seismic_design", None, "Missing required field: has_seismic_design"),
        ("fire_access", None, "Missing required field: fire_access"),
        ("latitude", 90.1, "Invalid latitude"),
        ("latitude", math.nan, "Invalid latitude"),
        ("latitude", None, "Missing required field: latitude"),
        ("latitude", "37.5", "Invalid type for latitude"),
        ("longitude", -180.5, "Invalid longitude"),
        ("longitude", math.inf, "Invalid longitude"),
        ("longitude", None, "Missing required field: longitude"),
        ("elevation", 9000.5, "Invalid elevation"),
        ("elevation", math.inf, "Invalid elevation"),
        ("admin_code", "123", "Invalid admin code"),
        ("admin_code", "12345678901", "Invalid admin code"),
        ("total_asset_value", 0, "Asset value must be positive"),
        ("total_asset_value", -5, "Asset value must be positive"),
        ("insurance_coverage_rate", 1.01, "Insurance rate must be between 0 and 1"),
        ("floor_area", 0.0, "Floor area must be positive"),
        ("site_id", "x" * 101, "Invalid site id"),
        ("site_id", "", "Invalid site id"),
        ("site_id", " ", "Invalid site id"),
        ("site_id", "a\0b", "Invalid character in site_id"),
        ("site_id", ["a"], "Invalid type for site_id"),
        (
            "risk_types",
            ["typhoon", "river_flod"],
            f"Unknown risk type: river_flod; known: {RISKS}; did you mean river_flood?",
        ),
        ("scenario_ids", [2, 5], f"Unknown scenario: 5; known: {SCENARIOS}"),
        ("scenario_ids", ["2"], "Invalid type for scenario_ids"),
        ("time_periods", ["mid_term", "soon"], f"Unknown time period: soon; known: {PERIODS}"),
        ("distance_to_river_m", -1.0, "Invalid distance_to_river_m"),
        ("imperviousness_ratio", 1.5, "Invalid imperviousness_ratio"),
        ("structure", "a\0b", "Invalid character in structure"),
        ("landcover_type", "desert", "Invalid landcover_type"),
        ("in_flood_zone", 0, "Invalid type for in_flood_zone"),
        ("water_supply_available", "no", "Invalid type for water_supply_available"),
    ],
)
def test_a_bad_value_is_named_in_its_own_words(field, value, message):
    assert faults(site(**{field: value})) == [(field, message)]


def test_a_row_with_a_fault_is_in_no_other_frame():
    result = assess_sites(pl.concat([site(), site(building_age=150, latitude=37.0)]), figures(), figures())
    assert result.failures.select("row", "reason").rows() == [(1, "Building age must be between 0 and 100")]
    for frame in (result.exposure, result.vulnerability, result.aal, result.risk, result.totals):
        assert frame["latitude"].unique().to_list() == [37.5665]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("building_age", 0),
        ("building_age", 100),
        ("building_age", 25.0),
        ("floors_below", 10),
        ("floors_above", 200),
        ("latitude", 33.0),
        ("elevation", -500.0),
        ("insurance_coverage_rate", 0.0),
        ("insurance_coverage_rate", 1.0),
        ("total_asset_value", 1),
        ("site_id", "6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
        ("site_id", "창" * 100),
        ("site_id", 12),
        ("risk_types", ["high_temperature", "cold_wave", "inland_flood", "coastal_flood", "water_scarcity"]),
        ("risk_types", []),
        ("time_periods", ["full"]),
    ],
)
def test_values_on_the_edge_are_valid(field, value):
    assert faults(site(**{field: value})) == []


def test_all_faults_of_a_site_are_listed_in_the_order_of_the_fields():
    bad = {
        "cdd_days": -3.0,
        "time_periods": ["x", "y"],
        "site_id": "?" * 101,
        "floor_area": -1.0,
        "longitude": 200.0,
        "has_piloti": None,
        "floors_above": 0,
        "building_age": 150,
    }
    assert faults(site(**bad)) == [
        ("building_age", "Building age must be between 0 and 100"),
        ("floors_above", "Above-ground floors must be between 1 and 200"),
        ("has_piloti", "Missing required field: has_piloti"),
        ("longitude", "Invalid longitude"),
        ("floor_area", "Floor area must be positive"),
        ("site_id", "Invalid site id"),
        ("time_periods", f"Unknown time period: x; known: {PERIODS}"),
        ("time_periods", f"Unknown time period: y; known: {PERIODS}"),
        ("cdd_days", "Invalid cdd_days"),
    ]


@pytest.mark.parametrize(
    ("scenarios", "periods", "refused"),
    [
        (None, ["full"], False),
        ([2], ["full"], False),
        ([1, 2], ["mid_term", "full"], False),
        ([1], ["full"], True),
        ([1], ["mid_term", "full"], True),
        ([1, 2], ["full"], True),
    ],
)
def test_the_full_period_exists_for_the_default_scenario_alone(scenarios, periods, refused):
    sites = site(scenario_ids=scenarios, time_periods=periods)
    expected = [("time_periods", "Unknown time period: full; only scenario 2 has it")] if refused else []
    assert faults(sites) == expected
    pairs = assess_sites(sites).totals.select("scenario_id", "time_period").rows()
    assert all(scenario == 2 for scenario, period in pairs if period == "full")


def named(text):
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, text))


OWN = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
HERE = named("site:37.566500:126.978000")


def test_every_row_is_an_asset_of_its_own_and_a_file_run_twice_meets_its_own_rows():
    sites = pl.DataFrame(
        [
            REFERENCE | {"site_id": each, "latitude": latitude}
            for each, latitude in [
                (None, 37.5665),
                (None, 37.5665),  # another building at the same coordinate
                (OWN.upper(), 37.5665),
                (OWN, 36.0),  # given again
                (" 창고-1 ", 37.5665),
                ("창고-1", 35.0),
                (HERE, 36.0),  # the UUID that the first row was given
                (None, 37.0),
                (named("asset:2026:창고-1:1"), 36.0),
            ]
        ]
    )
    valid = check(sites, portfolio="2026").valid
    assert valid["site_uuid"].to_list() == [
        HERE,
        named("asset:2026:37.566500:126.978000:2"),
        OWN,
        named(f"asset:2026:{OWN}:2"),
        named("asset:2026:창고-1:1"),
        named("asset:2026:창고-1:2"),
        named(f"asset:2026:{HERE}:2"),
        named("site:37.000000:126.978000"),
        named(f"asset:2026:{named('asset:2026:창고-1:1')}:2"),
    ]
    assert valid["site_id"].to_list()[2:6] == [OWN.upper(), OWN, " 창고-1 ", "창고-1"]  # as they are written
    assert check(sites, portfolio="2026").valid.equals(valid)
    assert not set(check(sites, portfolio="2027").valid["site_uuid"][3:6]) & set(valid["site_uuid"])


def test_a_row_keeps_its_uuid_when_the_fault_of_another_is_mended():
    sites = pl.concat([site(building_age=150), site()])
    [after] = check(sites, portfolio="p").valid["site_uuid"]
    assert after == check(pl.concat([site(), site()]), portfolio="p").valid["site_uuid"][1]


def test_requests_are_no_portfolio_two_may_be_about_one_asset():
    sites = pl.DataFrame([REFERENCE | {"site_id": each} for each in (None, None, "a", "a", OWN)])
    ids = check(sites).valid["site_uuid"].to_list()
    assert ids == [HERE, HERE, named("asset::a:1"), named("asset::a:1"), OWN]


def test_equal_ids_are_allowed_and_counted():
    sites = pl.DataFrame([REFERENCE | {"site_id": each} for each in ("a", "b", "a", None, None, "a")])
    result = assess_sites(sites, figures(), figures())
    assert result.failures.is_empty()
    assert result.totals["site_id"].unique(maintain_order=True).to_list() == ["a", "b", None]
    assert result.totals["site_uuid"].n_unique() == 6
    assert check(sites, portfolio="").repeated == 2


@given(
    places=st.lists(
        st.tuples(st.floats(-90, 90, allow_subnormal=False), st.floats(-180, 180, allow_subnormal=False)),
        min_size=1,
        max_size=5,
    )
)
def test_ids_are_those_of_the_standard_library(places):
    rounded = [(round(lat, 6) + 0.0, round(lon, 6) + 0.0) for lat, lon in places]
    expected = [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"site:{lat:.6f}:{lon:.6f}")) for lat, lon in rounded]
    latitude, longitude = (pl.Series([place[i] for place in rounded], dtype=pl.Float64) for i in (0, 1))
    assert site_ids.derive(latitude, longitude).to_list() == expected


def test_an_absent_building_is_unknown_and_a_part_of_one_is_not_enough():
    bare = pl.DataFrame([{"latitude": 37.0, "longitude": 127.5}])
    assert faults(bare) == []
    assert [field for field, _ in faults(bare.with_columns(fire_access=pl.lit(False)))] == [
        name for name in BUILDING if name != "fire_access"
    ]


def test_json_keeps_its_kinds_and_refuses_what_it_does_not_know():
    request = {
        "latitude": 37.5665,
        "longitude": 126.978,
        "building_info": BUILDING | {"building_age": "25", "has_piloti": 0, "location": {"elevation": "high"}},
        "asset_info": {"total_asset_value": 1e9},
        "risk_types": "typhoon",
    }
    assert faults(records.from_requests([request])) == [
        ("building_age", "Invalid type for building_age"),
        ("has_piloti", "Invalid type for has_piloti"),
        ("elevation", "Invalid type for elevation"),
        ("risk_types", "Invalid type for risk_types"),
    ]
    with pytest.raises(SettingsError, match="unknown field 'builing_age' in building_info; did you mean building_age"):
        records.from_requests([{"latitude": 1.0, "longitude": 2.0, "building_info": {"builing_age": 1}}])
    with pytest.raises(SettingsError, match=r"latitude is given twice: 1\.0 and 3\.0"):
        records.from_requests([{"latitude": 1.0, "building_info": {"location": {"latitude": 3.0}}}])


def test_a_table_of_text_is_read_by_the_kinds_of_its_fields():
    table = pl.DataFrame(
        {
            "latitude": ["37.5", "3 7", ""],
            "longitude": ["1.27e2", "127", "127"],
            "scenario_ids": ["1;2", "", "2|x"],
            "risk_types": ["typhoon | wildfire", "", ""],
            "note": ["kept out", "", ""],
        }
    )
    sites = records.from_text(table)
    assert sites.row(0, named=True)["scenario_ids"] == [1, 2]
    assert sites.row(0, named=True)["risk_types"] == ["typhoon", "wildfire"]
    assert "note" not in sites.columns
    assert check(sites).failures.select("row", "reason").rows() == [
        (1, "Invalid type for latitude"),
        (2, "Missing required field: latitude"),
        (2, "Invalid type for scenario_ids"),
    ]
