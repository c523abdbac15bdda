"""Milestones for followers of a job: each once and in order, however fast the job and however late they come.

The row of a job holds the progress of the moment. What it has passed follows from that, so nobody has to have seen it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from engine.assess.rules.offered import RISKS
from engine.core.names import ALIASES
from engine.io.queue.batch_jobs import PORTFOLIO, SITE
from engine.io.queue.job_states import State

Message = dict[str, Any]
ENDS = ("completed", "failed", "cancelled")
_FETCHING = "Fetching H and P(H)"
#: progress, and the step that ends or begins there; `{risk}` is the last of those asked for
_MILESTONES = (
    (0, _FETCHING),
    (10, _FETCHING),
    (50, "Calculating E for {risk}"),
    (80, "Calculating V for {risk}"),
    (95, "Calculating integrated risk"),
)


def step_of(status: str, step: str | None) -> str | None:
    """The step of a job for its readers: of one that runs what it does, of one that has ended its status."""
    if status in ENDS:
        return status
    return _FETCHING if status == "running" and step in (None, "queued", "starting") else step


class Follower:
    """Follower of a job, with the milestones sent so far."""

    def __init__(self) -> None:
        self._told = -1
        self.ended = False

    def messages(self, state: State) -> list[Message]:
        """Messages to send now, oldest first: nothing twice, and nothing after the end."""
        if self.ended:
            return []
        found = [_running(percent, step) for percent, step in self._passed(state)]
        if state.status in ENDS:
            self.ended = True
            return [*found, _end(state)]
        if state.progress > self._told:
            found.append(_message(state.progress, state.status, step_of(state.status, state.step)))
            self._told = state.progress
        return found

    def _passed(self, state: State) -> list[tuple[int, str]]:
        """Milestones not told yet: below the progress of a job that goes on, up to that of one that has ended."""
        if state.job_type not in (SITE, PORTFOLIO):
            return []
        reached = state.progress if state.status in ENDS else state.progress - 1
        risk = _last(state.risks)
        found = [(percent, step.format(risk=risk)) for percent, step in _MILESTONES if self._told < percent <= reached]
        if found:
            self._told = found[-1][0]
        return found


def _last(risks: Collection[str]) -> str:
    asked = {ALIASES.get(risk, risk) for risk in risks}
    return [risk for risk in RISKS if risk in asked or not asked][-1]


def _running(percent: int, step: str) -> Message:
    return _message(percent, "running", step)


def _message(progress: int, status: str, step: str | None) -> Message:
    return {"progress": progress, "status": status, "step": step}


def _end(state: State) -> Message:
    if state.status == "completed":
        return {"progress": 100, "status": state.status, "results": state.results}
    return {"progress": state.progress, "status": state.status, "error_message": state.error}
