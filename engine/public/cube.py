"""A result as an xarray dataset: figures as exports describe them, with bins and edges beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import xarray as xr
from numpy.typing import NDArray

from engine.core.period import FULL
from engine.core.scenario import Scenario
from engine.io.export.dataset import GRID_MAPPING, to_dataset
from engine.io.export.lattice import Lattice, lattice_of

if TYPE_CHECKING:
    from engine.public.result import Result

#: column of lists -> dimension, name and meaning of the variable
_LISTS = {
    "bin_probs": ("bin", "bin_probability", "probability of a damage bin, mildest first"),
    "edges": ("edge", "bin_edge", "inner limit between two bins; a bin holds its lower one"),
}


def dataset_of(result: Result) -> xr.Dataset:
    """See `Result.to_xarray`."""
    rows, origin = result.to_polars(), result.origin
    order = {risk: place for place, risk in enumerate(result.risks)}
    rows = rows.sort(pl.col("risk_type").replace_strict(order, return_dtype=pl.Int32), maintain_order=True)
    summary = result.summary.as_json()
    summary["periods"] = {**summary["periods"], FULL: list(origin.axis)}
    run: dict[str, Any] = {
        "run_id": None,
        "edition": origin.edition,
        "edition_checksum": origin.edition_checksum,
        "baseline": origin.baseline,
        "scope": origin.scope,
        "source_fingerprint": origin.fingerprint,
        "summary": summary,
    }
    made = to_dataset(rows, run)
    names = [origin.names[Scenario(each)] for each in made["scenario_id"].values.tolist()]
    made = made.assign_coords(scenario=("scenario", np.array(names, str), made["scenario"].attrs))
    made.attrs.pop("runs", None)
    made.attrs["title"] = f"Climate risk by edition {origin.edition} on {origin.address}"
    made.attrs["history"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} engine.run"
    cells = rows.select("grid_id", "latitude", "longitude").unique("grid_id").sort("grid_id")
    lattice = lattice_of(cells, apart=result.summary.apart)
    for column, (dimension, name, meaning) in _LISTS.items():
        longest = max(rows[column].list.len().drop_nulls(), default=0)
        if longest:
            values = _spread(rows.drop_nulls(column), column, longest, made, cells, lattice)
            told = {"long_name": meaning, "grid_mapping": GRID_MAPPING}
            told |= {"units": "1"} if column == "bin_probs" else {"comment": "in the unit of the risk's intensity"}
            made[name] = ((*made["aal"].dims, dimension), values, told)
            made = made.assign_coords(
                {dimension: (dimension, np.arange(longest), {"long_name": f"number of the {name}"})}
            )
    return made


def _spread(
    rows: pl.DataFrame, column: str, longest: int, made: xr.Dataset, cells: pl.DataFrame, lattice: Lattice | None
) -> NDArray[np.float32]:
    """Lists of one column as an array with the dimensions of `aal` and one more, NaN where there is none."""
    out = np.full((*made["aal"].shape, longest), np.nan, np.float32)
    risks, scenarios, periods = (made[name].values.tolist() for name in ("risk", "scenario_id", "period"))
    ids = cells["grid_id"].to_numpy()
    for (risk, scenario, period), layer in rows.group_by("risk_type", "scenario_id", "time_period"):
        lists = layer[column]
        values = np.full((layer.height, longest), np.nan, np.float32)
        length = max(lists.list.len())  # one number of bins a risk
        values[:, :length] = np.asarray(lists.list.explode().to_numpy(), np.float32).reshape(layer.height, length)
        at = risks.index(risk), scenarios.index(scenario), periods.index(period)
        where = np.searchsorted(ids, layer["grid_id"].to_numpy())
        if lattice is None:
            out[at][where] = values
        else:
            out[at][lattice.row[where], lattice.column[where]] = values
    return out
