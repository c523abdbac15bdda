"""Land cover of the cells from a classified raster in sheets: the commonest class, shares of forest and built-up land,
and the distance to forest.

Two legends of the same seven classes are in circulation, so the numbers of a GeoTIFF mean nothing without its legend: a
`legend.toml` beside the sheets, `[classes]` with number = name. A legend under which the country has too little forest
or too much water is refused. Maps in NetCDF (`lccs`) say what their numbers mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from engine.core.counted import agree, of_all
from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.quality import WARNING, Finding, Range, load_ranges
from engine.core.sphere import EARTH_RADIUS_M
from engine.io.etl import attributes, lattice, loading
from engine.io.etl.gate import limit_findings
from engine.io.etl.loaders.lccs import CLASSES
from engine.io.etl.loaders.map_layers import LAYERS as MAP_LAYERS
from engine.io.etl.loaders.map_layers import NAME as MAP_LOADER
from engine.io.etl.loaders.sheets import NETCDF, Sheets, is_netcdf
from engine.io.etl.loading import Task
from engine.io.etl.places import Cells, cells_to_describe
from engine.io.files import source_files
from engine.io.files.reading import toml_of
from engine.io.files.source_files import SourceFile

NAME, TABLE = "landcover", attributes.TABLE
PATTERNS = ("landcover/*.tif", "landcover/*.tiff", *(f"landcover/*{ending}" for ending in NETCDF))
LEGENDS = ("landcover/legend*.toml",)
#: built-up land stands for sealed ground: courts, gardens and verges in it are not sealed
SEALED_SHARE_OF_URBAN = 0.85
#: nodes of the raster on which distances to forest are measured, 2 GB
_DISTANCE_NODES = 60_000_000
_URBAN, _FOREST, _WATER = (CLASSES.index(name) for name in ("urban", "forest", "water"))
_LEGEND_DIGITS = 10
Floats = NDArray[np.float64]


@loading.loader(
    NAME,
    version="2",
    takes=(
        "crs",
        "gate",
    ),
)
def load(task: Task) -> None:
    """Fill `landcover_mode`, `impervious_ratio`, `forest_ratio` and `dist_forest_m` of `grid_attributes`.

    Where sheets overlap the first by name counts. Distances to forest are left to a map layer of forest when one is
    loaded. raises : SchemaError for a sheet without CRS or legend, or a class that the legend does not name; GateError
    for a legend under which the land does not look like the country; SchemaError for GeoTIFF without the extra `geo`
    """
    options, connection = task.options, task.connection
    found = task.find(*PATTERNS)
    if not found:
        return task.absent(TABLE, f"no file {' or '.join(PATTERNS)} below {options.data}")
    guessed = not all(map(is_netcdf, found))
    what = f"{NAME}: a legend is needed"
    legend_file = source_files.one_file(options.data, what, *LEGENDS, in_part=True) if guessed else None
    legend = read_legend(legend_file) if legend_file else {}
    grid = lattice.required_definition(connection, NAME)
    cells = cells_to_describe(connection)
    forest_layer = _has_forest_layer(connection)
    inputs: list[Path | SourceFile] = [
        *source_files.all_parts(found),
        *([legend_file] if legend_file else []),
        cells.as_source(),
        SourceFile.of_value("grid_definition", asdict(grid)),
        SourceFile.of_value("forest layer", forest_layer),
    ]
    with task.table(TABLE, inputs, scope_in_files=True) as record:
        if record.up_to_date:
            return
        with ExitStack() as stack:
            sheets = Sheets(stack, found, legend, grid, options.crs)
            record.scope = options.scope_of(next((one.scope for one in sheets.maps if one.scope), None))
            counts, forest = _count(sheets, grid, task.progress)
            record.source_crs = ", ".join(sorted({sheet.crs.to_string() for sheet in sheets.sheets}))
        frame = _shares(counts, cells, with_water=guessed)
        record.findings += _without_pixels(frame, cells)
        if guessed:
            record.findings += _looks_like_the_country(counts, load_ranges(options.gate))
        if not forest_layer:
            frame = frame.join(forest.distances(cells), on="grid_id", how="left")
        record.cells = frame.height
        record.gate_report = {
            "pixels": dict(zip(CLASSES, counts[1:].sum(axis=0).tolist(), strict=True)),
            "impervious_ratio": f"proxy: {SEALED_SHARE_OF_URBAN} of the built-up share",
        }
        with record.transaction():
            record.rows = attributes.write(connection, frame)


def read_legend(path: Path) -> dict[int, int]:
    """Pixel value -> index in CLASSES. raises SchemaError for anything but `[classes]` with number = name."""
    entries = toml_of(path)
    classes = entries.get("classes")
    if not isinstance(classes, dict) or set(entries) != {"classes"}:
        raise SchemaError(f'legend {path.name} needs one table [classes] with lines such as 310 = "forest"')
    for value, name in classes.items():
        if not (value.isdecimal() and len(value) <= _LEGEND_DIGITS and name in CLASSES):
            raise SchemaError(f"legend {path.name}: {value[:40]} = {name!r}; classes are {', '.join(CLASSES)}")
    return {int(value): CLASSES.index(name) for value, name in classes.items()}


class Forest:
    """Forest on a raster in degrees that covers the lattice.

    pixel : degrees of the largest pixel; a node is not smaller, or nodes between the pixels of a wood would be bare
    """

    def __init__(self, grid: GridDefinition, pixel: float) -> None:
        self.grid = grid
        finest = int(grid.step / pixel + 1e-3)
        self.fine = max(1, min(int((_DISTANCE_NODES / grid.n_cells) ** 0.5), finest))
        self.held = np.zeros((grid.n_lat * self.fine, grid.n_lon * self.fine), bool)
        self.step = grid.step / self.fine

    def add(self, longitude: Floats, latitude: Floats) -> None:
        """(n,) pixels of forest; those beyond the lattice are left out."""
        i = np.floor((latitude - self.grid.lat0 + self.grid.step / 2) / self.step).astype(np.intp)
        j = np.floor((self.grid.eastward(longitude) - self.grid.lon0 + self.grid.step / 2) / self.step).astype(np.intp)
        inside = (i >= 0) & (j >= 0) & (i < self.held.shape[0]) & (j < self.held.shape[1])
        self.held[i[inside], j[inside]] = True

    def distances(self, cells: Cells) -> pl.DataFrame:
        """`grid_id`, `dist_forest_m` of the cells' centres, to within one node of the raster; null without forest.

        A degree of longitude has its length at the middle of the lattice.
        """
        if not self.held.any():
            return pl.DataFrame(
                {"grid_id": cells.grid_id, "dist_forest_m": None}, schema_overrides={"dist_forest_m": pl.Float64}
            )
        metres = np.radians(self.step) * EARTH_RADIUS_M
        middle = np.cos(np.radians(self.grid.latitudes.mean()))
        far = distance_transform_edt(~self.held, sampling=(metres, metres * middle))
        rows, columns = self.grid.indices(cells.grid_id)
        half = self.fine // 2
        values = far[rows.astype(np.intp) * self.fine + half, columns.astype(np.intp) * self.fine + half]
        return pl.DataFrame({"grid_id": cells.grid_id, "dist_forest_m": values})


def _count(sheets: Sheets, grid: GridDefinition, progress: loading.Progress) -> tuple[NDArray[np.int64], Forest]:
    """Pixels of each class in each cell, (cells + 1, classes), row 0 beyond the lattice; and where forest is."""
    counts = np.zeros((grid.n_cells + 1, len(CLASSES)), np.int64)
    forest = Forest(grid, sheets.pixel)
    for number, sheet in enumerate(sheets.sheets):
        progress("land cover", number, len(sheets.sheets))
        for kinds, longitude, latitude in sheet.pixels():
            extent = (longitude.min(), latitude.min(), longitude.max(), latitude.max())
            free = np.ones(len(kinds), bool)
            for earlier in sheets.earlier_over(number, *map(float, extent)):
                free &= ~earlier.covers(longitude, latitude)
            kinds, longitude, latitude = kinds[free], longitude[free], latitude[free]
            ids = grid.locate(latitude, longitude).astype(np.int64)
            counts += np.bincount(ids * len(CLASSES) + kinds, minlength=counts.size).reshape(counts.shape)
            forest.add(longitude[kinds == _FOREST], latitude[kinds == _FOREST])
    if not counts[1:].any():
        first = sheets.sheets[0]
        raise SchemaError(
            f"{first.path.name}: no pixel lies on the lattice when read as {first.crs.to_string()}; --crs?"
        )
    return counts, forest


def _shares(counts: NDArray[np.int64], cells: Cells, *, with_water: bool) -> pl.DataFrame:
    """with_water : water is a part of the land; else it may be the sea, and counts where a cell has nothing else."""
    own = counts[cells.grid_id]
    if not with_water:
        dry = own.sum(axis=1) > own[:, _WATER]
        own[dry, _WATER] = 0
    total = own.sum(axis=1)
    kept = total > 0
    own, total = own[kept], total[kept]
    return pl.DataFrame(
        {
            "grid_id": cells.grid_id[kept],
            "landcover_mode": [CLASSES[index] for index in own.argmax(axis=1)],
            "impervious_ratio": SEALED_SHARE_OF_URBAN * own[:, _URBAN] / total,
            "forest_ratio": own[:, _FOREST] / total,
        }
    )


def _looks_like_the_country(counts: NDArray[np.int64], ranges: Mapping[str, Range]) -> list[Finding]:
    pixels = counts[1:].sum(axis=0)
    land = pixels.sum() - pixels[_WATER]
    shares = {"landcover_forest": pixels[_FOREST] / max(land, 1), "landcover_water": pixels[_WATER] / pixels.sum()}
    findings = []
    for name, share in shares.items():
        what = f"the share of {name.removeprefix('landcover_')} under this legend"
        findings += limit_findings(TABLE, np.asarray([share], np.float32), ranges[name], what)
    return findings


def _without_pixels(frame: pl.DataFrame, cells: Cells) -> list[Finding]:
    if not (without := len(cells.grid_id) - frame.height):
        return []
    message = (
        f"{of_all(without, len(cells.grid_id), 'cell')}"
        f" {agree(without, 'holds', 'hold')} no pixel: their land cover stays NULL"
    )
    return [Finding(WARNING, TABLE, message, without)]


def _has_forest_layer(connection: psycopg.Connection) -> bool:
    """Check whether a map layer of forest is loaded, whose distances go before those of a raster."""
    row = connection.execute(
        "SELECT gate_report -> 'features' -> %s FROM etl_load WHERE loader = %s AND table_name = 'map_feature'"
        " AND status = 'published'",
        (MAP_LAYERS[2], MAP_LOADER),
    ).fetchone()
    return bool(row and row[0])
