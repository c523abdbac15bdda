"""The nearest point, against the naive twin, and the one rule for points that are equally near."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core import sphere
from engine.io.climate import active_cells


def haversine(a, b):
    (lat1, lon1), (lat2, lon2) = np.radians(a), np.radians(b)
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * sphere.EARTH_RADIUS_M * math.asin(math.sqrt(half))


@given(seed=st.integers(0, 2**32 - 1), west=st.sampled_from([124.0, 176.0]))
def test_nearest_agrees_with_the_haversine_formula_also_across_the_date_line(seed, west):
    rng = np.random.default_rng(seed)
    lat, lon = rng.uniform(33, 39, 20), rng.uniform(west, west + 8, 20)
    point_lat, point_lon = rng.uniform(33, 42, 7), rng.uniform(west, west + 8, 7) - 360 * rng.integers(0, 2, 7)
    index, metres = sphere.nearest(lat, lon, point_lat, point_lon)
    naive = np.array(
        [[haversine(a, b) for b in zip(point_lat, point_lon, strict=True)] for a in zip(lat, lon, strict=True)]
    )
    found = naive[np.arange(20), index]
    assert (found <= naive.min(axis=1) + 1.001 * sphere.SAME_M).all()
    np.testing.assert_allclose(metres, found, rtol=1e-9)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_of_equally_near_points_the_first_counts_whatever_the_rounding(order):
    # each in the middle of four points; the northern two are 3 cm nearer, which is nothing
    lat = np.repeat(33.005 + np.arange(400) * 0.01, 3)
    lon = np.tile([125.005, 127.505, 129.995], 400)
    north = np.array([0.005, 0.005, -0.005, -0.005])[list(order)]
    east = np.array([0.005, -0.005, 0.005, -0.005])[list(order)]
    for y, x in zip(lat, lon, strict=True):
        found, _ = sphere.nearest(np.array([y]), np.array([x]), y + 0 * north, x + east)
        assert found == 0


def test_one_point_is_nearest_to_all_and_a_point_without_a_place_to_none():
    points = pl.DataFrame({"grid_id": [7, 3], "latitude": [35.0, None], "longitude": [128.0, 128.0]})
    assert active_cells.nearest(np.array([10.0, -80.0]), np.array([0.0, 179.0]), points).tolist() == [7, 7]


def test_a_reader_and_a_loader_choose_the_same_of_points_equally_near():
    ids = [9, 2, 5]
    points = pl.DataFrame({"grid_id": ids, "latitude": [35.0] * 3, "longitude": [128.01, 127.99, 128.01]})
    here = np.array([35.0]), np.array([128.0])
    ordered = points.sort("grid_id")
    found, _ = sphere.nearest(*here, ordered["latitude"].to_numpy(), ordered["longitude"].to_numpy())
    assert active_cells.nearest(*here, points).tolist() == [ordered["grid_id"][int(found[0])]] == [2]
