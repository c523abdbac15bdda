"""List of the loaders, in the order in which they depend on each other, and the one way to run them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import psycopg

from engine.core.errors import EngineError, SettingsError
from engine.core.names import unknown
from engine.core.quality import load_ranges
from engine.io.db import pooler, postgres
from engine.io.etl import load_record
from engine.io.etl.load_record import LoadReport, Status
from engine.io.etl.loading import FLAGS, OBSERVED, Loader, LoadOptions, Progress
from engine.io.files.source_files import MissingInputError
from engine.io.netcdf import units

#: name -> module of `loaders` and the loader in it
LOADERS: Mapping[str, tuple[str, str]] = {
    "grid": ("grid", "load"),
    "sea_level": ("sea_level", "load"),
    "monthly_grid": ("gridded", "MONTHLY"),
    "yearly_grid": ("gridded", "YEARLY"),
    "optional_grid": ("gridded", "OPTIONAL"),
    # from here on cells are described, so it must be known which have climate: else the next load describes others
    "admin": ("admin", "load"),
    "population": ("population", "load"),
    "sgg261_daily": ("sgg261", "load"),
    "dem": ("dem", "load"),
    "landcover": ("landcover", "load"),
    "map_layers": ("map_layers", "load"),
    "besttrack": ("besttrack", "load"),
    "wamis": ("wamis", "load"),
    "aqueduct": ("aqueduct", "load"),
    "basins": ("basins", "load"),
    "buildings": ("buildings", "load"),
}
ALL = "all"
#: loader -> what risks cannot be computed without, tables or a column of `grid_attributes`; climate tables apart
FILLS: Mapping[str, tuple[str, ...]] = {
    "sea_level": ("sea_level_grid", "sea_level_data"),
    "map_layers": ("dist_coast_m",),
    "besttrack": ("api_typhoon_besttrack",),
    "wamis": ("api_wamis_stations", "api_wamis_water_usage", "api_wamis_flow"),
    "aqueduct": ("water_stress_rankings",),
    "basins": ("water_basin", "water_basin_province"),
}


def names() -> list[str]:
    """Loaders in dependency order. Imports none of them."""
    return list(LOADERS)


def loader(name: str) -> Loader:
    """A loader by name; refuses an unknown one."""
    if name not in LOADERS:
        raise SettingsError(unknown("loader", name, [*LOADERS, ALL]))
    module, attribute = LOADERS[name]
    return cast(Loader, getattr(importlib.import_module(f"{__name__}.loaders.{module}"), attribute))


def chosen_loaders(chosen: Sequence[str], options: LoadOptions) -> dict[str, Loader]:
    """Loaders by name, in dependency order.

    chosen : names, or `all`
    raises : SettingsError for an unknown name, or an option that none of them takes
    """
    wanted = list(LOADERS) if ALL in chosen else chosen
    found = {name: loader(name) for name in wanted}
    for option in options.given():
        if not any(option in each.takes for each in found.values()):
            takers = [name for name in LOADERS if option in loader(name).takes]
            raise SettingsError(
                f"{FLAGS[option]} is an option of {', '.join(takers)}, not of {', '.join(found)}: leave it out, or name"
                " such a loader, too"
            )
    return {name: found[name] for name in LOADERS if name in found}


def run_loaders(url: str, chosen: Sequence[str], options: LoadOptions, progress: Progress) -> list[LoadReport]:
    """Run loaders in dependency order; a failure of one stops its own tables only.

    url    : the warehouse, with its schema applied
    chosen : names, or `all`; one that is named fails where none of its files is there, one of `all` is `not given`
    raises : SettingsError, also for an option that no chosen loader takes, before any table was touched; SourceError
             when the database cannot be reached
    """
    loaders = chosen_loaders(chosen, options)
    load_ranges(options.gate)
    units.check_overrides(options.units)
    if options.crs is not None:
        from engine.io.etl import places  # slow to import, and most loads need none of it

        places.known_crs(options.crs, "--crs")
    reports: list[LoadReport] = []
    with postgres.connect(url) as connection:
        pooler.require_session(connection, "a load", "DW_* (or --warehouse)")
        for name, each in loaders.items():
            found = _run(each, connection, options, progress)
            # a record of one station offers what it offers
            reports += _asked_for(found) if name in chosen and options.scope != OBSERVED else found
    return reports


def _asked_for(reports: list[LoadReport]) -> list[LoadReport]:
    """Of a loader that was named: what is not given has failed, and so has a loader without any file."""
    bare = all(report.status == "absent" for report in reports)
    failed: Status = "failed"
    return [replace(report, status=failed) if report.status == "not given" or bare else report for report in reports]


def _run(loader: Loader, connection: psycopg.Connection, options: LoadOptions, progress: Progress) -> list[LoadReport]:
    try:
        with postgres.failures(f"running loader {loader.name}", EngineError):
            return loader(connection, options, progress)
    except SettingsError:
        raise
    except MissingInputError as err:
        missing: Status = "failed" if err.in_part else "absent" if options.scope == OBSERVED else "not given"
        return [*_done(err), LoadReport(loader=loader.name, table="", status=missing, message=str(err))]
    except EngineError as err:
        if connection.closed or connection.broken:
            raise
        return [*_done(err), load_record.failed(loader.name, err)]


def _done(err: EngineError) -> list[LoadReport]:
    """Reports of the tables that the loader had finished before."""
    return [report for report in err.done if isinstance(report, LoadReport)]
