"""Outputs of a portfolio for people: `portfolio.xlsx` and `sites.csv`, made of the frames that were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple

import polars as pl

from engine.assess.job.portfolio_file import PortfolioFile
from engine.assess.job.portfolio_losses import PortfolioLosses
from engine.assess.rules import loss_sheets, sheets, words
from engine.assess.rules.formulas import NUMBER, harmless
from engine.assess.rules.sheets import Context, Shown
from engine.core.caveats import EXPOSURE_NOTE
from engine.core.counted import counted
from engine.core.errors import SinkError
from engine.core.language import DEFAULT, Language
from engine.io.files.workbook_out import Heading, WorkbookFile
from engine.io.sites.assessment_files import FrameFiles

#: rows of losses in the workbook (some 20 s of writing); more takes longer than an assessment: losses.csv holds them
MOST_LOSSES = 100_000
#: sites whose losses are read at a time
_SITES = 5000
_FIELDS = ("column", "field", "why", "factor")
#: columns of tables whose values are the caller's words, names of places and storms, or identifiers
_THEIRS = ("site_id", "site_uuid", "key", "site", "admin_name", "column", "field", "value", "storm_id", "name")


class Results(NamedTuple):
    """Frames of a portfolio that its outputs for people are made of."""

    totals: pl.DataFrame
    failures: pl.DataFrame
    years: PortfolioLosses


def write(
    files: FrameFiles,
    sites: PortfolioFile,
    results: Results,
    summary: Mapping[str, Any],
    context: Context,
    *,
    workbook: bool = True,
    language: Language = DEFAULT,
) -> None:
    """Write both files beside the frames, which are closed; and `losses.csv`, where the workbook cannot hold them.

    summary  : as in portfolio.json
    workbook : False: `sites.csv` alone
    language : of the workbook; the other files are English, for programs
    raises   : SinkError
    """
    years = results.years
    frame, shown = sheets.sites(sites.rows, results.totals, results.failures, context)
    frame, shown = loss_sheets.with_levels(frame, shown, years.levels, years.once, context)
    table, headings = _with_own(sites, frame, shown)
    try:
        _write_csv(files.beside("sites.csv"), table, headings)
        if workbook:
            book = WorkbookFile(files.beside("portfolio.xlsx"), language)
            _write_workbook(book, files, sites, results, summary, context, (table, headings))
    except OSError as err:
        raise SinkError(f"the files of the portfolio cannot be written: {err}") from err


def write_faults(files: FrameFiles, sites: PortfolioFile, failures: pl.DataFrame, language: Language = DEFAULT) -> None:
    """The same for a file without a valid row: what is wrong with each, and nothing else."""
    frame, shown = sheets.invalid_sites(sites.rows, failures)
    table, headings = _with_own(sites, frame, shown)
    try:
        _write_csv(files.beside("sites.csv"), table, headings)
        book = WorkbookFile(files.beside("portfolio.xlsx"), language)
        try:
            _write_sites(book, table, headings)
            _write_faults(book, sites, failures)
            _write_columns(book, sites)
            book.close()
        except BaseException:
            book.abandon()
            raise
    except OSError as err:
        raise SinkError(f"the files of the portfolio cannot be written: {err}") from err


def _with_own(sites: PortfolioFile, frame: pl.DataFrame, shown: Sequence[Shown]) -> tuple[pl.DataFrame, list[Heading]]:
    """A line a site: its row, the file's columns as they are, then the figures."""
    own = sites.given
    same = {name for name, each in zip(own.columns, sites.chosen, strict=False) if each.field == name}
    taken = {name.casefold() for name in own.columns} | {"row"}
    columns, headings = [frame["row"]], [Heading("row", "row", "whole")]
    for place, column in enumerate(own):
        columns.append(column.alias(f"own:{place}"))
        headings.append(Heading(f"own:{place}", column.name, ours="nothing"))
    for each in shown:
        if each.name not in same:
            columns.append(frame[each.name])
            title = f"{each.title} (result)" if each.title.casefold() in taken else each.title
            headings.append(heading(each)._replace(title=title))
    return pl.DataFrame(columns), headings


def heading(shown: Shown) -> Heading:
    """A column of a workbook, with what of it is the engine's words."""
    return Heading(*shown, ours="title" if shown.name in _THEIRS else "all")


def _write_csv(path: Path, table: pl.DataFrame, headings: Sequence[Heading]) -> None:
    with path.open("wb") as sink:
        append_csv(sink, table, headings, first=True)


def _guarded(title: str) -> str:
    return f"'{title}" if title[:1] in "=+-@\t\r" and title else title


def _flat(column: pl.Series) -> pl.Series:
    """Lists, records and bytes as text."""
    if column.dtype == pl.Binary:
        return column.bin.encode("hex")
    if column.dtype.is_nested():
        return pl.Series(column.name, [None if value is None else str(value) for value in column.to_list()], pl.String)
    return column


def _write_workbook(
    book: WorkbookFile,
    files: FrameFiles,
    sites: PortfolioFile,
    results: Results,
    summary: Mapping[str, Any],
    context: Context,
    table: tuple[pl.DataFrame, list[Heading]],
) -> None:
    totals = results.totals
    rows = int((totals["risks_ok"] + totals["risks_failed"]).sum())
    try:
        book.page("summary", _summary(sites, summary, context, rows))
        _write_sites(book, *table)
        _write_losses(files, book, sites, totals, context, rows)
        _write_years(book, results.years, summary, context)
        _write_faults(book, sites, results.failures)
        _write_columns(book, sites)
        book.close()
    except BaseException:
        book.abandon()
        raise


def _write_years(book: WorkbookFile, years: PortfolioLosses, summary: Mapping[str, Any], context: Context) -> None:
    """Curve, contributions and storms; none of the sheets where there are no year losses."""
    if years.note is not None:
        return
    tables = [
        ("loss curve", loss_sheets.CURVE, loss_sheets.curve(years.curve, context)),
        ("contributions", loss_sheets.CONTRIBUTIONS, loss_sheets.contributions(years.contributions, context)),
    ]
    if summary["storms"] is not None:
        tables.append(("storms", loss_sheets.STORMS, loss_sheets.storms(summary["storms"])))
    for name, shown, frame in tables:
        writer = book.sheet(name, [heading(each) for each in sheets.titled(shown)], frozen=1)
        writer.append(frame)
        writer.close()


def _write_sites(book: WorkbookFile, table: pl.DataFrame, headings: list[Heading]) -> None:
    writer = book.sheet("sites", headings, frozen=1)
    writer.append(table.with_columns(_typed(column) for column in table if column.name.startswith("own:")))
    writer.close()


def _write_columns(book: WorkbookFile, sites: PortfolioFile) -> None:
    writer = book.sheet(
        "columns", [heading(Shown(each, each, "number" if each == "factor" else "text")) for each in _FIELDS]
    )
    writer.append(pl.DataFrame([each.as_json() for each in sites.chosen], schema_overrides={"field": pl.String}))
    writer.close()


def _typed(column: pl.Series) -> pl.Series:
    """Text of plain numbers alone as numbers."""
    if column.dtype != pl.String or not column.drop_nulls().str.strip_chars().str.contains(NUMBER).all():
        return column
    return column.str.strip_chars().cast(pl.Float64)


def _write_losses(
    files: FrameFiles, book: WorkbookFile, sites: PortfolioFile, totals: pl.DataFrame, context: Context, rows: int
) -> None:
    carried = [Heading(f"own:{place}", name, ours="nothing") for place, name in enumerate(sites.carried.columns[1:])]
    headings = [Heading("row", "row", "whole"), *carried, *(heading(each) for each in sheets.titled(sheets.LOSSES))]
    apart = rows > MOST_LOSSES
    if apart:
        target = files.beside("losses.csv")
        sink = target.open("wb")
    else:
        writer = book.sheet("losses", headings, frozen=1)
    numbers = totals.filter(pl.col("status") != "outside_grid")["row"].unique().sort()
    try:
        for start in range(0, len(numbers), _SITES):
            part = numbers[start : start + _SITES]
            first, last = int(part[0]), int(part[-1])
            lines = sheets.losses(files.rows("aal", first, last), files.rows("risk", first, last), context)
            own = sites.carried_of(lines["row"])
            whole = lines.with_columns(
                own[name].alias(each.name) for name, each in zip(own.columns, carried, strict=True)
            )
            if apart:
                append_csv(sink, whole, headings, first=start == 0)
            else:
                writer.append(whole)
    finally:
        if apart:
            sink.close()
    if not apart:
        writer.close()


def append_csv(sink: IO[bytes], table: pl.DataFrame, headings: Sequence[Heading], *, first: bool) -> None:
    """UTF-8 with a mark, by which Excel knows it; text that it would take for a formula has an apostrophe before it."""
    named = table.select(_flat(table[each.name]).alias(f"{place}") for place, each in enumerate(headings))
    if first:
        sink.write(b"\xef\xbb\xbf")
        titles = {f"{place}": [_guarded(each.title)] for place, each in enumerate(headings)}
        pl.DataFrame(titles).write_csv(sink, include_header=False)
    harmless(named).write_csv(sink, include_header=False)


def _write_faults(book: WorkbookFile, sites: PortfolioFile, failures: pl.DataFrame) -> None:
    values = sites.stated(failures["row"].to_list(), failures["field"].to_list())
    lines = sheets.faults(failures, sites.headings(), values)
    own = sites.carried_of(lines["row"])
    carried = [Heading(f"own:{place}", name, ours="nothing") for place, name in enumerate(own.columns)]
    headings = [Heading("row", "row", "whole"), *carried, *(heading(each) for each in sheets.FAULTS)]
    writer = book.sheet("faults", headings, frozen=1)
    writer.append(
        lines.with_columns(own[name].alias(each.name) for name, each in zip(own.columns, carried, strict=True))
    )
    writer.close()


def _summary(
    sites: PortfolioFile, summary: Mapping[str, Any], context: Context, rows: int
) -> list[tuple[list[Heading], pl.DataFrame]]:
    """Facts, sums, the worst sites."""
    facts: list[tuple[str, Any]] = [
        ("portfolio", summary["name"]),
        ("written", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("rows", f"{summary['rows']:,}"),
        ("rows with a fault", f"{summary['invalid_rows']:,}"),
        ("sites assessed", f"{summary['assessed_sites']:,}"),
        ("rows are numbered", sites.numbered),
        *(("figures are of", summary["scope_note"]) for _ in range(summary["scope_note"] is not None)),
        *(("run", f"{run['run_id']}, edition {run['edition']}, scope {run['scope']}") for run in summary["runs"]),
        *(("note", note) for note in summary["notes"]),
        ("exposure", EXPOSURE_NOTE),
        *loss_sheets.facts(summary, context),
        *((f"AAL of {words.risk(risk)}", note) for risk, note in summary["risk_notes"].items()),
    ]
    if rows > MOST_LOSSES:
        facts.append(
            ("losses", f"{counted(rows, 'line')}: they stand in losses.csv, a sheet of this size opens slowly")
        )
    listed = pl.DataFrame(facts, schema={"what": pl.String, "value": pl.String}, orient="row")
    sums = sheets.by_risk(summary["results"], context)
    blocks = [
        ([Heading("what", "what"), Heading("value", "value")], listed),
        ([heading(each) for each in sheets.titled(sheets.BY_RISK)], sums),
    ]
    worst = sheets.worst(summary["results"], sites.name_column(), context)
    return [*blocks, ([heading(each) for each in sheets.titled(sheets.WORST)], worst)]
