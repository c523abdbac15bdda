"""Places of settings beside the environment: mounted secrets, and the line of the file that a message names."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from engine.core import settings_files

#: `/run/secrets/dw_password` is DW_PASSWORD where nothing else says so
SECRETS = Path("/run/secrets")
#: words of `EMBEDDED` that forbid an embedded server
_NO = ("0", "off", "f", "false", "n", "no")
_FIRST_WORD = re.compile(r"[A-Z][A-Z0-9_]*\b")


def secret_folders() -> list[Path]:
    """Those that are there: `SECRETS`, and the credentials that systemd gives a unit (LoadCredential=)."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    folders = [SECRETS, *([Path(credentials)] if credentials else [])]
    return [folder for folder in folders if folder.is_dir()]


def mounted() -> list[Path]:
    """Files of `SECRETS` and CREDENTIALS_DIRECTORY."""
    return [path for folder in secret_folders() for path in folder.iterdir() if path.is_file()]


def placed(fault: str, known: Collection[str]) -> str:
    """A sentence that begins with the name of a setting, with the file and line before it that set this one: `.env,
    line 3: API_PORT: ...`; as it is where the environment or nothing set it.

    known : names of settings, in lower case
    """
    found = _FIRST_WORD.match(fault)
    name = found[0].lower() if found else ""
    if name not in known:
        return fault
    path = settings_files.find()
    lines = settings_files.lines_in(path, frozenset(known))
    if name in lines:
        return f"{path}, line {lines[name]}: {fault}"
    if any(each.lower() == name for each in os.environ):
        return fault
    secret = next((path for path in mounted() if path.name.lower() == name), None)
    return f"{secret}: {fault}" if secret else fault


def forbidden_by_environment() -> bool:
    """Whether the environment says EMBEDDED=false."""
    return any(name.lower() == "embedded" and value.strip().lower() in _NO for name, value in os.environ.items())
