"""`jobs.assess --what-if`: both losses on the terminal and in files, refusals before anything is computed."""

import json

import fastexcel
import polars as pl
import pytest

from engine.core.settings import Settings
from jobs import assess
from tests.assess.databases import LATITUDE, LONGITUDE, fill_results, fill_warehouse

SITES = f"""site_id,latitude,longitude,total_asset_value,building_age,floors_below
A1,{LATITUDE},{LONGITUDE},9000000000,40,2
A2,{LATITUDE},{LONGITUDE - 0.1},5000000000,10,0
"""
MEASURE = """
name = "gates"
[set]
floors_below = 0
[prevents]
river_flood = 0.5
[cost]
per_site = 1_000_000
[sites]
site_ids = ["A1"]
"""


@pytest.fixture
def empty(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites.csv").write_text(SITES)
    (tmp_path / "gates.toml").write_text(MEASURE)
    return tmp_path


@pytest.fixture
def folder(empty, warehouse, results, monkeypatch):
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    monkeypatch.setenv("COLUMNS", "200")
    fill_warehouse(warehouse)
    fill_results(results)
    return empty


def test_a_measure_of_a_portfolio_is_told_printed_and_written_and_the_results_stay(folder, capsys):
    plain = ["--sites", "sites.csv", "--out", "plain", "--name", "loans"]
    assert assess.main(plain) in (0, 3)
    assert assess.main([*plain[:3], "out", *plain[4:], "--what-if", "gates.toml"]) in (0, 3)
    printed = capsys.readouterr().out
    told = json.loads((folder / "out/what_if.json").read_text())
    [pair] = told["results"]
    sums = [json.loads((folder / name / "portfolio.json").read_text())["results"][0] for name in ("plain", "out")]
    assert sums[0]["total_expected_loss"] == sums[1]["total_expected_loss"] == pair["before"]["total_expected_loss"]
    assert f"{pair['saving']['saving']:,d}" in printed
    assert "taken at 1 of 2 sites" in printed
    assert "It has paid after" in printed
    lines = pl.read_csv(folder / "out/what_if.csv")
    assert dict(lines.select("site_id", "saving KRW a year").iter_rows()) == {"A1": pair["saving"]["saving"], "A2": 0}
    book = fastexcel.read_excel(folder / "out/what_if.xlsx")
    assert book.sheet_names == ["what-if", "sites", "loss curve"]
    assert assess.main([*plain[:3], "out", *plain[4:]]) in (0, 3)
    assert not [*(folder / "out").glob("what_if*")]  # of results that are not here any more


def test_a_measure_of_one_site_stands_beside_its_results(folder, capsys):
    (folder / "asset.json").write_text('{"total_asset_value": 9000000000}')
    (folder / "gates.toml").write_text("[prevents]\nriver_flood = 0.5\n")
    place = ["--lat", str(LATITUDE), "--lon", str(LONGITUDE), "--asset", "asset.json"]
    assert assess.main([*place, "--what-if", "gates.toml", "--json"]) in (0, 3)
    told = json.loads(capsys.readouterr().out)
    flood = told["scenarios"][0]["aal"]["risks"]["river_flood"]["expected_loss"]
    assert told["what_if"]["results"][0]["saving"]["saving"] == pytest.approx(flood / 2, abs=1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "gates.toml cannot be read: No such file"),
        ("set = ", "gates.toml is no TOML"),
        ("[set]\nfloors_bellow = 1", "gates.toml: a measure cannot set 'floors_bellow'; did you mean floors_below?"),
        ("[set]\nfloors_below = -1", "Underground floors must be between 0 and 10"),
        ("name = 'x'", "gates.toml: the measure changes nothing"),
    ],
)
def test_a_file_that_is_no_measure_is_refused_before_anything_is_computed(empty, caplog, text, says):
    (empty / "gates.toml").unlink()
    if text is not None:
        (empty / "gates.toml").write_text(text)
    assert assess.main(["--sites", "sites.csv", "--out", "out", "--what-if", "gates.toml"]) == 2
    assert says in caplog.text
    assert not (empty / "out").exists()
