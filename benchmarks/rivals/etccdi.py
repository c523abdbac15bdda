"""ETCCDI indices from daily data: WSDI, CSDI, TX90p, TN10p, RX1DAY, RX5DAY and CDD against xclim and CDO.

Base years are the first thirty; percentiles are of five days, by estimator 8 of Hyndman and Fan, without resampling
inside the base.
"""

from __future__ import annotations

import shutil
import subprocess
import warnings
from importlib import import_module, util
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Options
from benchmarks.rivals.contest import Raced, Took, in_turn, not_raced, row
from engine.core.period import Years
from engine.kernels import indices
from engine.kernels.indices import DayAxis

CELLS, CHUNK = 100, 50
YEARS, BASE = Years(2021, 2100), Years(2021, 2050)
NAMES = ("wsdi", "csdi", "tx90p", "tn10p", "rx1day", "rx5day", "cdd")
TARGET = {"xclim": 20.0, "CDO": 2.0}
RACE = "ETCCDI set"
Float32 = NDArray[np.float32]
Indices = dict[str, NDArray[Any]]


class Days(NamedTuple):
    """Daily values (C, D): degC, degC, mm/day."""

    axis: DayAxis
    base: Years
    tasmax: Float32
    tasmin: Float32
    pr: Float32


def days(cells: int, years: Years, base: Years) -> Days:
    """Weather with a season and slow waves, so that spells of six days happen; rain on three days of ten."""
    axis, rng = DayAxis.of(years, indices.STANDARD), np.random.default_rng(5)
    season = -13 * np.cos(2 * np.pi * np.arange(axis.n) / 365.25)
    tasmax, pr = np.empty((cells, axis.n), np.float32), np.empty((cells, axis.n), np.float32)
    for c in range(cells):
        waves = np.convolve(rng.normal(0, 6, axis.n + 9), np.ones(10) / 4, "valid")
        tasmax[c] = (17 + season + waves).round(2)
        pr[c] = (rng.gamma(0.4, 30.0, axis.n) * (rng.random(axis.n) < 0.3)).round(2)
    return Days(axis, base, tasmax, tasmax - np.float32(9.0), pr)


def ours(held: Days) -> Indices:
    limits = [
        indices.percentile_of_days(x, held.axis, held.base, percent)
        for x, percent in ((held.tasmax, 90), (held.tasmin, 10))
    ]
    warm = indices.warm_indices(held.tasmax, held.axis, limits[0])
    cold = indices.cold_indices(held.tasmin, held.axis, limits[1])
    found = warm | cold | indices.rain_indices(held.pr, held.axis)
    return {name: found[name] for name in NAMES}


def with_xclim(held: Days) -> Indices:
    """xclim over dask, fifty cells a chunk, in float64 as it needs for sums that are not rounded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        xi, xr, dask = (import_module(name) for name in ("xclim.indices", "xarray", "dask"))
        percentile = import_module("xclim.core.calendar").percentile_doy
        time = xr.date_range(f"{held.axis.years.first}-01-01", periods=held.axis.n, freq="D")

        def lazy(values: Float32, units: str) -> Any:
            whole = xr.DataArray(values, dims=("cell", "time"), coords={"time": time}, attrs={"units": units})
            return whole.chunk(cell=CHUNK, time=-1).astype(np.float64, keep_attrs=True)

        def limit(x: Any, percent: int) -> Any:
            of_base = x.sel(time=slice(str(held.base.first), str(held.base.last)))
            return percentile(of_base, window=5, per=percent).isel(percentiles=0, drop=True)

        tx, tn, pr = lazy(held.tasmax, "degC"), lazy(held.tasmin, "degC"), lazy(held.pr, "mm/day")
        high, low = limit(tx, 90), limit(tn, 10)
        wanted = (
            xi.warm_spell_duration_index(tx, high, window=6, freq="YS", resample_before_rl=True),
            xi.cold_spell_duration_index(tn, low, window=6, freq="YS", resample_before_rl=True),
            xi.tx90p(tx, high, freq="YS"),
            xi.tn10p(tn, low, freq="YS"),
            xi.max_1day_precipitation_amount(pr, freq="YS"),
            xi.max_n_day_precipitation_amount(pr, window=5, freq="YS"),
            xi.maximum_consecutive_dry_days(pr, thresh="1 mm/day", freq="YS", resample_before_rl=True),
        )
        computed = dask.compute(*wanted)
    return {name: each.transpose("cell", "time").to_numpy() for name, each in zip(NAMES, computed, strict=True)}


def write_netcdf(held: Days, folder: Path) -> None:
    """The days as CDO reads them: time, y, x."""
    xr = import_module("xarray")
    time = xr.date_range(f"{held.axis.years.first}-01-01", periods=held.axis.n, freq="D")
    for name in ("tasmax", "tasmin", "pr"):
        values = np.ascontiguousarray(getattr(held, name).T)[:, None, :]
        array = xr.DataArray(
            values,
            dims=("time", "y", "x"),
            coords={"time": time},
            attrs={"units": "mm/day" if name == "pr" else "degC"},
        )
        array.to_dataset(name=name).to_netcdf(folder / f"{name}.nc", engine="h5netcdf", unlimited_dims=["time"])


def with_cdo(held: Days, folder: Path) -> Indices:
    """CDO over the files, percentiles of its own without histograms; its tables read back."""
    xr = import_module("xarray")
    base, window = f"-selyear,{held.base.first}/{held.base.last}", 5
    bins = {"CDO_PCTL_NBINS": str(window * held.base.n * 2 + 2), "PATH": "/usr/bin:/bin"}

    def cdo(*words: str) -> None:
        subprocess.run(["cdo", "-s", "-O", "-P", "1", *words], cwd=folder, check=True, capture_output=True, env=bins)

    for name, percent in (("tasmax", 90), ("tasmin", 10)):
        of_base = (base, f"{name}.nc")
        cdo("-f", "nc4", "ydrunmin,5", *of_base, f"{name}-min.nc")
        cdo("-f", "nc4", "ydrunmax,5", *of_base, f"{name}-max.nc")
        cdo(
            "-f",
            "nc4",
            "--percentile",
            "rtype8",
            f"ydrunpctl,{percent},5",
            *of_base,
            f"{name}-min.nc",
            f"{name}-max.nc",
            f"{name}-limit.nc",
        )
    cdo("-f", "nc4", "etccdi_wsdi", "tasmax.nc", "tasmax-limit.nc", "wsdi.nc")
    cdo("-f", "nc4", "etccdi_csdi", "tasmin.nc", "tasmin-limit.nc", "csdi.nc")
    cdo("-f", "nc4", "yearsum", "-gtc,0", "-ydaysub", "tasmax.nc", "tasmax-limit.nc", "tx90p.nc")
    cdo("-f", "nc4", "yearsum", "-ltc,0", "-ydaysub", "tasmin.nc", "tasmin-limit.nc", "tn10p.nc")
    cdo("-f", "nc4", "yearmax", "pr.nc", "rx1day.nc")
    cdo("-f", "nc4", "yearmax", "-runsum,5", "pr.nc", "rx5day.nc")
    cdo("-f", "nc4", "etccdi_cdd", "pr.nc", "cdd.nc")
    found = {}
    for name in NAMES:
        with xr.open_dataset(folder / f"{name}.nc", decode_times=False) as opened:
            first = next(each for each in opened.data_vars.values() if each.ndim == 3)
            found[name] = first.to_numpy()[:, 0, :].T
    return found


def compared(mine: Indices, other: Indices) -> tuple[str, float]:
    """Indices that are equal in every year and the others' largest difference, in words; and the largest of all."""
    equal, off, most = [], [], 0.0
    for name in NAMES:
        a, b = mine[name].astype(np.float32), other[name].astype(np.float32)
        if np.array_equal(a, b, equal_nan=True):
            equal.append(name)
            continue
        apart = np.abs(a - b)
        most = max(most, float(np.nanmax(apart)))
        off.append(f"{name} up to {np.nanmax(apart):.3g} in {np.mean(apart != 0):.2%} of years")
    same = "all equal" if len(equal) == len(NAMES) else f"equal: {', '.join(equal) or 'none'}"
    return "; ".join([same, *off]), most


def race(options: Options) -> list[dict[str, Any]]:
    """A row for xclim, which must be equal in every number, and one for CDO where its program is.

    raises : AssertionError when xclim differs
    """
    cells = options.cells or CELLS
    return contest(days(cells, YEARS, BASE), options)


def contest(held: Days, options: Options) -> list[dict[str, Any]]:
    """The race over given days."""
    size = f"{len(held.pr):,} cells x {held.axis.years.n} years"
    ours(held._replace(tasmax=held.tasmax[:1], tasmin=held.tasmin[:1], pr=held.pr[:1]))  # compiled before
    xclim = "xclim, dask and flox" if util.find_spec("flox") else "xclim and dask"
    rivals: dict[str, Any] = {"ours": lambda: ours(held), xclim: lambda: with_xclim(held)}
    folder = options.scratch / "cdo"
    shutil.rmtree(folder, ignore_errors=True)
    if shutil.which("cdo"):
        folder.mkdir(parents=True)
        write_netcdf(held, folder)
        rivals["CDO"] = lambda: with_cdo(held, folder)
    took, answers = in_turn(rivals, options.rounds)
    shutil.rmtree(folder, ignore_errors=True)
    said, off = compared(answers["ours"], answers[xclim])
    assert off == 0.0, f"xclim differs: {said}"
    rows = [row(Raced(RACE, xclim, size, said, "", TARGET["xclim"]), took["ours"], took[xclim])]
    if "CDO" not in rivals:
        return [*rows, not_raced(RACE, "CDO", "no program `cdo` (package cdo of Debian)")]
    return [*rows, _row_of_cdo(size, answers, took)]


def _row_of_cdo(size: str, answers: dict[str, Indices], took: dict[str, Took]) -> dict[str, Any]:
    said, _ = compared(answers["ours"], answers["CDO"])
    remark = (
        "reads and writes NetCDF; a percentile of its own for 29 February, where ETCCDI stretches 365 days over 366; "
        "spells that cross New Year belong to one year"
    )
    return row(Raced(RACE, "CDO", size, said, remark, TARGET["CDO"]), took["ours"], took["CDO"])
