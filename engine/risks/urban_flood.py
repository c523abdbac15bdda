"""Urban flood: rain of the wettest day; the hazard score sets the wettest hour against the drainage of built land."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.risks.definition import Component, HazardIndex, Intensity, Line, Risk
from engine.risks.inputs import Block, per_block
from engine.risks.land import by_cover
from engine.risks.reduce import between, period_mean


def _works(block: Block) -> Mapping[str, float]:
    """Figures of the country's sewers and of its rain within a day, as its profile states them."""
    return block.reference.figures["urban_flood"]


@per_block
def drainage(block: Block) -> NDArray[np.float64]:
    """Rain that the ground or the sewers take, mm/h, (cells,)."""
    cover, impervious = block.landcover, block.attribute("impervious_ratio")
    dense, built, other = (_works(block)[f"sewers_{name}_mm_h"] for name in ("dense", "built", "other"))
    sewers = np.where(impervious > 0.75, dense, np.where(impervious > 0.60, built, other))  # NaN: other
    design = by_cover(cover, {"water": 0.0, "forest": 8.0, "agricultural": 15.0}, np.nan)
    design = np.where(np.isnan(design), sewers, design)
    density = block.attribute("building_density_km2")
    wear = np.where(density > 1000, 1.0, np.where(density > 500, 0.9, np.where(density > 100, 0.8, 0.7)))
    return design * np.where(np.isnan(density), 0.8, wear)


def _rain_excess(block: Block, years: Years) -> NDArray[np.float64]:
    hour = _works(block)["wettest_hour_share"] * period_mean(block["rx1day"], block.axis, years)
    return between(hour - drainage(block), 0, 30)


def _drainage_deficit(block: Block, _: Years) -> NDArray[np.float64]:
    return np.clip(1 - drainage(block) / _works(block)["full_drainage_mm_h"], 0, 1)


def _built_share(block: Block, _: Years) -> NDArray[np.float64]:
    impervious, cover = block.attribute("impervious_ratio"), block.landcover
    unknown = np.where((cover == "urban") | (cover == ""), 1.0, 0.3)
    return np.where(np.isnan(impervious), unknown, np.minimum(impervious / 0.6, 1.0))


URBAN_FLOOD = Risk(
    name="urban_flood",
    intensities={
        "rx1day": Intensity(
            meaning="largest rain of one day in the year (RX1DAY)",
            unit="mm",
            needs=("rx1day",),
            of=lambda block: block["rx1day"],
            line=Line(logs=True),
        ),
        "rain80": Intensity(
            meaning="days of the year with at least 80 mm of rain",
            unit="days/year",
            needs=("rain80",),
            of=lambda block: block["rain80"],
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(name="rain excess", weight=0.5, needs=("rx1day",), of=_rain_excess),
            # alone it would score a cell without any rain: it counts only beside the rain
            Component(name="drainage deficit", weight=0.5, needs=("rx1day",), of=_drainage_deficit),
        ),
        modifier=_built_share,
        attributes=("landcover_mode", "impervious_ratio", "building_density_km2"),
    ),
    references=("Methodology notes 2025-11 and 2025-12",),
)
