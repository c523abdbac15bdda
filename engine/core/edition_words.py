"""One sentence on what a figure of an edition is and how wide its interval is, for page, report and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.interval_words import Language, digits

_LEVELS = {
    "insured_houses": ("a mean insured house", "평균적인 보험 가입 주택"),
    "all_recorded": ("recorded assets as a whole", "기록된 자산 전체"),
}


def what_a_figure_is(edition: str, rates: Mapping[str, Mapping[str, Any]], language: Language = "en") -> str:
    """Sentence for the losses of an edition.

    rates : risk -> `priced`, `calibrated`, `level`, `factor` (with `value`, `low`, `high`), as a run states them
    """
    fitted = {risk: each for risk, each in rates.items() if each["priced"] and each["calibrated"]}
    others = [risk for risk, each in rates.items() if each["priced"] and not each["calibrated"]]
    if not fitted:
        return _index(edition, language)
    levels = {each["level"] for each in fitted.values()}
    whose = _LEVELS.get(levels.pop() or "", ("the assets it was fitted to", "보정에 쓰인 자산"))[language == "ko"]
    wide = max((_times(each["factor"]) for each in fitted.values() if each["factor"]), default=None)
    names = ", ".join(risk.replace("_", " ") for risk in fitted)
    if language == "ko":
        within = (
            f" 90 % 확률로 {digits(wide)}배 이내에서 맞습니다." if wide else " 수준의 폭은 판본에 적혀 있지 않습니다."
        )
        rest = f" 손실 자료로 보정되지 않은 위험: {', '.join(others)}." if others else ""
        return f"판본 {edition}의 손실({', '.join(fitted)})은 {whose}이 한 해 평균 잃는 가치의 비율이며,{within}{rest}"
    within = f"right within a factor of {digits(wide)} (90 %)" if wide else "of a level whose width it does not state"
    rest = f"; {', '.join(each.replace('_', ' ') for each in others)}: an index, not calibrated" if others else ""
    return f"A loss of edition {edition} is the share of value that {whose} loses in a mean year to {names}, {within}{rest}."


def _index(edition: str, language: Language) -> str:
    if language == "ko":
        return (
            f"판본 {edition}의 손실은 장소의 순위를 매기는 지수이며 가격이 아닙니다. 90 % 구간은 기후모형 하나의"
            " 연도 표본에 따른 폭만 담고, 손해율의 오차는 담지 않습니다."
        )
    return (
        f"A loss of edition {edition} is an index that ranks places and prices nothing: its 90 % interval holds the"
        " sampling of years on one climate model, not how wrong the damage rates are."
    )


def _times(factor: Mapping[str, Any]) -> float:
    """How many times too low or too high the level may be."""
    return max(float(factor["high"]) / float(factor["value"]), float(factor["value"]) / float(factor["low"]))
