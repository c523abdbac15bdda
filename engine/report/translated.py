"""A page of English sentences in another language: texts between blocks, descriptions of pictures, letters of charts.

What no catalogue knows stays as it is: names, figures, sources. A piece is looked for whole, with the marks in it, then
between its marks.
"""

from __future__ import annotations

import base64
import re
from functools import cache

from engine.core.language import DEFAULT, Language
from engine.core.translation import translate
from engine.io.etl import regions

_BLOCKS = (
    "a|b|body|caption|dd|details|div|dl|dt|figcaption|figure|footer|h1|h2|h3|head|header|html|i|img|li|main|nav|p|section"
    "|summary|svg|table|tbody|td|text|th|thead|title|tr|ul"
)
_BLOCK = re.compile(
    rf"(<style.*?</style>|<!--.*?-->|<!doctype[^>]*>|</?(?:{_BLOCKS})\b[^>]*>)", re.DOTALL | re.IGNORECASE
)
_MARK = re.compile(r"(<[^>]+>)")
_SAID = re.compile(r'\b(aria-label|alt)="([^"]*)"')
_CHART = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")
#: a place as `report.places` names it: `Jongno-gu (종로구), Seoul`
_PLACE = re.compile(r"[A-Za-z' -]+ \(([가-힣 ]+)\)(?:, ([A-Za-z' -]+))?")
_ENTITIES = {"&#39;": "'", "&#34;": '"'}


def page(html: str, language: Language) -> str:
    """The whole page, which says in what language it is."""
    if language == DEFAULT:
        return html
    told = _pieces(html.replace('<html lang="en">', f'<html lang="{language}">', 1), language)
    told = _SAID.sub(lambda found: f'{found[1]}="{_attribute(found[2], language)}"', told)
    return _CHART.sub(lambda found: f"data:image/svg+xml;base64,{_chart(found[1], language)}", told)


def _pieces(html: str, language: Language) -> str:
    parts = _BLOCK.split(html)
    parts[::2] = [_piece(part, language) for part in parts[::2]]
    return "".join(parts)


def _piece(text: str, language: Language) -> str:
    if not text.strip():
        return text
    plain = " ".join(_with_signs(text).split())
    told = _korean_place(plain) if language == "ko" else None
    told = told or translate(plain, language)
    if told == plain and "<" in plain:
        marked = _MARK.split(plain)
        marked[::2] = [translate(each, language) for each in marked[::2]]
        told = "".join(marked)
    return text if told == plain else f"{text[: len(text) - len(text.lstrip())]}{told}"


def _korean_place(text: str) -> str | None:
    """Name of a place in Korean, its province first; None for another text."""
    if text in (provinces := _provinces()):
        return provinces[text]
    found = _PLACE.fullmatch(text)
    if found is None:
        return None
    return f"{provinces.get(found[2], found[2])} {found[1]}" if found[2] else found[1]


@cache
def _provinces() -> dict[str, str]:
    """English name -> Korean name."""
    korean = regions.provinces()
    return {name: korean[code] for code, name in regions.english_names().items() if code in korean}


def _with_signs(text: str) -> str:
    for entity, sign in _ENTITIES.items():
        text = text.replace(entity, sign)
    return text


def _attribute(text: str, language: Language) -> str:
    return translate(_with_signs(text), language).replace('"', "&#34;")


def _chart(encoded: str, language: Language) -> str:
    return base64.b64encode(_pieces(base64.b64decode(encoded).decode(), language).encode()).decode()
