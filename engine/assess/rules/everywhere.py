"""The same building in every cell: its AAL there, by the rules of an assessment, and the cells that would lose less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.assess.rules.assessment import run_scaling
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.offered import RISKS
from engine.assess.rules.prepare import Prepared
from engine.assess.rules.vulnerability import scores_of
from engine.core.sphere import great_circle

Floats = NDArray[np.float64]
#: of a cell, in place of the site's own: what vulnerability reads of a place
OF_PLACE = ("elevation", "in_flood_zone")
TOTAL = "total"


def moved(prepared: Prepared, cells: pl.DataFrame) -> Prepared:
    """One prepared site in each of C cells: its building as it is, its place that of the cell.

    prepared : one site with one request
    cells    : (C,) `grid_id`, `latitude`, `longitude`, and OF_PLACE, null where unknown
    """
    own = prepared.sites.drop(cells.columns)
    sites = cells.join(own, how="cross").select(prepared.sites.columns)
    sites = sites.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
    pair = prepared.requests.drop("site")
    requests = sites.select(site="row").join(pair, how="cross")
    nothing = prepared.sites.clear()
    return Prepared(sites, requests, nothing, prepared.requests.clear(), prepared.failures.clear())


def aal_everywhere(
    prepared: Prepared, cells: pl.DataFrame, base: pl.DataFrame, counted: Sequence[str], config: AssessConfig
) -> pl.DataFrame:
    """AAL of one site's building in every cell, net of insurance.

    prepared : one site with one request
    cells    : as `moved` takes them; base: (C, risks) AAL of the cells, null where there is no result
    counted  : risks of the total
    returns  : (C,) `grid_id`, `latitude`, `longitude`, a column of each risk (ratio, null without a result), `total`
               (null where a counted risk has no result: it is never taken for 0), `lacking` (counted risks without
               one)
    """
    everywhere = moved(prepared, cells)
    absent = [pl.lit(None, pl.Float64).alias(risk) for risk in RISKS if risk not in base.columns]
    vulnerable = {risk: scores_of(risk, everywhere.sites) for risk in RISKS}
    scaled = run_scaling(everywhere, vulnerable, base.with_columns(absent), config)
    table = cells.select("grid_id", "latitude", "longitude").with_columns(
        scaled[risk]["final_aal"].alias(risk) for risk in RISKS
    )
    named = [pl.when(pl.col(risk).is_null()).then(pl.lit(risk)) for risk in counted]
    lacking = pl.concat_list(named).list.drop_nulls() if named else pl.lit([], pl.List(pl.String))
    total = np.zeros(table.height)
    for risk in counted:  # one after the other: polars adds columns up in any order
        total += table[risk].fill_null(np.nan).to_numpy()
    known = total if counted else np.full(table.height, np.nan)
    return table.with_columns(lacking=lacking).with_columns(pl.Series(TOTAL, known).fill_nan(None))


def within(table: pl.DataFrame, latitude: float, longitude: float, kilometres: float) -> pl.DataFrame:
    """Cells whose centres lie within so many kilometres of a place, with `kilometres` from it."""
    far = great_circle(
        np.array(latitude), np.array(longitude), *(table[n].to_numpy() for n in ("latitude", "longitude"))
    )
    return table.with_columns(kilometres=pl.Series(far / 1000)).filter(pl.col("kilometres") <= kilometres)


def ranked(near: pl.DataFrame, here: float, own_cell: int, most: int) -> pl.DataFrame:
    """The cells with the least total that is below that of the site; of equal ones the nearer first.

    near : of `within`; here: total AAL of the site; own_cell: left out
    """
    better = near.filter(pl.col(TOTAL).is_not_null(), pl.col(TOTAL) < here, pl.col("grid_id") != own_cell)
    return better.sort(TOTAL, "kilometres", "grid_id").head(most)
