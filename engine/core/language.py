"""Languages of a reader, and which one is asked for: by an option, the environment or a request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from engine.core.errors import SettingsError
from engine.core.names import unknown

Language = Literal["en", "ko"]
LANGUAGES: tuple[Language, ...] = ("en", "ko")
DEFAULT: Language = "en"


def parse(text: str) -> Language:
    """Language of its code; refuses any other text."""
    if text not in LANGUAGES:
        raise SettingsError(unknown("language", text, LANGUAGES))
    return text


def of_environment(environment: Mapping[str, str]) -> Language:
    """Language of messages as gettext takes it: the first of LC_ALL, LC_MESSAGES and LANG that is set names the locale;
    where that is not C or POSIX, LANGUAGE lists languages before it."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "C")
    if locale.partition(".")[0] in ("C", "POSIX"):
        return DEFAULT
    return _first([*environment.get("LANGUAGE", "").split(":"), locale])


def of_request(asked: str | None, accepted: str | None) -> Language:
    """Language of an answer.

    asked    : value of the query parameter `lang`, before everything else; one that is not known asks for nothing
    accepted : header `Accept-Language`
    """
    if asked is not None and asked in LANGUAGES:
        return asked
    weighed = [_weighed(each) for each in (accepted or "").split(",") if each.strip()]
    ordered = sorted((each for each in weighed if each[0] > 0), key=lambda each: -each[0])
    return _first(name for _, name in ordered)


def _weighed(part: str) -> tuple[float, str]:
    """`(0.8, "ko-KR")` of `ko-KR;q=0.8`; a weight that is none takes the language out."""
    name, _, weight = part.partition(";")
    try:
        return float(weight.strip().removeprefix("q=") or 1), name.strip()
    except ValueError:
        return 0.0, name.strip()


def _first(names: Iterable[str]) -> Language:
    for name in names:
        short = name.replace("_", "-").partition("-")[0].partition(".")[0].lower()
        if short in LANGUAGES:
            return short
    return DEFAULT
