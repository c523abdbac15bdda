"""Commands to look at results, which work as they are printed, in the folder where the job was started."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from engine.core import settings_files, settings_shown
from engine.core.settings import Settings
from jobs import _called, _own_data

#: where `./run` was called, which goes to its own folder
STARTED_IN = "CLIMATE_RISK_STARTED_IN"
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 (not to listen there)


def lines(args: argparse.Namespace, config: Settings, home: Path) -> Iterator[str]:
    """Commands for the map, the report and the tables of a batch whose results are on this machine.

    home : of the embedded server
    """
    if args.sink is not None:
        runs = [] if args.run_dir is None else ["--run-dir", args.run_dir]
        yield f"report: {_command(_variables(args, home), 'report', '--sink', args.sink, *runs)}"
        return
    if not _is_apart(args) or (config.warehouse_url is None and config.application_url is None):
        given = _variables(args, home)
        host = "127.0.0.1" if config.api_host in _EVERYWHERE else config.api_host
        yield f"map:    {_command(given, 'serve')}"
        yield f"        and http://{host}:{config.api_port}/ in a browser"
        yield f"report: {_command(given, 'report')}"
    yield f"tables: {_command({}, 'embedded', '--home', str(home))}"


def _is_apart(args: argparse.Namespace) -> bool:
    """Whether the run has a folder of its own, a sample's or that of own files."""
    return bool(args.sample or getattr(args, "data", None))


def python() -> str:
    """This Python, as it is called from the working directory."""
    return _program(Path(sys.executable), "python")


def _program(own: Path, name: str) -> str:
    found, here = shutil.which(name), Path.cwd()
    if found and Path(found).absolute() == own.absolute():
        return name
    path = str(own.relative_to(here) if own.is_relative_to(here) else own)
    return shlex.quote(path if "/" in path else f"./{path}")


def resume(line: str) -> str:
    """A line `python -m jobs.JOB ... --resume ID` as it works where this process was started."""
    return _there() + _here(line) if line.startswith("python ") else line


def _there() -> str:
    started = os.environ.get(STARTED_IN)
    return f"cd {shlex.quote(str(Path.cwd()))} && " if started and Path(started) != Path.cwd() else ""


def _command(variables: dict[str, str], job: str, *words: str) -> str:
    given = "".join(f"{name}={shlex.quote(value)} " for name, value in variables.items())
    return f"{_there()}{given}{_here(f'python -m jobs.{job}')} {shlex.join(words)}".rstrip()


def _here(line: str) -> str:
    """A line `python -m jobs.JOB ...` as it is called from the working directory."""
    if not _called.by_entry_point():
        return line.replace("python ", f"{python()} ", 1)
    entry = _program(Path(sys.argv[0]).absolute(), _called.ENTRY_POINT)
    return _called.as_called(line).replace(_called.ENTRY_POINT, entry, 1)


def _variables(args: argparse.Namespace, home: Path) -> dict[str, str]:
    """Variables by which another process finds the same settings and the same folder."""
    origin = settings_shown.origins()["engine_home"]
    if _is_apart(args):
        # a file would win over the environment
        away = {settings_files.NAMED: os.devnull} if origin not in ("environment", "secret file", "default") else {}
        own = home / _own_data.COUNTRY
        return {**away, "ENGINE_HOME": str(home)} | ({"COUNTRY": str(own)} if own.is_file() else {})
    given = {"ENGINE_HOME": str(home)} if origin == "environment" else {}
    if named := os.environ.get(settings_files.NAMED):
        given[settings_files.NAMED] = named
    return given
