"""Arguments of the three batch jobs: yearly, probability, hazard."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from engine.address import is_address, masked, without_password
from engine.errors import SettingsError
from engine.risks.editions import DEFAULT_EDITION
from jobs import _console

if TYPE_CHECKING:
    from engine.io.sink import JobType


def parser(job: JobType, description: str | None) -> argparse.ArgumentParser:
    """The options that the three jobs share."""
    made = _console.Parser(
        prog=f"python -m jobs.{job}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--source", metavar="URL|DIR", help="warehouse or Parquet store; default DW_*, else embedded")
    made.add_argument(
        "--sink", metavar="URL|DIR", help="database, or a directory for files; default APP_*, else embedded"
    )
    made.add_argument("--sample", choices=["seoul"], help="run on the observed Seoul record 1907-2015 instead")
    made.add_argument("--scenarios", metavar="1,2,..", help="scenario ids or names (default all four)")
    made.add_argument("--risks", metavar="a,b", help="risk names (default all nine)")
    made.add_argument("--edition", metavar="NAME|FILE", help=f"methodology (default EDITION, else {DEFAULT_EDITION})")
    made.add_argument(
        "--baseline", metavar="FIRST-LAST", help="years that set quantile edges (default 1991-2020 if held)"
    )
    made.add_argument("--cells", metavar="N|lo:hi", help="the first N active cells, or lo <= grid_id < hi")
    made.add_argument(
        "--run-dir", metavar="DIR|URL", help="folder of run directories, or fsspec URL (default ENGINE_HOME/runs)"
    )
    made.add_argument(
        "--job", type=UUID, metavar="ID", help="row of batch_jobs that asked for the run and shows its progress"
    )
    made.add_argument("--resume", type=int, metavar="RUN_ID", help="go on with a run that was stopped")
    made.add_argument(
        "--cluster", metavar="tcp://HOST:PORT|local:N", help="compute on these workers (docs/cluster.md); default here"
    )
    made.add_argument("--dry-run", action="store_true", help="say what would be computed, and stop")
    return made


def main(job: JobType, description: str | None, argv: list[str] | None) -> int:
    """Parse, run, report; returns the exit code."""
    args = parser(job, description).parse_args(argv)
    _console.start_logging()
    return _console.exit_code(lambda: _course(job, args))


#: options that belong to one start of a run, not to the run
_OF_A_START = ("resume", "job", "dry_run")


def command_line(job: JobType, args: argparse.Namespace) -> str:
    """The command with its options, without passwords and what belongs to this start alone."""
    words = ["python", "-m", f"jobs.{job}"]
    for name, value in vars(args).items():
        if name in _OF_A_START or value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(_without_secrets(name, str(value)))
    return shlex.join(words)


def _without_secrets(name: str, text: str) -> str:
    is_database = name in ("source", "sink") and is_address(text) and not Path(text).is_dir()
    try:
        return without_password(text)[0] if is_database else masked(text)
    except SettingsError:  # no address by which to connect: whoever opens it refuses it by its option
        return masked(text)


def _course(job: JobType, args: argparse.Namespace) -> int:
    from jobs import _run  # the engine takes longer to import than --help may take

    return _run.run(job, args)
