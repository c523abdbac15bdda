"""The public kernels: plain arrays in, plain arrays out; they know nothing of tables, files or risks."""

from __future__ import annotations

import numpy as np

from engine.kernels.bins import METHODS, BinProbabilities, bin_probabilities
from engine.kernels.evapotranspiration import reference_evapotranspiration
from engine.kernels.fire_weather import fire_weather_index
from engine.kernels.quantiles import baseline_quantiles

__all__ = [
    "METHODS",
    "BinProbabilities",
    "baseline_quantiles",
    "bin_probabilities",
    "fire_weather_index",
    "reference_evapotranspiration",
    "warm_up",
]


def warm_up() -> None:
    """Compile what the jobs run, on tiny inputs of the types they use: some seconds, once a process."""
    months = np.full((1, 12), 10.0, np.float32)
    bin_probabilities(np.zeros((1, 20), np.float32), [1.0], lower=0.0, atom=True, damage_rates=[0.0, 0.1])
    fire_weather_index(months, months, months, months)
    reference_evapotranspiration(months, months, months, months, [37.0], np.arange(1, 13))
