"""CSV files and a workbook: a file or a sheet a risk, a row a cell, scenario and period."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from engine.core.errors import SettingsError
from engine.io.export.figures import described
from engine.io.export.table import COLUMNS, Export
from engine.io.files.workbook_out import MOST_ROWS, Form, Heading, WorkbookFile

_DEGREES = ("latitude", "longitude")
#: columns of whole numbers in a workbook
_WHOLE = ("grid_id", "scenario_id", "first_year", "last_year", "n_samples")


def write_csv(folder: Path, export: Export) -> None:
    """`RISK.csv` in UTF-8, an empty field where a figure is missing, and `columns.csv`."""
    described().write_csv(folder / "columns.csv")
    for risk in export.risks:
        with (folder / f"{risk}.csv").open("wb") as file:
            for number, key in enumerate(export.of_risk(risk)):
                export.rows(key).select(COLUMNS).write_csv(file, include_header=number == 0)


def require_sheets(export: Export) -> None:
    """Refuse a risk with more rows than a sheet holds.

    raises : SettingsError with what to do
    """
    cells = export.layers.cells.height
    for risk in export.risks:
        layers = len(export.of_risk(risk))
        if cells * layers > MOST_ROWS - 1:
            raise SettingsError(
                f"{risk} has up to {cells * layers:,} rows ({cells:,} cells, {layers} pairs of scenario and period), a"
                f" sheet of a workbook holds {MOST_ROWS - 1:,}: choose fewer with --scenarios and --period, or --format"
                " csv"
            )


def write_workbook(folder: Path, export: Export) -> None:
    """`results.xlsx`: a sheet that says what it is of, one that says what the columns are, then one a risk.

    raises : SettingsError for more rows than a sheet holds; SinkError
    """
    require_sheets(export)
    book = WorkbookFile(folder / "results.xlsx")
    try:
        book.page("readme", [([Heading("what", "what"), Heading("value", "value", "wide")], _facts(export))])
        words = described()
        book.page("columns", [([Heading(name, name, _wide(name)) for name in words.columns], words)])
        for risk in export.risks:
            writer = book.sheet(risk, [_heading(name) for name in COLUMNS], frozen=3)
            for key in export.of_risk(risk):
                writer.append(export.rows(key))
            writer.close()
        book.close()
    except BaseException:
        book.abandon()
        raise


def _wide(name: str) -> Form:
    return "wide" if name in ("title", "meaning") else "text"


def _heading(name: str) -> Heading:
    if name in _DEGREES:
        return Heading(name, name, "degrees")
    return Heading(name, name, "whole" if name in _WHOLE else "text")


def _facts(export: Export) -> pl.DataFrame:
    rows = []
    for name, value in export.about.items():
        if value is None or name == "runs":
            continue
        if isinstance(value, dict):
            value = "; ".join(f"{key}: {_text(each)}" for key, each in value.items())
        rows.append((name.replace("_", " "), _text(value)))
    return pl.DataFrame(rows, schema={"what": pl.String, "value": pl.String}, orient="row")


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
