"""The locks hold what the project asks for, and a wheel works where it is called, beside folders of the same names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
#: lock -> extras and groups that it holds; the script that installs it
HELD = {
    "requirements.lock": (["serve", "report"], [], "run"),
    "requirements-dev.lock": (["all", "dev"], ["docs"], "test"),
}


def pins(name):
    """Lines of a lock without their hashes: one a package, or one a package and Python."""
    return [Requirement(line.rstrip("\\ ")) for line in (ROOT / name).read_text().splitlines() if line[:1].isalnum()]


def here(requirements):
    """Canonical name -> requirement, of those that hold for this Python and system."""
    return {canonicalize_name(each.name): each for each in requirements if not each.marker or each.marker.evaluate()}


def wanted(extras, groups):
    """What pyproject.toml asks for."""
    texts = [*PROJECT["project"]["dependencies"]]
    for group in groups:
        texts += PROJECT["dependency-groups"][group]
    for extra in extras:
        for text in EXTRAS[extra]:
            own = Requirement(text)
            nested = own.name == PROJECT["project"]["name"]
            texts += wanted(sorted(own.extras), []) if nested else [text]
    return texts


@pytest.mark.parametrize("lock", HELD)
def test_a_lock_satisfies_the_project_and_what_its_packages_need(lock):
    extras, groups, _ = HELD[lock]
    held = here(pins(lock))
    todo = [Requirement(text) for text in wanted(extras, groups)]
    seen = set()
    while todo:
        asked = todo.pop()
        if asked.marker and not any(asked.marker.evaluate({"extra": extra}) for extra in ("", *asked.extras)):
            continue
        name = canonicalize_name(asked.name)
        assert name in held, f"{lock} lacks {asked}"
        (exact,) = held[name].specifier
        assert asked.specifier.contains(exact.version, prereleases=True), f"{lock}: {asked}, not {exact.version}"
        if (key := (name, frozenset(asked.extras))) in seen:
            continue
        seen.add(key)
        for text in needed(name):
            need = Requirement(text)
            if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in ("", *asked.extras)):
                need.marker = None
                todo.append(need)
    assert {name for name, _ in seen} == set(held), "it holds packages that nothing asks for"


def needed(name):
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed: ./test installs all")


def test_the_lock_of_a_run_is_part_of_the_other_with_the_same_pins():
    every = {str(pin) for pin in pins("requirements-dev.lock")}
    assert {str(pin) for pin in pins("requirements.lock")} < every
    tools = {canonicalize_name(Requirement(text).name) for text in EXTRAS["dev"]} - {"climate-risk-engine"}
    tools |= {canonicalize_name(Requirement(text).name) for text in PROJECT["dependency-groups"]["docs"]}
    assert not tools & set(here(pins("requirements.lock")))


def test_the_lock_of_the_rivals_satisfies_their_group_with_the_versions_of_the_engine():
    held = here(pins("benchmarks/rivals.lock"))
    for asked in (Requirement(text) for text in wanted([], ["rivals"])):
        (exact,) = held[canonicalize_name(asked.name)].specifier
        assert asked.specifier.contains(exact.version), f"{asked}, not {exact.version}"
    engine = here(pins("requirements-dev.lock"))
    assert {name: str(held[name]) for name in held.keys() & engine} == {
        name: str(engine[name]) for name in held.keys() & engine
    }


@pytest.mark.parametrize("lock", [*HELD, "benchmarks/rivals.lock"])
def test_every_package_of_a_lock_has_hashes_and_no_address(lock):
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


@pytest.mark.parametrize("lock", HELD)
def test_set_up_says_about_how_much_it_installs(lock):
    script = (ROOT / HELD[lock][2]).read_text()
    stated = re.search(rf'setup\.sh {re.escape(lock)} "([\d.]+) GB"', script)
    assert stated, script
    size = 0
    for name in here(pins(lock)):
        needed(name)
        size += sum(file.size or 0 for file in distribution(name).files or ())
    assert 0.75 < float(stated[1]) * 1e9 / size < 1.33, size


def test_versions_of_python_are_the_same_wherever_they_are_said():
    tags = PROJECT["project"]["classifiers"]
    stated = [tag.rpartition(" ")[2] for tag in tags if re.search(r"Python :: 3\.\d+$", tag)]
    assert PROJECT["project"]["requires-python"] == f">={stated[0]}"
    page = (ROOT / "docs/install.md").read_text("utf-8")
    assert re.findall(r"^\| (3\.\d+) \|.*\| tested", page, re.MULTILINE) == stated


def test_a_run_imports_neither_what_reads_files_of_others_nor_what_draws():
    heavy = ["pandas", "xarray", "h5py", "dask", "matplotlib", "fastapi", "pyproj", "shapely", "fastexcel", "pint"]
    script = f"import sys, jobs._run; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built here without an index."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_holds_every_file_of_its_packages(wheel):
    with zipfile.ZipFile(wheel) as packed:
        held = {name for name in packed.namelist() if ".dist-info/" not in name}
    paths = [path for room in ("engine", "jobs") for path in (ROOT / room).rglob("*") if path.is_file()]
    files = {str(path.relative_to(ROOT)) for path in paths if "__pycache__" not in path.parts}
    assert held == files
    assert wheel.name.split("-")[1] == PROJECT["project"]["version"]


def test_the_installed_command_runs_beside_folders_named_like_its_packages(wheel, new_database, tmp_path):
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    subprocess.run([*install, "--target", str(target), str(wheel)], check=True, env=environment)
    here = tmp_path / "work"
    for name in ("jobs", "engine"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise SystemExit('imported from the working directory')")

    def call(*words):
        return subprocess.run(
            [target / "bin/climate-risk", *words], cwd=here, text=True, capture_output=True,
            env=os.environ | {"PYTHONPATH": str(target), "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip

    listed = call("--help")
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("usage: climate-risk JOB")
    empty = new_database("")
    applied = call("schema", "--warehouse", empty, "--application", empty)  # migrations are files of the package
    assert applied.returncode == 0, applied.stderr
    assert sorted(path.name for path in here.iterdir()) == ["engine", "jobs"]
