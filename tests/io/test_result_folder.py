"""A directory of results changes from one run to the next by one rename, whatever happens on the way."""

import errno
import json
import os
import shutil
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

import polars as pl
import pyarrow.parquet as pq
import pytest

from engine.core.errors import SettingsError, SinkError, SourceError
from engine.io import open_sink
from engine.io.results import result_tables, sink_directory, status
from engine.io.results.published import DirectoryResults
from engine.io.results.sink import WRITES
from tests.io import frames

DROUGHT = dict.fromkeys(WRITES["yearly"], ("drought",))
HAZARD = dict.fromkeys(WRITES["hazard"], ("drought",))

#: by which a directory changes
STEPS = ("replace", "link", "symlink", "mkdir", "unlink", "rmdir")
TABLES = {name: result_tables.TABLES[name] for name in WRITES["yearly"]}
NAMES = [f"{name}.parquet" for name in (*TABLES, "result_sample_years")]


class Killed(BaseException):
    """After it nothing changes any more, as after SIGKILL."""


@contextmanager
def stopped_at(step, monkeypatch, error):
    """The n-th step raises; so do all that follow a kill. Yields a list that says so, once it has."""
    left, hit = [step], []

    def counted(call):
        def count(*args, **named):
            left[0] -= 1
            if left[0] < 0 and (not hit or error is Killed):
                hit.append(step)
                raise error() if error is Killed else OSError(error, os.strerror(error))
            return call(*args, **named)

        return count

    with monkeypatch.context() as patch:
        for name in STEPS:
            patch.setattr(os, name, counted(getattr(os, name)))
        yield hit


def through(folder):
    """Name -> rows, without what two runs of one seed differ in, of files opened by their documented names."""
    found = {}
    for name, table in TABLES.items():
        frame = pl.read_parquet(folder / f"{name}.parquet", glob=False)
        found[name] = frame.sort(table.keys[0]).drop("run_id", table.stamp, strict=False)
    return found


def same(one, other):
    return all(one[name].equals(other[name]) for name in TABLES)


def publish(out, runs, seed=0, parts=DROUGHT, **record):
    """A whole life of a run of ten cells and one risk; a hundredth of a second."""
    made = replace(frames.RECORD, **record)
    with closing(open_sink(out)) as sink, sink.guard(made.job_type):
        run = frames.spooled_part(runs, sink.begin(made, runs), seed)
        put(sink, run, seed, parts)
        sink.finish("completed", processed=10)


def put(sink, run, seed, parts=DROUGHT):
    sink.publish(run, parts, frames.STYLES, whole_grid=True, replaces=True, summary={"seed": seed})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Seed -> what its run publishes."""
    made = {}
    for seed in (0, 1, 2):
        folder = tmp_path_factory.mktemp(f"seed{seed}")
        publish(str(folder / "out"), folder / "runs", seed=seed)
        made[seed] = through(folder / "out")
    return made


def flatten(out):
    """The directory as an older version left it: plain files, records and nothing else."""
    for name in [*NAMES, "run.json"]:
        data = (out / name).read_bytes()
        (out / name).unlink()
        (out / name).write_bytes(data)
    (out / ".current").unlink()
    for folder in (out / ".runs").iterdir():
        if folder.is_dir():
            shutil.rmtree(folder)


def seed_of(out, undisturbed):
    """The run that is published: by the reader, by the names, and by run.json they must be one."""
    seeds = [seed for seed, wanted in undisturbed.items() if same(through(out), wanted)]
    assert len(seeds) == 1, "a mixture"
    read = DirectoryResults(out)
    assert read.run["summary"] == {"seed": seeds[0]} == json.loads((out / "run.json").read_text())["summary"]
    score = undisturbed[seeds[0]]["hazard_results"].filter(risk_type="drought").sort("grid_id")["hazard_score"]
    assert read.hazard("drought")["hazard_score"].equals(score)
    return seeds[0]


def only_whats_documented(out, before, now):
    assert {path.name for path in out.iterdir()} == {".runs", ".current", "run.json", *NAMES}
    kept = {path.name for path in (out / ".runs").iterdir() if path.is_dir()}
    assert kept == {str(before), str(now)}
    assert not list((out / ".runs").rglob("*.partial"))


@pytest.mark.parametrize(
    ("error", "older"),
    [(Killed, False), (Killed, True), (errno.ENOSPC, False)],
    ids=["killed", "killed, plain files of an older version", "disk full"],
)
def test_a_publication_stopped_at_any_step_leaves_one_run_whole(tmp_path, monkeypatch, undisturbed, error, older):
    first, runs = tmp_path / "first", tmp_path / "runs"
    publish(str(first), runs, seed=0)
    if older:
        flatten(first)
    run = frames.spooled_part(runs, 2, seed=1)
    publish(str(tmp_path / "ready"), tmp_path / "other", seed=1)

    def as_ready(path, *_):
        """Writing costs a tenth of a second, and is not what is tried here."""
        shutil.copyfile(tmp_path / "ready" / path.name, path)
        return 10

    monkeypatch.setattr(sink_directory, "_write_parquet", as_ready)
    for step in range(200):
        out = tmp_path / f"out{step}"
        shutil.copytree(first, out, symlinks=True)
        said = None
        with closing(open_sink(str(out))) as sink:
            try:
                with sink.guard("yearly"):
                    sink.begin(frames.RECORD, tmp_path / "none")
                    with stopped_at(step, monkeypatch, error) as hit:
                        put(sink, run, 1)
            except (Killed, SinkError) as err:
                said = str(err)
            found = seed_of(out, undisturbed)
            if error is not Killed and said is not None:
                assert ("run 2 is published in" if found else "what was published before is still there") in said, said
            with pytest.raises(SettingsError, match="was published") if found else sink.guard("yearly"):
                sink.reopen(2, frames.RECORD)
                put(sink, run, 1)
        assert seed_of(out, undisturbed) == 1
        if found == 0:
            only_whats_documented(out, 1, 2)
        if not hit:
            break
    assert step >= 9


def test_files_say_which_run_and_edition_wrote_them(tmp_path):
    out, runs = tmp_path / "out", tmp_path / "runs"
    publish(str(out), runs)
    publish(str(out), runs, seed=1, job_type="hazard", parts=HAZARD, edition="house")
    for name in TABLES:
        told = pq.read_metadata(out / f"{name}.parquet").metadata
        wanted = (b"2", b"house") if name in HAZARD else (b"1", b"2025-11")
        assert (told[b"run_id"], told[b"edition"]) == wanted
        assert told[b"edition_checksum"] == b"b" * 64
    assert json.loads((out / "run.json").read_text())["run_id"] == 2


def test_a_reader_keeps_its_run_through_a_switch_and_is_told_after_two(tmp_path, undisturbed):
    out, runs = tmp_path / "out", tmp_path / "runs"
    publish(str(out), runs)
    read = DirectoryResults(out)
    publish(str(out), runs, seed=1)
    old = undisturbed[0]["probability_results"].filter(risk_type="drought").sort("grid_id")["aal"]
    assert read.probability("drought")["aal"].equals(old)
    assert seed_of(out, undisturbed) == 1
    publish(str(out), runs, seed=2)
    for reading in (lambda: read.probability("drought"), read.windows, lambda: read.mean_bins("drought")):
        with pytest.raises(SourceError, match="two runs were published while it was being read; read it again"):
            reading()


def test_probability_and_hazard_jobs_that_end_together_lose_nothing_of_each_other(tmp_path, undisturbed):
    out, runs = str(tmp_path / "out"), tmp_path / "runs"
    publish(out, runs)
    with ExitStack() as held:
        started = []
        for job in ("probability", "hazard"):
            sink = held.enter_context(closing(open_sink(out)))
            held.enter_context(sink.guard(job))
            number = sink.begin(replace(frames.RECORD, job_type=job), runs)
            started.append((sink, job, frames.spooled_part(runs, number, seed=1)))
        for sink, job, run in started:
            put(sink, run, 1, dict.fromkeys(WRITES[job], ("drought",)))
    assert seed_of(tmp_path / "out", undisturbed) == 1


def test_where_no_links_can_be_made_files_are_copies_and_this_is_said(tmp_path, monkeypatch, caplog, undisturbed):
    out, runs = tmp_path / "out", tmp_path / "runs"

    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(os, "symlink", refuse)
        patch.setattr(os, "link", refuse)
        for seed in (0, 1):
            publish(str(out), runs, seed=seed)
            assert seed_of(out, undisturbed) == seed
        assert "makes no links, so the files there are copies" in caplog.messages[-1]
        assert not any((out / name).is_symlink() for name in NAMES)
        assert (out / ".current").read_text() == ".runs/2\n"
    publish(str(out), runs, seed=2)  # moved to a disk that knows links
    assert seed_of(out, undisturbed) == 2
    only_whats_documented(out, 2, 3)


def test_a_copy_that_followed_the_links_is_read_and_published_into(tmp_path, undisturbed):
    publish(str(tmp_path / "out"), tmp_path / "runs")
    copy = tmp_path / "copy"
    shutil.copytree(tmp_path / "out", copy)
    assert not (copy / ".current").is_symlink()
    assert seed_of(copy, undisturbed) == 0
    publish(str(copy), tmp_path / "runs", seed=1)
    assert seed_of(copy, undisturbed) == 1
    only_whats_documented(copy, 1, 2)


def test_files_of_others_in_the_directory_stay_where_they_are(tmp_path):
    out = tmp_path / "out"
    publish(str(out), tmp_path / "runs")
    flatten(out)
    (out / "sites.parquet").write_bytes(b"mine")
    publish(str(out), tmp_path / "runs", seed=1)
    assert (out / "sites.parquet").read_bytes() == b"mine"
    assert not list((out / ".runs").rglob("sites.parquet"))


@pytest.mark.parametrize(
    ("pointer", "said"),
    [("/etc", "names '/etc' and no run under .runs"), (".runs/77", "names .runs/77, which is not there: copy such a")],
)
def test_a_pointer_to_nowhere_is_told_of(tmp_path, pointer, said):
    out = tmp_path / "out"
    publish(str(out), tmp_path / "runs")
    (out / ".current").unlink()
    (out / ".current").symlink_to(pointer)
    with pytest.raises(SourceError, match=said):
        DirectoryResults(out)


def test_the_size_of_a_directory_counts_each_file_once(tmp_path):
    out, runs = tmp_path / "out", tmp_path / "runs"
    publish(str(out), runs)
    publish(str(out), runs, seed=1, job_type="hazard", parts=HAZARD)  # carries the probability files over
    files = {path.resolve().stat().st_ino: path.stat().st_size for path in out.rglob("*.parquet")}
    records = sum(path.lstat().st_size for path in out.rglob("*.json") if not path.is_symlink())
    assert status.of_directory(out)["bytes"] == sum(files.values()) + records
