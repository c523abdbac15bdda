"""All of a calibration: what was fitted, how it does on what it has not seen, and the bars that it meets or misses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.losses import targets
from engine.losses.fit import hazard, level, model, provinces, rain, rates, skill
from engine.losses.fit.hazard import Hazard, Sources
from engine.losses.fit.level import Level
from engine.losses.fit.model import Data, Fit
from engine.losses.fit.provinces import Ranks
from engine.losses.fit.rates import Rates
from engine.losses.fit.skill import Draws, Sum

Floats = NDArray[np.float64]

#: fewer yearly totals than this tell no model of rain, wind and time
LEAST_YEARS = 10
#: what the held-out sums are told from
BEFORE_YEARS, BEFORE_STORMS = 2008, 2009
#: blocks of years begin here, and have this length
FIRST, BLOCK = 1987, 3


class Fitted(NamedTuple):
    """The fit that an edition is made of."""

    sources: Sources
    hazard: Hazard
    data: Data
    used: NDArray[np.bool_]
    fit: Fit
    rates: Rates
    level: Level

    @property
    def last(self) -> int:
        """Last year with rain of stations: the time term is frozen there."""
        return int(self.hazard.years[-1])

    @property
    def national(self) -> tuple[float, float]:
        """Mean AAL of the country at level A: floods, typhoon."""
        return rates.national(self.hazard, self.rates)

    @property
    def factor(self) -> tuple[float, float, float]:
        """To level B, with its band."""
        return self.level.factor(sum(self.national))


class Skill(NamedTuple):
    """Log errors of what was left out, (N,), NaN where nothing was."""

    years: Floats
    blocks: Floats
    storms: Floats


class HeldOut(NamedTuple):
    """Sums of what an earlier fit tells of later years and storms."""

    years: Sum
    storms: Sum


class Bar(NamedTuple):
    """One line of the back-test: what was asked, the figure, and whether it is met."""

    name: str
    asked: str
    figure: str
    met: bool


def fitted(sources: Sources) -> Fitted:
    """Fit everything to the record.

    raises : SchemaError for rows that cannot be compared, figures that are not there, or a record of rain that is short
    """
    years = rain.whole_years(rain.read(sources.stations))
    first, last = int(years[0]), int(years[-1])
    yearly = {
        target.year: target.ratio for target in targets.yearly(sources.losses, first, last) if target.year in years
    }
    if len(yearly) < LEAST_YEARS:
        raise SchemaError(
            f"{sources.stations}: {len(yearly)} years of rain ({first}-{last}) have a recorded total, a fit needs"
            f" {LEAST_YEARS}: give a longer record of rain, or tables of losses of its years"
        )
    measured = hazard.measure(sources, targets.storms(sources.losses))
    data = model.data_of(measured, yearly)
    used = ~data.storm | (data.year <= last)
    found = model.fit(data, used.astype(float))
    return Fitted(
        sources, measured, data, used, found, rates.of_fit(data, found, last),
        level.of_folder(sources.losses, sources.places),
    )  # fmt: skip


def skill_of(made: Fitted) -> Skill:
    """Every year, block of years and storm, each told without itself."""
    data, used = made.data, made.used
    every = data.year[~data.storm].tolist()
    years = [(year,) for year in every]
    numbers = sorted({(year - FIRST) // BLOCK for year in every})
    blocks = [[year for year in every if (year - FIRST) // BLOCK == number] for number in numbers]
    return Skill(
        skill.left_out_years(data, years, used),
        skill.left_out_years(data, blocks, used),
        skill.left_out_storms(data, used),
    )


def held_out(made: Fitted) -> HeldOut:
    """2009-2015 from a fit to 2008; storms of 2010-2023 from one to 2009."""
    data, used = made.data, made.used
    return HeldOut(
        skill.held_out(data, used & (data.year <= BEFORE_YEARS), ~data.storm & (data.year > BEFORE_YEARS)),
        skill.held_out(data, used & (data.year <= BEFORE_STORMS), data.storm & (data.year > BEFORE_STORMS)),
    )


def draws(made: Fitted) -> Draws:
    """Joint draws of the parameters."""
    return skill.draw(made.data, made.used)


def bars(made: Fitted, known: Skill) -> list[Bar]:
    """Lines of the back-test that need no draws."""
    data, storms = made.data, made.data.storm & made.used
    years, blocks = (skill.error_factor(each[~data.storm]) for each in (known.years, known.blocks))
    each_storm, trend = skill.error_factor(known.storms[storms]), skill.rank_of_years(data, known.years)
    wet = provinces.rain_ranks(made.sources, made.hazard, data, made.fit)
    typhoon = provinces.storm_ranks(made.sources, data, made.fit)
    percent = 100 * made.level.mean
    return [
        _bar("rain + typhoon, leave-one-year-out factor", "<= 2.8", years, years <= 2.8,
             f"{int((~data.storm).sum())} years; mean alone {skill.naive_years(data):.1f}"),
        _bar("the same, blocks of 3 years", "<= 3.2", blocks, blocks <= 3.2),
        _bar("typhoon, leave-one-storm-out factor", "< 6, aim 5", each_storm, each_storm < 6,
             f"{int(storms.sum())} storms; mean alone {skill.naive_storms(data, made.used):.1f}"),
        _ranks("provinces: rank correlation of rain losses", wet),
        _ranks("provinces: rank correlation of typhoon losses", typhoon),
        *(Bar(f"insured houses, {house.year} from the level of 2020-2022", "within x/÷ 5",
              f"{100 * house.ratio:.3f} % of value, level {percent:.3f} %", made.level.holds(house))
          for house in made.level.tested),
        Bar("mean national AAL of insured houses", "0.01-0.05 % a year", f"{percent:.3f} %", 0.01 <= percent <= 0.05),
        _bar("Spearman of years, detrended", ">= 0.6", trend, trend >= 0.6),
    ]  # fmt: skip


def bars_held_out(sums: HeldOut) -> list[Bar]:
    """Lines of the back-test that are drawn."""
    return [
        _sum("2009-2015, modelled mean / recorded sum, fitted to 2008", 2.5, sums.years),
        _sum("typhoons 2010-2023, modelled mean / recorded sum, fitted to 2009", 5.0, sums.storms),
    ]


def _bar(name: str, asked: str, figure: float, met: bool, more: str = "") -> Bar:
    return Bar(name, asked, f"{figure:.2f}" + (f" ({more})" if more else ""), bool(met))


def _ranks(name: str, found: Ranks) -> Bar:
    return _bar(name, ">= 0.5", found.correlation, found.correlation >= 0.5, f"n = {found.number}")


def _sum(name: str, most: float, found: Sum) -> Bar:
    inside = found.low <= found.recorded <= found.high
    figure = (
        f"{found.factor:.2f} ({1e4 * found.modelled:.1f} of 10,000, recorded {1e4 * found.recorded:.1f}, "
        f"90 % band {1e4 * found.low:.1f}-{1e4 * found.high:.1f})"
    )
    return Bar(name, f"within x/÷ {most:g} and in the band", figure, 1 / most <= found.factor <= most and inside)
