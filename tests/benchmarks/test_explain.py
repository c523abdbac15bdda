"""Figures recomputed from their explanations by the lines of docs/explain.md, and the explanations against runs."""

import ast
import json
import re
import sys
from contextlib import closing

import numpy as np
import pytest
from scipy import stats

import engine
from benchmarks import explain as benchmark
from engine.core.errors import SettingsError
from engine.core.names import RISK_NAMES
from engine.core.period import Years
from engine.io import open_source
from engine.io.climate import snapshot
from engine.sample.national import NationalClimate

EDITIONS = ("2025-11", "2025-12", "2026-kr")
KEY = ("grid_id", "risk_type", "scenario_id", "time_period")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explain") / "store"
    snapshot.write(NationalClimate(12), folder)
    with closing(open_source(folder)) as opened:
        yield opened


def test_the_lines_of_the_page_recompute_every_figure_from_its_answer_alone(source):
    page, told = benchmark.lines(), benchmark.draw(source, EDITIONS, 70, seed=4)
    for each in told:
        apart = [value for value in benchmark.difference(each, page) if value is not None]
        assert max(apart, default=0.0) <= 1e-12, (each["risk_type"], each["edition"]["name"], apart)
    assert {each["risk_type"] for each in told} == set(RISK_NAMES)
    assert {each["edition"]["name"] for each in told} == set(EDITIONS)
    assert {"kde", "count", "fitted", "not_exposed"} <= {each["estimator"]["method"] for each in told}
    assert {"fixed", "sample_quantiles", "fitted_quantiles"} <= {each["edges"]["found"] for each in told}


def test_the_page_imports_the_standard_library_alone_and_its_first_lines_are_thirty():
    blocks = re.findall(r"^```python\n(.*?)^```$", benchmark.PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    own = [block for block in blocks if "engine" not in block]
    nodes = [node for block in own for node in ast.walk(ast.parse(block))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    assert not [node for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
    assert len([line for line in own[0].splitlines() if line.strip()]) <= 32


def test_an_explanation_is_the_row_of_a_run_before_it_is_rounded(source):
    run = engine.run(source, periods=["full", "long_term"], scenarios=[2, 4], cells="1:400000", edition="2026-kr")
    scores = {tuple(row[:4]): row[4] for row in run.hazard.select(*KEY, "hazard_score").iter_rows()}
    rows = run.probability.sample(40, seed=1).iter_rows(named=True)
    for row in rows:
        told = engine.explain(source, "2026-kr", row["latitude"], row["longitude"], *(row[name] for name in KEY[1:]))
        for name in ("aal", "aal_se", "aal_low", "aal_high"):
            assert single(getattr(told.figure, name)) == row[name], (row, name)
        assert (told.figure.method, told.figure.n_samples) == (row["method"], row["n_samples"])
        assert [single(each.probability) for each in told.bins] == row["bin_probs"]
        assert row["edges"] is None or list(told.edges.values) == row["edges"]
        assert single(told.hazard.score) == scores[tuple(row[name] for name in KEY)]


def single(value):
    return None if value is None else float(np.float32(value))


def test_a_damage_rate_that_is_off_by_a_millionth_is_noticed(source):
    place = source.cells().row(3, named=True)
    made = engine.explain(source, "2025-11", place["latitude"], place["longitude"], "river_flood", 4, "mid_term")
    told = json.loads(json.dumps(made.as_json()))
    bins = [each | {"damage_rate": each["damage_rate"] * (1 + 1e-6)} for each in told["bins"]]
    assert benchmark.difference(told, benchmark.lines()).aal <= 1e-12
    assert benchmark.difference(told | {"bins": bins}, benchmark.lines()).aal > 1e-12


HOUSE = """name = "house"
base = "2026-kr"

[extreme_heat]
edges = { quantiles = [0.8, 0.95], of_baseline = true, fit = "gamma" }
fallback = [5.0, 20.0]
estimator = "fitted"
atom = false
priced = true
damage_rates = [0.0, 0.01, 0.1]
factor = { value = 0.5, low = 0.1, high = 1.0, source = "claims" }
source = "own claims"   # of ten years

[wildfire]
priced = false
source = "not ours"
"""


def test_an_edition_of_ones_own_is_told_with_its_lines_its_factor_and_its_fit(source, tmp_path):
    house = tmp_path / "house.toml"
    house.write_text(HOUSE, "utf-8")
    place = source.cells().row(0, named=True)
    where = (place["latitude"], place["longitude"])
    told = engine.explain(source, house, *where, "extreme_heat", "ssp585", "long_term", baseline=Years(2021, 2060))
    assert (told.edition.file, told.edition.line) == ("house.toml", 4)
    assert told.edition.text == HOUSE.split("\n\n")[1]
    assert [each.damage_rate for each in told.bins] == [0.0, 0.005, 0.05]
    assert (told.rates.factor.value, told.rates.edition_rates) == (0.5, (0.0, 0.01, 0.1))
    fit = told.edges.fit
    expected = stats.gamma(fit.shape, fit.location, fit.scale).ppf([0.8, 0.95])
    assert told.edges.values == pytest.approx(expected.tolist(), rel=1e-9)
    assert (len(told.edges.baseline.values), told.edges.note[:15]) == (40, "Measures change")
    below = stats.gamma(told.estimator.fit.shape, 0.0, told.estimator.fit.scale).cdf(told.edges.values[0])
    assert told.bins[0].probability == pytest.approx(below, abs=1e-12)
    unpriced = engine.explain(source, house, *where, "wildfire", 2, "mid_term")
    assert (unpriced.status, unpriced.figure.aal, unpriced.bins[0].part) == ("not_priced", None, None)
    assert engine.explain(source, house, *where, "typhoon", 2, "full").edition.file == "2026-kr.toml"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ((33.0, 125.0, "drought", 2, "full"), "no cell with climate data holds the place"),
        ((37.5, 127.0, "drought", 4, "full"), "full is for SSP2-4.5 only"),
        ((37.5, 127.0, "flod", 2, "full"), "unknown risk 'flod'"),
        ((37.5, 127.0, "drought", 2, "2040s"), "unknown period '2040s'"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_a_sentence(source, asked, says):
    with pytest.raises(SettingsError, match=re.escape(says)):
        engine.explain(source, "2025-11", *asked)


def test_a_figure_under_a_trend_is_explained_by_all_years_set_on_one(source, tmp_path):
    path, page = tmp_path / "trend.toml", benchmark.lines()
    path.write_text(
        'name = "trend"\nbase = "2025-11"\n[river_flood]\ntrend = "linear"\n[drought]\ntrend = "linear"\n', "utf-8"
    )
    run = engine.run(source, risks=["river_flood", "drought"], scenarios=[2], edition=path)
    for row in run.probability.sample(12, seed=2).iter_rows(named=True):
        told = engine.explain(
            source, path, row["latitude"], row["longitude"], *(row[name] for name in KEY[1:])
        ).as_json()
        apart = benchmark.difference(told, page)  # the standard error holds the line's: samples do not tell it
        assert max(apart[:2]) <= 1e-12, (row["risk_type"], row["time_period"], apart)
        figure = told["figure"]
        for name in ("aal", "aal_se", "aal_low", "aal_high"):
            assert figure[name] == pytest.approx(row[name], rel=1e-6)
        assert len(told["samples"]["years"]) == source.axis.n
        full = row["time_period"] == "full"
        year = {"short_term": 2030, "mid_term": 2050, "long_term": 2090}.get(row["time_period"])
        assert ("as they are" if full else f"set on {year}") in told["estimator"]["sentence"]
