"""The four SSP scenarios, their spellings, and the names that data of other scenarios give their places."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from engine.core.errors import SettingsError
from engine.core.names import unknown


class Scenario(IntEnum):
    """A shared socio-economic pathway; the value is `scenario_id`.

    The id is not part of any column name: SSP5-8.5 has id 4 and column `ssp5`. Go through `column`.
    """

    SSP126 = 1
    SSP245 = 2
    SSP370 = 3
    SSP585 = 4

    @property
    def code(self) -> str:
        """`SSP1-2.6` ..., as printed."""
        return ("SSP1-2.6", "SSP2-4.5", "SSP3-7.0", "SSP5-8.5")[self - 1]

    @property
    def column(self) -> str:
        """Column of the climate tables: `ssp1`, `ssp2`, `ssp3`, `ssp5`."""
        return ("ssp1", "ssp2", "ssp3", "ssp5")[self - 1]

    @property
    def provider_code(self) -> str:
        """`SSP126` ..., as in the provider's file names."""
        return self.name

    @property
    def api_key(self) -> str:
        """`ssp1_2.6` ..., the key in JSON bodies."""
        return self.code.replace("SSP", "ssp").replace("-", "_")

    @classmethod
    def parse(cls, text: str | int | Scenario) -> Scenario:
        """A scenario from its id or any of its spellings; refuses anything else."""
        word = str(int(text)) if isinstance(text, int) else text.strip().lower()
        for scenario in cls:
            spellings = (str(int(scenario)), scenario.code, scenario.column, scenario.name, scenario.api_key)
            if word in {spelling.lower() for spelling in spellings}:
                return scenario
        raise SettingsError(unknown("scenario", str(text), cls.names(), listed=cls.listed()))

    @classmethod
    def names(cls) -> list[str]:
        """`SSP1-2.6` ... of all."""
        return [each.code for each in cls]

    @classmethod
    def listed(cls) -> str:
        """All with their ids, for messages: `1 (SSP1-2.6), ...`."""
        return ", ".join(f"{int(each)} ({each.code})" for each in cls)


DEFAULT_SCENARIO = Scenario.SSP245

#: experiment of CMIP, in lower case, that has the number of a scenario: those of CMIP5 by their forcing
EXPERIMENTS: Mapping[str, Scenario] = {
    **{each.provider_code.lower(): each for each in Scenario},
    "rcp26": Scenario.SSP126,
    "rcp45": Scenario.SSP245,
    "rcp60": Scenario.SSP370,
    "rcp85": Scenario.SSP585,
}

#: names of the scenarios that data hold, where these are others than the four SSPs; empty: those four
ScenarioNames = Mapping[Scenario, str]
#: characters of a name, and the name of a record of observations
LONGEST_NAME, OBSERVED_NAME = 30, "Observed record"


def label(scenario: int, names: ScenarioNames | None = None) -> str:
    """A scenario as page, report, workbook and terminal show it: the only function that names one to a reader.

    names : of the source or of the run that the figures are of; a scenario that is not among them has its SSP code
    """
    found = Scenario(scenario)
    return (names or {}).get(found, found.code)


def names_of(summary: Mapping[str, Any] | None) -> dict[Scenario, str]:
    """Names in the summary of a run, `run.json` or `portfolio.json`; empty where it has none."""
    return named((summary or {}).get("scenario_names"))


def named(told: Mapping[str, Any] | None) -> dict[Scenario, str]:
    """Names as JSON and TOML hold them (`{"2": "RCP4.5"}`).

    raises : SettingsError for a number that is none of a scenario, for a name that is no text of 1 to 30 characters,
             and for one that two have
    """
    found: dict[Scenario, str] = {}
    for key, name in (told or {}).items():
        if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
            raise SettingsError(f"the name of scenario {key} is {name!r}, expected 1 to {LONGEST_NAME} characters")
        if name in found.values():
            raise SettingsError(f"two scenarios are called {name!r}")
        found[Scenario.parse(key)] = name
    return dict(sorted(found.items()))
