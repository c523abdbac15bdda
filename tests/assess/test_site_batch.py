"""Jobs of single sites worked on together end as each would have ended alone."""

import threading
import time

import psycopg
import pytest
from psycopg.rows import dict_row

from engine.assess.job import site_batch
from engine.assess.job.assessor import Assessor, site_faults
from engine.core.errors import EngineError, SettingsError, SinkError
from engine.core.settings import Settings
from engine.io.queue import batch_jobs, job_states
from engine.io.queue.batch_jobs import SITE
from engine.service import worker
from engine.service.worker import Worker
from tests.assess.databases import (
    LATITUDE,
    LONGITUDE,
    add_building,
    assessor,
    fill_results,
    fill_warehouse,
    publish,
)
from tests.assess.places import ASSET, BUILDING

HERE = {"latitude": LATITUDE, "longitude": LONGITUDE}
THERE = {"latitude": 35.21, "longitude": 127.22}
#: what differs by nature: ids, times, and how long it took
_OF_THE_RUN = ("batch_id", "cache_id", "worker_id", "error_stack_trace", "actual_duration_seconds")
REQUESTS = [
    HERE | {"building_info": BUILDING, "asset_info": ASSET},
    THERE,
    {
        "latitude": 35.05,
        "longitude": 127.05,
        "risk_types": ["drought"],
        "scenario_ids": [1, 2],
        "building_info": None,
        "time_periods": ["full", "mid_term"],
    },
    {"latitude": 35.15, "longitude": 127.25, "scenario_ids": [2, 4], "time_periods": ["short_term", "full"]},
    {"latitude": 37.5, "longitude": 127.0},  # outside the grid
    {"latitude": 35.37, "longitude": 127.5},  # no cell within reach
    {"latitude": 35.3, "longitude": 127.4},  # the sea: the nearest cell
    {"latitude": 135.0, "longitude": 127.4, "risk_types": ["rain"]},  # two faults
    THERE | {"asset_info": {"total_asset_value": 10**9}},  # another request for a site above
    THERE,  # and the first again
    HERE | {"colour": "red"},
    {"latitude": 35.01, "longitude": 127.31, "risk_types": ["river_flood"]},  # its only risk fails
]


@pytest.fixture
def both(warehouse, results):
    fill_warehouse(warehouse)
    fill_results(results)
    with psycopg.connect(warehouse) as connection:
        add_building(connection, "1", 35.2101, 127.2201, structure="목조", floors_above=12)
        connection.execute("DELETE FROM map_feature WHERE layer = 'river'")
    return warehouse, results


def stored(url):
    """Everything that jobs leave behind, without what no two runs share."""
    tables = {
        "batch_jobs": "input_params::text, status",
        "site_assets": "site_id",
        "exposure_results": "site_id, risk_type",
        "vulnerability_results": "site_id, risk_type",
        "aal_scaled_results": "site_id, risk_type, scenario_id, time_period",
        "modelops_vulnerability_cache": "site_id, risk_type",
        "modelops_aal_cache": "site_id, risk_type, scenario_id, time_period",
    }
    with psycopg.connect(url, row_factory=dict_row) as connection:
        found = {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall()
            for table, key in tables.items()
        }
    for rows in found.values():
        for row in rows:
            for name in [name for name in row if name in _OF_THE_RUN or name.endswith("_at")]:
                del row[name]
            for name in ("duration_seconds", "timestamp"):
                (row.get("results") or {}).pop(name, None)
    return found


def emptied(url):
    with psycopg.connect(url) as connection:
        connection.execute(
            "TRUNCATE batch_jobs, site_assets, exposure_results, vulnerability_results, aal_scaled_results,"
            " modelops_vulnerability_cache, modelops_aal_cache CASCADE"
        )
    publish(url)


def test_together_is_what_each_is_alone(both):
    warehouse, results = both
    with assessor(warehouse, results) as made:
        jobs = []
        for request in REQUESTS:
            batch_jobs.create(made.application, SITE, request, 9)
            jobs.append(batch_jobs.start_next(made.application))
            try:
                made.run_job(jobs[-1])
            except EngineError:
                assert batch_jobs.read(made.application, jobs[-1].batch_id).status == "failed"
        alone = stored(results)
        emptied(results)
        for request in REQUESTS:
            batch_jobs.create(made.application, SITE, request, 9)
        completed = site_batch.run_jobs(made, batch_jobs.start_many(made.application, 99, (SITE,)))
    together = stored(results)
    assert completed == sum(job["status"] == "completed" for job in alone["batch_jobs"]) == 7
    assert {job["error_message"] for job in together["batch_jobs"]} >= {"Location is outside the data grid"}
    for table, rows in alone.items():
        assert together[table] == rows, table
        assert rows, table


def test_a_job_that_was_ended_meanwhile_stays_ended_and_the_others_go_on(both):
    warehouse, results = both
    with assessor(warehouse, results) as made:
        for request in (HERE, THERE):
            batch_jobs.create(made.application, SITE, request)
        first, second = batch_jobs.start_many(made.application, 9, (SITE,))
        batch_jobs.cancel(made.application, first.batch_id)
        assert site_batch.run_jobs(made, [first, second]) == 1
        assert batch_jobs.read(made.application, first.batch_id).status == "cancelled"
        assert batch_jobs.read(made.application, first.batch_id).results is None
        assert batch_jobs.read(made.application, second.batch_id).status == "completed"


def test_progress_of_every_job_rises_by_its_own_items(both, monkeypatch):
    warehouse, results = both
    seen = []
    monkeypatch.setattr(site_batch, "_EVERY", 0.0)
    monkeypatch.setattr(site_batch.batch_jobs, "advance_many", lambda _, states, step: seen.append((states, step)))
    with assessor(warehouse, results) as made:
        for request in (HERE, THERE | {"risk_types": ["drought", "typhoon"]}):
            batch_jobs.create(made.application, SITE, request)
        nine, two = batch_jobs.start_many(made.application, 9, (SITE,))
        site_batch.run_jobs(made, [nine, two])
    of = {
        job.batch_id: [state[1:] for states, _ in seen for state in states if state[0] == job.batch_id]
        for job in (nine, two)
    }
    published = [0, 10, 14, 18, 23, 27, 32, 36, 41, 45, 50, 53, 56, 60, 63, 66, 70, 73, 76, 80]
    published += [81, 83, 85, 86, 88, 90, 91, 93, 95]
    assert sorted({percent for percent, *_ in of[nine.batch_id]}) == published
    assert [percent for percent, *_ in of[nine.batch_id]] == sorted(percent for percent, *_ in of[nine.batch_id])
    assert sorted({percent for percent, *_ in of[two.batch_id]}) == [0, 10, 30, 50, 65, 80, 87, 95]
    assert {total for *_, total in of[two.batch_id]} == {2}


def test_requests_are_refused_together_as_each_is_alone():
    requests = [*REQUESTS, {}, {"latitude": "x", "longitude": 1.0}]
    for request, faults in zip(requests, site_batch.requests_faults(requests), strict=True):
        if isinstance(faults, SettingsError):
            with pytest.raises(SettingsError, match=str(faults)):
                site_faults(request)
        else:
            assert faults == site_faults(request).rows()


def test_what_breaks_for_all_is_raised_and_leaves_the_jobs_running(both):
    warehouse, results = both
    with assessor(warehouse, results) as made:
        for request in (HERE, THERE):
            batch_jobs.create(made.application, SITE, request)
        jobs = batch_jobs.start_many(made.application, 9, (SITE,))
        made.application.execute("DROP TABLE exposure_results CASCADE")
        with pytest.raises(SinkError):
            site_batch.run_jobs(made, jobs)
        assert {batch_jobs.read(made.application, job.batch_id).status for job in jobs} == {"running"}


def worked(warehouse, results, ids):
    """The rows of jobs after a worker has taken them to their ends."""
    working = Worker(Settings(), warehouse, results)
    thread = threading.Thread(target=working.run)
    thread.start()
    try:
        with psycopg.connect(results, autocommit=True) as connection:
            until = time.monotonic() + 60
            while (states := {job_states.read(connection, each).status for each in ids}) & {"queued", "running"}:
                assert time.monotonic() < until, states
                time.sleep(0.1)
            return [batch_jobs.read(connection, each) for each in ids]
    finally:
        working.stop()
        thread.join()


@pytest.mark.parametrize(("cuts", "state", "attempts"), [(1, "completed", 2), (9, "failed", 3)])
def test_a_lost_connection_is_tried_again_and_counted(both, monkeypatch, cuts, state, attempts):
    warehouse, results = both
    monkeypatch.setattr(batch_jobs, "ASSESSMENT_PAUSES", (0, 0))
    prepare, cut = Assessor.prepare, []

    def cut_off(self, checked):
        if len(cut) < cuts:
            cut.append(self.application.info.backend_pid)
            with psycopg.connect(results, autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (cut[-1],))
        return prepare(self, checked)

    monkeypatch.setattr(Assessor, "prepare", cut_off)
    with psycopg.connect(results, autocommit=True) as connection:
        ids = [batch_jobs.create(connection, SITE, HERE, 9)]
    [job] = worked(warehouse, results, ids)
    assert (job.status, job.attempts) == (state, attempts)
    if state == "completed":
        assert (job.current_step, job.error_message) == ("Finished in part", None)  # no river there
    else:
        assert "terminating connection due to administrator command" in job.error_message
        assert job.current_step == "Failed at: starting"


def test_a_fault_of_the_input_is_tried_once(both):
    warehouse, results = both
    with psycopg.connect(results, autocommit=True) as connection:
        ids = [batch_jobs.create(connection, SITE, {"latitude": 37.5, "longitude": 127.0}, 9)]
    [job] = worked(warehouse, results, ids)
    assert (job.status, job.attempts, job.error_message) == ("failed", 1, "Location is outside the data grid")


def test_a_batch_that_broke_is_run_job_by_job(both, monkeypatch):
    warehouse, results = both
    broken = []

    def run_jobs(_, jobs):
        broken.append(len(jobs))
        raise SinkError("deadlock detected")

    monkeypatch.setattr(worker.site_batch, "run_jobs", run_jobs)
    with psycopg.connect(results, autocommit=True) as connection:
        ids = batch_jobs.create_many(
            connection, SITE, [(HERE, 9), (THERE, 9), ({"latitude": 37.5, "longitude": 127.0}, 9)]
        )
    ended = worked(warehouse, results, ids)
    assert broken == [3]
    assert [job.status for job in ended] == ["completed", "completed", "failed"]
    assert ended[2].error_message == "Location is outside the data grid"
