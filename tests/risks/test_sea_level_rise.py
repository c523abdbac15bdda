import numpy as np
import polars as pl
import pytest

from engine.batch.block import hazard_score
from engine.batch.plan import Pair
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.risks import RISKS
from engine.risks.sea_level_rise import inundation_depth, out_of_reach_or_high, rise, rise_baseline
from tests.blocks import AXIS, make_block, make_panel, make_reference

SEA = Years(2015, 2100)


def sea_tables(first=SEA.first, last=SEA.last, slope=1.0):
    years = np.arange(first, last + 1)
    level = 50.0 + slope * (years - first)
    data = {
        "grid_id": np.full(len(years), 7),
        "year": years,
        "ssp1": level,
        "ssp2": level,
        "ssp3": level,
        "ssp5": 2 * level,
    }
    return {"sea_level_grid": pl.DataFrame({"grid_id": [7]}), "sea_level_data": pl.DataFrame(data)}


def coastal(**attributes):
    return make_panel({"ta": 10.0}, **({"slr_grid_id": 7, "dist_coast_m": 500.0} | attributes))


def test_the_rise_is_against_the_mean_of_its_baseline_and_never_negative():
    x = rise(make_block(coastal(), tables=sea_tables()))
    # the mean of 2015-2034 is the level of mid-2024
    np.testing.assert_allclose(x[0, :6], [0, 0, 0, 0, 0.5, 1.5])
    assert x[0, -1] == pytest.approx(2060 - 2024.5)
    steep = rise(make_block(coastal(), tables=sea_tables(), scenario=Scenario.SSP585))
    assert steep[0, -1] == pytest.approx(2 * (2060 - 2024.5))


def test_a_record_without_the_baseline_years_starts_from_its_first_twenty():
    reference = make_reference(coastal(), tables=sea_tables(1960, 2019))
    assert rise_baseline(reference) == Years(1960, 1979)


def test_years_without_a_level_and_points_without_data_are_missing():
    short = rise(make_block(coastal(), tables=sea_tables(2015, 2050)))
    assert np.isnan(short[0, 30:]).all()
    assert not np.isnan(short[0, :30]).any()
    assert np.isnan(rise(make_block(coastal(slr_grid_id=8), tables=sea_tables()))).all()
    assert np.isnan(rise(make_block(coastal(dist_coast_m=np.nan), tables=sea_tables()))).all()


@pytest.mark.parametrize(
    ("attributes", "spared"),
    [
        ({"dist_coast_m": 9_999.0}, False),
        ({"dist_coast_m": 10_000.0}, True),
        ({"dist_coast_m": 500.0, "elevation_min_m": 10.0}, False),
        ({"dist_coast_m": 500.0, "elevation_min_m": 10.5}, True),
        ({"dist_coast_m": np.nan, "elevation_min_m": 50.0}, False),
    ],
)
def test_far_or_high_cells_are_not_exposed(attributes, spared):
    assert out_of_reach_or_high(make_block(coastal(**attributes))).tolist() == [spared]


def test_inundation_is_what_stands_above_the_ground():
    block = make_block(coastal(elevation_mean_m=0.2), tables=sea_tables())
    assert inundation_depth(block)[0, -1] == pytest.approx((2060 - 2024.5) / 100 - 0.2)
    assert np.isnan(inundation_depth(make_block(coastal(), tables=sea_tables()))).all()


def test_the_score_is_of_the_last_ten_years_zero_inland_and_absent_where_the_coast_is_unknown():
    pair = Pair(Scenario.SSP245, "full", AXIS)
    risk = RISKS["sea_level_rise"]

    def score(**attributes):
        block = make_block(coastal(**attributes), tables=sea_tables())
        return hazard_score(block.inputs, risk.hazard.components, risk, pair)[0]

    mean = np.mean(np.arange(2051, 2061)) - 2024.5
    assert score() == pytest.approx(np.interp(mean, [0, 30, 50, 100], [0, 0.4, 0.7, 1]))
    assert score(dist_coast_m=20_000.0) == 0.0
    assert score(elevation_min_m=30.0) == 0.0
    assert np.isnan(score(dist_coast_m=np.nan))
