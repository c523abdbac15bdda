"""Forms of a layer of the map: picture, values, sheet."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
import psycopg
from fastapi import Response
from numpy.typing import NDArray

from engine.core.false_discovery import not_told_apart
from engine.core.grid import GridDefinition
from engine.core.scenario import label
from engine.io.results import published_layers, published_runs, published_scenarios
from engine.io.results.published_figures import AAL, HAZARD, Figure
from engine.maps import picture
from engine.service import map_run

Quantity = Literal["aal", "hazard", "change"]
Form = Literal["png", "values", "csv"]
_FIGURES: dict[Quantity, Figure] = {"aal": AAL, "hazard": HAZARD}
_KINDS: dict[Form, str] = {"png": "image/png", "values": "application/octet-stream", "csv": "text/csv; charset=utf-8"}


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


def as_sheet(connection: psycopg.Connection, grid: GridDefinition, layer: Layer) -> bytes | None:
    """CSV, a row a cell, with its place, risk, scenario, years and run; None where the layer has no results."""
    found = published_layers.sheet(connection, *layer)
    if layer.quantity == "change":
        found = found.with_columns(
            more_than_noise=pl.Series(~not_told_apart(_plain(found, "change"), _plain(found, "change_se"))),
            change_share=pl.Series(picture.relative(_plain(found, "change"), _plain(found, "aal"))).fill_nan(None),
        ).filter(pl.col("change").is_not_null())
    if not found.height:
        return None
    rows, columns = grid.indices(found["grid_id"].to_numpy())
    first, last = map_run.years_of(layer.period, map_run.runs_of(connection), grid.axis)
    stated: dict[str, pl.Series | pl.Expr] = {
        "latitude": pl.Series(grid.latitudes[rows]),
        "longitude": pl.Series(grid.longitudes[columns]),
        "risk_type": pl.lit(layer.risk),
        "scenario": pl.lit(label(layer.scenario, published_scenarios.names(connection))),
        "time_period": pl.lit(layer.period),
        "first_year": pl.lit(first),
        "last_year": pl.lit(last),
    }
    if layer.quantity != "hazard":  # a loss never goes without
        told = published_runs.published_risks(connection).get(layer.risk)
        stated["calibrated"] = pl.lit(told.calibrated if told else None, pl.Boolean)
    sheet = found.with_columns(**stated)
    figures = [name for name in found.columns[1:] if name not in published_layers.MADE]
    return sheet.select("grid_id", *stated, *figures, *published_layers.MADE).write_csv().encode()


def _plain(found: pl.DataFrame, name: str) -> NDArray[np.float32]:
    return found[name].fill_null(np.nan).to_numpy()


FORMS: dict[Form, Callable[[psycopg.Connection, GridDefinition, Layer], bytes | None]] = {
    "png": as_picture,
    "values": as_values,
    "csv": as_sheet,
}


def _plain_name(scenario: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", scenario, flags=re.ASCII)


def packed(data: bytes, form: Form, accepted: str, headers: Mapping[str, str], layer: Layer, scenario: str) -> Response:
    """The answer, compressed where that helps and the client takes it.

    accepted : its Accept-Encoding
    scenario : name of the layer's scenario
    """
    told = dict(headers)
    if form == "csv":
        name = f"{layer.quantity}-{layer.risk}-{_plain_name(scenario)}-{layer.period}.csv"
        told["Content-Disposition"] = f'attachment; filename="{name}"'
    if form != "png":
        told["Vary"] = "Accept-Encoding"
        if "gzip" in accepted:
            data, told["Content-Encoding"] = gzip.compress(data, 1), "gzip"
    return Response(data, media_type=_KINDS[form], headers=told)
