"""A layer of the map as a file: a sheet with a row a cell, a raster for a geographic information system."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
import psycopg
from fastapi import Response
from numpy.typing import NDArray

from engine.core.false_discovery import not_told_apart
from engine.core.grid import GridDefinition
from engine.core.scenario import ScenarioNames, label
from engine.io.results import published_layers, published_runs, published_scenarios
from engine.maps import geotiff, picture
from engine.service import map_differences, map_layers, map_run
from engine.service.map_layers import Layer, Quantity

Form = Literal["png", "values", "csv", "tif"]
_KINDS: dict[Form, str] = {
    "png": "image/png",
    "values": "application/octet-stream",
    "csv": "text/csv; charset=utf-8",
    "tif": "image/tiff",
}
_SHARE, _OF_IT = "share of value a year", "share of the reference"
#: bands of a raster, what the map shows first, and the unit of that
BANDS: dict[Quantity, tuple[str, tuple[str, ...]]] = {
    "aal": (_SHARE, ("aal", "aal_low", "aal_high")),
    "interval": ("multiple of the AAL", ("interval_width", "aal", "aal_low", "aal_high")),
    "change": (_OF_IT, ("change_share", "change", "change_se", "more_than_noise")),
    "difference": (_SHARE, ("difference", "difference_se", "relative_difference", "more_than_noise")),
    "relative_difference": (_OF_IT, ("relative_difference", "difference", "difference_se", "more_than_noise")),
    "hazard": ("score of 0 to 1", ("hazard_score",)),
    "hazard_difference": ("score of 0 to 1", ("hazard_difference", "hazard_score", "reference_hazard_score")),
}


def as_sheet(connection: psycopg.Connection, grid: GridDefinition, layer: Layer, address: str) -> bytes | None:
    """CSV, a row a cell, with its place, risk, scenario, years and run; the first row cites them. None: no results."""
    found = _figures(connection, layer)
    if found is None:
        return None
    rows, columns = grid.indices(found["grid_id"].to_numpy())
    stated: dict[str, pl.Series | pl.Expr] = {
        "latitude": pl.Series(grid.latitudes[rows]),
        "longitude": pl.Series(grid.longitudes[columns]),
        **{name: pl.lit(value) for name, value in _stated(connection, grid, layer).items()},
    }
    made = published_layers.MADE
    cited = pl.Series([_citation(connection, address)]).extend_constant(None, found.height - 1)
    figures = [name for name in found.columns[1:] if name not in made]
    sheet = found.with_columns(**stated, citation=cited)
    return sheet.select("grid_id", *stated, *figures, *made, "citation").write_csv().encode()


def as_raster(connection: psycopg.Connection, grid: GridDefinition, layer: Layer, address: str) -> bytes | None:
    """GeoTIFF, a band a figure, that of the map first; NaN where a cell has none. None: no results."""
    found = _figures(connection, layer)
    if found is None:
        return None
    unit, names = BANDS[layer.quantity]
    where, bands = grid.indices(found["grid_id"].to_numpy()), {}
    for name in names:
        cells = np.full((grid.n_lat, grid.n_lon), np.nan, np.float32)
        cells[where] = found[name].cast(pl.Float32).fill_null(np.nan).to_numpy()
        bands[name] = cells[::-1]
    told: dict[str, Any] = {
        name: value for name, value in _stated(connection, grid, layer).items() if value is not None
    }
    told |= {name: ", ".join(map(str, found[name].drop_nulls().unique().sort())) for name in published_layers.MADE}
    told |= {"unit": unit, "citation": _citation(connection, address)}
    half = grid.step / 2
    tags = {name: str(value) for name, value in told.items()}
    return geotiff.encode(
        bands, west=grid.lon0 - half, north=float(grid.latitudes[-1]) + half, step=grid.step, tags=tags
    )


def _citation(connection: psycopg.Connection, address: str) -> str:
    run = map_run.runs_of(connection)[0]
    day = run["published_at"][:10]
    return (
        f"climate-risk-engine, run {run['run_id']}, methodology edition {run['edition']}, published {day}, {address}/"
    )


def _stated(connection: psycopg.Connection, grid: GridDefinition, layer: Layer) -> dict[str, Any]:
    """What a layer is of, the same in all cells."""
    runs, names = map_run.runs_of(connection), published_scenarios.names(connection)

    def window(scenario: int, period: str) -> dict[str, Any]:
        first, last = map_run.years_of(period, runs, grid.axis)
        return {"scenario": label(scenario, names), "time_period": period, "first_year": first, "last_year": last}

    stated = {"risk_type": layer.risk, **window(*layer.shown)}
    if layer.reference is not None:
        stated |= {f"reference_{name}": value for name, value in window(*layer.reference).items()}
    if "hazard" not in layer.quantity:  # a loss never goes without
        told = published_runs.published_risks(connection).get(layer.risk)
        stated["calibrated"] = told.calibrated if told else None
    return stated


def _figures(connection: psycopg.Connection, layer: Layer) -> pl.DataFrame | None:
    """A row a cell: its number, its figures as published and what the layer makes of them, its run."""
    of_loss = "hazard" not in layer.quantity
    quantity = "change" if layer.quantity == "change" else "aal" if of_loss else "hazard"
    found = published_layers.sheet(connection, quantity, layer.risk, *layer.shown)
    if layer.quantity == "change":
        found = found.with_columns(
            more_than_noise=pl.Series(~not_told_apart(_plain(found, "change"), _plain(found, "change_se"))),
            change_share=pl.Series(picture.relative(_plain(found, "change"), _plain(found, "aal"))).fill_nan(None),
        ).filter(pl.col("change").is_not_null())
    elif layer.quantity == "interval":
        wide = map_layers.width(*(_plain(found, name) for name in ("aal", "aal_low", "aal_high")))
        found = found.with_columns(interval_width=pl.Series(wide).fill_nan(None))
        found = found.filter(pl.col("interval_width").is_not_null())
    elif layer.reference is not None:
        found = _compared(connection, layer, found, of_loss=of_loss)
    return found if found.height else None


def _compared(connection: psycopg.Connection, layer: Layer, found: pl.DataFrame, *, of_loss: bool) -> pl.DataFrame:
    """Figures of a layer beside those of its reference, and their difference."""
    assert layer.reference is not None  # noqa: S101  (of a difference)
    names = ("aal", "aal_low", "aal_high") if of_loss else ("hazard_score",)
    read = map_differences.of_losses if of_loss else map_differences.of_scores
    moved = read(connection, layer.risk, layer.shown, layer.reference)
    if moved is None:
        return found.clear()
    other = published_layers.sheet(connection, "aal" if of_loss else "hazard", layer.risk, *layer.reference)
    figures: dict[str, Any] = {"grid_id": moved.grid_id}
    if moved.error is None:
        figures["hazard_difference"] = moved.difference.astype(np.float32)
    else:
        change = moved.difference.astype(np.float32)
        figures |= {"difference": change, "difference_se": moved.error.astype(np.float32)}
        figures["relative_difference"] = picture.relative(change, moved.shown.astype(np.float32))
        figures["more_than_noise"] = ~not_told_apart(change, moved.error)
    table = pl.DataFrame(figures).with_columns(pl.selectors.float().fill_nan(None))
    beside = other.select("grid_id", **{f"reference_{name}": pl.col(name) for name in names})
    joined = found.join(beside, on="grid_id", how="inner", maintain_order="left")
    joined = joined.join(table, on="grid_id", how="inner", maintain_order="left")
    return joined.filter(pl.col("difference" if of_loss else "hazard_difference").is_not_null())


def _plain(found: pl.DataFrame, name: str) -> NDArray[np.float32]:
    return found[name].fill_null(np.nan).to_numpy()


def made(form: Form, connection: psycopg.Connection, grid: GridDefinition, layer: Layer, address: str) -> bytes | None:
    """A layer in one form, values packed by gzip; None where it has no results. address: of the service, to be cited"""
    if form == "png":
        return map_layers.as_picture(connection, grid, layer)
    if form == "values":
        values = map_layers.as_values(connection, grid, layer)
        return None if values is None else gzip.compress(values, 1)
    files: dict[str, Callable[[psycopg.Connection, GridDefinition, Layer, str], bytes | None]]
    files = {"csv": as_sheet, "tif": as_raster}
    return files[form](connection, grid, layer, address)


def packed(
    data: bytes, form: Form, accepted: str, headers: Mapping[str, str], layer: Layer, names: ScenarioNames
) -> Response:
    """The answer, compressed where that helps and the client takes it.

    accepted : its Accept-Encoding
    names    : of the scenarios
    """
    told = dict(headers)
    if form in ("csv", "tif"):
        told["Content-Disposition"] = f'attachment; filename="{_name(layer, names)}.{form}"'
    if form in ("csv", "values"):
        told["Vary"] = "Accept-Encoding"
        if "gzip" in accepted:
            told["Content-Encoding"] = "gzip"
            data = gzip.compress(data, 1) if form == "csv" else data
        elif form == "values":
            data = gzip.decompress(data)
    return Response(data, media_type=_KINDS[form], headers=told)


def _name(layer: Layer, names: ScenarioNames) -> str:
    def plain(scenario: int) -> str:
        return re.sub(r"[^\w.+-]+", "-", label(scenario, names), flags=re.ASCII)

    name = f"{layer.quantity}-{layer.risk}-{plain(layer.scenario)}-{layer.period}"
    if layer.reference is None or layer.quantity == "change":
        return name
    scenario, period = layer.reference
    return f"{name}-against-{plain(scenario)}-{period}"
