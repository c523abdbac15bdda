"""Summary statistics of a run, per risk: counts, AAL, hazard, components, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from engine.batch.notes import BlockNotes
from engine.batch.plan import Pair, Plan
from engine.core.counted import agree, counted, of_all
from engine.core.period import FULL
from engine.core.scenario import DEFAULT_SCENARIO
from engine.risks.bins import Factor
from engine.risks.registry import RISKS

#: a cell above this AAL deserves a second look
HIGH_AAL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSummary:
    """One risk over all cells of the run, for the pair named in `Summary.pair`. None: not computed.

    done, null, not_exposed : cells with a probability result, without enough data, out of the hazard's reach
    fallback_edges          : cells whose baseline gave no quantile edges
    unknown                 : cell attribute -> cells that needed the "unknown" rule of the hazard index
    stands_on               : what the reference tables gave (track years, zero of the sea-level rise)
    calibrated              : whether the edition calls the damage rates calibrated on losses
    priced                  : whether the edition gives the risk damage rates: without them there is no AAL; this,
                              `calibrated`, `level` and `factor` are told of a risk that has a score alone, too
    intensity               : name of the intensity that the edition bins
    trend                   : line that its years follow: the AAL of a window is that of its middle year; None: none
    level, factor           : recorded losses that the rates are calibrated on, and the factor that they carry
    """

    risk: str
    done: int | None = None
    null: int | None = None
    not_exposed: int | None = None
    methods: dict[str, int]
    mean_aal: float | None = None
    aal_95: float | None = None
    share_above_5_percent: float | None = None
    mean_hazard: float | None = None
    scored: int | None = None
    components: tuple[str, ...] = ()
    fallback_edges: int | None = None
    unknown: dict[str, int]
    stands_on: str | None = None
    calibrated: bool = False
    priced: bool = True
    intensity: str | None = None
    trend: str | None = None
    level: str | None = None
    factor: Factor | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of a whole run.

    cells_without_result : neither a probability nor a score of any risk
    pair                 : the scenario and years that the risks' figures are of
    periods              : name -> first and last year of every period that was computed
    aal_level_cuts_pct   : lower ends of the AAL levels, per cent, where the edition sets them
    not_priced           : risks that the edition gives no damage rates, whether they were computed or not
    scenario_names       : of the scenarios, where these are no SSPs, or not all four, by their numbers
    apart                : the cells are places of a list, such as stations, and no area: drawn as points
    """

    cells: int
    cells_without_result: int
    pair: str
    risks: tuple[RiskSummary, ...]
    warnings: tuple[str, ...]
    periods: Mapping[str, tuple[int, int]]
    aal_level_cuts_pct: tuple[float, ...] | None = None
    apart: bool = False
    not_priced: tuple[str, ...] = ()
    scenario_names: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For `result_runs.summary` and `run.json`."""
        return asdict(self)


def summarise(
    plan: Plan,
    probability: pl.LazyFrame | None,
    hazard: pl.LazyFrame | None,
    notes: BlockNotes,
    *,
    apart: bool = False,
) -> Summary:
    """Figures of the finished frames, in bounded memory.

    probability, hazard : None: that half was not computed
    notes               : of all blocks together
    apart               : as of `GridDefinition.apart`
    """
    pair = _shown(plan)
    of_pair = (pl.col("scenario_id") == int(pair.scenario)) & (pl.col("time_period") == pair.period)
    aal = _by_risk(
        probability,
        of_pair,
        pl.len().alias("rows"),
        (pl.col("method") == "insufficient_data").sum().alias("null"),
        pl.col("aal").cast(pl.Float64).mean().alias("mean"),
        pl.col("aal").cast(pl.Float64).quantile(0.95, "linear").alias("q95"),
        (pl.col("aal") > HIGH_AAL).mean().alias("high"),
        pl.col("method").value_counts().alias("methods"),
    )
    score = _by_risk(
        hazard, of_pair, pl.len().alias("rows"), pl.col("hazard_score").cast(pl.Float64).mean().alias("mean")
    )
    rows = tuple(_risk(name, plan, aal.get(name), score.get(name), notes) for name in plan.risks)
    with_result = [
        frame.filter(of_pair & valid).select("grid_id").unique()
        for frame, valid in ((probability, pl.col("method") != "insufficient_data"), (hazard, pl.lit(True)))
        if frame is not None
    ]
    filled = pl.concat(with_result).unique().select(pl.len()).collect(engine="streaming").item()
    periods = {each.period: (each.years.first, each.years.last) for each in plan.pairs}
    warnings, cuts = _warnings(plan, notes), plan.edition.aal_level_cuts_pct
    label = _label(plan, pair, notes.cells if apart else None)
    without = tuple(risk for risk, bins in plan.edition.bins.items() if not bins.has_loss)
    names = {str(int(each)): name for each, name in plan.names.items()}
    return Summary(notes.cells, notes.cells - filled, label, rows, warnings, periods, cuts, apart, without, names)


def _label(plan: Plan, pair: Pair, stations: int | None) -> str:
    """What the figures are of: ends with the years."""
    if not plan.observed:
        return f"{plan.label(pair.scenario)} {pair.years}"
    of = "" if stations is None else f" of {stations:,} station{'' if stations == 1 else 's'}"
    return f"observed record{of} {pair.years}"


def _by_risk(frame: pl.LazyFrame | None, rows: pl.Expr, *figures: pl.Expr) -> dict[str, dict[str, Any]]:
    if frame is None:
        return {}
    found = frame.filter(rows).group_by("risk_type").agg(*figures).collect(engine="streaming")
    return {row["risk_type"]: row for row in found.iter_rows(named=True)}


def _shown(plan: Plan) -> Pair:
    for pair in plan.pairs:
        if pair.period == FULL:
            return pair
    return next((pair for pair in plan.pairs if pair.scenario == DEFAULT_SCENARIO), plan.pairs[0])


def _risk(
    name: str, plan: Plan, aal: Mapping[str, Any] | None, score: Mapping[str, Any] | None, notes: BlockNotes
) -> RiskSummary:
    unknown = {
        attribute: count
        for attribute in RISKS[name].hazard.attributes
        if name in plan.hazard and (count := notes.unknown.get(name, {}).get(attribute, 0))
    }
    methods = {entry["method"]: int(entry["count"]) for entry in aal["methods"]} if aal else {}
    bins = plan.edition.bins[name] if name in plan.probability else None
    stated = plan.edition.bins[name]  # holds for a risk that has a score alone, too
    return RiskSummary(
        risk=name,
        done=aal["rows"] - aal["null"] if aal else None,
        null=aal["null"] if aal else None,
        not_exposed=methods.get("not_exposed", 0) if aal else None,
        methods=dict(sorted(methods.items())),
        mean_aal=aal["mean"] if aal else None,
        aal_95=aal["q95"] if aal else None,
        share_above_5_percent=aal["high"] if aal else None,
        mean_hazard=score["mean"] if score else None,
        scored=(score["rows"] if score else 0) if name in plan.hazard else None,
        components=_components(name, plan, notes),
        fallback_edges=notes.fallback_edges.get(name, 0) if bins and bins.of_baseline else None,
        unknown=unknown,
        stands_on=notes.facts.get(name),
        calibrated=bool(stated.calibrated),
        priced=stated.has_loss,
        intensity=bins.intensity if bins else None,
        trend=bins.trend if bins else None,
        level=stated.level,
        factor=stated.factor,
    )


def _components(name: str, plan: Plan, notes: BlockNotes) -> tuple[str, ...]:
    """Names of the parts used; with the number of cells where some had to do without."""
    total = notes.cells
    used = []
    for part in plan.hazard.get(name, ()):
        without = notes.dropped.get(name, {}).get(part.name, 0)
        if without == 0:
            used.append(part.name)
        elif without < total:
            used.append(f"{part.name} (in {of_all(total - without, total, 'cell')})")
    return tuple(used)


def _warnings(plan: Plan, notes: BlockNotes) -> tuple[str, ...]:
    found = [message for message, (true, cells) in notes.checks.items() if 2 * true > cells]
    for name in plan.variables:
        if gaps := notes.gaps.get(name, 0):
            found.append(f"{name}: {counted(gaps, 'cell')} {agree(gaps, 'lacks', 'lack')} values")
    if plan.left_out:
        found.append(f"periods left out, the source covers {plan.axis}: {', '.join(plan.left_out)}")
    return tuple(found)
