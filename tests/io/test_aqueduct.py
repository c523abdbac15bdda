import psycopg
import pytest
import xlsxwriter

from engine.core.errors import SchemaError
from engine.io.etl.load_record import GateError
from engine.io.etl.loaders import aqueduct
from engine.io.etl.loading import LoadOptions
from engine.io.files.source_files import MissingInputError
from tests.io.lattices import quiet

BASELINE = ["gid_0", "gid_1", "name_0", "name_1", "indicator_name", "weight", "score", "score_ranked", "cat", "label"]
BASELINE += ["un_region", "wb_region"]
FUTURE = [*BASELINE[:4], "year", "scenario", *BASELINE[4:]]
REGIONS = ["Eastern Asia", "East Asia & Pacific"]
PROVINCES = (["KOR", "KOR.16_1", "South Korea", "Seoul"], ["KOR", "KOR.1_1", "South Korea", "Busan"])


def baseline_rows():
    for place in PROVINCES:
        for weight in aqueduct.WEIGHTS:
            yield [*place, "bws", weight, 2.5, 100, 2, "Medium - High (20-40%)", *REGIONS]
        yield [*place, "drr", "Tot", 9.9, 1, 4, "another indicator", *REGIONS]


def future_rows():
    for place in PROVINCES:
        for year in aqueduct.YEARS:
            for scenario in aqueduct.SCENARIOS:
                for weight in aqueduct.WEIGHTS:
                    missing = place[3] == "Busan" and weight == "Liv"
                    scored = [-9999, -9999, -9999, "NoData"] if missing else [3, 42, 3, "High (40-80%)"]
                    yield [*place, year, scenario, "bws", weight, *scored, *REGIONS]


def write(folder, sheets):
    path = folder / "Aqueduct40_rankings_download_Y2023M07D05.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        for name, (columns, rows) in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate([columns, *rows]):
                sheet.write_row(number, 0, row)
    return path


@pytest.fixture
def sheets():
    return {
        "Read Me": (["text"], []),
        "country_baseline": (["gid_0"], [["KOR"]]),
        "Aqueduct Province Baseline": (BASELINE, list(baseline_rows())),
        "province_future": ([column.upper() for column in FUTURE], list(future_rows())),
    }


def load(url, data, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return aqueduct.load(connection, LoadOptions(data=data, **options), quiet)[0]


def rows(url, query):
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_two_provinces_give_108_projected_rows_and_the_baseline_of_2019(warehouse, tmp_path, sheets):
    write(tmp_path, sheets)
    report = load(warehouse, tmp_path)
    assert (report.status, report.rows) == ("published", 108 + 12)
    query = "SELECT year, scenario, count(*) FROM water_stress_rankings GROUP BY 1, 2 ORDER BY 1, 2"
    assert rows(warehouse, query) == [
        (2019, "baseline", 12),
        *((year, scenario, 12) for year in (2030, 2050, 2080) for scenario in ("bau", "opt", "pes")),
    ]
    assert "120 rows of KOR, expected 1020" in report.findings[0].message
    (gate,) = rows(warehouse, "SELECT gate_report ->> 'attribution' FROM etl_load WHERE status = 'published'")
    assert "CC BY 4.0" in gate[0]


def test_minus_9999_is_null_and_an_arid_class_of_minus_one_is_a_class(warehouse, tmp_path, sheets):
    future = sheets["province_future"][1]
    future[0][6:9] = ["bws", "Tot", 5]
    future[0][10] = -1
    write(tmp_path, sheets)
    load(warehouse, tmp_path)
    query = "SELECT score, score_ranked, cat FROM water_stress_rankings WHERE {} AND year > 2019 GROUP BY 1, 2, 3"
    assert rows(warehouse, query.format("name_1 = 'Busan' AND weight = 'Liv'")) == [(None, None, None)]
    assert rows(warehouse, query.format("cat = -1")) == [(5.0, 42, -1)]
    assert rows(warehouse, query.format("name_1 = 'Busan' AND weight = 'Tot'")) == [(3.0, 42, 3)]


def test_the_second_load_is_up_to_date_and_a_new_workbook_replaces_the_old_rows(warehouse, tmp_path, sheets):
    write(tmp_path, sheets)
    load(warehouse, tmp_path)
    assert load(warehouse, tmp_path).status == "up to date"
    sheets["province_future"] = (FUTURE, list(future_rows())[:54])
    write(tmp_path, sheets)
    assert load(warehouse, tmp_path).rows == 66
    assert rows(warehouse, "SELECT count(*) FROM water_stress_rankings") == [(66,)]


def test_an_impossible_score_stops_at_the_gate_and_the_old_rows_stay(warehouse, tmp_path, sheets):
    write(tmp_path, sheets)
    load(warehouse, tmp_path)
    sheets["province_future"][1][0][8] = 5.1
    write(tmp_path, sheets)
    with pytest.raises(GateError, match=r"1 scores outside 0\.\.5"):
        load(warehouse, tmp_path)
    assert rows(warehouse, "SELECT count(*) FROM water_stress_rankings") == [(120,)]


def test_a_workbook_of_another_shape_is_refused_in_words(warehouse, tmp_path, sheets):
    with pytest.raises(MissingInputError, match=r"no file Aqueduct40_rankings\*\.xlsx"):
        load(warehouse, tmp_path)
    path = write(tmp_path, {name: sheet for name, sheet in sheets.items() if name != "province_future"})
    with pytest.raises(SchemaError, match="has 0 sheets province_future; its sheets: Read Me, country_baseline"):
        load(warehouse, tmp_path)
    write(tmp_path, sheets | {"province_future": (BASELINE, [])})
    with pytest.raises(SchemaError, match="sheet province_future: no column year, scenario"):
        load(warehouse, tmp_path)
    wrong = list(future_rows())
    wrong[0][8] = "n/a"
    write(tmp_path, sheets | {"province_future": (FUTURE, wrong)})
    with pytest.raises(SchemaError, match="1 value of score is not numbers"):
        load(warehouse, tmp_path)
    write(tmp_path, sheets | {"province_future": (FUTURE, [*future_rows(), next(future_rows())])})
    with pytest.raises(SchemaError, match="1 duplicate row"):
        load(warehouse, tmp_path)
    path.write_text("<html>")
    with pytest.raises(SchemaError, match="xlsx is an error page, not data: <html>"):
        load(warehouse, tmp_path)
