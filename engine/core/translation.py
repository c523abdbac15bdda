"""English sentences of the engine in the language of a reader, translated where they leave the engine.

Rooms make their sentences in English, and so do logs, databases and files keep them. A sentence that is finished is
recognised by the catalogue: as a whole, or by its pattern, and what stands in its places is translated in turn. What
is not recognised stays English: names, columns, addresses, and words of other programs. A sentence of which a part
would stay English stays English whole; what follows a colon, as in `refused: ...`, is a statement of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

from engine.core import catalogue
from engine.core.catalogue import AS_IS, LABELLED
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
#: names in quotes
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
#: a word that joins others, and whether it is a part of a name, as in `Bank of Korea`
_JOINING = re.compile(
    r"(\b[A-Z][\w.&]* )?(?<![\w./=\-])(?:a|an|and|are|as|at|be|been|before|after|by|do|does|for|from|has|have|in|into"
    r"|is|it|its|not|of|on|or|than|that|the|their|there|these|they|this|to|up|was|were|where|which|who|with|without)"
    r"(?![\w/=\-]|\.\w)(?= ?([A-Z])?)"
)
#: two words in lower case side by side
_PAIR = re.compile(r"(?<![\w./=\-])([a-z]{2,})(?= ([a-z]{2,})(?![\w./=\-]))")
#: parts of a sentence or list that are looked at, and of a measure with commas in it; what has more is data
_MOST, _WIDEST = 40, 6
#: sentences that are longer are data
_LONGEST = 4_000


def translate(text: str, language: Language) -> str:
    """A sentence, a heading or a note of the engine in this language; any other text as it is."""
    if language == DEFAULT or len(text) > _LONGEST or not _LETTER.search(text):
        return text
    return _translated(text, language).text


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


class _Told(NamedTuple):
    """A text in another language, and whether no English sentence or half of one is left in it."""

    text: str
    whole: bool


@lru_cache(maxsize=8192)
def _translated(text: str, language: Language) -> _Told:
    found = _known(text, language)
    if found is not None:
        return found
    for edges in _EDGES:
        if (parted := edges.fullmatch(text)) and parted[2] != text and (found := _known(parted[2], language)):
            return _Told(f"{parted[1]}{found.text}{parted[3]}", found.whole)
    for joint in _JOINTS:
        parts = _closed(joint.split(text))
        if 1 < len(parts) <= 2 * _MOST:
            told = [_translated(part, language) if at % 2 == 0 else _Told(part, True) for at, part in enumerate(parts)]
            if [each.text for each in told] != parts:
                return _Told("".join(each.text for each in told), all(each.whole for each in told))
    place, colon, rest = text.partition(": ")
    if colon and rest.count(colon) < _MOST:
        of, what = _translated(place, language), _translated(rest, language)
        if of.whole or what.text == rest:
            return _Told(f"{of.text}{colon}{what.text}", of.whole and what.whole)
        return _Told(text, False)
    return _listed(text, language)


def _closed(parts: list[str]) -> list[str]:
    """Parts of a text, and the joints between them, of which none opens a bracket that another closes."""
    told = parts[:1]
    for joint, part in zip(parts[1::2], parts[2::2], strict=True):
        if told[-1].count("(") > told[-1].count(")"):
            told[-1] += joint + part
        else:
            told += [joint, part]
    return told


def _listed(text: str, language: Language) -> _Told:
    """A list of names and measures, which may hold commas of their own: at each the longest that is known. A list with
    a part of an English sentence stays as it is."""
    parts, told, at = text.split(", "), list[_Told](), 0
    if not 1 < len(parts) <= _MOST:
        return _Told(text, not _is_english(text, language))
    while at < len(parts):
        ends = range(min(len(parts), at + _WIDEST), at, -1)
        known = ((end, found) for end in ends if (found := _known(", ".join(parts[at:end]), language)) is not None)
        end, found = next(known, (at + 1, _Told(parts[at], not _is_english(parts[at], language))))
        told.append(found)
        at = end
    whole = all(each.whole for each in told)
    return _Told(", ".join(each.text for each in told) if whole else text, whole)


def _known(text: str, language: Language) -> _Told | None:
    """The sentence of the catalogue that this is; None: it is none, or words of it would stay English."""
    known = catalogue.load(language)
    for spelt in (text, text[:1].lower() + text[1:], text[:1].upper() + text[1:]):
        if spelt in known.whole:
            return _Told(known.whole[spelt], True)
    low = text.lower()
    if len(low) != len(text):  # a letter that is two in lower case: none of ours
        return None
    for pattern in known.candidates(low):
        if (values := pattern.values(text, low)) is not None:
            told = {name: _placed(name, value, language) for name, value in values.items()}
            partly = {name for name, each in told.items() if not each.whole}
            if partly <= {pattern.quoted}:
                other = pattern.other.format(**{name: each.text for name, each in told.items()})
                return _Told(agreed(other), not partly)
    return None


def _placed(name: str, value: str, language: Language) -> _Told:
    """What stands in the place of this name."""
    if name in LABELLED:
        labels = catalogue.load(language).whole
        return _Told(
            ", ".join(f"{each}({labels[each]})" if each in labels else each for each in value.split(", ")), True
        )
    return _Told(value, True) if name in AS_IS else _translated(value, language)


def _is_english(text: str, language: Language) -> bool:
    """Whether a text that is not translated is a statement, or a part of one, and not a name, code or measure: it has
    a word that joins others, or two words of our sentences side by side. What stands in quotes is a name."""
    plain = _QUOTED.sub("0", text)
    if any(not (found[1] and found[2]) for found in _JOINING.finditer(plain)):
        return True
    vocabulary = catalogue.load(language).vocabulary
    return any(one in vocabulary and other in vocabulary for one, other in _PAIR.findall(plain))
