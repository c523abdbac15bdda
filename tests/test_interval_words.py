from engine.core.edition_words import what_a_figure_is
from engine.core.interval_words import (
    Change,
    Interval,
    ModelInterval,
    Moves,
    change_of_value,
    money,
    moves_of_cells,
    share_of_value,
    share_of_value_of_models,
)


def test_a_loss_and_its_interval_are_one_sentence():
    loss = Interval(0.0141, 0.0092, 0.0231, 20)
    assert share_of_value(loss) == "1.4 % of value a year (90 %: 0.92 to 2.3; sampling of 20 years on one model)"
    assert share_of_value(loss, "ko") == "연간 자산가액의 1.4 % (90 % 구간: 0.92~2.3, 기후모형 하나의 20년 표본)"


def test_small_and_round_figures_have_no_exponent():
    assert share_of_value(Interval(3.2e-7, 0.0, 0.5, 45)).startswith("0.000032 % of value a year (90 %: 0 to 50;")


def test_money_has_its_currency():
    text = money(Interval(14e6, 9e6, 23e6, 20), "KRW")
    assert text == "14,000,000 KRW a year (90 %: 9,000,000 to 23,000,000; sampling of 20 years on one model)"
    assert money(Interval(14e6, 9e6, 23e6, 20), "KRW", "ko").startswith("연간 14,000,000 KRW (90 % 구간: 9,000,000~")


def test_an_interval_that_cannot_be_told_says_why():
    assert share_of_value(Interval(0.0, None, None, 20)) == (
        "0 % of value a year (no interval: 20 years do not tell how rare the other bins are)"
    )
    assert "90 % 구간 없음" in share_of_value(Interval(0.0, None, None, 20), "ko")


def test_an_interval_that_holds_the_damage_rates_says_so():
    loss = Interval(0.00025, 0.00004, 0.0014, 20, rates=True)
    assert share_of_value(loss).endswith("; sampling of 20 years on one model, damage rates and their level)")
    assert share_of_value(loss, "ko") == (
        "연간 자산가액의 0.025 % (90 % 구간: 0.004~0.14, 기후모형 하나의 20년 표본, 손상률과 그 수준)"
    )


def test_a_loss_that_is_not_calibrated_says_so_behind_its_interval():
    loss = Interval(14e6, 9e6, 23e6, None)
    assert money(loss, "KRW", calibrated=False) == (
        "14,000,000 KRW a year (90 %: 9,000,000 to 23,000,000; sampling of years on one model), index loss, not"
        " calibrated on losses"
    )
    assert money(loss, "KRW", "ko", calibrated=False).endswith(
        "기후모형 하나의 표본), 지수 손실, 손실 자료로 보정되지 않음"
    )


def test_a_change_has_its_interval_and_whether_it_is_more_than_noise():
    more = Change(0.0031, 0.0022, significant=False)
    assert change_of_value(more) == (
        "0.31 % of value a year more than in the short term (90 %: -0.052 to 0.67; not significant)"
    )
    less = Change(-0.002, 0.0004, significant=True)
    assert change_of_value(less) == (
        "0.2 % of value a year less than in the short term (90 %: -0.27 to -0.13; significant)"
    )
    assert change_of_value(less, "ko") == "단기보다 연간 자산가액의 0.2 %만큼 작음 (90 % 구간: -0.27~-0.13, 유의함)"


def test_changes_of_cells_are_one_sentence():
    text = "AAL rises in 62 % of cells, significantly in 31 %; it falls in 20 %, significantly in 0 %"
    assert moves_of_cells(Moves(0.62, 0.31, 0.2, 0.0)) == text
    assert "62 %에서 증가(유의한 격자 31 %)" in moves_of_cells(Moves(0.62, 0.31, 0.2, 0.0), "ko")


def test_an_observed_record_is_no_climate_model():
    loss = Interval(0.00025, 0.00004, 0.0014, 40, rates=True, observed=True)
    assert share_of_value(loss).endswith("; sampling of 40 years of one record, damage rates and their level)")
    assert share_of_value(loss, "ko").endswith("관측 기록 하나의 40년 표본, 손상률과 그 수준)")
    rates = {"wildfire": {"priced": True, "calibrated": False, "level": None, "factor": None}}
    assert "sampling of years of one record" in what_a_figure_is("2025-11", rates, observed=True)
    assert "관측 기록 하나에서" in what_a_figure_is("2025-11", rates, "ko", observed=True)


def test_an_edition_says_in_one_sentence_what_its_losses_are_and_how_wide():
    factor = {"value": 1.17, "low": 0.234, "high": 5.85}
    fitted = {"priced": True, "calibrated": True, "level": "insured_houses", "factor": factor}
    scaled = {"priced": True, "calibrated": False, "level": None, "factor": factor}
    unpriced = {"priced": False, "calibrated": False, "level": None, "factor": None}
    rates = {"river_flood": fitted, "typhoon": fitted, "wildfire": scaled, "drought": unpriced}
    assert what_a_figure_is("2026-kr", rates) == (
        "A loss of edition 2026-kr is the share of its value that a mean insured house loses in a mean year to river"
        " flood, typhoon. The level of the rates is known within a factor of 5 (90 %); the 90 % interval beside each"
        " figure holds this, the damage rates and the sampling of years. The loss of wildfire is an index, not"
        " calibrated."
    )
    assert what_a_figure_is("2026-kr", rates, "ko") == (
        "에디션 2026-kr의 손실은 하천 홍수, 태풍 때문에 평균적인 보험 가입 주택이 한 해 평균 잃는 가치의 비율입니다."
        " 손상률의 전체 수준은 5배 이내로 알려져 있고(90 %), 각 수치 옆의 90 % 구간은 이 수준과 손상률,"
        " 표본 연도의 오차를 모두 담습니다. 산불의 손실은 보정되지 않은 지수입니다."
    )
    assert "ranks places and prices nothing" in what_a_figure_is("2025-11", {"wildfire": scaled})
    assert "순위를 매기는 지수" in what_a_figure_is("2025-11", {"wildfire": scaled}, "ko")


def test_several_models_are_told_by_their_number_and_without_an_interval_where_one_is_not_known():
    told = ModelInterval(0.014, 0.009, 0.023, 5)
    models = "5 climate models and the sampling of each"
    assert share_of_value_of_models(told) == f"1.4 % of value a year (90 %: 0.9 to 2.3; {models})"
    korean = "연간 자산가액의 1.4 % (90 % 구간: 0.9~2.3, 기후모형 5개와 각 모형의 표본)"
    assert share_of_value_of_models(told, "ko") == korean
    alone = told._replace(low=None, high=None)
    assert "no interval: the sampling of a climate model is not known" in share_of_value_of_models(alone)
    assert "90 % 구간 없음" in share_of_value_of_models(alone, "ko")
