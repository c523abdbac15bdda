"""Files of a folder put together as the scenarios of one run, or refused by what does not go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path

from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.core.period import Years
from engine.core.scenario import DEFAULT_SCENARIO, EXPERIMENTS, OBSERVED_NAME, Scenario
from engine.io.etl.derive.inventory import Held
from engine.io.etl.derive.pieces import CALENDARS, DAILY, MONTHLY, UNITS
from engine.io.netcdf.experiments import HISTORICAL, shown, spelt


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Files of a folder that make one run.

    files   : all that were found; grouped: those that are used, those of the historical run among each scenario
    names   : of the scenarios
    years   : that all scenarios have
    observed : a record of the past, not a simulation: it may have gaps
    members : names of the climate models or realisations in the files; empty: one
    member  : the one that is used of several; inside: it is one of those along a dimension of the files
    """

    files: tuple[Held, ...]
    grouped: Mapping[Scenario, tuple[Path, ...]]
    names: Mapping[Scenario, str]
    years: Years
    observed: bool
    members: tuple[str, ...]
    member: str | None
    inside: bool

    @property
    def variables(self) -> tuple[str, ...]:
        """Daily variables that some file holds."""
        held = {name for each in self.files if each.usable for name in each.units}
        return tuple(name for name in UNITS if name in held)


def together(
    folder: Path, files: Sequence[Held], numbers: Mapping[str, Scenario], member: str | None = None
) -> Inventory:
    """Files as the scenarios of one run: those of the historical run belong to each, and a single record is scenario 2.

    numbers : experiment, or name of a file that says none -> scenario, over the known ones
    member  : of several; None: the first
    raises  : SettingsError for files of several models, lattices or calendars, for years that come twice, for
              experiments that have no number or share one, for a member that is not there, for a simulation that lacks
              days, and where nothing can be used
    """
    used = [each for each in files if each.usable]
    if not used:
        raise SettingsError(f"{folder}: {_nothing(files)}")
    _refuse_several_models(used)
    inside = next((each.members for each in used if len(each.members) > 1), ())
    names_of = inside or tuple(sorted({each.member for each in used if each.member}))
    chosen = _member(names_of, member)
    if not inside:
        used = [each for each in used if each.member in ("", chosen)]
    _refuse_different(used)
    history = [each for each in used if each.experiment == HISTORICAL]
    ahead: dict[str, list[Held]] = {}
    for each in used:
        if each.experiment != HISTORICAL:
            ahead.setdefault(each.experiment or _record_of(each, used), []).append(each)
    placed = _placed(ahead or {HISTORICAL: []}, numbers)
    grouped = {scenario: (*history, *ahead.get(experiment, [])) for experiment, scenario in placed.items()}
    for group in grouped.values():
        _refuse_twice(group)
    spans = [_years(group) for group in grouped.values()]
    years = Years(max(span.first for span in spans), min(span.last for span in spans))
    if years.n < 1:
        raise SettingsError(f"{folder}: its scenarios have no year in common: {', '.join(map(str, spans))}")
    observed = "" in placed and years.last <= date.today().year
    if not observed and (lacking := [each for each in used if each.hole]):
        raise SettingsError(
            f"{lacking[0].path.name} lacks {lacking[0].hole}, which a simulation has: give a whole file, or cut the"
            " years before or after out (cdo selyear)"
        )
    names = {scenario: _shown(experiment, observed) for experiment, scenario in placed.items()}
    return Inventory(
        files=tuple(files),
        grouped={scenario: tuple(each.path for each in group) for scenario, group in sorted(grouped.items())},
        names=dict(sorted(names.items())),
        years=years,
        observed=observed,
        members=names_of,
        member=chosen,
        inside=bool(inside),
    )


def _member(names: Sequence[str], asked: str | None) -> str | None:
    if asked is None or asked in names:
        return asked if asked is not None else next(iter(names), None)
    if not names:
        raise SettingsError(f"--member {asked}: no file says which member of an ensemble it is of; leave it out")
    raise SettingsError(f"--member: {unknown('member', asked, names)}")


def _record_of(each: Held, used: Sequence[Held]) -> str:
    """Name of a group of files that say no experiment: one for all, or the file's where others say theirs."""
    return "" if not any(other.experiment for other in used) else each.path.name


def _refuse_several_models(used: Sequence[Held]) -> None:
    models = {each.model: each.path.name for each in used}
    if len(models) > 1:
        (one, first), (other, second) = list(models.items())[:2]
        raise SettingsError(
            f"{first} is of {_of(one)} and {second} of {_of(other)}: give the files of one climate model, or those of"
            " observations alone, in a folder each (--data DIR)"
        )


def _of(model: str) -> str:
    return f"the climate model {model}" if model else "no climate model that it names, so perhaps of observations"


def _refuse_different(used: Sequence[Held]) -> None:
    """A run has one lattice, or places alone, and one calendar."""
    first = used[0]
    for each in used[1:]:
        here, there = (file.where if file.places is None else "a list of places" for file in (first, each))
        if here != there:
            raise SettingsError(
                f"{first.path.name} holds {here} and {each.path.name} {there}: give the files of one lattice, remap the"
                " others to it (cdo remapbil, remapcon for rain), or take them out of the folder"
            )
        if len({CALENDARS.get(file.calendar.strip().lower(), file.calendar) for file in (first, each)}) > 1:
            raise SettingsError(
                f"{first.path.name} has the calendar {first.calendar} and {each.path.name} {each.calendar}: give the"
                " files of one calendar (cdo setcalendar)"
            )


def _refuse_twice(group: Sequence[Held]) -> None:
    """Whole years that two files on a lattice have of one variable and step."""
    for one, other in combinations(group, 2):
        if one.whole is None or other.whole is None or one.places is not None or one.step != other.step:
            continue
        first, last = max(one.whole.first, other.whole.first), min(one.whole.last, other.whole.last)
        if (shared := sorted(one.units.keys() & other.units.keys())) and first <= last:
            raise SettingsError(
                f"{one.path.name} and {other.path.name} both hold {shared[0]} in {Years(first, last)}: cut these years"
                " out of one (cdo selyear), or take it out of the folder; of several members keep one"
            )


def _placed(experiments: Mapping[str, Sequence[Held]], numbers: Mapping[str, Scenario]) -> dict[str, Scenario]:
    """Experiment -> scenario. One of them is scenario 2, which sets the baseline of all and has the whole axis."""
    given = {spelt(name): scenario for name, scenario in numbers.items()}
    if strange := [name for name in given if name not in {spelt(each) for each in experiments}]:
        held = ", ".join(each or "a record" for each in experiments)
        raise SettingsError(f"--scenario-map {strange[0]}: no file is of it; they are of {held}")
    if len(experiments) == 1:
        (name,) = experiments
        return {name: given.get(spelt(name), DEFAULT_SCENARIO)}
    placed: dict[str, Scenario] = {}
    for name, group in experiments.items():
        scenario = given.get(spelt(name)) or EXPERIMENTS.get(name)
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
    """`RCP8.5` of rcp85; of files that say none what they are."""
    return shown(experiment) if experiment else OBSERVED_NAME if observed else "Simulation"


def of_variable(name: str, why: str) -> str:
    """Why a variable cannot be used, with its name once; of a whole file the name is empty."""
    return why if not name or why.startswith((f"{name} ", f"{name}:")) else f"{name}: {why}"


def _nothing(files: Sequence[Held]) -> str:
    for each in files:
        if each.units and each.step not in (DAILY, MONTHLY):
            return f"{each.path.name} holds {each.step} values, and no file holds daily or monthly ones"
        if each.left_out:
            name, why = next(iter(each.left_out.items()))
            return f"no file can be used; {each.path.name}: {of_variable(name, why)}"
    if held := next((each for each in files if each.years is not None), None):
        return f"no file covers a whole year; {held.path.name} has {held.years}"
    return f"no file holds daily or monthly values of {', '.join(UNITS)}"
