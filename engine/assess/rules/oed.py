"""Location files of the Open Exposure Data standard (OED) as fields of sites.

Values are those of building and other building; contents and business interruption are carried through, since no damage
rate is of them. Rows of one location that differ in their financial terms alone are one site.

Source: OasisLMF, Open Exposure Data standard 5.0.0, input fields of the location file; names are read in any case.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import polars as pl

from engine.assess.rules.column_names import COMPLETED
from engine.assess.rules.columns import Column
from engine.core import rates
from engine.core.counted import agree, counted
from engine.core.errors import SettingsError
from engine.core.names import shortened
from engine.core.rates import Rate

KEY = ("PortNumber", "AccNumber", "LocNumber")
_PRICED, _NOT_PRICED = ("BuildingTIV", "OtherTIV"), ("ContentsTIV", "BITIV")
_PLACES = ("Latitude", "Longitude")
_OTHERS = ("LocName", "LocCurrency", "OccupancyCode", "ConstructionCode", "YearBuilt", "NumberOfStoreys")
#: columns that are read, as the standard spells them; all others are carried through
READ = (*KEY, *_PLACES, *_PRICED, *_NOT_PRICED, *_OTHERS)
#: terms of the contract, whose columns begin with these
_TERMS = ("locded", "locminded", "locmaxded", "loclimit", "locparticipation", "conddeductible", "condlimit")
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_LARGEST = 1e18
_CODES = {"main_purpose": ("occupancy", "OccupancyCode"), "structure": ("construction", "ConstructionCode")}


class Converted(NamedTuple):
    """An OED table as sites.

    frame  : columns of the file, then those that were made of them
    raw    : the same as the file has them
    chosen : what each column is
    kept   : False for further rows of a location
    notes  : what somebody should know
    """

    frame: pl.DataFrame
    raw: pl.DataFrame
    chosen: list[Column]
    kept: pl.Series
    notes: list[str]


def is_oed(names: Iterable[str]) -> bool:
    """Check whether names of columns are those of an OED location file: places, a location, its account or portfolio,
    and a value or what is insured."""
    found = {_plain(name) for name in names}
    return (
        found >= {"latitude", "longitude", "locnumber"}
        and not found.isdisjoint({"accnumber", "portnumber"})
        and not found.isdisjoint({*map(_plain, (*_PRICED, *_NOT_PRICED)), "locperilscovered", "countrycode"})
    )


def lacking(names: Iterable[str]) -> list[str]:
    """Columns that would make a table with values and codes of OED a location file; empty for any other table."""
    found = {_plain(name) for name in names}
    marks = {*KEY, "LocCurrency", "OccupancyCode", "ConstructionCode"}
    if is_oed(names) or found.isdisjoint(map(_plain, (*_PRICED, *_NOT_PRICED))) or found.isdisjoint(map(_plain, marks)):
        return []
    wanted = [name for name in (*_PLACES, "LocNumber") if _plain(name) not in found]
    return wanted if found & {"accnumber", "portnumber"} else [*wanted, "AccNumber"]


def convert(
    frame: pl.DataFrame,
    names: Sequence[str],
    rows: pl.Series,
    table: object,
    *,
    given: Mapping[str, Rate],
    into: str,
) -> Converted:
    """Fields of an OED table.

    frame  : its columns, text or typed; names: as the file has them; rows: number of each row
    table  : what it is called in messages
    given  : currency -> rate; into: the currency of the results
    raises : SettingsError for a column twice, a currency without a rate, a value without a currency, and rows of one
             location that state different values
    """
    at = _places_of(names, table)
    text = frame.select(
        (
            pl.col(frame.columns[at[name]]).cast(pl.String, strict=False).str.strip_chars().replace("", None)
            if name in at
            else pl.lit(None, pl.String)
        ).alias(name)
        for name in READ
    )
    if text.height != frame.height:  # no column of the file is read: one null a row
        text = pl.concat([text] * frame.height) if frame.height else text.clear()
    kept = _first_of_location(text, rows, table)
    value, money_notes = _values(text.filter(kept), rows.filter(kept), table, given=given, into=into)
    words, code_notes = _words(text.filter(kept))
    made = {
        f"{' + '.join(name for name in _PRICED if name in at) or 'BuildingTIV'}, {into}": ("total_asset_value", value),
        **{f"{source} in words": (field, words[field]) for field, (_, source) in _CODES.items()},
        "PortNumber/AccNumber/LocNumber": ("site_id", _location(text.filter(kept))),
    }
    read = frame.filter(kept).with_columns(_known(frame, at, text.filter(kept)))
    own = _free(frame.columns, len(made))
    columns = [series.alias(name) for name, (_, series) in zip(own, made.values(), strict=True)]
    chosen = [_column(name, at, place) for place, name in enumerate(names)]
    chosen += [Column(name, field, "of an OED location file") for name, (field, _) in made.items()]
    notes = ["read as an OED location file: each row is a location of an account"]
    if doubled := kept.len() - int(kept.sum()):
        notes.append(
            f"{counted(doubled, 'row')} {agree(doubled, 'repeats', 'repeat')} a location with other financial terms:"
            " its values are counted once"
        )
    terms = [name for name in names if _plain(name).startswith(_TERMS)]
    if terms:
        notes.append("losses are ground-up: deductibles, limits and participation are carried through and not applied")
    return Converted(
        read.with_columns(columns),
        frame.filter(kept).with_columns(columns),
        chosen,
        kept,
        [*notes, *money_notes, *code_notes],
    )


def _plain(name: str) -> str:
    return name.strip("\ufeff \t").casefold()


def _places_of(names: Sequence[str], table: object) -> dict[str, int]:
    known = {_plain(name): name for name in READ}
    found: dict[str, int] = {}
    for place, name in enumerate(names):
        if (own := known.get(_plain(name))) is None:
            continue
        if own in found:
            raise SettingsError(
                f"{table}: columns {names[found[own]]!r} and {name!r} are both {own} of OED, in which case does not"
                " matter: keep one"
            )
        found[own] = place
    return found


def _location(text: pl.DataFrame) -> pl.Series:
    """Key of each location: PortNumber/AccNumber/LocNumber."""
    parts = pl.concat_str([pl.col(name).fill_null("") for name in KEY], separator="/")
    return text.select(pl.when(pl.col("LocNumber").is_not_null()).then(parts)).to_series()


def _first_of_location(text: pl.DataFrame, rows: pl.Series, table: object) -> pl.Series:
    """Which rows are the first of their location; the further ones must state the same values at the same place."""
    stated = (*_PLACES, *_PRICED, *_NOT_PRICED, "LocCurrency")
    keyed = text.with_columns(key=_location(text), row=rows)
    first = keyed.filter(pl.col("key").is_not_null()).unique("key", keep="first", maintain_order=True)
    other = keyed.join(first.select("key", *stated, first="row"), on="key", how="left", suffix="_first")
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_first")) for name in stated)
    wrong = other.filter(pl.col("first").is_not_null() & (pl.col("row") != pl.col("first")) & differs)
    if wrong.height:
        key, row, before = wrong.select("key", "row", "first").row(0)
        raise SettingsError(
            f"{table}: rows {before} and {row} are both location {shortened(key)!r} (PortNumber/AccNumber/LocNumber)"
            " and state another place or value: number the locations apart"
        )
    return other.select(pl.col("first").is_null() | (pl.col("row") == pl.col("first"))).to_series()


def _number(name: str) -> pl.Expr:
    """Number of a text; null where it is none."""
    number = pl.when(pl.col(name).str.contains(_NUMBER)).then(pl.col(name)).cast(pl.Float64, strict=False)
    return pl.when(number.abs() <= _LARGEST).then(number)


def _values(
    text: pl.DataFrame, rows: pl.Series, table: object, *, given: Mapping[str, Rate], into: str
) -> tuple[pl.Series, list[str]]:
    """(value of building and other building in the currency of the results as text, notes). A value that is no number
    stays text that is none, so that its row has a fault."""
    amounts = text.select(
        *(_number(name).alias(name) for name in (*_PRICED, *_NOT_PRICED)),
        bad=pl.coalesce(
            pl.when(pl.col(name).is_not_null() & ~(_number(name) >= 0).fill_null(False)).then(
                pl.format(f"{name}: {{}}", pl.col(name))
            )
            for name in _PRICED
        ),
        currency=pl.col("LocCurrency").str.to_uppercase(),
    )
    held = amounts.select(pl.any_horizontal(pl.col(name).fill_null(0) != 0 for name in (*_PRICED, *_NOT_PRICED)))
    valued = held.to_series()
    if (blank := valued & amounts["currency"].is_null()).any():
        number = int(blank.sum())
        raise SettingsError(
            f"{table}: {counted(number, 'row')} {agree(number, 'has a value and no', 'have values and no')} LocCurrency"
            f" (first: row {rows.filter(blank)[0]}): state the currency of each value"
        )
    codes = dict(amounts.filter(valued)["currency"].value_counts().iter_rows())
    if odd := [code for code in codes if not rates.is_code(code)]:
        raise SettingsError(
            f"{table}: LocCurrency {shortened(odd[0])!r} ({counted(codes[odd[0]], 'row')}) is no currency: three"
            " letters of ISO 4217, such as EUR"
        )
    rates.require(codes, given, into, str(table))
    rate_of = {code: 1.0 if code == into else given[code].rate for code in codes}
    rate = pl.col("currency").replace_strict(rate_of, default=None, return_dtype=pl.Float64)
    sums = amounts.select(
        "bad",
        **{name: pl.col(name) * rate for name in _NOT_PRICED},
        value=(pl.col(_PRICED[0]).fill_null(0) + pl.col(_PRICED[1]).fill_null(0)) * rate,
    )
    whole = pl.when(pl.col("value").abs() < _LARGEST).then(pl.col("value").round()).cast(pl.Int64, strict=False)
    # an amount that no whole number holds stays as it is, and is a fault of its row
    stated = pl.coalesce(whole.cast(pl.String), pl.col("value").cast(pl.String))
    shown = pl.coalesce("bad", pl.when(pl.col("value") != 0).then(stated))
    notes = [f"{code} at {given[code].rate:,g} {into} of {given[code].day}" for code in sorted(codes) if code != into]
    notes = [f"values converted: {'; '.join(notes)}"] if notes else []
    for name in _NOT_PRICED:
        if total := float(sums[name].sum()):
            notes.append(
                f"{name} ({total:,.0f} {into} in all) is carried through and not priced: the damage rates are of"
                " buildings"
            )
    return sums.select(shown).to_series(), notes


def _words(text: pl.DataFrame) -> tuple[dict[str, pl.Series], list[str]]:
    """(field -> words of its code, notes on codes that no entry holds)"""
    words, notes = {}, []
    for field, (kind, source) in _CODES.items():
        column = text[source]
        known = {code: _word(kind, code) for code in column.drop_nulls().unique()}
        strange = sorted(code for code, (held, _) in known.items() if not held)
        words[field] = column.replace_strict(
            {code: word for code, (_, word) in known.items()}, default=None, return_dtype=pl.String
        )
        if strange:
            rows = int(column.is_in(strange).sum())
            notes.append(
                f"{source} {shortened(', '.join(strange), 100)} ({counted(rows, 'row')}) is no code of OED:"
                f" {field} is assumed"
            )
    return words, notes


def _word(kind: str, text: str) -> tuple[bool, str | None]:
    """(whether an entry holds a code, its words)"""
    code = float(text) if pl.Series([text]).str.contains(_NUMBER)[0] else None
    for entry in codes()[kind]:
        first, last = entry["codes"]
        if code is not None and first <= code <= last and code.is_integer():
            return True, entry.get("words")
    return code == 0, None


@cache
def codes() -> dict[str, list[dict[str, Any]]]:
    """Entries of the tables of codes, by kind."""
    return tomllib.loads(resources.files("engine.assess.rules").joinpath("oed_codes.toml").read_text("utf-8"))


def _known(frame: pl.DataFrame, at: Mapping[str, int], text: pl.DataFrame) -> list[pl.Series]:
    """Columns in which a number says that nothing is known: a year of 0, storeys of 0 or of a class of heights."""
    found = []
    for name, least in (("YearBuilt", 1), ("NumberOfStoreys", 1)):
        if name in at:
            unknown = pl.col(name).str.contains(_NUMBER) & (_number(name) < least)
            column = text.select(pl.when(unknown.fill_null(False)).then(None).otherwise(pl.col(name))).to_series()
            found.append(column.alias(frame.columns[at[name]]))
    return found


def _column(name: str, at: Mapping[str, int], place: int) -> Column:
    """What a column of the file is by itself."""
    fields = {
        "Latitude": "latitude",
        "Longitude": "longitude",
        "YearBuilt": COMPLETED,
        "NumberOfStoreys": "floors_above",
        "LocName": "name",
    }
    own = next((each for each, where in at.items() if where == place), None)
    if own in fields:
        return Column(name, fields[str(own)], f"{own} of OED")
    if own in _NOT_PRICED:
        return Column(name, None, "carried through and not priced: no damage rate is of it", settled=True)
    return Column(name, None, "carried through" if own is None else f"{own} of OED: carried through", settled=True)


def _free(taken: Sequence[str], count: int) -> list[str]:
    """Names of further columns of a frame."""
    names = set(taken)
    return [next(f"oed {n}" for n in range(place, place + len(names) + 1000, 1000) if f"oed {n}" not in names)
            for place in range(count)]  # fmt: skip
