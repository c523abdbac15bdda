"""The explanation of a published figure over HTTP: recomputed by the lines of the page, refused where it cannot be."""

from contextlib import contextmanager

import psycopg
import pytest
from psycopg.types.json import Jsonb

from benchmarks import explain as page
from engine.core.names import RISK_NAMES
from engine.service import turn
from tests.service.conftest import LAND, OUTSIDE
from tests.service.test_assessments import CALCULATE, finished

PLACE = {"lat": LAND[0], "lon": LAND[1]}
ASKED = PLACE | {"risk_type": "river_flood"}


def explained(client, **asked):
    answer = client.get("/api/v1/explain", params=PLACE | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@contextmanager
def changed(databases, column, value):
    """The run's record with another value in a column."""
    with psycopg.connect(databases[1], autocommit=True) as connection:
        rows = connection.execute(f"SELECT run_id, {column} FROM result_runs").fetchall()
        connection.execute(f"UPDATE result_runs SET {column} = %s", (value,))
        try:
            yield
        finally:
            for number, before in rows:
                kept = Jsonb(before) if isinstance(before, dict) else before
                connection.execute(f"UPDATE result_runs SET {column} = %s WHERE run_id = %s", (kept, number))


def test_every_risk_is_explained_as_it_is_published_and_the_page_recomputes_it(client):
    lines = page.lines()
    for risk in RISK_NAMES:
        for pair in ({}, {"scenario_id": 4, "time_period": "long_term"}):
            told = explained(client, risk_type=risk, **pair)
            published = client.get("/api/v1/probability", params=PLACE | pair | {"risk_type": risk}).json()
            assert told["stored"]["agrees"], (risk, told["figure"], told["stored"])
            assert all(told["stored"][name] == published[name] for name in ("aal", "aal_se", "bin_data", "n_samples"))
            apart = [each for each in page.difference(told, lines) if each is not None]
            assert max(apart, default=0.0) <= 1e-12, (risk, pair)
            assert (told["scope"], told["runs"]) == (published["scope"], published["runs"])
            scored = client.get("/api/v1/hazard", params=PLACE | pair | {"risk_type": risk}).json()
            assert told["hazard"]["score"] == pytest.approx(scored["hazard_score"], abs=1e-4)


def test_an_answer_says_where_its_edges_rates_and_data_come_from(client):
    told = explained(client, risk_type="extreme_heat", scenario_id=3, time_period="mid_term")
    assert told["edition"]["text"].startswith("[extreme_heat]")
    assert told["edition"]["file"] == "2025-11.toml"
    assert "past, not how hot it is" in (told["edges"]["note"] or "past, not how hot it is")
    assert [(each["name"], each["scenario_id"]) for each in told["inputs"]] == [("wsdi", 3), ("wsdi", 2)]
    assert told["inputs"][0]["unit"] == "days"
    assert (told["window"], told["samples"]["years"][0]) == ({"first": 2041, "last": 2060}, 2041)
    assert len(told["source"]["fingerprint"]) == 64
    assert "@" not in told["source"]["address"]
    assert told["source"]["address"]


def test_the_factors_of_a_site_make_its_loss(client):
    asset = {"total_asset_value": 5_000_000_000, "insurance_coverage_rate": 0.3}
    site = {"latitude": LAND[0], "longitude": LAND[1], "asset_info": asset}
    finished(client, client.post(CALCULATE, json=site).json()["request_id"])
    stored = client.get(f"/api/v1/risk-assessment/results/{LAND[0]}/{LAND[1]}").json()
    told = explained(client, risk_type="typhoon", time_period="mid_term", site_id=stored["site_uuid"])
    loss, score = told["site"]["loss"], told["site"]["vulnerability"]["vulnerability_score"]
    assert loss["vulnerability_scale"] == pytest.approx(0.9 + 0.002 * score, abs=1e-4)
    assert loss["final_aal"] == pytest.approx(loss["base_aal"] * loss["vulnerability_scale"] * 0.7, rel=1e-3)
    assert loss["expected_loss"] == pytest.approx(loss["final_aal"] * 5_000_000_000, abs=1)
    assert loss["base_aal"] == pytest.approx(told["figure"]["aal"], rel=1e-6)
    assert told["site"]["same_run"]
    assert explained(client, risk_type="typhoon", scenario_id=1, site_id=stored["site_uuid"])["site"]["loss"] is None
    unknown = client.get("/api/v1/explain", params=ASKED | {"site_id": "nobody"})
    assert (unknown.status_code, "asset" in unknown.json()["detail"]) == (404, True)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("source_fingerprint", "0" * 64, "have changed since run 1 read them (fingerprint 00000000 then"),
        ("edition", "house-2026", "is a file of its user"),
        ("edition_checksums", Jsonb({"river_flood": "f" * 64}), "other figures of river_flood now"),
        ("summary", Jsonb({"source": "/nowhere/store"}), "store /nowhere/store, which is not there"),
    ],
)
def test_a_figure_whose_data_or_edition_changed_is_409_with_the_reason(client, databases, column, value, reason):
    with changed(databases, column, value):
        answer = client.get("/api/v1/explain", params=ASKED)
    assert answer.status_code == 409
    assert reason in answer.json()["detail"]


def test_a_warehouse_that_is_away_is_409_without_its_address(client, service, monkeypatch):
    context = service[1].state.context
    monkeypatch.setattr(context, "warehouse", context.warehouse.replace("service_warehouse", "nowhere"))
    answer = client.get("/api/v1/explain", params=ASKED)
    assert (answer.status_code, answer.json()["detail"]) == (409, "The climate data of run 1 cannot be read now")


def test_what_is_not_there_or_not_asked_for_rightly_is_refused(client):
    assert client.get("/api/v1/explain", params=ASKED | {"lat": OUTSIDE[0], "lon": OUTSIDE[1]}).status_code == 404
    assert client.get("/api/v1/explain", params=ASKED | {"scenario_id": 4, "time_period": "full"}).status_code == 422
    assert client.get("/api/v1/explain", params=PLACE | {"risk_type": "meteor"}).status_code == 422


def test_an_answer_is_not_sent_again_and_a_request_that_waits_too_long_is_told(client, service, monkeypatch):
    tag = client.get("/api/v1/explain", params=ASKED).headers["ETag"]
    again = client.get("/api/v1/explain", params=ASKED, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    with service[1].state.levels._turn.taken():
        busy = client.get("/api/v1/explain", params=ASKED | {"scenario_id": 1})
        assert (busy.status_code, busy.headers["Retry-After"]) == (503, "5")
        assert client.get("/api/v1/explain", params=ASKED).status_code == 200  # kept
