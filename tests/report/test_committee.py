"""The report of a portfolio: figures are those of the files, both languages are whole, paper is readable."""

import json
import re
import shutil
from collections import defaultdict
from importlib import resources
from itertools import count
from pathlib import Path
from string import Formatter
from uuid import uuid4

import polars as pl
import psycopg
import pytest
from playwright.sync_api import sync_playwright

from engine.core import levels
from engine.core.errors import SettingsError
from engine.core.names import RISK_NAMES
from engine.core.period import PERIODS
from engine.core.settings import Settings
from engine.io.queue import batch_jobs
from engine.io.sites.portfolio_results import read_portfolio
from engine.maps import borders
from engine.report.committee import at_risk, numbers, page, site_maps
from engine.report.committee.figures import Portfolio
from engine.report.committee.site_maps import Borders
from engine.report.committee.texts import LANGUAGES, Texts, catalogue
from jobs import assess, report, yearly
from tests.assess.databases import fill_warehouse
from tests.warehouses import DEFAULT_VARIABLES

NOTE = "index loss, not calibrated on losses"
NOTES = {"en": NOTE, "ko": "지수 손실, 손실 자료로 보정되지 않음"}
HEAD = "latitude,longitude,total_asset_value,insurance_coverage_rate,site_id,name\n"
SITES = {
    "many": "35.01,127.02,4000000000,0.2,A,본사\n35.12,127.13,1000000000,0,B,<b>Depot</b>\n"
    "35.13,127.12,2500000000,0.5,B2,\n35.21,127.22,9000000000,0,C,Works\n35.05,127.21,,,no value,\n"
    "38.9,131.9,700000000,0,sea,\n95,127,1,0,bad,\n",
    "no value": "35.01,127.02,,,A,\n35.12,127.13,,,B,\n",
    "one": "35.12,127.13,1000000000,0,B,Depot\n",
    "all failed": "38.9,131.9,700000000,0,sea,\n39.0,131.9,700000000,0,sea 2,\n",
}
_numbers = count()


@pytest.fixture(scope="module")
def home(server, template, tmp_path_factory):
    """Folders of assessed portfolios, by the names of `SITES` and `no years`; the two databases in `.urls`."""
    folder = tmp_path_factory.mktemp("portfolios")
    urls = []
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.setenv("ENGINE_HOME", str(folder))
        for variable, family in (("DW_URL", "warehouse"), ("APP_URL", "results")):
            name = f"committee_{family}_{next(_numbers)}"
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template(family)}")
            urls.append(server.url(name))
            patch.setenv(variable, urls[-1])
        fill_warehouse(urls[0], DEFAULT_VARIABLES)
        assert yearly.main(["--source", urls[0], "--sink", urls[1], "--scenarios", "2,4"]) == 0
        for name, text in SITES.items():
            (folder / f"{name}.csv").write_text(HEAD + text, "utf-8")
            windows = ["--period", "short_term,mid_term,long_term,full", "--scenarios", "2,4"] if name == "many" else []
            code = assess.main(["--sites", str(folder / f"{name}.csv"), "--out", str(folder / name), *windows])
            assert (code == 1) == (name == "all failed")
        patch.setenv("YEAR_LOSSES", "off")
        assess.main(["--sites", str(folder / "one.csv"), "--out", str(folder / "no years")])
    (folder / ".urls").write_text(json.dumps(urls), "utf-8")
    return folder


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in [*(name.upper() for name in Settings.model_fields), "LANG", "LC_ALL", "LC_MESSAGES", "LANGUAGE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def rendered(folder, language="en", threshold="high"):
    lines = Borders(borders.lines(borders.shipped_coastline()), borders.lines(borders.shipped_provinces()), "world")
    return page.render(read_portfolio(folder), at_risk.parse(threshold), lines, language)


def rows_of(text, section):
    """Cells of every table row of a section, tables one after the other."""
    body = re.search(rf'<section id="{section}".*?</section>', text, re.S)[0]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(<td.*?)</tr>", body, re.S)]


def summary_of(folder):
    return json.loads((folder / "portfolio.json").read_text("utf-8"))


def test_losses_of_the_report_are_those_of_the_summary(home):
    folder, text = home / "many", rendered(home / "many")
    summary = summary_of(folder)
    rows = rows_of(text, "losses")
    of_pairs = {(row[0], row[1]): row for row in rows if row[0].startswith("SSP")}
    assert len(of_pairs) == len(summary["results"]) == 7
    for pair in summary["results"]:
        code = {"ssp2_4.5": "SSP2-4.5", "ssp5_8.5": "SSP5-8.5"}[pair["scenario"]]
        _, _, loss, within, share, shares, assets, note = of_pairs[code, pair["years"].replace("-", "–")]
        assert loss == numbers.amount(pair["total_expected_loss"], "en")
        low, high = pair["total_expected_loss_low"], pair["total_expected_loss_high"]
        assert within == numbers.ends(low, high, "en")
        assert float(share) == pytest.approx(100 * pair["expected_loss_ratio"], rel=0.006)
        assert [float(end) for end in shares.split("–")] == pytest.approx(
            [100 * end / pair["total_asset_value"] for end in (low, high)], rel=0.006
        )
        assert (assets, note) == ("4", NOTE)
    [shown] = [
        each for each in summary["results"] if (each["scenario"], each["time_period"]) == ("ssp2_4.5", "mid_term")
    ]
    told = {row[0]: row for row in rows if not row[0].startswith("SSP")}
    for risk, of_risk in shown["expected_loss_by_risk"].items():
        row = told[catalogue("en")[f"risk_{risk}"]]
        assert row[1] == numbers.amount(of_risk["expected_loss"], "en")
        assert row[-1] == NOTE
    money = numbers.money(shown["total_expected_loss"], "en")
    assert f"The expected loss under SSP2-4.5, 2041–2060, is {money} a year: " in text
    once = shown["year_losses"]
    assert f"reaches {numbers.money(once['loss'], 'en')} or more, {numbers.share(once['loss_percent'] / 100)} %" in text
    curve = pl.read_parquet(folder / "curve.parquet").filter(scenario_id=4, time_period="long_term", risk_type="all")
    [row] = [row for row in rows_of(text, "curve") if row[:2] == ["SSP5-8.5", "2081–2100"]]
    assert row[2:6] == [numbers.share(each / 100) for each in curve.sort("return_period")["loss_percent"]]
    worst = [row[1].split(",")[0] for row in rows_of(text, "sites") if len(row) == 9]
    names = {"A": "본사", "B": "&lt;b&gt;Depot&lt;/b&gt;", "B2": "B2", "C": "Works", "no value": "no value"}
    assert worst == [names[site["site_id"]] for site in shown["worst_sites"]]
    assert len(worst) == 5
    parts = [row for row in rows_of(text, "contributions") if row[0] in set(catalogue("en").values())]
    assert sum(float(row[4]) for row in parts) == pytest.approx(100, abs=0.5)


@pytest.mark.parametrize("threshold", ["moderate", "high", "0.5%"])
def test_assets_at_risk_are_those_of_a_loop_over_the_rows(home, threshold):
    results = read_portfolio(home / "many")
    cut = None if threshold.endswith("%") else levels.PRINTED.index(threshold)
    values = {(row["row"], row["scenario_id"], row["time_period"]): row["total_asset_value"] or 0
              for row in results.totals.iter_rows(named=True)}  # fmt: skip
    over = {}
    for row in (results.aal if cut is None else results.risk).iter_rows(named=True):
        site = row["row"], row["scenario_id"], row["time_period"]
        if cut is not None and row["risk_index"] is not None:
            over[(*site, row["risk_type"])] = levels.PRINTED.index(row["risk_level"]) >= cut
        elif cut is None and row["final_aal"] is not None and row["status"] == "ok" and not row["is_default"]:
            over[(*site, row["risk_type"])] = row["final_aal"] >= 0.005
    sums = defaultdict(lambda: [0, 0, 0, 0])
    for (row, scenario, period, risk), reached in over.items():
        held = sums[scenario, period, risk]
        value = values[row, scenario, period]
        held[0], held[1] = held[0] + value * reached, held[1] + value
        held[2], held[3] = held[2] + reached, held[3] + 1
    for site in {key[:3] for key in over}:
        held, reached = sums[(*site[1:], at_risk.ANY)], any(over.get((*site, risk)) for risk in RISK_NAMES)
        held[0], held[1] = held[0] + values[site] * reached, held[1] + values[site]
        held[2], held[3] = held[2] + reached, held[3] + 1
    found = at_risk.at_risk(results, at_risk.parse(threshold))
    names = ("value_over", "value_rated", "sites_over", "sites_rated")
    told = {
        (row["scenario_id"], row["time_period"], row["risk_type"]): [row[name] for name in names]
        for row in found.iter_rows(named=True)
        if row["sites_rated"]
    }
    assert told == dict(sums)
    assert any(held[0] for held in sums.values())
    whole = found.filter(risk_type=at_risk.ANY)
    assert set(whole["sites_rated"] + whole["sites_unrated"]) == {6}  # the one at sea is not rated, the bad row is none


@pytest.mark.parametrize("language", LANGUAGES)
def test_money_of_an_uncalibrated_risk_has_its_note_in_the_line(home, language):
    text = rendered(home / "many", language)
    rows = [row for part in ("losses", "contributions") for row in rows_of(text, part)]
    rows += [row for row in rows_of(text, "sites") if len(row) == 9 and row[3] != numbers.NONE]
    assert len(rows) > 30
    assert {row[-1] for row in rows} == {NOTES[language]}
    # a sentence with a loss in money ends with its note, or with the share that carries it
    sentences = {key: each for key, each in catalogue(language).items() if "{money}" in each}
    assert len(sentences) >= 7
    assert not [key for key, each in sentences.items() if "{note}" not in each and "{share}" not in each]
    findings = re.search(r'<section id="findings".*?</section>', text, re.S)[0]
    # the sum, three risks, a region, the largest sites, two scenarios, a bad year, a storm
    assert findings.count(NOTES[language]) == 10


def test_a_calibrated_risk_and_one_that_is_only_ranked_are_told_apart(home, tmp_path):
    folder = tmp_path / "mixed"
    shutil.copytree(home / "many", folder)
    summary = summary_of(folder)
    for pair in summary["results"]:
        pair["expected_loss_by_risk"]["river_flood"] |= {"calibrated": True, "loss_note": None}
        pair |= {"total_expected_loss_calibrated": 5_000_000, "interval_holds_rates": True}
        pair |= {"total_expected_loss_calibrated_low": 2_000_000, "total_expected_loss_calibrated_high": 9_000_000}
    (folder / "portfolio.json").write_text(json.dumps(summary), "utf-8")
    aal = pl.read_parquet(folder / "aal.parquet")
    ranked = pl.col("risk_type") == "wildfire"
    aal.with_columns(final_aal=pl.when(~ranked).then("final_aal")).write_parquet(folder / "aal.parquet")
    text = rendered(folder)
    assert "Calibrated on losses: river flood. Index losses, not calibrated on losses: " in text
    assert "Of it KRW 5.00 m (90 %: 2.00 m to 9.00 m) are calibrated on losses, KRW " in text
    assert "Only ranked, without a loss: wildfire." in text
    assert f"in part an {NOTE}" in text
    assert "and the damage rates with their level" in text
    assert "damage rates and their level" in text
    [flood] = [row for row in rows_of(text, "losses") if row[0] == "River flood"]
    assert flood[-1] == "calibrated on losses"


@pytest.mark.parametrize(
    ("scope", "banner"),
    [
        ("synthetic", "scope_synthetic"),
        ("observed", "scope_observed"),
        ("sample:100", "Input of scope sample:100, not the whole warehouse."),
    ],
)
def test_input_that_is_not_the_whole_warehouse_stands_on_every_page(home, tmp_path, scope, banner):
    shutil.copytree(home / "one", tmp_path / "one")
    summary = summary_of(home / "one") | {"scope": scope}
    (tmp_path / "one" / "portfolio.json").write_text(json.dumps(summary), "utf-8")
    text, words = rendered(tmp_path / "one"), catalogue("en")
    said = words.get(banner, banner)
    assert f"<strong>{said}</strong>" in text
    assert f'@top-left {{ content: "{said}"' in text
    assert ("observed record" in text) == (scope == "observed")
    assert (words["f_observed_no_change"] in text) == (scope == "observed")
    assert "<strong>" not in rendered(home / "one")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "said", "absent"),
    [
        ("no value", ("f_no_loss_value", "f_no_years_why"), "<figcaption>Expected loss"),
        ("no years", ("f_no_years_why", "f_uncalibrated"), 'id="contributions"'),
        ("all failed", ("f_no_loss_failed", "f_nowhere", "f_unrated", "map_none", "sites_none"), "<figure>"),
        ("one", ("f_uncalibrated",), "f_largest"),
    ],
)
def test_a_portfolio_that_lacks_something_says_so(home, name, said, absent, language):
    text = rendered(home / name, language)
    for key in said:
        assert catalogue(language)[key] in text
    assert absent not in text
    shown = re.sub(r"<style>.*?</style>", "", text, flags=re.S)
    assert not re.findall(r"\bNone\b|\bnan\b|\{\w+\}", shown)


def test_a_portfolio_of_shares_ranks_by_the_mean_of_its_assets(home):
    aal = pl.read_parquet(home / "no value" / "aal.parquet").filter(status="ok", is_default=False)
    means = dict(aal.group_by("risk_type").agg(pl.col("final_aal").mean()).iter_rows())
    rows = rows_of(rendered(home / "no value"), "losses")
    names = catalogue("en")
    assert {row[0]: row[1] for row in rows} == {
        names[f"risk_{risk}"]: numbers.share(mean) for risk, mean in means.items()
    }
    assert all(row[-1] == NOTE for row in rows)


def test_both_catalogues_hold_the_same_keys_and_values_and_all_are_used():
    texts = {language: catalogue(language) for language in LANGUAGES}
    assert texts["en"].keys() == texts["ko"].keys()
    for key, text in texts["en"].items():
        names = [{name for _, name, _, _ in Formatter().parse(each) if name} for each in (text, texts["ko"][key])]
        assert names[0] == names[1], key
    hangul = {key for key, text in texts["ko"].items() if not re.search("[가-힣]", text)}
    assert hangul <= {
        *("lang", "col_digest", "legend_between", "t_scenario", "point_extrapolated", "point_within"),
    }
    made = {f"risk_{name}" for name in (*RISK_NAMES, at_risk.ANY)} | {f"period_{name}" for name in PERIODS}
    made |= {f"level_{word}" for word in (*levels.PRINTED, levels.UNKNOWN)}
    assert made <= texts["en"].keys()
    folder = Path(str(resources.files("engine.report.committee")))
    source = "".join(path.read_text("utf-8") for path in (*folder.glob("*.py"), folder / "committee.html"))
    stems = ("scope_", "basis_", "left_", "map_source_", "meets_", "rule_", "t_", "d_", "m_", "src_", "assets_")
    unused = [key for key in texts["en"].keys() - made if f'"{key}"' not in source and not key.startswith(stems)]
    assert not unused


@pytest.fixture
def rare(home, tmp_path):
    """The largest portfolio with rare losses, extrapolated: the widest table there is."""
    shutil.copytree(home / "many", tmp_path / "rare")
    curve = pl.read_parquet(tmp_path / "rare" / "curve.parquet")
    last = curve.filter(return_period=20.0, kind="aep").with_columns(basis=pl.lit("extrapolated"))
    ends = {"loss_low": 0.5 * pl.col("loss"), "loss_high": 2 * pl.col("loss")}
    more = [last.with_columns(return_period=pl.lit(period), **ends) for period in (50.0, 100.0, 200.0, 500.0)]
    pl.concat([curve, *more]).write_parquet(tmp_path / "rare" / "curve.parquet")
    return tmp_path / "rare"


def test_a_rare_loss_is_marked_as_extrapolated_with_its_interval(rare):
    curve = pl.read_parquet(rare / "curve.parquet").filter(risk_type="all", scenario_id=2, time_period="full")
    [loss] = curve.filter(return_period=100.0)["loss_percent"]
    [row] = [row for row in rows_of(rendered(rare), "curve") if row[:2] == ["SSP2-4.5", "2021–2100"]]
    ends = numbers.share(loss / 200), numbers.share(loss / 50)
    assert row[7] == f"{numbers.share(loss / 100)}* ({ends[0]}–{ends[1]})"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_asked_from_elsewhere_and_every_letter_on_paper_has_8_points(rare, tmp_path, language):
    (tmp_path / "r.html").write_text(rendered(rare, language), "utf-8")
    smallest = """Math.min(...[...document.querySelectorAll('body *')]
        .filter(each => [...each.childNodes].some(node => node.nodeType == 3 && node.data.trim()))
        .map(each => { const drawing = each.closest('svg'), size = 0.75 * parseFloat(getComputedStyle(each).fontSize);
            if (!drawing) return size;
            return size * drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width }))"""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view, asked = browser.new_page(viewport={"width": 360, "height": 740}), []
        view.on("request", lambda request: asked.append(request.url))
        view.goto((tmp_path / "r.html").as_uri())
        assert view.evaluate("document.documentElement.lang") == language
        assert view.evaluate("document.documentElement.scrollWidth") <= 360
        view.emulate_media(media="print")
        view.set_viewport_size({"width": 688, "height": 1024})  # A4 between its margins
        assert view.evaluate("document.documentElement.scrollWidth") <= 688
        assert view.evaluate(smallest) >= 7.99
        # the findings are the first page
        assert view.evaluate("document.querySelector('#findings').getBoundingClientRect().bottom") <= 1024
        browser.close()
    assert {url.split(":")[0] for url in asked} == {"file"}


def test_the_job_takes_a_folder_or_the_id_of_the_service(home, monkeypatch, caplog):
    warehouse, results = json.loads((home / ".urls").read_text("utf-8"))
    assert report.main(["--portfolio", str(home / "many"), "--lang", "ko"]) == 0
    assert "2013년 대한민국 경계" in (home / "many" / "report-ko.html").read_text("utf-8")
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    monkeypatch.setenv("DW_URL", warehouse)
    monkeypatch.setenv("APP_URL", results)
    with psycopg.connect(results, autocommit=True) as connection:
        query = "SELECT batch_id FROM batch_jobs WHERE input_params ->> 'out' = %s"
        batch_id = str(connection.execute(query, (str(home / "many"),)).fetchone()[0])
        waiting = str(batch_jobs.create(connection, batch_jobs.PORTFOLIO, {"out": "x"}))
        site = str(batch_jobs.create(connection, batch_jobs.SITE, {}))
    assert report.main(["--portfolio", batch_id, "--threshold", "1%"]) == 0
    text = Path(f"portfolio-{batch_id}-ko.html").read_text("utf-8")
    assert "가치의 1 % 이상인" in text
    assert "자료 저장소" in text
    monkeypatch.delenv("LANG")
    for wrong, said in (
        ([str(uuid4())], "knows no portfolio of this id"),
        ([site], "knows no portfolio of this id"),
        ([waiting], "is queued: its results are not there yet"),
        (["nowhere"], "is neither a folder that is there nor the id of a portfolio"),
        ([str(home)], "holds no portfolio.json"),
        ([batch_id, "--run", "3"], "--run is of the report of a run"),
        ([str(home / "many"), "--sink", results], "--sink names the database of a portfolio's id"),
    ):
        assert report.main(["--portfolio", *wrong]) == 2
        assert said in caplog.messages[-1]
    assert report.main(["--threshold", "high"]) == 2
    assert "name --portfolio, too" in caplog.messages[-1]


def test_results_of_an_older_release_are_refused_by_what_they_lack(home, tmp_path):
    folder = tmp_path / "older"
    shutil.copytree(home / "one", folder)
    pl.read_parquet(folder / "totals.parquet").drop("admin_name").write_parquet(folder / "totals.parquet")
    with pytest.raises(SettingsError, match=r"totals\.parquet has no column admin_name: .* assess the portfolio again"):
        read_portfolio(folder)
    (folder / "portfolio.json").write_text('{"results": []}', "utf-8")
    with pytest.raises(SettingsError, match="has no runs, scope"):
        read_portfolio(folder)


@pytest.mark.parametrize("text", ["hihg", "minimal", "0%", "101%", "-1%", ""])
def test_a_threshold_that_is_none_is_refused(text):
    with pytest.raises(SettingsError):
        at_risk.parse(text)


def test_places_without_a_province_are_told_by_their_own_name(home, tmp_path):
    folder = tmp_path / "abroad"
    shutil.copytree(home / "many", folder)
    totals = pl.read_parquet(folder / "totals.parquet")
    totals.with_columns(admin_code=pl.lit("ES30"), admin_name=pl.lit("Murcia")).write_parquet(folder / "totals.parquet")
    rows = Portfolio(read_portfolio(folder)).by_place(Portfolio(read_portfolio(folder)).shown)
    assert rows.select("code", "name", "sites").rows() == [(None, "Murcia", 6)]
    assert "Murcia: 6 assets" in rendered(folder)


@pytest.mark.parametrize(
    ("value", "en", "ko"),
    [
        (530_480_117_004, "KRW 530 bn", "5,305억원"),
        (1_234_567_890_123, "KRW 1.23 tn", "1.23조원"),
        (14_900_000_000, "KRW 14.9 bn", "149억원"),
        (7_748_000, "KRW 7.75 m", "775만원"),
        (9_500, "KRW 9,500", "9,500원"),
        (0, "KRW 0", "0원"),
        (None, "–", "–"),
    ],
)
def test_amounts_have_three_digits_in_the_units_of_the_language(value, en, ko):
    assert (numbers.money(value, "en"), numbers.money(value, "ko")) == (en, ko)


def test_ends_of_an_interval_share_their_unit():
    assert numbers.ends(491e9, 563e9, "en") == "491–563 bn"
    assert numbers.ends(909e6, 1.2e9, "en") == "909 m–1.20 bn"
    assert numbers.ends(None, 1.0, "ko") == "–"
    assert [numbers.share(each) for each in (0.145, 0.0058, 0.99961, 1.0, 9.4e-5, 1e-7, 0)] == [
        "14.5", "0.58", "100", "100", "0.0094", "< 0.0001", "0",
    ]  # fmt: skip


def test_a_map_of_thousands_draws_a_place_once_and_counts_all(home):
    results = read_portfolio(home / "many")
    copies = [results.totals.with_columns(row=pl.col("row") + 1000 * k) for k in range(400)]
    lower = [each.with_columns(total_expected_loss=pl.col("total_expected_loss") // 2) for each in copies[1:]]
    many = Portfolio(results._replace(totals=pl.concat([copies[0], *lower])))
    few = Portfolio(results)
    lines = Borders([], [], "world")
    drawn = [site_maps.layers(each, each.shown, lines, Texts("en"))["loss"] for each in (few, many)]
    assert [layer.picture.count("<circle") for layer in drawn] == [5, 5]
    assert [sum(count for *_, count in layer.legend) for layer in drawn] == [5, 2000]
    highest = drawn[1].legend[-1]
    assert highest[2] < 2000
    assert f'fill="{highest[0]}"' in drawn[1].picture  # of 400 assets at a place the one that loses most is seen
