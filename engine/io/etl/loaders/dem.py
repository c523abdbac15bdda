"""Elevation of the cells from the points of a terrain model, and where the points are dense enough also slope and
wetness.

The points of a district lie on a raster of their own, so elevations are taken as mean, minimum and number of the points
in a cell; only slopes, which need neighbours, go through a common raster (`terrain`). Points are read block by block:
memory follows the number of cells, not of points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import polars as pl
import pyproj
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.quality import WARNING, Finding, load_ranges
from engine.io.etl import attributes, lattice, loading
from engine.io.etl.gate import limit_findings
from engine.io.etl.loaders import terrain, xyz
from engine.io.etl.loading import Task
from engine.io.etl.places import cells_to_describe, known_crs, to_degrees
from engine.io.files import source_files

NAME, TABLE = "dem", attributes.TABLE
PATTERNS = (*(f"dem/*{suffix}" for suffix in (*xyz.SUFFIXES, ".zip")), "*dem*ascii*.zip")
#: of the provider's 90 m model, which states it nowhere: points of five districts lie where the districts are
CRS = "EPSG:5186"
#: a cell of 0.01 degree holds 119 to 128 points of 90 m; with fewer than this it is reported
FEW_POINTS = 30
_HALF = 0.5
Floats = NDArray[np.float64]


class Elevations:
    """Number, sum and minimum of the points in every cell of a lattice, added up block by block."""

    def __init__(self, grid: GridDefinition) -> None:
        self.grid = grid
        self.count = np.zeros(grid.n_cells + 1, np.int64)
        self.total = np.zeros(grid.n_cells + 1)
        self.lowest = np.full(grid.n_cells + 1, np.inf)

    def add(self, latitude: Floats, longitude: Floats, metres: Floats) -> int:
        """Add (n,) points; returns how many lie on the lattice."""
        ids = self.grid.locate(latitude, longitude)
        found = (
            pl.DataFrame({"cell": ids, "z": metres})
            .group_by("cell")
            .agg(pl.len().alias("n"), pl.col("z").sum().alias("sum"), pl.col("z").min().alias("min"))
        )
        cells = found["cell"].to_numpy()
        self.count[cells] += found["n"].to_numpy()
        self.total[cells] += found["sum"].to_numpy()
        self.lowest[cells] = np.minimum(self.lowest[cells], found["min"].to_numpy())
        return int((ids > 0).sum())

    def of(self, grid_id: NDArray[np.int32]) -> pl.DataFrame:
        """`grid_id`, `elevation_mean_m`, `elevation_min_m`, `points` of those cells that hold a point."""
        held = grid_id[self.count[grid_id] > 0]
        return pl.DataFrame(
            {
                "grid_id": held,
                "elevation_mean_m": self.total[held] / self.count[held],
                "elevation_min_m": self.lowest[held],
                "points": self.count[held],
            }
        )


@loading.loader(
    NAME,
    version="1",
    takes=(
        "crs",
        "gate",
    ),
)
def load(task: Task) -> None:
    """Fill elevation, slope and wetness index of `grid_attributes` from every text of points below the directory.

    Slope and wetness come only from points at most `terrain.MAX_SPACING_M` apart; wetness needs the extra `geo`.
    raises : SchemaError for a file twice, no point on the lattice (another CRS), or more than 0.1 %
             unreadable lines; GateError for elevations that cannot be
    """
    options = task.options
    found = task.find(*PATTERNS)
    if not found:
        return task.absent(TABLE, f"no file {' or '.join(PATTERNS)} below {options.data}")
    grid = lattice.required_definition(task.connection, NAME)
    cells = cells_to_describe(task.connection)
    ranges = load_ranges(options.gate)
    crs = known_crs(options.crs or CRS, NAME)
    sources = [source_files.SourceFile.of(path) for path in found]
    _refuse_repeats(sources)
    definition = source_files.SourceFile.of_value("grid_definition", asdict(grid))
    with task.table(TABLE, [*sources, cells.as_source(), definition]) as record:
        if record.up_to_date:
            return
        points = [text for path in found for text in xyz.of_file(path)]
        elevations, outlines, doubts = _read(points, grid, crs, task.progress)
        total = sum(text.count for text in points)
        bad = [(text.name, line, reason) for text in points for line, reason in text.bad]
        record.rejected = source_files.reject(options.data, "dem", bad, total + len(bad), dry_run=record.dry_run)
        frame = elevations.of(cells.grid_id)
        record.source_crs, record.stored_unit, record.cells = options.crs or CRS, "m", frame.height
        record.findings += doubts + _findings(frame, len(cells.grid_id))
        for text in (text for text in points if text.cut_short):
            message = f"{text.name} ends within a number, without a line end: it seems to be cut"
            record.findings.append(Finding(WARNING, TABLE, message, 1))
        for column in ("elevation_mean_m", "elevation_min_m"):
            metres = frame[column].cast(pl.Float32).to_numpy()
            record.findings += limit_findings(TABLE, metres, ranges["elevation"], column)
        record.gate_report = {
            "points": total,
            "points_per_cell": {"min": frame["points"].min(), "max": frame["points"].max()},
            "mean_m": frame["elevation_mean_m"].mean(),
        }
        steep, finding = terrain.of_cells(points, outlines, crs, grid, task.progress)
        record.findings += [finding] if finding else []
        frame = frame.drop("points").join(steep, on="grid_id", how="left")
        with record.transaction():
            record.rows = attributes.write(task.connection, frame)
        record.message = counted(total, "point")


def _read(
    points: Sequence[xyz.Points], grid: GridDefinition, crs: pyproj.CRS, progress: loading.Progress
) -> tuple[Elevations, list[terrain.Outline], list[Finding]]:
    elevations, outlines, inside, total = Elevations(grid), [], 0, 0
    degrees = to_degrees(crs, NAME)
    for number, text in enumerate(points):
        progress("elevation", number, len(points))
        outline = terrain.Outline()
        for x, y, z in text.blocks():
            longitude, latitude = degrees.transform(x, y)
            inside += elevations.add(latitude, longitude, z)
            total += len(x)
            outline.add(x, y)
        outlines.append(outline)
    message = (
        f"{of_all(inside, total, 'point')} {agree(inside, 'lies', 'lie')} on the lattice when"
        f" read as {crs.to_string()}; is it another CRS (--crs)?"
    )
    if not inside:
        raise SchemaError(f"{points[0].name}: {message}")
    return elevations, outlines, [Finding(WARNING, TABLE, message, total - inside)] if inside < _HALF * total else []


def _findings(frame: pl.DataFrame, cells: int) -> list[Finding]:
    findings = []
    if few := frame.filter(pl.col("points") < FEW_POINTS).height:
        message = (
            f"{of_all(few, frame.height, 'cell')} {agree(few, 'has', 'have')} an elevation"
            f" from fewer than {counted(FEW_POINTS, 'point')}"
        )
        findings.append(Finding(WARNING, TABLE, message, few))
    if without := cells - frame.height:
        message = (
            f"{of_all(without, cells, 'cell')} {agree(without, 'holds', 'hold')} no point: their elevation stays NULL"
        )
        findings.append(Finding(WARNING, TABLE, message, without))
    return findings


def _refuse_repeats(sources: Sequence[source_files.SourceFile]) -> None:
    seen: dict[str, str] = {}
    for source in sources:
        if source.sha256 in seen:
            raise SchemaError(f"{NAME}: {source.name} and {seen[source.sha256]} are the same file")
        seen[source.sha256] = source.name
