"""Portfolio files of other people's programs: the same table in every dialect, packed, and without end."""

import bz2
import csv
import gzip
import io
import tracemalloc
import zipfile
import zlib

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from engine.assess.job import portfolio_csv, portfolio_file
from engine.core.errors import LimitError, SettingsError
from engine.io.files.packed import Limits

LIMITS = Limits(1_000_000, 1_000)
NAMES = ["site_id", "latitude", "longitude", "total_asset_value", "insurance_coverage_rate", "이름"]
ROWS = [
    ["A1", 37.5665, 126.978, 5 * 10**9, 0.25, "본사, 1층; 서울 | a"],
    ["#2", -0.5, -127, 1000, 0.125, '지점 "둘"\n둘째 줄'],
    ["", 37, 127.5, 10**9, 1, "공장"],
]
SPELLINGS = [
    NAMES,
    [" Site ID ", "LATITUDE", "Longitude ", "Total-Asset Value", "insurance coverage_rate", "이름"],
    ["SITE_ID", "lat", "Lng", "TOTAL_ASSET_VALUE", "Insurance_Coverage_Rate", "이름"],
]
PACKINGS = {
    "csv": bytes,
    "csv.gz": gzip.compress,
    "csv.zst": lambda content: pa.compress(content, "zstd", asbytes=True),
    "txt": zlib.compress,
    "zip": lambda content: zipped(("folder/sites.tsv", content), ("readme.md", b"x"), ("__MACOSX/._sites.tsv", b"x")),
}


def zipped(*members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("portfolios")


def read(folder, content, name="sites.csv", limits=LIMITS):
    path = folder / name
    path.write_bytes(content)
    return portfolio_file.read(path, {}, limits)


@settings(max_examples=50, deadline=None)
@given(
    separator=st.sampled_from(",;\t|"),
    comma=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp949", "utf-32"]),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    lead=st.lists(st.sampled_from(["# of 2025, a;b", "", ";;;", ",,", "\t\t"]), max_size=3),
    sep_line=st.booleans(),
    spelling=st.sampled_from(SPELLINGS),
    blanks=st.integers(0, 3),
    packing=st.sampled_from(sorted(PACKINGS)),
)
def test_the_same_table_in_every_dialect_is_the_same_sites(
    folder, separator, comma, encoding, end, quoting, lead, sep_line, spelling, blanks, packing
):
    text = io.StringIO()
    lines = csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting)
    lines.writerow(spelling)
    for row in ROWS:
        told = [str(value) if isinstance(value, float) else value for value in row]
        lines.writerow(
            [v.replace(".", ",") if comma and isinstance(x, float) else v for v, x in zip(told, row, strict=True)]
        )
    above = [f"sep={separator}"] * sep_line + lead
    content = "".join(line + end for line in above) + text.getvalue() + (separator * 5 + end) * blanks
    found = read(folder, PACKINGS[packing](content.encode(encoding)), f"sites.{packing}")
    assert (found.name, found.rows.to_list()) == ("sites", [len(above) + line for line in (2, 3, 4)])
    expected = pl.DataFrame([[*row[:5]] for row in ROWS], schema=NAMES[:5], orient="row", strict=False)
    expected = expected.with_columns(pl.col("site_id").replace("", None), total_asset_value=pl.col("total_asset_value"))
    faults = found.sites["invalid_types"].list.len().to_list()
    assert faults == [0, 0, 0]
    assert_frame_equal(found.sites.select(NAMES[:5]), expected, check_dtypes=False)
    names = [name.replace("\r\n", "\n") for name in found.carried["이름"]]
    assert names == [row[5] for row in ROWS]
    assert sum("read as text in" in note for note in found.notes) == (
        comma or separator != "," or bool(above) or encoding not in ("utf-8", "utf-8-sig")
    )


def test_a_number_among_decimal_commas_is_never_a_thousandth_or_a_thousandfold(folder):
    found = read(
        folder, b"lat;lon;total_asset_value;elevation\n37,5;127,0;5.000;1.5\n37,5;127,0;5,5;1,5\n37,5;127.5;9;2\n"
    )
    assert found.sites["invalid_types"].to_list() == [
        ["total_asset_value", "elevation"],
        ["total_asset_value"],
        ["longitude"],
    ]
    typed = "lat;lon;total_asset_value;floor_area;elevation\n37,5;127,0;1조 2,000억;12,000㎡;8,125\n"
    typed += "37,5;127,0;500,000;9;1,5\n"
    found = read(folder, (typed + "37,5;127,0;1,5억;1,25㎡;1\n37,5;127,0;1.500.000;1234,567;1\n").encode())
    assert found.sites["invalid_types"].to_list() == [
        ["total_asset_value", "floor_area"],
        ["total_asset_value"],
        [],
        [],
    ]
    assert found.sites["total_asset_value"].to_list() == [None, None, 150_000_000, 1_500_000]
    assert found.sites["elevation"][0] == 8.125
    # 8,500 is decided by the column itself, or by the range of the field; else it is 8.5 or 8,500, and a fault
    for others, expected in (("9", None), ("1234,567", 8.5), ("0,125", 8.5), ("1.200,5", 8.5), ("8,500", None)):
        text = f"lat;lon;floor_area;imperviousness_ratio\n37,5;127,0;8,500;0\n37,5;127,0;{others};1,000\n"
        found = read(folder, text.encode()).sites
        assert (found["floor_area"][0], found["imperviousness_ratio"][1]) == (expected, 1.0), others
        assert ("floor_area" in found["invalid_types"][0]) == (expected is None)
    plain = read(folder, b"lat;lon;total_asset_value;elevation\n37.5;127;500,000;2\n")
    assert plain.sites["total_asset_value"].to_list() == [500_000]
    assert read(folder, b"lat;lon;elevation\n37;127;1,5\n").sites["elevation"].to_list() == [1.5]


def test_only_a_line_with_nothing_but_a_comment_is_none(folder):
    found = read(folder, b"site_id,latitude,longitude\n#12,37.5,127\n# checked\n,,\n\nB,37,127\n")
    assert (found.sites["site_id"].to_list(), found.rows.to_list()) == (["#12", "B"], [2, 6])
    assert found.notes == [
        "comment lines (#) among the rows: 1, counted as rows without any value",
        "3 rows without any value are no sites and left out",
    ]


def test_parquet_and_json_lines_have_the_same_names(folder):
    file = io.BytesIO()
    pl.DataFrame({"LAT": [37.5], " Longitude": [127.0]}).write_parquet(file)
    lines = b'\n{"Lat": 37.5, "lng": 127.0}\n\n'
    for found in (read(folder, file.getvalue(), "a.parquet"), read(folder, gzip.compress(lines), "a.gz")):
        assert found.sites.select("latitude", "longitude").rows() == [(37.5, 127.0)]
        assert found.notes[0].startswith("columns read as fields: 'L")


REFUSED = [
    ("", "holds no header"),
    ("#a\n\n", "holds no header"),
    ("name\nx\n", "no column latitude, longitude; read as text in UTF-8, separated by commas, its columns are: name"),
    ("latitud;longitude;x\n1;2;3\n", "no column latitude; read as text in UTF-8, separated by semicolons, its columns"),
    ("sep=;\nlatitude,longitude\n1,2\n", "separated by semicolons, its header in line 2, its columns are: latitude,l"),
    ("lat,Latitude,lon\n1,2,3\n", "columns 'lat' and 'Latitude' may both be latitude"),
    ("latitude,latitude,longitude\n1,2,3\n", "columns 'latitude' and 'latitude' may both be latitude"),
    ("lat;lon,lat;lon,\nlat", "no column"),
    (
        "lat,lon,x;lat;lon\n1,2,3\n",
        "separated by commas or text in UTF-8, separated by semicolons: put a line such as sep=",
    ),
    ("lat,lon\n1,2\n37,5,127,2\n", "the row that ends in line 3 has 4 fields, the header 2; a decimal comma needs"),
    ("#\nlat;lon\n1;2;3\n", "the row that ends in line 3 has 3 fields, the header 2"),
    ('lat,lon,x\n1,2,3" wide\n4,5,6\n', "a quotation mark stands within one of its fields"),
    ("lat;lon\n37,5;127.5\n", "1 value of lat, lon has a decimal comma and as many a point"),
    ("lat,lon,name\n1,2,Zürich\n".encode("latin-1"), "line 2 holds the byte 0xfc"),
    ("lat,lon,name\n1,2,中关村海淀区\n".encode("gbk"), "neither UTF-8 nor UTF-16 nor Korean text in cp949"),
    ("lat,lon,name\n1,2,トヨタ\n".encode("euc-jp"), "neither UTF-8 nor UTF-16 nor Korean"),
    ("lat,lon,name\n1,2,ÄRZTE ÖL\n".encode("latin-1"), "neither UTF-8 nor UTF-16 nor Korean"),
    ("lat,lon,name\n1,2,とうきょう\n".encode("shift-jis"), "neither UTF-8 nor UTF-16 nor Korean"),
    ("lat,lon\n1,2\n".encode("utf-16")[:-1], "is no text in utf-16 all through"),
    (bz2.compress(b"x"), "is packed by bzip2"),
    (gzip.compress(gzip.compress(b"x")), "gzip within gzip"),
    (gzip.compress(b"lat,lon\n1,2\n" * 99)[:-8], "is packed by gzip and cannot be unpacked"),
    (zlib.compress(b"lat,lon\n1,2\n" * 99)[:-8], "is packed by zlib and cannot be unpacked"),
    (pa.compress(b"lat,lon\n1,2\n" * 99, "zstd", asbytes=True)[:-3], "is packed by zstd and cannot be unpacked"),
    (zipped(("a.csv", b"x"), ("b.csv", b"x")), "is a zip with 2 files"),
    (zipped(("[Content_Types].xml", b"x"), ("xl/a.xml", b"x")), "is a workbook that cannot be read"),
    (zipped(("[Content_Types].xml", b"x"), ("word/a.xml", b"x")), "is a Word document"),
    (zipped(*((f"{n:060}", b"") for n in range(10_000))), "a zip of very many files"),
]


@pytest.mark.parametrize(("content", "says"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_decided_is_one_sentence_that_names_what_was_found(folder, content, says):
    with pytest.raises(SettingsError) as refused:
        read(folder, content.encode() if isinstance(content, str) else content)
    assert says in str(refused.value)
    assert str(refused.value).startswith(str(folder / "sites.csv"))
    assert "\n" not in str(refused.value)


HEAD = b"latitude,longitude\n"
LARGE = {
    "rows": (HEAD + b"37.5,127\n" * 9_000, "at most 1,000 rows"),
    "blank lines": (HEAD + b"\n" * 900_000, "at most 10,000 lines, blank ones included"),
    "bytes": (HEAD + b"1" * 50_000_000, "unpacks to more than 1,000,000 bytes"),
}


@pytest.mark.parametrize("packing", sorted(PACKINGS.keys() - {"csv"}))
@pytest.mark.parametrize("kind", LARGE)
def test_a_packed_file_without_end_is_refused_before_it_is_read(folder, packing, kind, monkeypatch):
    content, says = LARGE[kind]
    packed = PACKINGS[packing](content)
    monkeypatch.setattr(portfolio_file, "_fields", lambda path: pytest.fail("it was read"))
    tracemalloc.start()
    with pytest.raises(LimitError, match=says):
        read(folder, packed, f"sites.{packing}")
    assert tracemalloc.get_traced_memory()[1] < 8_000_000
    tracemalloc.stop()


@settings(max_examples=40, deadline=None)
@given(
    cells=st.lists(st.sampled_from(["37", "", " ", '"a\nb"', '"a ""b"', '"\n"', '""']), max_size=12), end=st.booleans()
)
def test_rows_are_counted_as_they_are_read(folder, cells, end):
    lines = "\n".join(["latitude;longitude", *(f"{cell};{cell}" for cell in cells)]) + "\n" * end
    path = folder / "counted.csv"
    path.write_text(lines, "utf-8")
    table = portfolio_csv.read(path)
    assert portfolio_csv.count(path, 1000) == table.rows.len()
    assert portfolio_csv.count(path, 2) == min(3, table.rows.len())
    assert table.total == len(cells)


def test_lines_and_parquet_within_an_archive_have_the_limits_too(folder):
    file = io.BytesIO()
    pl.DataFrame({"latitude": [37.5] * 1001, "longitude": [127.0] * 1001}).write_parquet(file)
    with pytest.raises(LimitError, match="at most 1,000 rows"):
        read(folder, zipped(("a.parquet", file.getvalue())), "a.zip")
    with pytest.raises(LimitError, match="at most 1,000 rows"):
        read(folder, gzip.compress(b'{"latitude": 1, "longitude": 2}\n' * 1001), "a.ndjson.gz")
    (folder / "b.parquet").write_bytes(file.getvalue())
    with pytest.raises(LimitError, match=r"unpacks to [0-9,]+ bytes, more than 300"):
        portfolio_file.require_rows(folder / "b.parquet", Limits(300, 2000))
