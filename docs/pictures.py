"""Take the pictures of docs/images anew, after ./run: python docs/pictures.py

Command line, map page and report of the results in ENGINE_HOME, on a light screen. Needs Debian's chromium and the
extras `serve` and `report`.
"""

import html
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
IMAGES = HERE / "images"
PORT = "8797"
ADDRESS = f"http://127.0.0.1:{PORT}/"
#: seconds that the service may take to start
PATIENCE = 60
TERMINAL = (
    "<body style='margin:0;background:#fff'><pre id=table style='font:14px/1.3 DejaVu Sans Mono,monospace;padding:12px;"
    "white-space:pre-wrap;width:860px;margin:0;color:#1f2933'>{}</pre>"
)


def main() -> None:
    """Run the commands of getting-started.md and photograph what they show."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1240, "height": 880}, color_scheme="light")
        _table(view)
        _report(view, Path(folder) / "report.html")
        _map(view)
        browser.close()


def _job(*words: str) -> str:
    command, wide = [sys.executable, "-m", *words], os.environ | {"COLUMNS": "110"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=wide).stdout  # noqa: S603 (our jobs)


def _table(view: Page) -> None:
    asset = HERE / "examples" / "asset.json"
    text = _job("jobs.assess", "--lat", "37.5665", "--lon", "126.978", "--asset", str(asset))
    text = "run " + text.partition("\nrun ")[2].partition("made of")[0]  # the region's name needs a Korean font
    view.set_content(TERMINAL.format(html.escape(text.strip())))
    view.locator("#table").screenshot(path=IMAGES / "table.png")


def _report(view: Page, path: Path) -> None:
    _job("jobs.report", "--out", str(path))
    view.goto(path.as_uri())
    view.get_by_role("heading", name="Overview").evaluate("heading => scrollTo(0, heading.offsetTop - 16)")
    view.screenshot(path=IMAGES / "report.png")


def _map(view: Page) -> None:
    service = subprocess.Popen([sys.executable, "-m", "jobs.serve"], env=os.environ | {"API_PORT": PORT})
    try:
        _wait()
        view.goto(ADDRESS)
        view.wait_for_selector("#provinces[d]", state="attached")
        view.select_option("#risk", "river_flood")
        view.fill("#lat", "37.5665")
        view.fill("#lon", "126.978")
        view.click("#goto button")
        view.wait_for_selector("#figures svg")
        view.wait_for_load_state("networkidle")
        view.screenshot(path=IMAGES / "map.png")
    finally:
        service.terminate()
        service.wait()


def _wait() -> None:
    for _ in range(PATIENCE):
        try:
            urllib.request.urlopen(ADDRESS + "health", timeout=1).close()  # noqa: S310 (http, our own service)
        except OSError:
            time.sleep(1)
        else:
            return
    raise TimeoutError(f"jobs.serve did not answer at {ADDRESS} within {PATIENCE} s")


if __name__ == "__main__":
    main()
