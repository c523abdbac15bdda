"""What must hold for any site: rows do not see each other, each field moves what it should, parts add up."""

import json
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from benchmarks import assess as benchmark
from engine.assess import AssessConfig, assess_sites
from engine.assess.rules.assessment import chunks
from engine.assess.rules.fields import FIELDS, LAND_COVERS
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import prepare
from engine.core.grid import KOREA
from tests.assess.places import figures, site

FRAMES = ("exposure", "vulnerability", "aal", "risk", "totals")
BY_ROW = ["site_uuid", "risk_type", "scenario_id", "time_period"]


def sorted_frames(result):
    for name in FRAMES:
        frame = getattr(result, name)
        yield name, frame.drop("row").sort([key for key in BY_ROW if key in frame.columns])


def test_a_batch_is_its_sites_one_by_one_to_the_last_bit():
    sites = benchmark.sites(25, seed=3)
    cells = benchmark.cells_of(sites)
    whole = assess_sites(sites, cells, cells)
    singles = [assess_sites(sites[i], cells, cells) for i in range(sites.height)]
    for name, frame in sorted_frames(whole):
        assert_frame_equal(
            pl.concat([getattr(single, name) for single in singles])
            .drop("row")
            .sort([key for key in BY_ROW if key in frame.columns]),
            frame,
            check_exact=True,
        )


def test_neither_the_order_of_rows_nor_of_cells_changes_a_value():
    sites = benchmark.sites(60, seed=4)
    cells = benchmark.cells_of(sites)
    shuffled = sites.sample(fraction=1.0, shuffle=True, seed=1), cells.sample(fraction=1.0, shuffle=True, seed=2)
    there, again = assess_sites(sites, cells, cells), assess_sites(shuffled[0], shuffled[1], shuffled[1])
    for (_, one), (_, other) in zip(sorted_frames(there), sorted_frames(again), strict=True):
        assert_frame_equal(one, other, check_exact=True)


def test_chunks_hold_every_site_and_request_once():
    prepared = prepare(benchmark.sites(23, seed=5), AssessConfig())
    parts = list(chunks(prepared, 5))
    assert [part.sites.height for part in parts] == [5, 5, 5, 5, 3]
    assert_frame_equal(pl.concat(part.sites for part in parts), prepared.sites)
    for part in parts:
        assert part.requests["site"].max() == part.sites.height - 1
        assert part.requests.height == 4 * part.sites.height


def test_the_columns_agree_with_the_rules_written_out_site_by_site():
    sites = benchmark.sites(500, seed=6)
    cells = benchmark.cells_of(sites)
    result = assess_sites(sites, cells, cells)
    answers = benchmark.in_a_loop(sites, cells)
    assert benchmark.largest_difference(result, answers) <= 1e-12
    totals = result.totals.sort("scenario_id", maintain_order=True)
    for scenario in benchmark.SCENARIOS:
        mine = totals.filter(pl.col("scenario_id") == scenario)
        assert mine["total_expected_loss"].to_list() == [answer["totals"][scenario]["loss"] for answer in answers]
        assert mine["top_3_risks"].to_list() == [answer["totals"][scenario]["top"] for answer in answers]
        theirs = [answer["totals"][scenario]["score"] for answer in answers]
        assert mine["total_risk_score"].to_list() == pytest.approx(theirs, abs=1e-12)


def test_levels_tell_varied_sites_apart():
    sites = benchmark.sites(500, seed=8)
    result = assess_sites(sites, *[benchmark.cells_of(sites)] * 2)
    for frame in (result.risk.filter(pl.col("status") == "ok"), result.totals):
        shares = frame["risk_level"].value_counts(normalize=True)
        assert shares["proportion"].max() <= 0.6
    assert result.risk["risk_level"].n_unique() == 6  # five, and unknown


E_ALL = set(RISKS)
#: field -> (a value that must matter for the reference building, risks whose proximity moves, risks whose V moves, what
#: else moves)
EFFECTS = {
    "building_age": (45, set(), E_ALL, set()),
    "structure": (
        "목조",
        set(),
        {"extreme_heat", "extreme_cold", "typhoon", "wildfire"},
        set(),
    ),
    "main_purpose": ("공장", {"drought", "water_stress"}, {"extreme_heat"}, set()),
    "floors_below": (0, set(), {"drought", "river_flood", "urban_flood"}, set()),
    "floors_above": (
        25,
        {"water_stress"},
        {"extreme_heat", "extreme_cold", "drought", "river_flood", "urban_flood", "sea_level_rise", "typhoon"},
        set(),
    ),
    "has_piloti": (True, set(), {"river_flood", "urban_flood", "sea_level_rise"}, set()),
    "has_seismic_design": (False, set(), {"typhoon"}, set()),
    "fire_access": (False, set(), {"wildfire"}, set()),
    "latitude": (38.5, {"extreme_cold"}, set(), {"site", "cell"}),
    "longitude": (127.5, set(), set(), {"site", "cell"}),
    "elevation": (600.0, {"extreme_cold"}, {"sea_level_rise"}, set()),
    "admin_code": ("1101010100", set(), set(), set()),
    "total_asset_value": (10**10, set(), set(), {"value", "loss"}),
    "insurance_coverage_rate": (0.0, set(), set(), {"aal", "loss"}),
    "floor_area": (
        120_000.0,
        set(),
        E_ALL - {"water_stress"},
        set(),
    ),
    "site_id": ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", set(), set(), {"site"}),
    "distance_to_river_m": (50.0, {"river_flood"}, set(), set()),
    "distance_to_coast_m": (50.0, {"sea_level_rise", "typhoon"}, set(), set()),
    "distance_to_forest_m": (50.0, {"wildfire"}, set(), set()),
    "imperviousness_ratio": (0.1, {"extreme_heat", "urban_flood"}, set(), set()),
    "vegetation_ratio": (0.9, {"extreme_heat"}, set(), set()),
    "landcover_type": ("forest", {"urban_flood"}, set(), set()),
    "annual_rainfall_mm": (700.0, {"drought"}, set(), set()),
    "cdd_days": (60.0, {"drought"}, set(), set()),
    "in_flood_zone": (True, set(), {"river_flood"}, set()),
    "first_floor_height_m": (0.2, set(), {"river_flood"}, set()),
    "has_water_tank": (False, {"water_stress"}, {"water_stress"}, set()),
    "water_supply_available": (False, set(), {"drought", "water_stress"}, set()),
}
#: where the reference building itself hides an effect: in an unreached band, a clamp or another field's term
BASES = {
    "floors_above": {"elevation": 6.0},
    "floor_area": {"elevation": 6.0},
    "vegetation_ratio": {"imperviousness_ratio": 0.6},
    "elevation": {"elevation": 6.0},
}
REQUEST_FIELDS = {"risk_types", "scenario_ids", "time_periods"}
#: cells of the changed places
OTHER_CELLS = [int(KOREA.locate(38.5, 126.978)), int(KOREA.locate(37.5665, 127.5))]


def moved(before, after):
    """What differs between two assessments of one site each."""
    found = {"E": set(), "V": set(), "else": set()}
    for risk in RISKS:
        one, other = (
            {
                name: getattr(result, name).filter(pl.col("risk_type") == risk).row(0, named=True)
                for name in ("exposure", "vulnerability")
            }
            for result in (before, after)
        )
        if one["exposure"]["proximity_factor"] != other["exposure"]["proximity_factor"]:
            found["E"].add(risk)
        if one["vulnerability"]["vulnerability_score"] != other["vulnerability"]["vulnerability_score"]:
            found["V"].add(risk)
        if one["exposure"]["normalized_asset_value"] != other["exposure"]["normalized_asset_value"]:
            found["else"].add("value")
        assert one["exposure"]["status"] == other["exposure"]["status"]
    old, new = before.totals.row(0, named=True), after.totals.row(0, named=True)
    found["else"] |= {"site"} if old["site_uuid"] != new["site_uuid"] else set()
    found["else"] |= {"cell"} if old["grid_id"] != new["grid_id"] else set()
    for name, column in (("aal", "final_aal"), ("loss", "expected_loss")):
        if not found["V"] and before.aal[column].to_list() != after.aal[column].to_list():
            found["else"].add(name)
    return found


def test_every_field_has_a_known_effect():
    assert {field.name for field in FIELDS} == set(EFFECTS) | REQUEST_FIELDS


@pytest.mark.parametrize("field", EFFECTS)
def test_a_changed_field_changes_what_it_should_and_nothing_else(field):
    value, near, weak, other = EFFECTS[field]
    base = site(**BASES.get(field, {}))
    changed = base.with_columns(pl.lit(value).alias(field))
    cells = figures(prepare(base, AssessConfig()).sites["grid_id"].to_list() + OTHER_CELLS)
    found = moved(assess_sites(base, cells, cells), assess_sites(changed, cells, cells))
    assert found == {"E": near, "V": weak, "else": other}


def any_site():
    ratio, distance = st.none() | st.floats(0, 1), st.none() | st.floats(0, 60_000)
    flag, whole = st.booleans(), st.integers
    maybe = st.none() | st.booleans()
    return st.fixed_dictionaries(
        {
            "latitude": st.floats(33, 39),
            "longitude": st.floats(124.5, 132),
            "building_age": whole(0, 100),
            "structure": st.sampled_from(["목조", "철근콘크리트", "steel", "벽돌", "sandwich", "?"]),
            "main_purpose": st.sampled_from(["공장", "업무시설", "hotel", "공동주택", "?"]),
            "floors_below": whole(0, 10),
            "floors_above": whole(1, 200),
            "has_piloti": flag,
            "has_seismic_design": flag,
            "fire_access": flag,
            "elevation": st.none() | st.floats(-500, 2000),
            "total_asset_value": st.none() | whole(1, 10**13),
            "insurance_coverage_rate": ratio,
            "floor_area": st.none() | st.floats(1, 300_000),
            "distance_to_river_m": distance,
            "distance_to_coast_m": distance,
            "distance_to_forest_m": distance,
            "imperviousness_ratio": ratio,
            "vegetation_ratio": ratio,
            "landcover_type": st.none() | st.sampled_from(LAND_COVERS),
            "annual_rainfall_mm": st.none() | st.floats(0, 4000),
            "cdd_days": st.none() | st.floats(0, 200),
            "in_flood_zone": maybe,
            "first_floor_height_m": st.none() | st.floats(-1, 5),
            "has_water_tank": maybe,
            "water_supply_available": maybe,
        }
    )


@settings(max_examples=25, deadline=None)
@given(drawn=st.lists(any_site(), min_size=1, max_size=6), hazard=st.floats(0, 1), aal=st.floats(0, 1))
def test_parts_add_up_and_stay_in_range_for_any_sites(drawn, hazard, aal):
    schema = {field.name: None for field in FIELDS}
    sites = pl.DataFrame([schema | each for each in drawn], infer_schema_length=None).with_columns(
        site_id=pl.format("00000000-0000-4000-8000-0000000000{}", pl.int_range(10, 10 + len(drawn)))
    )
    cells = prepare(sites, AssessConfig()).sites["grid_id"].unique().to_list()
    result = assess_sites(sites, *[figures(cells, scenarios=(2,), hazard=hazard, aal=aal)] * 2)
    assert result.failures["risk_type"].null_count() == 0
    for text in result.vulnerability["factors"]:
        factors = json.loads(text)
        terms = sum(
            value
            for name, value in factors.items()
            if name.endswith("_score") and name not in ("base_score", "unclamped_score")
        )
        assert factors["base_score"] + terms == factors["unclamped_score"]
    assert result.exposure["exposure_score"].is_between(0, 1).all()
    assert result.vulnerability["vulnerability_score"].is_between(0, 100).all()
    assert result.aal["vulnerability_scale"].is_between(0.9 - 1e-12, 1.1 + 1e-12).all()
    assert result.aal["final_aal"].is_between(0, 1).all()
    valued = result.aal.join(sites.select("site_id", "total_asset_value"), on="site_id").drop_nulls("total_asset_value")
    for percent, value, loss in valued.select("final_aal_percentage", "total_asset_value", "expected_loss").iter_rows():
        assert loss == pytest.approx(percent / 100 * value, abs=0.51, rel=1e-12)
    for totals in result.totals.iter_rows(named=True):
        mine = result.risk.filter((pl.col("site_id") == totals["site_id"]) & (pl.col("status") == "ok"))
        assert totals["total_risk_score"] == pytest.approx(mine["risk_score"].mean(), abs=1e-12)
        if totals["no_risk"]:
            assert set(mine["contribution_percent"]) == {0.0}
        else:
            assert math.fsum(mine["contribution_percent"]) == pytest.approx(100, abs=1e-9)
        losses = result.aal.filter(pl.col("site_id") == totals["site_id"])["expected_loss"]
        assert totals["total_expected_loss"] == (losses.sum() if losses.null_count() == 0 else None)
