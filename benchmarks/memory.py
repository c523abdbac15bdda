"""Time and peak memory of the yearly run, from the store to the run directory, as the number of cells grows.

Each size is a process of its own: the first N cells of one store. Cost should be linear in cells and memory flat.
"""

from __future__ import annotations

from typing import Any

from benchmarks import harness, rehearsal, scratch
from benchmarks.harness import Options

CELLS = 97_377
#: of the land grid, whatever its size
MOST_SECONDS, MOST_GIB = 240.0, 4.0


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a size: seconds, seconds a thousand cells, peak resident memory, seconds by stage."""
    cells = options.cells or CELLS
    store = scratch.store(options.scratch, cells)
    runs = options.scratch / "runs-memory"
    rows = []
    for size in sorted({max(1, round(cells * share)) for share in (0.1027, 0.3081, 1.0)}):
        found = rehearsal.apart(store, runs, size)
        stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in found["stages"].items() if name != "load")
        whole = size == cells
        rows.append(
            {
                "cells": found["cells"],
                "wall, s": found["wall"],
                "s per 1,000 cells": found["wall"] / size * 1000,
                "target, s": harness.verdict(found["wall"], at_most=MOST_SECONDS) if whole else "",
                "peak, GiB": found["gib"],
                "target, GiB": harness.verdict(found["gib"], at_most=MOST_GIB),
                "stages, s (reading overlaps)": stages,
                "compile before, s": found["compile"],
            }
        )
    return rows
