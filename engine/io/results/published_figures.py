"""The two published figures of cells, AAL and hazard score: the tables and columns that every reader finds them in."""

from __future__ import annotations

from typing import LiteralString, NamedTuple

from engine.core.period import FULL
from engine.core.scenario import DEFAULT_SCENARIO


class Figure(NamedTuple):
    """A figure of cells by risk.

    name           : in frames and answers
    full           : table of the whole axis, which exists for the default scenario alone, and its column
    windows        : table of windows of years in every scenario, and its column
    may_be_missing : a row may be there without the figure, where there were too few data
    """

    name: str
    full: LiteralString
    full_column: LiteralString
    windows: LiteralString
    windows_column: LiteralString
    may_be_missing: bool

    def place(self, scenario: int, period: str) -> tuple[LiteralString, LiteralString]:
        """Table and column of a scenario and period."""
        if is_full(scenario, period):
            return self.full, self.full_column
        return self.windows, self.windows_column


AAL = Figure("aal", "probability_results", "aal", "modelops_probability_scores", "aal", may_be_missing=True)
HAZARD = Figure(
    "hazard_score", "hazard_results", "hazard_score", "modelops_hazard_scores", "score", may_be_missing=False
)
FIGURES = (AAL, HAZARD)


def is_full(scenario: int, period: str) -> bool:
    """True for the scenario and period of the tables of the whole axis."""
    return period == FULL and scenario == DEFAULT_SCENARIO
