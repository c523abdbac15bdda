"""Year losses of assessed sites: what rows of an assessment lose in each year, read and multiplied cell by cell.

The rows are those that the expected loss counts, so that the mean over the years is the expected loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import polars as pl
import psycopg

from engine import losses
from engine.core.names import RISK_NAMES
from engine.io.results.year_losses import read_sample_years, read_year_losses
from engine.losses.factors import SitesOfRisk
from engine.losses.table import PAIR, CellYears

Pair = tuple[int, str]

OFF = "year losses are turned off (YEAR_LOSSES=off): no loss once in 100 years, no curve, no year losses"
NONE = (
    "the published run kept no year losses (YEAR_LOSSES=off, or a release before they were kept): no loss once in 100"
    " years, no curve; run jobs.yearly again for them"
)
NO_LOSS = "no site has an expected loss: no loss once in 100 years, no curve, no year losses"
NONE_HERE = "no risk has an AAL here: no loss once in 100 years, no curve"
#: of an assessment's rows, beside the columns of PAIR
_READ = ("row", "risk_type", "vulnerability_scale", "insurance_rate", "calibrated")


class YearsOfPair(NamedTuple):
    """One scenario and period.

    counted : rows that the expected loss counts: `row`, `grid_id`, `risk_type`, `value`, `factor`, `calibrated`
    cells   : completed year losses of their cells, a risk each
    by_risk : factors of the sites, by risk
    """

    pair: Pair
    counted: pl.DataFrame
    cells: Sequence[CellYears]
    by_risk: Mapping[str, SitesOfRisk]

    @property
    def risks(self) -> dict[str, bool]:
        """Risks that have year losses -> whether they are calibrated on losses, in canonical order."""
        there = {each.risk_type for each in self.cells}
        known = dict(self.counted.group_by("risk_type").agg(pl.col("calibrated").all()).iter_rows())
        return {risk: known[risk] for risk in RISK_NAMES if risk in known and risk in there}

    def value(self, risk: str | None = None) -> float:
        """Money that the sites are worth, each once; of those with one risk, or of all."""
        rows = self.counted if risk is None else self.counted.filter(pl.col("risk_type") == risk)
        return float(rows.unique("row", maintain_order=True)["value"].sum())

    def with_years(self) -> pl.DataFrame:
        """`counted` with `has_years`: whether the row's cell has year losses of its risk."""
        held = pl.concat(
            pl.DataFrame({"risk_type": each.risk_type, "grid_id": each.cells}) for each in self.cells
        ).with_columns(has_years=True)
        rows = self.counted.with_columns(pl.col("grid_id").cast(pl.Int64))
        joined = rows.join(held, on=["risk_type", "grid_id"], how="left", maintain_order="left")
        return joined.with_columns(pl.col("has_years").fill_null(False))

    def without(self) -> dict[str, int]:
        """Risk -> sites that count for the expected loss, and whose cells have no year losses of it."""
        lacking = self.with_years().filter(~pl.col("has_years"))
        return dict(lacking.group_by("risk_type", maintain_order=True).len().iter_rows())


def counted(aal: pl.LazyFrame, places: pl.DataFrame, *, shares: bool = False) -> pl.DataFrame:
    """Rows that the expected loss counts, with cell and factor.

    aal    : rows of an assessment's AAL of one scenario and period
    places : `row`, `grid_id`, `value` (money) of its sites
    shares : factors for a value of 1, also of sites without one
    """
    ok = (pl.col("status").cast(pl.String) == "ok") & ~pl.col("is_default") & pl.col("base_aal").is_not_null()
    rows = aal.filter(ok).select(*(pl.col(name) for name in _READ))
    whole = rows.collect().with_columns(pl.col("risk_type").cast(pl.String))
    whole = whole.join(places, on="row", how="inner", maintain_order="left")
    share = pl.col("vulnerability_scale") * (1 - pl.col("insurance_rate"))
    whole = whole.with_columns(factor=share if shares else pl.col("value") * share)
    return whole.filter(pl.col("factor").is_not_null()).drop("vulnerability_scale", "insurance_rate")


def read(application: psycopg.Connection, rows: Mapping[Pair, pl.DataFrame]) -> Iterator[YearsOfPair]:
    """Year losses of the cells of some rows, one scenario and period after the other.

    rows    : of `counted`, by scenario and period
    returns : pairs that have year losses; a cell is read once, whatever the number of its sites and pairs
    """
    of_any = pl.concat([each.select("grid_id", "risk_type") for each in rows.values()]).unique()
    risks = [risk for risk in RISK_NAMES if risk in of_any["risk_type"].implode().item()]
    sample_years = read_sample_years(application, risks)
    if sample_years.is_empty():
        return
    scenarios, periods = sorted({pair[0] for pair in rows}), sorted({pair[1] for pair in rows})
    table = read_year_losses(application, of_any["grid_id"].unique().to_numpy(), risks, scenarios, periods)
    parts = table.partition_by(*PAIR, as_dict=True, maintain_order=True)
    del table
    for pair, frame in rows.items():
        part = parts.pop(pair, None)
        if part is None:
            continue
        by_risk = losses.sites_by_risk(frame)
        yield YearsOfPair(pair, frame, list(losses.cell_years(part, sample_years)), by_risk)


def in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows by scenario, period and risk in their canonical orders; stable."""
    order = pl.Enum([*RISK_NAMES, "all"])
    return frame.sort(*PAIR, pl.col("risk_type").cast(order), maintain_order=True)
