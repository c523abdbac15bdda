"""Korea's administrative codes: legal-dong codes, which the tables keep, and the statistics office's, which some
providers use. The same digits mean different places in the two systems, so a code is mapped, never compared."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from functools import cache
from importlib import resources

from engine.core import country
from engine.core.errors import SchemaError
from engine.core.language import Language
from engine.core.profile import LEGAL_DONG

#: codes of a province before it was renamed -> since
RENAMED = {"42": "51", "45": "52"}
_FOLDER = resources.files("engine").joinpath("io", "etl")


@cache
def _rows(name: str) -> tuple[dict[str, str], ...]:
    return tuple(csv.DictReader(_FOLDER.joinpath(name).read_text("utf-8").splitlines()))


def provinces() -> dict[str, str]:
    """Two-digit legal code -> Korean name; renamed provinces under both codes. Empty as `english_names` is."""
    return _provinces() if country.current().regions.codes == LEGAL_DONG else {}


@cache
def _provinces() -> dict[str, str]:
    names = {row["sido_code"]: row["name_ko"] for row in _rows("provinces_korea.csv")}
    return names | {old: names[new] for old, new in RENAMED.items()}


@cache
def province_codes() -> dict[str, str]:
    """Every name of a province (Korean, also short, and English) -> two-digit legal code."""
    found = {}
    for row in _rows("provinces_korea.csv"):
        for column in ("name_ko", "name_en", "aqueduct_name_1"):
            found[row[column]] = row["sido_code"]
    found |= {short: found[name] for short, name in _SHORT.items()}
    return found | {new: found[old] for old, new in _NEW_NAMES.items()}


@cache
def municipalities() -> dict[str, str]:
    """Five-digit legal code -> Korean name; municipalities of renamed provinces under both codes."""
    names = {row["legal_code"]: row["name_ko"] for row in _rows("municipalities_korea.csv")}
    before = {new: old for old, new in RENAMED.items()}
    return names | {before[code[:2]] + code[2:]: name for code, name in names.items() if code[:2] in before}


@cache
def _legal_of_statistics() -> dict[str, str]:
    codes = {row["statistics_code"]: row["sido_code"] for row in _rows("provinces_korea.csv")}
    return codes | {row["statistics_code"]: row["legal_code"] for row in _rows("municipalities_korea.csv")}


def legal_code(statistics_code: str) -> str | None:
    """Legal code, 2 or 5 digits, of a province's or municipality's statistical code; None for an unknown one."""
    return _legal_of_statistics().get(statistics_code)


@cache
def _statistics_of_legal() -> dict[str, str]:
    # several statistical codes may have been given to one place over the years: the newest is the highest
    return {legal: statistics for statistics, legal in sorted(_legal_of_statistics().items())}


def statistics_key(code: str) -> str | None:
    """Ten-digit statistical key of a province's or municipality's legal code of 2 or 5 digits."""
    found = _statistics_of_legal().get(RENAMED.get(code[:2], code[:2]) + code[2:])
    return None if found is None else found.ljust(10, "0")


def padded(code: str) -> str:
    """Ten digits of a legal code of 2, 5, 8 or 10."""
    return code.ljust(10, "0")


def level_of(code: str, where: str) -> int:
    """1 province, 2 city or county, 3 town: by the zeros at the end of a ten-digit legal code.

    raises : SchemaError when it is not ten digits
    """
    if not (len(code) == 10 and code.isascii() and code.isdecimal()):
        raise SchemaError(f"{where}: {code!r} is not a legal-dong code of ten digits")
    return 1 if code.endswith("00000000") else 2 if code.endswith("00000") else 3


def path(parts: Iterable[tuple[str, str]]) -> dict[Language, str]:
    """A region with those that hold it: `대구광역시 서구` and `Seo-gu, Daegu`.

    parts : (name, code of its own digits), the largest first. A city that is a province of its own has one name at both
            levels and is said once; a part without an English name keeps its own
    """
    english, told = english_names(), dict[str, str]()
    for name, code in parts:
        told.setdefault(name, english.get(code, name))
    return {"ko": " ".join(told), "en": ", ".join(dict.fromkeys(reversed(told.values())))}


def with_province(code: str | None, name: str | None) -> dict[Language, str] | None:
    """`path` of a region by its code of ten digits, without a warehouse; None where its province is not known."""
    if code is None or name is None or code[:2] not in provinces():
        return None
    if not code[2:].strip("0"):
        return path([(name, code[:2])])
    return path([(provinces()[code[:2]], code[:2]), (name, code[:5])])


_SHORT = {
    "서울": "서울특별시",
    "부산": "부산광역시",
    "대구": "대구광역시",
    "인천": "인천광역시",
    "광주": "광주광역시",
    "대전": "대전광역시",
    "울산": "울산광역시",
    "세종": "세종특별자치시",
    "경기": "경기도",
    "강원": "강원도",
    "충북": "충청북도",
    "충남": "충청남도",
    "전북": "전라북도",
    "전남": "전라남도",
    "경북": "경상북도",
    "경남": "경상남도",
    "제주": "제주특별자치도",
}
_NEW_NAMES = {"강원도": "강원특별자치도", "전라북도": "전북특별자치도", "제주특별자치도": "제주도"}


def english_names() -> dict[str, str]:
    """Legal code, 2 or 5 digits -> English name; renamed provinces under both codes. Empty in a country whose regions
    have other codes: some may have the same digits."""
    return _english_names() if country.current().regions.codes == LEGAL_DONG else {}


@cache
def _english_names() -> dict[str, str]:
    names = {row["sido_code"]: row["name_en"] for row in _rows("provinces_korea.csv")}
    names |= {row["legal_code"]: row["name_en"] for row in _rows("municipalities_korea.csv")}
    before = {new: old for old, new in RENAMED.items()}
    return names | {before[code[:2]] + code[2:]: name for code, name in names.items() if code[:2] in before}
