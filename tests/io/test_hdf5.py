"""Damaged HDF5 that libhdf5 itself does not survive: told in words, and the next file is read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from engine.core.errors import SchemaError
from engine.io.netcdf import hdf5, lattice_files


@pytest.fixture
def sound(tmp_path):
    path = tmp_path / "sound.nc"
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "a text of any length lies on a heap"
        file["ta"] = np.zeros((2, 2), np.float32)
    return path


@pytest.fixture
def hurried(monkeypatch):
    """The limit without the wait."""
    monkeypatch.setattr(hdf5, "SECONDS", 0.3)
    monkeypatch.setattr(hdf5, "_walker", hdf5._Walker())
    yield hdf5._walker
    hdf5._walker.close()


def test_a_file_in_which_libhdf5_goes_round_in_a_circle_is_refused_and_the_next_is_read(sound, hurried):
    raw = sound.read_bytes()
    heap = raw.index(b"GCOL") + 16
    zeroed = sound.with_name("zeroed.nc")
    zeroed.write_bytes(raw[:heap] + bytes(64) + raw[heap + 64 :])  # a heap of objects of no size has no end
    with (
        pytest.raises(SchemaError, match=r"^zeroed\.nc is broken: libhdf5 goes round in a circle in it$"),
        lattice_files.dataset(zeroed),
    ):
        pass
    assert hdf5.unavailable(sound) == {}


def test_a_walker_that_was_killed_is_replaced_and_one_that_is_closed_is_gone(sound, hurried):
    assert hdf5.unavailable(sound) == {}
    first = hurried._process
    first.kill()
    first.wait()
    assert hdf5.unavailable(sound) == {}
    second = hurried._process
    hurried.close()
    assert (second is not first, second.poll()) == (True, 0)


def test_what_h5py_says_of_a_damaged_file_is_passed_on(sound, hurried):
    sound.write_bytes(sound.read_bytes()[:1000])
    with pytest.raises(OSError, match="truncated file"):
        hdf5.unavailable(sound)
