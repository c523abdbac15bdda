"""A what-if on the terminal: losses before and after, what is saved, when it has paid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.assess.rules import loss_words
from engine.core.counted import counted
from engine.core.interval_words import digits
from engine.core.scenario import ScenarioNames, label, names_of

_HEADINGS = ("before {currency}", "after {currency}", "saving {currency}", "90 %, times it", "calibrated")


def print_what_if(out: Console, told: Mapping[str, Any], files: list[str]) -> None:
    """Both losses of each scenario and period. told: of `assess.job.what_if`; files: written beside the results"""
    measure = told["measure"]
    sets = [f"{name} = {value}" for name, value in measure["set"].items()]
    sets += [f"prevents {100 * share:g} % of {risk}, as stated" for risk, share in measure["prevents"].items()]
    taken = f"{told['sites_taken']:,} of {counted(told['sites'], 'site')}"
    out.print(f"what if: {measure['name']} ({'; '.join(sets)}), taken at {taken}; nothing of it is stored")
    for pair in told["results"]:
        _print_pair(out, pair, names_of(told), told["scope_note"])
    out.print(told["rules_note"]["en"])
    if files:
        out.print(f"what-if files: {', '.join(files)}")


def _print_pair(out: Console, pair: Mapping[str, Any], names: ScenarioNames, of: str | None) -> None:
    scenario = label(pair["scenario_id"], names)
    title = f"{scenario}, {pair['time_period']} {pair['years']}: loss a year{f' ({of})' if of else ''}"
    table = Table(title=title, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("risk", no_wrap=True)
    for heading in _HEADINGS:
        table.add_column(heading.format(currency=loss_words.currency()), justify="right", no_wrap=True)
    for risk, before in pair["before"]["expected_loss_by_risk"].items():
        after = pair["after"]["expected_loss_by_risk"][risk]["expected_loss"]
        saving = pair["saving"]["by_risk"].get(risk, {"saving": None, "saving_low": None, "saving_high": None})
        known = before["expected_loss"] is not None
        kind = ("yes" if before["calibrated"] else "no, index") if known else "-"
        table.add_row(risk, _money(before["expected_loss"]), _money(after), *_saved(saving), kind)
    sums = [pair[which]["total_expected_loss"] for which in ("before", "after")]
    note = pair["before"]["loss_note"]
    table.add_row("all", *(_money(each) for each in sums), *_saved(pair["saving"]), "in part or not" if note else "yes")
    out.print(table)
    for which in ("before", "after"):
        words = pair[which]["loss_words"]
        out.print(
            f"{which}: {words['en'] if words else 'no loss in ' + loss_words.currency() + ': it needs an asset value'}"
        )
    for sentence in pair["words"]["en"]:
        out.print(sentence)
    if pair["overlap_note"]:
        out.print(pair["overlap_note"])
    for which, curve in pair["curves"].items():
        if curve is not None:
            out.print(f"{which}: {curve['told']['sentence']}")


def _money(value: int | None) -> str:
    return "-" if value is None else f"{value:,d}"


def _saved(saving: Mapping[str, Any]) -> tuple[str, str]:
    """Saving, and the ends of its interval as multiples of it."""
    amount, low, high = (saving[f"saving{end}"] for end in ("", "_low", "_high"))
    ends = "-" if not amount or low is None else f"{digits(low / amount)}-{digits(high / amount)}"
    return _money(amount), ends
