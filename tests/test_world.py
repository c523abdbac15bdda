"""Coast and borders of the world, to draw over the map of any region."""

import numpy as np
import pytest
import shapely

from engine.core import country, profile_file
from engine.maps import borders, world


def near(shapes, lon, lat):
    """Degrees to the nearest of the lines."""
    return min(each.distance(shapely.Point(lon, lat)) for each in shapes)


@pytest.mark.parametrize(
    ("name", "lon", "lat"),
    [
        ("Valparaiso", -71.63, -33.03),
        ("Lisbon's Cabo da Roca", -9.5, 38.78),
        ("Busan", 129.05, 35.1),
        ("Suva", 178.44, -18.14),
    ],
)
def test_the_coast_lies_where_ports_are(name, lon, lat):
    box = world.box_around(np.array([lat]), np.array([lon]))
    assert near(world.coast(box), lon, lat) < 0.15


def test_the_border_of_spain_and_portugal_is_a_border_and_no_coast():
    box = (-10.0, 36.0, 0.0, 44.0)
    assert near(world.borders(box), -7.02, 38.9) < 0.1  # at Elvas and Badajoz
    assert near(world.coast(box), -7.02, 38.9) > 1


def test_a_box_across_the_date_line_has_the_lines_on_both_sides_in_their_own_count():
    west = np.concatenate([shapely.get_coordinates(each)[:, 0] for each in world.coast((176.0, -20.0, 184.0, -14.0))])
    assert (west > 176).any()
    assert ((west > -180) & (west < -176)).any()
    assert west.min() >= -180
    assert west.max() <= 180


def test_no_line_goes_across_a_map_of_the_world():
    for layer in (world.coast, world.borders):
        for each in layer((-180.0, -90.0, 180.0, 90.0)):
            assert np.abs(np.diff(shapely.get_coordinates(each)[:, 0])).max(initial=0) < 6


def test_the_outlines_of_the_country_are_drawn_in_it_and_those_of_the_world_elsewhere():
    assert borders.backdrop(np.array([35.0, 37.0]), np.array([127.0, 128.0])).source == "shipped"
    assert borders.backdrop(np.array([35.0, 37.0]), np.array([127.0, 139.0])).source == "world"
    with country.chosen(profile_file.load("generic")):
        assert borders.backdrop(np.array([35.0]), np.array([127.0])).source == "world"
