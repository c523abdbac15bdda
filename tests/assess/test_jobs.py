"""Jobs on a real server: what is stored, how far it is said to be, what the caches save, how jobs end."""

import json
from datetime import timedelta

import polars as pl
import psycopg
import pytest
from psycopg.rows import dict_row

from engine.assess.job import stages
from engine.assess.rules.offered import RISKS
from engine.core.errors import BusyError, EngineError, SettingsError
from engine.io.queue import batch_jobs
from engine.io.queue.batch_jobs import EndedError
from engine.io.sites import site_results
from tests.assess.databases import (
    LATITUDE,
    LONGITUDE,
    add_building,
    assessor,
    fill_results,
    fill_warehouse,
    publish,
    run_site,
)
from tests.assess.places import ASSET, BUILDING


@pytest.fixture
def both(warehouse, results):
    fill_warehouse(warehouse)
    fill_results(results)
    return warehouse, results


def query(url, text, *parameters):
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(text, parameters).fetchall()


def follow(url):
    """Write every change of a job's row down."""
    with psycopg.connect(url) as connection:
        connection.execute(
            """CREATE TABLE seen (n serial, status text, progress int, step text, done int, total int);
               CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO seen (status, progress, step, done, total) VALUES
                   (NEW.status, NEW.progress, NEW.current_step, NEW.completed_items, NEW.total_items);
                 RETURN NEW; END $$;
               CREATE TRIGGER see AFTER INSERT OR UPDATE ON batch_jobs FOR EACH ROW EXECUTE FUNCTION see()"""
        )


def test_a_site_goes_through_the_published_steps_and_ends_with_its_results(both):
    warehouse, results = both
    follow(results)
    with assessor(warehouse, results) as made:
        outcome = run_site(made, building_info=BUILDING, asset_info=ASSET)
    seen = query(results, "SELECT * FROM seen ORDER BY n")
    assert [(row["status"], row["progress"]) for row in seen[:3]] == [("queued", 0), ("running", 0), ("running", 0)]
    bands = {
        "E": [14, 18, 23, 27, 32, 36, 41, 45, 50],
        "V": [53, 56, 60, 63, 66, 70, 73, 76, 80],
        "AAL": [81, 83, 85, 86, 88, 90, 91, 93, 95],
    }
    steps = [("Fetching H and P(H)", 10, 0)]
    for stage, progress in bands.items():
        steps += [
            (f"Calculating {stage} for {risk}", percent, done)
            for done, (risk, percent) in enumerate(zip(RISKS, progress, strict=True), 1)
        ]
    steps.append(("Calculating integrated risk", 95, 0))
    assert [(row["step"], row["progress"], row["done"]) for row in seen[3:-1]] == steps
    assert {row["total"] for row in seen[2:]} == {9}
    assert (seen[-1]["status"], seen[-1]["progress"], seen[-1]["step"]) == ("completed", 100, "Finished")

    with psycopg.connect(results) as connection:
        job = batch_jobs.read(connection, outcome.batch_id)
    assert (job.status, job.completed_items, job.failed_items, job.error_message) == ("completed", 9, 0, None)
    assert job.started_at <= job.completed_at
    assert job.results == json.loads(json.dumps(outcome.results))
    assert job.results["status"] == "success"
    breakdown = job.results["integrated_risk"]["risk_breakdown"]
    assert set(breakdown) == set(RISKS)
    fields = {"risk_score", "contribution_percent", "hazard", "exposure", "vulnerability", "risk_level", "status"}
    assert fields | {"reason", "risk_index", "hazard_level"} == set(breakdown["typhoon"])
    assert job.results["region"]["admin_name"] == "봉의동"
    stored = query(results, "SELECT * FROM aal_scaled_results_latest ORDER BY risk_type")
    mine = outcome.result.aal.with_columns(pl.col("risk_type").cast(pl.String)).sort("risk_type")
    assert [row["final_aal"] for row in stored] == mine["final_aal"].to_list()
    assert [row["expected_loss"] for row in stored] == mine["expected_loss"].to_list()
    assert len(query(results, "SELECT * FROM exposure_results_latest WHERE status = 'ok'")) == 9
    factors = query(results, "SELECT factors FROM vulnerability_results_latest WHERE risk_type = 'typhoon'")
    assert factors[0]["factors"]["structure"] == "철근콘크리트"


def test_scenarios_periods_and_the_full_axis_come_from_their_tables(both):
    with assessor(*both) as made:
        outcome = run_site(made, scenario_ids=[1, 2], time_periods=["long_term", "full"], risk_types=["typhoon"])
    risk = outcome.result.risk
    assert risk.select("scenario_id", "time_period").rows() == [(1, "long_term"), (2, "long_term"), (2, "full")]
    assert risk["hazard"][2] == 0.5
    assert outcome.result.aal["base_aal"][2] == pytest.approx(0.01, rel=1e-7)
    assert [pair["scenario"] for pair in outcome.results["scenarios"]] == ["ssp1_2.6", "ssp2_4.5", "ssp2_4.5"]


def test_a_risk_without_its_input_is_flagged_and_the_others_go_on(both):
    warehouse, results = both
    with psycopg.connect(warehouse) as connection:
        connection.execute("DELETE FROM map_feature WHERE layer = 'river'")
    with assessor(warehouse, results) as made:
        outcome = run_site(made)
        imputed = assessor(warehouse, results, spatial_missing_policy="impute")
    assert (outcome.status, outcome.results["status"]) == ("partial", "partial")
    [row] = query(results, "SELECT * FROM exposure_results WHERE status = 'failed'")
    assert (row["risk_type"], row["reason"]) == ("river_flood", "missing_input:distance_to_river_m")
    assert (row["exposure_score"], row["proximity_factor"], row["is_default"]) == (0.0, 0.0, True)
    [job] = query(results, "SELECT * FROM batch_jobs")
    assert (job["status"], job["completed_items"], job["failed_items"]) == ("completed", 8, 1)
    with imputed as made:
        again = run_site(made)
    [row] = again.result.exposure.filter(pl.col("risk_type") == "river_flood").to_dicts()
    assert (row["status"], row["imputed_inputs"], row["proximity_factor"]) == ("ok", ["distance_to_river_m"], 0.4)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"latitude": 35.37, "longitude": 127.5}, "Location is outside the data grid"),
        ({"latitude": 37.5, "longitude": 127.0}, "Location is outside the data grid"),
        ({"latitude": 95.0}, "Invalid latitude"),
    ],
)
def test_a_site_far_from_any_cell_or_invalid_fails_its_job_in_words(both, place, message):
    warehouse, results = both
    with assessor(warehouse, results) as made, pytest.raises(EngineError, match=message):
        run_site(made, **place)
    [job] = query(results, "SELECT * FROM batch_jobs")
    assert (job["status"], job["error_message"], job["progress"]) == ("failed", message, 0)
    assert job["completed_at"] is not None


def test_a_stage_that_breaks_fails_the_job_with_its_trace_and_keeps_what_was_stored(both, monkeypatch):
    warehouse, results = both

    def broken(*_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(stages.assessment, "run_vulnerability", broken)
    with assessor(warehouse, results) as made, pytest.raises(RuntimeError, match="the disk is full"):
        run_site(made)
    [job] = query(results, "SELECT * FROM batch_jobs")
    assert (job["status"], job["error_message"], job["progress"]) == ("failed", "the disk is full", 50)
    assert "RuntimeError: the disk is full" in job["error_stack_trace"]
    assert len(query(results, "SELECT * FROM exposure_results")) == 9
    assert query(results, "SELECT * FROM vulnerability_results") == []


def test_ends_are_final_lost_workers_are_found_and_a_retry_is_a_new_job(results):
    with psycopg.connect(results, autocommit=True) as connection:
        number = batch_jobs.create(connection, batch_jobs.SITE, {"latitude": 1.0})
        assert batch_jobs.start(connection, number).status == "running"
        with pytest.raises(BusyError, match="is running, it cannot be started"):
            batch_jobs.start(connection, number)
        with pytest.raises(BusyError, match="nothing to retry"):
            batch_jobs.retry(connection, number)
        batch_jobs.advance(connection, number, 40, "Calculating E for drought", completed=3)
        batch_jobs.advance(connection, number, 30, "late", completed=2)
        assert batch_jobs.read(connection, number).progress == 40
        assert batch_jobs.fail_lost(connection) == []
        connection.execute("UPDATE batch_jobs SET updated_at = now() - interval '11 minutes'")
        assert batch_jobs.fail_lost(connection) == [number]
        lost = batch_jobs.read(connection, number)
        assert (lost.status, lost.error_message, lost.progress) == ("failed", "Worker lost", 40)
        with pytest.raises(EndedError, match="was ended"):
            batch_jobs.advance(connection, number, 50, "still here", completed=9)
        with pytest.raises(EndedError, match="was ended"):
            batch_jobs.complete(connection, number, {}, completed=9, failed=0)
        assert not batch_jobs.fail(connection, number, "again")
        assert not batch_jobs.cancel(connection, number)
        assert batch_jobs.read(connection, number) == lost
        again = batch_jobs.retry(connection, number)
        assert again != number
        assert batch_jobs.read(connection, again).input_params == {"latitude": 1.0}
        assert batch_jobs.start_next(connection).batch_id == again
        assert batch_jobs.start_next(connection) is None
        with pytest.raises(SettingsError, match="no job"):
            batch_jobs.start(connection, "00000000-0000-4000-8000-000000000000")


def test_a_cancelled_job_stops_at_its_next_report(both):
    warehouse, results = both
    with psycopg.connect(results) as connection:
        connection.execute(
            """CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF NEW.progress = 18 THEN NEW.status := 'cancelled'; END IF; RETURN NEW; END $$;
               CREATE TRIGGER stop BEFORE UPDATE ON batch_jobs FOR EACH ROW EXECUTE FUNCTION stop()"""
        )
    with assessor(warehouse, results) as made, pytest.raises(EndedError):
        run_site(made)
    [job] = query(results, "SELECT * FROM batch_jobs")
    assert (job["status"], job["progress"]) == ("cancelled", 18)
    assert query(results, "SELECT * FROM exposure_results") == []


def mark(url, table, column, value):
    """Change cached rows, so that it shows when they are used."""
    with psycopg.connect(url) as connection:
        connection.execute(f"UPDATE {table} SET {column} = %s", (value,))


def test_a_second_run_takes_vulnerability_and_aal_from_the_caches(both):
    warehouse, results = both
    with assessor(warehouse, results) as made:
        first = run_site(made, building_info=BUILDING, asset_info=ASSET)
        same = run_site(made, building_info=BUILDING, asset_info=ASSET)
        for name in ("exposure", "aal", "risk", "totals", "failures"):
            assert getattr(same.result, name).equals(getattr(first.result, name)), name
        mark(results, "modelops_vulnerability_cache", "score", 77)
        mark(results, "aal_scaled_results", "final_aal", 0.25)
        cached = run_site(made, building_info=BUILDING, asset_info=ASSET)
        assert set(cached.result.vulnerability["vulnerability_score"]) == {77.0}
        assert set(cached.result.aal["final_aal_percentage"]) == {25.0}


@pytest.mark.parametrize(
    ("change", "vulnerability_is_kept", "aal_is_kept"),
    [
        ("nothing", True, True),
        ("building", False, False),
        ("asset", True, False),
        ("publication", True, False),
        ("expiry", False, False),
        ("another risk", False, False),
    ],
)
def test_the_caches_hold_until_what_they_stand_on_changes(both, change, vulnerability_is_kept, aal_is_kept):
    warehouse, results = both
    request = {"building_info": dict(BUILDING), "asset_info": dict(ASSET), "risk_types": ["typhoon", "wildfire"]}
    with assessor(warehouse, results) as made:
        run_site(made, **request)
        mark(results, "modelops_vulnerability_cache", "score", 77)
        mark(results, "aal_scaled_results", "final_aal", 0.25)
        if change == "building":
            request["building_info"]["fire_access"] = False
        elif change == "asset":
            request["asset_info"]["total_asset_value"] += 1
        elif change == "publication":
            publish(results)
        elif change == "expiry":
            for table in ("modelops_vulnerability_cache", "modelops_aal_cache"):
                mark(results, table, "expires_at", "2020-01-01")
        elif change == "another risk":
            request["risk_types"].append("drought")
        outcome = run_site(made, **request)
    assert (77.0 in outcome.result.vulnerability["vulnerability_score"]) == vulnerability_is_kept
    assert (25.0 in outcome.result.aal["final_aal_percentage"]) == aal_is_kept
    rows = len(request["risk_types"])
    assert len(query(results, "SELECT * FROM modelops_vulnerability_cache")) == rows
    hashes = query(results, "SELECT DISTINCT building_hash, asset_hash FROM modelops_aal_cache")
    assert len(hashes) == 1
    assert (
        len(query(results, "SELECT * FROM modelops_aal_cache WHERE expires_at > now() + interval '23 hours'")) == rows
    )


def test_failed_and_assumed_results_are_not_cached(both):
    warehouse, results = both
    with psycopg.connect(results) as connection:
        connection.execute("DELETE FROM modelops_probability_scores WHERE risk_type = 'drought'")
    with assessor(warehouse, results) as made:
        outcome = run_site(made)
    [row] = outcome.result.aal.filter(pl.col("status") == "failed").to_dicts()
    assert (row["risk_type"], row["reason"], row["final_aal"]) == ("drought", "probability_not_found", None)
    assert row["risk_level"] == "unknown"
    held = query(results, "SELECT risk_type FROM modelops_aal_cache")
    assert {each["risk_type"] for each in held} == set(RISKS) - {"drought"}


def test_what_the_published_run_says_of_a_risk_goes_with_its_losses(both):
    warehouse, results = both
    risks = [
        {"risk": "typhoon", "done": 17, "fallback_edges": None, "calibrated": True},
        {"risk": "extreme_heat", "done": 17, "fallback_edges": 3, "calibrated": False},
        {"risk": "extreme_cold", "done": 17, "fallback_edges": 17, "calibrated": False},  # fixed edges in every cell
        {"risk": "drought", "done": 17, "fallback_edges": None},  # a run of before there was the word
    ]
    with psycopg.connect(results) as connection:
        connection.execute("UPDATE result_runs SET summary = %s", (json.dumps({"risks": risks}),))
    names = [each["risk"] for each in risks]
    with assessor(warehouse, results) as made:
        for _ in range(2):  # the second time from the caches
            told = run_site(made, asset_info=ASSET, risk_types=names).results
            calibrated = {risk for risk, each in told["aal"]["risks"].items() if each["calibrated"]}
            assert calibrated == {"typhoon"}
            assert told["aal"]["total_expected_loss_calibrated"] == told["aal"]["risks"]["typhoon"]["expected_loss"]
            assert told["notes"] == {"extreme_heat": "Measures change against the place's own past, not how hot it is"}
    stored = query(results, "SELECT risk_type FROM aal_scaled_results_latest WHERE calibrated")
    assert [row["risk_type"] for row in stored] == ["typhoon"]


def test_the_cleaner_deletes_what_has_expired(both):
    warehouse, results = both
    with assessor(warehouse, results) as made:
        run_site(made)
        run_site(made, latitude=LATITUDE - 0.05)
        with psycopg.connect(results) as connection:
            [site] = connection.execute("SELECT min(site_id::text) FROM exposure_results").fetchone()
            for table in ("modelops_vulnerability_cache", "modelops_aal_cache"):
                connection.execute(
                    f"UPDATE {table} SET expires_at = now() - %s WHERE site_id = %s", (timedelta(1), site)
                )
        assert site_results.clean_caches(made.application) == {
            "modelops_vulnerability_cache": 9,
            "modelops_aal_cache": 9,
        }
    assert len(query(results, "SELECT * FROM modelops_aal_cache")) == 9


def test_a_building_of_the_register_is_used_and_said_to_be(both):
    warehouse, results = both
    with psycopg.connect(warehouse) as connection:
        add_building(connection, "1", LATITUDE, LONGITUDE, structure="목조", main_purpose="공장", total_area=700.0)
    with assessor(warehouse, results) as made:
        outcome = run_site(made)
    totals = outcome.result.totals.row(0, named=True)
    assert totals["building_source"] == "database"
    assert totals["asset_basis"] == "floor_area"
    assert totals["data_quality"] == 2 / 8
    assert "structure" not in totals["imputed_fields"]
    scores = dict(outcome.result.vulnerability.select("risk_type", "vulnerability_score").iter_rows())
    assert scores["wildfire"] == 30 + 40
