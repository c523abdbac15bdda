"""Own climate files of `jobs.yearly --data`: options, and the folder in ENGINE_HOME that a run on them has."""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.scenario import Scenario
from jobs import _console, _paths
from jobs._parser import read_by

#: file of the country profile in the folder of a run on own files
COUNTRY = "country.toml"
#: options that belong to --data, and those that name other data or another place
_OF_DATA = ("tracks", "regions", "currency", "scenario_map", "unit", "member")
_AGAINST = ("source", "sample", "sink", "run_dir", "cluster", "cells")
_CURRENCY = re.compile(r"[A-Z]{3}")
#: daily variables and files in --unit and --scenario-map
_DAILY = ("tas", "tasmax", "tasmin", "pr", "hurs", "sfcWind", "rsds")


def add_options(made: _console.Parser) -> None:
    """Add --data and what belongs to it."""
    made.add_argument(
        "--data", type=Path, metavar="DIR",
        help="daily or monthly CF files of any region, and what the loaders know (docs/any-country.md): derived, loaded"
        " into a server of its own in ENGINE_HOME/data, computed and reported (default DW_*, else embedded)",
    )  # fmt: skip
    made.add_argument(
        "--tracks", type=Path, metavar="FILE", help="--data: best tracks, such as IBTrACS (default those in DIR)"
    )
    made.add_argument(
        "--regions", type=Path, metavar="FILE", help="--data: outlines of regions, GeoJSON (default those in DIR)"
    )
    made.add_argument(
        "--currency",
        type=read_by(currency),
        metavar="CODE",
        help="--data: of asset values, such as EUR (default that of COUNTRY)",
    )
    made.add_argument(
        "--scenario-map", metavar="NAME=ID,..",
        help="--data: numbers of scenarios, as a1b=2 (default those of SSPs, and of RCPs by their forcing)",
    )  # fmt: skip
    made.add_argument(
        "--unit",
        action="append",
        default=[],
        metavar="V=U",
        help="--data: unit of a daily variable (default the file's)",
    )  # fmt: skip
    made.add_argument(
        "--member",
        metavar="NAME",
        help="--data: climate model or realisation of files with several (default the first)",
    )


def check(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, and files that are not there.

    raises : SettingsError
    """
    if args.data is None:
        for name in _OF_DATA:
            if getattr(args, name):
                raise SettingsError(f"--{name.replace('_', '-')} goes with --data DIR")
        return
    for name in _AGAINST:
        if getattr(args, name):
            raise SettingsError(
                f"--{name.replace('_', '-')} does not go with --data, whose run has a folder of its own"
            )
    _paths.folder("--data", args.data)
    _paths.file("--tracks", args.tracks)
    _paths.file("--regions", args.regions)
    units(args)
    scenario_numbers(args)


def currency(text: str) -> str:
    """Three letters of ISO 4217.

    raises : SettingsError
    """
    code = text.strip().upper()
    if not _CURRENCY.fullmatch(code):
        raise SettingsError(f"{text!r} is no currency: three letters of ISO 4217, such as EUR")
    return code


def units(args: argparse.Namespace) -> dict[str, str]:
    """Daily variable -> unit."""
    return dict(_console.assigned("--unit", text, _DAILY, "hurs=%") for text in args.unit)


def scenario_numbers(args: argparse.Namespace) -> dict[str, Scenario]:
    """Experiment, or name of a file -> scenario.

    raises : SettingsError
    """
    found: dict[str, Scenario] = {}
    for part in filter(None, map(str.strip, (args.scenario_map or "").split(","))):
        name, _, number = part.rpartition("=")
        if not name.strip():
            raise SettingsError(f"--scenario-map {part}: expected NAME=ID, such as rcp85=4")
        scenario = Scenario.parse(number)
        if scenario in found.values():
            raise SettingsError(f"--scenario-map: two are scenario {int(scenario)}")
        found[name.strip()] = scenario
    return found


def home(engine_home: Path, data: Path, member: str | None) -> Path:
    """Folder of a run on own files: another one for each folder of files and member."""
    path = data.resolve()
    mark = hashlib.sha256(f"{path}\n{member or ''}".encode()).hexdigest()[:6]
    name = re.sub(r"[^\w.-]+", "_", path.name, flags=re.ASCII).strip("._") or "data"
    return engine_home / "data" / f"{name[:40]}-{mark}"
