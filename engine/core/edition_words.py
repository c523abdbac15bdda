"""Sentence on what a figure of an edition is and how wide its interval is, for page, report and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.interval_words import digits
from engine.core.language import Language

#: in Korean with the particle that follows
_LEVELS = {
    "insured_houses": ("a mean insured house", "평균적인 보험 가입 주택이"),
    "all_recorded": ("all recorded assets together", "통계에 기록된 자산 전체가"),
}
_OTHER_LEVEL = ("the assets that it was fitted to", "보정에 쓰인 자산이")
_KOREAN = {
    "extreme_heat": "극한 고온",
    "extreme_cold": "극한 한파",
    "drought": "가뭄",
    "river_flood": "하천 홍수",
    "urban_flood": "도시 홍수",
    "sea_level_rise": "해수면 상승",
    "typhoon": "태풍",
    "wildfire": "산불",
    "water_stress": "물 부족",
}


def what_a_figure_is(
    edition: str, rates: Mapping[str, Mapping[str, Any]], language: Language = "en", *, observed: bool = False
) -> str:
    """Sentence for the losses of an edition.

    rates : risk -> `priced`, `calibrated`, `level`, `factor` (with `value`, `low`, `high`), as a run states them
    observed : the run is of a record of stations, and not of a climate model
    """
    fitted = {risk: each for risk, each in rates.items() if each["priced"] and each["calibrated"]}
    others = [risk for risk, each in rates.items() if each["priced"] and not each["calibrated"]]
    if not fitted:
        return _of_an_index(edition, language, observed)
    levels = {each["level"] for each in fitted.values()}
    whose = _LEVELS.get(levels.pop() if len(levels) == 1 else "", _OTHER_LEVEL)
    wide = max((_times(each["factor"]) for each in fitted.values() if each["factor"]), default=None)
    if language == "ko":
        told, rest = (", ".join(_KOREAN.get(risk, risk) for risk in risks) for risks in (fitted, others))
        width = (
            f"손상률의 전체 수준은 {digits(wide)}배 이내로 알려져 있고(90 %), 각 수치 옆의 90 % 구간은"
            " 이 수준과 손상률, 표본 연도의 오차를 모두 담습니다"
            if wide
            else "수준의 오차 폭은 에디션에 없습니다"
        )
        index = f" {rest}의 손실은 보정되지 않은 지수입니다." if rest else ""
        return f"에디션 {edition}의 손실은 {told} 때문에 {whose[1]} 한 해 평균 잃는 가치의 비율입니다. {width}.{index}"
    told, rest = (", ".join(risk.replace("_", " ") for risk in risks) for risks in (fitted, others))
    width = (
        f"The level of the rates is known within a factor of {digits(wide)} (90 %); the 90 % interval beside each"
        " figure holds this, the damage rates and the sampling of years."
        if wide
        else "The edition does not state the error of its level."
    )
    index = f" The loss of {rest} is an index, not calibrated." if rest else ""
    share = f"the share of its value that {whose[0]} loses in a mean year to {told}"
    return f"A loss of edition {edition} is {share}. {width}{index}"


def _of_an_index(edition: str, language: Language, observed: bool) -> str:
    if language == "ko":
        years = "관측 기록 하나에서" if observed else "기후모형 하나에서"
        return (
            f"에디션 {edition}의 손실은 장소의 순위를 매기는 지수이며 가격이 아닙니다. 90 % 구간은 {years}"
            " 연도를 표본으로 뽑은 데 따른 폭이며, 손상률의 오차는 담지 않습니다."
        )
    years = "of one record" if observed else "on one climate model"
    return (
        f"A loss of edition {edition} is an index that ranks places and prices nothing: its 90 % interval holds the"
        f" sampling of years {years}, not how wrong the damage rates are."
    )


def _times(factor: Mapping[str, Any]) -> float:
    """How many times too low or too high the level may be."""
    return max(float(factor["high"]) / float(factor["value"]), float(factor["value"]) / float(factor["low"]))
