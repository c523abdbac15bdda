"""Loader of annual mean sea level at points of the ocean, addressed by (j, i), not by coordinates.

Of a file a scenario (`sea_level_files`: the provider's, an ocean model's `zos`, the AR6 tool's), or of tide gauges
(`sea_level_gauges`), an observed record under the scenario that stands for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psycopg
from numpy.typing import NDArray

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.core.quality import ERROR, WARNING, Finding, Range, load_ranges
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.io.db import copy_binary
from engine.io.etl import gate, lattice, loading, nearest, sources
from engine.io.etl.load_record import Record
from engine.io.etl.loaders import sea_level_files, sea_level_gauges
from engine.io.etl.loaders.sea_level_points import SeaLevel
from engine.io.etl.loading import OBSERVED, LoadOptions, Task
from engine.io.files.source_files import MissingInputError, SourceFile

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

NAME, TABLE, POINTS = "sea_level", "sea_level_data", "sea_level_grid"
#: annual means smaller than this everywhere are metres
_METRES = sea_level_files.METRES


@loading.loader(
    NAME,
    version="1",
    takes=(
        "scenarios",
        "units",
        "gate",
    ),
)
def load(task: Task) -> None:
    """Replace points and values in one transaction and give every cell its nearest ocean point.

    raises : MissingInputError naming every missing file; SchemaError when the files do not belong together
    """
    options = task.options
    wanted = options.scenarios or tuple(Scenario)
    found = {scenario: path for scenario, path in sorted(sources.sea_level(options.data).items()) if scenario in wanted}
    gauges = [] if found else sea_level_gauges.files(options.data)
    if not (found or gauges):
        raise MissingInputError(
            f"{TABLE}: no files such as ssp2_4_5_slr_annual_mean_*.nc, zos_*_ssp245_*.nc, total_ssp245_*_values.nc"
            f" (AR6) or *.rlrdata (PSMSL) below {options.data}"
        )
    ranges = load_ranges(options.gate)
    unit = options.units.get(NAME)
    beside = {scenario: sources.beside(path, "zostoga") for scenario, path in found.items()}
    files = [SourceFile.of(path, scenario) for scenario, path in found.items()]
    files += [SourceFile.of(path, scenario) for scenario, path in beside.items() if path is not None]
    files += [SourceFile.of(path) for path in gauges]
    flags = {"unit": unit} if unit else {}
    with task.table(TABLE, files, scope=options.scope, flags=flags, scope_in_files=True) as record:
        if record.up_to_date:
            return
        task.progress(TABLE)
        grid = lattice.definition(task.connection)
        if found:
            read = {
                scenario: sea_level_files.read_sea_level(path, unit, grid, beside[scenario])
                for scenario, path in found.items()
            }
            _refuse_differences(read, found, wanted)
        else:
            read = {DEFAULT_SCENARIO: sea_level_gauges.read(gauges)}
        _load(task.connection, read, ranges, record, options)


def _refuse_differences(
    read: Mapping[Scenario, SeaLevel],
    paths: Mapping[Scenario, Path],
    wanted: tuple[Scenario, ...],
) -> None:
    """The scenarios share points, years and scope, and are all there unless the scope allows for less."""
    first = next(iter(read.values()))
    for scenario, one in read.items():
        same = (
            one.scope == first.scope
            and np.array_equal(one.years, first.years)
            and one.latitude.shape == first.latitude.shape
            and np.allclose(one.latitude, first.latitude, atol=1e-4)
            and np.allclose(one.longitude, first.longitude, atol=1e-4)
        )
        if not same:
            raise SchemaError(
                f"{paths[scenario].name}: points, years or scope differ from {next(iter(paths.values())).name}"
            )
    absent = [scenario.api_key.replace(".", "_") for scenario in wanted if scenario not in read]
    if absent and first.scope != OBSERVED:
        names = ", ".join(f"{key}_slr_annual_mean_*.nc" for key in absent)
        message = f"{TABLE}: {len(absent)} of {len(wanted)} scenario files are missing: {names}"
        raise MissingInputError(message, in_part=True)


def _load(
    connection: psycopg.Connection,
    read: Mapping[Scenario, SeaLevel],
    ranges: Mapping[str, Range],
    record: Record,
    options: LoadOptions,
) -> None:
    first = next(iter(read.values()))
    n_j, n_i = first.latitude.shape
    series = {scenario: one.values.reshape(len(one.years), -1).T for scenario, one in read.items()}
    ocean = ~np.logical_and.reduce([np.isnan(values).all(axis=1) for values in series.values()])
    ids = np.arange(n_j * n_i) + 1
    # the sample limit leaves this table complete, so a sample of anything has scope of its own only where it is cut
    record.scope = first.scope or options.scope
    record.cells, record.steps, record.stored_unit = int(ocean.sum()), len(first.years), "cm"
    record.source_unit = ", ".join(dict.fromkeys(one.unit for one in read.values()))
    record.findings += [
        Finding(WARNING, TABLE, note) for note in dict.fromkeys(one.note for one in read.values()) if note
    ]
    record.findings += findings_of(series, ocean, first.years, record.scope, ranges)
    with record.transaction():
        connection.execute("UPDATE location_grid SET slr_grid_id = NULL WHERE slr_grid_id > %s", (len(ids),))
        connection.execute("DELETE FROM sea_level_data")
        connection.execute("DELETE FROM sea_level_grid WHERE grid_id > %s", (len(ids),))
        _write_points(connection, first, ids, ocean, n_i)
        record.rows = _write_values(connection, series, ids, ocean, first.years)
        joined = nearest.assign(connection)
        record.gate_report = {"points": len(ids), "nearest": joined}
        if joined and joined["max_active_km"] is not None:
            farthest = np.asarray([joined["max_active_km"]], np.float32)
            record.findings += gate.limit_findings(
                POINTS, farthest, ranges["sea_level_distance"], "the distance of an active cell to its ocean point, km"
            )
    if not options.dry_run:
        connection.execute("ANALYZE sea_level_data")


def findings_of(
    series: Mapping[Scenario, Float32],
    ocean: NDArray[np.bool_],
    years: NDArray[np.int64],
    scope: str,
    ranges: Mapping[str, Range],
) -> list[Finding]:
    """Findings of the gate: series (points, years) in cm a scenario, `ocean` of (points,)."""
    if not ocean.any():
        return [Finding(ERROR, TABLE, "no point has a value in any scenario")]
    findings: list[Finding] = []
    for scenario, values in series.items():
        if scope == OBSERVED and np.isnan(values).all():
            continue
        findings += gate.limit_findings(TABLE, values, ranges["sea_level"], scenario.column)
        largest = float(np.fmax.reduce(np.abs(values[ocean]), axis=None))
        if largest < _METRES:
            findings.append(
                Finding(ERROR, TABLE, f"{scenario.column} looks like metres: no value reaches {_METRES:g} cm")
            )
        gaps = int(np.isnan(values[ocean]).sum())
        if gaps:
            severity = WARNING if scope == OBSERVED else ERROR
            findings.append(
                Finding(
                    severity,
                    TABLE,
                    f"{counted(gaps, 'value')} of {scenario.column} {agree(gaps, 'is', 'are')} missing at sea",
                    gaps,
                )
            )
    if scope != OBSERVED and np.any(np.diff(years) != 1):
        findings.append(
            Finding(ERROR, TABLE, f"years {years[0]}..{years[-1]} have gaps", int((np.diff(years) != 1).sum()))
        )
    last = series.get(Scenario.SSP585)
    if last is not None and scope != OBSERVED and years[-1] == 2100:
        rise = np.asarray([np.nanmean(last[ocean, -1] - last[ocean, 0], dtype=np.float64)], np.float32)
        findings += gate.limit_findings(TABLE, rise, ranges["sea_level_rise"], f"the mean rise since {years[0]}, cm")
    return findings


def _write_points(
    connection: psycopg.Connection, first: SeaLevel, ids: NDArray[np.int64], ocean: NDArray[np.bool_], n_i: int
) -> None:
    """Upsert by (j, i): cells point at these rows."""
    latitude, longitude = first.latitude.ravel(), first.longitude.ravel()
    rows = zip(
        ids.tolist(), ((ids - 1) // n_i).tolist(), ((ids - 1) % n_i).tolist(),
        latitude.tolist(), longitude.tolist(), ocean.tolist(), strict=True,
    )  # fmt: skip
    # a grid of another shape moves (j, i) to other ids: set aside, so that no pair is there twice on the way
    connection.execute("UPDATE sea_level_grid SET j_idx = -1 - j_idx")
    connection.cursor().executemany(
        """INSERT INTO sea_level_grid VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (grid_id) DO UPDATE SET j_idx = excluded.j_idx, i_idx = excluded.i_idx,
             latitude = excluded.latitude, longitude = excluded.longitude, is_ocean = excluded.is_ocean""",
        list(rows),
    )


def _write_values(
    connection: psycopg.Connection,
    series: Mapping[Scenario, Float32],
    ids: NDArray[np.int64],
    ocean: NDArray[np.bool_],
    years: NDArray[np.int64],
) -> int:
    """Rows of the ocean points only; a scenario that is not loaded is NaN."""
    types = {"grid_id": "int4", "year": "int2", **{scenario.column: "float4" for scenario in Scenario}}
    rows = copy_binary.empty_rows(types, int(ocean.sum()) * len(years)).reshape(-1, len(years))
    rows["grid_id"], rows["year"] = ids[ocean, None], years
    for scenario in Scenario:
        rows[scenario.column] = series[scenario][ocean] if scenario in series else np.nan
    with connection.cursor() as cursor:
        written, _ = copy_binary.copy_rows(cursor, TABLE, list(types), [rows.reshape(-1)])
    return written
