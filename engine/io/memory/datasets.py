"""xarray datasets of the user as the readers of files take them: nothing decoded, one scenario each.

xarray decodes what it opens: time stamps become dates, fills become NaN, names of coordinates leave the attributes.
Here this is turned back, so that one reading (`io.netcdf`, `io.etl.derive`) serves files and memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import xarray as xr

from engine.core.errors import SettingsError
from engine.core.names import unknown
from engine.core.scenario import DEFAULT_SCENARIO, EXPERIMENTS, Scenario
from engine.io.etl.derive import station_netcdf
from engine.io.netcdf import members
from engine.io.netcdf.experiments import HISTORICAL, shown, spelt, stated

#: a dataset, or several: parts in time, or variables apart
Given: TypeAlias = xr.Dataset | Sequence[xr.Dataset]
#: dataset, what to call it in a message
Named: TypeAlias = tuple[xr.Dataset, str]

_SCENARIOS = ("scenario", "experiment", "experiment_id", "ssp", "rcp")
_EPOCH = "days since 1850-01-01"


class Grouped(NamedTuple):
    """Datasets by scenario, and those of the historical years before all of them.

    names : of the scenarios, where these are not just the four SSPs: a record without one stands in the place of one
    """

    scenarios: dict[Scenario, list[Named]]
    historical: list[Named]
    names: dict[Scenario, str]


def scenario_of(label: object) -> Scenario:
    """A scenario by any of its spellings, or by an RCP: 2.6, 4.5, 6.0 and 8.5 are the places 1, 2, 3 and 4.

    raises : SettingsError
    """
    found = EXPERIMENTS.get(spelt(str(label)))
    return found if found is not None else Scenario.parse(label if isinstance(label, int) else str(label))


def grouped(data: Given | Mapping[Any, Given], scenario: object, member: str | None) -> Grouped:
    """Every dataset under its scenario: that of its key, else its label of a scenario, else the caller's.

    raises : SettingsError for names that are no scenario, a dataset of several members of which none is chosen, or data
             without SSP2-4.5, which the baseline is taken from
    """
    if isinstance(data, Mapping) and not isinstance(data, xr.Dataset):
        if scenario is not None:
            raise SettingsError("scenario names that of a single dataset: the keys of a mapping name their own")
        labelled = [(key, each) for key, value in data.items() for each in _several(value)]
    else:
        labelled = [(scenario, each) for each in _several(data)]
    found, has_members = Grouped({}, [], {}), False
    for key, each in labelled:
        for label, part in _by_label(each).items() if key is None else [(key, each)]:
            named = "the dataset" if label is None else f"dataset {label}"
            has_members = _require_member(part, member, named) or has_members
            own = undecoded(part)
            entry = (station_netcdf.as_list(own, named), named)
            if str(label).strip().lower() in (HISTORICAL, "hist"):
                found.historical.append(entry)
            else:
                place = DEFAULT_SCENARIO if label is None else scenario_of(label)
                found.scenarios.setdefault(place, []).append(entry)
                found.names[place] = _name(label, place, part)
    if member is not None and not has_members:  # those of observations, beside others, have none
        raise SettingsError(f"no dataset has a dimension of members: leave member={member!r} out")
    if DEFAULT_SCENARIO not in found.scenarios:
        given = ", ".join(each.code for each in sorted(found.scenarios)) or "none but historical"
        raise SettingsError(
            f"the scenarios given are {given}, and {DEFAULT_SCENARIO.code} is not among them: bins and `full` are taken"
            f" from it. A single record stands in its place when scenario is left out"
        )
    whole = all(found.names.get(each) == each.code for each in Scenario)
    return Grouped(dict(sorted(found.scenarios.items())), found.historical, {} if whole else found.names)


def _name(label: object, place: Scenario, data: xr.Dataset) -> str:
    """`RCP8.5`, `SSP5-8.5`; of a record without a label what its attributes say."""
    if label is None:
        said = stated(data.attrs)
        return shown(said) if said in EXPERIMENTS else "One record"
    found = spelt(str(label))
    return shown(found) if found in EXPERIMENTS else place.code


def undecoded(data: xr.Dataset) -> xr.Dataset:
    """The dataset as a file would hold it: dates as numbers with unit and calendar, coordinates named in attributes."""
    variables, attributes = xr.conventions.encode_dataset_coordinates(data)
    return xr.Dataset({name: _stored(variable) for name, variable in variables.items()}, attrs=attributes)


def _stored(variable: xr.Variable) -> xr.Variable:
    kept = variable.to_base_variable().copy(deep=False)
    kept.encoding = {}
    calendar = _calendar(kept)
    if calendar is not None:
        attributes = {key: value for key, value in kept.attrs.items() if key not in ("units", "calendar")}
        encoding = {"units": _EPOCH, "calendar": calendar, "dtype": np.dtype(np.float64)}
        return xr.conventions.encode_cf_variable(xr.Variable(kept.dims, kept.values, attributes, encoding))
    if kept.dtype.kind == "m":  # xarray reads a number of days as a duration
        days = kept.values / np.timedelta64(1, "D")
        return xr.Variable(kept.dims, days, {**kept.attrs, "units": "days"})
    return kept


def _calendar(variable: xr.Variable) -> str | None:
    """Calendar of dates; None for what is none."""
    if variable.dtype.kind == "M":
        return "standard"
    if variable.dtype.kind == "O" and variable.size:
        calendar = getattr(variable.values.flat[0], "calendar", None)
        return str(calendar) if calendar else None
    return None


def _several(given: Given) -> list[xr.Dataset]:
    one = isinstance(given, xr.Dataset | xr.DataArray | str) or not isinstance(given, Sequence)
    parts: list[Any] = [given] if one else list(given)
    for part in parts:
        if isinstance(part, xr.DataArray):
            raise SettingsError("a DataArray has one variable: give a Dataset, such as array.to_dataset(name='tas')")
        if not isinstance(part, xr.Dataset):
            raise SettingsError(f"a {type(part).__name__} is no xarray.Dataset: open files with xarray.open_dataset")
        if empty := [str(name) for name, size in part.sizes.items() if not size]:
            raise SettingsError(f"the dataset has no entry along {empty[0]}")
    if not parts:
        raise SettingsError("no dataset given")
    return parts


def _by_label(data: xr.Dataset) -> dict[str | None, xr.Dataset]:
    """Parts of a dataset by their label along a dimension of scenarios, or the one label that it has; else by None."""
    for name in data.dims:
        if str(name).lower() in _SCENARIOS:
            if name not in data.coords:
                raise SettingsError(
                    f"the dimension {name} has no labels to tell the scenarios: assign_coords names them"
                )
            labels = [_text(label) for label in data[name].to_numpy().tolist()]
            if len(set(labels)) < len(labels):
                raise SettingsError(f"the dimension {name} has a scenario twice: {', '.join(labels)}")
            return {label: data.isel({name: place}, drop=True) for place, label in enumerate(labels)}
    for name, coordinate in data.coords.items():
        if str(name).lower() in _SCENARIOS and coordinate.ndim == 0:
            return {_text(coordinate.item()): data.drop_vars([name])}
    return {None: data}


def _text(label: object) -> str:
    return label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)


def _require_member(data: xr.Dataset, member: str | None, what: str) -> bool:
    """Refuse several members of which none is chosen, and one that is not there, in the words of this face; whether
    there is a dimension of members."""
    names = members.of_file(data, what)
    if member is None and len(names) > 1:
        listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise SettingsError(f"{what} has {len(names)} members, {listed}: choose one with member={names[0]!r}")
    if member is not None and names and member not in names:
        raise SettingsError(f"{what}: {unknown('member', member, names)}")
    return bool(names)


def files_of(named: Iterable[Named]) -> str:
    """All names, once each, for messages."""
    return ", ".join(dict.fromkeys(name for _, name in named))
