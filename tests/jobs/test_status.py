"""How things stand: from a database, from files, and of one job."""

import json

import psycopg
import pytest

from engine.core.settings import Settings
from engine.io.queue import batch_jobs
from engine.io.results.spool import RunDirectory
from jobs import status
from tests.io import frames
from tests.io.test_load import publish


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def told(capsys, *arguments):
    assert status.main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("kind", ["database", "files"])
def test_what_is_published_by_which_run_and_how_much(request, tmp_path, capsys, kind):
    sink = str(tmp_path / "out") if kind == "files" else request.getfixturevalue("results")
    publish(sink, tmp_path / "runs")
    publish(sink, tmp_path / "runs", 1)
    RunDirectory.create(tmp_path / "runs", 3, frames.IDENTITY, frames.BLOCKS)  # killed before its first block
    found = told(capsys, "--sink", sink)
    assert [(run["run_id"], run["status"], run["processed_grids"]) for run in found["sink"]["runs"]] == [
        (2, "completed", 60),
        (1, "completed", 60),
    ]
    held = [row for row in found["sink"]["published"] if row["table"] == "probability_results"]
    assert [(row["risk_type"], row["run_id"], row["rows"]) for row in held] == [
        ("drought", 2, 60),
        ("extreme_heat", 2, 60),
    ]
    assert held[0]["edition"] == "2025-11"
    assert 0 <= held[0]["age_days"] < 1
    rows = {table["table"]: table["rows"] for table in found["sink"]["tables"]}
    assert rows["modelops_probability_scores"] == 60 * 2 * 12
    assert [run["missing_blocks"] for run in found["runs"]["runs"]] == [0, 0, 3]
    assert status.main(["--sink", sink]) == 0
    said = capsys.readouterr().out
    assert "run 3 is unfinished: 3 of 3 blocks missing" in said
    assert "drought" in said


def test_one_job(results, capsys, caplog):
    with psycopg.connect(results, autocommit=True) as connection:
        job = batch_jobs.create(connection, batch_jobs.SITE, {"latitude": 37.5})
    assert told(capsys, str(job), "--sink", results)["status"] == "queued"
    assert status.main([str(job), "--sink", results]) == 0
    assert "status: queued" in capsys.readouterr().out
    assert status.main(["00000000-0000-0000-0000-000000000000", "--sink", results]) == 2
    assert "no job 00000000" in caplog.messages[-1]


def test_a_warehouse_that_no_loader_filled_says_so(results, new_database, capsys):
    assert status.main(["--sink", results, "--warehouse", new_database("")]) == 0
    said = capsys.readouterr().out
    assert "nothing is published" in said
    assert "0 published loads" in said
