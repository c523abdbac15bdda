"""docs/coming-from-modelops.md promises what runs: its SQL, commands, routes, settings and figures are tried."""

from __future__ import annotations

import importlib
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from engine.core.settings import Settings
from jobs.serve import create_app
from tests.io.test_load import publish
from tests.warehouses import fill

PAGE = (Path(__file__).parents[1] / "docs" / "coming-from-modelops.md").read_text("utf-8")
SQL = re.findall(r"^```sql\n-- ([a-zA-Z ]+?)(?:: refused, ([^\n]+))?\n(.*?)^```", PAGE, re.M | re.S)
SHELL = [line for block in re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S) for line in block.splitlines()]


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def attempt(url, statement, refused):
    """Run a statement of the page and take it back."""
    with psycopg.connect(url) as connection:
        if refused:
            with pytest.raises(psycopg.Error, match=re.escape(refused)):
                connection.execute(statement.encode())
        else:
            connection.execute(statement.encode())
        connection.rollback()


def test_every_statement_runs_or_is_refused_as_the_page_says(warehouse, results, tmp_path):
    fill(warehouse)
    publish(results, tmp_path)
    tried = [(kind, refused, text) for kind, refused, text in SQL if kind in ("warehouse", "results")]
    assert len(tried) == PAGE.count("```sql") - PAGE.count("-- warehouse with PostGIS")
    for kind, refused, text in tried:
        attempt(warehouse if kind == "warehouse" else results, text, refused)


def test_every_command_has_the_options_that_the_page_gives_it(capsys):
    commands = [shlex.split(line) for line in SHELL if line.startswith("python -m")]
    commands += [words.split() for words in re.findall(r"`python -m ([^`]+)`", PAGE)]
    tried = set()
    for words in commands:
        words = words[2:] if words[0] == "python" else words
        module = importlib.import_module(words[0])
        with pytest.raises(SystemExit) as ended:
            module.main(["--help"])
        told = capsys.readouterr().out
        assert ended.value.code == 0
        for option in (word for word in words if word.startswith("--")):
            assert option in told, words
        tried.add(words[0])
    assert {"jobs.listen", "jobs.trigger", "jobs.etl", "jobs.report"} <= tried


def test_every_route_of_the_second_column_is_there():
    routes = {(method.upper(), path) for path, methods in create_app().openapi()["paths"].items() for method in methods}
    told = re.findall(r"`(GET|POST) ([^`]+)`", section("Endpoints"))
    assert len(told) > 15
    assert set(told) <= routes


def test_every_setting_is_one():
    names = set(re.findall(r"`([A-Z_]+)`", section("Settings")))
    assert {"DW_URL", "BLOCK_CELLS", "SCHEDULE_TIMEZONE", "BATCH_SIZE"} <= names
    assert {name.lower() for name in names - {"NUMBA_NUM_THREADS"}} <= set(Settings.model_fields)


def test_the_figures_of_the_worked_examples():
    page = section("Worked examples that do not follow their own formulas")
    factor = 0.9 + 0.2 * 65 / 100
    final = 0.0012 * factor * 0.3
    assert f"{100 * final:.4f} %, {round(final * 5e10):,} KRW" in page
    assert f"{100 * 0.0012 * 1.05 * 0.3:.4f} %, {round(0.0012 * 1.05 * 0.3 * 5e10):,} KRW" in page
    assert f"{100 * 0.60 * 0.65 * 65 / 100:.2f} (`risk_score`" in page
    assert f"{100 * (0.60 * 0.70 * 65 / 100) ** (1 / 3):.2f}, high" in page
    assert f"{0.85 * 0.72:.3f}" in page
    assert f"{10 + 40 * 5 // 9} after 5 of 9" in page
    assert f"{451_351 * 960:,} with ocean cells" in page


@pytest.mark.skipif(shutil.which("psql") is None, reason="no psql here")
def test_the_line_for_notify_is_heard_while_its_session_is_there(results):
    [line] = [line for line in SHELL if line.startswith("psql")]
    with psycopg.connect(results, autocommit=True) as connection:
        connection.execute("LISTEN aiops_trigger")
        sender = subprocess.Popen(["psql", results, *shlex.split(line)[2:]], stdout=subprocess.DEVNULL)
        [heard] = connection.notifies(timeout=30, stop_after=1)
        there = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (heard.pid,)).fetchone()
        connection.execute("SELECT pg_terminate_backend(%s)", (heard.pid,))
        sender.wait()
    assert (heard.payload, there) == ("probability", (1,))
