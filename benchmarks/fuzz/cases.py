"""The inputs that go wrong: a small set of files for every loader and every format it reads, and for `derive`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz import samples

DERIVE = "derive"


@dataclass(frozen=True)
class Case:
    """One loader and one set of its files.

    write   : puts them below a data directory
    needs   : cases that are loaded before
    tables  : what the loader fills; `derive` writes files instead
    words   : further words of the command
    """

    name: str
    loader: str
    write: Callable[[Path], None]
    needs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


_ATTRIBUTES = ("grid_attributes",)
_REGIONS = ("location_admin", "location_grid")
_TRACKS = ("api_typhoon_besttrack",)
_BASINS = ("water_basin", "water_basin_province", "location_grid")
_WATER = ("api_wamis_stations", "api_wamis_water_usage", "api_wamis_flow")
_MASKED = {"tiled": True, "compress": "deflate", "blockxsize": 64, "blockysize": 64}


def _of(variable: str) -> tuple[str, ...]:
    return ("--variables", variable)


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        Case("grid", "grid", samples.grid, (), ("grid_definition", "location_grid")),
        Case("sea level", "sea_level", samples.sea_level, ("grid",), ("sea_level_grid", "sea_level_data")),
        Case("monthly", "monthly_grid", samples.gridded("ta"), ("grid",), ("ta_data",), _of("ta")),
        Case("yearly", "yearly_grid", samples.gridded("wsdi"), ("grid",), ("wsdi_data",), _of("wsdi")),
        Case("yearly, packed", "yearly_grid", samples.packed_gridded, ("grid",), ("wsdi_data",), _of("wsdi")),
        Case("optional", "optional_grid", samples.gridded("fd0"), ("grid",), ("fd0_data",), _of("fd0")),
        Case("admin, shapefile", "admin", samples.towns(".shp", "EPSG:5174"), ("grid",), _REGIONS),
        Case("admin, geopackage", "admin", samples.towns(".gpkg", "EPSG:5179"), ("grid",), _REGIONS),
        Case("admin, geojson", "admin", samples.towns(".geojson", "EPSG:4326"), ("grid",), _REGIONS),
        Case("population", "population", samples.population, ("grid", "admin, geojson"), ("location_admin",)),
        Case("regional, text", "sgg261_daily", samples.regional(False), (), ("ta_daily_sgg261", "location_sgg261")),
        Case("regional, packed", "sgg261_daily", samples.regional(True), (), ("ta_daily_sgg261", "location_sgg261")),
        Case("elevation", "dem", samples.dem, ("grid",), _ATTRIBUTES),
        Case("elevation, packed", "dem", samples.packed_dem, ("grid",), _ATTRIBUTES),
        Case("land cover", "landcover", samples.land_cover(nodata=0), ("grid",), _ATTRIBUTES),
        Case("land cover, masked", "landcover", samples.land_cover(**_MASKED), ("grid",), _ATTRIBUTES),
        Case("map layers", "map_layers", samples.map_layers, ("grid",), ("map_feature", *_ATTRIBUTES)),
        Case("tracks, kma", "besttrack", samples.kma, (), _TRACKS),
        Case("tracks, jma", "besttrack", samples.jma, (), _TRACKS),
        Case("tracks, ibtracs", "besttrack", samples.ibtracs, (), _TRACKS),
        Case("water", "wamis", samples.wamis, (), _WATER),
        Case("aqueduct", "aqueduct", samples.workbook, (), ("water_stress_rankings",)),
        Case("basins", "basins", samples.basins, ("grid", "water"), _BASINS),
        Case("buildings", "buildings", samples.buildings, (), ("api_buildings",)),
        Case(DERIVE, DERIVE, samples.daily),
    )
}  # fmt: skip
