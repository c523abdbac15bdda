"""What can be read of the past and of the input: assessments by date, runs, climate of a cell."""

import json
import math

import psycopg
import pytest

from tests.service.conftest import LAND, OUTSIDE, SEA
from tests.service.test_assessments import assess, finished

HERE = {"latitude": 35.0, "longitude": 127.2, "building_info": None, "risk_types": ["drought", "typhoon"]}
HISTORY = "/api/v1/risk-assessment/history/35.0/127.2"


@pytest.fixture(scope="module")
def dated(service, databases):
    """Three assessments of one coordinate, of two assets, each a year apart: their ids, the oldest first."""
    import httpx

    with psycopg.connect(databases[1], autocommit=True) as connection:
        connection.execute("DELETE FROM batch_jobs WHERE job_type = 'ondemand_risk_calculation'")  # of other files
    with httpx.Client(base_url=service[0], timeout=60) as client:
        made = [
            assess(client, **HERE, site_id=own, asset_info={"total_asset_value": value})["request_id"]
            for own, value in (("loan 1", 10**9), ("loan 1", 2 * 10**9), ("loan 2", 10**9))
        ]
        for each in made:
            assert finished(client, each)["status"] == "completed"
    with psycopg.connect(databases[1], autocommit=True) as connection:
        for year, each in zip((2023, 2024, 2025), made, strict=True):
            connection.execute(
                "UPDATE batch_jobs SET completed_at = %s WHERE batch_id = %s", (f"{year}-06-30T23:30:00Z", each)
            )
    return made


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [each["request_id"] for each in answer.json()["assessments"]]


def test_assessments_of_a_coordinate_stay_readable_by_date_each_with_what_it_is_of(client, dated):
    first, second, third = dated
    body = client.get(HISTORY).json()
    assert (body["total"], [each["request_id"] for each in body["assessments"]]) == (3, [third, second, first])
    newest = body["assessments"][0]
    assert newest["calculated_at"] == "2025-06-30T23:30:00.000Z"
    assert (newest["scope"], newest["site_id"], newest["results"]) == ("full", "loan 2", None)
    assert [run["edition"] for run in newest["runs"]] == ["2025-11"]
    assert newest["loss_note"] == "index loss, not calibrated on losses"
    losses = [each["total_expected_loss"] for each in body["assessments"]]
    assert losses[1] == pytest.approx(2 * losses[2], rel=1e-6)
    whole = client.get(HISTORY, params={"details": True, "limit": 1}).json()["assessments"][0]["results"]
    assert whole == client.get(f"/api/batch/{third}/status").json()["results"]


def test_days_of_the_history_are_included_moments_at_the_end_are_not_and_pages_go_on(client, dated):
    first, second, third = dated
    assert ids(client.get(HISTORY, params={"from": "2024-06-30", "to": "2024-06-30"})) == [second]
    assert ids(client.get(HISTORY, params={"from": "2024-06-30T23:30:00Z"})) == [third, second]
    assert ids(client.get(HISTORY, params={"to": "2024-07-01T08:30:00+09:00"})) == [first]
    assert ids(client.get(HISTORY, params={"limit": 2})) == [third, second]
    assert ids(client.get(HISTORY, params={"limit": 2, "offset": 2})) == [first]
    assert ids(client.get(HISTORY, params={"site_id": "loan 1"})) == [second, first]
    assert ids(client.get(HISTORY.replace("35.0", "35.000001"))) == []
    assert ids(client.get("/api/v1/risk-assessment/history/35/127.2000001")) == [third, second, first]


@pytest.mark.parametrize(
    ("asked", "loc"),
    [
        ({"from": "2026-02-30"}, ["query", "from"]),
        ({"to": "9999-12-31"}, ["query", "to"]),
        ({"from": "2025-01-02", "to": "2025-01-01"}, ["query", "to"]),
        ({"limit": 101}, ["query", "limit"]),
        ({"offset": -1}, ["query", "offset"]),
        ({"site_id": "\0"}, ["query", "site_id"]),
    ],
)
def test_a_history_that_cannot_be_is_refused_by_its_parameter(client, asked, loc):
    answer = client.get(HISTORY, params=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"][:2] == loc


def test_stored_results_of_a_site_name_the_run_of_each_loss_and_their_scope(client, dated, databases):
    path = "/api/v1/risk-assessment/results/35.0/127.2"
    told = client.get(path).json()
    [run] = told["runs"]
    assert (told["scope"], told["scope_note"], run["edition"]) == ("full", None, "2025-11")
    assert {row["run_id"] for row in told["aal_scaled"].values()} == {run["run_id"]}
    with psycopg.connect(databases[1], autocommit=True) as connection:
        [older] = connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline)"
            " VALUES ('yearly', 'synthetic', 'mine', repeat('0', 64), repeat('0', 64), '') RETURNING run_id"
        ).fetchone()
        change = "UPDATE aal_scaled_results SET run_id = %s WHERE site_id = %s AND risk_type = 'drought'"
        try:
            connection.execute(change, [older, told["site_uuid"]])
            mixed = client.get(path).json()
            connection.execute(change, [None, told["site_uuid"]])
            unknown = client.get(path).json()
        finally:
            connection.execute(change, [run["run_id"], told["site_uuid"]])
            connection.execute("DELETE FROM result_runs WHERE run_id = %s", [older])
    assert (mixed["scope"], [each["run_id"] for each in mixed["runs"]]) == ("synthetic", [run["run_id"], older])
    assert (unknown["scope"], unknown["runs"]) == ("full", [run])


def test_runs_are_listed_and_found_by_number_or_job_going_ones_with_their_progress(client, databases):
    [published] = [run for run in client.get("/api/v1/runs").json()["runs"] if run["is_published"]]
    assert (published["status"], published["job_type"], published["scope"]) == ("completed", "yearly", "full")
    assert (published["total_cells"], published["processed_cells"], published["progress"]) == (17, 17, None)
    whole = client.get(f"/api/v1/runs/{published['run_id']}").json()
    assert {name: whole[name] for name in published} == published
    assert len(whole["edition_checksum"]) == len(whole["edition_checksums"]["drought"]) == 64
    assert whole["summary"]["periods"]["full"] == [2021, 2100]
    with psycopg.connect(databases[1], autocommit=True) as connection:
        [waiting, going] = [
            connection.execute(
                "INSERT INTO batch_jobs (job_type, status, progress, current_step, created_at) VALUES"
                " ('yearly', %s, %s, %s, now() + interval '1 hour') RETURNING batch_id::text",
                row,
            ).fetchone()[0]
            for row in (("queued", 0, "queued"), ("running", 42, "drought"))
        ]
        [number] = connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline)"
            " VALUES ('yearly', 'observed', 'mine', repeat('0', 64), repeat('0', 64), '') RETURNING run_id"
        ).fetchone()
        connection.execute(
            "INSERT INTO batch_job_logs (batch_id, run_id, job_type, started_at, status, total_grids, processed_grids)"
            " VALUES (%s, %s, 'yearly', now(), 'running', 100, 40)",
            (going, number),
        )
        try:
            listed = client.get("/api/v1/runs").json()
            by_number, by_job = (client.get(f"/api/v1/runs/{name}").json() for name in (number, going))
            queued = client.get(f"/api/v1/runs/{waiting}").json()
            paged = client.get("/api/v1/runs", params={"limit": 1, "offset": 1, "job_type": "yearly"}).json()
        finally:
            connection.execute("DELETE FROM batch_job_logs WHERE run_id = %s", [number])
            connection.execute("DELETE FROM result_runs WHERE run_id = %s", [number])
            connection.execute("DELETE FROM batch_jobs WHERE batch_id = ANY(%s::uuid[])", ([waiting, going],))
    assert [(run["run_id"], run["batch_id"]) for run in listed["runs"][:2]] == [(None, waiting), (number, going)]
    assert by_number == by_job
    assert (by_job["status"], by_job["progress"], by_job["current_step"]) == ("running", 42, "drought")
    assert (by_job["processed_cells"], by_job["scope_note"]) == (
        40,
        "observed record, no projection: it is stored as scenario 2",
    )
    assert (queued["status"], queued["run_id"], queued["scope"]) == ("queued", None, None)
    yearly = [run for run in listed["runs"] if run["job_type"] == "yearly"]  # other tests ask for other batches
    assert (paged["total"], [run["run_id"] for run in paged["runs"]]) == (len(yearly), [number])


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("99999999", 404),
        ("0a0dffd2-c214-49ab-ac11-f0f602aac188", 404),
        ("99999999999", 422),
        ("-1", 422),
        ("x", 422),
    ],
)
def test_a_run_that_is_not_there_is_not_found_and_what_names_none_is_refused(client, name, status):
    assert client.get(f"/api/v1/runs/{name}").status_code == status


def climate(client, place=LAND, **asked):
    return client.get("/api/v1/climate", params={"lat": place[0], "lon": place[1]} | asked)


def test_climate_of_a_cell_is_its_rows_in_order_of_time_with_units(client, databases):
    body = climate(client, variables="ta,rx1day", scenarios="2,SSP5-8.5", **{"from": 2041, "to": 2042}).json()
    assert (body["scenario_id"], body["start_year"], body["end_year"]) == (2, 2041, 2042)
    assert body["units"] == {"ta": "degC", "rx1day": "mm"}
    assert body["steps"] == {"ta": "month", "rx1day": "year"}
    [other] = body["others"]
    assert (other["scenario_id"], other["scenario"], other["grid_id"]) == (4, "SSP5-8.5", body["grid_id"])
    with psycopg.connect(databases[0]) as connection:
        for table, key, name in (("ta_data", "observation_date", "ta"), ("rx1day_data", "year", "rx1day")):
            span = "'2041-01-01' AND '2042-12-31'" if name == "ta" else "2041 AND 2042"
            rows = connection.execute(
                f"SELECT ssp2::float8, ssp5::float8 FROM {table} WHERE grid_id = %s AND {key} BETWEEN {span}"
                f" ORDER BY {key}",
                [body["grid_id"]],
            ).fetchall()
            assert len(rows) == (24 if name == "ta" else 2)
            for said, column in ((body, 0), (other, 1)):
                assert said["variables"][name] == pytest.approx([row[column] for row in rows], rel=1e-6)
    assert [*climate(client).json()["variables"]][:3] == ["ta", "rn", "ws"]
    assert climate(client, place=SEA, variables="ta").json()["cell_basis"] == "nearest"


def test_a_missing_month_is_null_and_so_is_one_with_two_rows(client, databases):
    cell = climate(client, variables="ta").json()["grid_id"]
    with psycopg.connect(databases[0], autocommit=True) as connection:
        keep = connection.execute(
            "SELECT observation_date, ssp1, ssp2, ssp3, ssp5 FROM ta_data WHERE grid_id = %s"
            " AND observation_date IN ('2050-03-01', '2050-05-01') ORDER BY 1",
            [cell],
        ).fetchall()
        connection.execute("DELETE FROM ta_data WHERE grid_id = %s AND observation_date = '2050-03-01'", [cell])
        connection.execute(
            "UPDATE ta_data SET ssp2 = 'NaN' WHERE grid_id = %s AND observation_date = '2050-05-01'", [cell]
        )
        try:
            said = climate(client, variables="ta", **{"from": 2050, "to": 2050}).json()["variables"]["ta"]
        finally:
            connection.execute("DELETE FROM ta_data WHERE grid_id = %s AND observation_date = '2050-05-01'", [cell])
            for row in keep:
                connection.execute("INSERT INTO ta_data VALUES (%s, %s, %s, %s, %s, %s)", (cell, *row))
    assert [place for place, value in enumerate(said) if value is None] == [2, 4]
    assert "NaN" not in json.dumps(said)
    assert all(math.isfinite(value) for value in said if value is not None)


def test_climate_is_sent_again_only_when_it_changed(client):
    first = climate(client, variables="ta")
    again = client.get(first.url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert climate(client, variables="rn").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    ("place", "asked", "status", "says"),
    [
        (LAND, {"variables": "rain"}, 422, "Unknown variable: rain; known: ta, rn,"),
        (LAND, {"variables": "hw33"}, 404, "No data of hw33 are loaded; there are ta, rn,"),
        (LAND, {"scenarios": "5"}, 422, "Unknown scenario: 5"),
        (LAND, {"from": 2150}, 422, "No year from 2150 to 2100: the data hold 2021-2100"),
        (LAND, {"from": 0}, 422, ""),
        (OUTSIDE, {}, 404, "Location is outside the data grid"),
    ],
)
def test_climate_that_is_not_there_is_refused_by_name(client, place, asked, status, says):
    answer = climate(client, place, **asked)
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    assert says in (detail if isinstance(detail, str) else detail[0]["msg"])
