"""Cells per second of `bin_probabilities`, against scipy called cell by cell: the same bounded Gaussian KDE, five bins.

Three rivals, from the strongest to the one that is written first: the normal distribution function over a whole cell at
once (`scipy.special.ndtr`), `scipy.stats.gaussian_kde` with its closed-form `integrate_box_1d`, and an adaptive
quadrature of the density of each bin. They do without the standard error, which ours computes as well.
"""

from __future__ import annotations

import itertools
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import gaussian_kde

from benchmarks import harness
from engine import kernels

Floats = NDArray[np.float64]

EDGES = np.array([3.0, 8.0, 15.0, 25.0])
RATES = [0.001, 0.003, 0.01, 0.02, 0.035]
LOWER = 0.0
TOLERANCE = 1e-9


def with_ndtr(x: Floats) -> Floats:
    limits = np.concatenate([EDGES, 2 * LOWER - EDGES])
    out = np.empty((len(x), len(EDGES) + 1))
    for c, row in enumerate(x):
        h = row.std(ddof=1) * len(row) ** -0.2
        below = ndtr((limits[:, None] - row) / h).mean(axis=1)
        out[c] = np.diff(below[: len(EDGES)] - below[len(EDGES) :], prepend=0.0, append=1.0)
    return out


def with_gaussian_kde(x: Floats) -> Floats:
    limits = np.concatenate([[LOWER], EDGES, [np.inf]])
    out = np.empty((len(x), len(EDGES) + 1))
    for c, row in enumerate(x):
        density = gaussian_kde(row)
        for i, (a, b) in enumerate(itertools.pairwise(limits)):
            out[c, i] = density.integrate_box_1d(a, b) + density.integrate_box_1d(2 * LOWER - b, 2 * LOWER - a)
    return out


def with_quadrature(x: Floats) -> Floats:
    out = np.empty((len(x), len(EDGES) + 1))
    for c, row in enumerate(x):
        density = gaussian_kde(row)
        end = row.max() + 10 * np.sqrt(density.covariance[0, 0])
        limits = np.concatenate([[LOWER], EDGES, [max(end, EDGES[-1])]])
        for i, (a, b) in enumerate(itertools.pairwise(limits)):
            out[c, i] = quad(lambda t, f=density: (f(t) + f(2 * LOWER - t))[0], a, b, epsabs=1e-11, limit=200)[0]
    return out


RIVALS = {
    "scipy ndtr": (with_ndtr, 400),
    "scipy gaussian_kde": (with_gaussian_kde, 100),
    "quadrature": (with_quadrature, 4),
}


def measure(*, cells: int, years: int, rounds: int) -> list[dict[str, Any]]:
    """One row a rival and number of threads: cells/s of both, their ratio, the largest difference of a probability.

    raises : AssertionError when the answers differ by more than 1e-9
    """
    x = np.random.default_rng(0).gamma(2.0, 5.0, (cells, years)).astype(np.float32)
    kernels.warm_up()
    rows = []
    for threads in sorted({1, numba.config.NUMBA_NUM_THREADS}):
        numba.set_num_threads(threads)
        contest = {"ours": lambda: kernels.bin_probabilities(x, EDGES, lower=LOWER, damage_rates=RATES).p}
        samples = {}
        for name, (rival, share) in RIVALS.items():
            samples[name] = x[:share].astype(np.float64)
            contest[name] = lambda rival=rival, sample=samples[name]: rival(sample)
        seconds, answers = harness.in_turn(contest, rounds)
        for name, sample in samples.items():
            off = float(np.abs(answers["ours"][: len(sample)] - answers[name]).max())
            assert off <= TOLERANCE, f"{name} differs by {off}"
            ours, theirs = cells / seconds["ours"], len(sample) / seconds[name]
            rows.append(
                {
                    "rival": name,
                    "threads": threads,
                    "cells": cells,
                    "years": years,
                    "ours, cells/s": ours,
                    "rival, cells/s": theirs,
                    "ratio": ours / theirs,
                    "largest difference": off,
                }
            )
    return rows
