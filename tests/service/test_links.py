"""The address of the map page holds what is shown."""

import re

import pytest
from playwright.sync_api import expect

from tests.service.conftest import LAND


def layer(view):
    return expect(view.locator("#layer"))


def query(view):
    return view.evaluate("Object.fromEntries(new URLSearchParams(location.search))")


def test_choices_place_and_view_are_in_the_address_and_a_reload_shows_them_again(page):
    page.select_option("#risk", "drought")
    page.select_option("#scenario", "4")
    page.select_option("#period", "long_term")
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    page.click("#in")
    page.wait_for_url(re.compile("view="))
    told = {
        "risk": "drought",
        "show": "aal",
        "scenario": "4",
        "period": "long_term",
        "scale": "all",
        "at": f"{LAND[0]},{LAND[1]}",
    }
    assert query(page) == told | {"view": "35.15,127.2,1.43"}
    before = page.locator("#map").get_attribute("viewBox")
    page.reload()
    layer(page).to_have_attribute("data-layer", "aal/drought?scenario_id=4&time_period=long_term")
    expect(page.locator("#place")).to_contain_text(f"drought at {LAND[0]} N, {LAND[1]} E")
    after = page.locator("#map").get_attribute("viewBox")
    again, wanted = ([float(x) for x in each.split()] for each in (after, before))
    assert again == pytest.approx(wanted, abs=2e-3)
    page.click("#languages a[lang=ko]")
    expect(page.locator("#place")).to_contain_text("가뭄 결과, SSP5-8.5")
    assert query(page).keys() == {*told, "view", "lang"}


def test_back_and_forward_go_through_what_was_shown(page):
    page.select_option("#risk", "typhoon")
    page.select_option("#quantity", "hazard")
    layer(page).to_have_attribute("data-layer", "hazard/typhoon?scenario_id=2&time_period=full")
    page.locator("#map").click(position={"x": 300, "y": 300})
    expect(page.locator("#place")).to_contain_text("typhoon at")
    page.go_back()
    expect(page.locator("#place")).to_have_text("Click the map, or type a coordinate.")
    expect(page.locator("#marker")).to_be_hidden()
    page.go_back()
    layer(page).to_have_attribute("data-layer", "aal/typhoon?scenario_id=2&time_period=full")
    page.go_back()
    layer(page).to_have_attribute("data-layer", "aal/extreme_heat?scenario_id=2&time_period=full")
    page.go_forward()
    page.go_forward()
    layer(page).to_have_attribute("data-layer", "hazard/typhoon?scenario_id=2&time_period=full")
    page.go_forward()
    expect(page.locator("#place")).to_contain_text("typhoon at")


def test_an_address_that_asks_for_what_is_not_there_says_so(page, service):
    page.goto(f"{service[0]}/?risk=flood&scenario=4&period=full&at=here")
    layer(page).to_have_attribute("data-layer", "aal/extreme_heat?scenario_id=4&time_period=mid_term")
    said = "The address asks for what is not there (Risk flood, Period full, place); the nearest choice is shown."
    expect(page.locator("#message")).to_have_text(said)
