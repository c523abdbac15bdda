"""The report from a database, a directory of files and run directories; opened in a real browser."""

import base64
import re

import polars as pl
import psycopg
import pytest
from playwright.sync_api import sync_playwright

from engine.core.settings import Settings
from jobs import ensemble, report
from tests.ensembles import member
from tests.io.test_load import publish
from tests.warehouses import fill


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def database(home, results):
    """Two published runs of 60 cells, two risks; their run directories are still there."""
    for seed in (0, 1):
        publish(results, home / "runs", seed)
    return results


@pytest.fixture
def files(home):
    """The second of these runs, as files."""
    publish(str(home / "out"), home / "elsewhere", 1)
    return str(home / "out")


def text_of(home, *arguments):
    assert report.main([*arguments, "--out", "r.html"]) == 0
    return (home / "r.html").read_text("utf-8")


def bodies(text):
    """Rows of figures of every table, without what two places may call by another name."""
    return re.findall(r"<tbody>.*?</tbody>", text[: text.index('id="change"')], re.S)


def test_the_mean_is_that_of_the_table_and_the_change_that_of_two_runs(home, database):
    text = text_of(home, "--sink", database)
    assert "Run 2, methodology edition 2025-11" in text
    assert "No damage rate is calibrated on losses." in text
    assert "rain of one storm" not in text  # typhoon alone
    assert "Levels, from light to dark: minimal, low, moderate, high, critical." in text
    with psycopg.connect(database) as connection:
        query = "SELECT avg(aal::float8), count(*) - count(aal) FROM probability_results WHERE risk_type = 'drought'"
        mean, nulls = connection.execute(query).fetchone()
    row = re.search(r'<td><a href="#drought">Drought</a></td>(.*?)</tr>', text, re.S).group(1)
    assert f"<strong>{100 * mean:.3g}</strong>" in row
    assert re.findall(r'<td class="n">(\d+)</td>', row)[:2] == ["60", str(nulls)]
    change = re.search(r"<td>Drought</td><td>AAL, %</td>(.*?)</tr>", text).group(1)
    common, then, now, *_ = re.findall(r'<td class="n">(.*?)</td>', change)
    assert 0 < int(common) <= 60
    assert then != now


def test_two_runs_alike_are_said_to_be_in_one_sentence(home, results):
    for _ in range(2):
        publish(results, home / "runs", 0)
    text = text_of(home, "--sink", results)
    assert "Nothing changed: every AAL and every score that both runs have is the same." in text
    assert "rank correlation" not in text


def test_database_files_and_run_directory_tell_the_same(home, database, files):
    told = bodies(text_of(home, "--sink", database))
    assert told == bodies(text_of(home, "--sink", files))
    assert told == bodies(text_of(home, "--run", "2", "--run-dir", "runs"))
    assert told != bodies(text_of(home, "--sink", database, "--run", "1"))


def test_a_report_of_the_same_number_from_another_place_is_not_overwritten(home, database, files, caplog):
    assert report.main(["--sink", database, "--run", "1"]) == 0
    first = (home / "report-1.html").read_bytes()
    assert report.main(["--sink", files]) == 2  # its run 1, too
    assert "report-1.html is there, and it is not a report of this run" in caplog.messages[-1]
    assert (home / "report-1.html").read_bytes() == first
    assert report.main(["--sink", files, "--out", "report-1.html"]) == 0
    assert report.main(["--sink", files]) == 0  # the same run once more


def test_a_run_that_published_one_half_stands_beside_the_other(home, database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE probability_results SET run_id = 1 WHERE risk_type = 'drought'")
    text = text_of(home, "--sink", database)
    assert len(re.findall(r"Rows of run 1, edition 2025-11, baseline 1991-2020", text)) == 1


def test_another_baseline_is_not_compared(home, database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE result_runs SET baseline = '2021-2050 SSP2-4.5' WHERE run_id = 2")
    text = text_of(home, "--sink", database)
    assert "baseline 1991-2020 then, 2021-2050 SSP2-4.5 now" in text
    assert "<td>AAL, %</td>" not in text


def test_the_warehouse_tells_its_findings_and_whether_it_has_changed(home, database, warehouse):
    fill(warehouse)
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "UPDATE etl_load SET gate_report = %s WHERE table_name = 'rx1day_data'",
            ('{"findings": [{"severity": "W", "table": "t", "message": "odd <values>", "count": 1}]}',),
        )
    text = text_of(home, "--sink", database, "--warehouse", warehouse)
    assert "W odd &lt;values&gt;" in text
    assert "has changed since the run" in text


def test_nothing_is_asked_from_elsewhere_and_paper_holds_all_columns(home, database):
    text_of(home, "--sink", database)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view, asked, said = browser.new_page(viewport={"width": 1100, "height": 800}), [], []
        view.on("request", lambda request: asked.append(request.url))
        view.on("console", lambda message: said.append(message.text))
        view.goto((home / "r.html").as_uri())
        assert view.evaluate("[...document.images].length") == 2 * 3
        assert view.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        view.set_viewport_size({"width": 360, "height": 740})
        assert view.evaluate("document.documentElement.scrollWidth") <= 360
        # 3.3 inches of print: smaller, and its words could not be read
        assert view.evaluate("Math.min(...[...document.images].map(image => image.width))") >= 300
        view.emulate_media(media="print")
        view.set_viewport_size({"width": 688, "height": 1000})  # A4 between its margins
        assert view.evaluate("document.documentElement.scrollWidth") <= 688
        browser.close()
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert said == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--run", "9", "--run-dir", "elsewhere"], "no run 9 under elsewhere; there: 1"),
        (["--sink", "nowhere"], "--sink: 'nowhere' is neither a PostgreSQL address nor a directory"),
        (["--sink", "elsewhere"], "elsewhere holds no published results"),
        (["--sink", "out", "--against", "8"], "no run 8 under"),
        (["--sink", "out", "--edition", "nothing.toml"], "--edition nothing.toml does not exist"),
    ],
)
def test_what_is_not_there_is_refused_by_name(home, files, caplog, arguments, said):
    assert report.main(arguments) == 2
    assert said in caplog.messages[-1]


def test_return_levels_are_told_or_why_they_are_not(home, database):
    text = text_of(home, "--sink", database)
    assert "No return levels: no warehouse was at hand when this report was made." in text
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE result_runs SET summary = summary || '{\"year_losses\": false}'")
    assert "The run kept no year losses (YEAR_LOSSES=off)" in text_of(home, "--sink", database)


def test_an_ensemble_has_its_section_where_one_is_published_or_given(home, files):
    assert 'id="models"' not in text_of(home, "--sink", files)
    for number in (5, 6, 7):
        member(home / "models", number, risks=("drought", "typhoon"))
    words = ["--runs", "5,6,7", "--run-dir", str(home / "models")]
    assert ensemble.main([*words, "--sink", "given"]) == 0
    given = text_of(home, "--sink", files, "--ensemble", "given")
    assert "Ensemble of 3 runs, each of another climate model or realisation: run 8 of 5, 6, 7;" in given
    row = re.search(r"<td>Drought</td><td>SSP5-8.5</td>(.*?)</tr>", given).group(1)
    figures = re.findall(r'<td class="n">([^<]*)</td>', row)
    read = pl.read_parquet("given/modelops_ensemble_scores.parquet").filter(
        risk_type="drought", scenario_id=4, time_period="long_term"
    )
    shown = [read[name].cast(pl.Float64).mean() for name in ("aal_mean", "aal_p10", "aal_p90")]
    assert figures[:4] == ["5", *(f"{100 * each:.3g}" for each in shown)]
    assert figures[-1] == f"{100 * (read['agreement'] < 0.8).mean():.2g} %"
    assert "One record of years in all models: typhoon." in given
    assert ensemble.main([*words, "--sink", files]) == 0
    published = text_of(home, "--sink", files)
    assert "Run 1, methodology edition 2025-11" in published
    assert 'id="models"' in published
    assert report.main(["--sink", files, "--ensemble", "models", "--out", "r.html"]) == 2


def test_a_korean_report_holds_no_english_sentence_but_sources_and_findings(home, database, monkeypatch):
    english, korean = (text_of(home, "--sink", database, "--lang", lang) for lang in ("en", "ko"))
    monkeypatch.delenv("LANGUAGE")
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert text_of(home, "--sink", database).count("격자") == korean.count("격자") > 20
    assert re.search(r"<html lang=\"(..)\">", korean)[1] == "ko"
    assert len(re.findall("<(?:td|tr|th|p|li|figure)[ >]", english)) == len(
        re.findall("<(?:td|tr|th|p|li|figure)[ >]", korean)
    )
    charts = re.findall("data:image/svg\\+xml;base64,([A-Za-z0-9+/=]+)", korean)
    drawn = "".join(base64.b64decode(each).decode() for each in charts)
    assert "평균 위험도 점수" in drawn
    shown = re.sub(
        r"<style.*?</style>|<code>.*?</code>|<li>[^<]*doi:.*?</li>|<caption>(?:Methodology|태풍|Q).*?</caption>",
        "",
        korean,
        flags=re.S,
    )
    shown = re.sub('data:image[^"]*', "", shown)
    texts = [" ".join(each.split()) for each in re.split("<[^>]+>", shown + drawn)]
    sentences = [each for each in texts if re.search("[A-Za-z]{2,} [A-Za-z]{2,} [a-z]{2,}", each)]
    sources = ("(19", "(20", "Methodology note", "doi:")
    assert [each for each in sentences if not any(mark in each for mark in sources)] == []
