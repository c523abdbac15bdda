"""Which column of somebody's table is which field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from engine.assess.fields import BY_NAME
from engine.errors import SettingsError

#: other names of fields; none but coordinates, since any other may be another quantity
ALIASES = {"lat": "latitude", "lon": "longitude", "lng": "longitude", "long": "longitude"}


def fields_of(names: Sequence[str], table: object) -> dict[int, str]:
    """Place of a column -> its field. A column with the name of a field is that field; else one that differs from it in
    capitals, blanks, hyphens and underscores alone, or by an alias.

    table  : what it is called in messages
    raises : SettingsError for two columns that may be one field
    """
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        if (field := _field(name)) is not None:
            found.setdefault(field, []).append(place)
    chosen = {}
    for field, places in found.items():
        own = [place for place in places if names[place] == field] or places
        if len(own) > 1:
            alike = " and ".join(repr(names[place]) for place in own)
            raise SettingsError(f"{table}: columns {alike} may both be {field}: keep one, or rename one of them")
        chosen[own[0]] = field
    return dict(sorted(chosen.items()))


def notes_on(names: Sequence[str], fields: dict[int, str]) -> list[str]:
    """One note that names the columns which are fields under another name, if there are any."""
    other = [f"{names[place]!r} as {field}" for place, field in fields.items() if names[place] != field]
    return [f"columns read as fields: {', '.join(other)}"] if other else []


def absent(fields: Iterable[str], required: tuple[str, ...]) -> list[str]:
    """Required fields that no column is."""
    return [name for name in required if name not in set(fields)]


def _field(name: str) -> str | None:
    plain = re.sub(r"[\s_-]+", "_", name.strip("\ufeff \t\r\n\xa0").casefold())
    return plain if plain in BY_NAME else ALIASES.get(plain)
