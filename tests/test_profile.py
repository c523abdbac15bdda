"""Country profiles: what a file may say, how it is refused, and what the process takes from it."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from babel.core import get_global

from engine.assess.rules import classes, columns, numbers_text
from engine.assess.rules.config import AssessConfig
from engine.core import country, currencies, profile_file, settings
from engine.core.errors import SettingsError
from engine.core.profiles import PROFILES
from engine.report.committee import numbers
from engine.risks import load_edition
from engine.risks.edition import Edition


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "own.toml").write_text(text)
        return tmp_path / "own.toml"

    return write


@pytest.fixture
def euro(written):
    with country.chosen(profile_file.load(written('base = "generic"\n[currency]\ncode = "EUR"\nsigns = ["€", "eur"]'))):
        yield


@pytest.mark.parametrize("name", PROFILES)
def test_the_profiles_of_the_package_are_sound(name):
    found = profile_file.load(name)
    assert found.currency.code in currencies.CODES
    assert 1 <= len(found.regions.levels) <= 3
    assert set(found.figures) == set(profile_file.FIGURES)


def test_every_tender_of_a_country_is_a_code():
    tender = {
        code
        for held in get_global("territory_currencies").values()
        for code, _, ended, is_tender in held
        if ended is None and is_tender
    }
    assert tender <= currencies.CODES
    assert not {"XAU", "XDR", "XTS", "HRK", "ZWL"} & currencies.CODES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reference_value = 5", "time_zone: it is missing; state it, or a `base` that has it"),
        ('base = "spain"', "base: 'spain' is none of korea, generic"),
        ('base = "generic"\ncurency = 1', "curency: there is no such key; known: .*; did you mean currency?"),
        ('base = "generic"\nreference_value = 0', "reference_value: 0 is no number above 0"),
        ('base = "generic"\nreference_value = true', "reference_value: True is no number above 0"),
        ('base = "generic"\ntime_zone = "Madrid"', "time_zone: 'Madrid' is no time zone such as Europe/Madrid"),
        ('base = "generic"\n[currency]\ncode = "EURO"', "currency.code is 'EURO', which is no currency .* mean EUR?"),
        ('base = "generic"\n[currency]\ncode = "eur"', "currency.code is 'eur', which is no currency .* mean EUR?"),
        ('base = "generic"\n[currency.units]\nlakh = 1e5', "currency.units.lakh: 100000.0 is no whole number above 0"),
        (
            'base = "generic"\n[currency]\nmultiples = { en = [["m", 1e6], ["bn", 1e9]] }',
            "the largest size",
        ),
        ('base = "generic"\n[regions]\nlevels = []', r"regions.levels: it needs one to 3 tables"),
        (
            'base = "generic"\n[[regions.levels]]\nword = "state"\nseveral = "states"',
            r"levels\[1\].layer: it is missing",
        ),
        (
            'base = "korea"\n[[regions.levels]]\nword = "a"\nseveral = "b"',
            "legal_dong codes have three levels",
        ),
        (
            'base = "generic"\n[figures.urban_flood]\nsewers_mm_h = 3',
            "sewers_mm_h: there is no such",
        ),
        ('base = "generic"\n[figures.urban_flood]\nsewers_other_mm_h = -3', "-3 is outside 0..500"),
        (
            'base = "generic"\n[stand_ins]\nimperviousness_ratio = 0.4',
            "it states imperviousness_ratio; all of",
        ),
        ('base = "generic"\nlanguages = ["es"]', 'languages: .* is no list of "en" and "ko"'),
        ('base = "generic"\nstorm_basins = ["CP"]', "storm_basins: 'CP' is none of EP, NA, NI, SA, SI, SP, WP"),
        ("base =", "it is no TOML: Invalid value"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_with_its_key(written, text, said):
    with pytest.raises(SettingsError, match=rf"country .*own\.toml: {said}|country .*own\.toml: .*{said}"):
        profile_file.load(written(text))


def test_a_setting_that_names_no_profile_is_refused_in_one_sentence(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COUNTRY", "spain")
    with pytest.raises(SettingsError, match="COUNTRY: unknown country 'spain'; known: korea, generic; or give"):
        settings.load()
    monkeypatch.setenv("COUNTRY", "spain.toml")
    with pytest.raises(SettingsError, match=r"COUNTRY: country spain.toml: cannot be read: No such file"):
        settings.load()


def test_the_setting_is_the_country_of_the_process_and_a_chosen_one_stands_over_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COUNTRY", "generic")
    try:
        assert settings.load().zone == "UTC"
        assert country.current().key == "generic"
        with country.chosen(country.current().in_currency("CHF", 2e7)):
            settings.load()  # a second part of the same command
            assert (country.current().currency.code, AssessConfig().reference_value) == ("CHF", 2e7)
        assert AssessConfig().reference_value == 1e8
    finally:
        monkeypatch.delenv("COUNTRY")
        settings.load()
    assert (country.current().key, AssessConfig().reference_value) == ("korea", 1e11)


def test_won_and_national_means_are_refused_where_the_country_has_none(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COUNTRY", "generic")
    monkeypatch.setenv("ASSET_VALUE_CAP_KRW", "5e10")
    with pytest.raises(SettingsError, match="ASSET_VALUE_CAP_KRW is set, but COUNTRY generic is in USD"):
        settings.load()
    with country.chosen(profile_file.load("generic")):
        assert AssessConfig().stand_ins == ()
        with pytest.raises(SettingsError, match="COUNTRY generic states no stand_ins"):
            AssessConfig(spatial_missing_policy="impute")


def test_another_currency_takes_the_signs_and_words_of_the_base_away(written):
    pesos = profile_file.load(written('base = "korea"\n[currency]\ncode = "MXN"')).currency
    assert (pesos.word.ko, pesos.signs) == ("MXN", ("mxn",))
    assert all(word.isascii() for word in pesos.units)
    assert profile_file.load("korea").currency.units["억원"] == 10**8


@pytest.mark.parametrize(
    ("written_as", "value"),
    [
        ("€ 1.5 million", "1500000"),
        ("2 bn", "2000000000"),
        ("eur 900", "900"),
        ("₩900", None),
        ("5억원", None),
        ("$3", None),
    ],
)
def test_amounts_are_read_in_the_currency_of_the_country_alone(euro, written_as, value):
    read = numbers_text.read(pl.Series([written_as]), "total_asset_value")[0]
    assert (None if read is None else float(read)) == (None if value is None else float(value))


def test_a_heading_in_another_currency_is_refused_and_its_own_is_a_factor(euro):
    names = ["latitude", "longitude", "asset value (EUR million)"]
    assert columns.choose(names, "t")[2].factor == 10**6
    with pytest.raises(SettingsError, match=r"the unit 'KRW million' of column .*; total_asset_value is in EUR"):
        columns.choose([*names[:2], "asset value (KRW million)"], "t")
    assert columns.unit_of("total_asset_value") == "EUR"


def test_amounts_are_written_in_the_units_and_words_of_the_country(euro):
    assert numbers.money(5.3e11, "en") == "EUR 530 bn"
    assert numbers.money(5.3e11, "ko") == "5,300억 EUR"
    korea = country.money_in("KRW")
    assert numbers.money(5.305e11, "ko", korea) == "5,305억원"
    assert numbers.money(5.3e11, "en", korea) == "KRW 530 bn"


def test_figures_of_a_country_enter_the_checksums_where_they_differ_from_the_published(written):
    published = load_edition("2025-11")
    with country.chosen(profile_file.load("generic")):
        assert load_edition("2025-11").checksum == published.checksum
    wide = profile_file.load(written('base = "generic"\n[figures.urban_flood]\nsewers_dense_mm_h = 110'))
    with country.chosen(wide):
        other: Edition = load_edition("2025-11")
    assert other.figures["urban_flood"]["sewers_dense_mm_h"] == 110
    assert other.checksum != published.checksum
    moved = {risk for risk in published.checksums if published.checksums[risk] != other.checksums[risk]}
    assert moved == {"urban_flood"}


def test_the_example_of_the_page_is_a_profile_and_the_page_names_every_key(written):
    page = (Path(__file__).parents[1] / "docs" / "country.md").read_text("utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    found = profile_file.load(written(example))
    assert (found.currency.code, found.reference_value, found.time_zone) == ("EUR", 5e7, "Europe/Madrid")
    assert [level.layer for level in found.regions.levels] == ["comunidades", "provincias"]
    assert found.figures["urban_flood"] | {"sewers_dense_mm_h": 75} == profile_file.load("korea").figures["urban_flood"]
    table = "\n".join(line for line in page.splitlines() if line.startswith("| `"))
    tables = {"currency", "regions", "stand_ins", "disclosure", "vocabulary", "figures", "levels", "units"}
    for section, keys in profile_file.KEYS.items():
        for key in keys - tables:
            assert re.search(rf"[`.]{key}[`\]]", table), (section, key)
    assert all(f"`{key}`" in table for figures in profile_file.FIGURES.values() for key in figures)


def test_columns_and_buildings_are_read_in_the_words_of_the_country(written):
    words = """base = "generic"
[vocabulary.columns]
total_asset_value = ["valor asegurado"]
[vocabulary.structures]
wood = ["madera"]
[vocabulary.purposes]
office = ["oficina"]
"""
    frame = pl.DataFrame({"text": ["Casa de madera", "oficinas", "concrete", None]})
    with country.chosen(profile_file.load(written(words))):
        (value,) = columns.choose(["latitude", "longitude", "Valor asegurado (USD million)"], "t")[2:]
        assert (value.field, value.factor) == ("total_asset_value", 10**6)
        assert frame.select(classes.structure_class(pl.col("text"))).to_series().to_list() == [
            "wood",
            "other",
            "rc",
            "other",
        ]
        assert frame.select(classes.purpose_class(pl.col("text"))).to_series()[1] == "office"
    assert columns.choose(["latitude", "longitude", "Valor asegurado"], "t")[2].field is None
    fields = profile_file.load(written("base = 'generic'\n[vocabulary.columns]\nvalue = ['v']"))
    with country.chosen(fields), pytest.raises(SettingsError, match=r"columns\.value: there is no such field; known: "):
        columns.choose(["latitude", "longitude", "v"], "t")
    kinds = profile_file.load(written("base = 'generic'\n[vocabulary.structures]\nwodden = ['v']"))
    with (
        country.chosen(kinds),
        pytest.raises(SettingsError, match=r"no such class; known: wood, .*; did you mean wood"),
    ):
        frame.select(classes.structure_class(pl.col("text")))
