"""Records of an explanation: everything that one published figure is made of, as JSON carries it.

Missing values are None. Tuples of numbers are float64 as computed: a reader recomputes probability and AAL from them
(docs/explain.md).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Numbers = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Years, both ends included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSeries:
    """A climate variable of the cell, as the source holds it; 12 values a year from January, or one a year."""

    name: str
    meaning: str
    unit: str
    step: str
    scenario_id: int
    first_year: int
    values: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSeries:
    """Values of the intensity, `per_year` of each of the `years`, in order of time."""

    years: tuple[int, ...]
    per_year: int
    values: Numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class IntensityTold:
    """The quantity that the bins cut.

    sentence : how it is made, with units; negated: it is minus the index that published ranges are written in
    factor   : on every recorded value, for the scenario and period; None: no such factor
    by_year  : the value of each year of the axis, or of the record; of months the largest of the year
    """

    name: str
    meaning: str
    unit: str
    sentence: str
    negated: bool
    factor: float | None
    by_year: SampleSeries


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A distribution F = a + (1 - a) G, a the share of samples at the lower bound; of a gev Hosking's k."""

    family: str
    share_at_lower: float
    location: float
    scale: float
    shape: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgesTold:
    """Inner edges of the bins, ascending, in the unit of the intensity.

    found    : fixed, sample_quantiles, fitted_quantiles or fallback; levels: of the quantiles
    baseline : samples of which they are quantiles; fit: distribution of these
    note     : what edges that are quantiles mean for a reader
    """

    values: tuple[float, ...]
    found: str
    sentence: str
    levels: tuple[float, ...] | None
    baseline: SampleSeries | None
    fit: Distribution | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimatorTold:
    """How samples become probabilities.

    method        : kde, count, fitted, insufficient_data, or not_exposed: the mildest bin for certain
    bandwidth     : of a kernel density, the unit of the intensity
    lower, atom   : lower bound of the support; whether samples at it mean that there was no event
    fit           : of the method fitted
    """

    method: str
    sentence: str
    bandwidth: float | None
    lower: float | None
    atom: bool
    fit: Distribution | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BinTold:
    """One bin. low, high: edges, None: open; damage_rate: share of value, with the factor; part: of the AAL."""

    bin: int
    low: float | None
    high: float | None
    probability: float | None
    damage_rate: float | None
    part: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorTold:
    """Factor on all damage rates, its 90 % band and source."""

    value: float
    low: float
    high: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatesTold:
    """Damage rates of the edition before its factor, and what they stand on; empty where the risk is not priced."""

    priced: bool
    calibrated: bool
    level: str | None
    edition_rates: tuple[float, ...]
    factor: FactorTold | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureTold:
    """The recomputed figure: shares of value a year; method as it is stored."""

    aal: float | None
    aal_se: float | None
    aal_low: float | None
    aal_high: float | None
    n_samples: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardPart:
    """One part of the hazard score, 0 to 1. value: None where the cell lacks its input, so that it does not count."""

    name: str
    weight: float
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HazardTold:
    """Hazard score: weighted mean of the parts, times the modifier, at most 1. score: None without a score."""

    score: float | None
    modifier: float | None
    parts: tuple[HazardPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionTold:
    """Edition with the lines that set this risk. text: None where its file is not known."""

    name: str
    checksum: str
    risk_checksum: str
    source: str
    file: str | None
    line: int | None
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTold:
    """Climate data that were read. address: without a login; stands_on: what the small tables gave"""

    address: str
    fingerprint: str
    scope: str
    axis: Span
    tables: tuple[str, ...]
    stands_on: str | None
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One figure with all that it is made of.

    status   : ok, not_exposed, not_priced or insufficient_data; sentence: what that means
    window   : years of the period; baseline: years of quantile edges and reference means, SSP2-4.5
    inputs   : of the scenario over the whole axis; of SSP2-4.5 over the baseline, where that is another
    """

    grid_id: int
    latitude: float
    longitude: float
    cell_basis: str
    cell_distance_m: float
    risk_type: str
    scenario_id: int
    scenario: str
    time_period: str
    status: str
    sentence: str
    window: Span
    baseline: Span
    inputs: tuple[InputSeries, ...]
    intensity: IntensityTold
    samples: SampleSeries
    edges: EdgesTold
    estimator: EstimatorTold
    rates: RatesTold
    bins: tuple[BinTold, ...]
    figure: FigureTold
    hazard: HazardTold | None
    edition: EditionTold
    source: SourceTold

    def as_json(self) -> dict[str, Any]:
        """Plain values: `json.dumps` writes them without loss."""
        return asdict(self)
