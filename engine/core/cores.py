"""Cores that this process may use: those of its affinity, at most its share of them in the cgroups of a container."""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def available() -> int:
    """Whole cores, at least 1; a share such as 1.5 counts as 2."""
    try:
        mine = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        mine = os.cpu_count() or 1
    return max(1, math.ceil(min(mine, quota())))


def quota(own: Path = _OWN, mounted: Path = _CGROUPS) -> float:
    """Cores that the cgroups of this process grant, the least of them and those above; infinite without a limit.

    own, mounted : the list of this process's cgroups, and where they are mounted (version 2, or 1 with a folder `cpu`)
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return math.inf
    granted = math.inf
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0" and not controllers:
            root, read = mounted, _version_2
        elif "cpu" in controllers.split(","):
            root, read = mounted / "cpu", _version_1
        else:
            continue
        inner = PurePosixPath(path.lstrip("/"))
        granted = min([granted, *(read(root / each) for each in (inner, *inner.parents))])
    return granted


def _version_2(folder: Path) -> float:
    limit, _, period = _text(folder / "cpu.max").partition(" ")
    return int(limit) / int(period) if limit.isdecimal() else math.inf  # else `max`


def _version_1(folder: Path) -> float:
    limit, period = (_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(limit) / int(period) if limit.isdecimal() else math.inf  # else -1


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:  # the root has no limit, a container may not show what is above it
        return ""
