"""Samples of an intensity: of a scenario and window, as bins are cut from them, and one a year."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.kernels import annual_maximum
from engine.risks.definition import Intensity
from engine.risks.inputs import Inputs

Floats = NDArray[np.floating[Any]]


def samples_of(inputs: Inputs, intensity: Intensity, scenario: Scenario, years: Years) -> Floats:
    """(cells, samples) of a scenario and window: its years or months, or the years of the track record."""
    x = _columns(inputs, intensity, scenario, years)
    return x.reshape(len(x), -1)


def yearly_samples(inputs: Inputs, intensity: Intensity, scenario: Scenario, years: Years) -> Floats:
    """(cells, years) of a scenario and window; of a monthly intensity the largest month of each year."""
    x = _columns(inputs, intensity, scenario, years)
    return annual_maximum(x) if intensity.monthly else x


def _columns(inputs: Inputs, intensity: Intensity, scenario: Scenario, years: Years) -> Floats:
    block = inputs.under(scenario)
    x = intensity.of(block)
    if intensity.scale is not None:
        return np.asarray(x * intensity.scale(block, years)[:, None])
    return x[:, inputs.panel.axis.columns_of(years)]
