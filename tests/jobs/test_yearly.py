"""The yearly job from arguments to exit code, on a real server."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from engine.core.address import without_password
from engine.core.settings import Settings
from engine.io.results.sink import WRITES
from engine.io.results.year_losses import read_sample_years, read_year_losses
from engine.risks import load_edition
from jobs import clean, hazard, probability, yearly
from jobs._report import bins_in_words
from tests.warehouses import fill

VOLATILE = ["run_id", "calculated_at", "computed_at"]
TABLES = WRITES["yearly"]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def filled(warehouse):
    fill(warehouse)
    return warehouse


def count(url, table):
    with psycopg.connect(url) as connection:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def rows(url, table):
    key = "grid_id, risk_type" + (", scenario_id, time_period" if table.endswith("scores") else "")
    frame = pl.read_database_uri(f"SELECT * FROM {table} ORDER BY {key}", url, engine="adbc")
    return frame.drop([name for name in [*VOLATILE, "hazard_id"] if name in frame.columns])


def log_of(url):
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT job_type, status, total_grids, processed_grids, error_message FROM batch_job_logs ORDER BY id"
        ).fetchall()


def test_a_run_fills_every_table_and_a_second_one_gives_the_same(filled, results, capsys):
    assert yearly.main(["--source", filled, "--sink", results]) == 0
    said = capsys.readouterr().out
    last = said.strip().splitlines()[-1]
    assert last.startswith("job=yearly run=1 status=completed edition=2025-11 scope=full cells=17 risks=9")
    first = {table: rows(results, table) for table in TABLES}
    assert {table: frame.height for table, frame in first.items()} == {
        "probability_results": 17 * 9,
        "hazard_results": 17 * 9,
        "modelops_probability_scores": 17 * 9 * 12,
        "modelops_hazard_scores": 17 * 9 * 12,
        "modelops_year_losses": 17 * 9,
    }
    assert first["modelops_hazard_scores"]["percentile"].null_count() == 0
    # drought is minus the index, and its bins are written in the index
    (bins,) = first["probability_results"].filter(pl.col("risk_type") == "drought").head(1)["bin_data"]
    assert [each["range"] for each in json.loads(bins)] == ["-0.5~inf", "-1~-0.5", "-1.5~-1", "-2~-1.5", "-inf~-2"]
    assert yearly.main(["--source", filled, "--sink", results]) == 0
    for table in TABLES:
        assert_frame_equal(rows(results, table), first[table])
    assert [entry[:4] for entry in log_of(results)] == [("yearly", "completed", 17, 17)] * 2
    with psycopg.connect(results) as connection:
        jobs = connection.execute(
            "SELECT j.status, j.progress, j.current_step, j.completed_items, j.run_id, input_params ->> 'command'"
            " FROM batch_jobs j JOIN batch_job_logs USING (batch_id) ORDER BY j.run_id"
        ).fetchall()
    shown, _ = without_password(results)
    command = shlex.join(["python", "-m", "jobs.yearly", "--source", without_password(filled)[0], "--sink", shown])
    assert jobs == [("completed", 100, "Finished", 17, run, command) for run in (1, 2)]


def test_files_hold_what_the_tables_hold(filled, results, tmp_path):
    assert yearly.main(["--source", filled, "--sink", results]) == 0
    assert yearly.main(["--source", filled, "--sink", str(tmp_path / "out")]) == 0
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["edition"], run["scope"], run["baseline"]) == ("2025-11", "full", "2021-2050 SSP2-4.5")
    for table in TABLES:
        assert pl.read_parquet(tmp_path / "out" / f"{table}.parquet").height == count(results, table)


def test_year_losses_are_of_the_years_of_their_window_or_of_the_track_record(filled, results, tmp_path):
    arguments = ["--source", filled, "--cells", "3", "--risks", "typhoon,wildfire"]
    assert yearly.main([*arguments, "--sink", results]) == 0
    assert yearly.main([*arguments, "--sink", str(tmp_path / "out")]) == 0
    asked = (range(100_000), ["typhoon", "wildfire"], [2], ["full", "mid_term"])
    with psycopg.connect(results) as connection:
        found, told = read_year_losses(connection, *asked), read_sample_years(connection, asked[1])
    key = ["risk_type", "scenario_id", "time_period", "grid_id"]
    assert_frame_equal(found.sort(key), read_year_losses(tmp_path / "out", *asked).sort(key))
    assert found.height == 3 * 2 * 2
    years = {(risk, period): listed for risk, scenario, period, _, listed in told.iter_rows() if scenario == 2}
    assert years["wildfire", "mid_term"] == list(range(2041, 2061))
    assert years["typhoon", "mid_term"] == years["typhoon", "full"]  # those of the tracks
    assert years["typhoon", "full"][0] == 2003
    for risk, _, period, losses in found.drop("grid_id", "valid").iter_rows():
        assert len(losses) == len(years[risk, period])


def test_without_year_losses_the_rest_of_a_run_is_the_same_and_this_is_said(filled, tmp_path, monkeypatch, capsys):
    arguments = ["--source", filled, "--run-dir", "runs", "--sink"]
    assert yearly.main([*arguments, str(tmp_path / "on")]) == 0
    assert "YEAR_LOSSES" not in capsys.readouterr().out
    monkeypatch.setenv("YEAR_LOSSES", "off")
    assert yearly.main([*arguments, str(tmp_path / "off")]) == 0
    assert "no losses of single years: YEAR_LOSSES=off" in capsys.readouterr().out
    summary = json.loads((tmp_path / "off" / "run.json").read_text())["summary"]
    assert summary["year_losses"] is False
    for table in TABLES:
        with_years, without = (pl.read_parquet(tmp_path / out / f"{table}.parquet") for out in ("on", "off"))
        if table == "modelops_year_losses":
            assert with_years.height == 17 * 9
            assert without.is_empty()
        else:
            assert_frame_equal(*(frame.drop(VOLATILE, strict=False) for frame in (with_years, without)))
    assert yearly.main([*arguments, str(tmp_path / "on"), "--cells", "3"]) == 2  # of some cells, among all the others


def test_probability_and_hazard_write_their_own_tables(filled, results):
    assert probability.main(["--source", filled, "--sink", results]) == 0
    assert (count(results, "probability_results"), count(results, "hazard_results")) == (153, 0)
    assert hazard.main(["--source", filled, "--sink", results]) == 0
    assert count(results, "hazard_results") == 153


def test_a_missing_table_is_partial_and_keeps_last_years_rows_of_its_risk(filled, results, warehouse, capsys):
    assert yearly.main(["--source", filled, "--sink", results]) == 0
    with psycopg.connect(filled, autocommit=True) as connection:
        connection.execute("DROP TABLE spei12_data CASCADE")
    assert yearly.main(["--source", filled, "--sink", results]) == 3
    assert "not computed: drought, missing spei12_data" in capsys.readouterr().out
    with psycopg.connect(results) as connection:
        runs = dict(connection.execute("SELECT risk_type, max(run_id) FROM probability_results GROUP BY 1").fetchall())
    assert (runs["drought"], runs["wildfire"]) == (1, 2)


def test_part_of_the_cells_is_put_among_the_others(filled, results):
    assert yearly.main(["--source", filled, "--sink", results]) == 0
    assert yearly.main(["--source", filled, "--sink", results, "--cells", "5", "--risks", "wildfire"]) == 0
    with psycopg.connect(results) as connection:
        found = connection.execute(
            "SELECT run_id, count(*) FROM probability_results WHERE risk_type = 'wildfire' GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == [(1, 12), (2, 5)]


@pytest.mark.parametrize("kind", ["database", "files"])
def test_part_of_the_cells_in_another_edition_is_not_mixed_in(filled, results, tmp_path, caplog, kind):
    sink = results if kind == "database" else str(tmp_path / "out")
    arguments = ["--source", filled, "--sink", sink, "--risks", "drought"]
    assert yearly.main(arguments) == 0
    assert yearly.main([*arguments, "--cells", "5", "--edition", "2025-12"]) == 2
    assert "into the results of run 1 (edition 2025-11, " in caplog.messages[-1]


def test_the_cleaner_keeps_the_newest_run_directories_and_every_run_that_may_go_on(filled, results, tmp_path, capsys):
    runs = tmp_path / "home" / "runs"
    arguments = ["--source", filled, "--sink", results, "--risks", "drought"]
    for _ in range(4):
        assert yearly.main(arguments) == 0
    with psycopg.connect(results, autocommit=True) as connection:  # one was stopped, one is another database's
        connection.execute("UPDATE result_runs SET published_at = NULL WHERE run_id = 1")
        connection.execute("UPDATE result_runs SET source_fingerprint = repeat('0', 64) WHERE run_id = 2")
    assert clean.main(["--sink", results]) == 0
    assert sorted(path.name for path in runs.iterdir()) == ["1", "2", "3", "4"]
    assert clean.main(["--sink", results, "--keep-runs", "1"]) == 0
    assert sorted(path.name for path in runs.iterdir()) == ["1", "2", "4"]
    assert capsys.readouterr().out.strip().endswith("run_directories=1 portfolios=0")
    assert clean.main(["--sink", results, "--keep-runs", "0"]) == 2


def test_the_edition_of_the_settings_is_the_default_and_an_argument_wins(filled, results, monkeypatch, capsys):
    monkeypatch.setenv("EDITION", "2025-12")  # so that a scheduled run does not go back to an older methodology
    for words, edition in (([], "2025-12"), (["--edition", "2025-11"], "2025-11")):
        assert yearly.main(["--source", filled, "--sink", results, "--dry-run", *words]) == 0
        assert f"edition {edition}" in capsys.readouterr().out


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(filled, results, capsys):
    assert yearly.main(["--source", filled, "--sink", results, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "17 cells" in said
    assert (
        "\nbins urban_flood: rx1day at 50, 80, 120, 200 mm; kde; damage 0, 0.1, 0.3, 1, 3 %; not calibrated\n" in said
    )
    assert count(results, "result_runs") == 0


def test_bins_are_said_in_a_line_with_what_an_edition_changes(tmp_path):
    (tmp_path / "own.toml").write_text(
        'name = "own"\nbase = "2025-11"\n[urban_flood]\nedges = {return_periods = [2, 10], fit = "gev"}\n'
        'fallback = [50, 80]\nestimator = "fitted"\ndamage_rates = [0, 0.001, 0.002]\nsource = "own"\n'
        'factor = {value = 0.5, low = 0.1, high = 1, source = "own"}\ncalibrated = true\nlevel = "insured_houses"\n'
        "[extreme_heat]\npriced = false\n"
    )
    bins = load_edition(tmp_path / "own.toml").bins
    assert bins_in_words(bins["urban_flood"], "mm") == (
        "rx1day at quantiles 0.5, 0.9 of the baseline (gev); fitted; damage 0, 0.05, 0.1 % (factor 0.5 included);"
        " calibrated on insured_houses"
    )
    assert bins_in_words(bins["extreme_heat"], "days/year").endswith("(sample quantiles); kde; not priced: no AAL")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--risks", "rain"], 2, "unknown risk 'rain'"),
        (["--scenarios", "4,9"], 2, "unknown scenario '9'"),
        (["--edition", "2031"], 2, "unknown edition '2031'"),
        (["--baseline", "1900-1910"], 2, "baseline 1900-1910 lies outside the years 2021-2100"),
        (["--resume", "77"], 2, "no run 77 under"),
        (["--cells", "900:1000"], 1, "no active cell in --cells 900:1000"),
    ],
)
def test_a_bad_argument_is_one_sentence_and_its_code(filled, results, caplog, arguments, code, says):
    assert yearly.main(["--source", filled, "--sink", results, *arguments]) == code
    assert says in caplog.messages[-1]
    assert count(results, "probability_results") == 0


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("postgresql://engine:hush@127.0.0.1:1/none", 1, "cannot connect to engine@127.0.0.1:1/none"),
        ("/nowhere/at/all", 2, "/nowhere/at/all"),
    ],
)
def test_a_source_that_is_not_there_is_refused_without_its_password(results, caplog, source, code, says):
    assert yearly.main(["--source", source, "--sink", results]) == code
    assert says in caplog.messages[-1]
    assert "hush" not in caplog.text


def test_one_side_configured_without_the_other_is_refused(monkeypatch, caplog, filled):
    monkeypatch.setenv("DW_URL", filled)
    assert yearly.main([]) == 2
    assert "set APP_* (results server) or give --sink" in caplog.messages[-1]


def test_a_second_run_is_refused_while_one_is_going(filled, results, caplog):
    from engine.io import open_sink

    other = open_sink(results)
    with other.guard("probability"):
        assert yearly.main(["--source", filled, "--sink", results]) == 1
        assert "another probability or hazard run is going" in caplog.messages[-1]
        assert count(results, "probability_results") == 0
    other.close()


def wait_for_locks(url):
    """The server lets go of a killed session's locks in its own time."""
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(100):
            if not connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0]:
                return
            time.sleep(0.1)
    raise AssertionError("the killed session still holds its locks")


def test_a_run_killed_in_the_middle_leaves_the_tables_and_is_resumed(filled, results, monkeypatch, caplog):
    monkeypatch.setenv("BLOCK_CELLS", "4")
    assert yearly.main(["--source", filled, "--sink", results]) == 0
    before = {table: rows(results, table) for table in TABLES}
    script = (
        "import sys, time\n"
        "import engine.io.results.spool as s; commit = s.RunDirectory.commit\n"
        "def slow(self, *a):\n"
        "    commit(self, *a)\n"
        "    if len(self.missing) <= 2: print('now', flush=True); time.sleep(60)\n"
        "s.RunDirectory.commit = slow\n"
        "from jobs import yearly; yearly.main(sys.argv[1:])\n"
    )
    arguments = ["--source", filled, "--sink", results]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout.readline() == "now\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    for table in TABLES:
        assert_frame_equal(rows(results, table), before[table])
    wait_for_locks(results)
    assert yearly.main([*arguments, "--resume", "2", "--edition", "2025-12"]) == 2
    assert "run 2 cannot be resumed, its inputs changed: " in caplog.messages[-1]
    assert 'edition was "2025-11", is "2025-12"' in caplog.messages[-1]
    assert yearly.main([*arguments, "--resume", "2"]) == 0
    for table in TABLES:
        assert_frame_equal(rows(results, table), before[table])
    assert [entry[1] for entry in log_of(results)][-1] == "completed"


HOUSE = """name = "house"
base = "2025-11"
aal_level_cuts_pct = [0.0001, 0.001, 0.01, 0.1]

[urban_flood]
edges = {return_periods = [2, 5, 10, 20, 50, 100], fit = "gev"}
fallback = [50, 80, 120, 150, 200, 300]
estimator = "fitted"
damage_rates = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04]
factor = {value = 0.5, low = 0.1, high = 2.5, source = "claims"}
calibrated = true
level = "insured_houses"
source = "a test"

[river_flood]
edges = {quantiles = [0.8, 0.9], fit = "gamma"}
fallback = [100, 200]
estimator = "count"
damage_rates = [0, 0.01, 0.02]
source = "a test"

[extreme_heat]
priced = false
"""
HOUSE_RISKS = "urban_flood,river_flood,extreme_heat"


def test_an_edition_of_every_key_runs_from_source_to_both_sinks(filled, results, tmp_path, capsys):
    (tmp_path / "house.toml").write_text(HOUSE)
    arguments = ["--source", filled, "--risks", HOUSE_RISKS, "--edition", "house.toml", "--baseline", "2021-2040"]
    assert yearly.main([*arguments, "--sink", results]) == 0
    assert "status=completed edition=house" in capsys.readouterr().out
    assert yearly.main([*arguments, "--sink", str(tmp_path / "out")]) == 0
    scores = rows(results, "modelops_probability_scores")
    assert_frame_equal(
        pl.read_parquet(tmp_path / "out" / "modelops_probability_scores.parquet").select("grid_id", "aal", "method"),
        scores.select("grid_id", "aal", "method"), check_row_order=False, check_dtypes=False,
    )  # fmt: skip
    # short term under SSP2-4.5 is the baseline: its fitted probabilities are those of the return periods
    baseline = scores.filter(
        (pl.col("risk_type") == "urban_flood") & (pl.col("scenario_id") == 2) & (pl.col("time_period") == "short_term")
    )
    assert set(baseline["method"]) == {"fitted"}
    for shares, aal in baseline.select("bin_probs", "aal").iter_rows():
        assert shares == pytest.approx([0.5, 0.3, 0.1, 0.05, 0.03, 0.01, 0.01], rel=1e-6)
        assert aal == pytest.approx(0.5 * (0.0003 + 0.0002 + 0.00025 + 0.0003 + 0.0002 + 0.0004), rel=1e-6)
    full = rows(results, "probability_results")
    counted = full.filter(pl.col("risk_type") == "river_flood")
    assert set(counted["method"]) == {"count"}
    unpriced = full.filter(pl.col("risk_type") == "extreme_heat")
    assert (set(unpriced["method"]), unpriced["aal"].null_count()) == ({"not_priced"}, 17)
    bins = json.loads(unpriced["bin_data"][0])
    assert {each["base_damage_rate"] for each in bins} == {None}
    assert sum(each["probability"] for each in bins) == pytest.approx(1, abs=2e-4)
    fitted = [json.loads(text) for text in full.filter(pl.col("risk_type") == "urban_flood")["bin_data"]]
    assert [each["base_damage_rate"] for each in fitted[0]] == pytest.approx(
        [0, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02]
    )
    assert any(round(each["probability"], 4) != each["probability"] for row in fitted for each in row)  # eight digits
    with psycopg.connect(results) as connection:
        [(told,)] = connection.execute("SELECT summary FROM result_runs").fetchall()
        of_years = connection.execute("SELECT DISTINCT risk_type FROM modelops_year_losses ORDER BY 1").fetchall()
    assert of_years == [("river_flood",), ("urban_flood",)]
    risks = {row["risk"]: row for row in told["risks"]}
    assert told["aal_level_cuts_pct"] == [0.0001, 0.001, 0.01, 0.1]
    assert (risks["urban_flood"]["level"], risks["urban_flood"]["factor"]["value"]) == ("insured_houses", 0.5)
    heat = risks["extreme_heat"]
    assert (heat["priced"], heat["done"], heat["null"], heat["mean_aal"]) == (False, 17, 0, None)
