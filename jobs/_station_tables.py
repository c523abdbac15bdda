"""Daily tables of stations as the options of a job say how to read them."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl

from engine.core.errors import SchemaError
from engine.io.etl.derive import daily_files, place_cells, station_tables
from engine.io.etl.derive.daily import DailyRecord
from engine.io.etl.derive.pieces import UNITS
from engine.io.etl.derive.station_tables import TableOptions
from jobs import _console

log = logging.getLogger("jobs")

#: degrees: two stations are seldom nearer to each other
_FINE = 0.01


def options(args: argparse.Namespace) -> TableOptions:
    """What tables do not say themselves."""
    columns = (_console.assigned("--column", text, station_tables.NAMES, "tas=AvgTemp") for text in args.column)
    return TableOptions(dict(columns), args.stations, args.blank_rain_is_dry)


def units(args: argparse.Namespace) -> dict[str, str]:
    """Units that stand above those of the files."""
    return dict(_console.assigned("--unit", text, UNITS, "tas=K") for text in args.unit)


def write_rain(files: Sequence[Path], args: argparse.Namespace, folder: Path) -> None:
    """Write the daily rain of tables of stations as `engine.losses.fit.rain` reads it: `stations.csv`, and a column of
    0.1 mm a station.

    raises : SettingsError for two stations within 0.01 degree; SchemaError for files without stations or rain
    """
    names = ", ".join(path.name for path in files)
    daily_files.check(list(files))
    with ExitStack() as stack:
        record = DailyRecord.open(stack, files, units(args), options(args))
        if not place_cells.is_list(record) or "pr" not in record.pieces:
            raise SchemaError(f"{names}: a fit needs daily rain (pr) of stations, and these are no tables of it")
        grid = place_cells.lattice(record, _FINE, record.axis.years)
        place_cells.refuse_shared(record, grid)
        at_of: dict[int, tuple[float, float]] = {}  # cell -> the station's own coordinates
        for piece in record.pieces["pr"]:
            cells = grid.locate(piece.latitude, piece.longitude).tolist()
            at_of |= dict(zip(cells, zip(piece.latitude.tolist(), piece.longitude.tolist(), strict=True), strict=True))
        days = np.datetime64(f"{record.axis.years.first}-01-01") + np.arange(record.axis.n)
        columns, places = {"date": days}, []
        for row in place_cells.rows(record, grid):
            block = record.read("pr", grid, slice(row, row + 1))
            for at in np.flatnonzero(np.isfinite(block).any(axis=1)):
                number = int(grid.grid_id(row, at))
                columns[f"s{number}"] = np.round(block[at].astype(np.float64) * 10, 3)
                places.append((number, *at_of[number]))
    pl.DataFrame(columns).with_columns(pl.col("date").cast(pl.Date), pl.selectors.float().fill_nan(None)).write_parquet(
        folder / "daily_rain.parquet"
    )
    pl.DataFrame(places, schema=["station_id", "lat", "lon"], orient="row").write_csv(folder / "stations.csv")
    log.info("rain of %d stations, %s", len(places), record.axis.years)
