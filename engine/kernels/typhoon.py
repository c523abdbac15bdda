"""Typhoon wind, exposure and cyclone index of cells, from best tracks. C cells, F fixes, K 15-minute points, Y years.

The wind of a moving storm at a place rises and falls within the hour, so tracks are interpolated to 15 minutes. Every
function first drops the parts of the track that cannot reach the cells' bounding box; `typhoon_sweep` does the rest.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.core.sphere import unit_vectors
from engine.kernels.arrays import by_cell, numbers, whole_numbers
from engine.kernels.typhoon_sweep import (
    EARTH_RADIUS,
    TILE,
    Ellipses,
    IndexPoints,
    WindPoints,
    fill_exposure,
    fill_index,
    fill_wind,
)
from engine.kernels.typhoon_track import GALE_WIND, GRADES, RADII_SHARE, TyphoonTrack, checked, take, year_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STEP = 0.25  # h between interpolated points
FAR = 600.0  # km: no wind beyond, whatever the radius
FAR_WITHOUT_RADIUS = 500.0  # km
INDEX_REACH = 200.0  # km
CLASS_WEIGHTS = (0.0, 1.0, 3.0, 7.0)  # of cell classes 0..3


class _Points(NamedTuple):
    """15-minute points in the order of their years: unit vectors (K, 3), wind m/s, 30-kt radius km."""

    storm: Ints
    year: Ints
    place: Floats
    lat: Floats
    vmax: Floats
    gale: Floats


class StormWind(NamedTuple):
    """Highest wind of S storms at C cells."""

    wind: Floats  # (C, S) m/s, 0 where a storm does not reach
    storm: NDArray[Any]  # (S,), as the track tells storms apart
    year: Ints  # (S,), of the storm's first fix
    began: Floats  # (S,), hours since 1970-01-01 00 UTC of its first fix


def typhoon_wind(lat: ArrayLike, lon: ArrayLike, track: TyphoonTrack, years: ArrayLike) -> Floats:
    """Highest 10-min wind over open sea of each year.

    lat, lon : (C,) degrees
    track    : see `TyphoonTrack`; a point between two fixes has a wind (a radius) only when both have one
    years    : (Y,) years that the track covers; a point belongs to the year of its UTC time
    returns  : (C, Y) m/s, 0 for a year without a point in reach
    raises   : ValueError when shapes disagree, a fix lacks place or time, or two fixes of a storm share a time

    Radial profile: linear to the radius of maximum wind Rm = 46.4 exp(-0.0155 Vmax + 0.0169 |lat|) km, beyond it
    Vmax (Rm/r)^x with x from the 30-kt radius (mean of longest and shortest) where it lies beyond Rm and
    Vmax > 15.4 m/s, else 0.5; nothing beyond twice that radius (500 km without one) and never beyond 600 km.
    Radii are used when 90 % of the fixes with more than 15.4 m/s have one (a weaker wind has none to state), else none.

    source   : Willoughby, Darling and Rahn (2006), doi:10.1175/MWR3106.1, eq. 7a
    """
    lat, lon, wanted = _cells(lat, lon, years)
    track = checked(track)
    points = _with_wind(_interpolate(track, _mean_gale_radius(track), lat, lon, wanted, FAR))
    return _highest_wind(lat, lon, points, points.year, wanted)


def typhoon_storm_wind(lat: ArrayLike, lon: ArrayLike, track: TyphoonTrack, years: ArrayLike) -> StormWind:
    """Highest 10-min wind over open sea of each storm: `typhoon_wind` by storm instead of year.

    lat, lon : (C,) degrees
    track    : see `TyphoonTrack`
    years    : (Y,) years that the track covers; a storm counts with its points in these years
    returns  : of the S storms that bring any of the cells a wind, in the order of their first fix
    raises   : as `typhoon_wind`
    """
    names = np.unique(np.asarray(track.storm))
    lat, lon, wanted = _cells(lat, lon, years)
    track = checked(track)
    points = _with_wind(_interpolate(track, _mean_gale_radius(track), lat, lon, wanted, FAR))
    order = np.argsort(points.storm, kind="stable")
    columns: Any = [column[order] for column in points]
    points = _Points(*columns)
    first_fix = np.searchsorted(track.storm, np.unique(points.storm))
    storms = np.unique(points.storm)[np.argsort(track.time[first_fix], kind="stable")]
    wind = _highest_wind(lat, lon, points, points.storm, storms)
    blows = (wind > 0.0).any(axis=0)
    storms, wind = storms[blows], wind[:, blows]
    began = track.time[np.searchsorted(track.storm, storms)]
    return StormWind(wind, names[storms], year_of(began), began)


def _highest_wind(lat: Floats, lon: Floats, points: _Points, group: Ints, wanted: Ints) -> Floats:
    """(C, G) m/s, over the points of each group; group (K,) ascending, as the points stand."""
    rm = 46.4 * np.exp(-0.0155 * points.vmax + 0.0169 * np.abs(points.lat))
    decay = np.full(len(rm), 0.5)
    solved = (points.gale > rm) & (points.vmax > GALE_WIND)
    decay[solved] = np.log(points.vmax[solved] / GALE_WIND) / np.log(points.gale[solved] / rm[solved])
    reach = np.where(np.isnan(points.gale), FAR_WITHOUT_RADIUS, np.minimum(2.0 * points.gale, FAR))
    first, last = _slices(group, wanted)
    order = _side_by_side(lat, lon)
    cells, found = unit_vectors(lat[order], lon[order]), np.empty((len(lat), len(wanted)))
    fill_wind(cells, WindPoints(points.place, points.vmax, rm, decay, reach, _chord2(reach), first, last), found)
    out = np.empty_like(found)
    out[order] = found
    return out


def typhoon_exposure(lat: ArrayLike, lon: ArrayLike, track: TyphoonTrack, years: ArrayLike) -> Floats:
    """Cumulative exposure S_tc of each year: weights 0, 1, 3, 7 of the cell's class, summed over synoptic fixes.

    lat, lon : (C,) degrees
    years    : (Y,), see `years_with_radii`: a source without radii says nothing about exposure
    returns  : (C, Y), 0 for a year without a fix in reach
    raises   : as `typhoon_wind`

    Class 3 inside the 50-kt ellipse of a typhoon, 2 inside that of a weaker storm, else 1 inside the 30-kt ellipse
    of grade TS, STS or TY. Only fixes at 00, 06, 12 and 18 UTC count: finer steps would count double. Ellipse: offsets
    of 111 km per degree of latitude, times the cosine of the mean latitude for longitude, rotated by the direction of
    the longest radius, which is one half axis; the shortest radius is the other.
    """
    lat, lon, wanted = _cells(lat, lon, years)
    track = checked(track)
    reach = np.fmax(track.gale_long, track.storm_long)
    keep = (track.time % 6.0 == 0.0) & ~np.isnan(reach)
    keep &= _near(track.lat, track.lat, track.lon, track.lon, lat, lon, float(np.max(reach[keep], initial=0.0)))
    fixes = take(track, keep)
    fixes = take(fixes, np.argsort(fixes.time, kind="stable"))
    first, last = _slices(year_of(fixes.time), wanted)
    typhoon = fixes.grade == GRADES.index("TY")
    named = typhoon | (fixes.grade == GRADES.index("TS")) | (fixes.grade == GRADES.index("STS"))
    storm_weight = np.where(typhoon, CLASS_WEIGHTS[3], CLASS_WEIGHTS[2])
    gale_weight = np.where(named, CLASS_WEIGHTS[1], CLASS_WEIGHTS[0])
    storm_ellipse = _ellipse(fixes.storm_long, fixes.storm_short, fixes.storm_dir)
    gale_ellipse = _ellipse(fixes.gale_long, fixes.gale_short, fixes.gale_dir)
    out = np.zeros((len(lat), len(wanted)))
    ellipses = Ellipses(fixes.lat, fixes.lon, storm_ellipse, gale_ellipse, storm_weight, gale_weight, first, last)
    fill_exposure(lat, lon, ellipses, out)
    return out


def typhoon_cyclone_index(
    lat: ArrayLike,
    lon: ArrayLike,
    track: TyphoonTrack,
    years: ArrayLike,
    rain: ArrayLike,
    *,
    weights: tuple[float, float] = (0.55, 0.45),
    wind_scale: ArrayLike = 1.0,
) -> Floats:
    """Mean over the years of the annual maximum of the cyclone index, for several climates in one sweep.

    lat, lon : (C,) degrees
    years    : (Y,) years that the track covers
    rain     : (C, P) mean annual largest 1-day precipitation, mm, of P periods or scenarios; NaN = unknown
    weights  : of wind and rain; (1, 0) when there is no rain to be had
    wind_scale : scalar or (C, P), 0 or more, factor on the wind of every storm; NaN = unknown
    returns  : (C, P), 0..1; NaN where the factor is unknown, or the rain that has a weight, or without years
    raises   : as `typhoon_wind`; ValueError for a negative factor

    Index = (wind weight factor Vmax/50 + rain weight rain/500, each ratio clipped to 0..1) (1 - distance/200 km), over
    the 15-minute points within 200 km that have a wind, as in `typhoon_wind`: what states none is no typhoon.
    """
    lat, lon, wanted = _cells(lat, lon, years)
    falls = np.ascontiguousarray(by_cell(rain, "rain"), np.float64)
    if falls.ndim != 2 or len(falls) != len(lat):
        raise ValueError(f"rain is (cells, periods): {falls.shape=} for {len(lat)} cells")
    scale = np.asarray(by_cell(wind_scale, "wind_scale"), np.float64)
    if scale.shape not in ((), falls.shape):
        raise ValueError(f"wind_scale is one number or {falls.shape}, got {scale.shape}")
    if negative := int((scale < 0.0).sum()):
        raise ValueError(f"{negative} of {scale.size} factors on the wind are negative")
    if len(wanted) == 0:
        return np.full(falls.shape, np.nan)
    track = checked(track)
    points = _with_wind(_interpolate(track, np.full(len(track.time), np.nan), lat, lon, wanted, INDEX_REACH))
    factor = np.broadcast_to(scale, falls.shape)
    rain_part = weights[1] * np.clip(falls / 500.0, 0.0, 1.0) if weights[1] else np.zeros(falls.shape)
    first, last = _slices(points.year, wanted)
    order = _side_by_side(lat, lon)
    cells, found = unit_vectors(lat[order], lon[order]), np.empty(falls.shape)
    near = float(_chord2(np.array([INDEX_REACH]))[0])
    of_years = IndexPoints(points.place, np.maximum(points.vmax, 0.0) / 50.0, first, last)
    fill_index(cells, of_years, weights[0], factor[order], rain_part[order], INDEX_REACH, near, found)
    out = np.empty_like(found)
    out[order] = found
    return out


def _cells(lat: ArrayLike, lon: ArrayLike, years: ArrayLike) -> tuple[Floats, Floats, Ints]:
    north, east = (np.ascontiguousarray(numbers(each, name), np.float64) for each, name in ((lat, "lat"), (lon, "lon")))
    wanted = whole_numbers(years, "years")
    if north.ndim != 1 or north.shape != east.shape or wanted.ndim != 1:
        raise ValueError(f"cells and years are one-dimensional: {north.shape=} {east.shape=} {wanted.shape=}")
    return north, east, wanted


def _mean_gale_radius(track: TyphoonTrack) -> Floats:
    """(F,) km, mean of longest and shortest; NaN throughout when the record seldom states one."""
    short = np.where(np.isnan(track.gale_short), track.gale_long, track.gale_short)
    radius = np.asarray((track.gale_long + short) / 2.0)
    windy = track.vmax > GALE_WIND
    if (~np.isnan(radius[windy])).sum() < RADII_SHARE * windy.sum():
        return np.full(len(radius), np.nan)
    return radius


def _interpolate(track: TyphoonTrack, gale: Floats, lat: Floats, lon: Floats, years: Ints, reach: float) -> _Points:
    """Points every 15 minutes from each fix to the next of its storm, and at the last; linear in time."""
    fixes = len(track.time)
    to = np.minimum(np.arange(fixes) + 1, fixes - 1)
    ends = track.storm[to] != track.storm
    ends[-1:] = True
    to[ends] = np.flatnonzero(ends)
    hours = track.time[to] - track.time
    # the shorter way round, so that a storm crossing the date line does not circle the earth
    turn = (track.lon[to] - track.lon + 180.0) % 360.0 - 180.0
    kept = np.flatnonzero(_near(track.lat, track.lat[to], track.lon, track.lon + turn, lat, lon, reach))
    count = np.maximum(np.ceil(hours[kept] / STEP).astype(np.int64), 1)
    fix = np.repeat(kept, count)
    elapsed = STEP * (np.arange(len(fix)) - np.repeat(np.cumsum(count) - count, count))
    year = year_of(track.time[fix] + elapsed)
    of_years = np.isin(year, years)
    fix, elapsed, year = fix[of_years], elapsed[of_years], year[of_years]
    # the fixes of a year first: they raise the wind so early that most points between are passed over
    order = np.lexsort((elapsed > 0.0, year))
    fix, elapsed, year = fix[order], elapsed[order], year[order]
    share = np.divide(elapsed, hours[fix], out=np.zeros(len(fix)), where=elapsed > 0.0)

    def between(values: Floats, change: Floats) -> Floats:
        # at the fix itself its own value holds, also when the next fix has none
        return np.where(share > 0.0, values[fix] + change[fix] * share, values[fix])

    north = between(track.lat, track.lat[to] - track.lat)
    return _Points(
        np.asarray(track.storm[fix]),
        year,
        unit_vectors(north, between(track.lon, turn)),
        north,
        between(track.vmax, track.vmax[to] - track.vmax),
        between(gale, gale[to] - gale),
    )


def _with_wind(points: _Points) -> _Points:
    blows = ~np.isnan(points.vmax)
    columns: Any = [column[blows] for column in points]
    return _Points(*columns)


def _near(south: Floats, north: Floats, west: Floats, east: Floats, lat: Floats, lon: Floats, reach: float) -> Bools:
    """True for legs, (F,) from one corner to the other, whose box comes within `reach` km of the cells' box."""
    if len(lat) == 0:
        return np.zeros(len(south), bool)
    margin = reach / 110.0
    low, high = float(lat.min()) - margin, float(lat.max()) + margin
    inside = (np.maximum(south, north) >= low) & (np.minimum(south, north) <= high)
    if (widest := max(abs(low), abs(high))) >= 85.0:  # near a pole every longitude is near
        return np.asarray(inside)
    middle, half = (float(lon.min()) + float(lon.max())) / 2.0, (float(lon.max()) - float(lon.min())) / 2.0
    leg_middle, leg_half = (west + east) / 2.0, np.abs(east - west) / 2.0
    apart = np.abs((leg_middle - middle + 180.0) % 360.0 - 180.0)
    return np.asarray(inside & (apart <= half + leg_half + margin / math.cos(math.radians(widest))))


def _slices(year: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    return np.searchsorted(year, wanted, "left"), np.searchsorted(year, wanted, "right")


def _side_by_side(lat: Floats, lon: Floats) -> Ints:
    """An order that puts neighbours together: strips of latitude as high as a square of `TILE` cells, west to east."""
    if len(lat) == 0:
        return np.empty(0, np.int64)
    height = math.sqrt(float(np.ptp(lat)) * float(np.ptp(lon)) * TILE / len(lat)) or 1.0
    return np.lexsort((lon, np.floor((lat - lat.min()) / height)))


def _chord2(distance: Floats) -> Floats:
    return np.asarray((2.0 * np.sin(distance / (2.0 * EARTH_RADIUS))) ** 2)


def _ellipse(longest: Floats, shortest: Floats, direction: Floats) -> Floats:
    """(F, 4): sine and cosine of the long half axis, and one over both half axes in km; NaN without an ellipse."""
    short = np.where(np.isnan(shortest), longest, shortest)
    circle = np.isnan(direction)
    long_axis, short_axis = (np.where(circle, (longest + short) / 2.0, axis) for axis in (longest, short))
    angle = np.radians(np.where(circle, 0.0, direction))
    with np.errstate(divide="ignore"):
        return np.stack([np.sin(angle), np.cos(angle), 1.0 / long_axis, 1.0 / short_axis], axis=1)
