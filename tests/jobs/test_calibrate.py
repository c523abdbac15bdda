from datetime import date

import numpy as np
import polars as pl
import pytest

from engine.losses.fit import rain
from engine.sample import korea_stations
from jobs import _station_tables, calibrate


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--base", "2026-kr"], 2, "unknown edition '2026-kr'"),
        (["--losses", "nowhere"], 2, "--losses nowhere does not exist"),
        (["--out", "edition.json"], 2, "--out: edition.json: an edition is a .toml file"),
        (["--out", "nowhere/own.toml"], 2, "its folder does not exist"),
        (["--losses", "."], 1, "exposure.csv cannot be read"),
        (["--climate", "none.csv"], 2, "--climate none.csv does not exist"),
        (["--climate", "."], 1, "a store or warehouse has the largest sums of years alone: name the tables"),
    ],
)
def test_what_cannot_be_calibrated_is_refused_and_nothing_is_written(words, code, said, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert calibrate.main(words) == code
    assert said in caplog.text
    assert not list(tmp_path.iterdir())


@pytest.fixture
def table(tmp_path):
    """Rain of Andong with its gap, Seoul and Seogwipo 1976-1985 and the first days of 1986, in cm."""
    kept = pl.col("station_id").is_in(["108", "136", "189"]) & (pl.col("date") < date(1986, 1, 10))
    rows = korea_stations.read_days().filter(kept).select("station_id", "date", pl.col("pr") / 10)
    rows.write_csv(tmp_path / "rain.csv")
    return tmp_path / "rain.csv"


def test_tables_of_stations_are_the_rain_that_a_fit_reads(table, tmp_path):
    asked = ["--climate", str(table), "--stations", str(korea_stations.PLACES), "--unit", "pr=cm"]
    _station_tables.write_rain([table], calibrate.parser().parse_args(asked), tmp_path)
    mine, whole = rain.read(tmp_path), rain.read(korea_stations.PLACES.parent)
    there = [whole.station.index(number) for number in (189, 136, 108)]  # from the south
    np.testing.assert_allclose(mine.latitude, whole.latitude[there], rtol=1e-9)
    days = int((np.datetime64("1986-01-10") - whole.days[0]).astype(int))
    np.testing.assert_array_equal(mine.days[:days], whole.days[:days])
    np.testing.assert_allclose(mine.mm[:days], whole.mm[:days, there], atol=1e-3)
    assert np.isnan(mine.mm[days:]).all()
    assert rain.whole_years(mine).tolist() == list(range(1976, 1986))


def test_a_short_record_of_rain_is_refused(table, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    assert calibrate.main(["--climate", str(table), "--stations", str(korea_stations.PLACES)]) == 1
    assert "0 years of rain (1976-1985) have a recorded total, a fit needs 10" in caplog.text
