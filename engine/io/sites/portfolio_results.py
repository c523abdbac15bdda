"""Results of an assessed portfolio, read back from its folder: summary, tables, curves, and digests of the files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from engine.core.errors import SettingsError, SourceError
from engine.io.files import parquet_file
from engine.io.sites import loss_files
from engine.io.sites.loss_files import LossFiles

SUMMARY = "portfolio.json"
_PAIR = ("row", "scenario_id", "time_period")
#: table -> its columns that are read
_COLUMNS: dict[str, tuple[str, ...]] = {
    "totals": (
        *_PAIR, "site_id", "latitude", "longitude", "total_asset_value", "status", "mean_risk_index", "risk_level",
        "total_expected_loss", "loss_note", "admin_code", "admin_name",
    ),
    "aal": (
        *_PAIR, "risk_type", "final_aal", "calibrated", "status", "is_default",
    ),
    "risk": (*_PAIR, "risk_type", "risk_index", "risk_level"),
}  # fmt: skip
#: entries of the summary that an older release did not write
_NEEDED = ("results", "runs", "scope", "year_losses_note", "storms_note", "name_column")


class PortfolioResults(NamedTuple):
    """A finished portfolio.

    summary  : portfolio.json
    totals   : a row a site, scenario and period; `name`: what the file calls the site, or null
    aal, risk: a row a site, risk, scenario and period
    losses   : curves, contributions and storms
    digests  : file name -> SHA-256 of its bytes, of every file that was read
    """

    folder: Path
    summary: Mapping[str, Any]
    totals: pl.DataFrame
    aal: pl.DataFrame
    risk: pl.DataFrame
    losses: LossFiles
    digests: Mapping[str, str]


def read_portfolio(folder: Path) -> PortfolioResults:
    """Read a finished portfolio.

    folder : that `jobs.assess --sites FILE --out DIR` or the service wrote
    raises : SettingsError for a folder that holds no portfolio, or one of an older release; SourceError for a file that
             cannot be read
    """
    summary = _summary(folder)
    frames = {name: _frame(folder, name, columns) for name, columns in _COLUMNS.items()}
    frames["totals"] = frames["totals"].with_columns(_names(folder, summary["name_column"]))
    losses = loss_files.read_losses(folder)
    names = [SUMMARY, *(f"{name}.parquet" for name in frames)]
    if losses.note is None:
        names += ["curve.parquet", "contributions.parquet"]
        names += ["storms.parquet"] if summary["storms"] is not None else []
    digests = {name: _digest(folder / name) for name in names}
    return PortfolioResults(folder, summary, **frames, losses=losses, digests=digests)


def _summary(folder: Path) -> Mapping[str, Any]:
    path = folder / SUMMARY
    try:
        summary = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise SettingsError(
            f"{folder} holds no {SUMMARY}: name the folder that jobs.assess --sites FILE --out DIR wrote"
        ) from None
    except (OSError, ValueError, RecursionError) as err:
        raise SourceError(f"{path} cannot be read: {err}") from err
    absent = [name for name in _NEEDED if name not in summary]
    results = summary.get("results") or []
    absent += [name for name in ("years", "total_expected_loss_low") if any(name not in each for each in results)]
    if absent:
        raise SettingsError(f"{path} has no {', '.join(absent)}: it is of an older release; assess the portfolio again")
    return summary  # type: ignore[no-any-return]


def _frame(folder: Path, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    try:
        lacking = set(columns) - set(parquet_file.names(path))
        if lacking:
            raise SettingsError(
                f"{path} has no column {', '.join(sorted(lacking))}: it is of an older release; assess the portfolio"
                " again"
            )
        return parquet_file.read(path, list(columns))
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as err:
        raise SourceError(f"{path} cannot be read: {str(err).splitlines()[0]}") from err


def _names(folder: Path, column: str | None) -> pl.Series | pl.Expr:
    """Column of the file that names a site, by row of the totals; null where the file has none."""
    path = folder / "totals.parquet"
    there = [] if column is None else [name for name in (column, f"{column}_given") if name in parquet_file.names(path)]
    if not there:
        return pl.lit(None, pl.String).alias("name")
    return parquet_file.read(path, there[-1:]).to_series().cast(pl.String).alias("name")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
