"""Monthly and yearly values brought to the unit that is stored, by their unit attribute."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.grid import GridDefinition
from engine.core.quality import Range
from engine.core.variables import Variable
from engine.io.etl import gate
from engine.io.netcdf import timeaxis, units

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]


class Told(NamedTuple):
    """Name of the data for messages, their unit ("" for none) and calendar, and the caller's unit over theirs."""

    name: str
    unit: str
    calendar: str
    override: str | None = None


def convert(
    variable: Variable, grid: GridDefinition, cells: Ints, values: Float32, told: Told, clearness: Range
) -> units.Conversion:
    """Bring values to the stored unit of their variable, in place; returns the conversion.

    cells     : (cells,) lattice index from 0
    values    : (cells, steps) as found, NaN = missing
    clearness : that is believed of solar radiation
    raises    : SchemaError for a unit that is not known; SettingsError for such an override
    """
    monthly = variable.monthly
    days = timeaxis.days_in_months(grid.axis, told.calendar) if monthly else np.full(values.shape[1], np.nan)
    if variable.name == "si":
        of_month = [gate.means(values[:, month::12].reshape(1, -1))[0] for month in range(12)]
        latitude = float(grid.latitudes[cells // grid.n_lon].mean()) if len(cells) else grid.lat0
        found = units.solar_conversion(
            told.unit, told.override, np.asarray(of_month), latitude, days.reshape(-1, 12).mean(axis=0), clearness,
            told.name,
        )  # fmt: skip
    else:
        found = units.conversion(variable, told.unit, told.override, told.name)
    if not found.identity:
        values *= found.factors(days)
        values += np.float32(found.offset)
    return found
