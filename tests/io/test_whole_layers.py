"""Layers that were cut, whose parts do not fit together, or that lost a geometry: refused, never read in part."""

from __future__ import annotations

import json
import logging

import numpy as np
import pyogrio
import pytest
import shapely

from engine.core.errors import SchemaError, SettingsError
from engine.io.etl.places import read_layer
from engine.io.files import shapefile, source_files
from tests.io.lattices import box, geojson

PARTS = (".shp", ".shx", ".dbf")
N = 9


def layer(folder, suffix=".shp", n=N, encoding="cp949"):
    """Squares in a row, each with a name and a code of ten digits."""
    shapes = np.array([shapely.segmentize(shapely.box(127 + i, 36, 127.9 + i, 37), 0.1) for i in range(n)], object)
    columns = [np.array([f"{i:010d}" for i in range(n)], object), np.array(["서울"] * n, object)]
    path = folder / f"towns{suffix}"
    pyogrio.raw.write(
        path, shapely.to_wkb(shapes), columns, ["BJCD", "NAME"], geometry_type="Polygon", crs="EPSG:4326",
        **({"encoding": encoding} if suffix == ".shp" else {}),
    )  # fmt: skip
    path.with_suffix(".cpg").unlink(missing_ok=True)
    return path


def damage(path, start, content):
    raw = bytearray(path.read_bytes())
    raw[start : start + len(content)] = content
    path.write_bytes(raw)


def test_a_sound_shapefile_passes_and_deleted_rows_are_no_damage(tmp_path):
    path = layer(tmp_path)
    assert shapefile.whole(path) == N
    dbf = path.with_suffix(".dbf")
    head = dbf.read_bytes()[:12]
    start, width = int.from_bytes(head[8:10], "little"), int.from_bytes(head[10:12], "little")
    damage(dbf, start + 3 * width, b"*")
    assert shapefile.whole(path) == N - 1
    assert len(read_layer(path).geometries) == N - 1


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("share", [0.99, 0.9, 0.6, 0.3, 0.01, 0])
def test_a_shapefile_of_which_a_part_was_cut_is_refused(tmp_path, part, share):
    path = layer(tmp_path)
    cut = path.with_suffix(part)
    raw = cut.read_bytes()
    cut.write_bytes(raw[: min(int(len(raw) * share), len(raw) - 2)])
    with pytest.raises(SchemaError, match=rf"towns\{part} (has|is not part of)"):
        read_layer(path)


def test_something_added_to_a_shapefile_is_refused(tmp_path):
    path = layer(tmp_path)
    path.write_bytes(path.read_bytes() + bytes(20))
    with pytest.raises(SchemaError, match=r"bytes where its header states \d+: something was added"):
        read_layer(path)


@pytest.mark.parametrize("part", [".shx", ".dbf"])
def test_a_missing_part_is_named(tmp_path, part):
    path = layer(tmp_path)
    path.with_suffix(part).unlink()
    with pytest.raises(SchemaError, match=rf"towns\.shp: towns\{part} of the shapefile is missing; copy all its parts"):
        read_layer(path)


def test_a_missing_prj_is_named_and_the_crs_may_be_given(tmp_path):
    path = layer(tmp_path)
    path.with_suffix(".prj").unlink()
    with pytest.raises(SchemaError, match=r"does not state its CRS \(no \.prj beside it\); give it with --crs"):
        read_layer(path)
    assert len(read_layer(path, "EPSG:4326").geometries) == N


def test_parts_in_capitals_belong_to_their_file_and_other_names_do_not(tmp_path):
    path = layer(tmp_path)
    (tmp_path / "towns.dbf").rename(tmp_path / "towns.DBF")
    (tmp_path / "towns2.dbf").write_bytes(b"")
    assert [part.name for part in source_files.parts(path)] == ["towns.shp", "towns.DBF", "towns.prj", "towns.shx"]


def test_parts_of_two_layers_are_refused(tmp_path):
    path = layer(tmp_path)
    (tmp_path / "other").mkdir()
    path.with_suffix(".dbf").write_bytes(layer(tmp_path / "other", n=N - 2).with_suffix(".dbf").read_bytes())
    with pytest.raises(SchemaError, match=r"9 shapes in towns\.shx but 7 rows in towns\.dbf"):
        read_layer(path)


@pytest.mark.parametrize(
    ("part", "start", "message"),
    [
        (".shp", 100, "record 1 has 0 bytes by its own header"),
        (".shp", 108, "1 of 9 features has no geometry, the first is feature 1"),
        (".shp", 200, "coordinates of feature 1 lie outside the box that its record states"),
        (".shx", 108, "record 2 lies outside the file"),
        (".dbf", 40, "its columns take"),
        (".dbf", 150, r"row \d begins with byte 0"),
    ],
)
def test_a_hole_in_a_shapefile_is_refused(tmp_path, part, start, message):
    path = layer(tmp_path)
    damage(path.with_suffix(part), start, bytes(min(120, path.with_suffix(part).stat().st_size - start)))
    with pytest.raises(SchemaError, match=message):
        read_layer(path)


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_text_without_a_stated_encoding_is_read_by_what_it_is(tmp_path, encoding):
    path = layer(tmp_path, encoding=encoding)
    assert read_layer(path).value(0, "name") == "서울"


def test_text_in_neither_encoding_is_reported(tmp_path, caplog):
    path = layer(tmp_path)
    dbf = path.with_suffix(".dbf")
    damage(dbf, dbf.read_bytes().index("서울".encode("cp949")), b"\xff\xff\xff")
    assert len(read_layer(path).geometries) == N
    assert "towns.dbf holds text that is neither UTF-8 nor cp949: some letters are lost" in caplog.messages


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.001, 0])
def test_a_geopackage_that_was_cut_is_refused(tmp_path, share):
    path = layer(tmp_path, ".gpkg", n=200)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(SchemaError, match=r"towns\.gpkg is (broken|no GeoPackage)"):
        read_layer(path)


def test_a_geopackage_of_several_layers_is_refused_by_their_names(tmp_path):
    path = layer(tmp_path, ".gpkg")
    pyogrio.raw.write(
        path, shapely.to_wkb(np.array([shapely.Point(127, 36)], object)), [], [], layer="gauges",
        geometry_type="Point", crs="EPSG:4326", append=True,
    )  # fmt: skip
    with pytest.raises(SchemaError, match=r"holds 2 layers \(towns, gauges\), one is wanted"):
        read_layer(path)


@pytest.mark.parametrize("absent", [None, {"type": "Polygon", "coordinates": []}])
def test_a_feature_without_a_geometry_is_refused_in_any_format(tmp_path, absent):
    path = geojson(tmp_path / "towns.geojson", (box(127, 36, 128, 37), {}), (absent, {}), (absent, {}))
    with pytest.raises(SchemaError, match=r"2 of 3 features have no geometry, the first is feature 2; copy the file"):
        read_layer(path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "is not a GeoJSON FeatureCollection"),
        ({"features": [7]}, "is not a GeoJSON FeatureCollection"),
        ({"features": [{"geometry": box(0, 0, 1, 1), "properties": [1]}]}, "feature 1 has no properties"),
        ({"features": [{"geometry": {"type": "Polygon", "coordinates": [[["a", 1]]]}}]}, "is broken: "),
        ({"features": [{"geometry": {"type": "Point", "coordinates": [1e999, 1]}}]}, "Infinity is no number of JSON"),
        (
            {"features": [{"geometry": box(0, 0, 1, 1)}], "crs": {"properties": {"name": "moon"}}},
            "its CRS is not known",
        ),
        ({"features": [{"geometry": box(0, 0, 1, 1)}], "crs": [1]}, "its CRS is not known"),
        (
            {"features": [{"geometry": box(0, 0, 1, 1)}], "crs": {"properties": {"name": "IAU_2015:49900"}}},
            "no shift to",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_odd_geojson_is_refused_as_a_file_and_not_as_an_argument(tmp_path, document, message):
    path = tmp_path / "towns.geojson"
    path.write_text(json.dumps(document))
    with pytest.raises(SchemaError, match=message) as caught:
        read_layer(path)
    assert not isinstance(caught.value, SettingsError)  # which would end the loaders behind this one


def test_a_crs_beside_a_layer_that_cannot_be_understood_is_refused(tmp_path):
    path = layer(tmp_path)
    prj = path.with_suffix(".prj")
    sound = prj.read_bytes()
    unknown = b'PROJCS["belt",' + sound + b',PROJECTION["Transverse_Lercator"],UNIT["Meter",1.0]]'
    cut, odd = sound.replace(b'WGS_1984"', b"WGS_1984"), sound.replace(b"D_WGS_1984", b"D_WGS_198\xb5")
    for damaged in (cut, odd, unknown):
        assert damaged != sound
        prj.write_bytes(damaged)
        with pytest.raises(SchemaError, match=r"^towns\.shp"):
            read_layer(path)


def test_what_gdal_warns_of_is_logged_with_the_name_of_the_file(tmp_path, monkeypatch, caplog):
    path = layer(tmp_path)
    real = pyogrio.raw.read

    def warns(*args, **kwargs):
        import warnings

        warnings.warn("organizePolygons() received an unexpected geometry", RuntimeWarning, stacklevel=1)
        return real(*args, **kwargs)

    monkeypatch.setattr(pyogrio.raw, "read", warns)
    with caplog.at_level(logging.WARNING):
        read_layer(path)
    assert caplog.messages == ["towns.shp: organizePolygons() received an unexpected geometry"]
