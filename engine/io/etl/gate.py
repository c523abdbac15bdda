"""The quality gate: what staged data must look like before anybody reads them.

Works on the arrays that were written, so a load is scanned once. The reader already took every fill value out, a row is
written for every step of a cell's axis, and a cell number is computed from its indices: what is left to prove here are
ranges, gaps, scenarios and geography. Severity E refuses the table, W is kept in the record of the load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.grid import KOREA, GridDefinition
from engine.core.period import Years
from engine.core.quality import ERROR, WARNING, Finding, Range, Severity, outside
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import Variable
from engine.io.etl.loading import OBSERVED
from engine.io.netcdf import units
from engine.io.netcdf.timeaxis import Ints

Float32 = NDArray[np.float32]

#: a rolling index over 12 months has none in the first 11
LEADING_GAP = {"spei12": 11}
_FIRST, _LAST = Years(2021, 2030), Years(2081, 2100)
#: share of cells with gaps, or of values that break a rule between variables, above which a table is refused
_TOLERATED = 0.001
#: share of equal values between two scenarios of temperature
_EQUAL = 0.01
#: over a shorter span of latitude, terrain outweighs it
_SPAN_DEGREES = 1.0
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Staged:
    """One climate variable as it is about to be stored.

    cells   : (cells,) lattice index from 0, ascending
    columns : scenario -> (cells, steps) in the stored unit, NaN = missing; a scenario that is not loaded is absent
    """

    variable: Variable
    grid: GridDefinition
    scope: str
    cells: Ints
    columns: Mapping[Scenario, Float32]

    @property
    def grid_id(self) -> Ints:
        """(cells,) as stored."""
        return self.cells + 1

    @property
    def steps(self) -> int:
        """Length of the axis."""
        return self.grid.axis.n * self.variable.steps

    @property
    def present(self) -> dict[Scenario, Float32]:
        """The columns the gate looks at: in scope `observed`, one that is wholly missing is skipped."""
        return {
            scenario: values
            for scenario, values in self.columns.items()
            if not (self.scope == OBSERVED and np.isnan(values).all())
        }

    def mean(self, scenario: Scenario, years: Years) -> float:
        """Mean over the domain and a window of the axis."""
        window = self.grid.axis.columns_of(years)
        steps = slice(window.start * self.variable.steps, window.stop * self.variable.steps)
        values = self.columns[scenario][:, steps]
        return float(means(values.reshape(1, -1))[0])


def means(values: Float32) -> NDArray[np.float64]:
    """(rows,) mean of the valid values of each row; NaN without one."""
    valid = ~np.isnan(values)
    total, n = np.sum(values, axis=1, where=valid, dtype=np.float64), valid.sum(axis=1)
    result = np.full(len(values), np.nan)
    np.divide(total, n, where=n > 0, out=result)
    return result


def climate_findings(
    staged: Staged, ranges: Mapping[str, Range], elevation: NDArray[np.float64] | None = None
) -> list[Finding]:
    """Everything one variable can be asked on its own; elevation (cells,) m, NaN = unknown."""
    table = staged.variable.table
    if not len(staged.cells):
        return [Finding(ERROR, table, "no cell has a value in any scenario")]
    return [
        *_range_findings(staged, ranges),
        *_gap_findings(staged),
        *_scenario_findings(staged),
        *_order_findings(staged),
        *_geography_findings(staged, ranges, elevation),
        *_own_findings(staged, ranges),
    ]


def figures(staged: Staged) -> dict[str, Any]:
    """Figures for a later check: per scenario column count of missing, min, max and sum of the stored values."""
    found = {}
    for scenario, values in staged.columns.items():
        valid = values[~np.isnan(values)]
        found[scenario.column] = {
            "missing": int(values.size - valid.size),
            "min": float(valid.min()) if valid.size else None,
            "max": float(valid.max()) if valid.size else None,
            "sum": float(valid.sum(dtype=np.float64)) if valid.size else None,
        }
    return found


def mask_findings(table: str, cells: Ints, reference: Ints, reference_table: str, severity: Severity) -> list[Finding]:
    """The cells with values must be those of the first required table (lattice indices, both ascending)."""
    extra, lacking = np.setdiff1d(cells, reference), np.setdiff1d(reference, cells)
    if not (len(extra) or len(lacking)):
        return []
    message = (
        f"cells with values differ from {reference_table}: {len(lacking)} are missing{_listed(lacking + 1)}"
        f" and {len(extra)} are extra{_listed(extra + 1)}"
    )
    return [Finding(severity, table, message, len(extra) + len(lacking))]


def is_national(grid: GridDefinition | None) -> bool:
    """Check whether cells and regions can be counted against those of South Korea."""
    return grid is not None and (grid.n_lat, grid.n_lon, grid.step) == (KOREA.n_lat, KOREA.n_lon, KOREA.step)


def limit_findings(table: str, values: NDArray[Any], limits: Range, what: str) -> list[Finding]:
    """Values outside the hard (E) and the usual range (W)."""
    found = outside(values, limits)
    extremes = f"found {found.lowest:g} to {found.highest:g}"
    findings = []
    if found.hard:
        message = f"{counted(found.hard, 'value')} of {what} outside {limits.low:g}..{limits.high:g}, {extremes}"
        findings.append(Finding(ERROR, table, message, found.hard))
    elif found.usual:
        message = (
            f"{counted(found.usual, 'value')} of {what} outside the usual"
            f" {limits.usual_low:g}..{limits.usual_high:g}, {extremes}"
        )
        findings.append(Finding(WARNING, table, message, found.usual))
    return findings


def share_findings(table: str, broken: int, total: int, rule: str) -> list[Finding]:
    """A rule between two variables: refused when more than 0.1 % of the pairs break it, else reported."""
    if not broken:
        return []
    severity: Severity = ERROR if broken > _TOLERATED * total else WARNING
    return [Finding(severity, table, f"{rule} is broken in {of_all(broken, total, 'value')}", broken)]


def _range_findings(staged: Staged, ranges: Mapping[str, Range]) -> list[Finding]:
    name, table = staged.variable.name, staged.variable.table
    findings = []
    for scenario, values in staged.present.items():
        if name in ranges:
            findings += limit_findings(table, values, ranges[name], scenario.column)
        lowest, highest = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
        if staged.variable.unit == "degC" and lowest > 200:
            findings.append(
                Finding(ERROR, table, f"{scenario.column} looks like kelvin: its smallest value is {lowest:g}")
            )
        if name == "rhm" and highest <= 1.5:
            findings.append(
                Finding(ERROR, table, f"{scenario.column} looks like a share: its largest value is {highest:g}")
            )
    return findings


def _gap_findings(staged: Staged) -> list[Finding]:
    """A cell is complete or wholly missing in a scenario."""
    table, lead = staged.variable.table, LEADING_GAP.get(staged.variable.name, 0)
    observed = staged.scope == OBSERVED
    # sea cells, which are kept on demand, have no value in any scenario
    land = ~np.logical_and.reduce([np.isnan(values).all(axis=1) for values in staged.columns.values()])
    findings = []
    for scenario, values in staged.present.items():
        missing = np.isnan(values[:, lead:]).sum(axis=1)
        whole = missing == staged.steps - lead
        partly = (missing > 0) & ~whole
        whole &= land
        if n := int(partly.sum()):
            refused = n > _TOLERATED * len(partly) and not observed
            message = (
                f"{of_all(n, len(partly), 'cell')} {agree(n, 'has', 'have')} gaps in"
                f" {scenario.column}{_listed(staged.grid_id[partly])}"
            )
            findings.append(Finding(ERROR if refused else WARNING, table, message, n))
        if n := int(whole.sum()):
            message = (
                f"{of_all(n, len(whole), 'cell')} {agree(n, 'has', 'have')} no value in"
                f" {scenario.column}{_listed(staged.grid_id[whole])}"
            )
            findings.append(Finding(WARNING, table, message, n))
    return findings


def _scenario_findings(staged: Staged) -> list[Finding]:
    """Catches one file loaded under several names. A past that two scenarios share, as a historical run that was joined
    to both, is not compared."""
    findings = []
    for one, other in combinations(staged.present, 2):
        a, b = _beyond_the_shared_past(staged.columns[one], staged.columns[other])
        compared = int(np.count_nonzero(~(np.isnan(a) | np.isnan(b))))
        equal = int(np.count_nonzero(a == b))
        constant = bool(np.fmin.reduce(a, axis=None) == np.fmax.reduce(a, axis=None))
        same = compared > 0 and equal == compared and not constant
        if same or (staged.variable.name == "ta" and equal > _EQUAL * compared):
            share = 100 * equal / compared
            message = f"scenarios equal: {share:.1f} % of the values of {one.column} and {other.column} are the same"
            findings.append(Finding(ERROR, staged.variable.table, message, equal))
    return findings


def _beyond_the_shared_past(a: Float32, b: Float32) -> tuple[Float32, Float32]:
    """Steps from the first at which two scenarios differ anywhere; all where they never do."""
    differs = np.flatnonzero(((a != b) & ~(np.isnan(a) & np.isnan(b))).any(axis=0))
    first = int(differs[0]) if len(differs) else 0
    return a[:, first:], b[:, first:]


def _order_findings(staged: Staged) -> list[Finding]:
    name, table, axis = staged.variable.name, staged.variable.table, staged.grid.axis
    rising = {"ta": 1, "wsdi": 1, "csdi": -1}.get(name)
    if rising is None or len(staged.present) < len(Scenario):
        return []
    findings = []
    if axis.holds(_LAST):
        late = [staged.mean(scenario, _LAST) for scenario in Scenario]
        # temperature is ordered throughout; of the spells, which may all be gone, only the ends are compared
        pairs = list(pairwise(late)) if name == "ta" else [(late[0], late[-1])]
        if any(rising * (after - before) < 0 for before, after in pairs):
            listed = ", ".join(f"{scenario.column} {mean:.2f}" for scenario, mean in zip(Scenario, late, strict=True))
            order = "rise" if rising > 0 else "fall"
            message = f"means of {_LAST} do not {order} from {Scenario.SSP126.code} to {Scenario.SSP585.code}: {listed}"
            findings.append(Finding(WARNING, table, message))
    if name == "ta" and axis.holds(_FIRST):
        early = [staged.mean(scenario, _FIRST) for scenario in Scenario]
        if (spread := max(early) - min(early)) > 1:
            findings.append(Finding(WARNING, table, f"means of {_FIRST} differ by {spread:.2f} degC between scenarios"))
    return findings


def _geography_findings(
    staged: Staged, ranges: Mapping[str, Range], elevation: NDArray[np.float64] | None
) -> list[Finding]:
    table, grid, findings = staged.variable.table, staged.grid, list[Finding]()
    if is_national(grid) and staged.scope == "full":
        cells = np.asarray([len(staged.cells)], np.float32)
        findings += limit_findings(table, cells, ranges["korea_land_cells"], "number of cells")
    if staged.variable.name != "ta" or not staged.present:
        return findings
    mean = means(next(iter(staged.present.values())))
    latitude = np.abs(grid.latitudes[staged.cells // grid.n_lon])  # it gets colder towards either pole
    # a handful of stations may lie otherwise, a warm one on the coast, a cold one south of it in the mountains; so may
    # whole countries between the tropics and in high mountains
    certain = staged.scope != OBSERVED and grid.inside(KOREA)
    for what, against, span in (("latitude", latitude, _SPAN_DEGREES), ("elevation", elevation, 200.0)):
        if against is None:
            continue
        known = ~(np.isnan(against) | np.isnan(mean))
        if known.sum() > 2 and np.ptp(against[known]) >= span:
            correlation = float(np.corrcoef(mean[known], against[known])[0, 1])
            if correlation >= 0:
                message = f"temperature rises with {what} (correlation {correlation:+.2f}): is the map upside down?"
                findings.append(Finding(ERROR if certain else WARNING, table, message))
    return findings


def _own_findings(staged: Staged, ranges: Mapping[str, Range]) -> list[Finding]:
    name, table, axis = staged.variable.name, staged.variable.table, staged.grid.axis
    findings = []
    if name == "rn":
        for scenario, values in staged.present.items():
            sums = values.reshape(len(values), axis.n, 12).sum(axis=2)
            findings += limit_findings(table, sums, ranges["rn_annual_sum"], f"the annual sum of {scenario.column}")
    if name == "si":
        rows = staged.cells // staged.grid.n_lon
        top = float(np.mean(units.extraterrestrial_radiation(float(staged.grid.latitudes[rows].mean()))))
        for scenario in staged.present:
            clearness = np.asarray([staged.mean(scenario, axis) / top], np.float32)
            findings += limit_findings(table, clearness, ranges["si_clearness"], f"the clearness of {scenario.column}")
    if name == "spei12" and staged.present:
        scenario = DEFAULT_SCENARIO if DEFAULT_SCENARIO in staged.present else next(iter(staged.present))
        calibration = Years(axis.first, min(axis.first + 29, axis.last))
        mean = np.asarray([staged.mean(scenario, calibration)], np.float32)
        findings += limit_findings(
            table, mean, ranges["spei12_mean"], f"the mean of {scenario.column} in {calibration}"
        )
    return findings


def _listed(grid_ids: Ints | Sequence[int]) -> str:
    if not len(grid_ids):
        return ""
    more = ", ..." if len(grid_ids) > _LISTED else ""
    return f" (grid_id {', '.join(str(int(cell)) for cell in grid_ids[:_LISTED])}{more})"
