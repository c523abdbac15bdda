"""Population of the regions: the projection by province, and the latest count by province and municipality.

Numbers are written to the level that the source has, never spread over the regions below it.
"""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import psycopg

from engine.core.counted import counted
from engine.core.errors import SchemaError
from engine.core.quality import WARNING, Finding
from engine.io.etl import loading, regions
from engine.io.etl.loading import Task
from engine.io.etl.places import stage
from engine.io.files import source_files
from engine.io.files.reading import cut_short, json_of, reading, text_of

NAME, TABLE = "population", "location_admin"
PROJECTIONS = ("population*projection*.csv", "population/*projection*.csv")
COUNTS = ("population/*.csv", "population/*.json")
YEARS = tuple(range(2020, 2051, 5))
#: the projection is stated in units of 10,000 persons; no province has a hundred million inhabitants
UNIT, _LARGEST = 10_000, 10_000
#: rows of the projection that are sums of provinces
_SUMS = ("전국", "계", "합계", "수도권", "중부권", "호남권", "영남권", "비수도권")
_CODE, _PERSONS, _YEAR = ("code", "adm_cd"), ("population", "총인구_명", "총인구"), ("year", "시점")
_LISTED = 5
_PERSONS_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Counts:
    """Persons by legal code of 2 or 5 digits, the year of each, and the statistical codes that no region has."""

    persons: Mapping[str, int]
    years: Mapping[str, int]
    unknown: tuple[str, ...]


@loading.loader(NAME, version="1")
def load(task: Task) -> None:
    """Fill the population columns of `location_admin`; regions that the sources do not name have NULL.

    raises : SchemaError before `admin` was loaded, for an unknown province, a number that is none, the wrong unit, or
             a region counted twice
    """
    projections, counts = task.find(*PROJECTIONS), task.find(*COUNTS)
    counts = [path for path in counts if path not in projections]
    if not (projections or counts):
        return task.absent(TABLE, f"no file {' or '.join((*PROJECTIONS, *COUNTS))} below {task.options.data}")
    codes = [code for (code,) in task.connection.execute(f"SELECT admin_code FROM {TABLE} ORDER BY 1").fetchall()]
    if not codes and not task.options.dry_run:
        raise SchemaError(f"{NAME}: {TABLE} is empty, load `admin` first")
    known = source_files.SourceFile.of_value(TABLE, codes)
    with task.table(TABLE, [*projections, *counts, known]) as record:
        if record.up_to_date:
            return
        task.progress("population")
        projected = _projected(projections)
        counted = read_counts(counts)
        frame = _frame(codes, projected, counted)
        record.findings += _findings(codes, projected, counted)
        record.source_unit, record.stored_unit = "10,000 persons; persons", "persons"
        record.gate_report = {
            "projected_provinces": len(projected),
            "counted_regions": len(counted.persons),
            "counted_provinces_sum": sum(n for code, n in counted.persons.items() if len(code) == 2),
        }
        with record.transaction():
            record.rows = _write(task.connection, frame)


def _projected(paths: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for path in paths:
        for province, persons in read_projection(path).items():
            if province in found:
                raise SchemaError(f"{path.name}: province {province} is projected twice")
            found[province] = persons
    return found


def read_projection(path: Path) -> dict[str, tuple[int, ...]]:
    """Two-digit legal code of a province -> persons in 2020, 2025, ... 2050.

    path   : CSV, UTF-8 or cp949; names in the first column, one column per year whose title holds the year alone or
             with other text but no second year; sums over provinces and columns of change are passed over
    """
    text = text_of(path)
    with reading(path):
        rows = list(csv.reader(text.splitlines()))
    if cut_short(text):
        raise SchemaError(f"{path.name} ends within a number, without a line end: it seems to be cut")
    columns: dict[int, int] = {}
    for number, title in enumerate(rows[0] if rows else []):
        years = re.findall(r"(?<!\d)20\d\d(?!\d)", title)
        if len(years) == 1 and int(years[0]) in YEARS:
            if int(years[0]) in columns:
                raise SchemaError(f"{path.name}: two columns for {years[0]}: {rows[0]}")
            columns[int(years[0])] = number
    if absent := [str(year) for year in YEARS if year not in columns]:
        raise SchemaError(f"{path.name}: no column for {', '.join(absent)}; its titles are {rows[0] if rows else []}")
    found: dict[str, tuple[int, ...]] = {}
    for line, row in enumerate(rows[1:], 2):
        name = row[0].strip() if row else ""
        if not name or name in _SUMS:
            continue
        code = regions.province_codes().get(name)
        if code is None:
            raise SchemaError(f"{path.name}, line {line}: {name!r} is no province; known sums are {', '.join(_SUMS)}")
        values = [_number(row[columns[year]] if columns[year] < len(row) else "", path, line) for year in YEARS]
        if max(values) >= _LARGEST:
            raise SchemaError(
                f"{path.name}, line {line}: {max(values):g} looks like persons, expected units of {UNIT:,}"
            )
        if code in found:
            raise SchemaError(f"{path.name}, line {line}: province {name} is there twice")
        found[code] = tuple(round(value * UNIT) for value in values)
    return found


def read_counts(paths: Iterable[Path]) -> Counts:
    """Counted population by region, from saved answers of the statistics office's API or its tables as CSV.

    Codes are the statistical ones. Those of 8 digits are administrative towns, which no legal town equals: they are
    added up to their municipality. raises SchemaError for a region counted twice.
    """
    persons: dict[str, int] = {}
    years: dict[str, int] = {}
    parts: dict[str, int] = defaultdict(int)
    unknown: list[str] = []
    seen: set[str] = set()
    for path in paths:
        for code, count, year in _answers(path) if path.suffix.lower() == ".json" else _table(path):
            if code in seen:
                raise SchemaError(f"{path.name}: region {code} is counted twice")
            seen.add(code)
            legal = regions.legal_code(code[:5] if len(code) == 8 else code)
            if legal is None:
                unknown.append(code)
                continue
            years[legal] = year
            if len(code) == 8:
                parts[legal] += count
            elif legal in persons:
                raise SchemaError(
                    f"{path.name}: {code} is another statistical code of {legal}, which is counted already"
                )
            else:
                persons[legal] = count
    return Counts({**parts, **persons}, years, tuple(unknown))


def _answers(path: Path) -> Iterable[tuple[str, int, int]]:
    entries = json_of(path)
    for entry in entries if isinstance(entries, list) else [entries]:
        if not (
            isinstance(entry, dict)
            and isinstance(entry.get("answer"), dict)
            and isinstance(entry.get("params"), dict)
            and "year" in entry["params"]
        ):
            raise SchemaError(f'{path.name}: a saved answer is {{"params": {{"year": ...}}, "answer": {{...}}}}')
        answer, year = entry["answer"], str(entry["params"]["year"])
        if str(answer.get("errCd")) != "0":
            raise SchemaError(
                f"{path.name}: the provider reports no success: {json.dumps(answer, ensure_ascii=False)[:200]}"
            )
        items = answer.get("result") or []
        if not (isinstance(items, list) and all(isinstance(item, dict) and item.get("adm_cd") for item in items)):
            raise SchemaError(f"{path.name}: `result` of {year} is not a list of objects with adm_cd")
        for item in items:
            yield str(item["adm_cd"]), _whole(item.get("population"), path), _year(year, path)


def _table(path: Path) -> Iterable[tuple[str, int, int]]:
    with reading(path):
        lines = [line for line in csv.reader(text_of(path).splitlines()) if any(map(str.strip, line))]
    titles = lines[0] if lines else []
    chosen = [next((title for title in names if title in titles), None) for names in (_CODE, _PERSONS, _YEAR)]
    if None in chosen:
        raise SchemaError(f"{path.name}: wanted are columns for code, population and year, found {', '.join(titles)}")
    columns = [titles.index(str(title)) for title in chosen]
    for number, line in enumerate(lines[1:], 2):
        if len(line) <= max(columns):
            raise SchemaError(
                f"{path.name}, row {number}: {counted(len(line), 'field')} where {len(titles)} columns have a title"
            )
        code, persons, year = (line[column].strip().lstrip("'") for column in columns)
        if code:
            yield code, _whole(persons, path), _year(year, path)


def _frame(codes: Sequence[str], projected: Mapping[str, tuple[int, ...]], counted: Counts) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for code in codes:
        digits = _digits(code)
        persons = projected.get(digits)
        row: dict[str, Any] = {"admin_code": code}
        row |= {f"population_{year}": persons[i] if persons else None for i, year in enumerate(YEARS)}
        row["population_change_2020_2050"] = persons[-1] - persons[0] if persons else None
        rate = 100 * (persons[-1] - persons[0]) / persons[0] if persons and persons[0] else None
        row["population_change_rate_percent"] = None if rate is None else round(rate, 2)
        row["population_current"] = counted.persons.get(digits)
        row["population_current_year"] = counted.years.get(digits) if digits in counted.persons else None
        rows.append(row)
    return pl.DataFrame(rows, schema={column: _POLARS.get(kind, pl.Int64) for column, kind in _TYPES.items()})


def _findings(codes: Sequence[str], projected: Mapping[str, tuple[int, ...]], counted: Counts) -> list[Finding]:
    findings = []
    held = {regions.RENAMED.get(code[:2], code[:2]) for code in codes}
    if projected and (absent := sorted(held - projected.keys())):
        message = f"no projection for the provinces {', '.join(absent)}"
        findings.append(Finding(WARNING, TABLE, message, len(absent)))
    if counted.unknown:
        more = ", ..." if len(counted.unknown) > _LISTED else ""
        listed = ", ".join(counted.unknown[:_LISTED]) + more
        message = f"{len(counted.unknown)} counted regions have a statistical code without a legal one: {listed}"
        findings.append(Finding(WARNING, TABLE, message, len(counted.unknown)))
    for level, digits in (("provinces", 2), ("municipalities", 5)):
        # towns are counted in their municipality
        wanted = {_digits(code) for code in codes if regions.level_of(code, TABLE) == (1 if digits == 2 else 2)}
        absent = sorted(wanted - counted.persons.keys())
        if absent and len(absent) < len(wanted):
            message = f"{len(absent)} of {len(wanted)} {level} are not counted: {', '.join(absent[:_LISTED])}"
            findings.append(Finding(WARNING, TABLE, message, len(absent)))
    if elsewhere := sorted(counted.persons.keys() - {_digits(code) for code in codes}):
        message = f"{len(elsewhere)} counted regions are not in {TABLE}: {', '.join(elsewhere[:_LISTED])}"
        findings.append(Finding(WARNING, TABLE, message, len(elsewhere)))
    return findings


def _digits(code: str) -> str:
    """Two or five digits of a province or municipality, under the code that is in force; ten of a town."""
    level = regions.level_of(code, TABLE)
    return regions.RENAMED.get(code[:2], code[:2]) + code[2 : {1: 2, 2: 5, 3: 10}[level]]


_TYPES = {
    "admin_code": "varchar(10)",
    **{f"population_{year}": "integer" for year in YEARS},
    "population_change_2020_2050": "integer",
    "population_change_rate_percent": "numeric(5,2)",
    "population_current": "integer",
    "population_current_year": "smallint",
}
_POLARS: dict[str, Any] = {"varchar(10)": pl.String, "numeric(5,2)": pl.Float64}


def _write(connection: psycopg.Connection, frame: pl.DataFrame) -> int:
    stage(connection, "new_population", _TYPES, frame)
    own = [column for column in _TYPES if column != "admin_code"]
    connection.execute(
        f"UPDATE {TABLE} a SET {', '.join(f'{column} = n.{column}' for column in own)}"
        f" FROM new_population n WHERE n.admin_code = a.admin_code".encode()
    )
    return frame.filter(pl.any_horizontal(pl.col(own).is_not_null())).height


def _number(text: str, path: Path, line: int) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        raise SchemaError(f"{path.name}, line {line}: {text!r} is not a number") from None
    if not value >= 0:
        raise SchemaError(f"{path.name}, line {line}: a population is not {text}")
    return value


def _whole(value: Any, path: Path) -> int:
    text = str(value).replace(",", "").strip()
    if not (text.isdecimal() and len(text) <= _PERSONS_DIGITS):
        raise SchemaError(f"{path.name}: {str(value)[:40]!r} is not a number of persons")
    return int(text)


def _year(value: Any, path: Path) -> int:
    text = str(value).strip()
    if not (text.isdecimal() and len(text) == len("2020")):
        raise SchemaError(f"{path.name}: {str(value)[:40]!r} is not a year")
    return int(text)
