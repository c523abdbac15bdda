"""The command: its arguments, what it prints, its exit codes."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import psycopg
import pytest

from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io import etl as loaders
from engine.io.db import postgres
from engine.io.etl import layout
from engine.risks import RISKS
from jobs import _home, etl
from tests.io import provider, test_admin, test_aqueduct, test_besttrack, test_wamis


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path):
    """Neither the shell's nor a checkout's settings may reach these tests."""
    for name in ("DATA_DIR", "SAMPLE_LIMIT", "ETL_WORKERS", "DW_URL", "DW_HOST", "DATABASE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def files(root):
    provider.write(root, ("ta", "wsdi"), scope="synthetic")
    return root


def run(url, root, *words):
    return etl.main([*words, "--warehouse", url, "--data", str(root)])


def test_the_list_needs_no_database(capsys):
    assert etl.main(["--list"]) == 0
    names = capsys.readouterr().out.split()
    assert names[:5] == ["grid", "sea_level", "monthly_grid", "yearly_grid", "optional_grid"]


def test_a_load_prints_a_line_a_table_and_says_complete(new_database, tmp_path, capsys):
    url, root = new_database(""), files(tmp_path / "data")
    words = ("grid", "monthly_grid", "yearly_grid", "--variables", "ta,wsdi")
    assert run(url, root, *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["loader", "table", "status", "files", "rows", "rejected", "E", "W", "seconds"]
    assert [line.split()[:5] for line in lines[1:4]] == [
        ["grid", "location_grid", "published", "1", "64"],
        ["monthly_grid", "ta_data", "published", "4", "49,920"],
        ["yearly_grid", "wsdi_data", "published", "4", "4,160"],
    ]
    assert run(url, root, *words) == 0
    assert capsys.readouterr().out.count("up to date") == 3


def test_missing_inputs_are_partial_and_nothing_loaded_is_failed(warehouse, tmp_path, capsys):
    root = files(tmp_path / "data")
    assert run(warehouse, root, "grid", "monthly_grid", "sea_level") == 3
    printed = capsys.readouterr().out
    assert "failed: rn_data: no files such as SSP126/monthly/SSP126_RN_gridraw_monthly_*.nc" in printed
    assert "failed: sea_level_data: no files such as" in printed
    assert run(warehouse, root, "sea_level") == 1


def test_what_was_not_given_is_named_with_the_risks_that_need_it_and_is_no_failure(warehouse, tmp_path, capsys):
    root = files(tmp_path / "data")
    assert run(warehouse, root, "all", "--variables", "ta,wsdi") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "not given: sea_level, map_layers, besttrack, wamis, aqueduct, basins (docs/etl.md names the files)" in lines
    assert "left out, unless the warehouse has this from before: sea_level_rise, typhoon, water_stress" in lines
    assert not [line for line in lines if "failed" in line]
    assert run(warehouse, root, "all") == 0
    lines = capsys.readouterr().out.splitlines()
    [line] = [line for line in lines if line.startswith("not given: sea_level, rn_data, ws_data")]
    assert "ta_data" not in line
    [line] = [line for line in lines if line.startswith("left out")]
    assert {"drought", "wildfire"} <= set(line.rpartition(": ")[2].split(", "))
    assert "extreme_heat" not in line


def test_what_is_asked_for_by_name_or_given_in_part_fails_where_it_is_absent(warehouse, tmp_path, capsys):
    root = files(tmp_path / "data")
    assert run(warehouse, root, "grid", "besttrack", "dem") == 3
    printed = capsys.readouterr().out
    assert "failed: besttrack: no file" in printed
    assert "failed: no file dem/*.txt" in printed
    next(root.glob("SSP370/monthly/*TA*.nc")).unlink()
    assert run(warehouse, root, "all") == 3
    assert "failed: ta_data: 1 of 4 scenario files are missing" in capsys.readouterr().out


def test_a_folder_without_any_file_is_a_failure(warehouse, tmp_path, capsys, caplog):
    (tmp_path / "data").mkdir()
    assert run(warehouse, tmp_path / "data", "all") == 1
    assert "nothing was loaded: below" in caplog.text
    assert run(warehouse, tmp_path / "data", "grid") == 0


def test_each_table_that_a_risk_needs_is_filled_by_a_loader_that_says_so():
    filled = {table for tables in loaders.FILLS.values() for table in tables} | {v.table for v in VARIABLES.values()}
    for risk in RISKS.values():
        parts = [*risk.intensities.values(), *risk.hazard.components]
        assert {table for part in parts for table in part.tables} <= filled
    assert set(loaders.FILLS) <= set(loaders.names())


def test_tables_that_nothing_needs_are_named_in_one_line(warehouse, tmp_path, capsys):
    root = files(tmp_path / "data")
    assert run(warehouse, root, "all", "--dry-run") == 0
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if "no files, and none needed: " in line]
    assert "location_admin" in line.partition("none needed: ")[2].split(", ")
    assert " absent " not in printed
    assert "absent: " not in printed
    assert run(warehouse, root, "grid", "dem", "--dry-run") == 3
    assert "failed: no file dem/*.txt" in capsys.readouterr().out


def test_a_rehearsal_before_the_first_load_tries_what_is_placed_in_cells(new_database, tmp_path, monkeypatch, caplog):
    """A schema without a lattice: what needs cells failed, "load `grid` first", in a load that begins with it."""

    class Other(contextlib.nullcontext):
        def __enter__(self):
            return self

        create = staticmethod(lambda _: new_database("warehouse"))

    monkeypatch.setattr(_home, "EmbeddedServer", Other)
    caplog.set_level("INFO", "jobs")
    root, url = files(tmp_path / "data"), new_database("warehouse")
    test_admin.national_map(root / "admin")
    assert run(url, root, "all", "--variables", "ta,wsdi", "--dry-run") == 0
    assert f"warehouse={postgres.describe(url)} " in caplog.text
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM grid_definition").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM etl_load").fetchone() == (0,)
    assert run(url, root, "admin", "--dry-run") == 1  # on its own it does need the lattice first


def test_a_refused_table_shows_what_the_gate_found(warehouse, tmp_path, capsys):
    hot = {("ta", scenario): provider.values("ta", scenario) + np.float32(40) for scenario in Scenario}
    provider.write(tmp_path / "data", ["ta"], given=hot)
    assert run(warehouse, tmp_path / "data", "grid", "monthly_grid", "--variables", "ta") == 3
    assert "E ta_data: " in capsys.readouterr().out


def test_sample_scenarios_units_and_lattice_reach_the_loaders(warehouse, tmp_path):
    root = files(tmp_path / "data")
    lattice = tmp_path / "other.toml"
    layout.write_grid(lattice, provider.GRID)
    assert run(warehouse, root, "grid", "--from", str(lattice)) == 0
    options = ("--variables", "ta", "--sample-limit", "3", "--scenarios", "ssp1,SSP5-8.5", "--unit", "TA=degC")
    assert run(warehouse, root, "monthly_grid", *options) == 0
    with psycopg.connect(warehouse) as connection:
        row = connection.execute("SELECT count(*), count(*) FILTER (WHERE ssp2 = 'NaN') FROM ta_data").fetchone()
        (scope, report) = connection.execute(
            "SELECT scope, gate_report -> 'findings' -> 0 ->> 'message' FROM etl_load WHERE table_name = 'ta_data'"
        ).fetchone()
    assert row == (2880, 2880)
    assert (scope, report) == ("sample:3", "unit degC by --unit")


def test_a_broken_file_stops_its_own_loader_and_the_summary_says_why(warehouse, tmp_path, capsys, caplog):
    root = files(tmp_path / "data")
    sheets = {"province_baseline": (test_aqueduct.BASELINE, list(test_aqueduct.baseline_rows()))}
    book = test_aqueduct.write(root, sheets | {"province_future": (test_aqueduct.FUTURE, [])})
    raw = bytearray(book.read_bytes())
    raw[raw.index(b"xl/worksheets/sheet1.xml") + 200] ^= 4
    book.write_bytes(raw)
    test_besttrack.data(root, track=test_besttrack.kma(*test_besttrack.KMA_LINES))
    (root / "towns.geojson").write_text('{"features": [')
    for folder, name in (("population", "counts.csv"), ("dem", "one.zip"), ("landcover", "a.tif"), ("water", "a.json")):
        (root / folder).mkdir()
        (root / folder / name).write_bytes(b"PK\x03\x04 not what it seems")
    (root / "landcover/legend.toml").write_bytes(b"\xff\xfe[")
    words = ("grid", "admin", "population", "dem", "landcover", "wamis", "aqueduct", "besttrack")
    assert run(warehouse, root, *words) == 3
    printed = capsys.readouterr().out
    said = [line for line in printed.splitlines() if line.startswith("failed: ")]
    assert [line.split()[1].rstrip(":,") for line in said] == [
        *("towns.geojson", "population", "one.zip", "legend.toml", "a.json"),
        "Aqueduct40_rankings_download_Y2023M07D05.xlsx",
    ]
    status = {line.split()[0]: line.split()[1:3] for line in printed.splitlines() if line.split()[:1][0:1]}
    assert status["grid"] == ["location_grid", "published"]
    assert status["besttrack"] == ["api_typhoon_besttrack", "published"]
    assert "Traceback" not in caplog.text
    with psycopg.connect(warehouse) as connection:
        [published] = connection.execute("SELECT array_agg(loader ORDER BY 1) FROM etl_load WHERE status = 'published'")
        [left] = connection.execute("SELECT count(*) FROM etl_load WHERE status = 'running'")
    assert (published[0], left) == (["besttrack", "grid"], (0,))


def test_tables_done_before_one_is_refused_stand_in_the_summary(warehouse, tmp_path, capsys):
    root = tmp_path / "data"
    (root / "water").mkdir(parents=True)
    answers = [test_wamis.gauges("A"), test_wamis.flow("B", 2001, "1")]
    (root / "water/saved.json").write_text(json.dumps(answers))
    assert run(warehouse, root, "wamis") == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:3] == ["wamis", "api_wamis_stations", "published"]
    assert lines[3].split()[:2] == ["wamis", "failed"]
    assert "failed: flow of 1 gauges that the gauge list does not name: B" in lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["moon"], "unknown loader 'moon'; known: grid, sea_level"),
        (["--variables", "ta,snow"], "unknown variable 'snow'"),
        (["--scenarios", "9"], "unknown scenario '9'"),
        (["--scenarios", "2"], "--scenarios leaves columns empty, which only a sample may: give --sample-limit N"),
        (["--crs", "EPSG:x"], "--crs: unknown CRS 'EPSG:x'"),
        (["--sample-limit", "0"], "--sample-limit is a positive number of cells, not '0'"),
        (["--sample-limit", "ten"], "--sample-limit is a positive number of cells, not 'ten'"),
        (["--unit", "si"], "expected VARIABLE=UNIT"),
        (["--unit", "xy=m"], "unknown variable 'xy'"),
        (["--unit", "rn=furlong"], "--unit rn=furlong: not one of mm/month, mm/day, kg m-2 s-1"),
        (["--gate", "none.toml"], "--gate none.toml does not exist"),
        (
            ["sea_level", "--from", __file__],
            "--from is an option of grid, not of sea_level: leave it out, or name such",
        ),
        (["population", "wamis", "--refresh"], "--refresh is an option of basins, not of population, wamis: leave it"),
        (["monthly_grid", "--crs", "EPSG:5186"], "--crs is an option of admin, dem, landcover, map_layers, basins, b"),
    ],
)
def test_bad_arguments_are_refused_in_one_sentence(warehouse, tmp_path, caplog, words, message):
    root = files(tmp_path / "data")
    assert run(warehouse, root, *words) == 2
    assert message in caplog.text
    with psycopg.connect(warehouse) as connection:
        assert connection.execute("SELECT count(*) FROM etl_load WHERE table_name <> 'location_grid'").fetchone() == (
            0,
        )


def test_no_data_directory_is_refused(warehouse, tmp_path, caplog):
    assert etl.main(["grid", "--warehouse", warehouse]) == 2
    assert "give --data DIR or set DATA_DIR" in caplog.text
    assert run(warehouse, tmp_path / "nowhere", "grid") == 2


def test_derive_without_a_scenario_in_the_name_is_refused(tmp_path, caplog):
    (tmp_path / "tas.nc").touch()
    assert etl.main(["derive", "--daily", str(tmp_path / "tas.nc"), "--out", str(tmp_path / "out")]) == 2
    assert "no scenario code such as ssp245 in its name" in caplog.text
