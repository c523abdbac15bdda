"""Checks of a batch's arguments before anything is started: no server, no sample, no folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from engine.batch.pipeline import parse_cells
from engine.core.address import is_address, shown
from engine.core.errors import SettingsError
from engine.io.results.folder import open_folder
from engine.io.results.spool import RunDirectory


def check(args: argparse.Namespace, runs: Path | str) -> None:
    """Refuse what cannot be run, whatever the databases hold.

    runs   : where run directories are
    raises : SettingsError naming the option
    """
    parse_cells(args.cells)
    if args.sink is not None and not is_address(args.sink):
        _check_folder("--sink", Path(args.sink))
    if args.run_dir is not None:
        _check_runs(args.run_dir)
    if args.cluster is not None:
        from engine.batch import cluster  # numba and dask: for those who ask

        cluster.check_address(args.cluster)
    if args.resume is not None:
        RunDirectory.open(runs, args.resume)


def _check_runs(text: str) -> None:
    if not text.strip():
        raise SettingsError("--run-dir is given, but empty: leave it out, or name a folder")
    open_folder(text)
    if "://" not in text:
        _check_folder("--run-dir", Path(text))
    elif text.startswith("file:"):
        _check_folder("--run-dir", Path(unquote(urlsplit(text).path)))


def _check_folder(option: str, folder: Path) -> None:
    """A folder that is there, or can be made in one that is."""
    name = shown(str(folder))
    try:
        if folder.exists() and not folder.is_dir():
            raise SettingsError(f"{option} {name} is a file: name a folder")
        place = folder if folder.is_dir() else folder.absolute().parent
        if folder.is_symlink() and not folder.exists():
            raise SettingsError(f"{option} {name} is a link to {folder.readlink()}, which is not there")
        if not place.is_dir():
            raise SettingsError(f"{option} {name}: there is no folder {shown(str(place))} to make it in")
        if not os.access(place, os.W_OK | os.X_OK):
            raise SettingsError(f"{option} {name}: {shown(str(place))} cannot be written to")
    except (OSError, ValueError) as err:
        raise SettingsError(f"{option} {name} cannot be used: {getattr(err, 'strerror', None) or err}") from None
