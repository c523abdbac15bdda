"""The estimator against numpy and scipy over blocks of cells, as one vectorises it by hand; one thread each."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from benchmarks.harness import Options
from benchmarks.kernels import EDGES, LOWER, RATES, TOLERANCE
from benchmarks.rivals.contest import Raced, in_turn, row
from engine import kernels

Floats = NDArray[np.float64]
CELLS, YEARS = 20_000, 80
#: cells at a time: the fastest of 64 to 4,096
BLOCK = 256
TARGET = 15.0


def in_blocks(x: NDArray[np.float32]) -> Floats:
    """(C, bins) probabilities: the normal distribution function over a block of cells, samples and limits at once."""
    limits = np.concatenate([EDGES, 2 * LOWER - EDGES])
    out = np.empty((len(x), len(EDGES) + 1))
    for start in range(0, len(x), BLOCK):
        part = x[start : start + BLOCK].astype(np.float64)
        h = part.std(axis=1, ddof=1) * part.shape[1] ** -0.2
        below = ndtr((limits[None, :, None] - part[:, None, :]) / h[:, None, None]).mean(axis=2)
        mass = below[:, : len(EDGES)] - below[:, len(EDGES) :]
        out[start : start + BLOCK] = np.diff(mass, axis=1, prepend=0.0, append=1.0)
    return out


def race(options: Options) -> list[dict[str, Any]]:
    """Two rows: the probabilities alone, which is what the rival gives, and all that ours gives beside them.

    raises : AssertionError when a probability differs by more than 1e-9
    """
    cells = options.cells or CELLS
    x = np.random.default_rng(0).gamma(2.0, 5.0, (cells, YEARS)).astype(np.float32)
    kernels.warm_up()
    runs = {
        "alone": lambda: kernels.bin_probabilities(x, EDGES, lower=LOWER).p,
        "with losses": lambda: kernels.bin_probabilities(x, EDGES, lower=LOWER, damage_rates=RATES).p,
        "blocks": lambda: in_blocks(x),
    }
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        for run in runs.values():
            run()  # the first call loads what was compiled
        took, answers = in_turn(runs, options.rounds)
    finally:
        numba.set_num_threads(threads)
    size = f"{cells:,} cells x {YEARS} years"
    rows = []
    for ours, remark, target in (
        ("alone", "the same outputs: probabilities", TARGET),
        ("with losses", "ours gives AAL, its standard error and its interval as well", None),
    ):
        off = float(np.abs(answers[ours] - answers["blocks"]).max())
        assert off <= TOLERANCE, f"blocks differ by {off}"
        raced = Raced("estimator, one thread", "numpy and scipy ndtr in blocks", size, f"{off:.1e}", remark, target)
        rows.append(row(raced, took[ours], took["blocks"]))
    return rows
