"""A look into a portfolio before it is assessed: the same for every kind of file."""

import json

import polars as pl
import pytest
import xlsxwriter

from engine.assess.job.portfolio_preview import preview
from engine.assess.rules import columns
from engine.core.errors import LimitError, SettingsError
from engine.io.files.packed import Limits

LIMITS = Limits(1_000_000, 100)
NAMES = ["loan", "Y_pos", "X_pos"]
ROWS = [("A1", 35.1, 127.2), ("A2", 95.0, 127.1)]


def csv(folder):
    path = folder / "a.csv"
    path.write_text("\n".join(";".join(map(str, row)) for row in [NAMES, *ROWS]), "utf-8")
    return path


def workbook(folder):
    path = folder / "a.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("loans")
        sheet.write(0, 0, "Loans of 2026")
        for place, row in enumerate([NAMES, *ROWS]):
            sheet.write_row(place + 2, 0, row)
    return path


def parquet(folder):
    path = folder / "a.parquet"
    pl.DataFrame(ROWS, schema=NAMES, orient="row").write_parquet(path)
    return path


def lines(folder):
    path = folder / "a.ndjson"
    path.write_text("\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in ROWS), "utf-8")
    return path


@pytest.mark.parametrize(("write", "first"), [(csv, 2), (workbook, 4), (parquet, 1)])
def test_every_kind_of_table_is_asked_about_and_read_once_the_answer_is_there(tmp_path, write, first):
    path = write(tmp_path)
    told = preview(path, {}, LIMITS)
    assert "no column latitude, longitude" in told["question"]
    assert [each["column"] for each in told["columns"]] == NAMES
    assert [each["row"] for each in told["first_rows"]] == [first, first + 1]
    assert [float(each) for each in told["first_rows"][0]["values"][1:]] == [35.1, 127.2]
    half = preview(path, {"columns": {"latitude": "Y_pos"}}, LIMITS)
    assert {each["column"]: each["field"] for each in half["columns"]}["Y_pos"] == "latitude"
    assert half["question"] is not None
    told = preview(path, {"columns": {"latitude": "Y_pos", "longitude": "X_pos"}}, LIMITS)
    assert (told["question"], told["rows"], told["valid"]) == (None, 2, 1)
    assert [(each["row"], each["column"], float(each["value"])) for each in told["faults"]] == [
        (first + 1, "Y_pos", 95.0)
    ]


def test_of_two_columns_that_may_be_one_field_the_first_is_guessed_and_the_question_names_both(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("위도,LAT,lon\n35.1,35.2,127.2\n", "utf-8")
    told = preview(path, {}, LIMITS)
    assert "'위도' and 'LAT' may both be latitude" in told["question"]
    assert [each["field"] for each in told["columns"]] == ["latitude", None, "longitude"]
    assert preview(path, {"columns": {"latitude": "LAT"}}, LIMITS)["valid"] == 1


def test_rows_that_are_longer_than_the_header_are_a_question_with_the_rows_as_they_are(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("latitude,longitude\n35,1,127,2\n", "utf-8")
    told = preview(path, {}, LIMITS)
    assert "4 fields, the header 2" in told["question"]
    assert told["first_rows"] == [{"row": 2, "values": ["35", "1"]}]


def test_what_has_no_columns_or_too_many_rows_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("latitude,longitude\n" + "35.1,127.2\n" * 101, "utf-8")
    with pytest.raises(LimitError, match="at most 100 rows"):
        preview(path, {}, LIMITS)
    path.write_text("\n\n", "utf-8")
    with pytest.raises(SettingsError, match="holds no header"):
        preview(path, {}, LIMITS)


@pytest.mark.parametrize("text", ['{"latitude": "Y, deg", "name": "a=b"}', ' {"name":"a=b","latitude":"Y, deg"}'])
def test_columns_are_stated_as_json_where_their_names_hold_signs_of_the_short_form(text):
    assert columns.stated(text) == {"latitude": "Y, deg", "name": "a=b"}
    with pytest.raises(SettingsError, match="gives latitude twice"):
        columns.stated('{"latitude": "a", "latitude": "b"}')
