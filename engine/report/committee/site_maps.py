"""Map of the assets: points by loss or level over coast and provinces, as SVG in the page itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from markupsafe import Markup

from engine.core import levels
from engine.core.grid import from_the_west
from engine.maps.picture import NO_VALUE, SCALES, Scale, classify
from engine.report.committee.figures import Pair, Portfolio
from engine.report.committee.texts import Texts
from engine.report.maps import Frame, Lines, own_scale

#: degrees that a map shows at least, and the part of its extent that stays free around the points
_LEAST, _MARGIN = 0.4, 0.08
_STEPS = 400
#: assets up to which each has a point of its own
MANY = 1000
#: height over width, at least and at most
_SHAPES = (0.75, 1.35)
LEVEL_COLOURS = dict(zip(levels.PRINTED, SCALES["hazard"].colours[::2], strict=True))


class Borders(NamedTuple):
    """Lines to draw; source: key of the words on where they are from."""

    coast: Lines
    provinces: Lines
    source: str


class Layer(NamedTuple):
    """A map and its classes: colour, label, number of assets."""

    picture: Markup
    legend: list[tuple[str, str, int]]


def layers(portfolio: Portfolio, pair: Pair, borders: Borders, texts: Texts) -> dict[str, Layer]:
    """`loss` (where there are losses) and `level`, of the assets inside the grid; empty without one."""
    rows = portfolio.results.totals.filter(pair.of_pair, pl.col("status") != "outside_grid")
    if rows.is_empty():
        return {}
    frame = _frame(rows)
    lines = _lines(frame, borders)
    made = {}
    share = rows["total_expected_loss"].cast(pl.Float64) / rows["total_asset_value"].cast(pl.Float64)
    if share.drop_nulls().len():
        values = share.cast(pl.Float32).fill_null(np.nan).to_numpy()
        scale = own_scale(values, np.ones(len(values), np.bool_))
        places = classify(values, scale).astype(int)
        made["loss"] = _layer(frame, lines, rows, places, _of_loss(scale, texts))
    words = rows["risk_level"].cast(pl.String).fill_null(levels.UNKNOWN).to_list()
    known = {word: place for place, word in enumerate(levels.PRINTED, 2)}
    classes = [(LEVEL_COLOURS[word], texts.level(word)) for word in levels.PRINTED]
    made["level"] = _layer(
        frame, lines, rows, np.array([known.get(word, 1) for word in words]), _with_none(classes, texts)
    )
    return made


def _with_none(classes: Sequence[tuple[str, str]], texts: Texts) -> list[tuple[str, str]]:
    """Places as of `picture.classify`: 1 has no result, classes follow from 2."""
    return [("", ""), (NO_VALUE, texts("legend_none")), *classes]


def _of_loss(scale: Scale, texts: Texts) -> list[tuple[str, str]]:
    limits = [f"{100 * limit:.4g}" for limit in scale.breaks]
    if not limits:
        return _with_none([(scale.colours[0], f"{scale.labels[0]}")], texts)
    labels = [
        texts("legend_below", high=limits[0]),
        *(texts("legend_between", low=low, high=high) for low, high in pairwise(limits)),
        texts("legend_above", low=limits[-1]),
    ]
    return _with_none(list(zip(scale.colours, labels, strict=True)), texts)


def _frame(rows: pl.DataFrame) -> Frame:
    """The part of the world that holds the points, neither too narrow nor too small."""
    east_west = from_the_west(np.unique(rows["longitude"].to_numpy()))
    south, north = float(rows["latitude"].min()), float(rows["latitude"].max())  # type: ignore[arg-type]
    west, east = float(east_west[0]), float(east_west[-1])
    stretch = math.cos(math.radians((south + north) / 2))
    wide = max((east - west) * (1 + 2 * _MARGIN), _LEAST / stretch)
    high = max((north - south) * (1 + 2 * _MARGIN), _LEAST)
    low, most = _SHAPES
    high = max(high, low * wide * stretch)
    wide = max(wide, high / most / stretch)
    step = wide / _STEPS
    n_lat = round(high / step)
    middle = (west + east) / 2, (south + north) / 2
    return Frame(middle[0] - wide / 2, middle[1] + n_lat * step / 2, step, n_lat, _STEPS)


def _lines(frame: Frame, borders: Borders) -> Markup:
    path = Markup('<path class="{}" d="{}"/>')
    return path.format("border over", frame.path(borders.provinces)) + path.format("coast", frame.path(borders.coast))


def _layer(
    frame: Frame, lines: Markup, rows: pl.DataFrame, places: np.ndarray, classes: Sequence[tuple[str, str]]
) -> Layer:
    """The picture; the highest class is drawn last."""
    x = (frame.beside(rows["longitude"].to_numpy()) - frame.west) / (frame.n_lon * frame.step) * frame.width
    y = (frame.north - rows["latitude"].to_numpy()) / (frame.n_lat * frame.step) * frame.height
    radius = 16.0 if len(x) <= 50 else 12.0 if len(x) <= MANY else 7.0
    dot = Markup('<circle cx="{:.0f}" cy="{:.0f}" r="{:g}" fill="{}"/>')
    order = np.argsort(places, kind="stable")
    if len(x) > MANY:  # of points that would hide each other the highest is drawn: a million of them is no map
        square = np.round(y[order] / radius) * frame.width + np.round(x[order] / radius)
        _, last = np.unique(square[::-1], return_index=True)
        order = order[np.sort(len(order) - 1 - last)]
    points = Markup("").join(dot.format(x[k], y[k], radius, classes[places[k]][0]) for k in order)
    head = Markup('<svg class="map sites" viewBox="0 0 {:g} {:g}" role="img" aria-hidden="true">')
    picture = (
        head.format(frame.width, frame.height) + lines + Markup('<g class="dots">') + points + Markup("</g></svg>")
    )
    counts = np.bincount(places, minlength=len(classes))
    legend = [
        (colour, label, int(counts[k])) for k, (colour, label) in enumerate(classes) if k and (k > 1 or counts[k])
    ]
    return Layer(picture, legend)
