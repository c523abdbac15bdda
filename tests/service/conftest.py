"""A running service on loopback over a real server with results of a small grid; one for all tests of this folder."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager

import httpx
import psycopg
import pytest

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
