"""Korean particles after a name that is put into a sentence: `을(를)` becomes `을` or `를` by the sound before it."""

from __future__ import annotations

import re

_PAIRS = {
    "은(는)": ("은", "는"),
    "이(가)": ("이", "가"),
    "을(를)": ("을", "를"),
    "과(와)": ("과", "와"),
    "(으)로": ("으로", "로"),
}
_OPEN = re.compile("|".join(re.escape(pair) for pair in _PAIRS))
#: digits that are read with a consonant at their end; `ㄹ` counts as none before `로`
_CLOSED_DIGITS, _L_DIGITS = "013678", "178"
_FIRST, _LAST, _FINALS, _L = ord("가"), ord("힣"), 28, 8


def agreed(text: str) -> str:
    """A sentence with its particles chosen; both stay after a Latin letter, whose sound is not known."""
    return _OPEN.sub(lambda found: _chosen(found[0], text[: found.start()]), text)


def _chosen(pair: str, before: str) -> str:
    sign = next((each for each in reversed(before) if each.isalnum() or each == "%"), "")
    closed, open_ = _PAIRS[pair]
    if _FIRST <= ord(sign or " ") <= _LAST:
        final = (ord(sign) - _FIRST) % _FINALS
        return open_ if final == 0 or (pair == "(으)로" and final == _L) else closed
    if sign.isdecimal():
        return closed if sign in _CLOSED_DIGITS and not (pair == "(으)로" and sign in _L_DIGITS) else open_
    return open_ if sign == "%" else pair
