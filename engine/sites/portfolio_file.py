"""A portfolio as its owner has it: rows that are assets, columns that are fields, and columns that are carried
through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from engine.assess import assess_sites, columns, portfolio, records
from engine.assess.offered import RISKS
from engine.errors import LimitError, SettingsError
from engine.io import packed
from engine.io.assessment_files import (
    SUFFIXES,
    check_suffix,
    count_breaks,
    count_lines,
    kind_of,
    read_lines,
    read_parquet,
    require_size,
)
from engine.io.packed import Limits
from engine.io.site_regions import CONTEXT
from engine.sites import portfolio_csv

#: fields that a request may state for all sites of a portfolio
_FOR_ALL = ("risk_types", "scenario_ids", "time_periods")
#: lines that a row may take, within quotation marks or blank below it: reading a line costs time, whatever it holds
_LINES_A_ROW = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioFile:
    """The rows of a file that hold anything.

    name    : of the portfolio; with a row's own id it makes the UUID of the asset
    sites   : the fields, for `validation.check`
    rows    : number of each row in the file, from 0, the header not counted
    carried : `row` and every column that is no field, under its own name, or with `_given` behind it where the results
              have a column of that name
    unread  : those columns in words, each with the field that it resembles
    notes   : what somebody should know of the file as a whole
    """

    name: str
    sites: pl.DataFrame
    rows: pl.Series
    carried: pl.DataFrame
    unread: list[str]
    notes: list[str]

    def with_carried(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of results with the columns that are carried through."""
        if self.carried.width == 1:
            return frame
        # by place, not by a join: parts are a thousandth of the rows, and a join would look at all of them each time
        place = np.searchsorted(self.rows.to_numpy(), frame["row"].to_numpy())
        return pl.concat([frame, self.carried.drop("row")[place]], how="horizontal")

    def told(self, row: int) -> dict[str, str | None]:
        """The carried columns of one row as text that JSON and a database can hold; without lists and records."""
        place = self.rows.search_sorted(row)
        told = {}
        for column in self.carried.drop("row"):
            if not column.dtype.is_nested() and column.dtype != pl.Binary:
                value = column[place]
                told[column.name] = None if value is None else str(value).replace("\0", "")
        return told


def read(path: Path, parameters: Mapping[str, Any], limits: Limits) -> PortfolioFile:
    """Read a file of sites.

    parameters : of the job: `name` of the portfolio (else that of the file), and fields for the rows that do not state
                 them themselves
    limits     : of what comes out of a packed file; a plain one is read as it is
    raises     : SettingsError for a file that is none, that cannot be read, or without coordinates; LimitError
    """
    check_suffix(path)
    with packed.opened(path, SUFFIXES, limits.bytes) as plain:
        if plain != path:
            require_rows(plain, limits)
        sites, other, rows, total, notes = _fields(plain)
    held = _held(sites, other)
    if empty := total - int(held.sum()):
        notes.append(f"{empty:,} rows without any value are no sites and left out")
    return PortfolioFile(
        name=str(parameters.get("name") or Path(packed.plain_name(path)).stem),
        sites=_with_common(sites.filter(held), parameters),
        rows=rows.filter(held),
        carried=pl.DataFrame([rows, *other.rename(_free_names(other.columns))]).filter(held),
        unread=records.unread(other.columns),
        notes=notes,
    )


def require_rows(path: Path, limits: Limits) -> None:
    """Refuse a file that is not packed and holds too much, before it is read into memory.

    raises : LimitError; SettingsError for a file that is none
    """
    kind = kind_of(path)
    if kind == "parquet":
        rows = require_size(path, limits)
    else:
        if count_breaks(path) > (most := _LINES_A_ROW * limits.rows):
            raise LimitError(f"{path}: a portfolio has at most {most:,} lines, blank ones included")
        count = count_lines if kind == "ndjson" else portfolio_csv.count
        rows = count(path, limits.rows)
    if rows > limits.rows:
        raise LimitError(f"{path}: a portfolio has at most {limits.rows:,} rows (PORTFOLIO_MAX_ROWS); send it in parts")


def _fields(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series, int, list[str]]:
    """(fields, what is no field, number of each row, rows of the file, notes) of a file that is not packed."""
    kind = kind_of(path)
    if kind == "csv":
        table, rows, total, said = portfolio_csv.read(path)
        sites, other, notes = records.from_table(table)
        return sites, other, rows, total, said + notes
    sites, other, notes = _of_lines(path) if kind == "ndjson" else _of_parquet(path)
    return sites, other, pl.Series("row", range(sites.height), pl.UInt32), sites.height, notes


def _of_lines(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    lines = read_lines(path)
    names = list(dict.fromkeys(name for line in lines for name in line))
    fields = columns.fields_of(names, path)
    if called := {names[place]: field for place, field in fields.items() if names[place] != field}:
        lines = [{called.get(name, name): value for name, value in line.items()} for line in lines]
    return *records.from_lines(lines), columns.notes_on(names, fields)


def _of_parquet(path: Path) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    table = read_parquet(path)
    names = table.columns
    fields = columns.fields_of(names, path)
    if absent := columns.absent(fields.values(), portfolio_csv.REQUIRED):
        has = ", ".join(names[:20]) or "none"
        raise SettingsError(f"{path}: no column {', '.join(absent)}; its columns are: {has}")
    sites, other, notes = records.from_table(table.rename({names[place]: field for place, field in fields.items()}))
    return sites, other, columns.notes_on(names, fields) + notes


def _held(sites: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    """Rows that hold any value; spreadsheets end in rows of nothing but commas."""
    held = sites["invalid_types"].list.len() > 0
    for column in (*sites.drop("invalid_types"), *other):
        text = column.dtype == pl.String
        held |= (column.str.strip_chars() != "").fill_null(False) if text else column.is_not_null()
    return held


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
