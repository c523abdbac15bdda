"""The life of a load: one record a load, published with its data or not at all."""

from __future__ import annotations

import ast
import importlib
from collections import defaultdict
from pathlib import Path

import psycopg
import pytest

from engine.core.errors import BusyError, EngineError, SchemaError, SettingsError
from engine.core.quality import Finding
from engine.io.etl import LOADERS, chosen_loaders, loader, loading, names
from engine.io.etl.load_record import GateError, LoadInputs, recorded
from engine.io.etl.loading import FLAGS, LoadOptions
from engine.io.files import source_files
from engine.io.files.source_files import SourceFile

TABLE = "api_wamis_stations"


@pytest.fixture
def connection(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as opened:
        yield opened


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "stations.json"
    path.write_text("{}")
    return path


def inputs(source, **changes):
    return LoadInputs(
        **{"loader": "test", "version": "1", "table": TABLE, "scope": "full", "files": [source], **changes}
    )


def load(connection, source, *, stations=("a",), findings=(), force=False, dry_run=False, **changes):
    with recorded(connection, inputs(source, **changes), force=force, dry_run=dry_run) as record:
        if not record.up_to_date:
            with record.transaction():
                connection.execute(f"DELETE FROM {TABLE}")
                for code in stations:
                    connection.execute(f"INSERT INTO {TABLE} (obs_code, obs_name) VALUES (%s, %s)", (code, code))
                record.rows = len(stations)
                record.findings += findings
    return record.report()


def loads(connection):
    return connection.execute("SELECT status FROM etl_load ORDER BY load_id").fetchall()


def test_the_same_inputs_are_up_to_date_and_any_difference_is_not(connection, source):
    assert load(connection, source).status == "published"
    assert load(connection, source).status == "up to date"
    for change in ({"version": "2"}, {"scope": "synthetic"}, {"flags": {"unit": "K"}}, {"force": True}):
        assert load(connection, source, **change).status == "published"
    source.write_text("{ }")
    assert load(connection, source).status == "published"
    assert load(connection, source, files=[source, SourceFile.of_value("lattice", 7)]).status == "published"
    assert loads(connection).count(("published",)) == 1


def test_a_failure_leaves_the_old_rows_and_is_recorded_with_its_reason(connection, source):
    load(connection, source)
    with pytest.raises(EngineError, match=f"failed while loading {TABLE}: duplicate key"):
        load(connection, source, stations=("b", "b"), force=True)
    assert connection.execute(f"SELECT obs_code FROM {TABLE}").fetchall() == [("a",)]
    assert loads(connection) == [("published",), ("failed",)]
    (reason,) = connection.execute("SELECT gate_report ->> 'error' FROM etl_load WHERE status = 'failed'").fetchone()
    assert "duplicate key" in reason


def test_a_finding_e_refuses_and_a_finding_w_is_kept(connection, source):
    with pytest.raises(GateError, match="refused by the quality gate: too deep") as refused:
        load(connection, source, findings=[Finding("W", TABLE, "odd"), Finding("E", TABLE, "too deep", 3)])
    assert len(refused.value.findings) == 2
    assert load(connection, source, findings=[Finding("W", TABLE, "odd", 1)]).findings[0].message == "odd"
    (kept,) = connection.execute("SELECT gate_report -> 'findings' FROM etl_load WHERE status = 'published'").fetchone()
    assert kept == [{"severity": "W", "table": TABLE, "message": "odd", "count": 1}]


def test_a_dry_run_leaves_no_trace(connection, source):
    assert load(connection, source, dry_run=True).status == "checked"
    assert loads(connection) == []
    assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (0,)


def test_two_loads_of_one_table_exclude_each_other(connection, warehouse, source):
    with psycopg.connect(warehouse, autocommit=True) as other, recorded(other, inputs(source)) as record:
        with pytest.raises(BusyError, match=f"another load of {TABLE} is going"):
            load(connection, source)
        with record.transaction():
            pass
    assert load(connection, source).status == "up to date"


def test_what_a_dead_load_left_is_cleared(connection, source):
    connection.execute(
        "INSERT INTO etl_load (loader, loader_version, table_name, scope, source_files, status)"
        " VALUES ('test', '1', %s, 'full', '[]', 'running')",
        (TABLE,),
    )
    connection.execute(f"CREATE TABLE {TABLE}_new (a int)")
    connection.execute(f"CREATE TABLE {TABLE}_newer (a int)")
    load(connection, source)
    assert loads(connection) == [("failed",), ("published",)]
    left = connection.execute(f"SELECT relname FROM pg_class WHERE relname LIKE '{TABLE}_new%'").fetchall()
    assert left == [(f"{TABLE}_newer",)]


def test_files_are_found_in_any_folder_and_case(tmp_path):
    for name in (
        "a/River_Lines.GeoJSON",
        "typhoon/kma.txt",
        "other/kma.txt",
        "rejects/river.geojson",
        ".git/river.geojson",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert [p.name for p in source_files.find(tmp_path, "river*.geojson")] == ["River_Lines.GeoJSON"]
    assert source_files.find(tmp_path, "typhoon/*.txt") == [tmp_path / "typhoon" / "kma.txt"]
    with pytest.raises(source_files.MissingInputError, match=r"wamis: no file water/\*\.json"):
        source_files.one_file(tmp_path, "wamis", "water/*.json")
    with pytest.raises(SchemaError, match=r"2 files fit \*\.txt .* one is wanted: other/kma.txt, typhoon/kma.txt"):
        source_files.one_file(tmp_path, "best track", "*.txt")


def test_rejected_records_are_written_and_too_many_stop(tmp_path):
    assert source_files.reject(tmp_path, "t", [], 10) == 0
    assert source_files.reject(tmp_path, "t", [("a.txt", 7, 'no "wind"')], 1000) == 1
    assert (tmp_path / "rejects" / "t.csv").read_text() == "file,line,reason\na.txt,7,\"no 'wind'\"\n"
    with pytest.raises(
        SchemaError, match=r"t: 2 of 1,000 records are unreadable, the first in line 7 of a\.txt: no wind"
    ):
        source_files.reject(tmp_path, "t", [("a.txt", 7, "no wind"), ("a.txt", 9, "x")], 1000)


def test_an_option_is_taken_by_one_of_the_chosen_loaders_or_refused(tmp_path):
    options = LoadOptions(data=tmp_path, crs="EPSG:5186", keep_ocean=True)
    assert options.given() == ("keep_ocean", "crs")
    assert list(chosen_loaders(["dem", "monthly_grid"], options)) == ["monthly_grid", "dem"]
    assert list(chosen_loaders(["all"], options)) == names()
    with pytest.raises(SettingsError, match=r"^--keep-ocean is an option of monthly_grid, .*, not of grid, dem: leave"):
        chosen_loaders(["grid", "dem"], options)


def options_read(module):
    """Fields of `LoadOptions` that the source of a module reads."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    owners = [each for each in ast.walk(tree) if isinstance(each, ast.Attribute)]
    return {each.attr for each in owners if ast.unparse(each.value).rsplit(".")[-1] == "options"}


#: modules that read options for a loader
READERS = defaultdict(tuple, basins=("own_regions",), admin=("own_regions",))


@pytest.mark.parametrize("name", names())
def test_a_loader_declares_the_options_that_it_reads_and_no_other(name):
    module = importlib.import_module(f"engine.io.etl.loaders.{LOADERS[name][0]}")
    assert loader(name).name == name
    read = options_read(module)
    for shared in READERS[name]:
        read |= options_read(importlib.import_module(f"engine.io.etl.loaders.{shared}"))
    assert read & FLAGS.keys() == loader(name).takes


def test_the_tables_done_before_a_refusal_go_with_it(connection, tmp_path):
    @loading.loader("test", version="1")
    def load_two(task):
        with task.table(TABLE, []) as record, record.transaction():
            record.rows = 3
        task.absent("second", "not there")
        with task.table("third", []):
            raise SchemaError("x.csv: no column")

    with pytest.raises(SchemaError) as refused:
        load_two(connection, LoadOptions(data=tmp_path), lambda what, done=0, total=0: None)
    assert [(report.table, report.status, report.rows) for report in refused.value.done] == [
        (TABLE, "published", 3),
        ("second", "absent", 0),
    ]


def test_a_sample_limit_is_a_positive_number(tmp_path):
    with pytest.raises(SettingsError, match="not 0"):
        LoadOptions(data=tmp_path, sample_limit=0)
    assert LoadOptions(data=tmp_path, sample_limit=10).scope_of("synthetic") == "sample:10"
    assert LoadOptions(data=tmp_path, scope="observed").scope_of(None) == "observed"
