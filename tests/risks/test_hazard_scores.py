"""Each index against figures worked out by hand from its knots and weights."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch.block import hazard_score
from engine.batch.plan import Pair
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.risks import RISKS
from tests.blocks import AXIS, make_block, make_panel

PAIR = Pair(Scenario.SSP245, "full", AXIS)
SPEI = np.where(np.arange(12) == 6, -1.0, 0.5)


def score(risk, values, *, without=(), tables=None, covered_years=(), **attributes):
    """Score of the first cell; `without`: names of components whose variable is not there."""
    panel = make_panel(values, **attributes)
    block = make_block(panel, pairs=[(PAIR.scenario, PAIR.years)], tables=tables, covered_years=covered_years)
    parts = tuple(
        part
        for part in RISKS[risk].hazard.components
        if set(part.needs) <= set(values) and (part.only_without is None or part.only_without not in values)
    )
    return hazard_score(block.inputs, parts, RISKS[risk], PAIR)[0]


def test_heat_takes_the_warmest_month_when_tropical_nights_are_absent():
    ta = np.full((1, AXIS.n, 12), 10.0)
    ta[:, :, 7] = 26.0
    # (.3 * 15/30 + .2 * (26-20)/12) / .5
    assert score("extreme_heat", {"wsdi": 15.0, "ta": ta}) == pytest.approx((0.3 * 0.5 + 0.2 * 0.5) / 0.5)


def test_heat_uses_the_counts_when_they_are_there():
    values = {"wsdi": 15.0, "ta": 26.0, "hw33": 20.0, "tr25": 10.0, "tx90p": 50.0}
    assert score("extreme_heat", values) == pytest.approx(0.3 * 0.5 + 0.3 * 0.2 + 0.2 * 0.2 + 0.2 * 0.5)


def test_cold_falls_back_to_the_coldest_month():
    assert score("extreme_cold", {"csdi": 10.0, "ta": -5.0}) == pytest.approx((0.3 * 0.5 + 0.2 * 0.25) / 0.5)
    values = {"csdi": 0.0, "ta": -5.0, "tn10p": 30.0, "fd0": 75.0, "tnn": -20.0}
    assert score("extreme_cold", values) == pytest.approx(0.3 * 0.5 + 0.2 * 0.5 + 0.2)


def test_drought_counts_the_driest_month_of_each_year():
    spei = np.broadcast_to(SPEI, (1, AXIS.n, 12))
    assert score("drought", {"spei12": spei, "cdd": 35.0}) == pytest.approx(0.8 * 0.5 + 0.2 * 0.5)
    assert score("drought", {"spei12": spei}) == pytest.approx(0.5)


def test_river_flood_weighs_rain_with_wetness_and_the_river():
    rain = {"rx5day": 200.0}
    assert score("river_flood", rain) == pytest.approx(0.6)  # nothing known: rain alone, factor 1
    assert score("river_flood", rain, landcover_mode="agricultural") == pytest.approx(0.6 * 0.6 + 0.4 * 0.65)
    known = {"wetness_index": 9.0, "landcover_mode": "water"}
    base = 0.6 * 0.6 + 0.4 * 0.5
    assert score("river_flood", rain, **known) == pytest.approx(base)
    for distance, factor in ((1000.0, 1.2), (1001.0, 1.0), (5000.0, 1.0), (5001.0, 0.8)):
        assert score("river_flood", rain, dist_river_m=distance, **known) == pytest.approx(base * factor)
    assert score("river_flood", {"rx5day": 450.0}, dist_river_m=10.0) == 1.0


def test_urban_flood_sets_the_wettest_hour_against_the_drains():
    # nothing known: drains 40 * .8 = 32; hour .35 * 120 = 42; built share 1
    assert score("urban_flood", {"rx1day": 120.0}) == pytest.approx(0.5 * 10 / 30 + 0.5 * (1 - 32 / 80))
    # forest takes 8 * .8; a third of it is built at most by the unknown rule
    forest = 0.3 * (0.5 * 1.0 + 0.5 * (1 - 6.4 / 80))
    assert score("urban_flood", {"rx1day": 120.0}, landcover_mode="forest") == pytest.approx(forest)
    city = {"landcover_mode": "urban", "impervious_ratio": 0.8, "building_density_km2": 2000.0}
    assert score("urban_flood", {"rx1day": 240.0}, **city) == pytest.approx(0.5 * 9 / 30 + 0.5 * (1 - 75 / 80))


def test_river_rain_scores_by_its_published_knots():
    knots = {0: 0, 50: 0.1, 100: 0.2, 125: 0.3, 150: 0.4, 200: 0.6, 300: 0.8, 375: 0.9, 450: 1.0, 900: 1.0}
    assert [score("river_flood", {"rx5day": mm}) for mm in knots] == pytest.approx(list(knots.values()))


def test_without_a_wetness_index_the_land_cover_stands_in():
    stand_ins = {"water": 14, "wetland": 12, "agricultural": 10.5, "urban": 10, "grassland": 8.5, "barren": 7.5,
                 "forest": 6.5}  # fmt: skip
    found = [score("river_flood", {"rx5day": 0.0}, landcover_mode=cover) for cover in stand_ins]
    assert found == pytest.approx([0.4 * (index - 4) / 10 for index in stand_ins.values()])


def drains(**attributes):
    """mm/h that the drains take, from the score of a cell without rain: its built share times the deficit."""
    built = 0.3 if attributes.get("landcover_mode") in ("water", "forest", "agricultural") else 1.0
    if "impervious_ratio" in attributes:
        built = min(attributes["impervious_ratio"] / 0.6, 1.0)
    return 80 * (1 - score("urban_flood", {"rx1day": 0.0}, **attributes) / (0.5 * built))


def test_drains_are_designed_by_cover_and_by_how_much_is_sealed():
    dense = {"building_density_km2": 2000.0}
    by_cover = {"water": 0, "forest": 8, "agricultural": 15, "grassland": 40, "urban": 40}
    found = [drains(landcover_mode=cover, impervious_ratio=0.5, **dense) for cover in by_cover]
    assert found == pytest.approx(list(by_cover.values()))
    by_seal = {0.1: 40, 0.60: 40, 0.61: 55, 0.75: 55, 0.76: 75}
    assert [drains(impervious_ratio=share, **dense) for share in by_seal] == pytest.approx(list(by_seal.values()))


def test_drains_wear_where_few_buildings_stand():
    wear = {100: 0.7, 101: 0.8, 500: 0.8, 501: 0.9, 1000: 0.9, 1001: 1.0}
    found = [drains(building_density_km2=float(density)) for density in wear]
    assert found == pytest.approx([40 * share for share in wear.values()])


def test_fire_scores_by_its_published_knots_and_the_fuel():
    # dry air without wind or rain: the proxy is 5 exp(.08 (TA - 5))
    knots = {5.6: 0.1, 11.2: 0.2, 21.3: 0.4, 38.0: 0.6, 44.0: 0.7, 50.0: 0.8, 70.0: 1.0, 90.0: 1.0}
    still = {"rhm": 0.0, "ws": 0.0, "rn": 0.0}
    found = [score("wildfire", {"ta": 5 + np.log(index / 5) / 0.08, **still}) for index in knots]
    assert found == pytest.approx(list(knots.values()), abs=1e-5)
    fuel = {"forest": 1.3, "grassland": 1.2, "agricultural": 0.8, "urban": 1.0, "wetland": 1.0}
    twenty = {"ta": 5 + np.log(21.3 / 5) / 0.08, **still}
    found = [score("wildfire", twenty, landcover_mode=cover) for cover in fuel]
    assert found == pytest.approx([0.4 * factor for factor in fuel.values()], abs=1e-5)


def test_wildfire_goes_through_its_knots_and_the_fuel():
    from engine.kernels import fire_weather_index

    weather = {"ta": 25.0, "rhm": 40.0, "ws": 2.5, "rn": 0.0}
    index = float(fire_weather_index(*(np.full((1, 1), weather[name]) for name in ("ta", "rhm", "ws", "rn")))[0, 0])
    expected = np.interp(index, [0, 11.2, 21.3, 38, 50, 70], [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert 0.1 < expected < 0.7
    assert score("wildfire", weather) == pytest.approx(expected, abs=1e-6)
    assert score("wildfire", weather, landcover_mode="forest") == pytest.approx(1.3 * expected, abs=1e-6)
    assert score("wildfire", weather, landcover_mode="agricultural") == pytest.approx(0.8 * expected, abs=1e-6)


def test_a_missing_climate_value_gives_no_score_and_no_zero():
    assert np.isnan(score("extreme_heat", {"wsdi": np.nan, "ta": 25.0}))
    assert np.isnan(score("wildfire", {"ta": np.nan, "rhm": 40.0, "ws": 2.5, "rn": 0.0}))


def test_the_weights_of_every_full_set_of_parts_sum_to_one():
    for risk in RISKS.values():
        without_stand_ins = [part.weight for part in risk.hazard.components if part.only_without is None]
        assert sum(without_stand_ins) == pytest.approx(1.0), risk.name


MORE_IS_WORSE = {
    "extreme_heat": [{"wsdi": 1.0, "ta": 0.0}, {"wsdi": 0.0, "ta": 1.0}],
    "extreme_cold": [{"csdi": 1.0, "ta": 0.0}, {"csdi": 0.0, "ta": -1.0}],
    "drought": [{"spei12": -1.0, "cdd": 0.0}, {"spei12": 0.0, "cdd": 1.0}],
    "river_flood": [{"rx5day": 1.0}],
    "urban_flood": [{"rx1day": 1.0}],
    "wildfire": [{"ta": 1.0, "rhm": 0.0, "ws": 0.0, "rn": 0.0}, {"ta": 0.0, "rhm": -1.0, "ws": 0.1, "rn": 0.0}],
}
USUAL = {
    "wsdi": 10,
    "csdi": 5,
    "ta": 15,
    "spei12": 0,
    "cdd": 30,
    "rx5day": 180,
    "rx1day": 110,
    "rhm": 60,
    "ws": 2,
    "rn": 80,
}


@pytest.mark.parametrize("risk", MORE_IS_WORSE)
@settings(max_examples=40)
@given(step=st.floats(0, 30), start=st.floats(-20, 20))
def test_more_of_the_hazard_never_lowers_the_score(risk, step, start):
    for direction in MORE_IS_WORSE[risk]:
        low = {name: USUAL[name] + start * sign for name, sign in direction.items()}
        high = {name: low[name] + step * sign for name, sign in direction.items()}
        assert score(risk, high, landcover_mode="urban") >= score(risk, low, landcover_mode="urban") - 1e-9


def test_a_period_shorter_than_the_axis_uses_its_own_years_only():
    wsdi = np.zeros((1, AXIS.n))
    wsdi[:, :10] = 30.0
    block = make_block(make_panel({"wsdi": wsdi}))
    heat = dataclasses.replace(RISKS["extreme_heat"])
    part = heat.hazard.components[:1]
    early = hazard_score(block.inputs, part, heat, Pair(Scenario.SSP245, "early", Years(2021, 2030)))
    late = hazard_score(block.inputs, part, heat, Pair(Scenario.SSP245, "late", Years(2031, 2040)))
    assert (early[0], late[0]) == (1.0, 0.0)
