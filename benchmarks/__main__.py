"""Run one benchmark.

python -m benchmarks kernels [--cells N] [--years N] [--rounds N] [--out DIR]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import harness, kernels

BENCHMARKS = {"kernels": kernels.measure}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benchmark", choices=sorted(BENCHMARKS))
    parser.add_argument("--cells", type=int, default=451_351)
    parser.add_argument("--years", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=5, help="turns each rival takes; the best counts")
    parser.add_argument("--out", type=Path, help="folder for the table (.md) and the history (.jsonl)")
    args = parser.parse_args(argv)
    rows = BENCHMARKS[args.benchmark](cells=args.cells, years=args.years, rounds=args.rounds)
    print(harness.write(rows, args.benchmark, args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
