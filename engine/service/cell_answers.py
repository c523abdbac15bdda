"""Answers about one cell: which one speaks for a place, and all that is published for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from engine.core.cells import choose
from engine.core.grid import GridDefinition
from engine.core.interval_words import ModelInterval, share_of_value_of_models
from engine.core.names import RISK_NAMES
from engine.core.period import FULL
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.results import published_cells, published_ensembles, published_runs
from engine.io.results.published_cells import CellLoss
from engine.io.results.published_runs import PublishedRisk
from engine.kernels.ensembles import ENOUGH_AGREE, total_interval
from engine.service import interval_answers

Row = dict[str, Any]
#: probabilities of the finest bins have eight digits; rounded as arrays are
_STEPS = 10.0**8


def at(connection: psycopg.Connection, grid: GridDefinition, latitude: float, longitude: float) -> Row | None:
    """The cell that speaks for a place, as for an assessed site: its centre, number, `cell_basis`, `cell_distance_m`;
    None where there is none within reach."""
    chosen = choose([latitude], [longitude], grid, lambda cells: published_cells.have_results(connection, cells))
    if not chosen.grid_id[0]:
        return None
    row, column = (int(each[0]) for each in grid.indices(chosen.grid_id))
    return {
        "latitude": float(grid.latitudes[row]),
        "longitude": float(grid.longitudes[column]),
        "grid_id": int(chosen.grid_id[0]),
        "cell_basis": "nearest" if chosen.nearest[0] else "own",
        "cell_distance_m": round(float(chosen.metres[0]), 1),
    }


def loss(found: CellLoss, told: Mapping[str, PublishedRisk]) -> Row:
    """Bin probabilities and AAL as they are answered, with the steps of the losses and the AAL in words.

    told : of the published runs
    """
    more = {"loss_steps": steps_of(found.bin_data), "words": interval_answers.of_loss(found, told)}
    return found._asdict() | more


def ensemble(connection: psycopg.Connection, cell: int, risk: str, scenario: int, period: str) -> Row | None:
    """The AAL over climate models as it is answered; None where no ensemble is published."""
    found = published_ensembles.read(connection, cell, risk, scenario, period)
    if found is None:
        return None
    figures, run = found
    mean, agreement, words = figures.aal_mean, figures.agreement, None
    low = high = None
    if mean is not None:
        low, high = total_interval(mean, figures.total_se, figures.members) or (None, None)
        interval = ModelInterval(mean, low, high, figures.members)
        words = {"en": share_of_value_of_models(interval), "ko": share_of_value_of_models(interval, "ko")}
    return {
        **{name: run[name] for name in ("run_id", "edition", "scope", "published_at")},
        "member_runs": [each["run_id"] for each in published_ensembles.members_of(run)],
        **figures._asdict(),
        "total_low": low,
        "total_high": high,
        "models_disagree": None if agreement is None else agreement < ENOUGH_AGREE,
        "sentence": words and words["en"],
        "words": words,
    }


def steps_of(bins: Sequence[Row] | None) -> list[Row] | None:
    """Probability of each damage rate or more, once each; None without bins or where the risk is not priced."""
    if not bins or any(each["base_damage_rate"] is None for each in bins):
        return None
    steps: dict[float, float] = {}
    reached = 0.0
    for each in reversed(bins):  # the sums of `losses.loss_steps`, in its order: arrays of one row cost ten times these
        reached += each["probability"]
        steps[each["base_damage_rate"]] = round(min(max(reached, 0.0), 1.0) * _STEPS) / _STEPS
    return [{"damage_rate": rate, "probability": share} for rate, share in reversed(steps.items())]


def everything(connection: psycopg.Connection, cell: int) -> Row | None:
    """All results of a cell, None for a cell without any."""
    asked = connection, cell, RISK_NAMES, int(DEFAULT_SCENARIO), FULL
    losses, hazards = published_cells.losses(*asked), published_cells.hazards(*asked)
    told = published_runs.published_risks(connection)
    windows: dict[str, list[Row]] = defaultdict(list)
    for window in published_cells.windows(connection, cell):
        row = window._asdict() | {"change_words": interval_answers.of_change(window)}
        windows[row.pop("risk_type")].append(row)
    held = [risk for risk in RISK_NAMES if risk in losses or risk in hazards or risk in windows]
    if not held:
        return None
    found = {
        risk: {
            "probability": loss(losses[risk], told) if risk in losses else None,
            "hazard": hazards[risk]._asdict() if risk in hazards else None,
            "windows": windows.get(risk, []),
        }
        for risk in held
    }
    return {"grid_id": cell, "risks": found}
