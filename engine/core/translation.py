"""English sentences of the engine in the language of a reader, translated where they leave the engine.

Rooms make their sentences in English, and so do logs, databases and files keep them. A sentence that is finished is
recognised by the catalogue: as a whole, or by its pattern, and what stands in its places is translated in turn. What
is not recognised stays English: names, columns, addresses, and words of other programs.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from engine.core import catalogue
from engine.core.catalogue import AS_IS
from engine.core.language import DEFAULT, Language
from engine.core.particles import agreed

_LETTER = re.compile("[A-Za-z]")
#: between sentences, between parts of one, and between the place of a fault and the fault; marks of a page among them
_JOINTS = tuple(
    re.compile(each) for each in (r"(?<=[.!?])((?:</\w+>)? +(?:<\w+>)?)(?=[A-Z<]|90 %)", "(; |\n)", "( \\+ )")
)
#: what may stand round a sentence: marks of a page, then the point, then brackets
_EDGES = tuple(
    re.compile(rf"((?:<[^>]+>|[\s{before}])*)(.*?)((?:<[^>]+>|[\s{after}])*)", re.DOTALL)
    for before, after in (("", ""), ("", ".,;:"), (",;:(", ".,;:)"))
)
#: parts of a sentence or list that are looked at, and of a measure with commas in it; what has more is data
_MOST, _WIDEST = 40, 6
#: sentences that are longer are data
_LONGEST = 4_000


def translate(text: str, language: Language) -> str:
    """A sentence, a heading or a note of the engine in this language; any other text as it is."""
    if language == DEFAULT or len(text) > _LONGEST or not _LETTER.search(text):
        return text
    return _translated(text, language)


def translate_fields(document: Any, names: Collection[str], language: Language) -> Any:
    """A JSON document with the texts of these fields translated, and all texts below them.

    names : of fields that hold sentences
    """
    if isinstance(document, dict):
        return {
            name: _all(value, language) if name in names else translate_fields(value, names, language)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [translate_fields(each, names, language) for each in document]
    return document


def _all(value: Any, language: Language) -> Any:
    if isinstance(value, str):
        return translate(value, language)
    if isinstance(value, dict):
        # a fault holds what was sent, and where
        return {name: each if name in ("value", "loc") else _all(each, language) for name, each in value.items()}
    if isinstance(value, list):
        return [_all(each, language) for each in value]
    return value


@lru_cache(maxsize=8192)
def _translated(text: str, language: Language) -> str:
    found = _known(text, language)
    if found is not None:
        return found
    for edges in _EDGES:
        if (parted := edges.fullmatch(text)) and parted[2] != text and (found := _known(parted[2], language)):
            return f"{parted[1]}{found}{parted[3]}"
    for joint in _JOINTS:
        parts = joint.split(text)
        if 1 < len(parts) <= 2 * _MOST:
            told = [_translated(part, language) if place % 2 == 0 else part for place, part in enumerate(parts)]
            if told != parts:
                return "".join(told)
    place, colon, rest = text.partition(": ")
    if colon and rest.count(colon) < _MOST:
        return f"{_translated(place, language)}{colon}{_translated(rest, language)}"
    return _listed(text, language)


def _listed(text: str, language: Language) -> str:
    """A list of names and measures, which may hold commas of their own: at each the longest that is known."""
    parts, told, at = text.split(", "), list[str](), 0
    if not 1 < len(parts) <= _MOST:
        return text
    while at < len(parts):
        ends = range(min(len(parts), at + _WIDEST), at, -1)
        known = ((end, found) for end in ends if (found := _known(", ".join(parts[at:end]), language)) is not None)
        end, found = next(known, (at + 1, parts[at]))
        told.append(found)
        at = end
    return ", ".join(told)


def _known(text: str, language: Language) -> str | None:
    """The sentence of the catalogue that this is; None: it is none."""
    known = catalogue.load(language)
    for spelt in (text, text[:1].lower() + text[1:], text[:1].upper() + text[1:]):
        if spelt in known.whole:
            return known.whole[spelt]
    low = text.lower()
    if len(low) != len(text):  # a letter that is two in lower case: none of ours
        return None
    for pattern in known.candidates(low):
        if (values := pattern.values(text, low)) is not None:
            told = {name: value if name in AS_IS else _translated(value, language) for name, value in values.items()}
            return agreed(pattern.other.format(**told))
    return None
