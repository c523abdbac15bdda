"""The observed sample against the published normals and records of Seoul."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine import kernels
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.kernels.indices import STANDARD, DayAxis
from engine.kernels.sunshine import global_radiation, sun
from engine.sample import seoul

YEARS = np.arange(seoul.AXIS.first, seoul.AXIS.last + 1)
NORMAL = (YEARS >= 1981) & (YEARS <= 2010)
#: the 30-year normals 1981-2010 of the Korea Meteorological Administration, degC
MONTHLY_NORMALS = [-2.4, 0.4, 5.7, 12.5, 17.8, 22.2, 24.9, 25.7, 21.2, 14.8, 7.2, 0.4]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("seoul")
    seoul.build(out)
    return out


def read(built: Path, name: str) -> np.ndarray:
    """(years,) or (years, 12)."""
    path = layout.gridded_path(built, VARIABLES[name], seoul.SCENARIO, seoul.AXIS)
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as data:
        assert data.attrs["scope"] == "observed"
        series = data[VARIABLES[name].element].to_numpy().ravel()
    return series.reshape(-1, 12) if VARIABLES[name].monthly else series


def test_temperature_and_rain_are_the_published_normals(built: Path) -> None:
    np.testing.assert_array_equal(read(built, "ta")[NORMAL].mean(axis=0).round(1), np.float32(MONTHLY_NORMALS))
    assert read(built, "ta_yearly")[NORMAL].mean() == pytest.approx(12.57, abs=0.005)
    assert read(built, "rn")[NORMAL].sum(axis=1).mean() == pytest.approx(1450.5, abs=0.05)


def test_the_hot_summer_of_1994_and_the_rain_of_1920_are_found(built: Path) -> None:
    assert read(built, "hw33")[YEARS == 1994] == 29
    wettest = read(built, "rx1day")
    assert YEARS[np.nanargmax(wettest)] == 1920
    assert np.nanmax(wettest) == pytest.approx(354.7)
    axis, days = seoul.read_days()
    position = int((np.datetime64("1920-08-02") - np.datetime64("1907-01-01")).astype(int))
    assert int(np.nanargmax(days["pr"])) == position
    assert axis.n == len(days["pr"][0])


@pytest.mark.parametrize(
    ("name", "years"),
    [
        ("ta_yearly", [1907, 1950, 1951, 1952, 1953]),
        ("rx5day", [1907, 1950, 1951, 1952, 1953]),
        ("wsdi", [1907, 1950, 1951, 1952, 1953]),  # one day of 1967 is missing: that is allowed
        ("tnn", [1907, 1950, 1951, 1952, 1953]),
    ],
)
def test_years_are_missing_only_where_the_record_is(built: Path, name: str, years: list[int]) -> None:
    assert YEARS[np.isnan(read(built, name))].tolist() == years


def test_months_are_missing_only_where_the_record_is(built: Path) -> None:
    absent = {name: int(np.isnan(read(built, name)).sum()) for name in ("ta", "rn", "ws", "rhm", "si", "spei12")}
    # nine months of 1907, four years of war; sunshine also lacks parts of four months
    assert absent == {"ta": 57, "rn": 57, "ws": 57, "rhm": 57, "si": 61, "spei12": 105}
    assert np.isnan(read(built, "spei12")[:2, :]).sum() == 12 + 8  # the first sum ends in September 1908


def test_every_index_is_physical_and_the_base_years_are_centred(built: Path) -> None:
    spei12 = read(built, "spei12")[NORMAL]
    assert abs(spei12.mean()) < 0.05
    assert spei12.std() == pytest.approx(1, abs=0.05)
    assert 30 < read(built, "tx90p")[NORMAL].mean() < 40
    wet = ~np.isnan(read(built, "rx1day"))
    rx1day, rx5day = read(built, "rx1day")[wet], read(built, "rx5day")[wet]
    assert ((rx1day <= rx5day) & (rx5day <= 5 * rx1day)).all()
    # the city's nights have warmed (its warm spells have not: 1939 had 55 such days)
    for cold in ("csdi", "tn10p", "fd0"):
        assert np.nanmean(read(built, cold)[-20:]) < np.nanmean(read(built, cold)[:40])


def test_radiation_follows_the_worked_examples_of_fao_56() -> None:
    top, _ = sun(np.array([246]), -20.0)  # example 8: 3 September at 20 S
    assert top[0] == pytest.approx(32.2, abs=0.05)
    _, hours = sun(np.array([246]), -20.0)  # example 9
    assert hours[0] == pytest.approx(11.7, abs=0.05)
    axis = DayAxis.of(Years(2001, 2001), STANDARD)
    sunshine = np.full((1, axis.n), 7.1, np.float32)
    may = global_radiation(sunshine, axis.day_of_year, -22.9)[0, 134]  # example 10: Rio de Janeiro, May
    assert may == pytest.approx(14.5, abs=0.1)


def test_incheon_rises_and_its_gaps_stay_gaps(built: Path) -> None:
    path = layout.sea_level_path(built, seoul.SCENARIO, 1960, 2019)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        level = data[layout.SEA_LEVEL_NAME].to_numpy().ravel()
        years = data["time"].dt.year.to_numpy()
        assert data["latitude"].to_numpy().tolist() == [[37.451944]]
        assert data["longitude"].to_numpy().tolist() == [[126.592222]]
    assert years[np.isnan(level)].tolist() == [1961, 1962, 1973, 1974, 1991, 1995, 1997, 1999, 2009]
    assert level[years == 2019] == pytest.approx(4.2)
    assert np.nanmean(level[-20:]) > np.nanmean(level[:20])


def test_the_folder_holds_what_the_loaders_look_for_and_no_water(built: Path) -> None:
    lattice = GridDefinition(**tomllib.loads((built / "grid.toml").read_text(encoding="utf-8")))
    assert lattice == seoul.SEOUL_GRID
    assert lattice.locate(seoul.LATITUDE, 126.9658) == 1
    assert [*(built / "map").glob("coastline*.geojson")]
    assert [*(built / "typhoon").glob("jma_bst*.txt")]
    assert not (built / "water").exists()
    assert {path.name for path in built.iterdir() if path.name.startswith("SSP")} == {"SSP245"}


def test_months_without_radiation_in_two_wet_summers_are_no_water_stress(built: Path) -> None:
    """July and August of 1965, July and September of 1966 lack sunshine; scaled by 12/10 those years had no water.

    Figures of an independent computation: mean index 0.671, AAL 0.0783 where half of the mean runoff is withdrawn.
    """
    ta, rhm, ws, si, rn = (read(built, name)[None] for name in ("ta", "rhm", "ws", "si", "rn"))
    months = np.tile(np.arange(1, 13), len(YEARS))
    flat = [each.reshape(1, -1) for each in (ta, rhm, ws, si)]
    evaporation = kernels.reference_evapotranspiration(*flat, [seoul.LATITUDE], months, elevation=86.0)
    left = kernels.annual_surplus(rn, evaporation.reshape(rn.shape))
    index = 0.5 / np.clip(left / np.nanmean(left[:, YEARS >= 1991]), 0.1, 3.0)
    assert index[0, YEARS == 1965] == pytest.approx(0.48, abs=0.02)
    assert index[0, YEARS == 1966] == pytest.approx(0.29, abs=0.01)
    recent = index[:, YEARS >= 1961]
    assert recent.mean() == pytest.approx(0.671, abs=0.001)
    rates = [0.01, 0.03, 0.06, 0.08, 0.15]
    aal = kernels.bin_probabilities(recent, [0.2, 0.4, 0.6, 0.8], lower=0.0, damage_rates=rates).aal
    assert aal == pytest.approx(0.0783, abs=0.0001)
