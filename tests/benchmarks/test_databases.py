"""The benchmarks on two cells: they run, ours and the rivals agree, and the tables reach the page."""

from __future__ import annotations

import json
from contextlib import contextmanager

import numpy as np
import pytest

import jobs.yearly
from benchmarks import country, harness, readers, rehearsal, scratch, yearly
from benchmarks.__main__ import main
from engine.risks import load_edition


@pytest.fixture
def small(tmp_path, server, monkeypatch, capsys):
    """The test's server, and no process of its own for a run: what they compile is compiled already."""

    @contextmanager
    def running(_):
        yield server

    def apart(store, runs, cells):
        capsys.readouterr()
        assert rehearsal.main(["--store", str(store), "--runs", str(runs), "--cells", str(cells)]) == 0
        return json.loads(capsys.readouterr().out)

    def as_a_job(warehouse, results, home):
        with monkeypatch.context() as patch:
            for name, value in country.settings_of(warehouse, results, home).items():
                patch.setenv(name, value)
            patch.chdir(home)
            assert jobs.yearly.main(["--servers"]) == 0
        return country.ran(capsys.readouterr().out, 1.0, 0.5, None)

    monkeypatch.setattr(country, "apart", as_a_job)
    monkeypatch.setattr(yearly, "LOOP", {"closed form": 2})  # the other takes ten seconds a cell
    monkeypatch.setattr(scratch, "server", running)
    monkeypatch.setattr(rehearsal, "apart", apart)
    return tmp_path


def test_every_benchmark_runs_and_writes_its_rows(small):
    read = 2 * len(readers.here())
    for name, most in (
        ("etl", 4),
        ("read", read),
        ("load", 4),
        ("yearly", 1),
        ("country", 7),
        ("memory", 2),
        ("identity", 1),
        ("portfolio", 1),
        ("elsewhere", 1),
    ):
        assert (
            main([name, "--cells", "2", "--sites", "30", "--rounds", "1", "--scratch", str(small), "--out", str(small)])
            == 0
        )
        rows = [json.loads(line) for line in (small / f"{name}.jsonl").read_text().splitlines()]
        assert len(rows) == most, name
        assert {row["machine"]["cores"] for row in rows} == {harness.machine()["cores"]}


def test_the_two_ways_to_integrate_agree():
    x = np.random.default_rng(0).gamma(2.0, 5.0, 60)
    x[:20] = 0.0
    bins = load_edition("2025-11").bins["extreme_heat"]
    closed, integrated = (
        yearly.probabilities(x, np.array(bins.fallback), bins, mass) for mass in yearly.MASSES.values()
    )
    np.testing.assert_allclose(closed, integrated, atol=1e-8)
    assert closed.sum() == pytest.approx(1.0)


def test_a_run_is_read_from_what_it_printed_and_one_that_is_not_complete_is_refused():
    printed = (
        "stages (reading overlaps computing): read 125.9 s, load 50.9 s; wall 180.6 s\n"
        "job=yearly run=7 status=completed edition=e scope=s cells=97377 risks=9 missing=0 failed=0 methods=kde:1"
        " rows=23662611 sink=x seconds=180.6\n"
    )
    found = country.ran(printed, 182.0, 2.5, None)
    assert (found.run_id, found.cells, found.rows) == (7, 97377, 23662611)
    assert found.stages == {"read": 125.9, "load": 50.9}
    with pytest.raises(RuntimeError, match="did not end complete"):
        country.ran(printed.replace("status=completed", "status=partial"), 182.0, 2.5, None)


def test_a_table_replaces_the_one_that_stood_on_the_page(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- read -->\nold\n<!-- end of read -->\nafter\n")
    harness.into_readme("| new \\copy |", "read", page)
    assert page.read_text() == "before\n<!-- read -->\n| new \\copy |\n<!-- end of read -->\nafter\n"
    with pytest.raises(ValueError, match="no marks for load"):
        harness.into_readme("", "load", page)


def test_a_missed_target_is_named():
    assert harness.verdict(0.79, at_least=0.8) == ">= 0.8: MISSED"
    assert harness.verdict(3.9, at_most=4.0) == "<= 4: met"
