"""As whom PostgreSQL runs: it refuses root, and it knows its clients by the names of their user ids (`peer`).

An ordinary user runs it as himself. Root runs it, in this order: as the owner of the data; in a user namespace, where
root's files are those of another user and foreign users are nobody; as a system user that may pass root's folders.
No user is made and no folder above the data is opened.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import EngineError
from engine.io.db.embedded.binaries import Programs

_PEOPLE = 1000  # user ids below are the system's own, by the convention of all Linux distributions
_ELSEWHERE = "set DW_* and APP_* to a server of your own"


@dataclass(frozen=True, slots=True)
class Account:
    """Account that runs the programs of the server.

    prefix : command that is put before theirs
    uid, gid : owner of its files, as this process sees them
    peers  : names of the users that may connect, as the server sees them; none: they give a password
    """

    prefix: tuple[str, ...]
    uid: int
    gid: int
    peers: tuple[str, ...]

    def give(self, folder: Path) -> None:
        """Make it the owner of a folder with all that is in it; does nothing when it is."""
        if folder.stat().st_uid == self.uid:
            return
        for parent, folders, files in os.walk(folder):
            for name in (".", *folders, *files):
                os.chown(Path(parent, name), self.uid, self.gid, follow_symlinks=False)


def environment() -> dict[str, str]:
    """Of the server's programs: ours, without what would change their meaning (PGPORT, PGOPTIONS) or language."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def choose(home: Path, data: Path, programs: Programs) -> Account:
    """The account for a data folder, which need not be there yet; ownership is taken as found.

    raises : EngineError when there is no way
    """
    owner = data.stat() if data.exists() else None
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return _of_root(home, owner, programs)
    if owner is not None and owner.st_uid != uid:
        raise EngineError(
            f"{data} belongs to user id {owner.st_uid} and you are {uid}: set ENGINE_HOME to a folder of your own"
        )
    if name := _name(uid):
        return Account((), uid, gid, _different(name, _name(0)))
    reason: str | None = "no system user to stand for it"
    if stand_in := _stand_in():
        account = Account(_namespace(stand_in), uid, gid, (stand_in.pw_name,))
        if not (reason := _obstacle(account.prefix, programs, home)):
            return account
    if owner is not None:
        return Account((), uid, gid, ())
    raise EngineError(
        f"your user id {uid} has no name (/etc/passwd), without which PostgreSQL makes no database, and cannot borrow"
        f" one in a user namespace ({reason}): give it a name, or {_ELSEWHERE}"
    )


def _of_root(home: Path, data: os.stat_result | None, programs: Programs) -> Account:
    owner = data or home.stat()
    root = _name(0)
    if owner.st_uid and (data is not None or _name(owner.st_uid)):
        peers = _different(root, _name(home.stat().st_uid))
        ways = [Account(_as_user(owner.st_uid, owner.st_gid), owner.st_uid, owner.st_gid, peers)]
    elif stand_in := _stand_in():
        ways = [
            Account(_namespace(stand_in), 0, 0, (stand_in.pw_name,)),
            Account(_as_user(stand_in.pw_uid, stand_in.pw_gid), stand_in.pw_uid, stand_in.pw_gid, _different(root)),
        ]
    else:
        raise EngineError(f"root cannot run PostgreSQL here, as /etc/passwd has no system user: {_ELSEWHERE}")
    reasons = []
    for way in ways:
        if not (reason := _obstacle(way.prefix, programs, home)):
            return way
        reasons.append(f"{way.prefix[0]}: {reason}")
    raise EngineError(f"root cannot run PostgreSQL here ({'; '.join(reasons)}): run as another user, or {_ELSEWHERE}")


def _namespace(stand_in: pwd.struct_passwd) -> tuple[str, ...]:
    return ("unshare", "--user", f"--map-user={stand_in.pw_uid}", f"--map-group={stand_in.pw_gid}", "--")


def _as_user(uid: int, gid: int) -> tuple[str, ...]:
    # keeps the one right of root that leads through closed folders to the data and the programs
    return (
        "setpriv",
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        "--securebits=+no_setuid_fixup",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--",
    )


def _obstacle(prefix: tuple[str, ...], programs: Programs, home: Path) -> str | None:
    """Obstacle to running the programs that way, or to reaching the folder; None without one."""
    look = ("/bin/sh", "-c", '"$0" --version && cd "$1"', programs.path("postgres"), str(home))
    try:
        done = subprocess.run(  # noqa: S603 (our own command)
            [*prefix, *look], cwd="/", env=environment(), capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as err:
        return err.strerror or str(err)
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else lines[-1] if lines else f"exit code {done.returncode}"


def _stand_in() -> pwd.struct_passwd | None:
    """A system user with a name; never the one whom the kernel shows in place of foreign users: all would be he."""
    try:
        foreign = int(Path("/proc/sys/kernel/overflowuid").read_text("ascii"))
    except OSError:
        foreign = 65534
    known = (user for user in pwd.getpwall() if 0 < user.pw_uid < _PEOPLE and user.pw_uid != foreign)
    return min(known, key=lambda user: user.pw_uid, default=None)


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _different(*names: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))
