"""Kinds of rows, the tables made from them, and the notes beside them."""

import pytest

from engine.batch.notes import BlockNotes, total
from engine.core.rows import HALVES, KEY, ROWS
from engine.io.results.result_tables import MADE_BY, TABLES, parts_of, tables_of


def test_each_kind_of_rows_has_its_keys_and_a_table_that_is_made_from_it():
    assert {table.spooled for table in TABLES.values()} == set(ROWS) >= set(MADE_BY)
    for kind in ROWS.values():
        assert set(kind.key) | kind.nullable <= set(kind.schema)
        assert set(kind.key) <= set(KEY)
        assert not kind.nullable & set(kind.key)


def test_the_yearly_job_writes_the_tables_of_both_halves():
    halves = {job: set(tables_of(job)) for job in HALVES}
    assert halves["yearly"] | halves["ensemble"] == set(TABLES)
    assert not halves["yearly"] & halves["ensemble"]
    assert halves["probability"] | halves["hazard"] == halves["yearly"]
    assert not halves["probability"] & halves["hazard"]


@pytest.mark.parametrize(
    ("periods", "suffix"), [({"full"}, "_results"), ({"mid_term", "long_term"}, "_scores"), ({"full", "mid_term"}, "")]
)
def test_a_run_writes_the_tables_of_its_periods_and_of_the_halves_that_have_a_risk(periods, suffix):
    parts = parts_of({"probability": (), "hazard": ("drought",)}, periods)
    assert parts == {name: ["drought"] for name in tables_of("hazard") if name.endswith(suffix)}
    assert parts


def test_the_notes_of_a_run_are_those_of_its_blocks_added_up():
    blocks = [
        BlockNotes(cells=3, failed={"drought": "first"}, gaps={"ta": 1}, known={"typhoon": {"full": 2}},
                   checks={"damped": (1, 3)}, read_seconds=0.5),
        BlockNotes(cells=2, failed={"drought": "second"}, gaps={"ta": 2, "rn": 1}, known={"typhoon": {"full": 1}},
                   scored={"typhoon": {"full": 2}}, checks={"damped": (2, 2)}, read_seconds=0.25),
    ]  # fmt: skip
    assert total(BlockNotes.from_json(block.as_json()) for block in blocks) == BlockNotes(
        cells=5, failed={"drought": "first"}, gaps={"ta": 3, "rn": 1}, known={"typhoon": {"full": 3}},
        scored={"typhoon": {"full": 2}}, checks={"damped": (3, 5)}, read_seconds=0.75,
    )  # fmt: skip
    assert total(blocks[:1]) == blocks[0]  # and leaves the blocks' own as they were
