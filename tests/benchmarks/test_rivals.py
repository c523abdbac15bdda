"""The races on a few cells: what is installed with the engine is raced, agrees, and has its row; the rest is named."""

from __future__ import annotations

import json
import tomllib
from contextlib import contextmanager
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scratch
from benchmarks.harness import Options
from benchmarks.rivals import __main__ as child
from benchmarks.rivals import contest, drought, environment, estimator, etccdi, oasis, race, sites
from engine import losses
from engine.core.period import Years

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(tmp_path):
    return Options(cells=6, sites=3, years=80, rounds=1, scratch=tmp_path)


def test_the_estimator_beside_blocks_of_numpy_gives_the_same_probabilities(options, monkeypatch):
    monkeypatch.setattr(estimator, "BLOCK", 4)  # a whole block and a part of one
    alone, with_losses = estimator.race(options)
    assert alone["target"]
    assert not with_losses["target"]
    assert all(float(row["difference"]) <= estimator.TOLERANCE for row in (alone, with_losses))
    assert alone["ratio"] == pytest.approx(alone["rival, processor s"] / alone["ours, processor s"])


def test_the_etccdi_set_equals_xclims_in_every_number_and_says_where_it_does_not(options):
    held = etccdi.days(2, Years(2021, 2026), Years(2021, 2024))
    assert all(values.any() for values in etccdi.ours(held).values())  # spells, too
    rows = etccdi.contest(held, options)
    assert rows[0]["rival"].startswith("xclim")
    assert rows[0]["difference"] == "all equal"
    assert rows[1]["rival"] == "CDO"  # raced, or named
    mine = etccdi.ours(held)
    other = mine | {"cdd": mine["cdd"] + np.eye(2, 6) * 3}
    said, most = etccdi.compared(mine, other)
    assert most == 3.0
    assert said.endswith("cdd up to 3 in 16.67% of years")


def test_sites_beside_a_loop_have_a_row_a_rival(options):
    assert [row["rival"] for row in sites.race(options)] == [
        "plain Python, a site at a time",
        "assess_sites, a call a site",
    ]


def test_a_climate_table_is_loaded_with_the_same_rows_by_every_rival(options, server, monkeypatch):
    from benchmarks.rivals import databases

    @contextmanager
    def running(_):
        yield server

    monkeypatch.setattr(scratch, "server", running)
    rows = databases.race_loading(options)
    raced = [row["rival"] for row in rows if not row["remark"].startswith("not raced")]
    assert {"ADBC ingest", "psycopg COPY, row by row"} <= set(raced)
    assert {row["rival"] for row in rows} == {"ADBC ingest", "psycopg COPY, row by row", "DuckDB"}


def test_losses_at_a_rank_are_those_of_the_sorted_years(options):
    table = oasis.year_losses(3)
    average, by_rank = oasis.ours(table)
    np.testing.assert_array_equal(average, table.mean(axis=1))
    np.testing.assert_allclose(by_rank, -np.sort(-table, axis=1)[:, :40], rtol=1e-12)
    assert losses.curve_of(table[0], periods=[40.5])["loss"].item() == pytest.approx(by_rank[0, 1], rel=1e-12)


@pytest.mark.parametrize(("package", "contender"), [("oasislmf", oasis.race), ("climate_indices", drought.race)])
def test_a_rival_that_is_not_installed_has_a_row_that_says_so(options, monkeypatch, package, contender):
    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == package else found(name))
    (row,) = contender(options)
    assert row["remark"] == f"not raced: {package.replace('_', '-')} is not installed"
    assert row.keys() == contest.row(contest.Raced("r", "x", "", ""), contest.Took(1, 1), contest.Took(1, 1)).keys()


def test_processor_time_counts_children_and_not_waiting():
    import subprocess
    import sys
    import time

    work = [sys.executable, "-S", "-c", "sum(range(3_000_000))"]
    took, _ = contest.in_turn({"asleep": lambda: time.sleep(0.2), "child": lambda: subprocess.run(work, check=True)}, 1)
    assert took["asleep"].processor < 0.1 < took["asleep"].wall
    assert took["child"].processor > 0.01


def test_a_race_that_does_not_exist_is_refused_with_those_that_do(options, tmp_path):
    asked = {"cells": 6, "rounds": 1, "scratch": str(tmp_path), "only": ["spie"]}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    with pytest.raises(ValueError, match=f"no race spie; there are {', '.join(race.RACES)}"):
        child.main(tmp_path / "asked.json", tmp_path / "rows.json")


def test_an_environment_of_this_very_lock_is_not_made_again(tmp_path, monkeypatch):
    ran = []

    def run(command):
        ran.append([str(word) for word in command])
        return type("Done", (), {"returncode": int("--require-hashes" in command and len(ran) > 3)})

    monkeypatch.setattr(environment, "FOLDER", tmp_path)
    monkeypatch.setattr(environment.subprocess, "run", run)
    python = environment.install()
    assert python == tmp_path / "bin/python"
    assert [str(environment.LOCK) in command for command in ran] == [False, True, False]
    environment.install()
    assert len(ran) == 3
    (tmp_path / ".locked").write_text("of another day")
    with pytest.raises(OSError, match="the rivals cannot be installed"):
        environment.install()
    assert not (tmp_path / ".locked").exists()


def test_the_group_asks_for_every_package_that_a_race_imports():
    group = " ".join(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["rivals"])
    for package in ("climate-indices", "connectorx", "dask", "duckdb-extension-postgres", "flox", "oasislmf", "xclim"):
        assert package in group
