"""Ranges of plausible values, and the findings for values outside them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SettingsError
from engine.core.grid import KOREA, GridDefinition

ERROR: Literal["E"] = "E"
WARNING: Literal["W"] = "W"
Severity = Literal["E", "W"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing the gate noticed. `E` refuses the table, `W` is reported; `count` of values, rows or cells."""

    severity: Severity
    table: str
    message: str
    count: int = 0

    def __str__(self) -> str:
        return f"{self.severity} {self.table}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        """As kept in `etl_load.gate_report`."""
        return asdict(self)


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """Those that refuse."""
    return [finding for finding in findings if finding.severity == ERROR]


@dataclass(frozen=True, slots=True)
class Range:
    """Limits of one variable in its stored unit, both ends included; infinite where no limit is set."""

    low: float
    high: float
    usual_low: float
    usual_high: float

    def __post_init__(self) -> None:
        if not (self.low <= self.high and self.usual_low <= self.usual_high):
            raise SettingsError(f"a range of the gate is empty: {self}")


class Outside(NamedTuple):
    """Number of values outside, and the extremes; NaN is neither inside nor outside."""

    hard: int
    usual: int
    lowest: float
    highest: float


def outside(values: NDArray[np.float32], limits: Range) -> Outside:
    """Count values outside the hard and outside the usual range; any shape, NaN = missing.

    Looks at each value only when the extremes lie outside, so a clean block costs two passes.
    """
    if values.size == 0:
        return Outside(0, 0, math.nan, math.nan)
    lowest, highest = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
    hard = usual = 0
    if lowest < limits.low or highest > limits.high:
        hard = int(np.count_nonzero((values < limits.low) | (values > limits.high)))
    if lowest < limits.usual_low or highest > limits.usual_high:
        usual = int(np.count_nonzero((values < limits.usual_low) | (values > limits.usual_high)))
    return Outside(hard, usual, lowest, highest)


#: ranges that hold anywhere on Earth, as a gate file
WORLD = Path(__file__).with_name("quality_ranges_world.toml")


def ranges_at(grid: GridDefinition | None) -> dict[str, Range]:
    """Ranges for a lattice: Korea's inside its own and for a warehouse without one, the world's elsewhere."""
    return load_ranges() if grid is None or grid.inside(KOREA) else world_ranges()


def world_ranges() -> dict[str, Range]:
    """The built-in ranges with those that hold anywhere on Earth in the place of Korea's."""
    return load_ranges(WORLD)


def load_ranges(path: Path | None = None) -> dict[str, Range]:
    """Ranges by variable; entries of `path` (another region) take the place of the built-in ones.

    path   : TOML, a table per variable with `hard = [low, high]` and/or `usual = [low, high]`
    raises : SettingsError for an unreadable file, an unknown name or limits that are not two numbers
    """
    ranges = _read("quality_ranges.toml")
    if path is None:
        return ranges
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as err:
        raise SettingsError(f"gate file {path} cannot be read: {err}") from err
    if unknown := sorted(set(entries) - set(ranges)):
        raise SettingsError(f"gate file {path} names unknown entries: {', '.join(unknown)}")
    return ranges | {name: _range(name, entry) for name, entry in entries.items()}


def _read(file: str) -> dict[str, Range]:
    entries = tomllib.loads((resources.files("engine.core") / file).read_text("utf-8"))
    return {name: _range(name, entry) for name, entry in entries.items()}


def _range(name: str, entry: Any) -> Range:
    limits = []
    for key in ("hard", "usual"):
        pair = entry.get(key, [-math.inf, math.inf]) if isinstance(entry, dict) else None
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(limit, int | float) for limit in pair)):
            raise SettingsError(f"gate entry {name} needs {key} = [low, high], found {entry!r}")
        limits += [float(limit) for limit in pair]
    if isinstance(entry, dict) and (odd := sorted(set(entry) - {"hard", "usual"})):
        raise SettingsError(f"gate entry {name} has unknown keys: {', '.join(odd)}")
    return Range(*limits)
