"""Year losses of assessed rows, small enough for paper: which rows count, with which factor, and what has no years."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import losses
from engine.assess.job import loss_years
from engine.assess.job.loss_years import YearsOfPair
from engine.assess.job.portfolio_losses import point_of
from engine.assess.rules import loss_sheets
from engine.assess.rules.sheets import Context
from tests.losses import tables

RISKS = ("river_flood", "typhoon")
#: three sites in two cells of tests/losses/tables: value x scale x uninsured share = 1000, 500, 2000
PLACES = pl.DataFrame({"row": [1, 2, 3, 4], "grid_id": [1, 1, 2, 2], "value": [1250.0, 1000.0, 2000.0, None]})


def rows(**changes):
    """A row a site of river flood, as an assessment leaves it."""
    columns = {
        "row": [1, 2, 3, 4],
        "risk_type": ["river_flood"] * 4,
        "vulnerability_scale": [1.0] * 4,
        "insurance_rate": [0.2, 0.5, 0.0, 0.0],
        "base_aal": [0.01] * 4,
        "calibrated": [False] * 4,
        "status": ["ok"] * 4,
        "is_default": [False] * 4,
    }
    return pl.DataFrame(columns | changes)


def of_pair(frame, places=PLACES, shares=False):
    counted = loss_years.counted(frame.lazy(), places, shares=shares)
    table = tables.table({"river_flood": tables.FLOOD})
    cells = list(losses.cell_years(table, tables.sample_years({"river_flood": tables.YEARS})))
    return YearsOfPair((2, "full"), counted, cells, losses.sites_by_risk(counted))


def test_three_sites_lose_on_paper_what_their_cells_lose_times_their_factors():
    years = of_pair(rows())
    assert years.counted["factor"].to_list() == [1000.0, 500.0, 2000.0]
    made = losses.portfolio_years(years.cells, years.by_risk)
    # 1500 x (0, .01, .02, .05) of cell 1 and 2000 x (.04, 0, 0, 0) of cell 2
    assert made.filter(risk_type="river_flood")["loss"].to_list() == pytest.approx([80.0, 15.0, 30.0, 75.0])
    assert (years.value(), years.value("river_flood")) == (4250.0, 4250.0)
    point = point_of(losses.curve_of([80.0, 15.0, 30.0, 75.0]), years.value())
    assert (point["return_period"], point["basis"]) == (5.0, "empirical")
    assert point["sentence"] == "1 in 5 years: 1.88 % of value"


@pytest.mark.parametrize(
    "change",
    [
        {"status": ["ok", "failed", "ok", "ok"]},
        {"is_default": [False, True, False, False]},
        {"base_aal": [0.01, None, 0.01, 0.01]},  # not priced, or no AAL here
    ],
    ids=["failed", "default", "no AAL"],
)
def test_rows_that_the_expected_loss_leaves_out_lose_nothing(change):
    assert of_pair(rows(**change)).counted["row"].to_list() == [1, 3]


def test_a_site_without_a_value_has_shares():
    assert of_pair(rows(), shares=True).counted["factor"].to_list() == [0.8, 0.5, 1.0, 1.0]


def test_cells_without_years_are_counted_by_risk():
    elsewhere = PLACES.with_columns(grid_id=pl.Series([1, 9, 2, 2]))
    years = of_pair(pl.concat([rows(), rows(risk_type=["drought"] * 4)]), elsewhere)
    assert years.without() == {"river_flood": 1, "drought": 3}
    assert years.risks == {"river_flood": False}
    assert loss_sheets.lacking({"sites_without_year_losses": years.without()})[1].startswith("drought of 3 sites was")


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_portfolio_in_two_parts_is_the_whole_and_twice_the_value_twice_the_loss(seed, n):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        [(row, int(rng.integers(1, 3)), risk, float(rng.lognormal(5, 2))) for row in range(n) for risk in RISKS],
        schema=["row", "grid_id", "risk_type", "factor"],
        orient="row",
    )
    table, listed, _ = tables.portfolio()
    cells = list(losses.cell_years(table, listed))

    def years(part):
        found = losses.portfolio_years(cells, losses.sites_by_risk(part))
        return found.filter(pl.col("risk_type") != "all").select("risk_type", "year", "track_year", "loss")

    whole = years(frame)
    first = frame["row"] < n // 2
    keys = ["risk_type", "year", "track_year"]
    both = pl.concat([years(frame.filter(first)), years(frame.filter(~first))])
    added = both.group_by(keys, maintain_order=True).agg(pl.col("loss").sum()).sort(keys)
    np.testing.assert_allclose(added["loss"], whole.sort(keys)["loss"], rtol=1e-12)
    double = years(frame.with_columns(factor=2 * pl.col("factor")))
    assert double["loss"].to_list() == [2 * loss for loss in whole["loss"]]


def test_figures_of_a_given_curve_are_those_of_a_curve_made_anew():
    years = losses.year_losses(*tables.portfolio())
    curve = losses.exceedance_curve(years, periods=losses.RETURN_PERIODS)
    assert losses.tail_metrics(years, 3500.0, curves=curve).equals(losses.tail_metrics(years, 3500.0))


def test_sets_of_sites_have_the_level_that_the_table_of_sites_shows():
    table, listed, sites = tables.portfolio()
    cells, placed = list(losses.cell_years(table, listed)), losses.sites_by_risk(sites)
    levels = dict(losses.levels_of_sites(cells, placed, period=5.0).select("row", "loss").iter_rows())
    curves = {
        row: losses.curve_of(*sets, periods=[5.0])["loss"][0] for row, sets in losses.sets_of_sites(cells, placed)
    }
    assert curves == pytest.approx(levels, rel=1e-12)
    [(_, sets)] = losses.sets_of_sites(cells[:1], losses.sites_by_risk(tables.sites([(7, 2, 10.0)])))
    assert sets.track is None
    assert sets.model.tolist() == pytest.approx([0.4, 0.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ((100.0, 3.21), "1 in 100 years: 3.21 % of value"),
        (
            (100.0, 3.2, 2.1, 5.0),
            "1 in 100 years: 3.2 % of value (90 %: 2.1 to 5 %, extrapolated; sampling of years alone; damage rates and"
            " their level are not in it)",
        ),
        ((20.0, 0.0), "1 in 20 years: 0 % of value"),
        ((20.0, 1e-7), "1 in 20 years: below 0.001 % of value"),
        ((2.0, 1234.5), "1 in 2 years: 1234 % of value"),
    ],
)
def test_a_loss_once_in_so_many_years_is_one_sentence(point, words):
    assert losses.once_in(*point) == words


def test_a_sentence_names_100_years_or_the_rarest_that_the_years_tell():
    rng = np.random.default_rng(1)
    for n, told in ((4, 5.0), (20, 20.0), (30, 50.0), (45, 100.0)):
        assert losses.headline(losses.curve_of(rng.gamma(2, 1, n)))["return_period"] == told
    extrapolated = point_of(losses.curve_of(rng.gamma(2, 1, 45)), 100.0)
    assert extrapolated["sentence"].endswith(
        "extrapolated; sampling of years alone; damage rates and their level are not in it)"
    )
    assert extrapolated["loss_percent_low"] < extrapolated["loss_percent"] < extrapolated["loss_percent_high"]


def test_sheets_name_scenarios_and_the_storms_of_the_record():
    curve = pl.DataFrame(
        {"scenario_id": [4, None], "time_period": ["mid_term", None], "risk_type": ["all", "typhoon"],
         "kind": ["aep", "oep"], "return_period": [20.0, 20.0], "loss": [1.0, 2.0], "loss_low": [None, None],
         "loss_high": [None, None], "basis": ["empirical"] * 2, "loss_percent": [0.1, 0.2],
         "loss_note": ["index loss", None]},
        schema_overrides={"scenario_id": pl.Int16},
    )  # fmt: skip
    shown = loss_sheets.curve(curve, Context({"mid_term": "2041-2060"}, "of a sample"))
    assert shown.select("scenario", "years", "risk", "note").rows() == [
        ("SSP5-8.5", "2041-2060", "all risks", "index loss; of a sample"),
        ("storms of the record, today", None, "typhoon", "calibrated on losses; of a sample"),
    ]
