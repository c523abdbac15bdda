"""Context of the endpoints: settings, addresses, the connection pool, the lattice, metrics. Made at start-up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import psycopg
from fastapi import Depends
from fastapi.requests import HTTPConnection
from psycopg_pool import ConnectionPool

from engine.core.errors import SourceError
from engine.core.grid import GridDefinition
from engine.core.settings import Settings
from engine.io.db import postgres
from engine.io.sites import site_inputs
from engine.service.metrics import Metrics


@dataclass(slots=True, kw_only=True)
class Context:
    """warehouse, application, notify : addresses. Safe in several threads."""

    config: Settings
    warehouse: str
    application: str
    notify: str
    pool: ConnectionPool[psycopg.Connection]
    metrics: Metrics
    _grid: GridDefinition | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def portfolios(self) -> Path:
        """Folder of uploaded portfolios and their results, one folder a job; absolute, for workers read it in rows."""
        return self.config.engine_home.absolute() / "portfolios"

    @property
    def grid(self) -> GridDefinition:
        """The lattice, read from the warehouse once.

        raises : SourceError while the warehouse cannot be reached
        """
        with self._lock:
            if self._grid is None:
                with closing(postgres.connect(self.warehouse)) as connection:
                    self._grid = site_inputs.grid_definition(connection)
            return self._grid

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection]:
        """A connection to the application database, autocommit, in UTC."""
        with self.pool.connection() as connection:
            yield connection

    @contextmanager
    def climate(self) -> Iterator[psycopg.Connection]:
        """A connection to the warehouse."""
        with closing(postgres.connect(self.warehouse)) as connection, postgres.failures("reading", SourceError):
            yield connection


async def _context(connection: HTTPConnection) -> Context:
    context: Context = connection.app.state.context
    return context


Shared = Annotated[Context, Depends(_context)]
