"""The life of a run in a database and in a directory."""

import json
from contextlib import closing
from dataclasses import replace

import numpy as np
import polars as pl
import psycopg
import pytest

from engine.core.errors import BusyError, SettingsError, SinkError
from engine.io import open_sink
from engine.io.results import result_tables as tables
from engine.io.results.sink import WRITES
from engine.io.results.sink_directory import DirectorySink
from engine.io.results.sink_postgres import PostgresSink
from tests.io import frames
from tests.io.test_load import publish, query

STAMPS = {"calculated_at", "computed_at"}


@pytest.fixture(params=["database", "directory"])
def target(request, tmp_path):
    if request.param == "directory":
        return str(tmp_path / "out")
    return request.getfixturevalue("results")


def log(target):
    """(status, processed, success_rate, error) of every run, oldest first."""
    names = ("status", "processed_grids", "success_rate", "error_message")
    sink = open_sink(target)
    sink.close()
    if isinstance(sink, PostgresSink):
        rows = query(target, f"SELECT {', '.join(names)} FROM batch_job_logs ORDER BY id")
        return [(status, done, rate and float(rate), error) for status, done, rate, error in rows]
    return [tuple(entry["log"].get(name) for name in names) for entry in sink._entries().values()]


def test_a_target_is_recognised(results, tmp_path):
    by_parts = psycopg.conninfo.make_conninfo(**psycopg.conninfo.conninfo_to_dict(results))
    for text, kind in ((results, PostgresSink), (by_parts, PostgresSink), (str(tmp_path / "a=b"), DirectorySink)):
        sink = open_sink(text)
        assert isinstance(sink, kind)
        sink.close()
    with pytest.raises(SettingsError, match="empty"):
        open_sink("  ")


def test_a_database_without_the_schema_is_refused_by_name(new_database):
    with pytest.raises(SinkError, match=r"lacks result_runs, .* jobs\.schema"):
        open_sink(new_database(""))


def test_a_published_run_is_logged_with_its_share(target, tmp_path):
    publish(target, tmp_path / "runs")
    assert log(target) == [("completed", 60, 100.0, None)]


def test_a_second_run_is_refused_at_once_and_a_yearly_run_excludes_both_kinds(target, tmp_path):
    first, second = open_sink(target), open_sink(target)
    with first.guard("yearly"):
        first.begin(frames.RECORD, tmp_path / "runs")
        for kind in ("probability", "hazard", "yearly"):
            with pytest.raises(BusyError, match=r"another .* run is going"), second.guard(kind):
                pass
        first.finish("completed", processed=60)
    with first.guard("probability"), second.guard("hazard"):
        pass
    first.close()
    second.close()
    if isinstance(first, PostgresSink):
        assert [entry[0] for entry in log(target)] == ["completed", "skipped", "skipped", "skipped"]
        assert "(yearly, run 1, since " in log(target)[1][3]


@pytest.mark.parametrize(("error", "status"), [(ValueError("3 cells"), "failed"), (KeyboardInterrupt(), "cancelled")])
def test_a_crash_ends_the_log_row(target, tmp_path, error, status):
    def crash(sink):
        with sink.guard("yearly"):
            sink.begin(frames.RECORD, tmp_path / "runs")
            raise error

    with closing(open_sink(target)) as sink, pytest.raises(type(error)):
        crash(sink)
    assert [entry[0] for entry in log(target)] == [status]
    assert log(target)[0][3] == (str(error) or "KeyboardInterrupt")


def test_a_lost_session_still_gets_its_end_recorded(results, tmp_path):
    def lose(sink):
        with sink.guard("yearly"):
            run = frames.spooled(tmp_path, sink.begin(frames.RECORD, tmp_path))
            query(results, "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' GROUP BY pid")
            sink.publish(run, frames.YEARLY, frames.STYLES, whole_grid=True, replaces=True, summary={})

    with closing(open_sink(results)) as sink, pytest.raises(SinkError, match="failed while publishing run 1"):
        lose(sink)
    assert [entry[0] for entry in log(results)] == ["failed"]
    assert query(results, "SELECT count(*) FROM hazard_results") == [(0,)]


@pytest.mark.parametrize("scope", ["sample:1000", "synthetic", "observed"])
def test_a_lesser_scope_never_replaces_the_whole_warehouse(target, tmp_path, scope):
    publish(target, tmp_path / "runs")
    lesser = replace(frames.RECORD, job_type="probability", scope=scope)
    with closing(open_sink(target)) as sink, pytest.raises(SettingsError, match=f"run 1, scope full.*{scope}"):
        sink.begin(lesser, tmp_path / "runs")


def test_a_lesser_scope_may_replace_its_like_and_the_whole_may_replace_it(target, tmp_path):
    publish(target, tmp_path / "runs", scope="synthetic")
    publish(target, tmp_path / "runs", scope="synthetic")
    publish(target, tmp_path / "runs")


def test_part_of_the_grid_on_another_baseline_is_not_put_among_the_published_rows(target, tmp_path):
    runs = tmp_path / "runs"
    drought, heat = ({table: [risk] for table in frames.YEARLY} for risk in ("drought", "extreme_heat"))
    publish(target, runs, parts=heat)
    publish(target, runs, parts=drought, baseline="2021-2050 SSP2-4.5")
    said = r"drought: cannot merge .* baseline 1991-2020\) into the results of run 2 .* baseline 2021-2050 SSP2-4\.5\)"
    with pytest.raises(SettingsError, match=said):
        publish(target, runs, part=True)
    publish(target, runs, part=True, parts=heat)  # whose rows are of that baseline


def test_methods_are_compared_risk_by_risk_and_for_scores_as_for_losses(target, tmp_path):
    runs, scores = tmp_path / "runs", {"hazard_results": ["drought"], "modelops_hazard_scores": ["drought"]}
    house = {**frames.RECORD.edition_checksums, "drought": "another"}
    publish(target, runs)
    heat = {table: ["extreme_heat"] for table in frames.YEARLY}
    other = {"edition": "house", "edition_checksum": "d" * 64, "edition_checksums": house}
    publish(target, runs, part=True, parts=heat, **other)  # whose figures are the same in both
    for parts in (frames.YEARLY, scores):
        with pytest.raises(SettingsError, match=r"drought: cannot merge .*edition house.* of run 1 "):
            publish(target, runs, part=True, parts=parts, **other)
    older = {"edition_checksums": {}, "edition_checksum": "d" * 64}  # of a run that does not know them by risk
    with pytest.raises(SettingsError, match=r"drought: cannot merge .* of run 1 "):
        publish(target, runs, part=True, parts=scores, **older)


def test_a_database_of_an_older_schema_is_refused_before_a_run_is_begun(results):
    with psycopg.connect(results) as connection:
        connection.execute("ALTER TABLE result_runs DROP COLUMN edition_checksums")
    with pytest.raises(SinkError, match=r"lacks result_runs\.edition_checksums: .* jobs\.schema"):
        open_sink(results)


def test_a_number_taken_by_another_sinks_run_directory_is_left_out(target, tmp_path):
    frames.spooled(tmp_path / "runs", 1)
    run_id, _ = publish(target, tmp_path / "runs")
    assert run_id == 2


def test_a_run_is_resumed_until_it_is_published(target, tmp_path):
    with closing(open_sink(target)) as sink:
        with sink.guard("yearly"):
            run_id = sink.begin(frames.RECORD, tmp_path / "runs")
            sink.finish("failed", error="power cut")
        run = frames.spooled(tmp_path / "runs", run_id)
        with sink.guard("yearly"):
            sink.reopen(run_id, frames.RECORD)
            sink.publish(run, frames.YEARLY, frames.STYLES, whole_grid=True, replaces=True, summary={})
            sink.finish("completed", processed=60)
        with pytest.raises(SettingsError, match=f"run {run_id} was published at"):
            sink.reopen(run_id, frames.RECORD)
        with pytest.raises(SettingsError, match="knows no run 99"):
            sink.reopen(99, frames.RECORD)
    assert [entry[0] for entry in log(target)][-1] == "completed"


def table_as_frame(url, table):
    """A result table in the column types of the files."""
    columns = ", ".join(name if name != "bin_data" else "bin_data::text" for name in table.columns)
    numeric = {name: pl.Float64 for name, kind in table.columns.items() if kind == pl.Float64}
    rows = query(url, f"SELECT {columns} FROM {table.name}")
    frame = pl.DataFrame(rows, schema=list(table.columns), orient="row", infer_schema_length=None)
    if table is tables.YEAR_LOSSES:  # the server holds lists as bytes
        frame = frame.with_columns(
            pl.Series(name, [held and np.frombuffer(held, "<f4").tolist() for held in frame[name]]).list.eval(
                pl.element().fill_nan(None)
            )
            for name in ("losses", "valid")
        )
    return frame.cast({name: kind for name, kind in table.columns.items() if name not in numeric} | numeric)


@pytest.mark.parametrize("part", [False, True], ids=["whole", "with a part redone"])
def test_files_and_tables_hold_the_same_values_to_the_last_digit(results, tmp_path, part):
    out = tmp_path / "out"
    for target, runs in ((results, tmp_path / "a"), (str(out), tmp_path / "b")):
        publish(target, runs)
        if part:
            publish(target, runs, seed=5, part=True)
    for name in WRITES["yearly"]:
        table = tables.TABLES[name]
        file = pl.read_parquet(out / f"{name}.parquet")
        assert file.schema == pl.Schema({**table.columns, table.stamp: pl.Datetime("us", "UTC")})
        key = list(table.keys[0])
        ours, theirs = file.drop(table.stamp).sort(key), table_as_frame(results, table).sort(key)
        if "bin_data" in table.columns:
            for one, other in zip(ours["bin_data"], theirs["bin_data"], strict=True):
                assert (one and json.loads(one)) == (other and json.loads(other))
            ours, theirs = ours.drop("bin_data"), theirs.drop("bin_data")
        assert ours.equals(theirs, null_equal=True)
        floats = [column for column, kind in ours.schema.items() if kind.is_float()]
        assert not any(np.isnan(ours[column].drop_nulls().to_numpy()).any() for column in floats)


def test_a_directory_holds_the_run_record_and_no_leftovers(tmp_path):
    publish(str(tmp_path / "out"), tmp_path / "runs")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["run_id"] == 1
    assert record["scope"] == "full"
    assert record["published_at"].endswith("Z")
    assert record["summary"] == {"seed": 0}
    visible = {path.name for path in (tmp_path / "out").iterdir()}
    names = (*WRITES["yearly"], "result_sample_years")
    assert visible == {".runs", ".current", "run.json", *(f"{name}.parquet" for name in names)}
