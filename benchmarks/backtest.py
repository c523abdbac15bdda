"""The calibrated edition against losses that it has not seen: every bar, met or missed, with its figure.

It times nothing. The table and the page docs/backtest.md are written from the files of the package alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Options
from engine.losses.fit import calibration, model, rates, shipped, skill
from engine.losses.fit.calibration import Bar, Fitted, Skill
from engine.risks import load_edition

PAGE = Path(__file__).parents[1] / "docs" / "backtest.md"
EDITION = "2026-kr"
#: sum of all AALs that are priced, per cent of value a year, that no place may exceed
MOST = 0.5


def measure(_: Options) -> list[dict[str, Any]]:
    """Rows of the table; the page of the docs is written anew."""
    made = calibration.fitted(shipped.sources())
    known = calibration.skill_of(made)
    bars = [*calibration.bars(made, known), *calibration.bars_held_out(calibration.held_out(made)), largest_sum(made)]
    PAGE.write_text(page(made, known, bars), "utf-8")
    return [{"bar": bar.name, "asked": bar.asked, "figure": bar.figure, "met": _word(bar)} for bar in bars]


def largest_sum(made: Fitted) -> Bar:
    """Floods, typhoon and wildfire of the municipality where they add up to most, in the present climate."""
    edition = load_edition(EDITION)
    flood = sum(
        float(rates.flood_probabilities() @ np.array(edition.bins[risk].rates))
        for risk in ("river_flood", "urban_flood")
    )
    winds = made.hazard.wind[~np.isnan(made.hazard.wind).any(axis=1)]
    typhoon = np.array(edition.bins["typhoon"].rates)[np.digitize(winds, rates.WIND_EDGES)].mean(axis=0)
    fire = max(edition.bins["wildfire"].rates or (0.0,))  # as if every year were of the top class
    most = 100 * float(flood + typhoon.max() + fire)
    return Bar(
        "sum of all AALs, any municipality, present climate, wildfire at its top rate",
        f"<= {MOST} % a year",
        f"{most:.3f} %",
        most <= MOST,
    )


def page(made: Fitted, known: Skill, bars: list[Bar]) -> str:
    """Text of docs/backtest.md."""
    lines = [
        "# Back-test of edition 2026-kr",
        "",
        "Written by `python -m benchmarks backtest` from the files of the package; [calibration.md](calibration.md)",
        "says what was fitted, to what, and what was chosen with which figure in sight. A factor is exp of the root",
        "mean square of log errors: 2 means that a typical answer is twice or half of the record. Years, blocks and",
        "storms are told by fits that have not seen them (a storm's also not the yearly total that holds it).",
        "The climate is that of `./run --sample korea-stations`: the same files of station rain and tracks.",
        "",
        "| bar | asked | figure | |",
        "|---|---|---|---|",
        *(f"| {bar.name} | {bar.asked} | {bar.figure} | {_word(bar)} |" for bar in bars),
        "",
        "## Years and storms, one by one",
        "",
        "Share of construction assets lost, of 10,000; modelled median when left out.",
        "",
        "| year or storm | recorded | left out | modelled / recorded |",
        "|---|---|---|---|",
    ]
    data = made.data
    for at, name in enumerate(data.name):
        left = (known.storms if data.storm[at] else known.years)[at]
        if not np.isnan(left):
            label = f"{name} {data.year[at]}" if data.storm[at] else name
            recorded = 1e4 * float(np.exp(data.log[at]))
            ratio = float(np.exp(-left))
            lines.append(f"| {label} | {recorded:.2f} | {recorded * ratio:.2f} | {ratio:.2f} |")
    return "\n".join([*lines, "", _error_line(made, known), "", *_held_out_storms(made), ""])


def _held_out_storms(made: Fitted) -> list[str]:
    """Storms that are held out, one by one, and their sums by what is known of their rain."""
    data, last = made.data, made.last
    found = model.fit(data, (made.used & (data.year <= calibration.BEFORE_STORMS)).astype(float))
    told, recorded = 1e4 * skill.mean(data, found), 1e4 * np.exp(data.log)
    middle = 1e4 * np.exp(skill.median(data, found))
    asked = data.storm & (data.year > calibration.BEFORE_STORMS)
    lines = [
        f"## Typhoons {calibration.BEFORE_STORMS + 1}-2023, told by a fit to {calibration.BEFORE_STORMS}",
        "",
        "Share of construction assets lost, of 10,000. The mean is what an AAL is made of; half of all answers lie",
        "below the median. [What to conclude](calibration.md#missed-bars).",
        "",
        "| storm | rain | recorded | mean | median | mean / recorded |",
        "|---|---|---|---|---|---|",
    ]
    for at in np.flatnonzero(asked):
        rain = "of stations" if data.year[at] <= last else "of similar storms"
        figures = f"{recorded[at]:.2f} | {told[at]:.2f} | {middle[at]:.2f} | {told[at] / recorded[at]:.1f}"
        lines.append(f"| {data.name[at]} {data.year[at]} | {rain} | {figures} |")
    for rain, part in (("of stations", asked & (data.year <= last)), ("of similar storms", asked & (data.year > last))):
        sums = [each[part].sum() for each in (recorded, told, middle)]
        ratio = f"{sums[1] / sums[0]:.1f}"
        lines.append(f"| sum of {part.sum()} | {rain} | {' | '.join(f'{each:.2f}' for each in sums)} | {ratio} |")
    by_time = {}
    for time in model.TIMES:
        own = found.weight * np.array([form.time == time for form in data.forms])
        one = found._replace(weight=own / own.sum())
        by_time[time] = f"{1e4 * skill.mean(data, one)[asked].sum() / recorded[asked].sum():.1f} by the {time}"
    return [*lines, "", f"The two forms of the time term give the same sum: {', '.join(by_time.values())}."]


def _error_line(made: Fitted, known: Skill) -> str:
    data = made.data
    early = ~data.storm & (data.year <= calibration.BEFORE_YEARS)
    late = ~data.storm & (data.year > calibration.BEFORE_YEARS)
    return (
        f"Factor of the years to {calibration.BEFORE_YEARS}: {skill.error_factor(known.years[early]):.2f}, of the "
        f"later ones: {skill.error_factor(known.years[late]):.2f}."
    )


def _word(bar: Bar) -> str:
    return "met" if bar.met else "**missed**"
