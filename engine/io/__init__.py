"""Reading and writing: sources, sinks, schemas, loaders. Knows nothing of risks."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import conninfo

from engine.errors import SettingsError
from engine.io import postgres
from engine.io.source import ClimateSource
from engine.io.store import MANIFEST, StoreSource
from engine.io.warehouse import WarehouseSource

__all__ = ["ClimateSource", "open_source"]


def open_source(address: str | Path, *, connections: int = 2) -> ClimateSource:
    """Open climate data: a PostgreSQL address, or the directory of a store.

    connections : how many variables of a block are read at once
    raises      : SettingsError when it is neither; SourceError or SchemaError when it cannot be read
    """
    folder = Path(address)
    if folder.is_dir():
        if not (folder / MANIFEST).is_file():
            raise SettingsError(f"{folder} is no climate store: it has no {MANIFEST}")
        return StoreSource(folder, connections=connections)
    text = str(address)
    if isinstance(address, str) and (postgres.is_url(text) or _is_conninfo(text)):
        return WarehouseSource(text, connections=connections)
    shown = "the given address" if "@" in text or "=" in text else repr(text)  # it may hold a password
    raise SettingsError(f"{shown} is neither a PostgreSQL address nor the directory of a climate store")


def _is_conninfo(text: str) -> bool:
    """True for `host=... dbname=...`, the other spelling of an address."""
    try:
        return bool(conninfo.conninfo_to_dict(text))
    except psycopg.ProgrammingError:
        return False
