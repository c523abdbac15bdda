"""Monthly files in `derive`: what months tell is what their days tell, and nothing that needs days is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from engine.core.errors import SchemaError, SettingsError
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io.etl.derive import derive, grouping, inventory, pieces
from engine.io.etl.derive.derive_job import Request
from engine.kernels import indices
from engine.kernels.indices import DayAxis
from tests.io.test_derive import GRID, YEARS, read, weather, write

OF_MONTHS = {"ta", "tamax", "tamin", "rn", "rhm", "ws", "si", "ta_yearly", "spei12"}


def write_months(path: Path, axis: DayAxis, days: dict[str, np.ndarray], *, amounts: bool = False) -> Path:
    """Means of the days of each month, stamped in the middle of it; amounts: of rain their sums."""
    middle = (axis.month_starts[:-1] + axis.month_starts[1:]) / 2
    data = xr.Dataset(
        coords={
            "lat": ("lat", GRID.latitudes, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("lon", GRID.meridians, {"standard_name": "longitude", "units": "degrees_east"}),
            "time": ("time", middle, {"units": f"days since {axis.years.first}-01-01", "calendar": axis.calendar}),
        }
    )
    for name, values in days.items():
        sums = amounts and name == "pr"
        found = (indices.monthly_sums if sums else indices.monthly_means)(values, axis)
        unit = "mm/month" if sums else pieces.UNITS[name]
        data[name] = (("time", "lat", "lon"), found.T.reshape(-1, GRID.n_lat, GRID.n_lon), {"units": unit})
    data.to_netcdf(path, engine="h5netcdf")
    return path


def derived(out: Path, files: list[Path]) -> int:
    made = derive.derive(Request(files=files, base=YEARS, scenario=Scenario.SSP245), out)
    return len(made.files)


@pytest.mark.parametrize(("calendar", "amounts"), [("standard", False), ("noleap", True), ("360_day", False)])
def test_months_give_what_their_days_give(tmp_path: Path, calendar: str, amounts: bool) -> None:
    axis = DayAxis.of(YEARS, calendar)
    days = weather(axis, GRID.n_cells)
    derived(tmp_path / "days", [write(tmp_path / "days.nc", axis, days)])
    written = derived(tmp_path / "months", [write_months(tmp_path / "m.nc", axis, days, amounts=amounts)])
    assert written == len(OF_MONTHS)
    for name in OF_MONTHS:
        of_months, of_days = (read(tmp_path / of, name) for of in ("months", "days"))
        assert np.isfinite(of_days).any()
        np.testing.assert_allclose(of_months, of_days, rtol=2e-5, atol=2e-4, err_msg=name)


def test_days_of_some_variables_and_months_of_others_make_the_water_balance(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    days = weather(axis, GRID.n_cells)
    derived(tmp_path / "days", [write(tmp_path / "days.nc", axis, days)])
    known = {name: days[name] for name in ("tas", "tasmax", "tasmin", "pr")}
    rest = {name: values for name, values in days.items() if name not in known}
    files = [write(tmp_path / "known.nc", axis, known), write_months(tmp_path / "rest.nc", axis, {**rest, **known})]
    derived(tmp_path / "both", files)  # days count where there are any
    for name, exact in (("wsdi", True), ("rx5day", True), ("rn", True), ("rhm", False), ("spei12", False)):
        both, of_days = (read(tmp_path / of, name) for of in ("both", "days"))
        np.testing.assert_allclose(both, of_days, rtol=0 if exact else 2e-5, atol=0 if exact else 2e-4, err_msg=name)


def test_months_of_years_without_days_are_refused_by_file_and_variable(tmp_path: Path) -> None:
    axis, early = DayAxis.of(YEARS, "noleap"), DayAxis.of(Years(2001, 2006), "noleap")
    days = {"pr": weather(axis, GRID.n_cells)["pr"]}
    months = write_months(tmp_path / "months.nc", axis, days)
    first = write(tmp_path / "days.nc", early, {"pr": days["pr"][:, : early.n]})
    with pytest.raises(SchemaError, match=r"months\.nc has months of pr in 2001-2012, days\.nc days of it in other"):
        derived(tmp_path / "out", [first, months])
    grouped = {Scenario.SSP245: [months], Scenario.SSP585: [write(tmp_path / "all.nc", axis, days)]}
    with pytest.raises(SettingsError, match=r"pr is daily in all\.nc and monthly in months\.nc"):
        derive.derive(Request(grouped=grouped, base=YEARS), tmp_path / "out")


def test_a_monthly_energy_without_a_time_and_an_amount_taken_for_a_rate_are_refused(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "noleap")
    path = write_months(tmp_path / "m.nc", axis, weather(axis, GRID.n_cells))
    with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
        data = data.load()
    data["rsds"].attrs["units"] = "J m-2"
    data.to_netcdf(tmp_path / "energy.nc", engine="h5netcdf")
    with pytest.raises(SchemaError, match=r"energy\.nc: unit 'J m-2' of monthly rsds may be of a day or of the month"):
        derived(tmp_path / "out", [tmp_path / "energy.nc"])
    data["rsds"].attrs["units"], data["pr"].attrs["units"] = "W m-2", "m"
    data.to_netcdf(tmp_path / "metres.nc", engine="h5netcdf")
    with pytest.raises(SchemaError, match=r"monthly pr may be .* --unit pr=UNIT states it \(m/day, m/month"):
        derived(tmp_path / "out", [tmp_path / "metres.nc"])
    data["rsds"].attrs["units"], data["pr"] = "MJ/m2/day", (data["pr"] / 86_400).assign_attrs(units="mm/day")
    data.to_netcdf(tmp_path / "rate.nc", engine="h5netcdf")
    with pytest.raises(SchemaError, match=r"the largest of all values of pr is .*values look like kg m-2 s-1"):
        derived(tmp_path / "out", [tmp_path / "rate.nc"])


def test_a_folder_of_monthly_files_is_a_run(tmp_path: Path) -> None:
    axis = DayAxis.of(YEARS, "standard")
    write_months(tmp_path / "months.nc", axis, weather(axis, GRID.n_cells))
    found = grouping.together(tmp_path, inventory.look(tmp_path, {}), {})
    assert (found.files[0].step, found.years, set(found.variables)) == ("monthly", YEARS, set(pieces.UNITS))
