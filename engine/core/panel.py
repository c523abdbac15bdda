"""A block of cells as arrays: what a source yields and a risk computes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.core import attributes
from engine.core.errors import DefinitionError
from engine.core.names import unknown
from engine.core.period import Years
from engine.core.scenario import Scenario

Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Panel:
    """One contiguous float32 array per (variable, scenario) for a block of active cells.

    cells    : frame, ascending `grid_id` (gaps allowed), with `latitude`, `longitude`, `basin_code`, `slr_grid_id`
             and the columns of `grid_attributes`; null = unknown
    axis     : years of every array
    arrays   : (variable, scenario) -> (cells, years) for yearly or (cells, years, 12) for monthly variables;
             NaN = missing
    duplicates: table -> rows that hit a slot already filled (either value could be wrong, so the risks that read
               the table must not use it)
    off_axis : table -> rows whose time is not on the axis
    """

    cells: pl.DataFrame
    axis: Years
    arrays: Mapping[tuple[str, Scenario], Float32]
    duplicates: Mapping[str, int] = field(default_factory=dict)
    off_axis: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.cells.height

    @property
    def grid_id(self) -> NDArray[np.int32]:
        """(cells,) ascending."""
        return self.cells["grid_id"].to_numpy()

    def attribute(self, name: str) -> NDArray[np.float64]:
        """(cells,) a cell attribute; NaN where unknown.

        raises : DefinitionError for a name that no warehouse has: all of its cells would be unknown, without a word
        """
        if name not in self.cells.columns:
            if name not in attributes.KNOWN:
                raise DefinitionError(unknown("cell attribute", name, attributes.KNOWN), name)
            return np.full(len(self), np.nan)
        column = self.cells[name]
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        # a stored 0.6 must not pass a threshold of 0.60 by the noise of its float32
        return np.round(values, 6) if column.dtype == pl.Float32 else values
