"""Figures of all risks side by side, a row a request, and what is read off such a row: sums, ranks, names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared, wants
from engine.assess.rules.vocabulary import RISK

Frames = Mapping[str, pl.DataFrame]


def wanted(prepared: Prepared) -> pl.DataFrame:
    """Check whether each request asks for each risk."""
    return prepared.sites.select(pl.col(wants(risk)).alias(risk) for risk in RISKS)[prepared.requests["site"]]


def wide(prepared: Prepared, frames: Frames, column: str) -> pl.DataFrame:
    """A column of all risks side by side, null where the risk was not asked for or the row is not ok."""
    ok = (
        wanted(prepared)
        .rename(lambda risk: f"asked_{risk}")
        .with_columns(
            *(frame["status"].alias(f"status_{risk}") for risk, frame in frames.items()),
            *(frame[column].alias(risk) for risk, frame in frames.items()),
        )
    )
    return ok.select(
        pl.when((pl.col(f"status_{risk}") == "ok") & pl.col(f"asked_{risk}")).then(risk).alias(risk) for risk in frames
    )


def sum_and_mean(side: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Over the risks of each row, nulls left out; 0 and null where all are. One risk after the other: polars adds
    columns up in whatever order its threads come back, and the last bit would show it."""
    total, count = np.zeros(side.height), np.zeros(side.height)
    for risk in RISKS:
        values = side[risk].fill_null(np.nan).to_numpy()
        known = ~np.isnan(values)
        total += np.where(known, values, 0.0)
        count += known
    mean = np.divide(total, count, out=np.full(side.height, np.nan), where=count > 0)
    return pl.Series(total), pl.Series(mean).fill_nan(None)


def nulls(n: int, kinds: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Columns of n nulls: of a stage that was not run."""
    return pl.DataFrame({name: pl.repeat(None, n, dtype=kind, eager=True) for name, kind in kinds.items()})


def lacking(prepared: Prepared, values: pl.DataFrame) -> pl.Series:
    """Requested risks that have no value, in canonical order."""
    without = wanted(prepared).to_numpy() & np.isnan(values.select(pl.all().fill_null(np.nan)).to_numpy())
    return names_of(np.where(without, np.arange(len(RISKS)), -1))


def names_of(places: NDArray[np.int64]) -> pl.Series:
    """(N, k) places of risks, -1 for none -> N lists of names."""
    names = pl.DataFrame({str(k): nth(places, k) for k in range(places.shape[1])})
    return names.select(pl.concat_list(pl.all().cast(pl.String)).list.drop_nulls()).to_series()


def ranking(side: pl.DataFrame) -> NDArray[np.int64]:
    """(N, 9) risks from the highest value down, ties in canonical order; -1 where there is no value."""
    values = side.select(pl.all().fill_null(-np.inf)).to_numpy()
    order = np.argsort(-values, axis=1, kind="stable")
    return np.where(np.take_along_axis(values, order, axis=1) == -np.inf, -1, order)


def nth(order: NDArray[np.int64], place: int) -> pl.Series:
    """(N,) the risk at one place of a ranking, null for none."""
    chosen = pl.Series(order[:, place])
    names = pl.Series(RISKS, dtype=RISK)
    return names.gather(chosen.set(chosen < 0, None))
