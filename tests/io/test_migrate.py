import psycopg
import pytest

from engine.errors import EngineError
from engine.io import migrate


@pytest.mark.parametrize("family", ["warehouse", "results"])
def test_applying_twice_changes_nothing(new_database, family):
    with psycopg.connect(new_database(""), autocommit=True) as connection:
        assert migrate.apply(connection, family)[0] == "0001_core"
        assert migrate.apply(connection, family) == []


def test_both_families_fit_one_database(new_database):
    with psycopg.connect(new_database("warehouse"), autocommit=True) as connection:
        assert "0001_core" in migrate.apply(connection, "results")


def test_an_edited_migration_is_refused(new_database):
    with psycopg.connect(new_database("results"), autocommit=True) as connection:
        connection.execute("UPDATE schema_migration SET checksum = repeat('0', 64)")
        with pytest.raises(EngineError, match="0001_core was changed after"):
            migrate.apply(connection, "results")
