"""Year losses published and read back: the years of their run, in either sink, and of the newer of two runs."""

from __future__ import annotations

import struct
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest

from engine.core.errors import SchemaError, SettingsError
from engine.io import open_sink
from engine.io.results import year_loss_rows
from engine.io.results.result_tables import YEAR_LOSSES
from engine.io.results.sample_years import SCHEMA as YEARS_SCHEMA
from engine.io.results.spool import RunDirectory, canonical
from engine.io.results.year_losses import SCHEMA, read_sample_years, read_year_losses
from tests.io import frames

CELLS = [1, 3, 5, 7, 9]
SCENARIOS, PERIODS = (1, 2, 3, 4), ("full", "short_term", "mid_term", "long_term")


@pytest.fixture(params=["directory", "database"])
def target(request, results, tmp_path):
    return results if request.param == "database" else str(tmp_path / "out")


@contextmanager
def reader(target):
    if "://" not in target:
        yield Path(target)
        return
    with psycopg.connect(target) as connection:
        yield connection


def read(target, cells=CELLS, risks=frames.RISKS, scenarios=SCENARIOS, periods=PERIODS):
    with reader(target) as results:
        return read_year_losses(results, cells, risks, scenarios, periods)


def run_of(runs, run_id, seed=0, pairs=frames.PAIRS, cells=frames.CELLS[0], years=True):
    run = RunDirectory.create(runs, run_id, frames.IDENTITY, [(1, int(cells[-1]) + 1)])
    made = frames.block(cells, seed, pairs=pairs)
    if not years:
        made["year_losses"] = made["year_losses"].clear()
    run.commit(run.store_block(0, made))
    return run


def publish(target, runs, whole=True, samples=frames.SAMPLES, **options):
    """A life of a run; `samples`: what it says of its years."""
    styles = {risk: replace(style, years=samples) for risk, style in frames.STYLES.items()}
    with closing(open_sink(target)) as sink, sink.guard("yearly"):
        run = run_of(runs, sink.begin(frames.RECORD, runs), **options)
        sink.publish(run, frames.YEARLY, styles, whole_grid=whole, replaces=whole, summary={})
        sink.finish("completed", processed=30)
    return run


def naive(run, pairs=frames.PAIRS):
    """(cell, risk, scenario, period) -> (losses, shares), by lists."""
    found = {}
    for cell, risk, losses, valid in run.scan("year_losses", 0).collect().iter_rows():
        start = 0
        for scenario, period in pairs:
            end = start + len(frames.YEARS[period])
            share = valid[start:end] if valid else None
            found[cell, risk, scenario, period] = losses[start:end], None if set(share or [1]) == {1} else share
            start = end
    return found


def as_dict(frame):
    return {row[:4]: row[4:] for row in frame.iter_rows()}


def test_what_is_read_is_what_was_computed(target, tmp_path):
    run = publish(target, tmp_path / "runs")
    found = read(target)
    assert found.schema == SCHEMA
    assert as_dict(found) == {key: value for key, value in naive(run).items() if key[0] in CELLS}
    some = read(target, [5, 999], ["drought"], [2], ["mid_term", "full"])
    assert some.height == 2
    assert as_dict(some).items() <= as_dict(found).items()
    assert read(target, []).is_empty()


def test_the_years_are_told_once_a_risk_scenario_and_period(target, tmp_path):
    publish(target, tmp_path / "runs")
    with reader(target) as results:
        years = read_sample_years(results, ["drought"])
    assert years.schema == YEARS_SCHEMA
    assert {row[1:3]: tuple(row[4]) for row in years.iter_rows()} == {(s, p): y for s, p, y in frames.SAMPLES}
    assert years.sort("place").select("scenario_id", "time_period").rows() == frames.PAIRS


def test_of_two_rows_of_a_cell_the_newer_run_counts(target, tmp_path):
    first = publish(target, tmp_path / "runs")
    some = [(2, "mid_term"), (3, "long_term")]
    part = publish(
        target, tmp_path / "runs", whole=False, seed=5, pairs=some, cells=frames.CELLS[0][:3],
        samples=tuple((s, p, frames.YEARS[p]) for s, p in some),
    )  # fmt: skip
    expected = naive(first) | naive(part, some)
    assert as_dict(read(target)) == {key: value for key, value in expected.items() if key[0] in CELLS}
    third = publish(target, tmp_path / "runs", whole=False, seed=6, cells=frames.CELLS[0][:2])
    expected |= naive(third)
    assert as_dict(read(target)) == {key: value for key, value in expected.items() if key[0] in CELLS}
    # what the third run has in full of its two cells is not kept twice
    name = "modelops_year_losses"
    if "://" in target:
        with psycopg.connect(target) as connection:
            rows = connection.execute(f"SELECT grid_id, run_id FROM {name} WHERE risk_type = 'drought'").fetchall()
    else:
        rows = pl.read_parquet(Path(target) / f"{name}.parquet").filter(risk_type="drought").select("grid_id", "run_id")
        rows = rows.rows()
    assert sorted(row for row in rows if row[0] <= 7) == [(1, 3), (3, 3), (5, 1), (5, 2), (7, 1)]


def test_part_of_a_grid_on_other_years_is_refused(target, tmp_path):
    publish(target, tmp_path / "runs")
    before = as_dict(read(target))
    shifted = tuple((s, p, tuple(year + 1 for year in years)) for s, p, years in frames.SAMPLES)
    with pytest.raises(SettingsError, match=r"published by run 1 on other sample years of scenario 1, long_term"):
        publish(target, tmp_path / "runs", whole=False, samples=shifted)
    assert as_dict(read(target)) == before


def test_a_run_without_year_losses_takes_them_away_but_a_part_of_one_is_refused(target, tmp_path):
    publish(target, tmp_path / "runs")
    with pytest.raises(SettingsError, match=r"published by run 1 with year losses: .* \(YEAR_LOSSES=off\) cannot"):
        publish(target, tmp_path / "runs", whole=False, samples=(), years=False)
    assert not read(target).is_empty()
    publish(target, tmp_path / "runs", samples=(), years=False)
    assert read(target).is_empty()
    with reader(target) as results:
        assert read_sample_years(results, frames.RISKS).is_empty()


def test_rows_that_are_not_as_long_as_their_run_says_are_refused(target, tmp_path):
    publish(target, tmp_path / "runs", samples=frames.SAMPLES[:-1])
    with pytest.raises(SchemaError, match=r"from run 1 have 50 years, its sample years are 47"):
        read(target)


def test_bytes_of_the_server_are_the_numbers_little_endian_whatever_stands_beside_them(server):
    columns = {"grid_id": [5, 3, 9, 2], "risk_type": ["drought", "drought", "typhoon", "drought"]}
    losses = [[0.5, None], [0.25, 1.0], [0.125, 0.0, None], [0.1, 0.2]]
    valid = [None, [1.0, 0.5], None, [1.0, 1.0]]
    rows = pl.DataFrame(
        columns | {"losses": losses, "valid": valid, "run_id": [7] * 4}, schema_overrides=YEAR_LOSSES.columns
    )
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute(
            "CREATE TEMP TABLE held (grid_id integer, risk_type varchar(50), losses bytea, valid bytea, run_id integer)"
        )
        assert year_loss_rows.copy(connection, "held", [rows[:0], rows[:3], rows[3:]], freeze=False) == 4
        found = connection.execute("SELECT * FROM held").fetchall()
    lists = [[values and bytes_of(values) for values in of_kind] for of_kind in (losses, valid)]
    assert found == list(zip(*columns.values(), *lists, [7] * 4, strict=True))


def bytes_of(values):
    return struct.pack(f"<{len(values)}f", *(np.nan if value is None else value for value in values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.col("losses").list.eval(pl.element() + 1), "rows with losses outside 0..1"),
        (pl.col("valid").list.eval(pl.element() - 2), "rows with valid outside 0..1"),
        (pl.col("losses").list.eval(pl.element().fill_null(float("nan"))), "NaN in losses"),
        (pl.col("losses").list.head(3), "rows with another number of losses than of shares"),
        (pl.lit(7, pl.Int32).alias("grid_id"), "duplicate rows"),
    ],
)
def test_a_block_that_breaks_the_contract_is_refused_with_counts(change, message):
    made = frames.block(frames.CELLS[0])["year_losses"]
    assert canonical("year_losses", made).equals(made)
    with pytest.raises(SchemaError, match=rf"year_losses frame of \d+ rows: .*\d+ {message}"):
        canonical("year_losses", made.with_columns(change))
