"""The rules of an assessment for one site, written as one writes them first: a function, a site, nested ifs.

The baseline of the benchmark, and the slow twin that the tests hold the columns against.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RISKS = (
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
SEALED = {
    "urban": 0.9,
    "agricultural": 0.2,
    "forest": 0.05,
    "grassland": 0.1,
    "wetland": 0.1,
    "barren": 0.3,
    "water": 0.0,
}
FOREST = {
    "forest": 0,
    "agricultural": 300,
    "grassland": 500,
    "wetland": 1000,
    "barren": 1500,
    "residential": 1500,
    "urban": 2000,
}
Site = Mapping[str, Any]


def structure_of(text: str) -> str:
    text = text.lower()
    for name, words in (
        ("wood", ["목조", "목구조", "통나무", "wood", "timber"]),
        ("masonry", ["벽돌", "조적", "블록", "석조", "brick", "masonry"]),
        ("sandwich_panel", ["샌드위치", "sandwich"]),
        ("rc", ["콘크리트", "concrete"]),
    ):
        if any(word in text for word in words):
            return name
    latin = "".join(letter if letter.isascii() and (letter.isalnum() or letter == "_") else " " for letter in text)
    if {"rc", "src"} & set(latin.split()):
        return "rc"
    return "steel" if any(word in text for word in ["철골", "강구조", "steel"]) else "other"


def purpose_of(text: str) -> str:
    text = text.lower()
    for name, words in (
        (
            "industrial",
            ["공장", "제조", "산업", "발전", "동물및식물관련시설", "factory", "manufacturing", "industrial", "power"],
        ),
        ("water_process", ["세차", "목욕", "냉각", "데이터센터", "car_wash", "bath", "cooling", "data center"]),
        ("lodging", ["숙박시설", "hotel"]),
        ("medical", ["병원", "의료시설", "hospital"]),
        ("office", ["업무시설", "사무", "office"]),
        ("commercial", ["상업시설", "판매시설", "근린생활시설", "문화및집회시설", "retail", "commercial"]),
        ("residential", ["주택", "주거", "아파트", "다세대", "연립", "residential"]),
    ):
        if any(word in text for word in words):
            return name
    return "other"


def proximity(site: Site) -> dict[str, float | None]:
    purpose = purpose_of(site["main_purpose"])
    thirsty = (
        "high"
        if purpose in ("industrial", "water_process", "lodging", "medical")
        else "medium"
        if purpose in ("office", "commercial")
        else "low"
    )
    cover, sealed, green = site["landcover_type"], site["imperviousness_ratio"], site["vegetation_ratio"]
    found: dict[str, float | None] = {}

    if sealed is not None:
        if sealed >= 0.8 or (sealed >= 0.5 and green is not None and green < 0.2):
            found["extreme_heat"] = 0.70
        else:
            found["extreme_heat"] = 0.50 if sealed >= 0.3 else 0.30
    elif cover is not None:
        if cover in ("commercial", "industrial", "urban"):
            found["extreme_heat"] = 0.70
        else:
            found["extreme_heat"] = 0.50 if cover in ("residential", "mixed-use") else 0.30
    elif purpose in ("office", "commercial"):
        found["extreme_heat"] = 0.70
    else:
        found["extreme_heat"] = 0.50 if purpose == "residential" else 0.30

    cold = 0.30
    if site["latitude"] > 38:
        cold += 0.20
    elif site["latitude"] > 36:
        cold += 0.10
    if site["elevation"] is not None:
        cold += 0.15 if site["elevation"] > 500 else 0.10 if site["elevation"] > 200 else 0.0
    found["extreme_cold"] = cold

    dry = {"high": 0.70, "medium": 0.45, "low": 0.25}[thirsty]
    rain, cdd = site["annual_rainfall_mm"], site["cdd_days"]
    if rain is not None:
        dry += 0.15 if rain < 800 else 0.10 if rain < 1000 else 0.05 if rain < 1200 else 0.0
    if cdd is not None:
        dry += 0.10 if cdd > 50 else 0.05 if cdd > 40 else 0.0
    found["drought"] = min(dry, 1.0)

    river = site["distance_to_river_m"]
    if river is None:
        found["river_flood"] = None
    else:
        found["river_flood"] = 0.90 if river < 100 else 0.70 if river < 300 else 0.40 if river < 1000 else 0.10

    if sealed is None:
        sealed = SEALED.get(cover)
    if sealed is None:
        found["urban_flood"] = None
    else:
        flood = 0.85 if sealed >= 0.8 else 0.65 if sealed >= 0.6 else 0.45 if sealed >= 0.4 else 0.10
        if 0.2 <= sealed < 0.4:
            flood = 0.25
        if cover in ("urban", "commercial"):
            flood += 0.10
        elif cover in ("forest", "grassland", "wetland"):
            flood -= 0.10
        found["urban_flood"] = min(max(flood, 0.0), 1.0)

    coast = site["distance_to_coast_m"]
    if coast is None:
        found["sea_level_rise"] = found["typhoon"] = None
    else:
        found["sea_level_rise"] = (
            0.80 if coast < 100 else 0.60 if coast < 500 else 0.40 if coast < 1000 else 0.10 if coast < 10_000 else 0.0
        )
        found["typhoon"] = 0.90 if coast < 5000 else 0.70 if coast < 20_000 else 0.40 if coast < 50_000 else 0.10

    forest = site["distance_to_forest_m"]
    if forest is None:
        forest = 5000 if cover == "water" else FOREST.get(cover)
    if forest is None:
        found["wildfire"] = None
    else:
        found["wildfire"] = (
            1.0 if forest <= 30 else 0.7 if forest <= 100 else 0.4 if forest <= 500 else 0.1 if forest <= 1000 else 0.0
        )

    tank, tall = site["has_water_tank"], site["floors_above"] > 10
    if tank is None:
        tank = site["floors_above"] >= 6 or (site["floor_area"] is not None and site["floor_area"] >= 3000)
    stress = {"high": 0.70, "medium": 0.50, "low": 0.30}[thirsty]
    if tank:
        stress += (0.0 if tall else 0.10) - 0.10
    else:
        stress += 0.10 if tall else 0.20
    found["water_stress"] = min(max(stress, 0.0), 1.0)
    return found


def vulnerability(site: Site) -> dict[str, float]:
    structure, purpose = structure_of(site["structure"]), purpose_of(site["main_purpose"])
    age, above, below, area = site["building_age"], site["floors_above"], site["floors_below"], site["floor_area"]
    height, piloti = site["elevation"], site["has_piloti"]
    size = 0.0 if area is None else area
    large = 10 if size > 100_000 else 5 if size > 50_000 else 0
    tall = 15 if above > 20 else 10 if above > 10 else 5 if above > 5 else 0
    insulation = {"wood": 15, "masonry": 15, "rc": -10}.get(structure, 0)

    def aged(old: int, middle: int = 0) -> int:
        return old if age > 30 else middle if age > 20 else 0

    score: dict[str, float] = {}
    score["extreme_heat"] = 50 + aged(20, 10) + insulation + tall + large
    score["extreme_heat"] += 10 if purpose in ("office", "commercial") else 0
    score["extreme_cold"] = 50 + aged(20, 10) + insulation + tall + large
    score["drought"] = 35 + aged(15, 8) + (15 if above > 20 else 10 if above > 10 else 0) + large
    score["drought"] += (20 if below > 0 else 0) + (20 if site["water_supply_available"] is False else 0)
    ground = (10 if above <= 3 else -5 if above > 10 else 0) + (-5 if size > 100_000 else 0)
    ground += 5 if area is not None and area < 1000 else 0
    score["river_flood"] = 40 + aged(15) + ground + (25 if below > 0 else 0) - (20 if piloti else 0)
    score["river_flood"] += 20 if site["in_flood_zone"] else 0
    first = site["first_floor_height_m"]
    score["river_flood"] += 15 if first is not None and first < 0.5 else 0
    score["urban_flood"] = 40 + aged(10) + ground + (20 if below > 0 else 0) - (15 if piloti else 0)
    sea = 40 + aged(10) - (5 if above > 10 else 0) - (5 if size > 100_000 else 0) - (15 if piloti else 0)
    if height is not None:
        sea += 50 if height < 3 else 30 if height < 5 else 10 if height < 10 else -20
        if below > 0:
            sea += 20 if height < 5 else 5 if height < 10 else 0
    score["sea_level_rise"] = sea
    score["typhoon"] = 50 + aged(20) + {"rc": -15, "steel": -15, "wood": 30, "masonry": 30}.get(structure, 0)
    score["typhoon"] += (15 if above > 10 else 0) + large + (0 if site["has_seismic_design"] else 20)
    score["wildfire"] = 30 + aged(15, 8) - large + (0 if site["fire_access"] else 20)
    score["wildfire"] += {"wood": 40, "sandwich_panel": 40, "rc": -5, "steel": -5}.get(structure, 0)
    tank = site["has_water_tank"]
    if tank is not None:
        supply = 0 if tank else 25
    elif above >= 6 or size >= 3000:
        supply = 0
    else:
        supply = 25 if area is None else 20 if area <= 1000 else 10
    if site["water_supply_available"] is False:
        supply = max(supply, 25)
    score["water_stress"] = 40 + aged(15, 8) - (10 if age < 10 else 0) + supply
    return {risk: float(min(max(value, 0), 100)) for risk, value in score.items()}


def assess(site: Site, hazard: Mapping[Any, float], aal: Mapping[Any, float], pairs: list[Any]) -> dict[str, Any]:
    """One site over pairs of scenario and period. hazard, aal: (pair, risk) -> value of its cell."""
    value = site["total_asset_value"]
    if value is not None:
        share = min(value / 1e11, 1.0)
    else:
        share = min(max((1000 if site["floor_area"] is None else site["floor_area"]) / 1e4, 0.1), 1.0)
    near, weak = proximity(site), vulnerability(site)
    rows, totals = {}, {}
    for pair in pairs:
        scores = {}
        for risk in RISKS:
            scale = 0.9 + weak[risk] / 100 * 0.2
            final = min(aal[pair, risk] * scale * (1 - (site["insurance_coverage_rate"] or 0.0)), 1.0)
            exposure = None if near[risk] is None else near[risk] * share
            score = None if exposure is None else 100 * (hazard[pair, risk] * exposure * (weak[risk] / 100))
            loss = None if value is None else round(final * value)
            rows[pair, risk] = {"exposure": exposure, "final_aal": final, "loss": loss, "score": score}
            if score is not None:
                scores[risk] = score
        total = sum(scores.values())
        for risk, score in scores.items():
            rows[pair, risk]["contribution"] = 100 * score / total if total else 0.0
        totals[pair] = {
            "score": total / len(scores),
            "loss": None if value is None else sum(rows[pair, risk]["loss"] for risk in RISKS),
            "top": sorted(scores, key=lambda risk: -scores[risk])[:3],
        }
    return {"vulnerability": weak, "rows": rows, "totals": totals}
