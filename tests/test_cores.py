"""The threads of kernels: as many as this process may use, or as a setting says."""

from __future__ import annotations

import math
import os

import numba
import pytest

from engine import kernels
from engine.core import cores


@pytest.fixture
def cgroups(tmp_path):
    def make(own, **limits):
        (tmp_path / "own").write_text(own)
        for name, text in limits.items():
            path = tmp_path / "mounted" / name.replace("__", "/").replace("cpu_", "cpu.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return cores.quota(tmp_path / "own", tmp_path / "mounted")

    return make


def test_a_share_of_a_cgroup_is_its_quota_over_its_period(cgroups):
    assert cgroups("0::/a/b\n", a__b__cpu_max="150000 100000\n") == 1.5


def test_the_least_share_of_a_cgroup_and_those_above_it_counts(cgroups):
    assert cgroups("0::/a/b\n", a__b__cpu_max="max 100000\n", a__cpu_max="300000 100000\n", cpu_max="max 100000") == 3


def test_a_container_that_sees_its_own_cgroup_as_the_root_has_its_share(cgroups):
    assert cgroups("0::/\n", cpu_max="50000 100000\n") == 0.5


def test_cgroups_of_the_first_version_have_shares_too(cgroups):
    own = "4:cpu,cpuacct:/a\n2:memory:/a\n"
    assert cgroups(own, cpu__a__cpu_cfs_quota_us="-1\n", cpu__a__cpu_cfs_period_us="100000\n") == math.inf
    assert cgroups(own, cpu__a__cpu_cfs_quota_us="200000\n", cpu__a__cpu_cfs_period_us="100000\n") == 2


def test_without_cgroups_nothing_is_limited(tmp_path):
    assert cores.quota(tmp_path / "none", tmp_path) == math.inf


def test_a_share_below_a_core_is_one_and_affinity_limits(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    monkeypatch.setattr(cores, "quota", lambda: math.inf)
    assert cores.available() == 3
    monkeypatch.setattr(cores, "quota", lambda: 1.5)
    assert cores.available() == 2
    monkeypatch.setattr(cores, "quota", lambda: 0.2)
    assert cores.available() == 1


@pytest.fixture
def threads():
    yield
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def test_kernels_use_as_many_threads_as_they_are_told_and_there_are(threads, monkeypatch):
    most = numba.config.NUMBA_NUM_THREADS
    assert kernels.use_threads(1) == numba.get_num_threads() == 1
    assert kernels.use_threads(most + 7) == numba.get_num_threads() == most
    monkeypatch.setattr(cores, "available", lambda: 1)
    assert kernels.use_threads(None) == numba.get_num_threads() == 1
