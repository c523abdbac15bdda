"""Loss steps and return levels of a cell, against the same figures worked out from other answers."""

import numpy as np
import psycopg
import pytest

from engine import losses
from engine.kernels import return_levels
from engine.service import cell_answers, cell_levels, turn
from tests.service.conftest import LAND

PLACE = {"lat": LAND[0], "lon": LAND[1]}
PERIODS = [10.0, 20.0, 50.0, 100.0]


def levels(client, **asked):
    answer = client.get("/api/v1/cell/return-levels", params=PLACE | asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("asked", [{}, {"scenario_id": 4, "time_period": "long_term"}])
def test_the_steps_of_a_cell_are_sums_of_its_bins_from_the_severest_down(client, asked):
    told = client.get("/api/v1/probability", params=PLACE | asked | {"risk_type": "typhoon"}).json()
    bins = told["bin_data"]
    by_hand = [
        {"damage_rate": each["base_damage_rate"], "probability": sum(b["probability"] for b in bins[i:])}
        for i, each in enumerate(bins)
    ]
    assert [each["damage_rate"] for each in told["loss_steps"]] == [each["damage_rate"] for each in by_hand]
    shares = [each["probability"] for each in told["loss_steps"]]
    assert shares == pytest.approx([min(each["probability"], 1) for each in by_hand], abs=1e-8)
    assert shares == sorted(shares, reverse=True)


def test_a_cell_has_the_steps_of_every_risk(client):
    risks = client.get("/api/v1/cell", params=PLACE).json()["risks"]
    assert all(risks[risk]["probability"]["loss_steps"][0]["damage_rate"] == 0 for risk in ("typhoon", "river_flood"))


def test_bins_without_damage_rates_have_no_steps_and_equal_rates_one():
    bins = [{"probability": p, "base_damage_rate": rate} for p, rate in ((0.5, 0.0), (0.3, 0.1), (0.2, 0.1))]
    steps = cell_answers.steps_of(bins)
    assert steps == [{"damage_rate": 0.0, "probability": 1.0}, {"damage_rate": 0.1, "probability": 0.5}]
    assert cell_answers.steps_of([bins[0] | {"base_damage_rate": None}]) is None
    assert cell_answers.steps_of(None) is None


def test_the_steps_of_a_cell_are_those_of_the_losses_to_the_last_bit():
    rng = np.random.default_rng(3)
    for _ in range(200):
        shares, rates = rng.dirichlet(np.ones(6)).round(8), np.sort(rng.choice([0.0, 0.1, 0.25, 0.5, 1.0], 6))
        bins = [{"probability": p, "base_damage_rate": r} for p, r in zip(shares.tolist(), rates.tolist(), strict=True)]
        reached = losses.loss_steps([shares], rates)[0].round(8)
        expected = dict(zip(rates.tolist(), reached.tolist(), strict=True))
        assert {each["damage_rate"]: each["probability"] for each in cell_answers.steps_of(bins)} == expected


def test_return_levels_are_of_the_series_that_the_climate_route_gives(client):
    told = levels(client, risk_type="river_flood", scenario_id=4, time_period="long_term")
    asked = PLACE | {"variables": "rx5day", "scenarios": "4", "from": 2081, "to": 2100}
    series = client.get("/api/v1/climate", params=asked).json()["variables"]["rx5day"]
    found = return_levels(np.array([series], np.float32), PERIODS, lower=0.0)
    assert [each["return_period"] for each in told["levels"]] == PERIODS
    for name, column in (("level", found.level), ("low", found.low), ("high", found.high)):
        assert [each[name] for each in told["levels"]] == pytest.approx(column[0].tolist(), rel=1e-6)
    assert (told["unit"], told["method"], told["years"], told["reason"]) == ("mm", "gev", 20, None)
    assert (told["first_year"], told["last_year"], told["same_climate"]) == (2081, 2100, True)


def test_an_index_that_falls_as_it_gets_worse_has_falling_levels(client):
    told = levels(client, risk_type="drought")
    asked = PLACE | {"variables": "spei12"}
    months = np.array(client.get("/api/v1/climate", params=asked).json()["variables"]["spei12"], np.float32)
    found = return_levels(-months.reshape(1, -1, 12).min(axis=2), PERIODS)
    assert told["lower_is_worse"]
    assert told["sample"] == "largest month of the year"
    assert [each["level"] for each in told["levels"]] == pytest.approx((-found.level[0]).tolist(), rel=1e-6)
    assert [each["low"] for each in told["levels"]] == pytest.approx((-found.high[0]).tolist(), rel=1e-6)


def test_typhoon_has_the_years_of_its_tracks_and_every_risk_says_levels_or_why_not(client):
    for risk in client.get("/api/v1/map").json()["risks"]:
        told = levels(client, risk_type=risk)
        assert (told["levels"] is None) == (told["reason"] is not None), told
        if risk == "typhoon":
            assert (told["first_year"], told["years"]) == (None, 20)
    assert "no return period" in levels(client, risk_type="sea_level_rise")["reason"]


def test_a_warehouse_that_is_away_leaves_the_reason_and_not_an_error(client, service, monkeypatch):
    context = service[1].state.context
    monkeypatch.setattr(context, "warehouse", context.warehouse.replace("service_warehouse", "nowhere"))
    told = levels(client, risk_type="river_flood")
    assert (told["levels"], told["reason"], told["same_climate"]) == (None, cell_levels.AWAY, None)


def test_the_same_levels_are_not_sent_again(client):
    asked = PLACE | {"risk_type": "urban_flood"}
    tag = client.get("/api/v1/cell/return-levels", params=asked).headers["ETag"]
    again = client.get("/api/v1/cell/return-levels", params=asked, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


def test_a_cell_that_has_to_wait_too_long_says_so(client, service, monkeypatch):
    monkeypatch.setattr(turn, "PATIENCE", 0.05)
    with service[1].state.levels._turn.taken():
        assert levels(client, risk_type="wildfire", time_period="mid_term")["reason"] == cell_levels.BUSY
    assert levels(client, risk_type="wildfire", time_period="mid_term")["levels"]


def test_an_edition_whose_file_is_not_here_has_no_levels_and_says_so(client, databases):
    with psycopg.connect(databases[1], autocommit=True) as connection:
        connection.execute("UPDATE result_runs SET edition = 'house-2026'")
        try:
            told = levels(client, risk_type="river_flood")
        finally:
            connection.execute("UPDATE result_runs SET edition = '2025-11'")
    assert told["reason"] == "the edition house-2026 is not a published one, and its file is not here"
    assert (told["levels"], told["unit"]) == (None, None)
