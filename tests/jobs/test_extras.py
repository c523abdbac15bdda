"""A missing extra is named with the command that installs it; what is missing by our own fault is not taken for one."""

import importlib
import json
import subprocess
import sys

import pytest

from engine.core import errors
from jobs import _console, _extras

BY_MODULE = {
    "uvicorn": "serve", "apscheduler": "serve", "prometheus_client": "serve", "psycopg_pool": "serve",
    "matplotlib": "report", "jinja2": "report", "xclim": "climate", "distributed": "cluster", "s3fs": "cluster",
    "netCDF4": "geo", "rasterio": "geo", "pyogrio": "geo", "numpy": None, "psycopg": None, "nowhere": None,
}  # fmt: skip
NEEDED = {"serve": ["serve", "listen"], "report": ["report"]}

#: every job and extra in one process: what is imported stays, but what is blocked was never there
TRIES = """
import importlib, json, sys
import jobs.__main__ as command
from jobs import _extras

class Blocked:
    names = set()

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].lower().replace("_", "-") in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

blocked = Blocked()
sys.meta_path.insert(0, blocked)
needed, codes = json.loads(sys.argv[1]), {}
blocked.names = set().union(*_extras.extras().values())
for job in command.JOBS:
    importlib.import_module(f"jobs.{job}").parser().format_help()
for extra, names in _extras.extras().items():
    blocked.names = names
    for job in needed.get(extra, []):
        print(f"try {job}", file=sys.stderr)
        codes[f"{job} {extra}"] = command.main([job])
print(json.dumps(codes))
"""


@pytest.mark.parametrize(("module", "extra"), BY_MODULE.items())
def test_the_extra_is_found_by_the_module_that_is_missing(module, extra):
    assert _extras.extra_of(module) == extra


def test_without_an_extra_help_works_and_the_job_names_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TRIES, json.dumps(NEEDED)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    codes = json.loads(done.stdout.splitlines()[-1])
    assert codes == {"serve serve": 2, "listen serve": 2, "report report": 2}
    for extra, jobs in NEEDED.items():
        for job in jobs:
            said = done.stderr.partition(f"try {job}\n")[2].partition("try ")[0]
            install = f"{sys.executable} -m pip install 'climate-risk-engine[{extra}]'"
            assert said.endswith(f'refused: jobs.{job} needs the extra "{extra}": {install}\n')
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_command_that_installs_an_extra_works_without_pip_in_the_environment(monkeypatch):
    monkeypatch.setattr(errors.sys, "executable", "/my venv/bin/python")
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    monkeypatch.setattr(errors.shutil, "which", {"uv": "/usr/bin/uv"}.get)
    with_uv = "uv pip install --python '/my venv/bin/python' 'climate-risk-engine[geo]'"
    assert errors.needs("geo") == f'needs the extra "geo": {with_uv}'
    monkeypatch.setattr(errors.shutil, "which", {}.get)
    assert "'/my venv/bin/python' -m ensurepip && '/my venv/bin/python' -m pip install" in errors.needs("geo")


@pytest.mark.parametrize("module", ["engine.nowhere", "jobs.courses.nowhere", "jinja2.nowhere", "nowhere"])
def test_what_is_missing_by_our_own_fault_is_told_with_its_traceback(module, caplog):
    assert _console.exit_code(lambda: importlib.import_module(module), job="report") == _console.FAILED
    assert "failed unexpectedly: ModuleNotFoundError" in caplog.text
    assert "Traceback" in caplog.text
