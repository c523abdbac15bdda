"""Figures of one risk over all its cells: what the report says in numbers. Nothing here is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from engine.batch.summary import HIGH_AAL
from engine.core import levels
from engine.io.results.published import Results
from engine.kernels import METHODS
from engine.report.places import Places

_TOWNS = 10
#: AAL that differ by less than this share of the largest are printed alike
_ALIKE = 1e-3
_SPREAD = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Of the AAL, ratios, over the cells with a result. times_low, times_high: ends of a cell's 90 % interval over its
    AAL, medians of the cells that have one; None without one."""

    mean: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    largest: float
    share_high: float
    times_low: float | None
    times_high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """How many samples a cell's estimate stands on."""

    fewest: int
    median: float
    most: int


@dataclass(frozen=True, kw_only=True)
class RiskFigures:
    """One risk. probability, hazard: columns of `io.published`; empty where not computed."""

    risk: str
    probability: pl.DataFrame
    hazard: pl.DataFrame
    mean_bins: list[float]
    losses: pl.DataFrame
    scores: pl.DataFrame

    @cached_property
    def known(self) -> pl.DataFrame:
        """Rows with an AAL."""
        return self.probability.filter(pl.col("aal").is_not_null())

    @cached_property
    def estimated(self) -> pl.DataFrame:
        """Rows with bin probabilities: those with an AAL, and those of a risk that its edition does not price."""
        return self.probability.filter(pl.col("method") != "insufficient_data")

    @cached_property
    def alike(self) -> bool:
        """True where several cells have an AAL above 0 and all have the same, so that it ranks no place."""
        aal = self.known["aal"].cast(pl.Float64)
        return self.known.height > 1 and _float(aal.max()) - _float(aal.min()) < _ALIKE * _float(aal.max())

    @property
    def ranked_by(self) -> str:
        """Column that tells places apart: aal, or hazard_score where there is no AAL or the same everywhere."""
        return "hazard_score" if self.known.is_empty() or (self.alike and self.hazard.height) else "aal"

    @property
    def priced(self) -> bool:
        """False where the edition has no damage rates for the risk."""
        return "not_priced" not in self.methods

    @cached_property
    def methods(self) -> dict[str, int]:
        """Cells by method, in the order of `METHODS`."""
        counts = dict(self.probability["method"].value_counts().iter_rows())
        return {name: counts[name] for name in METHODS if name in counts}

    @cached_property
    def nulls(self) -> int:
        """Cells without enough data."""
        return self.probability.height - self.estimated.height

    @cached_property
    def samples(self) -> Samples | None:
        """Of the cells that were estimated; None without one."""
        n = self.estimated.filter(pl.col("method") != "not_exposed")["n_samples"]
        if n.is_empty():
            return None
        return Samples(fewest=_int(n.min()), median=_float(n.median()), most=_int(n.max()))

    @cached_property
    def spread(self) -> Spread | None:
        """None without a cell that has an AAL."""
        if self.known.is_empty():
            return None
        aal = self.known["aal"].cast(pl.Float64)
        told = self.known.filter((pl.col("aal") > 0) & pl.col("aal_low").is_not_null())
        times = [
            (told[end].cast(pl.Float64) / told["aal"].cast(pl.Float64)).median() for end in ("aal_low", "aal_high")
        ]
        return Spread(
            mean=_float(aal.mean()),
            largest=_float(aal.max()),
            share_high=_float((aal > HIGH_AAL).mean()),
            times_low=None if times[0] is None else _float(times[0]),
            times_high=None if times[1] is None else _float(times[1]),
            **{name: _float(aal.quantile(q, "linear")) for name, q in _SPREAD.items()},
        )

    @cached_property
    def levels(self) -> dict[str, float]:
        """Share of the scored cells in each hazard level; empty without a score."""
        if self.hazard.is_empty():
            return {}
        words = self.hazard.select(levels.word(pl.col("hazard_score"), levels.PRINTED)).to_series()
        return {name: _float((words == name).mean()) for name in levels.PRINTED}

    @property
    def mean_hazard(self) -> float | None:
        """0..1; None without a score."""
        return None if self.hazard.is_empty() else _float(self.hazard["hazard_score"].cast(pl.Float64).mean())

    @cached_property
    def cells(self) -> pl.DataFrame:
        """grid_id, latitude, longitude, aal, its ends, method, hazard_score of every cell with a row of either kind."""
        place = ["grid_id", "latitude", "longitude"]
        both = pl.concat([self.probability.select(place), self.hazard.select(place)]).unique("grid_id").sort("grid_id")
        own = self.probability.select("grid_id", "aal", "aal_low", "aal_high", "method")
        return both.join(own, on="grid_id", how="left").join(
            self.hazard.select("grid_id", "hazard_score"), on="grid_id", how="left"
        )

    def by_province(self, places: Places) -> pl.DataFrame:
        """province, cells, spread of the AAL, mean hazard score; the highest of `ranked_by` first."""
        return self._by("province", places)

    def towns(self, places: Places) -> pl.DataFrame:
        """The same for the first municipalities in that order."""
        rows = self._by("town", places).head(_TOWNS)
        people = pl.DataFrame(
            {"town": list(places.population), "population": list(places.population.values())},
            schema={"town": pl.String(), "population": pl.Int64()},
        )
        return rows.join(people, on="town", how="left", maintain_order="left")

    def _by(self, region: str, places: Places) -> pl.DataFrame:
        held = self.cells.join(places.cells, on="grid_id").filter(pl.col(region).is_not_null())
        aal, score = pl.col("aal").cast(pl.Float64), pl.col("hazard_score").cast(pl.Float64)
        grouped = held.group_by(region).agg(
            cells=pl.len(),
            mean=aal.mean(),
            **{name: aal.quantile(q, "linear") for name, q in _SPREAD.items()},
            low=pl.col("aal_low").cast(pl.Float64).median(),
            high=pl.col("aal_high").cast(pl.Float64).median(),
            score=score.mean(),
        )
        order = "score" if self.ranked_by == "hazard_score" else "mean"
        return grouped.sort(order, region, descending=[True, False], nulls_last=True)


def figures_of(results: Results, risk: str, losses: pl.DataFrame, scores: pl.DataFrame) -> RiskFigures:
    """Read one risk. losses, scores: the means of all windows, as `Results.windows` gives them."""
    mine = pl.col("risk_type") == risk
    return RiskFigures(
        risk=risk,
        probability=results.probability(risk),
        hazard=results.hazard(risk),
        mean_bins=results.mean_bins(risk),
        losses=losses.filter(mine),
        scores=scores.filter(mine),
    )


def runs_of(figures: RiskFigures) -> tuple[int, ...]:
    """Numbers of the runs whose rows stand here."""
    numbers = pl.concat([figures.probability["run_id"], figures.hazard["run_id"]]).unique().sort()
    return tuple(int(number) for number in numbers)


def components_of(summary: Mapping[str, object] | None, risk: str) -> dict[str, object]:
    """What the run's own summary says of a risk; empty where it says nothing."""
    told = (summary or {}).get("risks") or ()
    return next((dict(row) for row in told if row["risk"] == risk), {})  # type: ignore[attr-defined]


def _float(value: object) -> float:
    return float(value)  # type: ignore[arg-type]


def _int(value: object) -> int:
    return int(value)  # type: ignore[call-overload,no-any-return]
