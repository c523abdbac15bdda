"""Valid sites with everything the rules need: gaps filled and flagged, classes, cell, normalised asset value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.assess.rules import classes
from engine.assess.rules.classes import TANK_AREA_M2, TANK_FLOORS
from engine.assess.rules.config import AssessConfig
from engine.assess.rules.fields import BUILDING, BUILDING_NAMES, BY_NAME
from engine.assess.rules.offered import RISKS
from engine.assess.rules.validation import DATABASE, FAILURES, IDENTITY, Checked, check, requested
from engine.assess.rules.vocabulary import CELL_BASIS, OUTSIDE_GRID, RISK
from engine.core import cells
from engine.core.cells import HasResults
from engine.core.errors import SchemaError
from engine.core.grid import GridDefinition

CALLER, DEFAULT = "caller", "default"
SOURCE = pl.Enum([CALLER, DATABASE, DEFAULT])
BASIS = pl.Enum(["asset_value", "floor_area", "default_area"])


@dataclass(frozen=True, slots=True)
class Prepared:
    """Sites ready for the rules.

    sites    : a row a valid site inside the grid
    requests : `site` (row of `sites`), `scenario_id`, `time_period`; ordered
    outside  : valid sites outside the grid, columns as `sites`, and their `outside_requests`
    failures : of the rows that are not in `sites`
    """

    sites: pl.DataFrame
    requests: pl.DataFrame
    outside: pl.DataFrame
    outside_requests: pl.DataFrame
    failures: pl.DataFrame

    def slice(self, start: int, length: int) -> Prepared:
        """Some of the sites with their requests; nothing of what failed."""
        return self.only(pl.int_range(self.sites.height, eager=True).is_between(start, start + length, closed="left"))

    def remainder(self) -> Prepared:
        """What `slice` leaves out: sites outside the grid, and the failures."""
        return Prepared(self.sites.clear(), self.requests.clear(), self.outside, self.outside_requests, self.failures)

    def only(self, kept: pl.Series) -> Prepared:
        """The sites where `kept` is true, with their requests; nothing of what failed."""
        place = kept.cast(pl.UInt32).cum_sum() - 1
        requests = self.requests.filter(kept.gather(self.requests["site"]))
        requests = requests.with_columns(site=place.gather(requests["site"]).cast(pl.UInt32))
        nothing = self.outside.clear()
        return Prepared(self.sites.filter(kept), requests, nothing, self.outside_requests.clear(), FAILURES.to_frame())


def wants(risk: str) -> str:
    """Name of the column that says whether a site asks for a risk."""
    return f"wants_{risk}"


def wants_expression(risk: str) -> pl.Expr:
    """True where a checked site asks for a risk: it names it, or none."""
    return pl.col("risk_types").list.contains(risk) | (pl.col("risk_types").list.len().fill_null(0) == 0)


def prepare(
    sites: pl.DataFrame, config: AssessConfig, *, portfolio: str | None = "", has_results: HasResults | None = None
) -> Prepared:
    """Check, place, fill and classify sites; no step depends on another row, but for the UUIDs of equal ids.

    portfolio   : as `validation.check` takes it
    has_results : as `cells.choose` takes it
    raises      : SchemaError for an unknown `building_source`
    """
    return prepare_checked(placed(check(sites, portfolio=portfolio), config.grid, has_results), config)


def placed(checked: Checked, grid: GridDefinition, has_results: HasResults | None) -> Checked:
    """Valid sites with `grid_id` (0: outside), `cell_basis` and `cell_distance_m`, as `cells.choose` gives them."""
    valid = checked.valid
    chosen = cells.choose(valid["latitude"].to_numpy(), valid["longitude"].to_numpy(), grid, has_results)
    inside = pl.col("grid_id") > 0
    valid = valid.with_columns(
        grid_id=pl.Series(chosen.grid_id, dtype=pl.Int32),
        nearest=pl.Series(chosen.nearest),
        cell_distance_m=pl.Series(chosen.metres).fill_nan(None).round(1),
    ).with_columns(
        cell_basis=pl.when(inside)
        .then(pl.when("nearest").then(pl.lit("nearest")).otherwise(pl.lit("own")))
        .cast(CELL_BASIS)
    )
    return replace(checked, valid=valid.drop("nearest"))


def prepare_checked(
    checked: Checked, config: AssessConfig, change: Callable[[pl.DataFrame], pl.DataFrame] | None = None
) -> Prepared:
    """The same for sites that were checked and placed before, and may have been filled since from the warehouse.

    change : gives filled sites with other values of their fields, so that what was open stays filled as it was
    """
    sites = _fill(checked.valid)
    filled = _classify(sites if change is None else change(sites), config)
    inside = filled["grid_id"] > 0
    requests = requested(filled)
    everything = Prepared(filled, requests, filled.clear(), requests.clear(), FAILURES.to_frame())
    outside = everything.only(~inside)
    lost = outside.sites.select(
        *IDENTITY,
        risk_type=pl.lit(None, RISK),
        field=pl.lit("location"),
        reason=pl.lit(OUTSIDE_GRID),
    )
    kept = everything.only(inside)
    failures = pl.concat([checked.failures, lost.cast(FAILURES)]).sort("row", maintain_order=True)
    return Prepared(kept.sites, kept.requests, outside.sites, outside.requests, failures)


def _fill(valid: pl.DataFrame) -> pl.DataFrame:
    """Defaults for what is not known of a building, each named in `imputed_fields`."""
    stated = valid["building_source"].drop_nulls()
    if unknown := sorted(set(stated.unique()) - {CALLER, DATABASE}):
        raise SchemaError(f"building_source {unknown[0]!r}: it is {CALLER} or {DATABASE}")
    nothing = pl.all_horizontal(pl.col(name).is_null() for name in BUILDING_NAMES)
    from_register = pl.col("building_source").eq_missing(DATABASE)
    source = (
        pl.when(nothing & ~from_register)
        .then(pl.lit(DEFAULT))
        .when(from_register)
        .then(pl.lit(DATABASE))
        .otherwise(pl.lit(CALLER))
    )
    valid = valid.with_columns(building_source=source.cast(SOURCE))
    area = BY_NAME["floor_area"]
    # an area that a known building does not state stays unknown: its terms are skipped
    lacks_area = pl.col("floor_area").is_null() & (pl.col("building_source") == DEFAULT)
    not_stated = {field.name: pl.col(field.name).is_null() for field in BUILDING} | {area.name: lacks_area}
    names = pl.concat_list(
        pl.when(missing).then(pl.lit(name)) for name, missing in not_stated.items()
    ).list.drop_nulls()
    imputed = pl.sum_horizontal(not_stated[name].cast(pl.UInt8) for name in BUILDING_NAMES)
    return valid.with_columns(
        *(pl.col(field.name).fill_null(pl.lit(field.default)) for field in BUILDING),
        stated_area=pl.col("floor_area"),
        floor_area=pl.when(lacks_area).then(pl.lit(area.default)).otherwise("floor_area"),
        imputed_fields=names,
        data_quality=1 - imputed / len(BUILDING),
        insurance_rate=pl.col("insurance_coverage_rate").fill_null(0.0),
    )


def _share(values: pl.Series, cap: float) -> pl.Series:
    # not in polars: dividing a column by a number it multiplies by the reciprocal, but not a column of one row, so that
    # a site alone would differ in the last bit from the same site in a batch
    return pl.Series(values.cast(pl.Float64).fill_null(np.nan).to_numpy() / cap).fill_nan(None)


def _classify(sites: pl.DataFrame, config: AssessConfig) -> pl.DataFrame:
    large = (pl.col("floors_above") >= TANK_FLOORS) | (pl.col("floor_area") >= TANK_AREA_M2).fill_null(False)
    area = pl.col("stated_area")
    by_value = pl.lit(_share(sites["total_asset_value"], config.reference_value))
    by_area = pl.lit(_share(sites["stated_area"].fill_null(BY_NAME["floor_area"].default), config.area_cap_m2))
    valued = pl.col("total_asset_value").is_not_null()
    basis = (
        pl.when(valued)
        .then(pl.lit("asset_value"))
        .when(area.is_not_null())
        .then(pl.lit("floor_area"))
        .otherwise(pl.lit("default_area"))
    )
    return sites.with_columns(
        structure_class=classes.structure_class(pl.col("structure")),
        purpose_class=classes.purpose_class(pl.col("main_purpose")),
        has_tank=pl.col("has_water_tank").fill_null(large),
        normalized_asset_value=pl.when(valued).then(by_value.clip(0, 1)).otherwise(by_area.clip(0.1, 1)),
        asset_basis=basis.cast(BASIS),
        **{wants(risk): wants_expression(risk) for risk in RISKS},
    ).with_columns(water_dependency=classes.water_dependency(pl.col("purpose_class")))
