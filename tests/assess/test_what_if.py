"""Pay-back, measures, savings, the same building elsewhere and comparisons: by hand, and against slow twins."""

import json
import math
from types import SimpleNamespace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.assess.job import compare as job_compare
from engine.assess.rules import assessment, compare, everywhere, payback, saving_words, savings
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.measures import CHANGEABLE, measure_of
from engine.assess.rules.offered import RISKS
from engine.assess.rules.payback import Cost
from engine.assess.rules.prepare import placed, prepare_checked
from engine.assess.rules.validation import check
from engine.assess.rules.vulnerability import vulnerability_of
from engine.core.errors import SettingsError
from tests.assess.places import CELL, SURROUNDINGS, figures, site

CONFIG = AssessConfig()
ENDS = {"aal_low": 0.5, "aal_high": 2.0, "rates_low": None, "rates_high": None}


def table(**options):
    """Hazard and AAL of the cell with an interval from half to twice."""
    frame = figures(scenarios=(2,), **options)
    ends = [(pl.col("aal") * each if each else pl.lit(None, pl.Float64)).alias(name) for name, each in ENDS.items()]
    return frame.with_columns(ends)


def assessed(sites, measure=None):
    checked = placed(check(sites), CONFIG.grid, None)
    prepared = prepare_checked(checked, CONFIG, measure and measure.applied)
    return assessment.assess_prepared(prepared, table(), table(), CONFIG)


def saved(sites, **told):
    measure = measure_of(told)
    return savings.side_by_side(assessed(sites).aal, assessed(sites, measure).aal)


@given(st.floats(1.0, 1e9), st.floats(0.001, 0.5), st.floats(0.01, 5.0))
def test_savings_at_their_value_of_today_have_paid_the_cost_after_the_discounted_payback(amount, rate, ratio):
    net = amount * rate * (1 + ratio)
    years = payback.discounted_payback(amount, net, rate)
    assert net * -math.expm1(-years * math.log1p(rate)) / rate == pytest.approx(amount)
    assert payback.discounted_payback(amount, amount * rate, rate) is None
    assert years > payback.simple_payback(amount, net)


def test_pay_back_by_hand():
    assert payback.annuity(0.1, 2) == pytest.approx(1 / 1.1 + 1 / 1.21)
    assert payback.annuity(0.0, 7) == 7
    cost = Cost(amount=100.0, upkeep=2.0, discount_rate=0.1, years=2)
    told = payback.appraised(62.0, 31.0, None, cost)
    assert told["simple_payback_years"] == pytest.approx(100 / 60)
    worth = 1 / 1.1 + 1 / 1.21
    assert told["benefit_cost_ratio"] == pytest.approx(62 * worth / (100 + 2 * worth))
    assert told["benefit_cost_ratio_low"] == pytest.approx(31 * worth / (100 + 2 * worth))
    assert told["benefit_cost_ratio_high"] is None
    assert told["net_present_value"] == pytest.approx(60 * worth - 100)
    assert payback.simple_payback(5.0, 0.0) is None
    assert payback.discounted_payback(0.0, 1.0, 0.1) == 0.0
    assert payback.benefit_cost_ratio(3.0, Cost(amount=0.0)) is None


def test_every_field_that_a_measure_sets_acts_as_if_the_site_had_stated_it():
    new = {
        "building_age": 5, "structure": "wood", "floors_below": 0, "has_piloti": True, "insurance_coverage_rate": 0.2,
        "floor_area": 900.0, "has_seismic_design": False, "elevation": 2.0, "in_flood_zone": True,
        "first_floor_height_m": 0.1, "has_water_tank": False, "water_supply_available": False,
        "total_asset_value": 10**9,
    }  # fmt: skip
    changed, stated = assessed(site(), measure_of({"set": new})), assessed(site(**new))
    assert changed.aal.equals(stated.aal)
    assert changed.risk.equals(stated.risk)
    assert changed.vulnerability.equals(stated.vulnerability)  # its record repeats each of them
    assert set(new) <= set(CHANGEABLE)


def test_fields_that_were_open_stay_filled_as_they_were():
    bare = pl.DataFrame([{"latitude": 37.5665, "longitude": 126.978, "total_asset_value": 10**9}])
    sides = saved(bare, set={"structure": "wood"})
    moved = {str(risk) for risk, saving in sides.select("risk_type", "saving").iter_rows() if saving}
    assert moved == {"extreme_heat", "extreme_cold", "typhoon", "wildfire"}  # those whose rules read the structure


def test_what_is_prevented_is_taken_of_the_loss_after_insurance_and_of_its_interval():
    sides = saved(site(), prevents={"typhoon": 0.4, "wildfire": 1.0})
    rows = {str(row["risk_type"]): row for row in sides.to_dicts()}
    typhoon, wildfire = rows["typhoon"], rows["wildfire"]
    assert typhoon["expected_loss_after"] == pytest.approx(0.6 * typhoon["expected_loss_before"], abs=1)
    assert typhoon["expected_loss_high_after"] == pytest.approx(0.6 * typhoon["expected_loss_high_before"], abs=1)
    assert wildfire["expected_loss_after"] == 0
    assert rows["drought"]["saving"] == 0


def test_the_interval_of_a_saving_is_that_of_the_loss_in_proportion_and_opposite_signs_widen_it():
    told = savings.of_pair(saved(site(), prevents={"typhoon": 0.4}), 2, "mid_term")
    assert told["saving_low"] == pytest.approx(told["saving"] / 2, abs=1)
    assert told["saving_high"] == pytest.approx(told["saving"] * 2, abs=2)
    # without a basement floods fall; a building of wood burns more: each may be wrong in its own way
    both = savings.of_pair(saved(site(), set={"floors_below": 0, "structure": "wood"}), 2, "mid_term")
    falls = sum(each["saving"] for each in both["by_risk"].values() if each["saving"] > 0)
    rises = -sum(each["saving"] for each in both["by_risk"].values() if each["saving"] < 0)
    assert both["saving"] == falls - rises
    assert both["saving_low"] == pytest.approx(falls / 2 - 2 * rises, abs=3)
    assert both["saving_high"] == pytest.approx(2 * falls - rises / 2, abs=3)


@pytest.mark.parametrize(
    ("saving", "cost", "says"),
    [
        (0, None, "Saves nothing: no field"),
        (-5, None, "Saves nothing: the loss rises by 5 KRW a year (90 %: 3 to 9)"),
        (5, None, "inside the 90 % interval of the loss before (50 to 200)"),
        (60, None, "Saves 60 KRW a year"),
        (60, Cost(amount=100, upkeep=60), "never pays: the upkeep of 60 KRW"),
        (5, Cost(amount=1000, discount_rate=0.1), "after 200 years, and never at a discount rate of 10 %"),
    ],
)
def test_words_are_honest_where_little_or_nothing_is_saved(saving, cost, says):
    ends = {0: (0, 0), -5: (-9, -3)}.get(saving, (saving / 2, 2 * saving))
    told = dict(zip(("saving", "saving_low", "saving_high"), (saving, *ends), strict=True))
    before = {"total_expected_loss": 100, "total_expected_loss_low": 50, "total_expected_loss_high": 200}
    before["loss_note"] = "index loss, not calibrated on losses"
    appraisal = cost and payback.appraised(float(saving), *ends, cost)
    words = saving_words.sentences(told, before, appraisal)
    assert says in " ".join(words["en"])
    assert len(words["en"]) == len(words["ko"])
    assert ("inside" in " ".join(words["en"])) == (0 < saving <= 50)
    assert ("no promise of money" in words["en"][-1]) == (cost is not None)
    calibrated = saving_words.sentences(told, before | {"loss_note": None}, appraisal)
    assert "index" not in " ".join(calibrated["en"])


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"set": {"floors_below": 0}, "cots": {}}, "did you mean cost?"),
        ({"set": 3}, "give a table of names and values"),
        ({"set": {"floors_below": None}}, "floors_below of the measure has no value"),
        ({"set": {"floors_below": True}}, "Invalid type for floors_below"),
        ({"prevents": {"typhoon": 0}}, "prevents of typhoon is 0"),
        ({"prevents": {"typhoon": float("nan")}}, "give a number from 0 to 1"),
        ({"prevents": {"typhoon": 0.5}, "cost": {"discount_rate": 1.0}}, "a share of a year below 1"),
        ({"prevents": {"typhoon": 0.5}, "sites": {"rows": ["2"]}}, "give a list of whole numbers"),
        ({"prevents": {"typhoon": 0.5}, "name": " "}, "name of the measure"),
    ],
)
def test_a_measure_that_cannot_be_is_refused(told, says):
    with pytest.raises(SettingsError, match=says.replace("?", "\\?")):
        measure_of(told)


def test_the_building_in_every_cell_is_the_assessment_of_it_there_cell_by_cell():
    prepared = prepare_checked(placed(check(site(scenario_ids=[2])), CONFIG.grid, None), CONFIG)
    cells = pl.DataFrame(
        {
            "grid_id": pl.Series([CELL, CELL + 1, CELL + 2], dtype=pl.Int32),
            "latitude": [37.57, 37.57, 37.57],
            "longitude": [126.98, 126.99, 127.0],
            "in_flood_zone": [None, True, False],
            "elevation": [None, 2.0, 700.0],
        }
    )
    base = pl.DataFrame({risk: [0.001, 0.002, 0.003] for risk in RISKS}).with_columns(
        typhoon=pl.Series([0.001, None, 0.003])
    )
    found = everywhere.aal_everywhere(prepared, cells, base, RISKS, CONFIG)
    for cell, aal, total in zip(cells.to_dicts(), base.to_dicts(), found["total"], strict=True):
        # what the surroundings of the site say is of no use elsewhere: vulnerability reads none of it
        there = site(**dict.fromkeys(SURROUNDINGS), **{name: cell[name] for name in everywhere.OF_PLACE})
        parts = []
        for risk in RISKS:
            own = prepare_checked(placed(check(there), CONFIG.grid, None), CONFIG)
            scale = 0.9 + 0.2 * vulnerability_of(risk, own.sites)["vulnerability_score"][0] / 100
            row = found.filter(pl.col("grid_id") == cell["grid_id"])
            expected = None if aal[risk] is None else pytest.approx(aal[risk] * scale * 0.3)
            assert row[risk][0] == expected
            parts.append(row[risk][0])
        assert total == (None if None in parts else pytest.approx(sum(parts)))
    assert found["lacking"].to_list() == [[], ["typhoon"], []]
    near = everywhere.within(found, 37.57, 126.98, 5.0)
    assert near["kilometres"].to_list() == pytest.approx([0, 0.8814, 1.7628], abs=1e-3)
    # the second lacks a risk, the first is the site's own: neither is a candidate
    assert everywhere.ranked(near, 1.0, CELL, 9)["grid_id"].to_list() == [CELL + 2]


def test_assets_are_joined_by_id_and_by_place_and_equal_ones_by_their_order():
    def assets(rows, base=0.001, **changes):
        sites = pl.concat([site(**row) for row in rows], how="diagonal")
        result = assessed(sites)
        aal = result.aal.with_columns(base_aal=base, risk_type=pl.col("risk_type").cast(pl.String))
        vulnerable = result.vulnerability.with_columns(pl.col("risk_type").cast(pl.String))
        return compare.assets(result.totals.with_columns(name=pl.lit(None, pl.String)), aal, vulnerable)

    first = assets([{"site_id": "a"}, {"site_id": "a", "floors_below": 1}, {"latitude": 37.57}, {"site_id": "gone"}])
    second = assets(
        [{"site_id": "a"}, {"site_id": "a", "floors_below": 0}, {"latitude": 37.57, "insurance_coverage_rate": 0.1}]
    )
    told = {row["key"]: row for row in compare.compared(first, second).to_dicts()}
    assert {key: row["status"] for key, row in told.items()} == {
        "a": "same", "a (2)": "changed", "37.57,126.978": "changed", "gone": "gone",
    }  # fmt: skip
    assert told["a (2)"]["changes"] == [{"field": "floors_below", "before": "1", "after": "0"}]
    assert told["37.57,126.978"]["changes"] == [{"field": "insurance_coverage_rate", "before": "0.7", "after": "0.1"}]
    assert told["gone"]["difference"] == -told["gone"]["total_expected_loss_first"]
    other = compare.compared(first, assets([{"site_id": "a"}], base=0.002))
    row = other.filter(pl.col("key") == "a").to_dicts()[0]
    assert (row["status"], row["new_results"], row["changes"]) == ("results", list(RISKS), [])
    assert compare.counts(other)["gone"]["assets"] == 3
    # a site whose row in the other file has a fault is there, too
    both = compare.compared(first, second)
    assert compare.faulty(both, {"a"}, {"gone", "else"}) == ([], ["gone"])
    assert compare.faulty(compare.compared(second, first), {"gone"}, set()) == (["gone"], [])
    assert json.dumps(told["a"]["changes"]) == "[]"


def test_amounts_in_two_currencies_are_not_compared(monkeypatch):
    monkeypatch.setattr(job_compare, "_side", lambda code: SimpleNamespace(told={"currency": code}))
    with pytest.raises(SettingsError, match="the amounts are KRW and EUR: portfolios in one currency can be compared"):
        job_compare.of_folders("KRW", "EUR")
