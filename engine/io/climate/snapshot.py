"""A warehouse written out as a store: band by band, resumable, never larger in memory than one row group a column."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.errors import BusyError, SchemaError, SinkError, SourceError
from engine.core.grid import BANDS
from engine.core.panel import Float32, Panel
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.climate import schema
from engine.io.climate.source import ClimateSource
from engine.io.climate.store import FORMAT, MANIFEST, ROW_GROUP, Band, band_path, band_schema, read_manifest, sha256

log = logging.getLogger(__name__)
Pair = tuple[Variable, Scenario]


def write(source: ClimateSource, folder: Path | str) -> dict[str, int]:
    """Write a store, or finish one that was begun; a finished one of the same data is left alone.

    source  : what to copy; folder: made when absent
    returns : files and bytes of the store, and how many `bands` were written now
    raises  : SourceError when the data have changed since the store was begun; SchemaError for duplicate rows
              and rows off the time axis; BusyError when another process writes it; SinkError when the disk fails
    """
    folder = Path(folder)
    with _failures(folder), _alone(folder):
        manifest = _begin(source, folder)
        written = 0
        if not manifest["complete"]:
            cells = source.cells()
            for number, (lo, hi) in enumerate(manifest["bands"]):
                if number < manifest["bands_written"]:
                    continue
                part = cells.filter(pl.col("grid_id").is_between(lo, hi, closed="left"))
                manifest["files"] |= _write_band(source, folder, Band(number, lo, hi), part)
                manifest["bands_written"] = number + 1
                _replace(folder, manifest)
                written += 1
                log.info("band %d of %d: %d cells", number + 1, len(manifest["bands"]), part.height)
            manifest["files"] |= _write_tables(source, folder)
            manifest["complete"] = True
            _replace(folder, manifest)
    files = manifest["files"].values()
    return {"files": len(files), "bytes": sum(file["bytes"] for file in files), "bands": written}


def _begin(source: ClimateSource, folder: Path) -> dict[str, Any]:
    """The manifest to go on with; refuses one of other data."""
    if (folder / MANIFEST).exists():
        manifest = read_manifest(folder)
        if manifest["source_fingerprint"] != source.fingerprint:
            state = "holds a store" if manifest["complete"] else "holds a begun store"
            raise SourceError(f"{folder} {state} of other data than the source's: choose another folder or remove it")
        return manifest
    if left := [path.name for path in folder.iterdir() if path.name != ".lock"]:
        raise SourceError(f"{folder} is no climate store, and not empty: it holds {sorted(left)[0]}")
    if source.cells().is_empty():
        raise SourceError("the source has no active cell to write")
    return {
        "format": FORMAT,
        "complete": False,
        "source_fingerprint": source.fingerprint,
        "scope": source.scope,
        "axis": list(source.axis),
        "grid": asdict(source.grid) if source.grid else None,
        "covered_years": list(source.covered_years),
        "bands": _bands(source),
        "bands_written": 0,
        "files": {},
    } | (
        # left out for the four SSPs, so that a store of theirs keeps its fingerprint
        {"scenario_names": {str(int(each)): name for each, name in source.scenario_names.items()}}
        if source.scenario_names
        else {}
    )


def _bands(source: ClimateSource) -> list[tuple[int, int]]:
    """The lattice's bands; without one, ranges of equally many cells."""
    if source.grid:
        return source.grid.bands()
    parts = np.array_split(source.cells()["grid_id"].to_numpy(), BANDS)
    starts = [int(part[0]) for part in parts if len(part)]
    return list(zip(starts, [*starts[1:], int(source.cells()["grid_id"][-1]) + 1], strict=True))


def _write_band(source: ClimateSource, folder: Path, band: Band, cells: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """All climate files of one band; a row group of each at a time."""
    if cells.is_empty():
        return {}
    held = [v for v in VARIABLES.values() if v.table in source.tables]
    pairs = [(v, s) for v in held for s in Scenario if s.column in source.tables[v.table]]
    names = {pair: band_path(*pair, band) for pair in pairs}
    with ExitStack() as stack:
        writers = {}
        for pair, name in names.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = band_schema(pair[0], source.axis, source.fingerprint)
            writers[pair] = stack.enter_context(_writer(path, columns))
        for start in range(0, cells.height, ROW_GROUP):
            part = cells[start : start + ROW_GROUP]
            panel = source.read(part, [v.name for v in held], list(Scenario))
            # a store has no place for them: the block they came in is forgotten
            for fault, found in (
                ("duplicate rows", panel.duplicates),
                (f"rows outside the time axis {panel.axis}", panel.off_axis),
            ):
                for table, rows in found.items():
                    where = f"in cells {part['grid_id'][0]}..{part['grid_id'][-1]}"
                    raise SchemaError(f"{table}: {rows} {fault} {where}")
            for pair, writer in writers.items():
                _write_group(writer, panel, pair)
    return {name: _entry(folder / name, cells.height) for name in names.values()}


def _writer(path: Path, columns: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        columns,
        compression="zstd",
        compression_level=1,  # docs/decisions/0010
        use_dictionary=False,
        use_byte_stream_split=["values.list.element"],
        write_statistics=["grid_id"],
        write_page_checksum=True,
    )


def _write_group(writer: pq.ParquetWriter, panel: Panel, pair: Pair) -> None:
    values: Float32 = panel.arrays[pair[0].name, pair[1]].reshape(-1)
    columns = writer.schema
    lists = pa.FixedSizeListArray.from_arrays(pa.array(values), type=columns.field("values").type)
    writer.write_table(pa.table([pa.array(panel.grid_id), lists], schema=columns), row_group_size=ROW_GROUP)


def _write_tables(source: ClimateSource, folder: Path) -> dict[str, dict[str, Any]]:
    """Every other table the engine reads, whole."""
    entries = {}
    for name in schema.REFERENCE:
        if name in source.tables:
            path = folder / f"{name}.parquet"
            frame = source.table(name)
            frame.write_parquet(path, compression="zstd", compression_level=3)
            entries[path.name] = _entry(path, frame.height)
    return entries


def _entry(path: Path, rows: int) -> dict[str, Any]:
    """The manifest's line on a file, once its bytes have reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return {"bytes": path.stat().st_size, "sha256": sha256(path), "rows": rows}


def _replace(folder: Path, manifest: dict[str, Any]) -> None:
    """Put the manifest in place in one step."""
    fresh = folder / f"{MANIFEST}.new"
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / MANIFEST)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder; the lock goes with the process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another process is writing the store {folder}") from None
        yield


@contextmanager
def _failures(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as err:
        raise SinkError(f"failed while writing the store {folder}: {err}") from err
