"""What the pages show fits: no figure and no word is broken, nothing is wider than the screen, no choice is cut."""

import re

import pytest
from playwright.sync_api import expect

from tests.service.conftest import LAND
from tests.service.test_what_if_page import SLOW

#: cells of tables with a word on more than one line: the boxes of its letters have several tops
BROKEN = """() => [...document.querySelectorAll("th, td")].filter((cell) => cell.checkVisibility()).flatMap((cell) => {
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), found = [], range = document.createRange();
  while (walk.nextNode()) {
    for (const { 0: word, index } of walk.currentNode.data.matchAll(/[\\p{L}\\p{N},.~]+/gu)) {
      range.setStart(walk.currentNode, index);
      range.setEnd(walk.currentNode, index + word.length);
      if (new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size > 1) found.push(word);
    }
  }
  return found;
})"""
#: choices whose text is wider than their box with its arrow
CUT = """() => [...document.querySelectorAll("select")].filter((each) => each.checkVisibility()).flatMap((select) => {
  const style = getComputedStyle(select), pen = document.createElement("canvas").getContext("2d"), arrow = 20;
  pen.font = `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  const room = select.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - arrow;
  const text = select.selectedOptions[0]?.textContent ?? "";
  return pen.measureText(text).width > room ? [`${select.id}: ${text}`] : [];
})"""
WIDE = "document.documentElement.scrollWidth - innerWidth"
SCREENS = [("ko", 390), ("en", 768), ("en", 1440)]


@pytest.fixture(params=SCREENS, ids=lambda each: "-".join(map(str, each)))
def screen(request, browser):
    language, width = request.param
    view = browser.new_page(viewport={"width": width, "height": 900}, locale=language)
    yield view
    view.close()


def test_no_figure_of_the_portfolio_page_breaks_and_nothing_is_wider_than_the_screen(screen, service, portfolios):
    screen.goto(f"{service[0]}/portfolio?id={portfolios[0]}&with={portfolios[1]}&site=2")
    screen.wait_for_selector("#compare-result tr[data-status]", timeout=SLOW)
    screen.wait_for_selector("#site table", timeout=SLOW)
    screen.locator("#measure .lines").nth(1).locator("input").fill("50")
    screen.click("#measure > button")
    screen.wait_for_selector("#whatif-result table", timeout=SLOW)
    assert screen.locator("td").count() > 100
    assert screen.evaluate(BROKEN) == []
    assert screen.evaluate(CUT) == []
    assert screen.evaluate(WIDE) <= 0


def test_no_choice_of_the_map_page_is_cut_and_nothing_is_wider_than_the_screen(screen, service):
    screen.goto(f"{service[0]}/?at={LAND[0]},{LAND[1]}&risk=river_flood&period=mid_term&risk2=drought")
    screen.wait_for_selector("#figures table", timeout=SLOW)
    screen.fill("#asset", "5000000000")
    screen.click("#site > button")
    screen.wait_for_selector("#outcome table", timeout=SLOW)
    assert screen.evaluate(BROKEN) == []
    assert screen.evaluate(CUT) == []
    assert screen.evaluate(WIDE) <= 0


def test_the_second_map_keeps_its_period_or_says_that_its_years_are_others(page):
    page.click("#two")
    caption = page.locator("#caption2")
    expect(caption).not_to_contain_text("Other years")
    page.select_option("#period", "mid_term")
    expect(caption).to_contain_text(re.compile(r"\. Other years than the first map \(2041–2060\)$"))
    page.select_option("#period2", "mid_term")
    expect(caption).not_to_contain_text("Other years")
    page.select_option("#scenario2", "4")  # its period is there, too: it stays
    expect(page.locator("#period2")).to_have_value("mid_term")
    page.select_option("#period", "full")
    expect(caption).to_contain_text("Other years than the first map")
    expect(page.locator("#caption")).not_to_contain_text("Other years")


def test_land_and_sea_are_told_apart_on_a_light_and_on_a_dark_screen(browser, service):
    fills = {}
    for scheme in ("light", "dark"):
        view = browser.new_page(color_scheme=scheme)
        view.goto(service[0])
        view.wait_for_selector("#land[d]", state="attached")
        fills[scheme] = [
            view.locator(f"#{name}").evaluate("each => getComputedStyle(each).fill") for name in ("sea", "land")
        ]
        assert view.locator("#land").get_attribute("d").startswith("M")
        view.close()
    assert len({fill for both in fills.values() for fill in both}) == 4
