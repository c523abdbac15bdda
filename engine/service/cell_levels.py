"""Return levels of the intensity in a cell, from the climate that the warehouse holds now."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

import numpy as np
import polars as pl
import psycopg

from engine.core.errors import EngineError, SourceError
from engine.core.panel import Panel
from engine.core.period import parse_years, window
from engine.core.scenario import DEFAULT_SCENARIO, Scenario
from engine.core.variables import VARIABLES
from engine.io import open_source
from engine.io.climate import catalog, cell_series
from engine.io.db import postgres
from engine.io.results.published import Run
from engine.risks import EDITIONS, load_edition, recurrence
from engine.risks.edition import Edition
from engine.risks.inputs import Reference
from engine.service.context import Context
from engine.service.kept import Kept
from engine.service.turn import Turn, TurnTakenError

log = logging.getLogger(__name__)
AWAY = "the climate data cannot be read now"
BUSY = "levels of too many cells are asked for at once: ask again"
_DIGITS = 7  # of the samples, which are float32
_MOST_REFERENCES, _MOST_ANSWERS = 50, 1000


class Asked(NamedTuple):
    """A cell, and of what its levels are."""

    cell: int
    risk: str
    scenario: Scenario
    period: str


class NoLevelsError(Exception):
    """Why there are no levels, in a phrase."""


class CellLevels:
    """Levels of cells. Small tables are read once for a state of the warehouse, series of the cell each time.

    One cell is computed after the other: see `Turn`.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._state: tuple[str, str] | None = None
        self._references: dict[tuple[object, ...], Reference] = {}
        self._kept: Kept[dict[str, Any]] = Kept(_MOST_ANSWERS)

    def read(self, context: Context, asked: Asked, run: Run | None) -> dict[str, Any]:
        """Fields of `models.ReturnLevels` that are not of the place. run: that made the cell's bin probabilities."""
        told: dict[str, Any] = {
            **dict.fromkeys(("intensity", "unit", "meaning", "sample", "years", "first_year", "last_year", "method")),
            **dict.fromkeys(("levels", "reason", "same_climate")),
            "lower_is_worse": False,
        }
        try:
            edition = _edition(run, asked.risk)
            intensity = edition.intensity(asked.risk)
            told |= {
                "intensity": edition.bins[asked.risk].intensity,
                "unit": intensity.unit,
                "meaning": intensity.meaning,
                "sample": "largest month of the year" if intensity.monthly else "year",
                "lower_is_worse": intensity.negated,
            }
            if intensity.steady:
                raise NoLevelsError(recurrence.STEADY)
            assert run is not None  # noqa: S101  (it has an edition)
            return told | self._levels(context, asked, edition, run)
        except NoLevelsError as err:
            return told | {"reason": str(err)}
        except TurnTakenError:
            return told | {"reason": BUSY}
        except (EngineError, psycopg.Error, ValueError):
            # a warehouse that is away or does not fit is no fault of the published results
            log.warning("return levels of %s in cell %d", asked.risk, asked.cell, exc_info=True)
            return told | {"reason": AWAY}

    def _levels(self, context: Context, asked: Asked, edition: Edition, run: Run) -> dict[str, Any]:
        with self._turn.taken(), context.climate() as connection:
            with postgres.failures("reading the loads", SourceError):
                loads = catalog.published(connection)
                # in a warehouse that our loaders filled the loads say it all
                state = catalog.fingerprint(connection, loads, {} if loads else catalog.present(connection))
            key = (state, context.warehouse, run["run_id"], run["published_at"], asked)
            if (kept := self._kept.get(key)) is not None:
                return kept
            observed = catalog.weakest_scope(loads) == "observed"
            years = window(asked.period, axis := context.grid.axis)
            if not axis.holds(years):
                raise NoLevelsError(f"the climate data hold {axis}, not {years}")
            reference = self._reference(context, asked, edition, run, (state, observed))
            panel = _panel(connection, reference, edition, asked)
            found = recurrence.levels_of(panel, reference, edition, asked.risk, (asked.scenario, years))
        intensity, [method], n = edition.intensity(asked.risk), found.method, int(found.years[0])
        told = {
            "years": n,
            "method": method,
            "same_climate": state == run["source_fingerprint"],
            "reason": recurrence.WHY_NOT.get(method),
        }
        if intensity.scale is None:  # else the years are those of the track record
            told |= {"first_year": years.first, "last_year": years.last}
        if told["reason"] is None:
            each = zip(recurrence.RETURN_PERIODS, found.level[0], found.low[0], found.high[0], strict=True)
            told["levels"] = [
                dict(zip(("return_period", "level", "low", "high"), map(_figure, row), strict=True)) for row in each
            ]
        self._kept.put(key, told)
        return told

    def _reference(
        self, context: Context, asked: Asked, edition: Edition, run: Run, state: tuple[str, bool]
    ) -> Reference:
        """Reference tables of a risk, as read before where the warehouse has not changed since."""
        baseline = parse_years(str(run["baseline"]).split()[0])
        if self._state != (now := (state[0], context.warehouse)):
            self._state, self._references = now, {}
        held = next(iter(self._references.values()), None)
        cells = None if held is None else _row_of(held.cells, asked.cell)
        # what is prepared of basins is prepared of one
        basin = (cells["basin_code"].item(),) if cells is not None and asked.risk == "water_stress" else ()
        key = (asked.risk, edition.checksum, baseline, *basin)
        if cells is None or key not in self._references:
            with closing(open_source(context.warehouse, connections=1)) as source:
                if lacking := recurrence.absent(source, edition, asked.risk, observed=state[1]):
                    raise NoLevelsError(f"the warehouse lacks {', '.join(lacking)}")
                cells = _row_of(source.cells(), asked.cell)
                made = recurrence.prepare(source, edition, asked.risk, cells, baseline=baseline, observed=state[1])
            if asked.risk == "water_stress":
                key = (*key[:3], cells["basin_code"].item())
            if len(self._references) >= _MOST_REFERENCES:
                self._references.clear()
            shared = made.cells if held is None else held.cells
            self._references[key] = replace(made, cells=shared, read=_closed)
        return self._references[key]


def _edition(run: Run | None, risk: str) -> Edition:
    if run is None:
        raise NoLevelsError("no run is recorded for these results, so their edition is not known")
    if run["edition"] not in EDITIONS:
        raise NoLevelsError(f"the edition {run['edition']} is not a published one, and its file is not here")
    edition = load_edition(run["edition"])
    if risk not in edition.bins:
        raise NoLevelsError(f"the edition {run['edition']} does not hold {risk}")
    return edition


def _row_of(cells: pl.DataFrame, cell: int) -> pl.DataFrame:
    row = cells.filter(pl.col("grid_id") == cell)
    if row.is_empty():
        raise NoLevelsError("the warehouse has no climate in this cell")
    return row


def _closed(*_: object) -> NoReturn:
    raise SourceError("the source of this reference was closed")


def _panel(connection: psycopg.Connection, reference: Reference, edition: Edition, asked: Asked) -> Panel:
    """The cell's series of the variables that the intensity reads."""
    arrays, wanted = {}, sorted({asked.scenario, DEFAULT_SCENARIO})
    held = cell_series.loaded(connection)
    for name in edition.intensity(asked.risk).needed(observed=reference.observed):
        variable = VARIABLES[name]
        if gone := [each.code for each in wanted if each not in held.get(variable, ())]:
            raise NoLevelsError(f"no data of {variable.table} are loaded for {', '.join(gone)}")
        series = cell_series.read(connection, asked.cell, variable, wanted, reference.axis)
        shape = (1, reference.axis.n, variable.steps) if variable.monthly else (1, reference.axis.n)
        for scenario, values in zip(wanted, series, strict=True):
            arrays[name, scenario] = np.array(values, np.float32).reshape(shape)
    return Panel(cells=_row_of(reference.cells, asked.cell), axis=reference.axis, arrays=arrays)


def _figure(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
