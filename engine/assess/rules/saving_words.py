"""Sentences for what a measure saves and when it pays, English and Korean: also where it saves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from engine.assess.rules import loss_words
from engine.core.interval_words import digits

Language = Literal["en", "ko"]
#: what every answer on a measure states
RULES_NOTE: dict[Language, str] = {
    "en": (
        "The rules of a building weigh the loss of its cell by 0.9 to 1.1 and are not calibrated on losses, so fields"
        " other than the insured share cannot show more than that. State what a measure prevents by its design as a"
        " share of the loss."
    ),
    "ko": (
        "건물 규칙은 셀의 손실에 0.9~1.1배의 가중치를 두며 손실 자료로 보정되지 않았으므로, 보험가입률 이외의 필드는"
        " 이 범위를 넘는 효과를 보일 수 없습니다. 대책이 설계상 막는 손실은 손실 대비 비율로 직접 입력하십시오."
    ),
}


def sentences(
    saving: Mapping[str, Any], before: Mapping[str, Any], appraisal: Mapping[str, Any] | None
) -> dict[str, list[str]]:
    """What is to be said of a measure in one scenario and period, by language.

    saving    : of `savings.of_pair`
    before    : `total_expected_loss`, its ends and `loss_note`, which says that it is not calibrated
    appraisal : of `payback.appraised`; None without a cost
    """
    return {language: _told(saving, before, appraisal, language) for language in ("en", "ko")}


def _told(
    saving: Mapping[str, Any], before: Mapping[str, Any], appraisal: Mapping[str, Any] | None, language: Language
) -> list[str]:
    amount = saving["saving"]
    if amount is None:
        return [_TEXTS[language]["unknown"]]
    said = [
        _TEXTS[language][_sign(amount)].format(
            amount=_money(abs(amount)), ends=_ends(saving, language), currency=loss_words.currency()
        )
    ]
    low = before["total_expected_loss_low"]
    if amount > 0 and low is not None and before["total_expected_loss"] - amount >= low:
        said.append(_TEXTS[language]["inside"].format(low=_money(low), high=_money(before["total_expected_loss_high"])))
    if appraisal is not None:
        said.append(_pays(appraisal, language))
        if before["loss_note"]:
            said.append(_TEXTS[language]["index"])
    return said


def _sign(amount: float) -> str:
    return "saves" if amount > 0 else "nothing" if amount == 0 else "costs_more"


def _pays(told: Mapping[str, Any], language: Language) -> str:
    texts = _TEXTS[language]
    if told["net_saving"] <= 0:
        return texts["never"].format(upkeep=_money(told["upkeep"]), currency=loss_words.currency())
    simple, discounted, ratio = (
        told[name] for name in ("simple_payback_years", "discounted_payback_years", "benefit_cost_ratio")
    )
    rate = f"{100 * told['discount_rate']:g}"
    if discounted is None:
        head = texts["not_discounted"].format(simple=_years(simple), rate=rate)
    else:
        head = texts["pays"].format(simple=_years(simple), discounted=_years(discounted), rate=rate)
    if ratio is None:
        return f"{head}."
    ends = ""
    if told["benefit_cost_ratio_low"] is not None:
        low, high = _ratio(told["benefit_cost_ratio_low"]), _ratio(told["benefit_cost_ratio_high"])
        ends = texts["ends"].format(low=low, high=high)
    return head + texts["ratio"].format(ratio=_ratio(ratio), ends=ends, years=told["years"])


def _ends(saving: Mapping[str, Any], language: Language) -> str:
    low, high = saving["saving_low"], saving["saving_high"]
    if low is None or high is None:
        return _TEXTS[language]["no_ends"]
    if saving["saving"] < 0:
        low, high = -high, -low
    return _TEXTS[language]["ends"].format(low=_money(low), high=_money(high))


def _money(value: float) -> str:
    return f"{value:,.0f}"


def _years(value: float) -> str:
    return digits(value) if value < 1 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if abs(value) >= 0.095 or value == 0 else f"{value:.2g}"


_TEXTS: dict[Language, dict[str, str]] = {
    "en": {
        "unknown": "No saving can be told: there is no loss before or after.",
        "saves": "Saves {amount} {currency} a year{ends}.",
        "nothing": "Saves nothing: no field that the measure sets moves the loss of these sites.",
        "costs_more": "Saves nothing: the loss rises by {amount} {currency} a year{ends}.",
        "inside": (
            "The loss after it lies inside the 90 % interval of the loss before ({low} to {high}): the saving is"
            " smaller than what is not known of the loss. The error is common to both, so the loss falls all the same."
        ),
        "ends": " (90 %: {low} to {high})",
        "no_ends": " (no interval)",
        "never": "It never pays: the upkeep of {upkeep} {currency} a year is not less than the saving.",
        "pays": "It has paid after {simple} years, after {discounted} years at a discount rate of {rate} %",
        "not_discounted": "It has paid after {simple} years, and never at a discount rate of {rate} %",
        "ratio": "; benefit-cost ratio over {years} years {ratio}{ends}.",
        "index": (
            "This loss is, wholly or in part, an index that is not calibrated on losses: pay-back and ratio rank"
            " measures and are no promise of money; their interval does not hold this."
        ),
    },
    "ko": {
        "unknown": "대책 전후의 손실이 없어 절감액을 알 수 없습니다.",
        "saves": "연간 {amount} {currency} 절감{ends}.",
        "nothing": "절감 효과가 없습니다. 대책이 바꾸는 필드는 이 사업장들의 손실에 영향을 주지 않습니다.",
        "costs_more": "절감 효과가 없습니다. 손실이 연간 {amount} {currency} 늘어납니다{ends}.",
        "inside": (
            "대책 후 손실이 대책 전 손실의 90 % 구간({low}~{high}) 안에 있어, 절감액이 손실 자체의 불확실성보다"
            " 작습니다. 두 손실의 오차는 같은 방향이므로 손실이 줄어드는 것 자체는 변하지 않습니다."
        ),
        "ends": " (90 % 구간: {low}~{high})",
        "no_ends": " (구간 없음)",
        "never": "회수되지 않습니다. 연간 유지비 {upkeep} {currency}이(가) 절감액보다 작지 않습니다.",
        "pays": "단순 회수기간 {simple}년, 할인율 {rate} % 적용 시 {discounted}년",
        "not_discounted": "단순 회수기간 {simple}년, 할인율 {rate} % 적용 시 회수되지 않음",
        "ratio": "; {years}년간 비용편익비 {ratio}{ends}.",
        "index": (
            "이 손실의 전부 또는 일부는 손실 자료로 보정되지 않은 지수입니다. 회수기간과 비용편익비는 대책의 우선순위를"
            " 비교하는 데에만 쓰십시오. 표시된 구간에는 이 불확실성이 들어 있지 않습니다."
        ),
    },
}
