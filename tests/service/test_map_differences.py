"""Layers of differences between two windows and of the width of intervals: figures, hatching, files, and the page."""

import base64
import io
import re

import numpy as np
import polars as pl
import psycopg
import pytest
import rasterio
from PIL import Image
from playwright.sync_api import expect

from engine.core.false_discovery import not_told_apart
from engine.maps import picture

LONG = {"scenario_id": 4, "time_period": "long_term"}
AGAINST = {"reference_scenario_id": 1}


def window(databases, risk, scenario, period):
    """grid_id, aal, aal_se, aal_low, aal_high, change, change_se of a published window."""
    with psycopg.connect(databases[1]) as connection:
        rows = connection.execute(
            "SELECT grid_id, aal, aal_se, aal_low, aal_high, change, change_se FROM modelops_probability_scores"
            " WHERE risk_type = %s AND scenario_id = %s AND time_period = %s ORDER BY grid_id",
            (risk, scenario, period),
        ).fetchall()
    return [np.array(column, float) for column in zip(*rows, strict=True)]


def planes(client, quantity, risk, **asked):
    """Values and marks of the cells that have a result, from the south-west one."""
    answer = client.get(f"/api/v1/map/{quantity}/{risk}", params=asked | {"format": "values"})
    assert answer.status_code == 200, answer.text
    values = np.frombuffer(answer.content[:80], "<f4").reshape(4, 5)[::-1].ravel()
    marks = np.frombuffer(answer.content[80:], np.uint8)
    there = values != -np.inf
    return values[there], marks.reshape(4, 5)[::-1].ravel()[there] if marks.size else None


def test_scenarios_are_compared_by_the_errors_of_both_and_hatched_where_they_do_not_differ(client, databases):
    _, aal, error, *_ = window(databases, "drought", 4, "long_term")
    _, before, other, *_ = window(databases, "drought", 1, "long_term")
    points, marks = planes(client, "difference", "drought", **LONG, **AGAINST)
    np.testing.assert_allclose(points, aal - before, rtol=1e-5, atol=1e-9)
    unsure = not_told_apart(aal - before, np.hypot(error, other))
    np.testing.assert_array_equal(marks, unsure)
    shares, again = planes(client, "relative_difference", "drought", **LONG, **AGAINST)
    np.testing.assert_allclose(shares, (aal - before) / before, rtol=1e-4)
    np.testing.assert_array_equal(again, unsure)
    image = np.asarray(Image.open(io.BytesIO(
        client.get("/api/v1/map/difference/drought", params=LONG | AGAINST).content)).convert("RGB"))  # fmt: skip
    lines = (image == [int(picture.HATCH[at : at + 2], 16) for at in (1, 3, 5)]).all(axis=2)
    assert lines.any() == unsure.any()


def test_against_the_short_term_the_stored_change_counts_whichever_side_it_is_on(client, databases):
    later = {"scenario_id": 2, "time_period": "long_term", "reference_period": "short_term"}
    earlier = {"scenario_id": 2, "time_period": "short_term", "reference_period": "long_term"}
    *_, change, doubt = window(databases, "typhoon", 2, "long_term")
    points, marks = planes(client, "difference", "typhoon", **later)
    np.testing.assert_allclose(points, change, rtol=1e-6)
    np.testing.assert_array_equal(marks, not_told_apart(change, doubt))
    back, same = planes(client, "difference", "typhoon", **earlier)
    np.testing.assert_allclose(back, -points, rtol=1e-6)
    np.testing.assert_array_equal(same, marks)
    whole = {name: later[name] for name in ("scenario_id", "time_period")}
    assert all(map(np.array_equal, planes(client, "change", "typhoon", **whole),
                   planes(client, "relative_difference", "typhoon", **later)))  # fmt: skip


def test_storms_are_the_same_in_two_scenarios_so_their_years_tell_the_error(client, databases):
    _, aal, error, *_ = window(databases, "typhoon", 4, "long_term")
    _, before, other, *_ = window(databases, "typhoon", 1, "long_term")
    with psycopg.connect(databases[1]) as connection:
        layout = connection.execute(
            "SELECT scenario_id, time_period, years FROM result_sample_years WHERE risk_type = 'typhoon' ORDER BY place"
        ).fetchall()
        rows = connection.execute(
            "SELECT losses FROM modelops_year_losses WHERE risk_type = 'typhoon' ORDER BY grid_id"
        ).fetchall()
    losses = np.array([np.frombuffer(each, "<f4") for (each,) in rows], float)
    ends = np.cumsum([len(years) for *_, years in layout])
    of = {pair: losses[:, end - len(years) : end] for (*pair, years), end in zip(layout, ends, strict=True)
          for pair in [tuple(pair)]}  # fmt: skip
    one, two = of[4, "long_term"], of[1, "long_term"]
    mean = [each.std(axis=1, ddof=1) / np.sqrt(each.shape[1]) for each in (one - two, one, two)]
    with np.errstate(invalid="ignore"):
        years = mean[0] * np.fmax(np.fmax(error / mean[1], other / mean[2]), 1)
    expected = np.fmin(years, np.hypot(error, other))
    sheet = pl.read_csv(client.get("/api/v1/map/difference/typhoon", params=LONG | AGAINST | {"format": "csv"}).content)
    np.testing.assert_allclose(sheet["difference_se"], expected, rtol=1e-4, atol=1e-9)
    assert (expected < 0.9 * np.hypot(error, other)).any()
    np.testing.assert_array_equal(sheet["more_than_noise"], ~not_told_apart(aal - before, expected))


def test_edges_on_years_of_a_window_that_is_compared_make_the_error_the_sum_of_both(client, databases):
    """The baseline 1991-2020 lies before all windows: told otherwise, the same layer has more cells in doubt."""
    asked = LONG | {"scenario_id": 2, "reference_scenario_id": 4}
    _, aal, error, *_ = window(databases, "extreme_heat", 2, "long_term")
    _, before, other, *_ = window(databases, "extreme_heat", 4, "long_term")
    _, marks = planes(client, "difference", "extreme_heat", **asked)
    np.testing.assert_array_equal(marks, not_told_apart(aal - before, np.hypot(error, other)))
    with psycopg.connect(databases[1], autocommit=True) as connection:
        [(kept,)] = connection.execute("SELECT baseline FROM result_runs").fetchall()
        connection.execute(
            "UPDATE result_runs SET baseline = '2081-2100 SSP2-4.5', published_at = published_at + '1 s'"
        )
        try:
            _, marks = planes(client, "difference", "extreme_heat", **asked)
        finally:
            connection.execute(
                "UPDATE result_runs SET baseline = %s, published_at = published_at - '1 s'::interval", (kept,)
            )
    np.testing.assert_array_equal(marks, not_told_apart(aal - before, error + other))


def test_an_interval_is_told_as_a_multiple_of_its_loss(client, databases):
    _, aal, _, low, high, *_ = window(databases, "river_flood", 4, "long_term")
    wide, marks = planes(client, "interval", "river_flood", **LONG)
    np.testing.assert_allclose(wide, (high - low) / aal, rtol=1e-5)
    assert marks is None


@pytest.mark.parametrize(
    ("quantity", "asked", "said"),
    [
        ("difference", LONG, "needs another scenario"),
        ("difference", {"reference_period": "mid_term"}, "full holds the years of all of them"),
        ("aal", LONG | AGAINST, "A layer of aal has no reference"),
        ("change", LONG | {"reference_period": "mid_term"}, "A layer of change has no reference"),
    ],
)
def test_a_difference_that_is_none_is_refused(client, quantity, asked, said):
    answer = client.get(f"/api/v1/map/{quantity}/drought", params=asked)
    assert answer.status_code == 422
    assert said in answer.text


CITED = r"climate-risk-engine, run 1, methodology edition 2025-11, published \d{4}-\d\d-\d\d, http://127.0.0.1:\d+/"


def test_a_sheet_of_a_difference_holds_both_sides_with_their_intervals_and_cites_its_run(client, databases):
    answer = client.get("/api/v1/map/difference/drought", params=LONG | AGAINST | {"format": "csv"})
    assert (
        "difference-drought-SSP5-8.5-long_term-against-SSP1-2.6-long_term.csv" in answer.headers["content-disposition"]
    )
    found = pl.read_csv(answer.content)
    stated = {"scenario": "SSP5-8.5", "first_year": 2081, "reference_scenario": "SSP1-2.6", "reference_last_year": 2100,
              "calibrated": False, "run_id": 1, "edition": "2025-11"}  # fmt: skip
    assert found.select(list(stated)).unique().to_dicts() == [stated]
    _, aal, error, low, high, *_ = window(databases, "drought", 4, "long_term")
    _, before, other, least, most, *_ = window(databases, "drought", 1, "long_term")
    for name, expected in (("aal", aal), ("aal_low", low), ("aal_high", high), ("reference_aal", before),
                           ("reference_aal_low", least), ("reference_aal_high", most), ("difference", aal - before),
                           ("difference_se", np.hypot(error, other))):  # fmt: skip
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-9, err_msg=name)
    assert re.fullmatch(CITED, found["citation"][0])
    assert found["citation"][1:].null_count() == found.height - 1


@pytest.mark.parametrize(
    ("quantity", "asked", "bands"),
    [
        ("aal", LONG, ("aal", "aal_low", "aal_high")),
        ("interval", LONG, ("interval_width", "aal", "aal_low", "aal_high")),
        ("hazard", LONG, ("hazard_score",)),
        ("hazard_difference", LONG | AGAINST, ("hazard_difference", "hazard_score", "reference_hazard_score")),
        ("difference", LONG | AGAINST, ("difference", "difference_se", "relative_difference", "more_than_noise")),
        ("change", LONG, ("change_share", "change", "change_se", "more_than_noise")),
    ],
)
def test_a_raster_has_its_values_where_the_cells_are(client, quantity, asked, bands):
    answer = client.get(f"/api/v1/map/{quantity}/drought", params=asked | {"format": "tif"})
    assert answer.headers["content-type"] == "image/tiff"
    values, marks = planes(client, quantity, "drought", **asked)
    sheet = pl.read_csv(client.get(f"/api/v1/map/{quantity}/drought", params=asked | {"format": "csv"}).content)
    with rasterio.MemoryFile(answer.content) as file, file.open() as raster:
        assert (raster.crs.to_epsg(), raster.dtypes[0], np.isnan(raster.nodata)) == (4326, "float32", True)
        assert raster.descriptions == bands
        assert raster.xy(0, 0) == pytest.approx((127.0, 35.3))
        first = raster.read(1)[::-1].ravel()
        np.testing.assert_array_equal(first[~np.isnan(first)], values)
        for place in sheet.sample(3, seed=1).iter_rows(named=True):
            for name, [value] in zip(
                bands, zip(*raster.sample([(place["longitude"], place["latitude"])]), strict=True), strict=True
            ):
                assert value == pytest.approx(float(place[name]), rel=1e-5)
        told = raster.tags()
        if marks is not None:
            np.testing.assert_array_equal(raster.read(4)[::-1].ravel()[~np.isnan(first)], 1 - marks)
    assert told["risk_type"] == "drought"
    assert (told["run_id"], told["edition"], told["first_year"]) == ("1", "2025-11", "2081")
    assert re.fullmatch(CITED, told["citation"])
    assert told["unit"]


def layer(view, suffix=""):
    return expect(view.locator(f"#layer{suffix}"))


DIFFERENCE = "/drought?scenario_id=4&time_period=long_term&reference_scenario_id=1&reference_period=long_term"


def test_a_difference_is_chosen_told_and_found_again_by_its_address(page, client):
    page.select_option("#risk", "drought")
    page.select_option("#scenario", "4")
    expect(page.locator("#than_scenario")).to_be_hidden()
    page.select_option("#quantity", "relative_difference")  # of windows: the whole axis gives way
    layer(page).to_have_attribute("data-layer", re.compile("time_period=mid_term&reference_scenario_id=1&"))
    page.select_option("#period", "long_term")
    page.select_option("#quantity", "difference")
    layer(page).to_have_attribute("data-layer", f"difference{DIFFERENCE}")
    expect(page.locator("#legend")).to_contain_text("Difference of AAL from SSP1-2.6, 2081–2100, percentage points")
    expect(page.locator("#legend i.hatched")).to_have_count(1)
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.375)  # the third cell of the second row
    cells = pl.read_csv(client.get("/api/v1/map/difference/drought", params=LONG | AGAINST | {"format": "csv"}).content)
    at = cells.filter((pl.col("latitude") == 35.2) & (pl.col("longitude") == 127.2))
    points = 100 * at["difference"].item()
    doubt = "" if at["more_than_noise"].item() else ", not more than noise"
    text = f"{points:+.3g}".replace("-", "−")
    said = f"35.2 N, 127.2 E: difference of AAL {text} percentage points{doubt}"
    expect(page.locator("#pointed")).to_have_text(said)
    assert page.locator("#than_period option[value=same]").is_enabled()
    page.select_option("#than_scenario", "same")  # the same window is none: another gives way
    layer(page).to_have_attribute("data-layer", re.compile("reference_scenario_id=4&reference_period=short_term$"))
    assert page.locator("#than_period option[value=same]").is_disabled()
    assert page.locator("#than_period option[value=full]").is_disabled()
    page.go_back()
    layer(page).to_have_attribute("data-layer", f"difference{DIFFERENCE}")
    page.reload()
    layer(page).to_have_attribute("data-layer", f"difference{DIFFERENCE}")
    page.select_option("#quantity", "hazard_difference")
    layer(page).to_have_attribute("data-layer", f"hazard_difference{DIFFERENCE}")
    expect(page.locator("#note")).to_contain_text("Not hatched: scores carry no interval")
    expect(page.locator("#legend i.hatched")).to_have_count(0)
    page.select_option("#quantity", "interval")
    layer(page).to_have_attribute("data-layer", "interval/drought?scenario_id=4&time_period=long_term")
    expect(page.locator("#legend")).to_contain_text("no interval")
    assert "than" not in page.url


@pytest.mark.parametrize("scale", ["all", "own"])
def test_a_difference_is_drawn_about_zero_and_hatched_on_either_scale(page, client, scale):
    page.goto(
        page.url.split("?")[0] + f"?risk=drought&show=difference&scenario=4&period=long_term&than=1&scale={scale}"
    )
    layer(page).to_have_attribute("data-layer", f"difference{DIFFERENCE}")
    layer(page).to_have_attribute("data-scale", scale)
    labels = page.locator("#legend div span").all_inner_texts()[:7]
    limits = [float(re.findall(r"−?[\d.]+", text)[-1].replace("−", "-")) for text in labels[:6]]
    np.testing.assert_allclose(limits, [-limit for limit in limits[::-1]])
    with page.expect_download() as saved:
        page.click("#png")
    assert saved.value.suggested_filename == "difference-drought-SSP5-8.5-long_term-against-SSP1-2.6-long_term.png"
    data = page.evaluate("""async () => {
      const picture = new Image();
      picture.src = document.getElementById("layer").getAttribute("href");
      await picture.decode();
      const { width, height } = picture, context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(picture, 0, 0);
      const letters = Array.from(context.getImageData(0, 0, width, height).data, (each) => String.fromCharCode(each));
      return { width, height, pixels: btoa(letters.join("")) };
    }""")
    image = np.frombuffer(base64.b64decode(data["pixels"]), np.uint8).reshape(data["height"], data["width"], 4)
    values, marks = planes(client, "difference", "drought", **LONG, **AGAINST)
    times, colours = image.shape[0] // 4, {}
    there = np.flatnonzero(image[times // 2 :: times, times // 2 :: times, 3][::-1].ravel())
    for cell, value, mark in zip(there, values, marks, strict=True):
        north, east = divmod(int(cell), 5)
        block = image[(3 - north) * times : (4 - north) * times, east * times : (east + 1) * times].reshape(-1, 4)
        seen = {"#" + bytes(pixel[:3]).hex() for pixel in np.unique(block, axis=0).astype(np.uint8)}
        place = int(np.searchsorted(limits, 100 * value, side="right"))
        assert seen == {picture.DIVERGING[place]} | ({picture.HATCH} if mark else set())
        colours[place] = mark
    assert len(colours) > 1


@pytest.mark.parametrize("form", ["csv", "tif"])
def test_the_page_saves_the_chosen_difference(page, client, form):
    page.goto(page.url.split("?")[0] + "?risk=drought&show=difference&scenario=4&period=long_term&than=1")
    layer(page).to_have_attribute("data-layer", f"difference{DIFFERENCE}")
    with page.expect_download() as saved:
        page.click(f"#{form}")
    name = "difference-drought-SSP5-8.5-long_term-against-SSP1-2.6-long_term"
    assert saved.value.suggested_filename == f"{name}.{form}"
    told = client.get("/api/v1/map/difference/drought", params=LONG | AGAINST | {"format": form})
    assert saved.value.path().read_bytes() == told.content


def test_an_edition_of_a_users_own_is_named_with_its_checksum(client, databases, browser, service):
    assert client.get("/api/v1/map").json()["own_edition"] is None
    with psycopg.connect(databases[1], autocommit=True) as connection:
        connection.execute("UPDATE result_runs SET edition = 'house'")
        try:
            told = client.get("/api/v1/map").json()["own_edition"]
            view = browser.new_page()
            view.goto(service[0])
            expect(view.locator("#edition")).to_contain_text(f"a file of your organisation, checksum {told[:8]};")
            view.close()
        finally:
            connection.execute("UPDATE result_runs SET edition = '2025-11'")


def test_the_loss_of_a_window_under_a_trend_says_which_year_it_is_of(browser, service):
    def trended(route):
        told = route.fetch().json()
        years = {"full": "2021-2100", "short_term": "2030", "mid_term": "2050", "long_term": "2090"}
        route.fulfill(json=told | {"aal_years": {"river_flood": years}})

    view = browser.new_page(viewport={"width": 1300, "height": 900})
    view.route("**/api/v1/map", trended)
    view.goto(f"{service[0]}/?risk=river_flood&period=mid_term&at=35.1,127.2")
    said = "The loss follows a straight line through all years of the scenario: that of 2041–2060 is the loss of 2050"
    expect(view.locator("#note")).to_contain_text(said)
    expect(view.locator("#figures .note").first).to_contain_text(said)
    expect(view.locator("#figures dt").first).to_have_text("Average annual loss of 2050")
    view.select_option("#quantity", "hazard")
    expect(view.locator("#note")).not_to_contain_text("straight line")
    view.close()
