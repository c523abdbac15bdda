"""Pictures of a result with matplotlib: a map of one layer in the colours and classes of the report, or one cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from engine.core import caveats
from engine.core.errors import SettingsError
from engine.core.false_discovery import not_told_apart
from engine.core.grid import TURN
from engine.core.names import unknown
from engine.core.period import FIRST_WINDOW, FULL
from engine.core.scenario import Scenario
from engine.io.export.lattice import Lattice, lattice_of
from engine.maps import picture, world
from engine.maps.picture import HATCH, NO_VALUE, SCALES, Scale
from engine.report.maps import own_scale

if TYPE_CHECKING:
    from engine.public.result import Result

Float32 = NDArray[np.float32]

WHAT = ("aal", "score", "change", "interval")
#: points² of a place of a list on a map
_MARKER = 60.0
#: cells whose intervals are drawn beside a map, evenly spaced by rank
_BARS = 200
_ENDS = ("aal_low", "aal", "aal_high")


def draw(  # the options of `Result.plot`
    result: Result, risk: str | None, scenario: Any, period: str | None, what: str, ax: Axes | None
) -> Axes | tuple[Axes, ...]:
    """See `Result.plot`."""
    from engine.public.result import layer_of

    if what not in WHAT:
        raise SettingsError(f"what: {unknown('quantity', str(what), WHAT)}")
    if ax is not None and what == "interval":
        raise SettingsError("what='interval' draws three maps: leave out ax")
    if what == "change" and period is None:
        period = next(
            (name for name in ("long_term", "mid_term") if name in set(result.probability["time_period"])), None
        )
    name, place, window, rows = layer_of(result, risk, scenario, period)
    told = f"{name.replace('_', ' ')}, {_scenario(result, place)}, {_years(result, window)}"
    if rows.height == 1 and what in ("aal", "interval"):
        return _one_cell(result, name, ax)
    if what == "interval":
        return _three(result, rows, told)
    if what == "aal" and ax is None:
        return _with_bars(result, rows, told)
    axes = ax if ax is not None else plt.figure(layout="compressed").subplots()
    _layer(result, rows, what, axes, told)
    return axes


def _layer(result: Result, rows: pl.DataFrame, what: str, axes: Axes, told: str) -> None:
    if what == "aal":
        values = _floats(rows, "aal")
        _map(result, rows, values, _own_scale(rows, values), axes)
        _title(axes, f"AAL, {told}\n{_middle(rows)}", *_caveats(result, rows))
    elif what == "score":
        _map(result, rows, _floats(rows, "hazard_score"), SCALES["hazard"], axes)
        _title(axes, f"Hazard score, {told}", *_caveats(result))
    else:
        change, error = _floats(rows, "change"), _floats(rows, "change_se")
        if np.isnan(change).all():
            window = rows["time_period"][0]
            raise SettingsError(
                f"{window} has no change: later windows are compared with {FIRST_WINDOW}, of a source that holds both"
            )
        share = picture.relative(change, _floats(rows, "aal"))
        _map(result, rows, share, SCALES["change"], axes, not_told_apart(change, error))
        head = f"Change of AAL since {FIRST_WINDOW}, {told}\nhatched: not told from noise"
        _title(axes, head, *_caveats(result, rows))


def _with_bars(result: Result, rows: pl.DataFrame, told: str) -> Axes:
    """The map of the AAL, and beside it the interval of every cell by rank."""
    figure = plt.figure(figsize=(9, 4.5), layout="compressed")
    panels = figure.subplots(1, 2, width_ratios=(3, 1))
    axes: Axes = panels[0]
    bars: Axes = panels[1]
    _layer(result, rows, "aal", axes, told)
    known = rows.filter(pl.col("aal_low").is_not_null()).sort("aal", "grid_id")
    if known.is_empty():
        bars.set_axis_off()
        bars.text(0.5, 0.5, "no interval is known", ha="center", transform=bars.transAxes)
        return axes
    chosen = known[np.unique(np.linspace(0, known.height - 1, min(_BARS, known.height)).astype(int)).tolist()]
    low, aal, high = (100 * _floats(chosen, name) for name in _ENDS)
    rank = np.linspace(0, 100, chosen.height) if chosen.height > 1 else np.array([50.0])
    bars.hlines(rank, low, high, color="#7a8ca0", linewidth=1)
    bars.plot(aal, rank, ".", color="#1b3a57", markersize=3)
    bars.set(xlabel="AAL, % of value a year", ylabel="rank of the cell, %")
    bars.set_title("90 % intervals", fontsize=10)
    figure.align_titles()
    return axes


def _three(result: Result, rows: pl.DataFrame, told: str) -> tuple[Axes, ...]:
    """Lower end, AAL and upper end on one scale."""
    values = {name: _floats(rows, name) for name in _ENDS}
    if np.isnan(values["aal_low"]).all():
        raise SettingsError(f"no interval is known of {told}: the estimate has too few years, or no damage rates")
    exposed = np.tile((rows["method"] != "not_exposed").to_numpy(), 3)
    scale = own_scale(np.concatenate(list(values.values())), exposed)
    figure, panels = plt.subplots(1, 3, figsize=(12, 4), layout="compressed", sharex=True, sharey=True)
    for axes, name, title in zip(panels, _ENDS, ("lower end", "AAL", "upper end"), strict=True):
        _map(result, rows, values[name], scale, axes, legend=name == "aal_high")
        axes.set_title(title, fontsize=10)
    figure.suptitle("\n".join([f"90 % interval of the AAL, {told}", *_caveats(result, rows)]), fontsize=10)
    return tuple(panels)


def _one_cell(result: Result, risk: str, ax: Axes | None) -> Axes:
    """AAL of the one cell in every scenario and period, with its intervals."""
    axes = ax if ax is not None else plt.figure(layout="compressed").subplots()
    rows = result.to_polars().filter((pl.col("risk_type") == risk) & pl.col("aal").is_not_null())
    if rows.is_empty():
        raise SettingsError(f"the cell has no AAL of {risk}: see method in result.probability")
    labels = [
        f"{_scenario(result, Scenario(s))}\n{_years(result, p)}"
        for s, p in rows.select("scenario_id", "time_period").iter_rows()
    ]
    low, aal, high = (100 * _floats(rows, name).astype(np.float64) for name in _ENDS)
    places = np.arange(len(aal))
    axes.vlines(
        places, np.where(np.isnan(low), aal, low), np.where(np.isnan(high), aal, high), color="#7a8ca0", linewidth=3
    )
    axes.plot(places, aal, "o", color="#1b3a57")
    axes.set_xticks(places, labels, fontsize=8)
    axes.set(ylabel="AAL, % of value a year", xlim=(-0.5, len(aal) - 0.5))
    _title(axes, f"AAL and 90 % interval, {risk.replace('_', ' ')}", *_caveats(result, rows))
    return axes


def _title(axes: Axes, *lines: str) -> None:
    axes.set_title("\n".join(lines), fontsize=10)


def _caveats(result: Result, losses: pl.DataFrame | None = None) -> list[str]:
    """Lines without which the picture would be misread: data that are no climate of a place, losses that price nothing.

    losses : rows whose AAL is shown
    """
    risks = set() if losses is None else {*losses["risk_type"]}
    uncalibrated = any(each.risk in risks and not each.calibrated for each in result.summary.risks)
    said = [caveats.scope_note(result.origin.scope), caveats.LOSS_NOTE if uncalibrated else None]
    return [line for line in said if line]


def _map(  # what travels together of one picture
    result: Result,
    rows: pl.DataFrame,
    values: Float32,
    scale: Scale,
    axes: Axes,
    unsure: NDArray[np.bool_] | None = None,
    *,
    legend: bool = True,
) -> None:
    """Cells of a lattice as areas, places of a list as points; classes of the scale, grey where there is no value."""
    latitude, longitude = rows["latitude"].to_numpy(), rows["longitude"].to_numpy()
    colours = [NO_VALUE, *scale.colours]
    classes = picture.classify(values, scale).astype(np.int64) - 1  # 0: no value
    shades: dict[str, Any] = {"cmap": ListedColormap(colours), "vmin": -0.5, "vmax": len(colours) - 0.5}
    lattice = lattice_of(rows.select("grid_id", "latitude", "longitude"), apart=result.summary.apart)
    drawn: Any
    if lattice is None:
        drawn = axes.scatter(longitude, latitude, c=classes, s=_MARKER, edgecolors="#404040", linewidths=0.5, **shades)
        if unsure is not None and unsure.any():
            axes.scatter(longitude[unsure], latitude[unsure], marker="x", s=_MARKER / 3, color=HATCH, linewidths=0.8)
    else:
        drawn = _areas(lattice, classes, axes, shades, unsure)
    _coast(axes, latitude, longitude if lattice is None else lattice.longitude)
    axes.set_aspect(1.0 / max(math.cos(math.radians(float(np.mean(latitude)))), 0.05))
    axes.set(xlabel="longitude, °E", ylabel="latitude, °N")
    if legend:
        shown = range(0 if (classes == 0).any() else 1, len(colours))
        figure = axes.get_figure()
        assert figure is not None  # noqa: S101  # axes that are drawn on belong to one
        bar = figure.colorbar(drawn, ax=axes, ticks=list(shown), boundaries=np.arange(shown.start - 0.5, len(colours)))
        bar.ax.set_yticklabels([("no result", *scale.labels)[place] for place in shown], fontsize=8)
        bar.set_label(scale.unit, fontsize=8)


def _coast(axes: Axes, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> None:
    """Coast and borders around the places, which may go on beyond 180 degrees."""
    box = world.box_around(latitude, longitude)
    for lines, style in ((world.coast(box), "-"), (world.borders(box), ":")):
        strokes = [shapely.get_coordinates(line) for line in lines]
        for stroke in strokes:
            stroke[:, 0] += TURN if stroke[:, 0].max() < box[0] else 0.0
        axes.add_collection(LineCollection(strokes, colors="#404040", linewidths=0.6, linestyles=style))
    axes.set(xlim=(box[0], box[2]), ylim=(box[1], box[3]))


def _areas(
    lattice: Lattice, classes: NDArray[np.int64], axes: Axes, shades: dict[str, Any], unsure: NDArray[np.bool_] | None
) -> Any:
    whole = np.ma.masked_less(lattice.spread(classes, -1), 0)
    edges = [
        np.append(axis - lattice.step / 2, axis[-1] + lattice.step / 2)
        for axis in (lattice.longitude, lattice.latitude)
    ]
    drawn = axes.pcolormesh(*edges, whole, **shades)
    if unsure is not None and unsure.any():
        row, column = np.nonzero(lattice.spread(unsure.astype(np.int8), 0))
        west, south = lattice.longitude[column] - lattice.step / 2, lattice.latitude[row] - lattice.step / 2
        corners = [(west + x * lattice.step, south + y * lattice.step) for x, y in ((0, 0), (1, 0), (1, 1), (0, 1))]
        cells = list(np.moveaxis(np.array(corners), 2, 0))
        axes.add_collection(PolyCollection(cells, facecolor="none", edgecolor=HATCH, linewidth=0.0, hatch="////"))
    return drawn


def _own_scale(rows: pl.DataFrame, values: Float32) -> Scale:
    return own_scale(values, (rows["method"] != "not_exposed").to_numpy())


def _middle(rows: pl.DataFrame) -> str:
    """AAL and interval of the cell in the middle by AAL, of those that have one."""
    known = rows.filter((pl.col("aal") > 0) & pl.col("aal_low").is_not_null()).sort("aal", "grid_id")
    if known.is_empty():
        return "no cell has a loss with an interval"
    row = known.row((known.height - 1) // 2, named=True)
    low, aal, high = (f"{100 * row[name]:.2g}" for name in _ENDS)
    return f"cell in the middle: {aal} %, 90 % interval {low} to {high} %"


def _scenario(result: Result, scenario: Scenario) -> str:
    return result.origin.names[scenario]


def _years(result: Result, period: str) -> str:
    years: Sequence[int] = result.origin.axis if period == FULL else result.summary.periods[period]
    return f"{years[0]}-{years[1]}"


def _floats(rows: pl.DataFrame, name: str) -> Float32:
    return rows[name].cast(pl.Float32).fill_null(np.nan).to_numpy()
