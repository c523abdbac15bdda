"""Course of `jobs.etl derive`."""

from __future__ import annotations

import argparse
import logging
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from engine import kernels
from engine.core import settings
from engine.core.errors import SettingsError
from engine.core.names import shortened, unknown
from engine.core.period import parse_years
from engine.core.quality import load_ranges
from engine.core.scenario import Scenario
from engine.io.etl.derive import daily_files, place_cells
from engine.io.etl.derive.derive import derive
from engine.io.etl.derive.derive_job import Request
from engine.io.etl.loaders.grid import read_lattice
from engine.io.files import source_files
from jobs import _console, _station_tables
from jobs._parser import listed

log = logging.getLogger("jobs")
#: bytes of the name of a folder of a member
_LONGEST = 100


def run(args: argparse.Namespace) -> int:
    """Derive, and tell what came of it."""
    config = settings.load()
    parts = _parts(args)
    kernels.keep_compiled_in(config.kernel_cache)
    kernels.use_threads(config.compute_threads)
    with _console.cell_progress("derive") as progress:
        kernels.warm_up(progress.announce, "derive")
        codes = [_derived(args, part, progress) for part in parts]
    return _console.PARTIAL if _console.PARTIAL in codes else _console.COMPLETE


class _Part(NamedTuple):
    """One climate model: its files, its name in them (None: they hold it alone), and where to write."""

    files: Sequence[Path]
    member: str | None
    out: Path


def _parts(args: argparse.Namespace) -> list[_Part]:
    """What to derive: one model, or with --members each of several.

    raises : SettingsError for members that are not there, SchemaError for files that cannot be used
    """
    if args.members is None:
        return [_Part(args.daily, args.member, args.out)]
    folders = [path for path in args.daily if path.is_dir()]
    if folders and len(folders) < len(args.daily):
        raise SettingsError(
            "--members: --daily names folders and files; give a folder a member, or files that hold all"
        )
    if folders:
        held: dict[str, Sequence[Path]] = {}
        for folder in folders:
            if (name := folder.resolve().name) in held:
                raise SettingsError(f"--members: two folders of --daily are called {name}")
            held[name] = source_files.find(folder, "*.nc", "*.nc4")
            if not held[name]:
                raise SettingsError(f"--members: no NetCDF file is in {folder}")
        return [_Part(held[name], None, args.out / name) for name in _folders(_chosen(args.members, list(held)))]
    names = daily_files.members_of(args.daily)
    if not names:
        files = ", ".join(path.name for path in args.daily[:3])
        raise SettingsError(f"--members: no file has a dimension of members ({files}); a folder a member is read, too")
    written = _folders(_chosen(args.members, names))
    return [_Part(args.daily, name, args.out / folder) for name, folder in written.items()]


def _chosen(asked: str, names: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(names)) if asked == "all" else listed(asked)
    for name in wanted:
        if name not in names:
            raise SettingsError(f"--members: {unknown('member', name, names)}")
    return wanted


def _folders(members: Sequence[str]) -> dict[str, str]:
    """Members -> names of their folders, none of which is another's on a disk that does not tell cases apart.

    raises : SettingsError for a name that makes no folder, and for two that make one
    """
    found: dict[str, str] = {}
    for member in members:
        if not member.strip() or member.strip().lower() == "nan":
            raise SettingsError(f"--members: a member is called {member!r}, which is no folder: name it in its files")
        if (size := len(member.encode())) > _LONGEST:
            raise SettingsError(
                f"--members: {shortened(repr(member))} has {size} bytes, a folder here has {_LONGEST} at most:"
                " write this member with --member and --out"
            )
        folder = _folder_name(member)
        for other, name in found.items():
            if other != member and name.casefold() == folder.casefold():
                raise SettingsError(
                    f"--members: {other!r} and {member!r} lead to one folder; write them one at a time with --member"
                    " and --out"
                )
        found[member] = folder
    return found


def _folder_name(member: str) -> str:
    """A member as the name of a folder: no part of a path, nothing hidden."""
    return re.sub(r"[^\w.+-]", "_", member).lstrip(".") or "_"


def _derived(args: argparse.Namespace, part: _Part, progress: _console.CellProgress) -> int:
    started = time.perf_counter()
    request = Request(
        files=part.files,
        base=parse_years(args.base),
        scenario=Scenario.parse(args.scenario) if args.scenario else None,
        base_files=args.base_files,
        years=parse_years(args.years) if args.years else None,
        grid=read_lattice(args.lattice) if args.lattice else None,
        step=args.step or place_cells.STEP,
        scope=args.scope,
        units=_station_tables.units(args),
        tables=_station_tables.options(args),
        dry_spells_cross_years=args.dry_spells_cross_years,
        member=part.member,
        attributes={} if part.member is None else {"member": part.member},
        ranges=load_ranges(args.gate) if args.gate else None,
    )
    derived = derive(request, part.out, progress=progress)
    for finding in derived.findings:
        log.warning("%s", finding.message)
    reasons: dict[str, list[str]] = {}
    for what, why in derived.missing.items():
        reasons.setdefault(why, []).append(what)
    for why, names in reasons.items():
        log.error("no value, so not written: %s (%s)", ", ".join(names), why)
    log.info(
        "files=%d missing=%d warnings=%d out=%s seconds=%.1f",
        len(derived.files), len(derived.missing), len(derived.findings), part.out, time.perf_counter() - started,
    )  # fmt: skip
    return _console.PARTIAL if derived.missing else _console.COMPLETE
