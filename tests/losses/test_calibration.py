"""The published edition is what the files of the package give, and the bars of its back-test that are met stay met."""

import numpy as np
import pytest

from benchmarks.backtest import largest_sum
from engine.losses.fit import calibration, rates, shipped, skill
from engine.risks import load_edition
from jobs import _calibrated_edition, _calibration_report
from jobs.courses import calibrate


@pytest.fixture(scope="module")
def made():
    return calibration.fitted(shipped.sources())


@pytest.fixture(scope="module")
def known(made):
    return calibration.skill_of(made)


@pytest.fixture(scope="module")
def edition():
    return load_edition("2026-kr")


def rounded(values):
    return tuple(float(f"{value:.3e}") for value in values)


def test_the_published_rates_and_factor_are_those_of_a_fit_to_the_files_of_the_package(made, edition):
    for risk, of_fit in (
        ("river_flood", made.rates.river), ("urban_flood", made.rates.urban), ("typhoon", made.rates.typhoon),
    ):  # fmt: skip
        bins = edition.bins[risk]
        assert bins.damage_rates == rounded(of_fit), risk
        assert (bins.factor.value, bins.factor.low, bins.factor.high) == rounded(made.factor)
        assert bins.factor.high / bins.factor.value >= 4.99
        assert (bins.calibrated, bins.level) == (True, "insured_houses")


def test_published_draws_begin_with_those_of_a_short_form(made, edition):
    drawn = rates.of_draws(made.data, skill.draw(made.data, made.used, 2), made.last)
    for number, each in enumerate(drawn):
        assert edition.draws.rates["river_flood"][number] == rounded(each.river)
        assert edition.draws.rates["typhoon"][number] == rounded(each.typhoon)
    assert {risk: len(draws) for risk, draws in edition.draws.rates.items()} == {
        "river_flood": 100, "urban_flood": 100, "typhoon": 100,
    }  # fmt: skip
    spread = np.array(edition.draws.rates["river_flood"])[:, 3]
    assert np.percentile(spread, 5) < edition.bins["river_flood"].damage_rates[3] < np.percentile(spread, 95)


def test_every_bar_that_needs_no_draws_is_met(made, known):
    lost = [bar for bar in [*calibration.bars(made, known), largest_sum(made)] if not bar.met]
    assert not lost


def test_2009_to_2015_comes_within_its_factor_from_a_fit_to_2008(made):
    data = made.data
    early = (made.used & (data.year <= calibration.BEFORE_YEARS)).astype(float)
    asked = ~data.storm & (data.year > calibration.BEFORE_YEARS)
    told = skill.mean(data, calibration.model.fit(data, early))[asked].sum()
    assert 1 / 2.5 <= told / np.exp(data.log[asked]).sum() <= 2.5


def test_what_was_chosen_by_years_to_2008_is_better_there_than_the_years_alone(made, known):
    early = ~made.data.storm & (made.data.year <= calibration.BEFORE_YEARS)
    assert skill.error_factor(known.years[early]) < skill.naive_years(made.data) / 2


def test_risks_whose_recorded_loss_is_no_building_have_no_price(edition):
    assert {risk for risk, bins in edition.bins.items() if not bins.has_loss} == set(_calibrated_edition.NOT_PRICED)
    assert edition.bins["wildfire"].calibrated is False
    assert edition.bins["wildfire"].factor.high == pytest.approx(10 * edition.bins["wildfire"].factor.value, rel=1e-3)


def test_edition_and_report_say_which_bars_are_missed(made, known):
    bars = [*calibration.bars(made, known), calibration.Bar("an <open> bar", ">= 1", "0.5", False)]
    drawn = skill.draw(made.data, made.used, 3)
    summary = calibrate.summary(made, bars)
    files = _calibrated_edition.texts("own", load_edition("2025-11"), made, drawn, summary)
    assert "#   MISSED an <open> bar >= 1: 0.5" in files.edition
    page = _calibration_report.render("own", made, known, drawn, bars)
    assert "an &lt;open&gt; bar" in page
    assert page.count("MISSED") == 1
    for name in ("Rusa 2002", "Ewiniar", "snow of March 2004", "1987"):
        assert name in page
