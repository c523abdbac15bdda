"""Explanations of published figures: recomputed from the climate data that the run read, or the reason why not."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from engine.batch.explain import explain
from engine.core.address import is_folder
from engine.core.errors import EngineError
from engine.core.period import parse_years
from engine.core.scenario import Scenario
from engine.io import open_source
from engine.io.climate.source import ClimateSource
from engine.io.results.published import Run
from engine.io.results.published_cells import CellLoss
from engine.io.results.run_method import same_figures
from engine.risks import EDITIONS, load_edition
from engine.risks.edition import Edition
from engine.service.context import Context
from engine.service.kept import Kept
from engine.service.turn import Turn

log = logging.getLogger(__name__)
_MOST_ANSWERS = 50  # of up to half a MB each
_SHOWN = 8  # digits of a checksum
#: stored figures are float32, told with seven digits
_RELATIVE = 1e-6


class Asked(NamedTuple):
    """A cell by its centre, and of what its figure is."""

    latitude: float
    longitude: float
    risk: str
    scenario: Scenario
    period: str


class CannotExplainError(Exception):
    """Why a figure cannot be recomputed, in a sentence."""


class CellExplanations:
    """Explanations, one computed after the other, the newest ones kept as long as run and climate are the same."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._kept: Kept[dict[str, Any]] = Kept(_MOST_ANSWERS)

    def read(self, context: Context, asked: Asked, run: Run | None) -> dict[str, Any]:
        """`Explanation.as_json` of a figure. run: that made the published one

        raises : CannotExplainError; TurnTakenError while others are computed
        """
        if run is None:
            raise CannotExplainError(
                "No run is recorded for this figure, so it is not known from which climate data and edition it was made"
            )
        edition = _edition(run, asked.risk)
        try:
            with closing(_opened(context, run)) as source:
                _require_same(source, run)
                key = (run["run_id"], run["published_at"], source.fingerprint, edition.checksum, asked)
                if (kept := self._kept.get(key)) is None:
                    source.cells()  # read before others have to wait
                    with self._turn.taken():
                        made = explain(
                            source,
                            edition,
                            asked.latitude,
                            asked.longitude,
                            asked.risk,
                            asked.scenario,
                            asked.period,
                            baseline=parse_years(str(run["baseline"]).split()[0]),
                        )
                    kept = made.as_json()
                    self._kept.put(key, kept)
                return kept
        except (EngineError, psycopg.Error) as err:
            log.warning("explaining %s of run %s: %s", asked.risk, run["run_id"], str(err).strip().split("\n")[0])
            raise CannotExplainError(f"The climate data of run {run['run_id']} cannot be read now") from None


def _edition(run: Run, risk: str) -> Edition:
    name, number = run["edition"], run["run_id"]
    if name not in EDITIONS:
        raise CannotExplainError(f"The edition {name} of run {number} is a file of its user, which is not here")
    edition = load_edition(name)
    here = {"edition_checksum": edition.checksum, "edition_checksums": edition.checksums}
    if risk not in edition.bins or not same_figures(run, here, risk):
        then = (run.get("edition_checksums") or {}).get(risk) or run["edition_checksum"]
        raise CannotExplainError(
            f"The edition {name} has other figures of {risk} now than when run {number} was made (checksum"
            f" {str(then)[:_SHOWN]} then, {edition.checksums.get(risk, edition.checksum)[:_SHOWN]} now)"
        )
    return edition


def _opened(context: Context, run: Run) -> ClimateSource:
    """The store that the run read, else the warehouse of the service."""
    address = str((run["summary"] or {}).get("source") or "")
    if not address.startswith("/"):
        return open_source(context.warehouse, connections=1)
    if not is_folder(address):
        raise CannotExplainError(
            f"Run {run['run_id']} read the climate store {address}, which is not there for this service"
        )
    return open_source(Path(address), connections=1)


def _require_same(source: ClimateSource, run: Run) -> None:
    if source.fingerprint != run["source_fingerprint"]:
        raise CannotExplainError(
            f"The climate data have changed since run {run['run_id']} read them (fingerprint"
            f" {str(run['source_fingerprint'])[:_SHOWN]} then, {source.fingerprint[:_SHOWN]} now)"
        )


def stored(figure: CellLoss, told: dict[str, Any]) -> dict[str, Any]:
    """The published figure beside the recomputed one."""
    mine = told["figure"]
    pairs = [(mine[name], getattr(figure, name)) for name in ("aal", "aal_se", "aal_low", "aal_high")]
    same = mine["method"] == figure.method and mine["n_samples"] == figure.n_samples
    return {
        **{name: getattr(figure, name) for name in ("aal", "aal_se", "aal_low", "aal_high", "n_samples", "method")},
        "bin_data": figure.bin_data,
        "calculated_at": figure.calculated_at,
        "agrees": same and all(_alike(*pair) for pair in pairs),
    }


def _alike(mine: float | None, theirs: float | None) -> bool:
    if mine is None or theirs is None:
        return mine is theirs
    return abs(mine - theirs) <= _RELATIVE * abs(theirs)
