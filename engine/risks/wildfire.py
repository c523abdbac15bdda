"""Wildfire: a monthly fire-weather proxy scaled to the European classes."""

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.kernels import annual_maximum, fire_weather_index
from engine.risks.definition import Component, HazardIndex, Intensity, Risk
from engine.risks.inputs import Block, Floats, per_block
from engine.risks.land import by_cover
from engine.risks.reduce import period_mean, through

NEEDS = ("ta", "rhm", "ws", "rn")
SCORE_KNOTS = ((0.0, 0.0), (11.2, 0.2), (21.3, 0.4), (38.0, 0.6), (50.0, 0.8), (70.0, 1.0))
#: exponent of monthly rain fitted to the daily Van Wagner index at Seoul (monthly correlation 0.77, was 0.51)
FITTED_RAIN_COEFFICIENT = 0.0035


@per_block
def monthly_index(block: Block) -> Floats:
    """(cells, years, 12); a proxy from monthly means, not the daily Van Wagner index."""
    return fire_weather_index(*(block[name] for name in NEEDS))


@per_block
def annual_maximum_index(block: Block) -> Floats:
    """(cells, years)."""
    return annual_maximum(monthly_index(block))


def _fitted(block: Block) -> Floats:
    return fire_weather_index(*(block[name] for name in NEEDS), rain_coefficient=FITTED_RAIN_COEFFICIENT)


def _fuel(block: Block, _: Years) -> NDArray[np.float64]:
    return by_cover(block.landcover, {"forest": 1.3, "grassland": 1.2, "agricultural": 0.8}, 1.0)


WILDFIRE = Risk(
    name="wildfire",
    intensities={
        "fwi": Intensity(
            meaning="fire-weather proxy of the month", unit="1", needs=NEEDS, monthly=True, of=monthly_index
        ),
        "fwi_annual_maximum": Intensity(
            meaning="highest fire-weather proxy of the year", unit="1", needs=NEEDS, of=annual_maximum_index
        ),
        "fwi_rain": Intensity(
            meaning="fire-weather proxy of the month with the rain term fitted at Seoul",
            unit="1",
            needs=NEEDS,
            monthly=True,
            of=_fitted,
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="annual maximum of the fire-weather proxy",
                weight=1.0,
                needs=NEEDS,
                of=lambda block, years: through(
                    period_mean(annual_maximum_index(block), block.axis, years), SCORE_KNOTS
                ),
            ),
        ),
        modifier=_fuel,
        attributes=("landcover_mode",),
    ),
    references=("EFFIS fire danger classes", "Van Wagner (1987), the daily index that the proxy stands for"),
)
