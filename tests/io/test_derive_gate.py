"""What derive refuses or tells: values that cannot be, wrong units, empty results; and what is left when stopped."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
import pytest

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.quality import load_ranges
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.io.etl.derive import derive, derive_job, pieces
from engine.io.etl.derive.derive_gate import OutputGate
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.derive.station_tables import PLAIN
from engine.kernels.indices import DayAxis
from jobs import etl
from tests.io.test_derive import read, weather, write

GRID = GridDefinition(36.0, 127.0, 2, 2, 0.25, 2001, 2002)
AXIS = DayAxis.of(GRID.axis, "standard")
DAYS = {name: values.clip(*((8, 95) if name == "hurs" else (None, None))) for name, values in weather(AXIS, 4).items()}


def run(folder: Path, days: dict[str, np.ndarray], grid: GridDefinition = GRID, **options: object) -> derive.Derived:
    source = write(folder / "in.nc", AXIS, days, grid)
    how = {name: options.pop(name) for name in ("progress", "memory") if name in options}
    request = Request(files=[source], **{"base": GRID.axis, "scenario": Scenario.SSP245} | options)  # type: ignore[arg-type]
    return derive.derive(request, folder / "out", **how)  # type: ignore[arg-type]


def one(name: str, change) -> dict[str, np.ndarray]:
    return {name: change(DAYS[name].copy()).astype(np.float32)}


def code(value: float, *at: int):
    """Put an undeclared code for "missing" on some days of the second cell."""

    def change(x: np.ndarray) -> np.ndarray:
        x[1, list(at)] = value
        return x

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tas", lambda x: x + 273.15, r"2,190 values of tas are outside -90..60 degC .*look like kelvin; .*tas=K"),
        ("tasmax", lambda x: x - 273.15, "values look like degC; if so, --unit tasmax=degC"),
        ("tas", lambda x: x * 1.8 + 32, "outside -90..60 degC .*values look like degF; if so, --unit tas=degF"),
        ("hurs", lambda x: x * 100, "values look like per cent; if so, --unit hurs=%"),
        ("hurs", lambda x: x / 100, r"largest of all values of hurs is 0.949546 %, less than 2: .* like a share"),
        ("pr", lambda x: x * 86_400, "outside -0.05..2000 mm/day .*the values look like mm/day"),
        ("pr", lambda x: x / 86_400, r"largest of all values of pr is .* less than 1: the values look like kg m-2 s-1"),
        ("pr", lambda x: x / 1000, r"less than 1: the values look like m; .*--gate FILE sets \[daily_pr_largest\]"),
        ("rsds", lambda x: x / 0.0864, "values look like W/m2; if so, --unit rsds=W/m2"),
        ("rsds", lambda x: x * 0.0864, r"largest of all values of rsds .*look like MJ/m2/day"),
        ("pr", code(-3.0, 9, 40), r"in.nc: 2 values of pr .*first is -3 at 36 N 127.25 E on 2001-01-10\): all are"),
        ("tasmin", code(-99.9, 400), r"1 value of tasmin .*on 2002-02-05\): it is -99.9, probably a code for missing"),
        ("sfcWind", code(99.9, 3, 4, 5), "all are 99.9, probably a code for missing values; declare it as _FillValue"),
        ("tas", code(67.3, 200), r"first is 67.3 at 36 N 127.25 E on 2001-07-20\)$"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_are_refused_with_place_and_cause(name, change, message: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=message):
        run(tmp_path, one(name, change))
    assert not (tmp_path / "out").exists()  # not even the folders


def test_weather_that_cannot_be_is_the_files_fault_also_where_only_the_water_balance_sees_it(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"in\.nc: not the climate of a month: .* of rhm are fractions of 1.*spei12"):
        run(tmp_path, DAYS | {"hurs": DAYS["hurs"] / 100})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("step", "day", "said"),
    [
        (300, 262_845, "in.nc: its days are in no order, first behind step 301 of 730: is a time stamp wrong?"),
        (300, 262_845, "in.nc: of the 262,846 days from first to last 262116 are in no file"),
        (729, 740, "in.nc: of the 741 days from first to last 11 are in no file"),
        (729, 729, ""),
    ],
)
def test_a_time_stamp_that_lies_elsewhere_is_told(step, day, said, tmp_path, caplog) -> None:
    source = write(tmp_path / "in.nc", AXIS, {"tas": DAYS["tas"]}, GRID)
    with h5py.File(source, "r+") as file:
        file["time"][step] = day
    derive_job.opened(ExitStack(), request(source))
    assert said in caplog.messages if said else not caplog.messages


def test_gaps_of_a_record_of_places_are_not_told(tmp_path, caplog) -> None:
    rows = [f"1,36.1,127.1,{year}-01-{day:02d},{day}" for year in (2001, 2002) for day in (1, 3, 4, 5)]
    table = tmp_path / "in.csv"
    table.write_text("station_id,latitude,longitude,date,tas\n" + "\n".join(rows) + "\n")
    derive_job.opened(ExitStack(), request(table))
    assert not caplog.messages


def request(source: Path) -> derive_job.Request:
    return derive_job.Request(
        files=[source], base=GRID.axis, scenario=Scenario.SSP245, base_files=[], years=None, grid=None, step=0.1,
        units=None, tables=PLAIN, dry_spells_cross_years=False, ranges=load_ranges(),
    )  # fmt: skip


def test_a_base_file_is_looked_at_like_any_other(tmp_path: Path) -> None:
    base = write(tmp_path / "historical.nc", AXIS, one("tasmax", lambda x: x + 273.15), GRID)
    with pytest.raises(SchemaError, match=r"historical\.nc: .*look like kelvin"):
        run(tmp_path, {"tasmax": DAYS["tasmax"]}, base_files=[base])


def test_the_caller_may_know_better(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text("[daily_pr_largest]\nhard = [0, 2000]\n[rn_annual_sum]\nhard = [0, 6000]\n")
    derived = run(tmp_path, one("pr", lambda x: x / 1000), ranges=load_ranges(tmp_path / "gate.toml"))
    assert {path.name.split("_")[1] for path in derived.files} == {"RN", "RX1DAY", "RX5DAY", "CDD", "RAIN80", "SDII"}


@pytest.mark.parametrize(("latitude", "refused"), [(36.0, True), (50.0, False)])
def test_outside_the_ranges_of_the_loader_korea_is_refused_and_another_region_told(
    latitude: float, refused: bool, tmp_path: Path
) -> None:
    grid = GridDefinition(latitude, 127.0, 2, 2, 0.25, 2001, 2002)
    cold = one("tas", lambda x: x - 40)
    if refused:
        with pytest.raises(SchemaError, match=r"ta of SSP2-4.5: \d+ values outside -25..40, found -"):
            run(tmp_path, cold, grid)
        return
    messages = [finding.message for finding in run(tmp_path, cold, grid).findings]
    assert any("the loader refuses them unless --gate FILE sets [ta] for this region" in each for each in messages)


def test_swapped_extremes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"in\.nc: the monthly mean of tasmin lies above that of tasmax in 72 of 72"):
        run(tmp_path, {"tasmin": DAYS["tasmax"], "tasmax": DAYS["tasmin"]})


def test_unusual_values_are_told_once_and_kept(tmp_path: Path) -> None:
    derived = run(tmp_path, one("pr", code(900.0, 10, 20)))
    assert "in.nc: 2 values of pr outside the usual -0.001..700 mm/day, found 0 to 900" in {
        finding.message for finding in derived.findings
    }
    assert read(tmp_path / "out", "rx1day", grid=GRID)[1, 0] == 900


def test_cells_without_a_result_are_counted(tmp_path: Path) -> None:
    def gap(x: np.ndarray) -> np.ndarray:
        x[0, ::20] = np.nan
        return x

    [finding] = run(tmp_path, one("tas", gap)).findings
    assert finding.message == "ta_yearly of SSP2-4.5: 1 of 3 cells with daily values has none"


def test_nothing_but_missing_values_is_a_failure_that_says_why(tmp_path: Path) -> None:
    def sparse(x: np.ndarray) -> np.ndarray:
        x[:, np.arange(AXIS.n) % 30 != 0] = np.nan
        return x

    with pytest.raises(
        SchemaError, match=r"nothing can be derived from in\.nc: .*value on 25 of 730 days: a monthly file"
    ):
        run(tmp_path, one("pr", sparse))
    assert not (tmp_path / "out").exists()


def test_an_older_file_of_a_variable_that_has_no_value_now_does_not_stay(tmp_path: Path) -> None:
    stale = layout.gridded_path(tmp_path / "out", VARIABLES["spei12"], Scenario.SSP245, GRID.axis)
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of other inputs")
    derived = run(tmp_path, DAYS)
    assert list(derived.missing) == ["spei12 of SSP2-4.5"]
    assert not stale.exists()


def test_progress_counts_cells_up_to_all_of_them(tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    run(tmp_path, {"tas": DAYS["tas"], "pr": DAYS["pr"]}, progress=lambda *each: said.append(each), memory=1)
    assert said == sorted(said)
    assert said[-1] == (4, 4)
    assert len(said) == 2 * 8  # two bands of eight variables


def test_a_stopped_derivation_leaves_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    source = write(tmp_path / "ssp245.nc", AXIS, {"tas": DAYS["tas"]}, GRID)
    monkeypatch.setattr(derive.derive_band, "compute", stop)
    out = tmp_path / "there" / "out"
    words = ["derive", "--daily", str(source), "--out", str(out), "--base", "2001-2002"]
    assert etl.main(words) == 130
    assert f"interrupted: no file was written to {out}" in caplog.text
    assert not out.parent.exists()


def test_a_folder_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(SchemaError):
        run(tmp_path, one("tas", lambda x: x + 273.15))
    assert not [*(tmp_path / "out").iterdir()]


def test_the_command_tells_what_is_missing_and_says_partial(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "ssp245.nc", AXIS, DAYS, GRID)
    with caplog.at_level(logging.INFO):
        assert etl.main(["derive", "--daily", str(source), "--out", str(tmp_path), "--base", "2001-2002"]) == 3
    assert "not written: spei12 of SSP2-4.5 (its calibration needs 10 base years, 2001-2002 are 2)" in caplog.text
    assert "files=21 missing=1" in caplog.text
    assert pieces.UNITS.keys() == DAYS.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--daily", "nowhere.nc"], "nowhere.nc does not exist"),
        (["--daily", "store.zarr"], "store.zarr is a Zarr store; daily values are read from NetCDF, CSV and Parquet"),
        (["--daily", "a.nc", "--base-files", "old_*.nc"], r"old_*.nc does not exist"),
        (["--daily", "a.nc", "--step", "0"], "--step is a number of degrees above 0"),
        (["--daily", "a.nc", "--column", "tas"], "--column tas: expected VARIABLE=HEADER, such as tas=AvgTemp"),
        (["--daily", "a.nc", "--unit", "rain=mm"], "--unit rain=mm: unknown variable 'rain'; known: tas"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_made(
    words: list[str], message: str, tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store.zarr").mkdir()
    (tmp_path / "store.zarr" / ".zgroup").touch()
    write(tmp_path / "a.nc", AXIS, {"tas": DAYS["tas"]}, GRID)
    assert etl.main(["derive", *words, "--out", "out", "--scenario", "ssp245", "--base", "2001-2002"]) == 2
    assert message in caplog.text
    assert not (tmp_path / "out").exists()


def test_a_plain_number_has_no_unit_in_a_warning() -> None:
    gate = OutputGate(GRID, load_ranges(), own_ranges=False)
    gate.look(Scenario.SSP245, "spei12", np.full((1, 24), -3.9, np.float32), np.ones(1, bool))
    [finding] = gate.close()
    assert finding.message.endswith("24 values outside the usual -3.5..3.5, found -3.9 to -3.9")
