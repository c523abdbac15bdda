"""One pass over a frame of sites: every fault of every row in words, and the rows without a fault in fixed types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

import polars as pl

from engine.assess.rules import site_ids
from engine.assess.rules.fields import (
    BUILDING_NAMES,
    BY_NAME,
    COORDINATES,
    FIELDS,
    Field,
    invalid_character,
    missing,
    wrong_type,
)
from engine.assess.rules.offered import RISKS
from engine.assess.rules.vocabulary import DEFAULT_PERIOD, PERIOD, RISK, SCENARIO_IDS, TIME_PERIODS
from engine.core import refusals
from engine.core.names import ALIASES
from engine.core.period import FULL
from engine.core.scenario import DEFAULT_SCENARIO

#: beside the fields, set by whoever fills a frame: where the building comes from, which cells were not of their kind
#: when the row was read from text or JSON
EXTRA = {"building_source": pl.String(), "invalid_types": pl.List(pl.String)}
FAILURES = pl.Schema(
    {
        "row": pl.UInt32(),
        "site_id": pl.String(),
        "site_uuid": pl.String(),
        "risk_type": RISK,
        "field": pl.String(),
        "reason": pl.String(),
    }
)
#: what says whose a row of any frame is
IDENTITY = ("row", "site_id", "site_uuid")
DATABASE = "database"
_TYPES: dict[str, pl.DataType] = {
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "text": pl.String(),
    "names": pl.List(pl.String),
    "ids": pl.List(pl.Int64),
}
_KNOWN: dict[str, tuple[object, ...]] = {
    "risk_types": RISKS,
    "scenario_ids": SCENARIO_IDS,
    "time_periods": TIME_PERIODS,
}
_NAMED: dict[str, Callable[[str], str]] = {
    "risk_types": partial(refusals.risk_type, known=RISKS),
    "scenario_ids": refusals.scenario,
    "time_periods": refusals.time_period,
}
_DEFAULT_SCENARIOS: list[object] = [int(DEFAULT_SCENARIO)]
_DEFAULT_PERIODS: list[object] = [DEFAULT_PERIOD]
Check = tuple[str, pl.Expr, pl.Expr]  # field, condition of a fault, its words


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of a check.

    valid    : rows without a fault, with `row`, `site_uuid` and every field in its type
    failures : a row per fault, table order
    repeated : rows with a `site_id` that an earlier row has, too
    """

    valid: pl.DataFrame
    failures: pl.DataFrame
    repeated: int = 0


def check(
    sites: pl.DataFrame,
    *,
    portfolio: str | None = None,
    rows: pl.Series | None = None,
    left_open: Collection[str] = (),
) -> Checked:
    """Check all rows.

    portfolio : name of the portfolio that the rows make up; None: each is a request of its own (see `site_ids.assign`)
    rows      : their numbers, ascending; None: from 0 on
    left_open : building fields that may be absent though others are stated: a file without such a column leaves it open
    """
    typed = _with_ids(_typed(sites, rows), portfolio)
    checks = list(_checks(typed, left_open))
    names = [f"fault_{number}" for number in range(len(checks))]
    flagged = typed.with_columns(
        condition.fill_null(False).alias(name) for name, (_, condition, _) in zip(names, checks, strict=True)
    )
    faulty = pl.any_horizontal(names)
    bad = flagged.filter(faulty)
    valid = flagged.filter(~faulty).select("row", "site_uuid", *(field.name for field in FIELDS), "building_source")
    own = typed["site_id"].drop_nulls()
    return Checked(valid, _failures(bad, names, checks), len(own) - own.n_unique())


def _failures(bad: pl.DataFrame, names: list[str], checks: list[Check]) -> pl.DataFrame:
    parts = [
        bad.filter(name).select(
            "row",
            site_id="proper_id",
            site_uuid="site_uuid",
            risk_type=pl.lit(None, RISK),
            field=pl.lit(field),
            reason=words,
            order=pl.lit(order, pl.UInt32),
        )
        for order, (name, (field, _, words)) in enumerate(zip(names, checks, strict=True))
        if bad[name].any()
    ]
    if not parts:
        return FAILURES.to_frame()
    exploded = pl.concat(
        part if part.schema["reason"] == pl.String else part.explode("reason", empty_as_null=False) for part in parts
    )
    ordered = exploded.sort("row", "order", maintain_order=True).select(list(FAILURES))
    return ordered.with_columns(reason=_with_known(ordered["reason"]))


def _with_known(reasons: pl.Series) -> pl.Series:
    """Words on unknown names with what is known; once for each, since a portfolio may have one name a million times."""
    said = {}
    for name, words in _NAMED.items():
        head = BY_NAME[name].message.replace("{value}", "")
        for reason in reasons.filter(reasons.str.starts_with(head)).unique():
            if reason != refusals.LONE_FULL:
                said[reason] = words(reason.removeprefix(head))
    return reasons.replace(said) if said else reasons


def _typed(sites: pl.DataFrame, rows: pl.Series | None) -> pl.DataFrame:
    """Every field in its type, cells of another kind null and named in `invalid_types`."""
    present = [name for name in EXTRA if name in sites.columns]
    raw = sites.select(*(field.name for field in FIELDS if field.name in sites.columns), *present)
    raw = raw.with_columns(pl.lit(None, kind).alias(name) for name, kind in EXTRA.items() if name not in present)
    raw = raw.with_row_index("row") if rows is None else raw.insert_column(0, rows.cast(pl.UInt32).alias("row"))
    columns, wrong = [], []
    for field in FIELDS:
        value, fault = _cast(field, raw.schema.get(field.name))
        columns.append(value.alias(field.name))
        wrong.append(fault.fill_null(False).alias(f"wrong_{field.name}"))
    return raw.select("row", *EXTRA, *columns, *wrong)


def _cast(field: Field, kind: pl.DataType | None) -> tuple[pl.Expr, pl.Expr]:
    """A column in the field's type, and where a cell is not of it."""
    target, column = _TYPES[field.kind], pl.col(field.name)
    read_wrong = pl.col("invalid_types").list.contains(field.name)
    if kind is None or kind == pl.Null:
        return pl.lit(None, target), read_wrong
    nothing = pl.lit(None, target)
    inner = kind.inner if isinstance(kind, pl.List) else None
    if field.name == "site_id" and not kind.is_nested() and kind != pl.Boolean:
        return _id_text(kind), read_wrong
    if field.kind == "text" and kind in (pl.String, pl.Categorical, pl.Enum):
        return column.cast(pl.String).str.normalize("NFC").str.strip_chars(), read_wrong
    if field.kind == "boolean" and kind == pl.Boolean:
        return column, read_wrong
    if field.kind == "number" and kind.is_numeric():
        return column.cast(pl.Float64), read_wrong
    if field.kind == "integer" and kind.is_integer():
        number = column.cast(pl.Int64, strict=False)  # not above 2^63
        return number, read_wrong | (column.is_not_null() & number.is_null())
    if field.kind == "integer" and kind.is_numeric():
        whole = (column.cast(pl.Float64) % 1 == 0).fill_null(False)  # False for NaN and infinity, too
        number = pl.when(whole).then(column.cast(pl.Int64, strict=False))
        return number, read_wrong | (column.is_not_null() & number.is_null())
    if field.kind == "names" and inner in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        return column.cast(target), read_wrong
    if field.kind == "ids" and inner is not None and (inner.is_integer() or inner == pl.Null):
        return column.cast(target), read_wrong
    return nothing, read_wrong | column.is_not_null()


def _id_text(kind: pl.DataType) -> pl.Expr:
    """A caller's id of any type as text: a UUID's sixteen bytes in digits, a whole number without its fraction."""
    column = pl.col("site_id")
    if kind == pl.Binary:
        digits = column.bin.encode("hex")
        parts = [digits.str.slice(start, length) for start, length in ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))]
        return pl.when(digits.str.len_chars() == 32).then(pl.concat_str(parts, separator="-")).otherwise(digits)
    if kind.is_float():
        whole = column.is_finite() & (column % 1 == 0)
        text = (
            pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(column.cast(pl.String))
        )
        return pl.when(column.is_not_nan()).then(text)
    return column.cast(pl.String)


def _with_ids(typed: pl.DataFrame, portfolio: str | None) -> pl.DataFrame:
    """Coordinates in six decimals, risks by their stored names, and the UUID of each row."""
    typed = typed.with_columns(
        pl.col("latitude", "longitude").round(6, mode="half_to_even") + 0.0,  # + 0.0: never -0
        pl.col("risk_types").list.eval(pl.element().replace(ALIASES)),
    )
    known = pl.all_horizontal(within_range(field) for field in COORDINATES)
    places = typed.select(pl.when(known).then(pl.col(field.name)).alias(field.name) for field in COORDINATES)
    proper = ~_too_long_or_blank(BY_NAME["site_id"]) & ~_holds_nul("site_id")
    typed = typed.with_columns(proper_id=pl.when(proper).then("site_id"))
    ids = site_ids.assign(typed["proper_id"], places["latitude"], places["longitude"], portfolio)
    # an id that is not valid is no place's either: the row has none
    named = pl.col("proper_id").is_not_null() | (pl.col("site_id").is_null() & ~pl.col("wrong_site_id"))
    return typed.with_columns(site_uuid=pl.when(named).then(pl.lit(ids)))


def _too_long_or_blank(field: Field) -> pl.Expr:
    value = pl.col(field.name)
    return (value.str.len_chars() > (field.longest or 0)) | (value.str.strip_chars() == "")


def _holds_nul(name: str) -> pl.Expr:
    return pl.col(name).str.contains("\0", literal=True)


def within_range(field: Field) -> pl.Expr:
    """True for a finite value within the bounds; null for null."""
    value = pl.col(field.name)
    fits = value.is_finite() if field.kind == "number" else pl.lit(True)
    if field.low is not None:
        fits = fits & (value > field.low if field.above else value >= field.low)
    return fits & (value <= field.high) if field.high is not None else fits


def _checks(typed: pl.DataFrame, left_open: Collection[str]) -> Iterator[Check]:
    """Every fault there can be, in the order of the fields; a field has at most one, but lists one a value."""
    given = pl.any_horizontal(pl.col(name).is_not_null() | pl.col(f"wrong_{name}") for name in BUILDING_NAMES) & pl.col(
        "building_source"
    ).ne_missing(DATABASE)
    for field in FIELDS:
        value, wrong = pl.col(field.name), pl.col(f"wrong_{field.name}")
        yield field.name, wrong, pl.lit(wrong_type(field.name))
        absent = value.is_null() & ~wrong
        if field.name in left_open:
            pass
        elif field.name in BUILDING_NAMES:
            yield field.name, absent & given, pl.lit(missing(field.name))
        elif field in COORDINATES:
            yield field.name, absent, pl.lit(missing(field.name))
        if field.kind in ("names", "ids"):
            if typed[field.name].null_count() < typed.height:
                yield from _list_checks(field)
        elif (fault := _fault(field)) is not None:
            yield field.name, fault, pl.lit(field.message)
        if field.kind == "text" and not (field.pattern or field.choices):
            yield field.name, _holds_nul(field.name), pl.lit(invalid_character(field.name))


def _fault(field: Field) -> pl.Expr | None:
    value = pl.col(field.name)
    if field.kind in ("integer", "number"):
        return ~within_range(field)
    if field.kind == "boolean":
        return None
    if field.choices:
        return ~value.is_in(field.choices)
    if field.pattern:
        return ~value.str.contains(field.pattern)
    if field.longest:
        return _too_long_or_blank(field)
    return value == ""


def _list_checks(field: Field) -> Iterator[Check]:
    value, known = pl.col(field.name), list(_KNOWN[field.name])
    unknown = value.list.filter(pl.element().is_null() | ~pl.element().is_in(known))
    shown = pl.element().cast(pl.String).fill_null("null").str.replace_all("\0", "\ufffd", literal=True)
    words = unknown.list.eval(pl.format(field.message.replace("{value}", "{}"), shown))
    yield field.name, unknown.list.len() > 0, words
    if field.name == "time_periods":
        scenarios = pl.col("scenario_ids").fill_null(_DEFAULT_SCENARIOS)
        default = int(DEFAULT_SCENARIO)
        # `full` exists for the default scenario only: it must be asked for, and no other may be left without a period
        lone = (value.list.n_unique() == 1) & scenarios.list.eval(pl.element() != default).list.any()
        refused = value.list.contains(FULL) & (~scenarios.list.contains(default) | lone)
        yield field.name, refused, pl.lit(refusals.LONE_FULL)


def requested(valid: pl.DataFrame) -> pl.DataFrame:
    """Scenario and period pairs of every valid site: `site` (its place in `valid`), `scenario_id`, `time_period`,
    ordered by all three."""
    asked = valid.select(
        site=pl.int_range(pl.len(), dtype=pl.UInt32),
        scenario_id=_or_default("scenario_ids", _DEFAULT_SCENARIOS),
        time_period=_or_default("time_periods", _DEFAULT_PERIODS),
    )
    pairs = asked.explode("scenario_id").explode("time_period")
    pairs = pairs.with_columns(pl.col("scenario_id").cast(pl.Int16), pl.col("time_period").cast(PERIOD))
    exists = (pl.col("time_period") != FULL) | (pl.col("scenario_id") == int(DEFAULT_SCENARIO))
    return pairs.filter(exists).unique().sort("site", "scenario_id", "time_period")


def _or_default(name: str, default: list[object]) -> pl.Expr:
    value = pl.col(name)
    return pl.when(value.list.len() > 0).then(value).otherwise(pl.lit(default, _TYPES[BY_NAME[name].kind]))
