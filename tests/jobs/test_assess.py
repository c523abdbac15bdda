"""Assessments from arguments to exit code and files, on a real server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from engine.assess.vocabulary import RISKS
from engine.settings import Settings
from jobs import assess, clean, yearly
from tests.assess.databases import LATITUDE, LONGITUDE, fill_results, fill_warehouse
from tests.assess.places import ASSET, BUILDING
from tests.warehouses import fill

FRAMES = ("exposure", "vulnerability", "aal", "risk", "totals", "failures")
ROOT = Path(__file__).parents[2]
PLACE = ["--lat", str(LATITUDE), "--lon", str(LONGITUDE)]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def configured(warehouse, results, monkeypatch):
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    monkeypatch.setenv("BATCH_SIZE", "37")
    return warehouse, results


@pytest.fixture
def both(configured):
    warehouse, results = configured
    fill_warehouse(warehouse)
    fill_results(results)
    return warehouse, results


def rows(url, text):
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


def portfolio(n=200, seed=0):
    """Sites on land, and which of them are bad: every twentieth, in five ways."""
    rng = np.random.default_rng(seed)
    columns = {
        "latitude": rng.uniform(34.96, 35.24, n).round(6),
        "longitude": rng.uniform(126.96, 127.44, n).round(6),
        "building_age": rng.integers(0, 100, n),
        "structure": rng.choice(["철근콘크리트", "목조", "steel"], n),
        "main_purpose": rng.choice(["업무시설", "공장"], n),
        "floors_below": rng.integers(0, 4, n),
        "floors_above": rng.integers(1, 40, n),
        "has_piloti": rng.random(n) < 0.5,
        "has_seismic_design": rng.random(n) < 0.5,
        "fire_access": rng.random(n) < 0.5,
        "total_asset_value": rng.integers(10**8, 10**11, n),
        "floor_area": rng.uniform(100, 50_000, n).round(1),
    }
    good = pl.DataFrame(columns)
    table = good.cast(pl.String).to_dict(as_series=False)
    faults = [
        ("building_age", "150", "Building age must be between 0 and 100"),
        ("floors_above", "many", "Invalid type for floors_above"),
        ("latitude", "", "Missing required field: latitude"),
        ("total_asset_value", "-1", "Asset value must be positive"),
        ("has_piloti", "1", "Invalid type for has_piloti"),
    ]
    expected = []
    for number, row in enumerate(range(7, n, 20)):
        field, value, reason = faults[number % len(faults)]
        table[field][row] = value
        expected.append((row, field, reason))
    return good, pl.DataFrame(table), expected


def test_a_csv_with_bad_rows_is_assessed_but_for_them_and_they_are_listed(both, tmp_path, capsys):
    _, results = both
    good, table, expected = portfolio()
    table.with_columns(asset_value=pl.lit("1"), memo=pl.lit("x")).write_csv(tmp_path / "sites.csv")
    arguments = ["--sites", "sites.csv", "--out", "out", "--scenarios", "2,SSP5-8.5"]
    assert assess.main(arguments) == 3
    read = {name: pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in FRAMES}
    assert read["failures"].select("row", "field", "reason").rows() == expected
    n = table.height - len(expected)
    assert [read[name].height for name in FRAMES[:5]] == [9 * n, 9 * n, 18 * n, 18 * n, 2 * n]

    summary = json.loads((tmp_path / "out" / "portfolio.json").read_text("utf-8"))
    assert (summary["rows"], summary["invalid_rows"], summary["assessed_sites"]) == (200, 10, 190)
    assert [pair["scenario"] for pair in summary["results"]] == ["ssp2_4.5", "ssp5_8.5"]
    for scenario, pair in zip((2, 4), summary["results"], strict=True):
        aal = read["aal"].filter(pl.col("scenario_id") == scenario)
        totals = read["totals"].filter(pl.col("scenario_id") == scenario)
        by_risk = dict(aal.group_by("risk_type").agg(pl.col("expected_loss").sum()).iter_rows())
        assert {risk: row["expected_loss"] for risk, row in pair["expected_loss_by_risk"].items()} == by_risk
        assert pair["total_expected_loss"] == sum(by_risk.values())
        assert totals["expected_loss_share"].sum() == pytest.approx(1, abs=1e-12)
        worst = totals.sort("total_expected_loss", descending=True).head(10)
        assert [site["site_id"] for site in pair["worst_sites"]] == worst["site_id"].to_list()
    said = capsys.readouterr().out
    assert "row 7: building_age: Building age must be between 0 and 100" in said
    assert "200 rows, 10 invalid" in said

    assert rows(results, "SELECT count(*) FROM aal_scaled_results WHERE status = 'ok'") == [(18 * n,)]
    assert rows(results, "SELECT job_type, status, total_grids, processed_grids, failed_grids FROM batch_job_logs") == [
        ("portfolio_risk_calculation", "partial", 200, 190, 10)
    ]
    [(job,)] = rows(results, "SELECT results FROM batch_jobs")
    assert (job["status"], len(job["invalid_sites"])) == ("partial", 10)
    assert job["columns_not_read"] == ["asset_value (did you mean total_asset_value?)", "memo"]
    assert not list((tmp_path / "out").glob(".*"))

    # the same rows as typed Parquet, now from the caches
    good.with_row_index().filter(~pl.col("index").is_in([row for row, _, _ in expected])).drop("index").write_parquet(
        tmp_path / "sites.parquet"
    )
    assert assess.main(["--sites", "sites.parquet", "--out", "again", "--scenarios", "2,4"]) == 0
    for name in ("exposure", "aal", "risk", "totals"):
        assert_frame_equal(pl.read_parquet(tmp_path / "again" / f"{name}.parquet"), read[name], check_exact=True)


def test_progress_of_a_portfolio_never_falls_and_ends_its_bands(both, tmp_path):
    _, results = both
    portfolio(60)[0].write_csv(tmp_path / "sites.csv")
    with psycopg.connect(results) as connection:
        connection.execute(
            """CREATE TABLE seen (n serial, progress int);
               CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO seen (progress) VALUES (NEW.progress); RETURN NEW; END $$;
               CREATE TRIGGER see AFTER UPDATE ON batch_jobs FOR EACH ROW EXECUTE FUNCTION see()"""
        )
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 0
    seen = [progress for (progress,) in rows(results, "SELECT progress FROM seen ORDER BY n")]
    assert seen == sorted(seen)
    assert {10, 50, 80, 95, 100} <= set(seen)
    assert len(seen) <= 100


def test_a_site_is_a_row_of_a_portfolio(both, tmp_path, capsys):
    building = tmp_path / "building.json"
    building.write_text(json.dumps(BUILDING | {"location": {"elevation": -3.5}}), "utf-8")
    (tmp_path / "asset.json").write_text(json.dumps(ASSET))
    assert assess.main([*PLACE, "--building", str(building), "--asset", "asset.json", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    flat = BUILDING | ASSET | {"latitude": LATITUDE, "longitude": LONGITUDE, "elevation": -3.5}
    pl.DataFrame([flat]).write_parquet(tmp_path / "one.parquet")
    assert assess.main(["--sites", "one.parquet", "--out", "out"]) == 0
    risk = pl.read_parquet(tmp_path / "out" / "risk.parquet")
    (tmp_path / "one.ndjson").write_text(json.dumps(flat | {"note": "left out"}) + "\n", "utf-8")
    assert assess.main(["--sites", "one.ndjson", "--out", "lines"]) == 0
    assert pl.read_parquet(tmp_path / "lines" / "risk.parquet").equals(risk)
    breakdown = said["integrated_risk"]["risk_breakdown"]
    assert [round(score, 6) for score in risk["risk_score"]] == [breakdown[name]["risk_score"] for name in RISKS]
    assert said["vulnerability"]["sea_level_rise"]["vulnerability_score"] == 100  # 110, clamped
    capsys.readouterr()


def test_a_site_is_shown_as_a_table(both, capsys):
    assert assess.main([*PLACE, "--risks", "typhoon,inland_flood", "--scenarios", "1", "--period", "long_term"]) == 0
    said = capsys.readouterr().out
    assert "ssp1_2.6, long_term" in said
    assert "river_flood" in said
    assert "wildfire" not in said
    assert "봉의동" in said
    assert said.strip().splitlines()[-1].startswith("job=ondemand_risk_calculation batch=")


REFUSED = [
    ([], 2, "give --lat and --lon of a site, or --sites FILE and --out DIR"),
    (["--lat", "95", "--lon", "200"], 2, "Invalid latitude; Invalid longitude"),
    ([*PLACE, "--risks", "rain"], 2, "Unknown risk type: rain"),
    ([*PLACE, "--scenarios", "7"], 2, "unknown scenario '7'"),
    ([*PLACE, "--period", "soon"], 2, "Unknown time period: soon"),
    ([*PLACE, "--building", "none.json"], 2, "none.json cannot be read"),
    (["--sites", "none.csv", "--out", "o"], 2, "none.csv does not exist"),
    (["--sites", "sites.xlsx", "--out", "o"], 2, "sites are read from .parquet, .csv, .ndjson"),
    (["--sites", "bad.csv"], 2, "--sites needs --out"),
    (["--sites", "bad.csv", "--out", "o"], 2, "none of 1 rows is valid; first: row 0: Invalid latitude"),
    (["--sites", "korean.csv", "--out", "o"], 1, "korean.csv cannot be read: it is not UTF-8; save it as CSV UTF-8"),
    (["--lat", "37.5", "--lon", "127"], 1, "Location is outside the data grid"),
    (["--lat", "35.3", "--lon", "127.4"], 1, "No hazard results for the requested location"),
]


def test_what_cannot_be_assessed_is_one_sentence_and_its_code(both, tmp_path, caplog):
    (tmp_path / "bad.csv").write_text("latitude,longitude\n95,127\n")
    (tmp_path / "korean.csv").write_text("latitude,longitude,structure\n37,127,목조\n", "cp949")
    for arguments, code, says in REFUSED:
        assert assess.main(arguments) == code, arguments
        assert says in caplog.messages[-1]


def test_a_portfolio_of_which_nothing_can_be_assessed_has_failed_and_lists_why(both, tmp_path, caplog):
    _, results = both
    pl.DataFrame({"latitude": [37.5, 35.3], "longitude": [127.0, 127.4]}).write_csv(tmp_path / "sites.csv")
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 1
    assert "no site could be assessed: Location is outside the data grid (1 rows); all reasons" in caplog.messages[-1]
    failures = pl.read_parquet(tmp_path / "out" / "failures.parquet")
    assert failures.row(0, named=True)["reason"] == "Location is outside the data grid"
    assert "No hazard results for the requested location" in failures["reason"]
    assert rows(results, "SELECT status FROM batch_jobs") == [("failed",)]
    assert rows(results, "SELECT status FROM batch_job_logs") == [("failed",)]


def test_it_starts_without_what_takes_seconds_to_import():
    heavy = "{'numba', 'pandas', 'pint', 'scipy', 'xarray'} & set(sys.modules)"
    program = [sys.executable, "-c", f"import sys, jobs.assess; print(sorted({heavy}))"]
    assert subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT).stdout == "[]\n"


def test_without_results_it_says_what_to_run_first(configured, caplog):
    _, results = configured
    assert assess.main(PLACE) == 1
    assert "no results are published yet" in caplog.messages[-1]
    fill_results(results)
    assert assess.main(PLACE) == 1
    assert "the warehouse has no grid yet" in caplog.messages[-1]


def test_sites_are_assessed_from_what_the_yearly_run_has_left(configured, tmp_path):
    warehouse, results = configured
    fill(warehouse)
    assert yearly.main(["--source", warehouse, "--sink", results, "--run-dir", str(tmp_path / "runs")]) == 0
    sites = pl.DataFrame({"latitude": [35.02, 35.12, 35.3], "longitude": [127.03, 127.2, 127.4]})
    sites.with_columns(distance_to_river_m=200.0, distance_to_coast_m=900.0).write_csv(tmp_path / "sites.csv")
    assert assess.main(["--sites", "sites.csv", "--out", "out", "--scenarios", "1,2,3,4"]) == 3
    totals = pl.read_parquet(tmp_path / "out" / "totals.parquet")
    assert totals.group_by("latitude", "status").len().sort("latitude").rows() == [
        (35.02, "ok", 4),
        (35.12, "ok", 4),
        (35.3, "failed", 4),  # at sea
    ]
    aal = pl.read_parquet(tmp_path / "out" / "aal.parquet").filter(pl.col("latitude") == 35.02)
    published = rows(
        results,
        "SELECT risk_type, scenario_id, aal FROM modelops_probability_scores WHERE grid_id = 1"
        " AND time_period = 'mid_term'",
    )
    expected = {(risk, scenario): value for risk, scenario, value in published}
    found = {
        (risk, scenario): value
        for risk, scenario, value in aal.select("risk_type", "scenario_id", "base_aal").iter_rows()
    }
    assert found == pytest.approx(expected, rel=1e-6)


def test_the_cleaner_deletes_portfolios_whose_jobs_ended_long_ago(both, tmp_path, monkeypatch, capsys):
    _, results = both
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.setenv("KEEP_PORTFOLIO_DAYS", "30")
    states = {"old": ("failed", 40), "new": ("completed", 20), "waits": ("queued", 50), "strange": None, "sent": None}
    with psycopg.connect(results, autocommit=True) as connection:
        for name, state in states.items():
            folder = tmp_path / "portfolios" / name
            (folder / "results").mkdir(parents=True)
            if name != "sent":
                os.utime(folder, (0, 0))
            if state:
                connection.execute(
                    "INSERT INTO batch_jobs (job_type, status, progress, updated_at, input_params) VALUES"
                    " ('portfolio_risk_calculation', %s, %s, now() - make_interval(days => %s),"
                    " jsonb_build_object('out', %s::text))",
                    (state[0], 100 * (state[0] == "completed"), state[1], str(folder / "results")),
                )
    assert clean.main([]) == 0
    assert capsys.readouterr().out.endswith("portfolios=2\n")
    assert sorted(path.name for path in (tmp_path / "portfolios").iterdir()) == ["new", "sent", "waits"]
    assert clean.main(["--keep-portfolio-days", "0"]) == 2


def test_the_cleaner_says_what_it_has_deleted(both, capsys):
    _, results = both
    assert assess.main([*PLACE]) == 0
    with psycopg.connect(results) as connection:
        connection.execute("UPDATE modelops_aal_cache SET expires_at = now() - interval '1 minute'")
        connection.execute(
            "INSERT INTO batch_jobs (job_type, status, updated_at) VALUES"
            " ('portfolio_risk_calculation', 'running', now() - interval '1 hour')"
        )
    capsys.readouterr()
    assert clean.main([]) == 0
    said = capsys.readouterr().out.strip()
    assert (
        said
        == "job=clean modelops_vulnerability_cache=0 modelops_aal_cache=9 lost_jobs=1 run_directories=0 portfolios=0"
    )
