"""Arguments of the three batch jobs: yearly, probability, hazard."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING
from uuid import UUID

from engine.core.names import RISK_NAMES, risk
from engine.core.period import parse_years
from engine.core.scenario import Scenario
from engine.risks.editions import DEFAULT_EDITION, EDITIONS
from jobs import _console, _own_data
from jobs._parser import one_of, read_as, read_by, whole
from jobs._samples import SAMPLES

if TYPE_CHECKING:
    from engine.core.rows import BatchType


def parser(job: BatchType, description: str | None) -> _console.Parser:
    """The options that the three jobs share."""
    made = _console.Parser(job, description)
    made.add_argument("--source", metavar="URL|DIR", help="warehouse or Parquet store (default DW_*, else embedded)")
    made.add_argument(
        "--sink", metavar="URL|DIR", help="database, or a directory for files (default APP_*, else embedded)"
    )
    made.add_argument(
        "--sample", type=one_of("sample", SAMPLES), metavar="NAME",
        help="run on a sample in a folder of its own, ENGINE_HOME/NAME:"
        f" {'; '.join(f'{name}, {sample.meaning}' for name, sample in SAMPLES.items())} (default no sample, but see"
        " above)",
    )  # fmt: skip
    made.add_argument(
        "--scenarios", type=read_by(Scenario.parse, every=True), metavar="1,2,..",
        help=f"{', '.join(f'{int(each)} {each.code}' for each in Scenario)} (default all)",
    )  # fmt: skip
    made.add_argument(
        "--risks",
        type=read_by(risk, every=True),
        metavar="a,b",
        help=f"{', '.join(RISK_NAMES)} (default all of the edition)",
    )
    made.add_argument(
        "--edition", metavar="NAME|FILE",
        help=f"methodology: {', '.join(EDITIONS)} or a .toml file (default EDITION, else that of"
        f" the sample, else {DEFAULT_EDITION})",
    )  # fmt: skip
    made.add_argument(
        "--baseline", type=read_by(parse_years), metavar="FIRST-LAST",
        help="years that set quantile edges (default 1991-2020 if held)",
    )  # fmt: skip
    made.add_argument(
        "--cells", metavar="N|lo:hi", help="the first N active cells, or lo <= grid_id < hi (default all)"
    )
    made.add_argument(
        "--run-dir", metavar="DIR|URL", help="folder of run directories, or fsspec URL (default ENGINE_HOME/runs)"
    )
    made.add_argument(
        "--job", type=read_as("an id of a job", UUID), metavar="ID",
        help="row of batch_jobs that asked for the run and shows its progress (default a row of its own)",
    )  # fmt: skip
    made.add_argument(
        "--resume", type=whole(), metavar="RUN_ID", help="go on with a run that was stopped (default a new run)"
    )
    made.add_argument(
        "--cluster",
        metavar="tcp://HOST:PORT|local:N",
        help="compute on these workers, see docs/cluster.md (default here)",
    )
    if job == "yearly":
        _own_data.add_options(made)
    made.add_argument("--dry-run", action="store_true", help="say what would be computed, and stop")
    return made


def main(job: BatchType, description: str | None, argv: list[str] | None) -> int:
    """Parse, run, report; returns the exit code."""
    # the course says the first line itself: it knows what is run instead where nobody gave data
    return _console.main(parser(job, description), argv, lambda args: _course(job, args), opening=lambda: None)


def _course(job: BatchType, args: argparse.Namespace) -> int:
    from jobs import _run  # the engine takes longer to import than --help may take

    return _run.run(job, args)
