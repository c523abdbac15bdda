"""A location file of the Open Exposure Data standard as the table of a portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from engine.assess.job.portfolio_table import Request, Table
from engine.assess.rules import loss_words, oed
from engine.core.errors import SettingsError
from engine.io.sites import rates_file


def table_of(
    frame: pl.DataFrame, names: list[str], rows: pl.Series, path: Path, asked: Request, *, total: int, header: str
) -> Table:
    """The table of an OED file.

    frame  : its columns; names: as the file has them; rows: number of each row; total: rows of the file
    header : words on how rows are numbered
    raises : SettingsError as `oed.convert`, and for columns that the caller names
    """
    if asked.columns:
        raise SettingsError(
            f"{path} is an OED location file: its columns are known by their names and are not chosen (--columns)"
        )
    rates = {} if asked.rates is None else rates_file.read(asked.rates)
    found = oed.convert(frame, names, rows, path, given=rates, into=loss_words.currency())
    return Table(
        frame=found.frame,
        chosen=found.chosen,
        rows=rows.filter(found.kept),
        total=total - (len(rows) - found.frame.height),
        header=header,
        notes=found.notes,
        raw=found.raw,
        open=True,
    )


def require_other(path: Path, asked: Request, names: Sequence[str] = ()) -> None:
    """Refuse a table that is nearly an OED location file, whose currencies would not be read, and rates for any other.

    names  : of its columns
    raises : SettingsError
    """
    if lacking := oed.lacking(names):
        raise SettingsError(
            f"{path} has columns of an OED location file and lacks {', '.join(lacking)}: add them, or"
            " give columns of your own names (docs/site-fields.md)"
        )
    if asked.rates is not None:
        raise SettingsError(
            f"--rates {asked.rates}: {path} is no OED location file and states no currencies, its values are"
            f" {loss_words.currency()}: leave --rates out"
        )
