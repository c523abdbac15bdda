"""Texts of the page: one catalogue a language, and nothing that is read outside of it."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.service.conftest import LAND

PAGE = Path(__file__).parents[2] / "engine" / "service" / "page"
TEXTS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((PAGE / "texts").glob("*.json"))}
#: kinds of names that the page completes, such as `risk.` + the name of a risk
COMPLETED = re.compile(r"(?:t|named)\(\s*(?:`|\"|')([a-z_.]+)(?:\.\$\{|(?:\"|'),)")
#: Latin words that Korean readers write, too: names, units, keys
LATIN = {
    "SSP",
    "AAL",
    "KRW",
    "English",
    "API",
    "SPEI",
    "Enter",
    "JSON",
    "CSV",
    "PNG",
    "GeoTIFF",
    "GEV",
    "mm",
    "cm",
    "km",
    "CDD",
}


def names(text):
    return sorted(re.findall(r"\{(\w+)\}", text))


def test_the_languages_have_the_same_keys_with_the_same_names_in_them():
    english, korean = TEXTS["en"], TEXTS["ko"]
    assert list(english) == list(korean)
    assert {key: names(text) for key, text in english.items()} == {key: names(text) for key, text in korean.items()}
    assert all(text.strip() for texts in TEXTS.values() for text in texts.values())


def test_every_text_is_shown_and_every_text_that_is_shown_is_there():
    code = "\n".join(path.read_text("utf-8") for path in sorted(PAGE.glob("*.js")))
    shown = set(re.findall(r"data-(?:text|label|hint)=\"([^\"]+)\"", (PAGE / "index.html").read_text("utf-8")))
    shown |= set(re.findall(r"\bt\(\"([^\"]+)\"", code))
    assert shown <= set(TEXTS["en"])
    kinds = {f"{kind}." for kind in COMPLETED.findall(code)}
    quoted = set(re.findall(r"\"([a-z_.]+)\"", code))
    assert {key for key in TEXTS["en"] if key not in shown | quoted and not key.startswith(tuple(kinds))} == set()


class Read(HTMLParser):
    """Words of a page that a reader sees or hears."""

    def __init__(self):
        super().__init__()
        self.words = []

    def handle_data(self, data):
        self.words += re.findall(r"[^\W\d_]+", data)

    def handle_starttag(self, tag, attrs):
        read = ("title", "alt", "aria-label", "placeholder")
        self.words += [word for name, value in attrs if name in read for word in re.findall(r"[^\W\d_]+", value)]


def test_the_page_itself_holds_no_words():
    for path in sorted(PAGE.glob("*.html")):
        read = Read()
        read.feed(path.read_text("utf-8"))
        assert read.words == [], path.name


def seen(view):
    """Texts on the page and of its elements for a screen reader, but for those that are marked as English."""
    return view.evaluate("""() => {
      const told = [], walk = document.createTreeWalker(document, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
      while (walk.nextNode()) {
        const node = walk.currentNode, element = node.nodeType === 3 ? node.parentElement : node;
        if (element.closest("[lang=en], script, style")) continue;
        if (node.nodeType === 3) told.push(node.data);
        else for (const name of ["aria-label", "placeholder", "title"]) told.push(node.getAttribute(name) ?? "");
      }
      return told.map((text) => text.trim()).filter(Boolean);
    }""")


def in_korean(browser, address):
    view = browser.new_page(viewport={"width": 1300, "height": 900}, locale="ko-KR")
    view.goto(address)
    expect(view.locator("#layer")).to_have_attribute("data-layer", re.compile("^aal/"))
    return view


def test_a_korean_reader_sees_no_english_but_what_is_marked_as_such(browser, service, client):
    view = in_korean(browser, service[0])
    assert view.evaluate("document.documentElement.lang") == "ko"
    view.select_option("#risk", "river_flood")
    view.select_option("#scenario", "4")
    view.fill("#lat", str(LAND[0]))
    view.fill("#lon", str(LAND[1]))
    view.locator("#lon").press("Enter")
    view.click(".why > summary")
    expect(view.locator(".why tfoot td")).to_have_text(re.compile("%"))
    expect(view.locator("#figures table.levels tbody tr")).to_have_count(4)
    asked = {"lat": LAND[0], "lon": LAND[1], "risk_type": "river_flood", "scenario_id": 4, "time_period": "mid_term"}
    told = client.get("/api/v1/probability", params=asked).json()["words"]
    assert view.locator("#figures dd").first.inner_text() == told["ko"]
    assert view.locator("#edition").inner_text() == client.get("/api/v1/map").json()["edition_words"]["ko"]
    view.fill("#asset", "50,000,000,000")
    view.click("#site button")
    expect(view.locator("#outcome tbody tr")).to_have_count(9, timeout=60_000)
    view.select_option("#quantity", "change")
    expect(view.locator("#layer")).to_have_attribute("data-layer", re.compile("^change/"))
    words = {word for text in seen(view) for word in re.findall("[A-Za-z]{2,}", text)}
    assert words <= LATIN
    view.close()


@pytest.mark.parametrize(
    ("locale", "asked", "language"),
    [
        ("ko-KR", "", "ko"),
        ("ko-KR", "?lang=en", "en"),
        ("de-DE", "", "en"),
        ("en-GB", "?lang=ko", "ko"),
        ("ko-KR", "?lang=xx", "ko"),
    ],
)
def test_the_language_is_that_of_the_address_else_of_the_browser(browser, service, locale, asked, language):
    view = browser.new_page(locale=locale)
    view.goto(service[0] + "/" + asked)
    expect(view.locator("html")).to_have_attribute("lang", language)
    expect(view.locator("h1")).to_have_text(TEXTS[language]["title"])
    assert view.title() == TEXTS[language]["title"]
    view.close()


def test_the_other_language_is_one_click_away(page):
    expect(page.locator("#languages a[aria-current]")).to_have_text("English")
    page.click("#languages a[lang=ko]")
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page.locator("#run")).to_have_text(re.compile("^실행 1, 방법론 에디션 2025-11"))
