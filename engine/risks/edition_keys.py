"""Keys of an edition's file: which there are, what each may hold, and how its value becomes figures of `Bins`.

Every function raises DefinitionError with the key and what is wrong with its value; the caller adds file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from math import inf, isfinite
from typing import Any

from engine.core.errors import DefinitionError
from engine.core.names import nearest
from engine.kernels.fits import FAMILIES
from engine.risks.bins import Bins, Factor
from engine.risks.edition_file import invisible, shown
from engine.risks.registry import RISKS

#: outside of the risks' tables
TOP = ("name", "base", "aal_level_cuts_pct", "draws")
#: takes a base edition's bound away: TOML has no null
NO_BOUND = "none"
#: takes a base edition's trend away
NO_TREND = "none"
_LISTS = {"edges", "damage_rates", "fallback"}
_TYPES: dict[str, tuple[type, ...]] = {
    "intensity": (str,),
    "source": (str,),
    "estimator": (str,),
    "trend": (str,),
    "level": (str,),
    "of_baseline": (bool,),
    "atom": (bool,),
    "priced": (bool,),
    "calibrated": (bool,),
    "lower": (int, float),
    "warming_per_degree": (int, float),
}
#: keys that only the risk which declares them may have
FIGURES = frozenset(figure for risk in RISKS.values() for figure in risk.figures)
#: `fit` is written inside of `edges`
_KNOWN = frozenset(field.name for field in fields(Bins)) - {"fit"}
_QUANTILES, _RETURN_PERIODS = "quantiles", "return_periods"
_OF_EDGES = {_QUANTILES, _RETURN_PERIODS, "fit", "of_baseline"}
_OF_FACTOR = ("value", "low", "high", "source")
#: of return periods whose edition names no family
_DEFAULT_FIT = "gev"
_CUTS = 4
#: of either sign; intensities are days, mm, m/s or shares
_LARGEST = 1_000_000_000
#: characters of a source
_LONGEST_TEXT = 1_000


def check(risk: str, key: str, value: object) -> None:
    """Refuse a key that the risk does not have, or a value of another type than the key takes."""
    known = _KNOWN - (FIGURES - set(RISKS[risk].figures))
    if key not in known:
        raise DefinitionError(_unknown(key, known), key)
    if key == "edges" and isinstance(value, dict):
        _check_edges(value)
    elif key == "factor":
        _check_factor(value)
    elif key in _LISTS:
        _check_list(key, value)
    elif not (key == "lower" and value == NO_BOUND):
        _check_single(key, value, _TYPES[key])


def check_words(key: str, text: str) -> None:
    """Refuse a text that is too long, blank, or that nobody can see."""
    if len(text) > _LONGEST_TEXT:
        raise DefinitionError(f"it has {len(text):,} characters; at most {_LONGEST_TEXT:,}", key)
    if sign := invisible(text):
        raise DefinitionError(f"it holds {sign}, a character that is not seen on a page: write it in one line", key)
    if text and not text.strip():
        raise DefinitionError("it is blank", key)


def level_cuts(value: object) -> tuple[float, ...]:
    """`aal_level_cuts_pct` as percentages."""
    key = "aal_level_cuts_pct"
    _check_list(key, value)
    cuts = tuple(float(cut) for cut in value)  # type: ignore[attr-defined]
    if len(cuts) != _CUTS or not all(low < high for low, high in pairwise((0.0, *cuts))) or not cuts[-1] <= 100:
        raise DefinitionError(f"{list(cuts)}: four ascending percentages above 0, 100 at most, are needed", key)
    return cuts


def figures(key: str, value: Any) -> dict[str, Any]:
    """Fields of `Bins` that a checked key sets."""
    if key == "edges":
        return _edges(value) if isinstance(value, dict) else {"edges": _floats(value), "fit": None}
    if key in _LISTS:
        return {key: _floats(value)}
    if key == "factor":
        return {key: Factor(float(value["value"]), float(value["low"]), float(value["high"]), value["source"])}
    if key == "lower":
        return {key: None if value == NO_BOUND else float(value)}
    if key == "trend":
        return {key: None if value == NO_TREND else value}
    return {key: float(value) if key in FIGURES else value}


def returns(edges: object) -> bool:
    """Whether edges are written as return periods, which count years."""
    return isinstance(edges, Mapping) and _RETURN_PERIODS in edges


def _edges(table: Mapping[str, Any]) -> dict[str, Any]:
    if _RETURN_PERIODS in table:
        levels = tuple(1 - 1 / period for period in table[_RETURN_PERIODS])
        return {"edges": levels, "of_baseline": True, "fit": table.get("fit", _DEFAULT_FIT)}
    return {"edges": _floats(table[_QUANTILES]), "of_baseline": True, "fit": table.get("fit")}


def _check_edges(table: Mapping[str, object]) -> None:
    if unknown := next((key for key in table if key not in _OF_EDGES), None):
        raise DefinitionError(_unknown(unknown, _OF_EDGES), "edges")
    written = [key for key in (_QUANTILES, _RETURN_PERIODS) if key in table]
    if len(written) != 1:
        said = "both quantiles and return_periods" if written else "neither quantiles nor return_periods"
        raise DefinitionError(f"it has {said}: it needs one of them", "edges")
    _check_list("edges", table[written[0]])
    if "fit" in table:
        _check_single("edges", table["fit"], (str,))
        if table["fit"] not in FAMILIES:
            raise DefinitionError(f"fit {shown(table['fit'])} is none of {', '.join(FAMILIES)}", "edges")
    if table.get("of_baseline", True) is not True:
        raise DefinitionError(f"{written[0]} are of the baseline: of_baseline can only be true", "edges")
    if written == [_RETURN_PERIODS]:
        periods = _floats(table[_RETURN_PERIODS])
        if bad := [period for period in periods if not 1 < period < inf]:
            raise DefinitionError(f"{bad[0]} is no return period: more than 1 year", "edges")
        if any(right <= left for left, right in pairwise(periods)):
            raise DefinitionError(f"{list(periods)} does not ascend", "edges")


def _check_factor(table: object) -> None:
    if not isinstance(table, dict) or set(table) != set(_OF_FACTOR):
        raise DefinitionError(f"{shown(table)} is not a table of {', '.join(_OF_FACTOR)}", "factor")
    for key in _OF_FACTOR:
        _check_single("factor", table[key], (str,) if key == "source" else (int, float))
    if not table["source"]:
        raise DefinitionError("it needs a source", "factor")
    if bad := [table[key] for key in _OF_FACTOR if key != "source" and not isfinite(table[key])]:
        raise DefinitionError(f"{bad[0]} is not a finite number", "factor")


def _check_list(key: str, value: object) -> None:
    if not isinstance(value, list) or not all(_is_number(item) for item in value):
        raise DefinitionError(f"{shown(value)} is not a list of numbers", key)
    for item in value:
        _check_size(key, item)


#: last of the types that a key takes -> what the message calls it
_IN_WORDS: dict[type, str] = {bool: "true or false", float: "a number", str: "a text in quotes"}


def _check_single(key: str, value: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise DefinitionError(f"{shown(value)} is not {_IN_WORDS[kinds[-1]]}", key)
    if isinstance(value, str):
        check_words(key, value)
    elif isinstance(value, int | float):
        _check_size(key, value)


def _check_size(key: str, value: float) -> None:
    if _LARGEST < abs(value) < inf:
        raise DefinitionError(f"{shown(value)} is beyond {_LARGEST:,}, and no intensity is so large", key)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _unknown(key: str, known: frozenset[str] | set[str]) -> str:
    near = f"; did you mean {meant}?" if (meant := nearest(key, known)) else ""
    return f"unknown key {shown(key)}; known: {', '.join(sorted(known))}{near}"
