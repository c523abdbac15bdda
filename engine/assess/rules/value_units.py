"""Units that people write behind numbers or in the heading of a column, and what one of them is in the field's own."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from engine.core import country

Units = dict[str, int | Decimal]

#: sign or word -> how much it is
_AREA: Units = {
    "m2": 1,
    "sqm": 1,
    "제곱미터": 1,
    "평방미터": 1,
    "squaremetres": 1,
    "squaremeters": 1,
    "평": Decimal(400) / Decimal(121),
}
_LENGTH: Units = {"m": 1, "미터": 1, "metres": 1, "meters": 1, "km": 1000, "킬로미터": 1000, "cm": Decimal("0.01")}
_SHARE: Units = {
    "%": Decimal("0.01"),
    "퍼센트": Decimal("0.01"),
    "percent": Decimal("0.01"),
    "pct": Decimal("0.01"),
    "0-1": 1,
}
_DEGREE: Units = {"°": 1, "도": 1, "deg": 1, "degree": 1, "degrees": 1, "dd": 1, "decimaldegrees": 1, "wgs84": 1}
_DEGREE |= {"epsg:4326": 1, "십진도": 1, "decimal": 1}
_COUNT: Units = {"층": 1, "개층": 1, "floors": 1, "storeys": 1, "개": 1}
_YEARS: Units = {"년": 1, "years": 1, "yrs": 1, "yr": 1, "yyyy": 1, "yyyy-mm-dd": 1}
#: field -> units of its values; those of money are the country's
_UNITS: dict[str, Units] = {
    "floor_area": {**_AREA},
    "insurance_coverage_rate": {**_SHARE},
    "imperviousness_ratio": {**_SHARE},
    "vegetation_ratio": {**_SHARE},
    "latitude": {**_DEGREE, "n": 1, "북위": 1},
    "longitude": {**_DEGREE, "e": 1, "동경": 1},
    "building_age": {**_YEARS},
    "completion_year": {**_YEARS},
    "floors_above": {**_COUNT},
    "floors_below": {**_COUNT},
    "annual_rainfall_mm": {"mm": 1, "mm/year": 1, "mm/년": 1, "cm": 10},
    "cdd_days": {"일": 1, "days": 1, "d": 1},
    **{
        name: {**_LENGTH}
        for name in (
            "elevation",
            "distance_to_river_m",
            "distance_to_coast_m",
            "distance_to_forest_m",
            "first_floor_height_m",
        )
    },
}
#: what people write in brackets behind a heading that says nothing about a unit
_REMARK = re.compile(r"필수|선택|옵션|required|optional|mandatory|예시|예:|^예\)|e\.g|단위없음|y/n|o/x|여부|유무|^$")


def plain(text: str) -> str:
    """A unit as it is compared: compatible signs as letters (㎡ is m2), no blanks, no capitals."""
    return re.sub(r"[\s.]+", "", unicodedata.normalize("NFKC", text)).casefold().removeprefix("단위:").strip("()[]")


def of(field: str) -> Units:
    """Units of the values of a field; empty for one that has none."""
    if field != "total_asset_value":
        return _UNITS.get(field, {})
    currency = country.current().currency
    signs: Units = {plain(sign): 1 for sign in currency.signs}
    return signs | {plain(word): size for word, size in currency.units.items()}


def signs() -> tuple[str, ...]:
    """What people write for the currency beside an amount."""
    return country.current().currency.signs


def are_known(text: str) -> bool:
    """Whether a text is a unit of any field."""
    return any(plain(text) in of(field) for field in ("total_asset_value", *_UNITS))


def in_heading(field: str, text: str) -> int | Decimal | None:
    """Factor from the unit in a heading to the unit of the field.

    returns : 1 for a remark that names no unit, None for what is neither
    """
    units, word = of(field), plain(text)
    if word in units:
        return units[word]
    if field == "total_asset_value":  # `EUR million`, `million EUR`
        for sign in signs():
            rest = word.removeprefix(sign) if word.startswith(sign) else word.removesuffix(sign)
            if rest != word and rest.strip(",-/ ") in units:
                return units[rest.strip(",-/ ")]
    return 1 if not units or _REMARK.search(word) else None
