"""Documents and texts of the pages, with what they take from the country: languages, currency, its words."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from engine.core.language import Language
from engine.core.profile import Profile

_PAGE = resources.files("engine.service") / "page"
_LANGUAGES = 'data-languages="en ko"'
#: catalogues of the pages: `texts/en.json`, `texts/portfolio.en.json`
_TEXTS = "texts/"


def document(name: str, profile: Profile, prefix: str) -> str:
    """The document of a page, with links to below the path that a proxy shows it under.

    name   : `index.html`
    prefix : that path, empty without a proxy
    """
    text = (_PAGE / name).read_text("utf-8")
    if _LANGUAGES not in text:
        raise ValueError(f"{name} does not say which languages its texts have: {_LANGUAGES}")
    text = text.replace(_LANGUAGES, f'data-languages="{" ".join(profile.languages)}"')
    return text.replace('"page/', f'"{prefix}/page/')


def texts(name: str, profile: Profile) -> str | None:
    """A catalogue of texts, `<currency>` and the like in the words of the country; None for a file that is none."""
    if not (name.startswith(_TEXTS) and name.endswith(".json")):
        return None
    language: Language = "ko" if name.removesuffix(".json").endswith("ko") else "en"
    whole = profile.whole.in_(language)
    note = "" if profile.search_note is None else f" {profile.search_note.in_(language)}"
    words = {
        "currency": profile.currency.word.in_(language),
        "currency_code": profile.currency.code,
        "of_currency": profile.currency.suffix(language),
        "whole": whole,
        "Whole": whole[:1].upper() + whole[1:],
        "search_hint": profile.search_hint.in_(language),
        "search_note": note,
    }
    found = _catalogue(name)
    # the page asks for three levels, and shows only those that regions are of
    levels = [each.word.in_(language) for each in profile.regions.levels]
    words |= {f"level{number}": word for number, word in enumerate((*levels, *levels[-1:] * 2)[:3], 1)}
    for key, word in words.items():
        # inside of a string of JSON
        found = found.replace(f"<{key}>", json.dumps(word, ensure_ascii=False)[1:-1])
    return found


@cache
def _catalogue(name: str) -> str:
    return (_PAGE / name).read_text("utf-8")
