"""Catalogue of sentences in another language: a gettext file `texts/LANGUAGE.po`, read as it is.

A sentence has places: `{n} rows of {path}`. Their names say what they take:

- `n`, `n1`, `n2`: a number. `low`, `high`, `low2`, `high2`: a figure, also `-3` or `Q80`. `code`, `window`, `year`: one
  word. Every other one: a text of one sentence, which may be empty.
- `limit`: a figure with its unit. `years`: begins with a figure. `scenario`: ends in no comma.
- `given`: what is set, without `;`.
- `labelled`: names in files, with their labels beside; `attribute`: one of several words.
- those of `AS_IS`: what a reader must type or find as it stands. It is not translated, unlike the text of other places.
"""

from __future__ import annotations

import ast
import re
import string
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

from engine.core import country
from engine.core.language import Language

AS_IS = frozenset((
    "code", "column", "columns", "command", "example", "field", "fields", "file", "files", "folder", "given", "id",
    "known", "name", "names", "near", "no", "option", "other", "others", "own", "pair", "part", "path", "sheet",
    "sheets", "source", "table", "tables", "usable", "value", "word", "yes",
))  # fmt: skip
LABELLED = frozenset(("labelled", "attribute"))
_LINE = re.compile(r'(?:(msgid|msgstr|msgctxt)\s+)?(".*")\s*')
_PLACE = re.compile(r"\{(\w+)\}")
_NUMBER = re.compile(r"[+-]?\d[\d.,]*")
_FIGURE = re.compile(r"[Q+\-−–\d][^\s;:]*")
_WORD = re.compile(r"[^\s;:]*[^\s;:,]")
_KINDS = {
    **dict.fromkeys(("n", "n1", "n2"), _NUMBER),
    **dict.fromkeys(("low", "high", "low2", "high2"), _FIGURE),
    **dict.fromkeys(("code", "window", "year"), _WORD),
    **dict.fromkeys(("limit", "years"), re.compile(r"[+\-−–]?\d[^;:]*")),
    **dict.fromkeys(("path", "file"), re.compile(r"(?:(?!: ).)*")),
    "scenario": re.compile(r"(?:[^:;]*[^\s:;,])?"),
    "given": re.compile(r"[^;]*"),
    "labelled": re.compile(r"[a-z][a-z0-9_]*(?:, [a-z][a-z0-9_]*)*"),
    "attribute": re.compile(r"[a-z]+(?:_[a-z0-9]+)+"),
}
_LETTERS = string.ascii_lowercase
_WORDS = re.compile("[a-z]+")
_NEXT = re.compile(r"[.!?] +[A-Z]")


class Entry(NamedTuple):
    """A sentence in English and in the other language, both with `{names}` of what is put in."""

    english: str
    other: str


class Pattern:
    """A sentence with places, as it is recognised: in time linear in the text, whatever it holds."""

    def __init__(self, entry: Entry) -> None:
        self.other = entry.other
        pieces = _PLACE.split(entry.english)
        #: its last place, where that is a whole statement after a colon, as in `refused: {what}`; empty for none
        end = f": {{{pieces[-2]}}}"
        self.quoted = pieces[-2] if entry.english.endswith(end) and entry.other.endswith(end) else ""
        self._names, self._fixed = pieces[1::2], [each.lower() for each in pieces[::2]]
        #: its longest word that no value can be written together with; empty for none
        whole = [
            each.lstrip(_LETTERS if place else "").rstrip(_LETTERS if place < len(self._names) else "")
            for place, each in enumerate(self._fixed)
        ]
        self.word = max(_WORDS.findall(" ".join(whole)), key=len, default="")

    def values(self, text: str, low: str) -> dict[str, str] | None:
        """What stands in the places; None for another sentence. low: the text in lower case, as long"""
        first, *inner, last = self._fixed
        at, end = len(first), len(text) - len(last)
        if not (low.startswith(first) and low.endswith(last) and at <= end):
            return None
        found: dict[str, str] = {}
        for name, piece in zip(self._names, [*inner, ""], strict=True):
            stop = low.find(piece, at, end) if piece else end
            if stop < 0:
                return None
            value = text[at:stop]
            if not _fits(name, value) or found.setdefault(name, value) != value:
                return None
            at = stop + len(piece)
        return found


def _fits(name: str, value: str) -> bool:
    kind = _KINDS.get(name)
    return _is_piece(value) if kind is None else kind.fullmatch(value) is not None


def _is_piece(text: str) -> bool:
    """Whether a text can stand in a place: no end of a sentence before another, and no half of a pair of brackets."""
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0 and not _NEXT.search(text)


class Catalogue(NamedTuple):
    """Sentences of one language.

    patterns : those with places, the one with most fixed text first
    by_word  : a word that a text must hold -> patterns by their place; empty: those without such a word
    vocabulary : words of its English, in lower case
    """

    whole: Mapping[str, str]
    patterns: tuple[Pattern, ...]
    by_word: Mapping[str, Sequence[int]]
    vocabulary: frozenset[str]

    def candidates(self, low: str) -> Iterator[Pattern]:
        """Patterns that a text in lower case may be, the one with most fixed text first."""
        places = {place for word in {*_WORDS.findall(low), ""} for place in self.by_word.get(word, ())}
        return (self.patterns[place] for place in sorted(places))


def load(language: Language) -> Catalogue:
    """The catalogue of a language other than English, with the currency of the country where it says KRW."""
    return _load(language, country.current().currency.code)


@cache
def _load(language: Language, currency: str) -> Catalogue:
    text = (resources.files("engine.core") / "texts" / f"{language}.po").read_text("utf-8")
    entries = list(read(re.sub(r"\bKRW\b", currency, text)))
    placed = [each for each in entries if _PLACE.search(each.english)]
    placed.sort(key=lambda each: -len(_PLACE.sub("", each.english)))
    whole = {each.english: each.other for each in entries if not _PLACE.search(each.english)}
    patterns = tuple(Pattern(each) for each in placed)
    by_word: defaultdict[str, list[int]] = defaultdict(list)
    for place, pattern in enumerate(patterns):
        by_word[pattern.word].append(place)
    words = re.findall(r"(?<![\w./-])[a-z]{2,}(?![\w/-])", " ".join(_PLACE.sub("0", each.english) for each in entries))
    return Catalogue(whole, patterns, dict(by_word), frozenset(words))


def read(text: str) -> Iterator[Entry]:
    """Entries of a gettext file, without its head; of the format what this catalogue uses: no contexts, no plurals.

    raises : ValueError for a line that is none of it
    """
    parts: dict[str, str] = {}
    current = ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if parts.get("msgid"):
                yield Entry(parts["msgid"], parts["msgstr"])
            parts, current = {}, ""
            continue
        found = _LINE.fullmatch(line)
        current = (found[1] or current) if found else ""
        if found is None or current not in ("msgid", "msgstr"):
            raise ValueError(f"line {number} of the catalogue cannot be read: {line}")
        parts[current] = parts.get(current, "") + ast.literal_eval(found[2])


def places(text: str) -> list[str]:
    """Names of the places of a sentence."""
    return _PLACE.findall(text)
