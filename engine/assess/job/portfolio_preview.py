"""A look into a portfolio before it is assessed: its columns and what they are read as, its first rows, its faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.assess.job import portfolio_check, portfolio_csv, portfolio_file, portfolio_sheet
from engine.assess.job.portfolio_file import PortfolioFile
from engine.assess.job.portfolio_table import Request
from engine.assess.rules import columns
from engine.assess.rules.columns import Column
from engine.core.errors import LimitError, SettingsError
from engine.core.rates import LackingRates
from engine.io.files.packed import Limits
from engine.io.sites.assessment_files import kind_of, read_lines, read_parquet

#: rows that are shown, characters of a value
_FIRST, _LONGEST = 5, 200
_Rows = list[tuple[int, tuple[Any, ...]]]


def preview(path: Path, parameters: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    """What is read of a file, and what is wrong with it. Nothing is stored.

    path       : of a file that is not packed
    parameters : as of a job: `name`, `sheet`, `columns` and fields for all rows
    returns    : columns, first rows, faults, notes; `question`: why the file cannot be assessed as its columns are read
                 now, and null where it can; `currencies_without_rate`: what a table of rates has to have
    raises     : SettingsError for a file whose columns cannot be told; LimitError
    """
    asked = portfolio_file.asked_of(parameters)
    try:
        portfolio_file.require_rows(path, limits, asked)
        sites = portfolio_file.read(path, parameters, limits)
    except LimitError:
        raise
    except SettingsError as err:
        return _unsettled(path, asked, limits, err)
    checked = portfolio_check.check_rows(sites)
    rows = zip(sites.rows.head(_FIRST), sites.given.head(_FIRST).iter_rows(), strict=True)
    return {
        "question": None,
        "currencies_without_rate": [],
        "columns": _columns(sites.chosen),
        "first_rows": _first([*rows]),
        "rows": len(sites.rows),
        "valid": checked.valid.height,
        "rows_numbered": sites.numbered,
        "faults": _faults(sites, checked.failures),
        "faults_total": checked.failures.height,
        "notes": sites.notes,
    }


def _faults(sites: PortfolioFile, failures: Any) -> list[dict[str, Any]]:
    wanted = ("row", "site_id", "column", "field", "value", "reason")
    return [{name: each[name] for name in wanted} for each in portfolio_check.invalid_sites(sites, failures)]


def _unsettled(path: Path, asked: Request, limits: Limits, why: SettingsError) -> dict[str, Any]:
    """Columns as far as they can be told, and the question that somebody must answer.

    raises : why, where the file has no columns to ask about
    """
    try:
        names, rows = _head(path, asked, limits)
    except SettingsError:
        raise why from None
    if len(names) < len(columns.REQUIRED):
        raise why
    return {
        "question": str(why),
        "currencies_without_rate": list(why.currencies) if isinstance(why, LackingRates) else [],
        "columns": _columns(columns.guessed(names, asked.columns)),
        "first_rows": _first([(number, (*row, *[None] * len(names))[: len(names)]) for number, row in rows]),
        "rows": None,
        "valid": None,
        "rows_numbered": None,
        "faults": [],
        "faults_total": 0,
        "notes": [],
    }


def _head(path: Path, asked: Request, limits: Limits) -> tuple[list[str], _Rows]:
    """(names, first rows with their numbers) whatever the columns are."""
    kind = kind_of(path)
    if kind == "csv":
        return portfolio_csv.head(path, asked, _FIRST)
    if kind == "workbook":
        return portfolio_sheet.head(path, asked, limits, _FIRST)
    if kind == "ndjson":
        records, numbers = read_lines(path)
        names = list(dict.fromkeys(name for record in records for name in record))
        return names, [
            (at, tuple(map(each.get, names))) for at, each in list(zip(numbers, records, strict=True))[:_FIRST]
        ]
    frame = read_parquet(path)
    return frame.columns, list(enumerate(frame.head(_FIRST).iter_rows(), 1))


def _columns(chosen: Sequence[Column]) -> list[dict[str, Any]]:
    """As JSON, with the field that a column which is none may mean."""
    return [each.as_json() | {"near": columns.meant(each)} for each in chosen]


def _first(rows: _Rows) -> list[dict[str, Any]]:
    return [{"row": number, "values": [_text(value) for value in row]} for number, row in rows]


def _text(value: object) -> str | None:
    return None if value is None else str(value)[:_LONGEST].replace("\0", "")
