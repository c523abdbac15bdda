"""The loaders, listed by hand in the order in which they depend on each other, and the one way to run them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

import psycopg

from engine.core.errors import EngineError, SettingsError
from engine.core.names import unknown
from engine.core.quality import load_ranges
from engine.io.db import pooler, postgres
from engine.io.etl import loading
from engine.io.etl.loading import OBSERVED, Loader, LoadOptions, LoadReport, Progress, Status
from engine.io.files.source_files import MissingInputError
from engine.io.netcdf import units

#: name -> module of `loaders`, and the object in it when the module holds several loaders
_WHERE: dict[str, tuple[str, str | None]] = {
    "grid": ("grid", None),
    "sea_level": ("sea_level", None),
    "monthly_grid": ("gridded", "MONTHLY"),
    "yearly_grid": ("gridded", "YEARLY"),
    "optional_grid": ("gridded", "OPTIONAL"),
    # from here on cells are described, so it must be known which have climate: else the next load describes others
    "admin": ("admin", None),
    "population": ("population", None),
    "sgg261_daily": ("sgg261", None),
    "dem": ("dem", None),
    "landcover": ("landcover", None),
    "map_layers": ("map_layers", None),
    "besttrack": ("besttrack", None),
    "wamis": ("wamis", None),
    "aqueduct": ("aqueduct", None),
    "basins": ("basins", None),
    "buildings": ("buildings", None),
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
    return [name for name, (module, _) in _WHERE.items() if importlib.util.find_spec(f"{__name__}.loaders.{module}")]


def loader(name: str) -> Loader:
    """A loader by name; refuses an unknown one."""
    if name not in names():
        raise SettingsError(unknown("loader", name, [*names(), ALL]))
    module, attribute = _WHERE[name]
    imported = importlib.import_module(f"{__name__}.loaders.{module}")
    return cast(Loader, getattr(imported, attribute) if attribute else imported)


def run_loaders(url: str, chosen: Sequence[str], options: LoadOptions, progress: Progress) -> list[LoadReport]:
    """Run loaders in dependency order; a failure of one stops its own tables only.

    url    : the warehouse, with its schema applied
    chosen : names, or `all`; one that is named fails where none of its files is there, one of `all` is `not given`
    raises : SettingsError before any table was touched; SourceError when the database cannot be reached
    """
    wanted = names() if ALL in chosen else list(chosen)
    modules = {name: loader(name) for name in wanted}
    load_ranges(options.gate)
    units.check_overrides(options.units)
    if options.crs is not None:
        from engine.io.etl import places  # slow to import, and most loads need none of it

        places.known_crs(options.crs, "--crs")
    reports: list[LoadReport] = []
    with postgres.connect(url) as connection:
        pooler.require_session(connection, "a load", "DW_* (or --warehouse)")
        for name in (name for name in _WHERE if name in modules):
            found = _run(name, modules[name], connection, options, progress)
            # a record of one station offers what it offers
            reports += _asked_for(found) if name in chosen and options.scope != OBSERVED else found
    return reports


def _asked_for(reports: list[LoadReport]) -> list[LoadReport]:
    """Of a loader that was named: what is not given has failed, and so has a loader without any file."""
    bare = all(report.status == "absent" for report in reports)
    failed: Status = "failed"
    return [replace(report, status=failed) if report.status == "not given" or bare else report for report in reports]


def _run(
    name: str, module: Loader, connection: psycopg.Connection, options: LoadOptions, progress: Progress
) -> list[LoadReport]:
    try:
        with postgres.failures(f"running loader {name}", EngineError):
            return module.load(connection, options, progress)
    except SettingsError:
        raise
    except MissingInputError as err:
        missing: Status = "failed" if err.in_part else "absent" if options.scope == OBSERVED else "not given"
        return [*_done(err), LoadReport(loader=name, table="", status=missing, message=str(err))]
    except EngineError as err:
        if connection.closed or connection.broken:
            raise
        return [*_done(err), loading.failed(name, err)]


def _done(err: EngineError) -> list[LoadReport]:
    """Reports of the tables that the loader had finished before."""
    return [report for report in err.done if isinstance(report, LoadReport)]
