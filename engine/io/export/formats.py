"""The formats of an export by name, and an export from its layers to its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.io.export import target
from engine.io.export.geoparquet import Geometry
from engine.io.export.table import Export

GEOMETRIES: tuple[Geometry, ...] = ("polygon", "point")


@dataclass(frozen=True, slots=True)
class Format:
    """A format. holds: the files of its folder; needs: modules beyond the base that write it"""

    holds: str
    needs: tuple[str, ...] = ()


FORMATS: Mapping[str, Format] = {
    "geoparquet": Format("RISK.parquet, a row a cell, scenario and period"),
    "zarr": Format("results.zarr, arrays with labels (CF)", ("zarr",)),
    "netcdf": Format("results.nc, arrays with labels (CF)"),
    "cog": Format("RISK_SCENARIO_PERIOD.tif, a band a figure, with STAC items", ("rasterio",)),
    "csv": Format("RISK.csv and columns.csv"),
    "xlsx": Format("results.xlsx, a sheet a risk"),
    "duckdb": Format("results.duckdb, tables and views", ("duckdb",)),
}


def parse(name: str) -> str:
    """A format by its name.

    raises : SettingsError
    """
    if name not in FORMATS:
        raise SettingsError(unknown("format", name, FORMATS))
    return name


@dataclass(frozen=True, slots=True)
class Written:
    """What became of an export. size: bytes; None: it was there already, equal"""

    folder: Path
    size: int | None


def export_to(
    folder: Path, export: Export, name: str, *, geometry: Geometry = "polygon", force: bool = False
) -> Written:
    """Write the layers of an export in a format.

    folder   : of its own; made, and whole or not there
    geometry : of cells in geoparquet
    force    : another export in the folder is replaced
    raises   : SettingsError for a folder with anything else in it, and for what the format cannot hold; SinkError
    """
    identity = {"format": name, "geometry": geometry if name == "geoparquet" else None, **export.about}
    identity["layers"] = [list(key) for key in export.keys]
    if target.is_equal(folder, identity):
        return Written(folder, None)
    target.require_free(folder, force=force)
    write = _writer(name, geometry)

    def fill(partial_folder: Path) -> None:
        write(partial_folder, export)
        about = json.dumps(export.about, indent=1, ensure_ascii=False)
        (partial_folder / "run.json").write_text(about + "\n", "utf-8")

    return Written(folder, target.place(folder, identity, fill))


def _writer(name: str, geometry: Geometry) -> Callable[[Path, Export], Any]:
    """Imports what a format needs, and no other."""
    if name == "geoparquet":
        from engine.io.export import geoparquet

        return partial(geoparquet.write, geometry=geometry)
    if name in ("netcdf", "zarr"):
        from engine.io.export import arrays

        return arrays.write_netcdf if name == "netcdf" else arrays.write_zarr
    if name == "cog":
        from engine.io.export import cog

        return cog.write
    if name == "duckdb":
        from engine.io.export import duckdb_file

        return duckdb_file.write
    from engine.io.export import tables

    return tables.write_csv if name == "csv" else tables.write_workbook
