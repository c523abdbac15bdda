"""One score, one level, wherever it is read."""

import ast
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.assess.rules.integrate import integrated
from engine.core import levels
from engine.io.db import frames, postgres
from engine.io.results import published_cells
from engine.io.results import result_tables as tables
from engine.io.results.published_figures import HAZARD
from engine.report.figures import RiskFigures
from tests.report.test_figures import NOTHING

#: single-precision neighbours of where four decimals turn to the next level, and of the cuts themselves
EDGES = [
    float(np.float32(edge) + step * np.spacing(np.float32(edge)))
    for edge in (0.19995, 0.2, 0.39995, 0.59995, 0.6, 0.79995, 0.8)
    for step in (-2, -1, 0, 1, 2)
]


@given(score=st.floats(0, 1, width=32))
def test_the_place_of_a_number_is_the_word_of_a_column(score):
    frame = pl.DataFrame({"score": [score]})
    words = frame.select(levels.word(pl.col("score"), levels.HAZARD)).item()
    assert words == levels.HAZARD[levels.place(score)]
    assert levels.printed(words) == levels.PRINTED[levels.place(score)]


@pytest.mark.parametrize(
    ("score", "place"),
    [(0.0, 0), (0.19994, 0), (0.19999, 1), (0.2, 1), (0.599949, 2), (0.59996, 3), (0.8, 4), (1.0, 4)],
)
def test_a_level_is_decided_on_four_decimals_and_holds_its_lower_end(score, place):
    assert levels.place(score) == place


def test_spellings_lead_to_each_other_and_what_is_no_level_stays():
    for place in range(5):
        assert levels.older(levels.PRINTED[place]) == levels.OLDER[place]
        assert {levels.printed(each[place]) for each in (levels.PRINTED, levels.HAZARD, levels.OLDER)} == {
            levels.PRINTED[place]
        }
    assert (levels.older("unknown"), levels.older(None), levels.printed("unknown")) == ("unknown", None, "unknown")


@pytest.mark.parametrize("listed", [levels.CUTS, [cut / 100 for cut in levels.CUTS], levels.PRINTED, levels.OLDER])
def test_cuts_and_words_of_levels_are_listed_once(listed):
    """Also as the keys of a table."""
    root = Path(__file__).parents[1]
    for path in [*(root / "engine").rglob("*.py"), *(root / "jobs").rglob("*.py")]:
        source = path.read_text("utf-8")
        if not all(str(each) in source for each in listed):
            continue
        for node in ast.walk(ast.parse(source)):
            parts = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
            found = [part.value for part in parts if isinstance(part, ast.Constant)]
            here = path.relative_to(root).as_posix()
            assert found != [*listed] or here == "engine/core/levels.py", f"{here}:{node.lineno} lists levels"


def of_sites(url, cells_there, period):
    """Levels that an assessment gives sites in these cells."""
    ok = pl.DataFrame({"exposure_score": [0.5], "proximity_factor": [0.5], "vulnerability_score": [50.0]})
    ok = ok.with_columns(reason=pl.lit(None, pl.String))
    with postgres.connect(url) as connection:
        read = published_cells.scores(connection, HAZARD, cells_there, ["drought"], [(2, period)])
    hazards = read.sort("grid_id")["hazard_score"]
    site = pl.Series([0] * len(hazards))
    return integrated(site, ok, ok, hazards)["hazard_level"].cast(pl.String).to_list()


def test_a_score_near_a_cut_has_the_same_level_in_every_answer(results):
    n = len(EDGES)
    place = {"grid_id": range(1, n + 1), "latitude": [35.0 + i / 100 for i in range(n)], "longitude": [127.0] * n}
    keys = {"scenario_id": [2] * n, "time_period": ["mid_term"] * n}
    block = pl.DataFrame({**place, **keys, "hazard_score": pl.Series(EDGES, dtype=pl.Float32)})
    full = tables.to_rows(tables.HAZARD, block, "drought", 1, {})
    window = tables.to_rows(tables.HAZARD_SCORES, block, "drought", 1, {})
    with psycopg.connect(results) as connection:
        frames.copy(connection, "hazard_results", full.columns, full)
        frames.copy(connection, "modelops_hazard_scores", window.columns, window)
    stored = full["hazard_level"].to_list()
    assert len(set(stored)) == 5
    with psycopg.connect(results) as connection:
        for period in ("full", "mid_term"):
            answers = [
                published_cells.hazards(connection, cell, ["drought"], 2, period)["drought"] for cell in range(1, n + 1)
            ]
            assert [each.hazard_level for each in answers] == stored, period
    for period in ("full", "mid_term"):
        assert of_sites(results, block["grid_id"], period) == stored, period
    for row, level in zip(block.iter_slices(1), stored, strict=True):
        told = RiskFigures(
            risk="drought", probability=row.clear(), hazard=row, mean_bins=[], losses=NOTHING, scores=NOTHING
        )
        assert told.levels[levels.printed(level)] == 1
