"""Forms of a layer of the map: picture and values."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
import psycopg
from fastapi import Response
from numpy.typing import NDArray

from engine.core.false_discovery import not_told_apart
from engine.core.grid import GridDefinition
from engine.io.results import published_layers
from engine.io.results.published_figures import AAL, HAZARD, Figure
from engine.maps import picture

Quantity = Literal["aal", "hazard", "change"]
Form = Literal["png", "values"]
_FIGURES: dict[Quantity, Figure] = {"aal": AAL, "hazard": HAZARD}
_KINDS: dict[Form, str] = {"png": "image/png", "values": "application/octet-stream"}


class Layer(NamedTuple):
    """What a layer is of."""

    quantity: Quantity
    risk: str
    scenario: int
    period: str


class Values(NamedTuple):
    """(cells,) numbers; values: a ratio or a score of 0 to 1, NaN for too few data; unsure: the change of a cell is not
    more than noise."""

    grid_id: NDArray[np.int32]
    values: NDArray[np.float32]
    unsure: NDArray[np.bool_] | None = None


def read(connection: psycopg.Connection, layer: Layer) -> Values | None:
    """Values of the cells of a layer; None where it has no results."""
    quantity, where = layer.quantity, (layer.risk, layer.scenario, layer.period)
    if quantity != "change":
        ids, values = published_layers.read(connection, _FIGURES[quantity], *where)
        return Values(ids, values) if len(ids) else None
    found = published_layers.changes(connection, *where)
    if np.isnan(found.change).all():
        return None
    share = picture.relative(found.change, found.aal)
    return Values(found.grid_id, share, not_told_apart(found.change, found.error))


def as_picture(connection: psycopg.Connection, grid: GridDefinition, layer: Layer) -> bytes | None:
    """A PNG, hatched where changes are not more than noise; None where the layer has no results."""
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
    """Little-endian 32-bit floats, a cell each, the north-west one first; None where the layer has no results."""
    found = read(connection, layer)
    if found is None:
        return None
    cells = np.full((grid.n_lat, grid.n_lon), -np.inf, "<f4")
    cells[grid.indices(found.grid_id)] = found.values
    return cells[::-1].tobytes()


FORMS: dict[Form, Callable[[psycopg.Connection, GridDefinition, Layer], bytes | None]] = {
    "png": as_picture,
    "values": as_values,
}


def packed(data: bytes, form: Form, accepted: str, headers: Mapping[str, str]) -> Response:
    """The answer, compressed where that helps and the client takes it. accepted: its Accept-Encoding"""
    told = dict(headers)
    if form != "png":
        told["Vary"] = "Accept-Encoding"
        if "gzip" in accepted:
            data, told["Content-Encoding"] = gzip.compress(data, 1), "gzip"
    return Response(data, media_type=_KINDS[form], headers=told)
