import dataclasses
import json

import pytest

from engine.core.errors import DefinitionError, SettingsError
from engine.risks import EDITIONS, RISKS, load_edition
from engine.risks.edition import Edition, _File
from engine.risks.editions import UNCALIBRATED


@pytest.mark.parametrize("name", EDITIONS)
def test_a_published_edition_says_how_every_risk_is_measured(name):
    edition = load_edition(name)
    assert list(edition.bins) == list(RISKS)
    assert all(edition.intensity(risk).unit for risk in RISKS)
    assert len(edition.checksum) == 64


def test_rates_of_the_default_edition_are_the_published_ones():
    bins = load_edition("2025-11").bins
    assert bins["extreme_heat"].damage_rates == (0.001, 0.003, 0.010, 0.020, 0.035)
    assert bins["typhoon"].edges == (17, 25, 33, 44)
    assert bins["drought"].lower is None
    assert load_edition("2025-12").bins["typhoon"].edges == (0, 5, 15)


HEAD = 'name = "own"\nbase = "2025-11"\n'


@pytest.fixture
def own(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


def test_a_users_edition_overrides_what_it_names_and_keeps_the_rest(own):
    edition = load_edition(
        own('name = "own"\nbase = "2025-11"\n[typhoon]\ndamage_rates = [0, 0, 0, 0.1, 0.2]\nsource = "own"\n')
    )
    base = load_edition("2025-11")
    assert edition.bins["typhoon"].damage_rates == (0, 0, 0, 0.1, 0.2)
    assert edition.bins["typhoon"].edges == base.bins["typhoon"].edges
    assert edition.bins["drought"] == base.bins["drought"]
    assert edition.checksum != base.checksum


def test_the_wind_of_a_warmer_world_is_a_figure_of_the_edition(own):
    base = load_edition("2025-11")
    assert {load_edition(name).figures["typhoon"]["warming_per_degree"] for name in EDITIONS} == {0.02}
    other = load_edition(own('name = "own"\nbase = "2025-11"\n[typhoon]\nwarming_per_degree = 0\nsource = "own"\n'))
    assert other.figures["typhoon"] == {"warming_per_degree": 0.0}
    assert other.checksum != base.checksum


@pytest.mark.parametrize(("name", "checksum"), [("2025-11", "e6cd442c"), ("2025-12", "dd34cd71")])
def test_a_published_edition_never_moves_again(name, checksum):
    assert load_edition(name).checksum.startswith(checksum)


def test_a_figure_that_an_edition_does_not_set_leaves_its_checksum_as_it_was():
    base = load_edition("2025-11")
    without = {**base.bins, "typhoon": dataclasses.replace(base.bins["typhoon"], warming_per_degree=None)}
    # the checksum of 2025-11 before `warming_per_degree` was a key
    assert Edition("2025-11", without).checksum.startswith("478a2b55")


def test_an_edition_says_which_risks_are_calibrated_and_what_replaces_their_figures_must_say_it_anew(own):
    for name in UNCALIBRATED:
        assert not any(bins.calibrated for bins in load_edition(name).bins.values())
    base = load_edition("2025-11")
    head = 'name = "own"\nbase = "2025-11"\n'
    assert load_edition(own(head)).checksum == base.checksum
    stated = load_edition(own(f"{head}[typhoon]\ncalibrated = true\nsource = 'own'\n"))
    assert (stated.bins["typhoon"].calibrated, stated.bins["drought"].calibrated) == (True, None)
    assert (
        len({base.checksum, stated.checksum, load_edition(own(f"{head}[typhoon]\ncalibrated = false\n")).checksum}) == 3
    )
    trusted = {**base.bins, "typhoon": dataclasses.replace(base.bins["typhoon"], calibrated=True)}
    for text, expected in (("source = 'own'", True), ("source = 'own'\ndamage_rates = [0, 0, 0, 0, 0.1]", None)):
        assert _File("own.toml", f"[typhoon]\n{text}\n").bins(trusted)["typhoon"].calibrated is expected
    with pytest.raises(DefinitionError, match=r"line 4: \[typhoon\] calibrated: 1 is not true or false"):
        load_edition(own(f"{head}[typhoon]\ncalibrated = 1\n"))


def test_fixed_edges_may_take_the_place_of_quantiles(own):
    edition = load_edition(own(f"{HEAD}[extreme_heat]\nedges = [3, 6, 9, 12]\nof_baseline = false\nsource = 'own'\n"))
    assert edition.bins["extreme_heat"].fallback == ()


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("[typhoon]\nedges = [17, 25, 25, 44]", 4, "does not ascend"),
        ("[typhoon]\n\n# rates\ndamage_rates = [0, 0.1, 0.2, 0.3, 1.5]", 6, "1.5 is outside 0..1"),
        ("[typhoon]\ndamage_rates = [0, 0.1]", 4, "2 damage rates for 5 bins"),
        ("[typhoon]\nedges = [17, 25]", 3, "5 damage rates for 3 bins"),
        ("[wildfire]\nintensity = 'daily'", 4, "'daily' is none of fwi"),
        ("[wildfire]\natom = 1", 4, "not true or false"),
        ("[wildfire]\nlower = 12.0", 3, "11.2 is not above the lower bound 12.0"),
        ("[river_flood]\nedges = [0, 100, 200, 300]", 4, "0.0 is not above the lower bound 0.0"),
        ("[typhoon]\nfallback = [17, 25, 33, 44]", 4, "only quantile edges"),
        ("[drought]\nintensity = 'minus_annual_minimum_spei12'", 4, "another intensity needs its own edges"),
        ("[drought]\natom = true", 4, "an atom needs a lower bound"),
        ("[extreme_heat]\nedges = [0.8, 0.9, 0.95, 1.5]", 4, "1.5 is not a quantile level"),
        ("[extreme_heat]\ncolour = 'red'", 4, "unknown key"),
        ("[drought]\nedges = ['a']", 4, "not a list of numbers"),
        (
            "[typhoon]\ndamage_rates = [0, 0, 0, 0, 0.1]",
            4,
            r"\[typhoon\] damage_rates: .* give \[typhoon\] its own",
        ),
        ("[typhoon]\nedges = [18, 25, 33, 44]", 4, r"\[typhoon\] edges: it differs from the base's"),
        ("[extreme_heat]\nfallback = [3, 6, 9, 12]", 4, "fallback: it differs from the base's"),
        ("[typhoon]\nwarming_per_degree = 0", 4, "warming_per_degree: it differs from the base's"),
        ("[typhoon]\ncalibrated = true", 4, "calibrated: it differs from the base's"),
        ("[drought]\nsource = ''", 4, "need a source"),
        ("[flood]\nlower = 0", 3, "none of the risks"),
        ("[typhoon]\nwarming_per_degree = 2", 4, "2.0 is outside 0..0.2: a share, 0.02 is 2 %"),
        ("[typhoon]\nwarming_per_degree = -0.01", 4, "outside 0..0.2"),
        ("[typhoon]\nwarming_per_degree = nan", 4, "outside 0..0.2"),
        ("[typhoon]\nwarming_per_degree = '2 %'", 4, "not a number"),
        ("[wildfire]\nwarming_per_degree = 0.02", 4, "unknown key"),
    ],
)
def test_a_contradiction_is_refused_with_its_line(own, body, line, says):
    with pytest.raises(DefinitionError, match=rf"own\.toml: line {line}: .*{says}"):
        load_edition(own(f'name = "own"\nbase = "2025-11"\n{body}\n'))


def test_a_source_copied_from_the_base_does_not_hold_for_other_figures_and_does_for_the_same(own):
    base = load_edition("2025-11").bins["typhoon"]
    copied = f'name = "own"\nbase = "2025-11"\n[typhoon]\nsource = {json.dumps(base.source)}\ndamage_rates = '
    with pytest.raises(DefinitionError, match=r"line 5: \[typhoon\] damage_rates: it differs"):
        load_edition(own(f"{copied}[0, 0, 0, 0, 0.1]\n"))
    assert load_edition(own(f"{copied}{list(base.damage_rates)}\n")).bins["typhoon"] == base


def test_broken_toml_and_unknown_names_are_settings_errors(own, tmp_path):
    with pytest.raises(SettingsError, match="line 1"):
        load_edition(own("name = \n"))
    with pytest.raises(SettingsError, match="unknown edition '2024'; known: 2025-11, 2025-12"):
        load_edition("2024")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_edition(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="not the name of a published edition"):
        load_edition(own('name = "2025-12"\nbase = "2025-11"\n'))
    with pytest.raises(SettingsError, match="line 2: base: names '2020'"):
        load_edition(own('name = "own"\nbase = "2020"\n'))


def test_a_bound_may_be_taken_away_and_no_event_may_be_a_bin_of_its_own(own):
    edition = load_edition(
        own(f"{HEAD}[wildfire]\nlower = 'none'\n[typhoon]\nedges = [0, 25, 33, 44]\nsource = 'own'\n")
    )
    assert edition.bins["wildfire"].lower is None
    assert edition.bins["typhoon"].edges[0] == edition.bins["typhoon"].lower == 0


HEAD = 'name = "own"\nbase = "2025-11"\n'


@pytest.mark.parametrize(
    ("body", "line", "says"),
    [
        ("[typhoon]\nlower = " + "9" * 400, 4, "9999.* is beyond"),
        ("[typhoon]\nlower = " + "9" * 5000, 4, "a number of thousands of digits"),
        ("[typhoon]\nlower = 0x" + "f" * 5000, 4, "a number of thousands of digits is beyond"),
        ("[typhoon]\nedges = [1, 2, 3, 1e308]", 4, "1e.308 is beyond"),
        ("[typhoon]\nedges = [1, 2, 3, inf]", 4, "inf is not a finite number"),
        ("[typhoon]\nlower = nan", 4, "nan is not a finite number"),
        ("[typhoon]\nedges = " + "[" * 500, 4, "more than 50 deep"),
        ("[typhoon]\nedges = " + "[" * 60 + "]" * 60, 4, "more than 50 deep"),
        ("[typhoon]\nedges = [1,", 4, "where the file ends"),
        ("[typhoon]\nedges = {a = 1}", 4, "edges: unknown key 'a'; known: fit, of_baseline, quantiles"),
        ("[typhoon.edges]\na = 1", 3, "edges: unknown key 'a'"),
        ("[[typhoon]]\nlower = 1", 3, "is not a table"),
        ("typhoon = 3", 3, "is not a table"),
        ("typhoon.lower = true", 3, "not a number"),
        ("[typhoon]\nsource = 2026-01-01", 4, "not a text in quotes"),
        ("[typhoon]\nsource = '" + "x" * 5000 + "'", 4, "5,000 characters"),
        ('[typhoon]\nsource = "a\\u0000b"', 4, r"U\+0000"),
        ('[typhoon]\nsource = "a\\u0085b"', 4, r"U\+0085"),
        ('[typhoon]\nsource = "a\u202eb"', 4, r"U\+202E"),
        ('[typhoon]\nsource = """a\nb"""', 4, r"U\+000A"),
        ("[typhoon]\nsource = ' '", 4, "it is blank"),
        ('[typhoon]\n"a\\u001bb" = 1', 3, r"a\\x1bb: unknown key"),
        ("[tyfoon]\nlower = 1", 3, "did you mean typhoon"),
        ("[typhoon]\nlowr = 1", 4, "did you mean lower"),
        ("[typhoon]\ndamage_rates = [0, 0.1, 0.05, 0.2, 0.3]", 4, "0.05 comes after 0.1.* must not descend"),
        (f"[typhoon]\nedges = {list(range(1, 102))}\ndamage_rates = {[0] * 102}", 4, "at most 100 bins"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_what_no_edition_can_mean_is_one_sentence_with_its_line(own, body, line, says):
    with pytest.raises(DefinitionError, match=rf"own\.toml: line {line}: .*{says}") as refused:
        load_edition(own(f"{HEAD}{body}\n"))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize(
    "name", ["", " ", " own", "own ", "a\\nb", "a\\u0000", "a\\u2028b", "\\u200bown", "x" * 41, "2025-12"]
)
def test_a_name_that_cannot_be_stored_or_seen_is_refused(own, name):
    with pytest.raises(DefinitionError, match=r"own\.toml: line 1: name: "):
        load_edition(own(f'name = "{name}"\nbase = "2025-11"\n'))


def test_the_files_of_editors_are_read_or_refused_by_their_line(tmp_path):
    path = tmp_path / "own.toml"
    for encoding in ("utf-8-sig", "utf-8"):
        path.write_text(HEAD.replace("own", "우리"), encoding)
        assert load_edition(path).name == "우리"
    path.write_bytes(HEAD.replace("\n", "\r\n").encode())
    assert load_edition(path).name == "own"
    for raw, line in (
        (HEAD.encode("utf-16"), 1),
        (HEAD.encode("utf-16-le"), 1),
        (HEAD.encode() + b"# \xff", 3),
        (HEAD.replace("own", "우리").encode("cp949"), 1),
    ):
        path.write_bytes(raw)
        with pytest.raises(DefinitionError, match=f"line {line}: it is not UTF-8; save the file as UTF-8"):
            load_edition(path)


def test_what_is_no_file_of_an_edition_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(100_000_000)
    for name, says in (
        ("folder.toml", "it is no file"),
        ("large.toml", "it holds 100,000,000 bytes"),
        ("x" * 300 + ".toml", "cannot be read"),
        ("a\0.toml", "cannot be read"),
        ("a\nb.toml", "cannot be read"),
    ):
        with pytest.raises(SettingsError, match=says) as refused:
            load_edition(tmp_path / name)
        assert str(refused.value).isprintable()
