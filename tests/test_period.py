import pytest

from engine.core.errors import SettingsError
from engine.core.period import PERIODS, Years, baseline_years, label, parse_years, trend_in_words, window


def test_the_windows_are_those_of_the_ipcc():
    assert PERIODS == {
        "full": (2021, 2100),
        "short_term": (2021, 2040),
        "mid_term": (2041, 2060),
        "long_term": (2081, 2100),
    }
    assert window("full", Years(1907, 2015)) == Years(1907, 2015)


@pytest.mark.parametrize(
    ("axis", "baseline"),
    [
        (Years(1907, 2015), Years(1991, 2015)),  # 25 years of the normal
        (Years(1997, 2100), Years(1997, 2020)),  # 24: just enough
        (Years(1998, 2100), Years(1998, 2027)),  # 23: the first thirty years
        (Years(1950, 2013), Years(1950, 1979)),
        (Years(1950, 2100), Years(1991, 2020)),
        (Years(2021, 2100), Years(2021, 2050)),
        (Years(2021, 2040), Years(2021, 2040)),  # there are no thirty
    ],
)
def test_the_baseline_is_the_normal_where_four_fifths_of_it_are_there_and_else_the_first_thirty_years(axis, baseline):
    assert baseline_years(axis) == baseline


def test_a_baseline_that_was_asked_for_must_lie_on_the_axis():
    axis = Years(2021, 2100)
    assert baseline_years(axis, Years(2021, 2100)) == axis
    for outside in (Years(2020, 2050), Years(2081, 2101)):
        with pytest.raises(SettingsError, match=f"{outside} lies outside the years {axis}"):
            baseline_years(axis, outside)


def test_a_span_may_be_one_year_and_may_not_run_backwards():
    assert parse_years("2000-2000") == Years(2000, 2000)
    assert parse_years("1981-2010").n == 30
    for text in ("2010-1981", "1981", "1981-", "x-2010", "1981-2010-2020"):
        with pytest.raises(SettingsError, match="is not a span of years"):
            parse_years(text)


def test_a_window_under_a_trend_is_labelled_by_its_middle_year():
    labels = [label(name, Years(*PERIODS[name]), trend=True) for name in PERIODS]
    assert labels == ["2021-2100", "2030", "2050", "2090"]
    assert label("short_term", Years(2021, 2040), trend=False) == "2021-2040"
    assert trend_in_words(PERIODS) == (
        "follows a linear trend: its AAL is that of 2030, 2050, 2090, and the mean over 2021-2100"
    )
    assert trend_in_words({"mid_term": (2041, 2060)}) == "follows a linear trend: its AAL is that of 2050"
