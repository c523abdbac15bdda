import json
import math
from datetime import UTC, datetime
from importlib import resources

import numba
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.io.etl.loaders import besttrack_readers
from engine.kernels import (
    TyphoonTrack,
    typhoon_cyclone_index,
    typhoon_exposure,
    typhoon_wind,
    years_with_radii,
    years_with_winds,
)
from engine.kernels.typhoon_track import GRADES
from engine.risks.track import typhoon_track

DATA = resources.files("engine.sample") / "data"
LAST_DAY = 429504.0  # hours from 1970 to 2018-12-31 00 UTC
TD, TS, STS, TY, LOW = range(5)


def track_of(*fixes, **columns):
    """Rows of (storm, hours after 2018-12-31 00 UTC, lat, lon, vmax); further columns by name, unknown when absent."""
    storm, hours, lat, lon, vmax = (np.array(column, float) for column in zip(*fixes, strict=True))
    unknown = np.full(len(fixes), np.nan)
    named = {name: np.broadcast_to(np.asarray(column, float), len(fixes)) for name, column in columns.items()}
    track = TyphoonTrack(storm.astype(int), LAST_DAY + hours, lat, lon, np.full(len(fixes), TY, np.uint8), vmax,
                         *(unknown,) * 6)  # fmt: skip
    return track._replace(**named)


def random_track(seed, storms=3, fixes=6):
    """Storms around (35 N, 128 E) about New Year, with gaps in wind and radii."""
    rng = np.random.default_rng(seed)
    n = storms * fixes
    storm = np.repeat(np.arange(storms), fixes)
    hours = (rng.choice([3.0, 6.0, 6.0, 6.0], (storms, fixes)).cumsum(axis=1) - 6.0).ravel()
    lat = (35.0 + rng.uniform(-4, 4, (storms, 1)) + rng.normal(0.3, 0.5, (storms, fixes)).cumsum(axis=1)).ravel()
    lon = (128.0 + rng.uniform(-5, 5, (storms, 1)) + rng.normal(0.3, 0.5, (storms, fixes)).cumsum(axis=1)).ravel()
    vmax = np.where(rng.random(n) < 0.15, np.nan, rng.uniform(12.0, 60.0, n))
    long = np.where(rng.random(n) < 0.04, np.nan, rng.uniform(20.0, 500.0, n))
    short = long * rng.uniform(0.3, 1.0, n)
    direction = np.where(rng.random(n) < 0.3, np.nan, rng.uniform(0.0, 360.0, n))
    return TyphoonTrack(storm, LAST_DAY + hours, lat, lon, rng.integers(0, 5, n).astype(np.uint8), vmax,
                        long, short, direction, long / 2, short / 2, direction)  # fmt: skip


def cells(seed, n=5):
    rng = np.random.default_rng(seed + 1)
    return rng.uniform(33.0, 38.5, n), rng.uniform(125.0, 130.0, n)


def great_circle(lat1, lon1, lat2, lon2):
    p1, p2, dl = math.radians(lat1), math.radians(lat2), math.radians(lon2 - lon1)
    h = math.sin((p2 - p1) / 2) ** 2 + math.cos(p1) * math.cos(p2) * math.sin(dl / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(h))


def naive_points(track, radius):
    """(year, lat, lon, vmax, 30-kt radius) every 15 minutes."""
    for i in range(len(track.time)):
        same = i + 1 < len(track.time) and track.storm[i + 1] == track.storm[i]
        steps = int((track.time[i + 1] - track.time[i]) * 4) if same else 1
        for step in range(steps):
            share = step / steps
            values = []
            for column in (track.lat, track.lon, track.vmax, radius):
                values.append(column[i] + share * (column[i + 1] - column[i]) if step else column[i])
            stamp = datetime.fromtimestamp((track.time[i] + step / 4) * 3600, UTC)
            yield stamp.year, *values


def naive_wind(lat, lon, track, years):
    radius = (track.gale_long + track.gale_short) / 2
    windy = track.vmax > 15.4
    if np.isfinite(radius[windy]).sum() < 0.9 * windy.sum():
        radius = np.full(len(radius), np.nan)
    out = np.zeros((len(lat), len(years)))
    for year, y, x, vmax, r30 in naive_points(track, radius):
        if year not in years or math.isnan(vmax):
            continue
        rm = 46.4 * math.exp(-0.0155 * vmax + 0.0169 * y)
        decay = math.log(vmax / 15.4) / math.log(r30 / rm) if r30 > rm and vmax > 15.4 else 0.5
        reach = 500.0 if math.isnan(r30) else min(2 * r30, 600.0)
        for c in range(len(lat)):
            r = great_circle(lat[c], lon[c], y, x)
            wind = 0.0 if r > reach else vmax * r / rm if r < rm else vmax * (rm / r) ** decay
            out[c, years.index(year)] = max(out[c, years.index(year)], wind)
    return out


def naive_exposure(lat, lon, track, years):
    out = np.zeros((len(lat), len(years)))
    for i in range(len(track.time)):
        stamp = datetime.fromtimestamp(track.time[i] * 3600, UTC)
        if stamp.hour % 6 or stamp.year not in years:
            continue
        grade = GRADES[track.grade[i]]
        for c in range(len(lat)):
            inside = {}
            for area in ("storm", "gale"):
                a, b, direction = (getattr(track, f"{area}_{part}")[i] for part in ("long", "short", "dir"))
                if math.isnan(direction):
                    a = b = (a + b) / 2
                    direction = 0.0
                north = (lat[c] - track.lat[i]) * 111
                east = (lon[c] - track.lon[i]) * 111 * math.cos(math.radians((lat[c] + track.lat[i]) / 2))
                turn = math.radians(direction)
                along, across = (
                    east * math.sin(turn) + north * math.cos(turn),
                    east * math.cos(turn) - north * math.sin(turn),
                )
                inside[area] = (along / a) ** 2 + (across / b) ** 2 <= 1
            level = (
                (3 if grade == "TY" else 2) if inside["storm"] else int(inside["gale"] and grade in ("TS", "STS", "TY"))
            )
            out[c, years.index(stamp.year)] += (0, 1, 3, 7)[level]
    return out


def naive_index(lat, lon, track, years, rain, scale):
    best = np.zeros((len(lat), len(years), rain.shape[1]))
    for year, y, x, vmax, _ in naive_points(track, np.full(len(track.time), np.nan)):
        if year in years and not math.isnan(vmax):
            for c in range(len(lat)):
                wind = np.minimum(vmax / 50 * scale[c], 1.0)
                nearness = max(1 - great_circle(lat[c], lon[c], y, x) / 200, 0.0)
                index = (0.55 * wind + 0.45 * np.clip(rain[c] / 500, 0, 1)) * nearness
                best[c, years.index(year)] = np.maximum(best[c, years.index(year)], index)
    return best.mean(axis=1)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 2), degrees=st.sampled_from([0.05, 1.0, 5.0]))
def test_matches_the_naive_versions(seed, degrees):
    # cells of a small patch share what can reach them, cells far apart hardly anything
    track, (lat, lon), years = random_track(seed), cells(seed, 12), [2018, 2019]
    lat, lon = 35.5 + (lat - 35.5) * degrees / 5.0, 127.5 + (lon - 127.5) * degrees / 5.0
    rng = np.random.default_rng(seed)
    rain, scale = rng.uniform(0.0, 700.0, (len(lat), 3)), rng.uniform(0.8, 1.5, (len(lat), 3))
    np.testing.assert_allclose(
        typhoon_wind(lat, lon, track, years), naive_wind(lat, lon, track, years), rtol=1e-9, atol=1e-9
    )
    np.testing.assert_array_equal(typhoon_exposure(lat, lon, track, years), naive_exposure(lat, lon, track, years))
    np.testing.assert_allclose(
        typhoon_cyclone_index(lat, lon, track, years, rain, wind_scale=scale),
        naive_index(lat, lon, track, years, rain, scale), rtol=1e-9, atol=1e-9,
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 2))
def test_the_order_of_storms_does_not_matter_and_a_further_storm_never_lowers_a_year(seed):
    track, (lat, lon), years = random_track(seed), cells(seed), [2018, 2019]
    shuffled = np.random.default_rng(seed).permutation(len(track.time))
    mixed = TyphoonTrack(*(column[shuffled] for column in track))
    fewer = TyphoonTrack(*(column[track.storm > 0] for column in track))
    # whether radii are used is a property of the whole record, so it is kept out of the comparison
    fewer, whole = (each._replace(gale_long=each.gale_long * np.nan) for each in (fewer, track))
    assert (typhoon_wind(lat, lon, fewer, years) <= typhoon_wind(lat, lon, whole, years)).all()
    for measure in (typhoon_wind, typhoon_exposure):
        np.testing.assert_array_equal(measure(lat, lon, mixed, years), measure(lat, lon, track, years))


def test_the_bytes_depend_neither_on_threads_nor_on_blocks():
    track, years = random_track(7, storms=12, fixes=12), [2018, 2019]
    lat, lon = cells(7, n=301)
    rain = np.full((301, 2), 120.0)
    whole = [typhoon_wind(lat, lon, track, years), typhoon_exposure(lat, lon, track, years),
             typhoon_cyclone_index(lat, lon, track, years, rain)]  # fmt: skip
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        blocks = [slice(0, 40), slice(40, 41), slice(41, 301)]
        parts = [
            [typhoon_wind(lat[b], lon[b], track, years) for b in blocks],
            [typhoon_exposure(lat[b], lon[b], track, years) for b in blocks],
            [typhoon_cyclone_index(lat[b], lon[b], track, years, rain[b]) for b in blocks],
        ]
    finally:
        numba.set_num_threads(threads)
    assert [np.concatenate(part).tobytes() for part in parts] == [array.tobytes() for array in whole]


def test_the_profile_has_its_maximum_at_rm_and_15_4_at_the_gale_radius():
    vmax, centre = 45.0, 30.0
    rm = 46.4 * math.exp(-0.0155 * vmax + 0.0169 * centre)
    km = np.array([0.0, rm / 2, rm, 150.0, 300.0, 599.0, 601.0])
    lat, lon = centre + np.degrees(km / 6371.0), np.full(len(km), 128.0)
    with_radius = track_of((1, 30, centre, 128.0, vmax), gale_long=400.0, gale_short=200.0)
    wind = typhoon_wind(lat, lon, with_radius, [2019])[:, 0]
    np.testing.assert_allclose(wind[:3], [0.0, vmax / 2, vmax], atol=1e-9)
    np.testing.assert_allclose(wind[4], 15.4)
    assert wind[2] > wind[3] > wind[4] > wind[5] > wind[6] == 0.0
    without = typhoon_wind(lat, lon, with_radius._replace(gale_long=[np.nan]), [2019])[:, 0]
    np.testing.assert_allclose(without[4], vmax * math.sqrt(rm / 300.0))
    assert without[5] == 0.0  # 500 km without a radius


def test_radii_are_used_from_nine_tenths_of_the_wind_fixes_on():
    fixes = [(storm, 30 + 6 * storm, 30.0, 128.0, 40.0) for storm in range(10)]
    weak = [(10 + storm, 30, 30.0, 128.0, 12.0) for storm in range(5)]  # too weak to have a gale radius
    radii = np.full(15, 300.0)
    radii[10:] = np.nan
    radii[0] = np.nan
    used = typhoon_wind([32.0], [128.0], track_of(*fixes, *weak, gale_long=radii, gale_short=radii), [2019])
    radii[1] = np.nan
    unused = typhoon_wind([32.0], [128.0], track_of(*fixes, *weak, gale_long=radii, gale_short=radii), [2019])
    plain = typhoon_wind([32.0], [128.0], track_of(*fixes, *weak), [2019])
    assert used[0, 0] != plain[0, 0]
    np.testing.assert_array_equal(unused, plain)


def test_a_missing_wind_is_no_wind_up_to_the_neighbouring_fix():
    fixes = [(1, 30, 33.0, 128.0, 40.0), (1, 36, 34.0, 128.0, np.nan), (1, 42, 35.0, 128.0, np.nan)]
    only_first = typhoon_wind([34.0], [128.5], track_of(fixes[0]), [2019])
    np.testing.assert_array_equal(typhoon_wind([34.0], [128.5], track_of(*fixes), [2019]), only_first)


def test_a_point_belongs_to_the_year_of_its_utc_time_and_a_quiet_year_is_zero():
    crossing = track_of((1, 21, 33.0, 128.0, 40.0), (1, 27, 36.0, 128.0, 40.0))  # New Year half way
    south, north = typhoon_wind([33.2, 35.8], [128.3, 128.3], crossing, [2018, 2019, 2020])
    assert south[0] > south[1] > 0.0
    assert north[1] > north[0] > 0.0
    assert south[2] == north[2] == 0.0
    assert typhoon_wind([33.2], [128.3], TyphoonTrack(*(column[:0] for column in crossing)), [2019])[0, 0] == 0.0


def test_a_storm_crossing_the_date_line_takes_the_short_way():
    eastward = track_of((1, 30, 20.0, 179.0, 40.0), (1, 36, 20.0, -179.0, 40.0))
    unwrapped = track_of((1, 30, 20.0, 179.0, 40.0), (1, 36, 20.0, 181.0, 40.0))
    lat, lon = [20.5, 20.5, 20.5], [180.0, -180.0, 0.0]
    wind = typhoon_wind(lat, lon, eastward, [2019])
    np.testing.assert_allclose(wind, typhoon_wind(lat, lon, unwrapped, [2019]), rtol=1e-12)
    np.testing.assert_allclose(wind[0], wind[1], rtol=1e-12)
    assert wind[0, 0] > 0.0
    assert wind[2, 0] == 0.0


def test_exposure_weighs_the_class_of_the_cell_and_counts_synoptic_fixes_only():
    # radii north and south 200 and 100 km (50 kt) or 400 and 200 km (30 kt): longest to the east
    fix = (1, 30, 30.0, 128.0, 40.0)
    shape = {"gale_long": 400, "gale_short": 200, "gale_dir": 90, "storm_long": 200, "storm_short": 100}
    shape["storm_dir"] = 90
    lat = 30.0 + np.array([0.0, 150.0, 250.0, 0.0, 0.0, 0.0]) / 111.0
    lon = 128.0 + np.array([0.0, 0.0, 0.0, 150.0, 350.0, 450.0]) / (111.0 * math.cos(math.radians(30.0)))
    expected = {TY: [7, 1, 0, 7, 1, 0], STS: [3, 1, 0, 3, 1, 0], TS: [3, 1, 0, 3, 1, 0], LOW: [3, 0, 0, 3, 0, 0]}
    for grade, weights in expected.items():
        track = track_of(fix, **shape)._replace(grade=np.array([grade], np.uint8))
        np.testing.assert_array_equal(typhoon_exposure(lat, lon, track, [2019])[:, 0], weights)
    named = track_of(fix, **shape)._replace(grade=np.array(["TY"]))
    np.testing.assert_array_equal(typhoon_exposure(lat, lon, named, [2019])[:, 0], expected[TY])
    finer = track_of(fix, (1, 33, 30.0, 128.0, 40.0), (1, 36, 30.0, 128.0, 40.0), **shape)
    np.testing.assert_array_equal(typhoon_exposure(lat, lon, finer, [2019])[:, 0], np.multiply(expected[TY], 2))


def test_years_with_radii_leaves_out_the_years_of_a_source_without():
    fixes = [(1, -6, 30.0, 128.0, 40.0), (2, 30, 30.0, 128.0, 40.0), (3, 36, 30.0, 128.0, np.nan)]
    track = track_of(*fixes, gale_long=[np.nan, 300.0, np.nan])
    np.testing.assert_array_equal(years_with_radii(track, [2017, 2018, 2019]), [2019])


def test_the_index_follows_rain_and_knows_when_it_does_not():
    track = track_of((1, 30, 34.0, 128.0, 30.0))
    lat, lon = np.array([34.0 + np.degrees(100.0 / 6371.0)]), np.array([128.0])
    rain = np.array([[0.0, 200.0, 900.0, np.nan]])
    index = typhoon_cyclone_index(lat, lon, track, [2019, 2020], rain)
    np.testing.assert_allclose(index[0, :3], [0.33 * 0.5 / 2, (0.33 + 0.18) * 0.5 / 2, 0.78 * 0.5 / 2])
    assert np.isnan(index[0, 3])
    dry = typhoon_cyclone_index(lat, lon, track, [2019, 2020], rain, weights=(1.0, 0.0))
    np.testing.assert_allclose(dry[0], np.full(4, 0.6 * 0.5 / 2))
    assert np.isnan(typhoon_cyclone_index(lat, lon, track, [], rain)).all()


def test_a_fix_without_a_wind_is_no_typhoon_for_the_index_as_for_the_wind():
    windless = track_of((1, 30, 34.0, 128.0, np.nan), (1, 36, 35.0, 128.0, np.nan))
    rain = np.array([[500.0]])
    assert typhoon_cyclone_index([34.0], [128.0], windless, [2019], rain)[0, 0] == 0.0
    known = track_of((1, 24, 33.0, 128.0, 30.0), (1, 30, 34.0, 128.0, np.nan))
    only = TyphoonTrack(*(column[:1] for column in known))
    index = typhoon_cyclone_index([34.0], [128.0], known, [2019], rain)
    np.testing.assert_array_equal(index, typhoon_cyclone_index([34.0], [128.0], only, [2019], rain))


def test_a_factor_on_the_wind_leaves_the_rain_part_as_it_is_and_the_wind_part_at_most_one():
    track, place = track_of((1, 30, 34.0, 128.0, 30.0)), ([34.0], [128.0])
    rain, scale = np.full((1, 4), 200.0), np.array([[1.0, 1.5, 2.0, np.nan]])
    index = typhoon_cyclone_index(*place, track, [2019], rain, wind_scale=scale)
    np.testing.assert_allclose(index[0, :3], [0.55 * 0.6 + 0.18, 0.55 * 0.9 + 0.18, 0.55 + 0.18])
    assert np.isnan(index[0, 3])
    with pytest.raises(ValueError, match="1 of 1 factors on the wind are negative"):
        typhoon_cyclone_index(*place, track, [2019], rain, wind_scale=-1.0)


def test_a_year_says_something_about_wind_when_nine_tenths_of_its_storm_fixes_state_one():
    storms = [(storm, 30 + 6 * storm, 30.0, 128.0, 20.0) for storm in range(10)]
    depressions = [(20 + storm, 30, 30.0, 128.0, np.nan) for storm in range(30)]
    track = track_of(*storms, *depressions)
    grade, vmax = np.repeat([TS, TD], [10, 30]).astype(np.uint8), track.vmax.copy()
    track = track._replace(grade=grade)
    years = [2018, 2019, 2020]  # 2018 and 2020 have no fix: quiet years
    np.testing.assert_array_equal(years_with_winds(track, years), years)
    for lost, kept in ((1, years), (2, [2018, 2020])):
        vmax[:lost] = np.nan
        np.testing.assert_array_equal(years_with_winds(track._replace(vmax=vmax), years), kept)
    unknown = track._replace(vmax=np.full(40, np.nan), grade=np.full(40, TD, np.uint8))
    np.testing.assert_array_equal(years_with_winds(unknown, years), [2018, 2020])  # no wind at all: provisional


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": np.full(2, LAST_DAY)}, "1 fixes repeat the time"),
        ({"lat": np.array([30.0, np.nan])}, "1 of 2 fixes lack a place"),
        ({"vmax": np.zeros(3)}, "equally long"),
        ({"grade": np.array([5, 1])}, "1 of 2 fixes have a grade"),
    ],
)
def test_a_track_that_contradicts_itself_is_refused(change, message):
    track = track_of((1, 30, 33.0, 128.0, 40.0), (1, 36, 34.0, 128.0, 40.0))._replace(**change)
    with pytest.raises(ValueError, match=message):
        typhoon_wind([34.0], [128.0], track, [2019])


def test_the_storms_that_reached_south_korea_are_the_ones_known():
    """Storms of TS strength within 100 km of South Korea 2015-2021/7, by RSMC Tokyo; of all others only four, which
    passed a little farther off, bring 17 m/s to land."""
    passed = {1509, 1618, 1807, 1819, 1825, 1905, 1908, 1913, 1918, 2005, 2008, 2009, 2010}
    near_misses = {1515, 1824, 1910, 1917}
    shapes = json.loads((DATA / "map" / "provinces_korea_2013.geojson").read_text("utf-8"))["features"]
    land = shapely.union_all([shapely.geometry.shape(shape["geometry"]) for shape in shapes])
    lat, lon = (axis.ravel() for axis in np.meshgrid(np.arange(33, 38.7, 0.1), np.arange(125, 131.0, 0.1)))
    on_land = shapely.contains_xy(land, lon, lat)
    best = besttrack_readers.read(DATA / "typhoon" / "jma_bst_2015_2021.txt")
    numbers = best.fixes["tcid"].unique().sort().to_list()
    track = typhoon_track(best.fixes)
    # a year apart each, so that one call gives every storm's own maximum
    starts = np.array([track.time[track.storm == storm].min() for storm in np.unique(track.storm)])
    junes = np.array([(np.datetime64(f"{1600 + storm}-06-01", "h") - np.datetime64("1970-01-01", "h")).astype(int)
                        for storm in range(len(numbers))])  # fmt: skip
    apart = track._replace(time=track.time - starts[track.storm - 1] + junes[track.storm - 1])
    wind = typhoon_wind(lat[on_land], lon[on_land], apart, 1600 + np.arange(len(numbers))).max(axis=0)
    reached = {int(number) for number, strongest in zip(numbers, wind, strict=True) if strongest >= 17.0}
    assert reached == passed | near_misses
