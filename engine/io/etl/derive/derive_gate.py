"""The quality gate of `derive`: daily values as they are read, monthly and yearly ones before they are kept.

A value that no place on Earth has refuses everything: what is computed from it would look believable. What is outside
the usual, or outside the ranges that are Korea's in another region, is a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError
from engine.core.grid import KOREA, GridDefinition
from engine.core.quality import ERROR, WARNING, Finding, Range, Severity, outside
from engine.core.scenario import Scenario, ScenarioNames, label
from engine.core.variables import VARIABLES
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.pieces import UNITS

Float32 = NDArray[np.float32]
Ints = NDArray[np.int64]

#: codes that files use for "missing" without declaring them
_CODES = (-9.0, -9.9, -99.0, -99.9, 99.9, -999.0, 999.0, 999.9, -9999.0, 9999.0)
#: a wrong unit shows in more than this share of the values
_FEW = 1e-3
_TEMPERATURE = (("K", 1.0, -273.15), ("degC", 1.0, 273.15), ("degF", 5 / 9, -160 / 9))
#: daily variable -> unit the values may really be in, factor and offset from what was read to what was meant
_READINGS: dict[str, tuple[tuple[str, float, float], ...]] = {
    "tas": _TEMPERATURE,
    "tasmax": _TEMPERATURE,
    "tasmin": _TEMPERATURE,
    "pr": (("kg m-2 s-1", 86_400.0, 0.0), ("m", 1000.0, 0.0), ("mm/day", 1 / 86_400, 0.0)),
    "hurs": (("%", 0.01, 0.0), ("1", 100.0, 0.0)),
    "sfcWind": (("km/h", 1 / 3.6, 0.0),),
    "rsds": (("W/m2", 0.0864, 0.0), ("MJ/m2/day", 1 / 0.0864, 0.0), ("J/m2", 1e-6, 0.0), ("kJ/m2", 1e-3, 0.0)),
}
#: what the largest value of a believable record lies in, to tell one reading from another
_LARGEST = {"tas": (0, 45), "tasmax": (5, 55), "tasmin": (-5, 42), "pr": (10, 1000), "hurs": (20, 110),
            "sfcWind": (2, 40), "rsds": (8, 42)}  # fmt: skip


@dataclass(slots=True)
class InputGate:
    """Gate of the input of one record: its ranges at once, its largest values when all of it was seen."""

    record: DailyRecord
    ranges: Mapping[str, Range]
    largest: dict[str, float] = field(default_factory=dict)
    unusual: dict[str, int] = field(default_factory=dict)
    extremes: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: values read, and those there would be without gaps, of the cells that have any
    valid: dict[str, int] = field(default_factory=dict)
    possible: dict[str, int] = field(default_factory=dict)
    #: places with years without any rain, of which no blank is taken for dry
    unmeasured: int = 0

    def look(self, daily: str, days: Float32, grid: GridDefinition, cells: Ints) -> None:
        """Take note of (cells, days) of some cells of the lattice, numbers from 0; refuse a value outside the hard
        range."""
        limits = self.ranges[f"daily_{daily}"]
        found = outside(days, limits)
        if np.isnan(found.lowest):
            return
        if found.hard:
            raise SchemaError(self._refusal(daily, days, limits, grid, cells))
        low, high = self.extremes.get(daily, (found.lowest, found.highest))
        self.extremes[daily] = min(low, found.lowest), max(high, found.highest)
        self.unusual[daily] = self.unusual.get(daily, 0) + found.usual

    def count(self, daily: str, valid: int, possible: int) -> None:
        """Add up how complete the record is."""
        self.valid[daily] = self.valid.get(daily, 0) + valid
        self.possible[daily] = self.possible.get(daily, 0) + possible

    def compare(self, tasmin: Float32, tasmax: Float32) -> None:
        """Refuse monthly means of a band, (cells, months), whose minima lie above the maxima: columns are swapped."""
        compared = int(np.count_nonzero(~np.isnan(tasmin + tasmax)))
        above = int(np.count_nonzero(tasmin > tasmax))
        if above > _FEW * compared:
            raise SchemaError(
                f"{self.record.files}: the monthly mean of tasmin lies above that of tasmax in {above} of {compared}"
                " months: are they swapped?"
            )

    def close(self) -> list[Finding]:
        """Warnings of the whole record; refuses one whose largest value is too small for the unit it states."""
        findings = []
        for daily, (low, high) in self.extremes.items():
            limits = self.ranges.get(f"daily_{daily}_largest")
            least = limits.low if limits is not None else -np.inf
            if daily == "pr" and daily in self.record.monthly:
                least /= 31  # a month has at least the rain of its wettest day
            if limits is not None and high == 0.0:
                findings.append(Finding(WARNING, daily, f"{self.record.files}: every value of {daily} is 0"))
            elif high < least:
                raise SchemaError(
                    f"{self.record.files}: the largest of all values of {daily} is {high:g} {UNITS[daily]}, less than"
                    f" {least:g}{self._cause(daily, low, high)}; if it is true, --gate FILE sets"
                    f" [daily_{daily}_largest]"
                )
            if n := self.unusual[daily]:
                usual = self.ranges[f"daily_{daily}"]
                message = (
                    f"{self.record.files}: {counted(n, 'value')} of {daily} outside the usual {usual.usual_low:g}.."
                    f"{usual.usual_high:g} {UNITS[daily]}, found {low:g} to {high:g}"
                )
                findings.append(Finding(WARNING, daily, message, n))
        if self.unmeasured:
            message = (
                f"{self.record.files}: {counted(self.unmeasured, 'place')}"
                f" {agree(self.unmeasured, 'has', 'have')} years without any value of rain: rain that is"
                " blank there is missing, not dry"
            )
            findings.append(Finding(WARNING, "pr", message, self.unmeasured))
        return findings

    def completeness(self, daily: str) -> str:
        """`on 48 of 1461 days`, as a mean of the cells that have any."""
        valid, possible = self.valid.get(daily, 0), self.possible.get(daily, 0)
        if not valid:
            return f"daily {daily} has no value in these years"
        days = self.record.axis.n
        step = "monthly" if daily in self.record.monthly else "daily"
        return f"{step} {daily} has a value on {of_all(round(days * valid / possible), days, 'day')}"

    def _refusal(self, daily: str, days: Float32, limits: Range, grid: GridDefinition, cells: Ints) -> str:
        bad = (days < limits.low) | (days > limits.high)
        cell, day = (int(index[0]) for index in np.nonzero(bad))
        row, column = divmod(int(cells[cell]), grid.n_lon)
        north, east = grid.latitudes[row], grid.longitudes[column]
        values = days[bad]
        lowest, highest = float(np.nanmin(days)), float(np.nanmax(days))
        odd = np.unique(values)
        if len(odd) == 1 and (len(values) > 1 or np.isclose(odd[0], _CODES, atol=1e-3).any()):
            said = "all are" if len(values) > 1 else "it is"
            cause = (
                f": {said} {odd[0]:g}, probably a code for missing values; declare it as _FillValue, or leave the"
                " field of a table blank"
            )
        else:
            few = len(values) < _FEW * np.count_nonzero(~np.isnan(days))
            cause = "" if few else self._cause(daily, lowest, highest)
        return (
            f"{self._file(daily, day)}: {counted(len(values), 'value')} of {daily}"
            f" {agree(len(values), 'is', 'are')} outside {limits.low:g}..{limits.high:g}"
            f" {UNITS[daily]} (found {lowest:g} to {highest:g}; the first is {float(days[cell, day]):g} at {north:g} N"
            f" {east:g} E on {self.record.axis.date(day)}){cause}"
        )

    def _cause(self, daily: str, lowest: float, highest: float) -> str:
        limits, (least, most) = self.ranges[f"daily_{daily}"], _LARGEST[daily]
        for unit, factor, offset in _READINGS[daily]:
            low, high = lowest * factor + offset, highest * factor + offset
            if limits.low <= low and high <= limits.high and least <= high <= most:
                looks = {"K": "kelvin", "1": "a share of 1", "%": "per cent"}.get(unit, unit)
                return f": the values look like {looks}; if so, --unit {daily}={unit}"
        return ""

    def _file(self, daily: str, day: int) -> str:
        for piece in self.record.pieces[daily]:
            if day in piece.days(self.record.axis):
                return piece.file
        return self.record.files


@dataclass(slots=True)
class _Written:
    hard: int = 0
    usual: int = 0
    lowest: float = np.inf
    highest: float = -np.inf
    fed: int = 0
    filled: int = 0


@dataclass(slots=True)
class OutputGate:
    """Gate of the output, by scenario and variable."""

    grid: GridDefinition
    ranges: Mapping[str, Range]
    #: the caller gave ranges of the region; else they are Korea's
    own_ranges: bool
    #: of the scenarios, where these are no SSPs
    names: ScenarioNames = field(default_factory=dict)
    seen: dict[tuple[Scenario, str], _Written] = field(default_factory=dict)

    def look(self, scenario: Scenario, name: str, values: Float32, fed: NDArray[np.bool_]) -> None:
        """Take note of a latitude band: (cells, steps), and which of its cells had daily values."""
        said = self.seen.setdefault((scenario, name), _Written())
        said.fed += int(fed.sum())
        said.filled += int((~np.isnan(values)).any(axis=1).sum())
        if name in self.ranges and not np.isnan(values).all():
            found = outside(values, self.ranges[name])
            said.hard += found.hard
            said.usual += found.usual
            said.lowest, said.highest = min(said.lowest, found.lowest), max(said.highest, found.highest)

    def empty(self) -> list[tuple[Scenario, str]]:
        """Variables without any value."""
        return [key for key, said in self.seen.items() if not said.filled]

    def close(self) -> list[Finding]:
        """Warnings; refuses values outside the hard range of the region."""
        findings = []
        for (scenario, name), said in self.seen.items():
            what = f"{name} of {label(scenario, self.names)}"
            if 0 < said.filled < said.fed:
                lacking = said.fed - said.filled
                message = (
                    f"{what}: {of_all(lacking, said.fed, 'cell')} with daily values"
                    f" {agree(lacking, 'has', 'have')} none"
                )
                findings.append(Finding(WARNING, name, message, lacking))
            if not (said.hard or said.usual):
                continue
            limits, unit = self.ranges[name], VARIABLES[name].unit
            spread = f"found {said.lowest:g} to {said.highest:g}{'' if unit == '1' else f' {unit}'}"
            if not said.hard:
                usual = f"{limits.usual_low:g}..{limits.usual_high:g}"
                message = f"{what}: {counted(said.usual, 'value')} outside the usual {usual}, {spread}"
                findings.append(Finding(WARNING, name, message, said.usual))
                continue
            message = f"{what}: {counted(said.hard, 'value')} outside {limits.low:g}..{limits.high:g}, {spread}"
            if self._severity() == ERROR:
                raise SchemaError(message)
            message += f"; the loader refuses them unless --gate FILE sets [{name}] for this region"
            findings.append(Finding(WARNING, name, message, said.hard))
        return findings

    def _severity(self) -> Severity:
        """The built-in ranges are those of Korea; elsewhere only the caller's are held against the values."""
        return ERROR if self.own_ranges or self.grid.inside(KOREA) else WARNING
