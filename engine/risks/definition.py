"""What a risk must declare, and what an edition says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import DefinitionError
from engine.core.period import Years
from engine.risks.inputs import Block, Floats, Reference

#: no study has more than a few per cent per degree: more is a percentage in the place of a share
MOST_PER_DEGREE = 0.2

#: every cell, risk, scenario and period stores one number a bin
MOST_BINS = 100

OfBlock = Callable[[Block], Floats]
OfPeriod = Callable[[Block, Years], NDArray[np.float64]]
Mask = Callable[[Block], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """A hazard intensity: one value a year or month.

    meaning     : what it is, in words for a reader of results
    of          : block -> (cells, years) or, when `monthly`, (cells, years, 12)
    needs       : climate variables it reads; `tables`: small tables it reads
    scale       : samples are the years of the track record whatever the period, times this (cells,) factor of the
                  scenario and period; None: samples are the years of the climate axis
    record      : years of that record, in the order of the columns of `of`; given together with `scale`
    not_exposed : cells that the hazard cannot reach; their result is "no loss", not "no data"
    negated     : x is minus the published index; bins are written in the index itself
    """

    meaning: str
    unit: str
    of: OfBlock
    needs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    monthly: bool = False
    scale: OfPeriod | None = None
    record: Callable[[Reference], NDArray[np.int64]] | None = None
    not_exposed: Mask | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One weighted part of a hazard index, 0..1.

    needs, tables : without them the part drops out for all cells
    only_without  : counts only while this variable is absent (a stand-in for it)
    per_cell      : NaN drops the part in that cell; otherwise NaN means that the cell has no score
    """

    name: str
    weight: float
    of: OfPeriod
    needs: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    only_without: str | None = None
    per_cell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardIndex:
    """Weighted mean of the components that are there, times the modifier, capped at 1.

    attributes : cell attributes read with an "unknown" rule; the run's summary counts the cells that needed it
    """

    components: tuple[Component, ...]
    modifier: OfPeriod | None = None
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A warning about the inputs: given when `of` is true in more than half of the cells."""

    of: Mask
    needs: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A hazard, the ways to measure it, and its score.

    figures   : keys of `Bins` that this risk's code reads besides edges and rates; an edition must set them, and an
                edition that sets them for another risk is refused
    prepare   : what is computed once for a run, before the first block is read
    stands_on : what the run's record must say about the reference tables
    """

    name: str
    intensities: dict[str, Intensity]
    hazard: HazardIndex
    references: tuple[str, ...]
    figures: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    prepare: tuple[Callable[[Reference], object], ...] = ()
    stands_on: Callable[[Reference], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """One edition's cuts and damage rates for one risk, mildest bin first.

    edges       : inner edges, ascending, in the intensity's unit; quantile levels when `of_baseline`
    fallback    : edges for a cell whose baseline cannot give quantiles
    lower, atom : lower bound of the support; whether samples at it are a point mass ("no event")
    warming_per_degree : change of a storm's wind per degree of the cell's warming, a share; a figure of typhoon
    calibrated  : whether the damage rates are calibrated on recorded losses, so that an AAL prices; None: the edition
                  does not say, which is taken for no
    """

    intensity: str
    edges: tuple[float, ...]
    damage_rates: tuple[float, ...]
    source: str
    of_baseline: bool = False
    fallback: tuple[float, ...] = ()
    lower: float | None = None
    atom: bool = False
    warming_per_degree: float | None = None
    calibrated: bool | None = None

    def __post_init__(self) -> None:
        for key, problem in self._problems():
            raise DefinitionError(problem, key)

    def _problems(self) -> list[tuple[str, str]]:
        """(key at fault, what contradicts what), worst first; empty for a sound declaration."""
        found: list[tuple[str, str]] = []
        for key in ("edges", "damage_rates", "fallback"):
            if bad := [value for value in getattr(self, key) if not isfinite(value)]:
                found.append((key, f"{bad[0]} is not a finite number"))
        if not self.edges:
            found.append(("edges", "at least one inner edge is needed"))
        for key in ("edges", "fallback"):
            values = getattr(self, key)
            if any(right <= left for left, right in pairwise(values)):
                found.append((key, f"{list(values)} does not ascend"))
        if len(self.damage_rates) != len(self.edges) + 1:
            found.append(("damage_rates", f"{len(self.damage_rates)} damage rates for {len(self.edges) + 1} bins"))
        if outside := [rate for rate in self.damage_rates if not 0 <= rate <= 1]:
            found.append(("damage_rates", f"{outside[0]} is outside 0..1"))
        if falls := [pair for pair in pairwise(self.damage_rates) if pair[1] < pair[0]]:
            milder, stronger = falls[0]
            problem = f"{stronger} comes after {milder}: bins go from mild to severe, and rates must not descend"
            found.append(("damage_rates", problem))
        if len(self.edges) >= MOST_BINS:
            found.append(("edges", f"{len(self.edges):,} inner edges; at most {MOST_BINS} bins"))
        if self.of_baseline:
            if outside := [edge for edge in self.edges if not 0 < edge < 1]:
                found.append(("edges", f"{outside[0]} is not a quantile level between 0 and 1"))
            if len(self.fallback) != len(self.edges):
                found.append(("fallback", f"{len(self.fallback)} fallback edges for {len(self.edges)} quantiles"))
        elif self.fallback:
            found.append(("fallback", "only quantile edges (of_baseline = true) have a fallback"))
        if self.atom and self.lower is None:
            found.append(("atom", "an atom needs a lower bound"))
        if self.lower is not None:
            if not isfinite(self.lower):
                found.append(("lower", f"{self.lower} is not a finite number"))
            fixed_key = "fallback" if self.of_baseline else "edges"
            fixed = getattr(self, fixed_key)
            if below := [edge for edge in fixed if edge < self.lower or (edge == self.lower and not self.atom)]:
                found.append((fixed_key, f"{below[0]} is not above the lower bound {self.lower}"))
        if self.warming_per_degree is not None and not 0 <= self.warming_per_degree <= MOST_PER_DEGREE:
            problem = f"{self.warming_per_degree} is outside 0..{MOST_PER_DEGREE}: a share, 0.02 is 2 % per degree"
            found.append(("warming_per_degree", problem))
        if not self.source:
            found.append(("source", "edges and damage rates need a source"))
        return found
