"""Layers of the map: what one is of, its values, its picture."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np
import psycopg
from numpy.typing import NDArray

from engine.core.false_discovery import not_told_apart
from engine.core.grid import GridDefinition
from engine.core.period import FIRST_WINDOW, FULL
from engine.io.results import published_layers
from engine.io.results.published_figures import AAL, HAZARD, Figure
from engine.maps import picture
from engine.service import map_differences
from engine.service.map_differences import Window
from engine.service.problems import InvalidError, fault

Difference = Literal["difference", "relative_difference", "hazard_difference"]
Quantity = Literal["aal", "hazard", "change", "interval", Difference]
DIFFERENCES: tuple[Difference, ...] = get_args(Difference)
_FIGURES: dict[Quantity, Figure] = {"aal": AAL, "hazard": HAZARD}


class Layer(NamedTuple):
    """What a layer is of. reference: scenario and window that a difference is against; None for another layer."""

    quantity: Quantity
    risk: str
    scenario: int
    period: str
    reference: Window | None = None

    @property
    def shown(self) -> Window:
        """Scenario and window of years."""
        return self.scenario, self.period


class Values(NamedTuple):
    """(cells,) numbers and values: a ratio or a score of 0 to 1, NaN for too few data. unsure: the difference of a cell
    is not more than noise; None where nothing tells."""

    grid_id: NDArray[np.int32]
    values: NDArray[np.float32]
    unsure: NDArray[np.bool_] | None = None


def layer_of(quantity: Quantity, risk: str, shown: Window, reference: tuple[int | None, str | None]) -> Layer:
    """The layer that is asked for. A part of the reference that is left open is that of the layer itself.

    raises : InvalidError for a difference of a layer from itself or of the whole axis, or a reference of no difference
    """
    scenario, period = reference
    if quantity not in DIFFERENCES:
        if reference != (None, None):
            where = "reference_scenario_id" if period is None else "reference_period"
            said = f"A layer of {quantity} has no reference: ask for one of {', '.join(DIFFERENCES)}"
            raise InvalidError([fault(["query", where], said, scenario if period is None else period)])
        return Layer(quantity, risk, *shown, (shown[0], FIRST_WINDOW) if quantity == "change" else None)
    against = (scenario or shown[0], period or shown[1])
    if FULL in (shown[1], against[1]):
        said = "A difference is between windows of years: full holds the years of all of them"
        raise InvalidError([fault(["query", "time_period"], said, FULL)])
    if against == shown:
        said = "A difference needs another scenario (reference_scenario_id) or another period (reference_period)"
        raise InvalidError([fault(["query", "reference_period"], said, period)])
    return Layer(quantity, risk, *shown, against)


def read(connection: psycopg.Connection, layer: Layer) -> Values | None:
    """Values of the cells of a layer; None where it has no results."""
    if layer.reference is not None:
        return _difference(connection, layer, layer.reference)
    if layer.quantity == "interval":
        ids, of = published_layers.losses(connection, layer.risk, *layer.shown, ("aal", "aal_low", "aal_high"))
        values = width(of["aal"], of["aal_low"], of["aal_high"])
        return None if np.isnan(values).all() else Values(ids, values)
    ids, values = published_layers.read(connection, _FIGURES[layer.quantity], layer.risk, *layer.shown)
    return Values(ids, values) if len(ids) else None


def width(aal: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Width of the 90 % interval as a multiple of the AAL, (cells,) each; 0 where a cell is not exposed and its loss is
    0 for certain; NaN where there is no interval."""
    wide = high.astype(np.float64) - low
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((aal == 0.0) & (wide == 0.0), 0.0, wide / aal).astype(np.float32)


def _difference(connection: psycopg.Connection, layer: Layer, reference: Window) -> Values | None:
    if layer.quantity == "hazard_difference":
        scores = map_differences.of_scores(connection, layer.risk, layer.shown, reference)
        return None if scores is None else Values(scores.grid_id, scores.difference.astype(np.float32))
    if FULL in (layer.period, reference[1]) or layer.shown == reference:
        return None  # a change of the short term, or of the whole axis
    found = map_differences.of_losses(connection, layer.risk, layer.shown, reference)
    if found is None:
        return None
    assert found.error is not None  # noqa: S101  (of losses)
    moved = found.difference.astype(np.float32)
    values = moved if layer.quantity == "difference" else picture.relative(moved, found.shown.astype(np.float32))
    return Values(found.grid_id, values, not_told_apart(moved, found.error))


def as_picture(connection: psycopg.Connection, grid: GridDefinition, layer: Layer) -> bytes | None:
    """A PNG, hatched where differences are not more than noise; None where the layer has no results."""
    found, scale = read(connection, layer), picture.SCALES[layer.quantity]
    if found is None:
        return None
    places, where = np.zeros((grid.n_lat, grid.n_lon), np.uint8), grid.indices(found.grid_id)
    places[where] = picture.classify(found.values, scale)
    if found.unsure is None:
        return picture.paint(places, scale)
    unsure = np.zeros((grid.n_lat, grid.n_lon), np.bool_)
    unsure[where] = found.unsure
    return picture.paint(picture.hatched(places, unsure, scale), scale)


def as_values(connection: psycopg.Connection, grid: GridDefinition, layer: Layer) -> bytes | None:
    """Little-endian 32-bit floats, a cell each, the north-west one first; of a layer with hatching then a byte a cell,
    1 where it is hatched. None where the layer has no results."""
    found = read(connection, layer)
    if found is None:
        return None
    cells, where = np.full((grid.n_lat, grid.n_lon), -np.inf, "<f4"), grid.indices(found.grid_id)
    cells[where] = found.values
    if found.unsure is None:
        return cells[::-1].tobytes()
    unsure = np.zeros((grid.n_lat, grid.n_lon), np.uint8)
    unsure[where] = found.unsure
    return cells[::-1].tobytes() + unsure[::-1].tobytes()
