import re
from contextlib import closing

import numpy as np
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

import engine
from benchmarks.identity import compare
from engine import kernels
from engine.batch.pipeline import ranges_of
from engine.core.errors import EngineError, SettingsError, SourceError
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io import open_source
from engine.risks import RISKS
from tests.warehouses import DEFAULT_VARIABLES, fill


@pytest.fixture(scope="module")
def source(tmp_path_factory, server):
    from engine.io.db import migrate, postgres

    url = server.create("test_pipeline")
    with postgres.connect(url) as connection:
        migrate.apply(connection, "warehouse")
    fill(url)
    opened = open_source(url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def result(source):
    return engine.run(source)


def test_nine_risks_and_thirteen_pairs_come_out(result):
    assert result.missing == {}
    assert result.failed == {}
    pairs = result.probability.select("scenario_id", "time_period").unique()
    assert pairs.height == 13
    assert set(result.probability["risk_type"]) == set(RISKS)
    assert set(result.hazard["risk_type"]) == set(RISKS)
    cells = result.summary.cells
    assert result.probability.height == cells * 9 * 13


def test_probabilities_sum_to_one_and_aal_is_their_weighted_sum(result):
    known = result.probability.filter(pl.col("aal").is_not_null())
    sums = known["bin_probs"].list.sum()
    assert ((sums - 1).abs() < 1e-6).all()
    rates = {risk: np.asarray(bins.damage_rates) for risk, bins in engine.load_edition("2025-11").bins.items()}
    for risk, rows in known.group_by("risk_type"):
        expected = np.stack(rows["bin_probs"].to_list()) @ rates[risk[0]]
        np.testing.assert_allclose(rows["aal"], expected, atol=1e-6)


def test_a_heat_cell_equals_the_kernel_called_by_hand(source, result):
    cells = source.cells().head(1)
    panel = source.read(cells, ["wsdi"], [Scenario.SSP245])
    x = panel.arrays["wsdi", Scenario.SSP245]
    edges = kernels.baseline_quantiles(x[:, :30], [0.8, 0.9, 0.95, 0.99])
    direct = kernels.bin_probabilities(
        x[:, 20:40], edges, lower=0.0, atom=True, damage_rates=[0.001, 0.003, 0.010, 0.020, 0.035]
    )
    row = result.probability.filter(
        (pl.col("grid_id") == cells["grid_id"][0])
        & (pl.col("risk_type") == "extreme_heat")
        & (pl.col("scenario_id") == 2)
        & (pl.col("time_period") == "mid_term")
    )
    np.testing.assert_array_equal(np.float32(direct.aal), row["aal"].to_numpy())
    np.testing.assert_array_equal(direct.p.astype(np.float32)[0], row["bin_probs"][0].to_numpy())


def test_results_do_not_depend_on_the_block_size(source, result):
    small = engine.run(source, block_cells=3)
    order = ["grid_id", "risk_type", "scenario_id", "time_period"]
    assert_frame_equal(small.probability.sort(order), result.probability.sort(order), check_exact=True)
    assert_frame_equal(small.hazard.sort(order), result.hazard.sort(order), check_exact=True)


def test_blocks_begin_where_the_source_says_when_that_leaves_them_a_cell():
    cells = pl.DataFrame({"grid_id": pl.Series([2, 3, 5, 7, 11, 13, 17, 19], dtype=pl.Int32)})
    assert ranges_of(cells, 3) == [(2, 7), (7, 17), (17, 20)]
    assert ranges_of(cells, 3, cuts=[1, 3, 5, 12]) == [(2, 5), (5, 13), (13, 20)]
    assert ranges_of(cells, 2, cuts=[1, 17, 30]) == [(2, 5), (5, 11), (11, 17), (17, 20)]


def test_a_subset_gives_the_same_rows_as_the_whole(source, result):
    part = engine.run(source, risks=["wildfire"], scenarios=[4], periods=["long_term"], cells=4)
    rows = result.probability.filter(
        (pl.col("risk_type") == "wildfire") & (pl.col("scenario_id") == 4) & (pl.col("time_period") == "long_term")
    ).head(4)
    assert_frame_equal(part.probability, rows, check_exact=True)


def test_a_run_notes_its_periods_and_which_risks_its_edition_calls_calibrated(source, tmp_path):
    (tmp_path / "own.toml").write_text('name = "own"\nbase = "2025-11"\n[drought]\ncalibrated = true\nsource = "own"\n')
    told = engine.run(
        source, edition=tmp_path / "own.toml", risks=["drought", "wildfire"], periods=["full", "mid_term"]
    )
    assert {each.risk: each.calibrated for each in told.summary.risks} == {"drought": True, "wildfire": False}
    assert told.summary.as_json()["periods"] == {"full": (2021, 2100), "mid_term": (2041, 2060)}


def test_the_other_edition_runs_on_the_same_source(source):
    other = engine.run(source, edition="2025-12", periods=["full"])
    assert other.missing == {}
    assert set(other.probability["bin_probs"].list.len().drop_nulls()) == {4, 5}


TREND = """name = "trend"
base = "2025-11"

[river_flood]
trend = "linear"

[drought]
trend = "linear"

[urban_flood]
edges = {return_periods = [2, 5, 10, 50], fit = "gev"}
fallback = [50, 80, 120, 200]
estimator = "fitted"
trend = "linear"
source = "own"
"""


def test_under_a_trend_all_years_make_a_window_and_their_losses_are_its_aal(source, result, tmp_path):
    (tmp_path / "trend.toml").write_text(TREND)
    found = engine.run(source, edition=tmp_path / "trend.toml", year_losses=True)
    keys = ["grid_id", "risk_type", "scenario_id"]
    on_line = pl.col("risk_type").is_in(["river_flood", "drought", "urban_flood"])
    assert_frame_equal(found.probability.filter(~on_line), result.probability.filter(~on_line))
    years = found.sample_years.filter(on_line)["years"].list.len()
    assert years.unique().to_list() == [source.axis.n]
    rows = found.probability.filter(on_line)
    assert rows.filter(pl.col("risk_type") != "drought")["n_samples"].unique().to_list() == [source.axis.n]
    assert set(rows.filter((pl.col("risk_type") == "urban_flood") & (pl.col("time_period") != "full"))["method"]) == {
        "fitted"
    }
    identity = compare(rows, found.year_losses.filter(on_line))
    assert (identity.rows, identity.broken) == (rows.height, 0)
    told = rows.filter(pl.col("aal_low").is_not_null())
    assert told.select(((pl.col("aal_low") <= pl.col("aal")) & (pl.col("aal") <= pl.col("aal_high"))).all()).item()
    later = told.filter(pl.col("time_period") == "mid_term")
    own = later.join(rows.filter(pl.col("time_period") == "short_term"), on=keys, suffix="_then")
    np.testing.assert_allclose(own["change"], own["aal"] - own["aal_then"], atol=1e-7)
    # the same years on two lines: most of what is noise in both is none in their difference
    assert (own["change_se"] < (own["aal_se"] ** 2 + own["aal_se_then"] ** 2).sqrt()).mean() > 0.9
    [flood] = [risk for risk in found.summary.risks if risk.risk == "river_flood"]
    assert flood.trend == "linear"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"risks": ["rain"]}, "unknown risk 'rain'"),
        ({"scenarios": ["ssp4"]}, "unknown scenario 'ssp4'"),
        ({"periods": ["soon"]}, "unknown period 'soon'"),
        ({"edition": "2020"}, "unknown edition '2020'"),
        ({"cells": "x"}, "--cells x"),
        ({"scenarios": [1], "periods": ["full"]}, "full is for SSP2-4.5 only"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(source, wrong, says):
    with pytest.raises(SettingsError, match=says):
        engine.run(source, **wrong)


def run_on(url, **options):
    opened = open_source(url)
    try:
        return engine.run(opened, periods=["full"], **options)
    finally:
        opened.close()


def test_a_missing_table_takes_its_risks_out_by_name_and_leaves_the_others(warehouse):
    fill(warehouse, without=["spei12_data", "api_typhoon_besttrack"])
    result = run_on(warehouse)
    assert result.missing["typhoon"] == ("api_typhoon_besttrack",)
    assert "spei12_data" in result.missing["drought"]
    assert "wildfire" in set(result.probability["risk_type"])
    assert "typhoon" not in set(result.probability["risk_type"])


def test_a_missing_scenario_column_is_named(warehouse):
    fill(warehouse, without=["wsdi_data.ssp5"])
    opened = open_source(warehouse)
    result = engine.run(opened, risks=["extreme_heat", "extreme_cold"])
    opened.close()
    assert result.missing == {"extreme_heat": ("wsdi_data.ssp5",)}


def test_duplicate_rows_fail_the_risks_that_read_the_table(warehouse):
    fill(warehouse, duplicates={"wsdi_data": 2})
    result = run_on(warehouse)
    assert result.failed["extreme_heat"].startswith("wsdi_data: 2 duplicate rows")
    assert "extreme_heat" not in set(result.probability["risk_type"])


def test_many_cells_with_gaps_fail_the_risks_that_read_the_table(warehouse):
    fill(warehouse, gaps={"csdi_data": 5})
    result = run_on(warehouse)
    assert "csdi_data" in result.failed["extreme_cold"]
    assert "lack values" in result.failed["extreme_cold"]


@pytest.mark.parametrize(
    ("gone", "asked", "says"),
    [
        ((2,), None, "SSP2-4.5 (column ssp2) in cells 1..17: every risk takes its bins from SSP2-4.5, so load it"),
        ((2,), [4], "SSP2-4.5 (column ssp2) in cells 1..17: every risk takes its bins from SSP2-4.5, so load it"),
        ((1, 3), None, "SSP1-2.6 (column ssp1), SSP3-7.0 (column ssp3) in cells 1..17: load them, or run with"),
    ],
)
def test_a_scenario_that_was_not_loaded_is_named_before_anything_is_computed(warehouse, gone, asked, says):
    columns = [Scenario(number).column for number in gone]
    fill(warehouse, all_nan=[f"{VARIABLES[name].table}.{column}" for name in DEFAULT_VARIABLES for column in columns])
    with closing(open_source(warehouse)) as source, pytest.raises(SourceError, match=re.escape(says)):
        engine.run(source, scenarios=asked)


def test_what_was_loaded_is_computed_if_asked_for_alone(warehouse):
    fill(warehouse, all_nan=[f"{VARIABLES[name].table}.ssp1" for name in DEFAULT_VARIABLES])
    with closing(open_source(warehouse)) as source:
        result = engine.run(source, scenarios=[2, 3, 4])
    assert not result.failed
    assert result.probability.select("scenario_id", "time_period").n_unique() == 10


def test_values_that_cannot_be_fail_the_risks_that_read_them(warehouse):
    fill(warehouse)
    change(warehouse, "UPDATE cdd_data SET ssp2 = 9999 WHERE year = 2030")
    result = run_on(warehouse)
    assert "values outside 0..366" in result.failed["drought"]


def test_a_column_of_nan_is_a_fault_and_not_a_result(warehouse):
    fill(warehouse, all_nan=["rx1day_data.ssp2"])
    result = run_on(warehouse)
    assert result.failed["urban_flood"] == "rx1day_data: 17 of 17 cells lack values"
    assert "urban_flood" not in set(result.probability["risk_type"])
    assert "wildfire" in set(result.probability["risk_type"])


def change(url, *statements):
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "risk", "says"),
    [
        ("UPDATE sea_level_data SET ssp2 = -9999 WHERE year = 2030", "sea_level_rise", "values outside -50..200"),
        (
            "ALTER TABLE sea_level_data DROP CONSTRAINT sea_level_data_pkey;"
            "INSERT INTO sea_level_data SELECT * FROM sea_level_data WHERE year = 2030",
            "sea_level_rise",
            "duplicate rows",
        ),
        (
            "ALTER TABLE api_wamis_water_usage ALTER total DROP NOT NULL;UPDATE api_wamis_water_usage SET total = NULL",
            "water_stress",
            "rows without total",
        ),
        (
            "ALTER TABLE wsdi_data RENAME TO w; CREATE TABLE wsdi_data AS TABLE w;"
            "INSERT INTO wsdi_data VALUES (1, 2101, 1, 1, 1, 1)",
            "extreme_heat",
            "1 row outside the time axis",
        ),
    ],
)
def test_a_fault_of_one_input_costs_its_risks_and_no_other(warehouse, statement, risk, says):
    fill(warehouse)
    change(warehouse, *statement.split(";"))
    result = run_on(warehouse)
    assert set(result.failed) == {risk}
    assert says in result.failed[risk]
    assert len(set(result.probability["risk_type"])) == 8


def test_a_missing_column_of_a_small_table_is_named(warehouse):
    fill(warehouse)
    change(
        warehouse, "ALTER TABLE sea_level_data DROP COLUMN ssp1", "ALTER TABLE water_stress_rankings DROP COLUMN score"
    )
    result = run_on(warehouse)
    assert result.missing == {
        "sea_level_rise": ("sea_level_data.ssp1",),
        "water_stress": ("water_stress_rankings.score",),
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE location_grid SET latitude = latitude + 0.5 WHERE grid_id = 1",
        "INSERT INTO location_grid (grid_id, lat_idx, lon_idx, latitude, longitude, has_climate)"
        " VALUES (999999, 4, 4, 50, 150, true)",
    ],
)
def test_a_cell_that_is_not_where_its_number_says_is_refused(warehouse, statement):
    fill(warehouse)
    change(warehouse, statement)
    with pytest.raises(EngineError, match="coordinates of 1 cell do not follow from grid_id"):
        run_on(warehouse)


def test_too_few_track_years_are_told_and_not_published(warehouse):
    fill(warehouse)
    change(warehouse, "UPDATE api_typhoon_besttrack SET gale_long = NULL WHERE year > 2006")
    result = run_on(warehouse, edition="2025-12")
    assert "no cell has enough data for SSP2-4.5 full (20 track years, 2003-2022" in result.failed["typhoon"]


def test_nothing_computable_is_an_error_that_names_what_lacks(warehouse):
    fill(warehouse, without=["wsdi_data", "ta_data"])
    with pytest.raises(EngineError, match="no risk can be computed: the source lacks wsdi_data"):
        run_on(warehouse, risks=["extreme_heat"])
