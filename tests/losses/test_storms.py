from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from engine import losses
from engine.io.etl.loaders import besttrack_readers
from engine.kernels import typhoon_storm_wind, typhoon_wind
from engine.losses.ord import MELT, MPLT
from engine.risks.track import typhoon_track
from engine.risks.typhoon import storm_wind
from engine.sample.seoul import DATA
from tests.losses import tables

EDGES, RATES = [17.0, 25.0, 33.0, 44.0], [0.0, 0.01, 0.03, 0.1, 0.3]
STORMS = pl.DataFrame(
    {"storm_id": ["0314", "0215"], "name": ["MAEMI", "RUSA"], "year": [2003, 2002], "began": [295_000.0, 285_000.5]}
)


def test_a_storm_costs_the_rate_of_its_highest_wind_at_each_site():
    wind = np.array([[40.0, 20.0], [16.9, 44.0]])  # cells 1 and 2
    found = losses.storm_losses(wind, [1, 2], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    # MAEMI: 0.1 of the factors 1500 in cell 1; RUSA: 0.01 of 1500 and 0.3 of 2000
    assert found.select("name", "loss", "wind_max").rows() == [("RUSA", 615.0, 44.0), ("MAEMI", 150.0, 40.0)]
    assert found["date"].to_list() == [date(2002, 7, 7), date(2003, 8, 27)]
    single = losses.site_storm_losses(wind, [1, 2], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    assert single.group_by("storm_id").agg(pl.col("loss").sum()).sort("storm_id").rows() == [
        ("0215", 615.0),
        ("0314", 150.0),
    ]
    assert single.filter(storm_id="0314")["row"].to_list() == [1, 2]


def test_the_largest_storm_of_each_year_makes_the_oep_curve():
    wind = np.array([[40.0, 20.0], [16.9, 44.0]])
    found = losses.storm_losses(wind, [1, 2], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    years = losses.storm_years(found, [2001, 2002, 2003, 2004])
    assert years["loss"].to_list() == [0.0, 615.0, 150.0, 0.0]
    curve = losses.exceedance_curve(years, kind="oep", periods=[5.0])
    assert curve.select("risk_type", "kind", "loss").rows() == [("typhoon", "oep", 615.0)]
    with pytest.raises(ValueError, match="storms of 2003, which"):
        losses.storm_years(found, [2001, 2002])


def besttrack():
    """Fixes of the JMA record 2015-2021 as rows of the warehouse table."""
    return besttrack_readers.read(DATA / "typhoon" / "jma_bst_2015_2021.txt").fixes


def test_the_strongest_storm_of_a_year_is_the_wind_of_the_year():
    track = typhoon_track(besttrack())
    lat, lon, years = np.array([34.8, 37.57, 35.1]), np.array([126.4, 126.97, 129.0]), np.arange(2015, 2022)
    storms = typhoon_storm_wind(lat, lon, track, years)
    annual = typhoon_wind(lat, lon, track, years)
    by_year = np.stack([storms.wind[:, storms.year == year].max(axis=1, initial=0.0) for year in years], axis=1)
    assert by_year.tobytes() == annual.tobytes()
    assert (np.diff(storms.began) >= 0).all()
    assert len(set(storms.storm.tolist())) == storms.wind.shape[1]


def test_storms_of_the_record_have_the_names_that_people_remember():
    """2018 Soulik came ashore near Mokpo, 2019 Lingling passed over the western islands."""
    lat, lon, sea = np.array([34.8, 34.68]), np.array([126.4, 125.45]), np.full(2, np.nan)
    wind, rows = storm_wind(besttrack(), lat, lon, sea, range(2015, 2022))
    strongest = [rows.row(int(place))[1:3] for place in wind.argmax(axis=1)]
    assert [(name.upper(), year) for name, year in strongest] == [
        ("SOULIK", 2018),
        ("LINGLING", 2019),
    ]
    inland, _ = storm_wind(besttrack(), lat, lon, np.full(2, 1e5), range(2015, 2022))
    np.testing.assert_allclose(inland, 0.8 * wind)


def test_ord_tables_have_the_columns_of_oasis_and_the_mean_of_the_years():
    years = losses.year_losses(*tables.portfolio())
    plt = losses.period_loss_table(years, 3500.0)
    assert plt.columns == list(MPLT)
    assert plt["Period"].to_list() == list(range(1, 17))
    assert (plt["PeriodWeight"] * plt["MeanLoss"]).sum() == pytest.approx(187.5, rel=1e-6)
    assert plt.filter(pl.col("MeanLoss") == 0)["MaxLoss"].to_list() == []
    wind = np.array([[40.0, 10.0], [16.9, 10.0]])
    storms = losses.storm_losses(wind, [1, 2], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    elt = losses.event_loss_table(storms, 3500.0, 4)
    assert elt.columns == list(MELT)
    assert elt.select("EventId", "EventRate", "MeanLoss", "ChanceOfLoss", "MaxLoss").rows() == [
        (1, 0.25, 150.0, 1.0, 3500.0),
        (2, 0.25, 0.0, 0.0, 0.0),
    ]
    with pytest.raises(ValueError, match="one scenario and period"):
        losses.period_loss_table(pl.concat([years, years.with_columns(scenario_id=pl.lit(1, pl.Int16))]), 1.0)
    with pytest.raises(ValueError, match="no row of drought"):
        losses.period_loss_table(years, 1.0, risk_type="drought")


def test_what_does_not_fit_together_is_refused():
    wind = np.ones((2, 2))
    with pytest.raises(ValueError, match="3 of 3 sites stand in cells without a wind"):
        losses.storm_losses(wind, [7, 8], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    with pytest.raises(ValueError, match="do not ascend"):
        losses.storm_losses(wind, [2, 1], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    with pytest.raises(ValueError, match=r"wind is \(cells, storms\)"):
        losses.storm_losses(np.ones((2, 3)), [1, 2], STORMS, tables.sites(), edges=EDGES, damage_rates=RATES)
    with pytest.raises(ValueError, match="a rate a bin"):
        losses.damage_rate([1.0], EDGES, RATES[1:])
