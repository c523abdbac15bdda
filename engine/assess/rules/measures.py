"""A measure: fields of sites that it sets, the share of a loss that it prevents, its cost, and where it is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from engine.assess.rules import records
from engine.assess.rules.fields import ASSET, BUILDING, BY_NAME, SURROUNDINGS
from engine.assess.rules.offered import RISKS
from engine.assess.rules.payback import DISCOUNT_RATE, YEARS, Cost
from engine.assess.rules.validation import check
from engine.core import names
from engine.core.errors import SettingsError

#: fields that a measure may set: those that the loss or the index of a site reads, but for its place
CHANGEABLE = (*(each.name for each in (*BUILDING, *ASSET)), "elevation", *(each.name for each in SURROUNDINGS))
_PARTS = ("name", "set", "prevents", "cost", "sites")
_COST = ("per_site", "total", "upkeep_per_site", "upkeep_total", "discount_rate", "years")
_SITES = ("rows", "site_ids")
#: a place with a building without a fault, in which the new values are checked
_ANY_SITE = {"latitude": 37.5, "longitude": 127.0} | {each.name: each.default for each in BUILDING}
_LONGEST_NAME = 200


def prevented(risk: str) -> str:
    """Name of the column of a prepared site with the share of its loss by a risk that a measure prevents, 0..1."""
    return f"prevented_{risk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure as it was stated.

    name     : for people
    changes  : field -> its value with the measure
    prevents : risk -> share of its loss that is prevented, 0..1, by the caller's own knowledge
    per_site, upkeep_per_site, total, upkeep_total : money; a total and an amount a site add up
    cost_stated : whether any cost was
    rows, site_ids : sites at which it is taken; both None: all
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    prevents: Mapping[str, float] = field(default_factory=dict)
    per_site: float = 0.0
    upkeep_per_site: float = 0.0
    total: float = 0.0
    upkeep_total: float = 0.0
    discount_rate: float = DISCOUNT_RATE
    years: int = YEARS
    cost_stated: bool = False
    rows: tuple[int, ...] | None = None
    site_ids: tuple[str, ...] | None = None

    def cost(self, sites: int) -> Cost | None:
        """What it costs at so many sites; None where no cost was stated."""
        if not self.cost_stated:
            return None
        return Cost(
            amount=self.per_site * sites + self.total,
            upkeep=self.upkeep_per_site * sites + self.upkeep_total,
            discount_rate=self.discount_rate,
            years=self.years,
        )

    def taken(self) -> pl.Expr:
        """True for rows of sites (`row`, `site_id`) at which the measure is taken."""
        if self.rows is None and self.site_ids is None:
            return pl.lit(True)
        by_row = pl.col("row").is_in(list(self.rows or ()))
        return by_row | pl.col("site_id").is_in(list(self.site_ids or ())).fill_null(False)

    def applied(self, sites: pl.DataFrame) -> pl.DataFrame:
        """Sites with the measure. sites: filled, as `prepare.prepare_checked` hands them to `change`"""
        here = self.taken()
        new = [_set(name, value, here) for name, value in self.changes.items()]
        if "floor_area" in self.changes:
            new.append(_set("stated_area", self.changes["floor_area"], here))
        if "insurance_coverage_rate" in self.changes:
            new.append(_set("insurance_rate", self.changes["insurance_coverage_rate"], here))
        known = pl.col("imputed_fields").list.set_difference(list(self.changes))
        return sites.with_columns(
            *new,
            *(pl.when(here).then(share).otherwise(0.0).alias(prevented(risk)) for risk, share in self.prevents.items()),
            imputed_fields=pl.when(here).then(known).otherwise("imputed_fields"),
        )

    def told(self) -> dict[str, Any]:
        """The measure as a JSON object."""
        return {
            "name": self.name,
            "set": dict(self.changes),
            "prevents": dict(self.prevents),
            "sites": "all" if self.rows is None and self.site_ids is None else "chosen",
        }


def _set(name: str, value: Any, here: pl.Expr) -> pl.Expr:
    return pl.when(here).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)


Change = Callable[[pl.DataFrame], pl.DataFrame]


def measure_of(told: Mapping[str, Any]) -> Measure:
    """A measure from a JSON object or a TOML table: `name`, `set`, `prevents`, `cost`, `sites`.

    raises : SettingsError, one sentence, for what is unknown, of another kind or out of its range, and for a measure
             that neither sets nor prevents anything
    """
    _known(told, _PARTS, "the measure")
    name = told.get("name", "measure")
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or "\0" in name:
        raise SettingsError(f"name of the measure: give a text of 1 to {_LONGEST_NAME} characters")
    changes = _changes(_table(told, "set"))
    prevents = _prevents(_table(told, "prevents"))
    if not changes and not prevents:
        raise SettingsError("the measure changes nothing: give fields in `set`, or shares of a loss in `prevents`")
    cost = _table(told, "cost")
    sites = _table(told, "sites")
    _known(sites, _SITES, "sites")
    return Measure(
        name=name.strip(),
        changes=changes,
        prevents=prevents,
        rows=_list(sites, "rows", int),
        site_ids=_list(sites, "site_ids", str),
        **_cost(cost),
    )


def _known(told: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for name in told:
        if name not in known:
            raise SettingsError(f"{where} has {names.unknown('key', str(name), known)}")


def _table(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = told.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(f"{name} of the measure is {_shown(value)}: give a table of names and values")
    return value


def _changes(told: Mapping[str, Any]) -> dict[str, Any]:
    """New values of fields, in their types."""
    for name, value in told.items():
        if name not in CHANGEABLE:
            near = names.nearest(str(name), CHANGEABLE)
            meant = f"; did you mean {near}?" if near else ""
            raise SettingsError(f"a measure cannot set {_shown(name)}{meant}; it sets {', '.join(CHANGEABLE)}")
        if value is None:
            raise SettingsError(f"{name} of the measure has no value: state one, or leave the field out")
    checked = check(records.from_requests([_ANY_SITE | dict(told)]))
    if checked.failures.height:
        name, reason = checked.failures.select("field", "reason").row(0)
        raise SettingsError(f"{name} of the measure is {_shown(told.get(name))}: {reason}")
    return {name: checked.valid[name][0] for name in BY_NAME if name in told}


def _prevents(told: Mapping[str, Any]) -> dict[str, float]:
    shares = {}
    for name, value in told.items():
        risk = names.risk(str(name))
        if risk not in RISKS:
            raise SettingsError(f"prevents: sites are not assessed for {risk}")
        shares[risk] = _amount(told, name, 0.0, most=1.0)
        if not value:
            raise SettingsError(f"prevents of {risk} is 0: state the share of the loss, above 0, or leave it out")
    return shares


def _cost(told: Mapping[str, Any]) -> dict[str, Any]:
    _known(told, _COST, "cost")
    years = told.get("years", YEARS)
    if isinstance(years, bool) or not isinstance(years, int) or not 1 <= years <= 200:
        raise SettingsError(f"years of cost is {_shown(years)}: give a whole number of 1 to 200")
    rate = _amount(told, "discount_rate", DISCOUNT_RATE, most=1.0)
    if rate >= 1.0:
        raise SettingsError("discount_rate of cost is 1: give a share of a year below 1, as 0.045")
    return {
        **{name: _amount(told, name, 0.0) for name in _COST[:4]},
        "discount_rate": rate,
        "years": years,
        "cost_stated": any(name in told for name in _COST[:4]),
    }


def _amount(told: Mapping[str, Any], name: str, default: float, most: float = 1e18) -> float:
    value = told.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most or math.isnan(value):
        raise SettingsError(f"{name} of the measure is {_shown(value)}: give a number from 0 to {most:g}")
    return float(value)


def _list(told: Mapping[str, Any], name: str, kind: type) -> tuple[Any, ...] | None:
    value = told.get(name)
    if value is None:
        return None
    what = "whole numbers" if kind is int else "texts"
    if not isinstance(value, list) or any(not isinstance(each, kind) or isinstance(each, bool) for each in value):
        raise SettingsError(f"{name} of sites is {_shown(value)}: give a list of {what}")
    if kind is int and any(not 0 <= each < 2**31 for each in value):
        raise SettingsError(f"{name} of sites: rows are numbered from 1 as the file shows them")
    return tuple(value)


def _shown(value: Any) -> str:
    return names.shortened(repr(value))
