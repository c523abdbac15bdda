"""Declaration of a risk: its intensities, its hazard index, its checks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.period import Years
from engine.risks.inputs import Block, Floats, Reference

OfBlock = Callable[[Block], Floats]
OfPeriod = Callable[[Block, Years], NDArray[np.float64]]
Mask = Callable[[Block], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Line of the year that an edition's `trend` draws through an intensity.

    logs   : in its logarithms: what rises rises by a share, and its scatter with it
    curved : with its whole curvature: what is known to bend
    span   : years next to each other whose distances from it depend on each other
    """

    logs: bool = False
    curved: bool = False
    span: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """A hazard intensity: one value a year or month.

    meaning     : what it is, in words for a reader of results
    of          : block -> (cells, years) or, when `monthly`, (cells, years, 12)
    needs       : climate variables it reads; `tables`: small tables it reads
    needs_of_change : further climate variables, by which `scale` tells the climate of a period from that of the
                  baseline; an observed record is told as it was, and needs none of them
    scale       : samples are the years of the track record whatever the period, times this (cells,) factor of the
                  scenario and period; None: samples are the years of the climate axis
    record      : years of that record, in the order of the columns of `of`; given together with `scale`
    not_exposed : cells that the hazard cannot reach; their result is "no loss", not "no data"
    negated     : x is minus the published index; bins are written in the index itself
    upper       : most that it can be by its definition; None: no such bound
    steady      : rises from year to year, so that no year stands for another: it has no return levels
    span        : years next to each other that depend on each other
    line        : how a trend of it is drawn
    """

    meaning: str
    unit: str
    of: OfBlock
    needs: tuple[str, ...] = ()
    needs_of_change: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    monthly: bool = False
    scale: OfPeriod | None = None
    record: Callable[[Reference], NDArray[np.int64]] | None = None
    not_exposed: Mask | None = None
    negated: bool = False
    upper: float | None = None
    steady: bool = False
    span: int = 1
    line: Line = Line()

    def needed(self, *, observed: bool) -> tuple[str, ...]:
        """Climate variables it reads of an observed record, or of scenarios."""
        return self.needs if observed else (*self.needs, *self.needs_of_change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One weighted part of a hazard index, 0..1.

    needs, needs_of_change, tables : as of an intensity; without them the part drops out for all cells
    only_without  : counts only while this variable is absent (a stand-in for it)
    per_cell      : NaN drops the part in that cell; otherwise NaN means that the cell has no score
    """

    name: str
    weight: float
    of: OfPeriod
    needs: tuple[str, ...] = ()
    needs_of_change: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    only_without: str | None = None
    per_cell: bool = False

    def needed(self, *, observed: bool) -> tuple[str, ...]:
        """Climate variables it reads of an observed record, or of scenarios."""
        return self.needs if observed else (*self.needs, *self.needs_of_change)


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
