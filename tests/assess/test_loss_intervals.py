"""Intervals of the losses of sites and of their sums, by hand."""

import math

import numpy as np
import polars as pl
import pytest

from engine.assess import assess_sites
from engine.assess.rules import loss_words, portfolio
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.intervals import PARTS, of_sum, scaled, without
from engine.core.intervals import combined
from engine.losses import cell_years, dependence, sites_by_risk

SITE = pl.DataFrame({"latitude": [37.5665], "longitude": [126.978], "total_asset_value": [10**9]})


def cells(**risks):
    """AAL of the site's cell and its ends, a risk each."""
    ends = ("aal", "aal_low", "aal_high", "rates_low", "rates_high")
    rows = [{"risk_type": risk, **dict(zip(ends, told, strict=True))} for risk, told in risks.items()]
    frame = pl.DataFrame(rows, schema_overrides=dict.fromkeys(ends, pl.Float64))
    where = AssessConfig().grid.locate([37.5665], [126.978])
    return frame.with_columns(grid_id=pl.lit(int(where[0])), scenario_id=2, time_period=pl.lit("mid_term"))


def assessed(table, **config):
    hazards = table.select("grid_id", "risk_type", "scenario_id", "time_period", hazard_score=pl.lit(0.5))
    return assess_sites(SITE, hazards, table, AssessConfig(**config))


def test_ends_are_scaled_as_the_loss_is_and_rounded_as_it_is():
    rows = pl.DataFrame({"final_aal": [0.005, 0.005, None], "expected_loss": [5_000_000, None, None]})
    ends = {"aal_low": [0.004, 0.004, 0.004], "aal_high": [0.03, 0.03, 0.03], "rates_low": [None] * 3}
    ends = {name: pl.Series(each, dtype=pl.Float64) for name, each in (ends | {"rates_high": [None] * 3}).items()}
    asset = pl.Series([10**9, None, 10**9])
    found = scaled(rows, pl.Series([0.5] * 3), asset, ends)
    assert found["final_aal_low"].to_list() == [0.002, 0.002, None]
    assert found["expected_loss_low"].to_list() == [2_000_000, None, None]
    assert found["expected_loss_high"].to_list() == [15_000_000, None, None]
    assert found.select(PARTS).row(0) == (2e6, 15e6, 5e6, 5e6)  # no damage rates are told: they are the loss itself


def test_what_sampling_adds_to_the_damage_rates_is_found_again():
    value, sampling, rates = (
        np.array([0.01]),
        (np.array([0.006]), np.array([0.018])),
        (np.array([0.002]), np.array([0.05])),
    )
    found = without(value, combined(value, sampling, rates), rates)
    assert [end[0] for end in found] == pytest.approx([0.006, 0.018])
    assert [end[0] for end in without(value, sampling, (np.array([np.nan]),) * 2)] == [0.006, 0.018]


def test_errors_that_are_shared_add_and_others_shrink_with_the_dependence():
    parts = dict(zip(PARTS, (50.0, 400.0, 20.0, 500.0), strict=True))  # of a sum of 100
    _, low, high = of_sum(100.0, parts)
    assert high == pytest.approx(100 * math.exp(math.hypot(math.log(4), math.log(5))))
    assert low == pytest.approx(100 / math.exp(math.hypot(math.log(2), math.log(5))))
    _, low, high = of_sum(100.0, parts, 0.5)
    assert high == pytest.approx(100 * math.exp(math.hypot(math.log(2), math.log(5))))
    assert low == pytest.approx(100 / math.exp(math.hypot(math.log(2) / 2, math.log(5))))


def years(**risks):
    """Year losses of two cells, a factor of 1 each: risk -> (losses of cell 1, of cell 2)."""
    rows = [
        {"grid_id": cell, "risk_type": risk, "scenario_id": 2, "time_period": "full", "loss": loss, "valid": None}
        for risk, both in risks.items()
        for cell, loss in enumerate(both, 1)
    ]
    table = pl.DataFrame(rows, schema_overrides={"valid": pl.List(pl.Float64), "scenario_id": pl.Int16})
    named = {"scenario_id": pl.lit(2, pl.Int16), "time_period": pl.lit("full")}
    lists = [[2001 + k for k in range(len(both[0]))] for both in risks.values()]
    sample = pl.DataFrame({"risk_type": list(risks), "years": lists}).with_columns(**named)
    sites = table.select(row="grid_id", grid_id="grid_id", risk_type="risk_type", factor=pl.lit(1.0))
    return list(cell_years(table, sample)), sites_by_risk(sites)


def test_years_tell_how_far_errors_go_together():
    bad_together = years(river_flood=([0.0, 0.1, 0.0, 0.3], [0.0, 0.1, 0.0, 0.3]))
    assert dependence(*bad_together) == pytest.approx(1.0)
    never_together = years(river_flood=([0.0, 0.1, 0.0, 0.1], [0.1, 0.0, 0.1, 0.0]))
    assert dependence(*never_together) == pytest.approx(0.0, abs=1e-12)
    # storms have years of their own: squares of standard errors add
    two = years(river_flood=([0.0, 0.1, 0.0, 0.3], [0.0] * 4), typhoon=([0.0, 0.1, 0.0, 0.3], [0.0] * 4))
    assert dependence(*two) == pytest.approx(math.sqrt(2) / 2)
    assert dependence(*two, risks=["typhoon"]) == pytest.approx(1.0)
    assert dependence(*years(river_flood=([0.1] * 4, [0.0] * 4))) is None


def test_a_site_sums_what_is_calibrated_apart_and_says_what_has_no_interval():
    table = cells(
        river_flood=(0.001, 0.0002, 0.005, 0.00025, 0.004),
        wildfire=(0.002, 0.001, 0.004, None, None),
        typhoon=(0.0, None, None, None, None),
    )
    result = assessed(table, calibrated=frozenset({"river_flood", "typhoon"}))
    total, by_risk = result.totals.row(0, named=True), {r["risk_type"]: r for r in result.aal.to_dicts()}
    flood, fire = by_risk["river_flood"], by_risk["wildfire"]
    assert flood["expected_loss_high"] == pytest.approx(5 * flood["expected_loss"], rel=1e-5)
    assert total["total_expected_loss_calibrated_high"] == pytest.approx(flood["expected_loss_high"], abs=2)
    assert total["total_expected_loss_uncalibrated_low"] == pytest.approx(fire["expected_loss_low"], abs=2)
    ends = {name: flood[name] + fire[name] for name in PARTS}
    _, low, high = of_sum(float(total["total_expected_loss"]), ends)
    assert (total["total_expected_loss_low"], total["total_expected_loss_high"]) == (
        round(float(low)),
        round(float(high)),
    )
    assert total["total_expected_loss_high"] < flood["expected_loss_high"] + fire["expected_loss_high"]
    assert (total["risks_without_interval"], total["interval_holds_rates"]) == (["typhoon"], True)
    words = loss_words.of_total(total)["en"]
    assert words.endswith("on one model, damage rates and their level), index loss, not calibrated on losses")


def test_a_portfolio_of_a_place_twice_is_its_site_twice_and_less_uncertain_where_years_say_so():
    table = cells(river_flood=(0.001, 0.0005, 0.002, None, None))
    alone = assessed(table)
    twice = pl.concat([alone.totals, alone.totals.with_columns(row=pl.lit(1, pl.UInt32))])
    parts = [portfolio.loss_by_risk(alone.aal)] * 2
    counts = portfolio.Counts(rows=2, invalid=0)
    [pair] = portfolio.summary("p", portfolio.with_shares(twice), portfolio.added(parts), counts)["results"]
    one = alone.totals.row(0, named=True)
    for end in ("", "_low", "_high"):
        assert pair[f"total_expected_loss{end}"] == pytest.approx(2 * one[f"total_expected_loss{end}"], abs=2)
    half = {(2, "mid_term"): {"all": 0.5, "river_flood": 0.25}}
    [pair] = portfolio.summary("p", portfolio.with_shares(twice), portfolio.added(parts), counts, half)["results"]
    loss = pair["total_expected_loss"]
    assert pair["total_expected_loss_high"] == pytest.approx(loss * math.sqrt(2), rel=1e-5)
    assert pair["expected_loss_by_risk"]["river_flood"]["expected_loss_high"] == pytest.approx(loss * 2**0.25, rel=1e-5)
    assert pair["interval_dependence"] == 0.5


def test_without_intervals_of_the_cells_a_sum_has_none():
    total = assessed(cells(river_flood=(0.001, None, None, None, None))).totals.row(0, named=True)
    assert (total["total_expected_loss_low"], total["total_expected_loss_high"]) == (None, None)
    assert "KRW a year (no interval), index loss" in loss_words.of_total(total)["en"]
