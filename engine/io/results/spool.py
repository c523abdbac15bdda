"""The run directory: finished blocks on disk, and the manifest that says which of them count.

    RUN_ID/manifest.json, RUN_ID/block=NNNNN/KIND.parquet (`ROWS`), for workers RUN_ID/cells.parquet

A block's files are put in place whole; then the manifest is replaced. A block counts once the manifest lists it: a
process killed anywhere loses the blocks in hand and nothing else. One process (the driver) owns the manifest; any
number may store blocks, even the same one: equal blocks are equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from engine.core.errors import SchemaError, SettingsError, SinkError
from engine.core.rows import ROWS
from engine.io.results.folder import open_folder

Cells = tuple[int, int]  # a range of grid_id, half open

_RATIOS = ("aal", "hazard_score", "aal_mean", "aal_p10", "aal_p50", "aal_p90", "agreement")
#: cells a row group of cells.parquet: a worker reads the groups of its block
_CELL_ROWS = 20_000


def canonical(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A block's frame with the columns and types of `ROWS[name]`, checked before it costs anything to refuse.

    raises : SchemaError for a missing column, NaN or null where a value must be, duplicate keys, a value outside 0..1
    """
    schema = ROWS[name].schema
    if missing := [column for column in schema if column not in frame.columns]:
        raise SchemaError(f"{name} frame lacks {', '.join(missing)}")
    try:
        frame = frame.select(schema.names()).cast(schema)
    except pl.exceptions.PolarsError as err:
        raise SchemaError(f"{name} frame does not fit its types: {str(err).splitlines()[0]}") from err
    ratios = [column for column in _RATIOS if column in schema]
    faults = {
        **{f"null {column}": frame[column].is_null() for column in schema if column not in ROWS[name].nullable},
        **{f"NaN {column}": frame[column].is_nan() for column, kind in schema.items() if kind.is_float()},
        **{f"{column} outside 0..1": ~frame[column].is_between(0, 1) for column in ratios},
        # counted within the few risks, scenarios and periods: a fifth of the time that whole keys take
        "duplicate rows": frame.group_by(ROWS[name].key[1:]).agg(pl.len() - pl.col("grid_id").n_unique())["len"],
    }
    if name == "probability":
        unknown = frame["method"] == "insufficient_data"
        faults["rows where method and bins disagree"] = unknown != frame["bin_probs"].is_null()
        faults["rows where method and AAL disagree"] = (unknown | (frame["method"] == "not_priced")) != frame[
            "aal"
        ].is_null()
        faults["NaN in bin_probs"] = frame["bin_probs"].list.eval(pl.element().is_nan()).list.any()
        faults["negative aal_se"] = frame["aal_se"] < 0
        faults["rows whose aal_low, aal and aal_high do not ascend within 0..1"] = (
            (frame["aal_low"] < 0)
            | (frame["aal_low"] > frame["aal"])
            | (frame["aal"] > frame["aal_high"])
            | (frame["aal_high"] > 1)
            | (frame["aal_low"].is_null() != frame["aal_high"].is_null())
        )
        faults["rows whose rates_low, aal and rates_high do not ascend within 0..1"] = (
            (frame["rates_low"] < 0)
            | (frame["rates_low"] > frame["aal"])
            | (frame["aal"] > frame["rates_high"])
            | (frame["rates_high"] > 1)
            | (frame["rates_low"].is_null() != frame["rates_high"].is_null())
        )
    if name == "year_losses":
        losses, valid = frame["losses"], frame["valid"]
        faults["rows with another number of losses than of shares"] = (losses.list.len() != valid.list.len()).fill_null(
            False
        )
        for each in (losses, valid):
            faults[f"rows with {each.name} outside 0..1"] = (each.list.min() < 0) | (each.list.max() > 1)
            faults[f"NaN in {each.name}"] = each.explode().is_nan()
    if found := [f"{count} {fault}" for fault, rows in faults.items() if (count := int(rows.sum() or 0))]:
        raise SchemaError(f"{name} frame of {frame.height} rows: {'; '.join(found)}")
    return frame


def run_ids(root: Path | str) -> frozenset[int]:
    """Numbers that already have a run directory under `root`."""
    return frozenset(int(name) for name in open_folder(root).names() if name.isdigit())


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Record of a stored block, for the driver to commit. files : table -> (rows, bytes)."""

    number: int
    files: Mapping[str, tuple[int, int]]
    notes: Mapping[str, object]


class RunFiles:
    """The part of a run directory that any process may use: it stores blocks and reads the run's cells."""

    def __init__(self, root: Path | str, run_id: int) -> None:
        self.root, self.run_id, self._folder = root, run_id, open_folder(root)

    def store_block(
        self, number: int, frames: Mapping[str, pl.DataFrame], notes: Mapping[str, object] | None = None
    ) -> StoredBlock:
        """Check and write the files of a block; it does not count before `RunDirectory.commit`.

        frames : kind of rows -> its rows, columns of `ROWS`
        notes  : JSON values to keep beside the block (counts for the summary)
        """
        files = {}
        for name, frame in frames.items():
            frame, buffer = canonical(name, frame), io.BytesIO()
            # one risk, scenario and period a row group: the load reads them by these, and skips the others
            cells = max(frame["grid_id"].n_unique(), 1)
            frame.write_parquet(buffer, compression="zstd", compression_level=1, row_group_size=cells)
            data = buffer.getvalue()
            self._write(self._name(number, name), data)
            files[name] = (frame.height, len(data))
        return StoredBlock(number, files, _plain(notes or {}))

    def share_cells(self, cells: pl.DataFrame) -> str:
        """Write the run's cells for the workers; returns the SHA-256 by which they know them."""
        buffer = io.BytesIO()
        cells.write_parquet(buffer, compression="zstd", row_group_size=_CELL_ROWS)
        self._write("cells.parquet", buffer.getvalue())
        return hashlib.sha256(buffer.getvalue()).hexdigest()

    def shared_cells(self, checksum: str) -> pl.LazyFrame:
        """The run's cells, ascending; SettingsError where this process does not see what the driver wrote."""
        name, path = f"{self.run_id}/cells.parquet", None
        if self._folder.size(name) is not None:
            path = self._folder.local(name)
        if path is None or _sha256(path) != checksum:
            raise SettingsError(
                f"{self.root} {'has no' if path is None else 'has another'} {name}: --run-dir must name one folder, "
                "or URL, that the driver and all workers see"
            )
        return pl.scan_parquet(path, glob=False)

    def _name(self, number: int, table: str) -> str:
        return f"block={number:05d}/{table}.parquet"

    def _write(self, name: str, data: bytes) -> None:
        try:
            self._folder.write(f"{self.run_id}/{name}", data)
        except SinkError as err:
            raise SinkError(f"{err}; once that is mended, continue with --resume {self.run_id}") from err


class RunDirectory(RunFiles):
    """One run's blocks and its manifest, in the hands of the driver. Make it with `create` or `resume`."""

    def __init__(self, root: Path | str, run_id: int, manifest: dict[str, Any]) -> None:
        super().__init__(root, run_id)
        self._manifest = manifest

    @classmethod
    def create(
        cls, root: Path | str, run_id: int, identity: Mapping[str, object], blocks: Sequence[Cells]
    ) -> RunDirectory:
        """Start a run: an empty manifest with everything that a resumed run must share with this one.

        identity : JSON values (source fingerprint, edition checksum, risks, pairs, engine version, ...)
        blocks   : half-open ranges of grid_id in order; block n holds the active cells of blocks[n]
        raises   : SinkError when the number is taken or the disk refuses
        """
        if run_id in run_ids(root):
            raise SinkError(f"run {run_id} already has a directory under {root}")
        manifest = {"run_id": run_id, "identity": _plain(identity), "blocks": _plain(blocks), "done": {}}
        made = cls(root, run_id, manifest)
        made._folder.write(f"{run_id}/manifest.json", _dump(manifest))
        return made

    @classmethod
    def open(cls, root: Path | str, run_id: int) -> RunDirectory:
        """A run as it lies there, finished or not, for reading.

        raises : SettingsError for an unknown run
        """
        folder = open_folder(root)
        if folder.size(f"{run_id}/manifest.json") is None:
            known = ", ".join(map(str, sorted(run_ids(root)))) or "none"
            raise SettingsError(f"no run {run_id} under {root}; there: {known}")
        try:
            return cls(root, run_id, json.loads(folder.read(f"{run_id}/manifest.json")))
        except (ValueError, RecursionError) as err:
            raise SchemaError(f"run {run_id} under {root}: its manifest.json cannot be read: {err}") from None

    @classmethod
    def resume(
        cls, root: Path | str, run_id: int, identity: Mapping[str, object], blocks: Sequence[Cells]
    ) -> RunDirectory:
        """Continue a run after its last committed block.

        raises : SettingsError for an unknown run, or naming what differs from its start (source, edition, ...);
                 SinkError when a committed file is gone or cut short
        """
        run = cls.open(root, run_id)
        manifest = run._manifest
        then, now = manifest["identity"] | {"blocks": manifest["blocks"]}, _plain(identity) | {"blocks": _plain(blocks)}
        changed = [name for name in sorted(then | now) if then.get(name) != now.get(name)]
        if changed:
            shown = "; ".join(f"{name} was {_short(then.get(name))}, is {_short(now.get(name))}" for name in changed)
            raise SettingsError(f"run {run_id} cannot be resumed, its inputs changed: {shown}")
        for number, entry in manifest["done"].items():
            for table, (_, size) in entry["files"].items():
                if (found := run._size(int(number), table)) != size:
                    raise SinkError(
                        f"run {run_id} cannot be resumed: block {number} lists {table}.parquet "
                        f"with {size} bytes, found {found or 0}"
                    )
        return run

    @property
    def identity(self) -> dict[str, Any]:
        """Decisions before the first block: source, edition, scope, baseline, pairs, risks, engine version."""
        return dict(self._manifest["identity"])

    def commit(self, block: StoredBlock) -> None:
        """Replace the manifest by one that lists this block; a block committed twice counts once.

        raises : SinkError for files that this process does not see as they were written; the block does not count
        """
        for table, (_, size) in block.files.items():
            if (found := self._size(block.number, table)) != size:
                raise SinkError(
                    f"block {block.number} of run {self.run_id} was stored with a {table}.parquet of {size} bytes, but "
                    f"{self.root} has {found or 'none'} here: every process of a run must see the same run directory"
                )
        entry = {"files": {name: list(size) for name, size in block.files.items()}, "notes": dict(block.notes)}
        manifest = self._manifest | {"done": self._manifest["done"] | {str(block.number): entry}}
        self._write("manifest.json", _dump(manifest))
        self._manifest = manifest

    def settle(self, risks: Mapping[str, Sequence[str]]) -> None:
        """Note which risks may be published, half of a run -> risks: all blocks are there, and these had no fault."""
        self.require_complete()
        manifest = self._manifest | {"settled": _plain(risks)}
        self._write("manifest.json", _dump(manifest))
        self._manifest = manifest

    @property
    def settled(self) -> dict[str, list[str]] | None:
        """Risks that may be published, see `settle`; None for a run that has not come so far or is older."""
        found: dict[str, list[str]] | None = self._manifest.get("settled")
        return found

    @property
    def blocks(self) -> list[Cells]:
        """Half-open ranges of grid_id."""
        return [(lo, hi) for lo, hi in self._manifest["blocks"]]

    @property
    def missing(self) -> list[int]:
        """Numbers of the blocks still to compute, ascending."""
        return [number for number in range(len(self._manifest["blocks"])) if str(number) not in self._manifest["done"]]

    @property
    def notes(self) -> dict[int, dict[str, Any]]:
        """Notes of each committed block, in order."""
        done = self._manifest["done"]
        return {number: done[str(number)]["notes"] for number in sorted(map(int, done))}

    def require_complete(self) -> None:
        """SinkError while a block is missing: only whole runs are published."""
        if missing := self.missing:
            raise SinkError(
                f"run {self.run_id} lacks {len(missing)} of {len(self.blocks)} blocks (first: {missing[0]})"
            )

    def scan(self, name: str, number: int) -> pl.LazyFrame:
        """Rows of one committed block."""
        if name not in self._manifest["done"].get(str(number), {}).get("files", {}):
            raise SinkError(f"run {self.run_id} has no {name} of block {number}")
        return pl.scan_parquet(self.file(name, number), glob=False)

    def file(self, name: str, number: int) -> Path:
        """Where a table of a committed block lies, or its copy here."""
        return self._folder.local(f"{self.run_id}/{self._name(number, name)}")

    def _size(self, number: int, table: str) -> int | None:
        return self._folder.size(f"{self.run_id}/{self._name(number, table)}")


def _plain(value: Any) -> Any:
    """The value as JSON gives it back, so that what is compared is what was stored."""
    return json.loads(json.dumps(value))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dump(manifest: Mapping[str, object]) -> bytes:
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode()


def _short(value: object) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
