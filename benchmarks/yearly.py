"""The whole yearly run per cell, against a loop over cells: rows fetched by a query a cell and variable, scipy a risk.

Both do nine risks in 13 (scenario, period) pairs, probability with AAL and hazard score, and agree. The loop is timed
on a few cells and extrapolated. It is spared much: intensities and hazard indices are this engine's compiled ones on
one cell, the small tables are read once, its warehouse holds only its own cells, nothing is written and there is no
standard error. What is scipy is the distribution: in one row `gaussian_kde` with the closed form of a bin's mass, in
the other the density integrated over each bin.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import gaussian_kde

from benchmarks import harness, rehearsal, scratch
from benchmarks.harness import Options
from engine import kernels, run
from engine.batch.block import hazard_score
from engine.batch.pipeline import make_reference
from engine.batch.plan import Pair, Plan, make_plan
from engine.batch.request import Request
from engine.core.panel import Panel
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.io import open_source
from engine.risks import RISKS, load_edition
from engine.risks.definition import Bins, Intensity
from engine.risks.inputs import Inputs, Reference

CELLS = 97_377
LOOP = {"closed form": 200, "quadrature": 4}
TOLERANCE = 1e-6
MIN_BASELINE, MIN_SAMPLES, MIN_KDE, MOST_MISSING = 10, 10, 16, 0.2

Floats = NDArray[np.float64]
Mass = Callable[[Any, float, float], float]


def closed_form(density: Any, a: float, b: float) -> float:
    return float(density.integrate_box_1d(a, b))


def quadrature(density: Any, a: float, b: float) -> float:
    reach = 10 * np.sqrt(density.covariance[0, 0])
    a = max(a, float(density.dataset.min()) - reach)
    b = min(b, float(density.dataset.max()) + reach)
    return float(quad(lambda t: density(t)[0], a, b, epsabs=1e-10, limit=200)[0]) if a < b else 0.0


MASSES: dict[str, Mass] = {"closed form": closed_form, "quadrature": quadrature}


def probabilities(x: Floats, edges: Floats, bins: Bins, mass: Mass) -> Floats | None:
    """Bin probabilities of one cell by the same rules as `engine.kernels.bin_probabilities`."""
    valid = x[~np.isnan(x)]
    if len(valid) < MIN_SAMPLES or len(valid) < (1 - MOST_MISSING) * len(x):
        return None
    lower, above = bins.lower, valid
    if bins.atom:
        above = valid[valid != lower]
    if len(above) < MIN_KDE or np.ptp(above) == 0.0:
        at = np.where(valid == lower, 0, np.searchsorted(edges, valid, "right"))
        return np.bincount(at, minlength=len(edges) + 1) / len(valid)
    density = gaussian_kde(above)
    limits = [-np.inf if lower is None else lower, *edges, np.inf]
    p = np.array(
        [
            mass(density, a, b) + (0.0 if lower is None else mass(density, 2 * lower - b, 2 * lower - a))
            for a, b in itertools.pairwise(limits)
        ]
    )
    share = len(above) / len(valid)
    p *= share
    p[0] += 1.0 - share
    return p


def fetch(connection: psycopg.Connection, plan: Plan, cell: pl.DataFrame) -> Panel:
    """The rows of one cell, a query a variable."""
    arrays = {}
    for each in (VARIABLES[name] for name in plan.variables):
        rows = connection.execute(
            f"SELECT ssp1, ssp2, ssp3, ssp5 FROM {each.table} WHERE grid_id = %s ORDER BY {each.time_column}".encode(),
            (cell["grid_id"][0],),
        ).fetchall()
        values = np.array(rows, np.float32).T
        shape = (1, plan.axis.n, each.steps) if each.monthly else (1, plan.axis.n)
        for scenario, column in zip(Scenario, values, strict=True):
            arrays[each.name, scenario] = np.ascontiguousarray(column).reshape(shape)
    return Panel(cells=cell, axis=plan.axis, arrays=arrays)


def samples(inputs: Inputs, intensity: Intensity, scenario: Scenario, years: Any) -> Floats:
    block = inputs.under(scenario)
    x = intensity.of(block)
    if intensity.scale is not None:
        return np.asarray(x[0] * intensity.scale(block, years)[0], float)
    return np.asarray(x[0, inputs.panel.axis.columns_of(years)], float).ravel()


def edges_of(inputs: Inputs, plan: Plan, intensity: Intensity, bins: Bins) -> Floats:
    if not bins.of_baseline:
        return np.array(bins.edges)
    x = samples(inputs, intensity, DEFAULT_SCENARIO, plan.baseline)
    x = x[~np.isnan(x)]
    counted = x[x > bins.lower] if bins.atom and bins.lower is not None else x
    return np.quantile(x, bins.edges) if len(counted) >= MIN_BASELINE else np.array(bins.fallback)


def one_cell(panel: Panel, plan: Plan, reference: Reference, mass: Mass) -> dict[tuple[str, Pair], tuple[float, float]]:
    """(AAL, hazard score) of every risk and pair; NaN where there is none."""
    inputs = Inputs(panel, reference, [(pair.scenario, pair.years) for pair in plan.pairs])
    found = {}
    for name in plan.probability:
        risk, bins, intensity = RISKS[name], plan.edition.bins[name], plan.edition.intensity(name)
        exposed = intensity.not_exposed is None or not intensity.not_exposed(inputs.baseline)[0]
        edges = edges_of(inputs, plan, intensity, bins)
        for pair in plan.pairs:
            aal = 0.0
            if exposed:
                p = probabilities(samples(inputs, intensity, pair.scenario, pair.years), edges, bins, mass)
                aal = float("nan") if p is None else float(p @ bins.damage_rates)
            found[name, pair] = aal, float(hazard_score(inputs, plan.hazard[name], risk, pair)[0])
    return found


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a way of integrating: seconds a cell of both and their ratio.

    raises : AssertionError when an AAL or a score differs by more than 1e-6
    """
    cells = options.cells or CELLS
    loop = {name: min(n, cells) for name, n in LOOP.items()}
    most = max(loop.values())
    land = scratch.store(options.scratch, cells)
    kernels.warm_up()
    with (
        closing(open_source(scratch.store(options.scratch, most))) as made,
        scratch.server(options.scratch) as server,
        closing(open_source(scratch.warehouse(server, made, "seed", most))) as source,
        psycopg.connect(scratch.warehouse(server, made, "seed", most)) as connection,
    ):
        edition = load_edition("2025-11")
        plan = make_plan(source, Request(edition=edition, risks=tuple(RISKS)))
        reference, expected = make_reference(source, plan)[0], _answers(source, edition)

        def over_cells(name: str) -> list[Any]:
            chosen = source.cells().head(loop[name])
            return [
                one_cell(fetch(connection, plan, row), plan, reference, MASSES[name]) for row in chosen.iter_slices(1)
            ]

        contest: dict[str, Callable[[], Any]] = {name: partial(over_cells, name) for name in loop}
        contest["ours"] = partial(rehearsal.apart, land, options.scratch / "runs-yearly", cells)
        fetch(connection, plan, source.cells().head(1))  # the server has read its catalogue before the clock
        seconds, answers = harness.in_turn(contest, options.rounds, clock={"ours": lambda found: found["wall"]})
        chosen = source.cells()
    rows = []
    for name, n in loop.items():
        off = _difference(chosen.head(n), answers[name], expected)
        assert off <= TOLERANCE, f"{name} differs by {off}"
        ours, theirs = seconds["ours"] / cells, seconds[name] / n
        rows.append(
            {
                "rival": f"loop over cells, {name}",
                "ours on cells": cells,
                "rival on cells (extrapolated)": n,
                "ours, ms a cell": ours * 1000,
                "rival, ms a cell": theirs * 1000,
                "rival, whole grid, hours": theirs * cells / 3600,
                "ratio": theirs / ours,
                "target": harness.verdict(theirs / ours, at_least=1000),
                "largest difference": off,
            }
        )
    return rows


def _answers(source: Any, edition: Any) -> dict[tuple[int, str, int, str], tuple[float, float]]:
    result = run(source, edition=edition)
    key = ["grid_id", "risk_type", "scenario_id", "time_period"]
    joined = result.probability.select(*key, "aal").join(
        result.hazard.select(*key, "hazard_score"), on=key, how="full", coalesce=True
    )
    return {tuple(row[:4]): (row[4], row[5]) for row in joined.iter_rows()}


def _difference(chosen: pl.DataFrame, found: list[Any], expected: dict[Any, tuple[float, float]]) -> float:
    worst = 0.0
    for cell, answers in zip(chosen["grid_id"], found, strict=True):
        for (risk, pair), values in answers.items():
            for value, other in zip(values, expected[cell, risk, int(pair.scenario), pair.period], strict=True):
                known = other is not None
                assert known != np.isnan(value), (cell, risk, pair, value, other)
                worst = max(worst, abs(value - other)) if known else worst
    return worst
