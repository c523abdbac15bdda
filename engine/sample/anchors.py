"""Climatology of the Seoul record that the synthetic sample is anchored in.

    python -m engine.sample.anchors

rewrites `anchors.json` from the daily record of station 108 (columns Date, AvgTemp, LowTemp, HighTemp, Precipitation,
AvgWindSpeed, AvgRelativeHumidity, DaylightHours; blank precipitation means none). Daily indices respond to warming in
ways no formula gives, so the record itself is warmed degree by degree and the indices of its thirty years are kept as
quantiles: a lookup table from "how much warmer than Seoul was" to "what the index did".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

PATH = Path(__file__).with_name("anchors.json")
RECORD = Path(__file__).with_name("data") / "seoul" / "seoul_108_asos_daily_1907_2015.csv.gz"
FIRST_YEAR, LAST_YEAR = 1981, 2010
YEARS = LAST_YEAR - FIRST_YEAR + 1
#: degrees added to every day of the record
SHIFTS = np.arange(-14.0, 17.0)
#: quantiles of the thirty yearly values kept for each shift
LEVELS = np.linspace(0.0, 1.0, 11)
#: a spell of the warm and cold indices, days (Zhang et al. 2011, doi:10.1002/wcc.147)
SPELL = 6

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def derive(record: Path) -> dict[str, Any]:
    """Monthly climatology 1981-2010, its variability, rain indices, and the indices of the warmed record.

    record  : daily file of station 108, complete in 1981-2010
    returns : what `anchors.json` holds; monthly lists run from January
    raises  : ValueError when days of 1981-2010 are missing
    """
    days = pl.read_csv(record, try_parse_dates=True, glob=False)
    days = days.rename({days.columns[0]: "Date"}).with_columns(pl.col("Precipitation").fill_null(0.0))
    days = days.filter(pl.col("Date").dt.year().is_between(FIRST_YEAR, LAST_YEAR))
    if days.height != (expected := 365 * YEARS + 7):
        raise ValueError(f"{record.name}: {days.height} days of {FIRST_YEAR}-{LAST_YEAR}, expected {expected}")
    months = _months(days)
    standard = {name: (x - x.mean(0)) / x.std(0) for name, x in months.items()}
    rain = np.cbrt(months["rn"])
    rain = (rain - rain.mean(0)) / rain.std(0)
    return {
        "source": "KMA ASOS daily record, station 108 Seoul, 1981-2010 (KOGL type 1)",
        "latitude": 37.5714,
        "longitude": 126.9658,
        "altitude_m": 85.67,
        "mean": {name: _rounded(x.mean(0)) for name, x in months.items()},
        "sd": {name: _rounded(x.std(0, ddof=1)) for name, x in months.items()},
        "lag1": {name: _rounded(np.corrcoef(z.ravel()[1:], z.ravel()[:-1])[0, 1]) for name, z in standard.items()},
        "with_rain": {
            "ta_summer": _correlation(standard["ta"][:, 5:9], rain[:, 5:9]),
            "ta_winter": _correlation(standard["ta"][:, [11, 0, 1]], rain[:, [11, 0, 1]]),
            "rhm": _correlation(standard["rhm"], rain),
            "sunshine": _correlation(standard["sunshine"], rain),
        },
        "rain": _rain_indices(days, months["rn"]),
        "warmed": {
            "shifts": SHIFTS.tolist(),
            "levels": _rounded(LEVELS),
            "days": {name: np.round(table, 1).tolist() for name, table in _warmed(days).items()},
        },
    }


def load() -> dict[str, Any]:
    """The stored climatology."""
    stored: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return stored


def _rounded(x: Any) -> Any:
    return np.round(x, 4).tolist()


def _correlation(a: Floats, b: Floats) -> Any:
    return _rounded(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _months(days: pl.DataFrame) -> dict[str, Floats]:
    """(30, 12) of each element: degC, mm, m/s, %, hours a day."""
    table = (
        days.group_by(pl.col("Date").dt.truncate("1mo"))
        .agg(
            ta=pl.col("AvgTemp").mean(),
            rn=pl.col("Precipitation").sum(),
            ws=pl.col("AvgWindSpeed").mean(),
            rhm=pl.col("AvgRelativeHumidity").mean(),
            sunshine=pl.col("DaylightHours").mean(),
        )
        .sort("Date")
        .drop("Date")
    )
    return {name: table[name].to_numpy().reshape(YEARS, 12) for name in table.columns}


def _rain_indices(days: pl.DataFrame, monthly: Floats) -> dict[str, Any]:
    rain = days["Precipitation"].to_numpy()
    year = days["Date"].dt.year().to_numpy()
    five = np.convolve(rain, np.ones(5))[: len(rain)]
    of_year = [year == y for y in range(FIRST_YEAR, LAST_YEAR + 1)]
    rx1day = np.array([rain[k].max() for k in of_year])
    rx5day = np.array([five[k].max() for k in of_year])
    wet_days = np.array([(rain[k] >= 1).sum() for k in of_year])
    wet_rain = np.array([rain[k][rain[k] >= 1].sum() for k in of_year])
    cdd = np.array([_run_lengths(rain[k] < 1).max() for k in of_year])
    rain80 = np.array([(rain[k] >= 80).sum() for k in of_year])
    shares = {"rx5day_of_month": rx5day / monthly.max(1), "rx1day_of_rx5day": rx1day / rx5day}
    return {
        "rx1day_mean": _rounded(rx1day.mean()),
        "rx5day_mean": _rounded(rx5day.mean()),
        **{
            f"{name}_{what}": _rounded(f(x))
            for name, x in shares.items()
            for what, f in (("mean", np.mean), ("sd", np.std))
        },
        "wet_days_mean": _rounded(wet_days.mean()),
        "wet_days_sd": _rounded(wet_days.std(ddof=1)),
        "wet_days_with_sum": _correlation(wet_days, monthly.sum(1)),
        "wet_share_of_sum": _rounded(wet_rain.sum() / rain.sum()),
        "cdd_log_mean": _rounded(np.log(cdd).mean()),
        "cdd_log_sd": _rounded(np.log(cdd).std(ddof=1)),
        "rain80_mean": _rounded(rain80.mean()),
    }


def _warmed(days: pl.DataFrame) -> dict[str, Floats]:
    """Quantiles (shifts, levels) of each yearly index when every day is `shift` degrees warmer."""
    high, low = days["HighTemp"].to_numpy(), days["LowTemp"].to_numpy()
    year = days["Date"].dt.year().to_numpy() - FIRST_YEAR
    day = np.minimum(days["Date"].dt.ordinal_day().to_numpy(), 365) - 1
    p90, p10 = _of_calendar_day(high, day, 90)[day], _of_calendar_day(low, day, 10)[day]
    tables: dict[str, list[Floats]] = {}
    for shift in SHIFTS:
        warm, cold = high + shift > p90, low + shift < p10
        coldest = np.full(YEARS, np.inf)
        np.minimum.at(coldest, year, low + shift)
        for name, yearly in {
            "wsdi": _counted(_in_spells(warm, year), year),
            "csdi": _counted(_in_spells(cold, year), year),
            "tx90p": _counted(warm, year),
            "tn10p": _counted(cold, year),
            "hw33": _counted(high + shift >= 33, year),
            "tr25": _counted(low + shift >= 25, year),
            "fd0": _counted(low + shift < 0, year),
            "tnn": coldest,
        }.items():
            tables.setdefault(name, []).append(np.quantile(yearly, LEVELS))
    return {name: np.array(rows) for name, rows in tables.items()}


def _of_calendar_day(x: Floats, day: NDArray[Any], percent: float) -> Floats:
    """(365,) percentile over the years of a five-day window."""
    window = [(day - d + 2) % 365 < 5 for d in range(365)]
    return np.array([np.percentile(x[k], percent) for k in window])


def _counted(days: Bools, year: NDArray[Any]) -> Floats:
    return np.bincount(year, days, YEARS).astype(float)


def _in_spells(days: Bools, year: NDArray[Any]) -> Bools:
    """Days that belong to a run of at least six; runs end with the year."""
    inside = np.zeros_like(days)
    for y in range(YEARS):
        k = np.flatnonzero(year == y)
        inside[k] = _run_lengths(days[k]) >= SPELL
    return inside


def _run_lengths(days: Bools) -> NDArray[np.int64]:
    """For every day, the length of the run of true days it stands in; 0 outside."""
    edges = np.flatnonzero(np.diff(days.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    out = np.zeros(len(days), np.int64)
    for first, end in edges:
        out[first:end] = end - first
    return out


if __name__ == "__main__":
    PATH.write_text(json.dumps(derive(RECORD), separators=(",", ":")) + "\n", encoding="utf-8")
