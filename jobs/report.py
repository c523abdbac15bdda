"""Write the report of a run or of a portfolio: one HTML file.

The file links to nothing elsewhere and is readable on paper. Of a run, change is shown against the newest run published
before whose run directory is there, or against --against. Regions, population and findings of the loads come from the
warehouse where it can be named; without it the maps have coast and borders of Natural Earth, or South Korea's outlines.
With --portfolio it is the report of assessed sites for a committee: findings in sentences, assets at risk, curve, map,
sites, sources. Needs the extra `report`.

examples:
    python -m jobs.report
    python -m jobs.report --sink out/
    python -m jobs.report --run 12 --against 11
    python -m jobs.report --run 12 --run-dir /data/runs --out run-12.html
    python -m jobs.report --portfolio results --lang ko
    python -m jobs.report --portfolio results --threshold 1%

exit codes:
    0    written
    1    failed
    2    bad arguments or settings, or the extra is not installed
    130  interrupted, no report was written

settings: APP_*, DW_*, ENGINE_HOME (python -m jobs.config shows them)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.risks.editions import EDITIONS
from jobs import _console, _options, _paths
from jobs._parser import read_by, whole

#: options of the report of a run, and those of a portfolio
#: modules of the extra
NEEDS = ("jinja2", "matplotlib")
_OF_RUN, _OF_PORTFOLIO = ("run", "against", "run_dir", "edition"), ("threshold",)


def parser() -> _console.Parser:
    """The options of the job."""
    made = _console.Parser("report", __doc__)
    made.add_argument("--run", type=whole(), metavar="ID", help="number of the run (default the newest published one)")
    made.add_argument(
        "--against", metavar="ID|DIR",
        help="earlier run: its number, or a directory of results (default the run published before)",
    )  # fmt: skip
    made.add_argument(
        "--ensemble", type=Path, metavar="DIR",
        help="directory of results with an ensemble of climate models (default that of the results, if there is one)",
    )  # fmt: skip
    made.add_argument("--sink", metavar="URL|DIR", help="where the results are (default APP_*, else embedded)")
    made.add_argument("--run-dir", metavar="DIR", help="folder of run directories (default ENGINE_HOME/runs)")
    made.add_argument("--warehouse", metavar="URL", help="climate data of the run (default DW_*, else embedded)")
    made.add_argument(
        "--edition", metavar="FILE", help="the run's methodology, if it is one of your own (default as recorded)"
    )
    made.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="HTML file (default report-RUN.html, unless that is of another run; of a portfolio DIR/report-LANG.html,"
        " portfolio-ID-LANG.html)",
    )
    sites = made.add_argument_group("a portfolio")
    sites.add_argument(
        "--portfolio", metavar="ID|DIR",
        help="folder that jobs.assess wrote, or the service's id of the portfolio (default: the report of a run)",
    )  # fmt: skip
    sites.add_argument(
        "--threshold", type=read_by(_threshold), metavar="LEVEL|N%",
        help="from where on an asset counts as vulnerable: a risk level, or AAL in %% of value (default high)",
    )  # fmt: skip
    return made


def _threshold(text: str) -> str:
    from engine.report.committee import at_risk

    at_risk.parse(text)
    return text


def main(argv: list[str] | None = None) -> int:
    """Parse, read, write; returns the exit code."""
    return _console.main(parser(), argv, _course, stopped="no report was written", needs=NEEDS)


def _course(args: argparse.Namespace) -> int:
    _paths.server_or_folder("--sink", args.sink)
    _paths.server("--warehouse", args.warehouse)
    if args.against is not None and not (args.against.isascii() and args.against.isdecimal()):
        _paths.folder("--against", Path(args.against))
    _paths.folder("--ensemble", args.ensemble)
    if args.run_dir is not None and "://" not in args.run_dir:
        _paths.folder("--run-dir", Path(args.run_dir))
    if args.edition is not None and args.edition not in EDITIONS:
        if Path(args.edition).suffix != ".toml":
            raise SettingsError(f"--edition: {unknown('edition', args.edition, EDITIONS)}, or name a .toml file")
        _paths.file("--edition", Path(args.edition))
    _paths.new_file("--out", args.out or Path("report.html"))
    _refuse_other(args)
    args.lang = _options.language()
    if args.portfolio is not None:
        from jobs.courses import portfolio_report

        return portfolio_report.run(args)
    from jobs.courses import report

    return report.run(args)


def _refuse_other(args: argparse.Namespace) -> None:
    """Refuse an option of the one report beside the other."""
    of_portfolio = args.portfolio is not None
    for name in _OF_RUN if of_portfolio else _OF_PORTFOLIO:
        if getattr(args, name) is not None:
            option = f"--{name.replace('_', '-')}"
            if of_portfolio:
                raise SettingsError(f"{option} is of the report of a run: leave it out, or leave --portfolio out")
            raise SettingsError(f"{option} is of the report of a portfolio: name --portfolio, too")


if __name__ == "__main__":
    sys.exit(main())
