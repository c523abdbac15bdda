import json

import numpy as np
import polars as pl
import pytest

from engine.core.errors import SchemaError
from engine.io.results import result_tables
from engine.io.results.result_tables import BinStyle, bin_data, read_rows, to_rows
from engine.io.results.sink import WRITES
from engine.io.results.spool import RunDirectory
from tests.io import frames

OF_RUNS = {name: result_tables.TABLES[name] for name in WRITES["yearly"]}


def record(edges, shares, style):
    lists = pl.Series([edges], dtype=pl.List(pl.Float64)), pl.Series([shares], dtype=pl.List(pl.Float32))
    return json.loads(bin_data(*lists, style)[0])


def ranges(edges, style):
    m = len(style.damage_rates)
    return [entry["range"] for entry in record(edges, [1.0 / m] * m, style)]


def test_the_bin_record_has_the_published_shape():
    assert record([3.0, 8.0], [0.8, 0.15, 0.05], BinStyle((0.001, 0.003, 0.01), lower=0.0)) == [
        {"bin": 1, "range": "0~3", "probability": 0.8, "base_damage_rate": 0.001},
        {"bin": 2, "range": "3~8", "probability": 0.15, "base_damage_rate": 0.003},
        {"bin": 3, "range": "8~inf", "probability": 0.05, "base_damage_rate": 0.01},
    ]


@pytest.mark.parametrize(
    ("edges", "style", "expected"),
    [
        ([0.5, 1.0], BinStyle((0.0, 0.1, 0.2)), ["-inf~0.5", "0.5~1", "1~inf"]),
        ([0.5, 1.0, 2.0], BinStyle((0.0, 0.1, 0.2, 0.3), negated=True), ["-0.5~inf", "-1~-0.5", "-2~-1", "-inf~-2"]),
        ([0.0, 0.3], BinStyle((0.0, 0.1, 0.2), lower=0.0), ["0~0", "0~0.3", "0.3~inf"]),
        ([12.34567, 123456.0], BinStyle((0.0, 0.1, 0.2), lower=0.0), ["0~12.35", "12.35~1.235e+05", "1.235e+05~inf"]),
        ([0.0], BinStyle((0.0, 0.1), negated=True), ["0~inf", "-inf~0"]),
    ],
)
def test_ranges_say_where_the_bins_lie(edges, style, expected):
    assert ranges(edges, style) == expected


def test_the_text_matches_a_record_written_row_by_row():
    frame = frames.block(range(1, 200))["probability"].filter(risk_type="extreme_heat")
    rates = frames.STYLES["extreme_heat"].damage_rates

    def naive(edges, shares):
        if shares is None:
            return None
        limits = ["0", *(f"{edge:.4g}" for edge in edges), "inf"]
        return [
            {"bin": i + 1, "range": f"{limits[i]}~{limits[i + 1]}", "probability": round(p, 4), "base_damage_rate": r}
            for i, (p, r) in enumerate(zip(shares, rates, strict=True))
        ]

    texts = bin_data(frame["edges"], frame["bin_probs"], frames.STYLES["extreme_heat"])
    expected = [naive(*row) for row in frame.select("edges", "bin_probs").iter_rows()]
    assert [text and json.loads(text) for text in texts] == expected
    assert texts.null_count() > 0


def test_a_row_with_another_number_of_bins_is_refused_with_a_count():
    shares = pl.Series([[0.5, 0.5], [0.2, 0.3, 0.5]], dtype=pl.List(pl.Float32))
    edges = pl.Series([[1.0], [1.0]], dtype=pl.List(pl.Float64))
    with pytest.raises(SchemaError, match="1 of 2 rows does not have 2 bins and 1 edges"):
        bin_data(edges, shares, BinStyle((0.0, 0.1)))


def hazard(scores):
    n = len(scores)
    cells = {"grid_id": range(n), "latitude": [33.0] * n, "longitude": [125.0] * n}
    return pl.DataFrame({**cells, "hazard_score": pl.Series(scores, dtype=pl.Float32)})


@pytest.mark.parametrize(
    ("score", "level"),
    [(0.0, "MINIMAL"), (0.19994, "MINIMAL"), (0.19999, "LOW"), (0.2, "LOW"), (0.4, "MEDIUM"), (0.6, "HIGH"), (0.79,
    "HIGH"),
     (0.8, "CRITICAL"), (1.0, "CRITICAL")],
)  # fmt: skip
def test_a_level_starts_at_its_lower_limit(score, level):
    row = to_rows(result_tables.HAZARD, hazard([score]), "drought", 7, {})
    assert row["hazard_level"].to_list() == [level]
    assert row["hazard_score_100"][0] == pytest.approx(100 * score, rel=1e-6)


def test_stored_digits_are_rounded_half_to_even():
    block = pl.DataFrame(
        {
            "grid_id": [1, 2],
            "scenario_id": [2, 2],
            "time_period": ["mid_term"] * 2,
            "hazard_score": pl.Series([0.03125, 0.09375], dtype=pl.Float32),  # exact halves in binary
            "percentile": [0.125, 0.375],
        }
    )
    rows = to_rows(result_tables.HAZARD_SCORES, block, "drought", 7, {})
    np.testing.assert_array_equal(rows["score"], [0.0312, 0.0938])
    np.testing.assert_array_equal(rows["percentile"], [0.12, 0.38])


def test_the_result_tables_hold_the_default_scenario_and_the_detail_tables_the_windows(tmp_path):
    run = frames.spooled(tmp_path, 1)
    made = {
        name: pl.concat(read_rows(run, table, "drought", frames.STYLES, ranked=True)) for name, table in OF_RUNS.items()
    }
    assert made["probability_results"].height == 60
    assert made["modelops_probability_scores"].height == 60 * 12
    assert set(made["modelops_hazard_scores"]["time_period"]) == {"short_term", "mid_term", "long_term"}
    for name, table in OF_RUNS.items():
        assert made[name].schema == table.columns


def test_part_of_a_grid_has_no_percentiles(tmp_path):
    run = frames.spooled_part(tmp_path, 1)
    rows = pl.concat(read_rows(run, result_tables.HAZARD_SCORES, "drought", {}, ranked=False))
    assert rows.height > 0
    assert rows["percentile"].null_count() == rows.height


@pytest.mark.parametrize("risk", frames.RISKS)
def test_a_block_without_a_scored_cell_gives_no_rows(tmp_path, risk):
    run = RunDirectory.create(tmp_path, 1, frames.IDENTITY, frames.BLOCKS[:2])
    empty = {name: frame.clear() for name, frame in frames.block(frames.CELLS[0]).items()}
    run.commit(run.store_block(0, empty))
    run.commit(run.store_block(1, frames.block(frames.CELLS[1])))
    for table in OF_RUNS.values():
        assert [frame.height > 0 for frame in read_rows(run, table, risk, frames.STYLES, ranked=False)] == [False, True]


def test_a_risk_that_is_not_priced_has_bins_without_a_damage_rate():
    style = BinStyle((None, None), lower=0.0)
    [text] = bin_data(pl.Series([[3.0]]), pl.Series([[0.75, 0.25]], dtype=pl.List(pl.Float32)), style)
    assert [each["base_damage_rate"] for each in json.loads(text)] == [None, None]
    assert [each["probability"] for each in json.loads(text)] == [0.75, 0.25]
