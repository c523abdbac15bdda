"""Cloud-optimised GeoTIFF: a file a risk, scenario and period, a band a figure, and the STAC items that describe them.

Sources: OGC 21-026 (Cloud Optimized GeoTIFF), written by GDAL's driver; STAC 1.0.0 (collection, item).
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import SettingsError, SinkError
from engine.io.export.figures import FIGURES
from engine.io.export.lattice import Lattice
from engine.io.export.layers import LayerKey
from engine.io.export.table import Export

#: pixels of a side of a tile; larger pictures have overviews
TILE = 256
#: figures that are bands, in this order: the first is what programs show
BANDS = ("aal", "aal_low", "aal_high", "aal_se", "hazard_score", "change", "change_se")
COLLECTION = "collection.json"
_STAC = "1.0.0"
_MEDIA = "image/tiff; application=geotiff; profile=cloud-optimized"


def require_lattice(export: Export) -> Lattice:
    """The lattice of the cells.

    raises : SettingsError for a list of places
    """
    if export.lattice is None:
        raise SettingsError(
            f"the cells of {export.layers.where} are places of a list and no area, a raster shows none of them: choose"
            " --format geoparquet, csv or netcdf"
        )
    return export.lattice


def name_of(export: Export, key: LayerKey) -> str:
    """Name of the file of a layer, without its ending: typhoon_ssp2-4.5_long_term."""
    scenario = re.sub(r"[^\w.-]+", "-", export.label(key.scenario).lower())
    return f"{key.risk}_{scenario}_{key.period}"


def write(folder: Path, export: Export) -> None:
    """`RISK_SCENARIO_PERIOD.tif`, an item in STAC's JSON beside each, and `collection.json`.

    raises : SettingsError for a list of places, SinkError
    """
    lattice = require_lattice(export)
    items = []
    for key in export.keys:
        rows = export.rows(key)
        at = np.searchsorted(export.layers.cells["grid_id"].to_numpy(), rows["grid_id"].to_numpy())
        bands = {}
        for name in BANDS:
            if rows[name].null_count() == rows.height:
                continue
            values = np.full(export.layers.cells.height, np.nan, np.float32)
            values[at] = rows[name].fill_null(np.nan).to_numpy()
            bands[name] = lattice.spread(values, np.float32(np.nan))[::-1]
        if not bands:
            continue
        path = folder / f"{name_of(export, key)}.tif"
        _write_cog(path, bands, lattice, _tags(export, key))
        items.append(_item(export, key, list(bands), path))
        _write_json(path.with_suffix(".json"), items[-1])
    _write_json(folder / COLLECTION, _collection(export, items))


def _write_cog(path: Path, bands: dict[str, NDArray[Any]], lattice: Lattice, tags: dict[str, str]) -> None:
    import rasterio
    from affine import Affine

    west, _, _, north = lattice.bounds
    profile = {
        "driver": "COG",
        "width": len(lattice.longitude),
        "height": len(lattice.latitude),
        "count": len(bands),
        "dtype": "float32",
        "crs": "EPSG:4326",
        "transform": Affine(lattice.step, 0.0, west, 0.0, -lattice.step, north),
        "nodata": float("nan"),
        "compress": "deflate",
        "predictor": "yes",
        "blocksize": TILE,
        "overview_resampling": "average",
    }
    try:
        with rasterio.open(path, "w", **profile) as file:
            for number, (name, values) in enumerate(bands.items(), 1):
                file.write(np.ascontiguousarray(values), number)
                file.set_band_description(number, name)
                file.update_tags(number, long_name=FIGURES[name].title, comment=FIGURES[name].tells)
            file.update_tags(AREA_OR_POINT="Area", **tags)
    except rasterio.errors.RasterioError as err:
        raise SinkError(f"{path.name} cannot be written: {err}") from err


def _tags(export: Export, key: LayerKey) -> dict[str, str]:
    told = {
        "risk": key.risk,
        "scenario": export.label(key.scenario),
        "scenario_id": key.scenario,
        "period": key.period,
        "years": "{}-{}".format(*export.years(key.period)),
        **{name: value for name, value in export.about.items() if isinstance(value, (str, int))},
    }
    return {name.upper(): str(value) for name, value in told.items()}


def _item(export: Export, key: LayerKey, bands: list[str], path: Path) -> dict[str, Any]:
    first, last = export.years(key.period)
    lattice = require_lattice(export)
    name = name_of(export, key)
    return {
        "type": "Feature",
        "stac_version": _STAC,
        "stac_extensions": [],
        "id": name,
        "bbox": _box(lattice),
        "geometry": _outline(lattice),
        "collection": _id(export),
        "properties": {
            "title": f"{key.risk}, {export.label(key.scenario)}, {first}-{last}",
            "datetime": None,
            "start_datetime": f"{first}-01-01T00:00:00Z",
            "end_datetime": f"{last}-12-31T23:59:59Z",
            "created": _created(export),
            "risk": key.risk,
            "scenario": export.label(key.scenario),
            "period": key.period,
            "run_id": export.layers.run["run_id"],
            "edition": export.layers.run["edition"],
            "scope": export.layers.run["scope"],
        },
        "links": [
            {"rel": "collection", "href": f"./{COLLECTION}", "type": "application/json"},
            {"rel": "parent", "href": f"./{COLLECTION}", "type": "application/json"},
        ],
        "assets": {
            "data": {
                "href": f"./{path.name}",
                "type": _MEDIA,
                "roles": ["data"],
                "title": name,
                "description": "Bands: " + "; ".join(f"{each}: {FIGURES[each].title}" for each in bands),
            }
        },
    }


def _collection(export: Export, items: list[dict[str, Any]]) -> dict[str, Any]:
    years = [export.years(period) for period in export.periods]
    first, last = min(first for first, _ in years), max(last for _, last in years)
    about = export.about
    return {
        "type": "Collection",
        "stac_version": _STAC,
        "id": _id(export),
        "title": about["title"],
        "description": "Average annual loss and hazard scores of cells"
        + (f": {about['scope_note']}." if about["scope_note"] else "."),
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [_box(require_lattice(export))]},
            "temporal": {"interval": [[f"{first}-01-01T00:00:00Z", f"{last}-12-31T23:59:59Z"]]},
        },
        "summaries": {"risk": export.risks, "scenario": list(about["scenarios"]), "period": export.periods},
        "links": [{"rel": "item", "href": f"./{item['id']}.json", "type": "application/geo+json"} for item in items],
    }


def _id(export: Export) -> str:
    run = export.layers.run
    return f"climate-risk-run-{run['run_id']}-{str(run['source_fingerprint'])[:8]}"


def _created(export: Export) -> str:
    return str(export.layers.run.get("published_at") or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _box(lattice: Lattice) -> list[float]:
    """West, south, east, north; the west is the larger number across the date line."""
    west, south, east, north = lattice.bounds
    if east - west >= 360.0:
        return [-180.0, south, 180.0, north]
    return [west, south, round(east - 360.0, 9) if east > 180.0 else east, north]


def _outline(lattice: Lattice) -> dict[str, Any]:
    """GeoJSON, cut at the date line."""
    west, south, east, north = _box(lattice)
    parts = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    rings = [[[lo, south], [hi, south], [hi, north], [lo, north], [lo, south]] for lo, hi in parts]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings}
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")
