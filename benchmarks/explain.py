"""Figures recomputed from their explanations alone, by the lines of docs/explain.md: no part of the engine.

Not a speed but a promise: an answer holds everything that its figure is made of. Cells, risks, scenarios, periods and
editions are drawn at random; every explanation goes through JSON, as a client gets it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import harness, scratch
from benchmarks.harness import Options
from engine import kernels
from engine.batch.explain import explain
from engine.core.period import FULL, WINDOWS
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io import open_source
from engine.io.climate.source import ClimateSource
from engine.risks import load_edition
from engine.risks.editions import EDITIONS

PAGE = Path(__file__).parents[1] / "docs" / "explain.md"
FIGURES, CELLS = 1000, 200
#: of probabilities, and of losses as shares of value
LARGEST = 1e-12
Lines = dict[str, Callable[[dict[str, Any]], Any]]


class Difference(NamedTuple):
    """Largest absolute differences of one figure; None where there is none to compare."""

    probability: float | None
    aal: float | None
    aal_se: float | None


def lines() -> Lines:
    """The functions of the page, by name."""
    space: dict[str, Any] = {"__name__": "recompute"}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        if "engine" not in block:
            exec(compile(block, PAGE.name, "exec"), space)
    return space


def difference(told: dict[str, Any], page: Lines) -> Difference:
    """An answer against its own recomputation. told: as JSON holds it"""
    if told["status"] == "insufficient_data":
        return Difference(None, None, None)
    p, aal, error = page["recompute"](told)
    if told["estimator"]["method"] == "fitted" and told["status"] == "ok":
        error = page["error_of_fit"](told)
    shares = [abs(mine - each["probability"]) for mine, each in zip(p, told["bins"], strict=True)]
    figure = told["figure"]
    return Difference(max(shares), _apart(aal, figure["aal"]), _apart(error, figure["aal_se"]))


def _apart(mine: float, theirs: float | None) -> float | None:
    return None if theirs is None else abs(mine - theirs)


def draw(source: ClimateSource, editions: tuple[str, ...], figures: int, seed: int) -> list[dict[str, Any]]:
    """Explanations of figures at random, through JSON."""
    random, cells, told = np.random.default_rng(seed), source.cells(), []
    choices = [(edition, risk) for edition in editions for risk in load_edition(edition).bins]
    pairs = [(scenario, period) for scenario in Scenario for period in WINDOWS] + [(DEFAULT_SCENARIO, FULL)]
    while len(told) < figures:
        edition, risk = choices[random.integers(len(choices))]
        scenario, period = pairs[random.integers(len(pairs))]
        place = cells.row(int(random.integers(cells.height)), named=True)
        made = explain(source, edition, place["latitude"], place["longitude"], risk, scenario, period)
        told.append(json.loads(json.dumps(made.as_json(), allow_nan=False)))
    return told


def measure(options: Options) -> list[dict[str, Any]]:
    """A row an estimator: figures, and the largest differences."""
    kernels.warm_up()
    kernels.warm_up(of="fits")
    with closing(open_source(scratch.store(options.scratch, options.cells or CELLS))) as source:
        source.cells()
        started = time.perf_counter()
        told = draw(source, EDITIONS, options.number or FIGURES, options.seed)
    page, seconds, rows = lines(), time.perf_counter() - started, []
    for method in sorted({each["estimator"]["method"] for each in told}):
        of = [each for each in told if each["estimator"]["method"] == method]
        found = [difference(each, page) for each in of]
        worst = {
            f"largest difference, {name}": max((each for each in column if each is not None), default="")
            for name, column in zip(("probability", "AAL", "standard error"), zip(*found, strict=True), strict=True)
        }
        over = sum(any(each is not None and each > LARGEST for each in one) for one in found)
        rows.append({"estimator": method, "figures": len(of), **worst, f"beyond {LARGEST:g}": over,
                     "target": harness.verdict(over, at_most=0)})  # fmt: skip
    return [row | {"explain, ms a figure": 1000 * seconds / len(told)} for row in rows]
