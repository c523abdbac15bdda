"""Rain of stations as local return periods: how rare a year's or a storm's largest sum is at its own station.

Two hundred millimetres are a flood in Daegu and a summer in Namhae. A station's own annual maxima say how rare they
are: a GEV by L-moments, whose shape is pooled over all stations, since 40 years do not tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.kernels.lmoments import gev_cdf, gev_l_scale, gev_mean, gev_quantile, gev_shape, l_moments

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]

#: of a year's days that must be there
COMPLETE = 0.95
#: a return period beyond this says no more than that it is beyond
RAREST = 1e6
_TENTH = 0.1


class Rain(NamedTuple):
    """Daily rain: mm (D, S) with NaN where it is missing, days (D,), and the places of S stations."""

    mm: Floats
    days: Days
    station: tuple[int, ...]
    latitude: Floats
    longitude: Floats

    @property
    def year(self) -> NDArray[np.int64]:
        """Calendar year of each day."""
        return np.asarray(self.days.astype("datetime64[Y]").astype(np.int64) + 1970)


def read(folder: Path) -> Rain:
    """Rain of a folder with `stations.csv` and one table of days: `date`, and `s<station id>` in 0.1 mm.

    raises : SchemaError when there is no such table, or the two do not name the same stations
    """
    if not (folder / "stations.csv").is_file():
        raise SchemaError(
            f"{folder} has no stations.csv. A fit needs the rain of every day, for storms and for sums of three days; a"
            " store or warehouse has the largest sums of years alone: name the tables of stations it was made of"
        )
    places = pl.read_csv(folder / "stations.csv", glob=False)
    files = sorted(folder.glob("daily_rain*.parquet"))
    if len(files) != 1:
        raise SchemaError(f"{folder}: {len(files)} tables daily_rain*.parquet, one is needed")
    table = pl.read_parquet(files[0], glob=False).sort("date")
    wanted = [f"s{station}" for station in places["station_id"]]
    if set(wanted) != set(table.columns) - {"date"}:
        raise SchemaError(f"{files[0].name} and stations.csv do not name the same stations: take both of one source")
    tenths = table.select(pl.col(wanted).cast(pl.Float64)).to_numpy()
    return Rain(
        tenths * _TENTH,
        table["date"].to_numpy().astype("datetime64[D]"),
        tuple(places["station_id"].to_list()),
        places["latitude" if "latitude" in places.columns else "lat"].to_numpy().astype(float),
        places["longitude" if "longitude" in places.columns else "lon"].to_numpy().astype(float),
    )


def sums(mm: Floats, days: int) -> Floats:
    """Sum of each day and the days before it, (D, S); NaN where one is missing, and at the start."""
    out = mm.copy()
    for back in range(1, days):
        shifted = np.full_like(mm, np.nan)
        shifted[back:] = mm[:-back]
        out = out + shifted
    return out


def whole_years(rain: Rain) -> NDArray[np.int64]:
    """Years that some station has measured, ascending: not the last one of a record that goes on.

    raises : SchemaError when there is none
    """
    years = np.unique(rain.year)
    measured = np.isfinite(annual_maxima(rain, years, 1)).any(axis=1)
    if not measured.any():
        raise SchemaError("no station has a year of daily rain of which a twentieth or less is missing")
    return years[measured]


def annual_maxima(rain: Rain, years: NDArray[np.int64], days: int) -> Floats:
    """Largest sum of so many days of each year, mm (Y, S); NaN for a year of which a twentieth is missing."""
    total, year = sums(rain.mm, days), rain.year
    out = np.full((len(years), rain.mm.shape[1]), np.nan)
    for at, wanted in enumerate(years):
        of_year = year == wanted
        whole = np.isfinite(rain.mm[of_year]).mean(axis=0) > COMPLETE
        out[at, whole] = largest(total[of_year])[whole]
    return out


def largest(mm: Floats) -> Floats:
    """Largest value of each column that is not missing, 0 where all are."""
    return np.asarray(np.where(np.isnan(mm), 0.0, mm).max(axis=0, initial=0.0))


def pooled_gev(maxima: Floats) -> Floats:
    """GEV of each station, (S, 3): own location and scale, one shape from the mean L-skewness weighted by years.

    source : regional L-moments, Hosking and Wallis (1997), doi:10.1017/CBO9780511529443
    """
    moments = l_moments(maxima.T)
    years = np.isfinite(maxima).sum(axis=0)
    skewness = float((np.nan_to_num(moments[:, 2]) * years).sum() / years[np.isfinite(moments[:, 2])].sum())
    shape = gev_shape(skewness)
    scale = moments[:, 1] / gev_l_scale(shape)
    return np.stack([moments[:, 0] - scale * gev_mean(shape), scale, np.full(len(scale), shape)], axis=1)


def log_return_period(mm: Floats, gev: Floats) -> Floats:
    """Log of the return period, years, of amounts (N, S); 0 where one is missing."""
    below = gev_cdf(np.nan_to_num(mm, nan=0.0).T, gev).T
    log = -np.log1p(-np.minimum(below, 1.0 - 1.0 / RAREST))
    return np.asarray(np.where(np.isnan(mm), 0.0, log))


def amounts(gev: Floats, weight: Floats, periods: Sequence[float]) -> Floats:
    """Weighted mean over stations of the amount of each return period, mm (q,)."""
    levels = 1.0 - 1.0 / np.asarray(periods, float)
    return np.asarray(weight @ gev_quantile(levels, gev) / weight.sum())
