"""Administrative regions: provinces, municipalities and towns with their outlines, and the region of every cell.

Towns are what the national map delivers; the two levels above are unions of them, so that borders agree. Without towns
the layers of municipalities and provinces stand alone. Every region has a legal-dong code of ten digits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import shapely
from numpy.typing import NDArray

from engine.core.counted import agree, counted, of_all
from engine.core.errors import SchemaError
from engine.core.quality import WARNING, Finding, load_ranges
from engine.io.etl import gate, lattice, loading, regions
from engine.io.etl.load_record import Record
from engine.io.etl.loading import Task
from engine.io.etl.places import Cells, Layer, cells_to_describe, holder_or_nearest, layer_files, read_layer, stage
from engine.io.files import source_files
from engine.io.files.reading import reading
from engine.io.files.source_files import SourceFile
from engine.io.files.vectors import Geometries

NAME, TABLE = "admin", "location_admin"
LAYERS = ("n3a_g0110000", "emd", "towns", "municipalities", "provinces", "admin")
PROVINCE, MUNICIPALITY, TOWN = 1, 2, 3
#: digits that codes of a level have in common
_DIGITS = {PROVINCE: 2, MUNICIPALITY: 5, TOWN: 10}
#: property -> it holds a legal-dong code of as many digits; ADM_CD also names another system, told by its length
_CODES = {"bjcd": 10, "admin_code": 10, "adm_cd": 10, "emd_cd": 8, "sig_cd": 5, "ctprvn_cd": 2}
_NAMES = ("name", "admin_name", "adm_nm", "emd_kor_nm", "emd_nm", "sig_kor_nm", "ctp_kor_nm")
_STATISTICS = "code"


@dataclass(frozen=True, slots=True)
class Region:
    """One region: ten-digit legal code, level, Korean name, MultiPolygon in EPSG:4326."""

    code: str
    level: int
    name: str
    outline: shapely.MultiPolygon


@loading.loader(
    NAME,
    version="1",
    takes=(
        "crs",
        "gate",
    ),
)
def load(task: Task) -> None:
    """Fill `location_admin` and `location_grid.admin_id`, the finest region that holds a cell or is within 2 km.

    raises : SchemaError for a feature without a code, a code that is none, or an unknown statistical code
    """
    paths = layer_files(task.options.data, *LAYERS)
    if not paths:
        message = f"no layer {', '.join(f'{layer}*' for layer in LAYERS)} below {task.options.data}"
        return task.absent(TABLE, message)
    sources = [SourceFile.of(part) for part in source_files.all_parts(paths)]
    cells = cells_to_describe(task.connection)
    with task.table(TABLE, sources) as record:
        if not record.up_to_date:
            task.progress(TABLE)
            _load_regions(task, record, paths)
    with task.table("location_grid", [*sources, cells.as_source()]) as record:
        if not record.up_to_date:
            task.progress("region of every cell")
            with record.transaction():
                record.rows = record.cells = 0 if task.options.dry_run else _join(task.connection, cells)
                if lost := len(cells.grid_id) - record.rows:
                    message = (
                        f"{of_all(lost, len(cells.grid_id), 'cell')} {agree(lost, 'lies', 'lie')}"
                        " in no region and farther than 2 km from one"
                    )
                    record.findings.append(Finding(WARNING, "location_grid", message, lost))


def _load_regions(task: Task, record: Record, paths: Sequence[Path]) -> None:
    layers = [read_layer(path, task.options.crs) for path in paths]
    found = hierarchy(*_read(paths, layers))
    record.source_crs = ", ".join(sorted({layer.crs for layer in layers}))
    with record.transaction():
        record.rows = _write(task.connection, found)
        levels = [region.level for region in found]
        record.gate_report = {"levels": {str(level): levels.count(level) for level in sorted(set(levels))}}
        record.findings += _findings(found)
        if gate.is_national(lattice.definition(task.connection)) and record.scope == "full" and TOWN in levels:
            count = np.asarray([levels.count(TOWN)], np.float32)
            limits = load_ranges(task.options.gate)["korea_towns"]
            record.findings += gate.limit_findings(TABLE, count, limits, "number of towns")


def _read(paths: Sequence[Path], layers: Sequence[Layer]) -> tuple[dict[str, str], dict[str, list[shapely.Geometry]]]:
    """Name and pieces of every code."""
    names: dict[str, str] = {}
    pieces: dict[str, list[shapely.Geometry]] = defaultdict(list)
    for path, layer in zip(paths, layers, strict=True):
        for feature, geometry in enumerate(layer.geometries):
            code = _code(layer, feature, path.name)
            pieces[code].append(geometry)
            if name := layer.value(feature, *_NAMES):
                names[code] = str(name).strip()
    return names, pieces


def _code(layer: Layer, feature: int, file: str) -> str:
    """Ten-digit legal code of a feature, from a legal code of any length or from the statistics office's."""
    for name, digits in _CODES.items():
        value = str(layer.value(feature, name) or "").strip()
        if len(value) == digits and value.isdecimal():
            return regions.padded(value)
    stated = str(layer.value(feature, _STATISTICS) or "").strip()
    if not stated:
        raise SchemaError(f"{file}: feature {feature + 1} has no code in {', '.join(_CODES)} or {_STATISTICS}")
    legal = regions.legal_code(stated)
    if legal is None:
        raise SchemaError(
            f"{file}: no legal code is known for the statistical code {stated!r} of feature {feature + 1}"
        )
    return regions.padded(legal)


def hierarchy(names: Mapping[str, str], pieces: Mapping[str, Sequence[shapely.Geometry]]) -> list[Region]:
    """All regions of three levels: those of the pieces, and above them the unions.

    A delivered province or municipality that has finer regions is made from these, so that borders agree.
    """
    outlines: dict[tuple[int, str], list[shapely.Geometry]] = defaultdict(list)
    for code, parts in pieces.items():
        outlines[regions.level_of(code, code), code] += parts
    for level in (MUNICIPALITY, PROVINCE):
        finer: dict[str, list[shapely.Geometry]] = defaultdict(list)
        for (below, code), parts in outlines.items():
            if below == level + 1:
                finer[regions.padded(code[: _DIGITS[level]])] += parts
        covered = {_current(code) for code in finer}
        delivered = {
            key: parts for key, parts in outlines.items() if key[0] != level or _current(key[1]) not in covered
        }
        outlines = defaultdict(list, delivered | {(level, code): parts for code, parts in finer.items()})
    return [
        Region(code, level, names.get(code) or _known_name(code, level), _multipolygon(parts, code))
        for (level, code), parts in sorted(outlines.items())
    ]


def _current(code: str) -> str:
    return regions.RENAMED.get(code[:2], code[:2]) + code[2:]


def _known_name(code: str, level: int) -> str:
    """Korean name; where none is delivered and none is known, the digits that the level has."""
    digits = code[: _DIGITS[level]]
    known = regions.provinces() if level == PROVINCE else regions.municipalities()
    return known.get(digits, digits)


def _multipolygon(parts: Iterable[shapely.Geometry], code: str) -> shapely.MultiPolygon:
    """The union; a repaired outline may hold lines, which are dropped."""
    with reading(f"the outline of region {code}"):
        pieces = shapely.get_parts(shapely.union_all(list(parts)))
    polygons = [piece for piece in pieces if piece.geom_type == "Polygon" and not piece.is_empty]
    if not polygons:
        raise SchemaError(f"region {code} has no area")
    return shapely.MultiPolygon(polygons)


def _findings(found: Sequence[Region]) -> list[Finding]:
    nameless = [region.code for region in found if region.name.isdecimal()]
    if not nameless:
        return []
    message = f"{counted(len(nameless), 'region')} without a known name go by their code: {', '.join(nameless[:5])}"
    return [Finding(WARNING, TABLE, message, len(nameless))]


_TYPES = {
    "admin_code": "varchar(10)",
    "admin_name": "varchar(100)",
    "sido_code": "varchar(2)",
    "sigungu_code": "varchar(5)",
    "emd_code": "varchar(10)",
    "level": "smallint",
    "kma_sgg_code": "varchar(10)",
    "latitude": "numeric(8,6)",
    "longitude": "numeric(9,6)",
    "geom_wkb": "bytea",
}


def _write(connection: psycopg.Connection, found: Sequence[Region]) -> int:
    """Upsert by code, so that `admin_id` stays with it; regions that are gone leave their cells."""
    outlines = np.array([region.outline for region in found], object)
    inner = shapely.get_coordinates(shapely.point_on_surface(outlines))
    columns = list(_TYPES)
    connection.execute(
        f"CREATE TEMP TABLE new_admin ({', '.join(f'{c} {t}' for c, t in _TYPES.items())}) ON COMMIT DROP".encode()
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY new_admin ({', '.join(columns)}) FROM STDIN".encode()) as copy,
    ):
        for region, wkb, (longitude, latitude) in zip(found, shapely.to_wkb(outlines), inner.tolist(), strict=True):
            sigungu = region.code[:5] if region.level >= MUNICIPALITY else None
            emd = region.code if region.level == TOWN else None
            key = regions.statistics_key(region.code[: _DIGITS[region.level]]) if region.level < TOWN else None
            place = (round(latitude, 6), round(longitude, 6))
            copy.write_row((region.code, region.name, region.code[:2], sigungu, emd, region.level, key, *place, wkb))
    updates = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    connection.execute(
        f"INSERT INTO {TABLE} ({', '.join(columns)}) SELECT {', '.join(columns)} FROM new_admin"
        f" ON CONFLICT (admin_code) DO UPDATE SET {updates}".encode()
    )
    gone = (
        f"SELECT admin_id FROM {TABLE} a WHERE NOT EXISTS (SELECT FROM new_admin n WHERE n.admin_code = a.admin_code)"
    )
    connection.execute(f"UPDATE location_grid SET admin_id = NULL WHERE admin_id IN ({gone})".encode())
    connection.execute(f"DELETE FROM {TABLE} WHERE admin_id IN ({gone})".encode())
    return len(found)


def _join(connection: psycopg.Connection, cells: Cells) -> int:
    """Set `location_grid.admin_id`; returns the number of cells with a region."""
    rows = connection.execute(
        f"""SELECT admin_id, geom_wkb FROM {TABLE} a
            WHERE NOT EXISTS (SELECT FROM {TABLE} finer WHERE finer.level = a.level + 1 AND CASE a.level
              WHEN 1 THEN finer.sido_code = a.sido_code ELSE finer.sigungu_code = a.sigungu_code END)
            ORDER BY admin_id"""
    ).fetchall()
    ids = np.array([row[0] for row in rows], np.int32)
    outlines: Geometries = np.asarray(shapely.from_wkb([row[1] for row in rows]), object)
    owner: NDArray[np.intp] = holder_or_nearest(cells, outlines)
    held = owner >= 0
    frame = pl.DataFrame({"grid_id": cells.grid_id[held], "admin_id": ids[owner[held]]})
    stage(connection, "new_region", {"grid_id": "integer", "admin_id": "integer"}, frame)
    connection.execute(
        """UPDATE location_grid g SET admin_id = n.admin_id FROM new_region n
           WHERE n.grid_id = g.grid_id AND g.admin_id IS DISTINCT FROM n.admin_id"""
    )
    connection.execute(
        """UPDATE location_grid g SET admin_id = NULL WHERE admin_id IS NOT NULL
             AND NOT EXISTS (SELECT FROM new_region n WHERE n.grid_id = g.grid_id)"""
    )
    return frame.height
