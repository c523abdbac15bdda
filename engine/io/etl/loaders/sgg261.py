"""Daily values of 261 cities and counties, the provider's regional product: for diagnostics, no risk reads it.

A file is text, or a tar.gz of one or several texts under the name `.asc`. First line codes, second provinces, third
cities, then a day and a value for every code. The codes are those of the statistics office, not legal-dong codes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from engine.core.counted import counted
from engine.core.errors import EngineError, SchemaError
from engine.core.quality import WARNING, Finding, Range, load_ranges
from engine.core.scenario import Scenario
from engine.io.etl import load_record, loading
from engine.io.etl.gate import limit_findings
from engine.io.etl.loading import Task
from engine.io.etl.places import copy_frame
from engine.io.etl.sources import words
from engine.io.files import containers, source_files
from engine.io.files.reading import cut_short, decoded, reading, text_of
from engine.io.files.source_files import MissingInputError, SourceFile

NAME, PLACES = "sgg261_daily", "location_sgg261"
ELEMENTS = ("ta", "tamax", "tamin", "rn", "rhm", "ws", "si")
_PATTERNS = ("*sgg261*.asc", "*sgg261*.txt", "*sgg261*.csv", "*sgg261*.tar.gz")
_FILL_BELOW, _FILL_ABOVE = -900.0, 1e6
_YEAR = 366  # days of one COPY
Float32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Regional:
    """One element and scenario: (days,) ascending without a gap, (regions,) codes, names, (days, regions) values."""

    days: NDArray[np.datetime64]
    codes: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    values: Float32


def table_of(element: str) -> str:
    """`ta_daily_sgg261`."""
    return f"{element}_daily_sgg261"


@loading.loader(NAME, version="1", takes=("gate",))
def load(task: Task) -> None:
    """Replace `<element>_daily_sgg261` of every element that is there in all four scenarios, and `location_sgg261`."""
    found = _sources(task.options.data)
    ranges = load_ranges(task.options.gate)
    for element in ELEMENTS:
        table = table_of(element)
        paths = {scenario: path for (name, scenario), path in found.items() if name == element}
        if not paths:
            task.absent(table, f"no file *sgg261*{element.upper()}*.asc below {task.options.data}")
            continue
        try:
            _load(task, element, paths, ranges)
        except EngineError as err:
            if task.connection.closed or task.connection.broken:
                raise
            task.reports.append(replace(load_record.failed(NAME, err), table=table, files=len(paths)))


def _sources(data: Path) -> dict[tuple[str, Scenario], Path]:
    codes = {scenario.provider_code.lower(): scenario for scenario in Scenario}
    found: dict[tuple[str, Scenario], Path] = {}
    for path in source_files.find(data, *_PATTERNS):
        said = [word for part in reversed(path.relative_to(data).parts) for word in words(part)]
        scenario = next((codes[word] for word in said if word in codes), None)
        element = next((word for word in words(path.name) if word in ELEMENTS), None)
        if scenario is None or element is None:
            continue
        if (element, scenario) in found:
            raise SchemaError(f"{element}, {scenario.code}: two files: {found[element, scenario].name} and {path.name}")
        found[element, scenario] = path
    return found


def _load(task: Task, element: str, paths: Mapping[Scenario, Path], ranges: Mapping[str, Range]) -> None:
    options, connection, table = task.options, task.connection, table_of(element)
    if absent := [scenario.provider_code for scenario in Scenario if scenario not in paths]:
        raise MissingInputError(f"{table}: no file for {', '.join(absent)}", in_part=True)
    files = [SourceFile.of(path, scenario) for scenario, path in sorted(paths.items())]
    with task.table(table, files) as record:
        if record.up_to_date:
            return
        task.progress(table)
        series = {scenario: read(path) for scenario, path in sorted(paths.items())}
        first = next(iter(series.values()))
        for scenario, one in series.items():
            if one.codes != first.codes or not np.array_equal(one.days, first.days):
                raise SchemaError(f"{paths[scenario].name}: regions or days differ from the other scenarios")
            stated = limit_findings(table, one.values, ranges[element], scenario.column)
            # the limits are those of monthly means, which a day may pass
            record.findings += [Finding(WARNING, f.table, f.message, f.count) for f in stated]
        kept = np.arange(len(first.codes))[: options.sample_limit]
        record.cells, record.steps = len(kept), len(first.days)
        new = f"{table}_new"
        if not options.dry_run:
            record.rows = _stage(connection, new, series, first, kept)
        with record.transaction():
            if not options.dry_run:
                _switch(connection, table, first)


def read(path: Path) -> Regional:
    """One file, whole; values at most -900 or above 1e6 are missing.

    raises : SchemaError for anything but codes of ten digits, days without a gap and numbers
    """
    parts = [_parse(name, text) for name, text in _texts(path)]
    first = parts[0]
    if any(part.codes != first.codes for part in parts):
        raise SchemaError(f"{path.name}: its texts name different regions")
    parts.sort(key=lambda part: part.days[0])
    days = np.concatenate([part.days for part in parts])
    steps = np.diff(days).astype(int)
    if (steps != 1).any():
        at = int(np.flatnonzero(steps != 1)[0])
        raise SchemaError(f"{path.name}: {days[at + 1]} follows {days[at]}; wanted is every day once")
    return replace(first, days=days, values=np.concatenate([part.values for part in parts]))


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    if containers.kind_of(path) != "gzip":
        yield path.name, text_of(path)
        return
    with containers.tar_of(path) as archive:
        members = [member for member in archive.getmembers() if member.isfile()]
        if not members:
            raise SchemaError(f"archive {path.name} holds no file")
        for member in members:
            stream = archive.extractfile(member)
            yield f"{path.name}/{member.name}", decoded(stream.read() if stream else b"", member.name)


def _parse(name: str, text: str) -> Regional:
    """A text; every day has a value, perhaps the fill value, for every code."""
    head = [[field.strip() for field in line.rstrip(",").split(",")] for line in text.split("\n", 3)[:3]]
    if len(head) < 3 or not all(len(line) == len(head[0]) for line in head):
        raise SchemaError(f"{name}: the first three lines are not codes, provinces and cities")
    codes = tuple(head[0][1:])
    if wrong := [code for code in codes if not (len(code) == 10 and code.isdecimal())]:
        raise SchemaError(f"{name}: {wrong[0]!r} is not a code of ten digits")
    if len(set(codes)) < len(codes):
        raise SchemaError(f"{name}: a code is there twice")
    _refuse_ragged(name, text, len(codes))
    body = text.split("\n", 3)[3].encode()
    with reading(name):
        frame = pl.read_csv(io.BytesIO(body), has_header=False, infer_schema=False, truncate_ragged_lines=True)
        days = frame.to_series(0).str.strip_chars().str.to_date("%Y-%m-%d")
        values = frame.select(pl.nth(range(1, len(codes) + 1)).str.strip_chars().cast(pl.Float32)).to_numpy()
    values = np.where((values <= _FILL_BELOW) | (values > _FILL_ABOVE), np.float32(np.nan), values)
    names = tuple(zip(head[1][1:], head[2][1:], strict=True))
    return Regional(days.to_numpy().astype("datetime64[D]"), codes, names, values.astype(np.float32))


def _refuse_ragged(name: str, text: str, codes: int) -> None:
    """A line with fewer fields than codes would give missing values without a word."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[3].strip():
        raise SchemaError(f"{name} holds no day")
    if cut_short(text):
        raise SchemaError(f"{name} ends within a number, without a line end: it seems to be cut")
    for number, line in enumerate(lines[3:], 4):
        fields = line.rstrip().rstrip(",").split(",")
        if line.strip() and len(fields) != codes + 1:
            raise SchemaError(
                f"{name}, line {number}: {counted(len(fields) - 1, 'value')} where"
                f" line 1 names {counted(codes, 'region')}"
            )


def _stage(
    connection: psycopg.Connection,
    new: str,
    series: Mapping[Scenario, Regional],
    first: Regional,
    kept: NDArray[np.intp],
) -> int:
    columns = sql.SQL(", ").join(sql.SQL("{} real").format(sql.Identifier(scenario.column)) for scenario in Scenario)
    identifier = sql.Identifier(new)
    codes = pl.Series([first.codes[i] for i in kept])
    with connection.transaction():
        connection.execute(
            sql.SQL("CREATE TABLE {} (observation_date date NOT NULL, admin_code varchar(10) NOT NULL, {})").format(
                identifier, columns
            )
        )
        for start in range(0, len(first.days), _YEAR):
            days = first.days[start : start + _YEAR]
            frame = pl.DataFrame(
                {"observation_date": np.repeat(days, len(kept)), "admin_code": pl.concat([codes] * len(days))}
                | {s.column: one.values[start : start + _YEAR][:, kept].ravel() for s, one in series.items()}
            ).with_columns(pl.col(pl.Float32).fill_nan(None))
            copy_frame(connection, new, frame)
        connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (observation_date, admin_code)").format(identifier))
    return len(first.days) * len(kept)


def _switch(connection: psycopg.Connection, table: str, first: Regional) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(table)))
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(f"{table}_new"), sql.Identifier(table))
    )
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {PLACES} (admin_code varchar(10) PRIMARY KEY, sido_name text, sigungu_name text)"
    )
    connection.cursor().executemany(
        f"INSERT INTO {PLACES} VALUES (%s, %s, %s) ON CONFLICT (admin_code)"
        " DO UPDATE SET sido_name = excluded.sido_name, sigungu_name = excluded.sigungu_name",
        [(code, *name) for code, name in zip(first.codes, first.names, strict=True)],
    )
