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
    """One row.

    raises : AssertionError when a probability differs by more than 1e-9
    """
    cells = options.cells or CELLS
    x = np.random.default_rng(0).gamma(2.0, 5.0, (cells, YEARS)).astype(np.float32)
    kernels.warm_up()
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        ours = lambda: kernels.bin_probabilities(x, EDGES, lower=LOWER, damage_rates=RATES).p  # noqa: E731
        took, answers = in_turn({"ours": ours, "blocks": lambda: in_blocks(x)}, options.rounds)
    finally:
        numba.set_num_threads(threads)
    off = float(np.abs(answers["ours"] - answers["blocks"]).max())
    assert off <= TOLERANCE, f"blocks differ by {off}"
    raced = Raced(
        "estimator, one thread", "numpy and scipy ndtr in blocks", f"{cells:,} cells x {YEARS} years", f"{off:.1e}",
        "without standard error, which ours has", TARGET,
    )  # fmt: skip
    return [row(raced, took["ours"], took["blocks"])]
