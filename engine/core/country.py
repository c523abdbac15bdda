"""The country profile of the process: that of the setting COUNTRY, or one that a command chose over it.

A process serves one country, as it lives in one time zone: currency and words are those of all its outputs. It is
chosen before work begins; threads of the process see it, other processes have it from their own settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from engine.core import profile_file
from engine.core.profile import Currency, Profile
from engine.core.profiles import PROFILES

_of_settings: Profile | None = None
_chosen: Profile | None = None


def current() -> Profile:
    """The profile of this process."""
    return _chosen or _of_settings or profile_file.load(PROFILES[0])


def money_in(code: str) -> Currency:
    """The currency of this code, in the words of the country where it is its own: stored results say theirs."""
    own = current()
    if code == own.currency.code:
        return own.currency
    shipped = (profile_file.load(name) for name in PROFILES)
    return next((each.currency for each in shipped if each.currency.code == code), own.in_currency(code).currency)


def currency_of(summary: Mapping[str, Any]) -> str:
    """Code of the amounts of a portfolio by its summary; one from before summaries stated it is Korea's."""
    return str(summary.get("currency", "KRW"))


def take(profile: Profile) -> None:
    """Take what the settings say; called by `settings.load` alone."""
    global _of_settings
    _of_settings = profile


@contextmanager
def chosen(profile: Profile) -> Iterator[None]:
    """Use a profile in place of that of the settings, such as one in another currency."""
    global _chosen
    before, _chosen = _chosen, profile
    try:
        yield
    finally:
        _chosen = before
