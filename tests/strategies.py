"""Generators of awkward inputs, for the property tests of the kernels."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 5
COLUMNS = 24
SHAPES = ("smooth", "constant", "zeros", "mostly zeros", "ties", "hairline", "one odd value", "far apart")


def series(rng: np.random.Generator, shape: str) -> Floats:
    """One cell's samples at or above zero."""
    smooth = rng.gamma(2.0, 5.0, COLUMNS)
    return {
        "smooth": smooth,
        "constant": np.full(COLUMNS, 0.1 + smooth[0]),  # its rounded mean differs from it
        "zeros": np.zeros(COLUMNS),
        "mostly zeros": np.where(rng.random(COLUMNS) < rng.random(), 0.0, smooth),
        "ties": rng.integers(0, 4, COLUMNS) * 3.0,
        "hairline": 1e8 * (1.0 + rng.integers(0, 3, COLUMNS) * 2.0**-52),
        "one odd value": np.where(np.arange(COLUMNS) == 3, 20.0, 4.0),
        "far apart": smooth * 10.0 ** rng.integers(-6, 7, COLUMNS),
    }[shape]


@st.composite
def cells(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Samples (C, 24) with gaps and edges (C, 4): apart, equal, collapsed onto zero, or on a sample; any magnitude."""
    shapes = draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = np.array([series(rng, shape) for shape in shapes])
    edges = np.sort(rng.gamma(2.0, 5.0, (len(x), BINS - 1)), axis=1)
    kind = draw(st.sampled_from(["apart", "equal", "at zero", "on a sample", "quantiles"]))
    if kind == "equal":
        edges[:, 1] = edges[:, 2]
    elif kind == "at zero":
        edges[:, :2] = 0.0
    elif kind == "on a sample":
        edges = np.sort(x[:, : BINS - 1], axis=1)
    elif kind == "quantiles":
        edges = np.quantile(x, [0.8, 0.9, 0.95, 0.99], axis=1).T.copy()
    x[rng.random(x.shape) < draw(st.sampled_from([0.0, 0.1, 0.25, 0.95]))] = np.nan
    scale = draw(st.sampled_from([1.0, 1e-100, 1e100]))
    return x * scale, edges * scale
