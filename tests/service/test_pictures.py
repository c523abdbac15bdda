"""The pictures of the docs: their pages, brought to the same states, show the texts that the pictures show."""

import importlib.util
import json
from pathlib import Path

import pytest

from jobs import report
from tests.service.conftest import LAND

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
pictures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pictures)
SHOWN = json.loads(pictures.WORDS.read_text("utf-8"))


@pytest.fixture
def view(browser):
    view = browser.new_page(viewport={"width": 1240, "height": 880}, color_scheme="light", locale="en")
    yield view
    view.close()


def test_the_pictures_of_the_docs_show_the_pages_as_they_are(view, service, tmp_path):
    sites = tmp_path / "sites.csv"
    sites.write_text(f"site_id,latitude,longitude,total_asset_value\nA1,{LAND[0]},{LAND[1]},9000000000\n")
    told = {}
    assert report.main(["--out", str(tmp_path / "run.html")]) == 0
    pictures.show_report(view, tmp_path / "run.html")
    told["report"] = pictures.words(view)
    pictures.show_map(view, service[0], LAND)
    told["map"] = pictures.words(view)
    portfolio = pictures.show_portfolio(view, service[0], sites)
    told["portfolio"] = pictures.words(view)
    assert report.main(["--portfolio", portfolio, "--lang", "en", "--out", str(tmp_path / "committee.html")]) == 0
    pictures.show_committee(view, tmp_path / "committee.html")
    told["committee"] = pictures.words(view)
    assert told == SHOWN, "a page has changed: python docs/pictures.py, after ./run"
    assert {path.stem for path in pictures.IMAGES.glob("*.png")} == {*SHOWN, "table"}
