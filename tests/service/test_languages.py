"""Answers in the language of the reader: English by default, Korean where `?lang=` or `Accept-Language` asks for it."""

import json
import re

import fastexcel
import httpx
import pytest
from playwright.sync_api import expect
from websockets.sync.client import connect

from engine.core.rates import COLUMNS  # of a table of rates, by these names in any language
from tests.service.conftest import LAND, OUTSIDE
from tests.service.test_assessments import CALCULATE, finished, messages
from tests.service.test_texts import seen

KOREAN = {"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"}
PORTFOLIO = "/api/v1/risk-assessment/portfolio"
CSV = {"Content-Type": "text/csv"}
#: the second row is a fault, the third lies outside
SITES = (
    f"name,위도,경도,자산가액\n본사,{LAND[0]},{LAND[1]},9000000000\n오타,95,127.2,7\n먼곳,{OUTSIDE[0]},{OUTSIDE[1]},1\n"
)
#: Latin words that Korean readers write, too: names of columns, units, methods, people and files
LATIN = re.compile(
    r"SSP|AAL|KRW|English|API|Enter|JSON|CSV|XLSX|Parquet|NDJSON|GEV|Scott|WGS|TVaR|RX\dDAY|WSDI|CSDI|SPEI|mm|km|cm|name"
    r"|[a-z]+\d*[a-z]*_[a-z_]+|columns|portfolio|gz|zst|zip|csv|xlsx|PNG|GeoTIFF|wsdi|csdi|spei|CDD|ID|Page|Up|Down|Home|End"
    # tables of Parquet, by their names
    r"|^(aal|totals|exposure|vulnerability|risk|failures|year_losses|curve|contributions|storms)$"
    r"|^(ta|rn|rhm|ws|si|FWI|WSI|Excel|UTF|latitude|longitude|Y_pos|MJ)$"
)


@pytest.mark.parametrize(
    ("path", "english", "korean"),
    [
        ("/api/v1/explain?lat=95&lon=1&risk_type=typhoon", "Invalid latitude", "위도가 허용 범위"),
        (
            "/api/v1/probability?lat=35.1&lon=127.2&risk_type=river_flod",
            "Unknown risk type: river_flod; known: ",
            "알 수 없는 위험 종류: river_flod. 사용할 수 있는 값: ",
        ),
        ("/api/v1/runs/999", "Run not found", "실행을 찾을 수 없습니다"),
        ("/nothing", "Not Found", "찾을 수 없습니다"),
        (f"/api/v1/explain?lat={LAND[0]}&lon={LAND[1]}&risk_type=typhoon", "highest wind of the year", "연 최대 풍속"),
        (f"/api/v1/cell/return-levels?lat={LAND[0]}&lon={LAND[1]}&risk_type=drought", "", ""),
    ],
)
def test_sentences_are_english_unless_korean_is_asked_for(client, path, english, korean):
    plain, header = client.get(path), client.get(path, headers=KOREAN)
    parameter = client.get(f"{path}{'&' if '?' in path else '?'}lang=ko")
    assert (english in plain.text, korean in plain.text) == (True, not korean)
    assert (english in header.text, korean in header.text) == (not english, True)
    assert header.json() == parameter.json()
    assert plain.status_code == header.status_code == parameter.status_code
    assert "Accept-Language" in plain.headers["vary"]
    assert (header.headers.get("content-language"), plain.headers.get("content-language")) == ("ko", None)
    assert client.get(path, headers=KOREAN, params={"lang": "en"} if "?" not in path else None)


def test_codes_figures_and_what_was_sent_are_the_same_in_both(client):
    path = f"/api/v1/explain?lat={LAND[0]}&lon={LAND[1]}&risk_type=river_flood"
    english, korean = client.get(path).json(), client.get(path, headers=KOREAN).json()

    def without(document):
        if isinstance(document, dict):
            return {
                key: without(value) for key, value in document.items() if key not in ("sentence", "meaning", "note")
            }
        return [without(each) for each in document] if isinstance(document, list) else document

    assert without(english) == without(korean)
    assert english["sentence"] != korean["sentence"]
    refused = client.get("/api/v1/runs/abc", headers=KOREAN).json()["detail"][0]
    assert refused["value"] == "abc"


def test_each_language_has_a_tag_of_its_own(client):
    path = f"/api/v1/explain?lat={LAND[0]}&lon={LAND[1]}&risk_type=river_flood"
    english, korean = client.get(path), client.get(path, headers=KOREAN)
    assert english.headers["etag"] != korean.headers["etag"]
    again = client.get(path, headers=KOREAN | {"If-None-Match": korean.headers["etag"]})
    assert (again.status_code, again.headers["etag"], again.content) == (304, korean.headers["etag"], b"")
    assert client.get(path, headers={"If-None-Match": korean.headers["etag"]}).status_code == 200
    head = client.head(path, headers=KOREAN)
    assert (head.headers["etag"], head.content) == (korean.headers["etag"], b"")


def test_a_follower_is_told_in_korean_why_a_job_failed(client):
    answer = client.post(CALCULATE, json={"latitude": OUTSIDE[0], "longitude": OUTSIDE[1]})
    with connect(f"{answer.json()['websocket_url']}?lang=ko") as socket:
        said, code = messages(socket)
    assert (said[-1]["status"], said[-1]["error_message"], code) == ("failed", "위치가 자료 격자 밖에 있습니다", 1000)
    assert all(re.search("[가-힣]", each["step"]) for each in said[:-1])


def test_a_look_into_a_file_asks_and_finds_fault_in_korean(client):
    asked = client.post(f"{PORTFOLIO}/preview", content="a,b\n1,2\n", headers=CSV | KOREAN).json()
    assert asked["question"].startswith("portfolio: latitude, longitude 열이 없습니다")
    told = client.post(f"{PORTFOLIO}/preview", content=SITES, headers=CSV | KOREAN).json()
    assert [(each["row"], each["value"]) for each in told["faults"]] == [(3, "95")]
    assert told["faults"][0]["reason"].startswith("위도가 허용 범위")
    assert {each["column"]: each["field"] for each in told["columns"]}["자산가액"] == "total_asset_value"


def test_the_workbook_of_a_portfolio_sent_in_korean_is_korean_and_files_for_programs_are_not(client):
    made = client.post(PORTFOLIO, content=SITES, headers=CSV | KOREAN, params={"time_periods": ["mid_term"]}).json()
    finished(client, made["request_id"])
    where = f"/api/v1/risk-assessment/portfolio/{made['request_id']}/results"
    book = fastexcel.read_excel(client.get(where, params={"format": "xlsx"}).content)
    assert book.sheet_names[:3] == ["요약", "사업장", "손실"]
    sites = book.load_sheet("사업장", dtypes="string").to_polars()
    assert sites.columns[:5] == ["행", "name", "위도", "경도", "자산가액"]
    assert sites["name"].to_list() == ["본사", "오타", "먼곳"]
    assert sites["상태"].to_list() == ["완료", "오류", "격자 밖"]
    assert sites["사유"][1].startswith("위도가 허용 범위")
    for name in book.sheet_names:
        table = book.load_sheet(name, dtypes="string").to_polars()
        cells = [*table.columns, *(value for row in table.rows() for value in row if value)]
        assert [each for each in cells if re.search(r"[a-z]{2,} [a-z]{2,} [a-z]{2,}|[a-z]{4,} [a-z]{4,}", each)] == []
    assert "Invalid latitude" in client.get(where, params={"format": "csv"}).text
    told = [client.get(where, params={"format": "json", **more}, headers=KOREAN) for more in ({}, {"lang": "ko"})]
    notes = [each.json()["results"][0]["loss_note"] for each in told]
    assert notes == ["index loss, not calibrated on losses", "지수 손실, 손실 자료로 보정되지 않음"]


@pytest.fixture
def reader(browser, service):
    """A Korean reader's page; fails on anything in the console."""
    view, said = browser.new_page(viewport={"width": 1300, "height": 900}, locale="en-GB"), []
    view.on("pageerror", lambda error: said.append(str(error)))
    yield view
    view.close()
    assert said == []


def foreign(view):
    """Latin words that the page shows beside those that Korean readers write."""
    texts = (re.sub(r"\w+\.(parquet|json|csv|xlsx)", "", text) for text in seen(view))
    words = (word for text in texts for word in re.findall(r"[A-Za-z][A-Za-z0-9_]+", text))
    return {word for word in words if not LATIN.search(word)}


def test_a_korean_reader_of_the_map_meets_no_english_in_explanations_refusals_and_results(reader, service):
    reader.goto(f"{service[0]}/?lang=ko")
    expect(reader.locator("#layer")).to_have_attribute("data-layer", re.compile("^aal/"))
    for risk in ("extreme_heat", "typhoon", "drought", "wildfire"):
        reader.select_option("#risk", risk)
        reader.fill("#lat", str(LAND[0]))
        reader.fill("#lon", str(LAND[1]))
        reader.locator("#lon").press("Enter")
        if reader.locator(".why[open]").count() == 0:
            reader.click(".why > summary")
        expect(reader.locator(".why h4").last).to_be_visible(timeout=30_000)
        expect(reader.locator("#figures table.levels tbody tr")).to_have_count(4, timeout=30_000)
        assert foreign(reader) == set()
    reader.fill("#lat", str(OUTSIDE[0]))
    reader.fill("#lon", str(OUTSIDE[1]))
    reader.locator("#lon").press("Enter")
    expect(reader.locator("#place")).to_contain_text("자료 격자 밖", timeout=30_000)
    reader.click("#site button")
    expect(reader.locator("#step")).to_contain_text("자료 격자 밖", timeout=60_000)
    assert foreign(reader) == set()


def test_a_korean_reader_of_the_portfolio_page_meets_no_english_from_question_to_results(reader, service):
    reader.goto(f"{service[0]}/portfolio?lang=ko")
    reader.wait_for_selector("body[data-ready]")
    table = {"name": "목록.csv", "mimeType": "text/csv", "buffer": SITES.replace("위도", "Y_pos").encode()}
    reader.set_input_files("#file", table)
    expect(reader.locator("#question")).to_contain_text("열이 없습니다")
    assert foreign(reader) - {*COLUMNS, "pos"} == set()
    reader.set_input_files("#file", {"name": "목록.csv", "mimeType": "text/csv", "buffer": SITES.encode()})
    expect(reader.locator("#check-faults tbody tr")).to_have_count(1)
    assert foreign(reader) - {*COLUMNS} == set()
    reader.click("#assess")
    expect(reader.locator("#results")).to_have_attribute("data-shown", "2 mid_term", timeout=60_000)
    assert foreign(reader) - {*COLUMNS} == set()


def test_a_refusal_in_korean_is_one_of_json_and_of_its_length(service):
    with httpx.Client(base_url=service[0]) as client:
        answer = client.get("/api/v1/runs/999", headers=KOREAN)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert json.loads(answer.content) == {"detail": "실행을 찾을 수 없습니다"}
