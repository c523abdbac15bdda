"""Assessments over HTTP and WebSocket: requests, progress, results, portfolios, and what happens to the worker."""

import asyncio
import gzip
import io
import json
import os
import re
import signal
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import fastexcel
import polars as pl
import psycopg
import pytest
import websockets
from websockets.sync.client import connect

from engine.assess.rules.fields import FIELDS
from engine.core import refusals
from tests.service.conftest import LAND, OUTSIDE

CALCULATE = "/api/v1/risk-assessment/calculate"
STATUS = "/api/v1/risk-assessment/status/"
PORTFOLIO = "/api/v1/risk-assessment/portfolio"
BUILDING = {
    "building_age": 25,
    "structure": "철근콘크리트",
    "main_purpose": "업무시설",
    "floors_below": 2,
    "floors_above": 10,
    "has_piloti": False,
    "has_seismic_design": True,
    "fire_access": True,
}
SITE = {"latitude": LAND[0], "longitude": LAND[1], "building_info": BUILDING}


def finished(client, request_id, seconds=60):
    until = time.monotonic() + seconds
    while (state := client.get(STATUS + request_id).json())["status"] in ("queued", "running"):
        assert time.monotonic() < until, state
        time.sleep(0.1)
    return state


def assess(client, **more):
    answer = client.post(CALCULATE, json=SITE | more)
    assert answer.status_code == 202, answer.text
    return answer.json()


def messages(socket):
    found = []
    try:
        while True:
            found.append(json.loads(socket.recv(timeout=60)))
    except websockets.ConnectionClosed as closed:
        return found, closed.rcvd.code


def test_an_assessment_runs_to_its_end_and_its_results_are_stored(client):
    accepted = assess(client, asset_info={"total_asset_value": 50_000_000_000, "floor_area": 5000})
    assert accepted["status"] == "queued"
    assert accepted["websocket_url"].endswith(f"/api/v1/risk-assessment/ws/{accepted['request_id']}")
    state = finished(client, accepted["request_id"])
    assert (state["status"], state["progress"]) == ("completed", 100)
    older = client.get(f"/api/batch/{accepted['request_id']}/status").json()
    assert older["results"]["integrated_risk"]["total_risk_score"] > 0
    rates = {"priced": True, "calibrated": False, "level": None, "factor": None}
    assert older["results"]["damage_rates"] == dict.fromkeys(older["results"]["risk_types"], rates)
    assert older["completed_at"].endswith("Z")
    stored = client.get(f"/api/v1/risk-assessment/results/{LAND[0]}/{LAND[1]}").json()
    assert len(stored["exposure"]) == len(stored["vulnerability"]) == len(stored["aal_scaled"]) == 9
    assert stored["vulnerability"]["extreme_heat"]["vulnerability_score"] == 65.0
    assert stored["summary"]["total_expected_loss"] > 0
    assert stored["aal_scaled"]["drought"]["scenario_id"] == 2


def test_followers_get_every_milestone_once_and_in_order_however_late_and_leaving_stops_nothing(client):
    accepted = assess(client, building_info=None, risk_types=["drought", "cold_wave"])
    with connect(accepted["websocket_url"]) as leaver:
        leaver.recv(timeout=10)
    with connect(accepted["websocket_url"]) as one, connect(accepted["websocket_url"]) as two:
        (first, code), (second, _) = messages(one), messages(two)
    assert code == 1000
    assert first[-1] == second[-1]
    assert (first[-1]["progress"], first[-1]["status"]) == (100, "completed")
    assert first[-1]["results"]["status"] in ("success", "partial")
    for seen in (first, second):
        progress = [message["progress"] for message in seen]
        assert progress == sorted(set(progress))
        assert set(progress) >= {0, 10, 50, 80, 95, 100}
        assert not [each for each in seen if each["status"] == "running" and each["step"] == "queued"]
    with connect(accepted["websocket_url"]) as late:
        told, code = messages(late)
    assert ([(each["progress"], each["status"], each.get("step")) for each in told], code) == (
        [
            (0, "running", "Fetching H and P(H)"),
            (10, "running", "Fetching H and P(H)"),
            (50, "running", "Calculating E for drought"),
            (80, "running", "Calculating V for drought"),
            (95, "running", "Calculating integrated risk"),
            (100, "completed", None),
        ],
        1000,
    )
    assert told[-1] == first[-1]
    assert client.get(STATUS + accepted["request_id"]).json()["current_step"] == "completed"


@pytest.mark.parametrize("request_id", ["9f1c1f5e-0f0a-4d0e-9d3c-6a4b8a3f0001", "not-an-id"])
def test_an_unknown_id_is_said_and_the_socket_closed(client, request_id):
    base = str(client.base_url).replace("http", "ws")
    with connect(f"{base}/api/v1/risk-assessment/ws/{request_id}") as socket:
        assert messages(socket) == ([{"status": "error", "error": "Request ID not found"}], 4404)


def test_a_failed_job_tells_why(client):
    answer = client.post(CALCULATE, json={"latitude": OUTSIDE[0], "longitude": OUTSIDE[1]})
    with connect(answer.json()["websocket_url"]) as socket:
        said, code = messages(socket)
    assert (said[-1]["status"], said[-1]["error_message"], code) == (
        "failed",
        "Location is outside the data grid",
        1000,
    )
    assert "Traceback" not in client.get(f"/api/batch/{answer.json()['request_id']}/status").text


def test_all_faults_of_a_request_are_listed_with_their_places(client):
    wrong = {
        "latitude": 37.5,
        "longitude": 200,
        "risk_types": ["river_flod"],
        "building_info": BUILDING | {"building_age": 150, "fire_access": 1, "floors_above": None},
        "asset_info": {"insurance_coverage_rate": 2},
    }
    answer = client.post(CALCULATE, json=wrong)
    assert answer.status_code == 422
    assert [(fault["loc"], fault["msg"], fault["value"]) for fault in answer.json()["detail"]] == [
        (["body", "building_info", "building_age"], "Building age must be between 0 and 100", 150),
        (["body", "building_info", "floors_above"], "Missing required field: floors_above", None),
        (["body", "building_info", "fire_access"], "Invalid type for fire_access", 1),
        (["body", "longitude"], "Invalid longitude", 200),
        (["body", "asset_info", "insurance_coverage_rate"], "Insurance rate must be between 0 and 1", 2),
        (["body", "risk_types"], refusals.risk_type("river_flod"), ["river_flod"]),
    ]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 422, "The body is not valid JSON"),
        (b"[1]", 422, "The body must be an object"),
        (b'{"latitude": NaN, "longitude": 1}', 422, "The body is not valid JSON"),
        (b'{"latitude": 1e999, "longitude": 1}', 422, "Invalid latitude"),
        (b'{"latitude": "35.1", "longitude": 127.2}', 422, "Invalid type for latitude"),
        (b'{"latitude": 35.1, "longitude": 127.2, "site_id": "\\u0000"}', 422, "Invalid character in site_id"),
        (b'{"latitude": 35.1, "longitude": 127.2, "site_id": "\\ud800"}', 422, "Invalid character in site_id"),
        (b'{"latitude": 35.1, "longitude": 127.2, "colour": "red"}', 422, "unknown field 'colour' in request"),
        (b'{"latitude":' + b"[" * 5000 + b"]" * 5000 + b"}", 422, "The body is n"),
        (b'{"latitude": ' + b"1" * 5000 + b"}", 422, "The body is not valid JSON"),
        (b'{"x": "' + b"y" * 30_000 + b'"}', 413, "The request is larger than 20000 bytes"),
    ],
)
def test_a_body_that_is_no_site_is_refused(client, body, status, says):
    answer = client.post(CALCULATE, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    detail = answer.json()["detail"]
    assert says in (detail if isinstance(detail, str) else detail[0]["msg"])


def test_a_body_without_a_length_is_cut_off_too(client):
    def endless():
        for _ in range(40):
            yield b" " * 1000

    assert client.post(CALCULATE, content=endless()).status_code == 413


@pytest.mark.parametrize("field", [field.name for field in FIELDS if field.kind in ("text", "names")])
def test_a_statement_in_any_field_of_text_is_its_value_or_refused(client, field):
    hostile = "x'); DROP TABLE batch_jobs; --"
    value = [hostile] if field in ("risk_types", "time_periods") else hostile
    building = BUILDING | ({field: value} if field in BUILDING else {})
    body = SITE | {"building_info": building} | ({} if field in BUILDING else {field: value})
    answer = client.post(CALCULATE, json=body)
    if field in ("structure", "main_purpose", "site_id"):
        assert finished(client, answer.json()["request_id"])["status"] == "completed"
    else:
        assert answer.status_code == 422
        assert [(fault["loc"][-1], fault["value"]) for fault in answer.json()["detail"]] == [(field, value)]
    assert client.get("/health/db").status_code == 200


def test_the_older_name_takes_query_and_body(client):
    place = {"latitude": LAND[0], "longitude": LAND[1]}
    answer = client.post("/api/risk/calculate", params=place | {"risk_types": "drought,typhoon"})
    assert answer.status_code == 202
    assert answer.json()["message"] == "Risk calculation started"
    assert finished(client, answer.json()["batch_id"])["status"] == "completed"
    results = client.get(f"/api/batch/{answer.json()['batch_id']}/status").json()["results"]
    assert results["risk_types"] == ["drought", "typhoon"]
    assert client.post("/api/risk/calculate", json=place).status_code == 202
    assert client.post("/api/risk/calculate").status_code == 422


def test_an_unknown_job_or_place_is_not_found(client):
    unknown = str(uuid.uuid4())
    assert client.get(STATUS + unknown).json() == {"detail": "Request ID not found"}
    assert client.get(f"/api/batch/{unknown}/status").json() == {"detail": "Batch not found"}
    assert client.get("/api/v1/risk-assessment/results/12.5/12.5").status_code == 404
    assert client.get("/api/v1/risk-assessment/results/99/12.5").json()["detail"][0]["msg"] == "Invalid latitude"


def test_several_assets_stand_at_one_coordinate_and_each_can_be_asked_for(client):
    place = {"latitude": 35.2, "longitude": 127.1, "building_info": None, "risk_types": ["drought", "typhoon"]}
    loans = {"loan 1": 10**9, "loan 2": 2 * 10**9, None: 3 * 10**9}
    for own, value in loans.items():
        made = assess(client, **place, site_id=own, asset_info={"total_asset_value": value})
        assert finished(client, made["request_id"])["status"] == "completed"
    path = "/api/v1/risk-assessment/results/35.2/127.1"
    newest = client.get(path).json()
    assert newest["site_id"] is None
    assert newest["site_uuid"] == str(uuid.uuid5(uuid.NAMESPACE_DNS, "site:35.200000:127.100000"))
    assert [each["site_id"] for each in newest["others"]] == ["loan 2", "loan 1"]
    first = client.get(path, params={"site_id": "loan 1"}).json()
    assert first["site_uuid"] == str(uuid.uuid5(uuid.NAMESPACE_DNS, "asset::loan 1:1"))
    assert first == client.get(path, params={"site_id": first["site_uuid"]}).json()
    assert {each["site_id"] for each in first["others"]} == {"loan 2", None}
    losses = [each["summary"]["total_expected_loss"] for each in (first, newest)]
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-6)
    assert first["aal_scaled"]["drought"]["calibrated"] is False
    summary = first["summary"]
    assert (summary["loss_note"], summary["overlap_note"]) == ("index loss, not calibrated on losses", None)
    assert (summary["total_expected_loss_uncalibrated"], summary["total_expected_loss_calibrated"]) == (losses[0], None)
    assert client.get(path, params={"site_id": "loan 3"}).status_code == 404


def test_answers_of_the_older_interface_keep_its_words_for_levels(client):
    made = assess(client, asset_info={"total_asset_value": 50_000_000_000})
    finished(client, made["request_id"])
    results = client.get(f"/api/batch/{made['request_id']}/status").json()["results"]
    words = {"very_low", "low", "medium", "high", "very_high"}
    risks = results["integrated_risk"]["risk_breakdown"].values()
    assert {risk["risk_level"] for risk in risks} | {results["integrated_risk"]["risk_level"]} <= words
    assert {risk["hazard_level"] for risk in risks} <= {"MINIMAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}
    assert {risk["vulnerability_level"] for risk in results["vulnerability"].values()} <= words
    assert {risk["risk_level"] for risk in results["aal"]["risks"].values()} <= {
        *("minimal", "low", "moderate", "high", "critical")
    }
    assert results["aal"]["loss_note"] == "index loss, not calibrated on losses"


def table(kind):
    sites = pl.DataFrame(
        {
            "latitude": [35.0, 35.1, 135.0],
            "longitude": [127.1, 127.2, 127.3],
            "total_asset_value": [10**9, 2 * 10**9, None],
            "loan": ["A-1", "A-2", "A-3"],
        }
    )
    file = io.BytesIO()
    {"parquet": sites.write_parquet, "csv": sites.write_csv, "ndjson": sites.write_ndjson}[kind](file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("parquet", "application/vnd.apache.parquet"),
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
    ],
)
def test_a_portfolio_of_any_format_comes_back_as_tables(client, kind, content_type):
    answer = client.post(
        PORTFOLIO,
        content=table(kind),
        params={"risk_types": ["drought", "cold_wave"], "scenario_ids": [2, 4]},
        headers={"Content-Type": content_type, "Content-Disposition": "attachment; filename=../../../etc/passwd"},
    )
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert (accepted["accepted"], accepted["invalid"]) == (2, 1)
    where = f"{PORTFOLIO}/{accepted['request_id']}/results"
    assert finished(client, accepted["request_id"])["status"] == "completed"
    losses = pl.read_parquet(io.BytesIO(client.get(where, params={"frame": "aal"}).content))
    assert losses.height == 2 * 2 * 2
    assert set(losses["risk_type"]) == {"drought", "extreme_cold"}
    totals = client.get(where, params={"format": "parquet"})
    assert totals.headers["content-type"] == "application/vnd.apache.parquet"
    sites = pl.read_parquet(io.BytesIO(totals.content))
    first = 2 if kind == "csv" else 1  # a header is a line
    assert sites.select("row", "site_id", "loan").unique().sort("row").rows() == [
        (first, None, "A-1"),
        (first + 1, None, "A-2"),
    ]
    lines = client.get(where, params={"format": "csv"})
    assert lines.headers["content-type"].startswith("text/csv")
    assert lines.content.decode("utf-8-sig").count("A-1") == 1
    book = client.get(where, params={"format": "xlsx"})
    assert fastexcel.read_excel(book.content).sheet_names == [
        *("summary", "sites", "losses", "loss curve", "contributions", "faults", "columns"),
    ]
    failures = pl.read_parquet(io.BytesIO(client.get(where, params={"frame": "failures"}).content))
    assert "Invalid latitude" in failures["reason"].to_list()
    assert client.get(where, params={"format": "json"}).json()
    older = client.get(f"/api/batch/{accepted['request_id']}/status")
    assert older.json()["results"]["location"] == where
    assert os.environ["ENGINE_HOME"] not in older.text
    assert client.get(where, params={"frame": "../../sites"}).status_code == 422


def test_a_portfolio_has_a_curve_with_its_tails_contributions_and_storms(client):
    lines = [f"{LAND[0]},{LAND[1] + 0.0001 * i},{10**9 * (i + 1)}" for i in range(60)]
    body = "\n".join(["latitude,longitude,total_asset_value", *lines]).encode()
    asked = {"risk_types": ["river_flood", "typhoon"]}
    made = client.post(PORTFOLIO, content=body, params=asked, headers={"Content-Type": "text/csv"}).json()
    path = f"{PORTFOLIO}/{made['request_id']}/curve"
    finished(client, made["request_id"])
    told = client.get(path).json()
    assert told["note"] is None
    whole = [each for each in told["curve"] if each["risk_type"] == "all"]
    assert [each["return_period"] for each in whole][:4] == [2, 5, 10, 20]
    losses = [each["loss"] for each in whole]
    assert losses == sorted(losses)
    sites = [each for each in told["contributions"] if each["by"] == "site"]
    assert len(sites) == 50
    assert [each["tvar_99"] for each in sites] == sorted((each["tvar_99"] for each in sites), reverse=True)
    assert {each["risk_type"] for each in told["contributions"] if each["by"] == "risk"} == set(asked["risk_types"])
    [tail] = told["tails"]
    assert tail["year_losses"]["sentence"].startswith("1 in ")
    assert len(told["storms"]) <= 10
    assert {each["kind"] for each in told["curve"]} == {"aep", "oep"} if told["storms"] else {"aep"}
    table = client.get(path, params={"format": "csv"})
    assert table.headers["Content-Type"].startswith("text/csv")
    assert len(table.text.splitlines()) == len(told["curve"]) + 1
    assert client.get(path.replace(made["request_id"], "00000000-0000-0000-0000-000000000000")).status_code == 404


@pytest.mark.parametrize(
    ("content", "content_type", "status", "says"),
    [
        (b"x", "application/pdf", 415, "Send a workbook, Parquet, CSV"),
        (b"no parquet", "application/x-parquet", 422, "portfolio cannot be read"),
        (b"", "text/csv", 422, "portfolio"),
        (b"latitude,longitude\n95,127\n", "text/csv", 422, "portfolio: none of 1 row is valid"),
        (b"{]\n", "application/x-ndjson", 422, "portfolio"),
        (b"[" * 100_000, "application/x-ndjson", 422, "portfolio: line 1 is no JSON"),
        (b'{"latitude":35,"longitude":127,"structure":"\\ud800"}', "application/x-ndjson", 422, "line 1 is no JSON"),
        (b'{"latitude":35,"longitude":127,"risk_types":["\\u0000"]}', "application/x-ndjson", 422, "Unknown risk type"),
        (b"name\nx\n", "text/csv", 422, "portfolio: no column latitude, longitude"),
        (b"latitude,longitude\n" + b"35.1,127.2\n" * 501, "text/csv", 413, "at most 500 rows"),
        (gzip.compress(b"latitude,longitude\n" + b"35.1,127.2\n" * 10**6), "text/csv", 413, "at most 5,000 lines"),
        (gzip.compress(b"latitude,longitude\n" + b"35.1,127.2\n" * 501), "application/gzip", 413, "at most 500 rows"),
        (gzip.compress(bytes(30_000_000)), "text/csv", 413, "portfolio unpacks to more than 20,000,000 bytes"),
        (gzip.compress(b"latitude,longitude\n35.1,127.2\n")[:-9], "text/csv", 422, "packed by gzip and cannot be"),
        (b"latitude;longitude\n47,4;8,5;Z\xfcrich\n", "text/csv", 422, "portfolio is neither UTF-8 nor"),
    ],
)
def test_a_table_that_cannot_be_assessed_is_refused(client, content, content_type, status, says, environment):
    answer = client.post(PORTFOLIO, content=content, headers={"Content-Type": content_type})
    assert answer.status_code == status
    detail = answer.json()["detail"]
    text = detail if isinstance(detail, str) else detail[0]["msg"]
    assert says in text
    assert os.environ["ENGINE_HOME"] not in text


def test_a_packed_body_is_read_where_tables_go_and_refused_where_json_goes(client, service):
    content = gzip.compress("이름;LAT;lon\n본사;35,1;127,2\n".encode("cp949"))
    for headers in ({"Content-Type": "text/csv", "Content-Encoding": "gzip"}, {"Content-Type": "application/gzip"}):
        answer = client.post(PORTFOLIO, content=content, params={"risk_types": ["drought"]}, headers=headers)
        assert answer.status_code == 202, answer.text
        assert finished(client, answer.json()["request_id"])["status"] == "completed"
        summary = client.get(f"{PORTFOLIO}/{answer.json()['request_id']}/results", params={"format": "json"}).json()
        assert summary["notes"][0] == "read as text in cp949, separated by semicolons, with a decimal comma"
    brotli = client.post(PORTFOLIO, content=b"x", headers={"Content-Type": "text/csv", "Content-Encoding": "br"})
    assert (brotli.status_code, "Content-Encoding 'br'" in brotli.json()["detail"]) == (415, True)
    packed = gzip.compress(json.dumps(SITE).encode())
    json_body = client.post(CALCULATE, content=packed, headers={"Content-Encoding": "gzip"})
    assert (json_body.status_code, json_body.json()["detail"]) == (415, "Send JSON as it is, without Content-Encoding")


def test_a_client_that_leaves_while_it_sends_is_no_failure_of_ours(client, caplog):
    sent = "POST {} HTTP/1.1\r\nHost: here\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\n\r\nlatitude"
    for path in (PORTFOLIO, CALCULATE):
        with socket.create_connection((client.base_url.host, client.base_url.port)) as leaver:
            leaver.sendall(sent.format(path).encode())
            time.sleep(0.1)
    until = time.monotonic() + 10
    while len(re.findall(r'http_requests_total.*status="499"} 1.0', client.get("/metrics").text)) < 2:
        assert time.monotonic() < until, "not noted"
        time.sleep(0.1)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_results_of_an_unfinished_or_other_job_are_not_there(client, databases):
    with psycopg.connect(databases[1], autocommit=True) as connection:
        [(waiting,)] = connection.execute(
            "INSERT INTO batch_jobs (job_type, status) VALUES ('portfolio_risk_calculation', 'running')"
            " RETURNING batch_id::text"
        ).fetchall()
    assert client.get(f"{PORTFOLIO}/{waiting}/results").status_code == 409
    accepted = assess(client)
    assert client.get(f"{PORTFOLIO}/{accepted['request_id']}/results").status_code == 404
    assert client.get(f"{PORTFOLIO}/{uuid.uuid4()}/results").status_code == 404
    finished(client, accepted["request_id"])


def test_many_at_once_all_complete(client):
    def one(number):
        return assess(
            client, latitude=35.0 + 0.1 * (number % 3) + 0.0005 * number, building_info=None, risk_types=["drought"]
        )["request_id"]

    with ThreadPoolExecutor(10) as threads:
        ids = list(threads.map(one, range(40)))
    assert len(set(ids)) == 40
    assert {finished(client, request_id)["status"] for request_id in ids} == {"completed"}


def test_a_killed_worker_fails_its_job_which_can_be_sent_again(client, service, databases):
    supervisor = service[1].state.supervisor
    finished(client, assess(client)["request_id"])  # the worker is up
    with psycopg.connect(databases[1], autocommit=True) as connection:
        # what it is working on when it is killed
        [(taken,)] = connection.execute(
            "INSERT INTO batch_jobs (job_type, status, worker_id, started_at) SELECT 'ondemand_risk_calculation',"
            " 'running', worker_id, now() FROM batch_jobs WHERE worker_id LIKE %s LIMIT 1 RETURNING batch_id::text",
            (f"%:{supervisor.pid}",),
        ).fetchall()
    killed = supervisor.pid
    os.kill(killed, signal.SIGKILL)
    assert finished(client, taken)["status"] == "failed"
    assert client.get(f"/api/batch/{taken}/status").json()["error_message"] == "Worker lost"
    assert finished(client, assess(client)["request_id"])["status"] == "completed"
    assert supervisor.pid != killed
    with psycopg.connect(databases[1], autocommit=True) as connection:
        asked = {"latitude": LAND[0], "longitude": LAND[1], "risk_types": ["drought"]}
        connection.execute("UPDATE batch_jobs SET input_params = %s WHERE batch_id = %s", (json.dumps(asked), taken))
    retried = client.post(f"/api/v1/risk-assessment/{taken}/retry")
    assert (retried.status_code, retried.json()["status"]) == (202, "queued")
    assert finished(client, retried.json()["request_id"])["status"] == "completed"
    again = client.post(f"/api/v1/risk-assessment/{retried.json()['request_id']}/retry")
    assert (again.status_code, again.json()["detail"]) == (409, "The assessment is completed: nothing to retry")


def test_connections_cut_under_load_cost_requests_but_not_the_service(client, databases):
    async def load():
        import httpx

        async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as many:
            cell = {"lat": LAND[0], "lon": LAND[1]}

            async def ask():
                answers = []
                for _ in range(15):
                    answers.append((await many.get("/api/v1/cell", params=cell)).status_code)
                return answers

            asking = [asyncio.create_task(ask()) for _ in range(8)]
            for _ in range(3):
                await asyncio.sleep(0.1)
                with psycopg.connect(databases[1], autocommit=True) as connection:
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
            return [code for task in asking for code in await task]

    assert set(asyncio.run(load())) <= {200, 503}
    assert client.get("/health/db").status_code == 200
    assert finished(client, assess(client)["request_id"])["status"] == "completed"
