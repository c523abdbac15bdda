"""Observed Korea from the file of its rain to the published figures, against scipy and the raw file."""

from contextlib import closing
from math import gamma

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from engine.batch.edges import quantile_edges
from engine.core.scenario import Scenario
from engine.core.settings import Settings
from engine.io import open_source
from engine.io.db.embedded import WAREHOUSE, EmbeddedServer
from engine.losses.fit import rain, shipped
from engine.risks import load_edition
from engine.sample import korea_stations
from jobs import assess, report, yearly

SEOUL = (37.57141, 126.96579)
PERIODS = np.array([2, 5, 10, 20, 50, 100])


def raw_maxima(station: str, days: int) -> np.ndarray:
    """Largest sums of so many days in each year of the raw file, mm."""
    table = pl.read_parquet(korea_stations.RAIN).sort("date")
    sums = table[station].cast(pl.Float64).rolling_sum(days) / 10
    return (
        pl.DataFrame({"year": table["date"].dt.year(), "mm": sums}).group_by("year").max().sort("year")["mm"].to_numpy()
    )


def levels(x: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Return levels of the GEV whose first three L-moments are those of x: moments by their definition as expected
    order statistics, the shape as the root of its exact equation, quantiles by scipy."""
    x, n, i = np.sort(x), len(x), np.arange(len(x))
    b0, b1, b2 = x.mean(), (i * x).sum() / (n * (n - 1)), (i * (i - 1) * x).sum() / (n * (n - 1) * (n - 2))
    l2, skewness = 2 * b1 - b0, (6 * b2 - 6 * b1 + b0) / (2 * b1 - b0)
    k = optimize.brentq(lambda k: 2 * (1 - 3**-k) / (1 - 2**-k) - 3 - skewness, -0.9, -1e-6)
    scale = l2 * k / ((1 - 2**-k) * gamma(1 + k))
    return stats.genextreme.ppf(1 - 1 / periods, k, b0 - scale * (1 - gamma(1 + k)) / k, scale)


def test_the_back_test_reads_the_same_file() -> None:
    read = rain.read(shipped.sources().stations)
    assert shipped.sources().stations == korea_stations.RAIN.parent
    days = korea_stations.read_days()
    assert days.height == np.isfinite(read.mm).sum()
    assert days["pr"].sum() == pytest.approx(np.nansum(read.mm), rel=1e-12)


def test_rain_and_storms_of_69_stations_give_three_risks(server_home, tmp_path, monkeypatch, capsys) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(server_home))
    monkeypatch.chdir(tmp_path)
    assert yearly.main(["--sample", "korea-stations"]) == 3  # six risks lack their inputs, by name
    said = capsys.readouterr().out
    assert "observed record of 69 stations 1976-2015, edition 2026-kr, scope observed" in said
    assert "synthetic" not in said
    assert "cells=69 risks=4 missing=6 failed=0" in said
    monkeypatch.setenv("ENGINE_HOME", str(home := server_home / "korea-stations"))
    rows = pl.read_parquet(home / "runs" / "1" / "block=00000" / "probability.parquet")
    cell = int(korea_stations.GRID.locate(*SEOUL))
    with EmbeddedServer(home) as server, closing(open_source(server.url(WAREHOUSE))) as source:
        cells = source.cells().filter(pl.col("grid_id") == cell)
        panel = source.read(cells, ["rx1day", "rx5day"], [Scenario.SSP245])
    edition = load_edition("2026-kr")
    for risk, name, days in (("urban_flood", "rx1day", 1), ("river_flood", "rx5day", 5)):
        x, bins = panel.arrays[name, Scenario.SSP245], edition.bins[risk]
        np.testing.assert_allclose(x[0], raw_maxima("s108", days), rtol=1e-6)
        edges, _, known = quantile_edges(x, bins, 1)
        assert known.all()
        np.testing.assert_allclose(edges[0], levels(x[0].astype(float), PERIODS), rtol=1e-4)
        # of the record by which the edges were set, the chance of each bin is the difference of 1/T
        chance = -np.diff([1, *(1 / PERIODS), 0])
        mine = rows.filter(pl.col("grid_id") == cell, pl.col("risk_type") == risk)
        assert mine["aal"].item() == pytest.approx(np.dot(chance, bins.rates), rel=1e-6)
        flood = rows.filter(pl.col("risk_type") == risk)
        assert dict(flood["method"].value_counts().iter_rows()) == {"fitted": 61, "insufficient_data": 8}
    typhoon = rows.filter(pl.col("risk_type") == "typhoon")
    assert (typhoon.height, typhoon["n_samples"].unique().to_list(), typhoon["aal"].null_count()) == (69, [45], 0)
    places_are_assessed_near_a_station_alone(tmp_path)
    the_report_speaks_of_a_record(tmp_path)


def places_are_assessed_near_a_station_alone(folder) -> None:
    """Seoul, a place 11 km from its cell, one of the stations that begin in 1996, and a place 25 km from Chungju."""
    sites = {"latitude": [37.57141, 37.7, 35.65695, 36.75], "longitude": [126.96579, 127.0, 127.52029, 127.9]}
    pl.DataFrame(sites).write_csv(folder / "sites.csv")
    arguments = ["--sites", str(folder / "sites.csv"), "--out", str(folder / "out"), "--period", "full"]
    assert assess.main(arguments) == 3
    totals, aal, failures = (
        pl.read_parquet(folder / "out" / f"{name}.parquet") for name in ("totals", "aal", "failures")
    )
    assert totals["cell_basis"].to_list() == ["own", "nearest", "own", None]
    assert totals["cell_distance_m"][1] == pytest.approx(11_119, abs=5)
    flood, typhoon = (
        aal.filter(pl.col("risk_type") == risk).sort("row")["base_aal"].to_list() for risk in ("river_flood", "typhoon")
    )
    assert flood[0] == flood[1] > 0
    assert flood[2] is None  # twenty of forty years are too few
    assert typhoon[2] > 0
    [(row, reason)] = failures.filter(pl.col("field") == "location").select("row", "reason").rows()
    assert (row, reason) == (5, "Location is outside the data grid")


def the_report_speaks_of_a_record(folder) -> None:
    """No climate model, no change, no ranking of equal losses, no rates of a risk that is not priced."""
    assert report.main(["--out", str(folder / "r.html")]) == 0
    text = (folder / "r.html").read_text("utf-8")
    assert "one climate model" not in text
    assert "on one model" not in text
    assert "against the place's own past" not in text
    assert "sampling of 40 years of one record, damage rates and their level" in text
    assert text.count("Every cell has the same AAL, so it ranks no place") == 2  # floods
    assert "Years of its own record: 45 of 1977-2021." in text
    assert "charge a storm once: their AAL may be added up." in text
    assert "index, not calibrated" not in text
    assert "not calibrated on losses" not in text


def test_stations_lie_apart_and_land_does_not() -> None:
    places = pl.read_csv(korea_stations.PLACES)
    grid = korea_stations.GRID
    ids = grid.locate(places["lat"].to_numpy(), places["lon"].to_numpy())
    assert grid.apart(ids)
    assert grid.apart(ids[:1])
    assert not grid.apart(np.arange(1, 200))
    assert not grid.apart([])
    assert grid.apart([1, 3, 5])
    for beside in (2, 77, 78):  # east, north, north-east
        assert not grid.apart([1, beside])
    assert grid.apart([76, 77])  # the ends of two rows
