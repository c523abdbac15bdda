"""The risks by name, in their canonical order, and the older names; how an unknown name is refused.

A risk is the module `engine.risks.NAME`, which declares it as the constant NAME in capitals, and its line here.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from engine.core.errors import SettingsError

RISK_NAMES = (
    "extreme_heat",
    "extreme_cold",
    "drought",
    "river_flood",
    "urban_flood",
    "sea_level_rise",
    "typhoon",
    "wildfire",
    "water_stress",
)
ALIASES = {
    "high_temperature": "extreme_heat",
    "cold_wave": "extreme_cold",
    "inland_flood": "river_flood",
    "coastal_flood": "sea_level_rise",
    "water_scarcity": "water_stress",
}

#: how much alike a name and a known one are for it to be taken as that one misspelt (`difflib`, 0 to 1)
_NEAR = 0.6
#: so many characters of an unknown name are shown
_SHOWN = 60


def risk(name: str) -> str:
    """The canonical name of a risk; refuses an unknown one."""
    found = ALIASES.get(name.strip(), name.strip())
    if found not in RISK_NAMES:
        raise SettingsError(unknown("risk", found, RISK_NAMES))
    return found


def unknown(what: str, name: str, known: Iterable[str], *, listed: str | None = None) -> str:
    """The refusal of a name: `unknown risk 'river_flod'; known: ...; did you mean river_flood?`.

    listed : what is known, where it reads differently from the names
    """
    return f"unknown {what} {shortened(name)!r}; {among(name, known, listed=listed)}"


def among(name: str, known: Iterable[str], *, listed: str | None = None) -> str:
    """What is known in the place of an unknown name: `known: ...; did you mean river_flood?`."""
    names = list(known)
    near = nearest(name, names)
    return f"known: {listed or ', '.join(names)}" + (f"; did you mean {near}?" if near else "")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like this one, in any case and with either of `-_ `; None when none is alike."""
    spelt = {_plain(each): each for each in known}
    plain = _plain(name[: 2 * _SHOWN])  # what is longer is like no name, and would take long to compare
    if not plain:
        return None
    found = get_close_matches(plain, spelt, n=1, cutoff=_NEAR)
    if found:
        return spelt[found[0]]
    # `flood`, `heat`, `wild`: a piece of a name that only one has is that one
    holding = [each for each in spelt if plain in each or plain.removesuffix("s") in each] if len(plain) > 2 else []
    return spelt[holding[0]] if len(holding) == 1 else None


def shortened(text: str, limit: int = _SHOWN) -> str:
    """A text that a message can hold."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
