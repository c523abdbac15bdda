import json

import numpy as np
import psycopg
import pyogrio
import pyproj
import pytest
import shapely

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl import regions
from engine.io.etl.loaders import admin, population
from engine.io.etl.loading import LoadOptions
from engine.io.etl.places import read_layer
from tests.io.lattices import SAMPLE, box, geojson, lay, quiet
from tests.io.test_map_layers import MAP

TINY = GridDefinition(37.50, 126.95, 5, 5, 0.01, 2021, 2100)
TOWNS = [f"{sigungu}{town}00" for sigungu in ("11110", "11140", "41111", "42110") for town in ("101", "102", "103")]
NAMES = [
    "청운동",
    "신교동",
    "궁정동",
    "무교동",
    "다동",
    "태평로1가",
    "파장동",
    "율전동",
    "천천동",
    "봉의동",
    "요선동",
    "낙원동",
]
#: the seven parameters of the Korean datum that the national geographic institute published
HELMERT = "+proj=tmerc +lat_0=38 +lon_0=127.002890277778 +k=1 +x_0=200000 +y_0=500000 +ellps=bessel +units=m" + (
    " +towgs84=-115.8,474.99,674.11,1.16,-2.31,-1.63,6.43 +no_defs"
)


def squares(n=12, west=126.945, south=37.495, side=0.01):
    """`n` squares in rows of three, in degrees."""
    return [
        shapely.box(west + i % 3 * side, south + i // 3 * side, west + (i % 3 + 1) * side, south + (i // 3 + 1) * side)
        for i in range(n)
    ]


def national_map(folder, crs="EPSG:5174", encoding="cp949", field="BJCD"):
    """The towns as the national map delivers them: EPSG:5174, cp949, no file that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    to_plane = pyproj.Transformer.from_pipeline(
        pyproj.Transformer.from_crs("OGC:CRS84", HELMERT, always_xy=True).to_proj4()
    )
    planar = shapely.transform(
        np.array(squares(), object), lambda xy: np.column_stack(to_plane.transform(xy[:, 0], xy[:, 1]))
    )
    path = folder / "N3A_G0110000.shp"
    columns = [np.array(TOWNS, object), np.array(NAMES, object)]
    pyogrio.raw.write(
        path, shapely.to_wkb(planar), columns, [field, "NAME"], geometry_type="Polygon", crs=crs, encoding=encoding
    )
    path.with_suffix(".cpg").unlink()
    return path


def load(url, data, loader=admin, **options):
    with psycopg.connect(url, autocommit=True) as connection:
        return loader.load(connection, LoadOptions(data=data, **options), quiet)


def query(url, text):
    with psycopg.connect(url) as connection:
        return connection.execute(text).fetchall()


@pytest.fixture
def tiny(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, TINY)
    return warehouse


def test_towns_of_the_national_map_become_three_levels_less_than_a_metre_from_the_published_datum_shift(tiny, tmp_path):
    national_map(tmp_path / "admin")
    towns, cells = load(tiny, tmp_path)
    assert (towns.status, towns.rows, cells.rows) == ("published", 12 + 4 + 3, 25)
    levels = dict(query(tiny, "SELECT level, count(*) FROM location_admin GROUP BY 1"))
    assert levels == {1: 3, 2: 4, 3: 12}
    rows = query(
        tiny, "SELECT admin_code, admin_name, sido_code, sigungu_code, emd_code, kma_sgg_code FROM location_admin"
    )
    assert ("1111010100", "청운동", "11", "11110", "1111010100", None) in rows
    assert ("1114000000", "중구", "11", "11140", None, "1102000000") in rows
    assert ("4211000000", "춘천시", "42", "42110", None, "3201000000") in rows
    assert ("4200000000", "강원도", "42", None, None, "3200000000") in rows
    stored = {
        code: shapely.from_wkb(wkb) for code, wkb in query(tiny, "SELECT admin_code, geom_wkb FROM location_admin")
    }
    geod = pyproj.Geod(ellps="WGS84")
    for code, square in zip(TOWNS, squares(), strict=True):
        there, back = square.centroid, stored[code].centroid
        assert geod.inv(there.x, there.y, back.x, back.y)[2] < 1
    assert stored["1100000000"].area == pytest.approx(sum(stored[code].area for code in TOWNS[:6]), rel=1e-9)


def test_a_cell_belongs_to_the_town_that_holds_it_or_lies_within_2_km(tiny, tmp_path):
    national_map(tmp_path)
    load(tiny, tmp_path)
    rows = query(
        tiny, "SELECT grid_id, admin_code FROM location_grid LEFT JOIN location_admin USING (admin_id) ORDER BY 1"
    )
    assert [code for _, code in rows[:3]] == TOWNS[:3]
    assert rows[3][1] == TOWNS[2]  # 0.5 cells east of the last square
    far = GridDefinition(37.50, 127.20, 1, 1, 0.01, 2021, 2100)
    with psycopg.connect(tiny, autocommit=True) as connection:
        connection.execute("UPDATE location_grid SET longitude = %s WHERE grid_id = 1", (far.lon0,))
    _, cells = load(tiny, tmp_path)
    assert (cells.rows, cells.findings[0].message) == (
        24,
        "1 of 25 cells lies in no region and farther than 2 km from one",
    )
    assert query(tiny, "SELECT admin_id FROM location_grid WHERE grid_id = 1") == [(None,)]


def test_ids_stay_with_their_codes_and_vanished_regions_leave_their_cells(tiny, tmp_path):
    path = national_map(tmp_path)
    load(tiny, tmp_path)
    assert {report.status for report in load(tiny, tmp_path)} == {"up to date"}
    before = dict(query(tiny, "SELECT admin_code, admin_id FROM location_admin"))
    with psycopg.connect(tiny, autocommit=True) as connection:
        connection.execute("UPDATE location_admin SET population_current = 5 WHERE admin_code = '1100000000'")
    layer = read_layer(path)
    for part in path.parent.glob("N3A*"):
        part.unlink()
    features = [
        (shapely.geometry.mapping(geometry), {"EMD_CD": code[:8], "EMD_KOR_NM": name})
        for geometry, code, name in zip(layer.geometries, TOWNS, NAMES, strict=True)
    ]
    geojson(tmp_path / "emd_later.geojson", *features[3:])
    towns, _ = load(tiny, tmp_path)
    after = dict(query(tiny, "SELECT admin_code, admin_id FROM location_admin"))
    assert towns.rows == 9 + 3 + 3
    assert set(before) - set(after) == {*TOWNS[:3], "1111000000"}
    assert all(before[code] == number for code, number in after.items())
    assert query(tiny, "SELECT population_current FROM location_admin WHERE admin_code = '1100000000'") == [(5,)]


def test_an_unknown_datum_is_not_taken_as_wgs84(tmp_path, tiny):
    national_map(
        tmp_path,
        crs=HELMERT.replace(" +towgs84=-115.8,474.99,674.11,1.16,-2.31,-1.63,6.43", "").replace(
            "127.002890277778", "127.5"
        ),
    )
    with pytest.raises(SchemaError, match=r"no shift to WGS84 is known for the datum .*--crs"):
        load(tiny, tmp_path)
    towns, _ = load(tiny, tmp_path, crs="EPSG:5174")
    assert towns.status == "published"


def test_features_without_a_known_code_are_refused(tiny, tmp_path):
    geojson(tmp_path / "towns.geojson", (box(126.9, 37.4, 127, 37.5), {"NAME": "x"}))
    with pytest.raises(SchemaError, match=r"towns\.geojson: feature 1 has no code in bjcd"):
        load(tiny, tmp_path)
    geojson(tmp_path / "towns.geojson", (box(126.9, 37.4, 127, 37.5), {"code": "11999"}))
    with pytest.raises(SchemaError, match="no legal code is known for the statistical code '11999' of feature 1"):
        load(tiny, tmp_path)


@pytest.fixture(scope="module")
def korea(tmp_path_factory):
    """A data directory with the regions of Statistics Korea."""
    folder = tmp_path_factory.mktemp("korea")
    for name in ("municipalities_korea_2013.geojson", "provinces_korea_2013.geojson"):
        (folder / name).write_bytes((MAP / name).read_bytes())
    return folder


def test_the_regions_of_statistics_korea_get_legal_codes_and_cover_the_country(warehouse, korea):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, SAMPLE)
    regions_report, cells = load(warehouse, korea)
    assert (regions_report.rows, regions_report.findings) == (17 + 251, ())
    rows = query(warehouse, "SELECT admin_code, admin_name, level, geom_wkb FROM location_admin")
    geod = pyproj.Geod(ellps="WGS84")
    area = {1: 0.0, 2: 0.0}
    for *_, level, wkb in rows:
        area[level] += abs(geod.geometry_area_perimeter(shapely.from_wkb(wkb))[0]) / 1e6
    assert area[2] == pytest.approx(100_531, rel=0.003)
    assert area[1] == pytest.approx(area[2], rel=1e-3)
    names = {code: name for code, name, _, _ in rows}
    assert (names["1111000000"], names["5013000000"], names["4374500000"]) == ("종로구", "서귀포시", "증평군")
    assert (names["5100000000"], names["2811000000"]) == ("강원도", "중구")
    seoul = query(
        warehouse,
        """SELECT admin_code FROM location_grid g JOIN location_admin USING (admin_id)
           WHERE (g.latitude, g.longitude) = (37.6, 127.0)""",
    )
    assert seoul == [("1129000000",)]
    assert 1000 < cells.rows < 1300


PROJECTION = """행정구역,2020년,2025년,2030년,2035년,2040년,2045년,2050년,증감(2020~2050),증감률
전국,5183.6,5144.8,5119.9,5086.9,5019.3,4902.9,4735.9,-447.7,-8.6
수도권,2598.1,2623.0,2645.4,2654.9,2644.7,2604.3,2537.0,-61.1,-2.4
서울,961.7,926.6,900.2,879.0,855.0,828.0,792.0,-169.7,-17.6
강원특별자치도,151.8,151.3,152.2,152.9,152.3,150.1,146.4,-5.4,-3.6
"""


def test_projections_are_written_to_provinces_only_in_persons(tiny, tmp_path):
    national_map(tmp_path)
    (tmp_path / "population").mkdir()
    (tmp_path / "population/projection.csv").write_text(PROJECTION, encoding="cp949")
    with pytest.raises(SchemaError, match="load `admin` first"):
        load(tiny, tmp_path, population)
    load(tiny, tmp_path)
    (report,) = load(tiny, tmp_path, population)
    assert (report.rows, report.findings[0].message) == (2, "no projection for the provinces 41")
    found = query(
        tiny,
        """SELECT admin_code, population_2020, population_2050, population_change_2020_2050,
             population_change_rate_percent::float FROM location_admin WHERE population_2020 IS NOT NULL ORDER BY 1""",
    )
    assert found == [
        ("1100000000", 9617000, 7920000, -1697000, -17.65),
        ("4200000000", 1518000, 1464000, -54000, -3.56),
    ]
    assert load(tiny, tmp_path, population)[0].status == "up to date"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("서울,961.7", "서울,9617000"), "line 4: 9.617e.06 looks like persons"),
        (("서울,", "한양,"), "line 4: '한양' is no province"),
        (("926.6", "n/a"), "line 4: 'n/a' is not a number"),
        (("2045년", "2045년(중위) 2046"), "no column for 2045"),
        (("강원특별자치도", "서울특별시"), "line 5: province 서울특별시 is there twice"),
    ],
)
def test_a_projection_that_does_not_fit_is_refused_by_its_line(tmp_path, change, sentence):
    path = tmp_path / "projection.csv"
    path.write_text(PROJECTION.replace(*change), encoding="utf-8-sig")
    with pytest.raises(SchemaError, match=sentence):
        population.read_projection(path)


def test_counts_go_by_mapped_codes_and_never_by_name(warehouse, korea):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, TINY)
    load(warehouse, korea)
    folder = korea / "population"
    folder.mkdir(exist_ok=True)
    items = [
        {"adm_cd": code, "adm_nm": "중구", "population": n}
        for code, n in (("11020", "1"), ("21010", "2"), ("32010", "3"))
    ]
    towns = [{"adm_cd": f"1101053{i}", "adm_nm": "?", "population": "10"} for i in range(3)] + [
        {"adm_cd": "31010", "population": "9"}
    ]
    answers = [{"params": {"year": "2024"}, "answer": {"errCd": 0, "result": part}} for part in (items, towns)]
    (folder / "current.json").write_text(json.dumps(answers))
    (report,) = load(warehouse, korea, population)
    assert report.findings[0].message == "1 counted regions have a statistical code without a legal one: 31010"
    found = query(
        warehouse,
        """SELECT admin_code, population_current, population_current_year FROM location_admin
           WHERE population_current > 0 ORDER BY 1""",
    )
    assert found == [
        ("1111000000", 30, 2024),
        ("1114000000", 1, 2024),
        ("2611000000", 2, 2024),
        ("5111000000", 3, 2024),
    ]
    (folder / "current.json").write_text(
        json.dumps([{"params": {"year": "2024"}, "answer": {"errCd": -401, "errMsg": "key"}}])
    )
    with pytest.raises(SchemaError, match=r"current\.json: the provider reports no success.*-401"):
        load(warehouse, korea, population)


def test_the_two_code_systems_are_never_mixed_up():
    assert regions.legal_code("31110") == "41290"  # Gwacheon; as a legal code it would be Ulsan's Jung-gu
    assert regions.municipalities()["31110"] == "중구"
    assert regions.legal_code("31") == "41"
    codes = {regions.statistics_key(code) for code in regions.municipalities()}
    assert None not in codes
    assert regions.statistics_key("45111") == regions.statistics_key("52111") == "3501100000"
    assert regions.municipalities()["45111"] == regions.municipalities()["52111"] == "전주시완산구"
