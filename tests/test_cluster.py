"""Worker processes over TCP: killed, spooling to an object store, of another version, interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import fsspec
import polars as pl
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from polars.testing import assert_frame_equal

from engine.batch import cluster, worker
from engine.core.settings import Settings
from engine.io import open_source
from engine.io.climate import snapshot
from engine.io.db import migrate
from engine.io.results.sink import WRITES
from jobs import yearly
from tests.warehouses import fill

TABLES = (*WRITES["yearly"], "result_sample_years")
BUCKET = "runs"
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BLOCK_CELLS", "4")  # 17 cells: five blocks, of a store one more
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def filled(server):
    url = server.create("test_cluster")
    with psycopg.connect(url, autocommit=True) as connection:
        migrate.apply(connection, "warehouse")
    fill(url)
    return url


@pytest.fixture(scope="module")
def store(filled, folder):
    source = open_source(filled)
    snapshot.write(source, folder / "store")
    source.close()
    return str(folder / "store")


@pytest.fixture(scope="module")
def alone(folder):
    """The run of a source in one process: sink and run directory that all others are compared with."""

    @cache
    def run(source):
        name = Path(source).name
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BLOCK_CELLS", "4")
            patch.chdir(folder)
            arguments = ["--source", source, "--sink", f"alone-{name}", "--run-dir", f"alone-runs-{name}"]
            assert yearly.main(arguments) == 0
        return folder / f"alone-{name}", folder / f"alone-runs-{name}" / "1"

    return run


@pytest.fixture(scope="module")
def bucket():
    """An S3-compatible server; the worker processes find it by their environment, as they would find a real one."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        files = fsspec.filesystem("s3")
        files.mkdir(BUCKET)
        yield files
    server.stop()


@contextmanager
def process(*arguments, log, **environment):
    with log.open("w") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        if running.poll() is None:
            running.kill()
        running.wait()


def dask_worker(folder, name, **environment):
    arguments = ["dask", "worker", "--scheduler-file", str(folder / "scheduler.json"), "--name", name]
    arguments += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--preload", "tests.hold"]
    arguments += ["--local-directory", str(folder), "--host", "127.0.0.1"]
    environment |= {"HOLD_MARK": str(folder / f"{name}-holds"), "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return process(*arguments, log=folder / f"{name}.log", **environment)


@pytest.fixture(scope="module")
def scheduler(folder, bucket):
    """A scheduler and its first worker, `lasting`, which stops after one block until the file `go` is there."""
    arguments = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file"]
    file = folder / "scheduler.json"
    with process("dask", "scheduler", *arguments, str(file), log=folder / "scheduler.log"):
        wait_for(file.exists)
        with dask_worker(folder, "lasting", HOLD_AFTER="1", HOLD_UNTIL=str(folder / "go")):
            yield json.loads(file.read_text())["address"]


def wait_for(condition):
    for _ in range(6000):  # workers compile their kernels, on a machine that may be busy
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("waited ten minutes in vain")


def same_as(run_alone, sink, blocks):
    """blocks: name -> bytes of a block's file."""
    own_sink, own_run = run_alone
    expected = {str(path.relative_to(own_run)): path.read_bytes() for path in own_run.glob("block=*/*.parquet")}
    assert blocks == expected
    for table in TABLES:
        frames = [pl.read_parquet(folder / f"{table}.parquet") for folder in (sink, own_sink)]
        assert_frame_equal(*[frame.drop("calculated_at", "computed_at", strict=False) for frame in frames])


def blocks_under(run):
    return {str(path.relative_to(run)): path.read_bytes() for path in run.glob("block=*/*.parquet")}


def test_a_worker_killed_in_the_middle_changes_nothing(alone, filled, scheduler, folder, tmp_path, caplog):
    secret = filled.replace("@", ":hush@", 1)
    arguments = ["--source", secret, "--sink", str(tmp_path / "out"), "--run-dir", "runs", "--cluster", scheduler]
    with (
        dask_worker(folder, "victim", HOLD_AFTER="2", HOLD_UNTIL=str(folder / "never")) as victim,
        ThreadPoolExecutor(1) as driver,
    ):
        wait_for(lambda: "victim" in (folder / "scheduler.log").read_text())
        code = driver.submit(yearly.main, arguments)
        try:
            wait_for(lambda: code.done() or (folder / "victim-holds").exists())
        finally:
            os.kill(victim.pid, signal.SIGKILL)
            (folder / "go").touch()
        assert code.result(120) == 0
    assert (folder / "victim-holds").exists()
    same_as(alone(filled), tmp_path / "out", blocks_under(tmp_path / "runs" / "1"))
    said = caplog.text + "".join((folder / f"{name}.log").read_text() for name in ("scheduler", "lasting", "victim"))
    assert "hush" not in said
    with psycopg.connect(filled, autocommit=True) as connection:  # workers let go of the warehouse with the run
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        wait_for(lambda: connection.execute(others).fetchone()[0] == 0)


def test_blocks_in_an_object_store_are_the_same(alone, store, scheduler, folder, bucket, tmp_path):
    (folder / "go").touch()
    runs = f"s3://{BUCKET}/yearly"
    arguments = ["--source", store, "--sink", str(tmp_path / "out"), "--run-dir", runs, "--cluster", scheduler]
    assert yearly.main(arguments) == 0
    root = f"{BUCKET}/yearly/1/"
    found = bucket.find(root)
    blocks = {path.removeprefix(root): bucket.cat_file(path) for path in found if "/block=" in path}
    same_as(alone(store), tmp_path / "out", blocks)


def test_workers_of_another_version_are_refused_before_a_run_is_begun(store, scheduler, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(worker, "version", lambda name: "0.0.1")
    assert yearly.main(["--source", store, "--sink", str(tmp_path / "out"), "--cluster", scheduler]) == 2
    assert "the driver has 0.0.1" in caplog.messages[-1]
    assert not list((tmp_path / "out" / ".runs").glob("*.json"))


def test_a_folder_that_the_workers_do_not_see_is_named(store, scheduler, folder, tmp_path, monkeypatch, caplog):
    (folder / "go").touch()
    monkeypatch.setattr(cluster, "_absolute", lambda root: f"/elsewhere{root}")  # another machine's file system
    assert yearly.main(["--source", store, "--sink", str(tmp_path / "out"), "--cluster", scheduler]) == 2
    assert "worker tcp://127.0.0.1:" in caplog.messages[-1]
    assert "has no 1/cells.parquet: --run-dir must name one folder" in caplog.messages[-1]


def members(group):
    listed = subprocess.run(["ps", "-o", "pid=,stat=", "-g", str(group)], capture_output=True, text=True, check=False)
    return [line for line in listed.stdout.splitlines() if " Z" not in line]


def test_local_workers_end_with_an_interrupted_run_which_then_goes_on_without_them(store, tmp_path):
    arguments = ["jobs.yearly", "--source", store, "--sink", str(tmp_path / "out"), "--run-dir", str(tmp_path / "runs")]
    manifest = tmp_path / "runs" / "1" / "manifest.json"
    quick = {"NUMBA_DISABLE_JIT": "1", "BLOCK_CELLS": "1"}
    with process(*arguments, "--cluster", "local:2", log=tmp_path / "log", **quick) as running:
        wait_for(lambda: running.poll() is not None or (manifest.exists() and json.loads(manifest.read_text())["done"]))
        assert len(members(running.pid)) > 2
        os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C does
        assert running.wait(120) == 130, (tmp_path / "log").read_text()
        wait_for(lambda: not members(running.pid))
    done = set(json.loads(manifest.read_text())["done"])
    assert 0 < len(done) < 17
    first = {path: path.stat().st_mtime_ns for path in manifest.parent.glob("block=*/*") if path.parent.name in done}
    with process(*arguments, "--resume", "1", log=tmp_path / "log", **quick) as running:
        assert running.wait(120) == 0, (tmp_path / "log").read_text()
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert pl.read_parquet(tmp_path / "out" / "probability_results.parquet").height == 17 * 9


@pytest.mark.parametrize(
    ("where", "code", "says"),
    [
        ("local:none", 2, "neither tcp://HOST:PORT nor local:N"),
        ("local:0", 2, "neither tcp://HOST:PORT nor local:N"),
        ("http://127.0.0.1:8786", 2, "neither tcp://HOST:PORT nor local:N"),
        ("tcp://127.0.0.1:1", 1, "no scheduler answers"),
    ],
)
def test_a_cluster_that_is_not_there_is_refused(store, tmp_path, monkeypatch, caplog, where, code, says):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    assert yearly.main(["--source", store, "--sink", str(tmp_path / "out"), "--cluster", where]) == code
    assert says in caplog.messages[-1]


def test_without_the_extra_it_is_named(store, tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert yearly.main(["--source", store, "--sink", str(tmp_path / "out"), "--cluster", "local:2"]) == 2
    assert "climate-risk-engine[cluster]" in caplog.messages[-1]
