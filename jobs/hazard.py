"""Hazard scores of every cell.

    python -m jobs.hazard [--source URL|DIR] [--sink URL|DIR] [--edition NAME|FILE] [--risks a,b] [--dry-run] ...

Without configuration: an embedded PostgreSQL in ENGINE_HOME, filled with the synthetic sample of Korea.
Exit codes: 0 complete, 1 failed and nothing switched, 2 bad arguments or settings, 3 partial, 130 interrupted.
"""

import sys

from jobs import _batch


def main(argv: list[str] | None = None) -> int:
    """Run the job; returns its exit code."""
    return _batch.main("hazard", __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
