"""Places in a list become cells of a lattice: the one given, or one made for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.core.counted import counted
from engine.core.errors import SettingsError
from engine.core.grid import TURN, GridDefinition
from engine.core.period import Years
from engine.io.etl.derive.daily import DailyRecord

Floats = NDArray[np.float64]

#: degrees; a place stands for a cell of this size unless the caller says otherwise
STEP = 0.1
_FINER = (STEP, 0.05, 0.02, 0.01)
#: cells of a lattice that nobody asked for
_MOST = 500_000


def is_list(record: DailyRecord) -> bool:
    """Check whether the record is of places without a lattice."""
    return all(piece.is_list for pieces in record.pieces.values() for piece in pieces)


def in_words(grid: GridDefinition, record: DailyRecord) -> str:
    """What a record is of: `3 places`, `40 x 30 cells`."""
    return counted(len(_places(record)[0]), "place") if is_list(record) else f"{grid.n_lat} x {grid.n_lon} cells"


def lattice(record: DailyRecord, step: float | None, years: Years) -> GridDefinition:
    """The smallest lattice of `step` degrees, centres on its multiples, whose cells hold every place.

    step   : None: 0.1, or the next finer of a few steps that puts every place in a cell of its own

    raises : SettingsError when that would be more cells than anybody wants
    """
    return around(*_places(record), step, years, record.files)


def around(latitude: Floats, longitude: Floats, step: float | None, years: Years, files: str) -> GridDefinition:
    """`lattice` of places by their degrees."""
    if step is None:
        step = next((each for each in _FINER if _apart(latitude, longitude, each)), STEP)
    east = np.sort(np.unique(longitude % 360.0))
    gaps = np.diff(np.append(east, east[0] + 360.0))
    start = float(east[(int(np.argmax(gaps)) + 1) % len(east)])  # after the widest gap: the date line is no border
    span = float(((longitude - start) % 360.0).max())
    start = start - 360.0 if start > 180.0 else start
    (south, n_lat), (west, n_lon) = _axis(latitude.min(), latitude.max(), step), _axis(start, start + span, step)
    west = west + TURN if west < -180.0 else west
    n_lon = min(n_lon, max(1, int(TURN / step + 1e-9)))  # of places all round the Earth the last column is the first
    if n_lat * n_lon > _MOST:
        raise SettingsError(
            f"{files}: its {counted(len(latitude), 'place')} would need a"
            f" lattice of {n_lat} x {n_lon} cells of {step:g}"
            " degree: give a larger --step, or derive distant places apart"
        )
    return GridDefinition(south, west, n_lat, n_lon, step, *years)


def _apart(latitude: Floats, longitude: Floats, step: float) -> bool:
    cells = np.floor(np.column_stack([latitude, longitude % TURN]) / step + 0.5 + 1e-9)
    return len(np.unique(cells, axis=0)) == len(latitude)


def rows(record: DailyRecord, grid: GridDefinition) -> list[int]:
    """Latitude rows of the lattice that hold a place, southernmost first."""
    latitude, longitude = _places(record)
    ids = grid.locate(latitude, longitude)
    return [int(row) for row in np.unique((ids[ids > 0] - 1) // grid.n_lon)]


def refuse_shared(record: DailyRecord, grid: GridDefinition) -> None:
    """Refuse two places in one cell: which of them the cell should be nobody can know.

    raises : SettingsError naming the first two
    """
    latitude, longitude = _places(record)
    ids = grid.locate(latitude, longitude)
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero((np.diff(ids[order]) == 0) & (ids[order][1:] > 0))
    if len(twice):
        one, other = order[twice[0]], order[twice[0] + 1]
        raise SettingsError(
            f"{record.files}: {len(twice)} of its {len(latitude)} places lie in a cell that holds another, such as"
            f" {latitude[one]:g} N {longitude[one]:g} E and {latitude[other]:g} N {longitude[other]:g} E: give a finer"
            f" lattice (now {grid.step:g} degree: --step or --lattice), or leave one out"
        )


def _places(record: DailyRecord) -> tuple[Floats, Floats]:
    """Latitudes and longitudes of every place, once each."""
    pieces = [piece for group in record.pieces.values() for piece in group if piece.is_list]
    both = np.concatenate([np.column_stack([piece.latitude, piece.longitude]) for piece in pieces])
    both = np.unique(both, axis=0)
    return both[:, 0], both[:, 1]


def _axis(low: float, high: float, step: float) -> tuple[float, int]:
    first, last = (int(np.floor(edge / step + 0.5 + 1e-9)) for edge in (low, high))
    return round(first * step, 6), last - first + 1
