"""What-ifs, where else and comparisons in a real browser, with the keyboard too; their texts."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.service.conftest import LAND

PAGE = Path(__file__).parents[2] / "engine" / "service" / "page"
TEXTS = {name: json.loads((PAGE / "texts" / f"whatif.{name}.json").read_text("utf-8")) for name in ("en", "ko")}
SCRIPTS = {path.name: path.read_text("utf-8") for path in sorted((PAGE / "whatif").glob("*.js"))}
SLOW = 60_000


def money(text):
    return int(text.replace(",", "").replace("−", "-").replace("+", ""))


@pytest.fixture
def watched(browser, service):
    """Opens an address; fails on anything in the console."""
    said, views = [], []

    def go(address, **options):
        view = browser.new_page(viewport={"width": 1300, "height": 900}, locale="en", **options)
        view.on("console", lambda message: None if "status of 4" in message.text else said.append(message.text))
        view.on("pageerror", lambda error: said.append(str(error)))
        view.goto(service[0] + address)
        views.append(view)
        return view

    yield go
    for view in views:
        view.close()
    assert said == []


def focus(view, selector):
    """Go on by Tab alone until an element has the focus."""
    for _ in range(250):
        if view.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        view.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_a_measure_at_the_chosen_place_is_stated_and_answered_with_the_keyboard_alone(watched):
    view = watched(f"/?at={LAND[0]},{LAND[1]}&scenario=2&period=mid_term")
    view.wait_for_selector("#provinces[d]", state="attached")
    view.fill("#asset", "50,000,000,000")
    focus(view, "#measure .lines .line select")
    view.keyboard.type("insured")
    focus(view, "#measure .lines .line input")
    view.keyboard.type("0.4")
    view.keyboard.press("Enter")
    expect(view.locator("#whatif-result h3")).to_be_focused(timeout=SLOW)
    sums = [money(text) for text in view.locator("#whatif-result tr.sum td").all_inner_texts()[:3]]
    assert sums[0] - sums[1] == sums[2] == pytest.approx(0.4 * sums[0], abs=9)
    assert view.locator("#whatif-result .loss").inner_text().startswith("Saves ")
    assert view.locator("#whatif-result figure path.second").count() == 1
    assert not view.locator("#whatif-result .appraisal").count()
    view.locator("#measure .cost input").first.fill("1,000,000")
    view.keyboard.press("Enter")
    expect(view.locator("#whatif-result .appraisal")).to_contain_text("Benefit-cost ratio", timeout=SLOW)


def test_what_is_wrong_with_a_measure_is_said_in_the_server_s_sentence(watched):
    view = watched(f"/?at={LAND[0]},{LAND[1]}")
    view.wait_for_selector("#provinces[d]", state="attached")
    view.fill("#asset", "1000000")
    view.click("#measure > button")
    expect(view.locator("#whatif-step")).to_contain_text("the measure changes nothing", timeout=SLOW)
    view.locator("#measure .lines").nth(0).locator("input").fill("low")
    view.click("#measure > button")
    expect(view.locator("#whatif-step")).to_contain_text("Invalid type for floors_below", timeout=SLOW)


def test_where_else_paints_a_layer_lists_better_places_and_one_is_opened_with_the_keyboard(watched):
    view = watched(f"/?at={LAND[0]},{LAND[1]}&scenario=4&period=mid_term&risk=drought")
    view.wait_for_selector("#provinces[d]", state="attached")
    expect(view.locator("#layer")).to_have_attribute("data-layer", re.compile("^aal/drought"))
    view.fill("#asset", "9000000000")
    view.fill("#within", "40")
    view.locator("#within").press("Enter")
    expect(view.locator("#layer")).to_have_attribute("data-layer", "where-else", timeout=SLOW)
    rows = view.locator("#elsewhere-result tbody tr")
    losses = [money(text) for text in rows.locator("td:nth-child(5)").all_inner_texts()]
    assert losses == sorted(losses)
    assert losses
    assert "%" in view.locator("#legend").inner_text()
    best = rows.first.locator("button").inner_text()
    focus(view, "#elsewhere-result tbody tr:first-child button")
    view.keyboard.press("Enter")
    expect(view.locator("#place")).to_contain_text(re.sub(r"0+°.*", "", best), timeout=SLOW)
    with view.expect_download() as download:
        view.click("#elsewhere-csv")
    assert download.value.suggested_filename == "where-else.csv"
    assert Path(download.value.path()).read_text().startswith("grid_id,latitude,longitude,scenario,time_period,aal_")
    view.select_option("#elsewhere-risk", "river_flood")
    expect(view.locator("#legend strong")).to_contain_text("river flood")
    view.select_option("#risk", "typhoon")  # any choice above brings the map's own layer back
    expect(view.locator("#layer")).to_have_attribute("data-layer", re.compile("^aal/typhoon"))


def test_a_measure_at_the_sites_of_the_table_and_a_comparison_in_the_address(watched, portfolios):
    view = watched(f"/portfolio?id={portfolios[0]}&scenario=2&period=mid_term")
    expect(view.locator("#results")).to_have_attribute("data-shown", "2 mid_term", timeout=SLOW)
    view.fill("#search", "A2")
    view.select_option("#measure-scope", "table")
    view.locator("#measure .lines").nth(1).locator("input").fill("50")
    view.click("#measure > button")
    expect(view.locator("#whatif-result")).to_contain_text("Taken at 1 of 3 sites", timeout=SLOW)
    assert view.locator("#whatif-result table").last.locator("tbody tr").count() == 1
    with view.expect_download() as download:
        view.click("#whatif-xlsx")
    assert download.value.suggested_filename == "what_if.xlsx"
    view.fill("#search", "")
    view.locator("#table .body .line").first.click()
    expect(view.locator("#site-title")).to_be_focused(timeout=SLOW)
    assert view.input_value("#measure-scope") == "site"
    view.click("#measure > button")
    expect(view.locator("#whatif-result")).to_contain_text("Taken at 1 of 1 sites", timeout=SLOW)
    view.click("#close-site")
    view.fill("#with", portfolios[1])
    view.locator("#with").press("Enter")
    expect(view.locator("#compare-result h3")).to_be_focused(timeout=SLOW)
    assert f"with={portfolios[1]}" in view.url
    view.reload()
    expect(view.locator("#compare-result tr[data-status]")).to_have_count(3, timeout=SLOW)
    assert view.locator("#compare-result tr[data-status=changed] td:nth-child(3)").inner_text() == (
        "floors below ground: 2 → 0"
    )
    assert view.locator("#compare-result figure path.first, #compare-result figure path.second").count() == 2
    view.fill("#with", "")
    view.select_option("#with-scenario", "4")
    view.click("#compare-form button")
    expect(view.locator("#compare-result tr[data-status=results]")).to_have_count(3, timeout=SLOW)


def test_both_answers_are_korean_where_it_is_asked_for_and_fit_a_phone(watched, portfolios):
    view = watched(f"/portfolio?id={portfolios[0]}&with={portfolios[1]}&lang=ko")
    view.set_viewport_size({"width": 390, "height": 800})
    view.wait_for_selector("#compare-result table", timeout=SLOW)
    view.locator("#measure .lines").nth(1).locator("input").fill("50")
    view.click("#measure > button")
    expect(view.locator("#whatif-result .loss")).to_contain_text("절감", timeout=SLOW)
    headings = view.locator("#whatif-result th[scope=col], #compare-result th[scope=col]").all_inner_texts()
    assert all(re.search("[가-힣]", each) for each in headings)
    assert view.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_texts_are_the_same_in_both_languages_all_used_and_none_stands_outside():
    assert list(TEXTS["en"]) == list(TEXTS["ko"])
    for key, text in TEXTS["en"].items():
        assert {*re.findall(r"\{\w+\}", text)} == {*re.findall(r"\{\w+\}", TEXTS["ko"][key])}, key
    code = "\n".join(SCRIPTS.values())
    used = {*re.findall(r'\bt\("([^"]+)"', code)} | {*re.findall(r'"([a-z_]+\.[a-z_]+)"', code)}
    parts = {*re.findall(r"`([\w.]+\.)\$\{", code)} | {"head.", "compared.", "candidate."}  # headings of `table`
    assert {key for key in used if key in TEXTS["en"] or "." in key} <= {*TEXTS["en"], *SCRIPTS} | {
        "url.js", "charts.js",
    }  # fmt: skip
    assert [key for key in TEXTS["en"] if key not in used and not key.startswith(tuple(parts))] == []
    for name, text in SCRIPTS.items():
        strings = re.findall(r'"((?:[^"\\\n])*)"', re.sub(r"(^|\s)//[^\n]*", "", text))
        told = [each for each in strings if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", each)]
        assert [each for each in told if each not in ("thead tr", "in part")] == [], name
