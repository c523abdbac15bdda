"""Return levels of a risk's intensity in cells: what a year reaches once in so many years, with a 90 % interval."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.kernels.return_levels import LEVEL_METHODS, return_levels
from engine.risks.edition import Edition
from engine.risks.inputs import Inputs, Reference
from engine.risks.registry import RISKS
from engine.risks.samples import yearly_samples

#: return periods that are shown, years
RETURN_PERIODS = (10.0, 20.0, 50.0, 100.0)
#: why cells have no level, by the kernel's word
WHY_NOT = {
    "too_few": "fewer than 20 years with a value, or fewer than 12 above the lower bound",
    "constant": "every year has the same value",
    "no_fit": "no extreme value distribution has the shape of these years",
    "not_exposed": "the cell is not exposed",
}
STEADY = "it rises from year to year, so that no year stands for another: it has no return period"
_BASINS = "water_basin"


class Source(Protocol):
    """What is read of a source of climate."""

    @property
    def axis(self) -> Years: ...
    @property
    def grid(self) -> GridDefinition | None: ...
    @property
    def tables(self) -> Mapping[str, frozenset[str]]: ...
    @property
    def covered_years(self) -> tuple[int, ...]: ...
    def cells(self) -> pl.DataFrame: ...
    def read(self, cells: pl.DataFrame, variables: Sequence[str], scenarios: Sequence[Scenario]) -> Panel: ...
    def table(self, name: str) -> pl.DataFrame: ...


class Levels(NamedTuple):
    """Levels of C cells at P return periods, in the unit of the edition's bins (an index that the intensity negates is
    the index itself: drier is lower); NaN where `method` is not `gev`.

    method : (C,) `gev`, or a key of WHY_NOT
    """

    level: NDArray[np.float64]  # (C, P)
    low: NDArray[np.float64]  # (C, P), lower end of the 90 % interval
    high: NDArray[np.float64]  # (C, P), upper end
    method: list[str]
    years: NDArray[np.int64]  # (C,), years with a value


def absent(source: Source, edition: Edition, risk: str, *, observed: bool) -> list[str]:
    """Tables that the risk's intensity needs and the source lacks. observed: as of `prepare`"""
    intensity = edition.intensity(risk)
    needed = [*(VARIABLES[name].table for name in intensity.needed(observed=observed)), *intensity.tables]
    return [name for name in dict.fromkeys(needed) if name not in source.tables]


def prepare(
    source: Source,
    edition: Edition,
    risk: str,
    cells: pl.DataFrame,
    *,
    baseline: Years,
    observed: bool,
    tables: Sequence[str] = (),
) -> Reference:
    """Small tables that the intensity reads, and what the risk prepares of them.

    cells    : rows of `source.cells()` that are asked about: of basins those are prepared that hold one of them
    observed : the source holds a station record and no scenarios
    tables   : more of them, such as the hazard score reads
    raises   : EngineError of the source; ValueError where a table cannot be used
    """
    read = {name: source.table(name) for name in dict.fromkeys((*edition.intensity(risk).tables, *tables))}
    if _BASINS in read:
        held = pl.col("basin_code").is_in(cells["basin_code"].drop_nulls().unique().implode())
        read[_BASINS] = read[_BASINS].filter(held)
    reference = Reference(
        axis=source.axis,
        baseline=baseline,
        observed=observed,
        grid=source.grid,
        tables=read,
        covered_years=np.asarray(source.covered_years, np.int64),
        figures=edition.figures,
        cells=source.cells(),
        read=source.read,
    )
    for each in RISKS[risk].prepare:
        each(reference)
    return reference


def levels_of(
    panel: Panel,
    reference: Reference,
    edition: Edition,
    risk: str,
    pair: tuple[Scenario, Years],
    periods: Collection[float] = RETURN_PERIODS,
) -> Levels:
    """Return levels of the cells of a panel, from the yearly samples of one scenario and window.

    panel   : the intensity's variables under `DEFAULT_SCENARIO` and that of the pair
    periods : years, above 1
    raises  : ValueError for an intensity that rises steadily, or a period that is not above 1

    Runs parallel kernels: never in two threads at once.
    """
    intensity, bins = edition.intensity(risk), edition.bins[risk]
    if intensity.steady:
        raise ValueError(f"{risk}: {STEADY}")
    inputs = Inputs(panel, reference, [pair])
    x = np.asarray(yearly_samples(inputs, intensity, *pair), np.float64)
    found = return_levels(x, list(periods), lower=bins.lower)
    level, low, high = (np.asarray(each) for each in found[:3])
    if intensity.upper is not None:
        level, low, high = (np.minimum(each, intensity.upper) for each in (level, low, high))
    if intensity.negated:
        level, low, high = -level, -high, -low
    words = [LEVEL_METHODS[code] for code in found.method]
    if intensity.not_exposed is not None:
        spared = intensity.not_exposed(inputs.under(DEFAULT_SCENARIO))
        words = ["not_exposed" if out else word for word, out in zip(words, spared, strict=True)]
    return Levels(level, low, high, words, (~np.isnan(x)).sum(axis=1))
