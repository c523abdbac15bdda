"""Land that is filled behind the points of a map."""

import numpy as np
import pytest
import shapely

from engine.maps import borders, land, world


def held(rings, lon, lat):
    """Whether a point is filled by the rule of even and odd."""
    return sum(shapely.Polygon(ring).contains(shapely.Point(lon, lat)) for ring in rings) % 2 == 1


@pytest.mark.parametrize(
    ("name", "lon", "lat", "is_land"),
    [
        ("Winnipeg", -97.1, 49.9, True),
        ("Hudson Bay", -85.0, 59.0, False),
        ("Labrador Sea", -52.0, 58.0, False),
        ("Baffin Island", -72.0, 69.0, True),
        ("Toronto, far from any sea", -79.4, 43.7, True),
    ],
)
def test_land_is_filled_and_sea_is_not_where_only_the_coast_of_the_world_is_known(name, lon, lat, is_land):
    box = (-140.0, 40.0, -50.0, 75.0)
    assert held(land.rings(world.coast(box), box), lon, lat) == is_land


def test_a_box_without_a_coast_is_all_land_or_all_sea():
    assert held(land.rings([], (-100.0, 40.0, -95.0, 45.0)), -97.0, 42.0)
    assert land.rings([], (-40.0, 30.0, -35.0, 35.0)) == []


def test_both_sides_of_the_date_line_are_filled():
    rings = land.rings([], (170.0, 60.0, 190.0, 70.0))
    assert held(rings, 178.0, 68.0)  # Chukotka
    assert held(rings, -176.0, 67.0)
    assert not held(rings, 178.0, 61.0)


def test_a_finer_coast_is_followed_with_its_islands_and_the_world_takes_over_where_it_is_open():
    box = (122.5, 32.0, 132.5, 40.0)
    rings = land.rings(borders.shipped_coastline(), box)
    fine = sum(map(len, rings))
    assert fine > 2 * sum(map(len, land.rings([], box)))
    assert held(rings, 127.5, 36.5)  # in the middle of South Korea
    assert held(rings, 126.55, 33.38)  # Jeju
    assert not held(rings, 125.0, 36.0)
    ring = shapely.Point(125.2, 34.0).buffer(0.05).exterior  # an island of the warehouse's own
    stroke = shapely.linestrings([[126.0, 37.0], [127.0, 37.0]])  # parts nothing
    rings = land.rings([ring, stroke], box)
    assert held(rings, 125.2, 34.0)
    assert held(rings, 127.5, 36.5)
    assert not held(rings, 125.0, 36.0)


def test_rings_are_closed_and_within_the_box():
    box = (-10.0, 36.0, 0.0, 44.0)
    for ring in land.rings(world.coast(box), box):
        assert ring[0] == ring[-1]
        west, south, east, north = box
        assert np.all((np.array(ring) >= (west, south)) & (np.array(ring) <= (east, north)))
