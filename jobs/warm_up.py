"""Compile the kernels for this processor and keep them.

No later process has to: for images and new machines. They go to KERNEL_CACHE, else to climate-risk-engine/kernels in
$XDG_CACHE_HOME or ~/.cache. Every batch does the same when they are not there yet.

examples:
    python -m jobs.warm_up

exit codes:
    0    kept
    1    compiled, but not kept
    2    bad arguments or settings
    130  interrupted; the kernels compiled so far are kept

settings: KERNEL_CACHE (python -m jobs.config shows it)
"""

from __future__ import annotations

import argparse
import sys

from jobs import _console


def parser() -> _console.Parser:
    """The arguments of the job: none."""
    return _console.Parser("warm_up", __doc__)


def main(argv: list[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return _console.main(parser(), argv, _course, stopped="the kernels compiled so far are kept, the others are not")


def _course(_args: argparse.Namespace) -> int:
    from jobs.courses import warm_up

    return warm_up.run()


if __name__ == "__main__":
    sys.exit(main())
