"""One command by two names: what is printed names it as it was called; what is stored, and children, need no name."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from argparse import Namespace
from importlib.metadata import version
from pathlib import Path

import pytest

import jobs.__main__ as command
from engine.core import settings
from jobs import _called, _console, _look, _run, listen

ROOT = Path(__file__).parents[2]


@pytest.fixture
def entry(tmp_path, monkeypatch):
    """This process called as `climate-risk`, which is on the PATH."""
    program = tmp_path / "climate-risk"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(program), "yearly"])
    return program


def test_the_entry_point_is_the_list_of_jobs():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {_called.ENTRY_POINT: "jobs.__main__:main"}


@pytest.mark.parametrize("job", command.JOBS)
def test_every_help_names_the_command_as_it_was_called(entry, capsys, job):
    with pytest.raises(SystemExit, match="0"):
        command.main([job, "--help"])
    said = capsys.readouterr().out
    assert said.startswith(f"usage: climate-risk {job} ")
    assert re.search(rf"^    (\w+=\S+ )?climate-risk {job}\b", said, re.MULTILINE)
    assert "python -m" not in said


def test_run_is_the_yearly_job_by_either_name(capsys):
    with pytest.raises(SystemExit, match="0"):
        command.main(["run", "--help"])
    assert capsys.readouterr().out.startswith("usage: python -m jobs.yearly ")
    assert command.main([]) == 0
    assert "run is another name of yearly" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys):
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"climate-risk-engine {version('climate-risk-engine')}\n"


def test_refusals_and_lines_to_type_name_the_command_as_it_was_called(entry, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    assert command.main(["yearly", "--rissks", "drought"]) == 2
    assert caplog.messages[-1].endswith("; see climate-risk yearly --help")
    for text in ("run jobs.yearly, which makes a database", "(jobs.etl)", "see jobs/etl.py, engine.jobs.x and jobs.py"):
        assert _console.sentence(text) == text.replace(" jobs.yearly", " climate-risk yearly").replace(
            "(jobs.etl", "(climate-risk etl"
        )
    assert _console.sentence("it lacks x: apply the schema with python -m jobs.schema") == (
        "it lacks x: apply the schema with climate-risk schema"
    )
    assert _console.resume_line("yearly", 12, ["--cells", "9"]) == "climate-risk yearly --cells 9 --resume 12"
    plain = Namespace(sink=None, run_dir=None, sample=None)
    assert [line for line in _look.lines(plain, settings.load(), Path(".engine")) if "http" not in line] == [
        "map:    climate-risk serve",
        "report: climate-risk report",
        "tables: climate-risk embedded --home .engine",
    ]
    monkeypatch.setenv("PATH", "/usr/bin")
    assert _console.resume_line("yearly", 12) == "./climate-risk yearly --resume 12"
    monkeypatch.setattr(sys, "argv", ["/else where/climate-risk", "yearly"])
    assert _console.resume_line("yearly", 12) == "'/else where/climate-risk' yearly --resume 12"


def test_the_stored_command_of_a_run_is_the_same_by_either_name(entry):
    args = Namespace(cells="9", resume=None, job=None, dry_run=False, source=None)
    assert _run.command_line("yearly", args) == "python -m jobs.yearly --cells 9"


def test_children_do_not_import_from_the_folder_they_work_in(tmp_path):
    for name in ("jobs", "engine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('imported from the working directory')")
    for words in listen.COMMANDS.values():
        assert words == _called.child(words[3].removeprefix("jobs."), *words[4:])
    done = subprocess.run([*_called.child("status"), "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: python -m jobs.status")


def test_no_process_of_ours_is_started_by_hand_without_the_flag():
    """Python's -m and -c look into the working directory first."""
    bare = re.compile(r"""executable,? *["']-(?!P["'])""")
    found = [
        f"{path}: {line}"
        for room in ("engine", "jobs")
        for path in (ROOT / room).rglob("*.py")
        for line in path.read_text().splitlines()
        if bare.search(line)
    ]
    assert found == []


def test_windows_is_refused_in_one_sentence():
    script = "import sys; sys.platform = 'win32'; import jobs.__main__"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Windows Subsystem for Linux (WSL)" in done.stderr
    assert shlex.split(done.stderr)[0] == "refused:"
