"""Monthly means and yearly indices from daily files, written as NetCDF in the provider's layout.

The loaders then read those files like any other: there is one way into a warehouse. Means over several models smooth
daily extremes, so give this the daily data of one model or of a station, and prefer the provider's own index files.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition
from engine.core.quality import Finding
from engine.core.scenario import Scenario, ScenarioNames, label
from engine.core.variables import VARIABLES
from engine.io.etl import layout
from engine.io.etl.derive import derive_band, derive_job, place_cells
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.derive_band import BALANCE, EXTREMES, YIELDS, Job
from engine.io.etl.derive.derive_gate import OutputGate
from engine.io.etl.derive.derive_job import Request
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
Float32 = NDArray[np.float32]
#: scenario and variable
_Key: TypeAlias = tuple[Scenario, str]


class _Written(Protocol):
    """Takes the latitude bands of one variable and scenario: a file, or an array."""

    def write(self, first_row: int, values: Float32) -> None:
        """Take (time, rows, n_lon) from latitude row `first_row` northward; NaN = missing."""
        ...


class Derived(NamedTuple):
    """Result of `derive`: files, warnings, and for each variable of a scenario that has no value at all the reason.

    without_value : the same by variable alone
    """

    files: list[Path]
    findings: list[Finding]
    missing: dict[str, str]
    without_value: dict[str, str]


def derive(request: Request, out: Path, *, progress: Progress | None = None, memory: int = MEMORY) -> Derived:
    """Derive every monthly and yearly variable that daily files allow.

    out      : root of the layout, `SSP245/monthly/...`; grid.toml is written there unless it is there
    progress : told (cells done, of all)
    memory   : bytes; latitude bands are read, computed and written in turn, so it does not follow the files' size
    raises   : SettingsError for a missing scenario code or base years that no file holds; SchemaError for a file that
               is not daily values, values that cannot be, or no value in anything derived. Then nothing is written
    """
    with _folders(out), ExitStack() as stack:
        job = derive_job.opened(stack, request)
        gate = OutputGate(job.grid, request.limits, request.ranges is not None, request.names)
        first = next(iter(job.records.values()))
        paths = {
            (each, name): layout.gridded_path(out, VARIABLES[name], each, job.years)
            for each, record in job.records.items()
            for name, _ in _variables_of(record, job)
        }
        written = _created(stack, request, job, paths)
        log.info("deriving %d variables of %s on %s, %s", len({name for _, name in paths}),
                 counted(len(job.records), "scenario"), place_cells.in_words(job.grid, first), job.years)  # fmt: skip
        _fill(job, written, gate, progress, memory)
        findings, missing = _concluded(job, gate, bool(request.base_files))
    empty = gate.empty()
    for key in empty:
        paths.pop(key).unlink()
    _remove_empty(out)
    _write_lattice(out, job.grid, request.names)
    reasons = {name: _reason(job, each, name) for each, name in empty}
    return Derived(list(paths.values()), findings, missing, reasons)


class DerivedValues(NamedTuple):
    """Result of `derive_values`: lattice, values of every variable that has one, warnings, and reasons of the others.

    values : (scenario, variable) -> (cells,) lattice index from 0 of those with a value, ascending, and their
             (cells, years * steps) in the stored unit, NaN = missing
    """

    grid: GridDefinition
    values: dict[tuple[Scenario, str], tuple[NDArray[np.int64], Float32]]
    findings: list[Finding]
    missing: dict[str, str]


def derive_values(
    request: Request,
    records: Mapping[Scenario, DailyRecord],
    given: DailyRecord | None = None,
    *,
    memory: int = MEMORY,
) -> DerivedValues:
    """Derive the same values as `derive`, from records that are open, and keep them in memory.

    request : its files and scenario do not matter
    given   : record of the base years; None: as of a request without base files
    raises  : as `derive`
    """
    job = derive_job.fitted(request, records, given)
    gate = OutputGate(job.grid, request.limits, request.ranges is not None, request.names)
    kept = {
        (each, name): _Kept(job.grid.n_lon, [], [])
        for each, record in job.records.items()
        for name, _ in _variables_of(record, job)
    }
    _fill(job, kept, gate, None, memory)
    findings, missing = _concluded(job, gate, own_base=given is not None)
    for key in gate.empty():
        kept.pop(key)
    return DerivedValues(job.grid, {key: each.collected() for key, each in kept.items()}, findings, missing)


class _Kept(NamedTuple):
    """Values of one variable and scenario in memory: cells without one, as between places of a list, cost nothing."""

    n_lon: int
    cells: list[NDArray[np.int64]]
    series: list[Float32]

    def write(self, first_row: int, values: Float32) -> None:
        band = values.reshape(len(values), -1).T
        held = np.flatnonzero(~np.isnan(band).all(axis=1))
        self.cells.append(held + first_row * self.n_lon)
        self.series.append(np.ascontiguousarray(band[held]))

    def collected(self) -> tuple[NDArray[np.int64], Float32]:
        return np.concatenate(self.cells), np.concatenate(self.series)


def _created(stack: ExitStack, request: Request, job: Job, paths: Mapping[_Key, Path]) -> dict[_Key, _Written]:
    """The files to be filled, open for the life of `stack`."""
    attributes = {"base_period": str(request.base), **request.attributes}
    written: dict[_Key, _Written] = {}
    for each, record in job.records.items():
        for name, method in _variables_of(record, job):
            opened = layout.create_gridded(
                paths[each, name],
                job.grid,
                VARIABLES[name],
                each,
                scope=request.scope or record.scope,
                attributes=attributes,
                cell_methods=method,
            )
            written[each, name] = stack.enter_context(opened)
    return written


def _variables_of(record: DailyRecord, job: Job) -> Iterator[tuple[str, str]]:
    """(variable, how it came about) of everything a record allows."""
    for daily in record.pieces:
        step = "monthly" if daily in record.monthly else "daily"
        for name in derive_band.yields(record, daily):
            yield name, f"derived from {step} {daily}"
    if record.pieces.keys() >= set(BALANCE):
        inputs = (*BALANCE, *(EXTREMES if job.extremes else ()))
        step = "daily and monthly" if record.monthly & set(inputs) else "daily"
        yield "spei12", f"derived from {step} {', '.join(inputs)}: Penman-Monteith, log-logistic, unbiased moments"


def _bands(job: Job, memory: int) -> Iterator[slice]:
    days = max(record.axis.n for record in (*job.records.values(), job.reference))
    rows = max(1, memory // (_COPIES * 4 * days * job.grid.n_lon))
    for start in range(0, job.grid.n_lat, rows):
        yield slice(start, min(start + rows, job.grid.n_lat))


def _fill(
    job: Job,
    written: Mapping[_Key, _Written],
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
    missing = {f"{name} of {label(each, gate.names)}": _reason(job, each, name) for each, name in gate.empty()}
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


def _write_lattice(out: Path, grid: GridDefinition, names: ScenarioNames) -> None:
    """grid.toml for the loader of the lattice."""
    path = out / "grid.toml"
    if not path.exists():
        layout.write_grid(path, grid, names)
        return
    from engine.io.etl.loaders.grid import read_lattice  # brings the database along

    if read_lattice(path) != grid:
        log.warning("%s is another lattice or other years than these files have: the loaders will go by it", path)
