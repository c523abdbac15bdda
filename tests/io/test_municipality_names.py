"""English names of Korea's municipalities are the Revised Romanisation of the Korean ones."""

import re

from engine.io.etl import regions

INITIALS = "g kk n d tt r m b pp s ss - j jj ch k t p h".replace("-", "").split(" ")
VOWELS = re.findall(r"\w+", "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i")
#: sound of a final consonant before another one, and where the next syllable begins with a vowel
CLOSED = ["", *re.findall(r"\w+", "k k k n n n t l k m l l l p l m p p t t ng t t k t p t")]
OPEN = ["", *re.findall(r"\w+", "g kk gs n nj n d r lg lm lb ls lt lp r m b bs s ss ng j ch k t p h")]
#: (final, initial) -> both as they sound
TOGETHER = {
    **{("k", each): f"ng{sound}" for each, sound in (("n", "n"), ("r", "n"), ("m", "m"))},
    **{("t", each): sound for each, sound in (("n", "nn"), ("r", "nn"), ("m", "nm"))},
    **{("p", each): f"m{sound}" for each, sound in (("n", "n"), ("r", "n"), ("m", "m"))},
    **{("l", "n"): "ll", ("l", "r"): "ll", ("n", "r"): "ll", ("m", "r"): "mn", ("ng", "r"): "ngn"},
}
UNITS = {"시": "si", "군": "gun", "구": "gu"}


def romanised(stem):
    """`종로` -> `Jongno`."""
    parts = [divmod(ord(sign) - 0xAC00, 588) for sign in stem]
    text, final = "", 0
    for initial, rest in parts:
        vowel, after = divmod(rest, 28)
        sound = INITIALS[initial]
        if sound:
            text += TOGETHER.get((CLOSED[final], sound), CLOSED[final] + sound)
        else:
            text += OPEN[final]
        text, final = text + VOWELS[vowel], after
    return (text + CLOSED[final]).capitalize()


def english(name):
    """`수원시장안구` -> `Suwon-si Jangan-gu`; the unit is the last syllable, and `시` before a district of a city."""
    city, district = re.fullmatch(r"(?:(..+?)시)?(.+[시군구])", name).groups() if name.endswith("구") else (None, name)
    own = f"{romanised(district[:-1])}-{UNITS[district[-1]]}"
    return own if city is None else f"{romanised(city)}-si {own}"


def test_every_english_name_is_the_romanised_korean_one():
    told = [(row["name_ko"], row["name_en"]) for row in regions._rows("municipalities_korea.csv")]
    assert len(told) > 250
    assert [each for each in told if each[1] != english(each[0])] == []
    assert english("수원시장안구") == "Suwon-si Jangan-gu"
    assert english("철원군") == "Cheorwon-gun"
    assert english("강릉시") == "Gangneung-si"
