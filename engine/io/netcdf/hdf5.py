"""Checks of an HDF5 file before it is read: that it opens, and that its compression can be undone."""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, cast

from engine.core.errors import needs
from engine.io.netcdf import hdf5_walk

_FILTERS = {1: "gzip", 4: "szip", 307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle",
            32013: "zfp", 32015: "zstd", 32017: "sz", 32026: "blosc2"}  # fmt: skip
#: filters that netCDF4 may bring beside those of h5py -> what its datasets are asked
_ASKED = {4: "has_szip_filter", 307: "has_bzip2_filter", 32001: "has_blosc_filter", 32015: "has_zstd_filter"}

#: of processor time for the structure of one file; a sound one takes milliseconds, one of a million chunks 0.3 s
SECONDS = 10.0


def unavailable(path: Path) -> dict[str, int]:
    """Variables of the root group whose values h5py cannot decompress, and the number of the HDF5 filter.

    raises : OSError for a file that libhdf5 finds damaged (h5netcdf would fail at the same places, but with a traceback
             of its own beside the error), on which it does not come to an end, or which ends its process
    """
    return _walker.codes(path)


class _Walker:
    """`hdf5_walk` in a process of its own, started once for all files; another after it was lost."""

    def __init__(self) -> None:
        self._lock, self._owner = threading.Lock(), 0
        self._process: subprocess.Popen[str] | None = None

    def codes(self, path: Path) -> dict[str, int]:
        with self._lock:
            process = self._running()
            paths, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
            paths.write(json.dumps(os.fspath(path.absolute())) + "\n")
            paths.flush()
            answer = answers.readline()
            if not answer:
                code = process.wait()
                self.close()
                circle = code == -signal.SIGPROF
                raise OSError("libhdf5 goes round in a circle in it" if circle else f"libhdf5 crashes on it ({code})")
        said = json.loads(answer)
        if "error" in said:
            raise OSError(said["error"])
        return dict(said["codes"])

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            if self._owner == os.getpid():
                self.close()
            self._owner = os.getpid()  # a fork must not talk on the pipes of its parent
            self._process = subprocess.Popen(  # noqa: S603 (our own script)
                [sys.executable, "-P", hdf5_walk.__file__, str(SECONDS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        return self._process

    def close(self) -> None:
        """End the process, which waits for a path."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            with process:  # closes its input, and waits
                pass


_walker = _Walker()
atexit.register(_walker.close)


def netcdf4_reads(path: Path, code: int) -> bool:
    """True when the package netCDF4 is installed and brings the filter."""
    if code not in _ASKED or importlib.util.find_spec("netCDF4") is None:
        return False
    import netCDF4  # of the extra [geo]; importing it takes a while

    with netCDF4.Dataset(path) as data:
        return bool(getattr(data, _ASKED[code])())


def lacking(code: int) -> str:
    """The end of a sentence about a variable: which filter is lacking and what to do."""
    name = f"{_FILTERS[code]} (HDF5 filter {code})" if code in _FILTERS else f"HDF5 filter {code}"
    install = f", which {needs('geo')}" if code in _ASKED else ", which cannot be read here"
    return f"is compressed with {name}{install}; or write it anew without: nccopy -F none IN OUT"
