"""Check of a file's coordinates as a whole: can they be places?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from engine.assess.rules.columns import REQUIRED, Column
from engine.core.counted import of_all
from engine.core.errors import SettingsError


def require_places(path: Path, sites: pl.DataFrame, rows: pl.Series, chosen: Sequence[Column]) -> None:
    """Refuse a file most of whose rows have latitude and longitude exchanged, or coordinates of a map in metres.

    raises : SettingsError naming the first such row
    """
    if not set(REQUIRED) <= set(sites.columns) or not all(sites.schema[name].is_numeric() for name in REQUIRED):
        return
    lat, lon = (sites[name].cast(pl.Float64) for name in REQUIRED)
    known = lat.is_finite().fill_null(False) & lon.is_finite().fill_null(False)
    swapped = (lat.abs() > 90) & (lat.abs() <= 180) & (lon.abs() <= 90) & known
    metres = ((lat.abs() > 1000) | (lon.abs() > 1000)) & known
    names = {each.field: each.name for each in chosen}
    for wrong, kind in ((swapped, "swapped"), (metres, "metres")):
        if 2 * int(wrong.sum()) <= int(known.sum()) or not wrong.any():
            continue
        at = int(wrong.arg_true()[0])
        column, other = (names.get(name, name) for name in REQUIRED)
        where = f"{path}: row {rows[at]}: latitude (column {column!r})"
        said = f"{where} holds {lat[at]:g} and longitude (column {other!r}) {lon[at]:g}"
        if kind == "metres":
            raise SettingsError(f"{said}: these are no degrees; give WGS84 (EPSG:4326), not metres of a map")
        raise SettingsError(
            f"{said}, and so in {of_all(int(wrong.sum()), int(known.sum()), 'row')}: are the two columns swapped? Then"
            f" exchange their headings, or add --columns 'latitude={other},longitude={column}'"
        )
