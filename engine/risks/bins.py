"""Bins of one risk as an edition sets them: edges, damage rates, estimator, and whether the loss prices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from engine.core.errors import DefinitionError
from engine.kernels.fits import BOUNDED, FAMILIES

#: no study has more than a few per cent per degree: more is a percentage in the place of a share
MOST_PER_DEGREE = 0.2

#: every cell, risk, scenario and period stores one number a bin
MOST_BINS = 100

#: lines that a risk's years may follow
LINEAR = "linear"
TRENDS = (LINEAR,)

KDE, COUNT, FITTED = "kde", "count", "fitted"
ESTIMATORS = (KDE, COUNT, FITTED)

#: recorded losses that damage rates can be calibrated on: claims of insured houses, or all recorded loss
LEVELS = ("insured_houses", "all_recorded")

#: digits of a probability in `bin_data`: four do for five bins of shares of samples, not for rare or fitted bins
DIGITS: Final = 4
FINE_DIGITS: Final = 8
_PLAIN_BINS = 5

_Problems = Iterator[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Factor:
    """Factor on all damage rates of a risk, with its 90 % band and where it comes from."""

    value: float
    low: float
    high: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """One edition's cuts and damage rates for one risk, mildest bin first. None: the edition does not say.

    edges       : inner edges, ascending, in the intensity's unit; quantile levels when `of_baseline`
    fit         : family fitted to each cell's baseline, of which the edges are quantiles; None: sample quantiles
    fallback    : edges for a cell whose baseline cannot give quantiles
    lower, atom : lower bound of the support; whether samples at it are a point mass ("no event")
    estimator   : how samples become probabilities, one of ESTIMATORS; None: KDE
    trend       : line of the year that all years of a scenario follow, one of TRENDS: a window's figures are then
                  those of its middle year; None: its years are alike
    priced      : False: the hazard does not damage buildings, or its loss is not known: probabilities without an AAL
    factor      : multiplies the damage rates
    warming_per_degree : change of a storm's wind per degree of the cell's warming, a share; a figure of typhoon
    calibrated  : whether the damage rates are calibrated on recorded losses, so that an AAL prices; None: no
    level       : on which recorded losses, one of LEVELS
    """

    intensity: str
    edges: tuple[float, ...]
    damage_rates: tuple[float, ...]
    source: str
    of_baseline: bool = False
    fit: str | None = None
    fallback: tuple[float, ...] = ()
    lower: float | None = None
    atom: bool = False
    estimator: str | None = None
    trend: str | None = None
    priced: bool | None = None
    factor: Factor | None = None
    warming_per_degree: float | None = None
    calibrated: bool | None = None
    level: str | None = None

    def __post_init__(self) -> None:
        for key, problem in self._problems():
            raise DefinitionError(problem, key)

    @property
    def has_loss(self) -> bool:
        """False where the edition leaves the risk unpriced."""
        return self.priced is not False

    @property
    def rates(self) -> tuple[float, ...] | None:
        """Damage rates times the factor; None for a risk that is not priced."""
        if not self.has_loss:
            return None
        return (
            self.damage_rates if self.factor is None else tuple(self.factor.value * rate for rate in self.damage_rates)
        )

    @property
    def digits(self) -> int:
        """Digits of a probability in `bin_data`."""
        fine = len(self.edges) >= _PLAIN_BINS or self.fit is not None
        return FINE_DIGITS if fine else DIGITS

    def _problems(self) -> _Problems:
        """(key at fault, what contradicts what), worst first; nothing for a sound declaration."""
        yield from self._of_edges()
        yield from self._of_rates()
        yield from self._of_quantiles()
        yield from self._of_bound()
        yield from self._of_estimator()
        yield from self._of_trend()
        yield from self._of_prices()
        if self.warming_per_degree is not None and not 0 <= self.warming_per_degree <= MOST_PER_DEGREE:
            problem = f"{self.warming_per_degree} is outside 0..{MOST_PER_DEGREE}: a share, 0.02 is 2 % per degree"
            yield "warming_per_degree", problem
        if not self.source:
            yield "source", "edges and damage rates need a source"

    def _of_edges(self) -> _Problems:
        for key in ("edges", "damage_rates", "fallback"):
            if bad := [value for value in getattr(self, key) if not isfinite(value)]:
                yield key, f"{bad[0]} is not a finite number"
        if not self.edges:
            yield "edges", "at least one inner edge is needed"
        for key in ("edges", "fallback"):
            values = getattr(self, key)
            if any(right <= left for left, right in pairwise(values)):
                yield key, f"{list(values)} does not ascend"

    def _of_rates(self) -> _Problems:
        if not self.has_loss:
            if self.damage_rates:
                yield "damage_rates", "a risk that is not priced (priced = false) has no damage rates"
        elif len(self.damage_rates) != len(self.edges) + 1:
            yield "damage_rates", f"{len(self.damage_rates)} damage rates for {len(self.edges) + 1} bins"
        if outside := [rate for rate in self.damage_rates if not 0 <= rate <= 1]:
            yield "damage_rates", f"{outside[0]} is outside 0..1"
        if falls := [pair for pair in pairwise(self.damage_rates) if pair[1] < pair[0]]:
            milder, stronger = falls[0]
            problem = f"{stronger} comes after {milder}: bins go from mild to severe, and rates must not descend"
            yield "damage_rates", problem
        if len(self.edges) >= MOST_BINS:
            yield "edges", f"{len(self.edges):,} inner edges; at most {MOST_BINS} bins"

    def _of_quantiles(self) -> _Problems:
        if self.of_baseline:
            if outside := [edge for edge in self.edges if not 0 < edge < 1]:
                yield "edges", f"{outside[0]} is not a quantile level between 0 and 1"
            if len(self.fallback) != len(self.edges):
                found = f"{len(self.fallback)} fallback edges for {len(self.edges)} quantiles"
                here = "" if self.fallback else ": give as many fixed edges, for cells whose baseline gives none"
                yield "fallback", found + here
        elif self.fallback:
            yield "fallback", "only quantile edges (of_baseline = true) have a fallback"

    def _of_bound(self) -> _Problems:
        if self.atom and self.lower is None:
            yield "atom", "an atom needs a lower bound"
        if self.lower is not None:
            if not isfinite(self.lower):
                yield "lower", f"{self.lower} is not a finite number"
            fixed_key = "fallback" if self.of_baseline else "edges"
            fixed = getattr(self, fixed_key)
            if below := [edge for edge in fixed if edge < self.lower or (edge == self.lower and not self.atom)]:
                yield fixed_key, f"{below[0]} is not above the lower bound {self.lower}"

    def _of_estimator(self) -> _Problems:
        if self.fit is not None:
            if self.fit not in FAMILIES:
                yield "edges", f"fit {self.fit!r} is none of {', '.join(FAMILIES)}"
            if not self.of_baseline:
                yield "edges", "a fit gives quantiles of the baseline: it needs of_baseline = true"
            if self.fit in BOUNDED and self.lower is None:
                yield "edges", f"a {self.fit} distribution starts at a lower bound: the risk needs lower"
        if self.estimator is not None and self.estimator not in ESTIMATORS:
            yield "estimator", f"{self.estimator!r} is none of {', '.join(ESTIMATORS)}"
        if self.estimator == FITTED and self.fit is None:
            yield "estimator", 'fitted takes the family of the edges: write edges = {quantiles = [...], fit = "gev"}'

    def _of_trend(self) -> _Problems:
        if self.trend is not None:
            if self.trend not in TRENDS:
                yield "trend", f"{self.trend!r} is none of {', '.join(TRENDS)}"
            if self.atom:
                yield "trend", 'years of "no event" (atom = true) lie on no line: take the trend out, or the atom'

    def _of_prices(self) -> _Problems:
        if not self.has_loss:
            for key in ("calibrated", "level", "factor"):
                if getattr(self, key):
                    yield key, "a risk that is not priced (priced = false) has none"
        if self.level is not None:
            if self.level not in LEVELS:
                yield "level", f"{self.level!r} is none of {', '.join(LEVELS)}"
            if not self.calibrated:
                yield "level", "says on which losses the rates are calibrated: it needs calibrated = true"
        if self.factor is not None:
            value, low, high = self.factor.value, self.factor.low, self.factor.high
            if not (0 < low <= value <= high and isfinite(high)):
                yield "factor", f"low {low}, value {value}, high {high} must be positive and not descend"
            if (largest := value * max(self.damage_rates, default=0.0)) > 1:
                yield (
                    "factor",
                    f"{value} times the damage rate {max(self.damage_rates)} is {largest:g}: more than the value",
                )
