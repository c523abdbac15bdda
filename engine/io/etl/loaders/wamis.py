"""Water use by basin, gauges and their daily flow, from saved answers of the water agency's API.

All three tables grow: rows are added and corrected by their key, and a row that is gone from a year asked again goes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any, LiteralString

import numpy as np
import polars as pl
import psycopg

from engine.core.counted import agree, counted
from engine.core.errors import SchemaError
from engine.core.keys import KEYS
from engine.core.quality import ERROR, WARNING, Finding, load_ranges, outside
from engine.io.etl import loading
from engine.io.etl.gate import limit_findings
from engine.io.etl.load_record import Record
from engine.io.etl.loaders import wamis_answers
from engine.io.etl.loaders.wamis_answers import BASINS, FLOW, GAUGE, GAUGES, USAGE, Answer, Saved
from engine.io.etl.loading import Task
from engine.io.etl.places import stage
from engine.io.files import source_files
from engine.io.files.source_files import MissingInputError

NAME = "wamis"
PATTERN = "water/*.json"
_MISSING = ("", "-")
#: of years and numbers of basins
_WHOLE_DIGITS = 4


@loading.loader(NAME, version="1", takes=("gate",))
def load(task: Task) -> None:
    """Fill `api_wamis_stations`, `api_wamis_water_usage` and `api_wamis_flow`; the tables are small enough that a
    sample limit leaves them whole.

    raises : MissingInputError without saved answers; SchemaError for an answer that reports a failure, an item without
             its fields, duplicate items, flow of an unknown gauge, and too many unreadable records
    """
    options = task.options
    paths = task.find(PATTERN)
    if not paths:
        raise MissingInputError(f"{NAME}: no saved answers {PATTERN} below {options.data}")
    saved = wamis_answers.read(paths)
    steps: tuple[tuple[str, str, Callable[[psycopg.Connection, Record, Saved], int]], ...] = (
        ("api_wamis_stations", GAUGES, _write_gauges),
        ("api_wamis_water_usage", USAGE, partial(_write_usage, options)),
        ("api_wamis_flow", FLOW, partial(_write_flow, options)),
    )
    for table, call, write in steps:
        if not saved.of(call):
            task.absent(table, f"no saved answer of {call}")
            continue
        with task.table(table, paths, scope=options.scope_of(saved.scope)) as record:
            if not record.up_to_date:
                task.progress(table)
                with record.transaction():
                    record.rows = write(task.connection, record, saved)


def degrees(text: str) -> float:
    """Decimal degrees of `DDD-MM-SS` (seconds may have decimals) or of a decimal number; NaN when it is neither."""
    parts = text.strip().split("-")
    try:
        if len(parts) == 1:
            return float(parts[0])
        whole, minutes, seconds = map(float, parts)
    except ValueError:
        return math.nan
    return whole + minutes / 60 + seconds / 3600 if minutes < 60 and seconds < 60 else math.nan


def _field(answer: Answer, item: Any, name: str) -> str:
    if name not in item:
        raise SchemaError(f"{answer.file}: an item of {answer.call} has no {name}: {json.dumps(item)[:200]}")
    return str(item[name] if item[name] is not None else "").strip()


def _whole(value: Any, what: str) -> int:
    text = str(value).strip()
    if not (text.isdecimal() and len(text) <= _WHOLE_DIGITS):
        raise SchemaError(f"{what} is not a whole number from 0 to {10**_WHOLE_DIGITS - 1}: {text[:40]!r}")
    return int(text)


def _whole_or_none(value: Any, what: str) -> int | None:
    return None if value is None or str(value).strip() in _MISSING else _whole(value, what)


def _write_gauges(connection: psycopg.Connection, record: Record, saved: Saved) -> int:
    details = {answer.param("obscd"): answer.items[0] for answer in saved.of(GAUGE) if answer.items}
    rows: dict[str, tuple[Any, ...]] = {}
    unplaced = 0
    for answer in saved.of(GAUGES):
        for item in answer.items:
            code = _field(answer, item, "obscd")
            if code in rows:
                raise SchemaError(f"{answer.file}: gauge {code} is listed twice")
            detail = details.pop(code, {})
            basin = answer.params.get("basin", item.get("basin_code"))
            lat, lon = (
                degrees(str(detail.get(short) or item.get(long) or ""))
                for short, long in (("lat", "latitude"), ("lon", "longitude"))
            )
            placed = abs(lat) <= 90 and abs(lon) <= 180
            unplaced += not placed
            rows[code] = (
                code,
                _field(answer, item, "obsnm") or code,
                _whole_or_none(basin, f"{answer.file}: basin of gauge {code}"),
                item.get("sbsncd"),
                detail.get("rivnm"),
                item.get("mngorg"),
                _whole_or_none(item.get("minyear"), f"{answer.file}: minyear of gauge {code}"),
                _whole_or_none(item.get("maxyear"), f"{answer.file}: maxyear of gauge {code}"),
                lat if placed else None,
                lon if placed else None,
                json.dumps({"list": item, "detail": detail}, ensure_ascii=False),
            )
    columns = (
        "obs_code, obs_name, basin_code, sub_basin_code, river_name, managing_org, min_year, max_year, latitude,"
        " longitude, api_response"
    )
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns.split(", ")[1:])
    connection.execute("CREATE TEMP TABLE new_gauge ON COMMIT DROP AS SELECT * FROM api_wamis_stations WITH NO DATA")
    with connection.cursor() as cursor, cursor.copy(f"COPY new_gauge ({columns}) FROM STDIN") as copy:
        for row in rows.values():
            copy.write_row(row)
    connection.execute(
        f"INSERT INTO api_wamis_stations ({columns}) SELECT {columns} FROM new_gauge"
        f" ON CONFLICT (obs_code) DO UPDATE SET {updates}, cached_at = now()"
    )
    connection.execute(
        """DELETE FROM api_wamis_stations s WHERE NOT EXISTS (SELECT FROM new_gauge n WHERE n.obs_code = s.obs_code)
             AND NOT EXISTS (SELECT FROM api_wamis_flow f WHERE f.obs_code = s.obs_code)"""
    )
    if unplaced:
        record.findings.append(Finding(WARNING, record.table, "gauges without readable coordinates", unplaced))
    if details:
        message = f"details of gauges that no list names, left out: {', '.join(sorted(details)[:5])}"
        record.findings.append(Finding(WARNING, record.table, message, len(details)))
    record.gate_report = {"gauges": len(rows), "without_coordinates": unplaced}
    return len(rows)


_USAGE_FIELDS = {"domestic": "wssum", "industrial": "indsum", "agricultural": "afsum", "total": "total"}


def _write_usage(options: loading.LoadOptions, connection: psycopg.Connection, record: Record, saved: Saved) -> int:
    """Thousand m3 a year. A call names a basin, and perhaps an administrative code and a year."""
    rows: dict[tuple[int, str, int], list[Any]] = {}
    asked: list[tuple[int, str, int | None]] = []
    for answer in saved.of(USAGE):
        basin = _whole(answer.param("basin"), f"{answer.file}: basin of a call of {USAGE}")
        admin = answer.params.get("admcd", "")
        only = _whole_or_none(answer.params.get("year"), f"{answer.file}: year of a call of {USAGE}")
        asked.append((basin, admin, only))
        for item in answer.items:
            year = _whole(_field(answer, item, "year"), f"{answer.file}: year of a water use")
            key = (basin, admin, year)
            if key in rows:
                raise SchemaError(f"{answer.file}: water use of basin {basin}, year {year} is given twice")
            amounts = [_amount(_field(answer, item, name), f"{answer.file}: {name}") for name in _USAGE_FIELDS.values()]
            if amounts[-1] is None:
                raise SchemaError(f"{answer.file}: water use of basin {basin}, year {year} has no total")
            rows[key] = [*key, *amounts]
    columns = ["basin_code", "admin_code", "year", *_USAGE_FIELDS]
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE new_usage ON COMMIT DROP AS SELECT * FROM api_wamis_water_usage WITH NO DATA")
        with cursor.copy(f"COPY new_usage ({names}) FROM STDIN") as copy:
            for row in rows.values():
                copy.write_row(row)
        cursor.executemany(
            """DELETE FROM api_wamis_water_usage u WHERE basin_code = %s AND admin_code = %s
                 AND (%s::smallint IS NULL OR year = %s) AND NOT EXISTS (SELECT FROM new_usage n
                   WHERE (n.basin_code, n.admin_code, n.year) = (u.basin_code, u.admin_code, u.year))""",
            [(basin, admin, year, year) for basin, admin, year in asked],
        )
    updates = ", ".join(f"{column} = excluded.{column}" for column in _USAGE_FIELDS)
    connection.execute(
        f"INSERT INTO api_wamis_water_usage ({names}) SELECT {names} FROM new_usage"
        f" ON CONFLICT (basin_code, admin_code, year) DO UPDATE SET {updates}, cached_at = now()"
    )
    record.stored_unit = "1000 m3/year"
    latest = _latest_total(rows)
    record.gate_report = {"latest_year_km3": latest}
    if {basin for basin, admin, _ in rows if not admin} == set(BASINS):  # the national water balance
        used = np.asarray([latest], np.float32)
        limits = load_ranges(options.gate)["water_withdrawal"]
        record.findings += limit_findings(record.table, used, limits, "the latest year's use of all basins, km3")
    return len(rows)


def _latest_total(rows: dict[tuple[int, str, int], list[Any]]) -> float:
    """Of the basins as a whole, in their latest year: what to compare with the national water balance."""
    whole = [key for key in rows if key[1] == ""]
    latest = {basin: max(year for b, _, year in whole if b == basin) for basin, _, _ in whole}
    return round(sum(float(rows[basin, "", year][-1]) for basin, year in latest.items()) / 1e6, 3)


def _amount(text: str, what: str) -> float | None:
    if text in _MISSING:
        return None
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        raise SchemaError(f"{what} is not a number: {text!r}") from None
    if not (math.isfinite(value) and value >= 0):
        raise SchemaError(f"{what} is not an amount of water: {text!r}")
    return value


_FLOW_TYPES: dict[str, LiteralString] = {"obs_code": "varchar(20)", "obs_date": "date", "flow_m3s": "float8"}


def _write_flow(options: loading.LoadOptions, connection: psycopg.Connection, record: Record, saved: Saved) -> int:
    """m3/s. A missing day has no row; a year asked for again loses the days it no longer holds."""
    answers = saved.of(FLOW)
    asked = [
        (answer.param("obscd"), int(_whole(answer.param("year"), f"{answer.file}: year") or 0)) for answer in answers
    ]
    if len(set(asked)) < len(asked):
        code, year = next(pair for pair in asked if asked.count(pair) > 1)
        raise SchemaError(f"flow of gauge {code} in {year} is saved twice; which answer is right?")
    known = {code for (code,) in connection.execute("SELECT obs_code FROM api_wamis_stations").fetchall()}
    known |= {str(item.get("obscd")) for answer in saved.of(GAUGES) for item in answer.items}
    if strange := sorted({code for code, _ in asked} - known):
        raise SchemaError(f"flow of {len(strange)} gauges that the gauge list does not name: {', '.join(strange[:5])}")
    frame, bad = _flow_frame(answers, asked)
    record.rejected = source_files.reject(
        options.data, record.table, bad, frame.height + len(bad), dry_run=record.dry_run
    )
    if duplicates := frame.height - frame.select(KEYS["api_wamis_flow"]).n_unique():
        raise SchemaError(f"{counted(duplicates, 'day')} of flow {agree(duplicates, 'is', 'are')} given twice")
    limits = load_ranges(options.gate)["flow"]
    found = outside(frame["flow_m3s"].to_numpy().astype(np.float32), limits)
    if found.hard:
        message = (
            f"{found.hard} flows outside {limits.low:g}..{limits.high:g} m3/s ({found.lowest:g}..{found.highest:g})"
        )
        record.findings.append(Finding(ERROR, record.table, message, found.hard))
        record.refuse_errors()
    record.stored_unit = "m3/s"
    record.gate_report = {"gauge_years": len(asked), "lowest": found.lowest, "highest": found.highest}
    if record.dry_run:  # the gauges that the rows would point at were rolled back
        return frame.height
    stage(connection, "new_flow", _FLOW_TYPES, frame)
    asked_frame = pl.DataFrame(asked, schema={"obs_code": pl.String, "year": pl.Int32}, orient="row")
    stage(connection, "asked_year", {"obs_code": "varchar(20)", "year": "integer"}, asked_frame)
    connection.execute("ANALYZE new_flow")
    connection.execute(
        """DELETE FROM api_wamis_flow f USING asked_year a
           WHERE f.obs_code = a.obs_code AND f.obs_date >= make_date(a.year, 1, 1)
             AND f.obs_date < make_date(a.year + 1, 1, 1) AND NOT EXISTS (
               SELECT FROM new_flow n WHERE n.obs_code = f.obs_code AND n.obs_date = f.obs_date)"""
    )
    connection.execute(
        """INSERT INTO api_wamis_flow AS f (obs_code, obs_date, flow_m3s) SELECT * FROM new_flow
           ON CONFLICT (obs_code, obs_date) DO UPDATE SET flow_m3s = excluded.flow_m3s, cached_at = now()
             WHERE f.flow_m3s IS DISTINCT FROM excluded.flow_m3s"""
    )
    return frame.height


def _flow_frame(answers: list[Answer], asked: list[tuple[str, int]]) -> tuple[pl.DataFrame, list[tuple[str, int, str]]]:
    """(`obs_code`, `obs_date`, `flow_m3s`) of the days with a value, and the items that cannot be read.

    An unreadable item is named by its place in the answer's list.
    """
    days = {"item": pl.Int32, "ymd": pl.String, "fw": pl.String}
    text = pl.concat(
        pl.DataFrame(
            [(n, _field(answer, item, "ymd"), _field(answer, item, "fw")) for n, item in enumerate(answer.items, 1)],
            schema=days,
            orient="row",
        ).with_columns(obs_code=pl.lit(code), year=pl.lit(year), file=pl.lit(answer.file))
        for answer, (code, year) in zip(answers, asked, strict=True)
    ).filter(~pl.col("fw").is_in(_MISSING))
    frame = text.with_columns(
        obs_date=pl.col("ymd").str.to_date("%Y%m%d", strict=False),
        flow_m3s=pl.col("fw").str.replace_all(",", "").cast(pl.Float64, strict=False),
    )
    wrong = (
        pl.when(pl.col("obs_date").is_null())
        .then(pl.format("not a day: {}", "ymd"))
        .when(pl.col("obs_date").dt.year() != pl.col("year"))
        .then(pl.format("{} is not in the year asked, {}", "ymd", "year"))
        .when(pl.col("flow_m3s").is_null() | ~pl.col("flow_m3s").is_finite())
        .then(pl.format("not a flow: {}", "fw"))
    )
    frame = frame.with_columns(reason=wrong)
    bad = frame.filter(pl.col("reason").is_not_null())
    good = frame.filter(pl.col("reason").is_null()).select(list(_FLOW_TYPES))
    return good, [(row["file"], row["item"], f"gauge {row['obs_code']}: {row['reason']}") for row in bad.to_dicts()]
