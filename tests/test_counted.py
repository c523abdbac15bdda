"""Counted nouns of messages."""

import numpy as np

from engine.core.counted import agree, counted, of_all


def test_one_is_singular_and_all_other_counts_are_plural_with_their_verb():
    assert [counted(n, "cell") for n in (0, 1, 2, 1500)] == ["0 cells", "1 cell", "2 cells", "1,500 cells"]
    assert counted(np.int64(1), "duplicate row") == "1 duplicate row"
    assert (counted(2, "loss"), of_all(1, 994, "cell"), of_all(1, 1, "cell")) == (
        "2 losses",
        "1 of 994 cells",
        "1 of 1 cell",
    )
    assert [agree(n, "has", "have") for n in (0, 1, 2)] == ["have", "has", "have"]
