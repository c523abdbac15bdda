"""Loader of typhoon best tracks: one source a year, and the years that are covered.

A covered year without a storm near a cell is a year without wind; a year that is not covered says nothing. So the
loader records `covered_years` with the load. A season counts as complete when its file goes on to a later season or
reaches November: providers publish a year as a whole, and files cut at another date (RSMC Tokyo's of the running year,
IBTrACS as of today) end before. And its storms must state winds: 90 % of the fixes of storm strength (grade TS, STS or
TY), because a provisional season of IBTrACS has tracks without them. Depressions and extratropical lows do not count:
RSMC Tokyo states no wind for them, in no year. For a year that several sources hold the best complete one is taken, KMA
before JMA before IBTrACS; without a complete one the best that holds it is stored, uncovered, and named.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
import psycopg
from psycopg import sql

from engine.core import country
from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError
from engine.core.keys import KEYS
from engine.core.quality import ERROR, WARNING, Finding, Range, load_ranges
from engine.io.etl import lattice, loading
from engine.io.etl.loaders import besttrack_readers as readers
from engine.io.etl.loaders.besttrack_record import FASTEST_KM_H, GRADE_WINDS, SOURCES, Basins, BestTrack, Source
from engine.io.etl.loading import Task
from engine.io.files import source_files
from engine.kernels.typhoon_track import WINDS_SHARE

NAME, TABLE = "besttrack", "api_typhoon_besttrack"
PATTERNS = ("typhoon/*.txt", "typhoon/*.csv", "typhoon/*.parquet")

FIRST_YEAR = 1977  # before it the sources state no winds
SEASON_REACHES = (11, 1)  # month, day
#: of the stated values may lie outside the gate's range: best tracks do hold extratropical centres of 1018 hPa and
#: gale radii of 600 nautical miles; a wrong unit or column puts far more outside
TOLERATED = 0.01
WIND_ROUNDING = 0.5  # m/s: winds are stated in whole m/s or steps of 5 kt
_RANGES = {
    "max_wind_speed": ("typhoon_wind", "m/s"),
    "central_pressure": ("typhoon_pressure", "hPa"),
    "gale_long": ("typhoon_gale_radius", "km"),
    "storm_long": ("typhoon_storm_radius", "km"),
}
_TABLE_LIMITS = {"max_wind_speed": (0.0, 110.0), "central_pressure": (850.0, 1030.0)}


_ANYWHERE = {"typhoon_longitude": Range(0, 360, 0, 360), "typhoon_latitude": Range(-90, 90, -90, 90)}


class Merged(NamedTuple):
    """Merged best tracks, as stored in the table.

    fixes    : as `BestTrack.fixes`
    sources  : year -> where it comes from
    covered  : years that are complete, with winds
    uncovered: year -> why it is not
    left_out : reason -> rows read and not taken
    """

    fixes: pl.DataFrame
    sources: dict[int, Source]
    covered: list[int]
    uncovered: dict[int, str]
    left_out: dict[str, int]


@loading.loader(NAME, version="2", takes=("gate",))
def load(task: Task) -> None:
    """Read every best track below the data directory and bring its years up to date.

    raises : MissingInputError without a file; SchemaError for files that contradict each other, an unreadable file or
             more than 0.1 % unreadable records; GateError for values that cannot be
    """
    options, connection = task.options, task.connection
    found = task.find(*PATTERNS)
    if not found:
        raise source_files.MissingInputError(f"{NAME}: no file {' or '.join(PATTERNS)} below {options.data}")
    basins = Basins(country.current().storm_basins, lattice.definition(connection))
    ranges = load_ranges(options.gate)
    flags = {"gate": options.gate.read_text("utf-8")} if options.gate else {}
    if not basins.are_western_pacific:
        ranges |= _ANYWHERE
        flags["basins"] = f"{','.join(basins.codes) or 'around'} {basins.grid}"
    with task.table(TABLE, found, scope=options.scope, flags=flags) as record:
        if record.up_to_date:
            return
        tracks = []
        for number, path in enumerate(found, 1):
            task.progress(path.name, number, len(found))
            track = readers.read(path, basins)
            if track is None:
                message = f"{path.name} is none of the best tracks known (KMA, JMA, IBTrACS) and was left out"
                record.findings.append(Finding(WARNING, TABLE, message))
            else:
                tracks.append(track)
        if not tracks:
            raise SchemaError(
                f"{NAME}: none of {counted(len(found), 'file')} holds a best track of KMA, JMA or IBTrACS"
            )
        record.findings += [finding for track in tracks for finding in _leaps(track)]
        bad = [(track.name, line, reason) for track in tracks for line, reason in track.rejected]
        spoilt = sum(track.records for track in tracks if track.rejected)
        record.rejected = source_files.reject(options.data, TABLE, bad, spoilt, dry_run=record.dry_run)
        merged = merge(tracks)
        record.findings += check(merged.fixes, ranges)
        record.findings += [
            Finding(WARNING, TABLE, f"{year} is not covered: {reason} ({merged.sources[year]})")
            for year, reason in merged.uncovered.items()
        ]
        record.source_unit, record.stored_unit = "kt, m/s, nautical miles, km", "m/s, km"
        with record.transaction():
            record.refuse_errors()  # in words, before the table's own checks refuse a value
            old_sources, old_years = _published(connection)
            sources = old_sources | {str(year): source for year, source in merged.sources.items()}
            covered = sorted((old_years - merged.sources.keys()).union(merged.covered))
            _write(connection, merged.fixes, list(merged.sources))
            record.rows = merged.fixes.height
            uncovered = {str(year): reason for year, reason in merged.uncovered.items()}
            record.gate_report |= {"covered_years": covered, "sources": sources, "left_out": merged.left_out}
            record.gate_report |= {"uncovered_years": uncovered}
        record.message = f"{len(covered)} covered years"


def merge(tracks: Sequence[BestTrack]) -> Merged:
    """One source a year; raises SchemaError when two rows of one source differ about one fix."""
    left_out: Counter[str] = Counter()
    by_source: dict[Source, pl.DataFrame] = {}
    for source in SOURCES:
        if of_source := [track for track in tracks if track.source == source]:
            for track in of_source:
                left_out.update(track.left_out)
            rows = pl.concat([track.fixes for track in of_source])
            by_source[source] = _without_repeats(source, rows)
            left_out["repeated"] += rows.height - by_source[source].height
    lacks = {source: _lacks(fixes) for source, fixes in by_source.items()}
    complete = {
        source: {season for season, reason in seasons.items() if not reason} for source, seasons in lacks.items()
    }
    held = {source: set(fixes["season"].to_list()) for source, fixes in by_source.items()}
    chosen: dict[int, Source] = {}
    for seasons in (held, complete):  # the later overrules: complete before incomplete, then the better source
        for source in reversed(SOURCES):
            chosen |= {year: source for year in seasons.get(source, ()) if year >= FIRST_YEAR}
    parts = []
    for source, fixes in by_source.items():
        early = pl.col("obs_datetime").dt.year() < FIRST_YEAR
        own = pl.col("obs_datetime").dt.year().is_in([year for year, of in chosen.items() if of == source])
        left_out[f"before {FIRST_YEAR}"] += fixes.filter(early).height
        left_out["of a year taken from another source or not held"] += fixes.filter(~early & ~own).height
        parts.append(fixes.filter(own))
    return Merged(
        pl.concat(parts),
        chosen,
        sorted(year for year, source in chosen.items() if year in complete[source]),
        {year: lacks[source][year] for year, source in sorted(chosen.items()) if lacks[source][year]},
        {reason: count for reason, count in left_out.items() if count},
    )


def check(fixes: pl.DataFrame, ranges: Mapping[str, Range]) -> list[Finding]:
    """Findings of the gate on the fixes to be stored."""
    findings = []
    for column in ("longitude", "latitude"):
        low, high = ranges[f"typhoon_{column}"].low, ranges[f"typhoon_{column}"].high
        if count := fixes.filter(~pl.col(column).is_between(low, high)).height:
            findings.append(Finding(ERROR, TABLE, f"{count} fixes have a {column} outside {low:g}..{high:g}", count))
    for column, (name, unit) in _RANGES.items():
        stated, limits = fixes[column].drop_nulls(), ranges[name]
        odd = stated.filter(~stated.is_between(limits.low, limits.high))
        lowest, highest = _TABLE_LIMITS.get(column, (0.0, math.inf))
        if odd.len():
            impossible = odd.len() > TOLERATED * stated.len() or not odd.is_between(lowest, highest).all()
            values = sorted(odd.to_list())
            message = (
                f"{of_all(len(values), stated.len(), 'value')} of {column}"
                f" {agree(len(values), 'is', 'are')} outside {limits.low:g}..{limits.high:g} {unit}"
                f" ({values[0]:g}..{values[-1]:g})"
            )
            findings.append(Finding(ERROR if impossible else WARNING, TABLE, message, odd.len()))
    storms = fixes.filter(pl.col("gale_long").is_not_null())
    disordered = pl.any_horizontal(
        pl.col("storm_long") > pl.col("gale_long"),
        pl.col("gale_short") > pl.col("gale_long"),
        pl.col("storm_short") > pl.col("storm_long"),
    )
    if count := storms.filter(disordered).height:
        severity = ERROR if count > TOLERATED * storms.height else WARNING
        message = (
            f"{count} of {storms.height} fixes have a 50-kt radius beyond the 30-kt one, or a shortest one longest"
        )
        findings.append(Finding(severity, TABLE, message, count))
    if count := fixes.filter(_grade_differs()).height:
        findings.append(Finding(WARNING, TABLE, f"{count} fixes have a grade that their wind does not", count))
    return findings


def _leaps(track: BestTrack) -> list[Finding]:
    """A warning when storms of a file move as no storm does."""
    if not (count := track.leaps.height):
        return []
    storm, time, speed = track.leaps.row(0)
    message = (
        f"{track.name}: {count} fixes lie farther from the one before than a storm moves (more than {FASTEST_KM_H:g}"
        f" km/h), the first of storm {storm} at {time:%Y-%m-%d %H} UTC ({speed:,.0f} km/h): is a position wrong?"
    )
    return [Finding(WARNING, TABLE, message, count)]


def _grade_differs() -> pl.Expr:
    wind = pl.col("max_wind_speed")
    lowest = pl.col("grade").replace_strict(GRADE_WINDS, default=0.0, return_dtype=pl.Float64)
    ceilings = dict(zip(("TD", *GRADE_WINDS), (*GRADE_WINDS.values(), math.inf), strict=True))
    highest = pl.col("grade").replace_strict(ceilings, default=math.inf, return_dtype=pl.Float64)
    return (wind < lowest - WIND_ROUNDING) | (wind >= highest + WIND_ROUNDING)


def _lacks(fixes: pl.DataFrame) -> dict[int, str]:
    """Season -> what it lacks to be covered, in a phrase; empty for nothing."""
    stated, strong = pl.col("max_wind_speed").is_not_null(), pl.col("grade").is_in(list(GRADE_WINDS))
    seasons = fixes.group_by("season").agg(
        last=pl.col("obs_datetime").max(), winds=stated.sum(), strong=strong.sum(), known=(stated & strong).sum()
    )
    newest = max(seasons["season"], default=0)
    lacks = {}
    for season, last, winds, storms, known in seasons.sort("season").iter_rows():
        complete = season < newest or (last.year, last.month, last.day) >= (season, *SEASON_REACHES)
        windy = winds and known >= WINDS_SHARE * storms
        reason = (
            "" if windy else f"{known} of its {storms} fixes of storm strength state a wind, as in a provisional season"
        )
        lacks[season] = reason if complete else f"its last fix is of {last:%Y-%m-%d}"
    return lacks


def _without_repeats(source: Source, fixes: pl.DataFrame) -> pl.DataFrame:
    single = fixes.unique(maintain_order=True)
    duplicates = single.filter(pl.struct(KEYS[TABLE]).is_duplicated())
    if duplicates.height:
        storm, time = duplicates.row(0)[:2]
        raise SchemaError(
            f"{NAME}: {counted(duplicates.height, 'row')} of {source}"
            f" {agree(duplicates.height, 'contradicts', 'contradict')} each other, first storm {storm} at"
            f" {time:%Y-%m-%d %H} UTC: keep the newer file only"
        )
    return single


def _published(connection: psycopg.Connection) -> tuple[dict[str, Source], set[int]]:
    """Sources and covered years of what is in the table now."""
    row = connection.execute(
        "SELECT gate_report FROM etl_load WHERE loader = %s AND table_name = %s AND status = 'published'", (NAME, TABLE)
    ).fetchone()
    report: Mapping[str, Any] = (row and row[0]) or {}
    return report.get("sources", {}), set(report.get("covered_years", ()))


def _write(connection: psycopg.Connection, fixes: pl.DataFrame, years: Sequence[int]) -> None:
    """Upsert the fixes, and delete those of the years read that are there no more."""
    time = pl.col("obs_datetime")
    parts = {part: getattr(time.dt, part)() for part in ("year", "month", "day", "hour")}
    rows = fixes.drop("season").with_columns(time.dt.strftime("%Y-%m-%d %H:%M:%S+00"), **parts)
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
    updated = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column))
        for column in [*rows.columns, "cached_at"]
        if column not in ("tcid", "obs_datetime")
    )
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE besttrack_read (LIKE {TABLE} INCLUDING DEFAULTS) ON COMMIT DROP")
        with cursor.copy(sql.SQL("COPY besttrack_read ({}) FROM STDIN (FORMAT csv)").format(columns)) as copy:
            copy.write(rows.write_csv(include_header=False))
        cursor.execute(
            f"""DELETE FROM {TABLE} stored WHERE year = ANY(%s) AND NOT EXISTS (SELECT FROM besttrack_read new
                  WHERE new.tcid = stored.tcid AND new.obs_datetime = stored.obs_datetime)""",
            (list(years),),
        )
        cursor.execute(
            sql.SQL(
                "INSERT INTO {} ({}) SELECT {} FROM besttrack_read ON CONFLICT (tcid, obs_datetime) DO UPDATE SET {}"
            ).format(sql.Identifier(TABLE), columns, columns, updated)
        )
