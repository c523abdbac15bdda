"""Extreme heat: days a year inside a warm spell, against each cell's own baseline."""

from engine.kernels import annual_maximum
from engine.risks.definition import Component, HazardIndex, Intensity, Risk
from engine.risks.inputs import Block, Floats, per_block
from engine.risks.reduce import between, period_mean


@per_block
def warmest_month(block: Block) -> Floats:
    """Mean temperature of each year's warmest month, (cells, years), degC."""
    return annual_maximum(block["ta"])


EXTREME_HEAT = Risk(
    name="extreme_heat",
    intensities={
        "wsdi": Intensity(
            meaning="days of the year inside a warm spell (WSDI)",
            unit="days/year",
            upper=366.0,
            needs=("wsdi",),
            of=lambda block: block["wsdi"],
        )
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="warm-spell days",
                weight=0.3,
                needs=("wsdi",),
                of=lambda block, years: between(period_mean(block["wsdi"], block.axis, years), 0, 30),
            ),
            Component(
                name="days above 33 degC",
                weight=0.3,
                needs=("hw33",),
                of=lambda block, years: between(period_mean(block["hw33"], block.axis, years), 0, 100),
            ),
            Component(
                name="nights above 25 degC",
                weight=0.2,
                needs=("tr25",),
                of=lambda block, years: between(period_mean(block["tr25"], block.axis, years), 0, 50),
            ),
            Component(
                name="days above the 90th percentile",
                weight=0.2,
                needs=("tx90p",),
                of=lambda block, years: between(period_mean(block["tx90p"], block.axis, years), 0, 100),
            ),
            Component(
                name="warmest month",
                weight=0.2,
                needs=("ta",),
                only_without="tr25",
                of=lambda block, years: between(period_mean(warmest_month(block), block.axis, years), 20, 32),
            ),
        )
    ),
    references=("Zhang et al. (2011), Indices for monitoring changes in extremes, doi:10.1002/wcc.147",),
)
