"""The nine risks, listed by hand in their canonical order, and the older names accepted on input."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import SettingsError
from engine.names import RISK_NAMES, risk
from engine.risks.definition import Risk
from engine.risks.drought import DROUGHT
from engine.risks.extreme_cold import EXTREME_COLD
from engine.risks.extreme_heat import EXTREME_HEAT
from engine.risks.river_flood import RIVER_FLOOD
from engine.risks.sea_level_rise import SEA_LEVEL_RISE
from engine.risks.typhoon import TYPHOON
from engine.risks.urban_flood import URBAN_FLOOD
from engine.risks.water_stress import WATER_STRESS
from engine.risks.wildfire import WILDFIRE

RISKS: dict[str, Risk] = {
    each.name: each
    for each in (
        EXTREME_HEAT,
        EXTREME_COLD,
        DROUGHT,
        RIVER_FLOOD,
        URBAN_FLOOD,
        SEA_LEVEL_RISE,
        TYPHOON,
        WILDFIRE,
        WATER_STRESS,
    )
}
assert tuple(RISKS) == RISK_NAMES  # noqa: S101 (a risk is added in both places)


def parse_risks(names: Iterable[str] | None) -> tuple[str, ...]:
    """Canonical names in canonical order; None means all nine; refuses an unknown name."""
    if names is None:
        return tuple(RISKS)
    wanted = {risk(name) for name in names}
    if not wanted:
        raise SettingsError("no risk was named")
    return tuple(name for name in RISKS if name in wanted)
