"""The climate source of a Parquet store: one row a cell, so that a read is a copy and nothing is placed.

    ta/ssp2/band=03.parquet     grid_id int32 ascending, values fixed_size_list<float>[years * steps]
    sea_level_data.parquet ...  every other table, with its columns
    manifest.json               lattice, years, origin, and every file with its size and SHA-256; replaced last

Damage is found when a file is read: its size on opening the store, its pages by their checksums, its origin by its
footer. Small tables are hashed whole on opening, climate files are not: they are as large as the data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError, SourceError
from engine.core.grid import GridDefinition
from engine.core.panel import Float32, Panel
from engine.core.period import Years
from engine.core.scenario import Scenario, ScenarioNames, named
from engine.core.variables import Variable, variable
from engine.io.climate import schema
from engine.io.climate.active_cells import active_cells
from engine.io.climate.source import described
from engine.io.files import parquet_file

MANIFEST = "manifest.json"
FORMAT = 1
ROW_GROUP = 4096
Int32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Band:
    """A half-open range of grid_id: one file a variable and scenario."""

    number: int
    lo: int
    hi: int


def band_path(each: Variable, scenario: Scenario, band: Band) -> str:
    """Path of a climate file inside a store."""
    return f"{each.name}/{scenario.column}/band={band.number:02d}.parquet"


def band_schema(each: Variable, axis: Years, origin: str) -> pa.Schema:
    """Columns and footer of a climate file; `origin` is the fingerprint of the warehouse it came from."""
    steps = axis.n * each.steps
    values = pa.list_(pa.field("element", pa.float32(), nullable=False), steps)
    footer = {
        "variable": each.name,
        "unit": each.unit,
        "axis_start": f"{axis.first}-01" if each.monthly else str(axis.first),
        "step": "month" if each.monthly else "year",
        "source_fingerprint": origin,
    }
    fields = [pa.field("grid_id", pa.int32(), nullable=False), pa.field("values", values, nullable=False)]
    return pa.schema(fields, metadata=footer)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a store, finished or not; refuses one of another format."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as err:
        raise SourceError(f"{path} cannot be read: {err}") from err
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise SourceError(f"{path} is no manifest of a climate store of format {FORMAT}")
    return manifest


def sha256(path: Path) -> str:
    """Hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class StoreSource:
    """A finished store, checked against its manifest.

    folder : directory with `manifest.json`; connections: how many files are read at once
    raises : SourceError for an unfinished store, or for files that are not the manifest's
    """

    def __init__(self, folder: Path, *, connections: int = 2) -> None:
        self._folder = folder
        manifest = read_manifest(folder)
        if not manifest["complete"]:
            raise SourceError(f"store {folder} is unfinished: run jobs.snapshot with the same --out again")
        self._files = self._present(manifest["files"])
        self._scope = str(manifest["scope"])
        self._origin = str(manifest["source_fingerprint"])
        self._names = named(manifest.get("scenario_names"))
        self._axis = Years(*manifest["axis"])
        self._grid = GridDefinition(**manifest["grid"]) if manifest["grid"] else None
        self._covered = tuple(int(year) for year in manifest["covered_years"])
        self._bands = [Band(number, lo, hi) for number, (lo, hi) in enumerate(manifest["bands"])]
        listed = json.dumps([manifest | {"files": self._files}], sort_keys=True)
        self._fingerprint = hashlib.sha256(listed.encode()).hexdigest()
        self._workers = ThreadPoolExecutor(connections, "reader")

    def _present(self, files: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Files of the manifest; a whole table or scenario may have been removed, single files may not."""
        groups: dict[str, list[str]] = {}
        for name in files:
            groups.setdefault(name.rpartition("/")[0] or name, []).append(name)
        held: dict[str, dict[str, Any]] = {}
        faults = []
        for names in groups.values():
            on_disk = [name for name in names if (self._folder / name).is_file()]
            if not on_disk:
                continue
            faults += [f"{name} is missing" for name in names if name not in on_disk]
            for name in on_disk:
                path, stated = self._folder / name, files[name]
                if path.stat().st_size != stated["bytes"]:
                    faults.append(f"{name} has {path.stat().st_size} bytes, not {stated['bytes']}")
                elif "/" not in name and sha256(path) != stated["sha256"]:
                    faults.append(f"{name} has another content")
                held[name] = stated
        if faults:
            raise SourceError(
                f"store {self._folder}: {counted(len(faults), 'file')}"
                f" {agree(len(faults), 'is', 'are')} not the manifest's; {faults[0]}"
            )
        return held

    @property
    def address(self) -> str:
        return str(self._folder.absolute())

    __repr__ = described

    @property
    def grid(self) -> GridDefinition | None:
        return self._grid

    @property
    def axis(self) -> Years:
        return self._axis

    @property
    def scope(self) -> str:
        return self._scope

    @property
    def scenario_names(self) -> ScenarioNames:
        return self._names

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def snapshot(self) -> None:
        return None

    @cached_property
    def cuts(self) -> Sequence[int]:
        """First cells of the row groups: a block that splits one decodes it for its neighbour, too."""
        ids = self._cells["grid_id"].to_numpy()
        ends = (np.searchsorted(ids, [band.lo, band.hi]) for band in self._bands)
        return [int(first) for start, stop in ends for first in ids[start:stop:ROW_GROUP]]

    @property
    def covered_years(self) -> tuple[int, ...]:
        return self._covered if "api_typhoon_besttrack" in self.tables else ()

    @cached_property
    def tables(self) -> Mapping[str, frozenset[str]]:
        columns: dict[str, set[str]] = {}
        for name in self._files:
            folder, _, _ = name.rpartition("/")
            if folder:
                each = variable(folder.split("/")[0])
                columns.setdefault(each.table, {"grid_id", each.time_column}).add(folder.split("/")[1])
            else:
                columns[name.removesuffix(".parquet")] = set(pq.read_schema(self._folder / name).names)
        return {name: frozenset(found) for name, found in columns.items()}

    def cells(self) -> pl.DataFrame:
        return self._cells

    @cached_property
    def _cells(self) -> pl.DataFrame:
        attributes = self.table("grid_attributes") if "grid_attributes" in self.tables else None
        return active_cells(self.table("location_grid"), attributes)

    def table(self, name: str) -> pl.DataFrame:
        if name not in schema.REFERENCE or f"{name}.parquet" not in self._files:
            raise SourceError(f"store {self._folder} has no table {name}")
        path = self._folder / f"{name}.parquet"
        try:
            return parquet_file.read(path)
        except (OSError, pa.ArrowException) as err:
            raise SourceError(f"store {self._folder}: {path.name} cannot be read: {str(err).splitlines()[0]}") from err

    def read(self, cells: pl.DataFrame, variables: Sequence[str], scenarios: Sequence[Scenario]) -> Panel:
        ids = np.ascontiguousarray(cells["grid_id"].to_numpy(), np.int32)
        if not len(ids) or (np.diff(ids) <= 0).any():
            raise ValueError(f"{counted(len(ids), 'cell')}: a block needs cells, ascending and once each")
        pairs = [
            (each, scenario)
            for each in map(variable, variables)
            for scenario in scenarios
            if scenario.column in self.tables.get(each.table, ())
        ]
        blocks = self._workers.map(lambda pair: self._block(ids, *pair), pairs)
        arrays = {(each.name, scenario): block for (each, scenario), block in zip(pairs, blocks, strict=True)}
        return Panel(cells=cells, axis=self._axis, arrays=arrays)

    def _block(self, ids: Int32, each: Variable, scenario: Scenario) -> Float32:
        """(cells, years[, 12]) of one variable and scenario."""
        out = np.empty((len(ids), self._axis.n * each.steps), np.float32)
        left = len(ids)
        for band in self._bands:
            start, stop = np.searchsorted(ids, [band.lo, band.hi])
            if start < stop:
                self._read_band(band_path(each, scenario, band), each, ids[start:stop], out[start:stop])
                left -= int(stop - start)
        if left:
            raise SchemaError(
                f"store {self._folder}: {of_all(left, len(ids), 'cell')} {agree(left, 'lies', 'lie')} in no band"
            )
        return out.reshape((len(ids), self._axis.n, each.steps) if each.monthly else out.shape)

    def _read_band(self, name: str, each: Variable, ids: Int32, out: Float32) -> None:
        """Fill `out` with the rows of one file; refuses a cell that the file does not hold."""
        path = self._folder / name
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                self._check_footer(name, file.schema_arrow, each)
                groups = [
                    number
                    for number in range(file.metadata.num_row_groups)
                    if _overlaps(file.metadata.row_group(number), ids)
                ]
                found = 0
                for number in groups:  # one at a time: a group is copied out and forgotten
                    table = file.read_row_group(number, use_threads=False)
                    held = table.column("grid_id").to_numpy()
                    start, stop = np.searchsorted(ids, [held[0], held[-1] + 1])
                    wanted = ids[start:stop]
                    rows = np.searchsorted(held, wanted)
                    if not np.array_equal(held[rows], wanted):
                        break
                    values = table.column("values").combine_chunks().flatten().to_numpy().reshape(len(held), -1)
                    # neighbours in the file are copied as one piece
                    alike = len(rows) and rows[-1] - rows[0] + 1 == len(rows)
                    out[start:stop] = values[rows[0] : rows[-1] + 1] if alike else values[rows]
                    found += stop - start
        except (OSError, pa.ArrowException) as err:
            raise SourceError(f"{path} is damaged or gone: {str(err).splitlines()[0]}") from err
        if found != len(ids):
            raise SchemaError(f"{path} lacks some of the cells {ids[0]}..{ids[-1]}")

    def _check_footer(self, name: str, found: pa.Schema, each: Variable) -> None:
        expected = band_schema(each, self._axis, self._origin)
        if not found.equals(expected):
            raise SchemaError(f"{name}: columns are {_columns(found)}, not {_columns(expected)}")
        footer = {key: value for key, value in (found.metadata or {}).items() if key != b"ARROW:schema"}
        if wrong := sorted(key.decode() for key, value in expected.metadata.items() if footer.get(key) != value):
            raise SchemaError(f"{name}: footer differs from the store's in {', '.join(wrong)}")

    def close(self) -> None:
        self._workers.shutdown(cancel_futures=True)


def _overlaps(group: Any, ids: Int32) -> bool:
    """True when a row group may hold some of the cells."""
    ends = group.column(0).statistics
    return bool(np.searchsorted(ids, ends.min) < np.searchsorted(ids, ends.max, side="right"))


def _columns(found: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in found)
