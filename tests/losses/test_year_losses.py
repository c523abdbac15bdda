from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import losses
from engine.losses.table import completed
from tests.losses import tables

FLOODS = [80.0, 15.0, 30.0, 75.0]  # 1500 x cell 1 + 2000 x cell 2
STORMS = [150.0, 0.0, 0.0, 400.0]


def of(years, risk):
    return years.filter(pl.col("risk_type") == risk)


def test_three_sites_and_four_years_on_paper():
    years = losses.year_losses(*tables.portfolio())
    assert of(years, "river_flood")["loss"].to_list() == pytest.approx(FLOODS, rel=1e-6)
    assert of(years, "river_flood")["year"].to_list() == tables.YEARS
    assert of(years, "river_flood")["track_year"].null_count() == 4
    assert of(years, "typhoon")["loss"].to_list() == pytest.approx(STORMS, rel=1e-6)
    assert of(years, "typhoon")["track_year"].to_list() == tables.TRACKS
    both = of(years, "all")
    pairs = {row[:2]: row[2] for row in both.select("year", "track_year", "loss").iter_rows()}
    assert len(pairs) == 16
    assert pairs[2021, 2004] == pytest.approx(480.0, rel=1e-6)
    assert pairs[2022, 2002] == pytest.approx(15.0, rel=1e-6)
    assert both["loss"].mean() == pytest.approx(50.0 + 137.5, rel=1e-6)


def test_the_curve_tail_and_contributions_of_that_portfolio_on_paper():
    table, sample_years, sites = tables.portfolio()
    years = losses.year_losses(table, sample_years, sites)
    curve = losses.exceedance_curve(years)
    # four years end at 1 in 5: the largest; 1 in 2 is the rank 2.5, between 1 in 2.5 (75) and 1 in 5/3 (30)
    floods = of(curve, "river_flood").select("return_period", "loss", "basis").rows()
    assert floods == [(2.0, pytest.approx(30 + 45 * (2 - 5 / 3) / (2.5 - 5 / 3), rel=1e-6), "empirical"),
                      (5.0, pytest.approx(80.0, rel=1e-6), "empirical")]  # fmt: skip
    # all risks: 16 sums, 1 in 5 is the rank 17/5 = 3.4, between 475 (rank 3 of 480, 475, 430, 415) ... by hand
    sums = sorted((flood + storm for flood in FLOODS for storm in STORMS), reverse=True)
    assert sums[:4] == [480.0, 475.0, 430.0, 415.0]
    expected = 415 + (430 - 415) * (5 - 17 / 4) / (17 / 3 - 17 / 4)
    assert of(curve, "all")["loss"].to_list()[1] == pytest.approx(expected, rel=1e-6)
    # TVaR of four years is the worst quarter: the mean of those four pairs, all of track year 2004
    found = losses.contributions(table, sample_years, sites)
    risks = {row[0]: row[1:] for row in found.filter(by="risk").select("risk_type", "mean", "tvar_99").iter_rows()}
    assert risks["typhoon"] == pytest.approx((137.5, 400.0), rel=1e-6)
    assert risks["river_flood"] == pytest.approx((50.0, 50.0), rel=1e-6)
    of_sites = {row[0]: row[1] for row in found.filter(by="site").select("row", "tvar_99").iter_rows()}
    assert of_sites == pytest.approx({3: 400 + 20, 1: 20.0, 2: 10.0}, rel=1e-6)
    assert found.filter(by="site")["row"].to_list() == [3, 1, 2]
    metrics = of(losses.tail_metrics(years, 3500.0), "all")
    assert metrics.filter(metric="tvar")["value"].to_list() == pytest.approx([450.0], rel=1e-6)
    assert metrics.filter(metric="tvar")["level"].to_list() == [0.75]
    assert set(found["tvar_level"]) == {0.75}
    assert metrics.filter(metric="var")["value"].to_list() == [None] * 3
    # apart: floods' worst year 80, typhoon's 400; together 450
    sets = {key[2]: each for key, each in losses.sets_of(years)}
    alone = [losses.Sets(sets["river_flood"].model, None), losses.Sets(None, sets["typhoon"].track)]
    assert losses.diversification(alone) == pytest.approx(1 - 450 / 480, rel=1e-6)


def test_a_missing_month_and_a_missing_year_are_completed_by_the_aal():
    loss = np.array([[0.02, np.nan, 0.08]])
    found = completed(loss, np.array([[0.5, 0.0, 1.0]]))
    aal = (0.5 * 0.02 + 0.08) / 1.5
    np.testing.assert_allclose(found, [[0.5 * 0.02 + 0.5 * aal, aal, 0.08]])
    assert found.mean() == pytest.approx(aal, rel=1e-15)


@st.composite
def portfolios(draw):
    """Cells with gaps, sites that share them or stand outside, one to three risks of unequal years."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = np.arange(1, draw(st.integers(1, 5)) + 1)
    risks = draw(st.lists(st.sampled_from(["river_flood", "drought", "typhoon"]), min_size=1, max_size=3, unique=True))
    spans = {risk: list(range(2000, 2000 + draw(st.integers(2, 30)))) for risk in risks}
    rows = []
    for risk in risks:
        for cell in cells:
            years = len(spans[risk])
            loss = rng.gamma(0.5, 0.01, years) * (rng.random(years) < 0.7)
            valid = np.where(rng.random(years) < 0.2, rng.integers(0, 12, years) / 12, 1.0)
            valid[rng.integers(years)] = 1.0
            loss[valid == 0] = np.nan
            rows.append((int(cell), risk, 2, "full", loss.tolist(), valid.tolist()))
    kinds = dict(tables.table({}).schema) | dict.fromkeys(("loss", "valid"), pl.List(pl.Float64))
    table = pl.DataFrame(rows, schema=kinds, orient="row")
    table = table.with_columns(pl.col("loss").list.eval(pl.element().fill_nan(None)))
    n = draw(st.integers(2, 8))
    sites = tables.sites(
        [(row, int(rng.integers(1, len(cells) + 2)), float(rng.gamma(1, 1e6))) for row in range(1, n + 1)], risks
    )
    return table, tables.sample_years(spans), sites.sample(fraction=1.0, shuffle=True, seed=n)


def expected_losses(table, sites):
    """Sum of factor x AAL by risk, AAL the mean over the valid samples: a slow twin."""
    total = {}
    for cell, risk, _, _, loss, valid in table.iter_rows():
        pairs = [(each, share) for each, share in zip(loss, valid, strict=True) if each is not None]
        aal = sum(each * share for each, share in pairs) / sum(share for _, share in pairs)
        for factor in sites.filter(grid_id=cell, risk_type=risk)["factor"]:
            total[risk] = total.get(risk, 0.0) + factor * aal
    return total


@given(case=portfolios())
@settings(max_examples=30)
def test_plain_means_of_years_are_the_expected_losses(case):
    table, sample_years, sites = case
    years = losses.year_losses(table, sample_years, sites)
    means = {row[0]: row[1] for row in years.group_by("risk_type").agg(pl.col("loss").mean()).iter_rows()}
    expected = expected_losses(table, sites)
    if expected:
        expected["all"] = sum(expected.values())
    assert means == pytest.approx(expected, rel=1e-9)


@given(case=portfolios())
@settings(max_examples=30)
def test_contributions_of_risks_and_sites_add_up(case):
    table, sample_years, sites = case
    years = losses.year_losses(table, sample_years, sites)
    found = losses.contributions(table, sample_years, sites)
    for key, sets in losses.sets_of(years):
        if key[2] == "all":
            total = sets.total()
            for by in ("risk", "site"):
                part = found.filter(by=by)
                assert part["mean"].sum() == pytest.approx(total.mean(), rel=1e-9)
                assert part["tvar_99"].sum() == pytest.approx(losses.tvar(*sets), rel=1e-9)


@given(case=portfolios())
@settings(max_examples=30)
def test_a_portfolio_split_in_two_adds_up_to_the_whole_year_by_year(case):
    table, sample_years, sites = case
    key = ["scenario_id", "time_period", "risk_type", "year", "track_year"]
    parts = [
        losses.year_losses(table, sample_years, sites.filter(half)) for half in (pl.col("row") <= 2, pl.col("row") > 2)
    ]
    both = (
        pl.concat(parts)
        .filter(pl.col("risk_type") != "all")
        .group_by(key, maintain_order=True)
        .agg(pl.col("loss").sum())
    )
    whole = losses.year_losses(table, sample_years, sites).filter(pl.col("risk_type") != "all")
    joined = whole.join(both, on=key, suffix="_parts", nulls_equal=True)
    assert joined.height == whole.height
    np.testing.assert_allclose(joined["loss"], joined["loss_parts"], rtol=1e-9)


@given(case=portfolios())
@settings(max_examples=4)
def test_doubling_all_values_doubles_every_figure(case):
    table, sample_years, sites = case
    doubled = sites.with_columns(pl.col("factor") * 2)
    years, twice = (losses.year_losses(table, sample_years, each) for each in (sites, doubled))
    np.testing.assert_allclose(twice["loss"], 2 * years["loss"].to_numpy(), rtol=1e-9)
    one, two = (losses.exceedance_curve(each) for each in (years, twice))
    assert two["basis"].to_list() == one["basis"].to_list()
    for name in ("loss", "loss_low", "loss_high"):
        np.testing.assert_allclose(two[name].cast(pl.Float64), 2 * one[name].to_numpy(), rtol=1e-6)


@given(case=portfolios())
@settings(max_examples=30)
def test_figures_of_single_sites_add_up_to_the_portfolio(case):
    table, sample_years, sites = case
    years = losses.year_losses(table, sample_years, sites).filter(pl.col("risk_type") != "all")
    single = [frame for frame in losses.site_year_losses(table, sample_years, sites) if frame.height]
    if not single:
        assert years.is_empty()
        return
    key = ["scenario_id", "time_period", "risk_type", "year", "track_year"]
    summed = pl.concat(single).group_by(key, maintain_order=True).agg(pl.col("loss").sum())
    joined = years.join(summed, on=key, suffix="_sites", nulls_equal=True)
    assert joined.height == years.height
    np.testing.assert_allclose(joined["loss_sites"], joined["loss"], rtol=1e-9)


@given(case=portfolios())
@settings(max_examples=15)
def test_a_site_alone_has_the_level_and_tail_of_a_portfolio_of_one(case):
    table, sample_years, sites = case
    found = losses.site_levels(table, sample_years, sites, period=5.0)
    for row, _, _, told, loss, basis, tail, level in found.iter_rows():
        years = losses.year_losses(table, sample_years, sites.filter(row=row))
        alone = {key[2]: each for key, each in losses.sets_of(years)}["all"]
        curve = losses.curve_of(*alone, periods=[told])
        assert curve["basis"].to_list() == [basis]
        assert loss == pytest.approx(curve["loss"][0], rel=1e-9)
        assert tail == pytest.approx(losses.tvar(*alone), rel=1e-9)
        assert level == losses.tail_weights(*alone).level


def test_risks_of_unequal_years_save_what_they_save_over_all_years():
    """A risk under a trend has the years of the axis, another those of the window: its other years are its mean."""
    risks = {"drought": {1: [0.0, 0.0, 0.0, 0.08]}, "river_flood": {1: [0.04, 0.0]}}
    spans = tables.sample_years({"drought": tables.YEARS, "river_flood": [2023, 2024]})
    sites = tables.sites([(1, 1, 1000.0)], list(risks))
    years = losses.year_losses(tables.table(risks), spans, sites)
    parts = losses.parts_of(years)
    assert sorted(part.model.tolist() for part in parts) == [
        pytest.approx([0.0, 0.0, 0.0, 80.0]),
        pytest.approx([20.0, 20.0, 40.0, 0.0]),
    ]
    assert sum(part.model for part in parts) == pytest.approx(of(years, "all")["loss"].to_numpy())
    assert losses.diversification(parts) == pytest.approx(1 - 80 / (80 + 40))
    with pytest.raises(ValueError, match="within one scenario and period"):
        losses.parts_of(pl.concat([years, years.with_columns(scenario_id=pl.lit(4, pl.Int16))]))


def test_factors_are_those_of_the_expected_loss_and_null_where_it_counts_for_nothing():
    """Value 1000, scale 1.1, a fifth insured: an AAL of 0.01 is an expected loss of 8.8."""
    rows = [
        (1, 7, "drought", 1000, 1.1, 0.2, "ok", False),
        (2, 7, "drought", None, 1.0, 0.0, "ok", False),
        (3, 7, "drought", 1000, 1.0, 0.0, "ok", True),
        (4, None, "drought", 1000, 1.0, 0.0, "failed", False),
    ]
    names = ["row", "grid_id", "risk_type", "value", "vulnerability_scale", "insurance_rate", "status", "is_default"]
    found = losses.site_factors(pl.DataFrame(rows, schema=names, orient="row"))
    assert found["factor"].to_list() == [pytest.approx(880.0), None, None, None]
    years = losses.year_losses(
        tables.table({"drought": {7: [0.0, 0.02]}}), tables.sample_years({"drought": [2021, 2022]}), found
    )
    assert of(years, "all")["loss"].mean() == pytest.approx(8.8, rel=1e-6)


def test_what_does_not_fit_together_is_refused():
    table, sample_years, sites = tables.portfolio()
    with pytest.raises(ValueError, match="table lacks the columns valid"):
        losses.year_losses(table.drop("valid"), sample_years, sites)
    with pytest.raises(ValueError, match="2 rows of typhoon, scenario 2, full do not have 3 years"):
        losses.year_losses(table, tables.sample_years({"river_flood": tables.YEARS, "typhoon": [1, 2, 3]}), sites)
    with pytest.raises(ValueError, match="no row of typhoon"):
        losses.year_losses(table, sample_years.head(1), sites)
    with pytest.raises(ValueError, match="2 cells of river_flood"):
        losses.year_losses(pl.concat([table, table]), sample_years, sites)
    with pytest.raises(ValueError, match="repeat the site"):
        losses.year_losses(table, sample_years, pl.concat([sites, sites.head(1)]))
    with pytest.raises(ValueError, match="2 of 6 factors of sites are negative"):
        losses.year_losses(
            table,
            sample_years,
            sites.with_columns(pl.when(pl.col("row") == 1).then(-1.0).otherwise("factor").alias("factor")),
        )
    with pytest.raises(ValueError, match="1 of 1 cell has no valid year"):
        completed([[np.nan, np.nan]])
