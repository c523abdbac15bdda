"""Time axes, units and cells of NetCDF files."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import SchemaError
from engine.io import copy_binary
from engine.io.etl import netcdf, packing, timeaxis, units
from engine.period import Years
from engine.quality import load_ranges
from engine.scenario import Scenario
from engine.variables import VARIABLES
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
        with netcdf.field(path, ta, provider.GRID) as source:
            cells, values = netcdf.read_cells(source, provider.GRID, None)
        np.testing.assert_array_equal(cells, np.flatnonzero(provider.land()))
        np.testing.assert_array_equal(values, expected.reshape(960, -1)[:, cells].T)
