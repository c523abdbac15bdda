"""With PostGIS the warehouse has geometries beside the plain columns. Needs a superuser's TEST_POSTGIS_URL."""

from __future__ import annotations

import os

import psycopg
import pytest
from psycopg import conninfo

from jobs import schema
from tests.warehouses import fill

ADDRESS = os.environ.get("TEST_POSTGIS_URL")
pytestmark = pytest.mark.skipif(ADDRESS is None, reason="TEST_POSTGIS_URL is not set")


def test_geometries_follow_from_the_plain_columns_and_loaders_need_no_superuser():
    with psycopg.connect(ADDRESS, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS engine_postgis WITH (FORCE)")
        connection.execute("CREATE DATABASE engine_postgis")
    url = conninfo.make_conninfo(ADDRESS, dbname="engine_postgis")
    assert schema.main(["--warehouse", url, "--roles"]) == 0
    fill(url)
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE climate_batch")
        far = connection.execute(
            "SELECT count(*), max(ST_Distance(geom, ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)))"
            " FROM location_grid"
        ).fetchone()
        assert far == (20, 0.0)
        # the extension's own tables stay the superuser's
        owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = %s"
        assert connection.execute(owner, ("location_grid",)).fetchone() == ("climate_etl",)
        assert connection.execute(owner, ("spatial_ref_sys",)).fetchone() != ("climate_etl",)
