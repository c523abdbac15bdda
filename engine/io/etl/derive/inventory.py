"""Daily and monthly NetCDF files of a folder: what each holds, by its content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from engine.core.counted import counted
from engine.core.errors import SchemaError, SettingsError
from engine.core.period import Years
from engine.io.etl.derive import station_netcdf
from engine.io.etl.derive.pieces import CALENDARS, DAILY, MONTHLY, UNITS, conversion_of, step_of
from engine.io.files import source_files
from engine.io.netcdf import cf, daily_names, experiments, lattice_files, members, regular, timeaxis
from engine.kernels.indices import DayAxis

_PATTERNS = ("*.nc", "*.nc4", "*.nc.gz", "*.nc.zip")
_MODEL_BY = ("driving_source_id", "driving_model_id", "source_id", "model_id")
_MEMBER_BY = ("variant_label", "driving_variant_label", "driving_model_ensemble_member")
_MEMBER = re.compile(r"(?<![a-zA-Z0-9])r\d+i\d+p\d+(f\d+)?(?![a-zA-Z0-9])")
_CODE = re.compile(r"(?<![a-z0-9])(ssp[-_]?\d[-_.]?\d[-_.]?\d|rcp[-_]?\d[-_.]?\d|historical)(?![0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One NetCDF file.

    step       : of its time axis: `daily`, `monthly` ...
    units      : daily variable -> unit as the file states it
    left_out   : daily variable that it has and that cannot be used -> why; the key is "" for the file as a whole
    where      : its lattice or list of places, in words
    places     : how many of a list; None: a lattice
    experiment : "" where neither the file nor its name says one
    member     : realisation that the file is of by its attributes or name; "" where it says none
    hole       : days on a lattice that the file lacks between its first and last, in words; "" without one
    whole      : years of which it has the first and the last day
    """

    path: Path
    step: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    places: int | None = None
    calendar: str = ""
    years: Years | None = None
    whole: Years | None = None
    members: tuple[str, ...] = ()
    experiment: str = ""
    member: str = ""
    hole: str = ""
    model: str = ""

    @property
    def is_daily_input(self) -> bool:
        """Whether it holds, under some step, what is derived from: such files are none of the loaders'."""
        return bool(self.units) or any(self.left_out)

    @property
    def usable(self) -> bool:
        """Whether anything is derived from it."""
        return self.step in (DAILY, MONTHLY) and bool(self.units) and self.whole is not None


def look(folder: Path, unit_overrides: Mapping[str, str]) -> tuple[Held, ...]:
    """Every NetCDF file below a folder, opened and described; none is read.

    unit_overrides : daily variable -> unit, over the files'
    raises         : SettingsError where there is none
    """
    found = source_files.find(folder, *_PATTERNS)
    if not found:
        raise SettingsError(f"{folder} holds no NetCDF file (.nc, .nc4)")
    return tuple(_described(path, unit_overrides) for path in found)


def _described(path: Path, overrides: Mapping[str, str]) -> Held:
    try:
        with lattice_files.dataset(path) as data:
            return _of_dataset(station_netcdf.as_list(data, path.name), path, overrides)
    except SchemaError as err:
        return Held(path=path, left_out={"": _plainly(str(err), path)})


def _of_dataset(data: xr.Dataset, path: Path, overrides: Mapping[str, str]) -> Held:
    keys = daily_names.found(data, path.name)
    if not keys:
        return Held(path=path, where="other data, left to the loaders")
    stated, faults, cube = {}, {}, None
    for name, key in keys.items():
        try:
            cube = cf.cube(data, key, path.name, members.FIRST)
            unit = data.variables[key].attrs.get("units")
            read = conversion_of(step_of(data, cube.time, path.name))
            read(name, UNITS[name], None if unit is None else str(unit), overrides.get(name), path.name)
        except SchemaError as err:
            faults[name] = _plainly(str(err), path)
        else:
            stated[name] = overrides.get(name) or str(unit).strip() or "1"
    if cube is None:
        return Held(path=path, left_out=faults)
    is_list = len(cube.axes) == 2
    if is_list:
        where = f"list of {counted(len(cube.latitude), 'place')}"
    else:
        try:
            south, west, n_lat, n_lon, step = regular.lattice_of(cube.latitude, cube.longitude, path.name)
        except SchemaError as err:
            return Held(path=path, left_out={"": _plainly(str(err), path)})
        where = f"{n_lat} x {n_lon} cells of {step:g} degree from {south:g} N {west:g} E"
    months = cf.months(cube.time, path.name)
    first, last = divmod(int(months.min()), 12), divmod(int(months.max()), 12)
    whole = Years(first[0] + (first[1] > 0), last[0] - (last[1] < 11))
    return Held(
        path=path,
        step=step_of(data, cube.time, path.name),
        units=stated,
        left_out=faults,
        where=where,
        places=len(cube.latitude) if is_list else None,
        calendar=str(cube.time.attrs["calendar"]),
        years=Years(first[0], last[0]),
        whole=whole if whole.n > 0 else None,
        members=tuple(members.of_file(data, path.name)),
        experiment=_experiment(data, path),
        member=_member(data, path),
        hole="" if is_list else _hole(cube.time, path.name),
        model=next((text for name in _MODEL_BY if (text := cf.text(data.attrs, name))), ""),
    )


def _member(data: xr.Dataset, path: Path) -> str:
    """`r1i1p1f1` of a file of one realisation."""
    said = next((text for name in _MEMBER_BY if (text := cf.text(data.attrs, name))), "")
    found = _MEMBER.search(said or path.stem)
    return said or (found[0] if found else "")


def _hole(time: xr.Variable, file: str) -> str:
    """`100 days from 2018-03-04 on` of a daily series with days missing."""
    calendar = CALENDARS.get(str(time.attrs["calendar"]).strip().lower())
    if calendar is None or cf.spacing(time, file) != DAILY:
        return ""
    months = cf.months(time, file)
    axis = DayAxis.of(Years(int(months.min()) // 12, int(months.max()) // 12), calendar)
    held = np.unique(
        timeaxis.days_since(time.to_numpy(), time.attrs["units"], str(time.attrs["calendar"]), file, axis.years.first)
    )
    lacking = int(np.ptp(held)) + 1 - len(held)
    if not lacking:
        return ""
    return f"{counted(lacking, 'day')} from {axis.date(int(held[int(np.argmax(np.diff(held) > 1))]) + 1)} on"


def _plainly(sentence: str, path: Path) -> str:
    """A refusal without the name of the file, which stands beside it."""
    return sentence.removeprefix(f"{path.name}: ").removeprefix(f"{path.name} ")


def _experiment(data: xr.Dataset, path: Path) -> str:
    """`historical`, `rcp85`, `ssp245` or as the file calls it; of a file that says none, by its name and folder."""
    if said := experiments.stated(data.attrs):
        return said
    for part in (path.stem, path.parent.name):
        codes = [experiments.spelt(match[1]) for match in _CODE.finditer(part)]
        if codes:
            return codes[-1]  # historical+rcp85: the years ahead say which
    return ""
