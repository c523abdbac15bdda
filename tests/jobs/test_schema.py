"""`jobs.schema` makes both schemas, in two databases or one, and is content when they are there."""

from __future__ import annotations

import psycopg

from jobs import schema


def tables(url):
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {name for (name,) in rows}


def test_each_database_gets_its_tables(new_database, caplog):
    one, other = new_database(""), new_database("")
    with caplog.at_level("INFO"):
        assert schema.main(["--warehouse", one, "--application", other]) == 0
        assert schema.main(["--warehouse", one, "--application", other]) == 0
    assert "location_grid" in tables(one)
    assert "location_grid" not in tables(other)
    assert "probability_results" in tables(other)
    told = [message for message in caplog.messages if " schema in " in message]
    assert [message.endswith("up to date") for message in told] == [False, False, True, True]


def test_one_database_may_hold_both(new_database):
    url = new_database("")
    assert schema.main(["--warehouse", url, "--application", url]) == 0
    assert {"location_grid", "probability_results"} <= tables(url)


def test_settings_say_where(new_database, monkeypatch, tmp_path):
    url = new_database("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DW_URL", url)
    assert schema.main([]) == 0
    assert "location_grid" in tables(url)
    assert "probability_results" not in tables(url)


def test_a_server_that_is_down_fails(caplog):
    url = "postgresql://me:s3cret@127.0.0.1:1/climate"
    assert schema.main(["--warehouse", url]) == 1
    assert "s3cret" not in caplog.text
