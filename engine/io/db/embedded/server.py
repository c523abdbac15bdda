"""The server as jobs see it: up while one of them uses its folder, up again when it dies under a service."""

from __future__ import annotations

import atexit
import logging
import threading
from contextlib import closing
from pathlib import Path
from types import TracebackType

from psycopg import sql

from engine.core.errors import EngineError
from engine.io.db import postgres
from engine.io.db.embedded import account, address, binaries, cluster, postmaster
from engine.io.db.embedded.users import Users

log = logging.getLogger("engine")

WAREHOUSE, APPLICATION = "skala_datawarehouse", "skala_application"
#: seconds between two looks at a server that is watched, and between two tries to start it again
_LOOK, _LONGEST_PAUSE = 1.0, 30.0


class EmbeddedServer:
    """Starts on creation, stops with the last handle of the last process that uses its folder, however that ended.

    home   : folder of the data (`ENGINE_HOME`); made when absent
    raises : EngineError in one sentence when the folder cannot be used or the server does not start
    """

    def __init__(self, home: Path) -> None:
        self._home = home.absolute()
        self._data = self._home / "postgres"
        self._users = Users(self._home)
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        try:
            self._start()
        except BaseException:  # also Ctrl-C: what was started is nobody's
            self.close()
            raise
        atexit.register(self.close)

    def url(self, database: str) -> str:
        """Address of a database on this server; it stays the same when the server is started again."""
        return address.url(self._socket, database, self._passwords)

    def has(self, database: str) -> bool:
        """Check whether a database is there."""
        with closing(postgres.connect(self.url("postgres"))) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        return found is not None

    def create(self, database: str) -> str:
        """Create a database unless it exists; returns its address."""
        with closing(postgres.connect(self.url("postgres"))) as connection:
            # until the connection is closed: of processes that start together one makes it
            connection.execute("SELECT pg_advisory_lock(%s, hashtext('create'))", (postgres.LOCK_SPACE,))
            row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
            if row is None:
                with postgres.failures(f"creating database {database}", EngineError):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        return self.url(database)

    def watch(self) -> None:
        """Start the server again whenever it dies, until `close`: for processes that outlive it."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._watch, name="embedded server", daemon=True)
            self._watcher.start()

    def close(self) -> None:
        """Stop the server when nobody else uses it; a second call does nothing."""
        atexit.unregister(self.close)
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join()
        if not self._users.have_joined:
            return
        try:
            with self._users.alone():
                if self._users.leave():
                    postmaster.stop(self._data)
                    address.forget(self._data)
        except FileNotFoundError:  # the folder was removed; a server that misses it stops by itself within a minute
            self._users.leave()

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        """The server runs afterwards, by the rules of this version."""
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with self._users.alone():
                self._users.join()
                self._socket = address.socket_folder(self._data)
                if not self._is_up():
                    programs = binaries.programs_of(self._data)
                    used = account.choose(self._home, self._data, programs)
                    cluster.make(self._data, programs, used)
                    cluster.allow(self._data, used)
                    postmaster.start(self._data, programs, used)
                self._passwords = cluster.password_file(self._data)
        except OSError as err:
            raise _unusable(self._home, err) from err

    def _is_up(self) -> bool:
        found = postmaster.find(self._data)
        if found is None:
            return postmaster.answers(self._socket)
        if found.is_ours:
            return postmaster.wait_ready(self._data)
        log.info("the server in %s was started by an earlier version: it is stopped and started again", self._data)
        postmaster.stop(self._data)
        return False

    def _watch(self) -> None:
        pause = _LOOK
        while not self._stopping.wait(pause):
            if postmaster.find(self._data) or postmaster.answers(self._socket):
                continue
            try:
                self._start()
                log.warning("the embedded PostgreSQL in %s had ended: it was started again", self._data)
                pause = _LOOK
            except EngineError as err:
                pause = min(2 * pause, _LONGEST_PAUSE)
                log.error("%s; next try in %.0f s", err, pause)


def _unusable(home: Path, err: OSError) -> EngineError:
    what = f"{err.filename}: {err.strerror}" if err.filename else str(err)
    return EngineError(f"ENGINE_HOME {home} cannot be used ({what}): set ENGINE_HOME to a local folder of your own")
