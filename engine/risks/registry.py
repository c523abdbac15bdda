"""The risks in their canonical order: each is declared by the module of its name."""

from __future__ import annotations

from collections.abc import Container, Iterable
from importlib import import_module

from engine.core.errors import SettingsError
from engine.core.names import RISK_NAMES, risk
from engine.risks.definition import Risk


def _declared(name: str) -> Risk:
    declared: Risk = getattr(import_module(f"engine.risks.{name}"), name.upper())
    if declared.name != name:
        raise TypeError(f"engine.risks.{name} declares {declared.name!r}")
    return declared


RISKS: dict[str, Risk] = {name: _declared(name) for name in RISK_NAMES}


def parse_risks(names: Iterable[str] | None, held: Container[str] | None = None) -> tuple[str, ...]:
    """Canonical names in canonical order.

    names  : as a user writes them, older names and blanks included; None: all that are held
    held   : risks that the edition has figures for; None: all
    raises : SettingsError for a name that is unknown, or not held
    """
    here = [name for name in RISKS if held is None or name in held]
    if names is None:
        return tuple(here)
    if isinstance(names, str):  # its letters are no names
        names = names.split(",")
    if not isinstance(names, Iterable):
        raise SettingsError(f"risks is {names!r}, expected a name or several: {', '.join(here)}")
    wanted = {risk(name) for name in names}
    if absent := sorted(wanted - set(here)):
        raise SettingsError(
            f"the edition has no figures for {', '.join(absent)}; it has: {', '.join(here)};"
            f" an edition of your own adds [{absent[0]}], see docs/add-a-risk.md"
        )
    if not wanted:
        raise SettingsError("no risk was named")
    return tuple(name for name in here if name in wanted)
