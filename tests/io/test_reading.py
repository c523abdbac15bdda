"""Files that libraries find damaged: one sentence each, and our own faults stay what they are."""

from __future__ import annotations

import csv
import importlib
import json
import struct
import zlib

import fastexcel
import polars as pl
import pyogrio
import pytest
import rasterio
import shapely

from engine.core.errors import EngineError, SchemaError
from engine.io.files import reading


def test_every_class_that_is_known_exists_in_its_library():
    for module, names in reading._RAISED.items():
        imported = importlib.import_module(module)
        assert all(issubclass(getattr(imported, name), BaseException) for name in names), module


@pytest.mark.parametrize(
    "err",
    [
        fastexcel.CalamineError("calamine error: bad CRC\nContext:\n    0: could not load"),
        rasterio.errors.RasterioIOError("TIFFFillStrip: Read error"),
        pyogrio.errors.FeatureError("Failed to read feature"),
        shapely.errors.GEOSException("IllegalArgumentException: bad WKB"),
        pl.exceptions.ComputeError("could not parse"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        zlib.error("invalid block type"),
        csv.Error("line contains NUL"),
        struct.error("unpack requires 4 bytes"),
        EOFError("Compressed file ended"),
        OSError("Truncated file"),
    ],
    ids=lambda err: type(err).__name__,
)
def test_what_a_library_says_of_a_file_is_one_sentence_with_its_name(tmp_path, err):
    with pytest.raises(SchemaError) as caught, reading.reading(tmp_path / "a.tif"):
        raise err
    assert str(caught.value).startswith("a.tif is broken: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is err


def test_a_panic_of_rust_is_the_files_fault_too(tmp_path):
    panic = type("PanicException", (BaseException,), {})("assertion failed: range.end <= self.size")
    with (
        pytest.raises(SchemaError, match=r"a\.parquet is broken: assertion failed"),
        reading.reading(tmp_path / "a.parquet"),
    ):
        raise panic


@pytest.mark.parametrize("err", [MemoryError(), TypeError("ours"), KeyError("ours"), KeyboardInterrupt()])
def test_faults_of_our_own_and_a_full_memory_go_on(tmp_path, err):
    with pytest.raises(type(err)), reading.reading(tmp_path / "a.tif"):
        raise err


def test_an_error_page_is_called_one_and_a_lost_file_says_why(tmp_path):
    page = tmp_path / "a.gpkg"
    page.write_text("<html>\n<body>502 Bad Gateway")
    with (
        pytest.raises(SchemaError, match=r"a\.gpkg is an error page, not data: <html> <body>502"),
        reading.reading(page),
    ):
        raise zlib.error("whatever")
    with pytest.raises(SchemaError, match=r"none\.csv cannot be read: No such file"):
        reading.text_of(tmp_path / "none.csv")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000,  # deeper than Python goes
        b'{"population": NaN}',
        b'{"population": -Infinity}',
        b'{"population": ' + b"9" * 5000 + b"}",  # longer than Python converts
        rb'{"name": "\ud800"}',  # half a character
        rb'{"name": "a\u0000b"}',  # no database stores it
        '{"name": "서울"}'.encode("cp949"),
        b'{"name": ',
        b"",
    ],
    ids=["deep", "nan", "infinity", "digits", "surrogate", "nul", "cp949", "cut", "empty"],
)
def test_what_is_no_json_is_refused(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=r"a\.json is not JSON, it begins "):
        reading.json_of(path)


def test_json_with_characters_beyond_the_first_plane_is_read(tmp_path):
    path = tmp_path / "a.json"
    for text in (json.dumps({"name": "\U00020000 서울"}), '{"name": "\U00020000 서울"}'):
        path.write_text(text, "utf-8-sig")
        assert reading.json_of(path) == {"name": "\U00020000 서울"}


def test_toml_that_is_not_utf8_or_holds_no_date_is_refused(tmp_path):
    path = tmp_path / "legend.toml"
    for content in ('[classes]\n1 = "숲"'.encode("cp949"), b"a = 2021-13-45", b"a = " + b"[" * 5000):
        path.write_bytes(content)
        with pytest.raises(SchemaError, match=r"legend\.toml cannot be read"):
            reading.toml_of(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.00 2.00 3.25\n1.00 2.00 3.2", True),
        ("1.00 2.00 3.25\n1.00 2.00 3", True),
        ("1.00 2.00 3.25\n1.00 2.00 3.", True),
        ("1.00 2.00 3.25\n1.00 2.00 3.25", False),
        ("1.00 2.00 3.25\n1.00 2.00 3.25\n", False),
        ("1 2 3\n1 2 3", False),
        ("1.00 2.00 3.2", False),
        ("", False),
    ],
)
def test_a_text_that_ends_within_a_number_is_told_by_its_decimals(text, expected):
    assert reading.cut_short(text) is expected


def test_a_text_with_nul_bytes_is_none(tmp_path):
    with pytest.raises(EngineError, match=r"a\.csv is not text in UTF-8 or cp949: it holds NUL bytes"):
        reading.decoded("code,population".encode("utf-16-le"), "a.csv")
