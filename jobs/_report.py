"""The table at the end of a run, and its last line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from engine.batch.execute import Outcome
from engine.batch.plan import Plan
from engine.batch.request import Request
from engine.batch.summary import RiskSummary
from engine.core.caveats import scope_note
from engine.core.counted import counted
from engine.core.period import trend_in_words
from engine.risks.bins import KDE, Bins
from engine.risks.edition import Edition


def print_plan(console: Console, plan: Plan, cells: int) -> None:
    """Print the plan of a run."""
    pairs = ", ".join(f"{plan.label(pair.scenario)} {pair.period}" for pair in plan.pairs)
    console.print(f"edition {plan.edition.name}, scope {plan.scope}, {counted(cells, 'cell')}, years {plan.axis}")
    console.print(f"baseline {plan.baseline_text}; pairs: {pairs}")
    console.print(f"probability: {', '.join(plan.probability) or 'none'}")
    _print_bins(console, plan.edition, plan.probability)
    for risk, parts in plan.hazard.items():
        console.print(f"hazard {risk}: {', '.join(part.name for part in parts)}")
    for risk, tables in plan.missing.items():
        console.print(f"missing {risk}: {', '.join(tables)}")


def print_first_plan(console: Console, request: Request, made: Sequence[str]) -> None:
    """Print the plan of a run that has nothing to read yet."""
    console.print(f"nothing is there yet; a run would make {', '.join(made)}", markup=False)
    scenarios = ", ".join(scenario.code for scenario in request.scenarios)
    console.print(
        f"edition {request.edition.name}; scenarios {scenarios}; risks {', '.join(request.risks)}", markup=False
    )
    _print_bins(console, request.edition, request.risks)
    console.print("dry run: nothing was made")


def _print_bins(console: Console, edition: Edition, risks: Iterable[str]) -> None:
    for risk in risks:
        console.print(f"bins {risk}: {bins_in_words(edition.bins[risk], edition.intensity(risk).unit)}", markup=False)


def bins_in_words(bins: Bins, unit: str) -> str:
    """Edges, estimator and damage rates of a risk in one line: `rx1day at 50, 80 mm; kde; damage 0, 0.1, 0.3 %`."""
    edges = ", ".join(f"{edge:g}" for edge in bins.edges)
    shown = "" if unit == "1" else f" {unit}"
    at = (
        f"quantiles {edges} of the baseline ({bins.fit or 'sample quantiles'})"
        if bins.of_baseline
        else f"{edges}{shown}"
    )
    parts = [f"{bins.intensity} at {at}", bins.estimator or KDE]
    if bins.trend:
        parts.append(f"{bins.trend} trend")
    rates = bins.rates
    if rates is None:
        return "; ".join([*parts, "not priced: no AAL"])
    times = f" (factor {bins.factor.value:g} included)" if bins.factor else ""
    parts.append(f"damage {', '.join(f'{100 * rate:.4g}' for rate in rates)} %{times}")
    parts.append(f"calibrated{f' on {bins.level}' if bins.level else ''}" if bins.calibrated else "not calibrated")
    return "; ".join(parts)


def print_outcome(console: Console, outcome: Outcome) -> None:
    """Per risk: cells, AAL, hazard; then what was missing, failed or doubtful."""
    summary = outcome.summary
    note = scope_note(outcome.plan.scope)
    label = f" ({note})" if note else ""
    table = Table(title=f"{summary.pair}, edition {outcome.plan.edition.name}, scope {outcome.plan.scope}{label}")
    table.add_column("risk")
    for heading in ("cells done", "null", "not exposed", "mean AAL", "95 % AAL", "AAL > 5 %", "scored", "mean H"):
        table.add_column(heading, justify="right")
    for risk in summary.risks:
        table.add_row(*_row(risk))
    console.print(table)
    for risk in summary.risks:
        if risk.components:
            console.print(f"hazard {risk.risk} = {' + '.join(risk.components)}")
    for risk in summary.risks:
        if risk.stands_on:
            console.print(f"{risk.risk}: {risk.stands_on}")
        if risk.trend and risk.priced:
            console.print(f"{risk.risk}: {trend_in_words(summary.periods)}")
        if not risk.priced and risk.done is not None:
            console.print(f"{risk.risk}: not priced by the edition, so probabilities and no AAL")
        if risk.fallback_edges:
            console.print(
                f"{risk.risk}: fixed edges were used in {counted(risk.fallback_edges, 'cell')}, because quantiles"
                " cannot be told from the baseline years there"
            )
        if risk.unknown:
            counts = ", ".join(f"{name} in {cells:,}" for name, cells in risk.unknown.items())
            console.print(f"{risk.risk}: unknown {counts} cells, where the rule for unknown cells applies")
    for name, tables in outcome.plan.missing.items():
        console.print(f"not computed: {name}, missing {', '.join(tables)}")
    for name, why in outcome.failed.items():
        console.print(f"not published: {name}, {why}")
    if outcome.plan.probability and not outcome.plan.year_losses:
        console.print("no losses of single years: YEAR_LOSSES=off")
    for warning in summary.warnings:
        console.print(f"warning: {warning}")
    stages = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in outcome.watch.seconds.items())
    console.print(f"stages (reading overlaps computing): {stages}; wall {outcome.watch.wall:.1f} s")


def _row(risk: RiskSummary) -> tuple[str, ...]:
    return (
        risk.risk,
        _count(risk.done),
        _count(risk.null),
        _count(risk.not_exposed),
        _percent(risk.mean_aal, 3),
        _percent(risk.aal_95, 3),
        _percent(risk.share_above_5_percent, 1),
        _count(risk.scored),
        _number(risk.mean_hazard, "{:.3f}"),
    )


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _percent(ratio: float | None, digits: int) -> str:
    return "-" if ratio is None else f"{100 * ratio:.{digits}f} %"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def last_line(outcome: Outcome, job: str, where: str) -> str:
    """One structured line: what, how many, by which method, where, how long."""
    methods: dict[str, int] = {}
    for risk in outcome.summary.risks:
        for method, count in risk.methods.items():
            methods[method] = methods.get(method, 0) + count
    by_method = ",".join(f"{name}:{count}" for name, count in sorted(methods.items())) or "-"
    return (
        f"job={job} run={outcome.run_id} status={outcome.status} edition={outcome.plan.edition.name}"
        f" scope={outcome.plan.scope} cells={outcome.summary.cells} risks={len(outcome.plan.risks)}"
        f" missing={len(outcome.plan.missing)} failed={len(outcome.failed)} methods={by_method}"
        f" rows={sum(outcome.rows.values())} sink={where} seconds={outcome.watch.wall:.1f}"
    )
