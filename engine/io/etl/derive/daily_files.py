"""Daily files of any kind, opened: NetCDF on a lattice or of stations, tables of stations."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import xarray as xr

from engine.core.errors import SettingsError
from engine.io.etl.derive import station_netcdf, station_tables
from engine.io.etl.derive.station_tables import TableOptions
from engine.io.files import table_text
from engine.io.netcdf import lattice_files, members

log = logging.getLogger(__name__)


def opened(
    stack: ExitStack, paths: Sequence[Path], tables: TableOptions, overrides: Mapping[str, str]
) -> list[tuple[xr.Dataset, str, bool]]:
    """(dataset, what to call it in a message, whether it is of tables), undecoded, for the life of `stack`; all tables
    are one dataset, in the units that are computed in.

    overrides : daily variable -> unit, over the tables' own

    raises : SettingsError for a path that is no file; SchemaError for a file that cannot be used
    """
    check(paths)
    found = []
    rows = [path for path in paths if table_text.is_table(path)]
    if rows:
        data, said = station_tables.read(rows, tables, overrides)
        for sentence in said:
            log.warning("%s", sentence)
        found.append((data, ", ".join(path.name for path in rows), True))
    for path in paths:
        if path not in rows:
            data = stack.enter_context(lattice_files.dataset(path))
            found.append((station_netcdf.as_list(data, path.name), path.name, False))
    return found


def members_of(paths: Sequence[Path]) -> list[str]:
    """Names of the members of the first NetCDF file that has some; empty without one.

    raises : SchemaError for a file that cannot be used
    """
    for path in paths:
        if not table_text.is_table(path):
            with lattice_files.dataset(path) as data:
                if found := members.of_file(data, path.name):
                    return found
    return []


def check(paths: Sequence[Path]) -> None:
    """Refuse what is no file, before anything is read."""
    for path in paths:
        if path.is_dir():
            kind = "a Zarr store" if {*path.glob(".z*"), *path.glob("zarr.json")} else "a folder"
            raise SettingsError(f"{path} is {kind}; daily values are read from NetCDF, CSV and Parquet files")
        if not path.is_file():
            raise SettingsError(f"{path} does not exist")
