"""Layers of a run that are exported, where their cells lie, and what every file says of itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from typing import Any

import polars as pl

from engine.core.caveats import scope_note
from engine.core.counted import counted
from engine.core.errors import SettingsError
from engine.core.period import FULL, PERIODS
from engine.core.scenario import OBSERVED_NAME, label, names_of
from engine.io.export.figures import FIGURES, PLACES
from engine.io.export.lattice import Lattice, lattice_of
from engine.io.export.layers import LayerKey, Layers

#: of a run, as every file states them
STATED = ("run_id", "edition", "edition_checksum", "baseline", "scope", "source_fingerprint", "published_at")
COLUMNS = (*PLACES, *FIGURES)


@dataclass(frozen=True)
class Export:
    """Layers of a run that go into files.

    layers  : where they are read
    keys    : those that are wanted, in order
    advance : told each layer that is written
    """

    layers: Layers
    keys: Sequence[LayerKey]
    advance: Callable[[LayerKey], None] = lambda _: None

    @cached_property
    def lattice(self) -> Lattice | None:
        """Of all cells; None for a list of places."""
        apart = bool((self.layers.run.get("summary") or {}).get("apart"))
        return lattice_of(self.layers.cells, apart=apart)

    @property
    def risks(self) -> list[str]:
        """Those of the layers, in order."""
        return list(dict.fromkeys(key.risk for key in self.keys))

    @property
    def scenarios(self) -> list[int]:
        """Those of the layers, ascending."""
        return sorted({key.scenario for key in self.keys})

    @property
    def periods(self) -> list[str]:
        """Those of the layers: windows in order, the whole axis last."""
        found = {key.period for key in self.keys}
        return [name for name in (*(name for name in PERIODS if name != FULL), FULL) if name in found]

    def label(self, scenario: int) -> str:
        """A scenario by the name that the data give it."""
        return scenario_label(scenario, self.layers.run)

    def years(self, period: str) -> tuple[int, int]:
        """First and last year of a period, both included."""
        return years_of(self.layers.run, period)

    def of_risk(self, risk: str) -> list[LayerKey]:
        """Layers of a risk."""
        return [key for key in self.keys if key.risk == risk]

    def rows(self, key: LayerKey) -> pl.DataFrame:
        """COLUMNS of a layer, a row a cell."""
        found = self.layers.read(key)
        self.advance(key)
        first, last = self.years(key.period)
        return found.join(self.layers.cells, on="grid_id", how="left", maintain_order="left").select(
            "grid_id",
            "latitude",
            "longitude",
            pl.lit(key.risk).alias("risk_type"),
            pl.lit(key.scenario, pl.Int16).alias("scenario_id"),
            pl.lit(self.label(key.scenario)).alias("scenario"),
            pl.lit(key.period).alias("time_period"),
            pl.lit(first, pl.Int16).alias("first_year"),
            pl.lit(last, pl.Int16).alias("last_year"),
            *FIGURES,
        )

    @cached_property
    def about(self) -> dict[str, Any]:
        """What files say of themselves, as JSON."""
        return about(self.layers.run, self.layers.runs) | {
            "cells": self.layers.cells.height,
            "risks": self.risks,
            "scenarios": {self.label(each): each for each in self.scenarios},
            "periods": {name: list(self.years(name)) for name in self.periods},
        }


def scenario_label(scenario: int, run: Mapping[str, Any]) -> str:
    """A scenario by the name that the data of a run give it; an observed record is stored under one and is none."""
    names = names_of(run.get("summary"))
    return OBSERVED_NAME if not names and run["scope"] == "observed" else label(scenario, names)


def years_of(run: Mapping[str, Any], period: str) -> tuple[int, int]:
    """First and last year of a period of a run, both included."""
    told = ((run.get("summary") or {}).get("periods") or {}).get(period)
    if told is None and period == FULL and "axis" in run:  # a run directory
        told = str(run["axis"]).split("-")
    first, last = told or PERIODS[period]
    return int(first), int(last)


def about(run: Mapping[str, Any], runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """The run of some rows, and every other that has some among them."""
    calibrated = {
        each["risk"]: bool(each.get("calibrated")) for each in (run.get("summary") or {}).get("risks", ())
    }  # fmt: skip
    return {
        "title": f"Climate risk of run {run['run_id']}, edition {run['edition']}",
        "source": f"climate-risk-engine {version('climate-risk-engine')}",
        **{name: run.get(name) for name in STATED},
        "scope_note": scope_note(run["scope"]),
        "calibrated_on_losses": calibrated or None,
        "runs": [{name: each.get(name) for name in STATED} for each in runs.values()],
    }


def chosen(
    layers: Layers,
    *,
    risks: Collection[str] | None = None,
    scenarios: Collection[int] | None = None,
    periods: Collection[str] | None = None,
) -> list[LayerKey]:
    """Layers that are asked for; None: all.

    raises : SettingsError where there are none, or none of one that is named
    """
    there = layers.keys
    for what, wanted, held in (
        ("risk", risks, {key.risk for key in there}),
        ("scenario", scenarios, {key.scenario for key in there}),
        ("period", periods, {key.period for key in there}),
    ):
        if absent := [str(each) for each in wanted or () if each not in held]:
            raise SettingsError(
                f"{layers.where} holds no results of {what} {', '.join(absent)}; there:"
                f" {', '.join(map(str, sorted(held))) or 'none'}"
            )
    found = [
        key
        for key in there
        if (risks is None or key.risk in risks)
        and (scenarios is None or key.scenario in scenarios)
        and (periods is None or key.period in periods)
    ]
    if not found:
        raise SettingsError(
            f"none of the {counted(len(there), 'layer')} of {layers.where} is of such a risk, scenario and period"
        )
    return found
