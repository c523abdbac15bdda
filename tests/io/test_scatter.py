"""Placing rows: the kernel against the same idea written as a dictionary."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.io import scatter
from engine.period import Years

AXIS = Years(2023, 2024)
CELLS = [3, 4, 9, 40]
EPOCH = date(1970, 1, 1)
months = st.builds(date, st.integers(2022, 2025), st.integers(1, 12), st.sampled_from([1, 1, 1, 2, 31 - 3]))
rows = st.lists(st.tuples(st.sampled_from([*CELLS, 1, 5, 99]), months), max_size=80)


def naive(found):
    """slot -> last row; strays and doubled rows."""
    slots, strays, doubled = {}, 0, 0
    for number, (cell, day) in enumerate(found):
        if cell not in CELLS:
            continue
        if day.day != 1 or not AXIS.first <= day.year <= AXIS.last:
            strays += 1
            continue
        slot = CELLS.index(cell) * 24 + (day.year - AXIS.first) * 12 + day.month - 1
        doubled += slot in slots
        slots[slot] = number
    return slots, strays, doubled


@settings(deadline=None)  # the first example pays for the compiler
@given(rows)
def test_every_row_finds_its_slot_or_is_counted(found):
    first, calendar = scatter.calendar(AXIS, 12)
    cells = scatter.read_only(np.array(CELLS, np.int32))
    grid_id = scatter.read_only(np.array([cell for cell, _ in found], np.int32))
    days = scatter.read_only(np.array([(day - EPOCH).days for _, day in found], np.int32))
    filled, slots = np.zeros(len(CELLS) * 24, np.bool_), np.empty(len(found), np.int32)
    strays, doubled = scatter.locate(cells, grid_id, days, first, calendar, 24, filled, slots)
    out = np.full(len(filled), np.nan, np.float32)
    scatter.put(slots, np.arange(len(found), dtype=np.float32), out)
    expected, *counts = naive(found)
    assert [strays, doubled] == counts
    assert dict(zip(np.flatnonzero(filled), out[filled], strict=True)) == expected
    assert np.isnan(out[~filled]).all()


@pytest.mark.parametrize(
    ("steps", "key", "step"), [(1, 2023, 0), (1, 2024, 1), (12, (date(2024, 3, 1) - EPOCH).days, 14)]
)
def test_a_calendar_numbers_the_steps_of_the_axis(steps, key, step):
    first, calendar = scatter.calendar(AXIS, steps)
    assert calendar[key - first] == step
    assert (calendar >= 0).sum() == AXIS.n * steps


def test_the_days_between_two_months_are_no_steps():
    first, calendar = scatter.calendar(AXIS, 12)
    assert calendar[(date(2024, 2, 29) - EPOCH).days - first] == -1
    assert first + len(calendar) - 1 == (date(2024, 12, 1) - EPOCH).days
