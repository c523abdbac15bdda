"""Keys of an edition: what each becomes, and every contradiction refused with its line."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

import engine
from engine.batch.estimates import estimate
from engine.core.errors import DefinitionError
from engine.risks import RISKS, edition_keys, load_edition
from engine.risks.bins import Bins, Factor
from engine.risks.edition import _File

RX5DAY = RISKS["river_flood"].intensities["rx5day"]
HEAD = 'name = "own"\nbase = "2025-11"\n'
FLOOD = """[river_flood]
edges = {return_periods = [2, 5, 10, 20, 50, 100], fit = "gev"}
fallback = [100, 150, 200, 250, 300, 400]
estimator = "fitted"
damage_rates = [0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.04]
factor = {value = 0.5, low = 0.1, high = 2.5, source = "claims 2012-2024"}
calibrated = true
level = "insured_houses"
source = "own"
"""


@pytest.fixture
def own(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(HEAD + text)
        return path

    return write


def test_return_periods_are_population_quantiles_of_the_baseline(own):
    bins = load_edition(own(FLOOD)).bins["river_flood"]
    assert bins.edges == pytest.approx((0.5, 0.8, 0.9, 0.95, 0.98, 0.99), abs=1e-15)
    assert (bins.of_baseline, bins.fit, bins.estimator, bins.level) == (True, "gev", "fitted", "insured_houses")
    assert bins.factor == Factor(0.5, 0.1, 2.5, "claims 2012-2024")
    assert bins.rates == pytest.approx((0, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02))
    shorter = FLOOD.replace(', fit = "gev"', ", of_baseline = true")  # the default of return periods
    assert load_edition(own(shorter)).bins["river_flood"] == bins


def test_a_table_of_quantiles_without_a_fit_is_the_older_way_to_write_them(own):
    table = load_edition(own("[extreme_heat]\nedges = {quantiles = [0.80, 0.90, 0.95, 0.99]}\n"))
    assert table.bins == load_edition("2025-11").bins
    assert table.checksum == load_edition("2025-11").checksum


def test_every_key_moves_the_checksum_of_its_risk_and_of_no_other(own):
    base = load_edition("2025-11")
    cut = "[typhoon]\nsource = 'own'\nedges = {quantiles = [0.8, 0.9, 0.95, 0.99]"
    texts = (
        "[typhoon]\nestimator = 'count'",
        "[typhoon]\nestimator = 'kde'",
        "[typhoon]\npriced = false",
        "[typhoon]\nfactor = {value = 1, low = 1, high = 1, source = 'own'}",
        "[typhoon]\nsource = 'own'\ncalibrated = true",
        "[typhoon]\nsource = 'own'\ncalibrated = true\nlevel = 'all_recorded'",
        f"{cut}, fit = 'gev'}}\nfallback = [17, 25, 33, 44]",
        f"{cut}, fit = 'gamma'}}\nfallback = [17, 25, 33, 44]",
    )
    sums = [load_edition(own(text)).checksums for text in texts]
    assert len({each["typhoon"] for each in sums} | {base.checksums["typhoon"]}) == len(texts) + 1
    for each in sums:
        assert each | {"typhoon": ""} == base.checksums | {"typhoon": ""}


def test_cuts_of_the_level_are_the_editions_and_enter_its_checksum(own):
    base = load_edition("2025-11")
    cut = load_edition(own("aal_level_cuts_pct = [0.001, 0.01, 0.1, 1]\n"))
    assert (base.aal_level_cuts_pct, cut.aal_level_cuts_pct) == (None, (0.001, 0.01, 0.1, 1.0))
    assert cut.checksum != base.checksum
    assert cut.checksums == base.checksums


def test_a_risk_that_is_not_priced_keeps_its_bins_without_rates(own):
    bins = load_edition(own("[extreme_heat]\npriced = false\n")).bins["extreme_heat"]
    assert (bins.damage_rates, bins.rates, bins.has_loss) == ((), None, False)
    assert bins.edges == load_edition("2025-11").bins["extreme_heat"].edges


def test_the_examples_of_the_docs_are_editions(tmp_path):
    text = (Path(engine.__file__).parents[1] / "docs" / "editions.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        path = tmp_path / f"{number}.toml"
        path.write_text(example, "utf-8")
        assert load_edition(path).name == "our-house-2026"


def test_every_key_is_described():
    text = (Path(engine.__file__).parents[1] / "docs" / "editions.md").read_text("utf-8")
    for key in (*edition_keys.TOP, *(field.name for field in dataclasses.fields(Bins))):
        assert f"`{key}`" in text or f" {key} = " in text, key


def test_what_a_base_was_calibrated_for_goes_with_the_key_that_is_replaced():
    base = _File("base.toml", FLOOD + 'intensity = "rx5day"\nlower = 0.0\n').bins({})
    for text, left in (
        ("source = 'x'", (True, "insured_houses", True, "gev")),
        ("estimator = 'kde'", (None, None, True, "gev")),
        ("source = 'x'\ndamage_rates = [0, 0, 0, 0, 0, 0, 0.1]", (None, None, False, "gev")),
        ("calibrated = false", (False, None, True, "gev")),
        ("priced = false", (None, None, False, "gev")),
        ("edges = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]\nestimator = 'kde'\nsource = 'x'", (None, None, True, None)),
    ):
        bins = _File("own.toml", f"[river_flood]\n{text}\n").bins(base)["river_flood"]
        assert (bins.calibrated, bins.level, bins.factor is not None, bins.fit) == left, text


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("edges = {quantiles = [0.5], periods = [2]}", 4, "edges: unknown key 'periods'; known: fit, of_baseline"),
        ("edges = {fit = 'gev'}", 4, "neither quantiles nor return_periods"),
        ("edges = {quantiles = [0.5], return_periods = [2]}", 4, "both quantiles and return_periods"),
        ("edges = {return_periods = [1, 2, 5, 10]}", 4, "1.0 is no return period"),
        ("edges = {return_periods = [2, 5, 5, 10]}", 4, "does not ascend"),
        ("edges = {return_periods = [2, inf]}", 4, "inf is no return period"),
        ("edges = {return_periods = [2, 5, 10, 20]}", 3, "0 fallback edges for 4 quantiles"),
        ("edges = {return_periods = [2, 5, 10, 20], of_baseline = false}", 4, "can only be true"),
        ("edges = {quantiles = [0.5], fit = 'gauss'}", 4, "fit 'gauss' is none of gev, gamma, weibull"),
        ("edges = {quantiles = [0.5], fit = 3}", 4, "3 is not a text"),
        ("edges = {quantiles = 0.5}", 4, "0.5 is not a list of numbers"),
        ("edges.quantiles = [0.5, 1.5, 2, 3]\nfallback = [1, 2, 3, 4]", 4, "1.5 is not a quantile level"),
        ("of_baseline = false\nedges = {quantiles = [0.5, 0.6, 0.7, 0.8]}\nfallback = [1, 2, 3, 4]", 4, "take it out"),
        (
            "lower = 'none'\nedges = {quantiles = [0.5, 0.6, 0.7, 0.8], fit = 'gamma'}\nfallback = [1, 2, 3, 4]",
            5,
            "a gamma",
        ),
        ("estimator = 'fitted'", 4, "fitted takes the family of the edges"),
        ("estimator = 'median'", 4, "'median' is none of kde, count, fitted"),
        ("estimator = true", 4, "not a text in quotes"),
        ("priced = false\ndamage_rates = [0, 0, 0, 0, 0]", 5, "not priced .* has no damage rates"),
        ("priced = false\ncalibrated = true", 5, "not priced"),
        ("priced = false\nfactor = {value = 1, low = 1, high = 1, source = 'own'}", 5, "not priced"),
        ("priced = 0", 4, "not true or false"),
        ("level = 'insured_houses'", 4, "it needs calibrated = true"),
        ("calibrated = true\nlevel = 'houses'", 5, "'houses' is none of insured_houses, all_recorded"),
        ("factor = 2", 4, "2 is not a table of value, low, high, source"),
        ("factor = {value = 2, low = 1, high = 3}", 4, "is not a table of value, low, high, source"),
        ("factor = {value = 2, low = 3, high = 4, source = 'own'}", 4, "must be positive and not descend"),
        ("factor = {value = 0, low = 0, high = 1, source = 'own'}", 4, "must be positive"),
        ("factor = {value = nan, low = 0, high = 1, source = 'own'}", 4, "nan is not a finite number"),
        ("factor = {value = 40, low = 1, high = 50, source = 'own'}", 4, "40.0 times the damage rate 0.03 is 1.2"),
        ("factor = {value = 1, low = 1, high = 1, source = ''}", 4, "it needs a source"),
        ("fit = 'gev'", 4, "unknown key"),
        ("trend = 'cubic'", 4, "'cubic' is none of linear"),
        ("trend = true", 4, "True is not a text in quotes"),
        ("trend = 'linear'\natom = true", 4, "lie on no line"),
        ("draws = 100", 4, "unknown key"),
    ],
)
def test_a_contradiction_of_the_keys_is_refused_with_its_line(own, body, line, says):
    with pytest.raises(DefinitionError, match=rf"own\.toml: line {line}: \[river_flood\] .*{says}"):
        load_edition(own(f"[river_flood]\n{body}\n"))


@pytest.mark.parametrize("cuts", ["1", "[1, 2, 3]", "[1, 2, 2, 3]", "[0, 1, 2, 3]", "[1, 2, 3, 101]", "[1, 2, 3, nan]"])
def test_cuts_that_are_no_four_ascending_percentages_are_refused(own, cuts):
    with pytest.raises(DefinitionError, match=r"line 3: aal_level_cuts_pct: "):
        load_edition(own(f"aal_level_cuts_pct = {cuts}\n"))


def test_a_trend_is_of_its_risk_and_none_takes_it_away(own):
    bins = load_edition(own("[river_flood]\ntrend = 'linear'\n"))
    base = load_edition("2025-11")
    assert (bins.bins["river_flood"].trend, bins.bins["urban_flood"].trend) == ("linear", None)
    assert {risk for risk in base.bins if bins.checksums[risk] != base.checksums[risk]} == {"river_flood"}
    assert load_edition(own("[river_flood]\ntrend = 'none'\n")).checksums == base.checksums


@pytest.mark.parametrize("text", ["[typhoon]\natom = false\ntrend = 'linear'", "[extreme_heat]\ntrend = 'linear'"])
def test_a_trend_is_refused_where_years_lie_on_no_line(own, text):
    with pytest.raises(DefinitionError, match=r"trend: .*lie on no line"):
        load_edition(own(text + "\n"))


def test_return_periods_are_refused_for_a_value_a_month(own):
    with pytest.raises(DefinitionError, match=r"line 4: \[wildfire\] edges: return periods count years, and fwi has"):
        load_edition(own("[wildfire]\nedges = {return_periods = [2, 5, 10, 20]}\nfallback = [11.2, 21.3, 38, 50]\n"))


def test_the_estimator_that_counts_gives_shares_of_samples(own):
    bins = load_edition(own("[river_flood]\nestimator = 'count'\n")).bins["river_flood"]
    x = np.array([[90.0] * 12 + [120] * 4 + [180] * 2 + [250] + [400]])
    found, _ = estimate(x, np.asarray(bins.edges), bins, RX5DAY)
    np.testing.assert_array_equal(found.p[0], [0.6, 0.2, 0.1, 0.05, 0.05])
    assert found.aal[0] == pytest.approx(0.2 * 0.001 + 0.1 * 0.003 + 0.05 * 0.010 + 0.05 * 0.030)
    smoothed, _ = estimate(x, np.asarray(bins.edges), dataclasses.replace(bins, estimator=None), RX5DAY)
    assert smoothed.p[0, 0] != 0.6


def test_the_factor_multiplies_the_loss_and_no_price_means_no_loss(own):
    x = np.random.default_rng(0).gumbel(150.0, 60.0, (3, 30)).clip(1.0)
    plain = load_edition("2025-11").bins["river_flood"]
    halved = dataclasses.replace(plain, factor=Factor(0.5, 0.1, 2.5, "own"))
    loss, half = (estimate(x, np.asarray(plain.edges), bins, RX5DAY)[0] for bins in (plain, halved))
    np.testing.assert_allclose(half.aal, loss.aal / 2, rtol=1e-13)
    np.testing.assert_allclose(half.aal_se, loss.aal_se / 2, rtol=1e-13)
    unpriced = dataclasses.replace(plain, priced=False, damage_rates=())
    found, years = estimate(x, np.asarray(plain.edges), unpriced, RX5DAY, by_year=True)
    assert (found.aal, years) == (None, None)
    np.testing.assert_array_equal(found.p, loss.p)
