import math
import zipfile

import numpy as np
import psycopg
import pyproj
import pytest

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.io.etl.load_record import GateError
from engine.io.etl.loaders import dem, grid, terrain, xyz
from engine.io.etl.loading import LoadOptions
from tests.io.lattices import quiet

#: some 10 km around Daejeon
GRID = GridDefinition(36.30, 127.30, 8, 8, 0.01, 2021, 2100)
TO_DEGREES = pyproj.Transformer.from_crs("EPSG:5186", "OGC:CRS84", always_xy=True)
WEST, SOUTH = 228_000.0, 412_000.0


def height(x, y):
    """A tilted plane, 3 m up in 30 m eastward and 4 m northward: its tangent is 1/6."""
    return 100 + (x - WEST) * 0.1 + (y - SOUTH) * 4 / 30


def tile(path, x0, y0, n=40, spacing=30.0, rise=height):
    """A district's points, column by column southward, as the provider writes them."""
    x = np.repeat(x0 + np.arange(n) * spacing, n)
    y = np.tile(y0 + np.arange(n)[::-1] * spacing, n)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(f"{a:.2f} {b:.2f} {rise(a, b):.2f}" for a, b in zip(x, y, strict=True)))
    return path


@pytest.fixture
def laid(warehouse, tmp_path):
    """A warehouse with the small lattice, and the data directory it came from."""
    toml = tmp_path / "grid.toml"
    toml.write_text(
        "lat0 = 36.30\nlon0 = 127.30\nn_lat = 8\nn_lon = 8\nstep = 0.01\nfirst_year = 2021\nlast_year = 2100\n"
    )
    with psycopg.connect(warehouse, autocommit=True) as connection:
        grid.load(connection, LoadOptions(data=tmp_path), quiet)
    return warehouse, tmp_path


def load(laid, **options):
    with psycopg.connect(laid[0], autocommit=True) as connection:
        (report,) = dem.load(connection, LoadOptions(data=laid[1], **options), quiet)
    return report


def attributes(laid, columns="grid_id, elevation_mean_m, elevation_min_m"):
    with psycopg.connect(laid[0]) as connection:
        return connection.execute(f"SELECT {columns} FROM grid_attributes ORDER BY grid_id").fetchall()


def naive(*paths):
    """grid_id -> every elevation in the cell, point by point."""
    cells = {}
    for path in paths:
        for text in path.read_text().splitlines():
            x, y, z = map(float, text.split())
            longitude, latitude = TO_DEGREES.transform(x, y)
            row, column = round((latitude - GRID.lat0) / GRID.step), round((longitude - GRID.lon0) / GRID.step)
            if 0 <= row < GRID.n_lat and 0 <= column < GRID.n_lon:
                cells.setdefault(row * GRID.n_lon + column + 1, []).append(z)
    return cells


def test_two_districts_with_rasters_of_their_own_give_means_and_minima_of_the_points(laid, monkeypatch):
    one = tile(laid[1] / "dem/one.txt", WEST, SOUTH)
    two = tile(laid[1] / "dem/two.txt", WEST + 1213.5, SOUTH + 17.3)
    monkeypatch.setattr(xyz, "BLOCK", 1000)  # many blocks, lines cut anywhere
    report = load(laid)
    expected = naive(one, two)
    assert (report.status, report.files, report.rows, report.message) == ("published", 2, len(expected), "3,200 points")
    for cell, mean, lowest in attributes(laid):
        assert mean == pytest.approx(np.mean(expected[cell]), rel=1e-6)
        assert lowest == pytest.approx(min(expected[cell]), rel=1e-6)
    assert [finding.message for finding in report.findings] == [
        f"{64 - len(expected)} of 64 cells hold no point: their elevation stays NULL"
    ]
    assert load(laid).status == "up to date"


def test_the_slope_of_a_plane_is_the_planes_also_across_districts(laid):
    tile(laid[1] / "dem/one.txt", WEST, SOUTH)
    tile(laid[1] / "dem/two.txt", WEST + 1100.0, SOUTH + 17.0)
    load(laid)
    slopes = [slope for (slope,) in attributes(laid, "slope_mean_deg") if slope is not None]
    assert len(slopes) >= 4
    np.testing.assert_allclose(slopes, math.degrees(math.atan(1 / 6)), atol=0.02)


def test_a_valley_is_wetter_than_its_flanks_and_a_ridge_is_driest():
    x, y = np.meshgrid(np.arange(60) * 90.0, np.arange(60) * 90.0)
    valley = (100 + np.abs(x - x.mean()) * 0.3 + y * 0.02).astype(np.float32)
    tangent = terrain.slope_tangent(valley, 90.0)
    wetness, finding = terrain._wetness(valley, tangent, 90.0)
    assert finding is None
    middle, flank, ridge = wetness[10, 29:31].max(), np.nanmean(wetness[10, 10:20]), wetness[10, 1]
    assert middle > flank > ridge
    # nothing flows onto the ridge's second column but the first: two cells of 90 m, tangent 0.3
    assert ridge == pytest.approx(math.log(2 * 90 / math.hypot(0.3, 0.02)), abs=0.05)
    assert np.isnan(wetness[0]).all()


def test_coarse_points_give_elevations_but_no_slope(laid):
    tile(laid[1] / "dem/coarse.txt", WEST - 8000, SOUTH - 8000, n=60, spacing=200.0, rise=lambda x, y: 50.0)
    report = load(laid)
    assert report.findings[0].message.startswith("675 of 3,600 points lie on the lattice")
    assert "no slope and no wetness: points 200 m apart" in report.findings[-1].message
    assert set(attributes(laid, "slope_mean_deg, wetness_index")) == {(None, None)}


def test_zips_with_korean_names_irregular_blanks_and_a_bad_line_are_read(laid):
    plain = tile(laid[1] / "one.tmp", WEST, SOUTH)
    lines = plain.read_text().splitlines()
    lines[5] = "  " + lines[5].replace(" ", "\t  ")
    lines.insert(9, "228000 412000")
    lines += ["", *(tile(laid[1] / "two.tmp", WEST + 1300, SOUTH).read_text().splitlines())]
    with zipfile.ZipFile(laid[1] / "(B080)수치표고_DEM_서구_ascii.zip", "w") as archive:
        info = zipfile.ZipInfo("대전광역시 서구.txt".encode("euc-kr").decode("cp437"))
        archive.writestr(info, "\r\n".join(lines))
    plain.unlink()
    report = load(laid)
    assert (report.rejected, report.message) == (1, "3,200 points")
    rejects = (laid[1] / "rejects/dem.csv").read_text()
    assert "_ascii.zip/" in rejects
    assert '10,"not three numbers: 228000 412000"' in rejects


def test_another_crs_a_repeated_file_and_impossible_heights_are_refused(laid):
    path = tile(laid[1] / "dem/one.txt", WEST, SOUTH)
    with pytest.raises(SchemaError, match=r"one\.txt: 0 of 1,600 points lie on the lattice when read as EPSG:5174"):
        load(laid, crs="EPSG:5174")
    copy = laid[1] / "dem/two.txt"
    copy.write_bytes(path.read_bytes())
    with pytest.raises(SchemaError, match=r"two\.txt and one\.txt are the same file"):
        load(laid)
    copy.unlink()
    tile(path, WEST, SOUTH, rise=lambda x, y: 5000.0)
    with pytest.raises(GateError, match=r"elevation_mean_m outside -50\.\.3000"):
        load(laid)
    path.write_bytes(b"\x89PNG\0\0")
    with pytest.raises(SchemaError, match=r"one\.txt is not text"):
        load(laid)
    assert attributes(laid) == []


def test_without_files_the_elevations_are_absent_and_nothing_is_touched(laid):
    assert (load(laid).status, attributes(laid)) == ("absent", [])


def test_columns_of_other_loaders_stay(laid):
    tile(laid[1] / "dem/one.txt", WEST, SOUTH)
    with psycopg.connect(laid[0], autocommit=True) as connection:
        connection.execute("INSERT INTO grid_attributes (grid_id, dist_coast_m) VALUES (1, 5), (19, 7)")
    load(laid)
    rows = dict(attributes(laid, "grid_id, dist_coast_m"))
    assert (rows[1], rows[19]) == (5, 7)
    assert len(rows) > 4
