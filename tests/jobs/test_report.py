"""The report from a database, a directory of files and run directories; opened in a real browser."""

import re

import psycopg
import pytest
from playwright.sync_api import sync_playwright

from engine.io import migrate
from engine.settings import Settings
from jobs import report, yearly
from tests.warehouses import fill


@pytest.fixture(scope="module")
def world(server, tmp_path_factory):
    """A warehouse with two published runs in a database and one in files; the second run read other data."""
    home = tmp_path_factory.mktemp("report")
    urls = {}
    for family in ("warehouse", "results"):
        urls[family] = server.create(f"report_{family}")
        with psycopg.connect(urls[family], autocommit=True) as connection:
            migrate.apply(connection, family)
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.setenv("ENGINE_HOME", str(home))
        patch.chdir(home)
        fill(urls["warehouse"])
        arguments = ["--source", urls["warehouse"], "--sink", urls["results"]]
        assert yearly.main(arguments) == 0
        with psycopg.connect(urls["warehouse"], autocommit=True) as connection:
            connection.execute("UPDATE rx5day_data SET ssp2 = ssp2 * 1.1")
        assert yearly.main(arguments) == 0
        assert yearly.main([*arguments[:2], "--sink", str(home / "out"), "--edition", "2025-12"]) == 0
        yield home, urls


def text_of(home, *arguments):
    assert report.main([*arguments, "--out", str(home / "r.html")]) == 0
    return (home / "r.html").read_text("utf-8")


def test_what_is_published_with_its_change_and_its_loads(world):
    home, urls = world
    text = text_of(home, "--sink", urls["results"], "--warehouse", urls["warehouse"])
    assert "Run 2, methodology edition 2025-11" in text
    for risk in ("extreme_heat", "water_stress"):
        assert f'<section class="risk" id="{risk}">' in text
    rows = re.findall(r"<td>River flood</td><td>AAL, %</td>(.*?)</tr>", text)
    cells = re.findall(r'<td class="n">(.*?)</td>', rows[0])
    assert cells[0] == "17"
    assert float(cells[2]) > float(cells[1])  # more rain, more loss
    assert cells[3:5] == ["100 %", "0 %"]
    typhoon = re.findall(r"<td>Typhoon</td><td>AAL, %</td>(.*?)</tr>", text)[0]
    assert re.findall(r'<td class="n">(.*?)</td>', typhoon)[3:6] == ["0 %", "0 %", "0 %"]
    with psycopg.connect(urls["results"]) as connection:
        (mean,) = connection.execute("SELECT avg(aal) FROM probability_results WHERE risk_type = 'drought'").fetchone()
    assert f"<strong>{100 * mean:.3g}</strong>" in text


def test_nothing_is_asked_from_elsewhere_and_paper_holds_all_columns(world):
    home, urls = world
    text_of(home, "--sink", urls["results"], "--warehouse", urls["warehouse"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        view, asked, said = browser.new_page(viewport={"width": 1100, "height": 800}), [], []
        view.on("request", lambda request: asked.append(request.url))
        view.on("console", lambda message: said.append(message.text))
        view.goto((home / "r.html").as_uri())
        assert view.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        view.set_viewport_size({"width": 360, "height": 740})
        assert view.evaluate("document.documentElement.scrollWidth") <= 360
        view.emulate_media(media="print")
        view.set_viewport_size({"width": 688, "height": 1000})  # A4 between its margins
        assert view.evaluate("document.documentElement.scrollWidth") <= 688
        browser.close()
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert said == []


def test_run_directory_database_and_files_tell_the_same(world):
    home, urls = world

    def overview(*arguments):
        text = text_of(home, *arguments)
        return re.findall(r"<tbody>.*?</tbody>", text, re.S)[0]

    database = overview("--sink", urls["results"])
    assert overview("--run", "2", "--run-dir", str(home / "runs")) == database
    first = overview("--sink", urls["results"], "--run", "1")
    assert first != database
    assert yearly.main(["--source", urls["warehouse"], "--sink", str(home / "again")]) == 0
    assert overview("--sink", str(home / "again")) == database


def test_another_edition_is_not_compared(world):
    home, _ = world
    text = text_of(home, "--sink", str(home / "out"), "--against", str(home / "runs" / "1"))
    assert "The AAL of the two runs are not of the same thing" in text
    assert "<td>AAL, %</td>" not in text
    assert "no event" in text  # bins of edition 2025-12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--run", "9", "--run-dir", "runs"], "no run 9 under runs; there: 1, 2"),
        (["--sink", "runs"], "runs holds no published results"),
        (["--sink", "out", "--against", "8"], "no run 8 under"),
        (["--sink", "out", "--edition", "nothing.toml"], "edition nothing.toml: cannot be read"),
    ],
)
def test_what_is_not_there_is_refused_by_name(world, caplog, arguments, said):
    assert report.main(arguments) == 2
    assert said in caplog.messages[-1]
