"""A PostgreSQL server inside the project's own folder, for a machine without configuration."""

from __future__ import annotations

from engine.io.db.embedded.server import APPLICATION, WAREHOUSE, EmbeddedServer

__all__ = ["APPLICATION", "WAREHOUSE", "EmbeddedServer"]
