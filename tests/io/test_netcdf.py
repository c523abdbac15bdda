"""Time axes, units and cells of NetCDF files."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import psycopg
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import SchemaError
from engine.core.period import Years
from engine.core.quality import load_ranges
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.db import copy_binary
from engine.io.netcdf import lattice_files, packing, timeaxis, units
from tests.io import provider


def naive_month(days: int, calendar: str) -> int:
    """Walk from January 2021, month by month."""
    months = 2021 * 12
    while True:
        year, month = divmod(months, 12)
        lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        if calendar == "all_leap" or (leap and calendar not in ("noleap", "360_day")):
            lengths[1] = 29
        length = 30 if calendar == "360_day" else lengths[month]
        if days < length:
            return months
        days, months = days - length, months + 1


@pytest.mark.parametrize("calendar", ["standard", "noleap", "all_leap", "360_day", "proleptic_gregorian"])
@given(day=st.integers(0, 90 * 366))
def test_months_agree_with_walking_the_calendar(calendar, day):
    found = timeaxis.months(np.array([float(day)]), "days since 2021-01-01", calendar, "a file")
    assert found[0] == naive_month(day, calendar)


@pytest.mark.parametrize(
    ("unit", "number"),
    [
        ("hours since 2020-12-31 12:00", 36.0),
        ("seconds since 2021-01-01T00:00:00Z", 86_400.0),
        ("minutes since 2021-1-1", 3.0),
    ],
)
def test_other_units_of_time_are_read(unit, number):
    assert timeaxis.months(np.array([number]), unit, "standard", "a file")[0] == 2021 * 12


@pytest.mark.parametrize("calendar", ["standard", "proleptic_gregorian", "noleap", "all_leap", "360_day"])
@settings(max_examples=25)
@given(
    reference=st.datetimes(datetime(1850, 1, 1), datetime(2100, 1, 1)).filter(lambda date: date.day <= 28),
    unit=st.sampled_from([("days", 1), ("hours", 24), ("minutes", 1440), ("seconds", 86400)]),
    quarters=st.integers(0, 4 * 40_000),
)
def test_months_and_days_agree_with_cftime(calendar, reference, unit, quarters):
    cftime = pytest.importorskip("cftime")
    word, per_day = unit
    units_of_time = f"{word} since {reference:%Y-%m-%d %H:%M:%S}"
    number = quarters * per_day / 4
    date = cftime.num2date(number, units_of_time, calendar)
    stamp = np.array([number])
    assert timeaxis.months(stamp, units_of_time, calendar, "a file") == [date.year * 12 + date.month - 1]
    since = date.replace(hour=0, minute=0, second=0, microsecond=0) - cftime.datetime(1850, 1, 1, calendar=calendar)
    assert timeaxis.days_since(stamp, units_of_time, calendar, "a file", 1850) == [since.days]


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (np.arange(8) / 8, "3-hourly"),
        (np.arange(48) / 24, "hourly"),
        (np.arange(4.0), "daily"),
        (np.array([0.0, 1.0, 40.0, 90.0]), "daily"),
        (np.array([0.0, 31.0, 59.0]), "monthly"),
        (np.array([365.0, 0.0, 730.0]), "yearly"),
        (np.array([0.0, 5.0, 10.0]), "5-daily"),
        (np.array([7.0]), ""),
    ],
)
def test_steps_are_called_by_their_length(days, name):
    assert timeaxis.spacing(days) == name


@pytest.mark.parametrize(
    ("unit", "calendar", "message"),
    [
        ("fortnights since 2021-01-01", "standard", "time unit is 'fortnights"),
        ("day as %Y%m%d", "standard", "expected such as 'days since 2021-01-01'"),
        ("days since 2021-01-01", "martian", "calendar 'martian' is not one of"),
        ("days since 1-1-1", "standard", "ambiguous"),
    ],
)
def test_a_time_axis_nobody_can_decode_is_refused(unit, calendar, message):
    with pytest.raises(SchemaError, match=message):
        timeaxis.months(np.array([1.0]), unit, calendar, "a file")


@pytest.mark.parametrize(
    ("name", "unit", "found", "stored"),
    [
        ("ta", "K", 283.15, 10.0),
        ("ta", "degrees_Celsius", 10.0, 10.0),
        ("rn", "kg m-2 s-1", 1 / 86_400, 31.0),
        ("rn", "mm d**-1", 2.0, 62.0),
        ("rn", "mm", 62.0, 62.0),
        ("rhm", "1", 0.5, 50.0),
        ("rhm", "percent", 50.0, 50.0),
        ("cdd", "days", 30.0, 30.0),
        ("cdd", "timedelta64[ns]", 86_400e9 * 30, 30.0),
        ("rx1day", "mm/day", 80.0, 80.0),
        ("sdii", "mm d-1", 15.0, 15.0),
    ],
)
def test_units_are_converted_by_their_attribute(name, unit, found, stored):
    conversion = units.conversion(VARIABLES[name], unit, None, "a file")
    assert found * conversion.factors(np.array([31.0]))[0] + conversion.offset == pytest.approx(stored, rel=1e-5)


def test_a_missing_unit_is_said_and_an_unknown_one_refused():
    assert units.conversion(VARIABLES["ta"], "", None, "a file").note == "no unit attribute, taken as degC"
    assert units.conversion(VARIABLES["spei12"], "", None, "a file").note == ""
    with pytest.raises(SchemaError, match="a file: unit 'kg' is not known for rn, stored in mm/month"):
        units.conversion(VARIABLES["rn"], "kg", None, "a file")


def test_extraterrestrial_radiation_is_that_of_the_reference():
    # FAO-56, Annex 2, table 2.6, northern hemisphere, 36 degrees, January to December
    table = [17.5, 22.6, 29.0, 35.7, 40.0, 41.7, 40.8, 37.4, 31.5, 24.6, 18.6, 16.1]
    np.testing.assert_allclose(units.extraterrestrial_radiation(36.0), table, atol=0.7)


def test_radiation_that_fits_no_unit_is_refused():
    limits, days = load_ranges()["si_clearness"], np.full(12, 30.4)
    with pytest.raises(SchemaError, match=r"cannot be told: .* 1\.69 as MJ/m2/day.*; give --unit si=UNIT"):
        units.solar_conversion("J/m2", None, np.full(12, 50.0), 36.0, days, limits, "a file")


def test_packed_values_are_unpacked_and_fills_are_missing():
    packed = xr.Variable(
        "x", np.array([-32768, 100, -999], np.int16), {"scale_factor": 0.1, "add_offset": 5.0, "_FillValue": -32768}
    )
    np.testing.assert_allclose(packing.values(packed, (slice(None),), "x"), [np.nan, 15.0, -94.9], rtol=1e-6)
    raw = xr.Variable("x", np.array([-9990, -999, 9.97e36, 1e20, 7, -5], np.float32), {"missing_value": np.float32(-5)})
    np.testing.assert_array_equal(packing.values(raw, (slice(None),), "x"), np.float32([np.nan] * 4 + [7, np.nan]))


def packed(values, kind=np.float32, **attributes):
    return packing.values(xr.Variable("x", np.array(values, kind), attributes), (slice(None),), "a file: x").tolist()


def test_a_fill_may_be_of_any_float_type():
    single, double = np.float32(-99.99), np.float64(-99.99)
    assert packed([-99.99, 1], missing_value=double) == [pytest.approx(np.nan, nan_ok=True), 1]
    assert packed([-99.99, 1], np.float64, missing_value=single) == [pytest.approx(np.nan, nan_ok=True), 1]
    assert packed([-99.99, 3, 1], missing_value="3, -99.99f") == [pytest.approx(np.nan, nan_ok=True)] * 2 + [1]
    assert packed([-99, 1], np.int16, _FillValue=np.int16(-99), missing_value=np.nan)[1] == 1
    # no stored integer can be this, so it speaks of the unpacked values
    assert np.isnan(packed([-3, 1], np.int16, scale_factor=0.5, missing_value=-1.5)).tolist() == [True, False]


def test_valid_limits_of_packed_data_are_stored_values_unless_their_type_is_wider():
    scale = {"scale_factor": 0.5, "add_offset": 10.0}
    assert np.isnan(packed([-1, 0, 9, 10], np.int16, valid_range=np.int16([0, 9]), **scale)).tolist() == [1, 0, 0, 1]
    assert np.isnan(packed([-1, 0, 9, 10], np.int16, valid_range=[10.0, 14.5], **scale)).tolist() == [1, 0, 0, 1]
    assert np.isnan(packed([-91, -90, 1000, 1001], valid_min=-90.0, valid_max=np.int32(1000))).tolist() == [1, 0, 0, 1]


def test_bytes_without_a_sign_keep_fill_and_limits():
    stored = {"_Unsigned": "true", "scale_factor": 0.5, "_FillValue": np.int8(-1)}
    assert packed([0, 127, -128, -2], np.int8, **stored) == [0, 63.5, 64, 127]
    assert np.isnan(packed([-1, -5], np.int8, **stored)).tolist() == [True, False]
    assert np.isnan(packed([100, -56, -55], np.int8, valid_max=np.int8(-56), **stored)).tolist() == [0, 0, 1]
    assert packed([65535, 1], np.uint16, _Unsigned="false") == [-1, 1]
    # without a scale the limits are stored with the other sign, too, unless their type is wider
    unscaled = {"_Unsigned": "true", "valid_range": np.int8([0, -6])}
    assert np.isnan(packed([0, 100, -56, -6, -5], np.int8, **unscaled)).tolist() == [0, 0, 0, 0, 1]
    assert np.isnan(packed([100, -6, -5], np.int8, _Unsigned="true", valid_max=250.0)).tolist() == [0, 0, 1]
    assert np.isnan(packed([65535, 1, 9], np.uint16, _Unsigned="false", valid_min=np.uint16(65535), valid_max=5)
                    ).tolist() == [0, 0, 1]  # fmt: skip


@pytest.mark.parametrize(("per", "times"), [(1.0, ""), (30.4, "per day")])
def test_joules_of_radiation_are_those_of_the_day_or_of_the_month_that_the_sun_allows(per, times):
    limits, days = load_ranges()["si_clearness"], np.full(12, 30.4)
    found = units.solar_conversion("J m-2", None, np.full(12, 15e6 * per), 36.0, days, limits, "a file")
    assert (found.factor, found.times) == (1e-6, times)


def test_durations_in_short_units_are_not_taken_as_missing():
    seconds = xr.Variable("x", np.array([20, 3]) * 86_400)
    ceiling = units.ceiling(VARIABLES["wsdi"], "seconds", None)
    assert packing.values(seconds, (slice(None),), "x", ceiling).tolist() == [1_728_000, 259_200]


#: unit -> stored value of 1; as derive computes in it
SPELLINGS = {
    "mm/day": {
        86_400.0: "kg m-2 s-1|kg m**-2 s**-1|kg m^-2 s^-1|kg/(m^2 s)|kg.m-2.s-1|kgm-2s-1|kg m⁻² s⁻¹|mm s-1|l m-2 s-1",
        1.0: "mm/day|mm day-1|mm day^-1|mm.day-1|mm d**-1|MM/DAY|kg m-2 d-1|kg m-2|mm",
        24.0: "mm h-1|mm/hr|mm hour-1|kg m-2 h-1",
        25.4: "inches|in|inch/day|in d-1",
        1000.0: "m|m of water equivalent|m day-1",
        10.0: "cm|cm/day",
    },
    "degC": {
        1.0: "degC|C|celsius|Celsius|degrees C|degree C|deg C|deg_C|degree_Celsius|degrees_celsius|degreeC|°C|℃",
        -272.15: "K|k|kelvin|Kelvin|degK|degrees Kelvin",
        -155 / 9: "degF|F|degree_Fahrenheit|degrees F|°F",
    },
    "m/s": {
        1.0: "m/s|m s-1|m s**-1|ms-1|m/sec",
        1 / 3.6: "km/h|km h-1|kph|kmph|kmh|KMPH",
        1852 / 3600: "knots|kt|knot",
        0.44704: "mph",
    },
    "%": {1.0: "%|percent|pct", 100.0: "1|fraction|"},
    "MJ/m2/day": {1.0: "MJ/m2/day|MJ m-2 d-1|MJ m-2", 0.0864: "W m-2|W/m2|W m**-2|W/m²", 1e-6: "J m-2|J m**-2 day-1"},
}


@pytest.mark.parametrize("stored", SPELLINGS)
def test_units_of_daily_data_are_read_in_the_spellings_of_udunits(stored):
    for value, spellings in SPELLINGS[stored].items():
        for unit in spellings.split("|"):
            found = units.daily_conversion("x", stored, unit, None, "a file")
            assert found.factor + found.offset == pytest.approx(value, rel=1e-12), unit


@pytest.mark.parametrize(
    ("stored", "unit"),
    [
        ("mm/day", "mm/month"), ("mm/day", "mm/year"), ("mm/day", "kg"), ("degC", "m"), ("%", "degree"), ("%", "rad"),
        ("MJ/m2/day", "MJ/m2/month"), ("mm/day", "0 mm"), ("mm/day", "9**9**9**9"), ("mm/day", "mm/"), ("m/s", "(m"),
        ("mm/day", "__import__('os')"), ("mm/day", "furlong"),
        ("m/s", "kknots"), ("m/s", "mmph"), ("degC", "kK"), ("mm/day", "mm/kday"),
        ("mm/day", "knots"), ("degC", "degrees_north"), ("mm/day", "day as %Y%m%d"),
    ],
)  # fmt: skip
def test_what_is_no_such_unit_is_refused(stored, unit):
    with pytest.raises(SchemaError, match=r"a file: unit .* of x is not known; it is computed in"):
        units.daily_conversion("x", stored, unit, None, "a file")


def test_units_that_mean_several_things_are_not_guessed():
    with pytest.raises(SchemaError, match="a file: pr has no unit; --unit pr=UNIT states it"):
        units.daily_conversion("pr", "mm/day", None, None, "a file")
    for name, unit in (("rn", "m"), ("rx5day", "mm h-1"), ("tx90p", "%"), ("spei12", "%"), ("cdd", "days/year")):
        with pytest.raises(SchemaError, match=f"a file: unit '{unit}' is not known for {name}"):
            units.conversion(VARIABLES[name], unit, None, "a file")


def test_numerics_and_dates_in_memory_are_what_the_server_reads(warehouse):
    types = {"a": "numeric6", "b": "date", "c": "int8", "d": "bool", "e": "float8"}
    values = np.array([33.16, -0.5, 0.0, 9999.999999, 124.500001])
    rows = copy_binary.empty_rows(types, len(values))
    copy_binary.set_numeric6(rows, "a", values)
    rows["b"] = copy_binary.pg_days(
        np.array(["1907-10-01", "2000-01-01", "2021-01-01", "2100-12-01", "1999-12-31"], "M8[D]")
    )
    rows["c"], rows["d"], rows["e"] = 2**40, [0, 1, 0, 1, 0], values
    with psycopg.connect(warehouse) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a numeric(10,6), b date, c bigint, d boolean, e float8)")
        written, _ = copy_binary.copy_rows(cursor, "t", list(types), [rows[:2], rows[2:]])
        found = cursor.execute("SELECT a::text, b::text, c, d, e FROM t").fetchall()
    assert written == 5
    assert [row[0] for row in found] == ["33.160000", "-0.500000", "0.000000", "9999.999999", "124.500001"]
    assert [row[1] for row in found] == ["1907-10-01", "2000-01-01", "2021-01-01", "2100-12-01", "1999-12-31"]
    assert [row[2:] for row in found] == [
        (2**40, flag, value) for flag, value in zip(rows["d"] > 0, values, strict=True)
    ]


def test_an_axis_says_what_is_missing_repeated_and_foreign():
    axis = Years(2021, 2022)
    good = np.arange(2021 * 12, 2023 * 12)
    timeaxis.check_axis(good, axis, True, "a file")
    for found, message in (
        (good[:-1], r"1 missing \(2022-12 first\)"),
        (np.r_[good[:5], good[4:]], r"1 repeated \(2021-05 first\)"),
        (good + 12, r"12 missing \(2021-01 first\), 12 outside \(2023-01 first\)"),
        (good[::-1], "not in order"),
    ):
        with pytest.raises(SchemaError, match=message):
            timeaxis.check_axis(found, axis, True, "a file")


def test_cells_come_out_whole_and_ascending_from_any_layout(tmp_path):
    ta, expected = VARIABLES["ta"], provider.values("ta", Scenario.SSP126)
    provider.write(tmp_path, ["ta"], scenarios=[Scenario.SSP126])
    path = provider.path_of(tmp_path, "ta", Scenario.SSP126)
    for change in (
        lambda data: data,
        lambda data: data.isel(latitude=slice(None, None, -1)),
        lambda data: data.assign_coords(longitude=data["longitude"] - 360),
        lambda data: data.isel(longitude=[3, 0, 1, 2, 7, 6, 5, 4]),
    ):
        provider.rewrite(path, change)
        with lattice_files.field(path, ta, provider.GRID) as source:
            cells, values = lattice_files.read_cells(source, provider.GRID, None)
        np.testing.assert_array_equal(cells, np.flatnonzero(provider.land()))
        np.testing.assert_array_equal(values, expected.reshape(960, -1)[:, cells].T)
