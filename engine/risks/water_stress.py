"""Water stress: withdrawal of the basin over the water that its rain leaves, year by year."""

import numpy as np

from engine.risks import basins
from engine.risks.definition import Component, HazardIndex, Intensity, Line, Risk
from engine.risks.inputs import Block, Floats, per_block
from engine.risks.reduce import between, period_mean

#: 37 % of the flow stays in the river
AVAILABLE_SHARE = 0.63
LEAST_SCALE, MOST_SCALE = 0.1, 3.0


@per_block
def _effective_rain(block: Block) -> Floats:
    return basins.effective_rain(block.inputs.panel, block.scenario)


@per_block
def water_stress_index(block: Block) -> Floats:
    """(cells, years); NaN where the basin, its supply, its demand or the year's climate is missing."""
    reference = block.reference
    mean = basins.baseline_mean(_effective_rain(block.inputs.baseline), reference)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.clip(_effective_rain(block) / np.where(mean > 0, mean, np.nan)[:, None], LEAST_SCALE, MOST_SCALE)
    supply, demand = basins.supply(reference), basins.demand(reference)
    out = np.full((len(block), block.axis.n), np.nan)
    code = block.attribute("basin_code")
    for basin in np.unique(code[~np.isnan(code)]).astype(int).tolist():
        volume, withdrawal = supply.get(basin), demand.get((basin, block.scenario))
        if volume is not None and volume > 0 and withdrawal is not None:
            here = code == basin
            out[here] = withdrawal / (AVAILABLE_SHARE * volume * scale[here])
    return out


WATER_STRESS = Risk(
    name="water_stress",
    intensities={
        "wsi": Intensity(
            meaning="water withdrawn / water available in the year",
            unit="1",
            needs=basins.CLIMATE,
            tables=basins.TABLES,
            of=water_stress_index,
            line=Line(logs=True),
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="withdrawal over available water",
                weight=1.0,
                needs=basins.CLIMATE,
                tables=basins.TABLES,
                of=lambda block, years: between(period_mean(water_stress_index(block), block.axis, years), 0, 1),
            ),
        ),
        attributes=("basin_code", "elevation_mean_m"),
    ),
    references=("Kuzma et al. (2023), Aqueduct 4.0, World Resources Institute, doi:10.46830/writn.23.00061",),
    prepare=(basins.supply, basins.demand),
    stands_on=basins.stands_on,
)
