"""What-ifs, the same building elsewhere and comparisons over HTTP: figures, refusals, and that nothing is stored."""

import json

import fastexcel
import numpy as np
import polars as pl
import psycopg
import pytest

from tests.service.conftest import LAND, OUTSIDE, PORTFOLIO, finished

BUILDING = {
    "building_age": 45, "structure": "조적", "main_purpose": "업무시설", "floors_below": 2, "floors_above": 2,
    "has_piloti": False, "has_seismic_design": False, "fire_access": True,
}  # fmt: skip
SITE = {
    "latitude": LAND[0], "longitude": LAND[1], "scenario_ids": [2], "time_periods": ["mid_term"],
    "building_info": BUILDING, "asset_info": {"total_asset_value": 10_000_000_000},
}  # fmt: skip
MEASURE = {
    "name": "gates",
    "set": {"floors_below": 0, "insurance_coverage_rate": 0.5},
    "prevents": {"river_flood": 0.25},
    "cost": {"per_site": 30_000_000, "upkeep_per_site": 100_000, "discount_rate": 0.04, "years": 20},
}


def stored(databases):
    """Rows and newest times of every table of results."""
    with psycopg.connect(databases[1]) as connection:
        tables = connection.execute("SELECT relname, n_live_tup FROM pg_stat_user_tables ORDER BY 1").fetchall()
        return {
            name: connection.execute(f'SELECT count(*), md5(coalesce(string_agg(t::text, \'\' ORDER BY t::text), \'\'))'
                                     f' FROM "{name}" t').fetchone()
            for name, _ in tables
        }  # fmt: skip


def test_a_site_before_and_after_is_what_two_assessments_of_it_give(client):
    told = client.post("/api/v1/what-if", json={"site": SITE, "measure": {"set": MEASURE["set"]}}).json()
    changed = SITE | {
        "building_info": BUILDING | {"floors_below": 0},
        "asset_info": SITE["asset_info"] | {"insurance_coverage_rate": 0.5},
    }
    [pair] = told["results"]
    for which, body in (("before", SITE), ("after", changed)):
        number = finished(client, client.post("/api/v1/risk-assessment/calculate", json=body).json()["request_id"])
        aal = client.get(f"/api/batch/{number}/status").json()["results"]["scenarios"][0]["aal"]
        for name in ("total_expected_loss", "total_expected_loss_low", "total_expected_loss_high"):
            assert pair[which][name] == aal[name]
        for each in told["site_risks"]:
            assert each[f"expected_loss_{which}"] == aal["risks"][each["risk_type"]]["expected_loss"]
    assert pair["saving"]["saving"] == pair["before"]["total_expected_loss"] - pair["after"]["total_expected_loss"]
    assert pair["saving"]["saving"] == sum(each["saving"] for each in pair["saving"]["by_risk"].values())
    assert pair["saving"]["saving_low"] <= pair["saving"]["saving"] <= pair["saving"]["saving_high"]
    assert pair["appraisal"] is None
    assert {**told["measure"]["set"]} == MEASURE["set"]


def test_a_cost_is_paid_back_as_the_formulas_say_and_half_of_a_flood_is_prevented(client):
    plain = client.post("/api/v1/what-if", json={"site": SITE, "measure": {"prevents": {"river_flood": 0.25}}}).json()
    [pair] = plain["results"]
    flood = pair["before"]["expected_loss_by_risk"]["river_flood"]["expected_loss"]
    assert pair["saving"]["saving"] == pytest.approx(flood / 4, abs=1)
    assert {risk for risk, each in pair["saving"]["by_risk"].items() if each["saving"]} == {"river_flood"}
    told = client.post("/api/v1/what-if", json={"site": SITE, "measure": MEASURE}).json()
    [pair] = told["results"]
    cost, saving = pair["appraisal"], pair["saving"]["saving"]
    worth = sum(1.04**-year for year in range(1, 21))
    assert cost["simple_payback_years"] == pytest.approx(30e6 / (saving - 1e5))
    assert cost["benefit_cost_ratio"] == pytest.approx(saving * worth / (30e6 + 1e5 * worth))
    assert cost["net_present_value"] == pytest.approx((saving - 1e5) * worth - 30e6)
    assert "4 %" in pair["words"]["en"][-2]
    assert "할인율 4 %" in pair["words"]["ko"][-2]


def test_a_measure_that_moves_nothing_says_so_in_both_languages(client):
    told = client.post("/api/v1/what-if", json={"site": SITE, "measure": {"set": {"has_piloti": False}}}).json()
    [pair] = told["results"]
    assert pair["saving"]["saving"] == 0
    assert pair["words"]["en"] == ["Saves nothing: no field that the measure sets moves the loss of these sites."]
    assert pair["words"]["ko"][0].startswith("절감 효과가 없습니다.")


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"site": SITE}, 422, "Give measure as an object"),
        ({"site": SITE, "measure": {}}, 422, "the measure changes nothing"),
        ({"site": SITE, "measure": {"set": {"latitude": 3}}}, 422, "a measure cannot set 'latitude'"),
        ({"site": SITE, "measure": {"set": {"floors_bellow": 3}}}, 422, "did you mean floors_below?"),
        ({"site": SITE, "measure": {"set": {"building_age": 300}}}, 422, "Building age must be between 0 and 100"),
        ({"site": SITE, "measure": {"prevents": {"river_flood": 2}}}, 422, "give a number from 0 to 1"),
        ({"site": SITE, "measure": {"prevents": {"flod": 0.5}}}, 422, "unknown risk 'flod'"),
        ({"site": SITE, "measure": MEASURE | {"cost": {"years": 0}}}, 422, "years of cost is 0"),
        ({"site": SITE, "measure": MEASURE | {"sites": {"rows": [1]}}}, 422, "leave sites out"),
        ({"site": SITE | {"latitude": 95}, "measure": MEASURE}, 422, "Invalid latitude"),
        ({"site": SITE | {"latitude": OUTSIDE[0]}, "measure": MEASURE}, 404, "outside the data grid"),
        ({"site": SITE, "measure": MEASURE, "more": 1}, 422, "Unknown field 'more'"),
    ],
)
def test_what_is_no_what_if_is_refused_in_one_sentence(client, body, status, says):
    answer = client.post("/api/v1/what-if", json=body)
    detail = answer.json()["detail"]
    assert (answer.status_code, says in (detail if status == 404 else detail[0]["msg"])) == (status, True)
    assert status == 404 or len(detail) == 1


def test_a_measure_of_a_portfolio_saves_at_its_sites_alone_and_stores_nothing(client, portfolios, databases):
    asked = {"scenario_id": 2, "time_period": "mid_term"}
    where, before = f"{PORTFOLIO}/{portfolios[0]}", stored(databases)
    told = client.post(f"{where}/what-if", params=asked, json=MEASURE | {"sites": {"site_ids": ["A1", "A3"]}}).json()
    assert stored(databases) == before
    [pair] = told["results"]
    summary = client.get(f"{where}/results?format=json").json()["results"][0]
    for name in ("total_expected_loss", "total_expected_loss_low", "total_expected_loss_high", "loss_words"):
        assert pair["before"][name] == summary[name]
    assert (told["sites"], told["sites_taken"]) == (3, 2)
    sites = {each["site_id"]: each for each in told["saved_sites"]}
    assert sites["A2"]["saving"] == 0
    assert min(sites["A1"]["saving"], sites["A3"]["saving"]) > 0
    assert pair["saving"]["saving"] == sum(each["saving"] for each in sites.values())
    assert pair["appraisal"]["cost"] == 2 * 30_000_000
    alone = client.post(
        f"{where}/what-if", params=asked | {"of": "taken"}, json=MEASURE | {"sites": {"rows": [2]}}
    ).json()
    assert (alone["sites"], alone["sites_taken"]) == (1, 1)
    assert alone["results"][0]["before"]["total_expected_loss"] == sites["A1"]["loss_before"]
    curves = pair["curves"]
    assert curves["before"]["told"]["return_period"] == summary["year_losses"]["return_period"]
    assert curves["before"]["told"]["loss"] == pytest.approx(summary["year_losses"]["loss"])
    losses = [[point["loss"] for point in curves[which]["points"]] for which in ("before", "after")]
    assert all(after < before for before, after in zip(*losses, strict=True))


def test_the_files_of_a_what_if_hold_both_losses_and_their_difference(client, portfolios):
    where = f"{PORTFOLIO}/{portfolios[0]}/what-if"
    asked = {"scenario_id": 4, "time_period": "mid_term"}
    told = client.post(where, params=asked, json=MEASURE).json()["results"][0]
    table = pl.read_csv(client.post(where, params=asked | {"format": "csv"}, json=MEASURE).content)
    assert table["saving KRW a year"].sum() == told["saving"]["saving"]
    content = client.post(where, params=asked | {"format": "xlsx"}, json=MEASURE).content
    book = fastexcel.read_excel(content)
    assert book.sheet_names == ["what-if", "sites", "loss curve"]
    rows = book.load_sheet("what-if", header_row=None, dtypes="string").to_polars().rows()
    found = {row[3]: int(row[5]) for row in rows if row[4] == "all risks"}
    assert found == {
        "before": told["before"]["total_expected_loss"],
        "after": told["after"]["total_expected_loss"],
        "saving": told["saving"]["saving"],
    }


def test_a_portfolio_refuses_what_it_was_not_assessed_for_and_rows_that_it_has_not(client, portfolios):
    where = f"{PORTFOLIO}/{portfolios[0]}/what-if"
    answer = client.post(where, params={"scenario_id": 3, "time_period": "mid_term"}, json=MEASURE)
    assert (answer.status_code, answer.json()["detail"][0]["msg"]) == (
        422, "the sites are not assessed for SSP3-7.0 and mid_term",
    )  # fmt: skip
    asked = {"scenario_id": 2, "time_period": "mid_term"}
    answer = client.post(where, params=asked, json=MEASURE | {"sites": {"rows": [99]}})
    assert "none of the sites takes the measure" in answer.json()["detail"][0]["msg"]
    assert client.post(f"{PORTFOLIO}/{portfolios[0][:-4]}0000/what-if", params=asked, json=MEASURE).status_code == 404


def test_the_same_building_elsewhere_has_the_loss_that_an_assessment_there_gives(client):
    told = client.post("/api/v1/where-else", json={"site": SITE, "within_km": 60}).json()
    assert told["counted"]
    assert told["candidates"]
    losses = [each["total_expected_loss"] for each in told["candidates"]]
    assert losses == sorted(losses)
    assert losses[-1] < told["here"]["total_expected_loss"]
    assert all(each["kilometres"] <= 60 for each in told["candidates"])
    best = told["candidates"][0]
    asked = SITE | {"latitude": best["latitude"], "longitude": best["longitude"], "risk_types": told["counted"]}
    for place, figures in ((asked, best), (SITE | {"risk_types": told["counted"]}, told["here"])):
        number = finished(client, client.post("/api/v1/risk-assessment/calculate", json=place).json()["request_id"])
        aal = client.get(f"/api/batch/{number}/status").json()["results"]["scenarios"][0]["aal"]
        for name in ("total_expected_loss", "total_expected_loss_low", "total_expected_loss_high"):
            assert figures[name] == aal[name]
        for risk in told["counted"]:
            assert figures["by_risk"][risk] == pytest.approx(aal["risks"][risk]["final_aal"], abs=1e-6)


def test_the_layer_the_sheet_and_the_candidates_tell_the_same_and_no_risk_counts_as_zero(client):
    body = {"site": SITE, "within_km": 500, "most": 100}
    told = client.post("/api/v1/where-else", json=body).json()
    table = pl.read_csv(client.post("/api/v1/where-else?format=csv", json=body).content)
    meta = client.get("/api/v1/map").json()
    values = np.frombuffer(client.post("/api/v1/where-else?format=values", json=body).content, "<f4")
    width = round((meta["east"] - meta["west"]) / meta["step"])
    grid = values.reshape(-1, width)
    for each in table.iter_rows(named=True):
        row = int((meta["north"] - each["latitude"]) / meta["step"])
        column = int((each["longitude"] - meta["west"]) / meta["step"])
        shown = grid[row, column]
        if each["lacking"]:
            assert np.isnan(shown)
            assert each["total_aal"] is None
        else:
            assert shown == pytest.approx(each["total_aal"], rel=1e-6)
            assert each["total_aal"] == pytest.approx(sum(each[f"aal_{risk}"] for risk in told["counted"]))
    assert told["cells"] == table.height == int((values != -np.inf).sum())
    assert told["cells_without"] == int(np.isnan(values).sum())
    ranked = table.filter(pl.col("total_aal") < told["here"]["total_aal"]).sort("total_aal")
    assert [each["grid_id"] for each in told["candidates"]][:3] == ranked["grid_id"].to_list()[:3]
    flood = np.frombuffer(
        client.post("/api/v1/where-else?format=values&risk_type=river_flood", json=body).content, "<f4"
    )
    assert np.nanmax(flood[flood != -np.inf]) == pytest.approx(table["aal_river_flood"].max(), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"within_km": 0}, 422, "Give kilometres above 0"),
        ({"most": 1000}, 422, "Give a whole number of 1 to 200"),
        ({"site": SITE | {"scenario_ids": [2, 4]}}, 422, "one scenario and one period"),
        ({"site": SITE | {"latitude": OUTSIDE[0]}}, 404, "outside the data grid"),
        ({"site": SITE | {"risk_types": ["flood"]}}, 422, "Unknown risk type"),
        ({"site": 3}, 422, "Give site as an object"),
    ],
)
def test_where_else_refuses_in_one_sentence(client, change, status, says):
    answer = client.post("/api/v1/where-else", json={"site": SITE} | change)
    detail = answer.json()["detail"]
    assert (answer.status_code, says in (detail if status == 404 else detail[0]["msg"])) == (status, True)


def test_two_portfolios_are_joined_by_id_and_every_change_names_its_field(client, portfolios):
    first, second = portfolios
    told = client.get(f"{PORTFOLIO}/{first}/compare", params={"with": second}).json()
    assets = {each["key"]: each for each in told["assets"]}
    assert {key: each["status"] for key, each in assets.items()} == {"A1": "changed", "A2": "gone", "A4": "new"}
    assert assets["A1"]["changes"] == [{"field": "floors_below", "before": "2", "after": "0"}]
    assert told["counts"]["same"] == {"assets": 1, "difference": 0}
    assert told["difference"] == sum(each["difference"] for each in told["assets"])
    assert told["difference"] == sum(each["difference"] for each in told["by_risk"])
    assert told["first"]["curve"]
    assert "share its errors" in told["difference_note"]["en"]
    book = client.get(f"{PORTFOLIO}/{first}/compare", params={"with": second, "format": "xlsx"}).content
    assert fastexcel.read_excel(book).sheet_names == ["comparison", "sites", "loss curve"]
    table = pl.read_csv(client.get(f"{PORTFOLIO}/{first}/compare", params={"with": second, "format": "csv"}).content)
    assert table.filter(pl.col("asset") == "A1")["what changed, from -> to"].to_list() == ["floors_below: 2 -> 0"]


def test_two_scenarios_of_one_portfolio_differ_by_results_alone(client, portfolios):
    asked = {"with": portfolios[0], "scenario_id": 2, "with_scenario_id": 4}
    told = client.get(f"{PORTFOLIO}/{portfolios[0]}/compare", params=asked).json()
    assert {each["status"] for each in told["assets"]} == {"results"}
    assert all(each["new_results"] and not each["changes"] for each in told["assets"])
    assert (told["first"]["scenario_id"], told["second"]["scenario_id"]) == (2, 4)
    answer = client.get(f"{PORTFOLIO}/{portfolios[0]}/compare", params=asked | {"with_scenario_id": 3})
    assert (answer.status_code, "was not assessed for SSP3-7.0" in json.dumps(answer.json())) == (422, True)
