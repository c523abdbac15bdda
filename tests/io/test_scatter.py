"""Placing rows: what the server sends against the same idea written as a dictionary."""

from __future__ import annotations

from datetime import date

import numpy as np
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import SchemaError, SourceError
from engine.core.period import Years
from engine.io.climate import scatter

AXIS = Years(2023, 2024)
CELLS = [3, 4, 9, 40]
EPOCH = date(2000, 1, 1)
months = st.builds(date, st.integers(1999, 2025), st.integers(1, 12), st.sampled_from([1, 1, 1, 2, 31 - 3]))
values = st.none() | st.floats(width=32)
rows = st.lists(st.tuples(st.sampled_from([*CELLS, *CELLS, 1, 5, 99, None]), st.none() | months, values, values))


@pytest.fixture(scope="module")
def connection(server):
    with psycopg.connect(server.create("scatter"), autocommit=True) as opened:
        opened.execute("CREATE TEMP TABLE found (place serial, grid_id int, day date, a real, b real)")
        yield opened


def placed(connection, query):
    filled, out = np.zeros(len(CELLS) * 24, np.bool_), np.full((2, len(CELLS) * 24), np.nan, np.float32)
    calendar = scatter.calendar(AXIS, 12)
    return scatter.place(connection, query, np.array(CELLS, np.int32), *calendar, filled, out), filled, out


def naive(found):
    """slot -> last row; rows off the time axis; duplicate rows."""
    slots, off_axis, duplicates = {}, 0, 0
    for number, (cell, day, *_) in enumerate(found):
        if cell not in CELLS:
            continue
        if day is None or day.day != 1 or not AXIS.first <= day.year <= AXIS.last:
            off_axis += 1
            continue
        slot = CELLS.index(cell) * 24 + (day.year - AXIS.first) * 12 + day.month - 1
        duplicates += slot in slots
        slots[slot] = number
    return slots, off_axis, duplicates


@settings(max_examples=60)
@given(found=rows)
def test_every_row_finds_its_slot_or_is_counted(connection, found):
    connection.execute("TRUNCATE found RESTART IDENTITY")
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO found (grid_id, day, a, b) VALUES (%s, %s, %s, %s)", found)
    counts, filled, out = placed(connection, "SELECT grid_id, day, a, b FROM found ORDER BY place")
    slots, off_axis, duplicates = naive(found)
    assert counts == (len(slots) + duplicates, off_axis, duplicates)
    assert set(np.flatnonzero(filled)) == set(slots)
    expected = np.full_like(out, np.nan)
    for slot, number in slots.items():
        expected[:, slot] = [np.nan if value is None else value for value in found[number][2:]]
    np.testing.assert_array_equal(out, expected)


def test_a_large_read_comes_whole(connection):
    # many messages, in an order that changes the cell with every row
    query = """SELECT (ARRAY[3, 4, 9, 40])[1 + i % 4], ('2023-01-01'::date + (i / 4) * interval '1 month')::date,
               i::real, -i::real FROM generate_series(0, 95) AS s (i), generate_series(1, 500)"""
    counts, filled, out = placed(connection, query)
    assert counts == (48_000, 0, 96 * 499)
    assert filled.all()
    np.testing.assert_array_equal(out[0].reshape(4, 24).T.ravel(), np.arange(96))
    np.testing.assert_array_equal(out[1], -out[0])


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 3, '2023-01-01'::date, 1::float8, 1::real",
        "SELECT 3, '2023-01-01'::date, 1::real",
        "SELECT 3, '2023-01-01'::timestamp, 1::real, 1::real",
        "SELECT 3, repeat('x', 9000), 1::real, 1::real",
    ],
)
def test_rows_of_another_form_are_refused(server, query):
    with (
        psycopg.connect(server.url("postgres")) as own,
        pytest.raises(SchemaError, match="not two integers and 2 floats"),
    ):
        placed(own, query)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("SELECT nothing FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT 3, '2023-01-01'::date, (1 / (g - 300))::real, 0::real FROM generate_series(1, 999) g", "by zero"),
    ],
)
def test_a_query_that_fails_is_told_and_the_connection_goes_on(connection, query, why):
    with pytest.raises(SourceError, match=why):
        placed(connection, query)
    assert connection.execute("SELECT 1").fetchone() == (1,)


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
