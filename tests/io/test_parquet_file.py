"""Damaged Parquet of other people: refused in words by every reader, without a panic of polars on the screen."""

from __future__ import annotations

import io

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.core.errors import SchemaError, SettingsError
from engine.io.etl.loaders import besttrack_readers
from engine.io.files import parquet_file, table_text
from engine.io.sites import assessment_files


@pytest.fixture
def lost(tmp_path):
    """An IBTrACS table whose middle was lost in copying: the footer speaks of places behind the end."""
    path = tmp_path / "lost.parquet"
    rows = 500
    columns = ("SID", "ISO_TIME", "LAT", "LON", "WMO_WIND", "WMO_PRES")
    pl.DataFrame({name: [f"{name} {i}" for i in range(rows)] for name in columns}).write_parquet(path)
    raw = path.read_bytes()
    path.write_bytes(raw[:100] + raw[len(raw) * 3 // 5 :])
    return path


@pytest.mark.parametrize(
    ("read", "refusal"),
    [
        (besttrack_readers.read, SchemaError),
        (table_text.read, SchemaError),
        (assessment_files.read_parquet, SettingsError),
    ],
    ids=["best track", "table of stations", "sites"],
)
def test_a_table_that_lost_a_block_is_refused_by_every_reader_without_a_panic(lost, read, refusal, capfd):
    with pytest.raises(refusal, match=r"lost\.parquet"):
        read(lost)
    assert "panicked" not in capfd.readouterr().err


def test_a_flipped_bit_is_found_by_the_checksum_of_its_page():
    sink = io.BytesIO()
    pq.write_table(
        pa.table({"a": list(range(1000))}), sink, write_page_checksum=True, compression="none", use_dictionary=False
    )
    raw = bytearray(sink.getvalue())
    raw[500] ^= 4
    with pytest.raises(OSError, match=r"(?i)crc checksum"):
        parquet_file.read(io.BytesIO(bytes(raw)))


def test_a_text_that_is_not_utf8_is_refused():
    text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")])
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": text}), sink)
    with pytest.raises(pa.ArrowInvalid, match="UTF8"):
        parquet_file.read(io.BytesIO(sink.getvalue()))


def test_metadata_of_a_file_that_is_no_text_is_nobodys_business(tmp_path, capfd):
    path = tmp_path / "sites.parquet"
    table = pa.table({"latitude": [37.5], "name": ["가"]})
    pq.write_table(table.replace_schema_metadata({b"\xc1key": b"\xff"}), path)
    assert parquet_file.read(path).rows() == [(37.5, "가")]
    assert "panicked" not in capfd.readouterr().err
