"""Run a benchmark, or all of them.

    python -m benchmarks kernels|etl|read|load|yearly|country|memory|identity|assess
                        |portfolio|elsewhere|losses|coverage|trend|explain|service|layers|fuzz|hostile|kills|backtest|all
    python -m benchmarks rivals [--cells N] [--rounds N] [--only RACE ...]
    python -m benchmarks tune [--store DIR | --warehouse] [--cells N] [--sites N] [--only SETTING ...]
                         [--cells N] [--sites N] [--rounds N] [--files N] [--number N] [--seed N] [--only CASE ...]
                         [--scratch DIR] [--out DIR] [--readme]

Without --cells or --sites each takes its own size (README.md). Stores and databases are kept in the scratch folder,
5 GB for the land grid and 25 GB while its results are loaded.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import (
    assess,
    backtest,
    country,
    coverage,
    elsewhere,
    etl,
    explain,
    fuzz,
    harness,
    hostile,
    identity,
    kernels,
    kills,
    layers,
    load,
    losses,
    memory,
    portfolio,
    read,
    rivals,
    service,
    trend,
    tune,
    yearly,
)
from benchmarks.harness import Options

KERNEL_CELLS = 451_351


def _kernels(options: Options) -> list[dict[str, Any]]:
    return kernels.measure(cells=options.cells or KERNEL_CELLS, years=options.years, rounds=options.rounds)


BENCHMARKS: dict[str, Callable[[Options], list[dict[str, Any]]]] = {
    "kernels": _kernels,
    "etl": etl.measure,
    "read": read.measure,
    "load": load.measure,
    "yearly": yearly.measure,
    "country": country.measure,
    "memory": memory.measure,
    "identity": identity.measure,
    "assess": assess.measure,
    "portfolio": portfolio.measure,
    "elsewhere": elsewhere.measure,
    "losses": losses.measure,
    "coverage": coverage.measure,
    "trend": trend.measure,
    "explain": explain.measure,
    "service": service.measure,
    "layers": layers.measure,
    "fuzz": fuzz.measure,
    "hostile": hostile.measure,
    "kills": kills.measure,
    "backtest": backtest.measure,
    "rivals": rivals.measure,
    "tune": tune.measure,
}
_DOCS = Path(__file__).parents[1] / "docs"
#: tables that stand on another page than benchmarks/README.md
PAGES = {"tune": _DOCS / "tuning.md", "coverage": _DOCS / "methodology.md", "trend": _DOCS / "methodology.md"}
#: those of `all`: advice for one machine is no measure of the engine, and rivals are installed when one asks for them
ALL = tuple(name for name in BENCHMARKS if name not in ("rivals", "tune"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benchmark", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--cells", type=int)
    parser.add_argument("--sites", type=int, help="of `assess`, `portfolio` and `losses`")
    parser.add_argument("--years", type=int, default=80, help="samples a cell of `kernels`")
    parser.add_argument("--rounds", type=int, default=3, help="turns each rival takes; the best counts")
    parser.add_argument("--files", type=int, help="of `fuzz`, over all cases; requests of `hostile`")
    parser.add_argument("--number", type=int, help="of `kills`, over both sinks; figures of `explain`")
    parser.add_argument(
        "--seed", type=int, default=1, help="of `fuzz`, `hostile`, `kills`, `coverage`, `trend` and `explain`"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="of `fuzz`, `rivals`, `tune`")
    parser.add_argument("--store", type=Path, metavar="DIR", help="of `tune`: your store, instead of a sample")
    parser.add_argument(
        "--warehouse", action="store_true", help="of `tune`: the warehouse of DW_*, instead of a sample"
    )
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / "climate-risk-benchmarks")
    parser.add_argument("--out", type=Path, help="folder for the table (.md) and the history (.jsonl)")
    parser.add_argument("--readme", action="store_true", help="put the table into benchmarks/README.md")
    args = parser.parse_args(argv)
    options = Options(cells=args.cells, sites=args.sites, years=args.years, rounds=args.rounds, scratch=args.scratch,
                      files=args.files, number=args.number, seed=args.seed, only=tuple(args.only),
                      store=args.store, warehouse=args.warehouse)  # fmt: skip
    for name in ALL if args.benchmark == "all" else [args.benchmark]:
        before = harness.machine()
        table = harness.write(BENCHMARKS[name](options), name, args.out, before=before)
        print(f"{name}\n\n{table}\n", flush=True)
        if args.readme:
            harness.into_readme(table, name, PAGES.get(name, harness.README))
    return 0


if __name__ == "__main__":
    sys.exit(main())
