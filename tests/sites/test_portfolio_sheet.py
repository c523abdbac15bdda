"""Workbooks as people keep them."""

import decimal
import gzip
import io
import random
import re
import zipfile
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from engine.assess.job import portfolio_file
from engine.assess.rules import sheets
from engine.assess.rules.column_names import ALIASES, WEAK
from engine.assess.rules.validation import check
from engine.core.errors import LimitError, SettingsError
from engine.io.files import workbook_in
from engine.io.files.packed import Limits
from tests.sites.test_portfolio_file import zipped

LIMITS = Limits(10_000_000, 1_000)
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def book(*sheets):
    """Bytes of a workbook; sheet: (name, rows, hidden); a cell `=#N/A` is a formula with that result."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as made:
        bold = made.add_format({"bold": True})
        for name, rows, *more in sheets:
            sheet = made.add_worksheet(name)
            if "hidden" in more:
                sheet.hide()
            for place, row in enumerate(rows):
                for column, value in enumerate(row):
                    if isinstance(value, str) and value.startswith("="):
                        result = value[1:]
                        sheet.write_formula(place, column, "=A1", bold, float(result) if "#" not in result else result)
                    elif value is not None:
                        sheet.write(place, column, value)
            sheet.write_blank(len(rows) + 300, 60, None, bold)
    return file.getvalue()


def read(tmp_path, content, name="sites.xlsx", **parameters):
    path = tmp_path / name
    path.write_bytes(content)
    return portfolio_file.read(path, parameters, LIMITS)


TABLE = [
    [None, "자산 목록 2026"],
    [],
    [None, "사업장", "위치", None, "자산가액(백만원)", "준공"],
    [None, "사업장번호", "위도", "경도", None, "준공연도"],
    [None, 1001, 37.5665, "126.9780", "1,000", 1998],
    [None, None, None, None, None, None],
    [None, "A-2", "=37.5", 127, "=#N/A", 2001],
    [None, "A-3", "37,5,1", 127, 5, 2001],
]


def test_a_sheet_with_titles_merged_headings_and_formulas_is_read_and_its_errors_are_named_by_cell(tmp_path):
    found = read(tmp_path, book(("표지", [["안내"]]), ("자산", TABLE), ("숨김", TABLE, "hidden")))
    assert found.rows.to_list() == [5, 7, 8]
    assert found.sites["latitude"].to_list()[:2] == [37.5665, 37.5]
    assert found.sites["longitude"].to_list() == [126.978, 127, 127]
    assert found.sites["total_asset_value"].to_list() == [10**9, None, 5 * 10**6]
    assert found.sites["site_id"].to_list() == ["1001", "A-2", "A-3"]
    assert found.sites["invalid_types"].to_list() == [[], ["total_asset_value"], ["latitude"]]
    assert found.stated([7, 8], ["total_asset_value", "latitude"]) == ["#N/A", "37,5,1"]
    notes = "; ".join(found.notes)
    assert "read sheet '자산' (--sheet NAME for another); not read: 표지, 숨김 (hidden)" in notes
    assert "its header stands in row 4" in notes
    assert "cells whose formula has failed: E7 #N/A" in notes
    packed = read(tmp_path, gzip.compress(book(("자산", TABLE))), "sites.xlsx.gz")
    assert packed.sites.equals(found.sites)
    assert read(tmp_path, book(("a", TABLE), ("b", TABLE)), "no-suffix-matters.csv", sheet="B").rows.to_list() == [
        5,
        7,
        8,
    ]


def test_decimal_commas_as_text_are_told_column_by_column(tmp_path):
    rows = [["lat", "lon", "total_asset_value"], ["37,5665", "126,978", 5.5e9], ["37,5", "127,1", "1.000.000"]]
    found = read(tmp_path, book(("s", rows)))
    assert found.sites.select("latitude", "longitude", "total_asset_value").rows() == [
        (37.5665, 126.978, 5_500_000_000),
        (37.5, 127.1, 1_000_000),
    ]


def test_numbers_among_texts_of_a_column_keep_their_point_and_what_has_two_readings_is_a_fault(tmp_path):
    names = ["lat", "lon", "floor_area", "elevation", "distance_to_coast_m"]
    rows = [
        names,
        ["37,5665", 126.978, "8,5", 8.5, "1.000.000"],
        [37.566, "126,9", 8.25, "8,500", 5.125],
        [37.5, 127, "8,500", "1,5", "7,5"],
        [37.5, 127, 8500, 12, 1234.567],
    ]
    found = read(tmp_path, book(("s", rows))).sites
    assert found["latitude"].to_list() == [37.5665, 37.566, 37.5, 37.5]
    assert found["longitude"].to_list() == [126.978, 126.9, 127, 127]
    assert found["floor_area"].to_list() == [8.5, 8.25, None, 8500]
    assert found["elevation"].to_list() == [8.5, None, 1.5, 12]
    assert found["distance_to_coast_m"].to_list() == [1e6, None, 7.5, 1234.567]  # never 5,125
    assert found["invalid_types"].to_list() == [[], ["elevation", "distance_to_coast_m"], ["floor_area"], []]


SPREADSHEET = "application/vnd.oasis.opendocument.spreadsheet"
CONTENT = (
    '<?xml version="1.0"?><office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
    ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
    ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:body><office:spreadsheet>'
    '<table:table table:name="S"><table:table-row><table:table-cell office:value-type="string"><text:p>lat</text:p>'
    '</table:table-cell><table:table-cell office:value-type="string"><text:p>lon</text:p></table:table-cell>'
    '</table:table-row><table:table-row><table:table-cell office:value-type="float" office:value="37.5"/>'
    '<table:table-cell office:value-type="float" office:value="127"/></table:table-row>'
    "</table:table></office:spreadsheet></office:body></office:document-content>"
)


def test_a_sheet_of_open_document_is_read(tmp_path):
    manifest = '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    content = zipped(("mimetype", SPREADSHEET), ("content.xml", CONTENT), ("META-INF/manifest.xml", manifest))
    assert read(tmp_path, content, "a.ods").sites.select("latitude", "longitude").rows() == [(37.5, 127)]


OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
REFUSED = {
    "password": (OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), "is protected by a password"),
    "old word": (OLE + bytes(600) + "WordDocument".encode("utf-16-le"), "is a Word document"),
    "damaged xls": (OLE + bytes(600), "is a workbook that cannot be read"),
    "damaged": (b"PK\x03\x04junk", "is no whole workbook"),
    "html": (b"<html><table><tr><td>lat</td></tr></table></html>", "is an HTML page, whatever its name says"),
    "word": (zipped(("[Content_Types].xml", b"x"), ("word/a.xml", b"x")), "is a Word document, no table"),
    "text document": (
        zipped(("mimetype", b"application/vnd.oasis.opendocument.text"), ("content.xml", b"x")),
        "is a document of application/vnd.oasis.opendocument.text",
    ),
    "empty": (book(("s", [])), "sheet 's' holds no header: it is empty"),
    "two near misses": (
        book(("s", [["Lattitude", "Longtitude"], [1, 2]])),
        "is 'Lattitude' the latitude?; is 'Longtitude' the longitude? Then add --columns"
        " 'latitude=Lattitude,longitude=Longtitude'",
    ),
    "addresses": (
        book(("s", [["사업장명", "도로명주소"], ["x", "서울특별시 중구 세종대로 110"]])),
        "an address ('도로명주소') is not looked up: the table needs coordinates in degrees (WGS84)",
    ),
    "no coordinates": (
        book(("s", [["name", "lattitude", "lon"], ["x", 1, 2]])),
        "is 'lattitude' the latitude? Then add --columns 'latitude=lattitude'",
    ),
    "two sheets": (book(("c", [["x"]]), ("a", TABLE), ("b", TABLE)), "sheets a, b all have coordinates: say which"),
    "far": (
        book(("s", [["lat", "lon"], [37, 127], *[[]] * 998, [None] * 16_000 + ["x"]] * 5)),
        "delete what stands beyond",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_workbook_of_sites_is_refused_by_its_true_name(tmp_path, kind):
    content, says = REFUSED[kind]
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, content, "sites.xlsx")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fault_of_ours_is_not_called_the_workbooks_and_a_panic_of_its_reader_is(tmp_path, monkeypatch):
    path = tmp_path / "sites.xlsx"
    path.write_bytes(book(("s", TABLE)))
    panic = type("PanicException", (BaseException,), {})

    def raising(err):
        def read(_path):
            raise err

        monkeypatch.setattr(workbook_in.fastexcel, "read_excel", read)

    raising(KeyError("a slip in this program"))
    with pytest.raises(KeyError):
        workbook_in.Workbook(path, 10_000_000)
    raising(panic("assertion failed"))
    with pytest.raises(SettingsError, match="is a workbook that cannot be read: assertion failed"):
        workbook_in.Workbook(path, 10_000_000)


def test_a_damaged_workbook_is_read_or_refused_and_nothing_else(tmp_path):
    whole, draw, ends = book(("s", TABLE), ("t", [["a"], ["=#N/A"]])), random.Random(3), set()
    path = tmp_path / "sites.xlsx"
    for _ in range(200):
        raw = bytearray(whole)
        if draw.random() < 0.7:
            for _ in range(draw.randint(1, 6)):
                raw[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
        else:
            del raw[draw.randrange(len(raw)) :]
        path.write_bytes(raw)
        try:
            found = workbook_in.Workbook(path, 50_000_000)
            ends.add((found.hidden(), [found.read(name).name for name in found.names]) and "read")
        except SettingsError:
            ends.add("refused")
    assert ends == {"read", "refused"}


def test_a_workbook_has_the_limits_of_what_is_packed(tmp_path, monkeypatch):
    rows = [["lat", "lon"], *[[37.5, 127]] * 1001]
    with pytest.raises(LimitError, match="at most 1,000 rows"):
        read(tmp_path, book(("s", rows)))
    monkeypatch.setattr(workbook_in.fastexcel, "read_excel", lambda path: pytest.fail("it was read"))
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"x")
        archive.writestr("xl/worksheets/sheet1.xml", bytes(20_000_000))
    with pytest.raises(LimitError, match="unpacks to more than 10,000,000 bytes"):
        read(tmp_path, bomb.getvalue())


@pytest.mark.parametrize("wrong", [(126.978, 37.5665), (198000.0, 451000.0)])
def test_coordinates_that_are_exchanged_or_of_a_map_are_named_for_the_whole_file(tmp_path, wrong):
    content = f"위도,경도\n{wrong[0]},{wrong[1]}\n{wrong[0]},{wrong[1]}\n37,127\n"
    says = "are the two columns swapped" if wrong[0] < 1000 else "no degrees"
    with pytest.raises(SettingsError, match=says) as refused:
        read(tmp_path, content.encode(), "a.csv")
    assert "row 2: latitude (column '위도')" in str(refused.value)


def test_a_parquet_column_of_records_is_refused_by_its_name(tmp_path):
    file = io.BytesIO()
    pl.DataFrame({"latitude": [{"deg": 37}], "longitude": [127.0]}).write_parquet(file)
    with pytest.raises(SettingsError, match=r"column latitude holds Struct.*unnest"):
        read(tmp_path, file.getvalue(), "a.parquet")


def test_a_typed_column_is_converted_by_the_unit_of_its_heading_and_what_no_integer_holds_is_a_fault(tmp_path):
    file, value = io.BytesIO(), pl.Series([5, None], dtype=pl.Int16)
    pl.DataFrame({"위도": [37.5] * 2, "경도": [127.0] * 2, "자산가액(백만원)": value}).write_parquet(file)
    assert read(tmp_path, file.getvalue(), "a.parquet").sites["total_asset_value"].to_list() == [5_000_000, None]
    for huge in ([1e30], [decimal.Decimal(10**30)]):
        file = io.BytesIO()
        pl.DataFrame({"lat": [37.5], "lon": [127.0], "total_asset_value": huge}).write_parquet(file)
        failures = check(read(tmp_path, file.getvalue(), "a.parquet").sites).failures
        assert failures["reason"].to_list() == ["Invalid type for total_asset_value"]


def test_a_heading_of_several_lines_below_titles_is_one_heading(tmp_path):
    content = '목록 2026,,\n"자산가액\n(백만원)",위도,경도\n"1,000",37,127\n'
    found = read(tmp_path, content.encode("cp949"), "a.csv")
    assert found.sites["total_asset_value"].to_list() == [10**9]


def test_a_building_stated_in_part_by_the_columns_of_a_file_is_completed_not_refused(tmp_path):
    found = read(tmp_path, "위도,경도,구조,준공연도\n37,127,RC,1998\n".encode(), "a.csv")
    assert found.open == {
        "main_purpose",
        "floors_below",
        "floors_above",
        "has_piloti",
        "has_seismic_design",
        "fire_access",
    }
    assert any(note.startswith("no column states main_purpose") for note in found.notes)


def test_the_examples_of_the_docs_hold_the_same_sites(tmp_path):
    text = portfolio_file.read(EXAMPLES / "sites.csv", {}, LIMITS)
    workbook = portfolio_file.read(EXAMPLES / "sites-ko.xlsx", {}, LIMITS)
    for found in (text, workbook):
        assert found.sites["invalid_types"].list.len().sum() == 0
    names = ["site_id", "latitude", "longitude", "total_asset_value", "floor_area", "insurance_coverage_rate"]
    names += ["structure", "main_purpose", "floors_below", "floors_above", "building_age"]
    assert text.sites.select(names).equals(workbook.sites.select(names))
    del tmp_path


def test_the_docs_list_every_name_of_a_column_and_every_column_of_the_outputs():
    inputs = (EXAMPLES.parent / "site-fields.md").read_text("utf-8")
    fields = inputs.partition("## Columns")[2].partition("\n## ")[0]
    lines = {line.split("`")[1]: line for line in fields.splitlines() if line.startswith("| `")}
    for field, others in ALIASES.items():
        for other in others:
            assert re.search(rf"[|,] {re.escape(other)}(,| \|)", lines[field]), (field, other)
    for field, others in WEAK.items():
        assert all(f"{other}†" in lines[field] for other in others), field
    text = (EXAMPLES.parent / "assessment.md").read_text("utf-8")
    cells = {
        cell.strip() for line in text.splitlines() if line.startswith("| ") for cell in line.split("|")[1].split(",")
    }
    told = {*cells, "largest loss, place", "AAL % of value, net of insurance"}
    every = (*sheets.SITE, *sheets.SITE_PAIR, *sheets.LOSSES, *sheets.FAULTS, *sheets.BY_RISK, *sheets.WORST)
    for shown in sheets.titled(every):
        assert shown.title in told, shown.title
