"""Names of commands: as this process was called, for its user; as `python -m jobs.JOB`, for processes and tables.

Printed commands read `climate-risk JOB` where the entry point was called, else `python -m jobs.JOB`. Stored ones (the
command of a run) are always of the second form, since whoever goes on with a run may not have the first.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ENTRY_POINT = "climate-risk"
#: other names of jobs
ALIASES = {"run": "yearly"}
_MODULE = re.compile(r"\bpython -m jobs\b(?:\.(\w+))?|(?<![\w./-])jobs\.(?!py\b)([a-z]\w*)")


def by_entry_point() -> bool:
    """True where this process was started as `climate-risk`."""
    return Path(sys.argv[0]).name == ENTRY_POINT


def command(job: str) -> str:
    """How to call a job, `yearly` or `etl derive`, the way this process was called."""
    return f"{ENTRY_POINT} {job}" if by_entry_point() else f"python -m jobs.{job}"


def as_called(text: str) -> str:
    """A text whose commands `python -m jobs.JOB` and `jobs.JOB` are written the way this process was called."""
    if not by_entry_point():
        return text
    return _MODULE.sub(lambda found: " ".join(filter(None, (ENTRY_POINT, found[1] or found[2]))), text)


def module(word: str) -> str:
    """The job that a word of the command line names: `warm-up`, `run`."""
    name = word.replace("-", "_")
    return ALIASES.get(name, name)


def child(job: str, *words: str) -> tuple[str, ...]:
    """Command of a job as a process of its own; -P: a folder `jobs` or `engine` where it works is not imported."""
    return sys.executable, "-P", "-m", f"jobs.{job}", *words
