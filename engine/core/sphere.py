"""Points on the sphere: great-circle distances, and the nearest of many points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: mean radius of the Earth (IUGG)
EARTH_RADIUS_M = 6_371_008.8
#: points whose distances differ by no more are equally near: coordinates of six decimals say no more
SAME_M = 0.1


def unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    """(n, 3) of (n,) degrees: chords between them order like great circles, also across the date line."""
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)


def great_circle(lat1: Floats, lon1: Floats, lat2: Floats, lon2: Floats) -> Floats:
    """Metres between points in degrees."""
    p1, p2 = np.radians(lat1), np.radians(lat2)
    half = np.sin((p2 - p1) / 2) ** 2 + np.cos(p1) * np.cos(p2) * np.sin(np.radians(lon2 - lon1) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.minimum(half, 1.0))))


def nearest(
    latitude: Floats, longitude: Floats, point_latitude: Floats, point_longitude: Floats
) -> tuple[NDArray[np.intp], Floats]:
    """Number of the nearest of M points to each of P places, and the metres to it. Of points equally near, to within
    `SAME_M`, the first: so the answer does not depend on the order in which a library adds up.

    latitude, longitude             : (P,) degrees, finite
    point_latitude, point_longitude : (M,) degrees, finite, at least one
    """
    from scipy.spatial import cKDTree  # takes a while to import

    places, points = unit_vectors(latitude, longitude), unit_vectors(point_latitude, point_longitude)
    tree = cKDTree(points)
    chords, numbers = tree.query(places, [1, 2])  # infinitely far where there is one point only
    found = numbers[:, 0].astype(np.intp)
    same = SAME_M / EARTH_RADIUS_M
    tied = np.flatnonzero(chords[:, 1] - chords[:, 0] <= same)
    if len(tied):
        near = tree.query_ball_point(places[tied], chords[tied, 0] + same)
        found[tied] = [min(each) for each in near]
    # the chord keeps its digits at short distances, where a cosine has none left
    chord = np.linalg.norm(places - points[found], axis=1)
    return found, 2 * EARTH_RADIUS_M * np.arcsin(np.clip(chord / 2, 0, 1))
