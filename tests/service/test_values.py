"""Values of a layer: the file, the value under the pointer, and colours of the layer alone."""

import re

import numpy as np
import psycopg
import pytest
from playwright.sync_api import expect

from tests.service.conftest import LAND

LAYER = "/api/v1/map/aal/drought"
WINDOW = {"scenario_id": 4, "time_period": "long_term"}


def values(client, address, **asked):
    answer = client.get(address, params=asked | {"format": "values"})
    assert answer.headers["content-type"] == "application/octet-stream"
    return np.frombuffer(answer.content, "<f4").reshape(4, 5)


def test_values_stand_where_their_cells_are_north_up(client, databases):
    found = values(client, LAYER, **WINDOW)
    with psycopg.connect(databases[1]) as connection:
        rows = connection.execute(
            "SELECT grid_id, aal FROM modelops_probability_scores WHERE risk_type = 'drought' AND scenario_id = 4"
            " AND time_period = 'long_term'"
        ).fetchall()
    expected = np.full((4, 5), -np.inf, np.float32)
    for cell, aal in rows:
        north, east = divmod(cell - 1, 5)
        expected[3 - north, east] = aal
    np.testing.assert_array_equal(found, expected)
    packed = client.get(LAYER, params=WINDOW | {"format": "values"}, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in packed.headers
    again = {"If-None-Match": packed.headers["ETag"]}
    assert client.get(LAYER, params=WINDOW | {"format": "values"}, headers=again).status_code == 304
    assert client.get(LAYER, params=WINDOW).headers["ETag"] != packed.headers["ETag"]


def test_a_layer_without_results_has_no_values(client):
    asked = {"scenario_id": 2, "time_period": "short_term", "format": "values"}
    assert client.get("/api/v1/map/change/drought", params=asked).status_code == 404


def test_the_value_under_the_pointer_and_under_the_marker_is_that_of_the_cell(page, client):
    page.select_option("#risk", "drought")
    expect(page.locator("#layer")).to_have_attribute("data-layer", re.compile("drought"))
    value = 100 * float(values(client, LAYER)[1, 2])
    box = page.locator("#map").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.375)  # the second row of four
    expect(page.locator("#pointed")).to_have_text(f"35.2 N, 127.2 E: AAL {value:.3g} % of value")
    page.mouse.move(5, 5)
    expect(page.locator("#pointed")).to_be_empty()
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    page.locator("#map").focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator("#pointed")).to_have_text(f"35.2 N, 127.2 E: AAL {value:.3g} % of value")


def test_colours_of_this_layer_alone_span_its_values_and_say_that_they_compare_with_no_other(page, client):
    page.select_option("#risk", "water_stress")  # of one colour, or two, on the scale for all
    page.select_option("#scale", "own")
    expect(page.locator("#layer")).to_have_attribute("data-scale", "own")
    expect(page.locator("#note")).to_contain_text("not to be compared with other layers")
    labels = page.locator("#legend div span").all_inner_texts()[:-1]
    cells = 100 * values(client, "/api/v1/map/aal/water_stress")
    known = cells[np.isfinite(cells)]
    limits = [float(re.findall(r"[\d.]+", label)[-1]) for label in labels[:-1]]
    assert 5 <= len(limits) <= 11
    assert known.min() < limits[0] < limits[-1] < known.max()
    np.testing.assert_allclose(np.diff(limits), limits[1] - limits[0], atol=2e-2)
    page.reload()
    expect(page.locator("#layer")).to_have_attribute("data-scale", "own")


@pytest.mark.parametrize("form", ["json", "PNG", ""])
def test_an_unknown_form_of_a_layer_is_refused(client, form):
    assert client.get(LAYER, params={"format": form}).status_code == 422


def test_a_calibrated_edition_opens_on_a_risk_that_has_a_loss_in_colours_of_its_own(browser, service, client):
    answer = client.get("/api/v1/map").json()
    first, second = answer["risks"][:2]
    of_first = answer["layers"][first] | {"aal": {}}
    told = answer | {"not_priced": [first], "uncalibrated": [], "layers": answer["layers"] | {first: of_first}}
    page = browser.new_page()
    page.route("**/api/v1/map", lambda route: route.fulfill(json=told))
    page.goto(service[0])
    expect(page.locator("#mapbox[data-ready]")).to_be_visible()
    expect(page.locator("#risk")).to_have_value(second)
    expect(page.locator("#scale")).to_have_value("own")
    page.close()
