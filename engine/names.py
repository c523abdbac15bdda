"""The risks by name, in their canonical order, and the older names accepted on input.

A risk is the module `engine.risks.NAME`, which declares it as the constant NAME in capitals, and its line here.
"""

from __future__ import annotations

RISK_NAMES = (
    "extreme_heat",
    "extreme_cold",
    "drought",
    "river_flood",
    "urban_flood",
    "sea_level_rise",
    "typhoon",
    "wildfire",
    "water_stress",
)
ALIASES = {
    "high_temperature": "extreme_heat",
    "cold_wave": "extreme_cold",
    "inland_flood": "river_flood",
    "coastal_flood": "sea_level_rise",
    "water_scarcity": "water_stress",
}
