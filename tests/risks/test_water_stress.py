from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from engine.core.quality import Range
from engine.core.scenario import Scenario
from engine.kernels import reference_evapotranspiration
from engine.risks import basins
from engine.risks.tables import SMALL_TABLES
from engine.risks.water_stress import water_stress_index
from tests.blocks import AXIS, GRID, make_block, make_panel, make_reference

CLIMATE = {"rn": 150.0, "ta": 12.0, "rhm": 65.0, "ws": 2.0, "si": 14.0}
PROJECTED = {("opt", 2030): 1.0, ("opt", 2050): 2.0, ("opt", 2080): 2.0, ("bau", 2030): 3.0, ("bau", 2050): 3.0}
PROJECTED |= {("bau", 2080): 3.0, ("pes", 2030): 2.0, ("pes", 2050): 2.5, ("pes", 2080): 3.0}


def water_tables(gauge="g1", flow_m3s=100.0, skip_days=0, provinces=(("A", 1.0),), scores=None):
    days = [date(1991, 1, 1) + timedelta(i) for i in range(3 * 365)]
    flow = pl.DataFrame({"obs_code": ["g1"] * len(days), "obs_date": days, "flow_m3s": [flow_m3s] * len(days)}).slice(
        skip_days
    )
    rows = [("A", 2019, "baseline", 1.0)] + [("A", year, name, value) for (name, year), value in PROJECTED.items()]
    rows = scores or rows
    return {
        "water_basin": pl.DataFrame(
            {"basin_code": [1], "outlet_obs_code": [gauge]}, schema_overrides={"outlet_obs_code": pl.String}
        ),
        "water_basin_province": pl.DataFrame(
            {
                "basin_code": [1] * len(provinces),
                "gid_1": [p for p, _ in provinces],
                "area_weight": [w for _, w in provinces],
            }
        ),
        "api_wamis_water_usage": pl.DataFrame(
            {"basin_code": [1, 1, 1], "admin_code": ["", "", "x"], "year": [2019, 2022, 2023], "total": [9e5, 1e6, 5e9]}
        ),
        "api_wamis_flow": flow,
        "water_stress_rankings": pl.DataFrame(
            {
                "gid_1": [row[0] for row in rows],
                "year": [row[1] for row in rows],
                "scenario": [row[2] for row in rows],
                "indicator_name": ["bws"] * len(rows),
                "weight": ["Tot"] * len(rows),
                "score": [row[3] for row in rows],
            }
        ),
    }


def test_supply_is_the_mean_annual_volume_of_the_outlet_gauge():
    reference = make_reference(make_panel(CLIMATE), tables=water_tables())
    # one day of 1993 is missing and takes the year's mean
    assert basins.supply(reference)[1] == pytest.approx(100 * 86_400 * (365 + 366 + 365) / 3)


def test_a_gauge_year_with_more_than_a_quarter_missing_is_dropped():
    reference = make_reference(make_panel(CLIMATE), tables=water_tables(skip_days=92))
    assert basins.supply(reference)[1] == pytest.approx(100 * 86_400 * (366 + 365) / 2)
    reference = make_reference(make_panel(CLIMATE), tables=water_tables(skip_days=91))
    assert basins.supply(reference)[1] == pytest.approx(100 * 86_400 * (365 + 366 + 365) / 3)


def test_a_basin_without_gauge_takes_its_effective_rain_over_its_area():
    panel = make_panel({**CLIMATE, "rn": np.array([150.0, 250.0])}, basin_code=np.array([1, 1]))
    reference = make_reference(panel, tables=water_tables(gauge=None))
    step = np.radians(GRID.step) * 6_371_008.8
    expected = 0.0
    for cell, rain in enumerate((150.0, 250.0)):
        et0 = reference_evapotranspiration(
            *(np.full((1, 12), CLIMATE[n]) for n in ("ta", "rhm", "ws", "si")), np.array([35.0]), np.arange(1, 13)
        )
        expected += np.maximum(rain - et0, 0).sum() / 1000 * step**2 * np.cos(np.radians(35.0))
        assert panel.cells["latitude"][cell] == 35.0
    assert basins.supply(reference)[1] == pytest.approx(expected, rel=1e-6)


def test_demand_starts_at_the_latest_withdrawal_and_doubles_with_each_step_of_the_score():
    demand = basins.demand(make_reference(make_panel(CLIMATE), tables=water_tables()))

    def at(scenario, year):
        return demand[1, scenario][year - AXIS.first]

    assert at(Scenario.SSP126, 2030) == pytest.approx(1e9)
    assert at(Scenario.SSP126, 2050) == pytest.approx(2e9)
    assert at(Scenario.SSP126, 2040) == pytest.approx(2**0.5 * 1e9)
    assert at(Scenario.SSP370, 2060) == pytest.approx(4e9)
    assert at(Scenario.SSP245, 2030) == pytest.approx(2e9)  # mean of opt and bau: score 2
    assert at(Scenario.SSP585, 2050) == pytest.approx(2**1.5 * 1e9)


def test_the_score_of_a_basin_weighs_its_provinces_by_area():
    rows = [(name, year, "opt", score) for name, score in (("A", 2.0), ("B", 4.0)) for year in (2030, 2050, 2080)]
    rows += [("A", 2019, "baseline", 1.0), ("B", 2019, "baseline", 1.0)]
    tables = water_tables(provinces=(("A", 0.25), ("B", 0.75)), scores=rows)
    demand = basins.demand(make_reference(make_panel(CLIMATE), tables=tables))
    assert demand[1, Scenario.SSP126][2030 - AXIS.first] == pytest.approx(2**2.5 * 1e9)  # 3.5, from 1


def test_only_the_gauge_years_of_the_normal_count():
    tables = water_tables(flow_m3s=100.0)
    early = [first + timedelta(i) for first in (date(1990, 1, 1), date(2021, 1, 1)) for i in range(365)]
    outside = pl.DataFrame({"obs_code": ["g1"] * 730, "obs_date": early, "flow_m3s": [9_000.0] * 730})
    tables["api_wamis_flow"] = pl.concat([outside, tables["api_wamis_flow"]])
    supply = basins.supply(make_reference(make_panel(CLIMATE), tables=tables))
    assert supply[1] == pytest.approx(100 * 86_400 * (365 + 366 + 365) / 3)


def test_cells_without_climate_take_the_rain_of_their_basin():
    def volume(rain):
        panel = make_panel({**CLIMATE, "rn": np.array(rain)}, basin_code=np.array([1, 1]))
        return basins.supply(make_reference(panel, tables=water_tables(gauge=None)))[1]

    assert volume([250.0, np.nan]) == pytest.approx(volume([250.0, 250.0]), rel=1e-9)


def test_withdrawals_of_one_year_differ_by_their_province_and_a_repeated_one_is_a_fault():
    usage = SMALL_TABLES["api_wamis_water_usage"]
    frame = pl.DataFrame({"basin_code": [1, 1], "admin_code": ["", "x"], "year": [2020, 2020], "total": [9.0, 5.0]})
    assert usage.fault(frame, {}) is None
    assert usage.fault(pl.concat([frame, frame.head(1)]), {}) == (
        "api_wamis_water_usage: 1 duplicate row (key basin_code, admin_code, year)"
    )


def test_a_flow_that_is_nan_or_beyond_its_range_is_a_fault():
    def fault(flow):
        frame = pl.DataFrame({"obs_code": ["g1"], "obs_date": [date(2000, 1, 1)], "flow_m3s": [flow]})
        return SMALL_TABLES["api_wamis_flow"].fault(frame, {"flow": Range(0, 40_000, 0, 40_000)})

    assert fault(0.0) is fault(40_000.0) is None
    assert fault(float("nan")) == "api_wamis_flow: 1 row without flow_m3s"
    assert fault(40_001.0) == fault(-1.0) == "api_wamis_flow.flow_m3s: 1 value outside 0..40000"


def test_provinces_without_a_score_leave_the_mean_to_the_others():
    rows = [("A", 2019, "baseline", 1.0), ("B", 2019, "baseline", None)]
    rows += [("A", year, name, value) for (name, year), value in PROJECTED.items()]
    tables = water_tables(provinces=(("A", 0.3), ("B", 0.7)), scores=rows)
    demand = basins.demand(make_reference(make_panel(CLIMATE), tables=tables))
    assert demand[1, Scenario.SSP126][2030 - AXIS.first] == pytest.approx(1e9)


def test_the_index_is_withdrawal_over_what_the_river_may_lose():
    block = make_block(make_panel(CLIMATE, basin_code=1), tables=water_tables(), scenario=Scenario.SSP126)
    volume = 100 * 86_400 * (365 + 366 + 365) / 3
    assert water_stress_index(block)[0, 2030 - AXIS.first] == pytest.approx(1e9 / (0.63 * volume))


def test_the_runoff_of_a_dry_year_is_bounded_below():
    rain = np.full((1, AXIS.n, 12), 150.0)
    rain[0, -1] = 0.0
    block = make_block(make_panel({**CLIMATE, "rn": rain}, basin_code=1), tables=water_tables())
    x = water_stress_index(block)[0]
    assert x[-1] == pytest.approx(10 * x[-2], rel=0.2)


@pytest.mark.parametrize("basin", [np.nan, 2])
def test_an_unknown_basin_has_no_index(basin):
    block = make_block(make_panel(CLIMATE, basin_code=basin), tables=water_tables())
    assert np.isnan(water_stress_index(block)).all()


def test_a_place_where_rain_never_exceeds_evaporation_has_no_index():
    block = make_block(make_panel({**CLIMATE, "rn": 1.0, "ta": 28.0}, basin_code=1), tables=water_tables())
    assert np.isnan(water_stress_index(block)).all()


def test_by_aqueduct_alone_the_index_is_the_ratio_that_its_score_says_over_the_available_share_of_the_year():
    tables = water_tables(gauge=None)
    del tables["api_wamis_water_usage"], tables["api_wamis_flow"]
    panel = make_panel(CLIMATE, basin_code=np.array([1]))
    block = make_block(panel, scenario=Scenario.SSP126, tables=tables)
    index = water_stress_index(block)[0]
    # score 1 is 10 % of the supply, score 2 is 20 %; 63 % of it is available, and every year is an average one
    assert index[2030 - AXIS.first] == pytest.approx(0.1 / 0.63)
    assert index[2050 - AXIS.first] == pytest.approx(0.2 / 0.63)
    assert "Aqueduct 4.0 score of the region alone" in basins.stands_on(block.reference)
    recorded = make_reference(panel, tables=water_tables())
    assert "recorded withdrawals" in basins.stands_on(recorded)


def test_half_the_rain_doubles_the_stress_by_aqueduct_alone_as_it_does_with_a_gauge():
    rain = np.full((1, AXIS.n, 12), 400.0)
    rain[0, 10] = 200.0
    alone = water_tables(gauge=None)
    del alone["api_wamis_water_usage"], alone["api_wamis_flow"]
    panel = make_panel({**CLIMATE, "rn": rain}, basin_code=np.array([1]))
    both = [
        water_stress_index(make_block(panel, scenario=Scenario.SSP126, tables=t))[0] for t in (alone, water_tables())
    ]
    np.testing.assert_allclose(both[0][10] / both[0][9], both[1][10] / both[1][9], rtol=1e-6)
    assert both[0][10] > 1.8 * both[0][9]
