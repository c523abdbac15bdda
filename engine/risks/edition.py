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
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from engine.errors import DefinitionError, SettingsError
from engine.risks.definition import Bins, Intensity
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
        """How this edition measures the risk."""
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
        raise SettingsError(f"unknown edition {str(name)!r}; known: {', '.join(EDITIONS)}, or the path of a .toml file")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise SettingsError(f"edition {path}: cannot be read: {err}") from None
    file = _File(str(path), text)
    base = file.top("base")
    if base not in EDITIONS:
        raise file.fault("base", None, f"names {base!r}, which is none of {', '.join(EDITIONS)}")
    title = file.top("name")
    if not isinstance(title, str) or not 0 < len(title) <= 40 or title in EDITIONS:
        raise file.fault("name", None, "must be 1 to 40 characters and not the name of a published edition")
    return Edition(title, file.bins(load_edition(base).bins))


class _File:
    """One TOML text, with the means to say where it is wrong."""

    def __init__(self, label: str, text: str) -> None:
        self.label = label
        self.lines = text.splitlines()
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as err:
            raise DefinitionError(f"edition {label}: {err}") from None

    def top(self, key: str) -> object:
        if key not in self.data:
            raise DefinitionError(f"edition {self.label}: line 1: the key {key!r} is missing")
        return self.data[key]

    def fault(self, key: str, risk: str | None, problem: str) -> DefinitionError:
        where = f"[{risk}] {key}" if risk else key
        return DefinitionError(f"edition {self.label}: line {self._line(key, risk)}: {where}: {problem}")

    def _line(self, key: str, risk: str | None) -> int:
        """Line of `key` in the table of a risk, else of the table's header (the key came from the base)."""
        table, header = None, 1
        for number, line in enumerate(self.lines, start=1):
            stripped = line.split("#")[0].strip()
            if stripped.startswith("["):
                table = stripped.strip("[] \t\"'")
                if table == risk:
                    header = number
            elif table == risk and stripped.split("=")[0].strip(" \t\"'") == key:
                return number
        return header

    def bins(self, base: Mapping[str, Bins]) -> dict[str, Bins]:
        known = {field.name for field in fields(Bins)}
        tables = {key: value for key, value in self.data.items() if key not in ("name", "base")}
        for risk, table in tables.items():
            if risk not in RISKS or not isinstance(table, dict):
                raise self.fault(
                    risk, None if not isinstance(table, dict) else risk, f"is none of the risks {', '.join(RISKS)}"
                )
            for key, value in table.items():
                self._check_type(risk, key, value, known)
        held = [risk for risk in RISKS if risk in tables or risk in base]
        if not held:
            raise DefinitionError(f"edition {self.label}: line 1: it holds no risk; known: {', '.join(RISKS)}")
        return {risk: self._resolve(risk, tables.get(risk, {}), base.get(risk)) for risk in held}

    def _check_type(self, risk: str, key: str, value: object, known: set[str]) -> None:
        known = known - (_FIGURES - set(RISKS[risk].figures))
        if key not in known:
            raise self.fault(key, risk, f"unknown key; known: {', '.join(sorted(known))}")
        if key in _LISTS:
            if not isinstance(value, list) or not all(
                isinstance(item, int | float) and not isinstance(item, bool) for item in value
            ):
                raise self.fault(key, risk, f"{value!r} is not a list of numbers")
        elif key == "lower" and value == _NO_BOUND:
            return
        elif not isinstance(value, _TYPES[key]) or (isinstance(value, bool) and bool not in _TYPES[key]):
            raise self.fault(key, risk, f"{value!r} is not a {_TYPES[key][-1].__name__}")

    def _resolve(self, risk: str, table: Mapping[str, Any], base: Bins | None) -> Bins:
        known = RISKS[risk].intensities
        if table.get("intensity", next(iter(known))) not in known:
            raise self.fault("intensity", risk, f"{table['intensity']!r} is none of {', '.join(known)}")
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
