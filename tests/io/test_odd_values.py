"""Files that are well formed and say odd things: a sentence names the file before a type or the database refuses."""

from __future__ import annotations

import json

import polars as pl
import pytest

from engine.core.errors import SchemaError
from engine.core.scenario import Scenario
from engine.io.etl.loaders import aqueduct, basins, grid, map_layers, population, register_answers, sgg261, wamis, xyz
from engine.io.etl.places import read_layer
from engine.io.files import reading as readings
from tests.io import test_aqueduct, test_buildings, test_sgg261
from tests.io.lattices import box, geojson


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"result": [{"population": "1"}]}, "`result` of 2020 is not a list of objects with adm_cd"),
        ({"result": {"adm_cd": "11"}}, "`result` of 2020 is not a list of objects with adm_cd"),
        ({"result": [{"adm_cd": "11", "population": "9" * 30}]}, "'9{30}' is not a number of persons"),
        ({"result": [{"adm_cd": "11", "population": None}]}, "'None' is not a number of persons"),
    ],
)
def test_odd_counts_in_saved_answers_are_refused(tmp_path, answer, message):
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({"params": {"year": "2020"}, "answer": {"errCd": 0, **answer}}))
    with pytest.raises(SchemaError, match=rf"counts\.json: {message}"):
        population.read_counts([path])


@pytest.mark.parametrize("params", [None, [], "year", {}])
def test_an_answer_saved_without_its_question_is_refused(tmp_path, params):
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({"params": params, "answer": {}}))
    with pytest.raises(SchemaError, match="a saved answer is"):
        population.read_counts([path])


def test_a_table_of_counts_with_a_shortened_row_or_an_odd_year_is_refused(tmp_path):
    path = tmp_path / "counts.csv"
    for row, message in (("11,5", "row 3: 2 fields where 3 columns"), ("11,5,20200", "'20200' is not a year")):
        path.write_text(f"code,population,year\n21,7,2020\n{row}\n")
        with pytest.raises(SchemaError, match=rf"counts\.csv.*{message}"):
            population.read_counts([path])


def test_regions_that_a_count_leaves_out_are_reported():
    codes = ["1100000000", "2600000000", "1111000000", "1114000000"]
    counted = population.Counts({"11": 5, "11110": 2, "11140": 3}, {}, ())
    assert [finding.message for finding in population._findings(codes, {}, counted)] == [
        "1 of 2 provinces are not counted: 26"
    ]


def test_a_projection_cut_within_its_last_number_is_refused(tmp_path):
    path = tmp_path / "projection.csv"
    years = ",".join(f"{year}년" for year in population.YEARS)
    path.write_text(f"행정구역,{years}\n서울,{','.join(['961.75'] * 7)}\n부산,{','.join(['961.75'] * 7)}"[:-1])
    with pytest.raises(SchemaError, match="ends within a number, without a line end"):
        population.read_projection(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-6] + "\n", "line 368: 2 values where line 1 names 3 regions"),
        (lambda text: text[:-2], "ends within a number"),
        (lambda text: "\n".join(text.split("\n")[:3]), "holds no day"),
        (lambda text: text.replace("2021-02-03,", "2021-02-03"), "line 37: 2 values where line 1 names 3 regions"),
        (lambda text: text.replace("2021-02-03", "2021-02-33"), "is broken: "),
        (lambda text: text.replace("2021", "\0" * 4), "it holds NUL bytes"),
    ],
)
def test_a_regional_text_that_lost_something_is_refused(tmp_path, change, message):
    path = tmp_path / "a.asc"
    path.write_text(change(test_sgg261.text(2021, Scenario.SSP245)))
    with pytest.raises(SchemaError, match=rf"a\.asc.*{message}"):
        sgg261.read(path)


def entry(**changes):
    params = {"sigunguCd": "30200", "bjdongCd": "11000", "pageNo": "1"}
    asked = {"call": "getBrTitleInfo", "params": params, "answer": test_buildings.page([], 0)}
    return asked | {key: params | value if key == "params" else value for key, value in changes.items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"asked_at": "yesterday"}, "asked_at is 'yesterday', not a time"),
        ({"asked_at": None}, "asked_at is 'None', not a time"),
        ({"params": {"pageNo": "one"}}, "pageNo is 'one'"),
        ({"params": {"pageNo": "9" * 5000}}, "pageNo is '9{40}'$"),
        ({"answer": test_buildings.page([], "9" * 5000)}, "totalCount is"),
    ],
)
def test_odd_answers_of_the_register_are_refused(tmp_path, changes, message):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(entry(**changes)))
    with pytest.raises(SchemaError, match=message):
        register_answers.read([path])


def test_times_with_and_without_a_zone_stand_side_by_side(tmp_path):
    path = tmp_path / "a.json"
    pages = [entry(asked_at="2026-01-01T00:00:00+09:00"), entry(asked_at="2026-01-01T00:00:00", params={"pageNo": "2"})]
    path.write_text(json.dumps(pages))
    [area] = register_answers.read([path]).areas.values()
    assert area.asked_at.isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("point", [{"x": "nan", "y": "36"}, {"x": "1e999", "y": "36"}, {"x": "127", "y": "127"}])
def test_an_address_that_lies_nowhere_is_refused(tmp_path, point):
    answer = {"response": {"status": "OK", "result": {"point": point}}}
    with pytest.raises(SchemaError, match="here: the provider reports no success"):
        register_answers.point_of(answer, "here")


@pytest.mark.parametrize("code", [0, -1, "1.5", 40_000, 10**30, None, "²", True])
def test_a_number_of_a_basin_that_the_table_cannot_hold_is_refused(tmp_path, code):
    layer = read_layer(geojson(tmp_path / "basins.geojson", (box(127, 36, 128, 37), {"basin_code": code})))
    with pytest.raises(SchemaError, match="feature 1 of the basin layer has no basin_code from 1 to 9999"):
        basins._code_of(layer, 0)


@pytest.mark.parametrize("grade", [1e308, 10**30, -1, "1.5", True, [1]])
def test_an_odd_grade_of_a_river_is_refused(tmp_path, grade):
    layer = read_layer(geojson(tmp_path / "rivers.geojson", (box(127, 36, 128, 37), {"grade": grade})))
    with pytest.raises(SchemaError, match="is not a whole number from 0 to 9999"):
        map_layers._grade(layer, 0)


def test_a_whole_number_of_the_water_agency_has_four_digits():
    assert wamis._whole(" 2020 ", "year") == 2020
    for odd in ("9" * 5000, "20201", "1e3", None):
        with pytest.raises(SchemaError, match="year is not a whole number from 0 to 9999"):
            wamis._whole(odd, "year")


@pytest.mark.parametrize(("column", "value"), [(8, "1e300"), (9, 1e12), (10, "nan")])
def test_a_workbook_with_numbers_that_no_column_holds_is_refused(tmp_path, column, value):
    rows = [list(row) for row in test_aqueduct.future_rows()]
    rows[0][column] = value
    sheets = {"province_baseline": (test_aqueduct.BASELINE, list(test_aqueduct.baseline_rows()))}
    path = test_aqueduct.write(tmp_path, sheets | {"province_future": (test_aqueduct.FUTURE, rows)})
    with pytest.raises(SchemaError, match=r"sheet province_future: 1 value of \w+ is (too large|not numbers)"):
        aqueduct.read(path)


def test_points_farther_than_the_earth_is_wide_are_unreadable_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("1.0 2.0 3.0\n1e300 2.0 3.0\nnan 2.0 3.0\n-1e9 2.0 3.0\n1.0 2.0 4.0")
    points = xyz.Points(path)
    assert [z.tolist() for _, _, z in points.blocks()] == [[3.0], [4.0]]
    assert [line for line, _ in points.bad] == [2, 3, 4]
    assert not points.cut_short
    path.write_text("1.0 2.0 3.0\n1.0 2.0 4")
    assert sum(len(x) for x, _, _ in points.blocks()) == 2
    assert points.cut_short


@pytest.mark.parametrize(
    "line", ["lat0 = nan", "lat0 = 1e308", "n_lat = 99999", "first_year = -4", "last_year = 20210"]
)
def test_a_lattice_that_is_not_on_earth_is_refused(tmp_path, line):
    path = tmp_path / "grid.toml"
    sound = {"lat0": 36.3, "lon0": 127.3, "n_lat": 8, "n_lon": 8, "step": 0.01, "first_year": 2021, "last_year": 2100}
    key = line.split(" ")[0]
    path.write_text("\n".join([line, *(f"{name} = {value}" for name, value in sound.items() if name != key)]))
    with pytest.raises(SchemaError, match=r"grid\.toml: (its lattice is not on Earth|years are)"):
        grid.read_lattice(path)


def test_a_panic_while_reading_polars_own_formats_is_a_sentence(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": list(range(1000))}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(SchemaError, match=r"a\.parquet is broken"), readings.reading(path):
        pl.read_parquet(path)
