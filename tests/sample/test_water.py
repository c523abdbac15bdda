"""The synthetic water inputs are deterministic, small and, through the loaders, of believable size."""

import hashlib
import shutil
import time
from pathlib import Path

import numpy as np
import psycopg
import pytest
import shapely

from engine.io.etl.loaders import aqueduct, basins, map_layers, wamis
from engine.io.etl.loading import LoadOptions
from engine.io.etl.places import read_layer
from engine.sample import water
from tests.io.lattices import SAMPLE, lay, quiet

MAP = Path(__file__).parents[2] / "engine" / "sample" / "data" / "map"


def digests(paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_the_files_are_the_same_every_time_small_and_quickly_made(tmp_path):
    started = time.perf_counter()
    first = water.generate(tmp_path / "first")
    assert time.perf_counter() - started < 3
    assert digests(first) == digests(water.generate(tmp_path / "second"))
    assert sum(path.stat().st_size for path in first) < 6e6


@pytest.fixture
def loaded(warehouse, tmp_path):
    """The whole set through the loaders, on the lattice of the sample, cells of South Korea active."""
    water.generate(tmp_path)
    shutil.copytree(MAP, tmp_path / "map")
    rows, columns = SAMPLE.indices(np.arange(1, SAMPLE.n_cells + 1))
    points = shapely.points(SAMPLE.longitudes[columns], SAMPLE.latitudes[rows])
    provinces = read_layer(MAP / "provinces_korea_2013.geojson").geometries
    land = set((np.unique(shapely.STRtree(points).query(provinces, "intersects")[1]) + 1).tolist())
    with psycopg.connect(warehouse, autocommit=True) as connection:
        lay(connection, SAMPLE, land)
        reports = [
            report
            for loader in (map_layers, wamis, aqueduct, basins)
            for report in loader.load(connection, LoadOptions(data=tmp_path), quiet)
        ]
    assert {report.status for report in reports} == {"published"}
    with psycopg.connect(warehouse) as connection:
        yield connection, land, reports


def test_the_national_water_balance_has_a_believable_size(loaded):
    connection, land, reports = loaded
    outlets = dict(connection.execute("SELECT basin_name, outlet_obs_code FROM water_basin").fetchall())
    expected = {b.name: water.gauge_code(b, 1) if b.volume_km3 else None for b in water.BASINS}
    assert outlets == expected
    stress = connection.execute(
        """WITH years AS (
             SELECT basin_code, extract(year FROM obs_date) AS year, avg(flow_m3s) * 365.25 * 86400 / 1e9 AS km3
             FROM water_basin JOIN api_wamis_flow ON obs_code = outlet_obs_code
             GROUP BY 1, 2 HAVING count(*) > 0.75 * 365)
           SELECT basin_code, avg(km3), min(total) / 1e6 / (0.63 * avg(km3)) FROM years
           JOIN api_wamis_water_usage u USING (basin_code) WHERE u.year = 2023 GROUP BY 1"""
    ).fetchall()
    assert 30 < sum(km3 for _, km3, _ in stress) < 80
    assert all(0.2 < wsi < 0.9 for *_, wsi in stress)
    (withdrawn,) = connection.execute("SELECT sum(total) / 1e6 FROM api_wamis_water_usage WHERE year = 2023").fetchone()
    assert 20 < withdrawn < 40

    shares = connection.execute("SELECT sum(area_weight) FROM water_basin_province GROUP BY basin_code").fetchall()
    assert [share for (share,) in shares] == pytest.approx([1.0] * 6)
    assert connection.execute("SELECT count(DISTINCT gid_1) FROM water_basin_province").fetchone() == (17,)
    # areas of Korea's regions of water resources: Han and Nakdong a third each, Jeju the least
    cells = dict(
        connection.execute("SELECT basin_code, count(*) FROM location_grid WHERE has_climate GROUP BY 1").fetchall()
    )
    assert sum(cells.values()) == len(land)
    assert cells[1] / len(land) == pytest.approx(0.31, abs=0.04)
    assert cells[2] / len(land) == pytest.approx(0.31, abs=0.04)
    assert cells[6] < min(cells[basin] for basin in range(1, 6))

    assert connection.execute(
        """SELECT count(*), count(*) FILTER (WHERE score IS NULL) FROM water_stress_rankings
           WHERE gid_0 = 'KOR' AND scenario <> 'baseline'"""
    ).fetchone() == (918, 27)
    assert connection.execute(
        """SELECT count(dist_coast_m), count(dist_river_m), max(dist_coast_m) < 120000 FROM grid_attributes"""
    ).fetchone() == (len(land), len(land), True)
    flow = next(report for report in reports if report.table == "api_wamis_flow")
    assert (flow.rejected, flow.rows > 55_000, flow.seconds < 10) == (0, True, True)
