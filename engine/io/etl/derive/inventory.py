"""Daily and monthly NetCDF files of a folder: what each holds, by its content, and how they go together as scenarios
of one run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import xarray as xr

from engine.core.counted import counted
from engine.core.errors import SchemaError, SettingsError
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, LONGEST_NAME, OBSERVED_NAME, Scenario
from engine.io.etl.derive import station_netcdf
from engine.io.etl.derive.daily import DAILY, MONTHLY, UNITS, conversion_of, step_of
from engine.io.files import source_files
from engine.io.netcdf import cf, daily_names, lattice_files, members, regular

_PATTERNS = ("*.nc", "*.nc4", "*.nc.gz", "*.nc.zip")
HISTORICAL = "historical"
#: experiments that have a number of their own
_NUMBERS = {
    **{each.provider_code.lower(): each for each in Scenario},
    "rcp26": Scenario.SSP126,
    "rcp45": Scenario.SSP245,
    "rcp60": Scenario.SSP370,
    "rcp85": Scenario.SSP585,
}
#: global attributes that say of which experiment the values are, as CMIP, CORDEX and this engine write them
_SAID_BY = ("experiment_id", "driving_experiment_id", "driving_experiment_name", "scenario", "experiment")
_MODEL_BY = ("driving_source_id", "driving_model_id", "source_id", "model_id")
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
    model: str = ""

    @property
    def is_daily_input(self) -> bool:
        """Whether it holds, under some step, what is derived from: such files are none of the loaders'."""
        return bool(self.units) or any(self.left_out)

    @property
    def usable(self) -> bool:
        """Whether anything is derived from it."""
        return self.step in (DAILY, MONTHLY) and bool(self.units) and self.whole is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Files of a folder that make one run.

    files   : all that were found; grouped: those that are used, those of the historical run among each scenario
    names   : of the scenarios
    years   : that all scenarios have
    observed : a record of the past, not a simulation: it may have gaps
    members : names of the climate models or realisations in the files; empty: one
    """

    files: tuple[Held, ...]
    grouped: Mapping[Scenario, tuple[Path, ...]]
    names: Mapping[Scenario, str]
    years: Years
    observed: bool
    members: tuple[str, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Daily variables that some file holds."""
        held = {name for each in self.files if each.usable for name in each.units}
        return tuple(name for name in UNITS if name in held)


def look(folder: Path, unit_overrides: Mapping[str, str]) -> tuple[Held, ...]:
    """Every NetCDF file below a folder, opened and described; none is read.

    unit_overrides : daily variable -> unit, over the files'
    raises         : SettingsError where there is none
    """
    found = source_files.find(folder, *_PATTERNS)
    if not found:
        raise SettingsError(f"{folder} holds no NetCDF file (.nc, .nc4)")
    return tuple(_described(path, unit_overrides) for path in found)


def together(folder: Path, files: Sequence[Held], numbers: Mapping[str, Scenario]) -> Inventory:
    """Files as the scenarios of one run: those of the historical run belong to each, and a single record is scenario 2.

    numbers : experiment, or name of a file that says none -> scenario, over the known ones
    raises  : SettingsError for files of several models, for experiments that have no number or share one, and where
              nothing can be used
    """
    used = [each for each in files if each.usable]
    if not used:
        raise SettingsError(f"{folder}: {_nothing(files)}")
    _refuse_several_models(used)
    history = [each for each in used if each.experiment == HISTORICAL]
    ahead: dict[str, list[Held]] = {}
    for each in used:
        if each.experiment != HISTORICAL:
            ahead.setdefault(each.experiment or _record_of(each, used), []).append(each)
    placed = _placed(ahead or {HISTORICAL: []}, numbers)
    grouped = {scenario: (*history, *ahead.get(experiment, [])) for experiment, scenario in placed.items()}
    spans = [_years(group) for group in grouped.values()]
    years = Years(max(span.first for span in spans), min(span.last for span in spans))
    if years.n < 1:
        raise SettingsError(f"{folder}: its scenarios have no year in common: {', '.join(map(str, spans))}")
    observed = "" in placed and years.last <= date.today().year
    names = {scenario: _shown(experiment, observed) for experiment, scenario in placed.items()}
    return Inventory(
        files=tuple(files),
        grouped={scenario: tuple(each.path for each in group) for scenario, group in sorted(grouped.items())},
        names=dict(sorted(names.items())),
        years=years,
        observed=observed,
        members=next((each.members for each in used if len(each.members) > 1), ()),
    )


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
        model=next((text for name in _MODEL_BY if (text := cf.text(data.attrs, name))), ""),
    )


def _plainly(sentence: str, path: Path) -> str:
    """A refusal without the name of the file, which stands beside it."""
    return sentence.removeprefix(f"{path.name}: ").removeprefix(f"{path.name} ")


def _experiment(data: xr.Dataset, path: Path) -> str:
    """`historical`, `rcp85`, `ssp245` or as the file calls it; of a file that says none, by its name and folder."""
    for name in _SAID_BY:
        if text := cf.text(data.attrs, name):
            return _spelt(text)
    for part in (path.stem, path.parent.name):
        codes = [_spelt(match[1]) for match in _CODE.finditer(part)]
        if codes:
            return codes[-1]  # historical+rcp85: the years ahead say which
    return ""


def _spelt(text: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    ahead = plain.removeprefix(HISTORICAL).removeprefix("hist")
    if plain.startswith("hist"):
        return ahead if ahead in _NUMBERS else HISTORICAL
    return plain


def _record_of(each: Held, used: Sequence[Held]) -> str:
    """Name of a group of files that say no experiment: one for all, or the file's where others say theirs."""
    return "" if not any(other.experiment for other in used) else each.path.name


def _refuse_several_models(used: Sequence[Held]) -> None:
    models = {each.model: each.path.name for each in used}
    if len(models) > 1:
        (one, first), (other, second) = list(models.items())[:2]
        raise SettingsError(
            f"{first} is of {one or 'an unnamed model'} and {second} of {other or 'an unnamed model'}: give the files"
            " of one climate model (--data DIR for each)"
        )


def _placed(experiments: Mapping[str, Sequence[Held]], numbers: Mapping[str, Scenario]) -> dict[str, Scenario]:
    """Experiment -> scenario. One of them is scenario 2, which sets the baseline of all and has the whole axis."""
    spelt = {_spelt(name): scenario for name, scenario in numbers.items()}
    if unknown := [name for name in spelt if name not in {_spelt(each) for each in experiments}]:
        held = ", ".join(each or "a record" for each in experiments)
        raise SettingsError(f"--scenario-map {unknown[0]}: no file is of it; they are of {held}")
    if len(experiments) == 1:
        (name,) = experiments
        return {name: spelt.get(_spelt(name), DEFAULT_SCENARIO)}
    placed: dict[str, Scenario] = {}
    for name, group in experiments.items():
        scenario = spelt.get(_spelt(name)) or _NUMBERS.get(name)
        if scenario is None:
            raise SettingsError(
                f"{group[0].path.name} is of {name!r}, which has no number: give one, such as --scenario-map {name}=2"
            )
        if scenario in placed.values():
            other = next(each for each, taken in placed.items() if taken == scenario)
            raise SettingsError(
                f"{other} and {name} would both be scenario {int(scenario)}: give one another number (--scenario-map)"
            )
        placed[name] = scenario
    if DEFAULT_SCENARIO not in placed.values():
        if numbers:
            raise SettingsError("--scenario-map: one has to be scenario 2, which sets the baseline of all")
        lowest = min(placed, key=lambda name: placed[name])
        placed[lowest] = DEFAULT_SCENARIO
    return placed


def _years(group: Sequence[Held]) -> Years:
    """Whole years of which some file holds days."""
    spans = [each.whole for each in group if each.whole is not None]
    return Years(min(span.first for span in spans), max(span.last for span in spans))


def _shown(experiment: str, observed: bool) -> str:
    """`RCP8.5` of rcp85."""
    if not experiment:
        return OBSERVED_NAME if observed else "Simulation"
    if found := re.fullmatch(r"rcp(\d)(\d)", experiment):
        return f"RCP{found[1]}.{found[2]}"
    if found := re.fullmatch(r"ssp(\d)(\d)(\d)", experiment):
        return f"SSP{found[1]}-{found[2]}.{found[3]}"
    return experiment.upper()[:LONGEST_NAME] if experiment != HISTORICAL else "Historical"


def _nothing(files: Sequence[Held]) -> str:
    for each in files:
        if each.units and each.step not in (DAILY, MONTHLY):
            return f"{each.path.name} holds {each.step} values, and no file holds daily or monthly ones"
        if each.left_out:
            name, why = next(iter(each.left_out.items()))
            return f"no file can be used; {each.path.name}: {f'{name}: ' if name else ''}{why}"
    if held := next((each for each in files if each.years is not None), None):
        return f"no file covers a whole year; {held.path.name} has {held.years}"
    return f"no file holds daily or monthly values of {', '.join(UNITS)}"
