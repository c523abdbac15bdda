"""Figures of a portfolio for its report: pairs of scenario and window, sums by place, sites, without any words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from engine.core.names import RISK_NAMES
from engine.core.period import FULL, WINDOWS
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.etl import regions
from engine.io.sites.portfolio_results import PortfolioResults

#: the window that stands for 2050
_SHOWN_FIRST = "mid_term"
_ORDER = (*WINDOWS, FULL)


@dataclass(frozen=True, slots=True)
class Pair:
    """One scenario and period, with its object of portfolio.json."""

    scenario: Scenario
    period: str
    told: Mapping[str, Any]

    @property
    def years(self) -> str:
        """`2041-2060`: of the run's axis."""
        return str(self.told["years"])

    @property
    def of_pair(self) -> pl.Expr:
        """Condition: rows of a frame that are of this scenario and period."""
        return (pl.col("scenario_id") == int(self.scenario)) & (pl.col("time_period") == self.period)

    def of_value(self, name: str) -> float | None:
        """An amount of the pair as a share of the value of the assets in the sum; None where one is not known."""
        value = self.told["total_asset_value"]
        return None if not value or self.told[name] is None else float(self.told[name] / value)


@dataclass(frozen=True)
class Portfolio:
    """A portfolio that was read, as the report looks at it."""

    results: PortfolioResults

    @cached_property
    def pairs(self) -> list[Pair]:
        """By scenario, the windows in the order of their years, the whole axis last."""
        found = [Pair(Scenario.parse(each["scenario"]), each["time_period"], each) for each in self.summary["results"]]
        return sorted(found, key=lambda pair: (pair.scenario, _ORDER.index(pair.period)))

    @property
    def summary(self) -> Mapping[str, Any]:
        """portfolio.json."""
        return self.results.summary

    @cached_property
    def shown(self) -> Pair:
        """The pair that is told first: SSP2-4.5, 2041-2060, else the nearest to it that was assessed."""
        return min(
            self.pairs,
            key=lambda pair: (
                pair.period != _SHOWN_FIRST,
                _ORDER.index(pair.period),
                pair.scenario != DEFAULT_SCENARIO,
                pair.scenario,
            ),
        )

    @cached_property
    def scenarios(self) -> list[Scenario]:
        """Assessed ones, ascending."""
        return sorted({pair.scenario for pair in self.pairs})

    @cached_property
    def periods(self) -> list[str]:
        """Assessed ones in the order of their years, the whole axis last."""
        return [name for name in _ORDER if any(pair.period == name for pair in self.pairs)]

    def pair(self, scenario: Scenario, period: str) -> Pair | None:
        """None where it was not assessed."""
        return next((each for each in self.pairs if (each.scenario, each.period) == (scenario, period)), None)

    def years(self, period: str) -> str:
        """Of a period on the axis of the run."""
        return next(pair.years for pair in self.pairs if pair.period == period)

    @cached_property
    def risks(self) -> list[str]:
        """Risks that were asked for, in canonical order."""
        known = set(self.results.risk["risk_type"].unique()) | set(self.results.aal["risk_type"].unique())
        return [risk for risk in RISK_NAMES if risk in known]

    @cached_property
    def priced(self) -> list[str]:
        """Risks with an AAL of any asset."""
        found = set(self.results.aal.filter(pl.col("final_aal").is_not_null())["risk_type"].unique())
        return [risk for risk in self.risks if risk in found]

    @cached_property
    def only_ranked(self) -> list[str]:
        """Risks with a level of any asset and no AAL: not priced by the edition, or not computed."""
        found = set(self.results.risk.filter(pl.col("risk_index").is_not_null())["risk_type"].unique())
        return [risk for risk in self.risks if risk in found and risk not in self.priced]

    @property
    def has_value(self) -> bool:
        """False where no asset of the file has a value."""
        return self.results.totals["total_asset_value"].drop_nulls().len() > 0

    def losses_by_risk(self, pair: Pair) -> list[tuple[str, Mapping[str, Any]]]:
        """Risks with a loss, the largest first."""
        rows = [(risk, row) for risk, row in pair.told["expected_loss_by_risk"].items() if row["expected_loss"]]
        return sorted(rows, key=lambda each: -each[1]["expected_loss"])

    def by_place(self, pair: Pair) -> pl.DataFrame:
        """code, name, sites, loss, index, uncalibrated: assets by province, else by region, that with the largest loss
        (without losses: the highest mean risk index) first. name: of the region; code: of the province, null where it
        is none of Korea's."""
        known = list(regions.provinces())
        code = pl.col("admin_code").str.slice(0, 2)
        placed = self.results.totals.filter(pair.of_pair, pl.col("admin_name").is_not_null()).with_columns(
            code=pl.when(code.is_in(known)).then(code)
        )
        grouped = placed.group_by("code", name=pl.when(pl.col("code").is_null()).then("admin_name")).agg(
            sites=pl.len(),
            loss=pl.when(pl.col("total_expected_loss").count() > 0).then(pl.col("total_expected_loss").sum()),
            index=pl.col("mean_risk_index").mean(),
            uncalibrated=pl.col("loss_note").is_not_null().any(),
        )
        return grouped.sort("loss", "index", "code", "name", descending=[True, True, False, False], nulls_last=True)

    @cached_property
    def names(self) -> dict[int, str]:
        """Row -> how the asset is called: its own name, else its id, else its number in the file."""
        rows = self.results.totals.unique("row", keep="first", maintain_order=True)
        return {row: name or site or f"#{row}" for row, name, site in rows.select("row", "name", "site_id").iter_rows()}

    @cached_property
    def regions(self) -> dict[int, tuple[str | None, str | None]]:
        """Row -> code of its region, and its name as the warehouse has it."""
        rows = self.results.totals.unique("row", keep="first", maintain_order=True)
        return {row: (code, name) for row, code, name in rows.select("row", "admin_code", "admin_name").iter_rows()}

    def once(self, pair: Pair) -> Mapping[str, Any] | None:
        """Point of the curve over all risks that is told; None without year losses."""
        found: Mapping[str, Any] | None = pair.told["year_losses"]
        return found

    def curve(self, pair: Pair) -> pl.DataFrame:
        """Points over all risks, ascending."""
        mine = pair.of_pair & (pl.col("risk_type") == "all") & (pl.col("kind") == "aep")
        return self.results.losses.curve.filter(mine).sort("return_period")

    def contributions(self, pair: Pair, by: str) -> pl.DataFrame:
        """Of risks or sites, the largest part of the worst years first."""
        mine = self.results.losses.contributions.filter(pair.of_pair, pl.col("by") == by)
        return mine.sort("tvar_99", descending=True, maintain_order=True)


def window_order(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs of windows, without the whole axis."""
    return [pair for pair in pairs if pair.period in WINDOWS]
