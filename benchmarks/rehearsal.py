"""The yearly run from a store into its run directory, without a database behind it.

    python -m benchmarks.rehearsal --store DIR --runs DIR [--cells N]

prints one JSON line: cells, seconds by stage, wall time, compile time, peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import kernels
from engine.batch.execute import Outcome, execute
from engine.batch.request import Request
from engine.io import open_source
from engine.io.climate.source import ClimateSource
from engine.io.results import spool
from engine.io.results.result_tables import BinStyle
from engine.io.results.sink import RunRecord
from engine.io.results.spool import RunDirectory
from engine.risks import RISKS, load_edition


@dataclass
class Held:
    """A sink that publishes nothing and remembers what it was given."""

    where: str = "nowhere"
    run: RunDirectory | None = None
    parts: dict[str, Any] = field(default_factory=dict)
    styles: dict[str, BinStyle] = field(default_factory=dict)

    @contextmanager
    def guard(self, job_type: str) -> Iterator[None]:  # noqa: ARG002  (the protocol's)
        yield

    def begin(self, record: RunRecord, runs: Path | str) -> int:  # noqa: ARG002
        return max(spool.run_ids(runs), default=0) + 1

    def publish(self, run: RunDirectory, parts: Any, styles: Mapping[str, BinStyle], **_: object) -> dict[str, int]:
        self.run, self.parts, self.styles = run, dict(parts), dict(styles)
        return {}

    def reopen(self, run_id: int, record: RunRecord) -> None: ...
    def tell(self, state: object) -> None: ...
    def finish(self, status: str, **_: object) -> None: ...
    def close(self) -> None: ...


def rehearse(source: ClimateSource, runs: Path, cells: int | None) -> tuple[Outcome, Held]:
    """Nine risks, 13 pairs, both kinds; every block is in the run directory afterwards."""
    request = Request(
        job_type="yearly",
        edition=load_edition("2025-11"),
        risks=tuple(RISKS),
        cells=None if cells is None else str(cells),
    )
    held = Held()
    outcome = execute(source, held, request, runs, progress=lambda *_: None)
    if outcome.status != "completed":
        raise RuntimeError(f"{outcome.status}: {outcome.failed} {dict(outcome.plan.missing)}")
    return outcome, held


def apart(store: Path, runs: Path, cells: int) -> dict[str, Any]:
    """What `main` prints, from a process of its own: nothing of this one is in its memory or its caches."""
    shutil.rmtree(runs, ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.rehearsal", "--store", str(store), "--runs", str(runs)]
    done = subprocess.run([*command, "--cells", str(cells)], check=True, capture_output=True, text=True)
    shutil.rmtree(runs)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--cells", type=int)
    args = parser.parse_args(argv)
    started = time.perf_counter()
    kernels.warm_up()
    compiled = time.perf_counter() - started
    with closing(open_source(args.store)) as source:
        opened = time.perf_counter()
        outcome, _ = rehearse(source, args.runs, args.cells)
        wall = time.perf_counter() - opened
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    done = {"cells": outcome.summary.cells, "wall": wall, "compile": compiled, "gib": peak}
    print(json.dumps(done | {"stages": outcome.watch.seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
