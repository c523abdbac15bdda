"""What figures carry so that they are not read for something else."""

import pytest

from engine.core.caveats import scope_note, weakest_scope
from engine.io.results import published_runs


@pytest.mark.parametrize(
    ("scopes", "weakest"),
    [
        ([], "full"),
        (["full", "observed"], "observed"),
        (["observed", "sample:20", "full"], "sample:20"),
        (["full", "synthetic", "sample:20"], "synthetic"),
        (["synthetic", "made up"], "made up"),
    ],
)
def test_the_weakest_input_decides_what_figures_are_of(scopes, weakest):
    assert weakest_scope(scopes) == weakest_scope(reversed(scopes)) == weakest


def test_only_figures_of_the_whole_warehouse_carry_no_note():
    assert scope_note("full") is None
    assert scope_note("synthetic") == "synthetic input: not a statement about any place"
    assert scope_note("observed") == "observed record, no projection: it is stored as scenario 2"
    assert scope_note("sample:20") == "input of scope sample:20, not the whole warehouse"
    assert scope_note(None) == "input not known: no run is recorded"


def test_rows_that_name_no_run_are_given_none_and_the_weakest_scope_there_is():
    known = {
        number: {"run_id": number, "scope": scope, "published_at": stamp}
        for number, scope, stamp in ((1, "synthetic", "2026-01-01"), (2, "full", "2026-02-01"), (3, "observed", None))
    }
    told = published_runs.RunsOfRows(known, [(7, 2, {"drought"})])
    assert [run["run_id"] for run in told.statement(7)["runs"]] == [2]
    assert told.statement(7)["scope"] == "full"
    for unknown in (told.statement(8), told.statement(7, ["typhoon"])):
        assert (unknown["runs"], unknown["scope"]) == ([], "synthetic")
