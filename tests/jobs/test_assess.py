"""Assessments from arguments to exit code and files, on a real server."""

import datetime
import decimal
import gzip
import json
import os
import re
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path

import fastexcel
import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from benchmarks.fuzz import oed_files
from engine.assess.job import portfolio_output
from engine.assess.rules.offered import RISKS
from engine.core.settings import Settings
from engine.io.results import published_runs
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
        expected.append((row + 2, field, reason))  # as a spreadsheet shows it
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
        assert [site["row"] for site in pair["worst_sites"]] == worst["row"].to_list()
    said = capsys.readouterr().out
    assert "row 9: building_age: Building age must be between 0 and 100" in said
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
    good.with_row_index().filter(~pl.col("index").is_in([row - 2 for row, _, _ in expected])).drop(
        "index"
    ).write_parquet(tmp_path / "sites.parquet")
    assert assess.main(["--sites", "sites.parquet", "--out", "again", "--scenarios", "2,4"]) == 0
    for name in ("exposure", "aal", "risk", "totals"):  # (their numbers in the file are others)
        again = pl.read_parquet(tmp_path / "again" / f"{name}.parquet").drop("row")
        assert_frame_equal(again, read[name].drop("row", "asset_value", "memo"), check_exact=True)


#: as people have them: text ids, one twice, two tenants of one address, names, a column called like a result, a shore
#: that is sea on the lattice, a place far away, an asset without a value, and the rows that a spreadsheet ends with
OWN = """site_id,name,latitude,longitude,total_asset_value,risk_score,Row,담당
S0001,본사,35.12,127.13,1000000000,AAA,x,Kim
,둘째,35.12,127.13,2000000000,B,,Lee
S0002,지점,35.12,127.13,3000000000,,,
S0002,지점 2,35.01,127.02,4000000000,,,
S0003,port,35.3,127.4,5000000000,,,
S0004,far,37.5,127.0,7000000000,,,
S0005,no value,35.05,127.21,,,,
,,,,,,,
 , ,,,,,,
"""


def test_every_row_is_an_asset_that_can_be_joined_back_and_totals_count_what_they_say(both, tmp_path, capsys):
    _, results = both
    (tmp_path / "loans.csv").write_text(OWN, "utf-8")
    assert assess.main(["--sites", "loans.csv", "--out", "out", "--risks", "river_flood,typhoon,drought"]) == 3
    said = capsys.readouterr().out
    read = {name: pl.read_parquet(tmp_path / "out" / f"{name}.parquet") for name in FRAMES}
    names = {2: "본사", 3: "둘째", 4: "지점", 5: "지점 2", 6: "port", 7: "far", 8: "no value"}
    for name, frame in read.items():
        assert frame.columns[:3] == ["row", "site_id", "site_uuid"], name
        assert set(frame.select("row", "name").rows()) <= names.items(), name
        assert {"risk_score_given", "Row_given", "담당"} <= set(frame.columns), name
    totals = read["totals"].sort("row")
    assert totals["site_id"].to_list() == ["S0001", None, "S0002", "S0002", "S0003", "S0004", "S0005"]
    assert totals["site_uuid"].n_unique() == 7
    assert totals["cell_basis"].to_list() == ["own", "own", "own", "own", "nearest", None, "own"]
    assert totals["risk_score_given"].to_list()[:2] == ["AAA", "B"]

    summary = json.loads((tmp_path / "out" / "portfolio.json").read_text("utf-8"))
    assert (summary["name"], summary["rows"], summary["assessed_sites"]) == ("loans", 7, 6)
    assert summary["repeated_site_ids"] == 1
    assert summary["notes"][0] == "2 rows without any value are no sites and left out"
    assert "1 row has a site_id that an earlier row has" in summary["notes"][1]
    [pair] = summary["results"]
    assert pair["sites_by_status"] == {"ok": 6, "outside_grid": 1}
    assert (pair["sites"], pair["sites_in_total"], pair["sites_left_out"], pair["sites_of_nearest_cell"]) == (
        7,
        5,
        2,
        1,
    )
    assert (pair["total_asset_value"], pair["asset_value_left_out"]) == (15 * 10**9, 7 * 10**9)
    losses = read["aal"]["expected_loss"].sum()
    assert pair["total_expected_loss"] == pair["total_expected_loss_uncalibrated"] == losses
    assert pair["total_expected_loss_calibrated"] is None
    assert pair["expected_loss_ratio"] == pytest.approx(losses / (15 * 10**9))
    assert pair["loss_note"] == "index loss, not calibrated on losses"
    assert (
        pair["overlap_note"] == "river flood, urban flood and typhoon may count the rain of one storm up to three times"
    )
    assert {risk: each["calibrated"] for risk, each in pair["expected_loss_by_risk"].items()} == dict.fromkeys(
        ("drought", "river_flood", "typhoon"), False
    )
    assert sum(pair["sites_by_risk_level"].values()) == 6
    assert {site["carried"]["name"] for site in pair["worst_sites"]} == set(names.values()) - {"far"}
    [line] = [line for line in said.splitlines() if line.startswith("expected loss")]
    assert "), index loss, not calibrated on losses; " in line
    assert "; river flood, urban flood and typhoon may count" in line

    # the same file again meets its own rows, under another name it is another portfolio
    before = rows(results, "SELECT site_id::text, given_id FROM site_assets ORDER BY 1")
    assert len(before) == 6
    assert assess.main(["--sites", "loans.csv", "--out", "out", "--risks", "river_flood,typhoon,drought"]) == 3
    assert rows(results, "SELECT site_id::text, given_id FROM site_assets ORDER BY 1") == before
    assert assess.main(["--sites", "loans.csv", "--out", "out", "--name", "other", "--risks", "drought"]) == 3
    assert len(rows(results, "SELECT FROM site_assets")) == 6 + 5  # one has the UUID of its place in both


def test_what_databases_and_spreadsheets_make_of_types_is_read_or_said(both, tmp_path, caplog, capsys):
    ids = uuid.uuid4(), uuid.uuid4()
    table = pa.table(
        {
            "site_id": pa.array([each.bytes for each in ids], pa.binary(16)),
            "latitude": ["35.12", "35.01"],  # text
            "longitude": pa.array([127.13, 127.02], pa.float32()),
            "admin_code": pa.array([5111010100, None], pa.int64()),
            "elevation": [float("nan"), 12.0],  # pandas' missing
            "risk_types": pa.FixedSizeListArray.from_arrays(pa.array(["drought", "typhoon"]), 1),
            "scenario_ids": ["1;2", "2"],
            "in_flood_zone": pa.array([0, None], pa.int8()),
            "booked": pa.array([decimal.Decimal("1.5")] * 2, pa.decimal256(50, 2)),  # polars has no such type
            "opened": [datetime.date(2020, 1, 1)] * 2,
        }
    )
    pq.write_table(table, tmp_path / "sites.parquet")
    assert assess.main(["--sites", "sites.parquet", "--out", "out"]) == 3
    note = "column in_flood_zone holds Int8, which is no true or false"
    assert sum(note in said for said in caplog.messages) == 1  # and not once more beside the table
    assert note not in capsys.readouterr().out
    failures = pl.read_parquet(tmp_path / "out" / "failures.parquet")
    assert failures.select("row", "field", "reason").rows() == [(1, "in_flood_zone", "Invalid type for in_flood_zone")]
    totals = pl.read_parquet(tmp_path / "out" / "totals.parquet")
    assert totals.select("row", "site_id", "site_uuid").row(0) == (2, str(ids[1]), str(ids[1]))
    assert (totals["booked"][0], totals["opened"][0]) == ("1.50", datetime.date(2020, 1, 1))
    assert set(pl.read_parquet(tmp_path / "out" / "aal.parquet")["risk_type"]) == {"typhoon"}


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
    (tmp_path / "one.ndjson").write_text(json.dumps(flat | {"note": "carried"}) + "\n", "utf-8")
    assert assess.main(["--sites", "one.ndjson", "--out", "lines"]) == 0  # its line 1 is row 1, too
    assert pl.read_parquet(tmp_path / "lines" / "risk.parquet").equals(risk.with_columns(note=pl.lit("carried")))
    breakdown = said["integrated_risk"]["risk_breakdown"]
    assert [round(score, 6) for score in risk["risk_score"]] == [breakdown[name]["risk_score"] for name in RISKS]
    assert said["vulnerability"]["sea_level_rise"]["vulnerability_score"] == 100  # 110, clamped
    capsys.readouterr()


def test_a_site_is_shown_as_a_table(both, capsys):
    assert assess.main([*PLACE, "--risks", "typhoon,inland_flood", "--scenarios", "1", "--period", "long_term"]) == 0
    said = capsys.readouterr().out
    assert "SSP1-2.6, long_term" in said
    order = [said.index(word) for word in ("AAL %", "loss KRW", "hazard", "risk index", "weighted score")]
    assert order == sorted(order)  # what may be lost, and how high the hazard is, come first
    assert max(len(line) for line in said.splitlines() if line.startswith(("┃", "│"))) <= 80
    assert "river_flood" in said
    assert "wildfire" not in said
    assert "봉의동" in said
    assert said.strip().splitlines()[-1].startswith("job=ondemand_risk_calculation batch=")


def test_figures_say_what_they_are_of_and_the_weakest_input_decides(both, tmp_path, capsys):
    _, results = both
    with psycopg.connect(results) as connection:  # drought is of a second run, typhoon of cells 1 and 2 too
        connection.execute("UPDATE result_runs SET edition = '2025-12', baseline = '1991-2020'")
        connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline,"
            " published_at) VALUES ('yearly', 'synthetic', '2025-11', repeat('0', 64), repeat('0', 64), '2021-2050',"
            " '2026-01-02T03:04:05Z')"
        )
        connection.execute("UPDATE probability_results SET run_id = 2 WHERE risk_type = 'drought'")
        connection.execute("UPDATE hazard_results SET run_id = 2 WHERE risk_type = 'typhoon' AND grid_id = 2")
    said = "synthetic input: not a statement about any place"
    (tmp_path / "asset.json").write_text(json.dumps(ASSET))
    assert assess.main([*PLACE, "--asset", "asset.json", "--risks", "drought"]) == 0
    lines = capsys.readouterr().out.splitlines()
    [loss] = [line for line in lines if line.startswith("expected loss")]
    assert re.search(rf"KRW a year \(.*\), index loss, not calibrated on losses; .*{said}", loss)
    assert "run 1, edition 2025-12, scope full" in lines
    assert f"run 2, edition 2025-11, scope synthetic ({said})" in lines

    # an assessment that reads none of its rows does not name it; a portfolio does as soon as one of its sites reads one
    table = pl.DataFrame({"latitude": [35.0], "longitude": [127.0], "total_asset_value": [10**9]})
    for longitude, numbers, scope, note in ((127.0, [1], "full", None), (127.1, [1, 2], "synthetic", said)):
        more = table.with_columns(longitude=pl.lit(longitude))
        pl.concat([table, more]).write_parquet(tmp_path / "sites.parquet")
        assert assess.main(["--sites", "sites.parquet", "--out", "out", "--risks", "typhoon"]) in (0, 3)
        summary = json.loads((tmp_path / "out" / "portfolio.json").read_text("utf-8"))
        assert [*summary][:3] == ["scope", "scope_note", "runs"]
        assert (summary["scope"], summary["scope_note"]) == (scope, note)
        assert [run["run_id"] for run in summary["runs"]] == numbers
        for name in FRAMES:
            kept = pq.read_metadata(tmp_path / "out" / f"{name}.parquet").metadata
            assert kept[b"scope"].decode() == scope
            assert kept.get(b"scope_note", b"").decode() == (note or "")
            assert json.loads(kept[b"runs"]) == summary["runs"]
    assert summary["runs"][1] == {
        "run_id": 2,
        "edition": "2025-11",
        "scope": "synthetic",
        "baseline": "2021-2050",
        "published_at": "2026-01-02T03:04:05.000Z",
    }
    [loss] = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("expected loss") and said in line
    ]
    [(stored,)] = rows(results, "SELECT results FROM batch_jobs WHERE job_type = 'ondemand_risk_calculation'")
    assert (stored["scope"], stored["scope_note"]) == ("synthetic", said)
    assert [run["run_id"] for run in stored["runs"]] == [1, 2]


def test_what_a_spreadsheet_abroad_writes_is_assessed_and_what_was_assumed_is_said_once(both, tmp_path, caplog):
    content = "sep=;\n Latitude ;LONGITUDE;Total Asset Value;이름\n35,12;127,13;1000000000,0;본사\n;;;\n"
    (tmp_path / "loans.csv.gz").write_bytes(gzip.compress(content.encode("cp949")))
    assert assess.main(["--sites", "loans.csv.gz", "--out", "out", "--risks", "drought"]) == 0
    totals = pl.read_parquet(tmp_path / "out" / "totals.parquet")
    assert totals.select("row", "latitude", "longitude", "이름").rows() == [(3, 35.12, 127.13, "본사")]
    summary = json.loads((tmp_path / "out" / "portfolio.json").read_text("utf-8"))
    assert summary["name"] == "loans"
    assert summary["notes"][:3] == [
        "read as text in cp949, separated by semicolons, its header in line 2, with a decimal comma",
        "columns read as fields: ' Latitude ' as latitude, 'LONGITUDE' as longitude, 'Total Asset Value' as"
        " total_asset_value",
        "1 row without any value is no site and left out",
    ]
    assert sum(summary["notes"][0] in message for message in caplog.messages) == 1


def test_an_oed_file_is_assessed_with_its_rates_and_its_columns_come_back(both, tmp_path, caplog):
    text = oed_files.TEXTS["currencies"]
    for old, new in (
        ("37.45,126.70", "35.12,127.13"),
        ("37.51,127.05", "35.01,127.02"),
        ("36.35,127.38", "35.21,127.22"),
    ):
        text = text.replace(old, new)
    (tmp_path / "oed.csv").write_text(text, "utf-8")
    (tmp_path / "rates.csv").write_text(oed_files.RATES, "utf-8")
    assert assess.main(["--sites", "oed.csv", "--out", "without"]) == 2
    assert "no rate for EUR (1 row), USD (1 row) into KRW" in caplog.messages[-1]
    assert assess.main(["--sites", "oed.csv", "--out", "out", "--rates", "rates.csv"]) in (0, 3)
    told = json.loads((tmp_path / "out/portfolio.json").read_text("utf-8"))
    assert told["results"][0]["total_asset_value"] == 2_550_750_000 + 3_675_000_000 + 800_000_000
    assert any("EUR at 1,700.5 KRW of 2026-11-27" in note for note in told["notes"])
    assert any(note.startswith("BITIV (153,045,000 KRW") and "not priced" in note for note in told["notes"])
    lines = pl.read_csv(tmp_path / "out/sites.csv")
    assert lines["bitiv"].to_list() == [90_000, 0, None]
    assert lines["locuserdef1"].to_list() == ["north", None, "south"]
    assert set(pl.read_parquet(tmp_path / "out/risk.parquet")["site_id"]) == {
        "P1/ACC-7/L1",
        "P1/ACC-7/L2",
        "P1/ACC-9/L1",
    }


def test_where_only_the_whole_record_is_published_it_is_taken_and_said(both, tmp_path, caplog, capsys):
    _, results = both
    with psycopg.connect(results) as connection:
        for table in ("modelops_hazard_scores", "modelops_probability_scores"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute(
            "UPDATE probability_results SET aal = NULL, bin_data = NULL, method = 'insufficient_data', n_samples = 9"
            " WHERE risk_type = 'typhoon'"
        )
    (tmp_path / "sites.csv").write_text(f"lat,lon,자산가액\n{LATITUDE},{LONGITUDE},5억\n", "utf-8")
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 3
    assert "nothing is published for mid_term: assessed for full, which is" in caplog.messages
    said = capsys.readouterr().out
    assert re.search(r"SSP2-4.5, full \d{4}-\d{4}: expected loss a year", said)
    assert "AAL of typhoon: not computed where the record is short: 9 of the 10 values that it needs" in said
    assert "typhoon: not computed: the cell has no loss for this risk, scenario and period" in said
    assert assess.main([*PLACE, "--risks", "drought"]) == 0
    assert re.search(r"SSP2-4.5, full \d{4}-\d{4}", capsys.readouterr().out)
    assert (
        assess.main([*PLACE, "--risks", "drought", "--period", "mid_term"]) == 1
    )  # what is asked for is not exchanged


def test_a_portfolio_leaves_a_workbook_and_a_line_a_row_with_the_columns_of_its_owner(both, tmp_path, monkeypatch):
    table = "id,건물명,lat,lon,자산가액(억원),메모\n007,=1+1,35.12,127.13,5,-x\n008,둘,35.05,127.05,오억,+1\n"
    table += "009,셋,38,127.1,1,\n"
    (tmp_path / "sites.csv").write_text(table, "utf-8")
    assert assess.main(["--sites", "sites.csv", "--out", "out", "--scenarios", "2,4"]) == 3
    out = tmp_path / "out"
    assert (out / "sites.csv").read_bytes()[:3] == b"\xef\xbb\xbf"
    lines = pl.read_csv(out / "sites.csv", infer_schema=False)
    assert lines.columns[:7] == ["row", *table.splitlines()[0].split(",")]
    assert lines["건물명"].to_list() == ["'=1+1", "둘", "셋"]
    assert lines["메모"].to_list() == ["'-x", "'+1", None]
    assert lines["status"].to_list() == ["ok", "ok", "outside_grid"]
    pair = "SSP5-8.5 mid_term 2041-2060"
    assert all((lines[f"expected loss KRW a year, {pair}"] != "").to_list()[:2])
    assert lines[f"loss note, {pair}"][0].startswith("index loss, not calibrated on losses; river flood")

    with zipfile.ZipFile(out / "portfolio.xlsx") as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/worksheets/")}
    assert not any("<f>" in text for text in parts.values())  # no text became a formula
    assert sum('state="frozen"' in text for text in parts.values()) == 4
    sheet = fastexcel.read_excel(out / "portfolio.xlsx")
    losses = sheet.load_sheet("losses", dtypes="string").to_polars()
    assert losses.height == 2 * 9 * 2
    assert losses["건물명"][0] == "=1+1"
    assert set(losses["loss note"]) == {"index loss, not calibrated on losses"}
    aal = pl.read_parquet(out / "aal.parquet")
    assert sum(map(int, losses["expected loss KRW a year"])) == aal["expected_loss"].sum()
    mapped = json.loads((out / "portfolio.json").read_text("utf-8"))["columns"]
    assert {each["column"]: (each["field"], each["factor"]) for each in mapped}["자산가액(억원)"] == (
        "total_asset_value",
        1e8,
    )

    # a workbook that would take longer than the assessment; what an earlier run left goes away
    monkeypatch.setattr(portfolio_output, "MOST_LOSSES", 10)
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 3
    assert pl.read_csv(out / "losses.csv").height == 2 * 9
    assert "losses" not in fastexcel.read_excel(out / "portfolio.xlsx").sheet_names
    assert assess.main(["--sites", "sites.csv", "--out", "out", "--no-workbook"]) == 3
    assert sorted(path.name for path in out.iterdir() if path.suffix != ".parquet") == ["portfolio.json", "sites.csv"]


def test_a_file_without_a_valid_row_leaves_its_faults(tmp_path, caplog):
    (tmp_path / "sites.csv").write_text("lat,lon,자산가액\n37,127,$5\n95,127,5\n", "utf-8")
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 2
    assert "portfolio.xlsx" in caplog.messages[-1]
    faults = fastexcel.read_excel(tmp_path / "out" / "portfolio.xlsx").load_sheet("faults", dtypes="string").to_polars()
    assert faults.select("row", "column", "value found", "what is wrong").rows() == [
        ("2", "자산가액", "$5", "Invalid type for total_asset_value"),
        ("3", "lat", "95", "Invalid latitude"),
    ]
    assert pl.read_csv(tmp_path / "out" / "sites.csv")["status"].to_list() == ["invalid", "invalid"]


REFUSED = [
    ([], 2, "give --lat and --lon of a site, or --sites FILE and --out DIR"),
    (["--lat", "95", "--lon", "200"], 2, "Invalid latitude; Invalid longitude; --lat is 95, of -90 to 90"),
    (["--lat", "127", "--lon", "37"], 2, "Invalid latitude; --lat is 127 and --lon 37: are the two swapped?"),
    ([*PLACE, "--risks", "rain"], 2, "unknown risk 'rain'; known: extreme_heat, extreme_cold"),
    ([*PLACE, "--risks", "wildfires"], 2, "did you mean wildfire?"),
    ([*PLACE, "--scenarios", "7"], 2, "unknown scenario '7'"),
    ([*PLACE, "--period", "soon"], 2, "unknown period 'soon'; known: full, short_term"),
    ([*PLACE, "--building", "none.json"], 2, "none.json cannot be read"),
    (["--sites", "none.csv", "--out", "o"], 2, "none.csv does not exist"),
    (["--sites", "sites.pdf", "--out", "o"], 2, "sites are read from .xlsx, .csv, .parquet"),
    (["--sites", "bad.csv", "--out", "o", "--sheet", "1"], 2, "--sheet 1: "),
    (["--sites", "bad.csv", "--out", "o", "--columns", "latitute=x"], 2, "did you mean latitude?"),
    ([*PLACE, "--columns", "latitude=x"], 2, "--columns is a portfolio's: give --sites, too"),
    (["--sites", "bad.csv"], 2, "--sites needs --out"),
    (["--sites", "bad.csv", "--out", "o"], 2, "none of 1 row is valid; first: row 2: Invalid latitude"),
    (["--sites", "german.csv", "--out", "o"], 2, "line 2 holds the byte 0xfc; save it as CSV UTF-8"),
    (["--sites", "many.csv.gz", "--out", "o"], 2, "many.csv.gz: a portfolio has at most 50 rows"),
    (["--lat", "37.5", "--lon", "127"], 1, "Location is outside the data grid"),
    (
        ["--lat", "35.37", "--lon", "127.5"],
        1,
        "outside the data grid: no cell with results within 1",
    ),  # no cell within a diagonal
    ([*PLACE, "--name", "mine"], 2, "--name is a portfolio's: give --sites, too"),
]


def test_what_cannot_be_assessed_is_one_sentence_and_its_code(both, tmp_path, caplog, monkeypatch):
    monkeypatch.setenv("PORTFOLIO_MAX_ROWS", "50")
    (tmp_path / "many.csv.gz").write_bytes(gzip.compress(b"latitude,longitude\n" + b"35.1,127.1\n" * 51))
    (tmp_path / "bad.csv").write_text("latitude,longitude\n95,127\n")
    (tmp_path / "german.csv").write_text("latitude;longitude;name\n47,4;8,5;Zürich\n", "latin-1")
    for arguments, code, says in REFUSED:
        assert assess.main(arguments) == code, arguments
        assert says in caplog.messages[-1]


def test_a_portfolio_of_which_nothing_can_be_assessed_has_failed_and_lists_why(both, tmp_path, caplog):
    _, results = both
    pl.DataFrame({"latitude": [37.5, 37.5, 35.0], "longitude": [127.0, 127.0, 127.0]}).write_csv(tmp_path / "sites.csv")
    with psycopg.connect(results) as connection:  # cell 1 has an AAL alone
        for table in ("hazard_results", "modelops_hazard_scores"):
            connection.execute(f"DELETE FROM {table} WHERE grid_id = 1")
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 1
    assert "no site could be assessed: Location is outside the data grid (2 rows); all reasons" in caplog.messages[-1]
    failures = pl.read_parquet(tmp_path / "out" / "failures.parquet")
    assert failures.row(0, named=True)["reason"] == "Location is outside the data grid"
    assert "No hazard results for the requested location" in failures["reason"]
    assert rows(results, "SELECT status FROM batch_jobs") == [("failed",)]
    assert rows(results, "SELECT status FROM batch_job_logs") == [("failed",)]


@pytest.mark.parametrize(
    ("published", "says"),
    [
        (
            ["landslide"],
            "results are published of landslide alone, and the engine has no rules of exposure and vulnerability for it"
            ": publish one of extreme_heat, ",
        ),
        (["drought"], "no results of typhoon are published: ask for drought; results are published of drought"),
    ],
)
def test_sites_of_whose_risks_nothing_is_published_are_refused_with_what_is(
    both, tmp_path, caplog, monkeypatch, published, says
):
    described = dict.fromkeys(published, published_runs.PublishedRisk(calibrated=False, of_past=False))
    monkeypatch.setattr(published_runs, "published_risks", lambda connection: described)
    (tmp_path / "sites.csv").write_text("latitude,longitude\n35.1,127.1\n")
    for arguments in (PLACE, ["--sites", "sites.csv", "--out", "out"]):
        assert assess.main([*arguments, "--risks", "typhoon"]) == 1
        assert says in caplog.messages[-1]


def test_it_starts_without_what_takes_seconds_to_import():
    # numba fits the curve of every site: what reads climate files is not needed
    heavy = "{'pandas', 'pint', 'xarray'} & set(sys.modules)"
    program = [sys.executable, "-c", f"import sys, jobs.courses.assess; print(sorted({heavy}))"]
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
    assert assess.main(["--sites", "sites.csv", "--out", "out", "--scenarios", "1,2,3,4"]) == 0
    totals = pl.read_parquet(tmp_path / "out" / "totals.parquet")
    assert totals.group_by("latitude", "status").len().sort("latitude").rows() == [
        (35.02, "ok", 4),
        (35.12, "ok", 4),
        (35.3, "ok", 4),  # at sea, beside a cell of land
    ]
    at_sea = totals.filter(pl.col("latitude") == 35.3)
    assert set(at_sea.select("grid_id", "cell_basis", "cell_distance_m").rows()) == {(15, "nearest", 11119.5)}
    assert set(totals.filter(pl.col("latitude") == 35.02)["cell_basis"]) == {"own"}
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
        said == "job=clean modelops_vulnerability_cache=0 modelops_aal_cache=9 webhook_deliveries=0 webhook_targets=0"
        " lost_jobs=1 run_directories=0 portfolios=0"
    )


def test_a_risk_that_its_edition_does_not_price_is_ok_without_a_loss_and_never_cached(both, tmp_path, capsys):
    _, results = both
    with psycopg.connect(results) as connection:
        connection.execute(
            "UPDATE result_runs SET summary = jsonb_build_object("
            "'aal_level_cuts_pct', '[1e-6, 2e-6, 3e-6, 4e-6]'::jsonb,"
            ' \'risks\', \'[{"risk": "drought", "priced": false}, {"risk": "typhoon"}]\'::jsonb)'
        )
        for table in ("probability_results", "modelops_probability_scores"):
            connection.execute(
                f"UPDATE {table} SET aal = NULL, aal_se = NULL, method = 'not_priced' WHERE risk_type = 'drought'"
            )
    (tmp_path / "asset.json").write_text(json.dumps(ASSET))
    (tmp_path / "building.json").write_text(json.dumps(BUILDING))
    site = [*PLACE, "--building", "building.json", "--asset", "asset.json", "--risks", "drought,typhoon"]
    for _ in range(2):  # the second time the priced risk is taken from the cache
        assert assess.main([*site, "--json"]) == 0
        pair = json.loads(capsys.readouterr().out)["scenarios"][0]["aal"]
        drought, typhoon = pair["risks"]["drought"], pair["risks"]["typhoon"]
        assert (drought["status"], drought["reason"], drought["final_aal"]) == ("ok", "not_priced", None)
        assert (pair["risks_without_loss"], pair["total_expected_loss"]) == (["drought"], typhoon["expected_loss"])
        assert typhoon["risk_level"] == "critical"  # by the cuts of the edition
    assert assess.main(site) == 0
    assert "not priced" in capsys.readouterr().out
    assert rows(results, "SELECT DISTINCT risk_type FROM modelops_aal_cache") == [("typhoon",)]
    assert rows(results, "SELECT DISTINCT status, reason FROM aal_scaled_results WHERE risk_type = 'drought'") == [
        ("ok", "not_priced")
    ]
