"""Monthly means and yearly indices from daily files, written as NetCDF in the provider's layout.

The loaders then read those files like any other: there is one way into a warehouse. Means over several models smooth
daily extremes, so give this the daily data of one model or of a station, and prefer the provider's own index files.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.errors import SchemaError, SettingsError
from engine.grid import GridDefinition
from engine.io.etl import daily_files, derive_band, layout, place_cells, table_text
from engine.io.etl.daily import DailyRecord
from engine.io.etl.derive_band import BALANCE, EXTREMES, LIMITS, YIELDS, Job
from engine.io.etl.derive_gate import InputGate, OutputGate
from engine.io.etl.station_tables import PLAIN, TableOptions
from engine.kernels import spei
from engine.kernels.indices import MONTH_GAP, YEAR_GAP
from engine.period import Years
from engine.quality import Finding, Range, load_ranges
from engine.scenario import DEFAULT_SCENARIO, Scenario
from engine.variables import VARIABLES

log = logging.getLogger(__name__)

#: bytes of daily values held at a time
MEMORY = 1 << 30
#: copies of a band that reading and unpacking it needs
_COPIES = 4
_CODE = re.compile(r"ssp[-_]?(126|245|370|585)(?!\d)", re.IGNORECASE)
#: below this share of days with a value, blanks of rain may mean dry days
_RAINY = 0.9

Progress = Callable[[int, int], None]


class Derived(NamedTuple):
    """What came of it: files, warnings, and for each variable that has no value at all the reason."""

    files: list[Path]
    findings: list[Finding]
    missing: dict[str, str]


def derive(
    files: Sequence[Path],
    out: Path,
    *,
    base: Years,
    scenario: Scenario | None = None,
    base_files: Sequence[Path] = (),
    years: Years | None = None,
    grid: GridDefinition | None = None,
    step: float = place_cells.STEP,
    attributes: Mapping[str, str] | None = None,
    scope: str | None = None,
    units: Mapping[str, str] | None = None,
    tables: TableOptions = PLAIN,
    dry_spells_cross_years: bool = False,
    ranges: Mapping[str, Range] | None = None,
    progress: Progress | None = None,
    memory: int = MEMORY,
) -> Derived:
    """Derive every monthly and yearly variable that daily files allow.

    files      : daily NetCDF files or tables of stations, each with some of tas, tasmax, tasmin, pr, hurs, sfcWind,
                 rsds (or the provider's element names); a scenario's years may be split over files
    out        : root of the layout, `SSP245/monthly/...`; grid.toml is written there unless it is there
    base       : years of the calendar-day percentiles and of the SPEI calibration, one for all scenarios
    scenario   : of all files; None = each file name or folder carries its code, such as `ssp245`
    base_files : daily files of the base years; left out, they are SSP2-4.5's, or the only scenario's
    years      : of the output; None = all years of the files. Sums reach into the year before where the files have it
    grid       : the lattice (its years do not matter); None = that of the first file. Of places in a list each becomes
                 the cell that holds it; places outside are left out with a warning; two in one cell are refused
    step       : degrees of the lattice that is made for places in a list when `grid` is None
    attributes : further global attributes of every file written
    scope      : `full` or `observed`, of all files; None = as they say, else full
    units      : daily variable -> unit that overrides the files'
    tables     : what tables of stations do not say themselves
    dry_spells_cross_years : CDD: spells go on over New Year, and belong to the year they begin in
    ranges     : of the gate, those of the region; None = the built-in ones, which are Korea's
    progress   : told (cells done, of all)
    raises     : SettingsError for a missing scenario code or base years that no file holds; SchemaError for a file that
                 is not daily values, values that cannot be, or no value in anything derived. Then nothing is written

    Memory is bounded by `memory`, not by the files: latitude bands are read, computed and written in turn.
    """
    grouped = _by_scenario(files, scenario)
    daily_files.check([*files, *base_files])
    with _folders(out), ExitStack() as stack:
        job = _job(stack, grouped, base_files, base, years, grid, step, units, tables, dry_spells_cross_years, ranges)
        _refuse_blank_rain(job, [*files, *base_files])
        extra = {"base_period": str(base), **(attributes or {})}
        gate = OutputGate(job.grid, ranges or load_ranges(), ranges is not None)
        written: dict[tuple[Scenario, str], layout.GriddedFile] = {}
        paths: dict[tuple[Scenario, str], Path] = {}
        for each, record in job.records.items():
            for name, method in _variables_of(record, job):
                paths[each, name] = layout.gridded_path(out, VARIABLES[name], each, job.years)
                opened = layout.create_gridded(
                    paths[each, name],
                    job.grid,
                    VARIABLES[name],
                    each,
                    scope=scope or record.scope,
                    attributes=extra,
                    cell_methods=method,
                )
                written[each, name] = stack.enter_context(opened)
        log.info("deriving %d variables of %d scenarios on %d x %d cells, %s", len({name for _, name in paths}),
                 len(job.records), job.grid.n_lat, job.grid.n_lon, job.years)  # fmt: skip
        _fill(job, written, gate, progress, memory)
        findings, missing = _concluded(job, gate, bool(base_files))
    for each, name in gate.empty():
        paths.pop((each, name)).unlink()
    _remove_empty(out, new=False)
    _write_lattice(out, job.grid)
    return Derived(list(paths.values()), findings, missing)


def _job(
    stack: ExitStack,
    grouped: Mapping[Scenario, Sequence[Path]],
    base_files: Sequence[Path],
    base: Years,
    years: Years | None,
    grid: GridDefinition | None,
    step: float,
    units: Mapping[str, str] | None,
    tables: TableOptions,
    crossing: bool,
    ranges: Mapping[str, Range] | None,
) -> Job:
    """Open everything, and refuse what does not fit together."""
    ranges = ranges or load_ranges()
    records = {each: DailyRecord.open(stack, paths, units, tables) for each, paths in grouped.items()}
    given = DailyRecord.open(stack, base_files, units, tables) if base_files else None
    reference = _reference(records, given, base)
    first = next(iter(records.values()))
    for each, record in records.items():
        _check(each, record, first, reference, years)
    kept = years or first.axis.years
    if grid is not None:
        lattice = GridDefinition(grid.lat0, grid.lon0, grid.n_lat, grid.n_lon, grid.step, *kept)
    elif place_cells.is_list(first):
        lattice = place_cells.lattice(first, step, kept)
    else:
        lattice = GridDefinition(*first.lattice(), *kept)
    if years is not None:
        records = {each: _with_run_up(record, years, crossing) for each, record in records.items()}
    for record in (*records.values(), reference):
        if place_cells.is_list(record):
            place_cells.refuse_shared(record, lattice)
    for sentence in dict.fromkeys(said for record in records.values() for said in record.left_out(lattice)):
        log.warning("%s", sentence)
    gates = {each: InputGate(record, ranges) for each, record in records.items()}
    return Job(
        records, gates, reference, InputGate(reference, ranges), base, kept, lattice, tables.blank_rain_is_dry, crossing
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
    needed = record.pieces.keys() & LIMITS.keys() | (set(BALANCE) if record.pieces.keys() >= set(BALANCE) else set())
    if absent := sorted(needed - reference.pieces.keys()):
        raise SettingsError(f"the base files {reference.files} lack {', '.join(absent)}, which {scenario.code} has")


def _refuse_blank_rain(job: Job, files: Sequence[Path]) -> None:
    """A dry day of a NetCDF file is told from a missing one by what else the place reports."""
    alone = any(record.pieces.keys() == {"pr"} for record in (*job.records.values(), job.reference))
    if job.blank_rain_is_dry and alone and not all(map(table_text.is_table, files)):
        raise SettingsError(
            f"{', '.join(path.name for path in files)}: rain alone does not say which of its blank days were dry; give"
            " another daily variable of the same places, too"
        )


def _variables_of(record: DailyRecord, job: Job) -> Iterator[tuple[str, str]]:
    """(variable, how it came about) of everything a record allows."""
    for daily in record.pieces:
        for name in YIELDS[daily]:
            yield name, f"derived from daily {daily}"
    if record.pieces.keys() >= set(BALANCE):
        inputs = (*BALANCE, *(EXTREMES if job.extremes else ()))
        yield "spei12", f"derived from daily {', '.join(inputs)}: Penman-Monteith, log-logistic, unbiased moments"


def _bands(job: Job, memory: int) -> Iterator[slice]:
    days = max(record.axis.n for record in (*job.records.values(), job.reference))
    rows = max(1, memory // (_COPIES * 4 * days * job.grid.n_lon))
    for start in range(0, job.grid.n_lat, rows):
        yield slice(start, min(start + rows, job.grid.n_lat))


def _fill(
    job: Job,
    written: Mapping[tuple[Scenario, str], layout.GriddedFile],
    gate: OutputGate,
    progress: Progress | None,
    memory: int,
) -> None:
    for rows in _bands(job, memory):
        done, cells = rows.start * job.grid.n_lon, (rows.stop - rows.start) * job.grid.n_lon
        for number, (each, name, values, fed) in enumerate(derive_band.compute(job, rows), 1):
            gate.look(each, name, values, fed)
            shape = (values.shape[1], rows.stop - rows.start, job.grid.n_lon)
            written[each, name].write(rows.start, values.T.reshape(shape))
            if progress is not None:
                progress(done + cells * number // len(written), job.grid.n_cells)


def _concluded(job: Job, gate: OutputGate, own_base: bool) -> tuple[list[Finding], dict[str, str]]:
    """(warnings, reason of every variable without a value); refuses when nothing has one."""
    missing = {f"{name} of {each.code}": _reason(job, each, name) for each, name in gate.empty()}
    if len(missing) == len(gate.seen):
        raise SchemaError(
            f"nothing can be derived from {next(iter(job.records.values())).files}: "
            + "; ".join(f"{what}: {why}" for what, why in list(missing.items())[:3])
        )
    gates = [*job.gates.values(), *([job.reference_gate] if own_base else [])]
    findings = [finding for each in gates for finding in each.close()]
    if not own_base:
        job.reference_gate.close()
    return [*findings, *gate.close()], missing


def _reason(job: Job, scenario: Scenario, name: str) -> str:
    said = job.gates[scenario]
    if name == "spei12":
        if job.base.n < spei.MIN_CALIBRATION:
            return f"its calibration needs {spei.MIN_CALIBRATION} base years, {job.base} are {job.base.n}"
        least = min(job.balance, key=lambda daily: said.valid.get(daily, 0) / max(said.possible.get(daily, 1), 1))
        return f"no calendar month has {spei.MIN_CALIBRATION} complete base years; {said.completeness(least)}"
    daily = next(daily for daily, names in YIELDS.items() if name in names)
    reason = said.completeness(daily)
    share = said.valid.get(daily, 0) / max(said.possible.get(daily, 1), 1)
    if 0 < share < 1 / 25:
        return f"{reason}: a monthly file?"
    if daily == "pr" and share < _RAINY and not job.blank_rain_is_dry:
        return f"{reason}; if blank means a day without rain, --blank-rain-is-dry says so"
    if VARIABLES[name].monthly or not share:
        return f"{reason}, in no month on enough of them"
    return f"{reason}, in no year with at most {YEAR_GAP} missing, {MONTH_GAP} a month"


@contextmanager
def _folders(out: Path) -> Iterator[None]:
    """Leave no empty folder behind when refused or stopped."""
    new = not out.exists()
    try:
        yield
    except BaseException:
        _remove_empty(out, new)
        raise


def _remove_empty(out: Path, new: bool) -> None:
    """Remove the folders of the layout that hold nothing, and `out` itself if it is new and holds nothing."""
    ours = [out / each.provider_code / step for each in Scenario for step in ("monthly", "yearly")]
    for folder in (*ours, *(out / each.provider_code for each in Scenario), *([out] if new else [])):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _write_lattice(out: Path, grid: GridDefinition) -> None:
    """grid.toml for the loader of the lattice."""
    path = out / "grid.toml"
    if not path.exists():
        layout.write_grid(path, grid)
        return
    from engine.io.etl.grid import read_lattice  # brings the database along

    if read_lattice(path) != grid:
        log.warning("%s is another lattice or other years than these files have: the loaders will go by it", path)
