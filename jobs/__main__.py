"""List the jobs, or run one.

examples:
    python -m jobs
    python -m jobs yearly --dry-run
    python -m jobs etl --help

exit codes:
    0    the list; else those of the job
    2    bad arguments, such as an unknown job

settings: those of the job (python -m jobs.config shows them)
"""

from __future__ import annotations

import ast
import importlib
import logging
import sys
from importlib import resources
from importlib.metadata import version

from engine.core.names import unknown
from jobs import _called, _console, _options, _streams

log = logging.getLogger("jobs")

#: use -> the jobs for it
GROUPS = {
    "run": ("yearly", "probability", "hazard", "ensemble", "assess", "calibrate"),
    "load": ("schema", "etl", "check", "snapshot"),
    "look": ("status", "report", "export", "config", "embedded"),
    "serve": ("serve", "work", "listen", "trigger"),
    "operate": ("clean", "warm_up"),
}
JOBS = tuple(job for jobs in GROUPS.values() for job in jobs)
_INDENT = 14


def main(argv: list[str] | None = None) -> int:
    """List, or run; returns the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    _streams.prepare()
    if not words or words[0] in ("-h", "--help", "help"):
        print(listing())
        return _console.COMPLETE if _streams.fault() is None else _console.FAILED
    if words[0] in ("-V", "--version"):
        print(f"{_called.ENTRY_POINT}-engine {version('climate-risk-engine')}")
        return _console.COMPLETE if _streams.fault() is None else _console.FAILED
    job = _called.module(words[0])
    if job not in JOBS:
        _console.start_logging()
        refusal = _console.sentence(unknown("job", words[0], (*JOBS, *_called.ALIASES)))
        log.error("%s", _options.told(f"refused: {refusal}"))
        return _console.REFUSED
    code: int = importlib.import_module(f"jobs.{job}").main(words[1:])
    return code


def listing() -> str:
    """The jobs, a line each, by use."""
    name = _called.as_called("python -m jobs")
    lines = [f"usage: {name} JOB ARGUMENTS; {name} JOB --help lists them"]
    for use, jobs in GROUPS.items():
        lines += ["", f"{use}:"]
        lines += [f"  {job:<{_INDENT - 2}}{first_line(job)}" for job in jobs]
    lines += ["", *(f"{alias} is another name of {job}" for alias, job in _called.ALIASES.items())]
    lines.append(f"{name} --version prints the version")
    return "\n".join(lines)


def first_line(job: str) -> str:
    """Purpose of a job, in a sentence. Read, not imported: one that cannot be imported must not hide the others."""
    text = resources.files("jobs").joinpath(f"{job}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
