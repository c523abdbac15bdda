"""Published results and the health of the service, over HTTP."""

import json
import re

import httpx
import psycopg
import pytest

from engine.core import refusals
from engine.core.names import RISK_NAMES
from engine.io.queue import job_logs
from tests.service.conftest import LAND, OUTSIDE, SEA, running

RISKS = f"known: {', '.join(RISK_NAMES)}"
MID = "known: full, short_term, mid_term, long_term; did you mean mid_term?"


def at(place, **more):
    return {"lat": place[0], "lon": place[1], **more}


def test_probability_is_the_row_of_the_cell_that_holds_the_point(client, databases):
    answer = client.get("/api/v1/probability", params=at((35.12, 127.17), risk_type="drought"))
    assert answer.status_code == 200
    body = answer.json()
    assert {"latitude", "longitude", "risk_type", "aal", "bin_data", "calculated_at"} <= set(body)
    with psycopg.connect(databases[1]) as connection:
        aal, bins = connection.execute(
            "SELECT aal, bin_data FROM probability_results WHERE risk_type = 'drought'"
            " AND latitude = 35.1 AND longitude = 127.2"
        ).fetchone()
    assert (body["latitude"], body["longitude"]) == (35.1, 127.2)
    assert body["aal"] == pytest.approx(aal, rel=1e-6)
    assert body["bin_data"] == bins
    assert set(bins[0]) == {"bin", "range", "probability", "base_damage_rate"}
    assert body["calculated_at"].endswith("Z")


def test_a_window_of_another_scenario_has_the_ranges_of_the_cell(client, databases):
    chosen = at(LAND, risk_type="wildfire", scenario_id=4, time_period="long_term")
    body = client.get("/api/v1/probability", params=chosen).json()
    full = client.get("/api/v1/probability", params=at(LAND, risk_type="wildfire")).json()
    assert [each["range"] for each in body["bin_data"]] == [each["range"] for each in full["bin_data"]]
    assert sum(each["probability"] for each in body["bin_data"]) == pytest.approx(1, abs=1e-3)
    rates = [each["base_damage_rate"] * each["probability"] for each in body["bin_data"]]
    assert body["aal"] == pytest.approx(sum(rates), abs=1e-4)
    assert body["aal"] != full["aal"]


def test_the_period_left_out_is_the_longest_there_is(client):
    stated = client.get("/api/v1/probability", params=at(LAND, risk_type="drought", time_period="full"))
    assert client.get("/api/v1/probability", params=at(LAND, risk_type="drought")).json() == stated.json()
    other = client.get("/api/v1/probability", params=at(LAND, risk_type="drought", scenario_id=3)).json()
    assert (other["scenario_id"], other["time_period"]) == (3, "mid_term")


def test_hazard_levels_agree_between_the_axis_and_its_windows(client):
    full = client.get("/api/v1/hazard", params=at(LAND, risk_type="typhoon")).json()
    assert full["hazard_score_100"] == pytest.approx(100 * full["hazard_score"], rel=1e-5)
    levels = ["MINIMAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
    for period in ("short_term", "mid_term", "long_term"):
        window = client.get(
            "/api/v1/hazard", params=at(LAND, risk_type="typhoon", scenario_id=1, time_period=period)
        ).json()
        assert window["hazard_level"] == levels[min(4, int(window["hazard_score_100"] // 20))]
        assert 0 <= window["percentile"] <= 100
    assert full["hazard_level"] == levels[min(4, int(full["hazard_score_100"] // 20))]


def test_a_cell_has_all_risks_scenarios_and_windows(client):
    body = client.get("/api/v1/cell", params=at(LAND)).json()
    assert next(iter(body["risks"])) == "extreme_heat"
    assert len(body["risks"]) == 9
    for risk in body["risks"].values():
        assert len(risk["windows"]) == 12
        assert len({(each["scenario"], each["time_period"]) for each in risk["windows"]}) == 12


def test_an_answer_names_the_runs_of_its_rows_and_what_they_are_of(client, databases):
    asked = at(LAND, risk_type="drought")
    own = ["run_id", "edition", "scope", "baseline", "published_at"]
    for path in ("probability", "hazard", "cell"):
        body = client.get(f"/api/v1/{path}", params=asked).json()
        assert (body["scope"], body["scope_note"]) == ("full", None), path
        [run] = body["runs"]
        assert [*run] == own
    with psycopg.connect(databases[1], autocommit=True) as connection:
        [number] = connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline)"
            " VALUES ('hazard', 'synthetic', 'mine', repeat('0', 64), repeat('0', 64), '') RETURNING run_id"
        ).fetchone()
        change = "UPDATE hazard_results SET run_id = %s WHERE risk_type = 'drought'"
        connection.execute(change, [number])
        try:
            said = {
                path: client.get(f"/api/v1/{path}", params=asked).json() for path in ("probability", "hazard", "cell")
            }
            window = client.get("/api/v1/hazard", params=asked | {"scenario_id": 4, "time_period": "long_term"}).json()
        finally:
            connection.execute(change, [run["run_id"]])
            connection.execute("DELETE FROM result_runs WHERE run_id = %s", [number])
    assert {path: body["scope"] for path, body in said.items()} == {
        "probability": "full",
        "hazard": "synthetic",
        "cell": "synthetic",
    }
    assert said["hazard"]["scope_note"] == "synthetic input: not a statement about any place"
    assert [each["run_id"] for each in said["hazard"]["runs"]] == [number]
    assert [each["run_id"] for each in said["cell"]["runs"]] == [run["run_id"], number]
    assert window["runs"] == said["hazard"]["runs"]


def test_older_names_lead_to_the_same_results(client):
    older = client.get("/api/v1/hazard", params=at(LAND, risk_type="coastal_flood")).json()
    assert older == client.get("/api/v1/hazard", params=at(LAND, risk_type="sea_level_rise")).json()


@pytest.mark.parametrize("path", ["/api/v1/probability", "/api/v1/hazard"])
@pytest.mark.parametrize("place", [OUTSIDE, (35.37, 127.5)])
def test_a_place_without_a_cell_within_reach_is_not_found(client, path, place):
    answer = client.get(path, params=at(place, risk_type="drought"))
    assert (answer.status_code, answer.json()) == (404, {"detail": "Location is outside the data grid"})


def test_a_place_whose_cell_is_sea_takes_the_nearest_cell_with_results_everywhere_alike(client):
    for path, more in (("probability", {"risk_type": "drought"}), ("hazard", {"risk_type": "drought"}), ("cell", {})):
        near = client.get(f"/api/v1/{path}", params=at(SEA, **more)).json()
        assert (near["grid_id"], near["cell_basis"]) == (15, "nearest"), path
        assert near["cell_distance_m"] == pytest.approx(11_119.5, abs=0.1)
        own = client.get(f"/api/v1/{path}", params=at((35.21, 127.4), **more)).json()
        assert (own["grid_id"], own["cell_basis"]) == (15, "own"), path
        assert own["cell_distance_m"] == pytest.approx(1_112, abs=0.1)
    # a little outside of the lattice, too
    edge = client.get("/api/v1/hazard", params=at((34.949, 127.0), risk_type="drought")).json()
    assert (edge["grid_id"], edge["cell_basis"]) == (1, "nearest")


@pytest.mark.parametrize(
    ("changed", "loc", "says"),
    [
        ({"lat": 91}, ["query", "lat"], "Invalid latitude"),
        ({"lat": "nan"}, ["query", "lat"], "Invalid latitude"),
        ({"lon": "'; DROP TABLE batch_jobs; --"}, ["query", "lon"], "Invalid longitude"),
        (
            {"risk_type": "river_flod"},
            ["query", "risk_type"],
            refusals.risk_type("river_flod"),
        ),
        ({"risk_type": "' OR 1=1 --"}, ["query", "risk_type"], f"Unknown risk type: ' OR 1=1 --; {RISKS}"),
        (
            {"scenario_id": 5},
            ["query", "scenario_id"],
            refusals.scenario("5"),
        ),
        (
            {"time_period": "mid"},
            ["query", "time_period"],
            f"Unknown time period: mid; {MID}",
        ),
        (
            {"scenario_id": 1, "time_period": "full"},
            ["query", "time_period"],
            refusals.LONE_FULL,
        ),
        ({"lat": None}, ["query", "lat"], "Missing required field: lat"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value(client, changed, loc, says):
    parameters = {name: value for name, value in (at(LAND, risk_type="drought") | changed).items() if value is not None}
    answer = client.get("/api/v1/probability", params=parameters)
    assert answer.status_code == 422
    [fault] = answer.json()["detail"]
    assert (fault["loc"], fault["msg"]) == (loc, says)
    assert "value" in fault


def test_what_the_schedule_would_meet_is_shown_by_readiness_and_metrics(client, databases):
    with psycopg.connect(databases[1], autocommit=True) as connection:
        job_logs.record_check(connection, "failed", "EDITION cannot be used: no such file")
        try:
            assert client.get("/health/ready").json()["schedule_faults"] == "EDITION cannot be used: no such file"
            assert 'schedule_check_timestamp_seconds{status="failed"}' in client.get("/metrics").text
            job_logs.record_check(connection, "completed", None)
            assert client.get("/health/ready").json()["schedule_faults"] is None
            assert 'schedule_check_timestamp_seconds{status="failed"}' not in client.get("/metrics").text
        finally:
            connection.execute("DELETE FROM batch_job_logs WHERE job_type = 'check'")


def test_health_tells_process_database_and_readiness_apart(client):
    assert client.get("/health").json()["status"] == "healthy"
    assert (client.head("/health").status_code, client.head("/health").content) == (200, b"")
    assert client.get("/health/db").json()["database"] == "connected"
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json()["rows"] == {
        "probability_results": 153,
        "hazard_results": 153,
        "modelops_probability_scores": 1836,
        "modelops_hazard_scores": 1836,
        "modelops_year_losses": 153,
    }
    assert ready.json()["spatial_layers"] == []
    for path in ("/api/health", "/api/health/db"):
        assert client.get(path).json()["status"] == "ok"


def test_requests_have_an_id_and_are_counted_by_route(client, caplog):
    caplog.set_level("INFO")
    assert client.get("/health", headers={"X-Request-ID": "mine-1"}).headers["X-Request-ID"] == "mine-1"
    made = client.get("/nowhere/../etc/passwd", headers={"X-Request-ID": "bad id!"})
    assert made.status_code == 404
    assert made.json() == {"detail": "Not Found"}
    assert re.fullmatch(r"[0-9a-f-]{36}", made.headers["X-Request-ID"])
    assert any(record.__dict__.get("request_id") == "mine-1" for record in caplog.records)
    figures = client.get("/metrics").text
    assert 'http_requests_total{method="GET",route="/health",status="200"}' in figures
    assert 'http_requests_total{method="GET",route="(none)",status="404"}' in figures
    assert "database_up 1.0" in figures


def test_admin_routes_are_closed_while_no_key_is_configured(client):
    for key in ({}, {"X-API-Key": ""}, {"X-API-Key": "guess"}):
        assert client.post("/admin/aiops/trigger/hazard", headers=key).status_code == 401


def test_every_route_is_described_with_its_refusals(client):
    document = client.get("/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert told["description"], (method, path)
            good = [code for code in told["responses"] if code.startswith("2")]
            assert good, (method, path)
            if path.startswith("/api"):
                assert "401" in told["responses"], (method, path)
    text = json.dumps(document)
    for name in set(re.findall(r"#/components/schemas/(\w+)", text)):
        assert name in document["components"]["schemas"]


def test_a_key_guards_the_interface_and_a_database_that_is_away_is_503(databases, environment):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_KEY", "open sesame")
        patch.setenv("API_CORS_ORIGINS", "https://maps.example")
        with running() as (url, app), httpx.Client(base_url=url, timeout=30) as client:
            right = {"X-API-Key": "open sesame"}
            path, place = "/api/v1/hazard", at(LAND, risk_type="drought")
            for key in ({}, {"X-API-Key": "open sesam"}, {"X-API-Key": "ä".encode("latin-1")}):
                answer = client.get(path, params=place, headers=key)
                assert (answer.status_code, answer.json()["detail"]) == (401, "Wrong or missing API key")
            assert client.get(path, params=place, headers=right).status_code == 200
            assert client.get("/health").status_code == 200
            assert client.get("/api/health").status_code == 401

            with psycopg.connect(databases[1], autocommit=True) as connection:
                then = connection.execute("SELECT clock_timestamp()").fetchone()
            answer = client.post("/admin/aiops/trigger/hazard", headers=right)
            assert answer.json() == {"message": "Hazard Score batch job triggered successfully"}
            answer = client.post("/admin/aiops/trigger/probability", headers=right)
            assert answer.json() == {"message": "Probability batch job triggered successfully"}
            with psycopg.connect(databases[1], autocommit=True) as connection:
                queued = connection.execute(
                    "DELETE FROM batch_jobs WHERE job_type IN ('hazard', 'probability') AND status = 'queued'"
                    " AND created_at > %s RETURNING job_type",
                    then,
                ).fetchall()
            assert sorted(queued) == [("hazard",), ("probability",)]

            allowed = client.options(
                path, headers={"Origin": "https://maps.example", "Access-Control-Request-Method": "GET"}
            )
            assert allowed.headers["access-control-allow-origin"] == "https://maps.example"
            assert "access-control-allow-credentials" not in allowed.headers
            other = client.get(path, params=place, headers=right | {"Origin": "https://evil.example"})
            assert "access-control-allow-origin" not in other.headers

            app.state.context.pool.close()
            answer = client.get(path, params=place, headers=right)
            assert (answer.status_code, answer.json()) == (503, {"detail": "The database is not available"})
            assert answer.headers["Retry-After"] == "5"
            sick = client.get("/health/db")
            assert (sick.status_code, sick.json()["database"]) == (503, "disconnected")
            assert client.get("/health/ready").status_code == 503
            assert "database_up 0.0" in client.get("/metrics").text
