"""Reading and writing: sources, sinks, schemas, loaders. Knows nothing of risks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.address import is_address, is_folder, require, shown
from engine.core.errors import SettingsError

if TYPE_CHECKING:
    from engine.io.climate.source import ClimateSource
    from engine.io.results.sink import Sink

__all__ = ["open_sink", "open_source"]


def __dir__() -> list[str]:
    return sorted(__all__)


# Sources and sinks are imported when one is opened: an assessment needs none of them, and they bring in kernels and
# readers that take seconds to import.


def open_source(address: str | Path, *, connections: int = 2, snapshot: str | None = None) -> ClimateSource:
    """Open climate data: a PostgreSQL address, or the directory of a store.

    connections : how many variables of a block are read at once
    snapshot    : `ClimateSource.snapshot` of the same database, opened elsewhere and still open: both see one state
    raises      : SettingsError when it is neither; SourceError or SchemaError when it cannot be read
    """
    from engine.io.climate.store import MANIFEST, StoreSource
    from engine.io.climate.warehouse import WarehouseSource

    folder = Path(address)
    if is_folder(str(address)):
        if not (folder / MANIFEST).is_file():
            raise SettingsError(f"{folder} is no climate store: it has no {MANIFEST}")
        return StoreSource(folder, connections=connections)
    text = str(address)
    if isinstance(address, str) and is_address(text):
        return WarehouseSource(require(text), connections=connections, snapshot=snapshot)
    raise SettingsError(f"{shown(text)} is neither a PostgreSQL address nor the directory of a climate store")


def open_sink(target: str | Path, *, connections: int = 2) -> Sink:
    """A place for results: a PostgreSQL address (URL or `host=... dbname=...`), or a directory, made when absent.

    connections : partitions loaded at a time into a database
    raises      : SourceError for a server that does not answer, SettingsError for an empty target
    """
    from engine.io.results.sink_directory import DirectorySink
    from engine.io.results.sink_postgres import PostgresSink

    text = str(target)
    if not text.strip():
        raise SettingsError("the sink is an empty text: give a database address or a directory")
    if isinstance(target, str) and is_address(text):
        return PostgresSink(require(text), connections=connections)
    return DirectorySink(Path(target))
