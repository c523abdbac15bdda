"""Regions of Aqueduct in place of river basins, for countries without gauges: withdrawal over supply is Aqueduct's.

A region is known to Aqueduct by the id of its province in GADM 3.6 (`gid_1`), or by its name within its country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import psycopg

from engine.core.counted import counted
from engine.core.quality import WARNING, Finding
from engine.io.etl.loaders import own_regions
from engine.io.etl.loading import Task
from engine.io.etl.places import Cells, Layer, holder_or_nearest, read_layer
from engine.io.files.source_files import MissingInputError, SourceFile
from engine.io.files.vectors import Geometries

_GID, _COUNTRY = ("gid_1",), ("gid_0", "iso_a3", "adm0_a3", "iso3", "shapegroup")
_LISTED = 5
#: characters of a name of a basin
_LONGEST = 50


@dataclass(frozen=True, slots=True)
class RegionBasins:
    """Regions as basins. names, gids: basin code -> name and id in Aqueduct; outlines: (R,) with their codes (R,)."""

    names: Mapping[int, str]
    gids: Mapping[int, str]
    outlines: Geometries
    codes: tuple[int, ...]
    findings: tuple[Finding, ...]
    sources: tuple[SourceFile, ...]

    def of_cells(self, cells: Cells) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        """(C,) code of the region that holds each cell, or is near it; 0 without one."""
        owner = holder_or_nearest(cells, self.outlines)
        return np.where(owner >= 0, np.array(self.codes, np.int16)[owner], 0).astype(np.int16)

    def shares(self) -> pl.DataFrame:
        """`basin_code`, `gid_1`, `area_weight`: each region is one province of Aqueduct."""
        held = {"basin_code": list(self.gids), "gid_1": list(self.gids.values())}
        return pl.DataFrame(held, schema_overrides={"basin_code": pl.Int16}).with_columns(area_weight=pl.lit(1.0))


def read(task: Task) -> RegionBasins:
    """Regions of the largest level that Aqueduct knows.

    raises : MissingInputError without regions, without Aqueduct, or where it knows none of them
    """
    paths = own_regions.files(task.options)[0]
    ranked = _ranked(task.connection)
    if not paths or ranked.is_empty():
        lacking = [] if paths else ["no layer of regions"]
        lacking += ["water_stress_rankings is empty (load `aqueduct` first)"] if ranked.is_empty() else []
        raise MissingInputError(f"basins: {' and '.join(lacking)}: without gauges, water stress is told by both")
    found: list[tuple[str, str, object]] = []
    unknown: list[str] = []
    for path in paths:
        layer = read_layer(path, task.options.crs)
        name_field = own_regions.name_field(layer, path.name, task.options.region_name)
        for feature, outline in enumerate(layer.geometries):
            name = str(layer.value(feature, name_field))
            gid = _gid(layer, feature, name, ranked)
            if gid is None:
                unknown.append(name)
            else:
                found.append((gid, name, outline))
    if not found:
        raise MissingInputError(
            f"basins: Aqueduct knows none of {counted(len(unknown), 'region')} ({', '.join(unknown[:_LISTED])}): give"
            " them its ids as property gid_1 (GADM 3.6)"
        )
    gids = sorted({gid for gid, _, _ in found})
    number = {gid: place for place, gid in enumerate(gids, 1)}
    names = {number[gid]: name[:_LONGEST] for gid, name, _ in reversed(found)}
    without = f"{counted(len(unknown), 'region')} without water stress"
    message = f"Aqueduct knows no region {', '.join(unknown[:_LISTED])}: {without}"
    return RegionBasins(
        names=dict(sorted(names.items())),
        gids={place: gid for gid, place in number.items()},
        outlines=np.array([outline for _, _, outline in found], object),
        codes=tuple(number[gid] for gid, _, _ in found),
        findings=(Finding(WARNING, "water_basin", message, len(unknown)),) if unknown else (),
        sources=tuple(map(SourceFile.of, paths)),
    )


def _ranked(connection: psycopg.Connection) -> pl.DataFrame:
    rows = connection.execute(
        "SELECT DISTINCT gid_0, gid_1, name_1 FROM water_stress_rankings WHERE gid_1 <> '' ORDER BY 1, 2"
    ).fetchall()
    return pl.DataFrame(rows, schema={"gid_0": pl.String, "gid_1": pl.String, "name_1": pl.String}, orient="row")


def _gid(layer: Layer, feature: int, name: str, ranked: pl.DataFrame) -> str | None:
    """Aqueduct's id of a region: its own `gid_1`, else by its name, in its country where it says which."""
    stated = layer.value(feature, *_GID)
    if stated is not None:
        return str(stated) if str(stated) in ranked["gid_1"] else None
    same = ranked.filter(pl.col("name_1").str.to_lowercase() == name.strip().lower())
    country = layer.value(feature, *_COUNTRY)
    if country is not None:
        same = same.filter(pl.col("gid_0") == str(country).upper())
    return str(same["gid_1"][0]) if same.height == 1 else None
