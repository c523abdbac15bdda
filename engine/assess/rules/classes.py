"""Structure and purpose of a building in one vocabulary, from register values in Korean or words in English."""

from __future__ import annotations

import re
from collections.abc import Mapping

import polars as pl

from engine.core import country
from engine.core.errors import SettingsError
from engine.core.names import among

#: a larger building must have a water tank by law
TANK_FLOORS, TANK_AREA_M2 = 6, 3000
#: first matching row wins; case does not matter
STRUCTURES: dict[str, tuple[str, ...]] = {
    "wood": ("목조", "목구조", "통나무", "wood", "timber"),
    "masonry": ("벽돌", "조적", "블록", "석조", "brick", "masonry"),
    "sandwich_panel": ("샌드위치", "sandwich"),
    "rc": ("철근콘크리트", "철골철근콘크리트", "콘크리트", "concrete"),
    "steel": ("철골", "강구조", "steel"),
}
#: whole words; a Korean letter beside them ends the word ("RC조")
_RC_WORDS = r"(^|[^a-z0-9_])s?rc($|[^a-z0-9_])"
PURPOSES: dict[str, tuple[str, ...]] = {
    "industrial": (
        "공장",
        "제조",
        "산업",
        "발전",
        "동물및식물관련시설",
        "factory",
        "manufacturing",
        "industrial",
        "power",
    ),
    "water_process": ("세차", "목욕", "냉각", "데이터센터", "car_wash", "bath", "cooling", "data center"),
    "lodging": ("숙박시설", "hotel"),
    "medical": ("병원", "의료시설", "hospital"),
    "office": ("업무시설", "사무", "office"),
    "commercial": ("상업시설", "판매시설", "근린생활시설", "문화및집회시설", "retail", "commercial"),
    "residential": ("주택", "주거", "아파트", "다세대", "연립", "residential"),
    "public": ("교육", "관공서", "education", "government"),
}
OTHER = "other"
STRUCTURE = pl.Enum([*STRUCTURES, OTHER])
PURPOSE = pl.Enum([*PURPOSES, OTHER])
DEPENDENCY = pl.Enum(["low", "medium", "high"])
_DEPENDENCY_OF = dict.fromkeys(("industrial", "water_process", "lodging", "medical"), "high") | dict.fromkeys(
    ("office", "commercial"), "medium"
)


def structure_class(text: pl.Expr) -> pl.Expr:
    """STRUCTURE of a text; `other` for null and for what no row names."""
    patterns = _patterns(STRUCTURES, "structures")
    patterns["rc"] += f"|{_RC_WORDS}"
    return _first_match(text, patterns).cast(STRUCTURE)


def purpose_class(text: pl.Expr) -> pl.Expr:
    """PURPOSE of a text; `other` for null and for what no row names."""
    return _first_match(text, _patterns(PURPOSES, "purposes")).cast(PURPOSE)


def water_dependency(purpose: pl.Expr) -> pl.Expr:
    """DEPENDENCY of a purpose class."""
    return purpose.cast(pl.String).replace_strict(_DEPENDENCY_OF, default="low").cast(DEPENDENCY)


def _patterns(known: Mapping[str, tuple[str, ...]], section: str) -> dict[str, str]:
    """Class -> its words, those of the country before the others."""
    own = country.current().vocabulary[section]
    if unknown := next((name for name in own if name not in known), None):
        where = f"COUNTRY {country.current().key}: vocabulary.{section}.{unknown}"
        raise SettingsError(f"{where}: there is no such class; {among(unknown, known)}")
    return {name: "|".join((*map(re.escape, own.get(name, ())), *tokens)) for name, tokens in known.items()}


def _first_match(text: pl.Expr, patterns: dict[str, str]) -> pl.Expr:
    word = text.str.to_lowercase()
    chosen = pl.lit(OTHER)
    for name, pattern in reversed(patterns.items()):
        chosen = pl.when(word.str.contains(pattern)).then(pl.lit(name)).otherwise(chosen)
    return chosen
