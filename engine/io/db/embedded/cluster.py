"""The data folder: made whole or not at all, and open to its owner alone."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from engine.core.errors import EngineError
from engine.io.db.embedded.account import Account, environment
from engine.io.db.embedded.binaries import Programs
from engine.io.db.embedded.files import put

#: what version 0.1 left in a folder before its first database was made
_LEFTOVERS = {"log", ".handle_pids.json"}
_RULES = "# written at every start by climate-risk-engine\n"
_BY_PASSWORD = f"{_RULES}local all all scram-sha-256\n"
_BY_NAME = f"{_RULES}local all all peer map=engine\nlocal replication all peer map=engine\n"


def make(data: Path, programs: Programs, account: Account) -> None:
    """Make the data folder unless it is there; beside its place, so that an initdb that is killed leaves nothing."""
    if (data / "PG_VERSION").exists():
        account.give(data)
        return
    if data.exists():
        if strange := {path.name for path in data.iterdir()} - _LEFTOVERS:
            raise EngineError(
                f"{data} holds {min(strange)} but no PG_VERSION, so it is no database: move it away, or set another"
                " ENGINE_HOME"
            )
        shutil.rmtree(data)
    for half_made in data.parent.glob("postgres.new-*"):
        shutil.rmtree(half_made, ignore_errors=True)
    # a name of its own: the initdb of a process that was killed goes on for a while
    fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=data.parent))
    account.give(fresh)
    password = secrets.token_urlsafe(24)
    _initdb(fresh, programs, account, password)
    put(_passwords(data), f"*:*:*:postgres:{password}\n")
    fresh.rename(data)


def allow(data: Path, account: Account) -> None:
    """Let in the account's peers and nobody else.

    raises : EngineError when the account needs a password and the folder has none
    """
    if data.stat().st_mode & 0o077:  # of a copy, or a volume whose group was set
        data.chmod(0o700)
    if not account.peers and not _passwords(data).exists():
        raise EngineError(
            f"your user id {account.uid} has no name (/etc/passwd), by which PostgreSQL could know you, and {data} has"
            " no password: give it a name, or set DW_* and APP_*"
        )
    names = (name.replace('"', '""') for name in account.peers)
    put(data / "pg_ident.conf", _RULES + "".join(f'engine "{name}" all\n' for name in names))
    put(data / "pg_hba.conf", _BY_NAME if account.peers else _BY_PASSWORD)


def password_file(data: Path) -> Path | None:
    """libpq's file for a server that asks for a password."""
    return _passwords(data) if (data / "pg_hba.conf").read_bytes() == _BY_PASSWORD.encode() else None


def _passwords(data: Path) -> Path:
    return data.with_name(".postgres.password")


def _initdb(fresh: Path, programs: Programs, account: Account, password: str) -> None:
    command = [*account.prefix, programs.path("initdb"), "-D", str(fresh), "--username=postgres", "--encoding=UTF8"]
    # a LANG that the machine does not have is no obstacle, and text sorts by code points whatever the language is
    command += ["--no-locale", "--no-instructions", "--auth=scram-sha-256", "--pwfile=/dev/stdin"]
    if programs.major >= 17:
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = subprocess.run(  # noqa: S603 (our own command)
        command,
        input=f"{password}\n",
        cwd="/",
        env=environment(),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode == 0:
        return
    shutil.rmtree(fresh, ignore_errors=True)
    said = done.stderr.strip().splitlines() or [f"initdb ended with code {done.returncode}"]
    free = shutil.disk_usage(fresh.parent).free / 1e9
    reason = next((line for line in said if "FATAL" in line or "error:" in line), said[-1])
    raise EngineError(f"no database could be made in {fresh.parent} ({free:.1f} GB free): {reason}")
