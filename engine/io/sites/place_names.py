"""Names of the regions of the warehouse: found by what somebody types, and told with the regions that hold them.

Names of the warehouse are Korean. Provinces, cities and counties are also found by their English names, which come with
the engine; for towns there are none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from engine.core import country
from engine.core.errors import SourceError
from engine.core.language import Language
from engine.io.db import postgres
from engine.io.etl import regions

#: level of `location_admin` -> its word
LEVELS = {1: "province", 2: "municipality", 3: "town"}
#: rows that are ranked: more than anybody reads, fewer than all towns
_RANKED = 300
_NAMED = """
SELECT a.admin_code AS code, a.admin_name AS name, a.level, a.latitude::float8 AS latitude,
       a.longitude::float8 AS longitude,
       CASE WHEN a.level > 1 THEN (SELECT p.admin_name FROM location_admin p
         WHERE p.level = 1 AND p.sido_code = a.sido_code LIMIT 1) END AS province,
       CASE WHEN a.level > 2 THEN (SELECT m.admin_name FROM location_admin m
         WHERE m.level = 2 AND m.sigungu_code = a.sigungu_code LIMIT 1) END AS municipality
  FROM location_admin a WHERE a.latitude IS NOT NULL AND a.longitude IS NOT NULL
"""
_PATHS = """
SELECT DISTINCT ON (a.admin_code) a.admin_code AS code, a.level, p.admin_name AS province, m.admin_name AS municipality,
       a.admin_name AS name
  FROM location_admin a
  LEFT JOIN location_admin p ON a.level > 1 AND p.level = 1 AND p.sido_code = a.sido_code
  LEFT JOIN location_admin m ON a.level > 2 AND m.level = 2 AND m.sigungu_code = a.sigungu_code
 WHERE a.admin_code = ANY(%s)
"""
_SEARCH = f"""
SELECT * FROM ({_NAMED}) AS named
 WHERE code = ANY(%(codes)s)
    OR (name ILIKE %(last)s AND concat_ws(' ', province, municipality, name) ILIKE ALL(%(words)s))
 ORDER BY code = ANY(%(codes)s) DESC, lower(name) = lower(%(whole)s) DESC, name ILIKE %(start)s DESC, level, name, code
 LIMIT {_RANKED}
"""


class _Row(NamedTuple):
    code: str
    name: str
    level: int
    latitude: float
    longitude: float
    province: str | None
    municipality: str | None


class Place(NamedTuple):
    """A region and a point inside it. code: ten digits; level: word of LEVELS; within: names of the regions that hold
    it, the largest first; within_english: those that have English names in English; english: None of a town."""

    code: str
    name: str
    english: str | None
    level: str
    within: list[str]
    within_english: list[str]
    latitude: float
    longitude: float


def search(connection: psycopg.Connection, text: str, limit: int) -> list[Place]:
    """Regions whose name holds the last word of the text, and whose path of names the others; the best first: whole
    names, then beginnings, then large before small.

    raises : SourceError while the warehouse cannot be read
    """
    words = text.split()
    if not words or not postgres.has_table(connection, "location_admin"):
        return []
    patterns = [f"%{_literal(word)}%" for word in words]
    asked = {
        "codes": _named_in_english(words),
        "words": patterns,
        "last": patterns[-1],
        "whole": words[-1],
        "start": f"{_literal(words[-1])}%",
    }
    with postgres.failures("searching regions", SourceError), connection.cursor(row_factory=class_row(_Row)) as cursor:
        found = cursor.execute(_SEARCH.encode(), asked).fetchall()
    return [_place(row) for row in sorted(found, key=lambda row: _rank(row, words[-1]))[:limit]]


def held(connection: psycopg.Connection) -> dict[str, int]:
    """Word of LEVELS -> number of regions that can be found, of the levels that the country has."""
    told = {word: 0 for level, word in LEVELS.items() if level <= len(country.current().regions.levels)}
    if not postgres.has_table(connection, "location_admin"):
        return told
    with postgres.failures("counting regions", SourceError):
        rows = connection.execute(
            "SELECT level, count(*) FROM location_admin WHERE latitude IS NOT NULL AND longitude IS NOT NULL"
            " GROUP BY level"
        ).fetchall()
    return told | {LEVELS[level]: count for level, count in rows}


def labels(connection: psycopg.Connection) -> list[Place]:
    """Provinces, then cities and counties, to be written on a map.

    raises : SourceError while the warehouse cannot be read
    """
    if not postgres.has_table(connection, "location_admin"):
        return []
    query = f"SELECT * FROM ({_NAMED}) AS named WHERE level < 3 ORDER BY level, code"
    with postgres.failures("reading regions", SourceError), connection.cursor(row_factory=class_row(_Row)) as cursor:
        return [_place(row) for row in cursor.execute(query.encode()).fetchall()]


def paths(connection: psycopg.Connection, codes: Iterable[str | None]) -> dict[str, dict[Language, str]]:
    """Code -> name of the region with those of the regions that hold it: `서구` alone may be any of several.

    returns : `대구광역시 서구` and `Seo-gu, Daegu`; a part without an English name keeps its own. Codes that the
              warehouse does not hold are absent
    raises  : SourceError while the warehouse cannot be read
    """
    asked = sorted({code for code in codes if code})
    if not asked or not postgres.has_table(connection, "location_admin"):
        return {}
    with postgres.failures("reading regions", SourceError):
        rows = connection.execute(_PATHS, (asked,)).fetchall()
    return {
        code: regions.path(
            (name, code[:digits])
            for name, digits in zip(names, (2, 5, {1: 2, 2: 5}.get(level, 10)), strict=True)
            if name
        )
        for code, level, *names in rows
    }


def of_code(code: str | None, name: str | None) -> dict[Language, str] | None:
    """The same of a stored result, whose warehouse may be away; None where its province is not known by the code."""
    return regions.with_province(code, name)


def _place(row: _Row) -> Place:
    holding = {name: row.code[:digits] for name, digits in ((row.province, 2), (row.municipality, 5)) if name}
    english = [regions.english_names().get(code, name) for name, code in holding.items()]
    return Place(row.code, row.name, _english(row), LEVELS[row.level], [*holding], english, row.latitude, row.longitude)


def _english(row: _Row) -> str | None:
    return regions.english_names().get(row.code[: {1: 2, 2: 5}[row.level]]) if row.level < 3 else None


def _rank(row: _Row, word: str) -> tuple[bool, bool, int, str, str]:
    names = [_plain(name) for name in (row.name, _english(row)) if name]
    asked = _plain(word)
    return asked not in names, not any(name.startswith(asked) for name in names), row.level, row.name, row.code


def _named_in_english(words: list[str]) -> list[str]:
    """Ten-digit codes of provinces, cities and counties whose English names hold the words."""
    asked, names = [_plain(word) for word in words], regions.english_names()
    if not all(asked) or not all(word.isascii() for word in asked):
        return []
    found = []
    for code, name in names.items():
        path = _plain(names.get(code[:2], "") + name)
        if asked[-1] in _plain(name) and all(word in path for word in asked):
            found.append(regions.padded(code))
    return found


def _plain(name: str) -> str:
    """Without case, spaces and hyphens: `Jongno-gu` is found as `jongno gu` and `jongnogu`."""
    return name.casefold().replace("-", "").replace(" ", "")


def _literal(word: str) -> str:
    """A word inside a pattern of LIKE."""
    return word.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
