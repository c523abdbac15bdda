"""The map: pictures of layers, and the page in a real browser."""

import math
import os
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
from playwright.sync_api import expect
from psycopg.types.json import Jsonb

from engine.assess.rules.offered import RISKS
from engine.core.false_discovery import not_told_apart
from engine.core.period import Years
from engine.io.results import published_cells, published_runs
from engine.io.results.spool import RunDirectory
from engine.maps import picture
from engine.service import cell_answers, map_run
from engine.service.kept import Kept
from jobs import ensemble
from tests.assess.databases import fill_results
from tests.roles import as_role
from tests.service.conftest import LAND, SEA, running

LAYER = "/api/v1/map/hazard/drought"


def pixels(data):
    """(rows, columns) of colours, '' where transparent: a second reader of the format."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    parts, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length]) == (zlib.crc32(kind + body),)
        parts[kind] = body
        at += 12 + length
    width, height, depth, colour = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (depth, colour) == (8, 3)
    rows = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(height, width + 1)
    palette = ["#" + parts[b"PLTE"][i : i + 3].hex() for i in range(0, len(parts[b"PLTE"]), 3)]
    return [["" if place == 0 else palette[place] for place in row] for row in rows[:, 1:]]


def test_a_layer_has_a_pixel_a_cell_in_the_colour_of_its_class(client, databases):
    found = pixels(client.get(LAYER, params={"scenario_id": 4, "time_period": "long_term"}).content)
    with psycopg.connect(databases[1]) as connection:
        rows = connection.execute(
            "SELECT grid_id, score FROM modelops_hazard_scores WHERE risk_type = 'drought' AND scenario_id = 4"
            " AND time_period = 'long_term'"
        ).fetchall()
    expected = [[""] * 5 for _ in range(4)]
    for cell, score in rows:
        north, east = divmod(cell - 1, 5)
        expected[3 - north][east] = picture.SCALES["hazard"].colours[min(9, int(10 * score))]
    assert found == expected
    assert sum(colour == "" for row in found for colour in row) == 3  # the sea


def test_a_value_on_a_limit_belongs_to_the_upper_class_and_none_is_grey():
    scale = picture.SCALES["hazard"]
    places = picture.classify(np.array([0.0, 0.1, 0.0999, 1.0, np.nan], np.float32), scale)
    image = pixels(picture.paint(places[None, :], scale))
    colours = scale.colours
    assert image == [[colours[0], colours[1], colours[0], colours[-1], picture.NO_VALUE]]


def test_a_layer_is_sent_again_only_when_a_run_was_published(client, databases):
    first = client.get(LAYER)
    again = client.get(LAYER, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(LAYER.replace("drought", "typhoon"))
    assert other.headers["ETag"] != first.headers["ETag"]


def test_the_map_says_what_it_shows(client):
    told = client.get("/api/v1/map").json()
    assert (told["west"], told["south"], told["east"], told["north"]) == (126.95, 34.95, 127.45, 35.35)
    assert (told["edition"], told["scope"], len(told["risks"])) == ("2025-11", "full", 9)
    for scale in told["scales"].values():
        assert len(scale["labels"]) == len(scale["colours"])
    borders = client.get("/api/v1/map/borders").json()
    assert borders["coastline"]
    assert borders["provinces"]


def test_the_map_offers_what_was_computed_with_the_years_of_its_run(client):
    told = client.get("/api/v1/map").json()
    assert [(each["name"], each["first"], each["last"]) for each in told["periods"]] == [
        ("full", 2021, 2100),
        ("short_term", 2021, 2040),
        ("mid_term", 2041, 2060),
        ("long_term", 2081, 2100),
    ]
    windows = {period: [1, 2, 3, 4] for period in ("short_term", "mid_term", "long_term")}
    later = {period: ids for period, ids in windows.items() if period != "short_term"}
    every = {"full": [2]} | windows
    assert told["layers"]["typhoon"] == {"aal": every, "hazard": every, "interval": every, "change": later}
    assert told["absent"] == {}
    assert told["notes"] == {
        "extreme_heat": "Measures change against the place's own past, not how hot it is",
        "extreme_cold": "Measures change against the place's own past, not how cold it is",
    }
    assert told["uncalibrated"] == told["risks"]
    assert [each["printed"] for each in told["levels"]] == ["minimal", "low", "moderate", "high", "critical"]


def test_the_map_tells_what_damage_rates_stand_on_and_whether_years_were_kept(client):
    told = client.get("/api/v1/map").json()
    plain = {"priced": True, "calibrated": False, "level": None, "factor": None}
    assert told["damage_rates"] == dict.fromkeys(told["risks"], plain)
    assert told["year_losses_note"] is None
    runs = [{"run_id": 2, "summary": {"year_losses": False}}, {"run_id": 1, "summary": {}}]
    assert [map_run.year_losses_note(run) for run in runs] == [
        "run 2 has no year losses: YEAR_LOSSES was off",
        "run 1 has no year losses: it is of a release that kept none",
    ]


def test_a_calibrated_risk_tells_the_losses_it_is_calibrated_on_and_its_factor(results):
    fill_results(results)
    factor = {"value": 0.5, "low": 0.2, "high": 0.9, "source": "claims"}
    rates = {"priced": True, "calibrated": True, "level": "insured_houses", "factor": factor}
    none = {"priced": False, "calibrated": False, "level": None, "factor": None}
    summary = {"risks": [{"risk": "typhoon", **rates}, {"risk": "drought", **none}]}
    with psycopg.connect(results) as connection:
        connection.execute("UPDATE result_runs SET summary = %s", (Jsonb(summary),))
        told = published_runs.published_risks(connection)
    assert {risk: of.damage_rates() for risk, of in told.items()} == {"typhoon": rates, "drought": none}


def test_layers_are_looked_for_where_they_are(results):
    fill_results(results)
    with psycopg.connect(results) as connection:
        connection.execute("DELETE FROM modelops_probability_scores WHERE time_period = 'long_term' OR scenario_id = 3")
        connection.execute("DELETE FROM modelops_hazard_scores WHERE scenario_id <> 1")
        for table in ("probability_results", "hazard_results", "modelops_probability_scores", "modelops_hazard_scores"):
            connection.execute(f"DELETE FROM {table} WHERE risk_type = 'drought'")
        layers = map_run.layers_of(connection)
    assert list(layers) == [risk for risk in RISKS if risk != "drought"]
    assert layers["wildfire"]["aal"] == {"full": [2], "short_term": [1, 2, 4], "mid_term": [1, 2, 4]}
    assert layers["wildfire"]["hazard"]["long_term"] == [1]
    summary = {"missing": {"drought": ["spei12_data"]}, "failed": {}}
    assert map_run.absent_risks(layers, summary) == {"drought": "the warehouse lacks spei12_data"}
    assert map_run.absent_risks(layers, None) == {"drought": "the run did not compute it"}


def test_a_cell_that_has_windows_alone_is_answered_with_them(results):
    fill_results(results)
    with psycopg.connect(results) as connection:
        connection.execute("DELETE FROM probability_results; DELETE FROM hazard_results")
        found = cell_answers.everything(connection, 7)
        assert {len(each["windows"]) for each in found["risks"].values()} == {12}
        window = connection, 7, ["drought"], 3, "mid_term"
        assert published_cells.losses(*window)["drought"].bin_data is None  # its ranges are those of the whole axis
        assert 0 <= published_cells.hazards(*window)["drought"].hazard_score <= 1
        assert cell_answers.everything(connection, 19) is None


@pytest.mark.parametrize(
    ("summaries", "expected"),
    [
        ([{"periods": {"full": [1991, 2060], "mid_term": [2041, 2060]}}], (1991, 2060)),
        (
            [{"periods": {"mid_term": [2041, 2060]}}, {"periods": {"full": [1907, 2015]}}],
            (1907, 2015),
        ),  # of a run before
        ([{"pair": "SSP2-4.5 1991-2060"}], (1991, 2060)),  # that does not say its periods
        ([{"pair": "observed 1907-2015"}], (1907, 2015)),
        ([{"pair": "SSP2-4.5 2041-2060"}], (2001, 2050)),  # a window: the axis of the warehouse is left
        ([None], (2001, 2050)),
    ],
)
def test_the_years_of_the_whole_axis_are_those_of_the_run(summaries, expected):
    layers = {"drought": {"aal": {"full": [2], "mid_term": [2]}, "hazard": {}}}
    found = map_run.periods_of(layers, [{"summary": each} for each in summaries], Years(2001, 2050))
    assert found == [
        {"name": "full", "first": expected[0], "last": expected[1]},
        {"name": "mid_term", "first": 2041, "last": 2060},
    ]


@pytest.mark.parametrize("name", ["../settings.py", "..%2fapp.py", "index.html.bak", "app.py"])
def test_the_page_has_its_own_files_and_no_others(client, name):
    assert client.get(f"/page/{name}").status_code == 404


@pytest.fixture
def models(databases, tmp_path):
    """An ensemble of the run of these tests and two that are worse, published beside it; gone afterwards."""
    home, runs = Path(os.environ["ENGINE_HOME"]), tmp_path / "runs"
    first = RunDirectory.open(home / "runs", 1)
    for number, factor in ((1, 1.0), (2, 1.5), (3, 3.0)):
        made = RunDirectory.create(
            runs, number, first.identity | {"source_fingerprint": f"{number:064x}"}, first.blocks
        )
        for block, notes in first.notes.items():
            # the last rises to the middle of the century, the others fall
            moved = pl.col("time_period") == ("mid_term" if number == 3 else "none")
            aal = (pl.col("aal") * pl.when(moved).then(30).otherwise(factor)).clip(0, 1)
            ends = [pl.lit(None, pl.Float32).alias(name) for name in ("aal_low", "aal_high")]
            rows = first.scan("probability", block).with_columns(aal, *ends).collect()
            made.commit(made.store_block(block, {"probability": rows}, notes))
        made.settle(first.settled)
    sink = as_role(databases[1], "climate_batch")
    assert ensemble.main(["--runs", "1,2,3", "--run-dir", str(runs), "--sink", sink, "--risks", "river_flood"]) == 0
    yield
    with psycopg.connect(databases[1]) as connection:
        for table in ("batch_job_logs", "batch_jobs", "result_runs"):
            connection.execute(f"DELETE FROM {table} WHERE job_type = 'ensemble'")
        connection.execute("DELETE FROM modelops_ensemble_scores")


def test_why_this_number_adds_the_bins_up_to_the_loss_above_and_stays_open(page, client):
    page.select_option("#risk", "river_flood")
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.click("#goto button")
    page.click(".why > summary")
    total = page.locator(".why tfoot td")
    expect(total).to_have_text(re.compile("%"))
    asked = {"lat": LAND[0], "lon": LAND[1], "risk_type": "river_flood"}
    published = client.get("/api/v1/probability", params=asked).json()
    assert page.locator("#figures dd").first.inner_text() == published["words"]["en"]
    assert total.inner_text() == f"{100 * published['aal']:.3g} %"
    told = client.get("/api/v1/explain", params=asked).json()
    assert page.locator(".why tbody tr").count() == len(told["bins"])
    assert page.locator(".why svg.spark circle").count() == len(told["samples"]["values"])
    assert "the published figure is the same" in page.locator(".why").inner_text()
    page.select_option("#risk", "drought")
    expect(page.locator(".why tbody th").first).to_have_text("> −0.5")
    page.route("**/api/v1/explain?*", lambda route: route.fulfill(status=409, json={"detail": "The data have changed"}))
    page.select_option("#risk", "typhoon")
    expect(page.locator(".why .note").first).to_have_text("The data have changed.")


def test_choosing_a_layer_changes_the_picture_and_the_legend(page):
    def seen():
        return page.locator("#map").screenshot(), page.locator("#legend").inner_text()

    first = seen()
    page.select_option("#quantity", "hazard")
    page.select_option("#risk", "wildfire")
    page.select_option("#scenario", "4")
    page.select_option("#period", "long_term")
    expect(page.locator("#layer")).to_have_attribute(
        "data-layer", "hazard/wildfire?scenario_id=4&time_period=long_term"
    )
    second = seen()
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert page.locator("#period option[value=full]").is_disabled()


def test_another_regions_run_is_shown_as_what_it_is(browser, service):
    """One scenario, 1991-2060, no typhoon, water stress without an AAL, west of Greenwich and on the southern half."""

    def foreign(route):
        told = route.fetch().json()
        held = {"aal": {"full": [2], "mid_term": [2]}, "hazard": {"full": [2]}, "change": {}}
        layers = {risk: dict(held) for risk in told["risks"]}
        layers["water_stress"]["aal"] = {}
        del layers["typhoon"]
        told |= {
            "scope": "sample:99",
            "risks": list(layers),
            "absent": {"typhoon": "the warehouse lacks api_typhoon_besttrack"},
            "layers": layers,
            "scenarios": [{"scenario_id": 2, "name": "SSP2-4.5"}],
            "periods": [
                {"name": "full", "first": 1991, "last": 2060},
                {"name": "mid_term", "first": 2041, "last": 2060},
            ],
        }
        route.fulfill(json=told)

    def elsewhere(route):
        route.fulfill(json=route.fetch().json() | {"latitude": -35.1, "longitude": -3.5})

    view = browser.new_page()
    view.route("**/api/v1/map", foreign)
    view.route("**/api/v1/cell?*", elsewhere)
    view.goto(service[0])
    layer = view.locator("#layer")
    expect(layer).to_have_attribute("data-layer", "aal/extreme_heat?scenario_id=2&time_period=full")
    expect(view.locator("#warning")).to_have_text("A sample of 99 cells: not the whole country.")
    expect(view.locator("#absent")).to_have_text("Not computed: typhoon: the warehouse lacks api_typhoon_besttrack.")
    expect(view.locator("#note")).to_contain_text("Measures change against the place's own past, not how hot it is.")
    assert view.locator("#period option").all_inner_texts() == ["1991–2060, full", "2041–2060, mid term"]
    assert view.locator("#scenario option").all_inner_texts() == ["SSP2-4.5"]
    assert view.locator("#risk option[value=typhoon]").is_disabled()
    view.select_option("#risk", "water_stress")  # a choice that was not computed gives way
    expect(layer).to_have_attribute("data-layer", "hazard/water_stress?scenario_id=2&time_period=full")
    assert view.locator("#period option[value=mid_term]").is_disabled()
    view.fill("#lat", str(SEA[0]))
    view.fill("#lon", str(SEA[1]))
    view.locator("#lon").press("Enter")
    expect(view.locator("#place")).to_contain_text("at 35.1 S, 3.5 W (nearest cell with results, 11.1 km away")
    expect(view.locator("#place")).to_contain_text("1991–2060")
    view.close()


def test_a_click_shows_the_cell(page):
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("rect.bar")).to_have_count(5)
    expect(page.locator("polyline.series")).to_have_count(12)
    expect(page.locator("#figures")).to_contain_text(re.compile(r"% of value a year \(90 %: .*; sampling of 80 "))
    expect(page.locator("path.band")).to_have_count(1)  # of the chosen scenario's losses
    page.select_option("#risk", "drought")
    expect(page.locator("#place")).to_contain_text("drought at")


def test_a_change_is_told_with_its_interval_and_whether_it_is_significant(page, client):
    page.select_option("#period", "long_term")
    box = page.locator("#map").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = client.get("/api/v1/cell", params={"lat": LAND[0], "lon": LAND[1]}).json()["risks"]["extreme_heat"]
    window = next(w for w in told["windows"] if (w["scenario_id"], w["time_period"]) == (2, "long_term"))
    sentence = window["change_words"]["en"]
    ends = [f"{100 * (window['change'] + sign * 1.645 * window['change_se']):.2g}" for sign in (-1, 1)]
    assert f"(90 %: {ends[0]} to {ends[1]}; {'' if window['significant'] else 'not '}significant)" in sentence
    expect(page.locator("#figures")).to_contain_text(sentence)


def test_a_layer_of_changes_is_hatched_where_they_are_noise(page, client, databases):
    asked = {"scenario_id": 4, "time_period": "long_term"}
    found = pixels(client.get("/api/v1/map/change/extreme_heat", params=asked).content)
    with psycopg.connect(databases[1]) as connection:
        rows = connection.execute(
            "SELECT grid_id, aal, change, change_se FROM modelops_probability_scores WHERE risk_type = 'extreme_heat'"
            " AND scenario_id = 4 AND time_period = 'long_term' ORDER BY grid_id"
        ).fetchall()
    _, aal, change, error = (np.array(each, float) for each in zip(*rows, strict=True))
    hatched = not_told_apart(change, error)
    assert 0 < hatched.sum() < len(hatched)
    classes = picture.classify((change / (aal - change)).astype(np.float32), picture.SCALES["change"]) - 2
    times = len(found[0]) // 5
    for (cell, *_), unsure, place in zip(rows, hatched, classes, strict=True):
        north, east = divmod(cell - 1, 5)
        top = (3 - north) * times
        seen = {c for row in found[top : top + times] for c in row[east * times : (east + 1) * times]}
        assert seen == {picture.DIVERGING[place]} | ({picture.HATCH} if unsure else set())
    page.select_option("#quantity", "change")
    expect(page.locator("#layer")).to_have_attribute("data-layer", re.compile("^change/"))
    expect(page.locator("#legend")).to_contain_text("false discovery rate of 0.1")
    assert (
        client.get("/api/v1/map/change/extreme_heat", params=asked | {"time_period": "short_term"}).status_code == 404
    )


def test_the_page_says_what_a_figure_of_its_edition_is(page, client):
    told = client.get("/api/v1/map").json()["edition_words"]
    assert told["en"].startswith("A loss of edition 2025-11 is an index")
    expect(page.locator("#edition")).to_have_text(told["en"])


def test_a_lattice_across_the_date_line_is_one_picture_with_west_before_east(browser, service, client, monkeypatch):
    before = client.get(LAYER).content
    across = replace(service[1].state.context.grid, lon0=179.8)
    monkeypatch.setattr(service[1].state.context, "_grid", across)
    told = client.get("/api/v1/map").json()
    assert (told["west"], told["east"]) == (179.75, 180.25)
    service[1].state.pictures = Kept(9)
    assert client.get(LAYER).content == before  # the same columns in the same order

    view = browser.new_page(viewport={"width": 1300, "height": 900})
    coast = [[[179.8, 35.0], [180.0, 35.1]], [[-180.0, 35.1], [-179.8, 35.2]]]
    view.route(
        "**/api/v1/map/borders", lambda route: route.fulfill(json={"coastline": coast, "provinces": [], "land": []})
    )
    view.goto(service[0])
    view.wait_for_selector("#coastline[d]", state="attached")
    squeeze = math.cos(math.radians((told["south"] + told["north"]) / 2))
    starts = [float(x) / squeeze for x in re.findall(r"M(-?[\d.]+)", view.locator("#coastline").get_attribute("d"))]
    assert starts == pytest.approx([179.8, -180.0, 539.8, 180.0], abs=1e-3)
    box = view.locator("#map").bounding_box()
    view.mouse.click(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7)
    expect(view.locator("#place")).to_contain_text("at 35.1 N, 179.9 W")
    view.locator("#map").focus()
    for key in ("ArrowLeft", "ArrowLeft", "Enter"):
        view.keyboard.press(key)
    expect(view.locator("#place")).to_contain_text("at 35.1 N, 179.9 E")
    view.fill("#lon", "-179.9")
    view.locator("#lon").press("Enter")
    expect(view.locator("#place")).to_contain_text("at 35.1 N, 179.9 W")
    x = float(view.locator("#marker rect").get_attribute("x")) / squeeze
    assert x == pytest.approx(180.05, abs=1e-3)
    view.close()


def test_places_of_a_list_are_points_of_one_size_in_the_colours_of_the_layer(browser, service, client, databases):
    colours = [colour for row in pixels(client.get(LAYER).content) for colour in row if colour]
    view = browser.new_page(viewport={"width": 1300, "height": 900})

    def apart(route):
        told = route.fetch().json()
        route.fulfill(
            json=told | {"apart": True, "scope": "observed", "figures_of": "observed record of 17 stations 1991-2060"}
        )

    view.route("**/api/v1/map", apart)
    view.goto(service[0])
    expect(view.locator("#warning")).to_have_text(
        "Observed record of 17 stations 1991-2060: what was measured, no projection."
    )
    view.select_option("#risk", "drought")
    view.select_option("#quantity", "hazard")
    expect(view.locator("#layer")).to_have_attribute("data-layer", re.compile("hazard/drought"))
    expect(view.locator("#layer")).to_be_hidden()
    dots = view.locator("#places .fill")
    expect(dots).to_have_count(len(colours))
    found = dots.evaluate_all("dots => dots.map((dot) => getComputedStyle(dot).stroke)")
    assert found == [f"rgb({', '.join(str(part) for part in bytes.fromhex(colour[1:]))})" for colour in colours]
    wide = dots.first.evaluate("dot => getComputedStyle(dot).strokeWidth + getComputedStyle(dot).vectorEffect")
    assert wide == "11pxnon-scaling-stroke"
    view.fill("#lat", "10")
    view.fill("#lon", "127")
    view.locator("#lon").press("Enter")
    expect(view.locator("#place")).to_contain_text("outside the data grid: no station within 16 km")
    view.close()


def test_a_typed_coordinate_and_the_keyboard_reach_every_cell(page):
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    expect(page.locator("#place")).to_contain_text(f"at {LAND[0]} N, {LAND[1]} E")
    page.locator("#map").focus()
    for key in ("ArrowUp", "ArrowLeft", "+", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#place")).to_contain_text("at 35.2 N, 127.1 E")
    page.fill("#lat", "10")
    page.locator("#lat").press("Enter")
    expect(page.locator("#place")).to_contain_text("outside the data grid")


def test_an_assessment_runs_to_the_end(page):
    page.click("#site button")
    expect(page.locator("#step")).to_contain_text("Choose a place first")
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.fill("#asset", "50,000,000,000")
    page.check("#known")
    page.select_option("#scenario", "4")
    page.click("#site button")
    expect(page.locator("#outcome tbody tr")).to_have_count(9, timeout=60_000)
    assert page.locator("#progress").evaluate("bar => bar.value") == 100
    told = (
        r"all risks: expected loss [1-9][0-9,]+ KRW a year \(90 %: [0-9,]+ to [0-9,]+; sampling of years on one"
        r" model\), index loss, not calibrated on losses; river flood"
    )
    expect(page.locator("#outcome .loss").first).to_contain_text(re.compile(told))
    sentence = r"^1 in 20 years: [0-9.]+ % of value \(index loss, not calibrated on losses\)\.$"
    expect(page.locator("#outcome .loss").nth(1)).to_have_text(re.compile(sentence))
    curve = page.locator("#outcome .curve svg")
    assert re.match(
        r"Loss by return period. 1 in 2 years: [0-9.]+ %; 1 in 5 years", curve.locator("> title").text_content()
    )
    expect(curve.locator("circle.dot")).to_have_count(4)
    headings = page.locator("#outcome thead th").all_inner_texts()
    within = "90 % interval"
    first = ["Risk", "AAL", within, "Loss, KRW a year", within, "Calibrated on losses", "Hazard level", "Risk level"]
    assert headings[:8] == first
    words = set(page.locator("#outcome tbody tr td:nth-child(7), #outcome tbody tr td:nth-child(8)").all_inner_texts())
    assert words <= {"minimal", "low", "moderate", "high", "critical"}


def test_an_assessment_names_what_it_is_of_and_goes_when_another_is_chosen(page):
    def assess():
        page.click("#site button")
        expect(page.locator("#outcome tbody tr")).to_have_count(9, timeout=60_000)

    def gone():
        expect(page.locator("#outcome")).to_be_empty()
        expect(page.locator("#step")).to_be_empty()
        expect(page.locator("#progress")).to_be_hidden()

    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    page.select_option("#scenario", "4")
    page.select_option("#period", "long_term")
    assess()
    told = f"{LAND[0]} N, {LAND[1]} E, SSP5-8.5, 2081–2100"
    expect(page.locator("#outcome h3")).to_contain_text(told)
    page.select_option("#risk", "drought")  # all risks are assessed: this one is no other site
    expect(page.locator("#place")).to_contain_text("drought at")
    expect(page.locator("#outcome h3")).to_contain_text(told)
    page.select_option("#scenario", "2")
    gone()
    assess()
    page.select_option("#period", "mid_term")
    gone()
    assess()
    page.locator("#map").click(position={"x": 100, "y": 100})
    gone()
    assess()
    page.fill("#lat", str(LAND[0] + 0.01))  # typed, and not yet shown
    gone()
    page.click("#site button")
    page.select_option("#scenario", "1")  # while it runs
    gone()
    page.wait_for_timeout(1000)
    gone()


def test_a_fault_is_told_where_it_was_made(page):
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.check("#known")
    page.fill("#building_age", "150")
    page.fill("#asset", "a lot")  # never taken for unknown
    page.click("#site button")
    said = "Building age must be between 0 and 100; Invalid type for total_asset_value"
    expect(page.locator("#step")).to_have_text(said)


def test_a_phone_needs_no_sideways_scrolling(page):
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("#below")).to_be_hidden()
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    expect(page.locator("rect.bar")).to_have_count(5)
    expect(page.locator("#below")).to_contain_text(f"at {LAND[0]} N, {LAND[1]} E")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_with_a_key_the_page_asks_for_it_and_uses_it_everywhere(browser):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("API_KEY", "schlüssel 1")
        with running() as (url, _):
            view = browser.new_page()
            view.goto(url)
            expect(view.locator("#run")).to_have_text("Wrong or missing API key")
            view.fill("#key", "schlüssel 1")
            view.click("#keyform button")
            expect(view.locator("#layer")).to_have_attribute(
                "data-layer", "aal/extreme_heat?scenario_id=2&time_period=full"
            )
            view.fill("#lat", str(LAND[0]))
            view.fill("#lon", str(LAND[1]))
            view.click("#site button")
            expect(view.locator("#outcome tbody tr")).to_have_count(9, timeout=60_000)
            view.close()


def test_a_cell_shows_the_steps_of_its_losses_and_what_comes_once_in_100_years(page, client):
    place = {"lat": LAND[0], "lon": LAND[1]}
    page.select_option("#risk", "river_flood")
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    rows = page.locator("#figures table.levels tbody tr")
    expect(rows).to_have_count(4)
    told = client.get("/api/v1/cell/return-levels", params=place | {"risk_type": "river_flood"}).json()
    last = told["levels"][-1]
    cells = [f"{last[name]:.0f}" for name in ("level", "low", "high")]
    assert rows.last.all_inner_texts() == [f"100 years\t{cells[0]}\t{cells[1]} to {cells[2]}"]
    assert page.locator("#figures table.levels thead th").all_inner_texts() == ["Once in", "mm", "90 % interval"]
    bins = client.get("/api/v1/probability", params=place | {"risk_type": "river_flood"}).json()["loss_steps"]
    steps = page.locator("#figures svg:has(path.steps)")
    expect(steps.locator("circle.dot")).to_have_count(len(bins) - 1)
    assert "0.1 % or more:" in steps.locator("> title").text_content()
    page.select_option("#risk", "sea_level_rise")
    expect(page.locator("#figures")).to_contain_text("No return levels: it rises from year to year")


def test_a_curve_that_goes_on_beyond_the_years_is_dashed_and_what_is_none_says_why(page):
    """Drawn by the page's own module from figures of a site with 80 years, and from none."""
    page.evaluate("""async () => {
      const { siteCurve } = await import(new URL("page/rare.js", document.baseURI).href);
      const point = (return_period, loss_percent, ends = [null, null]) => ({ return_period, loss_percent,
        loss_percent_low: ends[0], loss_percent_high: ends[1],
        basis: ends[0] === null ? "empirical" : "extrapolated" });
      const curve = [point(2, 1), point(50, 3), point(100, 3.2, [2.5, 4.1]), point(500, 4, [2.9, 6])];
      const box = document.getElementById("outcome");
      const sentence = "1 in 100 years: 3.2 % of value (90 %: 2.5 to 4.1)";
      siteCurve(box, { sentence, loss_note: null, years: 80, curve });
      siteCurve(box, null, "YEAR_LOSSES was off in run 7.");
    }""")
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("1 in 100 years: 3.2 % of value (90 %: 2.5 to 4.1).")
    expect(outcome.locator("path.beyond, path.area")).to_have_count(2)
    expect(outcome).to_contain_text("Dashed: extrapolated, with its 90 % interval.")
    expect(outcome).to_contain_text("No curve of losses: YEAR_LOSSES was off in run 7.")
    assert "1 in 500 years: 4 % (2.9 % to 6 %)" in outcome.locator("svg > title").text_content()


def test_a_cell_tells_what_several_climate_models_say_and_whether_they_agree(models, page, client):
    place = {"lat": LAND[0], "lon": LAND[1], "risk_type": "river_flood"}
    alone = client.get("/api/v1/probability", params=place).json()
    told = alone["ensemble"]
    assert (told["members"], told["member_runs"], told["agreement"]) == (3, [1, 2, 3], None)
    assert told["aal_p10"] == pytest.approx(alone["aal"], rel=1e-5)
    assert told["aal_mean"] == pytest.approx(alone["aal"] * 5.5 / 3, rel=1e-5)
    assert told["total_low"] <= told["aal_mean"] <= told["total_high"]
    assert told["sentence"].endswith("3 climate models and the sampling of each)")
    assert alone["runs"][0]["run_id"] == 1  # what is published of one model is as it was
    assert client.get("/api/v1/probability", params=place | {"risk_type": "drought"}).json()["ensemble"] is None
    windows = client.get("/api/v1/probability", params=place | {"time_period": "mid_term"}).json()["ensemble"]
    assert (windows["agreement"], windows["models_disagree"]) == (pytest.approx(1 / 3), True)
    page.select_option("#risk", "river_flood")
    page.fill("#lat", str(LAND[0]))
    page.fill("#lon", str(LAND[1]))
    page.locator("#lon").press("Enter")
    expect(page.locator("#figures")).to_contain_text(told["sentence"])
    page.select_option("#period", "mid_term")
    expect(page.locator("#figures")).to_contain_text("models disagree: 33 % agree on the sign of the change")
    assert client.get("/api/v1/map").json()["run_id"] == 1
    assert client.get("/api/v1/runs", params={"job_type": "ensemble"}).json()["runs"][0]["is_published"]
