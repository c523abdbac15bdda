"""Monthly means and yearly indices from daily files, written as NetCDF in the provider's layout.

The loaders then read those files like any other: there is one way into a warehouse. Means over several models smooth
daily extremes, so give this the daily data of one model or of a station, and prefer the provider's own index files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.period import Years
from engine.core.quality import Finding, Range, load_ranges
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.io.etl.derive import derive_band, derive_job, place_cells
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive_band import BALANCE, EXTREMES, YIELDS, Job
from engine.io.etl.derive.derive_gate import OutputGate
from engine.io.etl.derive.station_tables import PLAIN, TableOptions
from engine.kernels import spei
from engine.kernels.indices import MONTH_GAP, YEAR_GAP

log = logging.getLogger(__name__)

#: bytes of daily values held at a time
MEMORY = 1 << 30
#: copies of a band that reading and unpacking it needs
_COPIES = 4
#: below this share of days with a value, blanks of rain may mean dry days
_RAINY = 0.9

Progress = Callable[[int, int], None]


class Derived(NamedTuple):
    """Result of `derive`: files, warnings, and for each variable that has no value at all the reason."""

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
    own = ranges is not None
    ranges = ranges or load_ranges()
    asked = derive_job.Request(
        files=files,
        base=base,
        scenario=scenario,
        base_files=base_files,
        years=years,
        grid=grid,
        step=step,
        units=units,
        tables=tables,
        dry_spells_cross_years=dry_spells_cross_years,
        ranges=ranges,
    )
    with _folders(out), ExitStack() as stack:
        job = derive_job.opened(stack, asked)
        extra = {"base_period": str(base), **(attributes or {})}
        gate = OutputGate(job.grid, ranges, own)
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
    _remove_empty(out)
    _write_lattice(out, job.grid)
    return Derived(list(paths.values()), findings, missing)


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
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        _remove_empty(out, new)
        raise


def _remove_empty(out: Path, new: Sequence[Path] = ()) -> None:
    """Remove the folders of the layout, and new ones, innermost first, that hold nothing."""
    ours = [out / each.provider_code / step for each in Scenario for step in ("monthly", "yearly")]
    for folder in (*ours, *(out / each.provider_code for each in Scenario), *new):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _write_lattice(out: Path, grid: GridDefinition) -> None:
    """grid.toml for the loader of the lattice."""
    path = out / "grid.toml"
    if not path.exists():
        layout.write_grid(path, grid)
        return
    from engine.io.etl.loaders.grid import read_lattice  # brings the database along

    if read_lattice(path) != grid:
        log.warning("%s is another lattice or other years than these files have: the loaders will go by it", path)
