"""A country that is not Korea from warehouse to report: no Korean word and no won in any output."""

from __future__ import annotations

import json
import re
from pathlib import Path

import fastexcel
import polars as pl
import psycopg
import pytest

from engine.core import country, profile_file, settings
from engine.core.settings import Settings
from engine.service import page_files
from jobs import assess, etl, report, yearly
from tests.io.lattices import box, geojson
from tests.warehouses import fill

KOREAN = re.compile(r"KRW|korea|[\u3131-\u318e\uac00-\ud7a3]|\bwon\b|₩|seoul", re.I)
PROFILE = """
base = "generic"
whole_country = "whole of Iberia"
time_zone = "Europe/Madrid"
reference_value = 50_000_000

[currency]
code = "EUR"
signs = ["eur", "€"]

[[regions.levels]]
word = "comunidad"
several = "comunidades"
layer = "regions"
"""
SITES = """site_id,lat,lon,asset value (EUR million),floor area,structure
A,35.0,127.0,12.5,4000,concrete
B,35.1,127.2,€ 3,900,wood
C,35.2,127.1,,1200,steel
D,35.1,127.1,30만원,1200,steel
"""
PAGE = Path(page_files.__file__).parent / "page"


@pytest.fixture
def iberia(warehouse, results, monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iberia.toml").write_text(PROFILE)
    for name, value in {"COUNTRY": "iberia.toml", "DW_URL": warehouse, "APP_URL": results}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    fill(warehouse)
    west, east = ((box(126.9, 34.9, 127.15, 35.4), "Galicia"), (box(127.15, 34.9, 127.6, 35.4), "Aragón"))
    geojson(tmp_path / "borders.json", *((outline, {"nombre": name, "pop_est": 2e6}) for outline, name in (west, east)))
    yield tmp_path
    country.take(profile_file.load("korea"))


def clean(text, where):
    text = re.sub(r"base64,[\w+/=]+", "", text)  # pictures
    found = KOREAN.search(text)
    assert found is None, (where, text[max(0, found.start() - 60) : found.end() + 60])
    return text


def test_terminal_report_workbook_and_page_speak_of_the_country_and_its_currency(iberia, capsys, caplog, results):
    named = ["--regions", "borders.json", "--region-name", "nombre", "--data", str(iberia)]
    assert etl.main(["admin", *named]) == 0
    assert yearly.main(["--risks", "extreme_heat,river_flood,urban_flood,sea_level_rise"]) == 0
    assert report.main(["--out", "run.html"]) == 0
    (iberia / "sites.csv").write_text(SITES)
    assert assess.main(["--sites", "sites.csv", "--out", "out"]) == 3  # D is in another currency
    assert report.main(["--portfolio", "out", "--out", "sites.html"]) == 0
    assert assess.main(["--lat", "35.1", "--lon", "127.2", "--risks", "extreme_heat"]) in (0, 3)
    printed = capsys.readouterr()
    told = clean(printed.out.replace("30만원", "") + printed.err + "\n".join(caplog.messages), "terminal")
    assert "EUR" in told
    assert "Most exposed" not in clean((iberia / "run.html").read_text(), "report")  # there is no second level
    assert "By comunidad" in (iberia / "run.html").read_text()
    assert "Amounts in EUR." in clean((iberia / "sites.html").read_text(), "report of the sites")
    summary = json.loads((iberia / "out" / "portfolio.json").read_text())
    assert summary["currency"] == "EUR"
    for pair in summary["results"]:
        assert pair["total_asset_value"] == 15_500_000
    values = pl.read_parquet(iberia / "out" / "exposure.parquet")
    assert values.filter(pl.col("site_id") == "A")["normalized_asset_value"].max() == 0.25
    book = fastexcel.read_excel(iberia / "out" / "portfolio.xlsx")
    for sheet in book.sheet_names:
        cells = book.load_sheet(sheet, header_row=None, dtypes="string").to_polars()
        clean(" ".join(str(each) for row in cells.rows() for each in row).replace("30만원", ""), sheet)
    with psycopg.connect(results) as connection:
        assert connection.execute("SELECT DISTINCT currency FROM aal_scaled_results").fetchall() == [("EUR",)]
        assert connection.execute("SELECT DISTINCT currency FROM modelops_aal_cache").fetchall() == [("EUR",)]


def test_the_pages_offer_the_languages_of_the_country_in_its_words(iberia):
    profile = settings.load().profile
    for name in ("index.html", "portfolio.html"):
        text = clean(page_files.document(name, profile, "/climate"), name)
        assert 'data-languages="en"' in text
        assert '"/climate/page/' in text
    for path in sorted((PAGE / "texts").glob("*en.json")):
        told = json.loads(page_files.texts(f"texts/{path.name}", profile))
        said = {key: text for key, text in told.items() if key not in ("language.ko", "nav.language")}  # not shown
        clean(json.dumps(said, ensure_ascii=False), path.name)
        assert not re.search(r"<\w+>", json.dumps(said))
    assert json.loads(page_files.texts("texts/en.json", profile))["zoom.whole"] == "Whole of Iberia"
    assert json.loads(page_files.texts("texts/portfolio.en.json", profile))["money"] == "{money} EUR"
    assert page_files.texts("app.js", profile) is None


def test_the_pages_of_korea_say_what_they_said():
    korea = profile_file.load("korea")
    texts = json.loads(page_files.texts("texts/portfolio.ko.json", korea))
    assert (texts["money"], texts["sites.value"]) == ("{money}원", "자산가액(원)")
    texts = json.loads(page_files.texts("texts/en.json", korea))
    assert texts["field.total_asset_value"] == "Asset value, KRW"
    assert texts["search.none"] == "No place of that name. Towns are found by their Korean name only."
    assert texts["scope.some"] == "A sample of some cells: not the whole country."
