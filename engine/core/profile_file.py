"""Country profiles as TOML: those of the package by name, a user's own by its path.

A user's file names its `base` and states what differs; a list, and a table of words, replaces that of the base. With
another currency code, the base's signs and words of its own are gone.
"""

from __future__ import annotations

import tomllib
import zoneinfo
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

from engine.core import currencies
from engine.core.errors import SettingsError
from engine.core.language import Language
from engine.core.names import among, shortened, unknown
from engine.core.profile import Currency, Disclosure, Multiple, Profile, RegionLevel, Regions, Words
from engine.core.profiles import PROFILES

#: bytes; that of Korea has 3,000
_LARGEST = 200_000
_LONGEST_WORD = 200
_MOST_LEVELS = 3
#: section -> its keys
KEYS: Mapping[str, frozenset[str]] = {
    "": frozenset(
        (
            "base",
            "name",
            "whole_country",
            "time_zone",
            "reference_value",
            "currency",
            "regions",
            "storm_basins",
            "languages",
            "search_hint",
            "search_note",
            "stand_ins",
            "vocabulary",
            "disclosure",
            "figures",
        )
    ),
    "currency": frozenset(("code", "word", "multiples", "signs", "units")),
    "vocabulary": frozenset(("columns", "structures", "purposes")),
    "disclosure": frozenset(("name", "source")),
    "regions": frozenset(("codes", "levels", "code_fields", "name_fields", "population_fields")),
    "regions.levels": frozenset(("word", "several", "digits", "layer")),
}
#: of IBTrACS
BASINS = ("EP", "NA", "NI", "SA", "SI", "SP", "WP")
#: inputs of a site that national means may stand in for, with their limits
STAND_INS: Mapping[str, tuple[float, float]] = {
    "distance_to_river_m": (0, 1e6),
    "distance_to_coast_m": (0, 5e6),
    "imperviousness_ratio": (0, 1),
    "distance_to_forest_m": (0, 1e6),
}
#: risk -> figures that a profile may state, with their limits
FIGURES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "urban_flood": {
        "sewers_dense_mm_h": (0, 500),
        "sewers_built_mm_h": (0, 500),
        "sewers_other_mm_h": (0, 500),
        "full_drainage_mm_h": (1, 500),
        "wettest_hour_share": (0.01, 1),
    },
}


def load(name: str | Path) -> Profile:
    """A profile of the package by name, or a user's by the path of its TOML file.

    raises : SettingsError naming the file, the key, what was found and what is needed
    """
    if str(name) in PROFILES:
        return _shipped(str(name))
    path = Path(name)
    if path.suffix != ".toml":
        raise SettingsError(f"{unknown('country', str(name), PROFILES)}; or give the path of a .toml file")
    return _profile(str(path), _File(f"country {path}", _parsed(path)))


@cache
def _shipped(name: str) -> Profile:
    return _profile(name, _File(f"country {name}", _data(name)))


def _data(name: str) -> dict[str, Any]:
    text = (resources.files("engine.core") / "profiles" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)


def _parsed(path: Path) -> dict[str, Any]:
    """Data of a user's file over those of its base."""
    try:
        if path.stat().st_size > _LARGEST:
            raise SettingsError(f"country {path}: it holds more than {_LARGEST:,} bytes: it is no profile")
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as err:
        raise SettingsError(f"country {path}: cannot be read: {err.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"country {path}: it is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as err:
        raise SettingsError(f"country {path}: it is no TOML: {err}") from None
    except (RecursionError, ValueError):
        raise SettingsError(f"country {path}: it is no TOML: tables or numbers that no profile has") from None
    base = data.pop("base", None)
    if base is None:
        return data
    if base not in PROFILES:
        raise SettingsError(f"country {path}: base: {_shown(base)} is none of {', '.join(PROFILES)}")
    return _over(_data(base), data)


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Sections of the file over those of its base, key by key; words, units and lists are replaced whole."""
    merged = dict(base)
    code = _code(own)
    if code is not None and code != _code(base):
        # signs and words are those of the other currency; only what English says of any amount stays
        units = {word: size for word, size in base["currency"]["units"].items() if word.isascii()}
        merged["currency"] = base["currency"] | {"word": code, "signs": [code], "units": units}
    for key, value in own.items():
        section = key in ("currency", "regions", "stand_ins", "figures") and isinstance(value, dict)
        merged[key] = _joined(merged.get(key, {}), value) if section else value
    return merged


def _joined(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A section over that of the base; the figures of a risk key by key."""
    joined = {**base, **own}
    for risk in FIGURES:
        if isinstance(base.get(risk), dict) and isinstance(own.get(risk), dict):
            joined[risk] = {**base[risk], **own[risk]}
    return joined


def _code(data: Mapping[str, Any]) -> str | None:
    """Currency that the data state; None where they do not, or state no text."""
    table = data.get("currency")
    code = table.get("code") if isinstance(table, dict) else None
    return code if isinstance(code, str) else None


class _File:
    """Values of a parsed profile, each checked as it is taken; every fault is a sentence that names file and key."""

    def __init__(self, label: str, data: Mapping[str, Any]) -> None:
        self.label, self.data = label, data

    def fault(self, key: str, problem: str) -> SettingsError:
        return SettingsError(f"{self.label}: {key}: {problem}")

    def known(self, section: str, table: Mapping[str, Any]) -> None:
        """Refuse keys that a section does not have."""
        for key in table:
            if key not in KEYS[section]:
                at = f"{section}.{key}" if section else key
                raise self.fault(at, f"there is no such key; {among(key, sorted(KEYS[section]))}")

    def table(self, key: str) -> Mapping[str, Any]:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.fault(key, f"{_shown(value)} is no table")
        return value

    def of(self, table: Mapping[str, Any], key: str, at: str) -> Any:
        if key not in table:
            raise self.fault(at, "it is missing; state it, or a `base` that has it")
        return table[key]

    def text(self, value: Any, at: str) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_WORD or not value.isprintable():
            raise self.fault(at, f"{_shown(value)} is no text of 1 to {_LONGEST_WORD} characters")
        return value

    def words(self, value: Any, at: str) -> Words:
        """`"text"`, or a text for each language; a language that is not stated has the English one."""
        if isinstance(value, str):
            value = {"en": value}
        if not isinstance(value, dict) or "en" not in value or not set(value) <= {"en", "ko"}:
            raise self.fault(at, f'{_shown(value)} is no text, and no table such as {{ en = "region" }}')
        english = self.text(value["en"], f"{at}.en")
        return Words(english, self.text(value["ko"], f"{at}.ko") if "ko" in value else english)

    def listed(self, value: Any, at: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.fault(at, f"{_shown(value)} is no list of texts")
        return tuple(self.text(each, at).casefold() for each in value)

    def positive(self, value: Any, at: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not (isfinite(value) and value > 0):
            raise self.fault(at, f"{_shown(value)} is no number above 0")
        return float(value)


def _profile(key: str, file: _File) -> Profile:
    file.known("", file.data)
    zone = file.text(file.of(file.data, "time_zone", "time_zone"), "time_zone")
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise file.fault("time_zone", f"{_shown(zone)} is no time zone such as Europe/Madrid") from None
    return Profile(
        key=key,
        name=file.words(file.data["name"], "name") if "name" in file.data else None,
        whole=file.words(file.of(file.data, "whole_country", "whole_country"), "whole_country"),
        currency=_currency(file),
        reference_value=file.positive(file.of(file.data, "reference_value", "reference_value"), "reference_value"),
        time_zone=zone,
        regions=_regions(file),
        storm_basins=_basins(file),
        languages=_languages(file),
        search_hint=file.words(file.of(file.data, "search_hint", "search_hint"), "search_hint"),
        search_note=file.words(file.data["search_note"], "search_note") if "search_note" in file.data else None,
        stand_ins=_stand_ins(file),
        vocabulary=_vocabulary(file),
        disclosure=_disclosure(file),
        figures=_figures(file),
    )


def _basins(file: _File) -> tuple[str, ...]:
    found = tuple(
        each.upper() for each in file.listed(file.of(file.data, "storm_basins", "storm_basins"), "storm_basins")
    )
    if unknown := next((each for each in found if each not in BASINS), None):
        raise file.fault("storm_basins", f"{_shown(unknown)} is none of {', '.join(BASINS)}")
    return found


def _languages(file: _File) -> tuple[Language, ...]:
    value = file.of(file.data, "languages", "languages")
    if not isinstance(value, list) or not value or any(each not in ("en", "ko") for each in value):
        raise file.fault("languages", f'{_shown(value)} is no list of "en" and "ko", of one at least')
    return tuple(dict.fromkeys(value))


def _vocabulary(file: _File) -> dict[str, dict[str, tuple[str, ...]]]:
    table = file.table("vocabulary")
    file.known("vocabulary", table)
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for section in sorted(KEYS["vocabulary"]):
        words = table.get(section, {})
        if not isinstance(words, dict):
            raise file.fault(f"vocabulary.{section}", f"{_shown(words)} is no table of lists")
        found[section] = {key: file.listed(value, f"vocabulary.{section}.{key}") for key, value in words.items()}
    return found


def _disclosure(file: _File) -> Disclosure | None:
    table = file.table("disclosure")
    if not table:
        return None
    file.known("disclosure", table)
    name, source = (file.of(table, key, f"disclosure.{key}") for key in ("name", "source"))
    return Disclosure(file.words(name, "disclosure.name"), file.words(source, "disclosure.source"))


def _stand_ins(file: _File) -> dict[str, float]:
    table = file.table("stand_ins")
    if table and set(table) != set(STAND_INS):
        raise file.fault("stand_ins", f"it states {', '.join(table)}; all of {', '.join(STAND_INS)} are needed")
    found = {}
    for key, value in table.items():
        low, high = STAND_INS[key]
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise file.fault(f"stand_ins.{key}", f"{_shown(value)} is outside {low:g}..{high:g}")
        found[key] = float(value)
    return found


def _currency(file: _File) -> Currency:
    table = file.table("currency")
    file.known("currency", table)
    take: Callable[[str], Any] = lambda key: file.of(table, key, f"currency.{key}")  # noqa: E731
    code = file.text(take("code"), "currency.code")
    currencies.require(code, f"{file.label}: currency.code")
    units = take("units")
    if not isinstance(units, dict):
        raise file.fault("currency.units", f"{_shown(units)} is no table such as {{ million = 1_000_000 }}")
    for word, size in units.items():
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise file.fault(f"currency.units.{word}", f"{_shown(size)} is no whole number above 0")
    return Currency(
        code=code,
        word=file.words(table.get("word", code), "currency.word"),
        multiples=_multiples(file, take("multiples")),
        signs=file.listed(take("signs"), "currency.signs"),
        units={word.casefold(): size for word, size in units.items()},
    )


def _multiples(file: _File, value: Any) -> dict[Language, tuple[Multiple, ...]]:
    at, form = "currency.multiples", '{ en = [["bn", 1e9], ["m", 1e6]] }'
    if not isinstance(value, dict) or "en" not in value or not set(value) <= {"en", "ko"}:
        raise file.fault(at, f"{_shown(value)} is no table such as {form}")
    found: dict[Language, tuple[Multiple, ...]] = {}
    for language in ("en", "ko"):
        rows = value.get(language, value["en"])
        if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == 2 for row in rows):
            raise file.fault(f"{at}.{language}", f"{_shown(rows)} is no list of pairs such as {form}")
        multiples = tuple(Multiple(file.positive(row[1], at), file.text(row[0], at)) for row in rows)
        if any(smaller.size >= larger.size for larger, smaller in pairwise(multiples)):
            raise file.fault(f"{at}.{language}", "the largest size comes first, each once")
        found[language] = multiples
    return found


def _regions(file: _File) -> Regions:
    table = file.table("regions")
    file.known("regions", table)
    codes = file.of(table, "codes", "regions.codes")
    if codes not in ("legal_dong", "own"):
        raise file.fault("regions.codes", f"{_shown(codes)} is neither own nor legal_dong")
    rows = file.of(table, "levels", "regions.levels")
    if not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_LEVELS or not all(isinstance(r, dict) for r in rows):
        raise file.fault("regions.levels", f"it needs one to {_MOST_LEVELS} tables [[regions.levels]]")
    levels = tuple(_level(file, row, f"regions.levels[{place}]") for place, row in enumerate(rows, 1))
    if codes == "legal_dong" and [level.digits for level in levels] != [2, 5, 10]:
        raise file.fault("regions.levels", "legal_dong codes have three levels, of 2, 5 and 10 digits")
    if codes == "own" and (bare := next((n for n, level in enumerate(levels, 1) if level.layer is None), None)):
        raise file.fault(f"regions.levels[{bare}].layer", "it is missing: how the name of the file of outlines begins")
    fields = {
        key: file.listed(table[key], f"regions.{key}")
        for key in ("code_fields", "name_fields", "population_fields")
        if key in table
    }
    if codes == "own" and not fields.get("name_fields"):
        raise file.fault("regions.name_fields", "it is missing: properties of the outlines that hold their names")
    return Regions(codes=codes, levels=levels, **fields)


def _level(file: _File, row: Mapping[str, Any], at: str) -> RegionLevel:
    file.known("regions.levels", row)
    digits = row.get("digits")
    if digits is not None and (isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 40):
        raise file.fault(f"{at}.digits", f"{_shown(digits)} is no whole number from 1 to 40")
    word = file.words(file.of(row, "word", f"{at}.word"), f"{at}.word")
    several = file.words(file.of(row, "several", f"{at}.several"), f"{at}.several")
    layer = file.text(row["layer"], f"{at}.layer") if "layer" in row else None
    return RegionLevel(word, several, digits, layer)


def _figures(file: _File) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    stated = file.table("figures")
    for risk in FIGURES:
        file.of(stated, risk, f"figures.{risk}")
    for risk, table in stated.items():
        if risk not in FIGURES:
            raise file.fault(f"figures.{risk}", f"no figures of it are the country's; {among(risk, FIGURES)}")
        if not isinstance(table, dict):
            raise file.fault(f"figures.{risk}", f"{_shown(table)} is no table")
        for key in FIGURES[risk]:
            file.of(table, key, f"figures.{risk}.{key}")
        for key, value in table.items():
            at = f"figures.{risk}.{key}"
            if key not in FIGURES[risk]:
                raise file.fault(at, f"there is no such figure; {among(key, FIGURES[risk])}")
            low, high = FIGURES[risk][key]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise file.fault(at, f"{_shown(value)} is outside {low:g}..{high:g}")
            found.setdefault(risk, {})[key] = float(value)
    return found


def _shown(value: object) -> str:
    return shortened(repr(value))
