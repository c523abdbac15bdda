"""The two samples through the whole path: files, loaders, embedded server, run, results."""

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from benchmarks import identity
from engine.core.names import RISK_NAMES
from engine.core.period import PERIODS
from engine.core.settings import Settings
from engine.io import open_source
from engine.io.db.embedded import APPLICATION, WAREHOUSE, EmbeddedServer
from engine.io.results.year_losses import read_year_losses
from engine.sample import korea
from jobs import _home, assess, yearly
from jobs._samples import SAMPLES

AAL = {
    "grid_id": pl.Int32,
    "risk_type": pl.String,
    "scenario_id": pl.Int16,
    "time_period": pl.String,
    "aal": pl.Float32,
}


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path, server_home):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(server_home))
    monkeypatch.chdir(tmp_path)
    return server_home


def test_jobs_that_start_together_fill_the_warehouse_one_after_the_other(warehouse, tmp_path, monkeypatch):
    (tmp_path / "sample" / "korea").mkdir(parents=True)
    (tmp_path / "sample" / "korea" / _home._STAMP).write_text(SAMPLES["korea"].version)
    inside = threading.Semaphore()
    entered = []

    def load(*_):
        assert inside.acquire(blocking=False), "two at once"
        entered.append(threading.get_ident())
        time.sleep(0.3)
        inside.release()
        return []

    monkeypatch.setattr("engine.io.etl.run_loaders", load)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(_home.fill, warehouse, "korea", tmp_path) for _ in range(2)]:
            done.result(30)
    assert len(entered) == 2


@pytest.mark.parametrize(("stamp", "called"), [(None, "build"), ("", "complete"), ("1", "complete"), ("2", None)])
def test_an_older_sample_is_completed_and_a_finished_one_is_left_alone(warehouse, tmp_path, monkeypatch, stamp, called):
    data, calls = tmp_path / "sample" / "korea", []
    data.mkdir(parents=True)
    if stamp is not None:
        (data / _home._STAMP).write_text(stamp)
    monkeypatch.setattr("engine.io.etl.run_loaders", lambda *_: [])
    for name in ("build", "complete"):
        monkeypatch.setattr(f"engine.sample.korea.{name}", lambda out, name=name: calls.append((name, out)))
    for _ in range(2):
        _home.fill(warehouse, "korea", tmp_path)
    assert calls == ([(called, data)] if called else [])
    assert (data / _home._STAMP).read_text() == SAMPLES["korea"].version


def upgraded(warehouse, home):
    """Tables that are loaded when a home has a sample from before land cover, buildings and population."""
    data = home / "sample" / "korea"
    climate = {path: path.stat().st_mtime_ns for path in data.rglob("SSP*.nc")}
    for folder in ("landcover", "buildings", "population"):
        shutil.rmtree(data / folder)
    (data / _home._STAMP).write_bytes(b"")
    with psycopg.connect(warehouse) as connection:
        connection.execute("DELETE FROM etl_load WHERE loader IN ('landcover', 'buildings', 'population')")
        connection.execute("UPDATE grid_attributes SET landcover_mode = NULL, forest_ratio = NULL")
        before = connection.execute("SELECT max(load_id) FROM etl_load").fetchone()
    _home.fill(warehouse, "korea", home)
    assert {path: path.stat().st_mtime_ns for path in data.rglob("SSP*.nc")} == climate
    with psycopg.connect(warehouse) as connection:
        bare = connection.execute("SELECT count(*) FROM grid_attributes WHERE landcover_mode IS NULL").fetchone()
        assert bare == (0,)
        query = "SELECT table_name FROM etl_load WHERE load_id > %s AND status = 'published' ORDER BY 1"
        return [table for (table,) in connection.execute(query, before)]


def means_are_expected_losses(folder):
    """The plain mean of a portfolio's years is its expected loss, of every risk, scenario and period."""
    key = ["scenario_id", "time_period", "risk_type"]
    years, aal = (pl.read_parquet(folder / f"{name}.parquet") for name in ("year_losses", "aal"))
    mean = years.group_by(key).agg(pl.col("loss").mean())
    expected = (
        aal.filter(pl.col("expected_loss").is_not_null())
        .group_by(key)
        .agg(pl.col("expected_loss").sum(), sites=pl.len())
    )
    both = expected.join(mean, on=key, validate="1:1")
    assert both.height == expected.height == 5 * 9
    off = (both["loss"] - both["expected_loss"]).abs()
    assert (off <= 1e-6 * both["expected_loss"] + 0.5 * both["sites"]).all(), both  # won are rounded, a site


def first_assessments(folder, capsys):
    """Failures of a hundred places on land, after the README's first assessment has ended complete."""
    capsys.readouterr()
    assert assess.main(["--lat", "37.5665", "--lon", "126.978", "--json"]) == 0
    site = json.loads(capsys.readouterr().out)
    assert (site["status"], site["building"]["building_source"]) == ("success", "database")
    assert {risk["status"] for risk in site["exposure"].values()} == {"ok"}
    assert len(site["exposure"]) == 9
    ids, land = korea.land_cells(korea.SAMPLE_GRID)
    random = np.random.default_rng(7)
    chosen = random.integers(0, len(ids), 100)
    latitude = land.latitude[chosen] + random.uniform(-0.05, 0.05, 100)
    longitude = land.longitude[chosen] + random.uniform(-0.05, 0.05, 100)
    value = random.lognormal(24.0, 1.0, 100).astype(np.int64)
    places = {"latitude": latitude, "longitude": longitude, "total_asset_value": value}
    pl.DataFrame(places).write_csv(folder / "sites.csv")
    asked = ["--scenarios", "1,2,3,4", "--period", "mid_term,full"]
    assert assess.main(["--sites", str(folder / "sites.csv"), "--out", str(folder / "assessed"), *asked]) == 0
    means_are_expected_losses(folder / "assessed")
    return pl.read_parquet(folder / "assessed" / "failures.parquet").rows()


def test_without_configuration_nine_risks_of_korea_come_out(home, tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    assert yearly.main([]) == 0
    for record in (caplog.records[0], caplog.records[-1]):
        assert record.levelname == "WARNING"
        assert "synthetic sample: no servers are configured" in record.message
    said = capsys.readouterr().out
    assert "synthetic input: not a statement about any place" in said
    assert "status=completed edition=2025-11 scope=synthetic cells=994 risks=9 missing=0 failed=0" in said
    with EmbeddedServer(home) as server, psycopg.connect(server.url(APPLICATION)) as connection:
        scope, baseline = connection.execute("SELECT scope, baseline FROM result_runs").fetchone()
        rows = connection.execute(
            "SELECT risk_type, count(*), count(aal), avg(aal) FROM probability_results GROUP BY 1"
        ).fetchall()
        levels = connection.execute("SELECT count(DISTINCT hazard_level) FROM hazard_results").fetchone()[0]
        by_year = read_year_losses(connection, range(1, 200_000), RISK_NAMES, (1, 2, 3, 4), PERIODS)
        loss = pl.concat(
            pl.DataFrame(connection.execute(query).fetchall(), schema=AAL, orient="row")
            for query in (
                "SELECT grid_id, risk_type, 2, 'full', aal FROM probability_results",
                "SELECT grid_id, risk_type, scenario_id, time_period, aal FROM modelops_probability_scores",
            )
        )
        before = connection.execute("SELECT source_fingerprint FROM result_runs").fetchone()[0]
        # a second start loads nothing again: a run killed before could be resumed
        _home.fill(server.url(WAREHOUSE), "korea", home)
        with closing(open_source(server.url(WAREHOUSE))) as source:
            assert source.fingerprint == before
            # what comes with the package, so that the sample opens without a server
            assert_frame_equal(source.table("grid_attributes"), korea.attributes())
        assert upgraded(server.url(WAREHOUSE), home) == ["api_buildings", "grid_attributes", "location_admin"]
    assert first_assessments(tmp_path, capsys) == []
    found = identity.compare(loss, by_year)
    assert (found.rows, found.broken, by_year.height) == (994 * 9 * 13, 0, 994 * 9 * 13)
    assert (scope, baseline) == ("synthetic", "2021-2050 SSP2-4.5")
    assert {risk: (count, known) for risk, count, known, _ in rows} == {risk: (994, 994) for risk, *_ in rows}
    assert len(rows) == 9
    assert all(0 < aal < 0.2 for *_, aal in rows)
    assert levels == 5


def test_the_observed_record_of_seoul_gives_the_known_figures(home, capsys):
    assert yearly.main(["--sample", "seoul", "--sink", "out"]) == 3
    said = capsys.readouterr().out
    assert "not computed: water_stress, missing" in said
    assert "observed record of 1 station 1907-2015" in said
    frame = pl.read_parquet("out/probability_results.parquet")
    full = frame.with_columns(scenario_id=pl.lit(2, pl.Int16), time_period=pl.lit("full"))
    by_year = read_year_losses(Path("out"), frame["grid_id"].unique(), RISK_NAMES, (1, 2, 3, 4), PERIODS)
    found = identity.compare(full, by_year)
    assert (found.rows, found.broken, by_year.height) == (8, 0, 8)
    aal = dict(frame.select("risk_type", "aal").iter_rows())
    assert set(aal) == {
        "extreme_heat", "extreme_cold", "drought", "river_flood",
        "urban_flood", "sea_level_rise", "typhoon", "wildfire",
    }  # fmt: skip
    # the assumed flood rates were chosen to cost a Seoul building 1.2 to 1.4 % a year over 1961-2015
    assert 0.010 < aal["urban_flood"] < 0.014
    assert 0.012 < aal["river_flood"] < 0.015
    assert frame.filter(pl.col("risk_type") == "sea_level_rise")["method"].item() == "not_exposed"
    years = dict(frame.select("risk_type", "n_samples").iter_rows())
    assert years["typhoon"] == 45
    assert years["sea_level_rise"] == 0
    assert years["drought"] > 1100
