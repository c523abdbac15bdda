"""Report of a calibration as one HTML file: data, fit, what was left out, rates with bands, what it cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from engine.losses import targets
from engine.losses.fit import model, rates, skill
from engine.losses.fit.calibration import Bar, Fitted, Skill
from engine.losses.fit.rates import PERIODS, WIND_EDGES
from engine.losses.fit.skill import Draws

Floats = NDArray[np.float64]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1c2b33 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
td, th { padding: .25rem .7rem; border-bottom: 1px solid #d5dde1; text-align: right }
td:first-child, th:first-child { text-align: left }
.missed { color: #a11d1d; font-weight: 600 } .met { color: #1c6b3a }
svg { width: 100%; height: auto } figcaption { color: #51646e; font-size: .9rem }
"""
CANNOT = (
    "What one building loses: a figure is the mean of insured houses where hazard is the same, its level known within"
    " a factor of 5.",
    "How flood divides into river and urban flood: half and half is assumed, the record has one cause.",
    "Storm surge, heavy snow, earthquake, landslide: not in it. Surge is inside the typhoons that were fitted.",
    "Whether loss per hazard goes on falling: the time term is frozen at the last fitted year.",
    "Years after 2015: rain of the stations ends there, so only storms are tested later, with tracks alone.",
    "Contents, interruption, factories: houses are what the level is taken from.",
)
_WIDTH, _HEIGHT, _EDGE = 860, 300, 46


def render(name: str, made: Fitted, known: Skill, drawn: Draws, bars: Sequence[Bar]) -> str:
    """The page."""
    parts = [
        f"<h1>Calibration of edition {escape(name)}</h1>",
        "<p>Damage rates of flood and typhoon, fitted to recorded losses of Korea and tested on what was left out.</p>",
        "<h2>Back-test</h2>",
        _bars(bars),
        "<h2>Data</h2>",
        _data(made),
        "<h2>Recorded and modelled</h2>",
        _figure(
            _chart(made, ~made.data.storm, known.years), "Years: recorded (dots), fitted (line), left out (rings)."
        ),
        _residuals(made, known),
        "<h2>Parameters</h2>",
        _parameters(made, drawn),
        "<h2>Damage rates</h2>",
        _rates(made, drawn),
        "<h2>Limits</h2>",
        "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in CANNOT) + "</ul>",
    ]
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>Calibration of {escape(name)}</title>"
    return f"{head}<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"


def _bars(bars: Sequence[Bar]) -> str:
    rows = [
        (
            escape(bar.name),
            escape(bar.asked),
            escape(bar.figure),
            f"<span class={'met' if bar.met else 'missed'}>{'met' if bar.met else 'MISSED'}</span>",
        )
        for bar in bars
    ]
    return _table(("bar", "asked", "figure", ""), rows)


def _data(made: Fitted) -> str:
    names = [name for name, storm in zip(made.data.name, made.data.storm, strict=True) if not storm]
    storms = [f"{target.name} {target.year}" for target in made.hazard.storms]
    left = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in targets.LEFT_OUT.items())
    exceptions = "".join(
        f"<li>{each.year}, {escape(each.name)}: {escape(each.reason)}</li>" for each in targets.ALLOWED
    )
    return (
        f"<p>Yearly totals less snow and earthquake, over construction assets: {', '.join(names)}. Typhoons: "
        f"{escape(', '.join(storms))}; those after {made.last} are tests only.</p>"
        f"<p>Used although the gate would refuse them:</p><ul>{exceptions}</ul><p>Left out:</p><ul>{left}</ul>"
    )


def _residuals(made: Fitted, known: Skill) -> str:
    data, fitted = made.data, skill.median(made.data, made.fit)
    rows = []
    for at, name in enumerate(data.name):
        left = (known.storms if data.storm[at] else known.years)[at]
        told = "-" if np.isnan(left) else f"x {np.exp(-left):.2f}"
        label = f"{name} {data.year[at]}" if data.storm[at] else name
        rows.append((escape(label), _parts(np.exp(data.log[at])), _parts(np.exp(fitted[at])), told))
    return _table(("year or storm", "recorded, of 10,000", "fitted", "left out: modelled / recorded"), rows)


def _parameters(made: Fitted, drawn: Draws) -> str:
    names = ("log a, rain", "log c, wind", "time term (half of the log step, or log a decade)")
    errors = ("error of a year, log", "error of a storm, log")
    rows = [
        (name, *_band(float(made.fit.weight @ made.fit.theta[:, at]), drawn.theta[:, at]))
        for at, name in enumerate(names)
    ]
    rows += [
        (name, *_band(float(made.fit.weight @ np.exp(made.fit.errors[:, at])), np.exp(drawn.errors[:, at])))
        for at, name in enumerate(errors)
    ]
    shares = []
    for field in model.Form._fields:
        of_value: dict[object, float] = {}
        for form, weight in zip(made.data.forms, made.fit.weight, strict=True):
            of_value[getattr(form, field)] = of_value.get(getattr(form, field), 0.0) + float(weight)
        shares.append((field, ", ".join(f"{value}: {weight:.2f}" for value, weight in of_value.items())))
    return _table(("parameter", "fit", "90 % band"), rows) + _table(("form", "weights"), shares)


def _rates(made: Fitted, drawn: Draws) -> str:
    every = rates.of_draws(made.data, drawn, made.last)
    value, low, high = made.factor
    tables = []
    for kind, edges, unit in (("urban", PERIODS, "years"), ("river", PERIODS, "years"), ("typhoon", WIND_EDGES, "m/s")):
        of_draws = np.stack([getattr(each, kind) for each in every])
        central = getattr(made.rates, kind)
        labels = [f"below {edges[0]:g}", *(f"from {edge:g}" for edge in edges)]
        rows = [
            (f"{label} {unit}", *_band(1e4 * rate, 1e4 * of_draws[:, at]))
            for at, (label, rate) in enumerate(zip(labels, central, strict=True))
        ]
        tables.append(_table((kind, "rate at level A, of 10,000", "90 % band"), rows))
    return (
        "".join(tables)
        + f"<p>To insured houses: times {value:.3g}, with a band of {low:.3g} to {high:.3g}.</p>"
        + _table(
            ("insured houses", "share of value lost, of 10,000", ""),
            [(str(each.year), _parts(each.ratio), "sets the level") for each in made.level.fitted]
            + [(str(each.year), _parts(each.ratio), "test") for each in made.level.tested],
        )
    )


def _chart(made: Fitted, shown: NDArray[np.bool_], left: Floats) -> str:
    """Log scale, a step a year."""
    data = made.data
    recorded, fitted = data.log[shown], skill.median(data, made.fit)[shown]
    told = recorded - left[shown]
    labels = [name for name, each in zip(data.name, shown, strict=True) if each]
    low, high = (np.log10(np.exp(each)) for each in (min(recorded.min(), told.min()), max(recorded.max(), told.max())))
    span = max(float(high - low), 1.0)

    def point(at: int, log: float) -> tuple[float, float]:
        x = _EDGE + at * (_WIDTH - 2 * _EDGE) / max(len(labels) - 1, 1)
        return x, _HEIGHT - _EDGE - (float(np.log10(np.exp(log))) - float(low)) / span * (_HEIGHT - 2 * _EDGE)

    marks = [
        f'<text x="{point(at, 0.0)[0]:.1f}" y="{_HEIGHT - 12}" font-size="11" text-anchor="middle">{label}</text>'
        for at, label in enumerate(labels)
    ]
    for power in range(int(np.ceil(low)), int(np.floor(high)) + 1):
        y = point(0, power * np.log(10))[1]
        marks.append(f'<line x1="{_EDGE}" x2="{_WIDTH - _EDGE}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d5dde1"/>')
        marks.append(f'<text x="4" y="{y + 4:.1f}" font-size="11">1e{power}</text>')
    line = " ".join("{:.1f},{:.1f}".format(*point(at, value)) for at, value in enumerate(fitted))
    marks.append(f'<polyline points="{line}" fill="none" stroke="#1f7a8c" stroke-width="2"/>')
    for at in range(len(labels)):
        x, y = point(at, recorded[at])
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1c2b33"/>')
        x, y = point(at, told[at])
        marks.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="#c8553d" stroke-width="2"/>')
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="years">{"".join(marks)}</svg>'


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{escape(caption)} Share of assets lost.</figcaption></figure>"


def _band(value: float, draws: Floats) -> tuple[str, str]:
    low, high = np.percentile(draws, [skill.LOW, skill.HIGH])
    return f"{value:.4g}", f"{low:.4g} to {high:.4g}"


def _parts(ratio: float) -> str:
    return f"{1e4 * ratio:.3g}"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{each}</td>" for each in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
