"""What must be known of an HDF5 file before it is read: that it opens, and that its compression can be undone."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import h5py

_FILTERS = {1: "gzip", 4: "szip", 307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle",
            32013: "zfp", 32015: "zstd", 32017: "sz", 32026: "blosc2"}  # fmt: skip
#: filters that netCDF4 may bring beside those of h5py -> what its datasets are asked
_ASKED = {4: "has_szip_filter", 307: "has_bzip2_filter", 32001: "has_blosc_filter", 32015: "has_zstd_filter"}


def unavailable(path: Path) -> dict[str, int]:
    """Variables of the root group whose values h5py cannot decompress, and the number of the HDF5 filter.

    raises : OSError, RuntimeError, KeyError or ValueError of h5py for a damaged file: h5netcdf would fail at the same
             places, but with a traceback of its own beside the error
    """
    with h5py.File(path) as file:
        dict(file.attrs)
        return {
            name: code
            for name, held in file.items()
            if isinstance(held, h5py.Dataset)
            for code in _codes(held)
            if not h5py.h5z.filter_avail(code)
        }


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
    install = ", which needs the package netCDF4 (extra [geo])" if code in _ASKED else ", which cannot be read here"
    return f"is compressed with {name}{install}; or write it anew without: nccopy -F none IN OUT"


def _codes(held: h5py.Dataset) -> Iterator[int]:
    plist = held.id.get_create_plist()
    for i in range(plist.get_nfilters()):
        yield plist.get_filter(i)[0]
