"""Advice on settings: every knob is tried with the same results, and only what is faster is advised."""

from __future__ import annotations

import inspect
import json
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest

from benchmarks import scratch, tune, tune_trial
from benchmarks.__main__ import main
from benchmarks.tune import Knob
from engine.core import settings
from engine.core.errors import SettingsError
from engine.io.climate import snapshot
from engine.sample.national import NationalClimate
from tests.sample.test_national import JEJU


def trial(rate, gib=1.0, checksum="a"):
    return {"done": 100 * rate, "seconds": 100.0, "gib": gib, "stages": {}, "checksum": checksum}


def test_a_setting_stays_unless_another_is_faster_by_more_than_the_noise():
    assert tune.recommended({2: trial(100), 4: trial(96), 8: trial(104)}, now=2) == 2
    assert tune.recommended({2: trial(100), 4: trial(96), 8: trial(106)}, now=2) == 8


def test_of_the_fastest_the_one_with_the_least_memory_is_advised():
    assert tune.recommended({1: trial(50), 2: trial(99, 2.0), 4: trial(100, 3.0), 8: trial(101, 1.5)}, now=1) == 8


def test_a_knob_that_changes_a_result_ends_the_sweep(monkeypatch):
    answers = iter([trial(9), trial(9), trial(9), trial(9, checksum="b")])
    monkeypatch.setattr(tune, "apart", lambda _: next(answers))
    with pytest.raises(AssertionError, match="BLOCK_CELLS=2 changes the results"):
        tune.sweep(Knob(name="BLOCK_CELLS", unit="cells", now=2, trials={1: {}, 2: {}}), rounds=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Three cells of Jeju: the country's take twenty seconds to make."""
    folder = tmp_path_factory.mktemp("store")
    with closing(NationalClimate(3, grid=JEJU)) as source:
        snapshot.write(source, folder)
    return folder


def test_two_values_of_a_knob_over_a_store_give_a_table_and_lines_for_env(tmp_path, store, server, monkeypatch, capsys):
    @contextmanager
    def running(_):
        yield server

    def apart(asked):
        capsys.readouterr()
        assert tune_trial.main(json.dumps(asked)) == 0
        return json.loads(capsys.readouterr().out)

    said = []
    monkeypatch.setattr(scratch, "server", running)
    monkeypatch.setattr(tune, "apart", apart)  # what it compiles is compiled already
    monkeypatch.setattr(tune, "print", lambda *words, **_: said.append(words[0]), raising=False)
    monkeypatch.setattr(tune, "TRIED", {**tune.TRIED, "BLOCK_CELLS": (1,), "BATCH_SIZE": (7,)})
    monkeypatch.setattr(tune, "PORTFOLIOS", 2)
    monkeypatch.setenv("BLOCK_CELLS", "3")
    asked = ["--store", str(store), "--cells", "3", "--sites", "20", "--rounds", "1", "--scratch", str(tmp_path)]
    knobs = ["BLOCK_CELLS", "BATCH_SIZE"]
    assert main(["tune", *asked, "--out", str(tmp_path), "--only", *knobs]) == 0
    rows = [json.loads(line) for line in (tmp_path / "tune.jsonl").read_text().splitlines()]
    assert {row["setting"] for row in rows} == set(knobs)
    for name in knobs:
        mine = [row for row in rows if row["setting"] == name]
        assert len(mine) == 2
        assert len({row["checksum"] for row in mine}) == 1
        assert sum("(now)" in row["value"] for row in mine) == sum("<-" in row["value"] for row in mine) == 1
    advice = said[-1].splitlines()
    assert advice[0] == "# for .env"
    assert {line.partition("=")[0] for line in advice[1:] if line} == set(knobs)


def test_a_setting_that_tune_does_not_know_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match=r"no setting BLOCKS; it has ETL_WORKERS, .*, COMPUTE_THREADS"):
        main(["tune", "--only", "BLOCKS", "--scratch", str(tmp_path)])


def test_every_setting_that_tune_sweeps_is_made_when_it_is_wanted(monkeypatch):
    """Each by itself, over places that are only names."""
    places = SimpleNamespace(
        source="s", cells=8_000, results="r", loaded=("w", "f"), country="c", assessed=("a", "p"), runs="runs"
    )
    config = settings.Settings(_env_file=None)
    for name in (*tune.TRIED, "COMPUTE_THREADS"):
        (knob,) = tune.knobs(places, config, [name])
        parameters = inspect.signature(tune_trial.KINDS[next(iter(knob.trials.values()))["kind"]]).parameters
        assert knob.name == name
        assert knob.now in knob.trials
        assert all(trial.keys() - {"kind"} == set(parameters) for trial in knob.trials.values())
        assert len({json.dumps(trial) for trial in knob.trials.values()}) == len(knob.trials)
