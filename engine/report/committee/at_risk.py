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
_PAIR = ("scenario_id", "time_period")
_KEYS = (*_PAIR, "risk_type")
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


def _rated(results: PortfolioResults, threshold: Threshold) -> pl.DataFrame:
    """`row`, keys and `over` of every site and risk that is rated."""
    if threshold.level is not None:
        highest = list(levels.PRINTED[levels.PRINTED.index(threshold.level) :])
        known, over = pl.col("risk_index").is_not_null(), pl.col("risk_level").is_in(highest)
        return results.risk.filter(known).select("row", *_KEYS, over=over)
    counts = (pl.col("status") == "ok") & ~pl.col("is_default") & pl.col("final_aal").is_not_null()
    return results.aal.filter(counts).select("row", *_KEYS, over=pl.col("final_aal") >= threshold.share)


def at_risk(results: PortfolioResults, threshold: Threshold) -> pl.DataFrame:
    """Sums of assets, a row a scenario, period and risk, and one for at least one risk (`any`).

    returns : keys; value_over, value_rated, value_unrated (money, 0 where no asset has a value), sites_over,
              sites_rated, sites_unrated: of all sites, those outside the grid and failed ones included
    """
    site = ["row", *_PAIR]
    places = results.totals.select(*site, value="total_asset_value")
    each = _rated(results, threshold)
    # for each risk that was asked of any site, and for any: sites without a row are not rated
    risks = pl.concat([results.risk["risk_type"], results.aal["risk_type"]]).unique()
    whole = places.group_by(_PAIR).agg(value=pl.col("value").sum(), sites=pl.len())
    asked = whole.join(pl.DataFrame({"risk_type": [*risks, ANY]}), how="cross")
    sums = (
        pl.col("value").filter("over").sum().alias("value_over"),
        pl.col("value").sum().alias("value_rated"),
        pl.col("over").sum().alias("sites_over"),
        pl.len().alias("sites_rated"),
    )
    of_any = each.group_by(site).agg(pl.col("over").any()).join(places, on=site)
    found = [
        each.join(places, on=site).group_by(_KEYS).agg(sums),
        of_any.group_by(_PAIR).agg(sums).with_columns(risk_type=pl.lit(ANY)).select(*_KEYS, pl.exclude(_KEYS)),
    ]
    told = asked.join(pl.concat(found), on=_KEYS, how="left").with_columns(pl.exclude(*_KEYS).fill_null(0))
    return told.with_columns(
        value_unrated=pl.col("value") - pl.col("value_rated"), sites_unrated=pl.col("sites") - pl.col("sites_rated")
    ).drop("value", "sites")


def by_level(results: PortfolioResults, pair: pl.Expr) -> pl.DataFrame:
    """Value and number of assets of one scenario and period by risk level: `risk_type`, `risk_level` (`unknown`: not
    rated), `value`, `sites`."""
    told = results.risk.filter(pair).select("row", "risk_type", "risk_level")
    places = results.totals.filter(pair).select("row", value="total_asset_value")
    rows = places.join(told.select("risk_type").unique(), how="cross").join(told, on=["row", "risk_type"], how="left")
    named = rows.with_columns(pl.col("risk_level").fill_null(levels.UNKNOWN))
    return named.group_by("risk_type", "risk_level").agg(value=pl.col("value").sum(), sites=pl.len())
