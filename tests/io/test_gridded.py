"""Monthly, yearly and optional climate variables, loaded into a real server from generated files."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from engine.core.errors import SettingsError
from engine.core.scenario import Scenario
from engine.io.db import copy_binary
from engine.io.etl import run_loaders, staging
from engine.io.etl.load_record import LoadReport
from engine.io.etl.loading import LoadOptions
from tests.io import provider
from tests.io.provider import GRID, MONTHLY, YEARLY

ONE = Scenario.SSP126


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    pass


def load(url: str, root: Path, *names: str, **options: Any) -> dict[str, LoadReport]:
    chosen = names or ("grid", "monthly_grid", "yearly_grid", "optional_grid")
    found = run_loaders(url, chosen, LoadOptions(data=root, workers=2, **options), quiet)
    return {report.table or report.loader: report for report in found}


def stored(url: str, name: str, column: str = "ssp1") -> dict[int, np.ndarray]:
    """grid_id -> series in the order of time."""
    variable = provider.variable(name)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            f"SELECT grid_id, array_agg({column} ORDER BY {variable.time_column}) FROM {variable.table} GROUP BY 1"
        ).fetchall()
    return {cell: np.asarray(series, np.float32) for cell, series in rows}


def check_against_file(url: str, name: str, tolerance: float = 0.0) -> None:
    for scenario in Scenario:
        expected = provider.values(name, scenario)
        found = stored(url, name, scenario.column)
        assert set(found) == set(np.flatnonzero(provider.land()) + 1)
        for cell, series in found.items():
            row, column = divmod(cell - 1, GRID.n_lon)
            np.testing.assert_allclose(series, expected[:, row, column], rtol=tolerance, atol=tolerance)


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def names_of(url: str, pattern: str) -> list[str]:
    return [name for (name,) in ask(url, f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '{pattern}'")]


def test_every_value_of_fourteen_tables_is_the_files_own(warehouse, tmp_path):
    provider.write(tmp_path, (*MONTHLY, *YEARLY, "tamax"), scope="synthetic")
    reports = load(warehouse, tmp_path)
    failed = [report for report in reports.values() if report.status == "failed"]
    assert not failed
    assert reports["ta_data"].rows == provider.land().sum() * 960
    assert reports["hw33_data"].status == "absent"
    for name in ("ta", "spei12", "cdd", "tamax"):
        check_against_file(warehouse, name)
    (active,) = ask(warehouse, "SELECT array_agg(grid_id ORDER BY grid_id) FROM location_grid WHERE has_climate")
    np.testing.assert_array_equal(active[0], np.flatnonzero(provider.land()) + 1)
    assert ask(warehouse, "SELECT DISTINCT scope FROM etl_load WHERE loader LIKE '%y_grid'") == [("synthetic",)]
    assert names_of(warehouse, "_(new|old|rejected)$") == []


def test_the_record_of_a_load_holds_what_a_later_check_compares(warehouse, tmp_path):
    provider.write(tmp_path, ("wsdi",))
    load(warehouse, tmp_path)
    ((report, unit, method, rows),) = ask(
        warehouse,
        "SELECT gate_report, stored_unit, fill_value, n_rows FROM etl_load WHERE table_name = 'wsdi_data'",
    )
    assert (unit, method, rows) == ("days", -9990, provider.land().sum() * 80)
    values = provider.values("wsdi", ONE)
    assert report["columns"]["ssp1"]["max"] == np.nanmax(values)
    assert report["columns"]["ssp1"]["sum"] == pytest.approx(np.nansum(values, dtype=float))
    with psycopg.connect(warehouse) as connection, connection.cursor() as cursor:
        for band, digest in report["bands"].items():
            assert copy_binary.digest(cursor, f"wsdi_data_{band}") == digest


def test_the_same_load_twice_is_up_to_date_and_a_changed_file_is_not(warehouse, tmp_path):
    provider.write(tmp_path, ("wsdi", "csdi"))
    load(warehouse, tmp_path)
    files = "SELECT relname, relfilenode FROM pg_class WHERE relname ~ '^wsdi_data' ORDER BY relname"
    before = ask(warehouse, files)
    assert {load(warehouse, tmp_path)[table].status for table in ("wsdi_data", "csdi_data")} == {"up to date"}
    assert ask(warehouse, files) == before

    changed = provider.values("wsdi", ONE) + 1
    provider.write(tmp_path, ["wsdi"], scenarios=[ONE], given={("wsdi", ONE): changed})
    reports = load(warehouse, tmp_path)
    assert (reports["wsdi_data"].status, reports["csdi_data"].status) == ("published", "up to date")
    history = "SELECT status FROM etl_load WHERE table_name = 'wsdi_data' ORDER BY load_id"
    assert ask(warehouse, history) == [("replaced",), ("published",)]
    assert load(warehouse, tmp_path, force=True)["csdi_data"].status == "published"


def _tar(path: Path) -> None:
    inner = path.with_name("AR6_SSP126_5ENSMN_skorea_TA.nc")
    path.rename(inner)
    with tarfile.open(path, "w:gz") as archive:
        archive.add(inner, inner.name)
    inner.unlink()


def _classic(path: Path) -> None:
    provider.rewrite(path, lambda data: data, engine="scipy", format="NETCDF3_64BIT")


def _descending(path: Path) -> None:
    provider.rewrite(path, lambda data: data.isel(latitude=slice(None, None, -1)))


def _renamed(path: Path) -> None:
    """lat/lon, another order of dimensions, a fill that no attribute names."""

    def change(data):
        data = data.rename(latitude="lat", longitude="lon").transpose("lon", "time", "lat")
        del data["TA"].attrs["_FillValue"], data["TA"].attrs["missing_value"]
        return data

    provider.rewrite(path, change)


def _time_slices(path: Path) -> None:
    provider.rewrite(path, lambda data: data, encoding={"TA": {"chunksizes": (7, 8, 8)}})


def _kelvin(path: Path) -> None:
    def change(data):
        sea = data["TA"] == data["TA"].attrs["_FillValue"]
        attributes = dict(data["TA"].attrs, units="K")
        data["TA"] = data["TA"].where(sea, data["TA"] + np.float32(273.15)).assign_attrs(attributes)
        return data

    provider.rewrite(path, change)


def _mid_month_hours(path: Path) -> None:
    """Stamps in the middle of the month, counted in hours from another date."""

    def change(data):
        time = (data["time"].astype(float) + 15.5 + 365) * 24
        return data.assign_coords(time=time.assign_attrs(units="hours since 2020-01-02 00:00:00", calendar="standard"))

    provider.rewrite(path, change)


@pytest.mark.parametrize(
    "change", [_tar, _classic, _descending, _renamed, _time_slices, _kelvin, _mid_month_hours], ids=lambda f: f.__name__
)
def test_a_file_in_another_form_gives_the_same_values(warehouse, tmp_path, change: Callable[[Path], None]):
    provider.write(tmp_path, ["ta"])
    for scenario in Scenario:
        path = provider.path_of(tmp_path, "ta", scenario)
        change(path)
        assert path.exists()
    report = load(warehouse, tmp_path, "grid", "monthly_grid", variables=("ta",))["ta_data"]
    assert (report.status, report.message) == ("published", "")
    check_against_file(warehouse, "ta", 3e-5 if change is _kelvin else 0)


def test_a_calendar_of_360_days_gives_the_right_months(warehouse, tmp_path):
    provider.write(tmp_path, ["ta"])
    for scenario in Scenario:

        def change(data):
            time = data["time"].copy(data=np.arange(960) * 30 + 14)
            return data.assign_coords(time=time.assign_attrs(units="days since 2021-01-01", calendar="360_day"))

        provider.rewrite(provider.path_of(tmp_path, "ta", scenario), change)
    assert load(warehouse, tmp_path, "grid", "monthly_grid", variables=("ta",))["ta_data"].status == "published"
    check_against_file(warehouse, "ta")


def test_solar_radiation_in_three_units_is_stored_alike(warehouse, tmp_path):
    provider.write(tmp_path, ["si"])
    days = np.tile([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], 80).astype(np.float32)
    days[np.arange(80) * 12 + 1] += np.array([year % 4 == 0 and year != 2100 for year in range(2021, 2101)])
    forms = {
        Scenario.SSP245: ("W m-2", np.float32(1 / 0.0864)),
        Scenario.SSP370: ("", days[:, None, None]),  # monthly sums, and no attribute to say so
        Scenario.SSP585: ("MJ/m2/day", np.float32(1 / 0.0864)),  # an attribute that cannot be true
    }
    for scenario, (unit, factor) in forms.items():

        def change(data, unit=unit, factor=factor):
            sea = data["SI"] == data["SI"].attrs["_FillValue"]
            attributes = dict(data["SI"].attrs, units=unit)
            data["SI"] = data["SI"].where(sea, data["SI"] * factor).assign_attrs(attributes)
            return data

        provider.rewrite(provider.path_of(tmp_path, "si", scenario), change)
    report = load(warehouse, tmp_path, "grid", "monthly_grid", variables=("si",))["si_data"]
    assert report.status == "published"
    check_against_file(warehouse, "si", 3e-6)
    notes = [finding.message for finding in report.findings]
    assert any(note.startswith("no unit attribute, taken as MJ/m2/month") for note in notes)
    assert any(note.startswith("unit attribute 'MJ/m2/day', taken as W/m2") for note in notes)


UNITS = {
    "wsdi": {"days": 1, "hours": 24, "s": 86_400, "h": 24},
    "rhm": {"%": 1, "1": 0.01, "fraction": 0.01, "percent": 1},
}


@pytest.mark.parametrize("name", UNITS)
def test_a_file_in_another_unit_is_stored_in_the_unit_of_its_table(warehouse, tmp_path, name):
    share = 0.25 if name == "wsdi" else 1.0  # so that no spell lasts a million seconds
    given = {(name, scenario): provider.values(name, scenario) * np.float32(share) for scenario in Scenario}
    provider.write(tmp_path, [name], given=given)
    element = provider.variable(name).element
    for scenario, (unit, factor) in zip(Scenario, UNITS[name].items(), strict=True):

        def change(data, unit=unit, factor=factor):
            sea = data[element] == data[element].attrs["_FillValue"]
            attributes = dict(data[element].attrs, units=unit)
            data[element] = data[element].where(sea, data[element] * np.float32(factor)).assign_attrs(attributes)
            return data

        provider.rewrite(provider.path_of(tmp_path, name, scenario), change)
    report = load(warehouse, tmp_path, "grid", "monthly_grid", "yearly_grid", variables=(name,))[f"{name}_data"]
    assert report.status == "published", report.findings
    for scenario in Scenario:
        expected = given[name, scenario].reshape(len(given[name, scenario]), -1)
        for cell, series in stored(warehouse, name, scenario.column).items():
            np.testing.assert_allclose(series, expected[:, cell - 1], rtol=1e-5)


def _shorter(data):
    return data.isel(time=slice(0, 959))


def _repeated(data):
    time = data["time"].values.copy()
    time[300] = time[299]
    return data.assign_coords(time=data["time"].copy(data=time))


def _narrower(data):
    return data.isel(latitude=slice(0, 7))


def _shifted(data):
    return data.assign_coords(longitude=data["longitude"] + 0.1)


def _aridity(data):
    return data.rename(TA="AII")


def _unknown_unit(data):
    data["TA"].attrs["units"] = "furlong"
    return data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_shorter, r"959 time steps where grid_definition has 960, 2021-01 to 2100-12: 1 missing \(2100-12 first\)"),
        (_repeated, r"1 missing \(2046-01 first\), 1 repeated \(2045-12 first\)"),
        (_narrower, "7 latitudes where the lattice has 8"),
        (_shifted, "longitudes are up to 0.50 steps off the lattice"),
        (_aridity, "0 three-dimensional variables named TA, expected 1; it has AII"),
        (_unknown_unit, "unit 'furlong' is not known for ta, stored in degC"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_does_not_fit_stops_its_variable_only(warehouse, tmp_path, change, message):
    provider.write(tmp_path, ["ta", "ws"])
    provider.rewrite(provider.path_of(tmp_path, "ta", Scenario.SSP245), change)
    reports = load(warehouse, tmp_path, "grid", "monthly_grid", variables=("ta", "ws"))
    assert reports["ta_data"].status == "failed"
    assert "SSP245_TA" in reports["ta_data"].message
    assert re.search(message, reports["ta_data"].message), reports["ta_data"].message
    assert reports["ws_data"].status == "published"
    assert ask(warehouse, "SELECT status FROM etl_load WHERE table_name = 'ta_data'") == [("failed",)]
    assert ask(warehouse, "SELECT count(*) FROM ta_data") == [(0,)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"<html><body>quota used up</body></html>", "is an error page, not data: <html><body>quota"),
        (b"\x89HDF\r\n\x1a\n" + b"x" * 50, "is broken"),
        (b"CDF\x01\x00\x00", "is broken"),
        (b"\x1f\x8b\x08garbage", "is broken"),
    ],
)
def test_a_broken_file_is_named(warehouse, tmp_path, content, message):
    provider.write(tmp_path, ["wsdi"])
    provider.path_of(tmp_path, "wsdi", ONE).write_bytes(content)
    report = load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",))["wsdi_data"]
    assert report.status == "failed"
    assert "SSP126_WSDI" in report.message
    assert message in report.message


def test_every_missing_scenario_file_is_named(warehouse, tmp_path):
    provider.write(tmp_path, ["wsdi"], scenarios=[ONE, Scenario.SSP245])
    report = load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",))["wsdi_data"]
    assert report.status == "failed"
    assert "2 of 4 scenario files are missing: SSP370/yearly/SSP370_WSDI" in report.message
    assert "SSP585/yearly/SSP585_WSDI" in report.message


def test_a_cell_masked_in_one_scenario_is_in_the_report(warehouse, tmp_path):
    masked = provider.values("wsdi", Scenario.SSP370)
    masked[:, 3, 4] = np.nan
    provider.write(tmp_path, ["wsdi"], given={("wsdi", Scenario.SSP370): masked})
    report = load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",))["wsdi_data"]
    assert [finding.message for finding in report.findings] == ["1 of 52 cells has no value in ssp3 (grid_id 29)"]
    assert np.isnan(stored(warehouse, "wsdi", "ssp3")[29]).all()


def test_a_past_that_scenarios_share_is_not_compared_and_a_copy_beyond_it_is(warehouse, tmp_path):
    years = provider.GRID.axis.n * 12
    first, other = (provider.values("ta", scenario) for scenario in (ONE, Scenario.SSP245))
    other[: years // 2] = first[: years // 2]
    provider.write(tmp_path, ["ta"], given={("ta", Scenario.SSP245): other})
    report = load(warehouse, tmp_path, "grid", "monthly_grid", variables=("ta",))["ta_data"]
    assert report.status == "published"
    parted = first.copy()
    parted[years // 2] += 1  # for a month: beyond it they are the same again
    provider.write(tmp_path, ["ta"], given={("ta", Scenario.SSP245): parted})
    assert "scenarios equal" in str(load(warehouse, tmp_path, "monthly_grid", variables=("ta",))["ta_data"].message)


def test_a_scenario_copied_under_another_name_is_refused_and_the_data_kept_aside(warehouse, tmp_path):
    provider.write(tmp_path, ["wsdi"])
    load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",))
    before = stored(warehouse, "wsdi", "ssp2")
    shutil.copy(provider.path_of(tmp_path, "wsdi", ONE), provider.path_of(tmp_path, "wsdi", Scenario.SSP245))
    report = load(warehouse, tmp_path, "yearly_grid", variables=("wsdi",))["wsdi_data"]
    assert report.status == "failed"
    assert "scenarios equal: 100.0 % of the values of ssp1 and ssp2 are the same" in report.message
    np.testing.assert_equal(stored(warehouse, "wsdi", "ssp2"), before)
    assert "wsdi_data_p00_rejected" in names_of(warehouse, "rejected$")


def _gate_cases() -> dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], str]]:
    def upside_down(block):
        north = 0.8 * (GRID.latitudes - GRID.latitudes[0])[None, :, None]
        return (block + 3 * north).astype(np.float32)

    def gap(block):
        block[40, 3, 4] = np.nan
        return block

    return {
        "kelvin": ("ta", lambda block: block + np.float32(273.15), "looks like kelvin"),
        "share": ("rhm", lambda block: block / 100, "looks like a share"),
        "too hot": ("ta", lambda block: block + 30, "outside -25..40"),
        "dry": ("rn", lambda block: block / 20, "annual sum of ssp1 outside 200..6000"),
        "upside down": ("ta", upside_down, "temperature rises with latitude"),
        "gap": ("ws", gap, "1 of 52 cells has gaps in ssp1 (grid_id 29)"),
        "short spei": (
            "spei12",
            lambda block: np.where(np.arange(960)[:, None, None] < 12, np.nan, block),
            "have gaps",
        ),
    }


@pytest.mark.parametrize("case", list(_gate_cases()))
def test_the_gate_refuses(warehouse, tmp_path, case):
    name, change, message = _gate_cases()[case]
    given = {(name, scenario): change(provider.values(name, scenario)).astype(np.float32) for scenario in Scenario}
    provider.write(tmp_path, [name], given=given)
    report = load(warehouse, tmp_path, "grid", "monthly_grid", variables=(name,))[f"{name}_data"]
    assert report.status == "failed"
    assert any(message in finding.message and finding.severity == "E" for finding in report.findings), report.findings


def test_required_tables_must_hold_the_same_cells(warehouse, tmp_path):
    other = {("ws", scenario): provider.values("ws", scenario) for scenario in Scenario}
    for block in other.values():
        block[:, 0, 0] = np.nan
    provider.write(tmp_path, ["ta", "ws"], given=other)
    report = load(warehouse, tmp_path, "grid", "monthly_grid", variables=("ta", "ws"))["ws_data"]
    assert report.status == "failed"
    assert "differ from ta_data: 1 are missing (grid_id 1) and 0 are extra" in report.message


def test_five_day_rain_below_one_day_rain_is_refused(warehouse, tmp_path):
    swapped = {("rx5day", s): provider.values("rx1day", s) - 5 for s in Scenario}
    provider.write(tmp_path, ["rx1day", "rx5day"], given=swapped)
    report = load(warehouse, tmp_path, "grid", "yearly_grid", variables=("rx1day", "rx5day"))["rx5day_data"]
    assert "rx1day <= rx5day <= 5 * rx1day is broken in 16,640 of 16,640 values" in report.message


def test_ranges_are_data(warehouse, tmp_path):
    hot = {("ta", scenario): provider.values("ta", scenario) + 20 for scenario in Scenario}
    provider.write(tmp_path / "data", ["ta"], given=hot)
    ranges = tmp_path / "gate.toml"
    ranges.write_text("[ta]\nhard = [-10, 60]\nusual = [0, 60]\n")
    report = load(warehouse, tmp_path / "data", "grid", "monthly_grid", variables=("ta",), gate=ranges)["ta_data"]
    assert report.status == "published"


def test_a_sample_holds_the_same_evenly_spaced_cells_in_every_table(warehouse, tmp_path):
    provider.write(tmp_path, ["ta", "ws", "wsdi"])
    reports = load(warehouse, tmp_path, sample_limit=10)
    assert (reports["ta_data"].rows, reports["wsdi_data"].rows) == (9600, 800)
    cells = set(stored(warehouse, "ta"))
    assert cells == set(stored(warehouse, "ws")) == set(stored(warehouse, "wsdi"))
    land = np.flatnonzero(provider.land()) + 1
    assert {land[0], land[-1]} <= cells
    assert ask(warehouse, "SELECT DISTINCT scope FROM etl_load WHERE table_name ~ '(ta|ws)_data'") == [("sample:10",)]
    assert ask(warehouse, "SELECT count(*) FROM location_grid WHERE has_climate") == [(10,)]
    # alone, later, it finds the cells again
    load(warehouse, tmp_path, "monthly_grid", sample_limit=10, variables=("ws",), force=True)
    assert set(stored(warehouse, "ws")) == cells


def test_fewer_scenarios_are_for_samples_only(warehouse, tmp_path):
    chosen = (ONE, Scenario.SSP585)
    provider.write(tmp_path, ["wsdi"], scenarios=chosen)
    load(warehouse, tmp_path, "grid")
    with pytest.raises(SettingsError, match="--scenarios leaves columns empty"):
        load(warehouse, tmp_path, "yearly_grid", variables=("wsdi",), scenarios=chosen)
    report = load(warehouse, tmp_path, "yearly_grid", variables=("wsdi",), scenarios=chosen, sample_limit=5)
    assert report["wsdi_data"].status == "published"
    assert np.isnan(stored(warehouse, "wsdi", "ssp2")[1]).all()
    assert not np.isnan(stored(warehouse, "wsdi", "ssp5")[1]).any()


def test_a_station_record_may_hold_one_scenario_with_gaps(warehouse, tmp_path):
    grid = replace(GRID, lat0=37.57, lon0=126.97, n_lat=1, n_lon=1)
    block = np.clip(np.random.default_rng(1).normal(5, 2, (80, 1, 1)), 0, None).astype(np.float32)
    block[7] = np.nan
    provider.write(
        tmp_path,
        ["wsdi"],
        grid,
        scope="observed",
        scenarios=[Scenario.SSP245],
        given={("wsdi", Scenario.SSP245): block},
    )
    reports = load(warehouse, tmp_path, scope="observed")
    assert reports["wsdi_data"].status == "published"
    assert [f.message for f in reports["wsdi_data"].findings] == ["1 of 1 cell has gaps in ssp2 (grid_id 1)"]
    assert {report.status for report in reports.values()} == {"published", "absent"}
    np.testing.assert_array_equal(stored(warehouse, "wsdi", "ssp2")[1], block.ravel())
    assert ask(warehouse, "SELECT grid_id FROM location_grid WHERE has_climate") == [(1,)]


def test_sea_cells_are_kept_on_demand_and_stay_inactive(warehouse, tmp_path):
    provider.write(tmp_path, ["wsdi"])
    report = load(warehouse, tmp_path, keep_ocean=True, variables=("wsdi",))["wsdi_data"]
    assert (report.status, report.rows, report.findings) == ("published", GRID.n_cells * 80, ())
    assert ask(warehouse, "SELECT count(*) FROM location_grid WHERE has_climate") == [(provider.land().sum(),)]


def test_a_dry_run_checks_and_writes_nothing(warehouse, tmp_path):
    provider.write(tmp_path, ["wsdi"])
    load(warehouse, tmp_path, "grid")
    report = load(warehouse, tmp_path, "yearly_grid", variables=("wsdi",), dry_run=True)["wsdi_data"]
    assert (report.status, report.rows) == ("checked", provider.land().sum() * 80)
    assert ask(warehouse, "SELECT count(*) FROM wsdi_data") == [(0,)]
    assert ask(warehouse, "SELECT count(*) FROM etl_load WHERE table_name = 'wsdi_data'") == [(0,)]


def test_a_dry_run_of_everything_needs_no_lattice_in_the_warehouse(warehouse, tmp_path):
    provider.write(tmp_path, ["wsdi"])
    reports = load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",), dry_run=True)
    assert {report.status for report in reports.values()} == {"checked"}
    assert ask(warehouse, "SELECT count(*) FROM grid_definition") == [(0,)]


def test_a_lost_connection_costs_one_restart(warehouse, tmp_path, monkeypatch):
    provider.write(tmp_path, ["wsdi", "csdi"])
    load(warehouse, tmp_path, "grid")
    whole, lost = staging.stage, []

    def stage(connections, staged):
        if not lost:
            lost.append(staged.variable.name)
            connections[-1].execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return whole(connections, staged)

    monkeypatch.setattr(staging, "stage", stage)
    reports = load(warehouse, tmp_path, "yearly_grid", variables=("wsdi", "csdi"))
    assert lost == ["wsdi"]
    assert names_of(warehouse, "_(new|old)$") == []
    assert {report.status for report in reports.values()} == {"published"}
    assert ask(
        warehouse, "SELECT status, count(*) FROM etl_load WHERE loader = 'yearly_grid' GROUP BY 1 ORDER BY 1"
    ) == [
        ("failed", 1),
        ("published", 2),
    ]


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.io.etl import run_loaders, staging
from engine.io.etl.loading import LoadOptions
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(staging, sys.argv[3], kill)
options = LoadOptions(data=Path(sys.argv[2]), variables=("wsdi",), workers=1)
run_loaders(sys.argv[1], ["yearly_grid"], options, lambda what, done=0, total=0: None)
"""


@pytest.mark.parametrize(("moment", "published"), [("switch", "old"), ("drop_old", "new")])
def test_killed_before_or_after_the_switch_the_table_is_old_or_new(warehouse, tmp_path, moment, published):
    provider.write(tmp_path, ["wsdi"])
    load(warehouse, tmp_path, "grid", "yearly_grid", variables=("wsdi",))
    old = stored(warehouse, "wsdi")
    given = {("wsdi", scenario): provider.values("wsdi", scenario) + 1 for scenario in Scenario}
    provider.write(tmp_path, ["wsdi"], given=given)
    command = [sys.executable, "-c", KILLED, warehouse, str(tmp_path), moment]
    finished = subprocess.run(command, cwd=Path.cwd(), capture_output=True, text=True, check=False)
    assert finished.returncode == -signal.SIGKILL, finished.stderr

    assert names_of(warehouse, "^wsdi_data_p.._(new|old)$")
    found = stored(warehouse, "wsdi")
    shift = 0 if published == "old" else 1
    np.testing.assert_allclose(found[1], old[1] + shift, rtol=1e-6)
    report = load(warehouse, tmp_path, "yearly_grid", variables=("wsdi",))["wsdi_data"]
    assert report.status == ("published" if published == "old" else "up to date")
    assert names_of(warehouse, "_(new|old)$") == []
    np.testing.assert_allclose(stored(warehouse, "wsdi")[1], old[1] + 1, rtol=1e-6)
    assert ask(warehouse, "SELECT count(*) FROM etl_load WHERE status = 'running'") == [(0,)]
