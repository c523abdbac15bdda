"""Typhoon from a track table to rows of results, against figures worked out by hand."""

import math
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from engine.batch.block import compute_block
from engine.batch.plan import Pair, Plan
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.risks import RISKS, load_edition
from engine.risks.inputs import Inputs
from tests.blocks import AXIS, make_panel, make_reference

COOL, WARM = (Pair(scenario, "full", AXIS) for scenario in (Scenario.SSP245, Scenario.SSP585))
DEGREES = 2.0  # that the second scenario is warmer
COVERED = list(range(2003, 2015))
KM_PER_DEGREE = math.radians(1.0) * 6371.0
NORTH = 1.0  # degrees from the cell to the centre of each storm


def storms(winds, **columns):
    """A table of one fix a year from 2003 on, a degree north of the first cell (35 N, 127 E); None is no storm."""
    rows = [
        {"tcid": f"{year}", "obs_datetime": datetime(year, 8, 1, 6), "max_wind_speed": wind, "grade": "TY"}
        for year, wind in zip(COVERED, winds, strict=False)
        if wind is not None
    ]
    radii = dict.fromkeys(("gale_long", "gale_short", "storm_long", "storm_short"))
    return pl.DataFrame(rows).with_columns(
        latitude=35.0 + NORTH, longitude=127.0, **{name: pl.lit(columns.get(name), pl.Float64) for name in radii}
    )


def compute(track, edition="2025-11", *, observed=False, covered=COVERED, **attributes):
    """Rows of the first cell by (scenario, column)."""
    ta = {("ta", scenario): 10.0 + (DEGREES if scenario is WARM.scenario else 0.0) for scenario in Scenario}
    panel = make_panel({**ta, "rx1day": 200.0}, **attributes)
    tables = {"api_typhoon_besttrack": track}
    reference = make_reference(panel, tables=tables, covered_years=covered, observed=observed)
    plan = Plan(
        edition=load_edition(edition),
        scope="sample",
        axis=AXIS,
        baseline=Years(2021, 2050),
        pairs=(COOL, WARM),
        left_out=(),
        probability=("typhoon",),
        hazard={"typhoon": RISKS["typhoon"].hazard.components[:1]},
        missing={},
        variables=("ta", "rx1day"),
        scenarios=(COOL.scenario, WARM.scenario),
        tables=("api_typhoon_besttrack",),
    )
    result = compute_block(panel, plan, reference)
    assert result.notes.failed == {}
    frames = result.rows["probability"].join(
        result.rows["hazard"], on=["grid_id", "scenario_id", "time_period", "risk_type"]
    )
    return {Scenario(row["scenario_id"]): row for row in frames.iter_rows(named=True)}, reference


def maximum_of(wind_at_cell):
    """Maximum wind of a storm whose wind at the cell is this: v = V sqrt(Rm / r) without a radius."""
    low, high = 0.0, 110.0
    for _ in range(100):
        middle = (low + high) / 2
        rm = 46.4 * math.exp(-0.0155 * middle + 0.0169 * 36.0)
        low, high = (middle, high) if middle * math.sqrt(rm / (NORTH * KM_PER_DEGREE)) < wind_at_cell else (low, middle)
    return high


def just_around(wind_at_cell):
    """Three years with a little more than this wind at the cell, three with a little less, six without a storm."""
    over, under = (maximum_of(wind_at_cell + side * 0.01) for side in (1, -1))
    return storms([over, under] * 3 + [None] * 6)


def test_two_per_cent_of_wind_for_each_degree_decide_the_bin():
    results, _ = compute(just_around(25.0 / (1 + 0.02 * DEGREES)))
    rates = load_edition("2025-11").bins["typhoon"].damage_rates
    assert results[COOL.scenario]["bin_probs"] == [0.5, 0.5, 0.0, 0.0, 0.0]
    assert results[WARM.scenario]["bin_probs"] == [0.5, 0.25, 0.25, 0.0, 0.0]
    assert results[WARM.scenario]["aal"] == pytest.approx(0.25 * rates[1] + 0.25 * rates[2], rel=1e-6)


def test_an_observed_record_is_not_scaled():
    results, _ = compute(just_around(25.0), observed=True)
    assert results[WARM.scenario]["bin_probs"] == results[COOL.scenario]["bin_probs"] == [0.5, 0.25, 0.25, 0.0, 0.0]


@pytest.mark.parametrize(("metres", "factor"), [(0.0, 1.0), (5_000.0, 0.9), (10_000.0, 0.8), (80_000.0, 0.8)])
def test_wind_falls_to_four_fifths_ten_kilometres_inland(metres, factor):
    results, _ = compute(just_around(25.0 / factor), dist_coast_m=metres)
    assert results[COOL.scenario]["bin_probs"] == [0.5, 0.25, 0.25, 0.0, 0.0]


def test_warming_moves_the_wind_part_of_the_score_and_not_the_rain_part():
    results, _ = compute(storms([30.0] * 12))
    near, rain = 1 - NORTH * KM_PER_DEGREE / 200.0, 0.45 * 200.0 / 500.0
    for pair, factor in ((COOL, 1.0), (WARM, 1 + 0.02 * DEGREES)):
        expected = (0.55 * 30.0 * factor / 50.0 + rain) * near
        assert results[pair.scenario]["hazard_score"] == pytest.approx(expected, rel=1e-6)


def test_warming_does_not_lengthen_the_hours_inside_storms():
    radii = {"gale_long": 300.0, "gale_short": 300.0, "storm_long": 150.0, "storm_short": 150.0}
    results, _ = compute(storms([40.0] * 6 + [15.0] * 6, **radii), "2025-12")
    assert results[WARM.scenario]["bin_probs"] == results[COOL.scenario]["bin_probs"]
    assert RISKS["typhoon"].intensities["exposure"].needs == ()


def test_years_whose_storms_state_no_wind_are_no_samples_and_are_named():
    winds = [*([40.0] * 11), None]
    table = storms(winds)
    windless = table.with_columns(
        max_wind_speed=pl.when(pl.col("tcid") == "2004").then(None).otherwise("max_wind_speed")
    )
    results, reference = compute(windless, covered=[*COVERED, 2015])
    assert results[COOL.scenario]["n_samples"] == 12  # 2003-2015 less 2004; 2014 and 2015 were quiet
    told = RISKS["typhoon"].stands_on(reference)
    assert told == (
        "12 track years, 2003-2015, 0 of them with wind radii; not covered, incomplete or without winds: 2004"
    )


def test_without_rain_the_score_stands_on_the_wind_alone():
    panel = make_panel({"ta": 10.0})
    reference = make_reference(
        panel, tables={"api_typhoon_besttrack": storms([30.0] * 12)}, covered_years=COVERED, observed=True
    )
    part = next(part for part in RISKS["typhoon"].hazard.components if part.only_without)
    block = Inputs(panel, reference, [(COOL.scenario, AXIS)]).under(COOL.scenario)
    np.testing.assert_allclose(part.of(block, AXIS), [30.0 / 50.0 * (1 - NORTH * KM_PER_DEGREE / 200.0)])
