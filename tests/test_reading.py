"""What figures carry so that they are not read for something else."""

import pytest

from engine.reading import scope_note, weakest_scope


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
    assert scope_note("observed") == "observed record"
    assert scope_note("sample:20") == "input of scope sample:20, not the whole warehouse"
    assert scope_note(None) == "input not known: no run is recorded"
