"""Editions: one published set of edges and damage rates for the risks that it holds, and users' own on top of one.

An edition is a TOML file. A user's names its `base` and overrides any key of any risk, or brings a risk that the base
lacks with all its keys:

    name = "our-house-2026"
    base = "2025-11"

    [typhoon]
    damage_rates = [0, 0.0002, 0.001, 0.01, 0.05]
    source = "own claims 2003-2022"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from math import inf
from pathlib import Path
from typing import Any

from engine.core.errors import DefinitionError, SettingsError
from engine.core.names import nearest, unknown
from engine.risks import edition_file
from engine.risks.definition import Bins, Intensity
from engine.risks.edition_file import EditionText, invisible, shown
from engine.risks.editions import EDITIONS
from engine.risks.registry import RISKS

_LISTS = {"edges", "damage_rates", "fallback"}
_TYPES: dict[str, tuple[type, ...]] = {
    "intensity": (str,),
    "source": (str,),
    "of_baseline": (bool,),
    "atom": (bool,),
    "lower": (int, float),
    "calibrated": (bool,),
    "warming_per_degree": (int, float),
}
#: keys that only the risk which declares them may have
_FIGURES = frozenset(figure for risk in RISKS.values() for figure in risk.figures)
_NO_BOUND = "none"
#: of either sign; intensities are days, mm, m/s or shares
_LARGEST = 1_000_000_000
#: characters of a name (as wide as its columns) and of a source
_LONGEST_NAME, _LONGEST_TEXT = 40, 1_000


@dataclass(frozen=True, slots=True)
class Edition:
    """Bins of the risks that it holds, in canonical order, under one name; `checksum` changes when any figure does,
    `checksums[risk]` when one of that risk does."""

    name: str
    bins: Mapping[str, Bins]

    @property
    def checksum(self) -> str:
        """SHA-256 over the resolved figures, 64 hex digits."""
        return _digest({risk: _set_keys(bins) for risk, bins in self.bins.items()})

    @property
    def checksums(self) -> dict[str, str]:
        """Risk -> SHA-256 over its own figures, 64 hex digits."""
        return {risk: _digest(_set_keys(bins)) for risk, bins in self.bins.items()}

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Risk -> the figures that its code reads."""
        return {name: {key: getattr(bins, key) for key in RISKS[name].figures} for name, bins in self.bins.items()}

    def intensity(self, risk: str) -> Intensity:
        """Intensity by which this edition measures the risk."""
        return RISKS[risk].intensities[self.bins[risk].intensity]


def _set_keys(bins: Bins) -> dict[str, Any]:
    # a key that an edition does not set is no part of it, so that a new one moves no checksum of the editions that go
    # without; `lower` was counted as null from the first
    return {key: value for key, value in asdict(bins).items() if value is not None or key == "lower"}


def _digest(figures: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(figures, sort_keys=True).encode()).hexdigest()


def load_edition(name: str | Path) -> Edition:
    """A published edition by name, or a user's by the path of its TOML file.

    raises : DefinitionError naming file and line when the file contradicts itself
    """
    if str(name) in EDITIONS:
        text = (resources.files("engine.risks") / "editions" / f"{name}.toml").read_text("utf-8")
        return Edition(str(name), _File(f"{name}.toml", text).bins({}))
    path = Path(name)
    if path.suffix != ".toml":
        raise SettingsError(f"{unknown('edition', str(name), EDITIONS)}; or give the path of a .toml file")
    file = _File(str(path), edition_file.read(path))
    base = file.top("base")
    if base not in EDITIONS:
        raise file.fault("base", None, f"names {shown(base)}, which is none of {', '.join(EDITIONS)}")
    return Edition(file.title(), file.bins(load_edition(str(base)).bins))


class _File(EditionText):
    """One edition's text as bins."""

    def title(self) -> str:
        """The name of a user's edition; it goes into the database and into files."""
        title = self.top("name")
        if not isinstance(title, str) or not 0 < len(title) <= _LONGEST_NAME or title in EDITIONS:
            problem = f"must be 1 to {_LONGEST_NAME} characters and not the name of a published edition"
            raise self.fault("name", None, problem)
        if title != title.strip():
            raise self.fault("name", None, "begins or ends with a blank")
        self._check_words("name", None, title)
        return title

    def bins(self, base: Mapping[str, Bins]) -> dict[str, Bins]:
        known = {field.name for field in fields(Bins)}
        tables = {key: value for key, value in self.data.items() if key not in ("name", "base")}
        for risk, table in tables.items():
            if risk not in RISKS:
                near = f"; did you mean {meant}?" if (meant := nearest(risk, RISKS)) else ""
                raise self.fault(risk, None, f"is none of the risks {', '.join(RISKS)}{near}")
            if not isinstance(table, dict):
                raise self.fault(risk, None, f"is not a table: write [{risk}] above its keys")
            for key, value in table.items():
                self._check_type(risk, key, value, known)
        held = [risk for risk in RISKS if risk in tables or risk in base]
        if not held:
            raise DefinitionError(f"edition {self.label}: line 1: it holds no risk; known: {', '.join(RISKS)}")
        return {risk: self._resolve(risk, tables.get(risk, {}), base.get(risk)) for risk in held}

    def _check_type(self, risk: str, key: str, value: object, known: set[str]) -> None:
        known = known - (_FIGURES - set(RISKS[risk].figures))
        if key not in known:
            near = f"; did you mean {meant}?" if (meant := nearest(key, known)) else ""
            raise self.fault(key, risk, f"unknown key; known: {', '.join(sorted(known))}{near}")
        if key in _LISTS:
            if not isinstance(value, list) or not all(
                isinstance(item, int | float) and not isinstance(item, bool) for item in value
            ):
                raise self.fault(key, risk, f"{shown(value)} is not a list of numbers")
        elif key == "lower" and value == _NO_BOUND:
            return
        elif not isinstance(value, _TYPES[key]) or (isinstance(value, bool) and bool not in _TYPES[key]):
            raise self.fault(key, risk, f"{shown(value)} is not a {_TYPES[key][-1].__name__}")
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str):
                self._check_words(key, risk, item)
            elif isinstance(item, int | float) and not isinstance(item, bool) and _LARGEST < abs(item) < inf:
                raise self.fault(key, risk, f"{shown(item)} is beyond {_LARGEST:,}, and no intensity is so large")

    def _check_words(self, key: str, risk: str | None, text: str) -> None:
        if len(text) > _LONGEST_TEXT:
            raise self.fault(key, risk, f"it has {len(text):,} characters; at most {_LONGEST_TEXT:,}")
        if sign := invisible(text):
            raise self.fault(
                key, risk, f"it holds {sign}, a character that is not seen on a page: write it in one line"
            )
        if text and not text.strip():
            raise self.fault(key, risk, "it is blank")

    def _resolve(self, risk: str, table: Mapping[str, Any], base: Bins | None) -> Bins:
        known = RISKS[risk].intensities
        if table.get("intensity", next(iter(known))) not in known:
            raise self.fault("intensity", risk, f"{shown(table['intensity'])} is none of {', '.join(known)}")
        if base and table.get("intensity", base.intensity) != base.intensity:
            for key in ("edges", "damage_rates", "source"):
                if key not in table:  # the base's figures belong to another quantity
                    raise self.fault("intensity", risk, f"another intensity needs its own {key}")
        merged = asdict(base) if base else {}
        if not {"intensity", "edges", "damage_rates"}.isdisjoint(table):  # what the base was calibrated for is gone
            merged.pop("calibrated", None)
        merged |= {key: tuple(map(float, value)) if key in _LISTS else value for key, value in table.items()}
        if "edges" in table and merged.get("of_baseline") is False and "fallback" not in table:
            merged["fallback"] = ()
        if merged.get("lower") == _NO_BOUND:  # TOML has no null: the way to take a base edition's bound away
            merged["lower"] = None
        elif merged.get("lower") is not None:
            merged["lower"] = float(merged["lower"])
        merged |= {key: float(merged[key]) for key in _FIGURES & merged.keys() if merged[key] is not None}
        for key in ("intensity", "edges", "damage_rates", "source", *RISKS[risk].figures):
            if key not in merged:
                raise self.fault(key, risk, "is missing")
        try:
            return Bins(**merged)
        except DefinitionError as err:
            raise self.fault(err.key, risk, str(err)) from None
