"""A made-up climate of South Korea, cell by cell: monthly means and yearly indices of one scenario.

Mean climate: the Seoul record, carried to a cell by gradients of latitude, altitude and distance from the coast.
Change: published warming and precipitation change. Variability: red-noise fields (`fields`) turned into each
variable's distribution. Daily extremes are shares of the wettest month, so no index contradicts the monthly rain;
threshold indices are looked up in the Seoul record warmed by as much as the cell is (`anchors`). Nothing here is a
projection: it has the right size and the right signs, and it is labelled synthetic wherever it goes.

C cells, Y years, M = 12 Y months.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import expit, ndtr

from engine.core.period import Years
from engine.core.scenario import Scenario
from engine.sample import anchors, fields, water_balance
from engine.sample.fields import Texture

Floats = NDArray[np.float64]
Float32 = NDArray[np.float32]

#: the years the fields are made for; a shorter axis is a slice of them
AXIS = Years(2021, 2100)
#: of 100,000 tried, among the three whose 20-year means of the country stay closest to the published path
SEED = 62_547
PROJECTIONS = Path(__file__).with_name("projections.toml")

LAPSE = -0.0065  # K/m
COAST_KM = 20.0
#: values are multiples of 2^-k: exact in float32, so files pack well and two machines agree to the last bit kept
FRACTION_BITS = {
    "ta": 6, "rn": 3, "ws": 6, "rhm": 3, "si": 6, "spei12": 8, "wsdi": 0, "csdi": 0, "rx1day": 3, "rx5day": 3,
    "cdd": 0, "rain80": 0, "sdii": 6, "ta_yearly": 9, "hw33": 0, "tr25": 0, "tx90p": 0, "tn10p": 0, "fd0": 0, "tnn": 4,
}  # fmt: skip
VARIABLES = tuple(FRACTION_BITS)

_MONTHLY = {
    "ta": Texture(0.80, 0.14, 0.04, 0.02, lag1=0.32, slow=0.08),
    "rn": Texture(0.40, 0.33, 0.18, 0.09, lag1=0.04, slow=0.02),
    "ws": Texture(0.40, 0.35, 0.15, 0.10, lag1=0.43),
    "rhm": Texture(0.45, 0.30, 0.15, 0.10, lag1=0.38),
    "si": Texture(0.50, 0.35, 0.10, 0.05, lag1=0.30),
}
_YEARLY = {
    "warm": Texture(0.55, 0.28, 0.12, 0.05),
    "cold": Texture(0.55, 0.28, 0.12, 0.05),
    "five_days": Texture(0.20, 0.30, 0.30, 0.20),
    "one_day": Texture(0.15, 0.25, 0.35, 0.25),
    "wet_days": Texture(0.40, 0.35, 0.15, 0.10),
    "dry_spell": Texture(0.40, 0.35, 0.15, 0.10),
    "heavy_days": Texture(0.15, 0.25, 0.35, 0.25),
}

_MONTH = np.arange(12)
#: 1 in January, 0 in July
_WINTER = (1 + np.cos(2 * np.pi * _MONTH / 12)) / 2
_SUMMER_MONTHS, _WINTER_MONTHS = [5, 6, 7], [11, 0, 1]
#: relative increase of rain per degree of latitude, from January: the south is wetter but for July to September
_RAIN_PER_DEGREE = np.array([-0.20, -0.20, -0.22, -0.24, -0.15, -0.12, 0.08, 0.12, 0.03, -0.05, 0.0, -0.05])


@dataclass(frozen=True, slots=True)
class Cells:
    """Places to make a climate for; four arrays of (C,)."""

    latitude: Floats
    longitude: Floats
    #: metres above sea level
    altitude: Floats
    #: km to the nearest sea
    coast: Floats

    def __len__(self) -> int:
        return len(self.latitude)


@dataclass(frozen=True, slots=True)
class Normals:
    """Mean climate of the record's years; (C, 12) each."""

    ta: Floats
    rn: Floats
    ws: Floats
    rhm: Floats
    #: ratio of solar radiation to its value outside the atmosphere
    clearness: Floats
    #: solar radiation outside the atmosphere, MJ/m2/day
    extraterrestrial: Floats


def block(cells: Cells, scenario: Scenario, *, seed: int = SEED) -> dict[str, Float32]:
    """Every variable of one scenario for some cells, 2021-2100, in the units of `engine.core.variables`.

    cells   : any subset; the values of a cell do not depend on the others
    returns : monthly variables (C, 960), yearly ones (C, 80); NaN only in the first 11 months of `spei12`
    """
    normals = normals_of(cells)
    place = fields.patterns(cells.latitude, cells.longitude)
    noise = _noise(scenario, seed)
    warming = _warming(cells, scenario)
    ta, rn = _temperature(normals, warming, place, noise), _rain(normals, scenario, place, noise)
    out = {"ta": ta, "rn": rn}
    out["ws"] = _wind(normals, place @ noise["ws"])
    out["rhm"] = np.clip(
        _monthly(normals.rhm) + _monthly(_seoul()["sd"]["rhm"]) * (place @ noise["rhm"]) - 0.25 * warming.repeat(12, 1),
        40.0,
        90.0,
    )
    out["si"] = _radiation(normals, place @ noise["si"])
    out["spei12"] = water_balance.spei12(
        _balance(rn, ta, normals), _reference_balance(cells, scenario, seed, rn, ta, normals, place), AXIS
    )
    out |= _rain_indices(normals, rn, warming, place, noise)
    out |= _temperature_indices(cells, normals, ta, warming, place, noise)
    return {name: _kept(name, out[name]).astype(np.float32) for name in VARIABLES}


def _kept(name: str, values: Floats) -> Floats:
    """Values at the resolution a variable is stored with."""
    return np.asarray(np.ldexp(np.rint(np.ldexp(values, FRACTION_BITS[name])), -FRACTION_BITS[name]))


@cache
def _seoul() -> dict[str, Any]:
    return anchors.load()


@cache
def projections() -> dict[str, Any]:
    """The published figures of `projections.toml`."""
    with PROJECTIONS.open("rb") as file:
        return tomllib.load(file)


def _monthly(of_month: Any) -> Floats:
    """(..., 12) repeated over the years: (..., 960)."""
    return np.tile(np.asarray(of_month, float), AXIS.n)


def _by_year(x: Floats) -> Floats:
    """(C, 960) -> (C, 80, 12)."""
    return x.reshape(len(x), AXIS.n, 12)


def normals_of(cells: Cells) -> Normals:
    """Mean climate of the record's years at some cells."""
    seoul = _seoul()
    mean = {name: np.array(values) for name, values in seoul["mean"].items()}
    north = (cells.latitude - seoul["latitude"])[:, None]
    up = (cells.altitude - seoul["altitude_m"])[:, None]
    shore = np.exp(-cells.coast / COAST_KM)[:, None]
    east = np.clip((cells.longitude - 126.0) / 3.0, 0.0, 1.0)[:, None]
    from_seoul = fields.KM_PER_DEGREE * np.hypot(
        cells.latitude - seoul["latitude"], 0.8 * (cells.longitude - seoul["longitude"])
    )
    city = np.exp(-((from_seoul / 15.0) ** 2))[:, None]
    ta = (
        mean["ta"]
        + LAPSE * up
        - (0.35 + 1.10 * _WINTER) * north
        + shore * (_WINTER * (0.6 + 1.6 * east) - 0.8 * (1 - _WINTER))
        - 0.9 * (1 - city)  # the record carries the heat of the city
    )
    basin = np.exp(-(((cells.latitude - 36.3) / 0.8) ** 2 + ((cells.longitude - 128.6) / 1.0) ** 2))[:, None]
    rn = mean["rn"] * np.exp(_RAIN_PER_DEGREE * north) * (1 - 0.22 * basin) * (1 + 0.00015 * np.maximum(up, 0.0))
    rn *= 0.92 + 0.08 * city
    ws = mean["ws"] * (0.85 + 0.15 * city + 0.55 * shore + 0.0004 * np.maximum(up, 0.0))
    rhm = mean["rhm"] + shore * (5.0 * (1 - _WINTER) - 6.0 * _WINTER * east) - 2.5 * east * _WINTER + 2.0 * (1 - city)
    extraterrestrial = water_balance.extraterrestrial_radiation(cells.latitude)
    daylight = water_balance.daylight_hours(np.array([seoul["latitude"]]))
    clearness = np.clip(0.25 + 0.50 * mean["sunshine"] / daylight - 0.004 * north * _WINTER, 0.35, 0.60)
    return Normals(ta, rn, ws, rhm, np.broadcast_to(clearness, ta.shape), extraterrestrial)


@lru_cache(maxsize=len(Scenario))  # the same for all cells: blocks of a few would spend their time on it
def _noise(scenario: Scenario, seed: int) -> dict[str, Floats]:
    """Coefficients of every field, already mixed so that variables share what they share in the record. Read only."""
    own = {
        name: fields.coefficients(name, seed, scenario, AXIS.n, steps, texture)
        for textures, steps in ((_MONTHLY, 12), (_YEARLY, 1))
        for name, texture in textures.items()
    }
    shared = _seoul()["with_rain"]
    with_rain = np.zeros(12)
    with_rain[5:9], with_rain[_WINTER_MONTHS] = shared["ta_summer"], shared["ta_winter"]
    mixed = dict(own)
    mixed["ta"] = _mixed(own["rn"], own["ta"], _monthly(with_rain))
    mixed["rhm"] = _mixed(own["rn"], own["rhm"], shared["rhm"])
    mixed["si"] = _mixed(own["rn"], own["si"], shared["sunshine"])
    for values in mixed.values():
        values.flags.writeable = False
    return mixed


def _mixed(common: Floats, own: Floats, correlation: Any) -> Floats:
    return np.asarray(correlation * common + np.sqrt(1 - np.square(correlation)) * own, float)


def mean_warming(scenario: Scenario) -> Floats:
    """(80,) K above 2000-2019 of the whole country, without year-to-year noise."""
    published = projections()["warming"]
    path = PchipInterpolator(published["centres"], published[scenario.name])
    return np.asarray(path(np.arange(AXIS.first, AXIS.last + 1)), float)


def _warming(cells: Cells, scenario: Scenario) -> Floats:
    """(C, 80) K above 2000-2019: stronger in the north."""
    growth = 1 + projections()["warming"]["per_degree_latitude"] * (cells.latitude - 36.3)
    return np.asarray(growth[:, None] * mean_warming(scenario))


def _temperature(normals: Normals, warming: Floats, place: Floats, noise: dict[str, Floats]) -> Floats:
    above = projections()["warming"]["reference_above_record"] + warming
    anomaly = _monthly(_seoul()["sd"]["ta"]) * (place @ noise["ta"])
    return np.asarray(_monthly(normals.ta) + above.repeat(12, axis=1) + anomaly, float)


def _rain(normals: Normals, scenario: Scenario, place: Floats, noise: dict[str, Floats]) -> Floats:
    """Gamma-distributed months (Wilson and Hilferty 1931), bent below 1,200 mm where they pass 800 mm."""
    seoul, published = _seoul(), projections()
    late = published["warming"][scenario.name][-1]
    change = 1 + published["rain"][scenario.name] * (mean_warming(scenario) / late)
    shape = _monthly((np.array(seoul["mean"]["rn"]) / np.array(seoul["sd"]["rn"])) ** 2)
    ratio = np.maximum(1 - 1 / (9 * shape) + (place @ noise["rn"]) / np.sqrt(9 * shape), 0.0) ** 3
    rain = _monthly(normals.rn) * change.repeat(12) * ratio
    return _bent(rain, 800.0, 1200.0)


def _bent(x: Floats, start: float, ceiling: float) -> Floats:
    """`x` itself up to `start`; beyond, a smooth approach to `ceiling`, in the same order."""
    room = ceiling - start
    return np.where(x > start, start - room * np.expm1(-np.maximum(x - start, 0.0) / room), x)


def _wind(normals: Normals, z: Floats) -> Floats:
    seoul = _seoul()
    spread = np.array(seoul["sd"]["ws"]) / np.array(seoul["mean"]["ws"])
    return np.clip(_monthly(normals.ws) * np.exp(_monthly(spread) * z), 0.5, 8.0)


def _radiation(normals: Normals, z: Floats) -> Floats:
    seoul = _seoul()
    daylight = water_balance.daylight_hours(np.array([seoul["latitude"]]))[0]
    spread = 0.50 * np.array(seoul["sd"]["sunshine"]) / daylight
    clearness = np.clip(_monthly(normals.clearness) + _monthly(spread) * z, 0.30, 0.68)
    return clearness * _monthly(normals.extraterrestrial)


def _balance(rn: Floats, ta: Floats, normals: Normals) -> Floats:
    return rn - water_balance.evapotranspiration(ta, _monthly(normals.extraterrestrial))


def _reference_balance(
    cells: Cells, scenario: Scenario, seed: int, rn: Floats, ta: Floats, normals: Normals, place: Floats
) -> Floats:
    """Water balance of the scenario that calibrates SPEI, for all scenarios the same."""
    if scenario is not water_balance.REFERENCE:
        scenario = water_balance.REFERENCE
        noise, warming = _noise(scenario, seed), _warming(cells, scenario)
        rn, ta = _rain(normals, scenario, place, noise), _temperature(normals, warming, place, noise)
    return _balance(rn, ta, normals)


def _rain_indices(
    normals: Normals, rn: Floats, warming: Floats, place: Floats, noise: dict[str, Floats]
) -> dict[str, Floats]:
    """Daily extremes as shares of the wettest month; counts that agree with them and with the yearly sum."""
    anchor = _seoul()["rain"]
    months = _by_year(rn)
    total, wettest = months.sum(2), months.max(2)
    usual = normals.rn.sum(1, keepdims=True)
    five = _share(
        anchor["rx5day_of_month_mean"], anchor["rx5day_of_month_sd"], place @ noise["five_days"], 0.10 * warming
    )
    one = _share(anchor["rx1day_of_rx5day_mean"], anchor["rx1day_of_rx5day_sd"], place @ noise["one_day"], 0.0)
    rx5day = _bent(five * wettest, 700.0, 1000.0)
    rx1day = _bent(one * rx5day, 400.0, 600.0)
    # extra heavy days grow with the rain above 900 mm; calibrated on the record's mean count
    extra = (anchor["rain80_mean"] - 1) / 0.55 * np.clip(total / 1000.0 - 0.9, 0.05, None)
    extra = np.clip(extra + 0.8 * np.sqrt(extra) * (place @ noise["heavy_days"]), 0.0, 0.5 * total / 80.0)
    rain80 = np.where(_kept("rx1day", rx1day) >= 80.0, 1.0 + np.rint(extra), 0.0)
    wetter = np.log(np.maximum(total, 1.0) / usual)
    spread = anchor["wet_days_sd"] / anchor["wet_days_mean"]
    wet_days = (
        anchor["wet_days_mean"]
        * (usual / sum(_seoul()["mean"]["rn"])) ** 0.4
        * np.exp(0.35 * wetter - 0.01 * warming + 0.7 * spread * (place @ noise["wet_days"]))
    )
    cdd = np.exp(anchor["cdd_log_mean"] + anchor["cdd_log_sd"] * (place @ noise["dry_spell"]))
    cdd *= (anchor["wet_days_mean"] / wet_days) ** 0.7
    return {
        "rx1day": rx1day,
        "rx5day": rx5day,
        "cdd": np.clip(np.rint(cdd), 4.0, 110.0),
        "rain80": rain80,
        "sdii": anchor["wet_share_of_sum"] * total / wet_days,
    }


def _share(mean: float, sd: float, z: Floats, push: Any) -> Floats:
    """A share between 0.3 and 1 of the given mean and spread, pushed upward on the logistic scale."""
    low, width = 0.3, 0.7
    middle = (mean - low) / width
    slope = sd / (width * middle * (1 - middle))
    return np.asarray(low + width * expit(np.log(middle / (1 - middle)) + slope * z + push), float)


def _temperature_indices(
    cells: Cells, normals: Normals, ta: Floats, warming: Floats, place: Floats, noise: dict[str, Floats]
) -> dict[str, Floats]:
    """Indices of the Seoul record warmed by as much as the cell is warmer than Seoul was."""
    seoul = _seoul()
    mean, sd = np.array(seoul["mean"]["ta"]), np.array(seoul["sd"]["ta"])
    temperature = noise["ta"].reshape(-1, AXIS.n, 12)
    # a warm year has more warm days: the year's own anomaly is 0.6 of the draw
    summer, winter = ((temperature * sd)[:, :, k].mean(2) for k in (_SUMMER_MONTHS, _WINTER_MONTHS))
    warm = ndtr(place @ _mixed(summer / _spread(summer), noise["warm"], 0.6))
    cold = ndtr(place @ _mixed(-winter / _spread(winter), noise["cold"], 0.6))
    above = projections()["warming"]["reference_above_record"] + warming
    shore = np.exp(-cells.coast / COAST_KM)
    in_summer = (normals.ta - mean)[:, _SUMMER_MONTHS].mean(1)
    in_winter = (normals.ta - mean)[:, _WINTER_MONTHS].mean(1)
    # days are hotter outside the city than its mean temperature says, and milder at the shore; nights the other way
    hot, nights, frost = (
        x[:, None] + above for x in (in_summer + 1.2 - 2.2 * shore, in_summer + 0.3 * shore, in_winter)
    )
    tx90p, tn10p = _warmed("tx90p", warming, warm), _warmed("tn10p", warming, cold)
    return {
        "ta_yearly": _by_year(_kept("ta", ta)).mean(2),
        "wsdi": np.minimum(_spells(_warmed("wsdi", warming, warm)), tx90p),
        "csdi": np.minimum(_spells(_warmed("csdi", warming, cold)), tn10p),
        "tx90p": tx90p,
        "tn10p": tn10p,
        "hw33": _warmed("hw33", hot, warm),
        "tr25": _warmed("tr25", nights, warm),
        "fd0": _warmed("fd0", frost, cold),
        "tnn": _warmed("tnn", frost, 1 - cold),
    }


def _spread(coefficients: Floats) -> float:
    """Standard deviation of the field that these coefficients make: pairs of waves share one variance."""
    variance = coefficients.var(axis=1)
    return float(np.sqrt(variance[0] + variance[1:].sum() / 2))


def _warmed(index: str, shift: Floats, probability: Floats) -> Floats:
    """(C, Y) quantile `probability` of an index in the Seoul record warmed by `shift` K."""
    warmed = _seoul()["warmed"]
    table, shifts = np.array(warmed["days"][index]), np.array(warmed["shifts"])
    row = np.clip((shift - shifts[0]) / (shifts[1] - shifts[0]), 0.0, len(shifts) - 1.001)
    column = np.clip(probability * (table.shape[1] - 1), 0.0, table.shape[1] - 1.001)
    i, j = row.astype(np.intp), column.astype(np.intp)
    u, v = row - i, column - j
    value = (1 - u) * ((1 - v) * table[i, j] + v * table[i, j + 1])
    value += u * ((1 - v) * table[i + 1, j] + v * table[i + 1, j + 1])
    return np.asarray(value if index == "tnn" else np.rint(value), float)


def _spells(days: Floats) -> Floats:
    """Days in spells: a quantile between none and the shortest spell becomes the nearer of the two."""
    return np.where(days >= anchors.SPELL, days, np.where(2 * days >= anchors.SPELL, anchors.SPELL, 0.0))
