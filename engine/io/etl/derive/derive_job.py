"""Request to `derive`, and its files opened: scenarios and base years that fit together, and their lattice."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from engine.core.counted import counted
from engine.core.errors import SettingsError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.quality import Range, load_ranges
from engine.core.scenario import DEFAULT_SCENARIO, Scenario, ScenarioNames
from engine.io.etl.derive import daily_files, place_cells
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive_band import BALANCE, Job, limits_of
from engine.io.etl.derive.derive_gate import InputGate
from engine.io.etl.derive.station_tables import PLAIN, TableOptions

log = logging.getLogger(__name__)

_CODE = re.compile(r"ssp[-_]?(126|245|370|585)(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to derive of which files.

    files      : daily or monthly NetCDF files, or tables of stations, each with some of tas, tasmax, tasmin, pr, hurs,
                 sfcWind, rsds (or the provider's element names); a scenario's years may be split over files
    base       : years of the calendar-day percentiles and of the SPEI calibration, one for all scenarios
    grouped    : files of each scenario, over what their names say; empty: by these, or `scenario`
    names      : of the scenarios, where these are no SSPs or not all four; written beside the lattice
    scenario   : of all files; None = each file name or folder carries its code, such as `ssp245`
    base_files : daily files of the base years; left out, they are SSP2-4.5's, or the only scenario's
    years      : of the output; None = all years of the files. Sums reach into the year before where the files have it
    grid       : the lattice (its years do not matter); None = that of the first file. Of places in a list each becomes
                 the cell that holds it; places outside are left out with a warning; two in one cell are refused
    step       : degrees of the lattice that is made for places in a list when `grid` is None; None: one that tells them
                 apart
    attributes : further global attributes of every file written
    scope      : `full` or `observed`, of all files; None = as they say, else full
    units      : daily variable -> unit that overrides the files'
    tables     : what tables of stations do not say themselves
    dry_spells_cross_years : CDD: spells go on over New Year, and belong to the year they begin in
    member     : the one to read of files with several climate models or realisations; base files may have none
    ranges     : of the gate, those of the region; None = the built-in ones, which are Korea's
    """

    files: Sequence[Path] = ()
    base: Years
    grouped: Mapping[Scenario, Sequence[Path]] = field(default_factory=dict)
    names: ScenarioNames = field(default_factory=dict)
    scenario: Scenario | None = None
    base_files: Sequence[Path] = ()
    years: Years | None = None
    grid: GridDefinition | None = None
    step: float | None = place_cells.STEP
    attributes: Mapping[str, str] = field(default_factory=dict)
    scope: str | None = None
    units: Mapping[str, str] | None = None
    tables: TableOptions = PLAIN
    dry_spells_cross_years: bool = False
    member: str | None = None
    ranges: Mapping[str, Range] | None = None

    @cached_property
    def limits(self) -> Mapping[str, Range]:
        """Ranges of the gate."""
        return load_ranges() if self.ranges is None else self.ranges


def opened(stack: ExitStack, asked: Request) -> Job:
    """Open everything for the life of `stack`.

    raises : SettingsError for what does not fit together; SchemaError for a file that is not daily values
    """
    grouped = dict(asked.grouped) or _by_scenario(asked.files, asked.scenario)
    daily_files.check([*asked.files, *asked.base_files])
    read, base = (asked.units, asked.tables), asked.base_files
    records = {each: DailyRecord.open(stack, paths, *read, asked.member) for each, paths in grouped.items()}
    # a record of observations has no members
    of_base = asked.member if daily_files.members_of(base) else None
    given = DailyRecord.open(stack, base, *read, of_base) if base else None
    job = fitted(asked, records, given)
    _refuse_blank_rain(job, [*asked.files, *asked.base_files])
    return job


def fitted(asked: Request, records: Mapping[Scenario, DailyRecord], given: DailyRecord | None = None) -> Job:
    """Opened records as a job: years, base years and lattice that fit together.

    given  : record of the base years; None: SSP2-4.5's, or the only scenario's
    raises : SettingsError for what does not fit together; SchemaError for places outside the lattice
    """
    reference = _reference(records, given, asked.base)
    first = next(iter(records.values()))
    for each, record in records.items():
        _check(each, record, first, reference, asked.years)
    kept = asked.years or first.axis.years
    if (grid := asked.grid) is not None:
        lattice = GridDefinition(grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step, *kept)
    elif place_cells.is_list(first):
        lattice = place_cells.lattice(first, asked.step, kept)
    else:
        lattice = GridDefinition(*first.lattice(), *kept)
    if asked.years is not None:
        crossing = asked.dry_spells_cross_years
        records = {each: _with_run_up(record, asked.years, crossing) for each, record in records.items()}
    for record in (*records.values(), reference):
        if place_cells.is_list(record):
            place_cells.refuse_shared(record, lattice)
    for sentence in dict.fromkeys(said for record in records.values() for said in record.left_out(lattice)):
        log.warning("%s", sentence)
    for sentence in dict.fromkeys(said for record in (*records.values(), reference) for said in _gaps(record)):
        log.warning("%s", sentence)
    return Job(
        records,
        {each: InputGate(record, asked.limits) for each, record in records.items()},
        reference,
        InputGate(reference, asked.limits),
        asked.base,
        kept,
        lattice,
        asked.tables.blank_rain_is_dry,
        asked.dry_spells_cross_years,
    )


def _by_scenario(files: Sequence[Path], scenario: Scenario | None) -> dict[Scenario, list[Path]]:
    if not files:
        raise SettingsError("no daily files given")
    grouped: dict[Scenario, list[Path]] = {}
    for path in files:
        found = scenario
        if found is None:
            codes = [match[1] for part in reversed(path.parts) for match in _CODE.finditer(part)]
            if not codes:
                raise SettingsError(f"{path}: no scenario code such as ssp245 in its name; name the scenario")
            found = Scenario[f"SSP{codes[0]}"]
        grouped.setdefault(found, []).append(path)
    return dict(sorted(grouped.items()))


def _reference(records: Mapping[Scenario, DailyRecord], given: DailyRecord | None, base: Years) -> DailyRecord:
    """The record of the base years, with the year before when there is one: a sum over 12 months reaches into it."""
    if given is None:
        if DEFAULT_SCENARIO not in records and len(records) > 1:
            raise SettingsError(f"base years {base}: give base files, or the files of {DEFAULT_SCENARIO.code}")
        given = records.get(DEFAULT_SCENARIO) or next(iter(records.values()))
    if not given.covered.holds(base):
        raise SettingsError(
            f"{base} is not inside {given.covered}, the years of {given.files}; choose other base years"
        )
    return given.within(Years(max(base.first - 1, given.covered.first), base.last))


def _with_run_up(record: DailyRecord, years: Years, crossing: bool) -> DailyRecord:
    """The years asked for, and what their values reach into: the year before, and after it a dry spell that goes on."""
    last = years.last + 1 if crossing else years.last
    record = record.within(years)
    return record.within(Years(max(years.first - 1, record.covered.first), min(last, record.covered.last)))


def _gaps(record: DailyRecord) -> Iterator[str]:
    """What is odd about the days of files on a lattice, in a sentence each: a gap, or a damaged time stamp that lies
    elsewhere now. Records of places have gaps as a rule."""
    for group in record.pieces.values():
        pieces = [piece for piece in group if not piece.is_list]
        days = [piece.days(record.axis) for piece in pieces]
        for piece, numbers in zip(pieces, days, strict=True):
            steps = np.diff(numbers)
            if (steps > 0).any() and (back := np.flatnonzero(steps < 0)).size:
                yield (
                    f"{piece.file}: its days are in no order, first behind step {back[0] + 1} of {len(numbers)}: is a"
                    " time stamp wrong?"
                )
        held = np.unique(np.concatenate([*days, np.empty(0, np.int64)]))
        if len(held) and (span := int(np.ptp(held)) + 1) > len(held):
            yield f"{record.files}: of the {counted(span, 'day')} from first to last {span - len(held)} are in no file"


def _check(
    scenario: Scenario, record: DailyRecord, first: DailyRecord, reference: DailyRecord, years: Years | None
) -> None:
    """Refuse records that cannot stand in one warehouse, or that the base years do not fit."""
    if (years or record.axis.years, record.scope) != (years or first.axis.years, first.scope):
        raise SettingsError(
            f"{record.files}: years {record.axis.years} of scope {record.scope}, where {first.files} has "
            f"{first.axis.years} of {first.scope}; one warehouse holds one axis"
        )
    if record.axis.calendar != reference.axis.calendar:
        raise SettingsError(
            f"{scenario.code} has the calendar {record.axis.calendar}, its base years {reference.axis.calendar}"
        )
    for other in (first, reference):
        if differing := sorted(record.pieces.keys() & other.pieces.keys() & (record.monthly ^ other.monthly)):
            name = differing[0]
            steps = ["monthly" if name in each.monthly else "daily" for each in (record, other)]
            raise SettingsError(
                f"{name} is {steps[0]} in {record.files} and {steps[1]} in {other.files}: give one time step of it"
            )
    needed = limits_of(record) | (set(BALANCE) if record.pieces.keys() >= set(BALANCE) else set())
    if absent := sorted(needed - reference.pieces.keys()):
        raise SettingsError(f"the base files {reference.files} lack {', '.join(absent)}, which {scenario.code} has")


def _refuse_blank_rain(job: Job, files: Sequence[Path]) -> None:
    """A dry day is told from a missing one by what else the place reports."""
    alone = any(record.pieces.keys() == {"pr"} for record in (*job.records.values(), job.reference))
    if job.blank_rain_is_dry and alone:
        raise SettingsError(
            f"{', '.join(path.name for path in files)}: rain alone does not say which of its blank days were dry; give"
            " another daily variable of the same places, too"
        )
