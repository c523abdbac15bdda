"""A real PgBouncer in front of the test server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import conninfo

from engine.io.db.embedded import account, binaries

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def bouncer(url: str, **settings: object) -> Iterator[Callable[[str], str]]:
    """Run one; yields what turns an address of the server into one of the pooler.

    url      : of any database on the server
    settings : of its configuration, such as pool_mode
    """
    host = conninfo.conninfo_to_dict(url)["host"]
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        own = {"listen_addr": "127.0.0.1", "listen_port": port, "unix_socket_dir": "", "auth_type": "any"} | settings
        ini = Path(folder, "pgbouncer.ini")
        lines = [f"{name} = {value}" for name, value in own.items()]
        ini.write_text("\n".join(["[databases]", f"* = host={host} port=5432 user=postgres", "[pgbouncer]", *lines]))
        data = Path(host).resolve()
        prefix = account.choose(data.parent, data, binaries.programs_of(data)).prefix  # it refuses root, too
        with subprocess.Popen([*prefix, PROGRAM, "-q", ini], stderr=subprocess.DEVNULL) as process:
            try:
                _wait(process, port)
                yield lambda url: conninfo.make_conninfo(
                    host="127.0.0.1", port=port, user="postgres", dbname=conninfo.conninfo_to_dict(url)["dbname"]
                )
            finally:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, "pgbouncer did not start"
            assert time.monotonic() < until, "pgbouncer does not listen"
            time.sleep(0.01)
