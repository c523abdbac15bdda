"""Comparison of a run with an earlier one, cell by cell and risk by risk, where the two may be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from engine.io.results.published import Run
from engine.io.results.run_method import same_figures
from engine.report.figures import RiskFigures, components_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantity of one risk in the cells that both runs have.

    before, after : means over those cells, ratio or score
    rank          : Spearman's correlation; None when one of the two is the same everywhere
    beyond        : share of cells whose difference exceeds twice its standard error; None for a score, which has none
    up, down      : shares of cells that rose and fell
    """

    cells: int
    before: float
    after: float
    rank: float | None
    beyond: float | None
    up: float
    down: float
    differences: pl.DataFrame


def incomparable(run: Run, other: Run, risk: str) -> list[str]:
    """Reasons why the AAL of a risk in two runs must not be compared; empty when it may be.

    An edition that changed other risks leaves this one comparable.
    """
    found = []
    if not same_figures(run, other, risk):
        same_name = " (its figures differ)" if other["edition"] == run["edition"] else ""
        found.append(f"edition {other['edition']} then, {run['edition']} now{same_name}")
    for name in ("baseline", "scope"):
        if run[name] != other[name]:
            found.append(f"{name} {other[name]} then, {run[name]} now")
    return found


def other_parts(run: Run, other: Run, risk: str) -> str | None:
    """Why two hazard scores are not of the same parts; None when they are, or when a record does not say."""
    parts = [components_of(each["summary"], risk).get("components") for each in (run, other)]
    if None in parts or parts[0] == parts[1]:
        return None
    then, now = (" + ".join(_names(part)) or "nothing" for part in (parts[1], parts[0]))
    return f"{then} then, {now} now"


def _names(parts: object) -> Sequence[str]:
    return parts if isinstance(parts, list | tuple) else ()


def unchanged(changes: Sequence[Mapping[str, Any]]) -> bool:
    """True when there is something to compare, and every AAL and score that both runs have is the same."""
    found = [each[name] for each in changes for name in ("aal", "hazard") if each[name]]
    alike = not any(quantity.up or quantity.down for quantity in found)
    return bool(found) and alike and not any(each["parts"] for each in changes)


def change_of_aal(now: RiskFigures, then: RiskFigures) -> Change | None:
    """None without a common cell."""
    both = now.known.select("grid_id", "latitude", "longitude", "aal", "aal_se").join(
        then.known.select("grid_id", "aal", "aal_se"), on="grid_id", suffix="_then"
    )
    error = (pl.col("aal_se").cast(pl.Float64) ** 2 + pl.col("aal_se_then").cast(pl.Float64) ** 2).sqrt()
    return _change(both, "aal", beyond=(pl.col("difference").abs() > 2 * error))


def change_of_hazard(now: RiskFigures, then: RiskFigures) -> Change | None:
    """None without a common cell."""
    both = now.hazard.select("grid_id", "latitude", "longitude", "hazard_score").join(
        then.hazard.select("grid_id", "hazard_score"), on="grid_id", suffix="_then"
    )
    return _change(both, "hazard_score", beyond=pl.lit(None, pl.Boolean))


def _change(both: pl.DataFrame, name: str, *, beyond: pl.Expr) -> Change | None:
    if both.is_empty():
        return None
    after, before = pl.col(name).cast(pl.Float64), pl.col(f"{name}_then").cast(pl.Float64)
    rows = both.with_columns(difference=after - before)
    means = rows.select(
        before=before.mean(),
        after=after.mean(),
        rank=pl.corr(after, before, method="spearman"),
        beyond=beyond.mean(),
        up=(pl.col("difference") > 0).mean(),
        down=(pl.col("difference") < 0).mean(),
    ).row(0, named=True)
    rank = means["rank"]
    return Change(
        cells=rows.height,
        before=means["before"],
        after=means["after"],
        rank=None if rank is None or rank != rank else rank,
        beyond=means["beyond"],
        up=means["up"],
        down=means["down"],
        differences=rows.select("latitude", "longitude", "difference"),
    )
