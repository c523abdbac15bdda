"""The dry run of the schedule: what a batch would meet on 1 January is said today."""

import shutil
from collections import namedtuple

import psycopg
import pytest

from engine.core.settings import Settings
from jobs import listen, status
from tests.roles import as_role, grant
from tests.warehouses import fill

DISK = namedtuple("DISK", "total used free")


@pytest.fixture
def servers(warehouse, results, monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    fill(warehouse)
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    return warehouse, results


def rows(url):
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT status, error_message FROM batch_job_logs WHERE job_type = 'check' ORDER BY id"
        ).fetchall()


def test_a_year_that_has_what_it_needs_is_said_once_and_moved_on(servers, tmp_path, capsys):
    assert listen.main(["--check"]) == 0
    assert listen.main(["--check"]) == 0
    assert rows(servers[1]) == [("completed", None)]
    assert not (tmp_path / "home").exists()
    assert status.main([]) == 0
    assert "SCHEDULE" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "code", "word"),
    [
        ("EDITION", "/nonexistent.toml", 1, "EDITION cannot be used"),
        ("DW_URL", "postgresql://u:hush@127.0.0.1:1/w", 1, "climate data: cannot connect to u@127.0.0.1:1/w"),
        ("ENGINE_HOME", "/dev/null/home", 1, "run directories cannot be made"),
        ("MISFIRE_GRACE_HOURS", "0.001", 3, "a busy moment skips the year"),
    ],
)
def test_a_fault_of_the_settings_is_said_loudly_and_kept(servers, monkeypatch, caplog, capsys, name, value, code, word):
    monkeypatch.setenv(name, value)
    assert listen.main(["--check"]) == code
    assert word in caplog.text
    assert "hush" not in caplog.text
    [(kept, text)] = rows(servers[1])
    assert kept == {1: "failed", 3: "partial"}[code]
    assert word in text
    assert status.main(["--sink", servers[1], "--warehouse", servers[0]]) == 0
    said = capsys.readouterr().out
    assert "SCHEDULE: the next run would " + ("fail" if code == 1 else "not be whole") in said
    assert word in said


def test_a_missing_table_a_lesser_scope_and_a_full_disk_are_found(servers, monkeypatch, caplog):
    warehouse, results = servers
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("DROP TABLE spei12_data CASCADE")
    assert listen.main(["--check"]) == 3
    assert "drought would not be computed: missing spei12_data" in caplog.text
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline,"
            " published_at) VALUES ('hazard', 'full', 'e', '', '', '', now())"
        )
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute("UPDATE etl_load SET scope = 'sample:9'")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: DISK(10, 9, 1))
    assert listen.main(["--check"]) == 1
    assert "a run of scope sample:9 would replace them" in caplog.text
    assert "0.00 GB free, a run of 17 cells needs" in caplog.text
    assert len(rows(results)) == 2


def test_rights_that_a_run_lacks_are_named_before_it_is_due(servers, monkeypatch, caplog):
    warehouse, results = servers
    grant(results, "results")
    grant(warehouse, "warehouse")
    monkeypatch.setenv("DW_URL", as_role(warehouse, "climate_batch"))
    monkeypatch.setenv("APP_URL", as_role(results, "climate_batch"))
    assert listen.main(["--check"]) == 0
    monkeypatch.setenv("APP_URL", as_role(results, "climate_api"))
    assert listen.main(["--check"]) == 1
    assert "role climate_api does not own table probability_results" in caplog.text
    assert "role climate_api may not insert table result_runs" in caplog.text
