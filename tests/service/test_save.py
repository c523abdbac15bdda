"""A layer as a file: CSV of its cells, and the page's picture of it."""

import io

import numpy as np
import polars as pl
import psycopg
import pytest
from PIL import Image
from playwright.sync_api import expect

from engine.core.false_discovery import not_told_apart
from engine.maps import picture

WINDOW = {"scenario_id": 4, "time_period": "long_term"}
STATED = {"risk_type": "drought", "scenario": "SSP5-8.5", "time_period": "long_term", "first_year": 2081,
          "last_year": 2100, "calibrated": False, "run_id": 1, "edition": "2025-11", "scope": "full"}  # fmt: skip


def sheet(client, quantity, **asked):
    answer = client.get(f"/api/v1/map/{quantity}/drought", params=asked | {"format": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return answer, pl.read_csv(answer.content)


def rows(databases, columns, table, where):
    with psycopg.connect(databases[1]) as connection:
        query = f"SELECT grid_id, {columns} FROM {table} WHERE risk_type = 'drought' AND {where} ORDER BY grid_id"
        return [np.array(each, float) for each in zip(*connection.execute(query).fetchall(), strict=True)]


LONG = "scenario_id = 4 AND time_period = 'long_term'"


@pytest.mark.parametrize(
    ("asked", "table", "where", "stated"),
    [
        (WINDOW, "modelops_probability_scores", LONG, STATED),
        (
            {},
            "probability_results",
            "true",
            STATED | {"scenario": "SSP2-4.5", "time_period": "full", "first_year": 2021},
        ),
    ],
)
def test_a_sheet_holds_the_published_aal_with_its_interval_and_says_what_it_is(
    client, databases, asked, table, where, stated
):
    answer, found = sheet(client, "aal", **asked)
    cells, *figures = rows(databases, "aal, aal_low, aal_high", table, where)
    np.testing.assert_array_equal(found["grid_id"], cells)
    for name, expected in zip(("aal", "aal_low", "aal_high"), figures, strict=True):
        np.testing.assert_array_equal(found[name].cast(pl.Float32), expected.astype(np.float32))
    assert found.select(list(stated)).unique().to_dicts() == [stated]
    for cell, lat, lon in found.select("grid_id", "latitude", "longitude").iter_rows():
        north, east = divmod(cell - 1, 5)
        assert (lat, lon) == (pytest.approx(35.0 + north / 10), pytest.approx(127.0 + east / 10))
    name = f"aal-drought-{stated['scenario']}-{stated['time_period']}.csv"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'


def test_a_sheet_of_changes_says_which_are_more_than_noise_and_one_of_hazards_holds_the_scores(client, databases):
    _, found = sheet(client, "change", **WINDOW)
    _, _, change, error = rows(databases, "aal, change, change_se", "modelops_probability_scores", LONG)
    assert found["more_than_noise"].to_list() == (~not_told_apart(change, error)).tolist()
    np.testing.assert_array_equal(found["change"].cast(pl.Float32), change.astype(np.float32))
    _, found = sheet(client, "hazard", **WINDOW)
    _, score = rows(databases, "score", "modelops_hazard_scores", LONG)
    np.testing.assert_allclose(found["hazard_score"], score, rtol=1e-6)
    none = {"time_period": "full", "format": "csv"}
    assert client.get("/api/v1/map/change/drought", params=none).status_code == 404


def test_the_page_saves_the_cells_of_the_chosen_layer(page, client):
    page.select_option("#risk", "drought")
    page.select_option("#scenario", "4")
    page.select_option("#period", "long_term")
    layer = "aal/drought?scenario_id=4&time_period=long_term"
    expect(page.locator("#layer")).to_have_attribute("data-layer", layer)
    with page.expect_download() as saved:
        page.click("#csv")
    assert saved.value.suggested_filename == "aal-drought-SSP5-8.5-long_term.csv"
    assert saved.value.path().read_bytes() == sheet(client, "aal", **WINDOW)[0].content


@pytest.mark.parametrize("scale", ["all", "own"])
def test_the_page_saves_a_picture_with_the_layer_and_a_legend_below_it(page, scale):
    page.select_option("#risk", "drought")
    page.select_option("#scale", scale)
    page.wait_for_selector(f"#layer[data-layer*=drought][data-scale={scale}]", state="attached")
    with page.expect_download() as saved:
        page.click("#png")
    assert saved.value.suggested_filename == "aal-drought-SSP2-4.5-full.png"
    image = np.asarray(Image.open(io.BytesIO(saved.value.path().read_bytes())).convert("RGB"))
    assert image.shape[1] == 1600
    colours = page.locator("#legend i").evaluate_all("all => all.map((each) => getComputedStyle(each).backgroundColor)")
    assert len(colours) > 5
    swatch = 32 * 24 * 0.8  # without its edge
    counts = [int((image == [int(part) for part in each[4:-1].split(",")]).all(axis=2).sum()) for each in colours]
    assert min(counts) >= swatch
    cells = [count for count in counts if count > 100 * swatch]
    assert len(cells) >= (1 if scale == "all" else 3)
    assert (image[-60:] != 255).any()  # the citation
    assert picture.NO_VALUE == "#b8b8b8"
