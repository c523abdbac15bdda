"""What a source allows, decided before anything is read."""

from dataclasses import replace

import pytest

from engine.core.errors import SettingsError, SourceError
from engine.core.period import Years
from engine.core.rows import HAZARD, PROBABILITY
from engine.core.scenario import Scenario
from tests.blocks import declared, plan_of

AXIS = Years(2021, 2100)


def test_projected_baseline_years_are_named_with_their_scenario():
    plan = plan_of(declared(["wsdi"], axis=AXIS), "extreme_heat")
    assert plan.baseline_text == "2021-2050 SSP2-4.5"
    assert replace(plan, baseline=Years(1991, 2020)).baseline_text == "1991-2020"
    assert replace(plan, baseline=Years(1992, 2021)).baseline_text == "1992-2021 SSP2-4.5"
    # a station has no scenario
    assert replace(plan, scope="observed").baseline_text == "2021-2050"


def test_cell_attributes_alone_give_no_score():
    source = declared(["rx1day"], axis=AXIS)  # how wet the ground lies is known, the rain of five days is not
    plan = plan_of(source, "river_flood", edition="2025-12")
    assert plan.probability == ("river_flood",)
    assert plan.hazard == {}
    assert plan.missing == {"river_flood": ("rx5day_data",)}


@pytest.mark.parametrize(
    ("variables", "used"),
    [
        (["wsdi", "ta"], ["warm-spell days", "warmest month"]),
        (["wsdi", "ta", "tr25"], ["warm-spell days", "nights above 25 degC"]),
        (["wsdi", "hw33", "tx90p"], ["warm-spell days", "days above 33 degC", "days above the 90th percentile"]),
    ],
)
def test_a_stand_in_counts_only_where_what_it_stands_for_is_absent(variables, used):
    plan = plan_of(declared(variables, axis=AXIS), "extreme_heat")
    assert [part.name for part in plan.hazard["extreme_heat"]] == used


@pytest.mark.parametrize("scope", ["observed", "full"])
def test_typhoons_of_a_record_need_no_temperature_and_those_of_a_scenario_do(scope):
    source = declared(["rx1day"], ["api_typhoon_besttrack"], axis=Years(1976, 2015), scope=scope)
    if scope == "full":
        with pytest.raises(SourceError, match="no risk can be computed: the source lacks ta_data"):
            plan_of(source, "typhoon", edition="2026-kr")
        return
    plan = plan_of(source, "typhoon", edition="2026-kr")
    assert (plan.probability, list(plan.hazard), plan.missing) == (("typhoon",), ["typhoon"], {})
    assert (plan.needs_of("typhoon"), plan.variables) == (("rx1day",), ("rx1day",))


def test_the_scenario_of_the_baseline_is_read_whatever_was_asked_for():
    plan = plan_of(declared(["wsdi"], axis=AXIS), "extreme_heat", scenarios=[Scenario.SSP585], periods=["long_term"])
    assert [(pair.scenario, pair.years) for pair in plan.pairs] == [(Scenario.SSP585, Years(2081, 2100))]
    assert plan.scenarios == (Scenario.SSP245, Scenario.SSP585)


def test_scenarios_that_the_data_name_are_run_under_their_names_and_no_others():
    names = {Scenario.SSP245: "RCP4.5", Scenario.SSP585: "RCP8.5"}
    source = declared(["wsdi"], axis=Years(2021, 2060), scenario_names=names)
    plan = plan_of(source, "extreme_heat", periods=["full", "mid_term"])
    assert [(plan.label(each.scenario), each.period) for each in plan.pairs] == [
        ("RCP4.5", "full"),
        ("RCP4.5", "mid_term"),
        ("RCP8.5", "mid_term"),
    ]
    assert plan.baseline_text == "2021-2050 RCP4.5"
    with pytest.raises(SettingsError, match=r"holds no scenario 1; it has 2 \(RCP4\.5\), 4 \(RCP8\.5\)"):
        plan_of(source, "extreme_heat", scenarios=[Scenario.SSP126, Scenario.SSP245])


def test_a_run_with_another_baseline_scope_period_or_edition_is_another_run():
    source = declared(["wsdi"], axis=AXIS)
    plan = plan_of(source, "extreme_heat")
    assert plan_of(source, "extreme_heat", baseline=Years(2021, 2050)).checksum == plan.checksum
    others = [
        plan_of(source, "extreme_heat", baseline=Years(2021, 2049)),
        plan_of(declared(["wsdi"], axis=AXIS, scope="sample:9"), "extreme_heat"),
        plan_of(source, "extreme_heat", periods=["full", "mid_term"]),
        plan_of(source, "extreme_heat", edition="2025-12"),
        plan_of(source, "extreme_heat", job_type=HAZARD),
    ]
    assert len({plan.checksum, *(other.checksum for other in others)}) == 6


@pytest.mark.parametrize("kind", [PROBABILITY, HAZARD])
def test_either_kind_alone_names_the_small_tables_that_its_results_stand_on(kind):
    small = ("sea_level_grid", "sea_level_data")
    plan = plan_of(declared([], small, axis=AXIS), "sea_level_rise", job_type=kind)
    assert plan.tables_of("sea_level_rise") == small
    assert plan.tables == ("sea_level_data", "sea_level_grid")
