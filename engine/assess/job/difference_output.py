"""Workbooks and CSV of what-ifs and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from engine.assess.job.portfolio_output import append_csv, heading
from engine.assess.rules import difference_sheets
from engine.assess.rules.sheets import Shown, titled
from engine.core.errors import SinkError
from engine.core.language import DEFAULT, Language
from engine.io.files.workbook_out import Heading, WorkbookFile

_FACTS = (Shown("what", "what"), Shown("value", "value"))
Sheet = tuple[str, Sequence[Shown], pl.DataFrame]


def what_if_workbook(path: Path, told: Mapping[str, Any], sites: pl.DataFrame, language: Language = DEFAULT) -> None:
    """Write a what-if: sums and sentences, a line a site, both curves.

    raises : SinkError
    """
    _workbook(
        path,
        "what-if",
        difference_sheets.what_if_facts(told),
        difference_sheets.what_if_sums(told),
        [
            ("sites", difference_sheets.WHAT_IF_SITES, difference_sheets.what_if_sites(told, sites)),
            ("loss curve", difference_sheets.CURVES, difference_sheets.what_if_curves(told)),
        ],
        language,
    )


def what_if_csv(told: Mapping[str, Any], sites: pl.DataFrame) -> bytes:
    """A line a site, scenario and period."""
    return _csv(difference_sheets.what_if_sites(told, sites), difference_sheets.WHAT_IF_SITES)


def comparison_workbook(path: Path, told: Mapping[str, Any], table: pl.DataFrame, language: Language = DEFAULT) -> None:
    """Write a comparison: sums, a line an asset, both curves.

    raises : SinkError
    """
    _workbook(
        path,
        "comparison",
        difference_sheets.compared_facts(told),
        difference_sheets.compared_sums(told),
        [
            ("sites", difference_sheets.COMPARED_SITES, difference_sheets.compared_sites(told, table)),
            ("loss curve", difference_sheets.CURVES, difference_sheets.compared_curves(told)),
        ],
        language,
    )


def comparison_csv(told: Mapping[str, Any], table: pl.DataFrame) -> bytes:
    """A line an asset."""
    return _csv(difference_sheets.compared_sites(told, table), difference_sheets.COMPARED_SITES)


def _headings(shown: Sequence[Shown]) -> list[Heading]:
    return [heading(each) for each in titled(shown)]


def _csv(frame: pl.DataFrame, shown: Sequence[Shown]) -> bytes:
    sink = BytesIO()
    append_csv(sink, frame, _headings(shown), first=True)
    return sink.getvalue()


def _workbook(
    path: Path, name: str, facts: list[tuple[str, str]], sums: pl.DataFrame, sheets: Sequence[Sheet], language: Language
) -> None:
    listed = pl.DataFrame(facts, schema={"what": pl.String, "value": pl.String}, orient="row")
    try:
        book = WorkbookFile(path, language)
        try:
            book.page(name, [([Heading(*each) for each in _FACTS], listed), (_headings(difference_sheets.SUMS), sums)])
            for title, shown, frame in sheets:
                writer = book.sheet(title, _headings(shown))
                writer.append(frame)
                writer.close()
            book.close()
        except BaseException:
            book.abandon()
            raise
    except OSError as err:
        raise SinkError(f"{path} cannot be written: {err}") from err
