"""Files by variable and scenario, from the words of a name and its folders, in any order and case."""

from __future__ import annotations

import re
from pathlib import Path

from engine.core.errors import SchemaError
from engine.core.scenario import Scenario
from engine.core.variables import VARIABLES, Variable
from engine.io.files import source_files

_PATTERNS = ("*.nc", "*.nc4", "*.tar.gz", "*.tgz", "*.nc.gz", "*.zip")
#: beginnings of names of files of sea level
_SEA_LEVEL = ("*slr*", "zos_*", "total_ssp*_values*")
#: words of a name that tell a run: scenario and realisation
_RUN = re.compile(r"ssp\d+|r\d+i\d+p\d+(?:f\d+)?")
_STEPS = ("monthly", "yearly")


def gridded(data: Path) -> dict[tuple[str, Scenario], Path]:
    """(variable, scenario) -> file, for every gridded file below a directory.

    `SSP245/monthly/SSP245_TA_gridraw_monthly_2021-2100.nc` and `ssp245/yearly/ar6_ssp245_5ensmn_skorea_wsdi...nc` fit.
    raises : SchemaError when two files claim the same variable and scenario
    """
    elements: dict[tuple[str, str | None], str] = {
        (variable.element.lower(), _step(variable)): name for name, variable in VARIABLES.items()
    }
    codes = {scenario.provider_code.lower(): scenario for scenario in Scenario}
    found: dict[tuple[str, Scenario], Path] = {}
    for path in source_files.find(data, *_PATTERNS):
        own = words(path.name)
        # the name says more than the folders: nearest first
        said = own + [word for part in reversed(path.relative_to(data).parts[:-1]) for word in words(part)]
        step = next((word for word in said if word in _STEPS), None)
        scenario = next((codes[word] for word in said if word in codes), None)
        name = next((elements[word, step] for word in own if (word, step) in elements), None)
        if scenario is None or name is None or {"daily", "sgg261"} & set(own):
            continue
        if (name, scenario) in found:
            others = " and ".join(str(other.relative_to(data)) for other in (found[name, scenario], path))
            raise SchemaError(f"{name}, {scenario.code}: two files below {data}: {others}")
        found[name, scenario] = path
    return found


def sea_level(data: Path) -> dict[Scenario, Path]:
    """scenario -> `ssp2_4_5_slr_annual_mean_2015-2100.nc`, `zos_Omon_*_ssp245_*.nc`, the AR6 tool's
    `total_ssp245_medium_confidence_values.nc` or the like, for every sea-level file below a directory."""
    found: dict[Scenario, Path] = {}
    for path in source_files.find(data, *(f"{stem}{pattern[1:]}" for stem in _SEA_LEVEL for pattern in _PATTERNS)):
        name = path.name.lower()
        fits = [
            scenario
            for scenario in Scenario
            if scenario.api_key.replace(".", "_") in name.replace(".", "_") or scenario.provider_code.lower() in name
        ]
        if len(fits) != 1:
            continue
        if fits[0] in found:
            others = " and ".join(str(other.relative_to(data)) for other in (found[fits[0]], path))
            raise SchemaError(f"sea level, {fits[0].code}: two files below {data}: {others}")
        found[fits[0]] = path
    return found


def beside(path: Path, variable: str) -> Path | None:
    """The file of another variable of the same run in the same folder: `zostoga_..._ssp245_...nc` of `zos_...`.

    raises : SchemaError for two of them
    """
    if not path.name.startswith("zos_"):
        return None
    run = set(_RUN.findall(path.name.lower()))
    others = path.parent.glob(f"{variable}_*")
    fits = sorted(each for each in others if set(_RUN.findall(each.name.lower())) == run)
    if len(fits) > 1:
        raise SchemaError(f"{variable} of {path.name}: two files beside it: {fits[0].name} and {fits[1].name}")
    return fits[0] if fits else None


def expected_name(variable: Variable, scenario: Scenario) -> str:
    """Name that a missing file would have."""
    step = _step(variable)
    code = scenario.provider_code
    return f"{code}/{step}/{code}_{variable.element}_gridraw_{step}_*.nc"


def _step(variable: Variable) -> str:
    return "monthly" if variable.monthly else "yearly"


def words(text: str) -> list[str]:
    """Lower-case words and numbers of a name."""
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
