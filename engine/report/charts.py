"""Charts of the report, as SVG pictures in data URIs: how sure the AAL is, and what the scenarios make of it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from engine.core.period import PERIODS, WINDOWS, Years, label
from engine.core.scenario import Scenario, ScenarioNames
from engine.core.scenario import label as scenario_label

#: Okabe and Ito (2008), and a marker each for grey print
STYLES = {
    Scenario.SSP126: ("#0072B2", "o"),
    Scenario.SSP245: ("#009E73", "s"),
    Scenario.SSP370: ("#E69F00", "^"),
    Scenario.SSP585: ("#D55E00", "D"),
}
_LOOK: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",  # the same figures give the same bytes
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6770",
    "axes.labelcolor": "#26323a",
    "xtick.color": "#5b6770",
    "ytick.color": "#5b6770",
    "text.color": "#26323a",
}
_POINTS = 120


def risk_charts(
    ranked: Sequence[NDArray[np.float32]] | None,
    losses: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    names: ScenarioNames | None = None,
    trend: bool = False,
) -> list[tuple[str, str]]:
    """Three charts of one risk, a picture each, so that a narrow page can set them below each other.

    ranked         : AAL and the ends of its 90 % interval, (cells,) each, ratios, NaN where unknown; None: no
                     probability results
    losses, scores : columns scenario_id, time_period, mean, of this risk; may be empty
    names          : of the scenarios, where these are no SSPs
    trend          : the AAL of a window is that of its middle year
    returns        : data URI and title of each
    """
    loss, score = "mean AAL, % of value a year", "mean hazard score, 0 to 100"
    charts: list[tuple[str, Callable[[Axes], None]]] = [
        ("AAL of every cell, by rank, with its 90 % interval", lambda axes: _ranks(axes, ranked)),
        (loss, lambda axes: _windows(axes, losses, names, trend=trend)),
        (score, lambda axes: _windows(axes, scores, names)),
    ]
    return [(_drawn(title, draw), title) for title, draw in charts]


def _drawn(title: str, draw: Callable[[Axes], None]) -> str:
    with mpl.rc_context(_LOOK):
        figure = Figure(figsize=(3.3, 2.3))
        figure.subplots_adjust(left=0.13, right=0.92, top=0.9, bottom=0.2)
        axes = figure.subplots()
        axes.set_title(title, loc="left", fontsize=8.5, x=-0.1)
        draw(axes)
        return _uri(figure)


def _ranks(axes: Axes, ranked: Sequence[NDArray[np.float32]] | None) -> None:
    axes.set_xlabel("share of cells, %; AAL in % of value a year")
    if ranked is None or np.isnan(ranked[0]).all():
        _nothing(axes)
        return
    known = np.flatnonzero(~np.isnan(ranked[0]))
    order = known[np.argsort(ranked[0][known], kind="stable")]
    values, lows, highs = (each[order].astype(float) * 100 for each in ranked)
    groups = np.array_split(np.arange(len(values)), min(_POINTS, len(values)))
    share = np.array([100 * (group.mean() + 0.5) / len(values) for group in groups])
    middle = np.array([values[group].mean() for group in groups])
    axes.plot(share, middle, color="#26323a", linewidth=1.4)
    # the interval of a typical cell of the group, not of its mean
    ends = [np.array([_median(each[group]) for group in groups]) for each in (lows, highs)]
    axes.fill_between(share, ends[0], ends[1], color="#7ba3b8", alpha=0.45, lw=0)
    axes.set_xlim(0, 100)
    axes.set_ylim(bottom=0)


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else math.nan


def _windows(axes: Axes, means: pl.DataFrame, names: ScenarioNames | None, *, trend: bool = False) -> None:
    labels = [label(name, Years(*PERIODS[name]), trend=trend) for name in WINDOWS]
    axes.set_xticks(range(len(WINDOWS)), labels)
    axes.set_xlim(-0.3, len(WINDOWS) - 0.35)
    if means.is_empty():
        _nothing(axes)
        return
    ends = []
    for scenario, (colour, marker) in STYLES.items():
        rows = means.filter(pl.col("scenario_id") == int(scenario))
        found = dict(zip(rows["time_period"], rows["mean"], strict=True))
        points = [(x, 100 * found[name]) for x, name in enumerate(WINDOWS) if found.get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, markersize=4, linewidth=1.2)
            ends.append((points[-1][1], points[-1][0], scenario_label(scenario, names), colour))
    low, high = axes.get_ylim()
    axes.set_ylim(max(0.0, low - 0.05 * (high - low)), high + 0.05 * (high - low))
    _label(axes, sorted(ends))


def _label(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Names beside the ends of the lines, pushed apart where they would cover each other."""
    low, high = axes.get_ylim()
    gap, last = 0.105 * (high - low), -np.inf
    for value, x, text, colour in ends:
        y = max(value, last + gap)
        axes.annotate(text, (x, y), xytext=(6, 0), textcoords="offset points", va="center", color=colour, fontsize=7.5)
        last = y


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not computed", transform=axes.transAxes, ha="center", va="center", color="#5b6770")
    axes.set_yticks([])


def _uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
