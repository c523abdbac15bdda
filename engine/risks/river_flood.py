"""River flood: rain of the wettest five days; the hazard score adds how wet the ground lies and how near the river."""

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.risks.definition import Component, HazardIndex, Intensity, Line, Risk
from engine.risks.inputs import Block
from engine.risks.land import by_cover
from engine.risks.reduce import between, period_mean, through

RAIN_KNOTS = ((0.0, 0.0), (100.0, 0.2), (150.0, 0.4), (200.0, 0.6), (300.0, 0.8), (450.0, 1.0))
#: stand-ins for the topographic wetness index; 6.5 on slopes over 8 degrees, 10.7 on low flats (Daejeon, 90 m DEM)
WETNESS_BY_COVER = {
    "water": 14.0,
    "wetland": 12.0,
    "agricultural": 10.5,
    "urban": 10.0,
    "grassland": 8.5,
    "barren": 7.5,
    "forest": 6.5,
}
NEAR_RIVER_M, FAR_FROM_RIVER_M = 1_000.0, 5_000.0


def _wetness(block: Block, _: Years) -> NDArray[np.float64]:
    index = block.attribute("wetness_index")
    index = np.where(np.isnan(index), by_cover(block.landcover, WETNESS_BY_COVER, np.nan), index)
    return between(index, 4, 14)


def _near_river(block: Block, _: Years) -> NDArray[np.float64]:
    distance = block.attribute("dist_river_m")
    factor = np.where(distance <= NEAR_RIVER_M, 1.2, np.where(distance <= FAR_FROM_RIVER_M, 1.0, 0.8))
    return np.where(np.isnan(distance), 1.0, factor)


RIVER_FLOOD = Risk(
    name="river_flood",
    intensities={
        "rx5day": Intensity(
            meaning="largest rain of five days in the year (RX5DAY)",
            unit="mm",
            needs=("rx5day",),
            of=lambda block: block["rx5day"],
            line=Line(logs=True),
        ),
        "rx1day": Intensity(
            meaning="largest rain of one day in the year (RX1DAY)",
            unit="mm",
            needs=("rx1day",),
            of=lambda block: block["rx1day"],
            line=Line(logs=True),
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="wettest five days",
                weight=0.6,
                needs=("rx5day",),
                of=lambda block, years: through(period_mean(block["rx5day"], block.axis, years), RAIN_KNOTS),
            ),
            Component(name="wetness", weight=0.4, per_cell=True, of=_wetness),
        ),
        modifier=_near_river,
        attributes=("wetness_index", "landcover_mode", "dist_river_m"),
    ),
    references=("Beven and Kirkby (1979), topographic wetness index, doi:10.1080/02626667909491834",),
)
