"""Typhoon: the strongest wind of each year of the track record, scaled by the cell's warming; or hours in storms."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.kernels import (
    TyphoonTrack,
    annual_mean,
    typhoon_cyclone_index,
    typhoon_exposure,
    typhoon_storm_wind,
    typhoon_wind,
    years_with_radii,
    years_with_winds,
)
from engine.kernels.typhoon_track import year_of
from engine.risks.definition import Component, HazardIndex, Intensity, Risk
from engine.risks.inputs import Block, Floats, Inputs, Reference, per_block, per_panel, per_run
from engine.risks.reduce import period_mean
from engine.risks.track import typhoon_track

Ints = NDArray[np.int64]

TABLES = ("api_typhoon_besttrack",)
#: the edition's figure: change of a storm's wind per degree of local warming
PER_DEGREE = "warming_per_degree"
LEAST_FACTOR, MOST_FACTOR = 0.8, 1.5
#: wind over open land, reached 10 km behind the coast
INLAND_FACTOR, INLAND_M = 0.8, 10_000.0


@per_run
def track_of(reference: Reference) -> TyphoonTrack:
    return typhoon_track(reference.tables["api_typhoon_besttrack"])


@per_run
def track_years(reference: Reference) -> Ints:
    """Years that the tracks cover: complete, and with winds."""
    return years_with_winds(track_of(reference), reference.covered_years)


def _radii_years(reference: Reference) -> Ints:
    """Those of them that give the radii of storms."""
    return years_with_radii(track_of(reference), track_years(reference))


@per_block
def annual_temperature(block: Block) -> Floats:
    """(cells, years), degC."""
    return annual_mean(block["ta"])


def warming_factor(block: Block, years: Years) -> NDArray[np.float64]:
    """Factor on every historical wind, (cells,); 1 for an observed record; NaN where temperature is missing."""
    if block.reference.observed:
        return np.ones(len(block))
    now = period_mean(annual_temperature(block), block.axis, years)
    then = period_mean(annual_temperature(block.inputs.baseline), block.axis, block.reference.baseline)
    per_degree = block.reference.figures["typhoon"][PER_DEGREE]
    return np.clip(1 + per_degree * (now - then), LEAST_FACTOR, MOST_FACTOR)


def _as_recorded(block: Block, _: Years) -> NDArray[np.float64]:
    """Hours inside the radii of storms: warming makes winds stronger, and says nothing of how long they last."""
    return np.ones(len(block))


def _coordinates(inputs: Inputs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return inputs.panel.attribute("latitude"), inputs.panel.attribute("longitude")


@per_panel
def _wind(inputs: Inputs) -> Floats:
    reference = inputs.reference
    at_sea = typhoon_wind(*_coordinates(inputs), track_of(reference), track_years(reference))
    return at_sea * over_land(inputs.panel.attribute("dist_coast_m"))[:, None]


def over_land(distance_m: Floats) -> Floats:
    """Factor on the wind over open sea, (cells,), by distance to the coast, m; 1 where that is unknown (NaN)."""
    inland = np.clip(np.where(np.isnan(distance_m), 0.0, distance_m) / INLAND_M, 0.0, 1.0)
    return np.asarray(1 - (1 - INLAND_FACTOR) * inland)


def storm_wind(
    besttrack: pl.DataFrame, lat: Floats, lon: Floats, dist_coast_m: Floats, years: Sequence[int]
) -> tuple[NDArray[np.float64], pl.DataFrame]:
    """Highest wind of each storm of the record at some cells, as recorded: what `engine.losses.storm_losses` takes.

    besttrack    : rows of `api_typhoon_besttrack`
    lat, lon     : (C,) degrees; dist_coast_m: (C,) m, NaN = unknown
    years        : that the record covers; those without winds are left out
    returns      : (C, S) m/s, and a row a storm: `storm_id`, `name`, `year` and `began` (hours since 1970-01-01 UTC) of
                   its first fix
    raises       : SchemaError, ValueError as `typhoon_track` and `typhoon_storm_wind`
    """
    track = typhoon_track(besttrack)
    found = typhoon_storm_wind(lat, lon, track, years_with_winds(track, np.asarray(years, np.int64)))
    # the track numbers storms by their sorted ids
    told = besttrack.group_by(storm_id=pl.col("tcid").cast(pl.String)).agg(
        name=pl.col("typhoon_name").drop_nulls().last()
    )
    storms = told.sort("storm_id").with_row_index("storm", offset=1).with_columns(pl.col("storm").cast(pl.Int64))
    order = pl.DataFrame({"storm": found.storm, "year": found.year, "began": found.began})
    rows = order.join(storms, on="storm", how="left", maintain_order="left")
    return found.wind * over_land(dist_coast_m)[:, None], rows.select("storm_id", "name", "year", "began")


@per_panel
def _exposure(inputs: Inputs) -> Floats:
    track = track_of(inputs.reference)
    return typhoon_exposure(*_coordinates(inputs), track, _radii_years(inputs.reference))


Indices = dict[tuple[Scenario, Years], NDArray[np.float64]]


def _indices(inputs: Inputs, rain: Floats, **options: tuple[float, float]) -> Indices:
    """The cyclone index of every pair, rain (cells, pairs): tracks are the same for all, so one sweep serves them."""
    reference = inputs.reference
    factor = [warming_factor(inputs.under(scenario), years) for scenario, years in inputs.pairs]
    index = typhoon_cyclone_index(
        *_coordinates(inputs), track_of(reference), track_years(reference), rain,
        wind_scale=np.stack(factor, axis=1), **options,
    )  # fmt: skip
    return {pair: index[:, at] for at, pair in enumerate(inputs.pairs)}


@per_panel
def _cyclone_index(inputs: Inputs) -> Indices:
    axis = inputs.reference.axis
    rain = [period_mean(inputs.under(scenario)["rx1day"], axis, years) for scenario, years in inputs.pairs]
    return _indices(inputs, np.stack(rain, axis=1))


@per_panel
def _wind_index(inputs: Inputs) -> Indices:
    return _indices(inputs, np.zeros((len(inputs.panel), len(inputs.pairs))), weights=(1.0, 0.0))


def _stands_on(reference: Reference) -> str:
    years, track = track_years(reference), track_of(reference)
    radii = years_with_radii(track, years)
    span = f", {years.min()}-{years.max()}" if len(years) else ""
    gone = np.setdiff1d(np.union1d(year_of(track.time), reference.covered_years), years)
    left_out = f"; not covered, incomplete or without winds: {', '.join(map(str, gone))}" if len(gone) else ""
    return f"{len(years)} track years{span}, {len(radii)} of them with wind radii{left_out}"


TYPHOON = Risk(
    name="typhoon",
    intensities={
        "wind": Intensity(
            meaning="highest wind of the year from typhoon tracks, 10-minute mean",
            unit="m/s",
            needs_of_change=("ta",),
            tables=TABLES,
            of=lambda block: _wind(block.inputs),
            scale=warming_factor,
            record=track_years,
        ),
        "exposure": Intensity(
            meaning="time of the year inside gale and storm radii, weighted",
            unit="1",
            tables=TABLES,
            of=lambda block: _exposure(block.inputs),
            scale=_as_recorded,
            record=_radii_years,
        ),
    },
    hazard=HazardIndex(
        components=(
            Component(
                name="wind and rain of passing storms",
                weight=1.0,
                needs=("rx1day",),
                needs_of_change=("ta",),
                tables=TABLES,
                of=lambda block, years: _cyclone_index(block.inputs)[block.scenario, years],
            ),
            Component(
                name="wind of passing storms",
                weight=1.0,
                needs_of_change=("ta",),
                tables=TABLES,
                only_without="rx1day",
                of=lambda block, years: _wind_index(block.inputs)[block.scenario, years],
            ),
        ),
        attributes=("dist_coast_m",),
    ),
    references=(
        "Willoughby, Darling and Rahn (2006), eq. 7a, doi:10.1175/MWR3106.1",
        "IPCC AR6 WG1 chapter 11 (2021), tropical cyclones",
    ),
    figures=(PER_DEGREE,),
    prepare=(track_of, track_years),
    stands_on=_stands_on,
)
