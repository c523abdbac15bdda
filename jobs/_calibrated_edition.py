"""Text of a calibrated edition and of its draws: what was fitted over a base edition, in its own keys."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

from engine.losses.fit import model, rates
from engine.losses.fit import rain as rains
from engine.losses.fit.calibration import Fitted
from engine.losses.fit.hazard import RIVER_DAYS, URBAN_DAYS
from engine.losses.fit.level import BAND, FITTED
from engine.losses.fit.rates import PERIODS, WIND_EDGES
from engine.losses.fit.skill import Draws
from engine.risks.bins import Bins
from engine.risks.edition import Edition
from engine.risks.registry import RISKS

#: recorded losses of them are crops, livestock and lives, or, for a rising sea, would be charged every year anew
NOT_PRICED = {
    "extreme_heat": "recorded losses are lives, livestock and crops, no building",
    "extreme_cold": "recorded losses are crops and livestock, no building",
    "drought": "recorded losses are crops, no building",
    "sea_level_rise": "a rise stays, and a yearly charge would repeat it",
    "water_stress": "damages no building",
}
FLOODS = ("river_flood", "urban_flood")
#: shares of heavy rain's loss between which either flood's may lie: no record splits it
SPLIT = (0.3, 0.7)
#: wildfire: property lost a year, 2018-2022, over buildings (59.9 % of construction assets, as in 2012, of the 5,760
#: trillion KRW of 2020, between those of 2019 and 2021), against the mean AAL of the base on the synthetic sample of
#: Korea, SSP2-4.5, 2021-2100: no observed fire weather is at hand, so the band is wide
WILDFIRE_RECORDED, WILDFIRE_BASE, WILDFIRE_BAND = 2.6e-5, 5.4e-3, 10.0
WILDFIRE_SOURCE = (
    "National Fire Agency: property damage 2018-2022, 91,140 million KRW a year, "
    "over about 3,450 trillion KRW of buildings; by the mean AAL of the base on the synthetic sample of Korea, 0.54 %"
)
CUTS = (0.01, 0.02, 0.05, 0.1)
_DIGITS = 4


class Texts(NamedTuple):
    """An edition and the file of its draws."""

    edition: str
    draws: str


def texts(name: str, base: Edition, made: Fitted, drawn: Draws, summary: Iterable[str]) -> Texts:
    """Both files; `summary` goes into comments at the head."""
    of_draws = rates.of_draws(made.data, drawn, made.last)
    draws = json.dumps(
        {
            "river_flood": [_rounded(each.river) for each in of_draws],
            "urban_flood": [_rounded(each.urban) for each in of_draws],
            "typhoon": [_rounded(each.typhoon) for each in of_draws],
        },
        separators=(",", ":"),
    ).replace("]],", "]],\n").replace("],[", "],\n[") + "\n"  # fmt: skip
    digest = hashlib.sha256(draws.encode()).hexdigest()
    head = [
        f"# Edition {name}, by jobs.calibrate: flood and typhoon fitted to recorded losses of Korea.",
        "# docs/calibration.md says what a figure of it is and is not. Rates are of level A, all recorded loss over",
        "# all construction assets; the factor makes their national mean that of level B, insured houses. The time",
        f"# term is frozen in {made.last}.",
        *(f"# {line}" for line in summary),
        "",
        f'name = "{name}"',
        f'base = "{base.name}"',
        f"aal_level_cuts_pct = {list(CUTS)}",
        f'draws = {{ file = "{name}.draws.json", sha256 = "{digest}" }}',
    ]
    tables = [_table(risk, base.bins[risk], made) for risk in RISKS if risk in base.bins]
    return Texts("\n".join([*head, *(line for table in tables for line in ("", *table))]) + "\n", draws)


def _table(risk: str, base: Bins, made: Fitted) -> list[str]:
    if risk in FLOODS:
        return _flood(risk, base, made)
    if risk == "typhoon":
        return _typhoon(base, made)
    if risk == "wildfire":
        return _wildfire(base)
    lines = [f"[{risk}]", *_hazard(base), "priced = false", f'source = "{base.source}; not priced: {NOT_PRICED[risk]}"']
    return lines


def _flood(risk: str, base: Bins, made: Fitted) -> list[str]:
    gev = made.hazard.gev[FLOODS[::-1].index(risk)]  # of 1-day rain for urban flood
    fallback = rains.amounts(gev, made.hazard.station[-1], PERIODS)
    river = risk == "river_flood"
    days, share = (RIVER_DAYS, 1 - model.URBAN_SHARE) if river else (URBAN_DAYS, model.URBAN_SHARE)
    return [
        f"[{risk}]",
        f'intensity = "{base.intensity}"',
        f'edges = {{ return_periods = {[int(period) for period in PERIODS]}, fit = "gev" }}',
        f"fallback = {[round(float(each), 1) for each in fallback]}",
        'estimator = "fitted"',
        "lower = 0.0",
        *_fitted(made.rates.river if river else made.rates.urban, made),
        f'source = "{_stands_on(made)}: local return periods of {days}-day rain, '
        f'{share:.0%} of the loss of heavy rain (assumed, {min(SPLIT):.0%} to {max(SPLIT):.0%})"',
    ]


def _typhoon(base: Bins, made: Fitted) -> list[str]:
    return [
        "[typhoon]",
        f'intensity = "{base.intensity}"',
        f"edges = {list(WIND_EDGES)}",
        "lower = 0.0",
        "atom = true",
        'estimator = "count"',
        *_fitted(made.rates.typhoon, made),
        f'source = "{_stands_on(made)}: wind of best tracks, form of Emanuel (2011); '
        'the rain of a storm is charged as flood"',
        f"warming_per_degree = {base.warming_per_degree}",
    ]


def _stands_on(made: Fitted) -> str:
    return f"fitted to recorded losses {made.data.year.min()}-{made.last}"


def _fitted(values: Iterable[float], made: Fitted) -> list[str]:
    value, low, high = (_round(each) for each in made.factor)
    return [
        f"damage_rates = {_rounded(values)}",
        f'factor = {{ value = {value}, low = {low}, high = {high}, source = "claims of insured houses {FITTED[0]}-'
        f'{FITTED[-1]} over their value, by the modelled national mean; band x/÷ {BAND:g}" }}',
        "calibrated = true",
        'level = "insured_houses"',
    ]


def _wildfire(base: Bins) -> list[str]:
    value = WILDFIRE_RECORDED / WILDFIRE_BASE
    low, high = value / WILDFIRE_BAND, value * WILDFIRE_BAND
    return [
        "[wildfire]",
        *_hazard(base),
        f"damage_rates = {list(base.damage_rates)}",
        f"factor = {{ value = {_round(value)}, low = {_round(low)}, high = {_round(high)}, "
        f'source = "{WILDFIRE_SOURCE}; band x/÷ {WILDFIRE_BAND:g}" }}',
        "calibrated = false",
        f'source = "{base.source}; scaled to the order of recorded losses, not fitted"',
    ]


def _hazard(base: Bins) -> list[str]:
    """How a risk is measured, as the base has it."""
    edges = list(base.edges)
    written = f"{{ quantiles = {edges}, of_baseline = true }}" if base.of_baseline else f"{edges}"
    return [
        f'intensity = "{base.intensity}"',
        f"edges = {written}",
        *([f"fallback = {list(base.fallback)}"] if base.fallback else []),
        *([f"lower = {base.lower}"] if base.lower is not None else []),
        *(["atom = true"] if base.atom else []),
    ]


def _rounded(values: Iterable[float]) -> list[float]:
    return [_round(value) for value in values]


def _round(value: float) -> float:
    """Four significant digits: the same on every machine."""
    return float(f"{value:.{_DIGITS - 1}e}")
