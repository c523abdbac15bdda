"""A few damaged files of several loaders: none ends in a traceback or is taken for whole; and a fault would be seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks import fuzz
from benchmarks.fuzz import judge, phrases, words
from benchmarks.fuzz.cases import CASES
from benchmarks.fuzz.mutations import DAMAGES, EDITS, mutated
from engine.core.errors import SettingsError
from engine.io.files import vectors

SEED = 7


@pytest.mark.parametrize("name", ["admin, shapefile", "aqueduct", "land cover, masked", "regional, packed"])
def test_damaged_files_are_refused_or_told(server, tmp_path, name):
    bench = judge.Bench(server, CASES[name], tmp_path / "case")
    verdicts = [bench.judge(SEED, number) for number in range(5)]
    bench.close()
    assert not [verdict for verdict in verdicts if verdict.outcome in judge.FAULTS]
    assert judge.REFUSED in {verdict.outcome for verdict in verdicts}


def test_lost_structure_a_traceback_and_a_stop_of_the_others_are_faults(server, tmp_path, monkeypatch):
    bench = judge.Bench(server, CASES["admin, geojson"], tmp_path / "case")
    [path] = bench.files
    document = json.loads(path.read_bytes())
    fewer = json.dumps(document | {"features": document["features"][:-1]}).encode()
    assert bench.outcome_of(path, fewer, "lose_a_block") == (judge.LOST, "")
    assert bench.outcome_of(path, fewer, "odd_json") == (judge.PLAUSIBLE, "")
    assert bench.outcome_of(path, json.dumps(document, indent=1).encode(), "insert_noise") == (judge.EQUAL, "")
    outcome, said = bench.outcome_of(path, fewer[:-1], "cut")
    assert (outcome, "towns.geojson is not JSON" in said) == (judge.REFUSED, True)

    def raises(err):
        def read(path):
            raise err

        monkeypatch.setattr(vectors, "read_geojson", read)
        return bench.outcome_of(path, fewer, "cut")[0]

    assert raises(TypeError("ours")) == judge.TRACEBACK
    assert raises(SettingsError("exit code 2")) == judge.STOPS
    assert bench.state() == bench.sound
    bench.close()


def test_every_change_is_repeatable_and_takes_any_bytes():
    for change in (*DAMAGES, *EDITS):
        for raw in (b"", b"a", b"1,2\n3,4", bytes(1000), "가나,1".encode("cp949") * 50):
            assert change(raw, np.random.default_rng(1)) == change(raw, np.random.default_rng(1)), change.__name__
    assert mutated(b"1,2\n", "a.csv", np.random.default_rng(3)) == mutated(b"1,2\n", "a.csv", np.random.default_rng(3))


def test_every_case_gets_its_share():
    assert sum(fuzz.shares(2000, list(CASES)).values()) == 2000
    assert set(fuzz.shares(3, list(CASES)).values()) == {1}


@pytest.mark.parametrize("kind", words.KINDS)
def test_what_people_type_is_refused_in_a_sentence_or_taken(kind):
    verdicts = [*words.judged(kind, SEED, range(12))]
    assert [verdict for verdict in verdicts if verdict.outcome in words.FAULTS] == []
    assert words.REFUSED in {verdict.outcome for verdict in verdicts}


def test_a_fault_of_what_people_type_would_be_seen(monkeypatch):
    def outcome(raises):
        def load(_):
            raise raises

        monkeypatch.setattr("jobs._run.load_edition", load)
        return next(words.judged("editions", SEED, [0])).outcome

    assert outcome(TypeError("ours")) == words.TRACEBACK
    assert outcome(SettingsError("without a place")) == words.DUMP
    assert outcome(SettingsError("line 1: " + "long " * 999)) == words.REFUSED  # shortened where it is printed
    assert outcome(SettingsError(f"line 1: me;{phrases.SECRET}")) == words.SHOWN
