"""Level B, insured houses: what an owner loses of a house's value, beside level A, all recorded loss of all assets.

The two are never mixed: level A says how years, storms and places differ, level B how much an owner loses. The factor
between them makes the modelled national mean of A the mean that insured houses lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from engine.core.errors import SchemaError
from engine.losses import figures, record, targets
from engine.losses.targets import Economy

#: years that set the level, and those that test it
FITTED, TESTED = (2020, 2021, 2022), (2012, 2024)
#: a building at relief prices and at claims differ 40 times, and insured houses are no sample of houses: of the factor
BAND = 5.0
#: year of the balance sheet that tells dwellings from other buildings, and of the census that counts them
SHEET = 2012
_EVERY_PERIL, _INSURED = "all", "insured_losses.csv"


class House(NamedTuple):
    """Share of an insured house's value lost in a year, mean over insured houses."""

    year: int
    ratio: float


class Level(NamedTuple):
    """Mean of level B with its band, the years that set it, and those that test it."""

    mean: float
    fitted: tuple[House, ...]
    tested: tuple[House, ...]

    def holds(self, house: House) -> bool:
        """Whether a year that was not used lies inside the band."""
        return 1 / BAND <= house.ratio / self.mean <= BAND

    def factor(self, national: float) -> tuple[float, float, float]:
        """From level A, whose modelled national mean is given, to B: value and 90 % band."""
        value = self.mean / national
        return value, value / BAND, value * BAND


def of_folder(folder: Path, places: Path) -> Level:
    """Level B of a folder of tables.

    raises : SchemaError when a figure that is needed is not there
    """
    money = targets.economy(folder)
    insured = figures.with_years(record.table(folder / _INSURED), _INSURED, ("year_from", "year_to"))
    figures.need(insured, _INSURED, ("measure", "insured_class", "region", "cause", "status", "value"))
    municipalities = record.table(places)
    figures.need(municipalities, places.name, ("dwellings",))
    dwellings = sum(
        figures.number(f"{places.name}, row {at}", "dwellings", value)
        for at, value in enumerate(municipalities["dwellings"], start=figures.FIRST_ROW)
    )
    figures.above_zero(places.name, "the sum of dwellings", dwellings)

    def house(year: int) -> House:
        ratio = _paid(insured, year) / _value(folder, money, dwellings, year)
        if not 0 < ratio <= 1:
            raise SchemaError(
                f"{_INSURED}: the claims of {year} are {ratio:.3g} times the value of the insured houses, and not a"
                " share of 0 to 1: look at their values and units"
            )
        return House(year, ratio)

    fitted, tested = (tuple(house(year) for year in years) for years in (FITTED, TESTED))
    return Level(float(np.mean([each.ratio for each in fitted])), fitted, tested)


def _paid(insured: pl.DataFrame, year: int) -> float:
    """Claims per insured house, million KRW. Where shops are in the claims, they are taken off by their numbers."""
    houses = _one(insured, ("insured_houses",), year, ("house", "all"), latest=2023)
    claims = _one(insured, ("claims_incurred", "claims_paid"), year, ("house",))
    if claims is None:
        shops = _one(insured, ("insured_shops",), year, ("shop_and_factory",))
        every = _one(insured, ("claims_incurred",), year, ("all",))
        greenhouses = _one(insured, ("claims_incurred",), year, ("greenhouse",))
        if every is None or greenhouses is None or shops is None or houses is None:
            raise SchemaError(f"insured_losses.csv does not tell the claims of houses of {year}")
        claims = (every - greenhouses) * houses / (houses + shops)
    if houses is None:
        raise SchemaError(f"insured_losses.csv does not tell the number of insured houses of {year}")
    return claims / houses


def _one(
    insured: pl.DataFrame, measures: tuple[str, ...], year: int, classes: tuple[str, ...], latest: int | None = None
) -> float | None:
    """A figure of one year, of the first class that has it; of the latest year known when the year is later."""
    year = year if latest is None else min(year, latest)
    for kind in classes:
        rows = insured.filter(
            pl.col("measure").is_in(measures)
            & (pl.col("year_from") == year)
            & (pl.col("year_to") == year)
            & (pl.col("insured_class") == kind)
            & (pl.col("region") == "national")
            & (pl.col("cause") == _EVERY_PERIL)
            & (pl.col("status") == record.FINAL)
        )
        if rows.height:
            return figures.amounts(rows[:1], _INSURED, "value")[0]
    return None


def _value(folder: Path, money: Economy, dwellings: float, year: int) -> float:
    """Mean value of a dwelling without land, million KRW of the year: balance sheet over census, by the deflator."""
    stated = targets.assets(folder).filter(
        (pl.col("class") == "residential_buildings")
        & (pl.col("year") == SHEET)
        & ~pl.col("note").str.starts_with("OLD")
    )
    if not stated.height or year not in money.deflator:
        raise SchemaError(f"exposure.csv or deflators.csv does not tell the value of a dwelling in {year}")
    return (
        figures.amounts(stated[:1], "exposure.csv", "value")[0]
        * 1e6
        / dwellings
        * money.deflator[year]
        / money.deflator[SHEET]
    )
