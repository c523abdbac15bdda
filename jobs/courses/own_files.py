"""Files of `jobs.yearly --data`: looked at, said in a table, and put together as a run, or refused."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from engine.core import profile_file
from engine.core.counted import counted
from engine.core.errors import SchemaError, SettingsError
from engine.core.period import MIN_SAMPLES, baseline_years, parse_years
from engine.core.profile import Profile
from engine.core.profiles import PROFILES
from engine.core.quality import WORLD, load_ranges
from engine.core.settings import Settings
from engine.io.etl import places
from engine.io.etl.derive import derive_job, grouping, inventory
from engine.io.etl.derive.grouping import Inventory
from engine.io.etl.derive.inventory import Held
from engine.io.etl.loaders import besttrack_readers
from jobs import _addresses, _console, _own_data
from jobs.courses.own_data import GENERIC, OwnData

if TYPE_CHECKING:
    from rich.console import Console


def look(args: argparse.Namespace, config: Settings) -> OwnData:
    """Look at the files of --data, and say what they are.

    raises : SettingsError where they make no run
    """
    _addresses.allow(config)
    folder, overrides = args.data, _own_data.units(args)
    files = inventory.look(folder, overrides)
    out = _console.console()
    out.print(_table(folder, files))
    for each in files:
        for name, why in each.left_out.items():
            out.print(f"not used: {each.path.name}: {grouping.of_variable(name, why)}", markup=False)
    found = grouping.together(folder, files, _own_data.scenario_numbers(args), args.member)
    _require_readable(args)
    if faulty := [(each, name, why) for each in files if each.usable for name, why in each.left_out.items()]:
        each, name, why = faulty[0]
        raise SettingsError(f"{each.path.name}: {grouping.of_variable(name, why)}")
    member = found.member if found.inside or len(found.members) > 1 else None
    profile, text = _country(args, config)
    _say(out, found, member, profile.currency.code, named=args.member is not None)
    baseline = baseline_years(found.years, parse_years(args.baseline) if args.baseline else None)
    request = derive_job.Request(
        files=[path for paths in found.grouped.values() for path in paths],
        grouped=found.grouped,
        names=found.names,
        base=baseline,
        years=found.years,
        step=None,
        scope="observed" if found.observed else "full",
        units=overrides,
        member=found.member if found.inside else None,
        ranges=load_ranges(WORLD),
    )
    return OwnData(
        folder=folder,
        home=_own_data.home(config.engine_home, folder, member),
        found=found,
        request=request,
        tracks=args.tracks,
        regions=args.regions,
        workers=config.etl_workers,
        profile=profile,
        country=text,
    )


def _require_readable(args: argparse.Namespace) -> None:
    """Refuse tracks and regions that are none before anything is made."""
    readers: dict[str, tuple[Path | None, Callable[[Path], object]]] = {
        "--regions": (args.regions, places.read_layer),
        "--tracks": (args.tracks, besttrack_readers.read),
    }
    for option, (path, read) in readers.items():
        try:
            if path is not None and read(path) is None:
                raise SettingsError(f"{option} {path} is none of the best tracks known (KMA, JMA, IBTrACS)")
        except SchemaError as err:
            raise SettingsError(f"{option}: {err}") from err


def _country(args: argparse.Namespace, config: Settings) -> tuple[Profile, str]:
    """The profile of the run, and a file that says it to other processes; without COUNTRY that of any country.

    raises : SettingsError for --currency beside a profile of the user's own, which states one
    """
    name = config.country if "country" in config.model_fields_set else GENERIC
    if name not in PROFILES:
        if args.currency is not None:
            raise SettingsError(f"--currency: COUNTRY is {name}, which states a currency: leave --currency out")
        return profile_file.load(name), Path(name).read_text("utf-8-sig")
    profile, text = profile_file.load(name), f'base = "{name}"\n'
    if args.currency is not None:
        profile, text = profile.in_currency(args.currency), f'{text}\n[currency]\ncode = "{args.currency}"\n'
    return profile, text


def _table(folder: Path, files: Iterable[Held]) -> Table:
    table = Table(title=f"NetCDF files of {folder}")
    for name in ("file", "step", "variables", "calendar", "years", "scenario", "where"):
        table.add_column(name)
    for each in files:
        variables = ", ".join(f"{name} ({unit})" for name, unit in each.units.items())
        members = f", {len(each.members)} members" if len(each.members) > 1 else ""
        years = "" if each.years is None else str(each.years)
        kind = each.experiment or ("" if each.years is None else "none said")
        table.add_row(each.path.name, each.step or "-", variables, each.calendar, years, kind, f"{each.where}{members}")
    return table


def _say(out: Console, found: Inventory, member: str | None, currency: str, *, named: bool) -> None:
    for scenario, name in found.names.items():
        files = ", ".join(path.name for path in found.grouped[scenario])
        out.print(f"scenario {int(scenario)}: {name}, {found.years}, of {files}", markup=False)
    if found.years.n < MIN_SAMPLES:
        out.print(
            f"{found.years}: {counted(found.years.n, 'year')}; losses of yearly values need {MIN_SAMPLES} and are left"
            " out; losses of monthly values and hazard scores are computed"
        )
    out.print(f"asset values are in {currency} (--currency CODE states another)")
    if member is not None and not named and len(found.members) > 1:
        out.print(
            f"{len(found.members)} members: {', '.join(found.members)}; {member} is computed, another with --member"
            " (docs/ensembles.md: all of them, and their spread)",
            markup=False,
        )
