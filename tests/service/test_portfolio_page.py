"""The portfolio page: a file looked at before it is assessed, its results in a real browser, its texts."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import expect

from engine.assess.rules.fields import FIELDS
from engine.core.caveats import LOSS_NOTE, LOSS_NOTE_KO
from tests.service.conftest import LAND, OUTSIDE

PAGE = Path(__file__).parents[2] / "engine" / "service" / "page"
PORTFOLIO = "/api/v1/risk-assessment/portfolio"
#: the coordinates are under names that nothing tells, the third row has a fault, the fourth lies outside
SITES = "\n".join(
    [
        "loan,who,Y_pos,X_pos,worth",
        f"A1,Harbour,{LAND[0]},{LAND[1]},9000000000",
        f"A2,Office,{LAND[0]},{LAND[1] - 0.1},50000000000",
        "A3,Typo,95,127.2,7",
        f"A4,Far,{OUTSIDE[0]},{OUTSIDE[1]},1000000",
    ]
)
COLUMNS = {"latitude": "Y_pos", "longitude": "X_pos", "total_asset_value": "worth", "name": "who"}


def look(client, body, **query):
    return client.post(f"{PORTFOLIO}/preview", content=body, params=query, headers={"Content-Type": "text/csv"})


def test_a_file_whose_columns_cannot_be_told_comes_back_with_the_question_and_its_first_rows(client, service):
    told = look(client, SITES).json()
    assert "no column latitude, longitude" in told["question"]
    assert "/" not in told["question"]
    assert [each["column"] for each in told["columns"]] == SITES.splitlines()[0].split(",")
    assert told["first_rows"][0] == {"row": 2, "values": SITES.splitlines()[1].split(",")}
    assert (told["rows"], told["faults"]) == (None, [])
    required = {each["field"] for each in told["fields"] if each["required"]}
    assert required == {"latitude", "longitude"}
    assert not [*Path(service[1].state.context.portfolios).glob("*/upload")]


@pytest.mark.parametrize(
    "columns", [json.dumps(COLUMNS), ",".join(f"{field}={name}" for field, name in COLUMNS.items())]
)
def test_with_its_columns_named_a_file_is_read_and_its_faults_are_listed_by_line(client, columns, service):
    folder = Path(service[1].state.context.portfolios)
    before = {*folder.iterdir()} if folder.exists() else set()
    told = look(client, SITES, columns=columns).json()
    assert (told["question"], told["rows"], told["valid"], told["faults_total"]) == (None, 4, 3, 1)
    assert {each["field"]: each["column"] for each in told["columns"] if each["field"]} == COLUMNS
    assert told["faults"] == [
        {"row": 4, "site_id": None, "column": "Y_pos", "field": "latitude", "value": "95", "reason": "Invalid latitude"}
    ]
    assert {*folder.iterdir()} == before  # nothing is kept


def test_a_column_that_may_be_a_field_is_asked_about_and_a_comma_in_its_name_is_no_separator(client):
    body = f'latitude,longitude,"value, KRW",totl_asset_value\n{LAND[0]},{LAND[1]},5000,6000'
    told = look(client, body).json()
    assert "is column 'totl_asset_value' the field total_asset_value?" in told["question"]
    assert [each["near"] for each in told["columns"]] == [None, None, None, "total_asset_value"]
    settled = look(client, body, columns='{"total_asset_value": "value, KRW"}').json()
    assert (settled["question"], settled["valid"]) == (None, 1)
    for wrong, words in (
        ("{]", "no JSON object"),
        ('{"latitude": 3}', "name of a column"),
        ('{"lat": "x"}', "unknown field"),
    ):
        answer = look(client, body, columns=wrong)
        assert (answer.status_code, words in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 422, "holds no header"),
        (b"name\nx\n", 422, "no column latitude, longitude"),
        (b"latitude,longitude\n" + b"35.1,127.2\n" * 501, 413, "at most 500 rows"),
    ],
)
def test_what_is_no_table_of_sites_is_refused(client, body, status, says):
    answer = look(client, body)
    assert (answer.status_code, says in answer.text) == (status, True)


@pytest.fixture
def page(browser, service):
    """The page; fails on anything in the console and on a request to elsewhere."""
    view, said, elsewhere = browser.new_page(viewport={"width": 1300, "height": 900}, locale="en"), [], []
    view.on("console", lambda message: said.append(message.text))
    view.on("pageerror", lambda error: said.append(str(error)))
    here = urlsplit(service[0]).netloc
    view.on(
        "request", lambda asked: elsewhere.append(asked.url) if urlsplit(asked.url).netloc not in (here, "") else None
    )
    view.goto(f"{service[0]}/portfolio")
    view.wait_for_selector("body[data-ready]")
    yield view
    view.close()
    assert said == []
    assert elsewhere == []


def tab_to(view, selector):
    """Go on by Tab alone until an element has the focus."""
    for _ in range(200):
        if view.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert view.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
        view.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


@pytest.fixture(scope="module")
def assessed(service):
    """Id of a finished portfolio of the two sites, in two scenarios."""
    with httpx.Client(base_url=service[0], timeout=60) as client:
        asked = {"columns": json.dumps(COLUMNS), "scenario_ids": [2, 4], "time_periods": ["mid_term"], "name": "loans"}
        asked |= {"risk_types": ["drought", "river_flood", "typhoon"]}
        made = client.post(PORTFOLIO, content=SITES, params=asked, headers={"Content-Type": "text/csv"}).json()
        while client.get(f"/api/v1/risk-assessment/status/{made['request_id']}").json()["status"] in (
            "queued",
            "running",
        ):
            pass
    return made["request_id"]


def test_a_file_is_corrected_assessed_and_a_site_of_it_opened_with_the_keyboard_alone(page):
    tab_to(page, "#file")
    page.set_input_files("#file", {"name": "loans.csv", "mimeType": "text/csv", "buffer": SITES.encode()})
    expect(page.locator("#question")).to_contain_text("no column latitude, longitude")
    assert page.locator("#assess").is_disabled()
    for column, typed in (("who", "name"), ("Y_pos", "lat"), ("X_pos", "lon"), ("worth", "asset")):
        tab_to(page, f"select[data-column={column}]")
        page.keyboard.type(typed)
    tab_to(page, "#again")
    page.keyboard.press("Enter")
    expect(page.locator("#counted")).to_have_text("loans.csv: 4 rows, of which 3 can be assessed")
    rows = page.locator("#check-faults tbody tr")
    assert rows.all_inner_texts() == ["4\tY_pos\t95\tlatitude: the value is out of range"]
    tab_to(page, "#assess")
    page.keyboard.press("Enter")
    expect(page.locator("#results")).to_have_attribute("data-shown", "2 mid_term", timeout=60_000)
    expect(page.locator("#faults tbody tr")).to_have_count(1)
    tab_to(page, ".grid")
    lines = page.locator(".grid .body .line")
    expect(lines).to_have_count(3)
    assert re.match(r"3\s+–\s+Office\s", lines.first.inner_text())
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#site-title")).to_be_focused()
    expect(page.locator("#site-title")).to_have_text("Row 2 Harbour")
    expect(page.locator("#site .loss")).to_contain_text(LOSS_NOTE)
    expect(page.locator("#site table").first.locator("tbody tr")).to_have_count(9)
    seen = page.url
    assert parse_qs(urlsplit(seen).query)["site"] == ["2"]
    page.goto(seen)  # a reload or a link
    expect(page.locator("#site-title")).to_have_text("Row 2 Harbour")
    tab_to(page, "#close-site")
    page.keyboard.press("Enter")
    expect(page.locator("#site")).to_be_hidden()


def test_results_have_their_notes_curve_contributions_and_files(page, service, assessed, client):
    page.goto(f"{service[0]}/portfolio?id={assessed}&scenario=4&lang=en")
    expect(page.locator("#results")).to_have_attribute("data-shown", "4 mid_term")
    told = client.get(f"{PORTFOLIO}/{assessed}/results", params={"format": "json"}).json()
    pair = told["results"][1]
    expect(page.locator("#headline .loss")).to_contain_text(pair["loss_words"]["en"])
    assert page.locator("#portfolio-name").inner_text() == "loans"
    assert page.locator("#pairs tbody tr").count() == len(told["results"])
    for table in ("#pairs", "#by-risk", "#by-site", "#curve-box"):
        money = page.locator(f"{table} tbody tr").all_inner_texts()
        assert money
        assert LOSS_NOTE in page.locator(table).inner_text()  # once, for all of them are of one kind
        assert not any(LOSS_NOTE in line for line in money)
    expect(page.locator("#by-risk tbody tr")).to_have_count(3)
    expect(page.locator("#curve-box svg circle.dot")).to_have_count(page.locator("#curve-box tbody tr").count())
    for name in ("portfolio.xlsx", "sites.csv", "portfolio.json", "totals.parquet"):
        with page.expect_download() as loaded:
            page.locator("#downloads a", has_text=name).click()
        assert loaded.value.suggested_filename == name
    page.locator("#places .fill[data-sites='2'], #places .fill[data-sites='1']").first.wait_for(state="attached")
    assert page.evaluate("document.querySelectorAll('#places .fill').length") <= 6
    page.select_option("#by", "level")
    expect(page.locator("#legend")).to_contain_text("no figure: 1")
    page.select_option("#scenario", "2")
    expect(page.locator("#results")).to_have_attribute("data-shown", "2 mid_term")


OED = f"""PortNumber,AccNumber,LocNumber,CountryCode,Latitude,Longitude,BuildingTIV,LocCurrency
P1,A1,1,KR,{LAND[0]},{LAND[1]},3000000,USD
"""
RATES = "currency,rate,date\nUSD,1470,2026-11-27\n"


def test_a_file_in_another_currency_asks_for_a_table_of_rates_and_is_assessed_with_it(page, service, client):
    page.goto(f"{service[0]}/portfolio?lang=en")
    page.wait_for_selector("body[data-ready]")
    expect(page.locator("#rates")).to_be_hidden()
    page.set_input_files("#file", {"name": "oed.csv", "mimeType": "text/csv", "buffer": OED.encode()})
    expect(page.locator("#question")).to_contain_text("values in USD have no rate into KRW")
    expect(page.locator("#rates")).to_be_visible()
    expect(page.locator("#assess")).to_be_disabled()
    wrong = RATES.replace("1470", "none")
    page.set_input_files("#rates", {"name": "rates.csv", "mimeType": "text/csv", "buffer": wrong.encode()})
    expect(page.locator("#question")).to_contain_text("rates: line 2: rate 'none' is no number from 1e-09")
    page.set_input_files("#rates", {"name": "rates.csv", "mimeType": "text/csv", "buffer": RATES.encode()})
    expect(page.locator("#question")).to_be_hidden()
    page.click("#assess")
    expect(page.locator("#results")).to_have_attribute("data-shown", re.compile("mid_term"), timeout=60_000)
    expect(page.locator("#headline")).to_contain_text("worth 4,410,000,000 KRW")


def test_rates_for_a_file_that_states_no_currency_are_refused_in_the_words_of_the_service(client):
    headers = {"Content-Type": "text/csv"}
    told = client.post(
        PORTFOLIO, content=f"latitude,longitude\n{LAND[0]},{LAND[1]}\n", params={"rates": RATES}, headers=headers
    )
    assert told.status_code == 422
    assert "rates: portfolio is no OED location file" in told.text
    assert "--rates" not in told.text


def test_sites_are_answered_in_one_pair_and_one_by_one(client, assessed):
    where = f"{PORTFOLIO}/{assessed}/sites"
    told = client.get(where, params={"scenario_id": 2, "time_period": "mid_term"}).json()
    assert (told["sites"], told["row"], told["name"]) == (3, [3, 2, 5], ["Office", "Harbour", "Far"])
    assert told["status"][-1] == "outside_grid"
    losses = told["total_expected_loss"]
    assert losses[0] > losses[1] > 0 == (losses[2] or 0)
    most = client.get(where, params={"scenario_id": 2, "time_period": "mid_term", "most": 1}).json()
    assert (most["sites"], most["row"]) == (3, [3])
    assert client.get(where, params={"scenario_id": 1, "time_period": "mid_term"}).status_code == 404
    site = client.get(f"{where}/3").json()
    assert site["carried"] == {"loan": "A2", "who": "Office"}
    assert [(each["scenario_id"], len(each["risks"])) for each in site["pairs"]] == [(2, 3), (4, 3)]
    first = site["pairs"][0]
    assert sum(risk["expected_loss"] or 0 for risk in first["risks"]) == first["total_expected_loss"] == losses[0]
    assert {risk["loss_note"] for risk in first["risks"] if risk["expected_loss"] is not None} == {LOSS_NOTE}
    assert client.get(f"{where}/4").status_code == 404  # it has a fault
    assert client.get(f"{where}/99").status_code == 404


MANY = 10_000


def made_up(count=MANY):
    """Answers of a portfolio of many sites; half of their losses are calibrated on losses."""
    levels = ["minimal", "low", "moderate", "high", "critical"]
    numbers = range(count)
    loss = [None if i % 100 == 99 else 1000 * ((7919 * i) % count) for i in numbers]
    own = [each if i % 2 else None for i, each in enumerate(loss)]
    index = [None if i % 2 else each for i, each in enumerate(loss)]
    pair = {
        "scenario": "ssp2_4.5", "time_period": "mid_term", "years": "2041-2060", "total_expected_loss": 30,
        "total_expected_loss_low": 20, "total_expected_loss_high": 40, "total_expected_loss_calibrated": 10,
        "total_expected_loss_calibrated_low": 5, "total_expected_loss_calibrated_high": 15,
        "total_expected_loss_uncalibrated": 20, "total_expected_loss_uncalibrated_low": 10,
        "total_expected_loss_uncalibrated_high": 30, "loss_note": LOSS_NOTE, "overlap_note": None,
        "loss_words": {"en": "30 KRW a year", "ko": "연간 30 KRW"}, "expected_loss_ratio": 0.1, "sites_in_total": count,
        "sites_left_out": 0, "total_asset_value": 300, "mean_risk_index": 30.0, "year_losses": None,
        "sites_by_risk_level": dict.fromkeys(levels, 1), "expected_loss_by_risk": {},
    }  # fmt: skip
    summary = {
        "name": "many", "rows": count, "invalid_rows": 0, "assessed_sites": count, "notes": [], "risk_notes": {},
        "runs": [], "scope": "full", "scope_note": None, "results": [pair],
    }  # fmt: skip
    sites = {
        "request_id": "0", "scenario_id": 2, "time_period": "mid_term", "sites": count, "row": [i + 2 for i in numbers],
        "site_id": [f"S{i}" for i in numbers], "name": [f"place {i}" for i in numbers], "admin_name": [None] * count,
        "latitude": [34.96 + 0.3 * i / count for i in numbers], "longitude": [127.0] * count, "status": ["ok"] * count,
        "reason": [None] * count, "total_asset_value": [10**6] * count, "total_expected_loss": loss,
        "total_expected_loss_low": loss, "total_expected_loss_high": loss, "total_expected_loss_calibrated": own,
        "total_expected_loss_uncalibrated": index, "loss_note": [LOSS_NOTE] * count,
        "highest_aal_risk": ["typhoon" if i % 4 else "drought" for i in numbers], "mean_risk_index": [30.0] * count,
        "risk_level": [levels[i % 5] for i in numbers],
    }  # fmt: skip
    return summary, sites


def test_ten_thousand_sites_are_sorted_filtered_and_scrolled_with_a_screenful_in_the_document(page, service):
    summary, sites = made_up()
    answers = {
        "/status/": {"status": "completed"},
        "/api/batch/": {"status": "completed", "results": {"invalid_sites": []}},
        "/results?": summary,
        "/curve": {"note": "none were kept"},
        "/sites?": sites,
    }
    page.route(
        re.compile("/api/(batch|v1/risk-assessment)/"),
        lambda route: route.fulfill(json=next(told for part, told in answers.items() if part in route.request.url)),
    )
    page.goto(f"{service[0]}/portfolio?id=00000000-0000-0000-0000-000000000000&lang=en")
    expect(page.locator("#results")).to_have_attribute("data-shown", "2 mid_term")
    lines, grid = page.locator(".grid .body .line"), page.locator(".grid")

    def first():
        return lines.evaluate_all(
            "all => all.sort((a, b) => a.dataset.place - b.dataset.place)[0].innerText.split('\\n')[0]"
        )

    best = sorted(range(MANY), key=lambda i: -(sites["total_expected_loss"][i] or -1))
    assert lines.count() < 60
    assert grid.get_attribute("aria-rowcount") == str(MANY + 1)
    assert first() == str(best[0] + 2)
    grid.evaluate("box => { box.scrollTop = box.scrollHeight; }")
    last = page.locator(f".grid .body .line[data-place='{MANY - 1}']")
    expect(last).to_contain_text("place")
    assert "–" in last.inner_text()  # without a loss: behind all that have one
    assert lines.count() < 60
    page.click("[data-column=row]")
    page.click("[data-column=row]")
    expect(grid.locator("[aria-sort=ascending]")).to_have_text("Row")
    assert first() == "2"
    page.fill("#search", "place 12")
    expect(page.locator("#shown")).to_have_text("111 of 10,000 sites")
    page.select_option("#of-risk", "drought")
    expect(page.locator("#shown")).to_have_text("29 of 10,000 sites")
    assert grid.get_attribute("aria-rowcount") == "30"
    drawn = page.locator("#places .fill").evaluate_all("all => all.map((path) => Number(path.dataset.sites))")
    assert (sum(drawn), len(drawn) <= 6) == (29, True)
    page.fill("#search", "")
    page.select_option("#of-risk", "")
    page.fill("#least", "9,000,000")
    expect(page.locator("#shown")).to_have_text(
        f"{sum((each or 0) >= 9e6 for each in sites['total_expected_loss'])} of 10,000 sites"
    )
    words = {"calibrated", "index"}
    assert {next(word for word in words if word in text.split("\n")) for text in lines.all_inner_texts()} == words
    expect(page.locator("#kinds")).to_contain_text(f"index: {LOSS_NOTE}")
    expect(page.locator("#kinds")).to_contain_text("calibrated: calibrated on losses")
    apart = page.locator("#headline .loss").inner_text()
    assert "of it calibrated on losses 10 KRW (90 %: 5 to 15)" in apart
    assert f"{LOSS_NOTE} 20 KRW (90 %: 10 to 30)" in apart


def test_the_page_is_korean_where_it_is_asked_for_and_needs_no_sideways_scrolling_on_a_phone(page, service, assessed):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{service[0]}/portfolio?id={assessed}&lang=ko")
    expect(page.locator("#results")).to_have_attribute("data-shown", "2 mid_term")
    assert page.evaluate("document.documentElement.lang") == "ko"
    expect(page.locator("#headline .loss")).to_contain_text(LOSS_NOTE_KO)
    headings = page.locator("#pairs thead th").all_inner_texts()
    assert all(re.search("[가-힣]", each) for each in headings)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize(
    "name", ["portfolio/..%2f..%2fapp.py", "portfolio/main.py", "texts/..%2fapp.js", "elsewhere/x"]
)
def test_the_page_has_its_own_files_and_no_others(client, name):
    assert client.get(f"/page/{name}").status_code == 404
    assert client.get("/page/portfolio/main.js").headers["content-type"].startswith("text/javascript")


def test_links_of_the_page_begin_where_the_service_is_seen(client):
    html = client.get("/portfolio").text
    assert re.findall(r'(?:href|src)="([^"]+)"', html)[1:] == [
        *("/page/style.css", "/page/portfolio/portfolio.css", "/page/whatif/whatif.css"),
        *("/page/portfolio/main.js", "/page/../"),
    ]


def test_a_portfolio_that_is_not_known_is_said(browser, service):
    view = browser.new_page(locale="en")
    view.goto(f"{service[0]}/portfolio?id=00000000-0000-0000-0000-000000000000")
    expect(view.locator("#told")).to_have_text("No portfolio is known under this address")
    view.close()


TEXTS = {name: json.loads((PAGE / "texts" / f"portfolio.{name}.json").read_text("utf-8")) for name in ("en", "ko")}
CLASSES = {"steps beyond", "wide faults", "thead tr"}  # names of styles and elements
SCRIPTS = {path.name: path.read_text("utf-8") for path in sorted((PAGE / "portfolio").glob("*.js"))}


def test_both_languages_have_the_same_texts_with_the_same_places_for_figures():
    assert TEXTS["en"].keys() == TEXTS["ko"].keys()
    for key, text in TEXTS["en"].items():
        assert {*re.findall(r"\{\w+\}", text)} == {*re.findall(r"\{\w+\}", TEXTS["ko"][key])}, key
    assert TEXTS["ko"]["basis.index"] == LOSS_NOTE_KO
    assert TEXTS["en"]["basis.index"] == LOSS_NOTE
    assert {f"field.{field.name}" for field in FIELDS} <= TEXTS["en"].keys()


def test_every_text_of_the_page_is_used_and_every_used_one_is_there():
    document = (PAGE / "portfolio.html").read_text("utf-8")
    used = {*re.findall(r'data-(?:text|label)="([^"]+)"', document)}
    parts = set()
    for text in SCRIPTS.values():
        used |= {*re.findall(r'\bt\("([^"]+)"', text)} | {*re.findall(r'"(said\.\w+)"', text)}
        parts |= {*re.findall(r"\bt\(`([\w.]+\.)\$\{", text)} | {*re.findall(r"`([\w.]+\.)\$\{", text)}
    assert used <= TEXTS["en"].keys()
    assert [key for key in TEXTS["en"] if key not in used and not any(key.startswith(part) for part in parts)] == []


def test_no_text_of_the_page_stands_outside_its_catalogue():
    document = (PAGE / "portfolio.html").read_text("utf-8")
    body = re.sub(r"<[^>]+>", " ", re.sub(r"<!doctype[^>]*>", "", document))
    assert body.split() == ["+", "−", "⌂"]
    assert not re.search(r'(?:placeholder|title|alt|aria-label)="', document)
    for name, text in SCRIPTS.items():
        code = re.sub(r"(^|\s)//[^\n]*", "", text)
        strings = re.findall(r'"((?:[^"\\\n])*)"', code)
        told = [each for each in strings if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", each) and each not in CLASSES]
        assert told == [], name


def test_amounts_in_another_currency_than_the_servers_are_said_to_be(page, service, portfolios):
    def in_euro(route):
        told = route.fetch().json()
        route.fulfill(json=told | {"currency": "EUR"})

    where = f"{service[0]}/portfolio?id={portfolios[0]}&lang=en"
    page.goto(where)
    expect(page.locator("#results")).to_have_attribute("data-shown", "2 mid_term", timeout=60_000)
    expect(page.locator("#result-notes")).not_to_contain_text("the currency in which")
    page.route(f"**/portfolio/{portfolios[0]}/results*", in_euro)
    page.goto(where)
    expect(page.locator("#result-notes")).to_contain_text("in EUR, the currency in which this portfolio was assessed")
