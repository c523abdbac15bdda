"""Sentences for figures with their 90 % intervals, the same on page, report, terminal and in JSON, English and Korean.

An interval is told with its causes. `sampling of 20 years on one model`: which years were drawn; of an observed record
`sampling of 40 years of one record`. Where the edition states how sure its damage rates are, also `damage rates and
their level`.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.core.caveats import LOSS_NOTE, LOSS_NOTE_KO
from engine.core.language import Language

#: of a change, from its standard error
_Z = 1.645


class ModelInterval(NamedTuple):
    """A yearly loss as a share of value over several climate models, and its 90 % interval."""

    value: float
    low: float | None
    high: float | None
    models: int


class Interval(NamedTuple):
    """A yearly loss as a share of value, or in money, and its 90 % interval; None for ends that cannot be told.

    years : of the sample; None: of samples that differ, as those of a sum may
    rates : the interval holds the damage rates and their level, too
    observed : the years are of a record of stations, and not of a climate model
    """

    value: float
    low: float | None
    high: float | None
    years: int | None
    rates: bool = False
    observed: bool = False


class Change(NamedTuple):
    """A change of a yearly loss, as a share of value, against the first window of years, and its standard error."""

    difference: float
    error: float
    significant: bool


class Moves(NamedTuple):
    """Shares of cells, 0..1, whose AAL rises and falls, and of those that do so by more than noise."""

    rises: float
    really_rises: float
    falls: float
    really_falls: float


def share_of_value(interval: Interval, language: Language = "en", *, calibrated: bool = True) -> str:
    """Sentence for an average annual loss, 0..1.

    `1.4 % of value a year (90 %: 0.9 to 2.3; sampling of 20 years on one model)`

    calibrated : False: its damage rates, or some of them, are not calibrated on losses, and the sentence says so
    """
    value, low, high = (None if each is None else digits(100 * each) for each in interval[:3])
    if language == "ko":
        return f"연간 자산가액의 {value} % ({_within(low, high, interval, language)}){_index(calibrated, language)}"
    return f"{value} % of value a year ({_within(low, high, interval, language)}){_index(calibrated, language)}"


def share_of_value_of_models(interval: ModelInterval, language: Language = "en") -> str:
    """Sentence for an average annual loss over climate models, 0..1.

    `1.4 % of value a year (90 %: 0.9 to 2.3; 5 climate models and the sampling of each)`
    """
    value, low, high = (None if each is None else digits(100 * each) for each in interval[:3])
    if language == "ko":
        if low is None or high is None:
            return f"연간 자산가액의 {value} % (90 % 구간 없음: 표본오차를 알 수 없는 기후모형이 있음)"
        return f"연간 자산가액의 {value} % (90 % 구간: {low}~{high}, 기후모형 {interval.models}개와 각 모형의 표본)"
    if low is None or high is None:
        return f"{value} % of value a year (no interval: the sampling of a climate model is not known)"
    within = f"90 %: {low} to {high}; {interval.models} climate models and the sampling of each"
    return f"{value} % of value a year ({within})"


def money(interval: Interval, currency: str, language: Language = "en", *, calibrated: bool = True) -> str:
    """Sentence for a loss in money: `14,000,000 KRW a year (90 %: 9,000,000 to 23,000,000; sampling of ...)`.

    calibrated : as of `share_of_value`
    """
    value, low, high = (None if each is None else f"{each:,.0f}" for each in interval[:3])
    if language == "ko":
        return f"연간 {value} {currency} ({_within(low, high, interval, language)}){_index(calibrated, language)}"
    return f"{value} {currency} a year ({_within(low, high, interval, language)}){_index(calibrated, language)}"


def change_of_value(change: Change, language: Language = "en") -> str:
    """Sentence for a change against the short term.

    `0.31 % of value a year more than in the short term (90 %: -0.05 to 0.67; not significant)`
    """
    low, high = (digits(100 * (change.difference + sign * _Z * change.error)) for sign in (-1, 1))
    size = digits(100 * abs(change.difference))
    if language == "ko":
        way = "큼" if change.difference > 0 else "작음" if change.difference < 0 else "다름"
        real = "유의함" if change.significant else "유의하지 않음"
        return f"단기보다 연간 자산가액의 {size} %만큼 {way} (90 % 구간: {low}~{high}, {real})"
    way = "less" if change.difference < 0 else "more"
    real = "significant" if change.significant else "not significant"
    return f"{size} % of value a year {way} than in the short term (90 %: {low} to {high}; {real})"


def moves_of_cells(moves: Moves, language: Language = "en") -> str:
    """Sentence for the changes of all cells: `AAL rises in 62 % of cells, significantly in 31 %; falls in ...`."""
    rises, real_rises, falls, real_falls = (f"{100 * each:.0f}" for each in moves)
    if language == "ko":
        return (
            f"연평균손실(AAL)은 격자의 {rises} %에서 증가(유의한 격자 {real_rises} %),"
            f" {falls} %에서 감소(유의한 격자 {real_falls} %)"
        )
    return (
        f"AAL rises in {rises} % of cells, significantly in {real_rises} %; it falls in {falls} %, significantly in"
        f" {real_falls} %"
    )


def _index(calibrated: bool, language: Language) -> str:
    return "" if calibrated else f", {LOSS_NOTE_KO if language == 'ko' else LOSS_NOTE}"


def _within(low: str | None, high: str | None, interval: Interval, language: Language) -> str:
    years = interval.years
    if low is None or high is None:
        if years is None:  # of a sum
            return "90 % 구간 없음" if language == "ko" else "no interval"
        if language == "ko":
            return f"90 % 구간 없음: {years}년 표본으로는 다른 구간의 빈도를 알 수 없음"
        return f"no interval: {years} years do not tell how rare the other bins are"
    if language == "ko":
        causes = "관측 기록 하나의 " if interval.observed else "기후모형 하나의 "
        causes += "표본" if years is None else f"{years}년 표본"
        return f"90 % 구간: {low}~{high}, {causes}" + (", 손상률과 그 수준" if interval.rates else "")
    causes = "sampling of " + ("years" if years is None else f"{years} years")
    causes += " of one record" if interval.observed else " on one model"
    return f"90 %: {low} to {high}; {causes}" + (", damage rates and their level" if interval.rates else "")


def digits(value: float) -> str:
    """Two significant digits, without an exponent."""
    if value == 0:
        return "0"
    text = f"{value:.2g}"
    return f"{float(text):.12f}".rstrip("0").rstrip(".") if "e" in text else text
