"""Climates whose average annual loss is known: how to draw years of them, and the distribution of a value.

Shapes and sizes are like those of Seoul and Busan. Drought is the sum of twelve months of independent normal numbers,
so that months and neighbouring years depend on each other as those of an accumulated index do; wildfire has a season
and good and bad years.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Random = np.random.Generator

_SEASON = 12.0 + 9.0 * np.cos(2 * np.pi * (np.arange(12) - 3) / 12)  # of the monthly proxy
_YEAR, _MONTH = 3.0, 6.0  # spread between years and between months of a year
_MANY = 400_000


class Truth(NamedTuple):
    """One climate.

    draw  : (random, cells, years) -> (cells, samples)
    below : probability of a value below x
    level : value of a level q, for edges that are quantiles; None: the risk has none
    """

    name: str
    edition: str
    risk: str
    draw: Callable[[Random, int, int], Floats]
    below: Callable[[Floats], Floats]
    level: Callable[[Floats], Floats] | None = None


class Rising(NamedTuple):
    """One climate that changes over the years, counted from 0.

    draw  : (random, cells, years) -> (cells, samples)
    below : probability of a value below x in a year
    """

    name: str
    course: str
    edition: str
    risk: str
    draw: Callable[[Random, int, Floats], Floats]
    below: Callable[[Floats, float], Floats]


#: how far a climate has come in a year, 1 after 80 years
COURSES: dict[str, Callable[[Floats], Floats]] = {
    "linear": lambda t: t / 79,
    "faster": lambda t: (t / 79) ** 2,
    "slower": lambda t: (1 - np.exp(-t / 40)) / (1 - np.exp(-79 / 40)),
    "turning": lambda t: np.sin(np.pi * t / 110),
}


def rising() -> Iterator[Rising]:
    """Climates that change as SSP2-4.5 does in 80 years, along several courses; the sea along its own."""
    for course in COURSES:
        for risk, name, of in (
            ("river_flood", "river, GEV", stats.genextreme(-0.1, 225, 80)),
            ("urban_flood", "urban, GEV", stats.genextreme(-0.1, 120, 45)),
            ("water_stress", "water, log-normal", stats.lognorm(0.45, 0, 0.45)),
        ):
            yield _times(name, course, risk, of, _along(course, 0.21, 1.0))
        fire, drought = _along(course, 6.0), _along(course, 0.8)
        yield _plus("fire, Gumbel", course, "2025-12", "wildfire", stats.gumbel_r(27, 6), fire)
        yield Rising("fire, months", course, "2025-11", "wildfire", *_rising_fire(fire))
        yield Rising("drought, months", course, "2025-11", "drought", *_rising_drought(drought))
    for noise in (1.5, 3.0):
        yield _plus(f"sea, noise {noise} cm", "its own", "2025-11", "sea_level_rise", stats.norm(0, noise), _rise_cm)


def _along(course: str, size: float, start: float = 0.0) -> Callable[[Floats], Floats]:
    return lambda years: start + size * COURSES[course](years)


def _rise_cm(years: Floats) -> Floats:
    return 0.45 * years + 0.0045 * years**2


def _times(name: str, course: str, risk: str, of: stats.rv_continuous, factor: Callable[[Floats], Floats]) -> Rising:
    def draw(random: Random, cells: int, years: Floats) -> Floats:
        x: Floats = of.rvs((cells, len(years)), random_state=random) * factor(years)
        return np.maximum(x, 1.0 if risk != "water_stress" else 0.0)

    return Rising(name, course, "2025-11", risk, draw, lambda x, year: of.cdf(x / factor(np.float64(year))))


def _plus(
    name: str, course: str, edition: str, risk: str, of: stats.rv_continuous, more: Callable[[Floats], Floats]
) -> Rising:
    def draw(random: Random, cells: int, years: Floats) -> Floats:
        return np.maximum(of.rvs((cells, len(years)), random_state=random) + more(years), 0.0)

    return Rising(name, course, edition, risk, draw, lambda x, year: of.cdf(x - more(np.float64(year))))


def _rising_fire(more: Callable[[Floats], Floats]) -> tuple[Any, Any]:
    def draw(random: Random, cells: int, years: Floats) -> Floats:
        n = len(years)
        x = _SEASON + more(years)[:, None] + random.normal(0, _YEAR, (cells, n, 1))
        return np.maximum(x + random.normal(0, _MONTH, (cells, n, 12)), 0.0).reshape(cells, -1)

    return draw, lambda x, year: _fire_below(np.asarray(x) - more(np.float64(year)))


def _rising_drought(more: Callable[[Floats], Floats]) -> tuple[Any, Any]:
    def draw(random: Random, cells: int, years: Floats) -> Floats:
        return _draw_drought(random, cells, len(years)) + np.repeat(more(years), 12)

    return draw, lambda x, year: stats.norm.cdf(x - more(np.float64(year)))


def truths() -> Iterator[Truth]:
    """Climates of all priced risks and editions; sea level has none: its years are no sample."""
    yield _plain("river, GEV", "2025-11", "river_flood", stats.genextreme(-0.1, 225, 80))
    yield _plain("urban, GEV", "2025-11", "urban_flood", stats.genextreme(-0.1, 120, 45))
    yield _plain("river, GEV", "2025-12", "river_flood", stats.genextreme(-0.1, 120, 45))
    yield _plain("water, log-normal", "2025-11", "water_stress", stats.lognorm(0.45, 0, 0.45))
    yield _plain("water, log-normal", "2025-12", "water_stress", stats.lognorm(0.45, 0, 0.45))
    yield _plain("fire, Gumbel", "2025-12", "wildfire", stats.gumbel_r(27, 6))
    yield Truth("fire, months", "2025-11", "wildfire", _draw_fire, _fire_below)
    yield Truth("drought, months", "2025-11", "drought", _draw_drought, stats.norm.cdf)
    yield Truth("drought, minimum", "2025-12", "drought", _draw_minimum, _empirical(_draw_minimum))
    yield _above("heat, gamma", "2025-11", "extreme_heat", 0.35, stats.gamma(1.5, 0, 6))
    yield _above("heat, gamma", "2025-12", "extreme_heat", 0.35, stats.gamma(1.5, 0, 6))
    yield _above("cold, gamma", "2025-11", "extreme_cold", 0.45, stats.gamma(1.5, 0, 4))
    yield _above("cold, gamma", "2025-12", "extreme_cold", 0.45, stats.gamma(1.5, 0, 4))
    yield _above("coast, Weibull", "2025-11", "typhoon", 0.05, stats.weibull_min(2.2, 0, 21))
    yield _above("coast, gamma", "2025-11", "typhoon", 0.05, stats.gamma(4.5, 0, 4.2))
    yield _above("coast, Gumbel", "2025-11", "typhoon", 0.05, stats.gumbel_r(15, 6.5))
    yield _above("inland, Weibull", "2025-11", "typhoon", 0.2, stats.weibull_min(2.0, 0, 13))
    yield _above("inland, gamma", "2025-11", "typhoon", 0.2, stats.gamma(3.5, 0, 3.2))
    yield _above("inland, Gumbel", "2025-11", "typhoon", 0.2, stats.gumbel_r(9, 4))
    yield _above("exposure, gamma", "2025-12", "typhoon", 0.5, stats.gamma(0.9, 0, 7))
    yield _plain("river, GEV", "2026-kr", "river_flood", stats.genextreme(-0.1, 225, 80))
    yield _plain("river, gamma", "2026-kr", "river_flood", stats.gamma(6, 0, 45))
    yield _plain("urban, GEV", "2026-kr", "urban_flood", stats.genextreme(-0.1, 120, 45))
    yield _plain("urban, log-normal", "2026-kr", "urban_flood", stats.lognorm(0.4, 0, 140))
    yield _above("coast, Weibull", "2026-kr", "typhoon", 0.05, stats.weibull_min(2.2, 0, 21))
    yield _above("coast, Gumbel", "2026-kr", "typhoon", 0.05, stats.gumbel_r(15, 6.5))
    yield _above("inland, gamma", "2026-kr", "typhoon", 0.2, stats.gamma(3.5, 0, 3.2))
    yield Truth("fire, months", "2026-kr", "wildfire", _draw_fire, _fire_below)
    yield _counts("days, Poisson", "2025-12", "urban_flood", stats.poisson(0.9))


def _plain(name: str, edition: str, risk: str, of: stats.rv_continuous) -> Truth:
    def draw(random: Random, cells: int, years: int) -> Floats:
        return np.maximum(of.rvs((cells, years), random_state=random), 0.0)

    return Truth(name, edition, risk, draw, of.cdf, of.ppf)


def _above(name: str, edition: str, risk: str, atom: float, of: stats.rv_continuous) -> Truth:
    """Climate of which a share `atom` of the years has no event, and the others that distribution, cut at 0."""
    none = atom + (1 - atom) * of.cdf(0.0)

    def draw(random: Random, cells: int, years: int) -> Floats:
        x = np.maximum(of.rvs((cells, years), random_state=random), 0.0)
        return np.where(random.random((cells, years)) < atom, 0.0, x)

    def below(x: Floats) -> Floats:
        return np.where(np.asarray(x) <= 0, none, atom + (1 - atom) * of.cdf(x))

    def level(q: Floats) -> Floats:
        return np.where(np.asarray(q) <= none, 0.0, of.ppf(np.clip((np.asarray(q) - atom) / (1 - atom), 0.0, 1.0)))

    return Truth(name, edition, risk, draw, below, level)


def _counts(name: str, edition: str, risk: str, of: stats.rv_discrete) -> Truth:
    def draw(random: Random, cells: int, years: int) -> Floats:
        return of.rvs((cells, years), random_state=random).astype(np.float64)

    return Truth(name, edition, risk, draw, of.cdf)


def _draw_fire(random: Random, cells: int, years: int) -> Floats:
    x = _SEASON + random.normal(0, _YEAR, (cells, years, 1)) + random.normal(0, _MONTH, (cells, years, 12))
    return np.maximum(x, 0.0).reshape(cells, -1)


def _fire_below(x: Floats) -> Floats:
    return stats.norm.cdf((np.asarray(x)[..., None] - _SEASON) / np.hypot(_YEAR, _MONTH)).mean(axis=-1)


def _draw_drought(random: Random, cells: int, years: int) -> Floats:
    total = np.cumsum(random.normal(size=(cells, 12 * years + 12)), axis=1)
    return (total[:, 12:] - total[:, :-12]) / np.sqrt(12)


def _draw_minimum(random: Random, cells: int, years: int) -> Floats:
    return _draw_drought(random, cells, years).reshape(cells, years, 12).max(axis=2)  # of minus the index


def _empirical(draw: Callable[[Random, int, int], Floats]) -> Callable[[Floats], Floats]:
    def below(x: Floats) -> Floats:
        drawn = np.sort(draw(np.random.default_rng(7), _MANY // 100, 100).ravel())
        return np.searchsorted(drawn, x) / drawn.size

    return below
