import errno
import pickle

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.core.errors import SchemaError, SettingsError, SinkError
from engine.io.results import folder, spool
from engine.io.results.folder import partial_of
from engine.io.results.spool import RunDirectory, RunFiles, canonical
from tests.io import frames


def begun(tmp_path, run_id=3):
    return RunDirectory.create(tmp_path, run_id, frames.IDENTITY, frames.BLOCKS)


def resumed(tmp_path, run_id=3, **changed):
    return RunDirectory.resume(tmp_path, run_id, frames.IDENTITY | changed, frames.BLOCKS)


def test_a_resumed_run_knows_its_blocks_and_notes(tmp_path):
    run = begun(tmp_path)
    made = frames.block(frames.CELLS[1])
    run.commit(run.store_block(1, made, {"fallback": {"extreme_heat": 4}}))
    again = resumed(tmp_path)
    assert again.missing == [0, 2]
    assert again.notes == {1: {"fallback": {"extreme_heat": 4}}}
    assert_frame_equal(again.scan("hazard", 1).collect(), made["hazard"])
    assert_frame_equal(again.scan("probability", 1).collect(), made["probability"])


def test_a_block_counts_only_once_the_manifest_lists_it(tmp_path):
    stored = begun(tmp_path).store_block(0, frames.block(frames.CELLS[0]))
    run = resumed(tmp_path)  # the process died before the commit
    assert run.missing == [0, 1, 2]
    run.commit(pickle.loads(pickle.dumps(stored)))  # as it comes back from a worker
    assert resumed(tmp_path).missing == [1, 2]


@pytest.mark.parametrize("name", ["source_fingerprint", "edition_checksum", "engine_version"])
def test_resume_is_refused_naming_what_changed(tmp_path, name):
    begun(tmp_path)
    with pytest.raises(SettingsError, match=f'run 3 cannot be resumed, its inputs changed: {name} was .*, is "new"'):
        resumed(tmp_path, **{name: "new"})


def test_resume_is_refused_when_the_blocks_were_cut_otherwise(tmp_path):
    begun(tmp_path)
    with pytest.raises(SettingsError, match="blocks was"):
        RunDirectory.resume(tmp_path, 3, frames.IDENTITY, [(1, 500)])


def test_an_unknown_run_is_refused_with_the_known_ones(tmp_path):
    begun(tmp_path)
    with pytest.raises(SettingsError, match=r"no run 4 under .*; there: 3"):
        resumed(tmp_path, run_id=4)


def test_a_committed_file_cut_short_is_noticed(tmp_path):
    run = begun(tmp_path)
    run.commit(run.store_block(0, frames.block(frames.CELLS[0])))
    file = tmp_path / "3" / "block=00000" / "hazard.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(SinkError, match=r"block 0 lists hazard\.parquet with \d+ bytes, found \d+"):
        resumed(tmp_path)


def test_a_full_disk_stops_in_one_sentence_and_the_run_goes_on_later(tmp_path):
    run = begun(tmp_path)
    run.commit(run.store_block(0, frames.block(frames.CELLS[0])))
    full = partial_of(tmp_path / "3" / "block=00001" / "hazard.parquet")
    full.parent.mkdir()
    full.symlink_to("/dev/full")  # every write to it fails with ENOSPC
    with pytest.raises(SinkError, match=r"no space left in .* for 3/block=00001/hazard.parquet; .* --resume 3"):
        run.commit(run.store_block(1, frames.block(frames.CELLS[1])))
    again = resumed(tmp_path)
    assert again.missing == [1, 2]
    again.commit(again.store_block(1, frames.block(frames.CELLS[1])))
    assert resumed(tmp_path).missing == [2]


def test_a_full_disk_under_the_manifest_loses_only_the_block_in_hand(tmp_path, monkeypatch):
    run = begun(tmp_path)
    stored = run.store_block(0, frames.block(frames.CELLS[0]))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(folder.os, "fsync", full)
        with pytest.raises(SinkError, match="no space left"):
            run.commit(stored)
    assert run.missing == resumed(tmp_path).missing == [0, 1, 2]


def test_a_remote_run_directory_works_the_same():
    root = "memory://runs"
    run = RunDirectory.create(root, 1, frames.IDENTITY, frames.BLOCKS)
    made = frames.block(frames.CELLS[0])
    run.commit(run.store_block(0, made))
    again = RunDirectory.resume(root, 1, frames.IDENTITY, frames.BLOCKS)
    assert again.missing == [1, 2]
    assert spool.run_ids(root) == {1}
    assert_frame_equal(again.scan("hazard", 0).collect(), made["hazard"])


def test_a_block_that_the_driver_does_not_see_does_not_count(tmp_path):
    run = begun(tmp_path)
    stored = run.store_block(0, frames.block(frames.CELLS[0]))
    (tmp_path / "3" / "block=00000" / "hazard.parquet").unlink()  # as on another machine's disk
    with pytest.raises(SinkError, match=r"hazard\.parquet of \d+ bytes, but .* has none here: every process"):
        run.commit(stored)
    assert run.missing == resumed(tmp_path).missing == [0, 1, 2]


def test_workers_read_the_cells_that_the_driver_wrote_or_say_so(tmp_path):
    cells = pl.DataFrame({"grid_id": [3, 5, 9]}, schema={"grid_id": pl.Int32})
    checksum = begun(tmp_path).share_cells(cells)
    files = RunFiles(tmp_path, 3)
    assert_frame_equal(files.shared_cells(checksum).collect(), cells)
    with pytest.raises(SettingsError, match=r"has another 3/cells\.parquet: --run-dir must name one folder"):
        files.shared_cells("0" * 64)


@pytest.mark.parametrize(
    ("root", "says"),
    [("ftp://me:hush@host/runs", r"ftp://\.\.\.@host: credentials do not belong"), ("nothing://x", "nothing://x")],
)
def test_a_place_that_cannot_be_used_is_refused_without_its_secret(root, says):
    with pytest.raises(SettingsError, match=says) as refused:
        spool.run_ids(root)
    assert "hush" not in str(refused.value)


def test_an_incomplete_run_is_not_published(tmp_path):
    with pytest.raises(SinkError, match=r"run 3 lacks 3 of 3 blocks \(first: 0\)"):
        begun(tmp_path).require_complete()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(float("nan")).alias("aal"), "NaN aal"),
        (pl.lit(None, pl.Int32).alias("grid_id"), "null grid_id"),
        (pl.lit(1.5).alias("aal"), "aal outside 0..1"),
        (pl.lit("kde").alias("method"), "method and AAL disagree"),
        (pl.lit(7).alias("grid_id"), "duplicate rows"),
        (pl.lit(None, pl.List(pl.Float32)).alias("bin_probs"), "method and bins disagree"),
    ],
)
def test_a_block_that_breaks_the_contract_is_refused_with_counts(change, message):
    frame = frames.block(frames.CELLS[0])["probability"].with_columns(change)
    with pytest.raises(SchemaError, match=rf"probability frame of {frame.height} rows: .*\d+ .*{message}"):
        canonical("probability", frame)


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="hazard frame lacks hazard_score"):
        canonical("hazard", frames.block(frames.CELLS[0])["hazard"].drop("hazard_score"))
