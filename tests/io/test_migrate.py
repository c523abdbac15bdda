import psycopg
import pytest

from engine.core.errors import EngineError, SourceError
from engine.core.names import ALIASES, RISK_NAMES
from engine.io.db import migrate
from engine.io.sites import site_results


@pytest.mark.parametrize("family", ["warehouse", "results"])
def test_applying_twice_changes_nothing(new_database, family):
    with psycopg.connect(new_database(""), autocommit=True) as connection:
        assert migrate.apply(connection, family)[0] == "0001_core"
        assert migrate.apply(connection, family) == []


def test_both_families_fit_one_database(new_database):
    with psycopg.connect(new_database("warehouse"), autocommit=True) as connection:
        assert "0001_core" in migrate.apply(connection, "results")


def test_a_database_of_before_keeps_its_assessments(new_database, monkeypatch):
    older = [each for each in migrate.migrations("results") if each.number <= 3]
    with psycopg.connect(new_database(""), autocommit=True) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "migrations", lambda _: older)
            migrate.apply(connection, "results")
        connection.execute(
            "INSERT INTO aal_scaled_results (site_id, latitude, longitude, risk_type, time_period, base_aal, final_aal,"
            " expected_loss) VALUES (gen_random_uuid(), 35, 127, 'typhoon', 'mid_term', 0.1, 0.1, 5)"
        )
        with pytest.raises(SourceError, match=r"lacks the newer tables: apply the schema with python -m jobs\.schema"):
            site_results.require_results(connection)
        assert "0004_site_assets" in migrate.apply(connection, "results")
        rows = connection.execute("SELECT expected_loss, calibrated FROM aal_scaled_results_latest").fetchall()
        assert rows == [(5, False)]


def test_the_risks_of_the_database_are_those_of_the_engine(results):
    with psycopg.connect(results) as connection:
        rows = connection.execute("SELECT risk_type, alias FROM risk_types ORDER BY ordinal").fetchall()
    assert tuple(risk for risk, _ in rows) == RISK_NAMES
    assert {alias: risk for risk, alias in rows if alias} == ALIASES


def test_an_edited_migration_is_refused(new_database):
    with psycopg.connect(new_database("results"), autocommit=True) as connection:
        connection.execute("UPDATE schema_migration SET checksum = repeat('0', 64)")
        with pytest.raises(EngineError, match="0001_core was changed after"):
            migrate.apply(connection, "results")
