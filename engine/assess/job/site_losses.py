"""Loss curves of single sites, for their reports: shares of value, so that a site without one has a curve, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine import losses
from engine.assess.job import loss_years
from engine.assess.job.loss_years import Pair, YearsOfPair
from engine.assess.job.portfolio_losses import Databases, point_of
from engine.assess.rules.assessment import AssessmentResult
from engine.core.caveats import loss_note, overlap_note
from engine.core.scenario import Scenario
from engine.losses.table import PAIR

_MONEY = ("loss", "loss_low", "loss_high")


@dataclass(slots=True, kw_only=True)
class SiteLosses:
    """Curves by row, scenario and period. note: why there are none; None where there are"""

    note: str | None = None
    of_rows: dict[int, dict[Pair, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))

    def stated(self, row: int, report: Mapping[str, Any]) -> dict[str, Any]:
        """A site's report with its curves."""
        own = self.of_rows.get(row, {})
        pairs = [
            pair | {"year_losses": own.get((int(Scenario.parse(pair["scenario"])), pair["time_period"]))}
            for pair in report["scenarios"]
        ]
        note = self.note or (None if own else loss_years.NONE_HERE)
        return {**report, "scenarios": pairs, "year_losses_note": note}


def of_sites(databases: Databases, result: AssessmentResult) -> SiteLosses:
    """Curves of the sites of a result, each over all its risks."""
    if not databases.on:
        return SiteLosses(note=loss_years.OFF)
    rows = {}
    for (scenario, period), group in result.totals.group_by(*PAIR, maintain_order=True):
        places = group.filter(pl.col("status") != "outside_grid").select("row", "grid_id", value="total_asset_value")
        here = (pl.col("scenario_id") == scenario) & (pl.col("time_period").cast(pl.String) == str(period))
        found = loss_years.counted(result.aal.lazy().filter(here), places, shares=True)
        if found.height:
            rows[int(scenario), str(period)] = found
    made = SiteLosses()
    if not rows:
        return made
    any_years = False
    for years in loss_years.read(databases.application, rows):
        any_years = True
        _add(made, years)
    return made if any_years else SiteLosses(note=loss_years.NONE)


def _add(made: SiteLosses, years: YearsOfPair) -> None:
    """Curves of one scenario and period."""
    told = years.with_years()
    of_rows = {row: group for (row,), group in told.group_by("row", maintain_order=True)}
    for row, sets in losses.sets_of_sites(years.cells, years.by_risk):
        own = of_rows[row]
        value, risks = own["value"][0], dict(own.filter("has_years").select("risk_type", "calibrated").iter_rows())
        points = losses.curve_of(*sets)
        made.of_rows[row][years.pair] = _in_money(point_of(points, 1.0), value) | {
            "value": value,
            "years": sets.shorter,
            "loss_note": loss_note(risks.values()),
            "overlap_note": overlap_note(risks),
            "sites_without_year_losses": dict.fromkeys(own.filter(~pl.col("has_years"))["risk_type"].to_list(), 1),
            "curve": [_in_money(_point(point), value) for point in points.iter_rows(named=True)],
        }


def _point(point: dict[str, Any]) -> dict[str, Any]:
    """A point of a curve of shares, with its per cent."""
    percent = {
        name.replace("loss", "loss_percent"): None if point[name] is None else 100 * point[name] for name in _MONEY
    }
    return point | percent


def _in_money(point: dict[str, Any], value: float | None) -> dict[str, Any]:
    """A point in shares of value with its money; None where the value is not stated."""
    return point | {name: None if value is None or point[name] is None else value * point[name] for name in _MONEY}
