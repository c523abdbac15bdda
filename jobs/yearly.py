"""Bin probabilities, AAL and hazard scores of every cell: the yearly run.

    python -m jobs.yearly [--source URL|DIR] [--sink URL|DIR] [--edition NAME|FILE] [--risks a,b] [--dry-run] ...

Without configuration: an embedded PostgreSQL in ENGINE_HOME, filled with the synthetic sample of Korea.
Exit codes: 0 complete, 1 failed and nothing switched, 2 bad arguments or settings, 3 partial, 130 interrupted.
"""

import sys

from jobs import _batch


def main(argv: list[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return _batch.main("yearly", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
