"""Each risk as declared, from climate to AAL and score of a block, against figures worked out by hand.

Ten years are counted, not smoothed, so a year is a tenth; the monthly risks are compared with the slow twin.
"""

import math
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from engine.batch.block import compute_block
from engine.batch.notes import BlockNotes
from engine.batch.plan import Pair
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.risks import RISKS
from engine.risks.track import typhoon_track
from tests import naive
from tests.blocks import declared, make_block, make_panel, make_reference, plan_of
from tests.risks.test_water_stress import CLIMATE, water_tables

TEN = Years(2021, 2030)


class Computed(NamedTuple):
    """Rows and notes of a block."""

    probability: pl.DataFrame
    hazard: pl.DataFrame
    notes: BlockNotes


def compute(risk, values, *, axis=TEN, edition="2025-11", periods=("full",), pairs=(), tables=None, covered_years=(),
            baseline=None, **attributes):  # fmt: skip
    """What a block gives for one risk; `pairs` take the place of those of the periods."""
    panel = make_panel(values, axis=axis, **attributes)
    variables = {key if isinstance(key, str) else key[0] for key in values}
    plan = plan_of(
        declared(variables, tables or (), axis=axis), risk, edition=edition, periods=periods, baseline=baseline
    )
    plan = replace(plan, pairs=pairs or plan.pairs)
    reference = make_reference(panel, tables=tables, baseline=plan.baseline, covered_years=covered_years)
    result = compute_block(panel, plan, reference)
    assert not result.notes.failed
    return Computed(result.rows["probability"], result.rows["hazard"], result.notes)


def assert_losses(result, *expected):
    """(rates of the years, method) of each row, the rates in any order: AAL is their mean, its error their spread."""
    assert result.probability.height == len(expected)
    for row, (rates, method) in zip(result.probability.iter_rows(named=True), expected, strict=True):
        error = np.std(rates, ddof=1) / math.sqrt(len(rates)) if len(set(rates)) > 1 else None
        assert row["method"] == method
        assert row["n_samples"] == len(rates)
        assert row["aal"] == pytest.approx(np.mean(rates), rel=1e-6)
        assert row["aal_se"] == (error and pytest.approx(error, rel=1e-6))


@pytest.mark.parametrize(
    ("risk", "variable", "rates", "fallback"),
    [
        ("extreme_heat", "wsdi", [0.001, 0.003, 0.010, 0.020, 0.035], [3, 8, 20, 40]),
        ("extreme_cold", "csdi", [0.0005, 0.002, 0.006, 0.015, 0.025], [3, 7, 15, 25]),
    ],
)
def test_spells_are_cut_at_quantiles_of_ten_years_with_spells_and_at_fixed_edges_with_fewer(
    risk, variable, rates, fallback
):
    days = np.array([np.arange(1, 11), np.arange(0, 10), [0, 0, *range(1, 9)]])
    result = compute(risk, {variable: days})
    # 1..10: quantiles 8.2, 9.1, 9.55 and 9.91; a single year without a spell leaves nine
    by_edges = [[rates[int(np.searchsorted(fallback, day, "right"))] for day in row] for row in days[1:]]
    quantiles = [rates[0]] * 8 + [rates[1], rates[4]]
    assert_losses(result, (quantiles, "count"), *((row, "count") for row in by_edges))
    assert result.probability["edges"][0].to_list() == pytest.approx([8.2, 9.1, 9.55, 9.91])
    assert result.probability["edges"][1].to_list() == fallback
    assert result.notes.fallback_edges == {risk: 2}


def test_quantiles_need_ten_years_of_the_baseline_where_no_event_is_not_a_point_mass():
    rain = np.broadcast_to(np.tile(np.arange(110.0, 210.0, 10.0), 2), (2, 20)).copy()
    rain[1, 0] = np.nan  # nine of the ten baseline years
    result = compute("river_flood", {"rx1day": rain}, axis=Years(2021, 2040), baseline=TEN, edition="2025-12")
    quantiles = [110 + 90 * level for level in (0.8, 0.95, 0.99)]
    assert result.probability["edges"].to_list() == [pytest.approx(quantiles), [100, 150, 200]]
    assert result.probability["n_samples"].to_list() == [20, 19]
    assert result.notes.fallback_edges == {"river_flood": 1}


def test_cold_spells_of_the_second_edition_are_cut_at_fixed_edges():
    result = compute("extreme_cold", {"csdi": np.array([[0, 0, 1, 2, 3, 6, 7, 14, 15, 40]])}, edition="2025-12")
    assert_losses(result, ([0.0005] * 4 + [0.002] * 2 + [0.006] * 2 + [0.015] * 2, "count"))


def test_the_error_of_a_monthly_risk_counts_years_and_drought_is_minus_the_index():
    yearly = np.array([1.0, 0.8, -0.4, -1.2, -1.6, -0.9, 0.3, 1.1, 0.6, -2.2])
    spei = (yearly[:, None] + np.linspace(-0.2, 0.2, 12)).astype(np.float32)
    spei[0, :11] = np.nan  # the first eleven months have no index of twelve months
    result = compute("drought", {"spei12": spei[None], "cdd": 35.0})
    rates = [0, 0.005, 0.02, 0.07, 0.20]
    p, aal, error, n, _ = naive.bin_probabilities((-spei).ravel().tolist(), [0.5, 1.0, 1.5, 2.0], rates=rates, group=12)
    (row,) = result.probability.iter_rows(named=True)
    assert (row["n_samples"], row["method"]) == (n, "kde") == (109, "kde")
    assert row["bin_probs"] == pytest.approx(p, abs=1e-6)
    assert (row["aal"], row["aal_se"]) == pytest.approx((aal, error), rel=1e-5)
    # driest months: what lies above 0 is a year without drought; the first year has one month and is missing
    dry_side = [max(0.2 - year, 0.0) for year in yearly[1:]]
    assert result.hazard["hazard_score"].to_list() == pytest.approx([0.8 * np.mean(dry_side) / 2 + 0.2 * 0.5])


def test_drought_of_the_second_edition_is_the_driest_month_of_the_year():
    driest = [-3.0, -2.0, -1.9, -1.5, -1.4, -1.0, -0.9, 0.0, 0.5, 1.0]
    spei = np.full((1, 10, 12), 2.0)
    spei[0, :, 4] = driest
    assert_losses(
        compute("drought", {"spei12": spei}, edition="2025-12"),
        ([0.2] * 2 + [0.07] * 2 + [0.02] * 2 + [0] * 4, "count"),
    )


def test_an_index_that_varies_by_less_than_eight_tenths_over_the_baseline_is_told():
    signs = np.tile([1.0, -1.0], 60).reshape(10, 12)
    spread = {Scenario.SSP245: [0.79, 0.81, 0.9], Scenario.SSP585: [0.5, 0.5, 0.5]}
    values = {("spei12", s): np.array(spread.get(s, [1.0] * 3))[:, None, None] * signs for s in Scenario}
    ((message, counts),) = compute("drought", values).notes.checks.items()
    assert "median standard deviation below 0.8" in message
    assert counts == (1, 3)


MILLIMETRES = {"river_flood": ("rx5day", [50, 99, 100, 149, 150, 199, 200, 299, 300, 900]),
               "urban_flood": ("rx1day", [0, 49, 50, 79, 80, 119, 120, 199, 200, 500])}  # fmt: skip


@pytest.mark.parametrize("risk", MILLIMETRES)
def test_floods_are_cut_at_millimetres_and_a_bin_holds_its_lower_edge(risk):
    variable, rain = MILLIMETRES[risk]
    assert_losses(compute(risk, {variable: np.array([rain])}), ([0, 0.001, 0.003, 0.010, 0.030] * 2, "count"))


def test_urban_flood_of_the_second_edition_counts_days_of_80_mm():
    days = np.array([[0, 0, 1, 2, 3, 4, 5, 7, 8, 20]])
    result = compute("urban_flood", {"rain80": days}, edition="2025-12")
    assert_losses(result, ([0, 0.03, 0.10, 0.25, 0.45] * 2, "count"))


def test_the_cells_that_needed_an_unknown_rule_and_those_without_a_part_are_counted():
    result = compute("river_flood", {"rx5day": 200.0}, wetness_index=np.array([9.0, np.nan, np.nan]))
    assert result.notes.unknown["river_flood"] == {"wetness_index": 2, "landcover_mode": 3, "dist_river_m": 3}
    assert result.notes.dropped["river_flood"] == {"wetness": 2}
    assert result.hazard["hazard_score"].to_list() == pytest.approx([0.6 * 0.6 + 0.4 * 0.5, 0.6, 0.6])


RISES = [10, 20, 30, 40, 50, 60, 80, 100, 120, 150]  # cm above the mean of 2015-2034


def sea_level(edition, **attributes):
    years = np.arange(2015, 2045)
    level = np.concatenate([np.zeros(20), RISES]) - 7.0
    data = pl.DataFrame({"grid_id": [7] * 30, "year": years} | {s.column: level for s in Scenario})
    tables = {"sea_level_grid": pl.DataFrame({"grid_id": [7]}), "sea_level_data": data}
    return compute("sea_level_rise", {}, axis=Years(2035, 2044), edition=edition, tables=tables, slr_grid_id=7,
                   **attributes)  # fmt: skip


def test_the_rise_is_cut_at_centimetres_and_far_or_high_cells_lose_nothing():
    result = sea_level(
        "2025-11", dist_coast_m=np.array([9_999.0, 10_000.0, 10.0]), elevation_min_m=np.array([10.0, 0.0, 10.1])
    )
    rates = [0] + [0.005] * 2 + [0.02] * 2 + [0.05] * 2 + [0.15] * 3
    assert_losses(pick(result, 1), (rates, "count"))
    for row in result.probability.filter(pl.col("grid_id") > 1).iter_rows(named=True):
        assert (row["method"], row["aal"], row["aal_se"], row["n_samples"]) == ("not_exposed", 0, 0, 0)
        assert row["bin_probs"] == [1, 0, 0, 0, 0]
    # the mean of 66 cm lies between the knots (50, .7) and (100, 1)
    assert result.hazard["hazard_score"].to_list() == pytest.approx([0.7 + 0.3 * 16 / 50, 0.0, 0.0])


def test_inundation_of_the_second_edition_spares_by_distance_alone():
    ground = np.array([0.25, 12.25, 0.25])
    coast = np.array([500.0, 500.0, 10_000.0])
    result = sea_level("2025-12", dist_coast_m=coast, elevation_mean_m=ground, elevation_min_m=ground - 0.25)
    assert_losses(pick(result, 1), ([0] * 2 + [0.02] * 3 + [0.15] * 4 + [0.35], "count"))
    assert_losses(pick(result, 2), ([0] * 10, "count"))  # high ground stays dry by its depth
    assert result.probability["method"][2] == "not_exposed"


def pick(result, grid_id):
    return result._replace(probability=result.probability.filter(pl.col("grid_id") == grid_id))


WINDS = [11.0, 12.0, 16.0, 20.0, 22.5, 24.0, 30.0, 31.0, 35.0, 50.0]


def maximum_wind_radius(wind, latitude):
    return 46.4 * math.exp(-0.0155 * wind + 0.0169 * latitude)


def storms():
    """A storm a year, passing south of (35 N, 127 E) at the radius of its maximum wind; km of that radius."""
    fixes, radii = [], []
    for number, wind in enumerate(WINDS):
        latitude = 35.0
        for _ in range(60):
            latitude = 35.0 - math.degrees(maximum_wind_radius(wind, latitude) / 6371.0)
        radii.append(maximum_wind_radius(wind, latitude))
        stamp = datetime(2011 + number, 8, 1)
        fixes.append((str(number), stamp, "TY", latitude, 127.0, wind, 0, 0, 0, 0))
    names = ("tcid", "obs_datetime", "grade", "latitude", "longitude", "max_wind_speed", "gale_long", "gale_short")
    return pl.DataFrame(fixes, schema=[*names, "storm_long", "storm_short"], orient="row"), radii


def test_typhoon_winds_of_the_track_years_follow_the_warming_within_four_fifths_and_three_halves():
    track, radii = storms()
    ta = {("ta", s): 10.0 + {Scenario.SSP126: -100.0, Scenario.SSP585: 100.0}.get(s, 0.0) for s in Scenario}
    result = compute("typhoon", ta, axis=Years(2021, 2040), periods=["short_term"],
                     tables={"api_typhoon_besttrack": track}, covered_years=range(2011, 2021))  # fmt: skip
    usual = [0] * 3 + [0.0005] * 3 + [0.005] * 2 + [0.02, 0.1]
    colder = [0] * 4 + [0.0005] * 4 + [0.005, 0.02]  # times .8: 22.5 -> 18, 20 -> 16
    warmer = [0] + [0.0005] * 2 + [0.005] + [0.02] * 2 + [0.1] * 4  # times 1.5: 11 -> 16.5, 22.5 -> 33.75
    assert_losses(result, (colder, "count"), (usual, "count"), (usual, "count"), (warmer, "count"))
    # without rain the index is wind alone, less the farther the storm passes
    index = np.mean([min(wind / 50, 1) * (1 - radius / 200) for wind, radius in zip(WINDS, radii, strict=True)])
    assert result.hazard["hazard_score"][1] == pytest.approx(index, rel=1e-6)


def test_a_radius_of_zero_in_the_best_track_is_not_stated():
    track = typhoon_track(storms()[0])
    assert np.isnan(track.gale_long).all()
    assert track.vmax.tolist() == WINDS


def test_compass_points_of_the_best_track_are_degrees_clockwise_from_north():
    words = [" ne ", "N", "ENE", "S", "NNW", "w", "-", None, "SE", "E"]
    track = typhoon_track(storms()[0].with_columns(gale_dir=pl.Series(words)))
    np.testing.assert_array_equal(track.gale_dir, [45, 0, 67.5, 180, 337.5, 270, np.nan, np.nan, 135, 90])


def test_an_observed_record_is_not_scaled_by_its_own_warming():
    warming = np.arange(40.0)[None, :, None] / 4
    years = Years(2041, 2060)
    observed, projected = (make_block(make_panel({"ta": warming}), observed=known) for known in (True, False))
    scale = RISKS["typhoon"].intensities["wind"].scale
    assert scale(observed, years).tolist() == [1.0]
    assert scale(projected, years)[0] > 1


PEAKS = [5, 11, 12, 21, 22, 30, 37, 39, 49, 60]


def fire_weather(rain):
    """Dry air without wind, where the proxy is 5 exp(.08 (TA - 5) - k rain); its peaks at k = 0 are in July."""
    july = 5 + np.log(np.array(PEAKS) / 5) / 0.08
    ta = np.repeat(july[None, :, None] - 20, 12, axis=2)
    ta[:, :, 6] = july
    return {"ta": ta, "rhm": 0.0, "ws": 0.0, "rn": rain}, ta.ravel().tolist()


def assert_fires(result, ta, rain, coefficient):
    row = [naive.fire_weather_index(each, 0.0, 0.0, rain, coefficient) for each in ta]
    p, aal, error, n, _ = naive.bin_probabilities(
        row, [11.2, 21.3, 38, 50], rates=[0, 0.01, 0.03, 0.10, 0.25], lower=0.0, group=12
    )
    (found,) = result.probability.iter_rows(named=True)
    assert (found["n_samples"], found["method"]) == (n, "kde")
    assert found["bin_probs"] == pytest.approx(p, abs=1e-5)
    assert (found["aal"], found["aal_se"]) == pytest.approx((aal, error), rel=1e-4)


def test_wildfire_is_the_monthly_proxy_and_in_the_second_edition_its_highest_month():
    values, ta = fire_weather(0.0)
    monthly = compute("wildfire", values)
    assert_fires(monthly, ta, 0.0, 0.0005)
    yearly = compute("wildfire", values, edition="2025-12")
    assert_losses(yearly, ([0] * 2 + [0.01] * 2 + [0.03] * 3 + [0.10] * 2 + [0.25], "count"))
    expected = 0.4 + 0.2 * (np.mean(PEAKS) - 21.3) / (38 - 21.3)
    for result in (monthly, yearly):
        assert result.hazard["hazard_score"].to_list() == pytest.approx([expected], rel=1e-5)


def test_the_proxy_fitted_at_seoul_takes_seven_times_the_rain_of_the_published_one(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\nbase = "2025-11"\n[wildfire]\nintensity = "fwi_rain"\nedges = [11.2, 21.3, 38, 50]\n'
        'damage_rates = [0, 0.01, 0.03, 0.10, 0.25]\nsource = "test"\n'
    )
    values, ta = fire_weather(100.0)
    assert_fires(compute("wildfire", values, edition=own), ta, 100.0, 0.0035)
    assert_fires(compute("wildfire", values), ta, 100.0, 0.0005)


def test_water_stress_follows_the_runoff_of_the_year_between_a_tenth_and_three_times():
    axis, usual, wet, dry = Years(2021, 2050), Years(2021, 2030), Years(2031, 2040), Years(2041, 2050)
    rain = np.full((1, axis.n, 12), 150.0)
    rain[0, 10:14] = 10_000.0  # four wet years among six usual ones, then ten without any rain
    rain[0, 20:] = 0.0
    constant = [("A", 2019, "baseline", 1.0)] + [("A", year, "opt", 1.0) for year in (2030, 2050, 2080)]
    withdrawn = 1e9
    flow = withdrawn / 0.63**2 / (86_400 * (365 + 366 + 365) / 3)  # so that a usual year has 0.63
    result = compute("water_stress", {**CLIMATE, "rn": rain}, axis=axis, baseline=usual, basin_code=1,
                     pairs=[Pair(Scenario.SSP126, str(years), years) for years in (usual, wet, dry)],
                     tables=water_tables(flow_m3s=flow, scores=constant))  # fmt: skip
    assert_losses(result, ([0.08] * 10, "count"), ([0.08] * 6 + [0.03] * 4, "count"), ([0.15] * 10, "count"))
    assert result.hazard["hazard_score"].to_list() == pytest.approx([0.63, 0.6 * 0.63 + 0.4 * 0.21, 1.0], rel=1e-5)


def test_a_risk_whose_samples_are_a_record_says_its_years_and_no_other_does():
    for risk in RISKS.values():
        for intensity in risk.intensities.values():
            assert (intensity.scale is None) == (intensity.record is None), risk.name
