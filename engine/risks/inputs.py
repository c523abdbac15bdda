"""Inputs of a risk: a block of cells under one scenario, and the small tables of the whole run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core.grid import GridDefinition
from engine.core.panel import Panel
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, Scenario

Floats = NDArray[np.floating[Any]]
ReadCells = Callable[[pl.DataFrame, Sequence[str], Sequence[Scenario]], Panel]
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The same for every block of a run.

    axis, baseline : years of the climate arrays; years that set quantile edges and reference means (SSP2-4.5)
    observed       : True for a station record: no scenario, so no delta change
    tables         : small tables by name
    covered_years  : years whose typhoon tracks are complete
    figures        : risk -> figures of the edition that its code reads
    cells, read    : every active cell, and a reader of their climate: for sums over a whole basin
    """

    axis: Years
    baseline: Years
    observed: bool
    grid: GridDefinition | None
    tables: Mapping[str, pl.DataFrame]
    covered_years: NDArray[np.int64]
    figures: Mapping[str, Mapping[str, float]]
    cells: pl.DataFrame
    read: ReadCells
    memo: dict[str, Any] = field(default_factory=dict)


class Inputs:
    """A panel with its reference tables; hands out one `Block` a scenario."""

    def __init__(self, panel: Panel, reference: Reference, pairs: Sequence[tuple[Scenario, Years]]) -> None:
        self.panel = panel
        self.reference = reference
        #: (scenario, years) that this run evaluates: lets one sweep serve them all
        self.pairs = tuple(dict.fromkeys(pairs))
        self.memo: dict[object, Any] = {}
        self._blocks: dict[Scenario, Block] = {}

    def under(self, scenario: Scenario) -> Block:
        """The block as this scenario sees it."""
        if scenario not in self._blocks:
            self._blocks[scenario] = Block(self, scenario)
        return self._blocks[scenario]

    @property
    def baseline(self) -> Block:
        """The block under the scenario that sets the baseline."""
        return self.under(DEFAULT_SCENARIO)


class Block:
    """Cells under one scenario. Arrays are shared: treat them as read-only."""

    def __init__(self, inputs: Inputs, scenario: Scenario) -> None:
        self.inputs = inputs
        self.scenario = scenario
        self.memo: dict[object, Any] = {}

    def __len__(self) -> int:
        return len(self.inputs.panel)

    def __getitem__(self, variable: str) -> NDArray[np.float32]:
        return self.inputs.panel.arrays[variable, self.scenario]

    @property
    def reference(self) -> Reference:
        """Run-wide tables."""
        return self.inputs.reference

    @property
    def axis(self) -> Years:
        """Years of the arrays."""
        return self.inputs.panel.axis

    def attribute(self, name: str) -> NDArray[np.float64]:
        """(cells,) a numeric cell attribute, NaN where unknown."""
        return self.inputs.panel.attribute(name)

    @property
    def landcover(self) -> NDArray[np.str_]:
        """(cells,) main land-cover class, empty where unknown."""
        cells = self.inputs.panel.cells
        if "landcover_mode" not in cells.columns:
            return np.full(len(self), "", dtype=np.str_)
        return cells["landcover_mode"].fill_null("").to_numpy().astype(np.str_)


def per_block(function: Callable[[Block], Value]) -> Callable[[Block], Value]:
    """Compute once for a block and scenario, then remember: probability and hazard share it."""

    @wraps(function)
    def once(block: Block) -> Value:
        if function not in block.memo:
            block.memo[function] = function(block)
        value: Value = block.memo[function]
        return value

    return once


def per_panel(function: Callable[[Inputs], Value]) -> Callable[[Inputs], Value]:
    """Compute once for a block of cells, whatever the scenario."""

    @wraps(function)
    def once(inputs: Inputs) -> Value:
        if function not in inputs.memo:
            inputs.memo[function] = function(inputs)
        value: Value = inputs.memo[function]
        return value

    return once


def per_run(function: Callable[[Reference], Value]) -> Callable[[Reference], Value]:
    """Compute once for a run. Remembered by name: what one process computed, another can be given."""
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def once(reference: Reference) -> Value:
        if name not in reference.memo:
            reference.memo[name] = function(reference)
        value: Value = reference.memo[name]
        return value

    return once
