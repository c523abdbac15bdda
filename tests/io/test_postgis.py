"""With PostGIS the warehouse has geometries beside the plain columns. TEST_POSTGIS_URL (a superuser), or Debian's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from jobs import schema
from tests.warehouses import fill

#: with its extension and its programs, where Debian puts them
_DEBIAN = [
    programs
    for control in sorted(Path("/usr/share/postgresql").glob("*/extension/postgis.control"))
    if (programs := Path("/usr/lib/postgresql") / control.parts[-3] / "bin").is_dir()
]


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
        # the extension's own tables stay the superuser's
        owner = "SELECT relowner::regrole::text FROM pg_class WHERE relname = %s"
        assert connection.execute(owner, ("location_grid",)).fetchone() == ("climate_etl",)
        assert connection.execute(owner, ("spatial_ref_sys",)).fetchone() != ("climate_etl",)
