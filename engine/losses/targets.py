"""Loss ratios: recorded loss over construction assets, both in prices of the same year.

KRW of different years are never compared: prices rise, and so does what can be lost. The ratio is what a damage rate
is.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.losses import figures, record, yearbook
from engine.losses.record import Allowed, Loss

Floats = NDArray[np.float64]

#: taken off a year's total: no rain and no typhoon
NOT_WEATHER_OF_WATER = ("heavy_snow", "earthquake", "cold_and_frost", "hail", "heat", "other_abnormal_temperature")
#: the balance sheet's predecessor, on another scale
_OTHER_SCALE = "ajunews20131224"
#: two preferred totals of a year that differ by less are one, printed with fewer digits
_ROUNDED = 0.01
_TRILLION = 1e6  # million KRW
ALLOWED = (
    Allowed("heavy_snow", 2004, "snow of March 2004: only the preliminary count exists, and the total holds it"),
    Allowed("heavy_snow", 2005, "snow of December 2005: the source states no prices; taken as nominal", 2005),
    Allowed("Judy", 1989, "the source states no prices; taken as nominal", 1989),
    Allowed("Gladys", 1991, "the source states no prices; taken as nominal", 1991),
)
#: named, with the reason why it is no target
LEFT_OUT = {
    "Ewiniar": "the loss of 2006 holds three weeks of rain after the storm; the yearbook counts it as rain",
    "Hinnamnor": "its track is not among the tracks of the package (they end in 2021)",
    "Khanun": "its track is not among the tracks of the package (they end in 2021)",
}


class Economy(NamedTuple):
    """Construction assets (trillion KRW, end of year) and price indices, by year."""

    years: Floats
    log_assets: Floats
    deflator: dict[int, float]
    to_2015: dict[int, float]

    def assets(self, year: float) -> float:
        """Million KRW; log-linear between stated years and before the first, where growth of the first two goes on."""
        slope = (self.log_assets[1] - self.log_assets[0]) / (self.years[1] - self.years[0])
        early = self.log_assets[0] + slope * (year - self.years[0])
        log = early if year < self.years[0] else np.interp(year, self.years, self.log_assets)
        return float(np.exp(log)) * _TRILLION

    def nominal(self, loss: Loss) -> float:
        """Million KRW of the loss's own year: by the yearbook's own factor where known, else by the GDP deflator."""
        if loss.prices == loss.year:
            return loss.value
        if loss.prices == 2015 and loss.year in self.to_2015:
            return loss.value / self.to_2015[loss.year]
        if loss.prices is None or not {loss.prices, loss.year} <= self.deflator.keys():
            raise SchemaError(f"{loss.place}: no deflator from prices of {loss.prices} to those of {loss.year}")
        return loss.value * self.deflator[loss.year] / self.deflator[loss.prices]

    def ratio(self, loss: Loss, less: float = 0.0) -> float:
        """Share of construction assets.

        less   : taken off it first, million KRW of the loss's own year
        raises : SchemaError for a share that is not above 0, or above 1
        """
        nominal, assets = self.nominal(loss), self.assets(loss.year)
        found = (nominal - less) / assets
        if not found > 0:
            raise SchemaError(
                f"{loss.place}: of {nominal:,.0f} million KRW nothing is left without the {less:,.0f} of causes that"
                f" are not rain or typhoon in {loss.year}: look at their values and units"
            )
        if found > 1:
            raise SchemaError(
                f"{loss.place}: value_million_krw is {loss.value:,.0f}, which is more than all construction assets of"
                f" {loss.year} ({assets:,.0f}): look at its unit"
            )
        return found


class Target(NamedTuple):
    """What a model is to tell: share of assets lost in a year, or by a storm."""

    name: str
    year: int
    ratio: float
    storm: str | None = None  # IBTrACS id


def economy(folder: Path) -> Economy:
    """Assets and prices of a folder of tables; of a year stated twice the later statement.

    raises : SchemaError for a missing column, a year or figure that is none, or assets of fewer than two years
    """
    exposure = assets(folder)
    rows = (
        exposure.filter((pl.col("class") == "total") & (pl.col("source_id") != _OTHER_SCALE))
        .with_columns(pl.col("source_date").cast(pl.String).fill_null(""))
        .sort("year", "source_date")
        .unique("year", keep="last", maintain_order=True)
    )
    if rows.height < 2:
        raise SchemaError(
            f"exposure.csv holds {rows.height} years of construction_assets of class total, and growth needs two: take"
            " the table of docs/calibration.md"
        )
    prices = figures.with_years(record.table(folder / "deflators.csv"), "deflators.csv", ("year",))
    return Economy(
        rows["year"].to_numpy().astype(float),
        np.log(np.array(figures.amounts(rows, "exposure.csv", "value"))),
        _by_year(prices, "gdp_deflator_2020_100"),
        _by_year(prices, "yearbook_implied_index_to_2015"),
    )


def assets(folder: Path) -> pl.DataFrame:
    """Construction assets of a folder of tables, trillion KRW, with the row of the file."""
    exposure = figures.with_years(record.table(folder / "exposure.csv"), "exposure.csv", ("year",))
    figures.need(exposure, "exposure.csv", ("measure", "class", "value", "source_id", "source_date", "note"))
    return exposure.filter(pl.col("measure") == "construction_assets")


def _by_year(prices: pl.DataFrame, column: str) -> dict[int, float]:
    figures.need(prices, "deflators.csv", (column,))
    stated = prices.filter(pl.col(column).is_not_null())
    return dict(zip(stated["year"].to_list(), figures.amounts(stated, "deflators.csv", column), strict=True))


def yearly(folder: Path, first: int, last: int) -> list[Target]:
    """Rain and typhoon together, a year: the total less what is neither."""
    money, rows = economy(folder), national(folder)
    single = [row for row in rows if row.years[0] == row.years[1] and first <= row.year <= last]
    snow = [row._replace(name="heavy_snow") for row in _events(folder) if row.name in _SNOW]
    other = [row for row in single if row.name in NOT_WEATHER_OF_WATER and row.preferred]
    seen = {(row.name, row.year) for row in other}
    other += [row for row in snow if (row.name, row.year) not in seen and first <= row.year <= last]
    # a scope of snow alone cannot differ: the events' tables name it as the yearbook does
    totals = record.comparable(_chosen([row for row in single if row.name == record.TOTAL], money))
    less = record.comparable(other, ALLOWED)
    record.check_units(totals)
    found = []
    for row in totals:
        off = sum(money.nominal(each) for each in less if each.year == row.year)
        found.append(Target(str(row.year), row.year, money.ratio(row, off)))
    return sorted(found, key=lambda target: target.year)


def national(folder: Path) -> list[Loss]:
    """Losses of the country by year; answers of the official yearbook (`yearbook*.json`) stand before other sources."""
    rows = record.read(folder / "national_losses.csv")
    for path in sorted(folder.glob("yearbook*.json")):
        official = yearbook.read(path)
        known = {(row.name, row.years) for row in official}
        rows = [row for row in rows if (row.name, row.years) not in known] + official
    return rows


def storms(folder: Path) -> list[Target]:
    """National losses of typhoons whose tracks are known."""
    money = economy(folder)
    tracks = record.table(folder / "typhoon_event_losses.csv")
    figures.need(tracks, "typhoon_event_losses.csv", ("name", "ibtracs_sid", "row_type"))
    ids = dict(zip(tracks["name"].to_list(), tracks["ibtracs_sid"].to_list(), strict=True))
    national = {
        f"typhoon_event_losses.csv, row {number}"
        for number, kind in enumerate(tracks["row_type"].to_list(), start=2)
        if kind == "loss_national"
    }
    rows = [row for row in record.read(folder / "typhoon_event_losses.csv") if row.preferred and row.place in national]
    kept = record.comparable([row for row in rows if row.name not in LEFT_OUT], ALLOWED)
    return sorted(
        (Target(row.name, row.year, money.ratio(row), ids[row.name]) for row in kept), key=lambda each: each.year
    )


#: snow that a year's table does not hold, by event
_SNOW = ("snow 4-5 Mar 2004",)


def _events(folder: Path) -> list[Loss]:
    return record.read(folder / "heavy_rain_snow_events.csv")


def _chosen(rows: list[Loss], money: Economy) -> list[Loss]:
    """One total a year: the preferred one, in prices of the year where there are two.

    raises : SchemaError for two preferred totals of a year that differ by more than a source rounds
    """
    best: dict[int, Loss] = {}
    first: dict[int, Loss] = {}
    for row in (each for each in rows if each.preferred):
        other = first.setdefault(row.year, row)
        if other is not row and abs(money.nominal(row) / money.nominal(other) - 1) > _ROUNDED:
            raise SchemaError(
                f"{row.place}: total {row.year} is preferred, {row.value:,.0f} million KRW, and so is that of"
                f" {other.place}, {other.value:,.0f}: prefer one of the two"
            )
    for row in sorted(rows, key=lambda each: (each.preferred, each.prices == each.year)):
        if row.status == record.FINAL:
            best[row.year] = row
    return list(best.values())
