"""Two portfolios, or two assessments of one, beside each other, from the folders of their results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from engine.assess.rules import compare
from engine.core import country
from engine.core.caveats import scope_note, weakest_scope
from engine.core.errors import SettingsError
from engine.core.scenario import Scenario, label, names_of
from engine.io.sites import loss_files, portfolio_sites
from engine.losses.table import ALL

WHICH = ("first", "second")
#: of the sums of a portfolio, what is told of each
_SUMS = (
    *(
        f"total_expected_loss{part}{end}"
        for part in ("", "_calibrated", "_uncalibrated")
        for end in ("", "_low", "_high")
    ),
    *("loss_note", "loss_words", "interval_note", "overlap_note", "sites_in_total", "sites_left_out"),
    *("total_asset_value", "expected_loss_ratio", "mean_risk_index", "years"),
)
_POINT = ("return_period", "loss", "loss_low", "loss_high", "basis")


class Chosen(NamedTuple):
    """An assessment. folder: of its results; scenario, period: None: the first that it has"""

    folder: Path
    scenario: int | None
    period: str | None


class Comparison(NamedTuple):
    """told: a JSON object; table: of `compare.compared`"""

    told: dict[str, Any]
    table: pl.DataFrame


class _Side(NamedTuple):
    told: dict[str, Any]
    by_risk: dict[str, Any]
    assets: pl.DataFrame
    faulty: frozenset[str]


def of_folders(first: Chosen, second: Chosen) -> Comparison:
    """Totals, risks, sites and curves of two assessments.

    raises : SettingsError for a scenario and period that one does not have, and for two currencies; SourceError for
             files that cannot be read
    """
    sides = [_side(each) for each in (first, second)]
    currencies = [side.told["currency"] for side in sides]
    if currencies[0] != currencies[1]:
        raise SettingsError(f"the amounts are {' and '.join(currencies)}: portfolios in one currency can be compared")
    table = compare.compared(*(side.assets for side in sides))
    faulty = compare.faulty(table, *(side.faulty for side in sides))
    losses = [side.told["total_expected_loss"] for side in sides]
    scope = weakest_scope(side.told["scope"] or "unknown" for side in sides)
    told = {
        **dict(zip(WHICH, (side.told for side in sides), strict=True)),
        "scope": scope,
        "scope_note": scope_note(scope),
        "difference": None if None in losses else losses[1] - losses[0],
        "difference_note": _joined(_note(*(side.told for side in sides)), _faults(faulty)),
        "by_risk": compare.by_risk(*(side.by_risk for side in sides)),
        "counts": compare.counts(table),
    }
    return Comparison(told, table)


def _side(chosen: Chosen) -> _Side:
    summary = json.loads((chosen.folder / "portfolio.json").read_bytes())
    held = [(int(Scenario.parse(each["scenario"])), each["time_period"], each) for each in summary["results"]]
    fitting = [each for each in held if chosen.scenario in (None, each[0]) and chosen.period in (None, each[1])]
    if not fitting:
        names = names_of(summary)
        asked = " ".join(
            str(each) for each in (chosen.scenario and label(chosen.scenario, names), chosen.period) if each
        )
        there = ", ".join(f"{label(scenario, names)} {period}" for scenario, period, _ in held)
        raise SettingsError(f"the portfolio {summary['name']!r} was not assessed for {asked}; it was for {there}")
    scenario, period, pair = fitting[0]
    frames = portfolio_sites.read_pair(chosen.folder, scenario, period, summary.get("name_column"))
    found = loss_files.read_losses(chosen.folder)
    points: list[dict[str, Any]] = []
    if found.note is None:
        own = (pl.col("scenario_id") == scenario) & (pl.col("time_period") == period) & (pl.col("kind") == "aep")
        points = found.curve.filter(own, pl.col("risk_type") == ALL).select(_POINT).to_dicts()
    told = {
        "name": summary["name"],
        "scenario_id": scenario,
        "scenario": Scenario(scenario).api_key,
        **({"scenario_names": summary["scenario_names"]} if "scenario_names" in summary else {}),
        "time_period": period,
        "currency": country.currency_of(summary),
        "scope": summary["scope"],
        "scope_note": summary["scope_note"],
        "runs": summary["runs"],
        "rows": summary["rows"],
        "assessed_sites": summary["assessed_sites"],
        **{name: pair.get(name) for name in _SUMS},
        "curve": points,
        "curve_note": found.note,
    }
    return _Side(told, pair["expected_loss_by_risk"], compare.assets(*frames[:3]), frames.faulty)


def _note(first: dict[str, Any], second: dict[str, Any]) -> dict[str, str] | None:
    """What must be said of the difference of the sums, by language; None without an interval."""
    if None in (first["total_expected_loss_low"], second["total_expected_loss_low"]):
        return None
    if _runs(first) == _runs(second):
        return _NOTES["same_run"]
    lower, upper = sorted((first, second), key=lambda side: float(side["total_expected_loss"]))
    return _NOTES["apart" if lower["total_expected_loss_high"] < upper["total_expected_loss_low"] else "overlap"]


def _faults(faulty: tuple[list[str], list[str]]) -> dict[str, str] | None:
    """Assets that stand in one result alone because their rows in the other file have faults."""
    said = [
        {language: text.format(n=len(ids), ids=", ".join(ids[:_MOST_IDS])) for language, text in _FAULTY[which].items()}
        for which, ids in zip(WHICH, faulty, strict=True)
        if ids
    ]
    return _joined(*said)


def _joined(*said: dict[str, str] | None) -> dict[str, str] | None:
    held = [each for each in said if each is not None]
    return {language: " ".join(each[language] for each in held) for language in ("en", "ko")} if held else None


def _runs(side: dict[str, Any]) -> list[Any]:
    return [(run["run_id"], run["published_at"]) for run in side["runs"]]


_MOST_IDS = 5
_FAULTY = {
    "first": {
        "en": (
            "Not truly new: {n} of the assets that stand in the second alone are in the file of the first, too, where"
            " their rows have faults ({ids})."
        ),
        "ko": "두 번째에만 있는 자산 중 {n}건은 첫 번째 파일에도 있으나 행에 오류가 있어 평가되지 않았습니다({ids}).",
    },
    "second": {
        "en": (
            "Not truly gone: {n} of the assets that stand in the first alone are in the file of the second, too, where"
            " their rows have faults ({ids})."
        ),
        "ko": "첫 번째에만 있는 자산 중 {n}건은 두 번째 파일에도 있으나 행에 오류가 있어 평가되지 않았습니다({ids}).",
    },
}
_NOTES = {
    "same_run": {
        "en": (
            "Both sums stand on the same run and share its errors, so the difference is surer than the two intervals"
            " suggest; it has no interval of its own."
        ),
        "ko": "두 합계는 같은 실행에서 나와 오차를 공유하므로 차이는 두 구간보다 확실하며, 별도의 구간은 없습니다.",
    },
    "apart": {
        "en": "The sums stand on different runs, and their 90 % intervals do not overlap.",
        "ko": "두 합계는 서로 다른 실행에서 나왔으며 90 % 구간이 겹치지 않습니다.",
    },
    "overlap": {
        "en": "The sums stand on different runs, and their 90 % intervals overlap: the difference may be chance.",
        "ko": "두 합계는 서로 다른 실행에서 나왔으며 90 % 구간이 겹쳐, 차이가 우연일 수 있습니다.",
    },
}
