"""The bad years of a portfolio: value at risk, its mean beyond (TVaR), and which risks and sites it comes from.

TVaR of level a is the mean of the worst (1 - a) n of n years; the last of them counts with the fraction that is left,
and years of equal loss share it equally. So TVaR is a weighted mean over years, and what a site or risk loses in the
same weighted years is its contribution: contributions add up. The level is at most 1 - 1 / n: twenty years have no
worst 1 %.

Source: Acerbi and Tasche (2002), doi:10.1016/S0378-4266(02)00283-2; Tasche (1999), contributions as conditional means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from engine.kernels.return_levels import SEED
from engine.losses.curve import curve_of
from engine.losses.factors import SitesOfRisk, place_of, sites_by_risk
from engine.losses.table import (
    ALL,
    PAIR,
    TYPHOON,
    YEARS,
    CellYears,
    Sets,
    cell_years,
    portfolio_years,
    sets_of,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.95, 0.99, 0.995)
#: a year that loses less than this share of value is quiet; a smoothed loss is never 0
QUIET = 1e-6

_NO_YEARS = np.empty(0, np.int64)

METRICS = pl.Schema(
    {
        "metric": pl.String(),
        "level": pl.Float64(),
        "value": pl.Float64(),
        "basis": pl.String(),
    }
)
CONTRIBUTIONS = pl.Schema(
    {
        **{name: YEARS[name] for name in PAIR},
        "by": pl.String(),
        "risk_type": pl.String(),
        "row": pl.Int64(),
        "mean": pl.Float64(),
        "tvar_99": pl.Float64(),
        "tvar_level": pl.Float64(),
    }
)
_PARTS = pl.Schema({name: kind for name, kind in CONTRIBUTIONS.items() if name != "tvar_level"})


class TailWeights(NamedTuple):
    """Weights of the years of a tail, each set summing to 1; empty where the set has no years."""

    model: Floats
    track: Floats
    level: float  # that the weights are of


def tail_metrics(
    years: pl.DataFrame, value: float, *, seed: int = SEED, curves: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Figures of every distribution of a portfolio: by scenario, period and risk, and for all risks.

    years   : of `year_losses`
    value   : of the portfolio, the unit of the losses
    curves  : `exceedance_curve` of the same years and seed at 20, 100 and 200 years, from which VaR is then taken
              instead of being fitted once more
    returns : scenario, period, risk_type and the columns of `metrics_of`
    raises  : ValueError as `metrics_of`
    """
    parts = [pl.Schema({**{name: YEARS[name] for name in (*PAIR, "risk_type")}, **METRICS}).to_frame()]
    for key, sets in sets_of(years):
        named = {name: pl.lit(each, YEARS[name]) for name, each in zip((*PAIR, "risk_type"), key, strict=True)}
        curve = None
        if curves is not None:
            curve = curves.filter(*(pl.col(name) == each for name, each in zip((*PAIR, "risk_type"), key, strict=True)))
        found = metrics_of(sets.model, sets.track, value=value, seed=seed, curve=curve)
        parts.append(found.select(**named, **{name: pl.col(name) for name in METRICS}))
    return pl.concat(parts)


def metrics_of(
    model: ArrayLike | None = None,
    track: ArrayLike | None = None,
    *,
    value: float,
    seed: int = SEED,
    curve: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Figures of one loss, given by model years, by track years, or as the sum of both.

    model, track : (n,), (m,) losses of equally likely years, 0 or more
    value   : what can be lost, same unit, above 0
    curve   : `curve_of` the same years at 20, 100 and 200 years; None: it is made
    returns : columns of METRICS: `mean`, `sd` and `cv` (over the years as the whole distribution), `quiet_years` (share
              that loses less than 1e-6 of value); `var` at 95, 99 and 99.5 %, the loss of the return period
              1 / (1 - level) on the curve, null where so few years say nothing; `tvar` at the same levels, or at
              1 - 1 / n where that is lower: `level` states it, and each level stands once
    raises  : ValueError without years, for a loss that is negative or missing, or a value that is not above 0
    """
    if not value > 0.0:
        raise ValueError(f"the value of a portfolio is above 0, got {value}")
    sets = Sets.checked(model, track)
    total = sets.total()
    mean, sd = float(total.mean()), float(total.std())
    rows: list[tuple[str, float | None, float | None, str | None]] = [
        ("mean", None, mean, "empirical"),
        ("sd", None, sd, "empirical"),
        ("cv", None, sd / mean if mean > 0.0 else None, "empirical"),
        ("quiet_years", None, float((total < QUIET * value).mean()), "empirical"),
    ]
    # rounded: 1 / (1 - 0.95) is 19.999999999999982, and no return period
    periods = {level: round(1.0 / (1.0 - level), 9) for level in LEVELS}
    if curve is None:
        curve = curve_of(*sets, periods=list(periods.values()), seed=seed)
    points = {
        period: (loss, basis) for period, loss, basis in curve.select("return_period", "loss", "basis").iter_rows()
    }
    for level, period in periods.items():
        rows.append(("var", level, *points.get(period, (None, None))))
    for level in dict.fromkeys(min(level, sets.highest_level) for level in LEVELS):
        rows.append(("tvar", level, tvar(*sets, level=level), "empirical"))
    return pl.DataFrame(rows, schema=METRICS, orient="row")


def tail_weights(model: ArrayLike | None = None, track: ArrayLike | None = None, *, level: float = 0.99) -> TailWeights:
    """Weights of the years in TVaR: of the model years, of the track years, each a marginal of the weights of pairs.

    level   : of TVaR, 0 to 1; lowered to 1 - 1 / n for the shorter set of n years
    returns : model (n,) and track (m,), each summing to 1
    raises  : ValueError as `curve_of`, or for a level outside 0..1
    """
    if not 0.0 <= level < 1.0:
        raise ValueError(f"the level of a TVaR is 0 or more and below 1, got {level}")
    sets = Sets.checked(model, track)
    level = min(level, sets.highest_level)
    weight = _worst(sets.total(), level)
    if sets.model is None or sets.track is None:
        none = np.empty(0)
        return TailWeights(none, weight, level) if sets.model is None else TailWeights(weight, none, level)
    table = weight.reshape(sets.model.size, sets.track.size)
    return TailWeights(table.sum(axis=1), table.sum(axis=0), level)


def tvar(model: ArrayLike | None = None, track: ArrayLike | None = None, *, level: float = 0.99) -> float:
    """Mean of the worst years, the unit of the losses; see `tail_weights`."""
    return _mean(Sets.checked(model, track), tail_weights(model, track, level=level))


def diversification(parts: Sequence[Sets], level: float = 0.99) -> float:
    """Share of the sum of the parts' TVaRs that being together saves: 1 - TVaR(sum) / sum of TVaRs.

    parts   : of risks or sites, whose sets of years are the same: of risks those of `parts_of`
    level   : lowered to 1 - 1 / n for all alike, n the shortest set of years
    returns : 0 when all have their bad years together, up to 1; NaN without a loss
    raises  : ValueError without parts, or when their numbers of years differ
    """
    if not parts:
        raise ValueError("there are no parts to be added")
    lengths = [{each.size for each in of_all if each is not None} for of_all in zip(*parts, strict=True)]
    if any(len(each) > 1 for each in lengths):
        raise ValueError("the parts do not have the same number of years")
    model, track = (_sum(of_all) for of_all in zip(*parts, strict=True))
    level = min(level, Sets.checked(model, track).highest_level)
    alone = sum(tvar(*part, level=level) for part in parts)
    return 1.0 - tvar(model, track, level=level) / alone if alone > 0.0 else float("nan")


def contributions(
    table: pl.DataFrame, sample_years: pl.DataFrame, sites: pl.DataFrame, *, level: float = 0.99
) -> pl.DataFrame:
    """How much of the mean and of TVaR comes from each risk and from each site, all risks together.

    table, sample_years, sites : as in `year_losses`
    level   : of TVaR; lowered to 1 - 1 / n: `tvar_level` states what `tvar_99` is of
    returns : columns of CONTRIBUTIONS, largest first in each: `by` risk (`row` null) and `by` site (`risk_type` `all`).
              Each kind adds up to mean and TVaR of all risks of its scenario and period
    raises  : ValueError as `year_losses`
    """
    placed, cells = sites_by_risk(sites), list(cell_years(table, sample_years))
    return contributions_of(cells, portfolio_years(cells, placed), placed, level=level)


def contributions_of(
    cells: Sequence[CellYears], years: pl.DataFrame, placed: Mapping[str, SitesOfRisk], *, level: float = 0.99
) -> pl.DataFrame:
    """`contributions` of cells that are completed already.

    cells : of `cell_years`; years: their `portfolio_years`; placed: of `sites_by_risk`
    """
    weights = {key[:2]: tail_weights(*sets, level=level) for key, sets in sets_of(years) if key[2] == ALL}
    model_years = _model_years(years)
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(own.rows for own in placed.values())]))
    by_site: dict[tuple[int, str], Floats] = {}
    by_risk: dict[tuple[int, str], list[tuple[str, float, float]]] = {}
    for each in cells:
        pair = (each.scenario_id, each.time_period)
        if each.risk_type not in placed or pair not in weights:
            continue
        of_cells = np.stack([each.aal(), _in_tail(each, weights[pair], model_years.get(pair, _NO_YEARS))], axis=1)
        own = placed[each.risk_type]
        place, there = place_of(each.cells, own.grid_id)
        if not there.any():
            continue
        share = own.factor[there, None] * of_cells[place[there]]
        total = by_site.setdefault(pair, np.zeros((rows.size, 2)))
        total[np.searchsorted(rows, own.rows[there])] += share
        by_risk.setdefault(pair, []).append((each.risk_type, *share.sum(axis=0).tolist()))
    parts = [CONTRIBUTIONS.to_frame()]
    for pair, of_sites in by_site.items():
        for found in (_of_risks(pair, by_risk[pair]), _of_sites(pair, rows, of_sites)):
            stated = found.with_columns(tvar_level=pl.lit(weights[pair].level)).select(list(CONTRIBUTIONS))
            parts.append(stated.sort("tvar_99", descending=True, maintain_order=True))
    return pl.concat(parts)


def largest(found: pl.DataFrame, n: int = 50) -> pl.DataFrame:
    """All risks and the n sites with the largest part of TVaR of each scenario and period, of `contributions`."""
    return found.group_by(*PAIR, "by", maintain_order=True).head(n).select(found.columns)


def _worst(losses: Floats, level: float) -> Floats:
    """Weights (n,) of the worst (1 - level) n years, sum 1; ties share what is left for them."""
    n = losses.size
    mass = (1.0 - level) * n
    if mass > n - 1e-9:
        return np.full(n, 1.0 / n)
    ordered = np.sort(losses)[::-1]
    edge = ordered[min(int(np.ceil(mass - 1e-9)), n) - 1]
    above, tied = losses > edge, losses == edge
    weight = above.astype(np.float64)
    weight[tied] = (mass - above.sum()) / tied.sum()
    return np.asarray(weight / weight.sum())


def _mean(sets: Sets, weights: TailWeights) -> float:
    parts = zip(sets, (weights.model, weights.track), strict=True)
    return float(sum(loss @ weight for loss, weight in parts if loss is not None))


def _sum(of_all: Sequence[Floats | None]) -> Floats | None:
    there = [each for each in of_all if each is not None]
    return np.sum(there, axis=0) if there else None


def _model_years(years: pl.DataFrame) -> Mapping[tuple[int, str], Ints]:
    """Years of the climate risks of each scenario and period, as `added` puts them together."""
    climate = years.filter(pl.col("risk_type") != ALL, pl.col("year").is_not_null())
    return {
        (pair[0], pair[1]): np.unique(rows["year"].cast(pl.Int64).to_numpy())
        for pair, rows in climate.group_by(*PAIR, maintain_order=True)
    }


def _in_tail(cells: CellYears, weights: TailWeights, model_years: Ints) -> Floats:
    """Mean loss of each cell (C,) over the weighted years; a year that a risk lacks counts as its mean year."""
    if cells.risk_type == TYPHOON:
        return np.asarray(np.einsum("cy,y->c", cells.loss, weights.track))
    own = weights.model[np.searchsorted(model_years, cells.years)]
    return np.asarray(np.einsum("cy,y->c", cells.loss, own) + (1.0 - own.sum()) * cells.aal())


def _of_risks(pair: tuple[int, str], found: Sequence[tuple[str, float, float]]) -> pl.DataFrame:
    rows = [(*pair, "risk", risk, None, mean, tail) for risk, mean, tail in found]
    return pl.DataFrame(rows, schema=_PARTS, orient="row")


def _of_sites(pair: tuple[int, str], rows: Ints, found: Floats) -> pl.DataFrame:
    columns = {"scenario_id": pair[0], "time_period": pair[1], "by": "site", "risk_type": ALL, "row": rows}
    return pl.DataFrame(columns | {"mean": found[:, 0], "tvar_99": found[:, 1]}, schema=_PARTS)
