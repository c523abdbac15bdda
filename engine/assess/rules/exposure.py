"""Exposure of a site to each risk: how near the hazard's source it stands, times its share of the value cap.

Every rule is a set of polars expressions over the prepared sites; none looks at another row. Bands hold their lower
edge, except for wildfire, whose bands hold the upper one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import polars as pl

from engine.assess.rules.config import AssessConfig
from engine.assess.rules.vocabulary import LEVEL, OUT_OF_RANGE, STATUS, level, missing_input

IMPERVIOUSNESS_OF = {
    "urban": 0.9,
    "agricultural": 0.2,
    "forest": 0.05,
    "grassland": 0.1,
    "wetland": 0.1,
    "barren": 0.3,
    "water": 0.0,
}
FOREST_DISTANCE_OF = {
    "forest": 0.0,
    "agricultural": 300.0,
    "grassland": 500.0,
    "wetland": 1000.0,
    "barren": 1500.0,
    "residential": 1500.0,
    "urban": 2000.0,
    "water": 5000.0,
}
_COVER = pl.col("landcover_type")
STAND_IN = "stand_in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One risk's proximity.

    proximity : 0..1; null where an input without which it cannot be said is null
    needs     : the input whose absence fails the risk; None: it never fails
    basis     : which input decided
    imputed   : input -> where it was assumed
    skipped   : inputs whose null leaves a term out
    """

    proximity: pl.Expr
    basis: pl.Expr
    needs: str | None = None
    imputed: Mapping[str, pl.Expr] = field(default_factory=dict)
    skipped: Sequence[str] = ()


def bands(value: pl.Expr, limits: Sequence[tuple[float, float]], beyond: float, *, closed: bool = False) -> pl.Expr:
    """Value of the first band below whose limit `value` lies (closed: at or below), `beyond` above all; null for
    null."""
    chosen = pl.when(value.is_not_null()).then(pl.lit(beyond))
    result: pl.Expr = chosen
    for limit, worth in reversed(limits):
        result = pl.when(value <= limit if closed else value < limit).then(pl.lit(worth)).otherwise(result)
    return result


def _at_least(value: pl.Expr, limits: Sequence[tuple[float, float]], below: float) -> pl.Expr:
    """Value of the first limit that `value` reaches, `below` under all; null for null."""
    result: pl.Expr = pl.when(value.is_not_null()).then(pl.lit(below))
    for limit, worth in reversed(limits):
        result = pl.when(value >= limit).then(pl.lit(worth)).otherwise(result)
    return result


def _of_cover(table: Mapping[str, float]) -> pl.Expr:
    return _COVER.replace_strict(table, default=None, return_dtype=pl.Float64)


def _of_dependency(high: float, medium: float, low: float) -> pl.Expr:
    table = {"high": high, "medium": medium, "low": low}
    return pl.col("water_dependency").cast(pl.String).replace_strict(table, return_dtype=pl.Float64)


def _extreme_heat(_: AssessConfig) -> Rule:
    sealed, green = pl.col("imperviousness_ratio"), pl.col("vegetation_ratio")
    high, medium, low = pl.lit(0.70), pl.lit(0.50), pl.lit(0.30)
    by_sealing = (
        pl.when((sealed >= 0.8) | ((sealed >= 0.5) & (green < 0.2).fill_null(False)))
        .then(high)
        .when(sealed >= 0.3)
        .then(medium)
        .otherwise(low)
    )
    by_cover = (
        pl.when(_COVER.is_in(["commercial", "industrial", "urban"]))
        .then(high)
        .when(_COVER.is_in(["residential", "mixed-use"]))
        .then(medium)
        .otherwise(low)
    )
    purpose = pl.col("purpose_class").cast(pl.String)
    by_purpose = (
        pl.when(purpose.is_in(["office", "commercial"]))
        .then(high)
        .when(purpose == "residential")
        .then(medium)
        .otherwise(low)
    )
    proximity = pl.when(sealed.is_not_null()).then(by_sealing).when(_COVER.is_not_null()).then(by_cover)
    basis = (
        pl.when(sealed.is_not_null())
        .then(pl.lit("imperviousness_ratio"))
        .when(_COVER.is_not_null())
        .then(pl.lit("landcover_type"))
        .otherwise(pl.lit("purpose_class"))
    )
    return Rule(proximity=proximity.otherwise(by_purpose), basis=basis)


def _extreme_cold(_: AssessConfig) -> Rule:
    north, height = pl.col("latitude"), pl.col("elevation")
    of_north = pl.when(north > 38).then(0.20).when(north > 36).then(0.10).otherwise(0.0)
    of_height = pl.when(height > 500).then(0.15).when(height > 200).then(0.10).otherwise(0.0)
    return Rule(proximity=0.30 + of_north + of_height, basis=pl.lit("latitude"), skipped=("elevation",))


def _drought(_: AssessConfig) -> Rule:
    rain = bands(pl.col("annual_rainfall_mm"), [(800, 0.15), (1000, 0.10), (1200, 0.05)], 0.0).fill_null(0.0)
    dry = pl.col("cdd_days")
    of_dry = pl.when(dry > 50).then(0.10).when(dry > 40).then(0.05).otherwise(0.0)
    return Rule(
        proximity=_of_dependency(0.70, 0.45, 0.25) + rain + of_dry,
        basis=pl.lit("water_dependency"),
        skipped=("annual_rainfall_mm", "cdd_days"),
    )


def _spatial(name: str, config: AssessConfig, fallback: pl.Expr | None = None) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """An input with its fallback by land cover and, if the policy says so, its stand-in: value, basis, stood in."""
    own, by_cover = pl.col(name), fallback if fallback is not None else pl.lit(None, pl.Float64)
    value = pl.coalesce(own, by_cover)
    unknown = value.is_null()
    stood_in = unknown & pl.lit(config.spatial_missing_policy == "impute")
    basis = (
        pl.when(own.is_not_null())
        .then(pl.lit(name))
        .when(by_cover.is_not_null())
        .then(pl.lit("landcover_type"))
        .when(stood_in)
        .then(pl.lit(STAND_IN))
    )
    return (
        pl.when(stood_in).then(pl.lit(dict(config.stand_ins).get(name), pl.Float64)).otherwise(value),
        basis,
        stood_in,
    )


def _river_flood(config: AssessConfig) -> Rule:
    name = "distance_to_river_m"
    metres, basis, stood_in = _spatial(name, config)
    near = bands(metres, [(100, 0.90), (300, 0.70), (1000, 0.40)], 0.10)
    return Rule(proximity=near, basis=basis, needs=name, imputed={name: stood_in})


def _urban_flood(config: AssessConfig) -> Rule:
    name = "imperviousness_ratio"
    sealed, basis, stood_in = _spatial(name, config, _of_cover(IMPERVIOUSNESS_OF))
    of_sealing = _at_least(sealed, [(0.8, 0.85), (0.6, 0.65), (0.4, 0.45), (0.2, 0.25)], 0.10)
    of_cover = (
        pl.when(_COVER.is_in(["urban", "commercial"]))
        .then(0.10)
        .when(_COVER.is_in(["forest", "grassland", "wetland"]))
        .then(-0.10)
        .otherwise(0.0)
    )
    return Rule(proximity=of_sealing + of_cover, basis=basis, needs=name, imputed={name: stood_in})


def _sea_level_rise(config: AssessConfig) -> Rule:
    name = "distance_to_coast_m"
    metres, basis, stood_in = _spatial(name, config)
    near = bands(metres, [(100, 0.80), (500, 0.60), (1000, 0.40), (10_000, 0.10)], 0.0)
    return Rule(proximity=near, basis=basis, needs=name, imputed={name: stood_in})


def _typhoon(config: AssessConfig) -> Rule:
    name = "distance_to_coast_m"
    metres, basis, stood_in = _spatial(name, config)
    near = bands(metres, [(5000, 0.90), (20_000, 0.70), (50_000, 0.40)], 0.10)
    return Rule(proximity=near, basis=basis, needs=name, imputed={name: stood_in})


def _wildfire(config: AssessConfig) -> Rule:
    name = "distance_to_forest_m"
    metres, basis, stood_in = _spatial(name, config, _of_cover(FOREST_DISTANCE_OF))
    near = bands(metres, [(30, 1.00), (100, 0.70), (500, 0.40), (1000, 0.10)], 0.0, closed=True)
    assumed = pl.col(name).is_null() & metres.is_not_null()
    return Rule(proximity=near, basis=basis, needs=name, imputed={name: stood_in | assumed})


def _water_stress(_: AssessConfig) -> Rule:
    tank, tall = pl.col("has_tank"), pl.col("floors_above") > 10
    # with a tank: large in a tall building, else medium; without: medium in a tall building, else limited
    storage = pl.when(tank & tall).then(0.0).when(tank | tall).then(0.10).otherwise(0.20)
    of_tank = pl.when(tank).then(-0.10).otherwise(0.0)
    return Rule(
        proximity=_of_dependency(0.70, 0.50, 0.30) + storage + of_tank,
        basis=pl.lit("water_dependency"),
        imputed={"has_water_tank": pl.col("has_water_tank").is_null()},
    )


RULES: Mapping[str, Callable[[AssessConfig], Rule]] = {
    "extreme_heat": _extreme_heat,
    "extreme_cold": _extreme_cold,
    "drought": _drought,
    "river_flood": _river_flood,
    "urban_flood": _urban_flood,
    "sea_level_rise": _sea_level_rise,
    "typhoon": _typhoon,
    "wildfire": _wildfire,
    "water_stress": _water_stress,
}


@cache  # for a site alone, putting the expressions together costs more than evaluating them
def _rule(risk: str, config: AssessConfig) -> Rule:
    return RULES[risk](config)


def exposure_of(risk: str, sites: pl.DataFrame, config: AssessConfig) -> pl.DataFrame:
    """Exposure of all sites to one risk, a row a site in their order.

    returns : `exposure_score`, `proximity_factor`, `normalized_asset_value` (0..1), `exposure_level`, `asset_basis`,
              `basis` (the input that decided), `imputed_inputs`, `skipped_inputs`, `status`, `reason`, `is_default`.
              A failed row holds the stored defaults 0, flagged
    """
    rule = _rule(risk, config)
    imputed = [pl.when(assumed).then(pl.lit(name)) for name, assumed in rule.imputed.items()]
    skipped = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in rule.skipped]
    frame = sites.select(
        rule.proximity.clip(0, 1).alias("proximity_factor"),
        "normalized_asset_value",
        "asset_basis",
        rule.basis.alias("basis"),
        _names(imputed).alias("imputed_inputs"),
        _names(skipped).alias("skipped_inputs"),
    )
    score = (pl.col("proximity_factor") * pl.col("normalized_asset_value")).clip(0, 1)
    lacking = pl.lit(None, pl.String) if rule.needs is None else pl.lit(missing_input(rule.needs))
    frame = frame.with_columns(exposure_score=score).with_columns(
        reason=pl.when(pl.col("proximity_factor").is_null())
        .then(lacking)
        .when(~pl.col("exposure_score").is_between(0, 1).fill_null(False))
        .then(pl.lit(OUT_OF_RANGE))
    )
    failed = pl.col("reason").is_not_null()
    zero = pl.when(failed).then(0.0)
    return frame.select(
        zero.otherwise("exposure_score").alias("exposure_score"),
        zero.otherwise("proximity_factor").alias("proximity_factor"),
        zero.otherwise("normalized_asset_value").alias("normalized_asset_value"),
        exposure_level=pl.when(~failed).then(level(pl.col("exposure_score") * 100)).otherwise(pl.lit("unknown", LEVEL)),
        asset_basis="asset_basis",
        basis="basis",
        imputed_inputs="imputed_inputs",
        skipped_inputs="skipped_inputs",
        status=pl.when(failed).then(pl.lit("failed", STATUS)).otherwise(pl.lit("ok", STATUS)),
        reason="reason",
        is_default=failed,
    )


def _names(parts: Sequence[pl.Expr]) -> pl.Expr:
    if not parts:
        return pl.lit([], pl.List(pl.String))
    return pl.concat_list(parts).list.drop_nulls()


def diagnostics(sites: pl.DataFrame) -> pl.DataFrame:
    """Diagnostics of a site that enter no score: `in_flood_zone_proxy`, `coastal_exposure`,
    `drainage_capacity` (good, standard, poor). Null where the inputs are."""
    sealed, age = pl.col("imperviousness_ratio"), pl.col("building_age")
    of_sealing = (
        pl.when(sealed < 0.3)
        .then(25)
        .when(sealed < 0.5)
        .then(10)
        .when(sealed > 0.7)
        .then(-20)
        .when(sealed > 0.5)
        .then(-10)
        .otherwise(0)
    )
    of_age = pl.when(age < 10).then(20).when(age < 20).then(10).when(age > 40).then(-15).when(age > 30).then(-5)
    of_cover = (
        pl.when(_COVER.is_in(["forest", "grassland", "wetland"]))
        .then(15)
        .when(_COVER.is_in(["urban", "commercial"]))
        .then(-10)
        .otherwise(0)
    )
    drainage = 50 + of_sealing + of_age.otherwise(0) + of_cover
    return sites.select(
        in_flood_zone_proxy=(pl.col("distance_to_river_m") < 100) & (pl.col("elevation") < 50),
        coastal_exposure=pl.col("distance_to_coast_m") < 10_000,
        drainage_capacity=pl.when(drainage >= 60)
        .then(pl.lit("good"))
        .when(drainage >= 40)
        .then(pl.lit("standard"))
        .otherwise(pl.lit("poor")),
    )
