"""Loading a monthly climate variable from its four NetCDF files, against raw binary COPY of the same rows.

Ours is the loader as `jobs.etl` runs it: files hashed, decompressed, checked against the lattice, put through the
quality gate, encoded, hashed again, sent, indexed, analysed and switched in. The rivals send bytes that the server
itself wrote of the same rows into partitions built alike, indexed, analysed and switched in alike: one over a single
connection, the other over as many as ours. Two layouts of the files: compressed tiles that are long in time, and plain
maps, one after the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import psycopg
from psycopg import sql

from benchmarks import harness, scratch
from benchmarks.harness import Options
from engine.core.grid import KOREA, GridDefinition
from engine.core.scenario import Scenario
from engine.core.variables import variable
from engine.io import etl
from engine.io.db import migrate
from engine.io.etl import layout, staging
from engine.io.etl.loading import LoadOptions
from engine.sample.national import NationalClimate

CELLS = 97_377
VARIABLE = variable("ta")
LAYOUTS = ("tiles, compressed", "maps, plain")
_CHUNK = 4 << 20
_COPY = "COPY {} FROM STDIN (FORMAT binary, FREEZE)"
CONNECTIONS = 2
_CELLS_AT_ONCE = 4096


def grid_of(cells: int) -> GridDefinition:
    """The national lattice, coarser when fewer land cells are wanted: the share of land in the files stays."""
    if cells >= CELLS:
        return KOREA
    step = round(KOREA.step * (CELLS / cells) ** 0.5, 6)
    height, width = ((n - 1) * KOREA.step for n in (KOREA.n_lat, KOREA.n_lon))
    return GridDefinition(
        KOREA.lat0, KOREA.lon0, int(height / step) + 1, int(width / step) + 1, step, KOREA.first_year, KOREA.last_year
    )


def write_files(folder: Path, grid: GridDefinition) -> None:
    """One file a scenario and layout, as a provider would deliver them."""
    with closing(NationalClimate(grid=grid, processes=2 if grid.n_cells > _CELLS_AT_ONCE else 1)) as source:
        for scenario in Scenario:
            whole = np.full((grid.n_cells, grid.axis.n * VARIABLE.steps), np.nan, np.float32)
            cells = source.cells()
            for start in range(0, cells.height, _CELLS_AT_ONCE):
                part = cells.slice(start, _CELLS_AT_ONCE)
                panel = source.read(part, [VARIABLE.name], [scenario])
                values = panel.arrays[VARIABLE.name, scenario]
                whole[part["grid_id"].to_numpy() - 1] = values.reshape(part.height, -1)
            cube = whole.reshape(grid.n_lat, grid.n_lon, -1).transpose(2, 0, 1)
            for name in LAYOUTS:
                path = layout.gridded_path(folder / name, VARIABLE, scenario, grid.axis)
                layout.write_gridded(path, grid, VARIABLE, scenario, cube, scope=source.scope, attributes={})
                if name == LAYOUTS[1]:
                    _flatten(path)


def _flatten(path: Path) -> None:
    """The same file with its values as one run of maps, uncompressed."""
    flat = path.with_suffix(".flat")
    with h5netcdf.File(path) as source, h5netcdf.File(flat, "w") as target:
        target.attrs.update(dict(source.attrs))
        target.dimensions = {name: dimension.size for name, dimension in source.dimensions.items()}
        for name, held in source.variables.items():
            fill = held.attrs.get("_FillValue")
            copied = target.create_variable(name, held.dimensions, held.dtype, data=held[...], fillvalue=fill)
            copied.attrs.update({key: value for key, value in held.attrs.items() if key != "_FillValue"})
    flat.replace(path)


def ours(url: str, data: Path) -> int:
    """Load the variable; returns rows."""
    options = LoadOptions(data=data, force=True, variables=(VARIABLE.name,), workers=CONNECTIONS)
    (report,) = etl.run_loaders(url, ["monthly_grid"], options, lambda *_: None)
    if report.status != "published":
        raise RuntimeError(report.message)
    return report.rows


def save_bytes(url: str, folder: Path, grid: GridDefinition) -> None:
    """The published partitions as the server writes them."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        for band in staging.bands(grid):
            command = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(band.name(VARIABLE.table)))
            with (folder / f"{band.number:02d}.binary").open("wb") as file, cursor.copy(command) as copy:
                for data in copy:
                    file.write(data)


def raw(url: str, folder: Path, grid: GridDefinition, connections: int) -> None:
    """New partitions from the saved bytes, switched in as ours are."""

    def send(bands: Sequence[staging.Band]) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for band in bands:
                with (
                    staging.transaction(connection) as cursor,
                    staging.new_partition(cursor, VARIABLE, band) as name,
                    (folder / f"{band.number:02d}.binary").open("rb") as file,
                    cursor.copy(sql.SQL(_COPY).format(sql.Identifier(name))) as copy,
                ):
                    while data := file.read(_CHUNK):
                        copy.write(data)

    bands = staging.bands(grid)
    with ThreadPoolExecutor(connections) as pool:
        for task in [pool.submit(send, bands[first::connections]) for first in range(connections)]:
            task.result()
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            staging.switch(connection, VARIABLE, grid)
        staging.drop_old(connection, VARIABLE)


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a layout of the files: seconds of both, ratio of their speeds."""
    grid = grid_of(options.cells or CELLS)
    files = options.scratch / f"netcdf={grid.n_lat}x{grid.n_lon}"
    if not files.is_dir():
        partial_files = files.with_suffix(".part")
        shutil.rmtree(partial_files, ignore_errors=True)
        write_files(partial_files, grid)
        partial_files.replace(files)
    rows: list[dict[str, Any]] = []
    with _warehouse(options.scratch, files, grid) as url:
        for name in LAYOUTS:
            rows += _contest(url, files / name, name, grid, options)
    return rows


@contextmanager
def _warehouse(folder: Path, files: Path, grid: GridDefinition) -> Iterator[str]:
    with scratch.server(folder) as server:
        url = server.create("etl")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
            migrate.apply(connection, "warehouse")
        layout.write_grid(files / "grid.toml", grid)
        etl.run_loaders(url, ["grid"], LoadOptions(data=files), lambda *_: None)
        yield url


def _contest(url: str, data: Path, name: str, grid: GridDefinition, options: Options) -> list[dict[str, Any]]:
    folder = options.scratch / "encoded-etl"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    loaded = ours(url, data)
    save_bytes(url, folder, grid)
    contest: dict[str, Callable[[], Any]] = {"ours": partial(ours, url, data)}
    contest |= {f"raw {n}": partial(raw, url, folder, grid, n) for n in (1, CONNECTIONS)}
    seconds, _ = harness.in_turn(contest, options.rounds)
    with psycopg.connect(url) as connection:
        held = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(VARIABLE.table))).fetchone()
    assert held == (loaded,), "the rival loads other rows"
    files = [path.stat().st_size for path in data.rglob("*.nc")]
    size = sum(path.stat().st_size for path in folder.iterdir())
    shutil.rmtree(folder)
    rows = []
    for connections in (1, CONNECTIONS):
        rival = seconds[f"raw {connections}"]
        ratio = rival / seconds["ours"]
        rows.append(
            {
                "files": f"{len(files)}, {name}, {sum(files) / 1e6:,.0f} MB",
                "cells": loaded // (grid.axis.n * VARIABLE.steps),
                "rows": loaded,
                "rival": f"raw COPY, binary, {size / 1e6:,.0f} MB, connections: {connections}",
                "ours, s": seconds["ours"],
                "rival, s": rival,
                "ours, rows/s": loaded / seconds["ours"],
                "ratio": ratio,
                "target": harness.verdict(ratio, at_least=0.8),
                "server": scratch.server_version(url),
            }
        )
    return rows
