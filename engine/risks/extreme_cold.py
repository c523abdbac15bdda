"""Extreme cold: days a year inside a cold spell, against each cell's own baseline."""

from engine.kernels import annual_minimum
from engine.risks.definition import Component, HazardIndex, Intensity, Risk
from engine.risks.inputs import Block, Floats, per_block
from engine.risks.reduce import between, period_mean


@per_block
def coldest_month(block: Block) -> Floats:
    """Mean temperature of each year's coldest month, (cells, years), degC."""
    return annual_minimum(block["ta"])


EXTREME_COLD = Risk(
    name="extreme_cold",
    intensities={
        "csdi": Intensity(
            meaning="days of the year inside a cold spell (CSDI)",
            unit="days/year",
            upper=366.0,
            needs=("csdi",),
            of=lambda block: block["csdi"],
        )
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="cold-spell days",
                weight=0.3,
                needs=("csdi",),
                of=lambda block, years: between(period_mean(block["csdi"], block.axis, years), 0, 20),
            ),
            Component(
                name="days below the 10th percentile",
                weight=0.3,
                needs=("tn10p",),
                # 36 days in the base period by definition: 60 is where the scale ends
                of=lambda block, years: between(period_mean(block["tn10p"], block.axis, years), 0, 60),
            ),
            Component(
                name="frost days",
                weight=0.2,
                needs=("fd0",),
                # Seoul has 95 a year, the mountains twice that
                of=lambda block, years: between(period_mean(block["fd0"], block.axis, years), 0, 150),
            ),
            Component(
                name="annual minimum temperature",
                weight=0.2,
                needs=("tnn",),
                of=lambda block, years: between(period_mean(block["tnn"], block.axis, years), 0, -20),
            ),
            Component(
                name="coldest month",
                weight=0.2,
                needs=("ta",),
                only_without="tnn",
                of=lambda block, years: between(period_mean(coldest_month(block), block.axis, years), 0, -20),
            ),
        )
    ),
    references=("Zhang et al. (2011), Indices for monitoring changes in extremes, doi:10.1002/wcc.147",),
)
