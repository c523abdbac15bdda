import psycopg
import pytest

from engine.core.errors import EngineError, SourceError
from engine.core.names import ALIASES, RISK_NAMES
from engine.core.scenario import Scenario
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


def test_a_filled_database_takes_year_losses_and_keeps_every_row_its_rights_and_its_readers(new_database, monkeypatch):
    url, before = new_database(""), [each for each in migrate.migrations("results") if each.number < 10]
    with psycopg.connect(url, autocommit=True) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "migrations", lambda _: before)
            migrate.apply(connection, "results")
        _fill_as_before(connection)
        kept = {table: connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3, 4").fetchall()
                for table, columns in _KEPT.items()}  # fmt: skip
        files = connection.execute(_FILES, (_LARGE,)).fetchall()
        assert migrate.apply(connection, "results") == ["0010_years_and_methods"]
        assert connection.execute(_FILES, (_LARGE,)).fetchall() == files  # none of them was written anew
        for table, columns in _KEPT.items():
            assert connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2, 3, 4").fetchall() == kept[table]
        seen = connection.execute("SELECT currency, final_aal FROM aal_scaled_results_latest").fetchall()
        assert seen == [("KRW", 2e-7)]
        readers = connection.execute("SELECT relname FROM pg_class WHERE 'old_reader=r/postgres' = ANY(relacl::text[])")
        read = {name for (name,) in readers.fetchall()}
        assert {"probability_results_v", "modelops_year_losses", "result_sample_years", "scenario_names"} <= read
        assert connection.execute("SELECT * FROM a_view_of_others").fetchall() == [("typhoon",)]
        connection.execute("DROP OWNED BY old_reader; DROP ROLE old_reader")


_LARGE = ["probability_results_typhoon", "modelops_probability_scores_typhoon", "modelops_hazard_scores_typhoon",
          "aal_scaled_results"]  # fmt: skip
_FILES = "SELECT relname, relfilenode FROM pg_class WHERE relname = ANY(%s) ORDER BY 1"
_KEPT = {
    "probability_results": "grid_id, risk_type, aal, method, bin_data, run_id",
    "modelops_probability_scores": "grid_id, scenario_id, risk_type, time_period, aal, method",
    "modelops_hazard_scores": "grid_id, scenario_id, risk_type, time_period, score, hazard_id",
    "aal_scaled_results": "site_id, risk_type, scenario_id, time_period, base_aal, final_aal, expected_loss",
    "modelops_aal_cache": "site_id, risk_type, scenario_id, time_period, base_aal, final_aal_percentage",
}


def _fill_as_before(connection):
    """Rows of a run that was switched in, whose partitions hold the checks as their own; a reader, a view of his."""
    connection.execute("""
      CREATE ROLE old_reader;
      GRANT SELECT ON probability_results_v, modelops_probability_scores TO old_reader;
      CREATE VIEW a_view_of_others AS SELECT risk_type FROM probability_results_v;
      INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline, published_at)
        VALUES ('yearly', 'full', '2025-11', repeat('b', 64), repeat('a', 64), '1991-2020', now());
      CREATE TABLE fresh (LIKE modelops_probability_scores INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
      ALTER TABLE fresh ADD PRIMARY KEY (grid_id, scenario_id, risk_type, time_period);
      INSERT INTO fresh VALUES (7, 4, 'typhoon', 'mid_term', 0.25, 0.01, '{0.5,0.5}', 45, 'kde'),
                               (8, 4, 'typhoon', 'mid_term', NULL, NULL, NULL, 3, 'insufficient_data');
      ALTER TABLE modelops_probability_scores DETACH PARTITION modelops_probability_scores_typhoon;
      DROP TABLE modelops_probability_scores_typhoon;
      ALTER TABLE fresh RENAME TO modelops_probability_scores_typhoon;
      ALTER TABLE modelops_probability_scores
        ATTACH PARTITION modelops_probability_scores_typhoon FOR VALUES IN ('typhoon');
      INSERT INTO probability_results (latitude, longitude, risk_type, grid_id, aal, bin_data, n_samples, method,
                                       run_id)
        VALUES (35, 127, 'typhoon', 7, 0.25, '[{"bin": 1}]', 45, 'kde', 1);
      INSERT INTO modelops_hazard_scores (grid_id, scenario_id, risk_type, time_period, score)
        VALUES (7, 1, 'typhoon', 'long_term', 0.5);
      INSERT INTO aal_scaled_results (site_id, latitude, longitude, risk_type, time_period, base_aal, final_aal,
                                      expected_loss)
        VALUES (gen_random_uuid(), 35, 127, 'typhoon', 'mid_term', 2e-7, 2e-7, 5);
      INSERT INTO modelops_aal_cache (site_id, risk_type, scenario_id, time_period, building_hash, asset_hash, base_aal,
                                      final_aal_percentage, vulnerability_scale)
        VALUES (gen_random_uuid(), 'typhoon', 2, 'full', repeat('0', 64), repeat('0', 64), 0.25, 25, 1);
    """)


@pytest.mark.parametrize(
    ("method", "aal", "bins", "fits"),
    [
        ("not_priced", None, "[]", True),
        ("not_priced", 0.1, "[]", False),
        ("not_priced", None, None, False),
        ("fitted", 0.1, "[]", True),
        ("fitted", None, "[]", False),
        ("insufficient_data", None, None, True),
        ("insufficient_data", None, "[]", False),
        ("guessed", 0.1, "[]", False),
    ],
)
def test_a_risk_that_is_not_priced_has_bins_and_no_loss(results, method, aal, bins, fits):
    with psycopg.connect(results) as connection:
        row = (
            "INSERT INTO probability_results (latitude, longitude, risk_type, grid_id, n_samples, run_id,"
            " aal, bin_data, method) VALUES (35, 127, 'drought', 7, 45, 1, %s, %s, %s)"
        )
        if fits:
            connection.execute(row, (aal, bins, method))
        else:
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(row, (aal, bins, method))


def test_scenarios_periods_and_currencies_of_other_regions_have_a_place(results):
    with psycopg.connect(results) as connection:
        connection.execute(
            "INSERT INTO modelops_probability_scores (grid_id, scenario_id, risk_type, time_period, n_samples, method)"
            " VALUES (1, 126, 'drought', '2035-2064', 3, 'insufficient_data')"
        )
        connection.execute(
            "INSERT INTO aal_scaled_results (site_id, latitude, longitude, risk_type, scenario_id, time_period, reason,"
            " currency) VALUES (gen_random_uuid(), 35, 127, 'drought', 126, '2035-2064', 'not_priced', 'EUR')"
        )
        names = connection.execute("SELECT scenario_id, code FROM scenario_names ORDER BY 1").fetchall()
        assert names == [(int(scenario), scenario.code) for scenario in Scenario]
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE aal_scaled_results SET currency = 'eur'")


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
