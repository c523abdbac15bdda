"""Administrative regions: provinces, municipalities and towns with their outlines, and the region of every cell.

Towns are what the national map delivers; the two levels above are unions of them, so that borders agree. Without towns
the layers of municipalities and provinces stand alone. Every region has a legal-dong code of ten digits.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from engine.core import country
from engine.core.counted import counted
from engine.core.errors import SchemaError, SettingsError
from engine.core.profile import LEGAL_DONG
from engine.core.quality import WARNING, Finding, load_ranges
from engine.io.etl import gate, lattice, loading, regions
from engine.io.etl.load_record import Record
from engine.io.etl.loaders import own_regions, region_rows
from engine.io.etl.loaders.region_rows import TABLE, RegionRow
from engine.io.etl.loading import Task
from engine.io.etl.places import Layer, cells_to_describe, layer_files, read_layer
from engine.io.files import source_files
from engine.io.files.reading import reading
from engine.io.files.source_files import SourceFile

NAME = "admin"
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
    takes=("crs", "gate", "regions", "region_name"),
)
def load(task: Task) -> None:
    """Fill `location_admin` and `location_grid.admin_id`, the finest region that holds a cell or is within 2 km. What
    the layers are, and how regions are coded, the country profile says.

    raises : SchemaError for a feature without a code, a code that is none, or an unknown statistical code
    """
    scheme = country.current().regions
    if scheme.codes != LEGAL_DONG:
        levels = own_regions.files(task.options)
        layers, paths = [str(level.layer) for level in scheme.levels], [path for level in levels for path in level]
    elif task.options.regions or task.options.region_name:
        raise SettingsError(
            f"--regions and --region-name are for regions with codes of their own, but COUNTRY {country.current().key}"
            ' has legal-dong codes: set COUNTRY to "generic", or to a profile of your own'
        )
    else:
        layers, levels = list(LAYERS), []
        paths = layer_files(task.options.data, *LAYERS)
    if not paths:
        return task.absent(TABLE, f"no layer {', '.join(f'{layer}*' for layer in layers)} below {task.options.data}")
    told = SourceFile.of_value("regions", [repr(scheme), task.options.region_name])
    sources = [SourceFile.of(part) for part in source_files.all_parts(paths)]
    sources += [told] if scheme.codes != LEGAL_DONG else []
    cells = cells_to_describe(task.connection)
    with task.table(TABLE, sources) as record:
        if not record.up_to_date:
            task.progress(TABLE)
            if scheme.codes == LEGAL_DONG:
                _load_regions(task, record, paths)
            else:
                _load_own(task, record, levels)
    with task.table("location_grid", [*sources, cells.as_source()]) as record:
        if not record.up_to_date:
            task.progress("region of every cell")
            with record.transaction():
                region_rows.join(task.connection, cells, record)


def _load_regions(task: Task, record: Record, paths: Sequence[Path]) -> None:
    layers = [read_layer(path, task.options.crs) for path in paths]
    found = hierarchy(*_read(paths, layers))
    record.source_crs = ", ".join(sorted({layer.crs for layer in layers}))
    with record.transaction():
        record.rows = region_rows.write(task.connection, [_row(region) for region in found])
        levels = [region.level for region in found]
        record.gate_report = {"levels": {str(level): levels.count(level) for level in sorted(set(levels))}}
        record.findings += _findings(found)
        if gate.is_national(lattice.definition(task.connection)) and record.scope == "full" and TOWN in levels:
            count = np.asarray([levels.count(TOWN)], np.float32)
            limits = load_ranges(task.options.gate)["korea_towns"]
            record.findings += gate.limit_findings(TABLE, count, limits, "number of towns")


def _load_own(task: Task, record: Record, levels: Sequence[Sequence[Path]]) -> None:
    found = own_regions.read(levels, task.options, record)
    with record.transaction():
        record.rows = region_rows.write(task.connection, found)
        counts = Counter(str(region.level) for region in found)
        record.gate_report = {"levels": dict(sorted(counts.items()))}


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


def _row(region: Region) -> RegionRow:
    codes = (
        region.code[:2],
        region.code[:5] if region.level >= MUNICIPALITY else None,
        region.code if region.level == TOWN else None,
    )
    key = regions.statistics_key(region.code[: _DIGITS[region.level]]) if region.level < TOWN else None
    return RegionRow(region.code, region.name, region.level, codes, key, region.outline)


def _findings(found: Sequence[Region]) -> list[Finding]:
    nameless = [region.code for region in found if region.name.isdecimal()]
    if not nameless:
        return []
    message = f"{counted(len(nameless), 'region')} without a known name go by their code: {', '.join(nameless[:5])}"
    return [Finding(WARNING, TABLE, message, len(nameless))]
