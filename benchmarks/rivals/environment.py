"""The environment of the rivals: `.venv-rivals`, made from `benchmarks/rivals.lock` once a version of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "benchmarks/rivals.lock"
FOLDER = ROOT / ".venv-rivals"
#: about so much on disk
SIZE = "1.7 GB"


def install() -> Path:
    """The environment's Python; installs what its lock names unless that was done, with uv where it is.

    raises : OSError when an installer fails
    """
    python, stamp = FOLDER / "bin/python", FOLDER / ".locked"
    if stamp.is_file() and stamp.read_bytes() == LOCK.read_bytes():
        return python
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    count = len(set(re.findall(r"^[a-z0-9._-]+(?===)", LOCK.read_text(), re.MULTILINE)))
    with_what = "uv" if uv else "pip"
    print(
        f"installing {count} packages of {LOCK.name} into {FOLDER.name} with {with_what} (about {SIZE})",
        file=sys.stderr,
    )
    if uv:
        commands = [[uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(FOLDER)]]
        pip = [uv, "pip", "install", "--quiet", "--python", str(python)]
    else:
        commands = [[sys.executable, "-m", "venv", str(FOLDER)]]
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    commands += [
        [*pip, "--require-hashes", "--requirement", str(LOCK)],
        [*pip, "--no-deps", "--editable", str(ROOT)],
    ]
    stamp.unlink(missing_ok=True)
    for command in commands:
        if subprocess.run(command).returncode:
            raise OSError(f"the rivals cannot be installed: {' '.join(command[:4])} ... failed, see above")
    shutil.copy(LOCK, stamp)
    return python
