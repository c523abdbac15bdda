"""Run the year: probabilities, AAL and hazard scores of every cell.

The results are published with one switch. Without configuration: an embedded PostgreSQL in ENGINE_HOME, filled with the
synthetic sample of Korea; with --data one that is filled from your own climate files, of any country.

examples:
    python -m jobs.yearly
    python -m jobs.yearly --source store/ --sink out/ --risks typhoon
    python -m jobs.yearly --sample korea-stations
    python -m jobs.yearly --data cmip/ --tracks ibtracs.csv --currency EUR
    python -m jobs.yearly --edition 2025-12 --scenarios 2,4 --dry-run
    python -m jobs.yearly --resume 12

exit codes:
    0    complete
    1    failed, nothing was switched
    2    bad arguments, settings or edition
    3    partial: a risk lacked its inputs, the others are published
         (with --data only where --risks names it)
    130  interrupted; what was computed is kept for --resume

settings: DW_*, APP_*, ENGINE_HOME, EDITION, BLOCK_CELLS, PARALLEL_WORKERS,
COMPUTE_THREADS, KERNEL_CACHE (python -m jobs.config shows them)
"""

from __future__ import annotations

import sys

from jobs import _batch, _console


def parser() -> _console.Parser:
    """The options of the job."""
    return _batch.parser("yearly", __doc__)


def main(argv: list[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return _batch.main("yearly", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
