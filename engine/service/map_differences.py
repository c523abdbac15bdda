"""Differences between two layers of a risk: scenarios, windows of years, or both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import psycopg
from numpy.typing import NDArray

from engine.core.layer_differences import Floats, Link, Loss, difference, error_by_years
from engine.core.period import FIRST_WINDOW, PERIODS, parse_years
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.results import published_layers, published_runs, published_years
from engine.io.results.published_figures import HAZARD
from engine.io.results.published_runs import PublishedRisk

#: its samples are the years of the track record in every window and scenario
TYPHOON = "typhoon"
_CHANGES = ("change", "change_se")
#: scenario and window of years
Window = tuple[int, str]
Ints = NDArray[np.int32]


class Difference(NamedTuple):
    """(cells,) each, in the order of their numbers. shown, reference: figures of both layers, NaN: not known; error: of
    the difference, None for scores, of which no error is stored."""

    grid_id: Ints
    shown: Floats
    reference: Floats
    difference: Floats
    error: Floats | None


def of_losses(connection: psycopg.Connection, risk: str, shown: Window, reference: Window) -> Difference | None:
    """Difference of the AAL with its standard error; None where one of both has no loss."""
    link = link_of(shown, reference)
    if link == "reference is the short term":  # stored with the window itself
        ids, own = published_layers.losses(connection, risk, *shown, ("aal", *_CHANGES))
        first = own["aal"].astype(np.float64) - own["change"]
        found = Difference(ids, own["aal"], first, *difference(_loss(own), _loss(own), link, opposed=False))
        return _ordered(found)
    names = ("aal", "aal_se", *(() if link == "two scenarios" else _CHANGES))
    sides = [published_layers.losses(connection, risk, *each, names) for each in (shown, reference)]
    ids, places = _both(sides[0][0], sides[1][0])
    one, other = (
        _loss({name: each[at] for name, each in side.items()}) for (_, side), at in zip(sides, places, strict=True)
    )
    told = published_runs.published_risks(connection).get(risk)
    moved, error = difference(one, other, link, opposed=may_oppose(told, risk, shown, reference))
    if risk == TYPHOON and told is not None and not told.of_past and told.trend is None:
        error = np.fmin(error, _by_years(connection, ids, (shown, reference), (one.error, other.error)))
    return _ordered(Difference(ids, one.aal, other.aal, moved, error))


def _by_years(
    connection: psycopg.Connection, ids: Ints, windows: tuple[Window, Window], errors: tuple[Floats, Floats]
) -> Floats:
    """Errors by the years that both windows have, of cells in this order; NaN where they are not kept."""
    told, found = published_years.of_two(connection, TYPHOON, *windows), np.full(len(ids), np.nan)
    if told is None:
        return found
    _, here, there = np.intersect1d(ids, told.grid_id, assume_unique=True, return_indices=True)
    of_cells = errors[0][here], errors[1][here]
    found[here] = error_by_years(told.first[there], told.second[there], of_cells)
    return found


def of_scores(connection: psycopg.Connection, risk: str, shown: Window, reference: Window) -> Difference | None:
    """Difference of the hazard score, 0 to 1; None where one of both layers has none."""
    sides = [published_layers.read(connection, HAZARD, risk, *each) for each in (shown, reference)]
    ids, places = _both(sides[0][0], sides[1][0])
    one, other = (values[at].astype(np.float64) for (_, values), at in zip(sides, places, strict=True))
    return _ordered(Difference(ids, one, other, one - other, None))


def link_of(shown: Window, reference: Window) -> Link:
    """What is stored of the dependence of two windows."""
    if shown[0] != reference[0]:
        return "two scenarios"
    if reference[1] == FIRST_WINDOW:
        return "reference is the short term"
    return "shown is the short term" if shown[1] == FIRST_WINDOW else "two later windows"


def may_oppose(told: PublishedRisk | None, risk: str, shown: Window, reference: Window) -> bool:
    """Whether a year may move the losses of two windows in opposite directions. told: of the risk's run, None: none"""
    if told is None:
        return True
    if told.trend is not None and shown[0] == reference[0]:
        return True  # a line through the same years
    if not told.of_past:
        return False
    if risk == TYPHOON:
        return True
    baseline = parse_years(told.baseline.split()[0])
    # edges stand on years of the default scenario, which may be in its own windows
    of_default = [PERIODS[period] for scenario, period in (shown, reference) if scenario == DEFAULT_SCENARIO]
    return any(first <= baseline.last and baseline.first <= last for first, last in of_default)


def _loss(columns: dict[str, NDArray[np.float32]]) -> Loss:
    none = np.full_like(columns["aal"], np.nan)
    return Loss(*(columns.get(name, none) for name in ("aal", "aal_se", *_CHANGES)))


def _both(first: Ints, second: Ints) -> tuple[Ints, tuple[NDArray[np.int64] | slice, NDArray[np.int64] | slice]]:
    """Cells that are in both, and where they are in each."""
    if np.array_equal(first, second):
        return first, (slice(None), slice(None))
    ids, here, there = np.intersect1d(first, second, assume_unique=True, return_indices=True)
    return ids, (here, there)


def _ordered(found: Difference) -> Difference | None:
    ids = found.grid_id
    if np.isnan(found.difference).all():
        return None
    if (ids[1:] > ids[:-1]).all():
        return found
    order = np.argsort(ids)
    return found._replace(
        grid_id=ids[order],
        shown=found.shown[order],
        reference=found.reference[order],
        difference=found.difference[order],
        error=None if found.error is None else found.error[order],
    )
