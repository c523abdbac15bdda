"""Buildings of the areas that somebody asked for, from saved answers of the building register.

The register has no coordinates. They come from a layer of lots (`lots*`, by lot number: `geocode_method` lot), else
from saved answers of the address service (address); without either they stay NULL. Age is not stored: it grows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import psycopg
import shapely

from engine.core.errors import SchemaError
from engine.core.quality import WARNING, Finding
from engine.io.etl import lattice, loading
from engine.io.etl.loaders import register_answers
from engine.io.etl.loaders.register_answers import Area, Register
from engine.io.etl.loading import Task
from engine.io.etl.places import layer_files, read_layer
from engine.io.files import source_files

NAME, TABLE = "buildings", "api_buildings"
PATTERN = "buildings/*.json"
LOT, BY_ADDRESS = "lot", "address"
#: register field -> column, of numbers of which 0 means that nobody entered one
_MEASURES = {"totArea": "total_area", "archArea": "arch_area", "platArea": "plat_area", "heit": "height_m"}
_COUNTS = {"grndFlrCnt": "floors_above", "ugrndFlrCnt": "floors_below", "hhldCnt": "household_count"}
_TEXTS = {
    "strctCdNm": "structure",
    "strctCd": "structure_cd",
    "mainPurpsCdNm": "main_purpose",
    "mainPurpsCd": "main_purpose_cd",
}
Point = tuple[float, float]


@loading.loader(NAME, version="1", takes=("crs",))
def load(task: Task) -> None:
    """Bring the areas that are saved as a whole up to date: rows by building, those gone from an area deleted.

    An area of which pages are missing is left out with a warning. A sample limit keeps so many lots.
    raises : SchemaError for an answer that reports a failure, or more than 0.1 % unreadable items
    """
    options = task.options
    paths = task.find(PATTERN)
    if not paths:
        return task.absent(TABLE, f"no saved answers {PATTERN} below {options.data}")
    lot_files = layer_files(options.data, "lots")
    with task.table(TABLE, [*paths, *source_files.all_parts(lot_files)]) as record:
        if record.up_to_date:
            return
        task.progress(TABLE)
        register = register_answers.read(paths)
        areas = {code: area for code, area in register.areas.items() if area.whole}
        rows, bad = _rows(areas)
        record.rejected = source_files.reject(options.data, TABLE, bad, len(rows) + len(bad), dry_run=record.dry_run)
        if options.sample_limit:
            rows = _sample(rows, options.sample_limit)
        lots = _lots([read_layer(path, options.crs) for path in lot_files])
        _place(rows, lots, register)
        record.findings += _findings(rows, register)
        record.gate_report = {
            "areas": sorted(areas),
            "placed": {method: sum(row["geocode_method"] == method for row in rows) for method in (LOT, BY_ADDRESS)},
        }
        with record.transaction():
            _write(task.connection, rows, sorted(areas))
            record.rows = len(rows)
        record.message = f"{len(areas)} areas"


def _rows(areas: Mapping[str, Area]) -> tuple[list[dict[str, Any]], list[tuple[str, int, str]]]:
    rows: dict[str, dict[str, Any]] = {}
    bad: list[tuple[str, int, str]] = []
    for code, area in areas.items():
        for number, item in enumerate(area.items, 1):
            try:
                row = building(item, code) | {"cached_at": area.asked_at.isoformat()}
            except ValueError as err:
                bad.append((f"area {code}", number, str(err)))
                continue
            key = row["mgm_bld_pk"]
            if key in rows and rows[key] != row:
                raise SchemaError(f"area {code}: building {key} is there twice and differs: ask the area anew")
            rows[key] = row
    return list(rows.values()), bad


def building(item: Mapping[str, Any], area: str) -> dict[str, Any]:
    """Columns of one item of the register; blank, and 0 for a length or an area, is None.

    raises : ValueError for an item without its key, of another area, or with a number or date that is none
    """
    text = {key: str(value).strip() for key, value in item.items() if value is not None}
    key = text.get("mgmBldrgstPk", "")
    if not key:
        raise ValueError("no mgmBldrgstPk")
    own = text.get("sigunguCd", area[:5]) + text.get("bjdongCd", area[5:])
    if own != area:
        raise ValueError(f"building {key} belongs to area {own}")
    row: dict[str, Any] = {"mgm_bld_pk": key, "sigungu_cd": area[:5], "bjdong_cd": area[5:]}
    row |= {name: text[name].zfill(4) if text.get(name) else None for name in ("bun", "ji")}
    row |= {column: text.get(name) or None for name, column in _TEXTS.items()}
    row["use_approval_date"] = _date(text.get("useAprDay", ""))
    row |= {column: _number(text.get(name, ""), name) or None for name, column in _MEASURES.items()}
    for name, column in _COUNTS.items():
        count = _number(text.get(name, ""), name)
        row[column] = None if count is None else int(count)
    row["has_seismic_design"] = {"Y": True, "N": False, "1": True, "0": False}.get(text.get("rserthqkDsgnApplyYn", ""))
    row["api_response"] = json.dumps(item, ensure_ascii=False)
    row["pnu"] = f"{area}{int(text.get('platGbCd') or 0) + 1}{row['bun'] or '0000'}{row['ji'] or '0000'}"
    row["address"] = text.get("platPlc", "")
    return row


def _number(text: str, name: str) -> float | None:
    if not text:
        return None
    value = float(text.replace(",", ""))
    if not 0 <= value < 1e9:
        raise ValueError(f"{name} is {text}")
    return value


def _date(text: str) -> date | None:
    """A day; None for blanks and for a day that nobody knew exactly, written with zeros."""
    digits = text.replace("-", "")
    if not digits or not digits.isdecimal() or len(digits) < 8 or "00" in (digits[4:6], digits[6:8]):
        return None
    return None if digits.startswith("0000") else date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))


def _sample(rows: list[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    lots = sorted({row["pnu"] for row in rows})
    kept = {lots[i] for i in lattice.evenly_spaced(np.arange(len(lots)), n)}
    return [row for row in rows if row["pnu"] in kept]


def _lots(layers: list[Any]) -> dict[str, Point]:
    """Lot number of 19 digits -> (longitude, latitude) of a point on the lot."""
    found: dict[str, Point] = {}
    for layer in layers:
        inner = shapely.get_coordinates(shapely.point_on_surface(layer.geometries)).tolist()
        for feature, (longitude, latitude) in enumerate(inner):
            number = str(layer.value(feature, "pnu") or "")
            if not (len(number) == 19 and number.isdecimal()):
                raise SchemaError(f"feature {feature + 1} of the layer of lots has no pnu of 19 digits, but {number!r}")
            found[number] = (longitude, latitude)
    return found


def _place(rows: list[dict[str, Any]], lots: Mapping[str, Point], register: Register) -> None:
    """Set coordinates and `geocode_method`, in place."""
    for row in rows:
        number, address = row.pop("pnu"), row.pop("address")
        for method, point in ((LOT, lots.get(number)), (BY_ADDRESS, register.addresses.get(address))):
            if point is not None:
                row |= {"longitude": round(point[0], 6), "latitude": round(point[1], 6), "geocode_method": method}
                break
        else:
            row |= {"longitude": None, "latitude": None, "geocode_method": None}


def _findings(rows: list[dict[str, Any]], register: Register) -> list[Finding]:
    findings = []
    if partial := sorted(code for code, area in register.areas.items() if not area.whole):
        message = f"{len(partial)} areas are saved in part and left out: {', '.join(partial[:5])}; ask them again"
        findings.append(Finding(WARNING, TABLE, message, len(partial)))
    if lost := sum(row["geocode_method"] is None for row in rows):
        message = f"{lost} of {len(rows)} buildings have no coordinates: no layer of lots, no saved address"
        findings.append(Finding(WARNING, TABLE, message, lost))
    return findings


_COLUMNS = (
    *("mgm_bld_pk", "sigungu_cd", "bjdong_cd", "bun", "ji", "latitude", "longitude", "geocode_method"),
    *_TEXTS.values(),
    "use_approval_date",
    *_COUNTS.values(),
    *_MEASURES.values(),
    *("has_seismic_design", "cached_at", "api_response"),
)


def _write(connection: psycopg.Connection, rows: list[dict[str, Any]], areas: list[str]) -> None:
    columns = ", ".join(_COLUMNS)
    updates = ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS[1:])
    connection.execute(f"CREATE TEMP TABLE new_building (LIKE {TABLE} INCLUDING DEFAULTS) ON COMMIT DROP".encode())
    with connection.cursor() as cursor, cursor.copy(f"COPY new_building ({columns}) FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row([row[column] for column in _COLUMNS])
    connection.execute(
        f"DELETE FROM {TABLE} b WHERE sigungu_cd || bjdong_cd = ANY(%s)"
        " AND NOT EXISTS (SELECT FROM new_building n WHERE n.mgm_bld_pk = b.mgm_bld_pk)".encode(),
        (areas,),
    )
    connection.execute(
        f"INSERT INTO {TABLE} ({columns}) SELECT {columns} FROM new_building"
        f" ON CONFLICT (mgm_bld_pk) DO UPDATE SET {updates}".encode()
    )
