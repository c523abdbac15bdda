"""The sentence for a figure with its 90 % interval, the same on page, report and in JSON, English and Korean."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["en", "ko"]


class ModelInterval(NamedTuple):
    """A yearly loss as a share of value over several climate models, and its 90 % interval."""

    value: float
    low: float | None
    high: float | None
    models: int


class Interval(NamedTuple):
    """A yearly loss as a share of value, or in money, and its 90 % interval; None for ends that cannot be told."""

    value: float
    low: float | None
    high: float | None
    years: int


def share_of_value(interval: Interval, language: Language = "en") -> str:
    """Sentence for an average annual loss, 0..1.

    `1.4 % of value a year (90 %: 0.9 to 2.3; sampling of 20 years on one model)`
    """
    value, low, high = (None if each is None else _digits(100 * each) for each in interval[:3])
    if language == "ko":
        return f"연간 자산 가치의 {value} % ({_within(low, high, interval.years, language)})"
    return f"{value} % of value a year ({_within(low, high, interval.years, language)})"


def share_of_value_of_models(interval: ModelInterval, language: Language = "en") -> str:
    """Sentence for an average annual loss over climate models, 0..1.

    `1.4 % of value a year (90 %: 0.9 to 2.3; 5 climate models and the sampling of each)`
    """
    value, low, high = (None if each is None else _digits(100 * each) for each in interval[:3])
    if language == "ko":
        if low is None or high is None:
            return f"연간 자산 가치의 {value} % (90 % 구간 없음: 표본오차를 알 수 없는 기후모형이 있음)"
        return f"연간 자산 가치의 {value} % (90 % 구간: {low}~{high}, 기후모형 {interval.models}개와 각 모형의 표본)"
    if low is None or high is None:
        return f"{value} % of value a year (no interval: the sampling of a climate model is not known)"
    within = f"90 %: {low} to {high}; {interval.models} climate models and the sampling of each"
    return f"{value} % of value a year ({within})"


def money(interval: Interval, currency: str, language: Language = "en") -> str:
    """Sentence for a loss in money: `14,000,000 KRW a year (90 %: 9,000,000 to 23,000,000; sampling of ...)`."""
    value, low, high = (None if each is None else f"{each:,.0f}" for each in interval[:3])
    if language == "ko":
        return f"연간 {value} {currency} ({_within(low, high, interval.years, language)})"
    return f"{value} {currency} a year ({_within(low, high, interval.years, language)})"


def _within(low: str | None, high: str | None, years: int, language: Language) -> str:
    if low is None or high is None:
        if language == "ko":
            return f"90 % 구간 없음: {years}년 표본으로는 다른 구간의 빈도를 알 수 없음"
        return f"no interval: {years} years do not tell how rare the other bins are"
    if language == "ko":
        return f"90 % 구간: {low}~{high}, 기후모형 하나의 {years}년 표본"
    return f"90 %: {low} to {high}; sampling of {years} years on one model"


def _digits(value: float) -> str:
    """Two significant digits, without an exponent."""
    if value == 0:
        return "0"
    text = f"{value:.2g}"
    return f"{float(text):.12f}".rstrip("0").rstrip(".") if "e" in text else text
