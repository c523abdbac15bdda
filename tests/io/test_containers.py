"""What a file is, told by its first bytes."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest

from engine.core.errors import SchemaError
from engine.io.files import containers

CLASSIC = b"CDF\x01" + bytes(40)
KINDS = ("hdf5", "classic")


def tar(path, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def read(path, suffixes=(".nc",), kinds=KINDS):
    with containers.opened(path, suffixes, kinds) as content:
        found = content.path.read_bytes(), content.kind
    assert content.path == path or not content.path.exists(), "unpacked files are gone afterwards"
    return found


@pytest.mark.parametrize(
    ("content", "start"),
    [
        ("지점,일시\n".encode("cp949") * 30, "'지점,일'"),
        ("지점,일시\n".encode() * 30, "'지점,일'"),
        (b"\x93NUMPY\x01\x00", "the bytes 93 4e 55 4d"),
    ],
)
def test_the_beginning_of_a_foreign_file_is_shown_in_readable_signs(tmp_path, content, start):
    (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(SchemaError, match=f"a.nc starts with {start}, expected one of: hdf5, classic"):
        read(tmp_path / "a.nc")


def test_a_plain_file_is_read_where_it_lies(tmp_path):
    path = tmp_path / "a.nc"
    path.write_bytes(CLASSIC)
    assert read(path) == (CLASSIC, "classic")


def test_an_archive_under_another_name_gives_its_one_member(tmp_path):
    inside = [("folder/note.txt", b"hello"), ("folder/TA.NC", CLASSIC)]
    assert read(tar(tmp_path / "a.nc", *inside)) == (CLASSIC, "classic")
    with zipfile.ZipFile(tmp_path / "b.nc", "w") as archive:
        for name, content in inside:
            archive.writestr(name, content)
    assert read(tmp_path / "b.nc") == (CLASSIC, "classic")
    (tmp_path / "c.nc.gz").write_bytes(gzip.compress(CLASSIC))
    assert read(tmp_path / "c.nc.gz") == (CLASSIC, "classic")


def test_korean_names_in_a_zip_are_decoded(tmp_path):
    path = tmp_path / "dem.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("대전.nc".encode("euc-kr").decode("cp437"), CLASSIC)
    # the writer marks the name as UTF-8; old tools wrote the bare bytes
    raw = path.read_bytes().replace("대전.nc".encode("euc-kr").decode("cp437").encode(), b"XX")
    assert b"XX" in raw
    with zipfile.ZipFile(path) as archive:
        info = archive.infolist()[0]
        info.flag_bits &= ~0x800
        assert containers.decoded_name(info) == "대전.nc"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "holds 0 files of type .nc, not 1: nothing"),
        ([("a.nc", CLASSIC), ("b.nc", CLASSIC)], "holds 2 files of type .nc, not 1: a.nc, b.nc"),
        ([("../../etc/a.nc", CLASSIC)], "holds a member outside its folder"),
        ([("a.nc", b"<html>no</html>")], "is an error page, not data: <html>no</html>"),
        ([("a.nc", b"GRIB....")], "expected one of: hdf5, classic"),
    ],
)
def test_an_archive_with_anything_else_is_refused(tmp_path, members, message):
    with pytest.raises(SchemaError, match=message):
        read(tar(tmp_path / "a.nc", *members))


def test_a_truncated_archive_is_broken(tmp_path):
    path = tar(tmp_path / "a.nc", ("a.nc", CLASSIC + bytes(range(256)) * 50))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SchemaError, match=r"a\.nc is broken"):
        read(path)


def test_an_archive_whose_checksum_does_not_hold_is_refused(tmp_path):
    path = tar(tmp_path / "a.nc", ("TA.nc", CLASSIC * 50))
    raw = bytearray(path.read_bytes())
    raw[-8] ^= 1  # of the checksum of gzip, which stands behind the end of the tar
    path.write_bytes(raw)
    with pytest.raises(SchemaError, match=r"a\.nc is broken: CRC check failed"):
        read(path)
    path.write_bytes(raw[:-4])
    with pytest.raises(SchemaError, match=r"a\.nc is broken: Compressed file ended"):
        read(path)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (6, 1, "encrypted"),  # flags
        (8, 99, "compression|not supported"),  # method
        (14, 7, "CRC|overlap|differ"),
    ],
)
def test_odd_entries_of_a_zip_are_refused(tmp_path, offset, value, message):
    path = tmp_path / "a.nc"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("TA.nc", CLASSIC)
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[offset] ^= value
    raw[central + 2 + offset] ^= value
    path.write_bytes(raw)
    with pytest.raises(SchemaError, match=rf"(?i)a\.nc is broken: .*({message})"):
        read(path)
    with pytest.raises(SchemaError, match=r"a\.nc is broken"):
        containers.refuse_damaged_zip(path)
