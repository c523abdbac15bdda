"""Assets at risk: value and number of assets at or above a threshold, by risk, scenario and period."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from engine.core import levels
from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.io.sites.portfolio_results import PortfolioResults

#: in place of a risk: at least one of them
ANY = "any"
DEFAULT = "high"
_KEYS = ("scenario_id", "time_period", "risk_type")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class Threshold:
    """From where on an asset counts as vulnerable.

    level : a risk level, or None; share : AAL as a share of value, 0..1, where level is None
    """

    level: str | None
    share: float | None = None

    @property
    def cut(self) -> int:
        """Lowest risk index of the level."""
        low, _ = levels.bounds()[levels.PRINTED.index(str(self.level))]
        return int(low)


def parse(text: str) -> Threshold:
    """`high`: the level or one above it; `1%`: an AAL of 1 % of value or more.

    raises : SettingsError for anything else; `minimal` is no threshold, every rated asset is at it
    """
    known = levels.PRINTED[1:]
    if found := _SHARE.fullmatch(text.strip()):
        share = float(found[1]) / 100
        if not 0 < share <= 1:
            raise SettingsError(f"{text}: a share of value lies above 0 and up to 100 %")
        return Threshold(None, share)
    if text not in known:
        raise SettingsError(f"{unknown('threshold', text, known)}, or a share of value such as 1%")
    return Threshold(text)


def rated(results: PortfolioResults, threshold: Threshold) -> pl.DataFrame:
    """`row`, keys, `over` (null: not rated), `value` of every site that is in the grid or outside of it, and risk."""
    places = results.totals.select("row", "scenario_id", "time_period", value="total_asset_value")
    if threshold.level is not None:
        highest = list(levels.PRINTED[levels.PRINTED.index(threshold.level) :])
        over = pl.when(pl.col("risk_index").is_not_null()).then(pl.col("risk_level").is_in(highest))
        frame = results.risk
    else:
        counts = (pl.col("status") == "ok") & ~pl.col("is_default") & pl.col("final_aal").is_not_null()
        over = pl.when(counts).then(pl.col("final_aal") >= threshold.share)
        frame = results.aal
    risks = frame.select("risk_type").unique()
    told = frame.select("row", *_KEYS, over=over)
    return places.join(risks, how="cross").join(told, on=["row", *_KEYS], how="left", maintain_order="left")


def at_risk(results: PortfolioResults, threshold: Threshold) -> pl.DataFrame:
    """Sums of assets, a row a scenario, period and risk, and one for at least one risk (`any`).

    returns : keys; value_over, value_rated, value_unrated (money, 0 where no asset has a value), sites_over,
              sites_rated, sites_unrated
    """
    each = rated(results, threshold)
    site = ["row", "scenario_id", "time_period"]
    # any() over nulls and false is false where one risk is rated, null where none is
    whole = each.group_by(site, maintain_order=True).agg(
        over=pl.when(pl.col("over").is_not_null().any()).then(pl.col("over").any()),
        value=pl.col("value").first(),
        risk_type=pl.lit(ANY),
    )
    both = pl.concat([each.select(whole.columns), whole])
    known = pl.col("over").is_not_null()
    return both.group_by(_KEYS).agg(
        value_over=pl.col("value").filter(pl.col("over")).sum(),
        value_rated=pl.col("value").filter(known).sum(),
        value_unrated=pl.col("value").filter(~known).sum(),
        sites_over=pl.col("over").sum(),
        sites_rated=known.sum(),
        sites_unrated=(~known).sum(),
    )


def by_level(results: PortfolioResults) -> pl.DataFrame:
    """Value and number of assets by risk level: keys, `risk_level` (`unknown`: not rated), `value`, `sites`."""
    told = results.risk.select("row", *_KEYS, "risk_level")
    places = results.totals.select("row", "scenario_id", "time_period", value="total_asset_value")
    risks = results.risk.select("risk_type").unique()
    rows = places.join(risks, how="cross").join(told, on=["row", *_KEYS], how="left", maintain_order="left")
    named = rows.with_columns(pl.col("risk_level").fill_null(levels.UNKNOWN))
    return named.group_by(*_KEYS, "risk_level").agg(value=pl.col("value").sum(), sites=pl.len())
