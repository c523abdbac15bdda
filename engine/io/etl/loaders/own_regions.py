"""Administrative regions of any country from layers with a name field: codes from the layer, or made from the names.

The country profile says how many levels there are, how the file of each begins, and which properties hold code, name
and persons. Regions of a smaller level belong to the larger region that holds a point inside them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from engine.core import country
from engine.core.counted import counted
from engine.core.errors import SchemaError, SettingsError
from engine.core.names import nearest, shortened
from engine.core.profile import RegionLevel, Regions
from engine.core.quality import WARNING, Finding
from engine.io.etl.load_record import Record
from engine.io.etl.loaders.region_rows import RegionRow
from engine.io.etl.loading import LoadOptions
from engine.io.etl.places import Layer, holder, layer_files, read_layer
from engine.io.files.reading import reading
from engine.io.files.vectors import Geometries

#: characters of a code and of a name, as wide as their columns
_LONGEST_CODE, _LONGEST_NAME = 20, 100
#: digits of a made code: 9 hexadecimal ones tell a million names apart
_MADE = 9
_LISTED = 12


def files(options: LoadOptions) -> list[list[Path]]:
    """Files of each level, the largest first: that of `regions`, else those whose names begin as the profile says.

    raises : SettingsError where one file stands for several levels
    """
    levels = country.current().regions.levels
    if options.regions is None:
        return [layer_files(options.data, level.layer or "") for level in levels]
    if len(levels) > 1:
        layers = ", ".join(f"{level.layer}*" for level in levels)
        raise SettingsError(
            f"--regions names one file, but COUNTRY {country.current().key} has {len(levels)} levels of regions: put a"
            f" file of each below the data folder ({layers})"
        )
    return [[options.regions]]


def read(paths: Sequence[Sequence[Path]], options: LoadOptions, record: Record) -> list[RegionRow]:
    """Regions of all levels; notes what was made up and left out in the record.

    raises : SchemaError for a layer without a field of names, features without a name or an area, a code that is no
             code or stands twice, and a region that lies in none of the larger level
    """
    told = country.current().regions
    rows: list[RegionRow] = []
    above: list[RegionRow] = []
    crs: list[str] = []
    for number, (level, its) in enumerate(zip(told.levels, paths, strict=True), 1):
        layers = [read_layer(path, options.crs) for path in its]
        crs += [layer.crs for layer in layers]
        found = [
            row
            for path, layer in zip(its, layers, strict=True)
            for row in _of_layer(layer, path.name, told, number, options.region_name)
        ]
        if not found:
            continue
        above = _coded(found, above, level, its[0].name, record)
        rows += above
    twice = [code for code, times in Counter(row.code for row in rows).items() if times > 1]
    if twice:
        raise SchemaError(f"regions: code {twice[0]!r} stands for several regions; state the property with the codes")
    record.source_crs = ", ".join(sorted(set(crs)))
    return rows


def name_field(layer: Layer, file: str, asked: str | None) -> str:
    """Property of a layer of regions that holds the names; refuses as `read` does."""
    fields = {key.lower() for properties in layer.properties for key in properties}
    return _name_field(fields, file, country.current().regions, asked)


def _of_layer(layer: Layer, file: str, told: Regions, level: int, asked: str | None) -> list[RegionRow]:
    """Regions of a layer, pieces with one code as one; a code that is still to be made is empty."""
    fields = {key.lower() for properties in layer.properties for key in properties}
    names = _name_field(fields, file, told, asked)
    code_field = next((field for field in told.code_fields if field in fields and field != names), None)
    pieces: dict[tuple[str, str], list[Any]] = {}
    persons: dict[tuple[str, str], int] = {}
    for feature, geometry in enumerate(layer.geometries):
        where = f"{file}: feature {feature + 1}"
        name = _text(layer.value(feature, names), _LONGEST_NAME, f"{where}: property {names}", "name")
        code = "" if code_field is None else _code(layer.value(feature, code_field), f"{where}: property {code_field}")
        # without a code two features of one name may be two regions
        key = (code, name) if code else (f"\0{feature}", name)
        pieces.setdefault(key, []).append(geometry)
        if (stated := _persons(layer.value(feature, *told.population_fields), where)) is not None:
            persons[key] = persons.get(key, 0) + stated
    return [
        RegionRow(
            code.partition("\0")[0],
            name,
            level,
            ("", None, None),
            None,
            _outline(parts, name, file),
            persons.get((code, name)),
        )
        for (code, name), parts in pieces.items()
    ]


def _name_field(fields: set[str], file: str, told: Regions, asked: str | None) -> str:
    """Property that holds the names: the one that is asked for, else the first of the profile's.

    raises : SettingsError for one that the layer lacks; SchemaError where none of the profile's is there
    """
    listed = ", ".join(sorted(fields)[:_LISTED]) or "none"
    if asked is not None:
        if asked.lower() in fields:
            return asked.lower()
        near = nearest(asked, fields)
        hint = f"; did you mean {near}?" if near else ""
        raise SettingsError(f"--region-name {asked}: {file} has no such property; it has {listed}{hint}")
    found = next((field for field in told.name_fields if field in fields), None)
    if found is None:
        raise SchemaError(
            f"{file}: none of its properties is known to hold names ({listed}): say which with --region-name PROPERTY,"
            " or with name_fields of the country profile"
        )
    return found


def _text(value: Any, longest: int, where: str, what: str) -> str:
    text = " ".join(str(value).split()) if value is not None else ""
    if not text or not text.isprintable():
        raise SchemaError(
            f"{where}: {'it is empty' if not text else repr(shortened(text))}: each region needs a {what}"
        )
    return text[:longest]


def _code(value: Any, where: str) -> str:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else _text(value, 1000, where, "code")
    if len(text) > _LONGEST_CODE or any(sign.isspace() for sign in text):
        raise SchemaError(
            f"{where}: {shortened(text)!r} is no code of at most {_LONGEST_CODE} characters without blanks: say with"
            " code_fields of the country profile which property holds the codes, or [] for none"
        )
    return text


def _persons(value: Any, where: str) -> int | None:
    """Persons; None where the layer does not say, for which GIS layers write a negative number."""
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise SchemaError(f"{where}: {shortened(repr(value))} is no number of persons") from None
    if number != number or number < 0:
        return None
    if number > 2e9:
        raise SchemaError(f"{where}: {number:g} is more than all persons of a country")
    return round(number)


def _outline(parts: Sequence[Any], name: str, file: str) -> shapely.MultiPolygon:
    """The union of the pieces; lines and points that are left of a repaired outline are dropped."""
    with reading(f"the outline of region {name}"):
        pieces = shapely.get_parts(shapely.union_all(list(parts)))
    polygons = [piece for piece in pieces if piece.geom_type == "Polygon" and not piece.is_empty]
    if not polygons:
        kinds = ", ".join(sorted({part.geom_type for part in parts}))
        raise SchemaError(f"{file}: region {name!r} has no area, it is {kinds}: regions are polygons")
    return shapely.MultiPolygon(polygons)


def _coded(
    found: list[RegionRow], above: Sequence[RegionRow], level: RegionLevel, file: str, record: Record
) -> list[RegionRow]:
    """The regions with their codes, and those of the larger regions that hold them."""
    made = sum(not row.code for row in found)
    if made:
        message = f"codes of {counted(made, 'region')} of {file} are made from the names: they stay while the names do"
        record.findings.append(Finding(WARNING, "location_admin", message, made))
    owners = _owners(found, above, file) if above else [None] * len(found)
    names: Counter[str] = Counter()
    rows = []
    for row, owner in zip(found, owners, strict=True):
        path = f"{row.level}/{owner.code if owner else ''}/{row.name}"
        names[path] += 1
        code = row.code or _made(f"{path}#{names[path]}")
        if level.digits is not None and row.code and len(code) != level.digits:
            raise SchemaError(
                f"{file}: code {code!r} of {row.name!r} has not the {level.digits} characters of its level"
            )
        larger = owner.codes if owner else ("", None, None)
        first, second, third = (code if place == row.level - 1 else larger[place] for place in range(3))
        rows.append(row._replace(code=code, codes=(str(first), second, third)))
    return rows


def _made(text: str) -> str:
    return "R" + hashlib.sha256(text.encode()).hexdigest()[:_MADE]


def _owners(found: Sequence[RegionRow], above: Sequence[RegionRow], file: str) -> list[RegionRow]:
    inner: Geometries = shapely.point_on_surface(np.array([row.outline for row in found], object))
    owner = holder(inner, np.array([row.outline for row in above], object))
    if (lost := np.flatnonzero(owner < 0)).size:
        raise SchemaError(
            f"{file}: {counted(len(lost), 'region')}, the first is {found[lost[0]].name!r}, lie in no region of the"
            " larger level: look at its outlines"
        )
    return [above[place] for place in owner.tolist()]
