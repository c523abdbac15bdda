import json
from datetime import date

import psycopg
import pytest

from engine.core.errors import SchemaError
from engine.io.etl.load_record import GateError
from engine.io.etl.loaders import wamis
from engine.io.etl.loading import LoadOptions
from engine.io.files.source_files import MissingInputError
from tests.io.lattices import quiet

SUCCESS = {"code": "success"}


def answer(call, items, **params):
    return {"call": call, "params": params, "answer": {"result": SUCCESS, "list": items}}


def gauges(*codes):
    return answer("flw_dubobsif", [{"obscd": code, "obsnm": f"gauge {code}"} for code in codes], basin="3")


def days(year, *flows):
    return [{"ymd": f"{year}01{day:02d}", "fw": flow} for day, flow in enumerate(flows, 1)]


def flow(code, year, *flows):
    return answer("wkw/flw_dtdata", days(year, *flows), obscd=code, year=str(year))


def use(year, total, **more):
    return {"year": str(year), "wssum": "1.5", "indsum": "-", "afsum": "2", "total": total, **more}


@pytest.fixture
def save(tmp_path):
    def write(*answers, name="saved.json"):
        path = tmp_path / "water" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(list(answers)), "utf-8")
        return tmp_path

    return write


def load(url, data, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return {report.table: report for report in wamis.load(connection, LoadOptions(data=data, **options), quiet)}


def rows(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


FLOWS = "SELECT obs_code, obs_date, flow_m3s FROM api_wamis_flow ORDER BY 1, 2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127-30-36", 127.51), ("037-00-00.0", 37.0), ("36.97", 36.97), ("127-61-00", None), ("", None), ("a-b-c", None)],
)
def test_coordinates_are_degrees_minutes_seconds_or_decimal(text, expected):
    assert wamis.degrees(text) == pytest.approx(float("nan") if expected is None else expected, nan_ok=True)


def test_a_single_item_may_be_an_object_and_a_list_a_list(warehouse, save):
    detail = answer("wl_obsinfo", {"wlobscd": "A", "lat": "36-30-00", "lon": "127-15-36", "rivnm": "Geum"}, obscd="A")
    single = answer("flw_dubobsif", {"obscd": "A", "obsnm": "one", "sbsncd": "300101", "minyear": "1991"}, basin="3")
    report = load(warehouse, save(single, detail))["api_wamis_stations"]
    assert (report.status, report.rows) == ("published", 1)
    query = (
        "SELECT obs_code, basin_code, sub_basin_code, river_name, min_year, latitude, longitude FROM api_wamis_stations"
    )
    assert rows(warehouse, query) == [("A", 3, "300101", "Geum", 1991, 36.5, 127.26)]
    load(warehouse, save(gauges("A", "B")))
    assert rows(warehouse, "SELECT obs_code, latitude FROM api_wamis_stations ORDER BY 1") == [("A", None), ("B", None)]


def test_a_list_of_gauges_with_coordinates_is_read_as_it_is(warehouse, tmp_path):
    (tmp_path / "water").mkdir()
    listed = [{"obscd": "A", "obsnm": "one", "basin_code": 2, "latitude": 35.5, "longitude": 128.25}]
    (tmp_path / "water/stations_with_coordinates.json").write_text(json.dumps(listed))
    load(warehouse, tmp_path)
    query = "SELECT basin_code, latitude, longitude FROM api_wamis_stations"
    assert rows(warehouse, query) == [(2, 35.5, 128.25)]


def test_a_missing_day_has_no_row_and_is_not_zero(warehouse, save):
    load(warehouse, save(gauges("A"), flow("A", 2001, "1.5", "-", "0", "", "1,200.5")))
    assert rows(warehouse, FLOWS) == [
        ("A", date(2001, 1, 1), 1.5),
        ("A", date(2001, 1, 3), 0.0),
        ("A", date(2001, 1, 5), 1200.5),
    ]


def test_a_year_read_again_is_corrected_and_other_years_stay(warehouse, save):
    load(warehouse, save(gauges("A"), flow("A", 2001, "1", "2", "3"), flow("A", 2002, "9")))
    load(warehouse, save(gauges("A"), flow("A", 2001, "1", "-", "4")))
    assert [(day.year, day.day, value) for _, day, value in rows(warehouse, FLOWS)] == [
        (2001, 1, 1.0),
        (2001, 3, 4.0),
        (2002, 1, 9.0),
    ]


def test_water_use_is_kept_by_basin_and_year_and_corrected(warehouse, save):
    one = answer("wks_wiawtaa_lst", [use(2019, "1,000"), use(2020, "900")], basin="1")
    load(warehouse, save(one, answer("wks_wiawtaa_lst", use(2020, "7"), basin="2")))
    load(warehouse, save(answer("wks_wiawtaa_lst", [use(2020, "950")], basin="1")))
    query = (
        "SELECT basin_code, year, domestic, industrial, agricultural, total FROM api_wamis_water_usage ORDER BY 1, 2"
    )
    assert rows(warehouse, query) == [(1, 2020, 1.5, None, 2.0, 950.0), (2, 2020, 1.5, None, 2.0, 7.0)]


def test_the_use_of_all_basins_is_held_against_the_national_balance(warehouse, save):
    answers = [answer("wks_wiawtaa_lst", use(2020, "1000000"), basin=str(basin)) for basin in range(1, 7)]
    report = load(warehouse, save(*answers[:5]))["api_wamis_water_usage"]
    assert report.findings == ()  # without Jeju there is nothing to compare with
    (finding,) = load(warehouse, save(*answers))["api_wamis_water_usage"].findings
    assert (finding.severity, "outside the usual 20..40, found 6 to 6" in finding.message) == ("W", True)


def test_the_second_load_finds_everything_up_to_date(warehouse, save):
    data = save(gauges("A"), flow("A", 2001, "1"), answer("wks_wiawtaa_lst", [use(2020, "9")], basin="3"))
    load(warehouse, data)
    before = rows(warehouse, "SELECT * FROM api_wamis_flow")
    assert {report.status for report in load(warehouse, data).values()} == {"up to date"}
    assert rows(warehouse, "SELECT * FROM api_wamis_flow") == before
    assert {report.status for report in load(warehouse, data, force=True).values()} == {"published"}


def test_the_scope_is_what_the_answers_declare(warehouse, tmp_path):
    (tmp_path / "water").mkdir()
    (tmp_path / "water/a.json").write_text(json.dumps({"scope": "synthetic", "answers": [gauges("A")]}))
    load(warehouse, tmp_path)
    assert rows(warehouse, "SELECT DISTINCT scope FROM etl_load") == [("synthetic",)]
    (tmp_path / "water/b.json").write_text(json.dumps([flow("A", 2001, "1")]))
    with pytest.raises(SchemaError, match=r"different scopes \(a\.json: synthetic, b\.json: none\)"):
        load(warehouse, tmp_path)


def test_a_rehearsal_writes_nothing(warehouse, save):
    data = save(gauges("A"), flow("A", 2001, "1"))
    assert load(warehouse, data, dry_run=True)["api_wamis_flow"].status == "checked"
    assert rows(warehouse, "SELECT * FROM api_wamis_stations") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("<html><title>502 Bad Gateway", r"saved\.json is not JSON, it begins '<html><title>502"),
        ({"result": {"code": "success"}, "list": []}, r"a saved answer is \{\"call\""),
        ([{"call": "wl_dtdata", "params": {}, "answer": {}}], r"unknown call 'wl_dtdata'"),
        (
            [{"call": "flw_dtdata", "params": {"obscd": "A"}, "answer": {"result": {"code": "error", "msg": "quota"}}}],
            r"saved\.json, flw_dtdata\(obscd=A\): the provider reports no success: .*quota",
        ),
        ([flow("A", 2001, "1") | {"params": {"obscd": "A"}}], r"flw_dtdata was saved without its parameter year"),
        ([gauges("A"), flow("B", 2001, "1")], r"flow of 1 gauges that the gauge list does not name: B"),
        ([gauges("A"), flow("A", 2001, "1"), flow("A", 2001, "2")], r"flow of gauge A in 2001 is saved twice"),
        ([gauges("A", "A")], r"gauge A is listed twice"),
        ([gauges("A"), flow("A", 2001, "dry")], r"api_wamis_flow: 1 of 1 record is unreadable.*not a flow: dry"),
        (
            [gauges("A"), answer("flw_dtdata", days(2002, "1"), obscd="A", year="2001")],
            r"20020101 is not in the year asked, 2001",
        ),
        ([answer("wks_wiawtaa_lst", [use(2020, "-")], basin="1")], r"basin 1, year 2020 has no total"),
    ],
)
def test_an_answer_that_is_not_what_it_should_be_is_refused_in_words(warehouse, tmp_path, content, sentence):
    (tmp_path / "water").mkdir()
    (tmp_path / "water/saved.json").write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(SchemaError, match=sentence):
        load(warehouse, tmp_path)
    assert rows(warehouse, "SELECT * FROM api_wamis_flow") == []


def test_an_impossible_flow_stops_at_the_gate_and_the_old_flow_stays(warehouse, save):
    load(warehouse, save(gauges("A"), flow("A", 2001, "1")))
    with pytest.raises(GateError, match=r"1 flows outside 0\.\.40000 m3/s"):
        load(warehouse, save(gauges("A"), flow("A", 2001, "2", "40001")))
    assert rows(warehouse, FLOWS) == [("A", date(2001, 1, 1), 1.0)]


def test_without_saved_answers_nothing_is_touched(warehouse, tmp_path):
    with pytest.raises(MissingInputError, match=r"no saved answers water/\*\.json"):
        load(warehouse, tmp_path)
