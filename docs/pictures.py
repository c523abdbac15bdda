"""Take the pictures of docs/images anew, after ./run: python docs/pictures.py

Terminal, map page, portfolio page, report of the run and report of a portfolio, of the results in ENGINE_HOME, on a
light screen. Needs Debian's chromium and the extras `serve` and `report`. `words.json` beside them keeps the fixed
texts that each picture shows: the tests bring the pages to the same states and compare.
"""

from __future__ import annotations

import html
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
IMAGES, EXAMPLES = HERE / "images", HERE / "examples"
WORDS = IMAGES / "words.json"
PORT = "8797"
ADDRESS = f"http://127.0.0.1:{PORT}"
SEOUL = (37.5665, 126.978)
#: seconds that the service may take to start, and milliseconds that a portfolio may
PATIENCE, COMPUTED = 60, 120_000
TERMINAL = (
    "<body style='margin:0;background:#fff'><pre id=table style='font:14px/1.3 DejaVu Sans Mono,monospace;padding:12px;"
    "white-space:pre-wrap;width:860px;margin:0;color:#1f2933'>{}</pre>"
)
_FIXED = """() => [...document.querySelectorAll("[data-text], main > h2, section > h2, body > h2")]
  .filter((each) => each.checkVisibility()).map((each) => each.innerText.trim())
  .filter((text) => text && !/[0-9]/.test(text))"""


def words(view: Page) -> list[str]:
    """Fixed texts that a page shows now, each once, sorted; those with figures depend on the data and are left out."""
    return sorted(set(view.evaluate(_FIXED)))


def show_map(view: Page, address: str, place: tuple[float, float]) -> None:
    """The map page with the river flood of a cell."""
    view.goto(f"{address}/?lang=en")
    view.wait_for_selector("#provinces[d]", state="attached")
    view.select_option("#risk", "river_flood")
    view.fill("#lat", str(place[0]))
    view.fill("#lon", str(place[1]))
    view.click("#goto button")
    view.wait_for_selector("#figures svg")
    view.wait_for_load_state("networkidle")


def show_portfolio(view: Page, address: str, sites: Path) -> str:
    """The portfolio page with the results of a file of sites; returns the id of the portfolio."""
    view.goto(f"{address}/portfolio?lang=en")
    view.wait_for_selector("body[data-ready]")
    view.set_input_files("#file", sites)
    expect(view.locator("#assess")).to_be_enabled(timeout=COMPUTED)
    view.click("#assess")
    view.wait_for_selector("#results[data-shown]", timeout=COMPUTED)
    view.locator(".grid .body .line").first.wait_for()
    view.wait_for_load_state("networkidle")
    return urllib.parse.parse_qs(urllib.parse.urlsplit(view.url).query)["id"][0]


def show_report(view: Page, path: Path) -> None:
    """The overview of the report of a run."""
    view.goto(path.as_uri())
    view.get_by_role("heading", name="Overview").evaluate("heading => scrollTo(0, heading.offsetTop - 16)")


def show_committee(view: Page, path: Path) -> None:
    """The first page of the report of a portfolio."""
    view.goto(path.as_uri())


def main() -> None:
    """Run the commands of the docs and photograph what they show."""
    told: dict[str, list[str]] = {}
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as name:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view, folder = browser.new_page(viewport={"width": 1240, "height": 880}, color_scheme="light"), Path(name)

        def take(scene: str, show: Callable[[], object]) -> None:
            show()
            view.screenshot(path=IMAGES / f"{scene}.png")
            told[scene] = words(view)

        _table(view)
        _job("jobs.report", "--out", str(folder / "run.html"))
        take("report", lambda: show_report(view, folder / "run.html"))
        service = subprocess.Popen([sys.executable, "-m", "jobs.serve"], env=os.environ | {"API_PORT": PORT})
        try:
            _wait()
            take("map", lambda: show_map(view, ADDRESS, SEOUL))
            found: list[str] = []
            take("portfolio", lambda: found.append(show_portfolio(view, ADDRESS, EXAMPLES / "sites.csv")))
            _job("jobs.report", "--portfolio", found[0], "--lang", "en", "--out", str(folder / "committee.html"))
            take("committee", lambda: show_committee(view, folder / "committee.html"))
        finally:
            service.terminate()
            service.wait()
        browser.close()
    WORDS.write_text(json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True) + "\n", "utf-8")


def _job(*words: str) -> str:
    command, wide = [sys.executable, "-m", *words], os.environ | {"COLUMNS": "110", "LANGUAGE": "en"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=wide).stdout  # noqa: S603 (our jobs)


def _table(view: Page) -> None:
    asset = EXAMPLES / "asset.json"
    lat, lon = map(str, SEOUL)
    text = _job("jobs.assess", "--lat", lat, "--lon", lon, "--asset", str(asset))
    text = "run " + text.partition("\nrun ")[2].partition("made of")[0]  # the region's name needs a Korean font
    view.set_content(TERMINAL.format(html.escape(text.strip())))
    view.locator("#table").screenshot(path=IMAGES / "table.png")


def _wait() -> None:
    for _ in range(PATIENCE):
        try:
            urllib.request.urlopen(f"{ADDRESS}/health", timeout=1).close()  # noqa: S310 (http, our own service)
        except OSError:
            time.sleep(1)
        else:
            return
    raise TimeoutError(f"jobs.serve did not answer at {ADDRESS} within {PATIENCE} s")


if __name__ == "__main__":
    main()
