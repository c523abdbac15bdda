"""Write one climate store for each of several climate models.

Each folder of --data holds the files of one model, as `derive --members`
writes them. They pass the loaders and their quality gate in a warehouse of
their own, which goes when the command ends: no other server is written to.

examples:
    python -m jobs.etl derive --daily cmip/*.nc --members all --out models/
    python -m jobs.etl stores --data models/ --common data/ --out stores/
    python -m jobs.yearly --source stores/r1i1p1f1

exit codes:
    0    complete
    1    failed; finished stores stay
    2    bad arguments or settings
    130  interrupted; finished stores stay, the same command writes the others

settings: ETL_WORKERS (python -m jobs.config shows it)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from jobs import _console, _paths


def parser() -> _console.Parser:
    """The options of the command."""
    made = _console.Parser("etl stores", __doc__)
    made.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder of source files for each model")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="a store for each, called like its folder")
    made.add_argument(
        "--common", type=Path, metavar="DIR",
        help="source files that all models share, such as typhoon tracks and regions (default none)",
    )  # fmt: skip
    made.add_argument(
        "--gate", type=Path, metavar="FILE",
        help="TOML with ranges of the quality gate for another region (default Korea's)",
    )  # fmt: skip
    return made


def course(args: argparse.Namespace) -> int:
    """Look at the arguments, write."""
    _paths.folder("--data", args.data)
    _paths.folder("--common", args.common)
    _paths.file("--gate", args.gate)
    _paths.new_folder("--out", args.out)
    from jobs.courses import stores

    return stores.run(args)
