"""Factors of sites: what a share of value lost in a cell costs each of them. S sites, C cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

#: what functions of portfolios ask of `sites`
SITE_COLUMNS = ("row", "grid_id", "risk_type", "factor")
_FACTORS = ("vulnerability_scale", "insurance_rate")


def site_factors(assessed: pl.DataFrame) -> pl.DataFrame:
    """Factors of sites from rows of an assessment: what a share of value lost in a cell costs each site.

    assessed : a row a site and risk: `row`, `grid_id` (of the cell whose AAL it has), `risk_type`, `value` (money, null
               where not stated), `vulnerability_scale`, `insurance_rate` (insured share), `status`, `is_default`
    returns  : `row`, `grid_id`, `risk_type`, `factor`, what `year_losses` takes. The factor is null where the expected
               loss counts for nothing: without a value, of a risk that failed, or of a default
    raises   : ValueError for a column that is absent
    """
    require(assessed, (*SITE_COLUMNS[:3], "value", *_FACTORS, "status", "is_default"), "assessed")
    counted = (pl.col("status").cast(pl.String) == "ok") & ~pl.col("is_default")
    factor = pl.col("value") * pl.col("vulnerability_scale") * (1 - pl.col("insurance_rate"))
    kinds = {"row": pl.Int64, "grid_id": pl.Int32, "risk_type": pl.String}
    return assessed.select(
        *(pl.col(name).cast(kind) for name, kind in kinds.items()),
        factor=pl.when(counted).then(factor.cast(pl.Float64)),
    )


class SitesOfRisk(NamedTuple):
    """Sites that have a factor for one risk, in the order of their rows."""

    rows: Ints  # (S,)
    grid_id: Ints  # (S,)
    factor: Floats  # (S,), money per share of value


def sites_by_risk(sites: pl.DataFrame) -> dict[str, SitesOfRisk]:
    """Rows, cells and factors of the sites of each risk.

    raises : ValueError for a column that is absent, a factor that is negative, or a site and risk twice
    """
    require(sites, SITE_COLUMNS, "sites")
    counted = sites.filter(pl.col("factor").is_not_null() & pl.col("grid_id").is_not_null()).sort("row")
    if bad := counted.filter(~pl.col("factor").is_finite() | (pl.col("factor") < 0)).height:
        raise ValueError(f"{bad} of {sites.height} factors of sites are negative or not finite")
    found = {}
    for (risk,), of_risk in counted.group_by("risk_type", maintain_order=True):
        rows, grid_id = (of_risk[name].cast(pl.Int64).to_numpy() for name in ("row", "grid_id"))
        if repeated := int((np.diff(rows) == 0).sum()):
            raise ValueError(f"{repeated} rows of sites repeat the site of another row of {risk}")
        found[str(risk)] = SitesOfRisk(rows, grid_id, of_risk["factor"].cast(pl.Float64).to_numpy())
    return found


def cell_weights(cells: Ints, sites: SitesOfRisk) -> Floats:
    """Sum of the factors of the sites in each cell (C,); sites in other cells are left out."""
    place, there = place_of(cells, sites.grid_id)
    return added_by_cell(place[there], sites.factor[there], len(cells))


def added_by_cell(place: Ints, factor: Floats, cells: int) -> Floats:
    """Sum of the factors (S,) at each place, (C,)."""
    return np.bincount(place, weights=factor, minlength=cells).astype(np.float64)


def place_of(cells: Ints, grid_id: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Where the cells of sites stand (S,), and whether they do."""
    place = np.minimum(np.searchsorted(cells, grid_id), max(len(cells) - 1, 0))
    return place, cells[place] == grid_id


def require(frame: pl.DataFrame, columns: tuple[str, ...], what: str) -> None:
    """Raise ValueError for columns that a frame lacks."""
    if lacking := [name for name in columns if name not in frame.columns]:
        raise ValueError(f"{what} lacks the columns {', '.join(lacking)}")
