"""Checks of a portfolio as a whole: its valid rows, notes on the file, and the invalid rows as they are answered."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from engine.assess.job import portfolio_file, portfolio_output
from engine.assess.job.portfolio_file import PortfolioFile
from engine.assess.rules.validation import IDENTITY, Checked, check
from engine.core.counted import agree, counted
from engine.core.errors import EngineError, SettingsError
from engine.core.language import DEFAULT, parse
from engine.io.files.packed import Limits
from engine.io.sites.assessment_files import FrameFiles

log = logging.getLogger(__name__)


def check_portfolio(parameters: Mapping[str, Any], limits: Limits, *, write_faults: bool = False) -> tuple[int, int]:
    """Rows of a portfolio and how many of them are valid, before a job is made of it.

    write_faults : of a file without a valid row, write what is wrong with each to the folder of the results
    raises       : SettingsError for a file that is none, or without a valid row
    """
    path = Path(parameters["sites"])
    sites = portfolio_file.read(path, parameters, limits)
    try:
        return len(sites.rows), checked_rows(path, sites).valid.height
    except SettingsError as err:
        if not write_faults or not len(sites.rows):
            raise
        with FrameFiles(Path(parameters["out"])) as files:
            language = parse(parameters.get("language", DEFAULT))
            portfolio_output.write_faults(files, sites, check_rows(sites).failures, language)
            files.publish()
        raise SettingsError(f"{err}; all faults are in {Path(parameters['out']) / 'portfolio.xlsx'}") from None


def check_rows(sites: PortfolioFile) -> Checked:
    """The rows of a portfolio, checked, whether or not any is valid."""
    return check(sites.sites, portfolio=sites.name, rows=sites.rows, left_open=sites.open)


def checked_rows(path: Path, sites: PortfolioFile) -> Checked:
    """The rows of a portfolio, checked.

    raises : SettingsError when none is valid
    """
    checked = check_rows(sites)
    if checked.valid.is_empty():
        faults = checked.failures.select("row", "reason").rows()
        first = "first: row {}: {}".format(*faults[0]) if faults else "no rows"
        raise SettingsError(
            "; ".join([f"{path}: none of {counted(len(sites.rows), 'row')} is valid; {first}", *sites.notes])
        )
    return checked


def notes_on(path: Path, sites: PortfolioFile, checked: Checked) -> list[str]:
    """Notes on the file as a whole, logged and put into the results."""
    notes = [*sites.notes]
    if checked.repeated:
        notes.append(
            f"{counted(checked.repeated, 'row')} {agree(checked.repeated, 'has', 'have')} a"
            " site_id that an earlier row has: each is an asset of its own"
        )
    if sites.unread:
        notes.append(f"columns that are no field and are carried through: {', '.join(sites.unread)}")
    for note in notes:
        log.warning("%s: %s", path.name, note)
    return notes


def require_results(done: int, faults: pl.DataFrame) -> None:
    """Refuse a portfolio of which no site could be assessed, with the reason that is given most often.

    raises : EngineError
    """
    if done:
        return
    counts = faults.group_by("reason", maintain_order=True).agg(rows=pl.col("row").n_unique())
    reason, rows = counts.sort("rows", descending=True, maintain_order=True).row(0)
    raise EngineError(
        f"no site could be assessed: {reason} ({counted(rows, 'row')}); all"
        " reasons are in sites.csv and failures.parquet"
    )


def invalid_sites(sites: PortfolioFile, failures: pl.DataFrame, most: int = 1000) -> list[dict[str, Any]]:
    """Invalid rows with their messages, the column of the file and what stands there; the whole list is in the failures
    file."""
    listed = failures.head(most).select(*IDENTITY, "field", "reason").to_dicts()
    values = sites.stated([each["row"] for each in listed], [each["field"] for each in listed])
    headings = sites.headings()
    return [
        each | {"column": headings.get(each["field"]), "value": value and value[:200].replace("\0", "")}
        for each, value in zip(listed, values, strict=True)
    ]
