import json
import logging
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from engine.core.errors import SchemaError, SettingsError
from engine.io.etl.api import Api, ProviderError, UnreachableError
from engine.io.etl.loaders import buildings, register_client
from engine.io.etl.loading import LoadOptions
from tests.io.lattices import box, geojson, quiet
from tests.io.provider_server import running

AREA = "3020011000"
KEY = "a+secret/key=="
NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUOTA = b"""<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg>
<returnAuthMsg>LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR</returnAuthMsg></cmmMsgHeader>
</OpenAPI_ServiceResponse>"""


def item(number, **fields):
    return {
        "mgmBldrgstPk": f"30200-{number}", "sigunguCd": AREA[:5], "bjdongCd": AREA[5:], "platGbCd": "0",
        "bun": "0012", "ji": f"{number:04d}", "platPlc": f"대전광역시 유성구 원내동 12-{number}번지", "strctCd": "21",
        "strctCdNm": "철근콘크리트구조", "mainPurpsCd": "01000", "mainPurpsCdNm": "단독주택", "useAprDay": "19980704",
        "grndFlrCnt": 2, "ugrndFlrCnt": 1, "platArea": 210.5, "archArea": 100, "totArea": 180.25, "heit": 0,
        "hhldCnt": 1, "rserthqkDsgnApplyYn": " ",
    } | fields  # fmt: skip


def page(items, total, code="00"):
    held = "" if not items else {"item": items[0] if len(items) == 1 else items}
    body = {"items": held, "numOfRows": 2, "pageNo": 1, "totalCount": total}
    return {"response": {"header": {"resultCode": code, "resultMsg": "NORMAL SERVICE."}, "body": body}}


def register(items):
    """The register's web service for one area."""

    def answer(call, params):
        if call == "address":
            number = int(params["address"].rpartition("-")[2].removesuffix("번지"))
            point = {"x": str(127.3 + number / 1000), "y": "36.3"}
            found = {"status": "OK", "result": {"point": point}} if number != 3 else {"status": "NOT_FOUND"}
            return json.dumps({"response": found}).encode()
        first = (int(params["pageNo"]) - 1) * int(params["numOfRows"])
        return json.dumps(page(items[first : first + int(params["numOfRows"])], len(items))).encode()

    return answer


@pytest.fixture
def service():
    with running(register([item(n) for n in range(1, 6)])) as server:
        yield server


@pytest.fixture
def api(service):
    with Api(service.url, per_second=1e6, keys={"serviceKey": KEY}, sleep=lambda seconds: None) as connected:
        yield connected


def ask(api, data, **options):
    return register_client.download(api, data, [AREA], quiet, **({"rows": 2, "now": NOW} | options))


def load(url, data, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        (report,) = buildings.load(connection, LoadOptions(data=data, **options), quiet)
    return report


def query(url, text):
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


def pages_asked(service):
    return [params["pageNo"] for call, params in service.asked if call == "getBrTitleInfo"]


def test_every_page_is_asked_and_the_last_holds_a_single_object(service, api, tmp_path, warehouse):
    ask(api, tmp_path)
    assert pages_asked(service) == ["1", "2", "3"]
    assert service.asked[0][1] | {"pageNo": ""} == {
        "sigunguCd": "30200", "bjdongCd": "11000", "numOfRows": "2", "pageNo": "", "_type": "json", "serviceKey": KEY,
    }  # fmt: skip
    saved = json.loads((tmp_path / f"buildings/register_{AREA}.json").read_text())
    assert isinstance(saved[-1]["answer"]["response"]["body"]["items"]["item"], dict)
    report = load(warehouse, tmp_path)
    assert (report.status, report.rows, report.message) == ("published", 5, "1 areas")
    rows = query(
        warehouse,
        """SELECT sigungu_cd, bjdong_cd, bun, ji, structure, main_purpose_cd, use_approval_date, floors_above,
             floors_below, total_area, height_m, household_count, has_seismic_design, cached_at
           FROM api_buildings ORDER BY 4""",
    )
    assert rows[0] == (
        "30200", "11000", "0012", "0001", "철근콘크리트구조", "01000", date(1998, 7, 4), 2,
        1, 180.25, None, 1, None, NOW,
    )  # fmt: skip
    assert load(warehouse, tmp_path).status == "up to date"


def test_an_interrupted_download_goes_on_behind_its_last_page(service, api, tmp_path, warehouse):
    service.faults.extend([(200, service.body("", {"pageNo": "1", "numOfRows": "2"})), *[(503, b"")] * 6])
    with pytest.raises(UnreachableError, match=rf"area={AREA}, pageNo=2\): HTTP 503, after 6 attempts"):
        ask(api, tmp_path)
    report = load(warehouse, tmp_path)
    assert (report.rows, report.findings[0].message) == (
        0,
        f"1 areas are saved in part and left out: {AREA}; ask them again",
    )
    service.asked.clear()
    ask(api, tmp_path, rows=100)  # another length would cut the pages elsewhere
    assert pages_asked(service) == ["2", "3"]
    assert load(warehouse, tmp_path).rows == 5


def test_an_area_is_asked_again_after_ninety_days_or_on_demand(service, api, tmp_path):
    ask(api, tmp_path)
    service.asked.clear()
    ask(api, tmp_path, now=NOW + timedelta(days=89))
    assert service.asked == []
    ask(api, tmp_path, now=NOW + timedelta(days=91))
    ask(api, tmp_path, now=NOW + timedelta(days=92), refresh=True)
    assert pages_asked(service) == ["1", "2", "3"] * 2


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ((200, QUOTA), "not JSON: <OpenAPI_ServiceResponse>.*LIMITED_NUMBER"),
        ((200, json.dumps(page([], 0, code="30")).encode()), "reports no success.*30"),
        ((401, f"bad key {KEY}".encode()), r"HTTP 401: bad key \*\*\*$"),
        ((200, json.dumps(page([], 5)).encode()), "an empty page after 0 of 5 items"),
    ],
)
def test_a_refusal_is_not_asked_again_and_tells_no_key(service, api, tmp_path, caplog, fault, sentence):
    service.faults.append(fault)
    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError, match=sentence) as refused:
        ask(api, tmp_path)
    assert len(service.asked) == 1
    assert KEY not in str(refused.value) + caplog.text
    assert "a%2Bsecret" not in caplog.text


def test_429_is_asked_again(service, api, tmp_path):
    service.faults.extend([(429, b""), (500, b"")])
    ask(api, tmp_path)
    assert pages_asked(service) == ["1", "1", "1", "2", "3"]


def test_places_come_from_lots_first_and_from_addresses_else(service, api, tmp_path, warehouse):
    ask(api, tmp_path)
    assert register_client.geocode(api, tmp_path, quiet, limit=3) != []
    assert len([call for call, _ in service.asked if call == "address"]) == 3
    register_client.geocode(api, tmp_path, quiet, limit=100)
    assert len([call for call, _ in service.asked if call == "address"]) == 5
    assert register_client.geocode(api, tmp_path, quiet, limit=100) == []
    geojson(tmp_path / "lots.geojson", (box(127.5, 36.5, 127.502, 36.502), {"PNU": f"{AREA}100120001"}))
    report = load(warehouse, tmp_path)
    assert report.findings[-1].message == "1 of 5 buildings have no coordinates: no layer of lots, no saved address"
    rows = query(
        warehouse, "SELECT ji, geocode_method, longitude::float, latitude::float FROM api_buildings ORDER BY 1"
    )
    assert rows[0] == ("0001", "lot", 127.501, 36.501)
    assert rows[1] == ("0002", "address", 127.302, 36.3)
    assert rows[2] == ("0003", None, None, None)


def test_a_building_gone_from_its_area_goes_and_other_areas_stay(service, api, tmp_path, warehouse):
    ask(api, tmp_path)
    load(warehouse, tmp_path)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO api_buildings (mgm_bld_pk, sigungu_cd, bjdong_cd) VALUES ('x', '11110', '10100')"
        )
    service.body = register([item(n, totArea=n) for n in range(2, 5)])
    ask(api, tmp_path, refresh=True)
    assert load(warehouse, tmp_path).rows == 3
    assert [pk for (pk,) in query(warehouse, "SELECT mgm_bld_pk FROM api_buildings ORDER BY 1")] == [
        "30200-2", "30200-3", "30200-4", "x",
    ]  # fmt: skip


def test_unknown_days_and_blank_answers_stay_unknown():
    row = buildings.building(
        item(1, useAprDay="20050000", rserthqkDsgnApplyYn="Y", grndFlrCnt="", totArea="1,200.5"), AREA
    )
    assert (row["use_approval_date"], row["has_seismic_design"], row["floors_above"], row["total_area"]) == (
        None, True, None, 1200.5,
    )  # fmt: skip
    assert (
        buildings.building(item(1, useAprDay="00000000", rserthqkDsgnApplyYn="N"), AREA)["has_seismic_design"] is False
    )
    for wrong in ({"mgmBldrgstPk": ""}, {"sigunguCd": "11110"}, {"totArea": "wide"}, {"useAprDay": "19981399"}):
        with pytest.raises(ValueError):  # noqa: PT011  (the reason goes into the rejects, any will do)
            buildings.building(item(1, **wrong), AREA)


def test_answers_that_do_not_belong_together_are_refused(tmp_path, warehouse):
    folder = tmp_path / "buildings"
    folder.mkdir()
    params = {"sigunguCd": AREA[:5], "bjdongCd": AREA[5:], "pageNo": "1"}
    entries = [
        {"call": "getBrTitleInfo", "params": params | {"pageNo": str(n)}, "answer": page([item(n)], n + 1)}
        for n in (1, 2)
    ]
    (folder / "a.json").write_text(json.dumps(entries))
    with pytest.raises(SchemaError, match="the register had 2 items on another page and 3 on this one"):
        load(warehouse, tmp_path)
    (folder / "a.json").write_text("<html>")
    with pytest.raises(SchemaError, match=r"a\.json is not JSON, it begins '<html>'"):
        load(warehouse, tmp_path)
    with pytest.raises(SettingsError, match=r"an area is ten digits .* not 302"):
        register_client.download(None, tmp_path, ["302"], quiet)
