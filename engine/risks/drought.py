"""Drought: the standardised precipitation-evapotranspiration index over 12 months, sign turned."""

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.kernels import annual_minimum
from engine.risks.definition import Check, Component, HazardIndex, Intensity, Line, Risk
from engine.risks.inputs import Block, Floats, per_block
from engine.risks.reduce import between, period_mean

#: an index standardised over its calibration years has standard deviation 1 there; averaging models damps it
LEAST_SPREAD = 0.8


@per_block
def _dryness_by_month(block: Block) -> Floats:
    return -block["spei12"]


@per_block
def driest_month(block: Block) -> Floats:
    """Minus the year's lowest SPEI-12, (cells, years)."""
    return -annual_minimum(block["spei12"])


@per_block
def _dry_side(block: Block) -> Floats:
    return np.maximum(driest_month(block), 0.0)


def _dryness(block: Block, years: Years) -> NDArray[np.float64]:
    return between(period_mean(_dry_side(block), block.axis, years), 0, 2)


def _damped(block: Block) -> NDArray[np.bool_]:
    baseline = block.inputs.baseline
    months = baseline["spei12"][:, block.axis.columns_of(block.reference.baseline)].reshape(len(block), -1)
    valid = ~np.isnan(months)
    count = np.maximum(valid.sum(axis=1), 1)
    mean = np.where(valid, months, 0).sum(axis=1, dtype=np.float64) / count
    spread = np.sqrt(np.where(valid, (months - mean[:, None]) ** 2, 0).sum(axis=1) / count)
    damped: NDArray[np.bool_] = (spread < LEAST_SPREAD) & valid.any(axis=1)
    return damped


DROUGHT = Risk(
    name="drought",
    intensities={
        "minus_spei12": Intensity(
            meaning="-SPEI-12 of the month, more is drier",
            unit="1",
            needs=("spei12",),
            monthly=True,
            negated=True,
            of=_dryness_by_month,
            span=3,
            line=Line(span=3),
        ),
        "minus_annual_minimum_spei12": Intensity(
            meaning="- lowest SPEI-12 of the year, more is drier",
            unit="1",
            needs=("spei12",),
            negated=True,
            of=driest_month,
            span=3,
            line=Line(span=3),
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(name="driest month", weight=0.8, needs=("spei12",), of=_dryness),
            Component(
                name="longest dry spell",
                weight=0.2,
                needs=("cdd",),
                of=lambda block, years: between(period_mean(block["cdd"], block.axis, years), 10, 60),
            ),
        )
    ),
    references=(
        "Vicente-Serrano, Begueria and Lopez-Moreno (2010), doi:10.1175/2009JCLI2909.1",
        "McKee, Doesken and Kleist (1993), drought classes",
    ),
    checks=(
        Check(
            of=_damped,
            needs=("spei12",),
            message=f"SPEI-12 varies too little over the baseline (median standard deviation below {LEAST_SPREAD}):"
            " a mean over models understates drought",
        ),
    ),
)
