"""jobs.export from a database, a directory of results and a run directory."""

import polars as pl
import pytest

from engine.core.settings import Settings
from jobs import export
from tests.io.test_load import publish


@pytest.fixture
def home(tmp_path, monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_database_directory_and_run_write_the_same_rows(home, results, capsys):
    for sink in (results, str(home / "out")):
        publish(sink, home / "runs", 1)
    for name, words in (
        ("a", ["--sink", results]),
        ("b", ["--run", "out"]),
        ("c", ["--run", "runs/1"]),
        ("d", ["--run", "1", "--run-dir", "runs"]),
    ):
        assert export.main([*words, "--to", name, "--format", "csv", "--risks", "drought"]) == 0
    told = [pl.read_csv(home / f"{name}/drought.csv") for name in "abcd"]
    assert told[0].height > 13 * 50
    assert all(told[0].equals(each) for each in told[1:])
    assert "job=export format=csv run=1 risks=1 layers=13 cells=60" in capsys.readouterr().out
    assert export.main(["--run", "out", "--to", "b", "--format", "csv", "--risks", "drought"]) == 0
    assert "holds this export already" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--run", "out", "--sink", "out", "--to", "x", "--format", "csv"], "--run out is a folder: leave --sink out"),
        (["--run", "out", "--to", "x", "--format", "geoparket"], "did you mean geoparquet?"),
        (["--run", "out", "--to", "runs", "--format", "csv"], "holds files that are no export"),
        (["--run", "9", "--run-dir", "runs", "--to", "x", "--format", "csv"], "no run 9 under runs; there: 1"),
        (["--run", "nowhere", "--to", "x", "--format", "csv"], "--run nowhere does not exist"),
        (["--run", "runs", "--to", "x", "--format", "csv"], "runs holds no published results"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_a_sentence(home, caplog, words, sentence):
    publish(str(home / "out"), home / "runs", 1)
    assert export.main(words) == 2
    assert sentence in caplog.text
    assert not (home / "x").exists()
