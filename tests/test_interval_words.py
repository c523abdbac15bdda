from engine.core.interval_words import Interval, ModelInterval, money, share_of_value, share_of_value_of_models


def test_a_loss_and_its_interval_are_one_sentence():
    loss = Interval(0.0141, 0.0092, 0.0231, 20)
    assert share_of_value(loss) == "1.4 % of value a year (90 %: 0.92 to 2.3; sampling of 20 years on one model)"
    assert share_of_value(loss, "ko") == "연간 자산 가치의 1.4 % (90 % 구간: 0.92~2.3, 기후모형 하나의 20년 표본)"


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


def test_several_models_are_told_by_their_number_and_without_an_interval_where_one_is_not_known():
    told = ModelInterval(0.014, 0.009, 0.023, 5)
    models = "5 climate models and the sampling of each"
    assert share_of_value_of_models(told) == f"1.4 % of value a year (90 %: 0.9 to 2.3; {models})"
    korean = "연간 자산 가치의 1.4 % (90 % 구간: 0.9~2.3, 기후모형 5개와 각 모형의 표본)"
    assert share_of_value_of_models(told, "ko") == korean
    alone = told._replace(low=None, high=None)
    assert "no interval: the sampling of a climate model is not known" in share_of_value_of_models(alone)
    assert "90 % 구간 없음" in share_of_value_of_models(alone, "ko")
