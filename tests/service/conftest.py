"""A running service on loopback over a real server with results of a small grid; one for all tests of this folder."""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from playwright.sync_api import expect, sync_playwright

from engine.core import settings
from engine.core.settings import Settings
from engine.io.db import migrate
from engine.service.server import make_server
from jobs import yearly
from jobs.serve import create_app
from tests.roles import as_role, grant
from tests.warehouses import fill

#: of the small grid: an active cell in its middle, a cell of the sea, a point outside
LAND, SEA, OUTSIDE = (35.1, 127.2), (35.3, 127.4), (37.5665, 126.978)

PORTFOLIO = "/api/v1/risk-assessment/portfolio"
#: two versions of a portfolio: one site changed, one gone, one new, one the same
HEAD = "site_id,latitude,longitude,total_asset_value,building_age,structure,floors_below,insurance_coverage_rate"
FIRST = f"""{HEAD}
A1,{LAND[0]},{LAND[1]},9000000000,40,RC,2,0
A2,{LAND[0]},{LAND[1] - 0.1},50000000000,10,RC,0,0
A3,{LAND[0] - 0.1},{LAND[1] - 0.1},7000000000,10,RC,0,0.2
"""
SECOND = f"""{HEAD}
A1,{LAND[0]},{LAND[1]},9000000000,40,RC,0,0
A3,{LAND[0] - 0.1},{LAND[1] - 0.1},7000000000,10,RC,0,0.2
A4,{LAND[0]},{LAND[1]},1000000000,10,RC,0,0
"""

_REFUSED = re.compile("status of (404|409|422)")


@pytest.fixture(scope="package")
def databases(server):
    """(warehouse, results), a superuser's, with the results of a yearly run; not to be written by a test that others
    follow."""
    urls = [server.create(f"service_{family}") for family in ("warehouse", "results")]
    for url, family in zip(urls, ("warehouse", "results"), strict=True):
        with psycopg.connect(url, autocommit=True) as connection:
            migrate.apply(connection, family)
    fill(urls[0])
    for url, family in zip(urls, ("warehouse", "results"), strict=True):
        grant(url, family)
    return urls


@pytest.fixture(scope="package", autouse=True)
def environment(databases, tmp_path_factory):
    warehouse, results = databases
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        home = tmp_path_factory.mktemp("service")
        patch.chdir(home)
        patch.setenv("ENGINE_HOME", str(home))
        # the service has the rights of its role and no others
        patch.setenv("DW_URL", as_role(warehouse, "climate_api"))
        patch.setenv("APP_URL", as_role(results, "climate_api"))
        patch.setenv("SPATIAL_MISSING_POLICY", "impute")
        patch.setenv("API_MAX_BODY_BYTES", "20000")
        patch.setenv("PORTFOLIO_MAX_ROWS", "500")
        patch.setenv("PORTFOLIO_MAX_BYTES", "20000000")
        ends = {"--source": as_role(warehouse, "climate_batch"), "--sink": as_role(results, "climate_batch")}
        assert yearly.main([word for end in ends.items() for word in end]) == 0
        yield patch


@contextmanager
def running():
    """Base URL of a service with the settings of the moment."""
    config = settings.load()
    app = create_app(config)
    server = make_server(app, config, port=0)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive(), "the service did not start"
            assert time.monotonic() < until, "the service does not start"
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", app
    finally:
        server.should_exit = True
        thread.join(60)


@pytest.fixture(scope="package")
def service(environment):
    with running() as (url, app):
        yield url, app


@pytest.fixture
def client(service):
    with httpx.Client(base_url=service[0], timeout=30) as client:
        yield client


def finished(client, request_id):
    """The id, once its job has ended."""
    while client.get(f"/api/v1/risk-assessment/status/{request_id}").json()["status"] in ("queued", "running"):
        pass
    return request_id


def _send(client, body, **asked):
    headers = {"Content-Type": "text/csv"}
    asked = {"scenario_ids": [2, 4], "time_periods": ["mid_term"]} | asked
    return finished(client, client.post(PORTFOLIO, content=body, params=asked, headers=headers).json()["request_id"])


@pytest.fixture(scope="package")
def portfolios(service):
    """Ids of two versions of a portfolio, assessed in two scenarios."""
    with httpx.Client(base_url=service[0], timeout=60) as client:
        return _send(client, FIRST, name="first"), _send(client, SECOND, name="second")


@pytest.fixture(scope="module")
def browser():
    """One a module: while it is open, its thread runs an event loop, which other tests want for themselves."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, service):
    """The page on a screen; fails on anything in the console and on a request to elsewhere."""
    view, said, elsewhere = browser.new_page(viewport={"width": 1300, "height": 900}), [], []
    # a refusal that a test provokes is no fault of the page, though the browser notes it
    view.on("console", lambda message: None if _REFUSED.search(message.text) else said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    here = urlsplit(service[0]).netloc
    view.on(
        "request", lambda asked: elsewhere.append(asked.url) if urlsplit(asked.url).netloc not in (here, "") else None
    )
    view.goto(service[0])
    expect(view.locator("#layer")).to_have_attribute("data-layer", "aal/extreme_heat?scenario_id=2&time_period=full")
    view.wait_for_selector("#provinces[d]", state="attached")
    yield view
    view.close()
    assert said == []
    assert elsewhere == []
