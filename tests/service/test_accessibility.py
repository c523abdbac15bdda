"""Every page in its states against the rules of axe-core: nothing that is critical or serious, in either language and
colour scheme. What no rule finds (order of focus, keys) is in the journeys of the other modules."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.service.conftest import LAND
from tests.service.test_portfolio_page import SITES, assessed  # noqa: F401 (a fixture)

PLACES = {
    "places": [
        {
            "code": "11",
            "name": "서울특별시",
            "english": "Seoul",
            "level": "province",
            "within": [],
            "within_english": [],
        }
        | {"latitude": LAND[0], "longitude": LAND[1]},
    ],
    "held": {"province": 1, "municipality": 0, "town": 0},
}


class Reader:
    """Looks at a page in one state after the other and remembers what axe-core found."""

    def __init__(self, view):
        self.view, self.found = view, []

    def look(self, state):
        for each in Axe().run(self.view).response["violations"]:
            if each["impact"] in ("critical", "serious"):
                places = [", ".join(map(str, node["target"])) for node in each["nodes"][:3]]
                self.found.append(f"{state}: {each['id']} at {'; '.join(places)}")


@pytest.fixture(params=[("en", "light", 1300), ("ko", "dark", 390)], ids=lambda param: "-".join(map(str, param)))
def reader(request, browser, service):
    language, scheme, width = request.param
    view = browser.new_page(viewport={"width": width, "height": 900}, locale=language, color_scheme=scheme)
    view.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    yield Reader(view)
    view.close()


def test_no_state_of_the_map_page_breaks_a_rule(reader, service):
    view = reader.view
    view.goto(service[0])
    view.wait_for_selector("#provinces[d]", state="attached")
    expect(view.locator("#layer")).to_have_attribute("data-layer", re.compile("aal/"))
    reader.look("first view")
    view.select_option("#period", "mid_term")
    view.select_option("#quantity", "change")
    view.route("**/api/v1/places?*", lambda route: route.fulfill(json=PLACES))
    view.fill("#search", "seoul")
    view.locator("#suggestions li").first.wait_for()
    reader.look("a change, places suggested")
    view.keyboard.press("Escape")
    view.select_option("#quantity", "aal")
    view.fill("#lat", str(LAND[0]))
    view.fill("#lon", str(LAND[1]))
    view.locator("#lon").press("Enter")
    view.locator("#figures table").first.wait_for()
    for each in view.locator("#figures summary").all():
        each.click()
    reader.look("a cell with everything open")
    view.fill("#asset", "x")
    view.locator("#site button").last.click()
    expect(view.locator("#outcome, #step").filter(has_text=re.compile(r"\S")).first).to_be_visible()
    reader.look("a refused value")
    view.fill("#asset", "5000000000")
    view.locator("#known").check()
    view.locator("#site button").last.click()
    view.locator("#outcome table").first.wait_for(timeout=60_000)
    reader.look("an assessed site")
    assert reader.found == []


def test_no_state_of_the_portfolio_page_breaks_a_rule(reader, service, assessed):  # noqa: F811
    view = reader.view
    view.goto(f"{service[0]}/portfolio")
    view.wait_for_selector("body[data-ready]")
    reader.look("nothing chosen")
    view.set_input_files("#file", {"name": "loans.csv", "mimeType": "text/csv", "buffer": SITES.encode()})
    expect(view.locator("#question")).to_be_visible()
    reader.look("a file with a question")
    view.goto(f"{service[0]}/portfolio?id={assessed}")
    expect(view.locator("#results")).to_have_attribute("data-shown", "2 mid_term")
    view.locator(".grid .body .line").first.wait_for()
    reader.look("results")
    view.locator(".grid .body .line").first.click()
    view.locator("#site table").first.wait_for()
    reader.look("a site")
    view.goto(f"{service[0]}/portfolio?id=00000000-0000-0000-0000-000000000000")
    expect(view.locator("#told")).not_to_be_empty()
    reader.look("a portfolio that is not known")
    assert reader.found == []
