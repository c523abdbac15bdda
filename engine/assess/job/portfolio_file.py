"""A portfolio as its owner has it: rows that are assets, columns that are fields, and columns that are carried
through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.assess import assess_sites
from engine.assess.job import portfolio_csv, portfolio_oed, portfolio_places, portfolio_sheet, portfolio_table
from engine.assess.job.portfolio_ages import ages
from engine.assess.job.portfolio_table import NUMBERS, Request, Table
from engine.assess.rules import columns, oed, portfolio, records
from engine.assess.rules.column_names import COMPLETED, NAME
from engine.assess.rules.columns import Column
from engine.assess.rules.fields import BUILDING_NAMES, BY_NAME
from engine.assess.rules.offered import RISKS
from engine.core.counted import agree, counted
from engine.core.errors import LimitError, SettingsError
from engine.io.files import packed
from engine.io.files.packed import Limits
from engine.io.sites.assessment_files import (
    SUFFIXES,
    check_suffix,
    count_breaks,
    count_lines,
    kind_of,
    read_lines,
    read_parquet,
    require_size,
)
from engine.io.sites.site_regions import CONTEXT

#: fields that a request may state for all sites of a portfolio
_FOR_ALL = ("risk_types", "scenario_ids", "time_periods")
#: lines that a row may take, within quotation marks or blank below it: reading a line costs time, whatever it holds
_LINES_A_ROW = 10
_OF_LINES, _OF_PARQUET = "lines of the file, from 1", "rows of the table, from 1: a Parquet file shows no numbers"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioFile:
    """The rows of a file that hold anything.

    name     : of the portfolio; with a row's own id it makes the UUID of the asset
    sites    : the fields, for `validation.check`
    rows     : number of each row, as the program shows it that opens the file
    numbered : how rows are numbered, in words
    carried  : `row` and every column that is no field, under its own name, or with `_given` behind it where the results
               have a column of that name
    given    : every column as the file has it, in its order
    chosen   : what each column is
    open     : building fields that no column is, in a file that has others of them: they are assumed, not missing
    unread   : the carried columns in words, each with the field that it resembles
    notes    : what somebody should know of the file as a whole
    """

    name: str
    sites: pl.DataFrame
    rows: pl.Series
    numbered: str
    carried: pl.DataFrame
    given: pl.DataFrame
    chosen: Sequence[Column]
    open: frozenset[str]
    unread: list[str]
    notes: list[str]

    def with_carried(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of results with the columns that are carried through."""
        if self.carried.width == 1:
            return frame
        return pl.concat([frame, self.carried_of(frame["row"])], how="horizontal")

    def carried_of(self, rows: pl.Series) -> pl.DataFrame:
        """The carried columns of rows, in their order."""
        # by place, not by a join: parts are a thousandth of the rows, and a join would look at all of them each time
        place = np.searchsorted(self.rows.to_numpy(), rows.to_numpy())
        return self.carried.drop("row")[place]

    def carried_text(self, row: int) -> dict[str, str | None]:
        """The carried columns of one row as text that JSON and a database can hold; without lists and records."""
        place = self.rows.search_sorted(row)
        values = {}
        for column in self.carried.drop("row"):
            if not column.dtype.is_nested() and column.dtype != pl.Binary:
                value = column[place]
                values[column.name] = None if value is None else str(value).replace("\0", "")
        return values

    def name_column(self) -> str | None:
        """The carried column that names the sites; None without one."""
        others = [each for each in self.chosen if each.field in (None, NAME)]
        carried = self.carried.columns[1:]
        return next((own for own, each in zip(carried, others, strict=False) if each.field == NAME), None)

    def headings(self) -> dict[str, str]:
        """Field -> column of the file."""
        found = {str(each.field): each.name for each in self.chosen if each.field is not None}
        return found | ({"building_age": found[COMPLETED]} if COMPLETED in found else {})

    def stated(self, rows: Sequence[int], fields: Sequence[str | None]) -> list[str | None]:
        """What the file has in a field of a row, for each of several."""
        places = {str(each.field): own for own, each in zip(self.given.columns, self.chosen, strict=False)}
        if COMPLETED in places:
            places["building_age"] = places[COMPLETED]
        found = np.searchsorted(self.rows.to_numpy(), np.asarray(rows, np.uint32))
        columns = {name: self.given[own] for name, own in places.items()}
        values = [
            columns[field][int(place)] if field in columns else None for place, field in zip(found, fields, strict=True)
        ]
        return [None if value is None else str(value) for value in values]


def asked_of(parameters: Mapping[str, Any]) -> Request:
    """Options for the file, from a job's parameters."""
    rates = parameters.get("rates")
    return Request(parameters.get("sheet"), parameters.get("columns") or {}, Path(rates) if rates else None)


def read(path: Path, parameters: Mapping[str, Any], limits: Limits, today: date | None = None) -> PortfolioFile:
    """Read a file of sites.

    parameters : of the job: `name` of the portfolio (else that of the file), `sheet` of a workbook, `columns` (field ->
                 column), and fields for the rows that do not state them themselves
    limits     : of what comes out of a packed file or a workbook; a plain one is read as it is
    today      : the day on which an age is reckoned from a year of completion; None: today
    raises     : SettingsError for a file that is none, that cannot be read, or without coordinates; LimitError
    """
    check_suffix(path)
    asked, today = asked_of(parameters), today or datetime.now(UTC).date()
    with packed.opened(path, SUFFIXES, limits.bytes) as plain:
        if plain != path:
            require_rows(plain, limits, asked)
        parts = _fields(plain, asked, limits, today)
    sites, table, notes = parts.sites, parts.table, list(parts.notes)
    other = table.of_others()
    filled = _filled(sites, other)
    if empty := table.total - int(filled.sum()):
        notes.append(
            f"{counted(empty, 'row')} without any value {agree(empty, 'is no site', 'are no sites')} and left out"
        )
    portfolio_places.require_places(path, sites.filter(filled), table.rows.filter(filled), table.chosen)
    others = sorted((each for each in table.chosen if each.field is None), key=lambda each: each.name)
    return PortfolioFile(
        name=str(parameters.get("name") or Path(packed.plain_name(path)).stem),
        sites=_with_common(sites.filter(filled), parameters),
        rows=table.rows.filter(filled),
        numbered=table.header,
        carried=pl.DataFrame([table.rows, *other.rename(_free_names(other.columns))]).filter(filled),
        given=table.as_given().filter(filled),
        chosen=table.chosen,
        open=parts.open,
        unread=[
            f"{each.name} (did you mean {near}?)" if (near := columns.meant(each)) else each.name for each in others
        ],
        notes=notes,
    )


def require_rows(path: Path, limits: Limits, asked: Request | None = None) -> None:
    """Refuse a file that is not packed and holds too much, before it is read into memory.

    raises : LimitError; SettingsError for a file that is none
    """
    kind = kind_of(path)
    if kind == "workbook":  # counted as it is read: its size is limited before
        return
    if kind == "parquet":
        rows = require_size(path, limits)
    else:
        if count_breaks(path) > (most := _LINES_A_ROW * limits.rows):
            raise LimitError(f"{path}: a portfolio has at most {most:,} lines, blank ones included")
        rows = count_lines(path, limits.rows) if kind == "ndjson" else portfolio_csv.count(path, limits.rows, asked)
    if rows > limits.rows:
        raise LimitError(f"{path}: a portfolio has at most {limits.rows:,} rows (PORTFOLIO_MAX_ROWS); send it in parts")


@dataclass(frozen=True, slots=True)
class _Parts:
    sites: pl.DataFrame
    table: Table
    notes: list[str]
    open: frozenset[str] = frozenset()


def _fields(path: Path, asked: Request, limits: Limits, today: date) -> _Parts:
    """Fields and table of a file that is not packed."""
    kind = kind_of(path)
    if asked.sheet is not None and kind != "workbook":
        raise SettingsError(f"--sheet {asked.sheet}: {path} is no workbook and has no sheets")
    if kind in ("ndjson", "workbook"):
        portfolio_oed.require_other(path, asked)
    if kind == "ndjson":
        return _of_lines(path, asked)
    if kind == "csv":
        table = portfolio_csv.read(path, asked)
    elif kind == "workbook":
        table = portfolio_sheet.read(path, asked, limits)
    else:
        table = _of_parquet(path, asked)
    fields = table.of_fields()
    factors = {str(each.field): each.factor for each in table.chosen if each.factor != 1}
    known = fields.select(name for name in fields.columns if name in BY_NAME)
    try:
        sites, notes = records.from_table(known, factors, table.lone)
    except SettingsError as err:
        raise SettingsError(f"{path}: {err}") from None
    notes = table.notes + notes
    if COMPLETED in fields.columns:
        sites = ages(sites, fields[COMPLETED], today)
        notes.append(f"building_age is reckoned from the year of completion to {today}")
    named = [name for name in BUILDING_NAMES if name in sites.columns]
    open_fields = frozenset(BUILDING_NAMES) - set(named) if named else frozenset()
    if table.open:
        open_fields = frozenset(BUILDING_NAMES)
        notes.append("building fields that a row does not state are assumed, and named in imputed_fields")
    elif open_fields:
        missing = ", ".join(name for name in BUILDING_NAMES if name in open_fields)
        notes.append(f"no column states {missing}: assumed, and named in imputed_fields")
    return _Parts(sites, table, notes, open_fields)


def _of_lines(path: Path, asked: Request) -> _Parts:
    lines, numbers = read_lines(path)
    names = list(dict.fromkeys(name for line in lines for name in line))
    flat = [name for name in names if name not in records.OBJECTS]
    chosen = columns.choose(flat, path, asked.columns)
    columns.require_no_near_miss(chosen, path, asked.columns)
    called = {each.name: each.field for each in chosen if each.field not in (None, NAME, each.name)}
    if scaled := [each.name for each in chosen if each.factor != 1 or each.field == COMPLETED]:
        raise SettingsError(f"{path}: {scaled[0]!r} is another quantity than a field of NDJSON: state the field itself")
    if called:
        lines = [{called.get(name, name): value for name, value in line.items()} for line in lines]
    sites, other = records.from_lines(lines)
    kept = [each for each in chosen if each.field in (None, NAME)]
    rows = pl.Series("row", numbers, pl.UInt32)
    whole = [*(each for each in chosen if each.field not in (None, NAME)), *kept]
    table = Table(
        frame=pl.concat(
            [sites.select(str(each.field) for each in whole[: len(whole) - len(kept)]), other], how="horizontal"
        ),
        chosen=whole,
        rows=rows,
        total=sites.height,
        header=_OF_LINES,
    )
    return _Parts(sites, table, columns.notes_on(chosen))


def _of_parquet(path: Path, asked: Request) -> Table:
    frame = read_parquet(path)
    rows = pl.Series("row", range(1, frame.height + 1), pl.UInt32)
    if oed.is_oed(frame.columns):
        return portfolio_oed.table_of(frame, frame.columns, rows, path, asked, total=frame.height, header=_OF_PARQUET)
    portfolio_oed.require_other(path, asked, frame.columns)
    chosen = portfolio_table.chosen(frame.columns, path, asked)
    notes = columns.notes_on(chosen)
    texts = {each.field for each, kind in zip(chosen, frame.dtypes, strict=True) if kind == pl.String}
    comma = frozenset(
        name for name in NUMBERS if name in texts and portfolio_table.decimal_sign(frame, chosen, path, {name}) == ","
    )
    frame = portfolio_table.with_points(frame, chosen, comma)
    return Table(
        frame=frame,
        chosen=chosen,
        rows=rows,
        total=frame.height,
        header=_OF_PARQUET,
        comma=comma,
        lone=frozenset(NUMBERS) - comma,
        notes=notes,
    )


def _filled(sites: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    """Rows that hold any value; spreadsheets end in rows of nothing but commas."""
    filled = sites["invalid_types"].list.len() > 0
    for column in (*sites.drop("invalid_types"), *other):
        text = column.dtype == pl.String
        filled |= (column.str.strip_chars() != "").fill_null(False) if text else column.is_not_null()
    return filled


def _with_common(sites: pl.DataFrame, parameters: Mapping[str, Any]) -> pl.DataFrame:
    for name in _FOR_ALL:
        if parameters.get(name) is not None:
            stated = pl.lit(parameters[name], pl.List(pl.Int64 if name == "scenario_ids" else pl.String))
            own = pl.col(name) if name in sites.columns else pl.lit(None)
            sites = sites.with_columns(pl.coalesce(own, stated).alias(name))
    return sites


def _free_names(names: list[str]) -> dict[str, str]:
    """Names under which columns are carried: no reader that does not tell case apart finds two alike."""
    taken, own = set(_of_results()), {name.casefold() for name in names}
    free: dict[str, str] = {}
    for name in names:
        chosen = name
        while chosen.casefold() in taken or (chosen != name and chosen.casefold() in own):
            chosen += "_given"
        taken.add(chosen.casefold())
        free[name] = chosen
    return free


@cache
def _of_results() -> frozenset[str]:
    """Columns of any frame of results, asked of an assessment itself."""
    keys = {"grid_id": [1], "risk_type": RISKS[:1], "scenario_id": [2], "time_period": ["mid_term"]}
    cell = pl.DataFrame({**keys, "hazard_score": [0.5], "aal": [0.01]})
    result = assess_sites(pl.DataFrame({"latitude": [33.0], "longitude": [124.5]}), cell, cell)
    frames = (result.exposure, result.vulnerability, result.aal, result.risk, result.failures)
    own = [name for frame in (*frames, portfolio.with_shares(result.totals)) for name in frame.columns]
    return frozenset(name.casefold() for name in (*own, *CONTEXT))
