"""Other ways to read rows of PostgreSQL, each with one connection: `discard(query)` reads every row and keeps none.

psql is always a rival where its program is, ADBC always; connectorx and DuckDB where they are installed (dependency
group `rivals`).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import suppress
from importlib import import_module, util
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import conninfo


class Psql:
    """A psql process that runs one command after the other; bytes to /dev/null, nothing is decoded."""

    name = "psql \\copy"

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def discard(self, query: str) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"\\copy ({query}) to '/dev/null' (format binary)\n\\echo done\n")
        stdin.flush()
        if stdout.readline().strip() != "done":
            raise RuntimeError(f"psql stopped: {query}")

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._process.communicate("\\q\n", timeout=10)


class Psycopg:
    """The driver's COPY, its bytes thrown away."""

    name = "psycopg COPY (no psql here)"

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url)

    def discard(self, query: str) -> None:
        with self._connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
            for _ in copy:
                pass

    def close(self) -> None:
        self._connection.close()


class Adbc:
    """Arrow tables of the ADBC driver."""

    name = "ADBC"

    def __init__(self, url: str) -> None:
        self._connection = import_module("adbc_driver_postgresql.dbapi").connect(url)

    def discard(self, query: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            cursor.fetch_arrow_table()

    def close(self) -> None:
        self._connection.close()


class ConnectorX:
    """Arrow tables of connectorx over its binary protocol. It connects anew for every query, and has no snapshot."""

    name = "connectorx"

    def __init__(self, url: str) -> None:
        self._module: Any = import_module("connectorx")
        parts = conninfo.conninfo_to_dict(url)
        user, host = (quote(str(parts.get(name, "")), safe="") for name in ("user", "host"))
        password = f":{quote(str(parts['password']), safe='')}" if parts.get("password") else ""
        place = f"{user}{password}@{host}" + ("" if host.startswith("%2F") else f":{parts.get('port', 5432)}")
        self._url = f"postgresql://{place}/{parts['dbname']}"  # a socket's folder is a host that is quoted

    def discard(self, query: str) -> None:
        self._module.read_sql(self._url, query, protocol="binary", return_type="arrow")

    def close(self) -> None:
        """Nothing is held open."""


def duckdb_with_postgres() -> Any:
    """A connection of DuckDB that has its extension for PostgreSQL loaded from a package: nothing is downloaded."""
    folder = Path(str(import_module("duckdb_extension_postgres").__file__)).parent
    connection = import_module("duckdb").connect()
    with tempfile.TemporaryDirectory() as named:  # by its file's name DuckDB finds where an extension begins
        extension = Path(named) / "postgres_scanner.duckdb_extension"
        extension.symlink_to(next(folder.rglob("*.duckdb_extension")))
        connection.execute(f"LOAD '{extension}'")
    return connection


class DuckDb:
    """Arrow tables of DuckDB's reader of PostgreSQL, the query handed on as it is."""

    name = "DuckDB"

    def __init__(self, url: str) -> None:
        self._connection = duckdb_with_postgres()
        self._connection.execute(f"ATTACH '{url}' AS warehouse (TYPE postgres, READ_ONLY)")

    def discard(self, query: str) -> None:
        text = query.replace("'", "''")
        self._connection.execute(f"SELECT * FROM postgres_query('warehouse', '{text}')").fetch_arrow_table()

    def close(self) -> None:
        self._connection.close()


Rival = type[Psql | Psycopg | Adbc | ConnectorX | DuckDb]
_WANT: dict[Rival, tuple[str, ...]] = {
    Adbc: ("adbc_driver_postgresql",),
    ConnectorX: ("connectorx",),
    DuckDb: ("duckdb", "duckdb_extension_postgres"),
}


def here() -> list[Rival]:
    """Those whose programs or packages are there; the first one is the bar."""
    first: Rival = Psql if shutil.which("psql") else Psycopg
    return [first, *(rival for rival, wanted in _WANT.items() if all(util.find_spec(name) for name in wanted))]
