"""Two maps in step: each with its own layer, one view, one place, one pointer."""

import re

from playwright.sync_api import expect

from tests.service.conftest import LAND


def layer(view, suffix=""):
    return expect(view.locator(f"#layer{suffix}"))


def views(page):
    return [page.locator(f"#map{suffix}").get_attribute("viewBox") for suffix in ("", "2")]


def test_the_keyboard_opens_a_second_map_chooses_its_layer_and_reads_both(page):
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    page.locator("#two").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#risk2")).to_be_focused()
    layer(page, "2").to_have_attribute("data-layer", "aal/extreme_heat?scenario_id=2&time_period=full")
    page.keyboard.press("d")  # drought
    layer(page, "2").to_have_attribute("data-layer", "aal/drought?scenario_id=2&time_period=full")
    layer(page).to_have_attribute("data-layer", "aal/extreme_heat?scenario_id=2&time_period=full")
    expect(page.locator("#caption2")).to_have_text("Average annual loss: Drought, SSP2-4.5, 2021–2100")
    page.locator("#map2").focus()
    for key in ("ArrowUp", "+"):
        page.keyboard.press(key)
    for suffix in ("", "2"):
        expect(page.locator(f"#pointed{suffix}")).to_contain_text("35.2 N, 127.2 E: AAL ")
    assert len(set(views(page))) == 1
    page.keyboard.press("Enter")
    expect(page.locator("#place")).to_contain_text("Results for extreme heat at 35.2 N")
    marks = [page.locator(f"#marker{suffix} rect").evaluate("box => box.getAttribute('x')") for suffix in ("", "2")]
    assert marks[0] == marks[1]
    page.locator("#two").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#map2")).to_be_hidden()
    expect(page.locator("#two")).to_have_attribute("aria-expanded", "false")
    assert "risk2" not in page.url


def test_both_maps_move_together_and_each_tells_its_value_under_the_pointer(page):
    page.click("#two")
    page.select_option("#quantity2", "hazard")
    layer(page, "2").to_have_attribute("data-layer", re.compile("^hazard/"))
    boxes = [page.locator(f"#map{suffix}").bounding_box() for suffix in ("", "2")]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[1]["x"] > boxes[0]["x"] + boxes[0]["width"] - 1
    for box in boxes:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.wheel(0, -100)
        expect(page.locator("#pointed")).to_contain_text(re.compile(r"AAL [\d.]+ % of value$"))
        expect(page.locator("#pointed2")).to_contain_text(re.compile(r"hazard score [\d.]+ of 100$"))
        assert len(set(views(page))) == 1
    before = views(page)[0]
    page.mouse.down()
    page.mouse.move(boxes[1]["x"] + 40, boxes[1]["y"] + 40, steps=4)
    page.mouse.up()
    assert views(page)[0] == views(page)[1] != before
    expect(page.locator("#map .hint")).to_be_visible()


def test_the_address_holds_both_maps_and_back_closes_the_second(page, service):
    page.select_option("#risk", "drought")
    page.click("#two")
    page.select_option("#quantity2", "relative_difference")
    page.select_option("#scenario2", "4")
    page.locator("#map2").click(position={"x": 200, "y": 200})
    expect(page.locator("#place")).to_contain_text("drought at")
    window = "scenario_id=4&time_period=mid_term&reference_scenario_id=1&reference_period=mid_term"
    second = f"relative_difference/drought?{window}"
    layer(page, "2").to_have_attribute("data-layer", second)
    page.reload()
    layer(page, "2").to_have_attribute("data-layer", second)
    layer(page).to_have_attribute("data-layer", "aal/drought?scenario_id=2&time_period=full")
    expect(page.locator("#coastline2")).to_have_attribute("d", re.compile("^M"))
    expect(page.locator("#marker2")).to_be_visible()
    for _ in range(4):
        page.go_back()
    expect(page.locator("#map2")).to_be_hidden()
    layer(page).to_have_attribute("data-layer", "aal/drought?scenario_id=2&time_period=full")
    page.go_forward()
    expect(page.locator("#map2")).to_be_visible()
    page.goto(f"{service[0]}/?risk2=flood")
    expect(page.locator("#message")).to_contain_text("Risk flood")


def test_the_second_map_saves_its_own_layer(page):
    page.click("#two")
    page.select_option("#risk2", "typhoon")
    layer(page, "2").to_have_attribute("data-layer", re.compile("typhoon"))
    for form in ("csv", "tif", "png"):
        with page.expect_download() as saved:
            page.click(f"#{form}2")
        assert saved.value.suggested_filename == f"aal-typhoon-SSP2-4.5-full.{form}"


def test_on_a_phone_the_second_map_stands_below_the_first(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    page.click("#two")
    layer(page, "2").to_have_attribute("data-layer", re.compile("^aal/"))
    first, second = (page.locator(f"#map{suffix}").bounding_box() for suffix in ("", "2"))
    assert second["y"] > first["y"] + first["height"]
    assert (second["x"], second["width"]) == (first["x"], first["width"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
