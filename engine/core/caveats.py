"""Caveats that figures carry, so that they are not read for something else."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal

#: what a loss in money must carry while the damage rates behind it are not calibrated on losses
LOSS_NOTE = "index loss, not calibrated on losses"
#: why a site may have a loss and a risk index of 0
EXPOSURE_NOTE = (
    "Exposure tells how near the sources of a hazard are; it enters index and score and not the AAL, so a site may have"
    " a risk index of 0 and a loss"
)
#: of a sum that holds losses of both kinds
MIXED_NOTE = "in part an index loss, not calibrated on losses"
LOSS_NOTE_KO = "지수 손실, 손실 자료로 보정되지 않음"
#: risks whose damage one storm can do, and what a sum over more than one of them must say where they are not
#: calibrated: rates that are fitted to recorded losses charge a storm once
ONE_STORM = ("river_flood", "urban_flood", "typhoon")
OVERLAP_NOTE = "river flood, urban flood and typhoon may count the rain of one storm up to three times"
STORM_ONCE_NOTE = "the rates of {risks} are fitted together and charge a storm once: their AAL may be added up"
_HOW = {"extreme_heat": "how hot it is", "extreme_cold": "how cold it is", "drought": "how dry it is"}
_HOW_KO = {"extreme_heat": "더운 정도", "extreme_cold": "추운 정도", "drought": "건조한 정도"}


def loss_note(calibrated: Collection[bool]) -> str | None:
    """Note of a loss, or of a sum of losses; None where all are calibrated. calibrated: of each loss in it"""
    return None if all(calibrated) else MIXED_NOTE if any(calibrated) else LOSS_NOTE


def overlap_note(calibrated: Mapping[str, bool]) -> str | None:
    """Note of a sum that may count one storm several times; None for others. calibrated: of each risk in the sum"""
    return OVERLAP_NOTE if sum(not calibrated.get(risk, True) for risk in ONE_STORM) > 1 else None


def storm_once_note(calibrated: Mapping[str, bool]) -> str | None:
    """Note on adding up risks whose rates are calibrated on losses; None for fewer than two that one storm brings."""
    risks = [risk.replace("_", " ") for risk in ONE_STORM if calibrated.get(risk)]
    if len(risks) < 2:
        return None
    return STORM_ONCE_NOTE.format(risks=f"{', '.join(risks[:-1])} and {risks[-1]}")


def own_past(risk: str, language: Literal["en", "ko"] = "en") -> str:
    """Of a risk whose bins are cut at quantiles of each cell's own baseline."""
    if language == "ko":
        return f"해당 장소의 과거 대비 변화를 나타내며, {_HOW_KO.get(risk, '강도')} 자체를 뜻하지 않습니다"
    return f"Measures change against the place's own past, not {_HOW.get(risk, 'how strong it is')}"


def on_own_years(scope: str, baseline: str, years: tuple[int, int] | None) -> bool:
    """Whether figures of an observed record are of the very years that set the quantile edges: nothing has changed
    between the two, so that such figures measure no change.

    baseline : as a run states it, `1976-2015`
    years    : first and last of the figures; None: not known
    """
    return scope == "observed" and years is not None and baseline == f"{years[0]}-{years[1]}"


def own_years(language: Literal["en", "ko"] = "en") -> str:
    """Of a risk whose bins are cut at quantiles of the years that are counted (`on_own_years`)."""
    if language == "ko":
        return "구간 경계를 정한 바로 그 해들을 세므로, 구간별 빈도가 에디션에서 정해져 어느 장소에서나 거의 같습니다"
    return (
        "Counts the years that set its bins: the share of years in a bin is given by the edition, so that it is nearly"
        " the same at every place"
    )


#: scopes of input, the weakest first; `sample:N` stands at `sample`
_SCOPES = ("synthetic", "sample", "observed", "full")


def weakest_scope(scopes: Iterable[str]) -> str:
    """Scope of figures from several inputs: anything but `full` wins, a word that is none of the scopes over all;
    `full` without any."""

    def strength(scope: str) -> tuple[int, str]:
        kind = scope.split(":")[0]
        return (_SCOPES.index(kind) if kind in _SCOPES else -1), scope

    return min(scopes, key=strength, default="full")


def scope_note(scope: str | None) -> str | None:
    """Note that figures of a scope carry; None for `full`. scope: None where no run is recorded"""
    if scope is None:
        return "input not known: no run is recorded"
    if scope == "synthetic":
        return "synthetic input: not a statement about any place"
    if scope == "observed":
        return "observed record, no projection: it is stored as scenario 2"
    return None if scope == "full" else f"input of scope {scope}, not the whole warehouse"
