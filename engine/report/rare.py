"""Return levels of each risk's intensity by province, in the cell that stands in the middle of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import polars as pl

from engine.batch.block import INPUT_FAULTS
from engine.batch.plan import OBSERVED
from engine.core.period import Years, parse_years
from engine.core.scenario import DEFAULT_SCENARIO
from engine.io.climate.source import ClimateSource
from engine.report.figures import RiskFigures
from engine.report.places import Places
from engine.risks import recurrence
from engine.risks.edition import Edition

_MIDDLE = pl.col("grid_id").get((pl.len() - 1) // 2)


class ProvinceLevels(NamedTuple):
    """One province. levels: at `recurrence.RETURN_PERIODS`, low, high: of the rarest; None, and why, where unknown."""

    province: str
    grid_id: int
    levels: list[float] | None
    low: float | None
    high: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLevels:
    """One risk. reason: why there are no levels at all; lower_is_worse: an index that falls as the hazard grows;
    monthly: of the worst month of each year; record: first and last year of a record of its own, and how many years of
    it count, None: the years are those of the axis."""

    meaning: str
    unit: str
    lower_is_worse: bool
    monthly: bool
    rows: list[ProvinceLevels]
    reason: str | None = None
    record: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rare:
    """What the report says of return levels. note: why it says nothing; years: of the samples"""

    periods: tuple[float, ...] = recurrence.RETURN_PERIODS
    risks: Mapping[str, RiskLevels]
    years: Years | None = None
    note: str | None = None


def nothing(note: str) -> Rare:
    """No levels. note: why, a sentence without its point."""
    return Rare(risks={}, note=note)


def by_province(
    source: ClimateSource, edition: Edition, run: Mapping[str, Any], figures: Mapping[str, RiskFigures], places: Places
) -> Rare:
    """Levels of every risk that has results, under SSP2-4.5 over the whole axis, from the climate of the source.

    run : row of `result_runs`, whose baseline the intensities stand on
    """
    baseline, risks = parse_years(str(run["baseline"]).split()[0]), {}
    for risk in [each for each in figures if each in edition.bins]:
        intensity = edition.intensity(risk)
        rows: list[ProvinceLevels] = []
        record = None
        reason = recurrence.STEADY if intensity.steady else None
        if lacking := recurrence.absent(source, edition, risk, observed=source.scope == OBSERVED):
            reason = f"the warehouse lacks {', '.join(lacking)}"
        if reason is None:
            try:
                rows, record = _provinces(source, edition, risk, median_cells(figures[risk], places), baseline)
            except INPUT_FAULTS as err:
                reason = f"its inputs cannot be used: {err}"
        if len(reasons := {row.reason for row in rows}) == 1:
            reason = reasons.pop()  # one for all, or None
        risks[risk] = RiskLevels(
            meaning=intensity.meaning,
            unit=edition.bins[risk].intensity.replace("minus_", "").upper()
            if intensity.unit == "1"
            else intensity.unit,
            lower_is_worse=intensity.negated,
            monthly=intensity.monthly,
            rows=rows,
            reason=reason,
            record=record,
        )
    return Rare(risks=risks, years=source.axis)


def median_cells(figures: RiskFigures, places: Places) -> pl.DataFrame:
    """Columns province, grid_id: the cell in the middle of each province's cells by `RiskFigures.ranked_by`.

    Of an even number the one below the middle; of equal values the lower number.
    """
    value = figures.ranked_by
    held = figures.cells.join(places.cells, on="grid_id").filter(
        pl.col("province").is_not_null() & pl.col(value).is_not_null()
    )
    return held.sort("province", value, "grid_id").group_by("province", maintain_order=True).agg(grid_id=_MIDDLE)


def _provinces(
    source: ClimateSource, edition: Edition, risk: str, chosen: pl.DataFrame, baseline: Years
) -> tuple[list[ProvinceLevels], tuple[int, int, int] | None]:
    """Levels in the chosen cells, and the record of its own that the risk counts."""
    cells = source.cells().join(chosen, on="grid_id", how="semi", maintain_order="left")
    if cells.is_empty():
        return [], None
    observed = source.scope == OBSERVED
    reference = recurrence.prepare(source, edition, risk, cells, baseline=baseline, observed=observed)
    panel = source.read(cells, edition.intensity(risk).needed(observed=observed), [DEFAULT_SCENARIO])
    found = recurrence.levels_of(panel, reference, edition, risk, (DEFAULT_SCENARIO, source.axis))
    at = {cell: row for row, cell in enumerate(cells["grid_id"].to_list())}
    rows = []
    for name, cell in chosen.iter_rows():
        province = name.split(" (")[0]  # in English alone where it can be: tables stand side by side
        if cell not in at:
            rows.append(ProvinceLevels(province, cell, None, None, None, "the warehouse has no climate in its cell"))
            continue
        row, why = at[cell], recurrence.WHY_NOT.get(found.method[at[cell]])
        if why is not None:
            rows.append(ProvinceLevels(province, cell, None, None, None, why))
            continue
        ends = float(found.low[row, -1]), float(found.high[row, -1])
        rows.append(ProvinceLevels(province, cell, found.level[row].tolist(), *ends, None))
    counted = edition.intensity(risk).record
    if counted is None:
        return rows, None
    years = counted(reference)
    return rows, (int(years.min()), int(years.max()), len(years))
