"""Sea level of other sources: an ocean model's `zos`, the AR6 tool, tide gauges."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest
import xarray as xr

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.scenario import Scenario
from engine.io.etl import layout, run_loaders
from engine.io.etl.loaders import sea_level_files, sea_level_gauges
from engine.io.etl.loading import LoadOptions

#: around Lisbon
GRID = GridDefinition(38.0, -10.0, 6, 6, 0.25, 2015, 2060)
YEARS = (2020, 2030, 2040, 2050, 2060)


def ar6(path, *, at=((38.7, -9.1), (-33.0, 151.0)), steps=YEARS, quantiles=(0.05, 0.5, 0.95)):
    """The tool's file: mm as packed integers; the median rises by 5 mm a year at the first place, 9 at the second."""
    rise = np.array([[5.0 * (year - 2005), 9.0 * (year - 2005)][: len(at)] for year in steps])
    change = np.stack([rise * (0.5 + quantile) for quantile in quantiles]).astype(np.int16)
    xr.Dataset(
        {
            "sea_level_change": (("quantiles", "years", "locations"), change, {"units": "mm"}),
            "lat": ("locations", np.array([place[0] for place in at], np.float32)),
            "lon": ("locations", np.array([place[1] for place in at], np.float32)),
        },
        {"quantiles": np.array(quantiles), "years": np.array(steps), "locations": np.arange(len(at))},
    ).to_netcdf(path, engine="h5netcdf", encoding={"sea_level_change": {"_FillValue": np.int16(-32768)}})
    return path


def zos(path, *, curved=False, months=True, first=2015, years=46, rise=0.004, name="zos"):
    """Metres, 0-360 longitudes, land masked: each point has its own height and rises by `rise` a year."""
    north, east = np.arange(34.0, 45.0, 1.0), np.arange(346.0, 355.0, 1.0)
    times = np.arange(years * (12 if months else 1))
    since = times / 12 if months else times
    height = -1.4 + 0.01 * np.arange(len(north))[:, None] + 0.02 * np.arange(len(east))
    values = height + rise * np.floor(since)[:, None, None]
    values[:, 4:, 6:] = np.nan
    days = np.array(
        [f"{first + t // 12}-{t % 12 + 1:02d}-15" if months else f"{first + t}-07-01" for t in times], "M8[ns]"
    )
    dims = ("time", "j", "i") if curved else ("time", "lat", "lon")
    data = xr.Dataset(
        {name: (dims, values, {"units": "m", "standard_name": "sea_surface_height_above_geoid"})}, {"time": days}
    )
    if curved:
        turned = np.meshgrid(north, east, indexing="ij")
        for key, degrees, unit in (("latitude", turned[0], "degrees_north"), ("longitude", turned[1], "degrees_east")):
            data[key] = (("j", "i"), degrees, {"units": unit, "standard_name": key})
    else:
        data = data.assign_coords(
            lat=("lat", north, {"units": "degrees_north"}), lon=("lon", east, {"units": "degrees_east"})
        )
    data.to_netcdf(path, engine="h5netcdf")
    return path


def expansion(path, *, first=2015, years=46):
    days = np.array([f"{first + t}-07-01" for t in range(years)], "M8[ns]")
    xr.Dataset({"zostoga": ("time", 0.003 * np.arange(years), {"units": "m"})}, {"time": days}).to_netcdf(
        path, engine="h5netcdf"
    )


def test_the_median_of_the_ar6_tool_lies_on_the_lines_between_its_steps(tmp_path):
    read = sea_level_files.read_sea_level(ar6(tmp_path / "total_ssp245_medium_confidence_values.nc"), None, GRID)
    assert (read.latitude.tolist(), read.longitude.round(1).tolist()) == (
        [[pytest.approx(38.7)]],
        [[-9.1]],
    )  # Sydney is far
    assert (read.years[0], read.years[-1]) == (2015, 2060)
    # 5 mm a year from zero in 2005, in whole cm a step
    np.testing.assert_allclose(read.values[:, 0, 0], 0.5 * (read.years - 2005), atol=1e-5)
    assert "zero in 2005" in read.note


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"quantiles": (0.05, 0.95)}, "median 0 times"),
        ({"steps": (2020, 2100)}, "expected decades after 2005"),
        (
            {"at": ((-33.0, 151.0),)},
            r"none of its points lies within 3 degrees of the lattice \(38..39.25 N, -10..-8.75 E\)",
        ),
    ],
)
def test_a_file_of_the_tool_that_cannot_serve_is_refused_in_a_sentence(tmp_path, changed, said):
    with pytest.raises(SchemaError, match=said):
        sea_level_files.read_sea_level(ar6(tmp_path / "total_ssp245_values.nc", **changed), None, GRID)


@pytest.mark.parametrize("curved", [False, True])
@pytest.mark.parametrize("months", [False, True])
def test_zos_gives_annual_means_around_the_lattice_above_its_own_first_years(tmp_path, curved, months):
    read = sea_level_files.read_sea_level(zos(tmp_path / "zos.nc", curved=curved, months=months), None, GRID)
    assert (read.latitude.min(), read.latitude.max()) == (35, 42)  # 3 degrees around 38..39.25
    assert (read.longitude.min(), read.longitude.max()) == (-13, -6)
    assert read.years.tolist() == list(range(2015, 2061))
    rise = 0.4 * (np.arange(46) - 9.5)
    np.testing.assert_allclose(read.values[:, 0, 0], rise, atol=1e-4)
    assert np.isnan(read.values[0, -1, -1])
    assert "without the expansion" in read.note


def test_the_expansion_of_the_ocean_is_added_and_a_year_that_it_lacks_is_refused(tmp_path):
    own = zos(tmp_path / "zos_Omon_X_ssp245_r1i1p1f1_gn.nc", months=False)
    expansion(tmp_path / "zostoga_Omon_X_ssp245_r1i1p1f1_gm.nc")
    read = sea_level_files.read_sea_level(own, None, GRID, tmp_path / "zostoga_Omon_X_ssp245_r1i1p1f1_gm.nc")
    np.testing.assert_allclose(np.diff(read.values[:, 0, 0]), 0.7, atol=1e-4)
    expansion(tmp_path / "short.nc", years=40)
    with pytest.raises(SchemaError, match=r"short\.nc: it lacks 6 of the years of zos, the first is 2055"):
        sea_level_files.read_sea_level(own, None, GRID, tmp_path / "short.nc")


def gauges(folder, *, series=None, listed="  52;  38.70;  350.58; CASCAIS ; 210; 021; N\n"):
    folder.mkdir(parents=True, exist_ok=True)
    lines = series or [f" {year};  {7000 + 3 * (year - 1990)};N;000" for year in range(1990, 2020)]
    (folder / "52.rlrdata").write_text("\n".join(lines) + "\n")
    (folder / "filelist.txt").write_text(listed)
    return sea_level_gauges.files(folder)


def test_a_tide_gauge_counts_from_its_own_mean_and_what_is_missing_or_flagged_is_none(tmp_path):
    lines = [f" {year};  {7000 + 3 * (year - 1990)};N;000" for year in range(1990, 2020)]
    lines[3], lines[5] = " 1993;-99999;N;000", " 1995;  9000;N;001"
    read = sea_level_gauges.read(gauges(tmp_path, series=lines))
    assert (read.latitude[0, 0], read.longitude[0, 0]) == (38.70, pytest.approx(-9.42))
    assert read.years.tolist() == list(range(1990, 2020))
    assert np.flatnonzero(np.isnan(read.values[:, 0, 0])).tolist() == [3, 5]
    assert read.values[29, 0, 0] - read.values[0, 0, 0] == pytest.approx(8.7, abs=1e-4)
    assert abs(np.nanmean(read.values)) < 1e-4
    assert read.note == "1 value with a flag left out"


def test_months_make_a_year_where_eleven_are_there(tmp_path):
    months = [
        f" {year + (month + 0.5) / 12:.4f};  {7000 + 12 * year - 12 * 2000};N;000"
        for year in (2000, 2001)
        for month in range(12)
    ]
    read = sea_level_gauges.read(gauges(tmp_path, series=[*months[:11], *months[12:22]]))
    assert read.years.tolist() == [2000]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"listed": " 53; 38.7; 350.6; ELSEWHERE\n"}, "52.rlrdata: no list of stations .* says where station 52 is"),
        ({"series": [" 1990; high;N;000"]}, "52.rlrdata, line 1: .* is no `year; mm; N; flag`"),
        ({"series": [" 1990; 7000"]}, "line 1: ' 1990; 7000' has 2 fields, expected 4"),
        ({"series": [" 1990;-99999;N;000"]}, "no station has a year with a value"),
        ({"series": [" 1990; 99999;N;000"]}, "99999 mm in 1990 is no sea level"),
    ],
)
def test_a_broken_table_of_a_gauge_is_refused_with_its_line(tmp_path, changed, said):
    with pytest.raises(SchemaError, match=said):
        sea_level_gauges.read(gauges(tmp_path, **changed))


def load(url, root):
    return run_loaders(url, ("grid", "sea_level"), LoadOptions(data=root), lambda what, done=0, total=0: None)


def test_four_files_of_the_tool_and_one_folder_of_gauges_reach_the_warehouse(warehouse, tmp_path):
    for scenario in Scenario:
        ar6(tmp_path / f"total_{scenario.provider_code.lower()}_medium_confidence_values.nc")
    layout.write_grid(tmp_path / "grid.toml", GRID)
    assert {report.status for report in load(warehouse, tmp_path)} == {"published"}
    with psycopg.connect(warehouse) as connection:
        rows = connection.execute("SELECT year, ssp2, ssp5 FROM sea_level_data WHERE year IN (2015, 2060)").fetchall()
        assert rows == [
            (2015, pytest.approx(5.0), pytest.approx(5.0)),
            (2060, pytest.approx(27.5), pytest.approx(27.5)),
        ]
        assert connection.execute("SELECT DISTINCT slr_grid_id FROM location_grid").fetchall() == [(1,)]
    for path in tmp_path.glob("total_*"):
        path.unlink()
    gauges(tmp_path / "psmsl")
    assert {report.status for report in load(warehouse, tmp_path)} == {"published", "up to date"}
    with psycopg.connect(warehouse) as connection:
        found = connection.execute(
            "SELECT count(*), min(year), max(year), count(nullif(ssp1, 'NaN')) FROM sea_level_data"
        )
        assert found.fetchone() == (30, 1990, 2019, 0)
        assert connection.execute(
            "SELECT scope FROM etl_load WHERE status = 'published' AND loader = 'sea_level'"
        ).fetchone() == ("observed",)


def test_a_folder_without_sea_level_names_all_that_would_serve(warehouse, tmp_path):
    layout.write_grid(tmp_path / "grid.toml", GRID)
    (report,) = (each for each in load(warehouse, tmp_path) if each.loader == "sea_level")
    assert report.status == "failed"  # it was asked for by its name
    assert "zos_*_ssp245_*.nc, total_ssp245_*_values.nc (AR6) or *.rlrdata (PSMSL)" in report.message
