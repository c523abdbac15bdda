"""Files of several climate models: one is read by its name, none by chance."""

from __future__ import annotations

from contextlib import ExitStack, closing, nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psycopg
import pytest
import xarray as xr

from engine.core.errors import SchemaError, SettingsError
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.io import etl, open_source
from engine.io.etl.derive import derive, derive_job
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.loaders.grid import read_lattice
from engine.io.etl.loading import LoadOptions
from engine.io.netcdf import members
from engine.kernels.indices import DayAxis
from jobs import etl as etl_job
from jobs.courses import derive as course
from jobs.courses import stores
from tests.io import provider
from tests.io.lattices import quiet
from tests.io.test_derive import GRID, YEARS, weather, write

AXIS = DayAxis.of(YEARS, "noleap")
NAMES = ["r1i1p1f1", "r2i1p1f1"]


def coordinate(kind: str) -> dict[str, tuple[list[str], np.ndarray]]:
    """Variables that name two members, as models and archives write them."""
    return {
        "texts": {"member_id": (["member"], np.array(NAMES, dtype=object))},
        "characters": {"realization": (["member", "length"], np.array([list(name) for name in NAMES], "S1"))},
        "numbers": {"member": (["member"], np.array([1, 2], np.int32))},
        "none": {},
    }[kind]


def stacked(path: Path, files: list[Path], kind: str = "texts") -> Path:
    """One file with the data of several along a dimension of members, in the middle of the dimensions."""
    opened = [xr.open_dataset(file, engine="h5netcdf", decode_cf=False) for file in files]
    cubes = [key for key, value in opened[0].data_vars.items() if value.ndim == 3]
    held = (
        opened[0]
        .drop_vars(cubes)
        .assign(
            {key: xr.concat([each[key] for each in opened], "member").transpose("time", "member", ...) for key in cubes}
        )
    )
    held.assign(coordinate(kind)).to_netcdf(path, engine="h5netcdf")
    for each in opened:
        each.close()
    return path


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Daily files of two models, a folder each."""
    root = tmp_path_factory.mktemp("models")
    for number, name in enumerate(NAMES):
        (root / name).mkdir()
        write(root / name / "day_ssp245.nc", AXIS, {"pr": weather(AXIS, GRID.n_cells, number)["pr"]})
    return [root / name / "day_ssp245.nc" for name in NAMES]


def rain(files: list[Path], member: str | None = None, base_files: tuple[Path, ...] = ()) -> np.ndarray:
    """Daily rain as `derive` reads it, (cells, days)."""
    request = Request(files=files, base=Years(2001, 2010), member=member, base_files=base_files)
    with ExitStack() as stack:
        job = derive_job.opened(stack, request)
        return job.records[Scenario.SSP245].read("pr", GRID, slice(0, GRID.n_lat))


@pytest.mark.parametrize(
    ("kind", "names"), [("texts", NAMES), ("characters", NAMES), ("numbers", ["1", "2"]), ("none", ["0", "1"])]
)
def test_one_member_of_a_file_is_read_as_a_file_of_its_own(models, tmp_path, kind, names):
    file = stacked(tmp_path / "day_ssp245.nc", models, kind)
    for name, alone in zip(names, models, strict=True):
        np.testing.assert_array_equal(rain([file], name), rain([alone]))
    assert not np.array_equal(rain([file], names[0]), rain([file], names[1]), equal_nan=True)


@pytest.mark.parametrize(
    ("member", "says"),
    [
        (None, r"day_ssp245\.nc: pr has 2 members along member: choose one by --member; they are r1i1p1f1, r2i1p1f1"),
        ("r3i1p1f1", r"day_ssp245\.nc: pr: unknown member 'r3i1p1f1'; known: r1i1p1f1, r2i1p1f1"),
    ],
)
def test_a_member_that_was_not_chosen_or_is_not_there_is_refused_with_those_that_are(models, tmp_path, member, says):
    file = stacked(tmp_path / "day_ssp245.nc", models)
    with pytest.raises(SchemaError, match=says):
        rain([file], member)


def test_a_file_without_members_is_refused_where_one_was_chosen_but_base_files_may_have_none(models, tmp_path):
    with pytest.raises(SchemaError, match="pr has no dimension of members, and --member r1i1p1f1 was given"):
        rain([models[0]], NAMES[0])
    file = stacked(tmp_path / "day_ssp245.nc", models)
    np.testing.assert_array_equal(rain([file], NAMES[1], base_files=(models[0],)), rain([models[1]]))


def test_the_only_member_is_taken(models, tmp_path):
    np.testing.assert_array_equal(rain([stacked(tmp_path / "day_ssp245.nc", models[:1], "none")]), rain(models[:1]))


@pytest.mark.parametrize("held", ["a file", "folders"])
def test_one_command_derives_a_folder_a_member(models, tmp_path, monkeypatch, caplog, held):
    monkeypatch.chdir(tmp_path)
    done: dict[Path, np.ndarray] = {}

    def derived(request, out, *, progress):
        done[out] = rain(list(request.files), request.member)
        return derive.Derived([], [], {}, {})

    monkeypatch.setattr(course, "derive", derived)
    monkeypatch.setattr(course.kernels, "warm_up", lambda *_: None)
    file = stacked(tmp_path / "day_ssp245.nc", models)
    daily = [str(file)] if held == "a file" else [str(path.parent) for path in models]
    words = ["derive", "--daily", *daily, "--base", "2001-2010", "--out", "out", "--members"]
    assert etl_job.main([*words, "all"]) == 0
    assert list(done) == [Path("out") / name for name in NAMES]
    for values, alone in zip(done.values(), models, strict=True):
        np.testing.assert_array_equal(values, rain([alone]))
    assert etl_job.main([*words, "r2i1p1f1,r7"]) == 2
    assert "unknown member 'r7'; known: r1i1p1f1, r2i1p1f1" in caplog.messages[-1]


def test_loaders_read_one_member_and_another_is_not_the_same_again(warehouse, tmp_path):
    """`ta` of two models: the second is half a degree warmer."""
    provider.write(tmp_path / "one", ("ta",), scope="synthetic")
    provider.write(tmp_path / "two", ("ta",), scope="synthetic")
    for scenario in Scenario:
        provider.rewrite(provider.path_of(tmp_path / "two", "ta", scenario), lambda data: data.assign(TA=data.TA + 0.5))
        one, two, both = (provider.path_of(tmp_path / each, "ta", scenario) for each in ("one", "two", "both"))
        both.parent.mkdir(parents=True, exist_ok=True)
        stacked(both, [one, two])

    assert read_lattice(both) == provider.GRID  # which all members share

    def load(name: str, member: str | None, loader: str = "monthly_grid") -> list[tuple[str, str | None]]:
        options = LoadOptions(data=tmp_path / name, variables=("ta",), member=member)
        return [(each.status, each.message) for each in etl.run_loaders(warehouse, [loader], options, quiet)]

    def mean() -> float:
        with psycopg.connect(warehouse) as connection:
            [(found,)] = connection.execute("SELECT avg(ssp2) FROM ta_data WHERE ssp2 <> 'NaN'").fetchall()
        return float(found)

    etl.run_loaders(warehouse, ["grid"], LoadOptions(data=tmp_path / "one"), quiet)
    [(status, why)] = load("both", None)
    assert status == "failed"
    assert "TA has 2 members along member: choose one by --member; they are r1i1p1f1, r2i1p1f1" in str(why)
    assert load("both", NAMES[0]) == [("published", "")]
    first = mean()
    assert load("both", NAMES[1]) == [("published", "")]
    assert mean() - first == pytest.approx(0.5, abs=1e-4)


def test_names_of_members_are_found_by_the_standard_name_of_their_dimension():
    axis = xr.Variable(("run",), np.array([3, 5], np.int16), {"standard_name": "realization"})
    data = xr.Dataset({"tas": (("run", "time"), np.zeros((2, 4)))}, coords={"run": axis})
    assert members.of_file(data, "a file") == ["3", "5"]
    assert members.of_file(data.isel(run=0, drop=True), "a file") == []


def test_one_command_writes_a_store_a_member_and_leaves_finished_ones(new_database, tmp_path, monkeypatch, caplog):
    server = SimpleNamespace(create=lambda name: new_database(""))  # starting one of its own takes seconds
    monkeypatch.setattr(stores, "EmbeddedServer", lambda home: nullcontext(server))
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        provider.write(tmp_path / "models" / name, ("ta",), scope="synthetic")
    for scenario in Scenario:
        provider.rewrite(
            provider.path_of(tmp_path / "models" / NAMES[1], "ta", scenario), lambda data: data.assign(TA=data.TA + 0.5)
        )
    assert etl_job.main(["stores", "--data", "models", "--out", "stores"]) == 0
    panels, fingerprints = [], set()
    for name in NAMES:
        with closing(open_source(tmp_path / "stores" / name)) as source:
            fingerprints.add(source.fingerprint)
            panel = source.read(source.cells(), ["ta"], [Scenario.SSP245])
            panels.append(panel.arrays["ta", Scenario.SSP245])
    assert len(fingerprints) == 2
    np.testing.assert_allclose(panels[1] - panels[0], 0.5, atol=1e-4)
    caplog.set_level("INFO")
    assert etl_job.main(["stores", "--data", "models", "--out", "stores"]) == 0
    assert f"stores/{NAMES[1]} is there and finished: left as it is" in caplog.text
    assert sorted(path.name for path in (tmp_path / "stores").iterdir()) == NAMES


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (("ta", "wsdi"), r"models/r2i1p1f1 has no wsdi of SSP1-2.6 and 3 more files, which another model has"),
        (None, ""),
    ],
)
def test_a_model_that_lacks_what_another_has_is_refused(tmp_path, monkeypatch, caplog, names, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    if names is not None:
        provider.write(tmp_path / "models" / NAMES[0], names)
        provider.write(tmp_path / "models" / NAMES[1], names[:1])
    assert etl_job.main(["stores", "--data", "models", "--out", "stores"]) == 2
    assert (says or "--data models holds no folders") in caplog.messages[-1]
    assert not (tmp_path / "stores").exists()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["r1", "m" * 300], "'mmm.* has 300 bytes, a folder here has 100 at most"),
        (["r1", ""], "a member is called '', which is no folder"),
        (["  "], "a member is called '  ', which is no folder"),
        (["nan"], "a member is called 'nan', which is no folder"),
        (["CESM", "r1", "cesm"], "'CESM' and 'cesm' lead to one folder"),
        (["a/b", "a b"], "'a/b' and 'a b' lead to one folder"),
    ],
)
def test_a_member_whose_name_makes_no_folder_of_its_own_is_refused(names, said):
    with pytest.raises(SettingsError, match=f"--members: {said}"):
        course._folders(names)
    assert course._folders(["r1", "../r2"]) == {"r1": "r1", "../r2": "_r2"}
