"""What a job says on its way: no rate counts the time before the cells are computed."""

import logging
import os
import signal
import subprocess
import sys

import pytest
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from engine.core.language import of_environment
from engine.core.settings import Settings
from jobs import _bar, _console, _options


@pytest.fixture
def clock(monkeypatch):
    """Seconds, moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(_console.time, "monotonic", lambda: now[0])
    return now


def test_the_rate_of_the_lines_counts_from_the_latest_announcement(clock, caplog):
    caplog.set_level(logging.INFO)
    lines = _console._Lines("yearly")
    lines(100, 1000)  # a run that goes on
    lines.announce("compiling kernels, once for this version")
    clock[0] += 60
    lines.announce("computing")
    clock[0] += 20
    lines(300, 1000)
    assert caplog.messages == [
        "yearly: compiling kernels, once for this version",
        "yearly: computing",
        "yearly: 300 of 1000 cells, 10 cells/s, 70 s left",
    ]


def test_the_bar_keeps_its_cells_and_restarts_its_clock():
    now = [0.0]
    with Progress(console=Console(quiet=True), get_time=lambda: now[0], auto_refresh=False) as progress:
        bar = _bar.CellBar(progress, "yearly", _console.go_on)
        bar(100, 1000)
        bar.announce("compiling kernels, once for this version")
        now[0] = 60.0
        bar.announce("computing")
        task = progress.tasks[0]
        assert (task.description, task.completed, task.total, task.elapsed) == ("yearly: computing", 100, 1000, 0.0)
        for now[0] in (70.0, 80.0):
            bar(100 + int(now[0] - 60) * 10, 1000)
        assert task.speed == 10.0


def test_help_and_the_package_import_neither_numba_nor_polars():
    heavy = "{'numba', 'polars', 'pyarrow', 'scipy', 'xarray', 'psycopg', 'pandas'} & set(sys.modules)"
    script = (
        "import sys, engine\n"
        f"assert not {heavy}, {heavy}\n"
        "from jobs import yearly\n"
        "try:\n    yearly.main(['--help'])\nexcept SystemExit as done:\n    assert done.code == 0\n"
        f"assert not {heavy}, {heavy}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--resume RUN_ID" in done.stdout


def test_a_signal_that_python_drops_stops_the_job_at_its_next_step(caplog):
    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)  # what is raised in here is forgotten

    steps = []

    def work():
        lines = _console._Lines("derive")
        for step in range(3):
            lines(step, 3)
            steps.append(step)
            Dropping()
        return _console.COMPLETE

    assert _console.exit_code(work, stopped="nothing was written") == _console.INTERRUPTED
    assert steps == [0]
    assert "interrupted: nothing was written" in caplog.text


@pytest.mark.parametrize(
    ("environment", "words", "said"),
    [
        ({}, [], "refused: --sites needs --out, the folder of the results"),
        ({"LC_ALL": "ko_KR.UTF-8"}, [], "거부됨: --sites에는 결과 폴더 --out이 필요합니다"),
        ({"LC_ALL": "ko_KR.UTF-8"}, ["--lang", "en"], "refused: --sites needs --out, the folder of the results"),
        ({}, ["--lang", "ko"], "거부됨: --sites에는 결과 폴더 --out이 필요합니다"),
        ({"LOG_FORMAT": "json"}, ["--lang", "ko"], "refused: --sites needs --out, the folder of the results"),
    ],
)
def test_a_refusal_is_in_the_language_of_the_reader_and_english_in_a_log_for_programs(
    environment, words, said, monkeypatch, tmp_path, capfd
):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE", *Settings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sites.csv").write_text("lat,lon\n")
    script = [sys.executable, "-m", "jobs.assess", "--sites", "sites.csv", *words]
    done = subprocess.run(script, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "INFO" in done.stderr


def test_the_language_of_a_job_holds_until_it_has_ended():
    parser = _console.Parser("assess", "Assess.")
    parser.parse_args(["--lang", "ko"])
    assert _options.language() == "ko"
    _options.release()
    assert _options.language() == of_environment(os.environ)


def test_tables_and_lines_are_printed_in_korean(monkeypatch, capsys):
    monkeypatch.setattr(_options, "language", lambda: "ko")
    table = Table(title="made of")
    table.add_column("risk")
    table.add_column("AAL %")
    table.add_row("river_flood", "1.2")
    out = _console.console()
    out.print(table)
    out.print("not computed: typhoon, missing api_typhoon_besttrack")
    text = capsys.readouterr().out
    assert all(word in text for word in ("수치의 구성", "위험", "AAL %", "하천 홍수", "1.2"))
    assert text.splitlines()[-1] == "미산출: 태풍, 없는 자료 api_typhoon_besttrack"
