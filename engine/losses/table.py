"""Year loss tables: losses of cells by year, summed over the sites of a portfolio.

A stored year loss is the mean over the valid samples of a year; it is completed by the AAL in the share that is not
valid, so that the plain mean over the years is the AAL, and years add over sites and risks with equal weights. Sites
share cells: a portfolio's year is one product of the cells' factors and their losses, whatever the number of sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.names import RISK_NAMES
from engine.losses.factors import SitesOfRisk, cell_weights, place_of, require, sites_by_risk

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALL = "all"  # risk_type of the sum over all risks
TYPHOON = "typhoon"  # its years are those of the track record, independent of the model's
PAIR = ("scenario_id", "time_period")
#: of `year_losses`
YEARS = pl.Schema(
    {
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "risk_type": pl.String(),
        "year": pl.Int16(),
        "track_year": pl.Int16(),
        "valid": pl.Float64(),
        "loss": pl.Float64(),
    }
)
#: what functions of portfolios ask of `table` and `sample_years`
TABLE_COLUMNS = ("grid_id", "risk_type", *PAIR, "loss", "valid")
SAMPLE_YEARS_COLUMNS = ("risk_type", *PAIR, "years")


class Sets(NamedTuple):
    """Losses of equally likely years: by model year (n,), by track year (m,), each None where there are none."""

    model: Floats | None
    track: Floats | None

    @classmethod
    def checked(cls, model: ArrayLike | None, track: ArrayLike | None) -> Sets:
        """The same as arrays; raises ValueError without years, or for a loss that is negative or missing."""
        arrays = [None if each is None else np.ascontiguousarray(each, np.float64) for each in (model, track)]
        if all(each is None or each.size == 0 for each in arrays):
            raise ValueError("there are no years: give losses by model year, by track year, or both")
        for what, each in zip(("model", "track"), arrays, strict=True):
            if each is not None and (each.ndim != 1 or each.size == 0):
                raise ValueError(f"losses by {what} year are one list of numbers, got shape {each.shape}")
            if each is not None and (bad := int((~(np.isfinite(each) & (each >= 0.0))).sum())):
                raise ValueError(
                    f"{of_all(bad, each.size, 'loss')} by {what} year {agree(bad, 'is', 'are')} negative or missing"
                )
        return cls(*arrays)

    @property
    def shorter(self) -> int:
        """Years of the shorter set: pairs of years are no more evidence than that."""
        return min(each.size for each in self if each is not None)

    @property
    def highest_level(self) -> float:
        """Highest level that a TVaR of these years can have, 1 - 1 / n of the shorter set."""
        return 1.0 - 1.0 / self.shorter

    def total(self) -> Floats:
        """What is lost in every year, or in every pair of a model and a track year, the model year slower (n m,)."""
        if self.model is None or self.track is None:
            return np.asarray(self.track if self.model is None else self.model)
        return np.asarray((self.model[:, None] + self.track).ravel())


@dataclass(frozen=True, slots=True, kw_only=True)
class CellYears:
    """Completed losses of C cells in Y years, one risk, scenario and period.

    cells : (C,) grid ids, ascending
    years : (Y,)
    loss  : (C, Y), share of value; the mean over the years is the AAL
    valid : (C, Y), share of the year's samples that is there
    """

    scenario_id: int
    time_period: str
    risk_type: str
    cells: Ints
    years: Ints
    loss: Floats
    valid: Floats

    def aal(self) -> Floats:
        """(C,), share of value a year."""
        return np.asarray(self.loss.mean(axis=1))


def completed(loss: ArrayLike, valid: ArrayLike | None = None) -> Floats:
    """Year losses of cells, completed by the AAL where samples are missing.

    loss    : (C, Y), share of value, mean over the valid samples of a year; NaN in a year without one
    valid   : (C, Y), share of each year's samples that is valid, 0..1; None: all, in years with a loss
    returns : (C, Y): valid * loss + (1 - valid) * AAL. Its plain mean over the years is the AAL
    raises  : ValueError when shapes disagree, a share leaves 0..1, or a cell has no year
    """
    loss = np.asarray(loss, np.float64)
    missing = np.isnan(loss)
    share = np.where(missing, 0.0, 1.0 if valid is None else np.asarray(valid, np.float64))
    if loss.ndim != 2 or share.shape != loss.shape:
        raise ValueError(f"losses and shares are (cells, years), got {loss.shape} and {share.shape}")
    if outside := int((~((share >= 0.0) & (share <= 1.0))).sum()):
        raise ValueError(f"{outside} of {share.size} shares of valid samples are outside 0..1")
    there = share.sum(axis=1)
    if empty := int((there == 0.0).sum()):
        raise ValueError(
            f"{of_all(empty, len(loss), 'cell')} {agree(empty, 'has', 'have')} no valid year: leave them out"
        )
    if (share == 1.0).all():
        return loss
    known = np.where(missing, 0.0, loss)
    aal = (share * known).sum(axis=1) / there
    return np.asarray(share * known + (1.0 - share) * aal[:, None])


def cell_years(table: pl.DataFrame, sample_years: pl.DataFrame) -> Iterator[CellYears]:
    """Completed losses of each risk, scenario and period of a stored table, one after the other.

    table        : `grid_id`, `risk_type`, `scenario_id`, `time_period`, `loss` and `valid` (lists, a number a year; a
                   null `valid`: all samples are there), as `engine.io.results` reads them
    sample_years : `risk_type`, `scenario_id`, `time_period`, `years` (list), as it reads them
    raises       : ValueError for a column that is absent, a list that is not as long as its years, or a cell twice
    """
    require(table, TABLE_COLUMNS, "table")
    require(sample_years, SAMPLE_YEARS_COLUMNS, "sample_years")
    stated = {row[:3]: row[3] for row in sample_years.select("risk_type", *PAIR, "years").iter_rows()}
    for key, rows in table.group_by("risk_type", *PAIR, maintain_order=True):
        risk, scenario, period = key
        if key not in stated:
            raise ValueError(f"sample_years has no row of {risk}, scenario {scenario}, {period}")
        years = np.asarray(stated[key], np.int64)
        ordered = rows.sort("grid_id")
        cells = ordered["grid_id"].cast(pl.Int64).to_numpy()
        if repeated := int((np.diff(cells) == 0).sum()):
            raise ValueError(
                f"{counted(repeated, 'cell')} of {risk}, scenario {scenario}, {period}"
                f" {agree(repeated, 'stands', 'stand')} in the table twice"
            )
        loss = _matrix(ordered["loss"], years.size, key)
        known = ordered["valid"].is_not_null().to_numpy()
        valid: Floats = np.broadcast_to(1.0, loss.shape)  # the usual case: no year of any cell lacks a sample
        if known.any() or np.isnan(loss).any():
            valid = np.where(np.isnan(loss), 0.0, 1.0)
            valid[known] = _matrix(ordered["valid"].filter(pl.Series(known)), years.size, key)
        yield CellYears(
            scenario_id=scenario, time_period=period, risk_type=risk, cells=cells, years=years,
            loss=completed(loss, valid), valid=valid,
        )  # fmt: skip


def year_losses(table: pl.DataFrame, sample_years: pl.DataFrame, sites: pl.DataFrame) -> pl.DataFrame:
    """What a portfolio loses in each year, by risk and for all risks together.

    table, sample_years : see `cell_years`
    sites   : a row a site and risk: `row`, `grid_id`, `risk_type`, `factor`: value x vulnerability scale x (1 -
              insured share), money, the factors of the expected loss; rows without a factor, or in a cell without a
              year loss of the risk, count for nothing, as in the sum of expected losses
    returns : columns of YEARS. Climate risks have a `year`, typhoon has a `track_year`, `all` both: every pair of a
              model and a track year is equally likely, so plain means are expected losses everywhere. `valid` is the
              share of valid samples, weighted by the factors (for `all`, by expected loss)
    raises  : as `cell_years`; ValueError for a factor that is negative, or a site and risk twice
    """
    return portfolio_years(cell_years(table, sample_years), sites_by_risk(sites))


def portfolio_years(cells: Iterable[CellYears], by_risk: Mapping[str, SitesOfRisk]) -> pl.DataFrame:
    """`year_losses` of cells that are completed already.

    cells   : of `cell_years`; by_risk: of `sites_by_risk`
    returns : columns of YEARS
    """
    parts = [YEARS.to_frame()]
    sums: dict[tuple[int, str], dict[str, tuple[Ints, Floats, Floats]]] = {}
    for each in cells:
        of_risk = by_risk.get(each.risk_type)
        if of_risk is None or not place_of(each.cells, of_risk.grid_id)[1].any():
            continue
        weight = cell_weights(each.cells, of_risk)
        # einsum: a product by BLAS may add in another order with another number of threads
        total, loss = float(weight.sum()), np.einsum("c,cy->y", weight, each.loss)
        valid = np.einsum("c,cy->y", weight, each.valid) / total if total > 0.0 else each.valid.mean(axis=0)
        parts.append(_frame(each, loss, valid))
        sums.setdefault((each.scenario_id, each.time_period), {})[each.risk_type] = (each.years, loss, valid)
    for (scenario, period), risks in sums.items():
        parts.append(_all(scenario, period, risks))
    order = {name: place for place, name in enumerate((*RISK_NAMES, ALL))}
    return pl.concat(parts).sort(
        *PAIR, pl.col("risk_type").replace_strict(order, default=len(order)), "year", "track_year", maintain_order=True
    )


def sets_of(years: pl.DataFrame) -> Iterator[tuple[tuple[Any, ...], Sets]]:
    """(scenario, period, risk) and the sets of years of each distribution of `year_losses`, `all` last of its pair.

    years  : columns of YEARS; rows of `all` are not looked at: they are the sums of the others
    raises : ValueError for a column that is absent
    """
    require(years, tuple(name for name in YEARS if name != "valid"), "years")
    for pair, rows in years.filter(pl.col("risk_type") != ALL).group_by(*PAIR, maintain_order=True):
        climate, track = [], None
        for (risk,), of_risk in rows.group_by("risk_type", maintain_order=True):
            loss = of_risk["loss"].to_numpy()
            if of_risk["year"].null_count():
                track = loss
                yield (*pair, risk), Sets.checked(None, track)
            else:
                climate.append((of_risk["year"].to_numpy(), loss))
                yield (*pair, risk), Sets.checked(loss, None)
        yield (*pair, ALL), Sets.checked(added(climate)[1] if climate else None, track)


def added(risks: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """All years (Y,) of climate risks and the sum of their losses; a year that a risk lacks counts as its mean year."""
    years, whole = in_all_years(risks)
    return years, np.sum(whole, axis=0)


def in_all_years(risks: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, list[Floats]]:
    """All years (Y,) of climate risks and the losses of each in them (Y,); a year that a risk lacks counts as its mean
    year."""
    years = np.unique(np.concatenate([of_risk for of_risk, _ in risks]))
    found = []
    for of_risk, loss in risks:
        whole = np.full(years.size, loss.mean())
        whole[np.searchsorted(years, of_risk)] = loss
        found.append(whole)
    return years, found


def parts_of(years: pl.DataFrame) -> list[Sets]:
    """Sets of the risks of one scenario and period over the same years, which add up to those of all risks together.

    years  : columns of YEARS, of one scenario and period; a year that a climate risk lacks counts as its mean year
    raises : ValueError for a column that is absent, or for several scenarios or periods
    """
    require(years, tuple(name for name in YEARS if name != "valid"), "years")
    if years.select(PAIR).n_unique() > 1:
        raise ValueError("risks add up within one scenario and period: filter the year losses first")
    climate, found = [], []
    for _, rows in years.filter(pl.col("risk_type") != ALL).group_by("risk_type", maintain_order=True):
        loss = rows["loss"].to_numpy()
        if rows["year"].null_count():
            found.append(Sets.checked(None, loss))
        else:
            climate.append((rows["year"].to_numpy(), loss))
    return [Sets.checked(loss, None) for loss in in_all_years(climate)[1]] + found if climate else found


def _all(scenario: int, period: str, risks: Mapping[str, tuple[Ints, Floats, Floats]]) -> pl.DataFrame:
    """Rows of all risks together: climate risks add by model year, track years are independent of them."""
    climate = [each for name, each in risks.items() if name != TYPHOON]
    named = {"scenario_id": scenario, "time_period": period, "risk_type": ALL}
    if not climate:
        tracks, lost, shares = risks[TYPHOON]
        return pl.DataFrame(named | {"year": None, "track_year": tracks, "valid": shares, "loss": lost}, schema=YEARS)
    years, loss = added([(of_risk, lost) for of_risk, lost, _ in climate])
    mean = float(loss.mean())
    there = np.zeros(years.size)  # expected loss of the samples that are there
    for of_risk, lost, shares in climate:
        there[np.searchsorted(years, of_risk)] += lost.mean() * shares
    if TYPHOON not in risks:
        valid = there / mean if mean > 0.0 else np.ones(years.size)
        return pl.DataFrame(named | {"year": years, "track_year": None, "valid": valid, "loss": loss}, schema=YEARS)
    tracks, lost, shares = risks[TYPHOON]
    mean += float(lost.mean())
    both = (there[:, None] + lost.mean() * shares).ravel()
    columns = {
        "year": np.repeat(years, tracks.size),
        "track_year": np.tile(tracks, years.size),
        "valid": both / mean if mean > 0.0 else np.ones(both.size),
        "loss": (loss[:, None] + lost).ravel(),
    }
    return pl.DataFrame(named | columns, schema=YEARS)


def _frame(cells: CellYears, loss: Floats, valid: Floats) -> pl.DataFrame:
    typhoon = cells.risk_type == TYPHOON
    return pl.DataFrame(
        {
            "scenario_id": cells.scenario_id,
            "time_period": cells.time_period,
            "risk_type": cells.risk_type,
            "year": None if typhoon else cells.years,
            "track_year": cells.years if typhoon else None,
            "valid": valid,
            "loss": loss,
        },
        schema=YEARS,
    )


def _matrix(lists: pl.Series, years: int, key: tuple[Any, ...]) -> Floats:
    """(C, Y); null is NaN."""
    lengths = lists.list.len()
    if odd := int((lengths != years).sum()):
        risk, scenario, period = key
        raise ValueError(
            f"{counted(odd, 'row')} of {risk}, scenario {scenario}, {period}"
            f" {agree(odd, 'does', 'do')} not have {years} years, as stated"
        )
    return lists.explode().cast(pl.Float64).fill_null(float("nan")).to_numpy().reshape(len(lists), years)
