"""Sites of a portfolio that was assessed, read back from the folder of its results."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from engine.core.errors import SourceError

_OF_TOTALS = (
    *("row", "site_id", "latitude", "longitude", "total_asset_value"),
    *(f"total_expected_loss{end}" for end in ("", "_low", "_high")),
)


class OneSite(NamedTuple):
    """Rows of one site: totals (a row a scenario and period), aal and risk (and risk type)."""

    totals: pl.DataFrame
    aal: pl.DataFrame
    risk: pl.DataFrame


def read_sites(folder: Path, scenario_id: int, period: str, columns: list[str], most: int) -> tuple[pl.DataFrame, int]:
    """(sites in one scenario and period, the largest loss first, at most so many; number of all of them).

    columns : of `totals`; one that the results do not have is null
    raises  : SourceError for files that cannot be read
    """
    try:
        totals = pl.scan_parquet(folder / "totals.parquet", glob=False)
        held = set(totals.collect_schema().names())
        chosen = totals.filter(pl.col("scenario_id") == scenario_id, pl.col("time_period") == period)
        frame = chosen.select(
            pl.col(name) if name in held else pl.lit(None, pl.String).alias(name) for name in columns
        ).collect()
    except (pl.exceptions.PolarsError, OSError) as err:
        raise SourceError(f"{folder / 'totals.parquet'} cannot be read: {str(err).splitlines()[0]}") from err
    ordered = frame.sort("total_expected_loss", descending=True, nulls_last=True, maintain_order=True)
    return ordered.head(most), frame.height


def read_site(folder: Path, row: int) -> OneSite | None:
    """All figures of the site of a row; None where the row was not assessed.

    raises : SourceError for files that cannot be read
    """
    try:
        frames = [
            pl.scan_parquet(folder / f"{name}.parquet", glob=False).filter(pl.col("row") == row).collect()
            for name in ("totals", "aal", "risk")
        ]
    except (pl.exceptions.PolarsError, OSError) as err:
        raise SourceError(f"{folder} cannot be read: {str(err).splitlines()[0]}") from err
    return OneSite(*frames) if frames[0].height else None


class PairFrames(NamedTuple):
    """Rows of a portfolio in one scenario and period: totals and aal; vulnerability of its sites.

    faulty : ids of sites whose rows have faults, so that they were not assessed
    """

    totals: pl.DataFrame
    aal: pl.DataFrame
    vulnerability: pl.DataFrame
    faulty: frozenset[str]


def read_pair(folder: Path, scenario_id: int, period: str, name_column: str | None) -> PairFrames:
    """All sites of a portfolio in one scenario and period, for a comparison; totals with `name`.

    name_column : of the file, which names the sites; None: it has none
    raises      : SourceError for files that cannot be read
    """
    own = (pl.col("scenario_id") == scenario_id) & (pl.col("time_period") == period)
    try:
        names = ("totals", "aal", "vulnerability", "failures")
        scans = {name: pl.scan_parquet(folder / f"{name}.parquet", glob=False) for name in names}
        held = set(scans["totals"].collect_schema().names())
        name = pl.col(name_column).cast(pl.String) if name_column in held else pl.lit(None, pl.String)
        totals = scans["totals"].filter(own).select(*_OF_TOTALS, name=name).collect()
        aal = scans["aal"].filter(own).select("row", "risk_type", "base_aal", "insurance_rate").collect()
        rows = totals.select("row").lazy()
        found = scans["vulnerability"].select("row", "risk_type", "factors").join(rows, on="row", how="semi").collect()
        ids = scans["failures"].filter(pl.col("risk_type").is_null()).select("site_id").collect()["site_id"]
    except (pl.exceptions.PolarsError, OSError) as err:
        raise SourceError(f"{folder} cannot be read: {str(err).splitlines()[0]}") from err
    return PairFrames(totals, aal, found, frozenset(ids.drop_nulls()))
