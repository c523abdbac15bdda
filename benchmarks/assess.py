"""Sites assessed per second, 9 risks in 4 scenarios, against a loop that takes one site after the other.

Two rivals: the rules written out for one site in plain Python, which does less (it checks nothing, derives no ids,
explains nothing in `factors`, flags nothing and makes no tables), and `assess_sites` called site by site.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from benchmarks import harness, per_site
from benchmarks.harness import Options
from engine.assess import AssessmentResult, assess_sites
from engine.assess.rules.fields import SURROUNDINGS
from engine.assess.rules.offered import RISKS
from engine.core.grid import KOREA

SCENARIOS = [1, 2, 3, 4]
PERIOD = "mid_term"
TOLERANCE = 1e-9
SITES = 100_000
#: ours for so many sites, without database
TARGET_SECONDS = 10.0
#: sites that the rivals are timed on; their rate is taken as constant
SAMPLE, CALLS = 2000, 20


def sites(n: int, seed: int = 0, gaps: float = 0.1) -> pl.DataFrame:
    """Sites all over the grid with every field stated, but for a share of the surroundings."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "latitude": rng.uniform(33.0, 39.0, n),
        "longitude": rng.uniform(124.5, 132.0, n),
        "building_age": rng.integers(0, 101, n),
        "structure": rng.choice(["철근콘크리트", "목조", "Steel frame", "벽돌", "샌드위치패널", "RC조", "-"], n),
        "main_purpose": rng.choice(["업무시설", "공장", "공동주택", "Hotel", "제1종근린생활시설", "교육"], n),
        "floors_below": rng.integers(0, 5, n),
        "floors_above": rng.integers(1, 60, n),
        "elevation": rng.uniform(-2, 900, n),
        "total_asset_value": rng.integers(10**8, 2 * 10**11, n),
        "insurance_coverage_rate": rng.uniform(0, 1, n),
        "floor_area": rng.uniform(50, 150_000, n),
        "distance_to_river_m": rng.uniform(0, 3000, n),
        "distance_to_coast_m": rng.uniform(0, 60_000, n),
        "distance_to_forest_m": rng.uniform(0, 3000, n),
        "imperviousness_ratio": rng.uniform(0, 1, n),
        "vegetation_ratio": rng.uniform(0, 1, n),
        "landcover_type": rng.choice(["urban", "forest", "industrial", "barren", "water"], n),
        "annual_rainfall_mm": rng.uniform(700, 1600, n),
        "cdd_days": rng.uniform(20, 60, n),
        "first_floor_height_m": rng.uniform(0, 2, n),
    }
    flags = ("has_piloti", "has_seismic_design", "fire_access", "in_flood_zone", "has_water_tank")
    columns |= {name: rng.random(n) < 0.5 for name in (*flags, "water_supply_available")}
    frame = pl.DataFrame(columns)
    optional = [field.name for field in SURROUNDINGS]
    return frame.with_columns(
        *(pl.when(pl.Series(rng.random(n) >= gaps)).then(pl.col(name)).alias(name) for name in optional),
        scenario_ids=pl.lit(SCENARIOS, pl.List(pl.Int64)),
    ).with_columns(pl.col("latitude", "longitude").round(6))


def cells_of(frame: pl.DataFrame, seed: int = 1) -> pl.DataFrame:
    """Hazard and AAL of every cell that a site lies in."""
    rng = np.random.default_rng(seed)
    cells = np.unique(KOREA.locate(frame["latitude"].to_numpy(), frame["longitude"].to_numpy()))
    keys = pl.DataFrame({"grid_id": cells}).join(pl.DataFrame({"risk_type": RISKS}), how="cross")
    keys = keys.join(pl.DataFrame({"scenario_id": SCENARIOS}), how="cross").with_columns(time_period=pl.lit(PERIOD))
    return keys.with_columns(
        hazard_score=pl.Series(rng.random(keys.height)), aal=pl.Series(rng.random(keys.height) * 0.05)
    )


def in_a_loop(frame: pl.DataFrame, cells: pl.DataFrame) -> list[dict[str, Any]]:
    """The same sites, one by one; the cells' figures come from a dictionary."""
    keys = ("grid_id", "risk_type", "scenario_id", "hazard_score", "aal")
    hazard: dict[int, dict[Any, float]] = {}
    aal: dict[int, dict[Any, float]] = {}
    for cell, risk, scenario, score, loss in cells.select(keys).iter_rows():
        hazard.setdefault(cell, {})[scenario, risk] = score
        aal.setdefault(cell, {})[scenario, risk] = loss
    answers = []
    for site in frame.iter_rows(named=True):
        cell = int(KOREA.locate(site["latitude"], site["longitude"]))
        answers.append(per_site.assess(site, hazard[cell], aal[cell], SCENARIOS))
    return answers


def largest_difference(result: AssessmentResult, answers: list[dict[str, Any]]) -> float:
    """Of scores, AAL, losses and totals of the first sites between the two; infinite where one has none."""
    keys = [(site, pair, risk) for site in range(len(answers)) for pair in SCENARIOS for risk in RISKS]
    mine = result.risk.join(
        result.aal, on=["site_uuid", "risk_type", "scenario_id"], suffix="_aal", maintain_order="left"
    ).join(result.vulnerability.select("site_uuid", "risk_type", "vulnerability_score"), on=["site_uuid", "risk_type"])
    places = result.totals.select("site_uuid").unique(maintain_order=True).with_row_index("site").head(len(answers))
    mine = mine.join(places, on="site_uuid").sort("site", "scenario_id", "risk_type")
    rows = [answers[site]["rows"][pair, risk] for site, pair, risk in keys]
    theirs = pl.DataFrame(
        {
            "risk_score": [row["score"] for row in rows],
            "contribution_percent": [row.get("contribution") for row in rows],
            "final_aal": [row["final_aal"] for row in rows],
            "expected_loss": [row["loss"] for row in rows],
            "vulnerability_score": [answers[site]["vulnerability"][risk] for site, _, risk in keys],
        }
    ).cast(pl.Float64)
    ours = mine.select(theirs.columns).cast(pl.Float64)
    if not ours.select(pl.all().is_null()).equals(theirs.select(pl.all().is_null())):
        return float("inf")
    return float((ours - theirs).select(pl.max_horizontal(pl.all().abs().max())).item() or 0.0)


def measure(options: Options) -> list[dict[str, Any]]:
    """One row a rival: sites/s of both and their ratio.

    raises : AssertionError when the answers of the loop differ by more than 1e-9, those of single calls at all
    """
    n = options.sites or SITES
    frame = sites(n)
    known = cells_of(frame)
    sample, few = frame.head(min(SAMPLE, n)), frame.head(min(CALLS, n))
    near = known.join(cells_of(sample).select("grid_id").unique(), on="grid_id", how="semi")
    contest = {
        "ours": lambda: assess_sites(frame, known, known),
        "plain Python, a site at a time": lambda: in_a_loop(sample, near),
        "assess_sites, a call a site": lambda: [
            assess_sites(few[place], near, near).risk for place in range(few.height)
        ],
    }
    seconds, answers = harness.in_turn(contest, options.rounds)
    whole: AssessmentResult = answers["ours"]
    loop, calls = list(contest)[1:]
    off = {loop: largest_difference(whole, answers[loop])}
    assert off[loop] <= TOLERANCE, f"the loop differs by {off[loop]}"
    single = pl.concat(answers[calls])
    keys = ["site_uuid", "scenario_id", "risk_type"]
    same = whole.risk.filter(pl.col("site_uuid").is_in(single["site_uuid"].unique().implode()))
    assert same.sort(keys).drop("row").equals(single.sort(keys).drop("row")), "a call a site gives other values"
    off[calls] = 0.0
    return [
        {
            "rival": rival,
            "sites": n,
            "risks x scenarios": len(RISKS) * len(SCENARIOS),
            "ours, s": seconds["ours"],
            "target, s": harness.verdict(seconds["ours"], at_most=TARGET_SECONDS) if n == SITES else "",
            "ours, sites/s": n / seconds["ours"],
            "rival, sites/s": timed / seconds[rival],
            "ratio": n / seconds["ours"] / (timed / seconds[rival]),
            "largest difference": off[rival],
        }
        for rival, timed in ((loop, sample.height), (calls, few.height))
    ]
