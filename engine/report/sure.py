"""Sureness of the report's figures: a cell in the middle with its interval, changes of windows told from noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.core import interval_words
from engine.core.false_discovery import not_told_apart, real_changes
from engine.core.interval_words import Interval, Moves
from engine.core.period import PERIODS, WINDOWS, Years, label
from engine.core.scenario import Scenario, names_of
from engine.core.scenario import label as scenario_label
from engine.io.results.published import Results
from engine.maps import picture
from engine.report import maps
from engine.report.figures import RiskFigures
from engine.risks.definition import Intensity

_MONTHS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowChange:
    """AAL of all cells in one window against the short term of the same scenario.

    since : the first window, or its middle year where the risk follows a trend; `window` likewise
    cells : whose change is known; words: the sentence; map: hatched where a change is not told from noise, None
            without a frame and where nothing changes
    """

    scenario: str
    window: str
    since: str
    cells: int
    moves: Moves
    words: str
    map: maps.Map | None


def middle_cell(figures: RiskFigures, intensity: Intensity | None, *, calibrated: bool, observed: bool) -> str | None:
    """Sentence for the cell in the middle by AAL, of those that have an interval; None without one."""
    told = figures.known.filter((pl.col("aal") > 0) & pl.col("aal_low").is_not_null()).sort("aal", "grid_id")
    if told.is_empty():
        return None
    row = told.row((told.height - 1) // 2, named=True)
    samples = row["n_samples"]
    years = None if intensity is None else round(samples / _MONTHS) if intensity.monthly else samples
    interval = Interval(row["aal"], row["aal_low"], row["aal_high"], years, row["rates_high"] is not None, observed)
    return interval_words.share_of_value(interval, calibrated=calibrated)


def changes_of_windows(
    results: Results, figures: RiskFigures, frame: maps.Frame | None, *, trend: bool
) -> list[WindowChange]:
    """Every window but the first, by scenario; empty where no change is known. trend: the AAL of a window is that of
    its middle year"""
    if figures.known.is_empty():
        return []
    found = []
    for scenario in Scenario:
        for window in WINDOWS[1:]:
            rows = results.changes(figures.risk, int(scenario), window)
            if rows.height:
                found.append(_of_window(results, scenario, window, rows, figures, frame, trend))
    return found


def _of_window(
    results: Results,
    scenario: Scenario,
    window: str,
    rows: pl.DataFrame,
    figures: RiskFigures,
    frame: maps.Frame | None,
    trend: bool,
) -> WindowChange:
    change, error = (rows[name].fill_null(np.nan).to_numpy() for name in ("change", "change_se"))
    real = real_changes(change, error)
    shares = ((change > 0).mean(), (real & (change > 0)).mean(), (change < 0).mean(), (real & (change < 0)).mean())
    moves = Moves(*(float(each) for each in shares))
    drawn = None
    if frame is not None and window == WINDOWS[-1] and (change != 0).any():
        placed = rows.join(
            figures.cells.select("grid_id", "latitude", "longitude"), on="grid_id", maintain_order="left"
        )
        relative = picture.relative(placed["change"].to_numpy(), placed["aal"].fill_null(np.nan).to_numpy())
        unsure = not_told_apart(placed["change"].to_numpy(), placed["change_se"].fill_null(np.nan).to_numpy())
        drawn = maps.draw(frame, placed, relative, picture.SCALES["change"], unsure)
    return WindowChange(
        scenario=scenario_label(scenario, names_of(results.run["summary"])),
        window=_window(window, trend),
        since=_window(WINDOWS[0], trend) if trend else "the short term",
        cells=rows.height,
        moves=moves,
        words=interval_words.moves_of_cells(moves),
        map=drawn,
    )


def _window(name: str, trend: bool) -> str:
    return label(name, Years(*PERIODS[name]), trend=True) if trend else name.replace("_", " ")
