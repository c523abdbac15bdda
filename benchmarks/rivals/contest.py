"""A race: ours and rivals in turn, wall time and processor time of each, and the rows of the table."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from benchmarks import harness


class Took(NamedTuple):
    """Wall seconds of the fastest turn, and the least processor seconds of a turn: user and system, with children."""

    wall: float
    processor: float


class Rival(NamedTuple):
    """What is raced; run: does the work and returns the answer."""

    name: str
    run: Callable[[], Any]


def in_turn(rivals: Mapping[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, Took], dict[str, Any]]:
    """Times and last answer of each. They take turns, so that a busy minute hits them all."""
    took = dict.fromkeys(rivals, Took(float("inf"), float("inf")))
    answers = {}
    for _ in range(rounds):
        for name, run in rivals.items():
            wall, processor = time.perf_counter(), _processor()
            answers[name] = run()
            now = Took(time.perf_counter() - wall, _processor() - processor)
            took[name] = Took(min(took[name].wall, now.wall), min(took[name].processor, now.processor))
    return took, answers


def _processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


class Raced(NamedTuple):
    """One line of the table, but for the times.

    difference : largest one of the answers, in words with its unit where it has one
    remark     : what the rival does otherwise, or ""
    """

    race: str
    rival: str
    size: str
    difference: str
    remark: str = ""
    at_least: float | None = None


def row(raced: Raced, ours: Took, rival: Took, *, by: str = "processor") -> dict[str, Any]:
    """A row of the table; by: `processor` or `wall`, the time that the ratio is of."""
    ratio = getattr(rival, by) / max(getattr(ours, by), 1e-9)
    return {
        "race": raced.race,
        "rival": raced.rival,
        "size": raced.size,
        "ours, s": ours.wall,
        "rival, s": rival.wall,
        "ours, processor s": ours.processor,
        "rival, processor s": rival.processor,
        "ratio": ratio,
        "of": by,
        "target": "" if raced.at_least is None else harness.verdict(ratio, at_least=raced.at_least),
        "difference": raced.difference,
        "remark": raced.remark,
    }


def not_raced(race: str, rival: str, why: str) -> dict[str, Any]:
    """The row of one that is not there."""
    columns = ("ours, s", "rival, s", "ours, processor s", "rival, processor s", "ratio", "of", "target", "difference")
    return {"race": race, "rival": rival, "size": "", **dict.fromkeys(columns, ""), "remark": f"not raced: {why}"}
