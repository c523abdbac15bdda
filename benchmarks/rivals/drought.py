"""SPEI of 12 months, log-logistic, against climate-indices."""

from __future__ import annotations

import warnings
from importlib import import_module, util
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Options
from benchmarks.rivals.contest import Raced, in_turn, not_raced, row
from engine.kernels import spei

CELLS, YEARS = 3_306, 40
#: climate-indices cuts its index here
CUT = 3.09
TARGET = 6.0
RACE, RIVAL = "SPEI-12, one thread", "climate-indices"
Floats = NDArray[np.float64]


def balance(cells: int) -> tuple[Floats, Floats]:
    """Rain and evapotranspiration (C, months), mm."""
    rng = np.random.default_rng(3)
    season = np.cos(2 * np.pi * np.arange(12 * YEARS) / 12)
    rain = rng.gamma(2.0, 45.0, (cells, 12 * YEARS)) * (1.2 - season)
    return rain, 70 - 50 * season + rng.normal(0, 5, rain.shape)


def ours(rain: Floats, et0: Floats) -> Floats:
    sums = spei.accumulate(rain - et0)
    return spei.standardise(sums, spei.fit(sums, slice(0, sums.shape[1])))


def theirs(rain: Floats, et0: Floats) -> Floats:
    """All cells at once, as its xarray interface hands them on."""
    indices, compute = import_module("climate_indices.indices"), import_module("climate_indices.compute")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        index = indices.spei(
            rain.T[:, :, None], et0.T[:, :, None], 12, indices.Distribution.loglogistic, compute.Periodicity.monthly,
            2001, 2001, 2000 + YEARS, spatial_time_major=True,
        )  # fmt: skip
    return np.asarray(index)[:, :, 0].T


def race(options: Options) -> list[dict[str, Any]]:
    """One row; the difference is that of indices within the rival's cut.

    raises : AssertionError when one is missing where the other is not
    """
    if util.find_spec("climate_indices") is None:
        return [not_raced(RACE, RIVAL, "climate-indices is not installed")]
    cells = options.cells or CELLS
    rain, et0 = balance(cells)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import_module("climate_indices.indices")
    import_module("structlog").configure(wrapper_class=import_module("structlog").make_filtering_bound_logger(50))
    ours(rain[:2], et0[:2])  # compiled before
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        took, answers = in_turn({"ours": lambda: ours(rain, et0), RIVAL: lambda: theirs(rain, et0)}, options.rounds)
    finally:
        numba.set_num_threads(threads)
    mine, other = answers["ours"].clip(-CUT, CUT), answers[RIVAL]
    assert np.array_equal(np.isnan(mine), np.isnan(other)), "other months are missing"
    off = float(np.nanmax(np.abs(mine - other)))
    raced = Raced(RACE, RIVAL, f"{cells:,} cells x {12 * YEARS} months", f"{off:.1e}", f"cut at {CUT}", TARGET)
    return [row(raced, took["ours"], took[RIVAL])]
