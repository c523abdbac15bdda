"""Match the columns of a caller's table to fields, each with its reason."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from difflib import SequenceMatcher, get_close_matches
from typing import Any

from engine.assess.rules import value_units
from engine.assess.rules.column_names import ALIASES, ASKED, COMPLETED, NAME, WEAK
from engine.assess.rules.fields import BY_NAME, COORDINATES
from engine.core import country
from engine.core.errors import SettingsError
from engine.core.names import among

REQUIRED = tuple(field.name for field in COORDINATES)
#: fields that a name may stand for beside those of `fields`
SPECIAL = {NAME: "the site: it is carried through", COMPLETED: "the year of completion"}
#: in headings of columns that hold an address
_ADDRESSES = ("주소", "소재지", "도로명", "address", "street")
#: what `--columns` gives a field that no column is
NONE = "-"
_BRACKET = re.compile(r"^(.*?)[\s_]*[(\[{<]([^()\[\]{}<>]*)[)\]}>]\s*$")
#: how much alike two names are for one to be taken as the other misspelt (`difflib`, 0 to 1); of words of three signs
_NEAR, _NEAR_WORD, _NEAR_SHORT = 0.84, 0.7, 0.75


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file.

    name   : as the file has it
    field  : what it is read as; None: carried through
    why    : in words
    factor : what one of its numbers is in the unit of the field, as its heading says
    settled: known to be what it is, by the standard that the file follows
    """

    name: str
    field: str | None
    why: str
    factor: int | Decimal = 1
    settled: bool = False

    def as_json(self) -> dict[str, Any]:
        """For JSON and for a sheet: column, field, why, factor."""
        return (
            {"column": self.name}
            | {k: v for k, v in asdict(self).items() if k not in ("name", "settled")}
            | {"factor": float(self.factor)}
        )


@dataclass(frozen=True, slots=True)
class _Match:
    field: str
    why: str
    rank: int
    factor: int | Decimal | None = 1


def stated(text: str) -> dict[str, str]:
    """`latitude=Y, longitude=X` -> field -> column; `-` for a field that no column is. The same as a JSON object, for
    columns with a comma or an equals sign in their names.

    raises : SettingsError for a field that does not exist, or one that is given twice
    """
    found: dict[str, str] = {}
    for part, field, column in _pairs(text):
        if field not in BY_NAME and field not in SPECIAL:
            near = get_close_matches(field, [*BY_NAME, *SPECIAL], n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"--columns {part}: unknown field {field!r}{hint}; known: {', '.join(known_fields())}")
        if field in found:
            raise SettingsError(f"--columns gives {field} twice: {found[field]!r} and {column!r}")
        found[field] = column
    return found


def _pairs(text: str) -> list[tuple[str, str, str]]:
    """(what a message quotes, field, column)"""
    if text.lstrip().startswith("{"):
        try:
            told = json.loads(text, object_pairs_hook=list)
        except (ValueError, RecursionError) as err:
            raise SettingsError(f"--columns is no JSON object: {err}") from None
        if not all(isinstance(column, str) and column for _, column in told):
            raise SettingsError("--columns: every value of the JSON object is the name of a column")
        return [(f"{field}={column}", field, column) for field, column in told]
    pairs = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        field, equals, column = (each.strip() for each in part.partition("="))
        if not (equals and column):
            raise SettingsError(f"--columns {part}: expected FIELD=COLUMN, such as latitude=Y")
        pairs.append((part, field, column))
    return pairs


def known_fields() -> list[str]:
    """Every field that a column may be."""
    return [*BY_NAME, *SPECIAL]


def choose(names: Sequence[str], table: object, given: Mapping[str, str] | None = None) -> list[Column]:
    """Field of each column, in the order of the table.

    A column with the name of a field is that field; else one that differs from it in capitals, blanks, signs between
    words and a unit in brackets alone, or has one of its other names (`column_names`).

    table  : what it is called in messages
    given  : field -> column, as `stated` reads it
    raises : SettingsError for two columns that may be one field, and for a unit that is not understood
    """
    given = given or {}
    by_field = _given(names, table, given)
    taken = {place for place, _ in by_field.values()}
    candidates: dict[str, list[tuple[int, _Match]]] = {}
    for place, name in enumerate(names):
        if place not in taken and (match := _match(name)) is not None and match.field not in given:
            candidates.setdefault(match.field, []).append((place, match))
    for field, found in candidates.items():
        best = min(match.rank for _, match in found)
        chosen = [(place, match) for place, match in found if match.rank == best]
        if len(chosen) > 1 and field in (NAME, "site_id") and best > 0:  # any of them tells sites apart: the first
            order = [_key(each) for each in (*ALIASES[field], *WEAK.get(field, ()))]
            chosen = [min(chosen, key=lambda each: _order(order, names[each[0]]))]
        if len(chosen) > 1:
            alike = " and ".join(repr(names[place]) for place, _ in chosen)
            raise SettingsError(
                f"{table}: columns {alike} may both be {field}: keep one, rename one of them, or say which with"
                f" --columns '{field}={names[chosen[0][0]]}'"
            )
        by_field[field] = chosen[0]
    _require_one_age(by_field, names, table)
    fields = dict(sorted((place, (field, match)) for field, (place, match) in by_field.items()))
    return [_column(place, name, fields.get(place), table) for place, name in enumerate(names)]


def guessed(names: Sequence[str], given: Mapping[str, str] | None = None) -> list[Column]:
    """Field of each column as far as it can be told, of a table that `choose` refuses: nothing is refused here, and of
    two columns that may be one field the first is it.

    given : field -> column, as `stated` reads it
    """
    settled = {column: field for field, column in (given or {}).items() if column != NONE}
    taken, found = {*(given or {})}, []
    for name in names:
        match = _match(name)
        if (field := settled.pop(name, None)) is not None:
            found.append(Column(name, field, "as --columns says"))
        elif match is not None and match.field not in taken:
            taken.add(match.field)
            found.append(Column(name, match.field, match.why, match.factor or 1))
        else:
            found.append(Column(name, None, "no field: carried through"))
    return found


def _given(names: Sequence[str], table: object, given: Mapping[str, str]) -> dict[str, tuple[int, _Match]]:
    found = {}
    for field, column in given.items():
        if column == NONE:
            continue
        places = [place for place, name in enumerate(names) if name == column]
        places = places or [place for place, name in enumerate(names) if _key(name) == _key(column)]
        if len(places) != 1:
            near = get_close_matches(column, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near and not places else ""
            raise SettingsError(
                f"{table}: --columns {field}={column}: {len(places)} columns have that name{hint}; the columns are:"
                f" {listed(names)}"
            )
        factor = _heading_factor(field, names[places[0]])
        found[field] = places[0], _Match(field, "as --columns says", 0, factor)
    return found


def _require_one_age(by_field: Mapping[str, tuple[int, _Match]], names: Sequence[str], table: object) -> None:
    if {"building_age", COMPLETED} <= by_field.keys():
        age, year = (names[by_field[field][0]] for field in ("building_age", COMPLETED))
        raise SettingsError(
            f"{table}: columns {age!r} and {year!r} both state the age of the building: keep one, or say"
            f" --columns '{COMPLETED}={NONE}'"
        )


def _column(place: int, name: str, found: tuple[str, _Match] | None, table: object) -> Column:  # noqa: ARG001
    if found is None:
        return Column(name, None, "no field: carried through")
    field, match = found
    if match.factor is None:
        bracket = _split(name)[1]
        raise SettingsError(
            f"{table}: the unit {bracket!r} of column {name!r} is not understood; {field} is in"
            f" {unit_of(field) or 'no unit'}: convert the values, and name the column {field}"
        )
    return Column(name, field, match.why, match.factor)


def unit_of(field: str) -> str:
    """The unit of a field in words; empty for what has none."""
    fixed = {
        "total_asset_value": country.current().currency.code,
        "floor_area": "m2",
        "latitude": "degrees",
        "longitude": "degrees",
    }
    if field in fixed:
        return fixed[field]
    if field.endswith(("_m", "_mm")):
        return field.rpartition("_")[2]
    return {"elevation": "m", "building_age": "years", COMPLETED: "years", "cdd_days": "days"}.get(
        field, "a share of 0 to 1" if field.endswith(("_rate", "_ratio")) else ""
    )


def _match(name: str) -> _Match | None:
    """Field that a name means by itself; `rank` 0 for a field's own name, the least certain last."""
    if name in BY_NAME:
        return _Match(name, "its name", 0)
    for whole, unit in _readings(name):
        key = _key(whole)
        if key in (own := _of_country()):
            field = own[key]
            return _Match(field, f"{whole!r} is the country's name of {field}" + _said(unit), 1, _factor(field, unit))
        if key in _FIELDS:
            field = _FIELDS[key]
            return _Match(field, f"named as {field}" + _said(unit), 1, _factor(field, unit))
        for rank, table in ((1, _OTHER), (2, _LESS)):
            if key in table:
                field = table[key]
                why = f"{whole!r} is a name of {SPECIAL.get(field, field)}" + _said(unit)
                return _Match(field, why, rank, _factor(field, unit))
    return None


def _of_country() -> dict[str, str]:
    """Names of columns that the country profile adds -> field.

    raises : SettingsError for a field that there is not
    """
    own = country.current().vocabulary["columns"]
    if unknown := next((field for field in own if field not in ALIASES), None):
        where = f"COUNTRY {country.current().key}: vocabulary.columns.{unknown}"
        raise SettingsError(f"{where}: there is no such field; {among(unknown, ALIASES)}")
    return {_key(name): field for field, names in own.items() for name in names}


def _said(unit: str | None) -> str:
    return f", in {unit}" if unit else ""


def _readings(name: str) -> list[tuple[str, str | None]]:
    """(name, unit) in the ways in which a heading may hold one: whole, in brackets, behind the last sign."""
    head, bracket = _split(name)
    ways: list[tuple[str, str | None]] = [(name, None)]
    if bracket is not None:
        ways.append((head, bracket))
    plain = unicodedata.normalize("NFKC", name).strip("\ufeff \t\r\n")
    stem, sign, unit = plain.rpartition("_")
    if sign and value_units.are_known(unit):
        ways.append((stem, unit))
    return ways


def _split(name: str) -> tuple[str, str | None]:
    found = _BRACKET.match(unicodedata.normalize("NFKC", name).strip())
    return (found[1], found[2].strip()) if found and found[1].strip() else (name, None)


def _factor(field: str, unit: str | None) -> int | Decimal | None:
    return 1 if unit is None else value_units.in_heading(field, unit)


def _heading_factor(field: str, name: str) -> int | Decimal | None:
    """Of a column that somebody has chosen: a bracket that is no unit of the field says nothing."""
    unit = _split(name)[1]
    return 1 if unit is None else _factor(field, unit) or 1


def _key(name: str) -> str:
    """A name without capitals, blanks and signs between words."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-./·:*\"'\ufeff\u200b]+", "", text)


def _order(order: list[str], name: str) -> int:
    for whole, _ in _readings(name):
        if _key(whole) in order:
            return order.index(_key(whole))
    return -1  # its own name in another spelling


_FIELDS = {_key(name): name for name in BY_NAME}
_OTHER = {_key(other): field for field, others in ALIASES.items() for other in others} | {
    _key(each): each for each in SPECIAL
}
_LESS = {_key(other): field for field, others in WEAK.items() for other in others}
_ASKED = {_key(other): field for field, others in ASKED.items() for other in others}


def require_no_near_miss(chosen: Sequence[Column], table: object, given: Mapping[str, str] | None = None) -> None:
    """Refuse a table with a column that may be a field which no column is: it would be as if it were not there.

    raises : SettingsError naming column, field, and what to do
    """
    settled = {column.field for column in chosen} | set(given or {})
    if COMPLETED in settled:
        settled.add("building_age")
    questions = []
    for column in chosen:
        field = nearest(column.name) if column.field is None else None
        if field is not None and field not in settled:
            questions.append((column.name, field))
    if not questions:
        return
    asked = "; ".join(f"is column {name!r} the field {field}?" for name, field in questions)
    name, field = questions[0]
    raise SettingsError(
        f"{table}: {asked} If so, name it {field} or add --columns '{field}={name}'; if not, add --columns"
        f" '{','.join(f'{each}={NONE}' for each in dict.fromkeys(field for _, field in questions))}'"
    )


def meant(column: Column) -> str | None:
    """The field that a column which is none may mean; None where it is known to be none."""
    return nearest(column.name) if column.field is None and not column.settled else None


def nearest(name: str) -> str | None:
    """The field that a name may mean: one of those it is often used for, or one that is spelt much like it."""
    for whole, _ in _readings(name):
        if (key := _key(whole)) in _ASKED:
            return _ASKED[key]
    key = _key(_split(name)[0])
    known = _FIELDS | {each: field for each, field in _OTHER.items() if field not in (NAME, "site_id")}
    best, likeness = None, 0.0
    for other, field in known.items():
        if len(other) < 3 or len(key) < 3:
            continue
        ratio = SequenceMatcher(None, key, other).ratio()
        short = not other.isascii()
        if ratio > likeness and ratio >= (_NEAR_SHORT if short else _NEAR) and (short or _words_alike(name, field)):
            best, likeness = field, ratio
    return best


def _words_alike(name: str, field: str) -> bool:
    """False for names of as many words of which one is another word: building_name is no building_age."""
    own, theirs = (re.split(r"[\s_\-./]+", each.casefold().strip()) for each in (_split(name)[0], field))
    if len(own) != len(theirs):
        return True
    return all(SequenceMatcher(None, one, other).ratio() >= _NEAR_WORD for one, other in zip(own, theirs, strict=True))


def notes_on(chosen: Iterable[Column]) -> list[str]:
    """One note that names the columns which are fields under another name, if there are any."""
    other = [
        f"{each.name!r} as {each.field}{_times(each)}" for each in chosen if each.field not in (None, NAME, each.name)
    ]
    return [f"columns read as fields: {', '.join(other)}"] if other else []


def _times(column: Column) -> str:
    return "" if column.factor == 1 else f" (x {float(column.factor):,g})"


def absent(chosen: Iterable[Column], required: tuple[str, ...] = REQUIRED) -> list[str]:
    """Required fields that no column is."""
    found = {each.field for each in chosen}
    return [name for name in required if name not in found]


def has_coordinates(names: Sequence[str], given: Mapping[str, str] | None = None) -> bool:
    """Whether a row of names is a header: both coordinates are among them."""
    fields = {match.field for name in names if (match := _match(name)) is not None}
    own = {field for field, column in (given or {}).items() if _key(column) in {_key(name) for name in names}}
    return set(REQUIRED) <= fields | own


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names of columns for a message."""
    return ", ".join(names[:most])[:1000] or "none"


def lacking(table: object, names: Sequence[str], chosen: Iterable[Column], read_as: str = "") -> SettingsError:
    """The refusal of a table without coordinates, with what may be meant."""
    missing = absent(chosen)
    near = {name: field for name in names if (field := nearest(name)) in missing}
    hint = "".join(f"; is {name!r} the {field}?" for name, field in near.items())
    if near:
        one = {field: name for name, field in reversed(near.items())}
        hint += f" Then add --columns '{','.join(f'{field}={one[field]}' for field in missing if field in one)}'"
    elif places := [name for name in names if any(word in name.casefold() for word in _ADDRESSES)]:
        hint = f"; an address ({places[0]!r}) is not looked up: the table needs coordinates in degrees (WGS84)"
    return SettingsError(f"{table}: no column {', '.join(missing)}{read_as}, its columns are: {listed(names)}{hint}")
