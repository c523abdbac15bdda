"""The run directory: finished blocks on disk, and the manifest that says which of them count.

    RUN_ID/manifest.json, RUN_ID/block=NNNNN/{probability,hazard}.parquet

A block's files are written under temporary names and renamed; then the manifest is replaced. A block counts once the
manifest lists it, so a process killed anywhere loses the block in hand and nothing else. One process (the driver) owns
the manifest; any number may store blocks.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from engine.errors import SchemaError, SettingsError, SinkError

Cells = tuple[int, int]  # a range of grid_id, half open

#: columns of a block's frames; one row a cell, risk, scenario and period. Hazard scores stay unrounded: ranks need it
SCHEMAS: Mapping[str, pl.Schema] = {
    "probability": pl.Schema(
        {
            "grid_id": pl.Int32(),
            "latitude": pl.Float64(),
            "longitude": pl.Float64(),
            "risk_type": pl.String(),
            "scenario_id": pl.Int16(),
            "time_period": pl.String(),
            "aal": pl.Float32(),
            "aal_se": pl.Float32(),
            "bin_probs": pl.List(pl.Float32()),
            "edges": pl.List(pl.Float64()),
            "n_samples": pl.Int16(),
            "method": pl.String(),
        }
    ),
    "hazard": pl.Schema(
        {
            "grid_id": pl.Int32(),
            "latitude": pl.Float64(),
            "longitude": pl.Float64(),
            "risk_type": pl.String(),
            "scenario_id": pl.Int16(),
            "time_period": pl.String(),
            "hazard_score": pl.Float32(),
        }
    ),
}
KEY = ("grid_id", "risk_type", "scenario_id", "time_period")
_NULLABLE = {"aal", "aal_se", "bin_probs", "edges"}


def canonical(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A block's frame with the columns and types of `SCHEMAS[name]`, checked before it costs anything to refuse.

    raises : SchemaError for a missing column, NaN or null where a value must be, doubled keys, a value outside 0..1
    """
    schema = SCHEMAS[name]
    if missing := [column for column in schema if column not in frame.columns]:
        raise SchemaError(f"{name} frame lacks {', '.join(missing)}")
    try:
        frame = frame.select(schema.names()).cast(schema)
    except pl.exceptions.PolarsError as err:
        raise SchemaError(f"{name} frame does not fit its types: {str(err).splitlines()[0]}") from err
    ratios = [column for column in ("aal", "hazard_score") if column in schema]
    faults = {
        **{f"null {column}": frame[column].is_null() for column in schema if column not in _NULLABLE},
        **{f"NaN {column}": frame[column].is_nan() for column, kind in schema.items() if kind.is_float()},
        **{f"{column} outside 0..1": ~frame[column].is_between(0, 1) for column in ratios},
        "doubled rows": frame.select(pl.struct(KEY).is_duplicated()).to_series(),
    }
    if name == "probability":
        unknown = frame["aal"].is_null()
        faults["rows whose AAL and bins are not null together"] = unknown != frame["bin_probs"].is_null()
        faults["rows where method and AAL disagree"] = unknown != (frame["method"] == "insufficient_data")
        faults["NaN in bin_probs"] = frame["bin_probs"].list.eval(pl.element().is_nan()).list.any()
        faults["negative aal_se"] = frame["aal_se"] < 0
    if found := [f"{count} {fault}" for fault, rows in faults.items() if (count := int(rows.sum() or 0))]:
        raise SchemaError(f"{name} frame of {frame.height} rows: {'; '.join(found)}")
    return frame


class _Folder(Protocol):
    """Where a run lives. `write` appears whole or not at all."""

    def write(self, name: str, data: bytes) -> None: ...
    def read(self, name: str) -> bytes: ...
    def source(self, name: str) -> Path | io.BytesIO: ...
    def size(self, name: str) -> int | None: ...
    def names(self) -> list[str]: ...
    def free(self) -> str: ...


@dataclass(frozen=True)
class _LocalFolder:
    root: Path

    def write(self, name: str, data: bytes) -> None:
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        try:
            with partial.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(target)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        folder = os.open(target.parent, os.O_RDONLY)  # the rename itself must survive a power cut
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def source(self, name: str) -> Path:
        return self.root / name

    def size(self, name: str) -> int | None:
        path = self.root / name
        return path.stat().st_size if path.is_file() else None

    def names(self) -> list[str]:
        return [entry.name for entry in self.root.iterdir()] if self.root.is_dir() else []

    def free(self) -> str:
        return f"{shutil.disk_usage(self.root).free / 1e9:.2f} GB free"


class _RemoteFolder:
    """A folder behind fsspec (s3://, gs://, ...). An object store's put is whole or not at all by itself."""

    def __init__(self, url: str) -> None:
        try:
            fsspec: Any = import_module("fsspec")
            self._files, self._path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as err:
            raise SettingsError(f"run directory {url}: {err}") from err

    def write(self, name: str, data: bytes) -> None:
        target = f"{self._path}/{name}"
        self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(target, data)

    def read(self, name: str) -> bytes:
        return bytes(self._files.cat_file(f"{self._path}/{name}"))

    def source(self, name: str) -> io.BytesIO:
        return io.BytesIO(self.read(name))

    def size(self, name: str) -> int | None:
        path = f"{self._path}/{name}"
        return int(self._files.size(path)) if self._files.exists(path) else None

    def names(self) -> list[str]:
        if not self._files.exists(self._path):
            return []
        return [str(path).rstrip("/").rpartition("/")[2] for path in self._files.ls(self._path, detail=False)]

    def free(self) -> str:
        return "remote"


def _folder(root: Path | str) -> _Folder:
    return _RemoteFolder(str(root)) if "://" in str(root) else _LocalFolder(Path(root))


def run_ids(root: Path | str) -> frozenset[int]:
    """Numbers that already have a run directory under `root`."""
    return frozenset(int(name) for name in _folder(root).names() if name.isdigit())


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """What storing a block leaves behind, for the driver to commit. files : table -> (rows, bytes)."""

    number: int
    files: Mapping[str, tuple[int, int]]
    notes: Mapping[str, object]


class RunDirectory:
    """One run's blocks. Make it with `create` or `resume`; it may be pickled to workers, which call `store_block`."""

    def __init__(self, root: Path | str, run_id: int, manifest: dict[str, Any]) -> None:
        self.root, self.run_id, self._manifest = root, run_id, manifest

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
        made._write("manifest.json", _dump(manifest), "its manifest")
        return made

    @classmethod
    def resume(
        cls, root: Path | str, run_id: int, identity: Mapping[str, object], blocks: Sequence[Cells]
    ) -> RunDirectory:
        """Continue a run after its last committed block.

        raises : SettingsError for an unknown run, or naming what differs from its start (source, edition, ...);
                 SinkError when a committed file is gone or cut short
        """
        folder = _folder(root)
        if folder.size(f"{run_id}/manifest.json") is None:
            known = ", ".join(map(str, sorted(run_ids(root)))) or "none"
            raise SettingsError(f"no run {run_id} to resume under {root}; there: {known}")
        manifest = json.loads(folder.read(f"{run_id}/manifest.json"))
        then, now = manifest["identity"] | {"blocks": manifest["blocks"]}, _plain(identity) | {"blocks": _plain(blocks)}
        changed = [name for name in sorted(then | now) if then.get(name) != now.get(name)]
        if changed:
            shown = "; ".join(f"{name} was {_short(then.get(name))}, is {_short(now.get(name))}" for name in changed)
            raise SettingsError(f"run {run_id} cannot be resumed, its inputs changed: {shown}")
        run = cls(root, run_id, manifest)
        for number, entry in manifest["done"].items():
            for table, (_, size) in entry["files"].items():
                if (found := folder.size(run._name(int(number), table))) != size:
                    raise SinkError(
                        f"run {run_id} cannot be resumed: block {number} lists {table}.parquet "
                        f"with {size} bytes, found {found or 0}"
                    )
        return run

    @classmethod
    def open(cls, root: Path | str, run_id: int) -> RunDirectory:
        """A run as it lies there, finished or not, for reading.

        raises : SettingsError for an unknown run
        """
        folder = _folder(root)
        if folder.size(f"{run_id}/manifest.json") is None:
            known = ", ".join(map(str, sorted(run_ids(root)))) or "none"
            raise SettingsError(f"no run {run_id} under {root}; there: {known}")
        return cls(root, run_id, json.loads(folder.read(f"{run_id}/manifest.json")))

    @property
    def identity(self) -> dict[str, Any]:
        """What was decided before the first block: source, edition, scope, baseline, pairs, risks, engine version."""
        return dict(self._manifest["identity"])

    def store_block(
        self, number: int, frames: Mapping[str, pl.DataFrame], notes: Mapping[str, object] | None = None
    ) -> StoredBlock:
        """Check and write the files of a block; it does not count before `commit`. Safe in any process.

        frames : `probability` and/or `hazard`, columns of `SCHEMAS`
        notes  : JSON values to keep beside the block (counts for the summary)
        """
        files = {}
        for name, frame in frames.items():
            frame, buffer = canonical(name, frame), io.BytesIO()
            # one risk, scenario and period a row group: the load reads them by these, and skips the others
            cells = max(frame["grid_id"].n_unique(), 1)
            frame.write_parquet(buffer, compression="zstd", compression_level=3, row_group_size=cells)
            data = buffer.getvalue()
            self._write(f"block={number:05d}/{name}.parquet", data, f"block {number}")
            files[name] = (frame.height, len(data))
        return StoredBlock(number, files, _plain(notes or {}))

    def commit(self, block: StoredBlock) -> None:
        """Replace the manifest by one that lists this block. Only the driver calls it."""
        entry = {"files": {name: list(size) for name, size in block.files.items()}, "notes": dict(block.notes)}
        manifest = self._manifest | {"done": self._manifest["done"] | {str(block.number): entry}}
        self._write("manifest.json", _dump(manifest), f"block {block.number}")
        self._manifest = manifest

    def write_block(
        self, number: int, frames: Mapping[str, pl.DataFrame], notes: Mapping[str, object] | None = None
    ) -> None:
        """Store and commit a block in one process."""
        self.commit(self.store_block(number, frames, notes))

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
        """What was noted with each committed block, in order."""
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
        return pl.scan_parquet(_folder(self.root).source(self._name(number, name)))

    def _name(self, number: int, table: str) -> str:
        return f"{self.run_id}/block={number:05d}/{table}.parquet"

    def _write(self, name: str, data: bytes, what: str) -> None:
        folder = _folder(self.root)
        try:
            folder.write(f"{self.run_id}/{name}", data)
        except OSError as err:
            if err.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SinkError(
                    f"no space left in {self.root} ({folder.free()}) for {what} of run {self.run_id}: "
                    f"make room, then continue with --resume {self.run_id}"
                ) from err
            raise SinkError(f"{what} of run {self.run_id} could not be written to {self.root}: {err}") from err


def _plain(value: Any) -> Any:
    """The value as JSON gives it back, so that what is compared is what was stored."""
    return json.loads(json.dumps(value))


def _dump(manifest: Mapping[str, object]) -> bytes:
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode()


def _short(value: object) -> str:
    text = "absent" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
