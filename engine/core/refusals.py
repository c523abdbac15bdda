"""Refusals of an unknown risk, scenario or period in a request: the agreed words, what is known, the nearest name.

The command line says the same behind its own head (`names.unknown`).
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.names import RISK_NAMES, among
from engine.core.period import FULL, PERIODS
from engine.core.scenario import DEFAULT_SCENARIO, Scenario

#: the whole axis of another scenario than the default one
LONE_FULL = f"Unknown time period: {FULL}; only scenario {int(DEFAULT_SCENARIO)} has it"


def risk_type(value: str, known: Iterable[str] = RISK_NAMES) -> str:
    """`Unknown risk type: river_flod; known: ...; did you mean river_flood?`."""
    return f"Unknown risk type: {value}; {among(value, known)}"


def scenario(value: str) -> str:
    """`Unknown scenario: 5; known: 1 (SSP1-2.6), ...`."""
    return f"Unknown scenario: {value}; {among(value, Scenario.names(), listed=Scenario.listed())}"


def time_period(value: str) -> str:
    """`Unknown time period: mid; known: ...; did you mean mid_term?`."""
    return f"Unknown time period: {value}; {among(value, PERIODS)}"
