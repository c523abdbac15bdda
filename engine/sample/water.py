"""Synthetic water inputs, in the providers' formats: saved answers of the water agency and an Aqueduct workbook.

Every figure is invented. Sizes follow the national water balance (Korean water resources plan: rivers carry some
45 km3 a year, withdrawals are some 21 km3), gauges stand where the real basins are, scores lie in the range that
Aqueduct publishes for Korea; nothing else is meant. Gauge names, the saved answers and the workbook say `synthetic`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter
from numpy.typing import NDArray

SCOPE = "synthetic"
FIRST_YEAR, LAST_YEAR = 1991, 2020
USE_YEARS = range(2010, 2024)
_SECONDS_PER_DAY = 86_400.0
_SEED = 20260101


@dataclass(frozen=True, slots=True, kw_only=True)
class Basin:
    """A basin of the sample; the first of `gauges` (latitude, longitude) is its outlet.

    volume_km3 : mean flow of a year at the outlet; 0 for a basin without a large gauge
    use_km3    : withdrawal in the last year: domestic, industrial, agricultural
    """

    code: int
    name: str
    name_ko: str
    volume_km3: float
    use_km3: tuple[float, float, float]
    gauges: tuple[tuple[float, float], ...]


BASINS = (
    Basin(
        code=1,
        name="Han",
        name_ko="한강",
        volume_km3=18.0,
        use_km3=(4.1, 1.1, 3.0),
        gauges=(
            *((37.58, 126.82), (37.53, 127.07), (37.49, 127.49), (37.28, 127.65), (36.98, 127.91), (37.18, 128.45)),
            *((37.38, 128.66), (37.02, 128.33), (37.88, 127.72), (38.10, 128.15), (37.69, 127.88), (37.35, 127.95)),
            *((38.02, 127.07), (38.28, 127.30), (37.90, 126.76), (37.27, 126.99), (37.02, 127.20), (37.72, 126.45)),
            *((37.75, 128.87), (38.20, 128.55), (37.42, 129.16), (36.79, 127.85), (37.44, 126.66)),
        ),
    ),
    Basin(
        code=2,
        name="Nakdong",
        name_ko="낙동강",
        volume_km3=14.5,
        use_km3=(2.0, 0.9, 3.9),
        gauges=(
            *((35.40, 128.75), (35.22, 128.98), (35.39, 128.48), (35.69, 128.40), (36.01, 128.40), (36.24, 128.30)),
            *((36.52, 128.27), (36.57, 128.73), (36.83, 128.87), (37.10, 129.00), (36.36, 129.10), (35.88, 128.62)),
            *((35.97, 128.95), (35.56, 128.17), (35.69, 127.91), (35.32, 127.99), (35.18, 128.09), (36.81, 128.62)),
            *((35.55, 129.32), (36.03, 129.36), (36.99, 129.40), (36.41, 129.36), (34.88, 128.62), (35.17, 128.57)),
            *((36.40, 128.65), (35.83, 129.21), (36.55, 128.05), (37.49, 130.87), (34.98, 128.32)),
        ),
    ),
    Basin(
        code=3,
        name="Geum",
        name_ko="금강",
        volume_km3=6.5,
        use_km3=(1.1, 0.5, 1.7),
        gauges=(
            *((36.15, 127.00), (36.47, 127.13), (36.47, 127.43), (36.30, 127.57), (36.17, 127.78), (35.99, 127.62)),
            *((36.64, 127.48), (36.78, 127.60), (36.35, 127.39), (35.84, 127.13), (35.96, 126.95), (35.75, 126.75)),
            *((36.60, 126.66), (36.80, 127.00), (36.78, 126.45), (36.33, 126.60), (36.08, 126.70), (35.72, 127.43)),
            *((36.52, 127.72), (36.88, 126.63), (35.60, 126.60)),
        ),
    ),
    Basin(
        code=4,
        name="Seomjin",
        name_ko="섬진강",
        volume_km3=3.6,
        use_km3=(0.3, 0.25, 0.55),
        gauges=(
            *((35.09, 127.72), (35.21, 127.46), (35.29, 127.29), (35.37, 127.14), (35.54, 127.22), (35.41, 127.39)),
            *((35.61, 127.37), (34.95, 127.49), (35.07, 127.27), (34.76, 127.66), (34.80, 127.25), (34.61, 127.28)),
            (34.88, 127.95),
        ),
    ),
    Basin(
        code=5,
        name="Yeongsan",
        name_ko="영산강",
        volume_km3=2.6,
        use_km3=(0.35, 0.1, 0.65),
        gauges=(
            *((34.90, 126.58), (35.03, 126.71), (35.17, 126.82), (35.32, 126.98), (35.06, 126.88), (34.98, 127.00)),
            *((34.68, 126.90), (34.57, 126.60), (34.48, 126.26), (34.81, 126.40), (35.28, 126.51), (34.33, 126.70)),
            *((35.30, 126.75), (34.68, 125.43)),
        ),
    ),
    Basin(
        code=6,
        name="Jeju",
        name_ko="제주",
        volume_km3=0.0,
        use_km3=(0.2, 0.03, 0.22),
        gauges=((33.50, 126.53), (33.25, 126.56), (33.30, 126.20), (33.45, 126.88), (33.38, 126.70)),
    ),
)

#: share of a year's flow by month: a third of it in July and August, as in the monsoon's runoff
_MONTHLY_SHARE = np.array([0.025, 0.027, 0.045, 0.06, 0.06, 0.09, 0.24, 0.205, 0.135, 0.05, 0.035, 0.028])


def generate(folder: Path) -> list[Path]:
    """Write `water/*.json` and `water/Aqueduct40_rankings_synthetic.xlsx` below a folder; same bytes every time.

    returns : the files written, 1.9 MB together
    """
    water = folder / "water"
    water.mkdir(parents=True, exist_ok=True)
    written = []
    for name, answers in (
        ("wamis_water_use.json", _water_use()),
        ("wamis_gauges.json", _gauge_lists()),
        ("wamis_flow.json", _flow()),
    ):
        path = water / name
        document = {"scope": SCOPE, "answers": list(answers)}
        path.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")), "utf-8")
        written.append(path)
    workbook = water / "Aqueduct40_rankings_synthetic.xlsx"
    _write_workbook(workbook)
    return [*written, workbook]


def _answer(call: str, params: dict[str, str], items: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"result": {"code": "success", "msg": "synthetic"}, "count": len(items), "list": items}
    return {"call": call, "params": params, "answer": body}


def gauge_code(basin: Basin, number: int) -> str:
    """Code of a basin's gauge, counted from 1: nine in front, which no real gauge of the agency has."""
    return f"9{basin.code}{number:05d}"


def _dms(degrees: float) -> str:
    seconds = round(degrees * 3600)
    return f"{seconds // 3600:03d}-{seconds // 60 % 60:02d}-{seconds % 60:02d}"


def _gauge_lists() -> Iterator[dict[str, Any]]:
    for basin in BASINS:
        items = [
            {
                "bbsnnm": basin.name_ko,
                "obscd": gauge_code(basin, number),
                "obsnm": f"synthetic {basin.name} {number:02d}",
                "minyear": str(FIRST_YEAR) if basin.volume_km3 else "-",
                "maxyear": str(LAST_YEAR) if basin.volume_km3 else "-",
                "sbsncd": f"{basin.code}0{number:02d}01",
                "mngorg": "synthetic",
            }
            for number in range(1, len(basin.gauges) + 1)
        ]
        yield _answer("flw_dubobsif", {"basin": str(basin.code)}, items)
    for basin in BASINS:
        for number, (latitude, longitude) in enumerate(basin.gauges, 1):
            code = gauge_code(basin, number)
            detail = {"wlobscd": code, "rivnm": basin.name_ko, "lat": _dms(latitude), "lon": _dms(longitude)}
            yield _answer("wl_obsinfo", {"obscd": code}, [detail])


def _water_use() -> Iterator[dict[str, Any]]:
    """Thousand m3: rising slowly towards the last year's use."""
    for basin in BASINS:
        items = []
        for year in USE_YEARS:
            growth = 0.97 + 0.03 * (year - USE_YEARS[0]) / (USE_YEARS[-1] - USE_YEARS[0])
            domestic, industrial, agricultural = (round(use * 1e6 * growth, 1) for use in basin.use_km3)
            total = round(domestic + industrial + agricultural, 1)
            amounts = {"wssum": domestic, "indsum": industrial, "afsum": agricultural, "total": total}
            items.append({"year": str(year), **{name: f"{amount:.1f}" for name, amount in amounts.items()}})
        yield _answer("wks_wiawtaa_lst", {"basin": str(basin.code)}, items)


def _flow() -> Iterator[dict[str, Any]]:
    """Daily flow at the outlets, and at a tributary of the first basin that is too short to stand for it."""
    for basin in BASINS:
        if not basin.volume_km3:
            continue
        rng = np.random.default_rng([_SEED, basin.code])
        yield from _years(gauge_code(basin, 1), basin.volume_km3, FIRST_YEAR, rng)
    han = BASINS[0]
    yield from _years(gauge_code(han, 2), 1.2 * han.volume_km3, LAST_YEAR - 7, np.random.default_rng([_SEED, 99]))


def _years(code: str, volume_km3: float, first_year: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    days = np.arange(np.datetime64(f"{first_year}-01-01"), np.datetime64(f"{LAST_YEAR + 1}-01-01"))
    flow = _daily_flow(days, volume_km3, rng)
    years = days.astype("datetime64[Y]").astype(int) + 1970
    for year in range(first_year, LAST_YEAR + 1):
        chosen = np.flatnonzero(years == year)
        missing = rng.random(len(chosen)) < 0.005
        if year == LAST_YEAR - 9:
            missing[200:320] = True  # an outage: a third of a year, so that the year does not count
        first = date(year, 1, 1)
        items = [
            {"ymd": f"{first + timedelta(days=k):%Y%m%d}", "fw": "-" if missing[k] else f"{flow[day]:.1f}"}
            for k, day in enumerate(chosen)
        ]
        yield _answer("flw_dtdata", {"obscd": code, "year": str(year)}, items)


def _daily_flow(days: NDArray[np.datetime64], volume_km3: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(D,) m3/s: season x a wet or dry year x floods that recede over days. The mean year carries `volume_km3`."""
    month = days.astype("datetime64[M]").astype(int) % 12
    year = days.astype("datetime64[Y]").astype(int)
    wet = rng.lognormal(-0.03, 0.25, year[-1] - year[0] + 1)[year - year[0]]
    noise = np.empty(len(days))
    state = 0.0
    for day, shock in enumerate(rng.standard_normal(len(days))):
        state = 0.85 * state + 0.42 * shock
        noise[day] = state
    flow = _MONTHLY_SHARE[month] * wet * np.exp(noise)
    mean_m3s = volume_km3 * 1e9 / (365.25 * _SECONDS_PER_DAY)
    return np.asarray(flow * (mean_m3s / flow.mean()), np.float64)


#: total score of each province today; -0.5 .. +1.0 are added by year and scenario
_BASELINE_SCORES = {
    **{"Seoul": 3.2, "Incheon": 3.1, "Gyeonggi-do": 3.0, "Gangwon-do": 1.4, "Chungcheongbuk-do": 2.2},
    **{"Daejeon": 2.6, "Sejong": 2.5, "Chungcheongnam-do": 2.8, "Jeollabuk-do": 2.5, "Jeollanam-do": 2.1},
    **{"Gwangju": 2.4, "Daegu": 2.9, "Gyeongsangbuk-do": 2.3, "Gyeongsangnam-do": 2.0, "Busan": 2.7, "Ulsan": 2.6},
    "Jeju": 1.6,
}
_WEIGHT_OFFSETS = {"Tot": 0.0, "Dom": 0.1, "Ind": 0.15, "Irr": -0.1, "Liv": -0.05, "One": -0.3}
_CHANGES = {
    **{("opt", 2030): 0.05, ("opt", 2050): 0.05, ("opt", 2080): -0.1, ("bau", 2030): 0.1, ("bau", 2050): 0.25},
    **{("bau", 2080): 0.35, ("pes", 2030): 0.15, ("pes", 2050): 0.35, ("pes", 2080): 0.6},
}
#: a weight that nothing in the province answers to: the provider's mark for no score
_NO_SCORE = {("Seoul", "Irr"), ("Seoul", "Liv"), ("Sejong", "Liv")}
_LABELS = ("Low (<10%)", "Low - Medium (10-20%)", "Medium - High (20-40%)", "High (40-80%)", "Extremely High (>80%)")
_COMMON = ("gid_0", "gid_1", "name_0", "name_1")
_SCORES = ("indicator_name", "weight", "score", "score_ranked", "cat", "label", "un_region", "wb_region")


def _write_workbook(path: Path) -> None:
    text = resources.files("engine").joinpath("io", "etl", "provinces_korea.csv").read_text("utf-8")
    gids = {row["aqueduct_name_1"]: row["gid_1"] for row in csv.DictReader(text.splitlines())}
    baseline: list[list[Any]] = []
    future: list[list[Any]] = []
    for name, score in _BASELINE_SCORES.items():
        place = ["KOR", gids[name], "South Korea", name]
        for weight, offset in _WEIGHT_OFFSETS.items():
            scored = (name, weight) not in _NO_SCORE
            baseline.append([*place, "bws", weight, *_scored(score + offset if scored else None)])
            for (scenario, year), change in _CHANGES.items():
                changed = score + offset + change if scored else None
                future.append([*place, year, scenario, "bws", weight, *_scored(changed)])
        baseline.append([*place, "drr", "Tot", *_scored(2.0)])  # another indicator, as in the provider's sheet
    with xlsxwriter.Workbook(path) as workbook:
        # a fixed date: the same bytes every time
        workbook.set_properties({"created": datetime(2026, 1, 1), "title": "SYNTHETIC water stress scores"})
        workbook.add_worksheet("Read Me").write(0, 0, "SYNTHETIC scores in the layout of Aqueduct 4.0; not WRI's data")
        for sheet, columns, rows in (
            ("province_baseline", (*_COMMON, *_SCORES), baseline),
            ("province_future", (*_COMMON, "year", "scenario", *_SCORES), future),
        ):
            worksheet = workbook.add_worksheet(sheet)
            for number, row in enumerate([list(columns), *rows]):
                worksheet.write_row(number, 0, row)


def _scored(score: float | None) -> list[Any]:
    regions = ["Eastern Asia", "East Asia & Pacific"]
    if score is None:
        return [-9999, -9999, -9999, "NoData", *regions]
    category = min(int(score), 4)
    return [round(score, 3), 1 + round((5 - score) * 100), category, _LABELS[category], *regions]
