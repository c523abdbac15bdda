"""Typhoon: the strongest wind of each year of the track record, scaled by the cell's warming."""

import numpy as np
from numpy.typing import NDArray

from engine.kernels import (
    TyphoonTrack,
    annual_mean,
    typhoon_cyclone_index,
    typhoon_exposure,
    typhoon_wind,
    years_with_radii,
)
from engine.period import Years
from engine.risks.definition import Component, HazardIndex, Intensity, Risk
from engine.risks.inputs import Block, Floats, Inputs, Reference, per_block, per_panel, per_run
from engine.risks.reduce import period_mean
from engine.risks.track import typhoon_track
from engine.scenario import Scenario

TABLES = ("api_typhoon_besttrack",)
#: change of intensity per degree of local warming (AR6 ch. 11: about 5 % for 2 degC of global warming)
PER_DEGREE = 0.04
LEAST_FACTOR, MOST_FACTOR = 0.8, 1.5
#: wind over open land, reached 10 km behind the coast
INLAND_FACTOR, INLAND_M = 0.8, 10_000.0


@per_run
def track_of(reference: Reference) -> TyphoonTrack:
    return typhoon_track(reference.tables["api_typhoon_besttrack"])


@per_block
def annual_temperature(block: Block) -> Floats:
    """(cells, years), degC."""
    return annual_mean(block["ta"])


def delta_change(block: Block, years: Years) -> NDArray[np.float64]:
    """Factor on every historical sample, (cells,); 1 for an observed record; NaN where temperature is missing."""
    if block.reference.observed:
        return np.ones(len(block))
    now = period_mean(annual_temperature(block), block.axis, years)
    then = period_mean(annual_temperature(block.inputs.baseline), block.axis, block.reference.baseline)
    return np.clip(1 + PER_DEGREE * (now - then), LEAST_FACTOR, MOST_FACTOR)


def _coordinates(inputs: Inputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return inputs.panel.attribute("latitude"), inputs.panel.attribute("longitude")


@per_panel
def _wind(inputs: Inputs) -> Floats:
    reference = inputs.reference
    at_sea = typhoon_wind(*_coordinates(inputs), track_of(reference), reference.covered_years)
    distance = inputs.panel.attribute("dist_coast_m")
    inland = np.clip(np.where(np.isnan(distance), 0.0, distance) / INLAND_M, 0.0, 1.0)
    return at_sea * (1 - (1 - INLAND_FACTOR) * inland)[:, None]


@per_panel
def _exposure(inputs: Inputs) -> Floats:
    track = track_of(inputs.reference)
    return typhoon_exposure(*_coordinates(inputs), track, years_with_radii(track, inputs.reference.covered_years))


@per_panel
def _cyclone_index(inputs: Inputs) -> dict[tuple[Scenario, Years], NDArray[np.float64]]:
    # rain differs by scenario and period, the track does not: one sweep over the fixes serves all pairs
    reference = inputs.reference
    rain = [period_mean(inputs.under(scenario)["rx1day"], reference.axis, years) for scenario, years in inputs.pairs]
    index = typhoon_cyclone_index(
        *_coordinates(inputs), track_of(reference), reference.covered_years, np.stack(rain, axis=1)
    )
    return {pair: index[:, at] for at, pair in enumerate(inputs.pairs)}


def _score(block: Block, years: Years) -> NDArray[np.float64]:
    return _cyclone_index(block.inputs)[block.scenario, years]


@per_panel
def _wind_index(inputs: Inputs) -> NDArray[np.float64]:
    reference = inputs.reference
    no_rain = np.zeros((len(inputs.panel), 1))
    return typhoon_cyclone_index(
        *_coordinates(inputs), track_of(reference), reference.covered_years, no_rain, weights=(1.0, 0.0)
    )[:, 0]


def _stands_on(reference: Reference) -> str:
    years = reference.covered_years
    radii = years_with_radii(track_of(reference), years)
    span = f", {years.min()}-{years.max()}" if len(years) else ""
    return f"{len(years)} track years{span}, {len(radii)} of them with wind radii"


TYPHOON = Risk(
    name="typhoon",
    intensities={
        "wind": Intensity(
            meaning="highest wind of the year from typhoon tracks, 10-minute mean",
            unit="m/s",
            needs=("ta",),
            tables=TABLES,
            of=lambda block: _wind(block.inputs),
            scale=delta_change,
        ),
        "exposure": Intensity(
            meaning="time of the year inside gale and storm radii, weighted",
            unit="1",
            needs=("ta",),
            tables=TABLES,
            of=lambda block: _exposure(block.inputs),
            scale=delta_change,
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="wind and rain of passing storms", weight=1.0, needs=("rx1day", "ta"), tables=TABLES, of=_score
            ),
            Component(
                name="wind of passing storms",
                weight=1.0,
                needs=("ta",),
                tables=TABLES,
                only_without="rx1day",
                of=lambda block, _: _wind_index(block.inputs),
            ),
        ),
        modifier=delta_change,
        attributes=("dist_coast_m",),
    ),
    references=(
        "Willoughby, Darling and Rahn (2006), eq. 7a, doi:10.1175/MWR3106.1",
        "IPCC AR6 WG1 chapter 11 (2021), tropical cyclones",
    ),
    prepare=(track_of,),
    stands_on=_stands_on,
)
