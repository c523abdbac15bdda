"""Curves of a portfolio that was assessed, read back from the folder of its results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.core.errors import SourceError
from engine.io.files import parquet_file

#: where the results are of a release that wrote no curves
OLDER = "these results are of an older release, without year losses: assess the portfolio again"

CURVE = pl.Schema(
    {
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "risk_type": pl.String(),
        "kind": pl.String(),
        "return_period": pl.Float64(),
        "loss": pl.Float64(),
        "loss_low": pl.Float64(),
        "loss_high": pl.Float64(),
        "basis": pl.String(),
        "value": pl.Float64(),
        "calibrated": pl.Boolean(),
        "loss_percent": pl.Float64(),
        "loss_note": pl.String(),
    }
)
CONTRIBUTIONS = pl.Schema(
    {
        "scenario_id": pl.Int16(),
        "time_period": pl.String(),
        "by": pl.String(),
        "risk_type": pl.String(),
        "row": pl.Int64(),
        "site_id": pl.String(),
        "mean": pl.Float64(),
        "tvar_99": pl.Float64(),
        "tvar_level": pl.Float64(),
        "loss_note": pl.String(),
    }
)
STORMS = pl.Schema(
    {
        "storm_id": pl.String(),
        "name": pl.String(),
        "date": pl.Date(),
        "wind_max": pl.Float64(),
        "loss": pl.Float64(),
        "loss_note": pl.String(),
    }
)


class LossFiles(NamedTuple):
    """Curves, contributions and storms of a portfolio; all are empty where `note` says why there are none.

    storms are empty, too, where the record or the edition allows none: `storms_note` of portfolio.json says so
    """

    note: str | None
    curve: pl.DataFrame
    contributions: pl.DataFrame
    storms: pl.DataFrame


def read_losses(folder: Path) -> LossFiles:
    """Read the curves of a finished portfolio.

    folder : of its results, with portfolio.json
    raises : SourceError for a folder or file that cannot be read
    """
    try:
        summary = json.loads((folder / "portfolio.json").read_bytes())
    except (OSError, ValueError, RecursionError) as err:
        raise SourceError(f"{folder / 'portfolio.json'} cannot be read: {err}") from err
    note = summary.get("year_losses_note", OLDER)
    if note is not None:
        return LossFiles(note, CURVE.to_frame(), CONTRIBUTIONS.to_frame(), STORMS.to_frame())
    curve, contributions = (
        _read(folder, name, kind) for name, kind in (("curve", CURVE), ("contributions", CONTRIBUTIONS))
    )
    storms = STORMS.to_frame() if summary["storms"] is None else _read(folder, "storms", STORMS)
    return LossFiles(None, curve, contributions, storms)


def _read(folder: Path, name: str, schema: pl.Schema) -> pl.DataFrame:
    path = folder / f"{name}.parquet"
    try:
        return parquet_file.read(path, list(schema))
    except (pl.exceptions.PolarsError, OSError) as err:
        raise SourceError(f"{path} cannot be read: {str(err).splitlines()[0]}") from err
