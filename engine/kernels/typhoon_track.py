"""Best tracks as the typhoon kernels take them: checked, in order, and what their years say. F fixes, Y years."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.kernels.arrays import numbers, whole_numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

#: `TyphoonTrack.grade` is an index into this: depression, storm, severe storm, typhoon, extratropical low
GRADES = ("TD", "TS", "STS", "TY", "L")
GALE_WIND = 15.4  # m/s at the 30-kt radius
RADII_SHARE = 0.9  # of the wind fixes must have a 30-kt radius, else the record's radii are left unused
WINDS_SHARE = 0.9  # of a year's fixes of storm strength must state a wind, else the year says nothing about wind


class TyphoonTrack(NamedTuple):
    """A best track as equally long arrays (F,), the fixes of a storm in time order; storms in any order.

    storm      : any number or word that tells storms apart
    time       : hours since 1970-01-01 00 UTC
    lat, lon   : degrees north and east
    grade      : index into `GRADES` (or the word itself)
    vmax       : maximum sustained (10-min) wind, m/s; NaN = not stated, as in weak stages
    gale_long, gale_short, storm_long, storm_short : longest and shortest radius of 30-kt (15 m/s) and 50-kt (25 m/s)
                 winds, km; NaN = none or not stated; a missing shortest radius means a circle
    gale_dir, storm_dir : direction of the longest radius, degrees clockwise from north; NaN = circle
    """

    storm: Ints
    time: Floats
    lat: Floats
    lon: Floats
    grade: NDArray[np.uint8]
    vmax: Floats
    gale_long: Floats
    gale_short: Floats
    gale_dir: Floats
    storm_long: Floats
    storm_short: Floats
    storm_dir: Floats


def years_with_radii(track: TyphoonTrack, years: ArrayLike) -> Ints:
    """Those of the years whose source states wind radii: 90 % of the year's fixes with a gale wind have a 30-kt radius.

    years   : (Y,)
    returns : the years kept, in their order
    """
    track = checked(track)
    wanted = whole_numbers(years, "years")
    windy = track.vmax > GALE_WIND
    year = year_of(track.time[windy])
    stated = year[~np.isnan(track.gale_long[windy])]
    share = [(stated == y).sum() >= RADII_SHARE * (year == y).sum() > 0 for y in wanted]
    return np.asarray(wanted[np.array(share, bool)])


def years_with_winds(track: TyphoonTrack, years: ArrayLike) -> Ints:
    """Those of the years whose source states winds: 90 % of the year's fixes of grade TS, STS or TY have one.

    A year with fixes of which none has a wind is a provisional one. A year without a fix is a quiet year and is kept.

    years   : (Y,)
    returns : the years kept, in their order
    """
    track = checked(track)
    wanted = whole_numbers(years, "years")
    year, stated = year_of(track.time), ~np.isnan(track.vmax)
    strong = np.isin(track.grade, [GRADES.index(name) for name in ("TS", "STS", "TY")])
    kept = []
    for y in wanted:
        of_year = year == y
        known = int((stated & strong & of_year).sum())
        kept.append(not of_year.any() or (stated[of_year].any() and known >= WINDS_SHARE * (strong & of_year).sum()))
    return np.asarray(wanted[np.array(kept, bool)])


def checked(track: TyphoonTrack) -> TyphoonTrack:
    """The track by storm and time, whatever the order of the storms.

    raises : ValueError for columns of unequal length, a fix without storm, place or time, or two at one time
    """
    if hidden := [name for name in ("storm", "grade") if np.ma.is_masked(getattr(track, name))]:
        raise ValueError(f"{hidden[0]} of a track is masked in places: a fix without it belongs nowhere")
    lengths = {name: np.shape(column) for name, column in track._asdict().items()}
    if len(set(lengths.values())) != 1 or np.ndim(track.time) != 1:
        raise ValueError(f"arrays of a track are equally long: {lengths}")
    codes = {"storm": np.unique(track.storm, return_inverse=True)[1], "grade": _grade_codes(np.asarray(track.grade))}
    columns: Any = [
        codes[name] if name in codes else numbers(column, name).astype(np.float64, copy=False)
        for name, column in track._asdict().items()
    ]
    whole = TyphoonTrack(*columns)
    ordered = take(whole, np.lexsort((whole.time, whole.storm)))
    if lost := int((~np.isfinite(ordered.lat + ordered.lon + ordered.time)).sum()):
        raise ValueError(f"{lost} of {len(ordered.time)} fixes lack a place or a time")
    if duplicates := int(((np.diff(ordered.storm) == 0) & (np.diff(ordered.time) == 0)).sum()):
        raise ValueError(f"{duplicates} fixes repeat the time of another fix of their storm")
    return ordered


def _grade_codes(grade: NDArray[Any]) -> NDArray[np.uint8]:
    """Indices into `GRADES`, from indices or from the words themselves."""
    known = np.array(GRADES) if grade.dtype.kind in "UO" else np.arange(len(GRADES))
    matches = grade[:, None] == known
    if unknown := int((~matches.any(axis=1)).sum()):
        raise ValueError(f"{unknown} of {len(grade)} fixes have a grade that is none of {', '.join(GRADES)}")
    return np.asarray(matches.argmax(axis=1), np.uint8)


def take(track: TyphoonTrack, which: Ints | Bools) -> TyphoonTrack:
    """Some of the fixes."""
    columns: Any = [column[which] for column in track]
    return TyphoonTrack(*columns)


def year_of(time: Floats) -> Ints:
    """Calendar years of hours since 1970-01-01 00 UTC."""
    return np.asarray(np.floor(time).astype("datetime64[h]").astype("datetime64[Y]").astype(np.int64) + 1970)
