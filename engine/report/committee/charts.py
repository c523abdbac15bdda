"""Charts of the report as SVG in the page itself, so that their letters are those of the page.

A chart is 250 units wide, printed at one unit a point: no letter is smaller than `LETTERS` points on paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape
from matplotlib.ticker import MaxNLocator

from engine.core.scenario import Scenario
from engine.report.charts import STYLES

WIDTH, HEIGHT = 250.0, 165.0
#: points on paper
LETTERS = 8.5
_LEFT, _RIGHT, _TOP, _BOTTOM = 30.0, 8.0, 8.0, 30.0
_TICKS = 5
_RETURN_PERIODS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Point(NamedTuple):
    """x in the chart's own scale; y, low and high in per cent; low and high None without an interval."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


class Line(NamedTuple):
    """Points of one scenario, ascending; those from `dashed` on are joined by a dashed line."""

    scenario: Scenario
    points: Sequence[Point]
    dashed: int = 1_000_000


def windows_chart(lines: Sequence[Line], labels: Sequence[str], title: str) -> Markup:
    """A value for each window, with its interval as a bar. x of a point: number of its window from 0."""
    step = (WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)

    def place(x: float) -> float:
        return _LEFT + step * (x + 0.5)

    beside = [
        Line(line.scenario, [point._replace(x=point.x + 0.12 * (k - (len(lines) - 1) / 2)) for point in line.points])
        for k, line in enumerate(lines)
    ]
    ticks = [(place(k), label) for k, label in enumerate(labels)]
    return _drawn(beside, place, ticks, title)


def curve_chart(lines: Sequence[Line], title: str, below: str) -> Markup:
    """An exceedance curve: return period on a logarithmic axis, `below` it the words."""
    longest = max((point.x for line in lines for point in line.points), default=2.0)
    ends = math.log(2.0), math.log(max(longest, 5.0))

    def place(x: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (math.log(x) - ends[0]) / (ends[1] - ends[0])

    ticks = [(place(period), f"{period:,}") for period in _RETURN_PERIODS if period <= math.exp(ends[1]) * 1.001]
    return _drawn(lines, place, ticks, title, below)


def marker(scenario: Scenario, x: float, y: float, r: float = 2.6) -> Markup:
    """The sign of a scenario, told apart in grey print, too."""
    colour, shape = STYLES[scenario]
    if shape == "o":
        return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" fill="{}"/>').format(x, y, r, colour)
    corners = {
        "s": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
        "^": ((0, -1.3), (1.2, 1), (-1.2, 1)),
        "D": ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
    }[shape]
    path = " ".join(f"{x + r * dx:.1f},{y + r * dy:.1f}" for dx, dy in corners)
    return Markup('<polygon points="{}" fill="{}"/>').format(path, colour)


def _drawn(
    lines: Sequence[Line], place: Callable[[float], float], ticks: Sequence[tuple[float, str]], title: str,
    below: str = "",
) -> Markup:  # fmt: skip
    highest = max((point.high or point.y for line in lines for point in line.points), default=1.0) or 1.0
    levels = [float(tick) for tick in MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(0.0, highest)]
    top = next((level for level in levels if level >= highest), levels[-1])
    floor = HEIGHT - _BOTTOM

    def height(y: float) -> float:
        return floor - (floor - _TOP) * y / top

    parts = [_axis(height(level), f"{level:g}") for level in levels if 0 <= level <= top]
    parts += [_text(x, floor + 11, label, "middle") for x, label in ticks]
    if below:
        parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, below, "middle"))
    for line in lines:
        parts += _line(line, place, height)
    head = Markup('<svg class="chart" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, title)
    return head + Markup("").join(parts) + Markup("</svg>")


def _line(line: Line, place: Callable[[float], float], height: Callable[[float], float]) -> list[Markup]:
    colour = STYLES[line.scenario][0]
    at = [(place(point.x), height(point.y)) for point in line.points]
    parts = []
    for first, last, dash in ((0, line.dashed, ""), (max(line.dashed - 1, 0), len(at), "3 2")):
        stretch = at[first:last]
        if len(stretch) > 1:
            path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in stretch)
            parts.append(
                Markup('<path d="{}" fill="none" stroke="{}" stroke-width="1.1" stroke-dasharray="{}"/>').format(
                    path, colour, dash
                )
            )
    for point, (x, y) in zip(line.points, at, strict=True):
        if point.low is not None and point.high is not None:
            bar = '<path d="M{:.1f} {:.1f}V{:.1f}" stroke="{}" stroke-width="1" stroke-opacity="0.7"/>'
            parts.append(Markup(bar).format(x, height(point.low), height(point.high), colour))  # noqa: S704 (our text)
        parts.append(marker(line.scenario, x, y))
    return parts


def _axis(y: float, label: str) -> Markup:
    rule = Markup('<path d="M{:.1f} {:.1f}H{:.1f}" stroke="#d5dce1" stroke-width="0.6"/>')
    return rule.format(_LEFT, y, WIDTH - _RIGHT) + _text(_LEFT - 4, y + 3, label, "end")


def _text(x: float, y: float, words: str, anchor: str) -> Markup:
    text = '<text x="{:.1f}" y="{:.1f}" font-size="{:g}" text-anchor="{}" fill="#26323a">{}</text>'
    return Markup(text).format(x, y, LETTERS, anchor, escape(words))  # noqa: S704 (our text)
