import sys
from pathlib import Path

import numpy as np
import psycopg
import pyogrio
import pyproj
import pytest
import shapely
import shapely.affinity

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.loaders import map_layers
from engine.io.etl.loading import LoadOptions
from engine.io.etl.places import read_layer
from engine.io.files.source_files import MissingInputError
from tests.io.lattices import box, geojson, lay, line, quiet

MAP = Path(__file__).parents[2] / "engine" / "sample" / "data" / "map"
GEOD = pyproj.Geod(ellps="WGS84")
TINY = GridDefinition(36.0, 127.0, 3, 4, 0.1, 2021, 2100)


def brute_force(latitude, longitude, geometries, spacing=0.002):
    """Geodesic distance to the nearest of many points along the lines: too long by no more than their spacing."""
    vertices = shapely.get_coordinates(shapely.segmentize(geometries, spacing))
    return np.array(
        [
            GEOD.inv(np.full(len(vertices), x), np.full(len(vertices), y), vertices[:, 0], vertices[:, 1])[2].min()
            for y, x in zip(latitude, longitude, strict=True)
        ]
    )


def load(url, data, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return map_layers.load(connection, LoadOptions(data=data, **options), quiet)


def attributes(url, columns="dist_coast_m, dist_river_m, river_grade"):
    with psycopg.connect(url) as connection:
        return connection.execute(f"SELECT {columns} FROM grid_attributes ORDER BY grid_id").fetchall()


@pytest.fixture
def tiny(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, TINY)
    return warehouse


@pytest.fixture
def layers(tmp_path):
    geojson(tmp_path / "map/coastline.geojson", (line((126.9, 35.0), (126.9, 37.0)), {}))
    geojson(
        tmp_path / "map/rivers.geojson",
        (line((126.0, 36.0), (128.0, 36.0)), {"name": "South", "grade": 1}),
        (line((126.0, 36.25), (128.0, 36.25)), {"name": "North", "grade": "2"}),
    )
    return tmp_path


def test_korean_coast_distances_equal_the_geodesic_to_the_nearest_of_all_coast_points():
    coast = read_layer(MAP / "coastline_korea.geojson").geometries
    rng = np.random.default_rng(1)
    latitude, longitude = rng.uniform(33, 38.6, 12), rng.uniform(125.5, 129.5, 12)
    found = map_layers.nearest(latitude, longitude, coast, inside=False).metres
    slow = brute_force(latitude, longitude, coast)
    assert (found <= slow + 1).all()
    np.testing.assert_allclose(found, slow, rtol=1e-3, atol=15)


@pytest.mark.parametrize(("lat", "lon"), [(64.5, -19.0), (-33.0, 151.0), (1.0, 179.0), (-17.0, 180.3)])
def test_a_lattice_elsewhere_gets_a_plane_of_its_own(lat, lon):
    rng = np.random.default_rng(2)
    latitude, longitude = lat + rng.uniform(-1.5, 1.5, 10), lon + rng.uniform(-1.5, 0.9, 10)
    coast = np.array([shapely.LineString([(lon - 2, lat - 1), (lon, lat + 0.3), (lon + 0.9, lat - 2)])], object)
    if lon + 0.9 > 180:  # as files have it: cut at the date line
        west, east = (shapely.intersection(coast[0], shapely.box(start, -90, start + 360, 90)) for start in (-180, 180))
        coast = np.array([west, shapely.affinity.translate(east, -360)], object)
        longitude = (longitude + 180) % 360 - 180
    found = map_layers.nearest(latitude, longitude, coast, inside=False).metres
    np.testing.assert_allclose(found, brute_force(latitude, longitude, coast), rtol=1e-3, atol=15)


def test_a_small_island_has_its_own_coast():
    mainland = read_layer(MAP / "coastline_korea.geojson").geometries
    islands = read_layer(MAP / "coastline_minor_islands_korea.geojson").geometries
    ends = shapely.get_coordinates(shapely.point_on_surface(islands))
    near = map_layers.nearest(ends[:, 1], ends[:, 0], np.concatenate([mainland, islands]), inside=False).metres
    far = map_layers.nearest(ends[:, 1], ends[:, 0], mainland, inside=False).metres
    assert near.max() < 6_000
    assert (near <= far).all()
    assert (far > 10_000).any()


def test_a_cell_inside_an_area_is_at_distance_zero_but_inside_a_coastline_it_is_not():
    area = np.array([shapely.box(126.5, 35.5, 127.5, 36.5)], object)
    here = np.array([36.0]), np.array([127.4])
    assert map_layers.nearest(*here, area, inside=True).metres[0] == 0
    expected = GEOD.inv(127.4, 36.0, 127.5, 36.0)[2]
    assert map_layers.nearest(*here, area, inside=False).metres[0] == pytest.approx(expected, abs=1)


def test_layers_become_features_distances_and_the_grade_of_the_nearest_river(tiny, layers):
    features, cells = load(tiny, layers)
    assert (features.status, features.rows, cells.rows) == ("published", 3, 12)
    rows = attributes(tiny)
    assert rows[0] == (pytest.approx(GEOD.inv(127.0, 36.0, 126.9, 36.0)[2], abs=1), pytest.approx(0, abs=1), 1)
    assert [grade for _, _, grade in rows] == [1] * 8 + [2] * 4
    with psycopg.connect(tiny) as connection:
        name, west, north, wkb = connection.execute(
            "SELECT name, min_lon, max_lat, geom_wkb FROM map_feature WHERE layer = 'river' AND feature_id = 2"
        ).fetchone()
    assert (name, west, north) == ("North", 126.0, 36.25)
    assert shapely.from_wkb(wkb).equals(shapely.LineString([(126.0, 36.25), (128.0, 36.25)]))


def test_the_second_load_finds_everything_up_to_date(tiny, layers):
    load(tiny, layers)
    before = attributes(tiny)
    assert {report.status for report in load(tiny, layers)} == {"up to date"}
    assert {report.status for report in load(tiny, layers, force=True)} == {"published"}
    assert attributes(tiny) == before


def test_columns_of_other_loaders_stay_and_a_layer_taken_away_leaves_null(tiny, layers):
    with psycopg.connect(tiny, autocommit=True) as connection:
        connection.execute("INSERT INTO grid_attributes (grid_id, elevation_mean_m) VALUES (1, 50)")
    load(tiny, layers)
    (layers / "map/rivers.geojson").unlink()
    _, cells = load(tiny, layers)
    assert "no layer river" in cells.findings[0].message
    rows = attributes(tiny, "elevation_mean_m, dist_coast_m IS NULL, dist_river_m, river_grade")
    assert rows[0] == (50, False, None, None)
    assert len(rows) == 12


def test_cells_that_get_their_climate_later_are_the_only_ones_described(tiny, layers):
    load(tiny, layers)
    with psycopg.connect(tiny, autocommit=True) as connection:
        connection.execute("UPDATE grid_attributes SET elevation_mean_m = 1 WHERE grid_id = 12")
        connection.execute("UPDATE location_grid SET has_climate = grid_id <= 2")
    features, cells = load(tiny, layers)
    assert (features.status, cells.status, cells.rows) == ("up to date", "published", 2)
    assert attributes(tiny, "grid_id, dist_coast_m IS NULL") == [(1, False), (2, False), (12, True)]


def test_a_rehearsal_writes_nothing(tiny, layers):
    assert {report.status for report in load(tiny, layers, dry_run=True)} == {"checked"}
    assert attributes(tiny) == []


def test_a_layer_in_another_crs_and_format_gives_the_same_distances(tiny, layers):
    load(tiny, layers)
    expected = [row[0] for row in attributes(tiny)]
    path = layers / "map/coastline.geojson"
    plane = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:5186", always_xy=True)
    coast = shapely.segmentize(read_layer(path).geometries, 0.05)
    moved = shapely.transform(coast, lambda xy: np.column_stack(plane.transform(xy[:, 0], xy[:, 1])))
    path.unlink()
    target = layers / "map/coastline.gpkg"
    pyogrio.raw.write(target, shapely.to_wkb(moved), [], [], geometry_type="LineString", crs="EPSG:5186", driver="GPKG")
    load(tiny, layers)
    np.testing.assert_allclose([row[0] for row in attributes(tiny)], expected, atol=1)


def test_other_formats_name_the_extra_they_need(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyogrio", None)
    with pytest.raises(SchemaError, match=r"coastline\.shp: a \.shp layer needs the extra \"geo\": .*pip install"):
        read_layer(tmp_path / "coastline.shp")


def test_input_that_is_no_layer_is_refused_in_words(tiny, tmp_path):
    with pytest.raises(MissingInputError, match=r"no file coastline\*\.geojson"):
        load(tiny, tmp_path)
    path = geojson(tmp_path / "coastline.geojson", (line((950_000, 1_900_000), (960_000, 1_950_000)), {}))
    with pytest.raises(SchemaError, match="not degrees; state its CRS with --crs"):
        load(tiny, tmp_path)
    path.write_text("<html>not found</html>")
    with pytest.raises(SchemaError, match=r"coastline\.geojson is not JSON, it begins .<html>"):
        load(tiny, tmp_path)
    geojson(path, (box(127, 36, 127.1, 36.1), {}))
    geojson(tmp_path / "river.geojson", (line((127, 36), (128, 36)), {"grade": "national"}))
    with pytest.raises(SchemaError, match="river grade 'national' is not a whole number"):
        load(tiny, tmp_path)
