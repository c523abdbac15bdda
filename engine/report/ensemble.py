"""Several climate models in the report: means over the cells by risk and scenario, of the latest window."""

from __future__ import annotations

from typing import Any

from engine.core.period import FULL, WINDOWS
from engine.core.scenario import ScenarioNames, label
from engine.io.results.published import Run
from engine.io.results.published_ensembles import members_of
from engine.kernels.ensembles import ENOUGH_AGREE, MIN_MEMBERS_OF_PERCENTILES


def section(run: Run | None, names: ScenarioNames) -> dict[str, Any] | None:
    """What the template shows of an ensemble: the run, members, latest window, rows; None without one.

    names : of the scenarios
    """
    if run is None:
        return None
    told = run["summary"]
    held = {row["time_period"] for row in told["means"]}
    period = next((name for name in reversed(WINDOWS) if name in held), FULL)
    rows = [
        row | {"title": row["risk_type"].replace("_", " ").capitalize(), "scenario": label(row["scenario_id"], names)}
        for row in told["means"]
        if row["time_period"] == period
    ]
    members = members_of(run)
    return {
        "run": run,
        "members": members,
        "years": told["periods"].get(period),
        "rows": rows,
        "shared": [risk.replace("_", " ") for risk in told["shared_record"]],
        "percentiles": len(members) >= MIN_MEMBERS_OF_PERCENTILES,
        "enough": ENOUGH_AGREE,
    }
