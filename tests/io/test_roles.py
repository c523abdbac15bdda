"""The four roles do their work and nothing else. Each is tried against a real server, over the commands it is for."""

from __future__ import annotations

import json

import psycopg
import pytest
from psycopg import errors

from engine.core.settings import Settings
from jobs import assess, check, clean, etl, schema, snapshot, yearly
from tests.assess.databases import LATITUDE, LONGITUDE
from tests.assess.places import BUILDING
from tests.io import provider
from tests.roles import ROLES, as_role, let_in
from tests.warehouses import fill

RESULTS = ("probability_results", "hazard_results", "modelops_probability_scores", "modelops_hazard_scores")
SITES = ("exposure_results", "vulnerability_results", "aal_scaled_results")
CACHES = ("modelops_vulnerability_cache", "modelops_aal_cache")
JOBS = ("batch_jobs", "batch_job_logs")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def granted(server):
    """(warehouse, results) with roles that may log in; filled as the loaders' role, so by what that one may do."""
    warehouse, results = server.create("roles_warehouse"), server.create("roles_results")
    assert schema.main(["--warehouse", warehouse, "--application", results, "--roles"]) == 0
    for url in (warehouse, results):
        let_in(url)
    fill(as_role(warehouse, "climate_etl"))
    return warehouse, results


def test_every_table_belongs_to_a_role_or_is_granted_to_one(granted):
    # a migration that adds a table must say in roles/*.sql who uses it
    for url in granted:
        with psycopg.connect(url) as connection:
            forgotten = connection.execute(
                "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
                " AND c.relkind IN ('r', 'p', 'v') AND c.relname <> 'schema_migration'"
                " AND NOT EXISTS (SELECT FROM unnest(%s::text[]) AS role"
                " WHERE has_table_privilege(role, c.oid, 'SELECT')) AND NOT EXISTS (SELECT FROM pg_depend d"
                " WHERE d.objid = c.oid AND d.deptype = 'e')",
                (list(ROLES),),
            ).fetchall()
        assert forgotten == []


def test_each_role_does_its_work(granted, monkeypatch, tmp_path):
    warehouse, results = granted
    batch = ["--source", as_role(warehouse, "climate_batch"), "--sink", as_role(results, "climate_batch")]
    assert yearly.main(batch) == 0
    assert yearly.main(batch) == 0  # the second one takes the place of partitions that the first one made
    assert yearly.main([*batch, "--cells", "5"]) == 0
    assert clean.main(["--sink", as_role(results, "climate_batch")]) == 0

    monkeypatch.setenv("DW_URL", as_role(warehouse, "climate_api"))
    monkeypatch.setenv("APP_URL", as_role(results, "climate_api"))
    monkeypatch.setenv("SPATIAL_MISSING_POLICY", "impute")
    building = tmp_path / "building.json"
    building.write_text(json.dumps(BUILDING))
    place = ["--lat", str(LATITUDE), "--lon", str(LONGITUDE), "--building", str(building)]
    for _ in range(2):  # the second time over its own rows and caches
        assert assess.main(place) in (0, 3)

    reader = as_role(warehouse, "climate_reader")
    assert snapshot.main(["--source", reader, "--out", str(tmp_path / "store")]) == 0
    assert check.main(["--warehouse", reader, "--variables", "wsdi"]) in (0, 1)  # a filled table has no hashes
    with psycopg.connect(reader) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM climate_data(35.1, 127.2)").fetchone() == (True,)
    with psycopg.connect(as_role(results, "climate_reader")) as connection:
        for table in RESULTS:  # the parent, and the partition that a run has just made
            for name in (table, f"{table}_drought"):
                assert connection.execute(f"SELECT count(*) > 0 FROM {name}").fetchone() == (True,)
        assert connection.execute("SELECT count(*) FROM probability_results_v").fetchone() == (153,)
        details = "SELECT DISTINCT calculation_details ->> 'edition' FROM probability_results_v"
        assert connection.execute(details).fetchone() == ("2025-11",)
        assert connection.execute("SELECT count(*) >= 2 FROM batch_jobs WHERE status = 'completed'").fetchone() == (
            True,
        )


def test_loading_works_as_the_role_of_the_loaders_and_is_readable_at_once(new_database, tmp_path):
    url = new_database("")
    assert schema.main(["--warehouse", url, "--roles"]) == 0
    let_in(url)
    provider.write(tmp_path / "data", ("ta", "wsdi"), scope="synthetic")
    loaders = ("grid", "monthly_grid", "yearly_grid")
    words = [*loaders, "--data", str(tmp_path / "data"), "--variables", "ta,wsdi"]
    assert etl.main([*words, "--warehouse", as_role(url, "climate_etl")]) == 0
    assert etl.main([*words, "--warehouse", as_role(url, "climate_etl"), "--force"]) == 0
    with psycopg.connect(as_role(url, "climate_batch")) as connection:
        for table in ("ta_data", "ta_data_p00", "wsdi_data"):  # made by the loaders, after the grants
            assert connection.execute(f"SELECT count(*) > 0 FROM {table}").fetchone() == (True,)


WRITES = {
    "INSERT": "INSERT INTO {} DEFAULT VALUES",
    "DELETE": "DELETE FROM {} WHERE false",
    "TRUNCATE": "TRUNCATE {}",
    "DROP": "DROP TABLE {} CASCADE",
    "ALTER": "ALTER TABLE {} ADD COLUMN stray integer",
}


def refused(url, role, statement):
    with psycopg.connect(as_role(url, role)) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize("role", ["climate_batch", "climate_api", "climate_reader"])
def test_the_warehouse_is_written_by_the_loaders_alone(granted, role):
    warehouse, _ = granted
    for table in ("location_grid", "etl_load", "api_buildings", "schema_migration"):
        for statement in WRITES.values():
            refused(warehouse, role, statement.format(table))
    refused(warehouse, role, "CREATE TABLE stray (n integer)")


@pytest.mark.parametrize(
    ("role", "tables", "kinds"),
    [
        ("climate_batch", SITES, WRITES),
        ("climate_batch", CACHES, ["INSERT", "TRUNCATE", "DROP", "ALTER"]),
        ("climate_batch", [*JOBS, "result_runs"], ["DELETE", "TRUNCATE", "DROP", "ALTER"]),
        ("climate_api", [*RESULTS, "probability_results_drought", "result_runs", "risk_types"], WRITES),
        ("climate_api", [*SITES, *JOBS], ["DELETE", "TRUNCATE", "DROP", "ALTER"]),
        ("climate_reader", [*RESULTS, *SITES, *CACHES, *JOBS, "result_runs"], WRITES),
    ],
)
def test_what_a_role_may_not_write_among_the_results(granted, role, tables, kinds):
    _, results = granted
    for table in tables:
        for kind in kinds:
            refused(results, role, WRITES[kind].format(table))


def test_what_a_role_may_not_see_or_make(granted):
    _, results = granted
    for role, tables in {"climate_reader": [*SITES, *CACHES], "climate_batch": SITES}.items():
        for table in tables:
            refused(results, role, f"SELECT FROM {table}")
    refused(results, "climate_reader", "SELECT input_params FROM batch_jobs")
    for role in ("climate_api", "climate_reader"):
        refused(results, role, "CREATE TABLE stray (n integer)")


def test_the_loaders_have_no_business_among_the_results(granted):
    _, results = granted
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(as_role(results, "climate_etl"))
    # nor where everybody may connect, as PostgreSQL has it by itself
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute(f"GRANT CONNECT ON DATABASE {connection.info.dbname} TO PUBLIC")
    for table in (*RESULTS, *SITES, *CACHES, *JOBS, "result_runs"):
        for statement in ("SELECT FROM {}", WRITES["INSERT"], WRITES["DELETE"], WRITES["DROP"]):
            refused(results, "climate_etl", statement.format(table))
    refused(results, "climate_etl", "CREATE TABLE stray (n integer)")


def test_two_logins_may_take_turns_in_one_role(granted):
    # passwords are changed by a second login; whoever ran last year must not own this year's partitions
    warehouse, results = granted
    with psycopg.connect(results, autocommit=True) as connection:
        for login in ("night_blue", "night_green"):
            connection.execute(f"DROP ROLE IF EXISTS {login}")
            connection.execute(f"CREATE ROLE {login} LOGIN IN ROLE climate_batch")
            connection.execute(f"ALTER ROLE {login} SET role = 'climate_batch'")
    for login in ("night_blue", "night_green"):
        ends = ["--source", as_role(warehouse, login), "--sink", as_role(results, login)]
        assert yearly.main([*ends, "--risks", "extreme_heat"]) == 0


def test_an_owner_who_is_in_the_roles_needs_no_superuser_and_any_other_is_refused_in_words(server, granted, caplog):
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        for login in ("night_owner", "plain_owner"):
            connection.execute(f"DROP DATABASE IF EXISTS of_{login}")
            connection.execute(f"DROP ROLE IF EXISTS {login}")
            connection.execute(f"CREATE ROLE {login} LOGIN")
            connection.execute(f"CREATE DATABASE of_{login} OWNER {login}")
        connection.execute(f"GRANT {', '.join(ROLES)} TO night_owner")
    plain = as_role(server.url("of_plain_owner"), "plain_owner")
    assert schema.main(["--application", plain, "--roles"]) == 1
    assert "permission denied to grant role" in caplog.messages[-1]
    assert schema.main(["--application", plain]) == 0
    owner = as_role(server.url("of_night_owner"), "night_owner")
    for _ in range(2):  # one database for both, and once more over what is there
        assert schema.main(["--warehouse", owner, "--application", owner, "--roles"]) == 0
    with psycopg.connect(owner) as connection:
        assert connection.execute("SELECT count(*) FROM probability_results_v").fetchone() == (0,)
