"""The four SSP scenarios and their spellings."""

from __future__ import annotations

from enum import IntEnum

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
