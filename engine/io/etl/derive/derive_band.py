"""Computation of one latitude band in `derive`: base years first, then every scenario's monthly and yearly values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl.derive import place_cells, station_values
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive_gate import InputGate
from engine.kernels import indices, spei
from engine.kernels.evapotranspiration import reference_evapotranspiration
from engine.kernels.indices import DayAxis
from engine.kernels.limits import ImpossibleWeatherError

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

#: daily variable -> what it gives, in `engine.core.variables`; the monthly one first
YIELDS = {
    "tas": ("ta", "ta_yearly"),
    "tasmax": ("tamax", "wsdi", "tx90p", "hw33"),
    "tasmin": ("tamin", "csdi", "tn10p", "tr25", "fd0", "tnn"),
    "pr": ("rn", "rx1day", "rx5day", "cdd", "rain80", "sdii"),
    "hurs": ("rhm",),
    "sfcWind": ("ws",),
    "rsds": ("si",),
}
#: daily variable -> what months of it give
OF_MONTHS = {"tas": ("ta", "ta_yearly")}
#: daily variables that SPEI needs: with all five present it is derived, too
BALANCE = ("tas", "pr", "hurs", "sfcWind", "rsds")
#: daily extremes: the evapotranspiration uses both where every record has them
EXTREMES = ("tasmin", "tasmax")
#: daily variable -> percent of its calendar-day limit
LIMITS = {"tasmax": 90.0, "tasmin": 10.0}


@dataclass(frozen=True, slots=True)
class Job:
    """Inputs common to all bands. `years` are kept; `records` may reach further back.

    blank_rain_is_dry : a day on which a place reports something else, but no rain, was dry, in years in which the place
                        reports some rain
    dry_spells_cross_years : as in `indices.rain_indices`
    """

    records: Mapping[Scenario, DailyRecord]
    gates: Mapping[Scenario, InputGate]
    reference: DailyRecord
    reference_gate: InputGate
    base: Years
    years: Years
    grid: GridDefinition
    blank_rain_is_dry: bool
    dry_spells_cross_years: bool

    @property
    def extremes(self) -> bool:
        """Check whether evapotranspiration can use daily extremes everywhere; a mixture would not be comparable."""
        every = (*self.records.values(), self.reference)
        return all(set(EXTREMES) <= record.pieces.keys() for record in every)

    @property
    def balance(self) -> tuple[str, ...]:
        """Daily variables of the water balance."""
        return (*BALANCE, *(EXTREMES if self.extremes else ()))


@dataclass(frozen=True, slots=True)
class _Held:
    """The cells of a band that have a daily value at all: the sea, and cells without a place, cost nothing.

    days : (held, D); cells : (cells,) bool
    """

    days: Float32
    cells: NDArray[np.bool_]

    def spread(self, values: Float32) -> Float32:
        """(held, n) -> (cells, n), NaN elsewhere."""
        if self.cells.all():
            return values
        out = np.full((len(self.cells), values.shape[1]), np.nan, np.float32)
        out[self.cells] = values
        return out


def yields(record: DailyRecord, daily: str) -> tuple[str, ...]:
    """Variables that a record's days, or months, of a daily variable give; the monthly one first."""
    return OF_MONTHS.get(daily, YIELDS[daily][:1]) if daily in record.monthly else YIELDS[daily]


def limits_of(record: DailyRecord) -> set[str]:
    """Daily variables of a record that are compared with limits of calendar days."""
    return (LIMITS.keys() & record.pieces.keys()) - record.monthly


def compute(job: Job, rows: slice) -> Iterator[tuple[Scenario, str, Float32, NDArray[np.bool_]]]:
    """(scenario, variable, (cells, steps of the years that are kept), cells with daily values) of a band."""
    limits, parameters = _base(job, rows)
    for scenario, record in job.records.items():
        keep = record.axis.years.columns_of(job.years)
        monthly: dict[str, Float32] = {}
        fed = np.ones((rows.stop - rows.start) * job.grid.n_lon, bool)
        for daily in record.pieces:
            held = _read(record, job.gates[scenario], daily, job, rows)
            monthly[daily] = held.spread(_monthly(daily, held.days, record.axis))
            if daily in job.balance:
                fed &= held.cells
            if daily in EXTREMES and monthly.keys() >= set(EXTREMES):
                job.gates[scenario].compare(monthly["tasmin"], monthly["tasmax"])
            yield scenario, YIELDS[daily][0], _kept(YIELDS[daily][0], monthly[daily], keep), held.cells
            if len(yields(record, daily)) == 1:
                continue
            of_held = {name: limit[held.cells] for name, limit in limits.items()}
            for name, values in _yearly(daily, held.days, record.axis, of_held, job.dry_spells_cross_years).items():
                yield scenario, name, _kept(name, held.spread(values), keep), held.cells
        if parameters is not None and monthly.keys() >= set(BALANCE):
            index = spei.standardise(spei.accumulate(_balance(monthly, record, job, rows)), parameters)
            yield scenario, "spei12", _kept("spei12", index.astype(np.float32), keep), fed


def _base(job: Job, rows: slice) -> tuple[dict[str, Floats], Floats | None]:
    """(limits by daily variable, parameters of SPEI) of the base years."""
    record, axis = job.reference, job.reference.axis
    whole = record.pieces.keys() >= set(BALANCE)
    limits: dict[str, Floats] = {}
    monthly: dict[str, Float32] = {}
    limited = limits_of(record)
    for daily in record.pieces:
        if daily not in limited and not (whole and daily in job.balance):
            continue
        held = _read(record, job.reference_gate, daily, job, rows)
        if daily in limited:
            limits[daily] = np.full((len(held.cells), axis.longest_year), np.nan)
            limits[daily][held.cells] = indices.percentile_of_days(held.days, axis, job.base, LIMITS[daily])
        if whole and daily in job.balance:
            monthly[daily] = held.spread(_monthly(daily, held.days, axis))
    if not whole or job.base.n < spei.MIN_CALIBRATION:
        return limits, np.full((len(_latitudes(job, rows)), 12, 3), np.nan) if whole else None
    columns = axis.years.columns_of(job.base)
    sums = spei.accumulate(_balance(monthly, record, job, rows))
    return limits, spei.fit(sums, slice(12 * columns.start, 12 * columns.stop))


def _read(record: DailyRecord, gate: InputGate, daily: str, job: Job, rows: slice) -> _Held:
    """Of places in a list only the rows that hold one are read: most of their lattice is empty."""
    n_lon = job.grid.n_lon
    parts = [rows]
    if place_cells.is_list(record):
        parts = [slice(row, row + 1) for row in place_cells.rows(record, job.grid) if rows.start <= row < rows.stop]
    cells = np.zeros((rows.stop - rows.start) * n_lon, bool)
    found = [np.empty((0, record.axis.n), np.float32)]
    for part in parts:
        days = _days(record, gate, daily, job, part)
        held = np.logical_not(np.isnan(days).all(axis=1))
        first = (part.start - rows.start) * n_lon
        cells[first : first + len(days)] = held
        found.append(days if held.all() else days[held])
    days = found[1] if len(found) == 2 else np.concatenate(found)
    gate.look(daily, days, job.grid, np.flatnonzero(cells) + rows.start * n_lon)
    gate.count(daily, int(np.count_nonzero(~np.isnan(days))), days.size)
    return _Held(days, cells)


def _days(record: DailyRecord, gate: InputGate, daily: str, job: Job, rows: slice) -> Float32:
    days = record.read(daily, job.grid, rows)
    if daily == "pr" and job.blank_rain_is_dry:
        # of tables it is decided as they are read: there a blank differs from no row, no column and a code
        blank = np.isnan(days) & ~record.of_tables(daily, job.grid, rows)[:, None]
        measured = station_values.in_measured_years(days, record.axis.year_starts)
        unmeasured = np.zeros(len(days), bool)
        for other in record.pieces.keys() - {"pr"}:
            reported = blank & ~np.isnan(record.read(other, job.grid, rows))
            days[reported & measured] = 0.0
            unmeasured |= (reported & ~measured).any(axis=1)
        gate.unmeasured += int(unmeasured.sum())
    return days


def _kept(name: str, values: Float32, keep: slice) -> Float32:
    steps = VARIABLES[name].steps
    return values[:, keep.start * steps : keep.stop * steps]


def _monthly(daily: str, days: Float32, axis: DayAxis) -> Float32:
    return indices.monthly_sums(days, axis) if daily == "pr" else indices.monthly_means(days, axis)


def _yearly(
    daily: str, days: Float32, axis: DayAxis, limits: Mapping[str, Floats], crossing: bool
) -> dict[str, Float32]:
    if daily == "tas":
        return {"ta_yearly": indices.yearly_means(days, axis)}
    if daily == "tasmax":
        return indices.warm_indices(days, axis, limits[daily])
    if daily == "tasmin":
        return indices.cold_indices(days, axis, limits[daily])
    if daily == "pr":
        return indices.rain_indices(days, axis, spells_cross_years=crossing)
    return {}


def _balance(monthly: Mapping[str, Float32], record: DailyRecord, job: Job, rows: slice) -> Floats:
    return water_balance(monthly, _latitudes(job, rows), record.files, extremes=job.extremes)


def water_balance(monthly: Mapping[str, Float32], latitude: Floats, files: str, *, extremes: bool) -> Floats:
    """(cells, months) precipitation minus reference evapotranspiration at sea level, mm/month.

    monthly  : daily variable of `BALANCE` -> (cells, months) of its means, of pr sums
    latitude : (cells,) degrees
    extremes : evapotranspiration over tasmin and tasmax, which are there
    raises   : SchemaError for weather that cannot be
    """
    months = np.tile(np.arange(1, 13), monthly["tas"].shape[1] // 12)
    daily_extremes = {"tmin": monthly["tasmin"], "tmax": monthly["tasmax"]} if extremes else {}
    try:
        evaporation = reference_evapotranspiration(
            monthly["tas"],
            monthly["hurs"],
            monthly["sfcWind"],
            np.maximum(monthly["rsds"], np.float32(0.0)),  # models leave a little less than nothing in polar nights
            latitude,
            months,
            **daily_extremes,
        )
    except ImpossibleWeatherError as err:  # wider ranges of a --gate let it pass, or a mean that no day shows
        raise SchemaError(
            f"{files}: {err}, of which spei12 is computed (ta tas, tmin tasmin, tmax tasmax, rhm hurs, ws"
            " sfcWind, si rsds); correct the files, or leave these variables out"
        ) from err
    return np.asarray(monthly["pr"].astype(np.float64) - evaporation)


def _latitudes(job: Job, rows: slice) -> Floats:
    return np.repeat(job.grid.latitudes[rows], job.grid.n_lon)
