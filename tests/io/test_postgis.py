"""With PostGIS the warehouse has geometries beside the plain columns. TEST_POSTGIS_URL (a superuser), or Debian's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from jobs import schema
from tests.test_coming_from_modelops import SQL, attempt
from tests.warehouses import fill

#: with its extension and its programs, where Debian puts them
_DEBIAN = [
    programs
    for control in sorted(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))
    if (programs := Path("/usr/lib/postgresql") / control.parts[-3] / "bin").is_dir()
]

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"
GEOMETRIES = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE c.relkind = 'r' AND c.relname <> 'spatial_ref_sys' AND format_type(a.atttypid, NULL) IN ('geometry', 'geography')
 ORDER BY 1, 2
"""


@pytest.fixture
def postgis(server_home: Path) -> Iterator[str]:
    """Address of a server with PostGIS, as its superuser."""
    if address := os.environ.get("TEST_POSTGIS_URL"):
        yield address
        return
    if not _DEBIAN:
        pytest.skip("neither TEST_POSTGIS_URL nor Debian's postgresql-15-postgis-3")
    data, user = server_home / "data", "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    data.mkdir()
    if user:
        shutil.chown(server_home, user)
        shutil.chown(data, user)

    def call(program: str, *arguments: str) -> None:
        subprocess.run([_DEBIAN[-1] / program, *arguments], user=user, check=True, stdout=subprocess.DEVNULL, cwd="/")

    call("initdb", "--pgdata", str(data), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8")
    # found by its socket alone: no port that another server may have
    options = f"-c listen_addresses='' -c unix_socket_directories={server_home} -c fsync=off"
    call("pg_ctl", "start", "--wait", "--pgdata", str(data), "--options", options, "--log", str(server_home / "log"))
    yield conninfo.make_conninfo(host=str(server_home), user="postgres", dbname="postgres")
    call("pg_ctl", "stop", "--wait", "--pgdata", str(data), "--mode", "immediate")


def test_geometries_follow_from_the_plain_columns_and_loaders_need_no_superuser(postgis: str):
    with psycopg.connect(postgis, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS engine_postgis WITH (FORCE)")
        connection.execute("CREATE DATABASE engine_postgis")
    url = conninfo.make_conninfo(postgis, dbname="engine_postgis")
    assert schema.main(["--warehouse", url, "--roles"]) == 0
    fill(url)
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE climate_batch")
        far = connection.execute(
            "SELECT count(*), max(ST_Distance(geom, ST_SetSRID(ST_MakePoint(longitude, latitude), 4326)))"
            " FROM location_grid"
        ).fetchone()
        assert far == (20, 0.0)
        connection.execute("SET ROLE climate_etl")
        connection.execute(
            "INSERT INTO api_buildings (mgm_bld_pk, sigungu_cd, bjdong_cd, latitude, longitude)"
            " VALUES ('a', '11110', '10100', 37.5665, 126.978), ('b', '11110', '10100', NULL, NULL)"
        )
        connection.execute(
            "INSERT INTO location_admin (admin_code, admin_name, sido_code, level, geom_wkb)"
            " VALUES ('9900000000', 'Seoul', '99', 1, ST_AsBinary(ST_Multi(ST_MakeEnvelope(126, 37, 128, 38))))"
        )
        # what the original documents ask, with the unit that they mean
        near = "SELECT mgm_bld_pk FROM api_buildings WHERE ST_DWithin(geog, ST_MakePoint(%s, 37.5665)::geography, 500)"
        assert connection.execute(near, (126.98,)).fetchall() == [("a",)]
        assert connection.execute(near, (126.99,)).fetchall() == []
        assert connection.execute("SELECT ST_Y(geom) FROM api_buildings WHERE geom IS NOT NULL").fetchall() == [
            (37.5665,)
        ]
        told = re.findall(r"^\| `(\w+)` \| `(\w+)` \| ([^|]+?) \|", PAGE.read_text("utf-8"), re.M)
        assert connection.execute(GEOMETRIES).fetchall() == sorted(told)
        connection.commit()
        for kind, refused, text in SQL:
            if kind == "warehouse with PostGIS":
                attempt(url, text, refused)
        # the extension's own tables stay the superuser's
        owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = %s"
        assert connection.execute(owner, ("location_grid",)).fetchone() == ("climate_etl",)
        assert connection.execute(owner, ("spatial_ref_sys",)).fetchone() != ("climate_etl",)
