"""Draws of an edition's damage rates: how uncertain rates are that were fitted to losses.

They stand in a JSON file beside the edition, which names it with its SHA-256:

    draws = { file = "2026-kr.draws.json", sha256 = "..." }

The file maps a risk to its draws, each with a rate a bin, before the edition's factor; draw n of every risk belongs
together.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

from engine.core.errors import DefinitionError
from engine.core.names import shortened

_KEYS = {"file", "sha256"}
_FEWEST = 20

Rates = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class RateDraws:
    """Risk -> its draws, each a rate a bin; and the checksum of the file that holds them."""

    sha256: str
    rates: Mapping[str, Rates]

    def without(self, risks: set[str]) -> RateDraws | None:
        """Those of other risks; None when none is left."""
        kept = {risk: rates for risk, rates in self.rates.items() if risk not in risks}
        return RateDraws(self.sha256, kept) if kept else None


def read(table: object, bins: Mapping[str, int], load: Callable[[str], bytes]) -> RateDraws:
    """The draws that an edition's key names.

    table  : the key's value
    bins   : number of bins of each priced risk
    load   : bytes of a file beside the edition, by its name
    raises : DefinitionError for a key of another form, a file of another checksum, and draws that do not fit
    """
    if not isinstance(table, dict) or set(table) != _KEYS or not all(isinstance(each, str) for each in table.values()):
        raise DefinitionError("it is not a table of file and sha256", "draws")
    name = table["file"]
    if "/" in name or "\\" in name or name.startswith("."):
        raise DefinitionError(f"{shortened(repr(name))} is not the name of a file beside the edition", "draws")
    try:
        raw = load(name)
    except OSError as err:
        raise DefinitionError(f"{name} cannot be read: {err.strerror or err}", "draws") from None
    found = hashlib.sha256(raw).hexdigest()
    if found != table["sha256"]:
        raise DefinitionError(f"{name} has the SHA-256 {found}, and the edition was made with another", "draws")
    try:
        held = json.loads(raw)
    except (ValueError, RecursionError):  # no JSON, or brackets deeper than can be read
        raise DefinitionError(f"{name} is no JSON", "draws") from None
    return RateDraws(found, _checked(name, held, bins))


def _checked(name: str, held: Any, bins: Mapping[str, int]) -> dict[str, Rates]:
    if not isinstance(held, dict) or not held:
        raise DefinitionError(f"{name} does not map risks to draws", "draws")
    counts = set()
    for risk, draws in held.items():
        if risk not in bins:
            raise DefinitionError(f"{name} has draws of {risk}, which the edition does not price", "draws")
        if not isinstance(draws, list) or not all(_fits(each, bins[risk]) for each in draws):
            raise DefinitionError(f"{name}: draws of {risk} are not lists of {bins[risk]} rates of 0..1", "draws")
        if not any(any(each) for each in draws):
            raise DefinitionError(f"{name}: every rate in the draws of {risk} is 0: leave the risk out", "draws")
        counts.add(len(draws))
    if len(counts) != 1 or min(counts) < _FEWEST:
        raise DefinitionError(f"{name}: every risk needs the same number of draws, {_FEWEST} or more", "draws")
    return {risk: tuple(tuple(float(rate) for rate in each) for each in draws) for risk, draws in held.items()}


def _fits(draw: object, bins: int) -> bool:
    return (
        isinstance(draw, list)
        and len(draw) == bins
        and all(_is_number(rate) and isfinite(rate) and 0 <= rate <= 1 for rate in draw)
    )


def _is_number(value: object) -> TypeGuard[int | float]:
    """JSON's true and false are numbers to Python."""
    return isinstance(value, int | float) and not isinstance(value, bool)
